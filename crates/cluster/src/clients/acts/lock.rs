//! The acts `Lock` and `Unlock`, which use etcd's lock service. Each lock gets a lease of its own, which is revoked
//! when the lock is released. Resigning a leadership takes the same steps as releasing a lock, so the act `Resign` is
//! here too.

use api::v3electionpb::ResignRequest;
use api::v3lockpb::{LockRequest, UnlockRequest};
use api::{Request, Response};
use bytes::Bytes;
use plan::act::Session;

use super::{ActInput, Context, RunningAct, Step, grant, revoke};
use crate::clients::memory::Ownership;

/// The act `Lock`: grants a lease and waits until the client holds the lock with it.
pub(super) struct RunningLock {
    session: Session,
    state: State,
}

/// The request whose outcome the act waits for.
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
                let held = Ownership { key: lock.key.clone(), revision: 0, lease: *lease, leader: None };
                context.memory.held.insert(name.clone(), held);
                Step::Done
            }
            // The call failed, and the client no longer waits for the lock. Its lease is revoked, so
            // that it does not get the lock later.
            (State::TakeLock, _) => {
                context.memory.stop_renewing(*lease);
                self.state = State::RevokeLease;
                revoke(*lease)
            }
            (State::GrantLease | State::RevokeLease, _) => Step::Done,
        }
    }
}

/// The acts `Unlock` and `Resign`: release the lock or the leadership, then revoke its lease.
pub(super) struct RunningRelease {
    name: Bytes,
    /// Makes the request that releases what the client holds.
    release: fn(Ownership) -> Request,
    /// The lease to revoke after the release.
    lease: Option<i64>,
    /// Whether the act has begun.
    begun: bool,
}

impl RunningRelease {
    fn new(name: Bytes, release: fn(Ownership) -> Request) -> RunningRelease {
        RunningRelease { name, release, lease: None, begun: false }
    }

    /// Releases a lock.
    pub(super) fn lock(name: Bytes) -> RunningRelease {
        RunningRelease::new(name, |held| UnlockRequest { key: held.key }.into())
    }

    /// Resigns a leadership.
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
