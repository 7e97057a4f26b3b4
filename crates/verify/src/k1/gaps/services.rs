//! What the lock and election services can have written for a client, and what their answers say of the queues.
//!
//! The writes are those of etcd's recipes (`client/v3/concurrency`): a key of the lease in the queue, another value for
//! it, its deletion. A call without a lease gets one from the server; its key is known only from the answer.

use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{Compare, DeleteRangeRequest, PutRequest, RequestOp, TxnRequest};
use api::key_range::prefix_end;
use api::mvccpb::KeyValue;
use api::v3electionpb::LeaderKey;
use api::{Request, Response};
use bytes::Bytes;
use record::{History, Operation};

use crate::answer;
use crate::definite::over_at;
use crate::model::Model;

/// A write that a service may have made for a call.
#[derive(Debug)]
pub struct Hidden {
    /// The call.
    pub operation: u32,
    /// What the member wrote.
    pub request: Request,
    /// The revision that it made, if it made one, by the answer.
    pub revision: Option<i64>,
    /// Whether it may come after the call's answer.
    pub lasts: bool,
}

/// Everything that the services may have written, and whether that is all: not if they made leases of their own for
/// calls without an answer.
pub fn hidden(history: &History) -> (Vec<Hidden>, bool) {
    let (mut found, mut all) = (Vec::new(), true);
    for (number, operation) in (0..).zip(&history.operations) {
        let response = operation.response();
        let at = |response: Option<&Response>| response.map(|one| answer::revision(one.header()));
        let mut add = |request: Request, revision: Option<i64>, lasts: bool| {
            found.push(Hidden { operation: number, request, revision, lasts });
        };
        match &operation.request {
            Request::Lock(lock) => {
                let Some((key, lease)) = key_in_queue(&lock.name, lock.lease, response) else {
                    all &= over_at(operation).is_some();
                    continue;
                };
                add(guarded(0, &key, put(&key, &Bytes::new(), lease)), None, false);
                if response.is_none() {
                    add(delete(&key), None, true);
                }
            }
            Request::Unlock(unlock) => add(delete(&unlock.key), at(response), false),
            Request::Campaign(campaign) => {
                let Some((key, lease)) = key_in_queue(&campaign.name, campaign.lease, response) else {
                    all &= over_at(operation).is_some();
                    continue;
                };
                let own = match response {
                    Some(Response::Campaign(response)) => response.leader.as_ref().map(|leader| leader.rev),
                    _ => None,
                };
                add(guarded(0, &key, put(&key, &campaign.value, lease)), own, false);
                // Its key was in the queue already, with another value.
                add(put(&key, &campaign.value, lease).into(), None, false);
                if response.is_none() {
                    add(delete(&key), None, true);
                }
            }
            Request::Proclaim(proclaim) => {
                let Some(own) = &proclaim.leader else { continue };
                let put = put(&own.key, &proclaim.value, own.lease);
                add(guarded(own.rev, &own.key, put), at(response), false);
            }
            Request::Resign(resign) => {
                let Some(own) = &resign.leader else { continue };
                let op = Op::RequestDeleteRange(deletion(&own.key));
                add(if_created_at(own.rev, &own.key, op), at(response), false);
            }
            _ => {}
        }
    }
    (found, all)
}

/// The key of a call in its queue, and its lease.
fn key_in_queue(name: &Bytes, lease: i64, response: Option<&Response>) -> Option<(Bytes, i64)> {
    if lease != 0 {
        return Some((Bytes::from([&name[..], format!("/{lease:x}").as_bytes()].concat()), lease));
    }
    let key = match response? {
        Response::Lock(response) => &response.key,
        Response::Campaign(response) => &response.leader.as_ref()?.key,
        _ => return None,
    };
    let digits = key.strip_prefix(&name[..])?.strip_prefix(b"/")?;
    let lease = u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    Some((key.clone(), lease as i64))
}

/// The lease that a service made itself for a call without one, by the answer.
pub fn own_lease(operation: &Operation) -> Option<i64> {
    let name = match &operation.request {
        Request::Lock(lock) if lock.lease == 0 => &lock.name,
        Request::Campaign(campaign) if campaign.lease == 0 => &campaign.name,
        _ => return None,
    };
    Some(key_in_queue(name, 0, operation.response())?.1)
}

fn put(key: &Bytes, value: &Bytes, lease: i64) -> PutRequest {
    PutRequest { key: key.clone(), value: value.clone(), lease, ..PutRequest::default() }
}

fn deletion(key: &Bytes) -> DeleteRangeRequest {
    DeleteRangeRequest { key: key.clone(), ..DeleteRangeRequest::default() }
}

fn delete(key: &Bytes) -> Request {
    deletion(key).into()
}

fn guarded(created: i64, key: &Bytes, put: PutRequest) -> Request {
    if_created_at(created, key, Op::RequestPut(put))
}

fn if_created_at(created: i64, key: &Bytes, op: Op) -> Request {
    let compare = Compare {
        result: CompareResult::Equal as i32,
        target: CompareTarget::Create as i32,
        key: key.clone(),
        range_end: Bytes::new(),
        target_union: Some(TargetUnion::CreateRevision(created)),
    };
    let success = vec![RequestOp { request: Some(op) }];
    TxnRequest { compare: vec![compare], success, failure: Vec::new() }.into()
}

/// What an answer says about who is first in a queue.
pub struct Standing {
    /// The revision of the answer.
    pub revision: i64,
    prefix: Bytes,
    says: Says,
}

enum Says {
    /// This key is the first.
    First(Bytes),
    /// This pair is the first.
    Leads(Option<KeyValue>),
    /// This key was put there.
    Own(LeaderKey),
}

impl Standing {
    /// Whether the model, at this revision, agrees.
    pub fn holds(&self, model: &Model) -> bool {
        let queue = model.scan(&self.prefix, &prefix_end(&self.prefix), self.revision);
        match &self.says {
            Says::First(key) => {
                queue.min_by_key(|kv| kv.create_revision).is_some_and(|first| first.key == *key)
            }
            Says::Leads(named) => {
                let first = queue.min_by_key(|kv| kv.create_revision);
                answer::is_same_pair(first.as_ref(), named.as_ref())
            }
            Says::Own(own) => model
                .get(&own.key, self.revision)
                .is_some_and(|kv| (kv.create_revision, kv.lease) == (own.rev, own.lease)),
        }
    }
}

/// What the answers of the services say.
pub fn standings(history: &History) -> impl Iterator<Item = Standing> {
    history.operations.iter().filter_map(standing)
}

fn standing(operation: &Operation) -> Option<Standing> {
    let response = operation.response()?;
    let prefix = |name: &Bytes| Bytes::from([&name[..], b"/"].concat());
    let (prefix, says) = match (&operation.request, response) {
        (Request::Lock(request), Response::Lock(response)) => {
            (prefix(&request.name), Says::First(response.key.clone()))
        }
        (Request::Leader(request), Response::Leader(response)) => {
            (prefix(&request.name), Says::Leads(response.kv.clone()))
        }
        (Request::Campaign(request), Response::Campaign(response)) => {
            (prefix(&request.name), Says::Own(response.leader.clone()?))
        }
        _ => return None,
    };
    Some(Standing { revision: answer::revision(response.header()), prefix, says })
}
