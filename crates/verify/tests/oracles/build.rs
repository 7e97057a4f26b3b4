//! Histories written by hand: times are seconds, the client's number is also its member's unless said otherwise.

use api::etcdserverpb::*;
use api::mvccpb::KeyValue;
use api::{Error, Request, Response};
use bytes::Bytes;
use etcdsim_verify::{Expectations, Oracle, Verdict, Violation, judge};
use record::{Applied, MemberEnd, Nanos, Operation, Outcome, Record};

const SECOND: Nanos = 1_000_000_000;

pub fn put(key: &str, value: &str) -> Request {
    PutRequest { key: bytes(key), value: bytes(value), ..PutRequest::default() }.into()
}

pub fn get(key: &str) -> Request {
    range(key).into()
}

pub fn get_at(key: &str, revision: i64) -> Request {
    RangeRequest { revision, ..range(key) }.into()
}

pub fn serializable(key: &str) -> Request {
    RangeRequest { serializable: true, ..range(key) }.into()
}

pub fn everything() -> Request {
    RangeRequest { key: bytes("\0"), range_end: bytes("\0"), ..RangeRequest::default() }.into()
}

pub fn delete(key: &str) -> Request {
    DeleteRangeRequest { key: bytes(key), ..DeleteRangeRequest::default() }.into()
}

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

/// A key as an answer has it: key, value, create revision, mod revision, version.
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

pub fn done(revision: i64) -> Response {
    PutResponse { header: header(revision), prev_kv: None }.into()
}

pub fn deleted(revision: i64, deleted: i64) -> Response {
    DeleteRangeResponse { header: header(revision), deleted, prev_kvs: Vec::new() }.into()
}

pub fn found(revision: i64, kvs: &[KeyValue]) -> Response {
    let count = kvs.len() as i64;
    RangeResponse { header: header(revision), kvs: kvs.to_vec(), more: false, count }.into()
}

pub fn compacted(revision: i64) -> Response {
    CompactionResponse { header: header(revision) }.into()
}

/// A record on its way.
#[derive(Default)]
pub struct Story {
    pub record: Record,
    pub expectations: Expectations,
}

impl Story {
    fn add(mut self, client: u32, request: Request, call: u64, outcome: Outcome) -> Story {
        let operation =
            Operation { client, member: client, user: None, request, call: call * SECOND, outcome };
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

    /// The last operation went by another member.
    pub fn by(mut self, member: u32) -> Story {
        self.record.history.operations.last_mut().expect("an operation").member = member;
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
        self.expectations.starts = (1..=5).map(|member| (member, 0)).collect();
        self.expectations.starts.extend(later.iter().map(|(member, at)| (*member, at * SECOND)));
        self
    }

    /// How a member ended.
    pub fn end(mut self, member: u32, applied: u64, state_hash: u64) -> Story {
        self.record.members.push(MemberEnd {
            member,
            running: true,
            core: true,
            applied,
            revision: 5,
            state_hash,
        });
        self
    }

    pub fn verdict(&self) -> Verdict {
        judge(&self.record, &self.expectations)
    }

    /// Everything holds, and the oracle did look at something.
    #[track_caller]
    pub fn holds(&self, oracle: Oracle) {
        let verdict = self.verdict();
        assert!(verdict.holds(), "{:#?}\n{:#?}", verdict.violations, verdict.undecided);
        assert!(verdict.count(oracle) > 0, "{oracle} looked at nothing");
    }

    /// The oracle finds something with this title; the violation.
    #[track_caller]
    pub fn breaks(&self, oracle: Oracle, title: &str) -> Violation {
        let verdict = self.verdict();
        let found = verdict.violations.iter().find(|one| one.oracle == oracle && one.title.contains(title));
        let found = found.unwrap_or_else(|| panic!("no {oracle} {title:?} in {:#?}", verdict)).clone();
        assert!((1..=4).contains(&found.sentences.len()), "{:#?}", found.sentences);
        found
    }
}
