//! Converts reports of etcd's robustness tests to histories of this project.
//!
//! A report is a folder with an `operations.json` and a `watch.json` for each client. What it does not record (the
//! lease and create revision of a pair, which member answered) is marked as unrecorded or left out.
//!
//! Not converted: serializable reads, because the report does not give their revision. What watchers received is
//! evidence of what writes without an answer did; it is not judged itself.

use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::request_op::Request as AskedOp;
use api::etcdserverpb::response_op::Response as AnsweredOp;
use api::etcdserverpb::*;
use api::mvccpb::event::EventType;
use api::mvccpb::{Event, KeyValue};
use api::{Error, Request, Response};
use bytes::Bytes;
use histories::robustness::{self as report, Answer, Found, Op, OpResult, Value, Watch};
use record::{History, MemberId, Nanos, Operation, Outcome, WatchStream};
use verify::answer::NOT_RECORDED;

/// A report does not say which member answered.
const SOME_MEMBER: MemberId = MemberId::NONE;

/// The operations of all clients of a report, in the order of their calls.
pub fn history(operations: &[report::Operation]) -> History {
    let mut operations: Vec<Operation> = operations.iter().filter_map(operation).collect();
    operations.sort_by_key(|operation| operation.call);
    History { operations, ..History::default() }
}

/// What the watchers of a report received.
pub fn watched(watches: &[Watch]) -> Vec<WatchStream> {
    let stream = |watch: &Watch| {
        let received = watch.responses.iter().map(|response| {
            let events = response.events.iter().map(event).collect();
            (time(response.time), WatchResponse { events, ..WatchResponse::default() })
        });
        WatchStream {
            client: 0,
            member: SOME_MEMBER,
            opened: 0,
            sent: Vec::new(),
            received: received.collect(),
            ended: None,
        }
    };
    watches.iter().map(stream).collect()
}

fn event(event: &report::Event) -> Event {
    let kind = if event.deleted { EventType::Delete } else { EventType::Put };
    let kv = KeyValue {
        key: Bytes::from(event.key.clone()),
        value: value(&event.value),
        mod_revision: event.revision,
        ..KeyValue::default()
    };
    Event { r#type: kind as i32, kv: Some(kv), prev_kv: None }
}

fn operation(operation: &report::Operation) -> Option<Operation> {
    let request = request(operation)?;
    let at = time(operation.returned);
    let response = &operation.response;
    let outcome = match (&response.answer, &response.error, &response.client_error) {
        (_, Some(_), _) => Outcome::Unknown { gave_up: at },
        (_, None, Some(error)) => match named(error) {
            Some(error) => Outcome::Error { at, error },
            None => Outcome::Unknown { gave_up: at },
        },
        (Some(answer), None, None) if response.persisted.is_none() => {
            Outcome::Answer { at, response: self::answer(&operation.request, answer, response.revision)? }
        }
        _ => Outcome::Unknown { gave_up: at },
    };
    let client = u32::try_from(operation.client).unwrap_or_default();
    Some(Operation { client, member: SOME_MEMBER, user: None, request, call: time(operation.call), outcome })
}

/// An error by what the report calls it: of a refused compaction it has the store's own text, without the service's name
/// before it (`AppendCompact` in `tests/robustness/model/history.go`).
fn named(error: &str) -> Option<Error> {
    Error::from_text(error).or_else(|| Error::from_text(&format!("etcdserver: {error}")))
}

fn time(nanos: i64) -> Nanos {
    Nanos::try_from(nanos).unwrap_or_default()
}

/// What was asked; nothing where that is no use to a judge.
fn request(operation: &report::Operation) -> Option<Request> {
    Some(match &operation.request {
        report::Request::Range { .. } if operation.response.revision < 0 => return None,
        report::Request::Range { range, revision } => Request::Range(self::range(range, *revision)),
        report::Request::Txn { conditions, success, failure } => Request::Txn(TxnRequest {
            compare: conditions.iter().map(condition).collect(),
            success: success.iter().map(asked).collect(),
            failure: failure.iter().map(asked).collect(),
        }),
        // A report does not have the TTL of a lease.
        report::Request::LeaseGrant(id) => Request::LeaseGrant(LeaseGrantRequest { id: *id, ttl: 0 }),
        report::Request::LeaseRevoke(id) => Request::LeaseRevoke(LeaseRevokeRequest { id: *id }),
        report::Request::Compact(revision) => {
            Request::Compact(CompactionRequest { revision: *revision, physical: false })
        }
        report::Request::Defragment => return None,
    })
}

fn range(range: &report::Range, revision: i64) -> RangeRequest {
    RangeRequest {
        key: Bytes::from(range.start.clone()),
        range_end: Bytes::from(range.end.clone()),
        limit: range.limit,
        revision,
        ..RangeRequest::default()
    }
}

/// A condition compares the version if it has one, else the mod revision.
fn condition(condition: &report::Condition) -> Compare {
    let (target, union) = match condition.expected_version {
        0 => (CompareTarget::Mod, TargetUnion::ModRevision(condition.expected_revision)),
        version => (CompareTarget::Version, TargetUnion::Version(version)),
    };
    Compare {
        result: CompareResult::Equal as i32,
        target: target as i32,
        key: Bytes::from(condition.key.clone()),
        range_end: Bytes::new(),
        target_union: Some(union),
    }
}

fn asked(op: &Op) -> RequestOp {
    let request = match op {
        Op::Range(range) => AskedOp::RequestRange(self::range(range, 0)),
        Op::Put { key, value, lease } => AskedOp::RequestPut(PutRequest {
            key: Bytes::from(key.clone()),
            value: self::value(value),
            lease: *lease,
            ..PutRequest::default()
        }),
        Op::Delete(key) => AskedOp::RequestDeleteRange(DeleteRangeRequest {
            key: Bytes::from(key.clone()),
            ..DeleteRangeRequest::default()
        }),
    };
    RequestOp { request: Some(request) }
}

/// The response; `None` if it does not fit the request.
fn answer(request: &report::Request, answer: &Answer, revision: i64) -> Option<Response> {
    let header = Some(ResponseHeader { revision, ..ResponseHeader::default() });
    Some(match (request, answer) {
        (report::Request::Range { .. }, Answer::Range(found)) => {
            Response::Range(RangeResponse { header, ..self::found(found) })
        }
        (report::Request::Txn { success, failure, .. }, Answer::Txn { failure: failed, results }) => {
            let branch = if *failed { failure } else { success };
            let responses = answers(branch, results, revision);
            Response::Txn(TxnResponse { header, succeeded: !failed, responses })
        }
        (report::Request::LeaseGrant(asked), Answer::LeaseGrant(id)) => {
            let id = if *id == 0 { *asked } else { *id };
            Response::LeaseGrant(LeaseGrantResponse { header, id, ttl: 0, error: String::new() })
        }
        (report::Request::LeaseRevoke(_), Answer::LeaseRevoke) => {
            Response::LeaseRevoke(LeaseRevokeResponse { header })
        }
        (report::Request::Compact(_), Answer::Compact) => Response::Compact(CompactionResponse { header }),
        _ => return None,
    })
}

/// The answers to the parts of a transaction. Their revisions are not in a report but follow from it: before the
/// first change it is the store's revision, after it the one that the transaction makes.
fn answers(branch: &[Op], results: &[OpResult], revision: i64) -> Vec<ResponseOp> {
    let changes = |(op, result): (&Op, &OpResult)| matches!(op, Op::Put { .. }) || result.deleted > 0;
    let makes_revision = branch.iter().zip(results).any(changes);
    let mut newest = revision - i64::from(makes_revision);
    let answer = |(op, result)| {
        if changes((op, result)) {
            newest = revision;
        }
        let header = Some(ResponseHeader { revision: newest, ..ResponseHeader::default() });
        let response = match op {
            Op::Range(_) => AnsweredOp::ResponseRange(RangeResponse { header, ..found(&result.found) }),
            Op::Put { .. } => AnsweredOp::ResponsePut(PutResponse { header, prev_kv: None }),
            Op::Delete(_) => {
                let (deleted, prev_kvs) = (result.deleted, Vec::new());
                AnsweredOp::ResponseDeleteRange(DeleteRangeResponse { header, deleted, prev_kvs })
            }
        };
        ResponseOp { response: Some(response) }
    };
    branch.iter().zip(results).map(answer).collect()
}

fn found(found: &Found) -> RangeResponse {
    let kvs: Vec<KeyValue> = found.kvs.iter().map(pair).collect();
    let more = found.count > kvs.len() as i64;
    RangeResponse { header: None, kvs, more, count: found.count }
}

fn pair(pair: &report::KeyValue) -> KeyValue {
    KeyValue {
        key: Bytes::from(pair.key.clone()),
        value: value(&pair.value),
        mod_revision: pair.mod_revision,
        version: if pair.version == 0 { NOT_RECORDED } else { pair.version },
        create_revision: NOT_RECORDED,
        lease: NOT_RECORDED,
    }
}

/// The report has only a hash of a long value.
fn value(value: &Value) -> Bytes {
    match value {
        Value::Text(text) => Bytes::from(text.clone()),
        Value::Hash(hash) => Bytes::from(format!("a value with the hash {hash}")),
    }
}
