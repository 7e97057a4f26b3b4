//! Takes and releases a lock of the server's lock service, with a lease of its own.

use api::v3electionpb::ResignRequest;
use api::v3lockpb::{LockRequest, UnlockRequest};
use api::{Request, Response};
use bytes::Bytes;
use plan::act::Session;

use super::{Context, Heard, Script, Step, grant, revoke};
use crate::clients::memory::Held;

/// An attempt at a lock.
pub(super) struct Locking {
    session: Session,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Begun,
    Granting,
    Asking,
    Revoking,
}

impl Locking {
    pub(super) fn new(session: Session) -> Locking {
        Locking { session, state: State::Begun }
    }
}

impl Script for Locking {
    fn next(&mut self, heard: Heard<'_>, context: &mut Context<'_>) -> Step {
        let Session { name, lease, ttl } = &self.session;
        match (self.state, heard) {
            (State::Begun, _) if context.memory.held.contains_key(name) => Step::Done,
            (State::Begun, _) => {
                self.state = State::Granting;
                grant(*lease, *ttl)
            }
            (State::Granting, Heard::Answer(_)) => {
                context.memory.alive.push(*lease);
                self.state = State::Asking;
                Step::Ask(LockRequest { name: name.clone(), lease: *lease }.into())
            }
            (State::Asking, Heard::Answer(Response::Lock(lock))) => {
                context.count("locks");
                let held = Held { key: lock.key.clone(), revision: 0, lease: *lease, leader: None };
                context.memory.held.insert(name.clone(), held);
                Step::Done
            }
            // A lock that comes later would be useless: the lease is revoked.
            (State::Asking, _) => {
                context.memory.let_lease_go(*lease);
                self.state = State::Revoking;
                revoke(*lease)
            }
            (State::Granting | State::Revoking, _) => Step::Done,
        }
    }
}

/// Gives up what a client holds: first the lock or the leadership, then its lease.
pub(super) struct GivingUp {
    name: Bytes,
    give_up: fn(Held) -> Request,
    /// The lease still to revoke; set once the rest is given up.
    lease: Option<i64>,
    begun: bool,
}

impl GivingUp {
    fn new(name: Bytes, give_up: fn(Held) -> Request) -> GivingUp {
        GivingUp { name, give_up, lease: None, begun: false }
    }

    /// Unlocks.
    pub(super) fn lock(name: Bytes) -> GivingUp {
        GivingUp::new(name, |held| UnlockRequest { key: held.key }.into())
    }

    /// Resigns.
    pub(super) fn leadership(name: Bytes) -> GivingUp {
        GivingUp::new(name, |held| ResignRequest { leader: held.leader }.into())
    }
}

impl Script for GivingUp {
    fn next(&mut self, _: Heard<'_>, context: &mut Context<'_>) -> Step {
        if self.begun {
            return self.lease.take().map_or(Step::Done, revoke);
        }
        self.begun = true;
        let Some(held) = context.memory.held.remove(&self.name) else { return Step::Done };
        context.memory.let_lease_go(held.lease);
        self.lease = Some(held.lease);
        Step::Ask((self.give_up)(held))
    }
}
