//! The calls `Campaign`, `Proclaim`, `Resign` and `Leader` (`api/v3election/election.go`,
//! `client/v3/concurrency/election.go`).
//!
//! An election has a queue like a lock's, and its keys have values. `Campaign` waits until no key is before
//! its own; the client is then the leader. `Proclaim` changes the value of the leader's key, `Resign` deletes
//! that key, and `Leader` reads the first key of the queue.
//!
//! As in etcd, a campaign does not check that its own key still exists when no key is before it. So a leader
//! must make its writes conditional on the create revision of its key.

use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{ResponseHeader, TxnResponse};
use api::v3electionpb::{
    CampaignRequest, CampaignResponse, LeaderKey, LeaderRequest, LeaderResponse, ProclaimRequest,
    ProclaimResponse, ResignRequest, ResignResponse,
};
use api::{Error, Request, Response};
use bytes::Bytes;
use record::Probe;

use super::{Call, NextStep, mismatch, queue};
use crate::probes::Probes;

/// Puts a new value, if the key's create revision is still that of the leader's key.
fn proclaim(own: &LeaderKey, value: &Bytes) -> Request {
    let put = Op::RequestPut(queue::put(&own.key, value, own.lease));
    queue::if_created_at(own.rev, &own.key, [put], [])
}

/// Deletes the leader's key, if its create revision is still the same.
fn resign(own: &LeaderKey) -> Request {
    queue::if_created_at(own.rev, &own.key, [Op::RequestDeleteRange(queue::delete(&own.key))], [])
}

/// What a `Campaign` waits for.
#[derive(Debug)]
enum Stage {
    /// A lease.
    Session,
    /// The transaction that puts its key into the queue.
    Enter,
    /// The put of a new value, because its key was in the queue already, with another value.
    Proclaim,
    /// The read that finds the key before its own, and then the deletion of that key.
    Wait,
    /// The deletion of its own key, after an error.
    Leave(Error),
}

/// A `Campaign` in progress.
#[derive(Debug)]
pub(super) struct Campaign {
    prefix: Bytes,
    /// The value that the client wants its key to have.
    value: Bytes,
    /// The client's key, filled in step by step: name, lease, key, create revision.
    own: LeaderKey,
    /// The header of the transaction that put the key into the queue; the campaign's response has it.
    header: Option<ResponseHeader>,
    stage: Stage,
}

impl Campaign {
    /// A campaign, and its first step.
    pub(super) fn begin(request: CampaignRequest) -> (Campaign, NextStep) {
        let CampaignRequest { name, lease, value } = request;
        let prefix = queue::prefix(&name);
        let own = LeaderKey { name, ..LeaderKey::default() };
        let mut campaign = Campaign { prefix, value, own, header: None, stage: Stage::Session };
        let next = if lease == 0 { queue::session() } else { campaign.enter(lease) };
        (campaign, next)
    }

    /// Puts the client's key into the queue, unless it is there.
    fn enter(&mut self, lease: i64) -> NextStep {
        self.stage = Stage::Enter;
        self.own.lease = lease;
        self.own.key = queue::key_of(&self.prefix, lease);
        let put = Op::RequestPut(queue::put(&self.own.key, &self.value, lease));
        let get = Op::RequestRange(queue::get(&self.own.key));
        NextStep::Send(queue::if_created_at(0, &self.own.key, [put], [get]))
    }

    /// The key is in the queue.
    fn entered(&mut self, txn: &TxnResponse) -> NextStep {
        self.header = txn.header;
        if txn.succeeded {
            self.own.rev = queue::revision(txn.header.as_ref());
            return self.look();
        }
        // The key existed already: there was a campaign with the same lease.
        let before = &queue::found(txn, 0).kvs[0];
        self.own.rev = before.create_revision;
        if before.value == self.value {
            return self.look();
        }
        self.stage = Stage::Proclaim;
        NextStep::Send(proclaim(&self.own, &self.value))
    }

    /// Reads which key is just before the client's.
    fn look(&mut self) -> NextStep {
        self.stage = Stage::Wait;
        NextStep::Send(queue::last_before(&self.prefix, self.own.rev).into())
    }
}

impl Call for Campaign {
    fn answered(&mut self, result: Result<Response, Error>, probes: &Probes) -> NextStep {
        match (&self.stage, result) {
            (Stage::Session, Ok(Response::LeaseGrant(granted))) => self.enter(granted.id),
            (Stage::Enter, Ok(Response::Txn(txn))) => self.entered(&txn),
            (Stage::Proclaim, Ok(Response::Txn(txn))) if txn.succeeded => {
                probes.reached(Probe::CampaignAgainWithAnotherValue);
                self.look()
            }
            (Stage::Proclaim, Ok(Response::Txn(_))) => NextStep::Finish(Err(Error::ElectionNotLeader)),
            (Stage::Proclaim, Err(error)) => {
                self.stage = Stage::Leave(error);
                NextStep::Send(resign(&self.own))
            }
            (Stage::Wait, Ok(Response::Range(found))) => match found.kvs.first() {
                Some(before) => {
                    probes.reached(Probe::CampaignWaited);
                    NextStep::AwaitDeletion {
                        key: before.key.clone(),
                        since: queue::revision(found.header.as_ref()),
                    }
                }
                None => {
                    let leader = Some(self.own.clone());
                    NextStep::Finish(Ok(CampaignResponse { header: self.header, leader }.into()))
                }
            },
            // As in etcd, the key stays in the queue after an error while waiting, unless the client is gone.
            (Stage::Session | Stage::Enter | Stage::Wait, Err(error)) => NextStep::Finish(Err(error)),
            (Stage::Leave(error), _) => NextStep::Finish(Err(*error)),
            (_, Ok(response)) => mismatch("a step of a campaign", &response),
        }
    }

    fn ended(&mut self, ended: Result<(), Error>) -> NextStep {
        match ended {
            Ok(()) => self.look(),
            Err(error) => NextStep::Finish(Err(error)),
        }
    }

    fn abandoned(&self) -> Option<Request> {
        matches!(self.stage, Stage::Wait).then(|| resign(&self.own))
    }
}

/// A `Proclaim` or `Resign` in progress. etcd's service resumes the election with the key that the client
/// passes.
#[derive(Debug)]
pub(super) struct Resume {
    own: LeaderKey,
    /// The value to proclaim; `None` to resign.
    value: Option<Bytes>,
}

impl Resume {
    /// A call by which the leader of an election changes its value, and the first step of the call.
    pub(super) fn proclaim(request: ProclaimRequest) -> (Resume, NextStep) {
        Resume::begin(request.leader, Some(request.value))
    }

    /// A call by which the leader of an election gives up, and the first step of the call.
    pub(super) fn resign(request: ResignRequest) -> (Resume, NextStep) {
        Resume::begin(request.leader, None)
    }

    /// The common beginning of both calls.
    fn begin(leader: Option<LeaderKey>, value: Option<Bytes>) -> (Resume, NextStep) {
        let missing = leader.is_none();
        let resume = Resume { own: leader.unwrap_or_default(), value };
        let next = match resume.own.lease {
            _ if missing => NextStep::Finish(Err(Error::MissingLeaderKey)),
            0 => queue::session(),
            _ => resume.ask(),
        };
        (resume, next)
    }

    /// Makes the transaction that proclaims or resigns.
    fn ask(&self) -> NextStep {
        NextStep::Send(match &self.value {
            Some(value) => proclaim(&self.own, value),
            None => resign(&self.own),
        })
    }
}

impl Call for Resume {
    fn answered(&mut self, result: Result<Response, Error>, _: &Probes) -> NextStep {
        match result {
            Ok(Response::LeaseGrant(granted)) => {
                self.own.lease = granted.id;
                self.ask()
            }
            // `Resign` succeeds even if the key is gone or belongs to another client.
            Ok(Response::Txn(TxnResponse { header, .. })) if self.value.is_none() => {
                NextStep::Finish(Ok(ResignResponse { header }.into()))
            }
            Ok(Response::Txn(TxnResponse { header, succeeded: true, .. })) => {
                NextStep::Finish(Ok(ProclaimResponse { header }.into()))
            }
            Ok(Response::Txn(_)) => NextStep::Finish(Err(Error::ElectionNotLeader)),
            Ok(response) => mismatch("a step of a leader", &response),
            Err(error) => NextStep::Finish(Err(error)),
        }
    }
}

/// A `Leader` call in progress.
#[derive(Debug)]
pub(super) struct Leader;

impl Leader {
    /// A call that asks who the leader is, and its only step.
    pub(super) fn begin(request: LeaderRequest) -> (Leader, NextStep) {
        (Leader, NextStep::Send(queue::first(&queue::prefix(&request.name)).into()))
    }
}

impl Call for Leader {
    fn answered(&mut self, result: Result<Response, Error>, _: &Probes) -> NextStep {
        let found = match result {
            Ok(Response::Range(found)) => found,
            Ok(response) => mismatch("a request for the leader", &response),
            Err(error) => return NextStep::Finish(Err(error)),
        };
        NextStep::Finish(match found.kvs.into_iter().next() {
            Some(kv) => Ok(LeaderResponse { header: found.header, kv: Some(kv) }.into()),
            None => Err(Error::ElectionNoLeader),
        })
    }
}
