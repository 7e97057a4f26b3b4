//! What etcd's lock and election services can have written for a client, and what their answers claim about who holds
//! a lock or leads.
//!
//! A lock or election is a queue in the store: a prefix with one key for each candidate (a client that wants the lock
//! or the leadership). The candidate whose key has the lowest create revision is first. The writes are those of
//! etcd's recipes (`client/v3/concurrency`): they put a candidate's key with its lease, change its value, or delete
//! it. The name of the key contains the id of the lease. If a call gives no lease, the server makes one, and only the
//! answer shows the key.

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
pub struct ServiceWrite {
    /// The call.
    pub operation: u32,
    /// The request that the member proposed.
    pub request: Request,
    /// The revision that it made, if it made one and the answer names it.
    pub revision: Option<i64>,
    /// Whether the write may happen after the call has ended: if the call fails while it waits, the service still
    /// deletes its key.
    pub lasts: bool,
}

/// The writes that the services may have made, and whether these are all. They are not if a call without a lease got
/// no answer, because then its key is not known.
pub fn service_writes(history: &History) -> (Vec<ServiceWrite>, bool) {
    let (mut found, mut all) = (Vec::new(), true);
    for (number, operation) in (0..).zip(&history.operations) {
        let response = operation.response();
        let at = |response: Option<&Response>| response.map(|one| answer::revision(one.header()));
        let mut add = |request: Request, revision: Option<i64>, lasts: bool| {
            found.push(ServiceWrite { operation: number, request, revision, lasts });
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
                // If the candidate's key was in the queue already, the service only changes its value.
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

/// The key of a call's candidate in its queue, and the lease of that key.
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

/// The put of a candidate's key with its lease.
fn put(key: &Bytes, value: &Bytes, lease: i64) -> PutRequest {
    PutRequest { key: key.clone(), value: value.clone(), lease, ..PutRequest::default() }
}

/// The deletion of one key.
fn deletion(key: &Bytes) -> DeleteRangeRequest {
    DeleteRangeRequest { key: key.clone(), ..DeleteRangeRequest::default() }
}

/// The [`deletion`] of one key, as a request without a condition.
fn delete(key: &Bytes) -> Request {
    deletion(key).into()
}

/// The transaction that puts a key if its create revision is `created`; 0 means that the key must not exist.
fn guarded(created: i64, key: &Bytes, put: PutRequest) -> Request {
    if_created_at(created, key, Op::RequestPut(put))
}

/// The transaction that executes `op` if the key's create revision is `created`.
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

/// What an answer claims about who is first in a queue.
pub struct QueueClaim {
    /// The revision of the answer.
    pub revision: i64,
    prefix: Bytes,
    claim: Claim,
}

/// What an answer of a service says about a queue of keys.
enum Claim {
    /// This key is first in the queue.
    First(Bytes),
    /// This pair is first in the queue; `None` claims that the queue is empty.
    Leads(Option<KeyValue>),
    /// The caller's own key is in the store, with this lease and create revision.
    Own(LeaderKey),
}

impl QueueClaim {
    /// Whether the model agrees with the claim at its revision.
    pub fn agrees_with(&self, model: &Model) -> bool {
        let queue = model.scan(&self.prefix, &prefix_end(&self.prefix), self.revision);
        match &self.claim {
            Claim::First(key) => {
                queue.min_by_key(|kv| kv.create_revision).is_some_and(|first| first.key == *key)
            }
            Claim::Leads(named) => {
                let first = queue.min_by_key(|kv| kv.create_revision);
                answer::is_same_pair(first.as_ref(), named.as_ref())
            }
            Claim::Own(own) => model
                .get(&own.key, self.revision)
                .is_some_and(|kv| (kv.create_revision, kv.lease) == (own.rev, own.lease)),
        }
    }
}

/// The claims of all answers of the services.
pub fn queue_claims(history: &History) -> impl Iterator<Item = QueueClaim> {
    history.operations.iter().filter_map(queue_claim)
}

/// What an answer says about its queue, if it is an answer of a service that has one.
fn queue_claim(operation: &Operation) -> Option<QueueClaim> {
    let response = operation.response()?;
    let prefix = |name: &Bytes| Bytes::from([&name[..], b"/"].concat());
    let (prefix, claim) = match (&operation.request, response) {
        (Request::Lock(request), Response::Lock(response)) => {
            (prefix(&request.name), Claim::First(response.key.clone()))
        }
        (Request::Leader(request), Response::Leader(response)) => {
            (prefix(&request.name), Claim::Leads(response.kv.clone()))
        }
        (Request::Campaign(request), Response::Campaign(response)) => {
            (prefix(&request.name), Claim::Own(response.leader.clone()?))
        }
        _ => return None,
    };
    Some(QueueClaim { revision: answer::revision(response.header()), prefix, claim })
}
