//! Takes part in an election of the server's election service, and writes fenced by it.

use api::v3electionpb::{CampaignRequest, ProclaimRequest};
use api::{Error, Response};
use bytes::Bytes;
use plan::act::Session;
use record::Probe;

use super::{Context, Heard, Script, Step, created, get, grant, op_get, op_put, put, revoke, txn};
use crate::clients::memory::Held;

/// A campaign.
pub(super) struct Campaigning {
    session: Session,
    value: Bytes,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Begun,
    Granting,
    Asking,
    Revoking,
}

impl Campaigning {
    pub(super) fn new(session: Session, value: Bytes) -> Campaigning {
        Campaigning { session, value, state: State::Begun }
    }
}

impl Script for Campaigning {
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
                let value = self.value.clone();
                Step::Ask(CampaignRequest { name: name.clone(), lease: *lease, value }.into())
            }
            (State::Asking, Heard::Answer(Response::Campaign(won))) if won.leader.is_some() => {
                context.count("leaders");
                let leader = won.leader.clone();
                let (key, revision) =
                    leader.as_ref().map_or((Bytes::new(), 0), |leader| (leader.key.clone(), leader.rev));
                context.memory.held.insert(name.clone(), Held { key, revision, lease: *lease, leader });
                Step::Done
            }
            // A victory that comes later would be useless: the lease is revoked.
            (State::Asking, _) => {
                context.memory.let_lease_go(*lease);
                self.state = State::Revoking;
                revoke(*lease)
            }
            (State::Granting | State::Revoking, _) => Step::Done,
        }
    }
}

/// The client learns that it does not have what it believed it had.
fn lost(name: &Bytes, context: &mut Context<'_>) {
    if let Some(held) = context.memory.held.remove(name) {
        context.memory.let_lease_go(held.lease);
        context.reached(Probe::SessionsLost);
    }
}

/// Proclaims a value.
pub(super) struct Proclaiming {
    name: Bytes,
    value: Bytes,
    asked: bool,
}

impl Proclaiming {
    pub(super) fn new(name: Bytes, value: Bytes) -> Proclaiming {
        Proclaiming { name, value, asked: false }
    }
}

impl Script for Proclaiming {
    fn next(&mut self, heard: Heard<'_>, context: &mut Context<'_>) -> Step {
        if self.asked {
            if let Heard::Error(Error::ElectionNotLeader) = heard {
                lost(&self.name, context);
            }
            return Step::Done;
        }
        self.asked = true;
        let Some(held) = context.memory.held.get(&self.name) else { return Step::Done };
        Step::Ask(ProclaimRequest { leader: held.leader.clone(), value: self.value.clone() }.into())
    }
}

/// A put that takes effect only while the lock or the leadership is held. The answer of the lock service does
/// not contain the create revision of the lock's key, so a separate request reads it first.
pub(super) struct Fenced {
    name: Bytes,
    key: Bytes,
    value: Bytes,
    state: Fence,
}

#[derive(Clone, Copy)]
enum Fence {
    Begun,
    Learning,
    Writing,
}

impl Fenced {
    pub(super) fn new(name: Bytes, key: Bytes, value: Bytes) -> Fenced {
        Fenced { name, key, value, state: Fence::Begun }
    }

    fn write(&mut self, key: &Bytes, revision: i64) -> Step {
        self.state = Fence::Writing;
        txn(created(key, revision), op_put(put(&self.key, self.value.clone())), vec![op_get(key)])
    }
}

impl Script for Fenced {
    fn next(&mut self, heard: Heard<'_>, context: &mut Context<'_>) -> Step {
        let held = context.memory.held.get(&self.name).map(|held| (held.key.clone(), held.revision));
        match (self.state, heard, held) {
            (Fence::Begun, _, Some((key, 0))) => {
                self.state = Fence::Learning;
                Step::Ask(get(&key).into())
            }
            (Fence::Begun, _, Some((key, revision))) => self.write(&key, revision),
            (Fence::Learning, Heard::Answer(Response::Range(range)), Some((key, _))) => {
                match range.kvs.first() {
                    Some(kv) => self.write(&key, kv.create_revision),
                    None => {
                        lost(&self.name, context);
                        Step::Done
                    }
                }
            }
            (Fence::Writing, Heard::Answer(Response::Txn(answer)), _) => {
                if answer.succeeded {
                    context.count("fenced-writes");
                } else {
                    context.reached(Probe::FencedOff);
                    lost(&self.name, context);
                }
                Step::Done
            }
            _ => Step::Done,
        }
    }
}
