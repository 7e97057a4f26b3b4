//! Takes and releases a lock of the server's lock service, with a lease of its own.

use api::v3electionpb::ResignRequest;
use api::v3lockpb::{LockRequest, UnlockRequest};
use api::{Request, Response};
use bytes::Bytes;
use plan::act::Session;

use super::{ActInput, Context, RunningAct, Step, grant, revoke};
use crate::clients::memory::Held;

/// An attempt at a lock.
pub(super) struct RunningLock {
    session: Session,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    NotStarted,
    GrantLease,
    TakeLock,
    RevokeLease,
}

impl RunningLock {
    pub(super) fn new(session: Session) -> RunningLock {
        RunningLock { session, state: State::NotStarted }
    }
}

impl RunningAct for RunningLock {
    fn next(&mut self, input: ActInput<'_>, context: &mut Context<'_>) -> Step {
        let Session { name, lease, ttl } = &self.session;
        match (self.state, input) {
            (State::NotStarted, _) if context.memory.held.contains_key(name) => Step::Done,
            (State::NotStarted, _) => {
                self.state = State::GrantLease;
                grant(*lease, *ttl)
            }
            (State::GrantLease, ActInput::Answer(_)) => {
                context.memory.alive.push(*lease);
                self.state = State::TakeLock;
                Step::Ask(LockRequest { name: name.clone(), lease: *lease }.into())
            }
            (State::TakeLock, ActInput::Answer(Response::Lock(lock))) => {
                context.count("locks");
                let held = Held { key: lock.key.clone(), revision: 0, lease: *lease, leader: None };
                context.memory.held.insert(name.clone(), held);
                Step::Done
            }
            // A lock that comes later would be useless: the lease is revoked.
            (State::TakeLock, _) => {
                context.memory.stop_renewing(*lease);
                self.state = State::RevokeLease;
                revoke(*lease)
            }
            (State::GrantLease | State::RevokeLease, _) => Step::Done,
        }
    }
}

/// Gives up what a client holds: first the lock or the leadership, then its lease.
pub(super) struct RunningRelease {
    name: Bytes,
    release: fn(Held) -> Request,
    /// The lease still to revoke; set once the rest is given up.
    lease: Option<i64>,
    begun: bool,
}

impl RunningRelease {
    fn new(name: Bytes, release: fn(Held) -> Request) -> RunningRelease {
        RunningRelease { name, release, lease: None, begun: false }
    }

    /// Unlocks.
    pub(super) fn lock(name: Bytes) -> RunningRelease {
        RunningRelease::new(name, |held| UnlockRequest { key: held.key }.into())
    }

    /// Resigns.
    pub(super) fn leadership(name: Bytes) -> RunningRelease {
        RunningRelease::new(name, |held| ResignRequest { leader: held.leader }.into())
    }
}

impl RunningAct for RunningRelease {
    fn next(&mut self, _: ActInput<'_>, context: &mut Context<'_>) -> Step {
        if self.begun {
            return self.lease.take().map_or(Step::Done, revoke);
        }
        self.begun = true;
        let Some(held) = context.memory.held.remove(&self.name) else { return Step::Done };
        context.memory.stop_renewing(held.lease);
        self.lease = Some(held.lease);
        Step::Ask((self.release)(held))
    }
}
