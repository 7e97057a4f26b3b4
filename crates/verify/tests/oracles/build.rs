//! Histories written by hand, for the tests of this folder. A test begins with an empty [`Story`], adds operations one
//! by one, and says whether an oracle holds or breaks. Times are in seconds. A client talks to the member that has the
//! client's number, unless the test says otherwise.

use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::*;
use api::mvccpb::{Event, KeyValue};
use api::{Error, Request, Response};
use bytes::Bytes;
use etcdsim_verify::{Expectations, Oracle, Verdict, Violation, judge};
use record::{
    Applied, CacheView, MemberEnd, MemberId, Nanos, Operation, Outcome, Record, StreamEnd, WatchStream,
};

const SECOND: Nanos = 1_000_000_000;

/// A put.
pub fn put(key: &str, value: &str) -> Request {
    PutRequest { key: bytes(key), value: bytes(value), ..PutRequest::default() }.into()
}

/// A read of a key.
pub fn get(key: &str) -> Request {
    range(key).into()
}

/// A read of a key at a revision.
pub fn get_at(key: &str, revision: i64) -> Request {
    RangeRequest { revision, ..range(key) }.into()
}

/// A serializable read of a key.
pub fn serializable(key: &str) -> Request {
    RangeRequest { serializable: true, ..range(key) }.into()
}

/// A read of all keys.
pub fn everything() -> Request {
    RangeRequest { key: bytes("\0"), range_end: bytes("\0"), ..RangeRequest::default() }.into()
}

/// A deletion of a key.
pub fn delete(key: &str) -> Request {
    DeleteRangeRequest { key: bytes(key), ..DeleteRangeRequest::default() }.into()
}

/// A compaction.
pub fn compact(revision: i64) -> Request {
    CompactionRequest { revision, physical: false }.into()
}

fn range(key: &str) -> RangeRequest {
    RangeRequest { key: bytes(key), ..RangeRequest::default() }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision, ..ResponseHeader::default() })
}

/// A pair in an answer: key, value, create revision, mod revision, version.
pub fn kv(key: &str, value: &str, create: i64, modified: i64, version: i64) -> KeyValue {
    KeyValue {
        key: bytes(key),
        value: bytes(value),
        create_revision: create,
        mod_revision: modified,
        version,
        lease: 0,
    }
}

/// The answer to a put that made this revision.
pub fn done(revision: i64) -> Response {
    PutResponse { header: header(revision), prev_kv: None }.into()
}

/// The answer to a deletion.
pub fn deleted(revision: i64, deleted: i64) -> Response {
    DeleteRangeResponse { header: header(revision), deleted, prev_kvs: Vec::new() }.into()
}

/// The answer to a read.
pub fn found(revision: i64, kvs: &[KeyValue]) -> Response {
    let count = kvs.len() as i64;
    RangeResponse { header: header(revision), kvs: kvs.to_vec(), more: false, count }.into()
}

/// The answer to a compaction.
pub fn compacted(revision: i64) -> Response {
    CompactionResponse { header: header(revision) }.into()
}

/// A record that a test writes: each method adds something to it.
#[derive(Default)]
pub struct Story {
    pub record: Record,
    pub expectations: Expectations,
}

impl Story {
    fn add(mut self, client: u32, request: Request, call: u64, outcome: Outcome) -> Story {
        let operation = Operation {
            client,
            member: client.into(),
            user: None,
            request,
            streamed: false,
            call: call * SECOND,
            outcome,
        };
        self.record.history.operations.push(operation);
        self
    }

    /// An operation that is answered.
    pub fn ok(self, client: u32, request: Request, (call, at): (u64, u64), response: Response) -> Story {
        self.add(client, request, call, Outcome::Answer { at: at * SECOND, response })
    }

    /// An operation that ends in an error.
    pub fn error(self, client: u32, request: Request, (call, at): (u64, u64), error: Error) -> Story {
        self.add(client, request, call, Outcome::Error { at: at * SECOND, error })
    }

    /// An operation without an answer.
    pub fn unknown(self, client: u32, request: Request, call: u64) -> Story {
        self.add(client, request, call, Outcome::Unknown { gave_up: (call + 5) * SECOND })
    }

    /// The last operation went through another member.
    pub fn by(mut self, member: u32) -> Story {
        self.record.history.operations.last_mut().expect("an operation").member = member.into();
        self
    }

    /// The cluster applied an operation, which made a revision.
    pub fn applied(mut self, operation: u64, revision: u64) -> Story {
        let index = self.record.applied.len() as u64 + 1;
        let time = index * SECOND;
        self.record.applied.push(Applied {
            internal: None,
            index,
            operation: Some(operation),
            revision,
            mutated: true,
            time,
        });
        self
    }

    /// The starts of members are known: all started at 0, and these later.
    pub fn starts(mut self, later: &[(u32, u64)]) -> Story {
        self.expectations.starts = MemberId::first(5).map(|member| (member, 0)).collect();
        self.expectations
            .starts
            .extend(later.iter().map(|(member, at)| (MemberId::new(*member), at * SECOND)));
        self
    }

    /// The final state of a member: the index that it applied last, and the hash of its state.
    pub fn end(mut self, member: u32, applied: u64, state_hash: u64) -> Story {
        self.record.members.push(MemberEnd {
            member: member.into(),
            running: true,
            core: true,
            applied,
            revision: 5,
            state_hash,
        });
        self
    }

    /// Judges the record.
    pub fn verdict(&self) -> Verdict {
        judge(&self.record, &self.expectations)
    }

    /// Everything holds, and the oracle did check something.
    #[track_caller]
    pub fn holds(&self, oracle: Oracle) {
        let verdict = self.verdict();
        assert!(verdict.holds(), "{:#?}\n{:#?}", verdict.violations, verdict.undecided);
        assert!(verdict.count(oracle) > 0, "{oracle} looked at nothing");
    }

    /// The oracle reports a violation with this title; returns it.
    #[track_caller]
    pub fn breaks(&self, oracle: Oracle, title: &str) -> Violation {
        let verdict = self.verdict();
        let found = verdict.violations.iter().find(|one| one.oracle == oracle && one.title.contains(title));
        let found = found.unwrap_or_else(|| panic!("no {oracle} {title:?} in {:#?}", verdict)).clone();
        assert!((1..=4).contains(&found.sentences.len()), "{:#?}", found.sentences);
        found
    }
}

/// A put as a watcher receives it: key, value, create revision, mod revision, version.
pub fn was_put(key: &str, value: &str, create: i64, modified: i64, version: i64) -> Event {
    Event { r#type: 0, kv: Some(kv(key, value, create, modified, version)), prev_kv: None }
}

/// A deletion as a watcher receives it.
pub fn was_deleted(key: &str, revision: i64) -> Event {
    let kv = KeyValue { key: bytes(key), mod_revision: revision, ..KeyValue::default() };
    Event { r#type: 1, kv: Some(kv), prev_kv: None }
}

/// The same event with the previous pair.
pub fn after(event: Event, before: KeyValue) -> Event {
    Event { prev_kv: Some(before), ..event }
}

/// The creation of a watcher of the keys from `key` to `end`.
pub fn from(key: &str, end: &str, start_revision: i64) -> WatchCreateRequest {
    let (key, range_end) = (bytes(key), bytes(end));
    WatchCreateRequest { key, range_end, start_revision, ..WatchCreateRequest::default() }
}

/// A response for a watcher.
pub fn response(watch_id: i64, revision: i64, events: &[Event]) -> WatchResponse {
    let (header, events) = (header(revision), events.to_vec());
    WatchResponse { header, watch_id, events, ..WatchResponse::default() }
}

/// A stream of watchers between a client and member 1, recorded as it goes.
pub struct Stream {
    stream: WatchStream,
    now: u64,
}

impl Default for Stream {
    fn default() -> Stream {
        let (sent, received) = (Vec::new(), Vec::new());
        Stream {
            stream: WatchStream {
                client: 1,
                member: MemberId::new(1),
                opened: 0,
                sent,
                received,
                ended: None,
            },
            now: 0,
        }
    }
}

impl Stream {
    /// What follows happens at this time, until the next call.
    pub fn at(mut self, now: u64) -> Stream {
        self.now = now;
        self
    }

    fn send(mut self, request: RequestUnion) -> Stream {
        self.stream.sent.push((self.now * SECOND, WatchRequest { request_union: Some(request) }));
        self
    }

    /// The client asks for a watcher.
    pub fn create(self, request: WatchCreateRequest) -> Stream {
        self.send(RequestUnion::CreateRequest(request))
    }

    /// The client cancels a watcher.
    pub fn cancel(self, watch_id: i64) -> Stream {
        self.send(RequestUnion::CancelRequest(WatchCancelRequest { watch_id }))
    }

    /// A response arrives.
    pub fn takes(mut self, response: WatchResponse) -> Stream {
        self.stream.received.push((self.now * SECOND, response));
        self
    }

    /// The member answers that a watcher was created.
    pub fn created(self, watch_id: i64, revision: i64) -> Stream {
        self.takes(WatchResponse { created: true, ..response(watch_id, revision, &[]) })
    }

    /// The member refuses to create a watcher.
    pub fn refused(self, revision: i64, cancel_reason: &str) -> Stream {
        let cancel_reason = cancel_reason.to_string();
        let created =
            WatchResponse { created: true, canceled: true, cancel_reason, ..response(-1, revision, &[]) };
        self.takes(created)
    }

    /// A watcher receives changes.
    pub fn receives(self, watch_id: i64, revision: i64, events: &[Event]) -> Stream {
        self.takes(response(watch_id, revision, events))
    }

    /// A watcher gets a progress notification.
    pub fn progress(self, watch_id: i64, revision: i64) -> Stream {
        self.takes(response(watch_id, revision, &[]))
    }

    /// The member cancels a watcher, because of a compaction or, with 0, for no reason.
    pub fn cancelled(self, watch_id: i64, compact_revision: i64) -> Stream {
        let cancelled = WatchResponse { canceled: true, compact_revision, ..response(watch_id, 0, &[]) };
        self.takes(cancelled)
    }

    /// The client closes the stream.
    pub fn closed(mut self) -> Stream {
        self.stream.ended = Some((self.now * SECOND, StreamEnd::Closed));
        self
    }
}

impl Story {
    /// A stream of watchers.
    pub fn watch(mut self, stream: Stream) -> Story {
        self.record.history.watches.push(stream.stream);
        self
    }

    /// The cluster applied an operation, which made no revision.
    pub fn applied_idly(self, operation: u64, revision: u64) -> Story {
        let mut story = self.applied(operation, revision);
        story.record.applied.last_mut().expect("just pushed").mutated = false;
        story
    }

    /// A client's copy of the keys from `a` to `z`: key and revision of each.
    pub fn copy(mut self, client: u32, at: u64, revision: i64, pairs: &[(&str, i64)]) -> Story {
        let pairs = pairs.iter().map(|(key, revision)| (bytes(key), *revision)).collect();
        let keys = (bytes("a"), bytes("z"));
        self.record.history.caches.push(CacheView { client, at: at * SECOND, keys, revision, pairs });
        self
    }

    /// The cluster was healed at `healed`; at `end` member 1 was at this revision.
    pub fn settled(mut self, healed: u64, end: u64, revision: u64) -> Story {
        self.record.healed = healed * SECOND;
        self.record.stats.virtual_ns = end * SECOND;
        let member = MemberEnd {
            member: MemberId::new(1),
            running: true,
            core: true,
            applied: 9,
            revision,
            state_hash: 1,
        };
        self.record.members.push(member);
        self
    }
}
