//! The types and functions with which workloads are written. A [`Lane`] is a client with all its operations;
//! [`Setup`] is the data that a workload is made from. There are also short functions that make requests.

use api::Request;
use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::{
    Compare, DeleteRangeRequest, LeaseGrantRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
    request_op,
};
use bytes::Bytes;
use keyed::Draw;
use record::{MemberId, Nanos};
use schedule::choice::Dice;
use schedule::field::HOUR;
use schedule::{Turn, turns};

use super::{Mix, Workload};
use crate::{Act, PlannedOperation, SEEN};

/// The data that a workload is made from.
pub(crate) struct Setup<'a> {
    pub workload: &'a Workload,
    /// How often the workload `mixed` sends each kind of operation.
    pub mix: &'a Mix,
    /// How many members the cluster begins with.
    pub members: u32,
    /// The end of the chaos phase.
    pub horizon: Nanos,
    /// The source of draws.
    pub dice: Dice,
}

/// One client and all its operations.
pub(crate) struct Lane {
    /// Its number among the clients.
    pub number: u32,
    pub operations: Vec<PlannedOperation>,
    /// The other client whose memory it uses; `None` if it has its own.
    pub part_of: Option<u32>,
    /// The one member it talks to, if the workload sets one.
    pub pinned: Option<MemberId>,
    /// The user it logs in as, `name:password`, if the workload sets one.
    pub user: Option<String>,
}

impl Setup<'_> {
    /// Turn `nth` of client `client` of `clients` that share the rate; `None` after the last one.
    fn turn(&self, client: u32, clients: u32, nth: u64) -> Option<Turn> {
        let workload = self.workload;
        if workload.operations != 0 && nth >= workload.operations {
            return None;
        }
        // Without a rate, all turns are due at once: the client acts whenever its last act has ended.
        if workload.rate() == 0 {
            let turn = Turn::new(self.dice, client, nth, 0, Nanos::MAX);
            return turn.filter(|_| workload.operations != 0);
        }
        // One turn in each interval, at a drawn time within it.
        let interval = u128::from(clients) * HOUR as u128 / u128::from(workload.rate());
        let interval = u64::try_from(interval).unwrap_or(u64::MAX).max(1);
        let place = Turn::place(self.dice, client, nth).below(interval);
        Turn::new(self.dice, client, nth, nth.checked_mul(interval)?.checked_add(place)?, self.horizon)
    }

    /// The turns of a client at its share of the rate, which `clients` clients share.
    pub fn turns(&self, client: u32, clients: u32) -> impl Iterator<Item = Turn> {
        (0..).map_while(move |nth| self.turn(client, clients, nth))
    }

    /// Turns of a client: one in each period, at a drawn time within it.
    pub fn every(&self, client: u32, period: Nanos) -> impl Iterator<Item = Turn> + use<> {
        turns(self.dice, self.horizon, client, period)
    }

    /// The number of clients that only watch.
    pub fn watchers(&self) -> u32 {
        self.workload.watchers.unwrap_or(self.members)
    }
}

impl Lane {
    /// A lane without operations.
    pub fn new(number: u32) -> Lane {
        Lane { number, operations: Vec::new(), part_of: None, pinned: None, user: None }
    }

    /// A lane that shares the memory of another one.
    pub fn part_of(number: u32, other: u32) -> Lane {
        Lane { part_of: Some(other), ..Lane::new(number) }
    }

    /// A lane that sends requests to one member only: lane `nth` of several, which are spread over the members.
    pub fn pinned(number: u32, nth: u32, members: u32) -> Lane {
        Lane { pinned: Some(MemberId::new(nth % members + 1)), ..Lane::new(number) }
    }

    /// Adds an act at this time.
    pub fn act(&mut self, at: Nanos, act: Act) {
        self.operations.push(PlannedOperation { at, act });
    }

    /// Adds a request at this time.
    pub fn ask(&mut self, at: Nanos, request: impl Into<Request>) {
        self.act(at, Act::Request(request.into()));
    }

    /// The value that the next act writes: the name of the act, padded to the length that `draw` decides.
    pub fn value(&self, setup: &Setup<'_>, draw: Draw) -> Bytes {
        let length = setup.workload.value_bytes.sample(draw.then(100)) as usize;
        filled(format!("c{}o{}", self.number, self.operations.len()), length)
    }

    /// The id of the lease that the next act grants. No other act of the plan has the same.
    pub fn lease(&self) -> i64 {
        (i64::from(self.number) + 1) * 1_000_000_000 + self.operations.len() as i64
    }
}

/// A text, padded with dots.
pub(super) fn filled(text: String, length: usize) -> Bytes {
    let mut bytes = text.into_bytes();
    bytes.resize(bytes.len().max(length), b'.');
    bytes.into()
}

pub(super) fn get(key: impl Into<Bytes>) -> RangeRequest {
    RangeRequest { key: key.into(), ..RangeRequest::default() }
}

pub(super) fn get_prefix(prefix: &str) -> RangeRequest {
    let range_end = api::key_range::prefix_end(prefix.as_bytes());
    RangeRequest { key: Bytes::from(prefix.to_string()), range_end, ..RangeRequest::default() }
}

pub(super) fn put(key: impl Into<Bytes>, value: Bytes) -> PutRequest {
    PutRequest { key: key.into(), value, ..PutRequest::default() }
}

pub(super) fn delete(key: impl Into<Bytes>) -> DeleteRangeRequest {
    DeleteRangeRequest { key: key.into(), ..DeleteRangeRequest::default() }
}

pub(super) fn grant(id: i64, ttl: i64) -> LeaseGrantRequest {
    LeaseGrantRequest { id, ttl }
}

pub(super) fn op_put(put: PutRequest) -> RequestOp {
    RequestOp { request: Some(request_op::Request::RequestPut(put)) }
}

pub(super) fn op_get(range: RangeRequest) -> RequestOp {
    RequestOp { request: Some(request_op::Request::RequestRange(range)) }
}

pub(super) fn op_delete(delete: DeleteRangeRequest) -> RequestOp {
    RequestOp { request: Some(request_op::Request::RequestDeleteRange(delete)) }
}

pub(super) fn compare(key: &Bytes, result: CompareResult, with: TargetUnion) -> Compare {
    let target = match with {
        TargetUnion::Version(_) => CompareTarget::Version,
        TargetUnion::CreateRevision(_) => CompareTarget::Create,
        TargetUnion::ModRevision(_) => CompareTarget::Mod,
        TargetUnion::Value(_) => CompareTarget::Value,
        TargetUnion::Lease(_) => CompareTarget::Lease,
    };
    Compare {
        result: result as i32,
        target: target as i32,
        key: key.clone(),
        range_end: Bytes::new(),
        target_union: Some(with),
    }
}

/// A transaction that puts if the mod revision of the key is the one that the client last saw, and otherwise
/// does `or`.
pub(super) fn put_if_seen(put: PutRequest, or: Vec<RequestOp>) -> TxnRequest {
    let unchanged = compare(&put.key, CompareResult::Equal, TargetUnion::ModRevision(SEEN));
    TxnRequest { compare: vec![unchanged], success: vec![op_put(put)], failure: or }
}

/// A transaction that puts if the key does not exist, and otherwise does nothing. Kubernetes creates objects
/// like this.
pub(super) fn create(put: PutRequest) -> TxnRequest {
    let absent = compare(&put.key, CompareResult::Equal, TargetUnion::ModRevision(0));
    TxnRequest { compare: vec![absent], success: vec![op_put(put)], failure: Vec::new() }
}
