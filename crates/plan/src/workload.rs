//! What the clients of a scenario ask.
//!
//! Every operation is drawn by itself, from its client's number and its own (rule R2). Every value
//! that is written names the operation that writes it (`c2o17`; further puts of one txn `c2o17-1`,
//! …), so that a value seen anywhere leads back to the one operation it can come from.

use api::Request;
use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, request_op,
};
use bytes::Bytes;
use keyed::{Draw, Ratio};
use record::Nanos;

use crate::choice::Dice;
use crate::field::{Field, Form, HOUR, MS, SECOND, Words, count, fields, time, words};
use crate::sections::{CLOCK_RATE, FAILOVER};
use crate::units::Unit;
use crate::{Failover, PlannedOperation, SEEN, Spread};

/// The `[workload]` of a scenario, decided. Timeout, failover and endpoints are drawn for each client.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub clients: u32,
    /// Operations an hour, of all clients together; 0: as fast as answers come.
    pub rate: u64,
    pub operations: u64,
    pub keys: u32,
    pub key_prefix: String,
    pub value_bytes: Spread,
    pub after_healing: Nanos,
    pub endpoints: Endpoints,
    pub failover: Failover,
    pub timeout: Nanos,
    pub clock: Option<u32>,
}

/// Which members a client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoints {
    All,
    One,
    Some,
}

words!(Endpoints: "all" = Endpoints::All, "one" = Endpoints::One, "some" = Endpoints::Some);

/// Most clients of a scenario.
pub(crate) const MOST_CLIENTS: i128 = 1_000;

pub(crate) static WORKLOAD: &[Field<Workload>] = fields! {
    "clients" count(0, MOST_CLIENTS) => clients, "How many clients. Client `n` begins with member `n` modulo the number of members, plus 1.";
    "rate" Form::Number { unit: Unit::Rate, low: 0, high: 3_600_000_000, zero: Some("unthrottled") } => rate, "Operations of all clients together; each client asks at its share of it, but never before its last answer. `\"unthrottled\"`: the next operation follows the answer at once.";
    "operations" Form::Number { unit: Unit::Count, low: 0, high: 10_000_000, zero: Some("unlimited") } => operations, "Most operations of one client; an unthrottled workload needs it.";
    "keys" count(1, 1_000_000) => keys, "How many keys. Few are hot keys, and make conflicts.";
    "key-prefix" Form::Text => key_prefix, "What every key begins with; its number follows.";
    "value-bytes" Form::Spread { unit: Unit::Size, high: 2 << 20 } => value_bytes, "Length of a value, drawn for each; never shorter than the name of its operation.";
    "after-healing" time(0, HOUR) => after_healing, "How long the clients go on after the chaos phase: a healed cluster must answer.";
    "endpoints" Form::Word(Endpoints::NAMES) => endpoints, "Which members a client knows: all, one, or some of them. Drawn for each client.";
    "failover" FAILOVER => failover, "When a client turns to its next endpoint. Drawn for each client.";
    "timeout" time(MS, HOUR) => timeout, "How long a client waits for an answer, by its own clock. Drawn for each client.";
    "clock" CLOCK_RATE => clock, "How fast a client's clock runs. Drawn for each client. Left out: as in `[clocks]`.";
};

impl Default for Workload {
    fn default() -> Workload {
        Workload {
            clients: 5,
            rate: 20 * 3_600,
            operations: 0,
            keys: 5,
            key_prefix: "k".into(),
            value_bytes: Spread::Constant(0),
            after_healing: 2 * SECOND as Nanos,
            endpoints: Endpoints::All,
            failover: Failover::OnTrouble,
            timeout: 2 * SECOND as Nanos,
            clock: None,
        }
    }
}

impl Workload {
    /// When operation `nth` of client `client` may be called; `None` after the last one.
    fn at(&self, client: u32, nth: u64, horizon: Nanos, dice: Dice) -> Option<Nanos> {
        if self.operations != 0 && nth >= self.operations {
            return None;
        }
        if self.rate == 0 {
            return (self.operations != 0).then_some(0);
        }
        // One operation in each interval, at a place of its own in it.
        let interval = u128::from(self.clients) * HOUR as u128 / u128::from(self.rate);
        let interval = u64::try_from(interval).unwrap_or(u64::MAX).max(1);
        let place = dice.nth(u64::from(client)).nth(nth).field("at").below(interval);
        let at = nth.checked_mul(interval)?.checked_add(place)?;
        // Whole microseconds: they are printed shorter, and nothing depends on the rest.
        (at < horizon).then_some(at / 1_000 * 1_000)
    }

    /// Everything a client asks until `horizon`.
    pub fn operations(&self, client: u32, mix: &Mix, horizon: Nanos, dice: Dice) -> Vec<PlannedOperation> {
        let weights = mix.weights();
        let mut operations = Vec::new();
        while let Some(at) = self.at(client, operations.len() as u64, horizon, dice) {
            let nth = operations.len() as u64;
            let draw = dice.nth(u64::from(client)).nth(nth).field("what");
            let maker = Maker { workload: self, client, nth, draw };
            let request = MAKERS[draw.then(0).weighted(&weights)](&maker);
            operations.push(PlannedOperation { at, request });
        }
        operations
    }
}

/// The weights of the mix, one field a kind of operation.
macro_rules! mix {
    ($($name:literal $field:ident = $usual:literal, $make:ident, $about:literal;)+) => {
        /// How often each kind of operation is asked, as weights.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Mix {
            $(pub $field: u32,)+
        }

        pub(crate) static MIX: &[Field<Mix>] = fields! {
            $($name count(0, 1_000_000) => $field, $about;)+
        };

        static MAKERS: &[fn(&Maker<'_>) -> Request] = &[$(|maker| maker.$make()),+];

        impl Mix {
            /// What clients ask where a scenario does not say.
            pub fn usual() -> Mix {
                Mix { $($field: $usual,)+ }
            }

            pub fn weights(&self) -> Vec<u64> {
                vec![$(self.$field.into()),+]
            }
        }
    };
}

mix! {
    "put" put = 30, put, "Put a key.";
    "put-prev" put_prev = 3, put_prev, "Put a key and ask for its previous value.";
    "get" get = 30, get, "Get a key.";
    "get-serializable" get_serializable = 5, get_serializable, "Get a key from the member's own state, without a quorum.";
    "get-at" get_at = 4, get_at, "Get a key at a revision of the past.";
    "list" list = 5, list, "Range over keys, with all options a range has.";
    "list-serializable" list_serializable = 2, list_serializable, "The same without a quorum.";
    "delete" delete = 4, delete, "Delete a key, sometimes with its previous value.";
    "delete-range" delete_range = 1, delete_range, "Delete some neighbouring keys.";
    "cas" cas = 6, cas, "Put a key if its mod revision is what the client last saw, else get it: as Kubernetes updates.";
    "create" create = 3, create, "Put a key if it does not exist, else get it: as Kubernetes creates.";
    "txn" txn = 4, txn, "A txn of one to three operations a branch, with up to two compares.";
    "txn-read" txn_read = 1, txn_read, "A txn that only reads.";
    "txn-nested" txn_nested = 1, txn_nested, "A txn within a txn.";
    "compact" compact = 1, compact, "Compact to a little below the newest revision the client has seen.";
    "invalid" invalid = 1, invalid, "A request that must end in one of etcd's own errors.";
}

/// Makes one operation.
struct Maker<'a> {
    workload: &'a Workload,
    client: u32,
    nth: u64,
    draw: Draw,
}

/// A revision no run reaches.
const FAR_FUTURE: i64 = 1_000_000_000_000;

impl Maker<'_> {
    /// A further decision of this operation.
    fn roll(&self, what: u64) -> Draw {
        self.draw.then(what)
    }

    fn key_number(&self, what: u64) -> u64 {
        self.roll(what).below(self.workload.keys.into())
    }

    fn key_of(&self, number: u64) -> Bytes {
        format!("{}{}", self.workload.key_prefix, number % u64::from(self.workload.keys)).into()
    }

    fn key(&self, what: u64) -> Bytes {
        self.key_of(self.key_number(what))
    }

    /// The value of the `put`-th put of this operation.
    fn value(&self, put: u64) -> Bytes {
        let mut value = format!("c{}o{}", self.client, self.nth);
        if put > 0 {
            value += &format!("-{put}");
        }
        let length = self.workload.value_bytes.sample(self.roll(100 + put));
        let mut value = value.into_bytes();
        value.resize(value.len().max(length as usize), b'.');
        value.into()
    }

    fn put_request(&self) -> PutRequest {
        PutRequest { key: self.key(1), value: self.value(0), ..PutRequest::default() }
    }

    fn get_request(&self) -> RangeRequest {
        RangeRequest { key: self.key(1), ..RangeRequest::default() }
    }

    fn put(&self) -> Request {
        self.put_request().into()
    }

    fn put_prev(&self) -> Request {
        PutRequest { prev_kv: true, ..self.put_request() }.into()
    }

    fn get(&self) -> Request {
        self.get_request().into()
    }

    fn get_serializable(&self) -> Request {
        RangeRequest { serializable: true, ..self.get_request() }.into()
    }

    fn get_at(&self) -> Request {
        RangeRequest { revision: self.past(2), ..self.get_request() }.into()
    }

    /// A revision of the past: seldom far, so that it is seldom compacted.
    fn past(&self, what: u64) -> i64 {
        -(self.roll(what).log_within(1, 50) as i64)
    }

    fn list(&self) -> Request {
        self.list_request().into()
    }

    fn list_serializable(&self) -> Request {
        RangeRequest { serializable: true, ..self.list_request() }.into()
    }

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
            // Without a limit: among equals the order is not specified, so neither is which are left out.
            2 => {
                range.sort_order = *self.roll(5).pick(&[SortOrder::Ascend, SortOrder::Descend]) as i32;
                range.sort_target = self.roll(6).within(1, SortTarget::Value as u64) as i32;
            }
            _ => {}
        }
        range
    }

    /// Some keys: all of them, those from one on, or a few neighbours.
    fn keys(&self, what: u64) -> (Bytes, Bytes) {
        let prefix = &self.workload.key_prefix;
        match self.roll(what).then(1).below(4) {
            0 if !prefix.is_empty() => (Bytes::from(prefix.clone()), api::key_range::prefix_end(prefix.as_bytes())),
            1 => (self.key(what), api::key_range::FROM_KEY),
            2 => (api::key_range::FROM_KEY, api::key_range::FROM_KEY),
            _ => {
                let (a, b) = (self.key(what), self.key_of(self.key_number(what) + 1 + self.roll(what).then(2).below(3)));
                if a < b { (a, b) } else { (b, a) }
            }
        }
    }

    fn delete(&self) -> Request {
        let prev_kv = self.roll(2).happens(Ratio::percent(30));
        DeleteRangeRequest { key: self.key(1), range_end: Bytes::new(), prev_kv }.into()
    }

    fn delete_range(&self) -> Request {
        let first = self.key_number(1);
        let (a, b) = (self.key_of(first), self.key_of(first + 1 + self.roll(2).below(2)));
        let (key, range_end) = if a < b { (a, b) } else { (b, a) };
        DeleteRangeRequest { key, range_end, prev_kv: self.roll(3).happens(Ratio::percent(50)) }.into()
    }

    fn cas(&self) -> Request {
        let put = self.put_request();
        let get = RangeRequest { key: put.key.clone(), ..RangeRequest::default() };
        let unchanged = compare(&put.key, CompareResult::Equal, TargetUnion::ModRevision(SEEN));
        TxnRequest { compare: vec![unchanged], success: vec![op_put(put)], failure: vec![op_get(get)] }.into()
    }

    fn create(&self) -> Request {
        let put = self.put_request();
        let get = RangeRequest { key: put.key.clone(), ..RangeRequest::default() };
        let absent = compare(&put.key, CompareResult::Equal, TargetUnion::CreateRevision(0));
        TxnRequest { compare: vec![absent], success: vec![op_put(put)], failure: vec![op_get(get)] }.into()
    }

    fn txn(&self) -> Request {
        let compare = (0..self.roll(1).below(3)).map(|nth| self.some_compare(200 + 10 * nth)).collect();
        let success = self.branch(2, 0, true);
        let failure = self.branch(3, 10, self.roll(4).happens(Ratio::percent(50)));
        TxnRequest { compare, success, failure }.into()
    }

    fn txn_read(&self) -> Request {
        let compare = (0..self.roll(1).below(2)).map(|nth| self.some_compare(200 + 10 * nth)).collect();
        TxnRequest { compare, success: self.branch(2, 0, false), failure: self.branch(3, 10, false) }.into()
    }

    fn txn_nested(&self) -> Request {
        // Inner and outer write different keys: two puts of one key in a txn are refused. Where there is
        // only one key, the outer one only reads.
        let first = self.key_number(1);
        let inner = TxnRequest {
            compare: vec![self.some_compare(200)],
            success: vec![op_put(PutRequest { key: self.key_of(first), value: self.value(1), ..PutRequest::default() })],
            failure: vec![op_get(RangeRequest { key: self.key_of(first), ..RangeRequest::default() })],
        };
        let other = PutRequest { key: self.key_of(first + 1), value: self.value(0), ..PutRequest::default() };
        let other = if self.workload.keys > 1 { op_put(other) } else { op_get(self.get_request()) };
        let inner = RequestOp { request: Some(request_op::Request::RequestTxn(inner)) };
        TxnRequest { compare: vec![self.some_compare(210)], success: vec![other, inner.clone()], failure: vec![inner] }.into()
    }

    /// One to three operations on different keys. `puts` numbers its first put.
    fn branch(&self, what: u64, puts: u64, writes: bool) -> Vec<RequestOp> {
        let first = self.key_number(300 + what);
        let length = (1 + self.roll(what).below(3)).min(self.workload.keys.into());
        let op = |nth: u64| {
            let key = self.key_of(first + nth);
            let kind = if writes { self.roll(what).then(10 + nth).below(4) } else { 3 };
            match kind {
                0 | 1 => op_put(PutRequest { key, value: self.value(puts + nth), prev_kv: kind == 1, ..PutRequest::default() }),
                2 => {
                    let delete = DeleteRangeRequest { key, prev_kv: true, ..DeleteRangeRequest::default() };
                    RequestOp { request: Some(request_op::Request::RequestDeleteRange(delete)) }
                }
                _ => op_get(RangeRequest { key, ..RangeRequest::default() }),
            }
        };
        (0..length).map(op).collect()
    }

    fn some_compare(&self, what: u64) -> Compare {
        let results = [CompareResult::Equal, CompareResult::NotEqual, CompareResult::Greater, CompareResult::Less];
        let result = *self.roll(what).pick(&results);
        let number = self.roll(what + 1).below(4) as i64;
        let target = match self.roll(what + 2).below(4) {
            0 => TargetUnion::Version(number),
            1 => TargetUnion::CreateRevision(number * 10),
            2 => TargetUnion::ModRevision(if number == 0 { SEEN } else { number * 10 }),
            _ => TargetUnion::Value(format!("c{number}").into()),
        };
        let mut compare = compare(&self.key(what + 3), result, target);
        // A range compare holds if it holds for every key. "Last seen" is of one key only.
        if compare.target != CompareTarget::Mod as i32 && self.roll(what + 4).happens(Ratio::percent(10)) {
            (compare.key, compare.range_end) = self.keys(what + 5);
        }
        compare
    }

    fn compact(&self) -> Request {
        CompactionRequest { revision: self.past(1), physical: self.roll(2).happens(Ratio::percent(30)) }.into()
    }

    fn invalid(&self) -> Request {
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
                let delete = RequestOp { request: Some(request_op::Request::RequestDeleteRange(delete)) };
                TxnRequest { success: vec![op_put(put), delete], ..TxnRequest::default() }.into()
            }
            _ => {
                // One above etcd's limit of 128.
                let get = op_get(self.get_request());
                TxnRequest { success: vec![get; 129], ..TxnRequest::default() }.into()
            }
        }
    }
}

fn op_put(put: PutRequest) -> RequestOp {
    RequestOp { request: Some(request_op::Request::RequestPut(put)) }
}

fn op_get(range: RangeRequest) -> RequestOp {
    RequestOp { request: Some(request_op::Request::RequestRange(range)) }
}

fn compare(key: &Bytes, result: CompareResult, with: TargetUnion) -> Compare {
    let target = match with {
        TargetUnion::Version(_) => CompareTarget::Version,
        TargetUnion::CreateRevision(_) => CompareTarget::Create,
        TargetUnion::ModRevision(_) => CompareTarget::Mod,
        TargetUnion::Value(_) => CompareTarget::Value,
        TargetUnion::Lease(_) => CompareTarget::Lease,
    };
    Compare { result: result as i32, target: target as i32, key: key.clone(), range_end: Bytes::new(), target_union: Some(with) }
}
