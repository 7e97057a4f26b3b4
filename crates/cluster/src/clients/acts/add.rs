//! The act `Add`: adds a value to a list that is stored in one key, as in Jepsen's set test. It reads the list and
//! writes it back with the value at its end.
//!
//! The plan says what keeps another client's value from being lost (`plan::act::Add`): compare-and-swap, or an etcd
//! lock. With a lock, the list can also be outside etcd, where only the lock protects it.
//!
//! Under a lock the requests are, in this order: grant a lease; take the lock; read the create revision of the lock's
//! key, if the write is fenced by it; read the list; pause; write the list; release the lock; revoke the lease. A
//! fenced write takes effect only if the lock's key still has that create revision (the fencing token), that is, if
//! the client still holds the lock. If one of the requests fails after the grant, the act releases the lock if it has
//! it, and revokes the lease.

use api::Response;
use api::v3lockpb::{LockRequest, UnlockRequest};
use bytes::Bytes;
use plan::act::{Add, Session};
use record::Probe;

use super::{
    ActInput, Context, RunningAct, Step, created, get, grant, longer, op_put, put, revoke, txn, unchanged,
};

/// The most attempts at a compare-and-swap. The number is our choice.
const ATTEMPTS: u32 = 10;

/// An addition under way.
pub(super) struct RunningAdd {
    plan: Add,
    state: State,
    /// The lock's key, empty before the lock is taken; and its create revision, if the write is fenced.
    lock: (Bytes, i64),
    /// What was read: the list and the modification revision of its key.
    read: (Bytes, i64),
    /// The values that were read, if the list is outside etcd.
    outside: Vec<Bytes>,
    /// How many compare-and-swaps have failed.
    attempts: u32,
}

/// The step whose outcome the act waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    NotStarted,
    GrantLease,
    TakeLock,
    ReadFencingToken,
    ReadList,
    Pause,
    WriteList,
    ReleaseLock,
    RevokeLease,
}

impl RunningAdd {
    pub(super) fn new(plan: Add) -> RunningAdd {
        RunningAdd {
            plan,
            state: State::NotStarted,
            lock: (Bytes::new(), 0),
            read: (Bytes::new(), 0),
            outside: Vec::new(),
            attempts: 0,
        }
    }

    /// Enters a state and returns the step that it waits for.
    fn go(&mut self, state: State, step: Step) -> Step {
        self.state = state;
        step
    }

    /// The first step of an attempt: a lease for the lock, or, without a lock, a read of the list.
    fn begin(&mut self, context: &mut Context<'_>) -> Step {
        match self.plan.lock.clone() {
            None => self.read(context),
            Some(Session { lease, ttl, .. }) => self.go(State::GrantLease, grant(lease, ttl)),
        }
    }

    /// Reads the list.
    fn read(&mut self, context: &mut Context<'_>) -> Step {
        if self.plan.outside {
            self.outside = context.outside.entry(self.plan.key.clone()).or_default().values.clone();
            return self.pause(context);
        }
        self.go(State::ReadList, Step::Ask(get(&self.plan.key).into()))
    }

    /// Waits between reading and writing the list, for as long as the plan says.
    fn pause(&mut self, context: &mut Context<'_>) -> Step {
        if self.plan.hold == 0 {
            return self.write(context);
        }
        self.go(State::Pause, Step::Wait(self.plan.hold))
    }

    /// Writes the list with the value added.
    fn write(&mut self, context: &mut Context<'_>) -> Step {
        if self.plan.outside {
            let mut values = std::mem::take(&mut self.outside);
            values.push(self.plan.value.clone());
            let list = context.outside.entry(self.plan.key.clone()).or_default();
            list.values = values;
            list.added.push(self.plan.value.clone());
            context.count("adds");
            return self.release(context);
        }
        let key = &self.plan.key;
        let put = put(key, longer(&self.read.0, &self.plan.value));
        let step = match &self.plan.lock {
            None => txn(unchanged(key, self.read.1), op_put(put), Vec::new()),
            Some(_) if self.plan.fenced => txn(created(&self.lock.0, self.lock.1), op_put(put), Vec::new()),
            Some(_) => Step::Ask(put.into()),
        };
        self.go(State::WriteList, step)
    }

    /// Takes the answer to the write. If a compare-and-swap failed, it begins again with reading the list.
    fn written(&mut self, response: &Response, context: &mut Context<'_>) -> Step {
        let succeeded = !matches!(response, Response::Txn(txn) if !txn.succeeded);
        if succeeded {
            context.count("adds");
        } else if self.plan.lock.is_some() {
            context.reached(Probe::FencedOff);
        } else {
            context.count("conflicts");
            self.attempts += 1;
            if self.attempts < ATTEMPTS {
                return self.read(context);
            }
        }
        self.release(context)
    }

    /// Releases the lock, if there is one.
    fn release(&mut self, context: &mut Context<'_>) -> Step {
        let Some(session) = &self.plan.lock else { return Step::Done };
        context.memory.stop_renewing(session.lease);
        if self.lock.0.is_empty() {
            return self.revoke();
        }
        let unlock = UnlockRequest { key: self.lock.0.clone() };
        self.go(State::ReleaseLock, Step::Ask(unlock.into()))
    }

    /// Revokes the lease of the lock.
    fn revoke(&mut self) -> Step {
        let Some(session) = &self.plan.lock else { return Step::Done };
        let step = revoke(session.lease);
        self.go(State::RevokeLease, step)
    }
}

impl RunningAct for RunningAdd {
    fn next(&mut self, input: ActInput<'_>, context: &mut Context<'_>) -> Step {
        match (self.state, input) {
            (State::NotStarted, _) => self.begin(context),
            (State::GrantLease, ActInput::Answer(_)) => {
                let Some(session) = &self.plan.lock else { return Step::Done };
                context.memory.alive.push(session.lease);
                let lock = LockRequest { name: session.name.clone(), lease: session.lease };
                self.go(State::TakeLock, Step::Ask(lock.into()))
            }
            (State::TakeLock, ActInput::Answer(Response::Lock(lock))) => {
                context.count("locks");
                self.lock.0 = lock.key.clone();
                if self.plan.fenced {
                    let step = Step::Ask(get(&self.lock.0).into());
                    return self.go(State::ReadFencingToken, step);
                }
                self.read(context)
            }
            (State::ReadFencingToken, ActInput::Answer(Response::Range(range))) => match range.kvs.first() {
                Some(kv) => {
                    self.lock.1 = kv.create_revision;
                    self.read(context)
                }
                // The lock's key no longer exists: the lock is lost already.
                None => self.release(context),
            },
            (State::ReadList, ActInput::Answer(Response::Range(range))) => {
                self.read =
                    range.kvs.first().map_or((Bytes::new(), 0), |kv| (kv.value.clone(), kv.mod_revision));
                self.pause(context)
            }
            (State::Pause, _) => self.write(context),
            (State::WriteList, ActInput::Answer(response)) => self.written(response, context),
            (State::ReleaseLock, _) => self.revoke(),
            (State::GrantLease | State::RevokeLease, _) => Step::Done,
            (State::TakeLock | State::ReadFencingToken | State::ReadList | State::WriteList, _) => {
                self.release(context)
            }
        }
    }
}
