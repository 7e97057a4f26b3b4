//! The requests of which locks and elections consist. Each client that wants a lock, or campaigns in an
//! election, puts a key with its lease under a common prefix. The keys form a queue in the order of their
//! create revisions; the client of the first key has the lock or is the leader.

use api::Request;
use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::response_op::Response as OpResponse;
use api::etcdserverpb::{
    Compare, DeleteRangeRequest, LeaseGrantRequest, PutRequest, RangeRequest, RangeResponse, RequestOp,
    ResponseHeader, TxnRequest, TxnResponse,
};
use api::key_range::prefix_end;
use bytes::Bytes;

use super::NextStep;

/// TTL of a session's lease, in seconds (`defaultSessionTTL`).
const SESSION_TTL: i64 = 60;

/// Requests a lease, for a call that has none. etcd's client library calls such a lease a session.
pub(super) fn session() -> NextStep {
    NextStep::Send(LeaseGrantRequest { id: 0, ttl: SESSION_TTL }.into())
}

/// The prefix of all keys in the queue of a lock or election.
pub(super) fn prefix(name: &[u8]) -> Bytes {
    [name, b"/"].concat().into()
}

/// The key of a client: the prefix and the id of its lease in hexadecimal, as Go formats it.
pub(super) fn key_of(prefix: &[u8], lease: i64) -> Bytes {
    let sign = if lease < 0 { "-" } else { "" };
    [prefix, format!("{sign}{:x}", lease.unsigned_abs()).as_bytes()].concat().into()
}

pub(super) fn get(key: &Bytes) -> RangeRequest {
    RangeRequest { key: key.clone(), ..RangeRequest::default() }
}

pub(super) fn put(key: &Bytes, value: &Bytes, lease: i64) -> PutRequest {
    PutRequest { key: key.clone(), value: value.clone(), lease, ..PutRequest::default() }
}

pub(super) fn delete(key: &Bytes) -> DeleteRangeRequest {
    DeleteRangeRequest { key: key.clone(), ..DeleteRangeRequest::default() }
}

/// The first key in the queue.
pub(super) fn first(prefix: &Bytes) -> RangeRequest {
    sorted(prefix, SortOrder::Ascend)
}

/// The last key in the queue before the one created at `revision`.
pub(super) fn last_before(prefix: &Bytes, revision: i64) -> RangeRequest {
    RangeRequest { max_create_revision: revision - 1, ..sorted(prefix, SortOrder::Descend) }
}

/// Reads one key of the queue, the first in this order of create revisions.
fn sorted(prefix: &Bytes, order: SortOrder) -> RangeRequest {
    RangeRequest {
        key: prefix.clone(),
        range_end: prefix_end(prefix),
        limit: 1,
        sort_order: order as i32,
        sort_target: SortTarget::Create as i32,
        ..RangeRequest::default()
    }
}

/// A transaction that succeeds if the create revision of `key` is `revision`. 0 means that there is no such
/// key.
pub(super) fn if_created_at<const N: usize, const M: usize>(
    revision: i64,
    key: &Bytes,
    success: [Op; N],
    failure: [Op; M],
) -> Request {
    let compare = Compare {
        key: key.clone(),
        target: CompareTarget::Create as i32,
        result: CompareResult::Equal as i32,
        target_union: Some(TargetUnion::CreateRevision(revision)),
        ..Compare::default()
    };
    let op = |op| RequestOp { request: Some(op) };
    TxnRequest {
        compare: vec![compare],
        success: success.map(op).to_vec(),
        failure: failure.map(op).to_vec(),
    }
    .into()
}

/// The result of a transaction's operation number `index`, which must be a range.
pub(super) fn found(txn: &TxnResponse, index: usize) -> &RangeResponse {
    match txn.responses.get(index).and_then(|op| op.response.as_ref()) {
        Some(OpResponse::ResponseRange(range)) => range,
        other => panic!("operation {index} of a transaction was a range, but its answer is {other:?}"),
    }
}

/// The revision in a response header.
pub(super) fn revision(header: Option<&ResponseHeader>) -> i64 {
    header.map_or(0, |header| header.revision)
}
