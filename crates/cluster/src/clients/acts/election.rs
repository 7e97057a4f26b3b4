//! The acts `Campaign` and `Proclaim`, which use etcd's election service, and the act `Fenced`: a put that takes
//! effect only while the client holds a lock or a leadership.
//!
//! "Leader" in this file is the client that won an election of the service, not the leader of the Raft cluster. The
//! act `Resign` is in `lock.rs`.

use api::v3electionpb::{CampaignRequest, ProclaimRequest};
use api::{Error, Response};
use bytes::Bytes;
use plan::act::Session;
use record::Probe;

use super::{ActInput, Context, RunningAct, Step, created, get, grant, op_get, op_put, put, revoke, txn};
use crate::clients::memory::Ownership;

/// The act `Campaign`: grants a lease and waits until the client is leader with it.
pub(super) struct RunningCampaign {
    session: Session,
    value: Bytes,
    state: State,
}

/// The request whose outcome the act waits for.
#[derive(Clone, Copy)]
enum State {
    NotStarted,
    GrantLease,
    Campaign,
    RevokeLease,
}

impl RunningCampaign {
    pub(super) fn new(session: Session, value: Bytes) -> RunningCampaign {
        RunningCampaign { session, value, state: State::NotStarted }
    }
}

impl RunningAct for RunningCampaign {
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
                self.state = State::Campaign;
                let value = self.value.clone();
                Step::Ask(CampaignRequest { name: name.clone(), lease: *lease, value }.into())
            }
            (State::Campaign, ActInput::Answer(Response::Campaign(won))) if won.leader.is_some() => {
                context.count("leaders");
                let leader = won.leader.clone();
                let (key, revision) =
                    leader.as_ref().map_or((Bytes::new(), 0), |leader| (leader.key.clone(), leader.rev));
                context.memory.held.insert(name.clone(), Ownership { key, revision, lease: *lease, leader });
                Step::Done
            }
            // The call failed, and the client no longer waits for the leadership. Its lease is
            // revoked, so that it does not become leader later.
            (State::Campaign, _) => {
                context.memory.stop_renewing(*lease);
                self.state = State::RevokeLease;
                revoke(*lease)
            }
            (State::GrantLease | State::RevokeLease, _) => Step::Done,
        }
    }
}

/// Forgets a lock or leadership, because the client learned that it has lost it.
fn lost(name: &Bytes, context: &mut Context<'_>) {
    if let Some(held) = context.memory.held.remove(name) {
        context.memory.stop_renewing(held.lease);
        context.reached(Probe::SessionsLost);
    }
}

/// The act `Proclaim`: the leader changes the value that it announces to all.
pub(super) struct RunningProclaim {
    name: Bytes,
    value: Bytes,
    /// Whether the request was sent.
    asked: bool,
}

impl RunningProclaim {
    pub(super) fn new(name: Bytes, value: Bytes) -> RunningProclaim {
        RunningProclaim { name, value, asked: false }
    }
}

impl RunningAct for RunningProclaim {
    fn next(&mut self, input: ActInput<'_>, context: &mut Context<'_>) -> Step {
        if self.asked {
            if let ActInput::Error(Error::ElectionNotLeader) = input {
                lost(&self.name, context);
            }
            return Step::Done;
        }
        self.asked = true;
        let Some(held) = context.memory.held.get(&self.name) else { return Step::Done };
        Step::Ask(ProclaimRequest { leader: held.leader.clone(), value: self.value.clone() }.into())
    }
}

/// The act `Fenced`: a put that takes effect only while the client holds the lock or the leadership. It compares
/// the create revision of the lock's key. The election service returns that revision with the leadership; the
/// lock service does not, so for a lock the act first reads it.
pub(super) struct RunningFencedWrite {
    name: Bytes,
    key: Bytes,
    value: Bytes,
    state: FenceState,
}

/// The request whose outcome the act `Fenced` waits for.
#[derive(Clone, Copy)]
enum FenceState {
    NotStarted,
    ReadFencingToken,
    Write,
}

impl RunningFencedWrite {
    pub(super) fn new(name: Bytes, key: Bytes, value: Bytes) -> RunningFencedWrite {
        RunningFencedWrite { name, key, value, state: FenceState::NotStarted }
    }

    /// Sends the put, on the condition that the lock's `key` has this create revision.
    fn write(&mut self, key: &Bytes, revision: i64) -> Step {
        self.state = FenceState::Write;
        txn(created(key, revision), op_put(put(&self.key, self.value.clone())), vec![op_get(key)])
    }
}

impl RunningAct for RunningFencedWrite {
    fn next(&mut self, input: ActInput<'_>, context: &mut Context<'_>) -> Step {
        let held = context.memory.held.get(&self.name).map(|held| (held.key.clone(), held.revision));
        match (self.state, input, held) {
            (FenceState::NotStarted, _, Some((key, 0))) => {
                self.state = FenceState::ReadFencingToken;
                Step::Ask(get(&key).into())
            }
            (FenceState::NotStarted, _, Some((key, revision))) => self.write(&key, revision),
            (FenceState::ReadFencingToken, ActInput::Answer(Response::Range(range)), Some((key, _))) => {
                match range.kvs.first() {
                    Some(kv) => self.write(&key, kv.create_revision),
                    None => {
                        lost(&self.name, context);
                        Step::Done
                    }
                }
            }
            (FenceState::Write, ActInput::Answer(Response::Txn(answer)), _) => {
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
