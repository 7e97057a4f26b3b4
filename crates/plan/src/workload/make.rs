//! Makes the operations of the workload `mixed`. There is a function for each kind of operation; the table in
//! `mixed` says what each makes. Everything in an operation is decided by draws: its keys, its options, its
//! revisions.

use api::Request;
use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, HashKvRequest, LeaseGrantRequest, LeaseKeepAliveRequest,
    LeaseLeasesRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest, PutRequest, RangeRequest, RequestOp,
    TxnRequest, request_op,
};
use bytes::Bytes;
use keyed::{Draw, Ratio};

use super::Workload;
use super::lane::{compare, filled, op_delete, op_get, op_put};
use crate::act::{Keys, Start, Watch};
use crate::{Act, LAST, SEEN};

/// Makes one operation.
pub(super) struct Maker<'a> {
    pub workload: &'a Workload,
    pub client: u32,
    /// The operation's number within its client.
    pub nth: u64,
    pub draw: Draw,
}

const SECOND: u64 = 1_000_000_000;
/// A revision that no run reaches.
const FAR_FUTURE: i64 = 1_000_000_000_000;

impl Maker<'_> {
    /// The draw for a decision about this operation. `what` is its number; two decisions with the same number
    /// are the same.
    fn roll(&self, what: u64) -> Draw {
        self.draw.then(what)
    }

    /// The number of a key, drawn for decision `what`.
    fn key_number(&self, what: u64) -> u64 {
        self.roll(what).below(self.workload.keys.into())
    }

    /// The key with this number.
    fn key_of(&self, number: u64) -> Bytes {
        format!("{}{}", self.workload.key_prefix, number % u64::from(self.workload.keys)).into()
    }

    /// A random key. `what` tells apart the draws of one operation.
    fn key(&self, what: u64) -> Bytes {
        self.key_of(self.key_number(what))
    }

    /// The value that put number `put` of this operation writes: the name of the operation, padded.
    fn value(&self, put: u64) -> Bytes {
        let mut value = format!("c{}o{}", self.client, self.nth);
        if put > 0 {
            value += &format!("-{put}");
        }
        let length = self.workload.value_bytes.sample(self.roll(100 + put));
        filled(value, length as usize)
    }

    fn put_request(&self) -> PutRequest {
        PutRequest { key: self.key(1), value: self.value(0), ..PutRequest::default() }
    }

    fn get_request(&self) -> RangeRequest {
        RangeRequest { key: self.key(1), ..RangeRequest::default() }
    }

    pub fn put(&self) -> Request {
        self.put_request().into()
    }

    pub fn put_prev(&self) -> Request {
        PutRequest { prev_kv: true, ..self.put_request() }.into()
    }

    pub fn get(&self) -> Request {
        self.get_request().into()
    }

    pub fn get_serializable(&self) -> Request {
        RangeRequest { serializable: true, ..self.get_request() }.into()
    }

    /// A read of an old revision.
    pub fn get_at(&self) -> Request {
        RangeRequest { revision: self.past(2), ..self.get_request() }.into()
    }

    /// A revision below the newest that the client has seen, as a negative number ([`Act::Request`]). It is
    /// seldom far below, so that it is seldom compacted.
    fn past(&self, what: u64) -> i64 {
        -(self.roll(what).log_within(1, 50) as i64)
    }

    pub fn list(&self) -> Request {
        self.list_request().into()
    }

    pub fn list_serializable(&self) -> Request {
        RangeRequest { serializable: true, ..self.list_request() }.into()
    }

    /// A range over several keys.
    fn list_request(&self) -> RangeRequest {
        let mut range = RangeRequest::default();
        (range.key, range.range_end) = self.keys(1);
        match self.roll(2).below(10) {
            0 => range.keys_only = true,
            1 => range.count_only = true,
            2 => range.revision = self.past(3),
            3 => range.min_mod_revision = self.roll(3).log_within(1, 100) as i64,
            4 => range.max_create_revision = self.roll(3).log_within(1, 100) as i64,
            _ => {}
        }
        match self.roll(4).below(6) {
            0 => range.limit = 1 + self.roll(5).below(self.workload.keys.into()) as i64,
            1 => {
                range.limit = 1 + self.roll(5).below(self.workload.keys.into()) as i64;
                range.sort_order = SortOrder::Descend as i32;
            }
            // Without a limit: etcd does not specify the order of pairs that are equal in the sorted field, nor
            // which of these a limit leaves out.
            2 => {
                range.sort_order = *self.roll(5).pick(&[SortOrder::Ascend, SortOrder::Descend]) as i32;
                range.sort_target = self.roll(6).within(1, SortTarget::Value as u64) as i32;
            }
            _ => {}
        }
        range
    }

    /// `key` and `range_end` of some keys: all of them, those from a key on, or a few neighbouring ones.
    fn keys(&self, what: u64) -> (Bytes, Bytes) {
        let prefix = &self.workload.key_prefix;
        match self.roll(what).then(1).below(4) {
            0 if !prefix.is_empty() => {
                (Bytes::from(prefix.clone()), api::key_range::prefix_end(prefix.as_bytes()))
            }
            1 => (self.key(what), api::key_range::FROM_KEY),
            2 => (api::key_range::FROM_KEY, api::key_range::FROM_KEY),
            _ => {
                let (a, b) = (
                    self.key(what),
                    self.key_of(self.key_number(what) + 1 + self.roll(what).then(2).below(3)),
                );
                if a < b { (a, b) } else { (b, a) }
            }
        }
    }

    pub fn delete(&self) -> Request {
        let prev_kv = self.roll(2).happens(Ratio::percent(30));
        DeleteRangeRequest { key: self.key(1), range_end: Bytes::new(), prev_kv }.into()
    }

    pub fn delete_range(&self) -> Request {
        let first = self.key_number(1);
        let (a, b) = (self.key_of(first), self.key_of(first + 1 + self.roll(2).below(2)));
        let (key, range_end) = if a < b { (a, b) } else { (b, a) };
        DeleteRangeRequest { key, range_end, prev_kv: self.roll(3).happens(Ratio::percent(50)) }.into()
    }

    /// A put if the key is as the client last saw it, and a read if it is not.
    pub fn cas(&self) -> Request {
        let put = self.put_request();
        let get = RangeRequest { key: put.key.clone(), ..RangeRequest::default() };
        let unchanged = compare(&put.key, CompareResult::Equal, TargetUnion::ModRevision(SEEN));
        TxnRequest { compare: vec![unchanged], success: vec![op_put(put)], failure: vec![op_get(get)] }.into()
    }

    pub fn create(&self) -> Request {
        let put = self.put_request();
        let get = RangeRequest { key: put.key.clone(), ..RangeRequest::default() };
        let absent = compare(&put.key, CompareResult::Equal, TargetUnion::CreateRevision(0));
        TxnRequest { compare: vec![absent], success: vec![op_put(put)], failure: vec![op_get(get)] }.into()
    }

    pub fn txn(&self) -> Request {
        let compare = (0..self.roll(1).below(3)).map(|nth| self.some_compare(200 + 10 * nth)).collect();
        let success = self.branch(2, 0, true);
        let failure = self.branch(3, 10, self.roll(4).happens(Ratio::percent(50)));
        TxnRequest { compare, success, failure }.into()
    }

    pub fn txn_read(&self) -> Request {
        let compare = (0..self.roll(1).below(2)).map(|nth| self.some_compare(200 + 10 * nth)).collect();
        TxnRequest { compare, success: self.branch(2, 0, false), failure: self.branch(3, 10, false) }.into()
    }

    pub fn txn_nested(&self) -> Request {
        // The inner and the outer transaction put different keys, because etcd refuses two puts of one key. If
        // there is only one key, the outer one only reads.
        let first = self.key_number(1);
        let inner = TxnRequest {
            compare: vec![self.some_compare(200)],
            success: vec![op_put(PutRequest {
                key: self.key_of(first),
                value: self.value(1),
                ..PutRequest::default()
            })],
            failure: vec![op_get(RangeRequest { key: self.key_of(first), ..RangeRequest::default() })],
        };
        let other = PutRequest { key: self.key_of(first + 1), value: self.value(0), ..PutRequest::default() };
        let other = if self.workload.keys > 1 { op_put(other) } else { op_get(self.get_request()) };
        let inner = RequestOp { request: Some(request_op::Request::RequestTxn(inner)) };
        TxnRequest {
            compare: vec![self.some_compare(210)],
            success: vec![other, inner.clone()],
            failure: vec![inner],
        }
        .into()
    }

    /// A transaction that also reads at an old revision.
    pub fn txn_at(&self) -> Request {
        let put = PutRequest { key: self.key(5), ..self.put_request() };
        let get = RangeRequest { revision: self.past(2), ..self.get_request() };
        let mut ops = vec![op_put(put), op_get(get)];
        if self.roll(3).below(2) == 0 {
            ops.reverse();
        }
        let compare = (0..self.roll(4).below(2)).map(|nth| self.some_compare(200 + 10 * nth)).collect();
        TxnRequest { compare, success: ops.clone(), failure: ops }.into()
    }

    /// A transaction of up to as many operations as etcd's `--max-txn-ops` allows. Each key is put once at most.
    pub fn txn_large(&self) -> Request {
        let first = self.key_number(1);
        let op = |nth: u64| {
            let key = self.key_of(first + nth);
            if nth < u64::from(self.workload.keys) && self.roll(300 + nth).below(2) == 0 {
                op_put(PutRequest { key, value: self.value(nth), ..PutRequest::default() })
            } else {
                op_get(RangeRequest { key, ..RangeRequest::default() })
            }
        };
        let success = (0..self.roll(2).log_within(2, 128)).map(op).collect();
        TxnRequest { compare: Vec::new(), success, failure: Vec::new() }.into()
    }

    /// A branch of a transaction: one to three operations on different keys. `puts` is the number of its first
    /// put. `writes` says whether it may put and delete, or only reads.
    fn branch(&self, what: u64, puts: u64, writes: bool) -> Vec<RequestOp> {
        let first = self.key_number(300 + what);
        let length = (1 + self.roll(what).below(3)).min(self.workload.keys.into());
        let op = |nth: u64| {
            let key = self.key_of(first + nth);
            let kind = if writes { self.roll(what).then(10 + nth).below(4) } else { 3 };
            match kind {
                0 | 1 => op_put(PutRequest {
                    key,
                    value: self.value(puts + nth),
                    prev_kv: kind == 1,
                    ..PutRequest::default()
                }),
                2 => {
                    let delete = DeleteRangeRequest { key, prev_kv: true, ..DeleteRangeRequest::default() };
                    op_delete(delete)
                }
                _ => op_get(RangeRequest { key, ..RangeRequest::default() }),
            }
        };
        (0..length).map(op).collect()
    }

    /// A compare with a drawn target, result and key.
    fn some_compare(&self, what: u64) -> Compare {
        let results =
            [CompareResult::Equal, CompareResult::NotEqual, CompareResult::Greater, CompareResult::Less];
        let result = *self.roll(what).pick(&results);
        let number = self.roll(what + 1).below(4) as i64;
        let target = match self.roll(what + 2).below(4) {
            0 => TargetUnion::Version(number),
            1 => TargetUnion::CreateRevision(number * 10),
            2 => TargetUnion::ModRevision(if number == 0 { SEEN } else { number * 10 }),
            _ => TargetUnion::Value(format!("c{number}").into()),
        };
        let mut compare = compare(&self.key(what + 3), result, target);
        // Some compares are on a range of keys. `SEEN` stands for the revision of a single key, so compares of mod
        // revisions are not.
        if compare.target != CompareTarget::Mod as i32 && self.roll(what + 4).happens(Ratio::percent(10)) {
            (compare.key, compare.range_end) = self.keys(what + 5);
        }
        compare
    }

    pub fn compact(&self) -> Request {
        CompactionRequest { revision: self.past(1), physical: self.roll(2).happens(Ratio::percent(30)) }
            .into()
    }

    pub fn hash_kv(&self) -> Request {
        HashKvRequest { revision: self.past(1) }.into()
    }

    /// A request that every member must refuse.
    pub fn invalid(&self) -> Request {
        let put = self.put_request();
        match self.roll(2).below(8) {
            0 => PutRequest { key: Bytes::new(), ..put }.into(),
            1 => RangeRequest::default().into(),
            2 => RangeRequest { revision: FAR_FUTURE, ..self.get_request() }.into(),
            3 => CompactionRequest { revision: FAR_FUTURE, physical: false }.into(),
            4 => PutRequest { ignore_value: true, ..put }.into(),
            5 => {
                let again = PutRequest { value: self.value(1), ..put.clone() };
                TxnRequest { success: vec![op_put(put), op_put(again)], ..TxnRequest::default() }.into()
            }
            6 => {
                let delete = DeleteRangeRequest { key: put.key.clone(), ..DeleteRangeRequest::default() };
                TxnRequest { success: vec![op_put(put), op_delete(delete)], ..TxnRequest::default() }.into()
            }
            _ => {
                // One more than etcd's limit of 128.
                let get = op_get(self.get_request());
                TxnRequest { success: vec![get; 129], ..TxnRequest::default() }.into()
            }
        }
    }

    pub fn grant(&self) -> Request {
        let ttl = match &self.workload.lease_ttl {
            None => self.roll(1).within(1, 10) as i64,
            Some(ttl) => ttl.sample(self.roll(1)).div_ceil(SECOND) as i64,
        };
        // The id differs from those of all other acts of the plan. Sometimes the server chooses it.
        let own = (i64::from(self.client) + 1) * 1_000_000_000 + self.nth as i64;
        let id = if self.roll(2).happens(Ratio::percent(20)) { 0 } else { own };
        LeaseGrantRequest { ttl, id }.into()
    }

    pub fn put_leased(&self) -> Request {
        PutRequest { lease: LAST, ..self.put_request() }.into()
    }

    pub fn keep_alive(&self) -> Request {
        LeaseKeepAliveRequest { id: LAST }.into()
    }

    pub fn revoke(&self) -> Request {
        LeaseRevokeRequest { id: LAST }.into()
    }

    pub fn time_to_live(&self) -> Request {
        LeaseTimeToLiveRequest { id: LAST, keys: self.roll(1).happens(Ratio::percent(50)) }.into()
    }

    pub fn leases(&self) -> Request {
        LeaseLeasesRequest {}.into()
    }

    pub fn watch(&self) -> Act {
        let odds = |what: u64, percent: u32| self.roll(what).happens(Ratio::percent(percent));
        let (key, end) = if odds(1, 40) { (self.key(2), Bytes::new()) } else { self.keys(2) };
        let from = match self.roll(3).below(8) {
            0..3 => Start::Now,
            3..6 => Start::Seen(-(self.roll(4).log_within(1, 100) as i64)),
            6 => Start::Seen(self.roll(4).log_within(1, 20) as i64),
            _ => Start::Last,
        };
        Act::Watch(Watch {
            keys: Keys { key, end },
            from,
            prev_kv: odds(5, 50),
            progress: odds(6, 30),
            no_put: odds(7, 8),
            no_delete: odds(8, 8),
            fragment: odds(9, 10),
            id: if odds(10, 10) { self.roll(11).within(1, 5) as i64 } else { 0 },
            name: self.watcher(),
            stream: self.stream(),
            skip: odds(12, 50),
        })
    }

    /// A watcher that must be refused: of no key, of a revision below 0, of an id that another one may have.
    pub fn watch_refused(&self) -> Act {
        let keys = |end: Bytes| Keys { key: self.key(1), end };
        let watch = |keys: Keys| Watch { keys, name: 9, ..Watch::default() };
        Act::Watch(match self.roll(2).below(3) {
            0 => watch(keys(self.key(1))),
            1 => Watch { from: Start::At(-1 - self.roll(3).below(3) as i64), ..watch(keys(Bytes::new())) },
            _ => Watch { id: 7, ..watch(keys(Bytes::new())) },
        })
    }

    /// One of the client's watchers.
    fn watcher(&self) -> u32 {
        self.roll(13).below(4) as u32
    }

    /// One of the client's streams.
    fn stream(&self) -> u32 {
        self.roll(14).below(2) as u32
    }

    pub fn watch_cancel(&self) -> Act {
        Act::Cancel { watcher: self.watcher() }
    }

    pub fn watch_progress(&self) -> Act {
        Act::Progress { stream: self.stream() }
    }

    pub fn watch_close(&self) -> Act {
        Act::Close { stream: self.stream() }
    }
}
