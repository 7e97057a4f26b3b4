//! Keys: ranges, puts, deletions, transactions and compactions, with every field and every reason to refuse them.

use api::Request;
use api::etcdserverpb::compare::TargetUnion;
use api::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, HashKvRequest, LeaseGrantRequest, LeaseRevokeRequest,
    PutRequest, RangeRequest, RequestOp, TxnRequest, request_op,
};
use bytes::Bytes;

use crate::draws::Draws;
use crate::session::Session;

const REQUESTS: usize = 3_000;

/// The keys of the scripts.
const KEYS: &[&[u8]] = &[
    b"a",
    b"ab",
    b"a\0",
    b"b",
    b"k1",
    b"k2",
    b"k3",
    b"k4",
    b"/registry/pods/p1",
    b"/registry/pods/p2",
    b"\xff",
    b"\xff\xff",
];
/// Leases: the first three are granted, the last one never is.
pub const LEASES: &[i64] = &[11, 12, 13, 99];
/// One more operation than a transaction may have.
const TOO_MANY: usize = 129;

/// What the requests may refer to.
#[derive(Clone, Copy)]
pub struct Seen {
    /// The newest revision.
    pub revision: i64,
    /// The newest one that was compacted.
    pub compacted: i64,
}

impl Seen {
    /// What a session has seen.
    pub fn by(session: &Session<'_>) -> Seen {
        Seen { revision: session.revision, compacted: session.compacted }
    }
}

/// A key, now and then the empty one.
pub fn key(draws: &mut Draws) -> Bytes {
    if draws.percent(2) { Bytes::new() } else { Bytes::from_static(draws.pick(KEYS)) }
}

/// The end of a range: usually none, and sometimes one that makes no sense.
pub fn range_end(draws: &mut Draws, key: &[u8]) -> Bytes {
    match draws.weighted(&[50, 20, 12, 10, 8]) {
        0 => Bytes::new(),
        1 => api::key_range::prefix_end(key),
        2 => Bytes::from_static(b"\0"),
        3 => Bytes::from_static(draws.pick(KEYS)),
        _ => Bytes::from_static(b"zzz"),
    }
}

fn value(draws: &mut Draws) -> Bytes {
    if draws.percent(4) { Bytes::new() } else { format!("v{}", draws.below(10)).into() }
}

/// A revision: the current one, an old one, a compacted one, one of the future, or nonsense.
fn revision(draws: &mut Draws, seen: Seen) -> i64 {
    match draws.weighted(&[70, 20, 4, 3, 2, 1]) {
        0 => 0,
        1 => draws.within(seen.compacted.max(1), seen.revision),
        2 => draws.within(1, seen.compacted.max(1)),
        3 => seen.revision + draws.within(1, 3),
        4 => -draws.within(1, 3),
        _ => seen.compacted,
    }
}

fn bound(draws: &mut Draws, seen: Seen) -> i64 {
    if draws.percent(90) { 0 } else { draws.within(1, seen.revision + 1) }
}

/// A range.
pub fn range(draws: &mut Draws, seen: Seen) -> RangeRequest {
    let key = key(draws);
    let range_end = range_end(draws, &key);
    RangeRequest {
        range_end,
        key,
        limit: if draws.percent(75) { 0 } else { draws.within(-1, 4) },
        revision: revision(draws, seen),
        sort_order: draws.weighted(&[70, 14, 14, 1]) as i32,
        sort_target: draws.weighted(&[60, 9, 9, 9, 9, 1]) as i32,
        serializable: draws.percent(20),
        keys_only: draws.percent(12),
        count_only: draws.percent(8),
        min_mod_revision: bound(draws, seen),
        max_mod_revision: bound(draws, seen),
        min_create_revision: bound(draws, seen),
        max_create_revision: bound(draws, seen),
    }
}

/// A put.
pub fn put(draws: &mut Draws) -> PutRequest {
    let (ignore_value, ignore_lease) = (draws.percent(6), draws.percent(6));
    PutRequest {
        key: key(draws),
        value: if ignore_value && draws.percent(80) { Bytes::new() } else { value(draws) },
        lease: if draws.percent(85) { 0 } else { draws.pick(LEASES) },
        prev_kv: draws.percent(30),
        ignore_value,
        ignore_lease,
    }
}

/// A deletion.
pub fn delete(draws: &mut Draws) -> DeleteRangeRequest {
    let key = key(draws);
    // Most deletions leave most keys.
    let range_end = if draws.percent(75) { Bytes::new() } else { range_end(draws, &key) };
    DeleteRangeRequest { key, range_end, prev_kv: draws.percent(40) }
}

fn compare(draws: &mut Draws, seen: Seen) -> Compare {
    let key = key(draws);
    let range_end = if draws.percent(80) { Bytes::new() } else { range_end(draws, &key) };
    let target = draws.below(5) as i32;
    // Sometimes the field of another target, or none.
    let number = draws.within(0, seen.revision);
    let union = match if draws.percent(94) { target } else { draws.below(6) as i32 } {
        0 => Some(TargetUnion::Version(draws.within(0, 3))),
        1 => Some(TargetUnion::CreateRevision(number)),
        2 => Some(TargetUnion::ModRevision(number)),
        3 => Some(TargetUnion::Value(value(draws))),
        4 => Some(TargetUnion::Lease(if draws.percent(50) { 0 } else { draws.pick(LEASES) })),
        _ => None,
    };
    Compare { result: draws.below(4) as i32, target, key, range_end, target_union: union }
}

fn op(draws: &mut Draws, seen: Seen, depth: usize) -> RequestOp {
    let request = match draws.weighted(&[30, 40, 18, if depth < 2 { 10 } else { 0 }, 1]) {
        0 => Some(request_op::Request::RequestRange(range(draws, seen))),
        1 => Some(request_op::Request::RequestPut(put(draws))),
        2 => Some(request_op::Request::RequestDeleteRange(delete(draws))),
        3 => Some(request_op::Request::RequestTxn(txn(draws, seen, depth + 1))),
        // An operation that is not set: etcd refuses it.
        _ => None,
    };
    RequestOp { request }
}

/// A transaction.
pub fn txn(draws: &mut Draws, seen: Seen, depth: usize) -> TxnRequest {
    let compares = draws.weighted(&[30, 50, 20]);
    let (success, failure) = (draws.weighted(&[15, 45, 30, 10]), draws.weighted(&[35, 40, 20, 5]));
    TxnRequest {
        compare: (0..compares).map(|_| compare(draws, seen)).collect(),
        success: (0..success).map(|_| op(draws, seen, depth)).collect(),
        failure: (0..failure).map(|_| op(draws, seen, depth)).collect(),
    }
}

/// Any request about keys but a compaction.
pub fn any(draws: &mut Draws, seen: Seen) -> Request {
    match draws.weighted(&[32, 32, 10, 26]) {
        0 => range(draws, seen).into(),
        1 => put(draws).into(),
        2 => delete(draws).into(),
        _ => txn(draws, seen, 0).into(),
    }
}

/// A compaction: usually of an old revision, and sometimes one that is refused.
pub fn compaction(draws: &mut Draws, seen: Seen) -> CompactionRequest {
    let revision = match draws.weighted(&[70, 10, 10, 5, 5]) {
        0 => draws.within(seen.compacted + 1, (seen.revision - 5).max(seen.compacted + 1)),
        1 => draws.within(0, seen.compacted),
        2 => seen.revision + draws.within(1, 5),
        3 => seen.revision,
        _ => -1,
    };
    CompactionRequest { revision, physical: draws.percent(50) }
}

/// A transaction of puts to so many keys.
fn long(count: usize) -> TxnRequest {
    let put = |nth: usize| PutRequest { key: format!("n{nth}").into(), ..PutRequest::default() };
    let op = |nth| RequestOp { request: Some(request_op::Request::RequestPut(put(nth))) };
    TxnRequest { success: (0..count).map(op).collect(), ..TxnRequest::default() }
}

/// Grants the leases of [`LEASES`] but the last one.
pub async fn grant(session: &mut Session<'_>) {
    for id in &LEASES[..LEASES.len() - 1] {
        let _ = session.ask(LeaseGrantRequest { ttl: 3_600, id: *id }).await;
    }
}

/// Runs the script.
pub async fn run(session: &mut Session<'_>, seed: u64) {
    let mut draws = Draws::new(seed);
    grant(session).await;
    let _ = session.ask(long(TOO_MANY)).await;
    for _ in 0..REQUESTS {
        let seen = Seen::by(session);
        let request: Request = match draws.weighted(&[1_000, 8, 6, 6, 10]) {
            0 => any(&mut draws, seen),
            1 => compaction(&mut draws, seen).into(),
            2 => LeaseRevokeRequest { id: draws.pick(LEASES) }.into(),
            3 => LeaseGrantRequest { ttl: 3_600, id: draws.pick(&LEASES[..3]) }.into(),
            _ => HashKvRequest { revision: revision(&mut draws, seen) }.into(),
        };
        let _ = session.ask(request).await;
    }
}
