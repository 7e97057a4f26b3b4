//! Converts reports of etcd's robustness tests to histories of this project.
//!
//! A report is a folder with an `operations.json` and a `watch.json` for each client. A report lacks some facts: the
//! lease and create revision of a pair, the start of a watch "from now on", and the revision of a compaction that ended
//! a watch. In the history these are marked as not recorded, or left out.
//!
//! A watch of a report belongs to etcd's Go client, which reopens it after its connection breaks. It becomes one stream
//! with one watcher, because no guarantee about watches depends on where the connection broke.
//!
//! Not converted: serializable reads, because the report does not give their revision; defragmentations; grants of
//! leases without an answer, because only the answer has the id.

use std::collections::BTreeMap;

use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::request_op::Request as AskedOp;
use api::etcdserverpb::response_op::Response as AnsweredOp;
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::*;
use api::mvccpb::event::EventType;
use api::mvccpb::{Event, KeyValue};
use api::{Error, Request, Response};
use bytes::Bytes;
use histories::robustness::{self as report, Answer, Found, Op, OpResult, Value, WatchPart};
use record::{History, MemberId, Nanos, Operation, Outcome, StreamEnd, WatchStream};
use verify::answer::{CREATED_BEFORE, NOT_RECORDED};

/// For how many seconds the tests grant every lease (`DefaultLeaseTTL` in `tests/robustness/traffic/traffic.go`). A
/// report does not have it. No test runs that long, and the tests' own model knows no lease that expires.
const LEASE_TTL: i64 = 7200;
/// The id of the only watcher of a stream.
const WATCHER: i64 = 0;

/// A conversion under way: takes a report piece by piece.
#[derive(Debug, Default)]
pub struct Conversion {
    operations: Vec<Operation>,
    watches: Vec<WatchStream>,
    /// The watch whose parts are being read.
    watch: Watch,
    /// The members' ids in the report, by their numbers here.
    members: BTreeMap<String, MemberId>,
    /// The latest time in the report.
    newest: Nanos,
    /// The first type of request that this converter does not know.
    unknown: Option<String>,
}

/// A watch whose parts are being read.
#[derive(Debug, Default)]
struct Watch {
    request: WatchCreateRequest,
    received: Vec<(Nanos, WatchResponse)>,
    /// The error in the last response.
    error: Option<(Nanos, String)>,
}

/// A report as a history.
#[derive(Debug, Default)]
pub struct ConvertedReport {
    /// What the clients saw.
    pub history: History,
    /// Which member has which number in the history, by their ids in the report.
    pub members: BTreeMap<String, MemberId>,
    /// A type of request in the report that this converter does not know. The history has no requests of such types.
    pub unknown: Option<String>,
}

impl Conversion {
    /// Takes an operation.
    pub fn operation(&mut self, operation: &report::Operation) {
        self.newest = self.newest.max(time(operation.call)).max(time(operation.returned));
        if let (report::Request::Other(kind), None) = (&operation.request, &self.unknown) {
            self.unknown = Some(kind.clone());
        }
        let member = match &operation.response.member {
            Some(id) => self.member(id),
            None => MemberId::NONE,
        };
        self.operations.extend(self::operation(operation, member));
    }

    /// Takes a part of a watch of this client.
    pub fn watch(&mut self, client: u32, part: WatchPart) {
        match part {
            WatchPart::Request(request) => self.watch.request = creation(request),
            WatchPart::Response(response) => self.watch.take(response),
            WatchPart::End => {
                let stream = std::mem::take(&mut self.watch).into_stream(client);
                self.newest = self.newest.max(stream.received.last().map_or(0, |(at, _)| *at));
                self.watches.push(stream);
            }
        }
    }

    /// The history, with the operations in the order of their calls.
    pub fn finish(self) -> ConvertedReport {
        let Conversion { mut operations, mut watches, members, newest, unknown, .. } = self;
        operations.sort_by_key(|operation| operation.call);
        watches.iter_mut().for_each(|stream| fill_in_times(stream, newest));
        let history = History { operations, watches, ..History::default() };
        ConvertedReport { history, members, unknown }
    }

    /// The number of the member that the report names by this id.
    fn member(&mut self, id: &str) -> MemberId {
        if let Some(number) = self.members.get(id) {
            return *number;
        }
        let number = MemberId::from_raft(self.members.len() as u64 + 1);
        self.members.insert(id.to_string(), number);
        number
    }
}

impl Watch {
    /// Takes over the next response of the watch.
    fn take(&mut self, response: report::WatchResponse) {
        let report::WatchResponse { events, is_progress_notify, revision, time, error } = response;
        let at = self::time(time);
        if self.received.is_empty() {
            // The report does not have the answer to the creation, which comes first.
            let (header, created) = (header(NOT_RECORDED), true);
            let answer = WatchResponse { header, watch_id: WATCHER, created, ..WatchResponse::default() };
            self.received.push((0, answer));
        }
        // An error ends the watch, so it counts only if nothing comes after it.
        self.error = error.map(|error| (at, error));
        let revision = if revision > 0 { revision } else { NOT_RECORDED };
        let response_with = |events| WatchResponse {
            header: header(revision),
            watch_id: WATCHER,
            events,
            ..WatchResponse::default()
        };
        if !events.is_empty() {
            let mut all = Vec::with_capacity(events.len());
            all.extend(events.into_iter().map(event));
            self.received.push((at, response_with(all)));
        }
        if is_progress_notify {
            self.received.push((at, response_with(Vec::new())));
        }
    }

    /// The stream; its times may still be missing.
    fn into_stream(self, client: u32) -> WatchStream {
        let Watch { request, mut received, error } = self;
        let mut ended = StreamEnd::Closed;
        let mut end = received.last().map_or(0, |(at, _)| *at);
        if let Some((at, error)) = error {
            end = end.max(at);
            match named(&error) {
                Some(Error::Compacted) => {
                    let cancelled = WatchResponse {
                        header: header(NOT_RECORDED),
                        watch_id: WATCHER,
                        canceled: true,
                        compact_revision: NOT_RECORDED,
                        cancel_reason: error,
                        ..WatchResponse::default()
                    };
                    received.push((at, cancelled));
                }
                Some(error) => ended = StreamEnd::Refused(error),
                None => ended = StreamEnd::Broken,
            }
        }
        received.shrink_to_fit();
        let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(request)) };
        let sent = vec![(0, request)];
        WatchStream { client, member: MemberId::NONE, opened: 0, sent, received, ended: Some((end, ended)) }
    }
}

/// Gives a time to each response without one: that of the next response, or the latest time in the report. Then makes
/// sure that times never go back.
fn fill_in_times(stream: &mut WatchStream, newest: Nanos) {
    let mut next = newest;
    for (at, _) in stream.received.iter_mut().rev() {
        next = if *at == 0 { next } else { *at };
        *at = next;
    }
    let mut last = 0;
    for (at, _) in &mut stream.received {
        last = last.max(*at);
        *at = last;
    }
    let opened = stream.received.first().map_or(0, |(at, _)| *at);
    stream.opened = opened;
    stream.sent.iter_mut().for_each(|(at, _)| *at = opened);
    if let Some((at, _)) = &mut stream.ended {
        *at = last.max(*at);
    }
}

/// The request that creates the watcher.
fn creation(request: report::WatchRequest) -> WatchCreateRequest {
    let report::WatchRequest { key, revision, with_prefix, with_progress_notify, with_prev_kv } = request;
    let range_end = if with_prefix { after_prefix(key.as_bytes()) } else { Bytes::new() };
    WatchCreateRequest {
        key: if key.is_empty() { Bytes::from_static(b"\0") } else { Bytes::from(key) },
        range_end,
        start_revision: revision,
        progress_notify: with_progress_notify,
        prev_kv: with_prev_kv,
        ..WatchCreateRequest::default()
    }
}

/// The end of the range of all keys with a prefix: the first key after them.
fn after_prefix(prefix: &[u8]) -> Bytes {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Bytes::from(end);
        }
    }
    // No key is after all these: the end is open.
    Bytes::from_static(b"\0")
}

/// An event of a watch.
fn event(event: report::Event) -> Event {
    let report::Event { deleted, key, value, revision, is_create, previous } = event;
    let key = Bytes::from(key);
    let create_revision = match (is_create, deleted) {
        (Some(true), _) => revision,
        (_, true) => 0,
        (Some(false), false) => CREATED_BEFORE,
        (None, false) => NOT_RECORDED,
    };
    let prev_kv = previous.map(|previous| KeyValue {
        key: key.clone(),
        value: self::value(previous.value),
        mod_revision: previous.mod_revision,
        version: recorded(previous.version),
        create_revision: NOT_RECORDED,
        lease: NOT_RECORDED,
    });
    let (version, lease) = if deleted { (0, 0) } else { (NOT_RECORDED, NOT_RECORDED) };
    let value = self::value(value);
    let kv = KeyValue { key, value, mod_revision: revision, create_revision, version, lease };
    let kind = if deleted { EventType::Delete } else { EventType::Put };
    Event { r#type: kind as i32, kv: Some(kv), prev_kv }
}

/// Converts an operation; `None` if no judge can use it.
fn operation(operation: &report::Operation, member: MemberId) -> Option<Operation> {
    let request = request(operation)?;
    let call = time(operation.call);
    let at = time(operation.returned).max(call);
    let response = &operation.response;
    let outcome = match (&response.answer, &response.error, &response.client_error) {
        (_, Some(_), _) => Outcome::Unknown { gave_up: at },
        (_, None, Some(error)) => match named(error) {
            Some(error) => Outcome::Error { at, error },
            None => Outcome::Unknown { gave_up: at },
        },
        // If `persisted` is set, the operation took effect, but its answer is not known.
        (Some(answer), None, None) if response.persisted.is_none() => {
            Outcome::Answer { at, response: self::answer(&operation.request, answer, response.revision)? }
        }
        _ => Outcome::Unknown { gave_up: at },
    };
    let unknown = matches!(outcome, Outcome::Unknown { .. });
    if unknown && matches!(request, Request::LeaseGrant(LeaseGrantRequest { id: 0, .. })) {
        return None;
    }
    let client = u32::try_from(operation.client).unwrap_or_default();
    Some(Operation { client, member, user: None, request, streamed: false, call, outcome })
}

/// The error with this text in the report. For a refused compaction the report has the store's text, which lacks the
/// prefix of the service (`AppendCompact` in `tests/robustness/model/history.go`).
fn named(error: &str) -> Option<Error> {
    Error::from_text(error).or_else(|| Error::from_text(&format!("etcdserver: {error}")))
}

/// A time of the report. Negative times become 0.
fn time(nanos: i64) -> Nanos {
    Nanos::try_from(nanos).unwrap_or_default()
}

/// A header with only a revision.
fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision, ..ResponseHeader::default() })
}

/// The version of a pair. Older reports do not have it, so there it is read as 0.
fn recorded(version: i64) -> i64 {
    if version == 0 { NOT_RECORDED } else { version }
}

/// The request; `None` if no judge can use it.
fn request(operation: &report::Operation) -> Option<Request> {
    Some(match &operation.request {
        report::Request::Range { .. } if operation.response.revision < 0 => return None,
        report::Request::Range { range, revision } => Request::Range(self::range(range, *revision)),
        report::Request::Txn { conditions, success, failure } => Request::Txn(TxnRequest {
            compare: conditions.iter().map(condition).collect(),
            success: success.iter().map(asked).collect(),
            failure: failure.iter().map(asked).collect(),
        }),
        report::Request::LeaseGrant(id) => Request::LeaseGrant(LeaseGrantRequest { id: *id, ttl: LEASE_TTL }),
        report::Request::LeaseRevoke(id) => Request::LeaseRevoke(LeaseRevokeRequest { id: *id }),
        report::Request::Compact(revision) => {
            Request::Compact(CompactionRequest { revision: *revision, physical: false })
        }
        report::Request::Defragment | report::Request::Other(_) => return None,
    })
}

/// Converts a range.
fn range(range: &report::Range, revision: i64) -> RangeRequest {
    RangeRequest {
        key: Bytes::from(range.start.clone()),
        range_end: Bytes::from(range.end.clone()),
        limit: range.limit,
        revision,
        keys_only: range.keys_only,
        count_only: range.count_only,
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

/// A part of a transaction, as a request.
fn asked(op: &Op) -> RequestOp {
    let request = match op {
        Op::Range(range) => AskedOp::RequestRange(self::range(range, 0)),
        Op::Put { key, value, lease } => AskedOp::RequestPut(PutRequest {
            key: Bytes::from(key.clone()),
            value: self::value(value.clone()),
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
    // For answers whose revision has no meaning, the report has -1.
    let header = header(if revision < 0 { NOT_RECORDED } else { revision });
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
            Response::LeaseGrant(LeaseGrantResponse { header, id, ttl: LEASE_TTL, error: String::new() })
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
    let mut newest = revision.saturating_sub(i64::from(makes_revision));
    let answer = |(op, result)| {
        if changes((op, result)) {
            newest = revision;
        }
        let header = header(newest);
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

/// The answer to a range.
fn found(found: &Found) -> RangeResponse {
    let kvs: Vec<KeyValue> = found.kvs.iter().map(pair).collect();
    let more = found.count > kvs.len() as i64;
    RangeResponse { header: None, kvs, more, count: found.count }
}

/// Converts a pair.
fn pair(pair: &report::KeyValue) -> KeyValue {
    KeyValue {
        key: Bytes::from(pair.key.clone()),
        value: value(pair.value.clone()),
        mod_revision: pair.mod_revision,
        version: recorded(pair.version),
        create_revision: NOT_RECORDED,
        lease: NOT_RECORDED,
    }
}

/// From this length on, a report has only the hash of a value (`ToValueOrHash` in `tests/robustness/model/types.go`).
const HASHED_BYTES: usize = 20;

/// The report has only a hash of a long value, except in some requests, where it has the value itself.
fn value(value: Value) -> Bytes {
    match value {
        Value::Text(text) if text.len() < HASHED_BYTES => Bytes::from(text),
        Value::Text(text) => hashed(fnv_1a(text.as_bytes())),
        Value::Hash(hash) => hashed(hash),
    }
}

/// The stand-in for a long value in the history: a text made from its hash.
fn hashed(hash: u32) -> Bytes {
    Bytes::from(format!("a value with the hash {hash}"))
}

/// The FNV-1a hash of 32 bits (draft-eastlake-fnv, section 2).
fn fnv_1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
