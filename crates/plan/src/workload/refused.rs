//! Requests that must be refused, tried all the time beside ordinary operations: by the clients of `users`, in a third
//! of their turns; by a user whose token expires between two turns; and by an operator who asks for changes of the
//! members that etcd refuses.
//!
//! If a member accepts a request that it should refuse, that must do little harm, because the run goes on: learners
//! that are added have no machine, and nothing is asked of `root` that would lock everybody out.

use api::Request;
use api::authpb::Permission;
use api::etcdserverpb::compare::{CompareResult, TargetUnion};
use api::etcdserverpb::{
    AuthRoleAddRequest, AuthRoleGrantPermissionRequest, AuthUserAddRequest, AuthUserGrantRoleRequest,
    AuthUserListRequest, AuthUserRevokeRoleRequest, AuthenticateRequest, CompactionRequest,
    DeleteRangeRequest, DowngradeRequest, HashKvRequest, LeaseGrantRequest, LeaseKeepAliveRequest,
    LeaseRevokeRequest, LeaseTimeToLiveRequest, MemberAddRequest, MemberListRequest, MemberPromoteRequest,
    MemberRemoveRequest, MemberUpdateRequest, MoveLeaderRequest, PutRequest, RangeRequest, RequestOp,
    TxnRequest, request_op,
};
use api::v3electionpb::{ProclaimRequest, ResignRequest};
use api::v3lockpb::UnlockRequest;
use bytes::Bytes;
use keyed::{Draw, Ratio};
use record::Nanos;

use super::lane::{compare, filled, op_delete, op_get, op_put};
use super::make::Maker;
use super::{Lane, Setup, mixed, users};
use crate::Act;

pub(super) const ABOUT: &str = "The clients of `users`, who in a third of their turns ask for something that must be refused: forms, sizes and counts beyond the limits, revisions of the future, leases that are not there, wrong passwords, tokens that no login issued and expired ones; and an operator whose changes of the members must be refused. Our own.";

const SECOND: Nanos = 1_000_000_000;
/// A revision that no run reaches.
const FAR_FUTURE: i64 = 1_000_000_000_000;
/// A lease that nobody grants.
const NO_LEASE: i64 = 404;
/// etcd's limit of `--max-txn-ops`.
const MAX_TXN_OPS: usize = 128;
/// etcd's limit of `--max-request-bytes`.
const MAX_REQUEST_BYTES: usize = 1_572_864;
/// The number of a member that has no machine.
const NO_MACHINE: u64 = 404;

/// All lanes of the workload.
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    let attempts = |maker: &Maker<'_>| {
        let tries = maker.draw.then(500).happens(Ratio::percent(35));
        tries.then(|| attempt(maker, maker.draw.then(501)))
    };
    let mut lanes = mixed::lanes_with(setup, attempts);
    users::log_in(setup, &mut lanes);
    lanes.push(idler(setup, lanes.len() as u32));
    lanes.push(operator(setup, lanes.len() as u32));
    lanes.push(users::trespasser(setup, lanes.len() as u32));
    lanes
}

/// Something that must be refused, or that stands just before the limit.
fn attempt(maker: &Maker<'_>, draw: Draw) -> Act {
    let what = draw.then(1);
    match draw.below(20) {
        0..6 => form(maker, what).into(),
        6..9 => state(maker, what).into(),
        9..13 => Act::Forged { index: draw.then(2).log_within(1, 1_000), request: ordinary(maker, what) },
        13..15 => password(what).into(),
        15 | 16 => streamed(maker, what),
        17 => maker.watch_refused(),
        18 => service(what).into(),
        // Large requests take long on slow links, so there are few.
        _ if draw.then(2).below(6) == 0 => {
            let longer = draw.then(3).log_within(1, 2_000) as usize;
            let mut put = put(maker);
            put.value = filled(String::from_utf8_lossy(&put.value).into_owned(), MAX_REQUEST_BYTES + longer);
            Request::Put(put).into()
        }
        _ => count(maker, what).into(),
    }
}

/// A put of a key, with a value of its own.
fn put(maker: &Maker<'_>) -> PutRequest {
    match maker.put() {
        Request::Put(put) => put,
        other => unreachable!("a put was made, not a {}", other.rpc_name()),
    }
}

/// A read of a key.
fn get(maker: &Maker<'_>) -> RangeRequest {
    RangeRequest { key: put(maker).key, ..RangeRequest::default() }
}

/// A transaction that does these operations, without a condition.
fn txn(success: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { success, ..TxnRequest::default() }
}

/// A transaction within a transaction.
fn op_txn(txn: TxnRequest) -> RequestOp {
    RequestOp { request: Some(request_op::Request::RequestTxn(txn)) }
}

/// A request whose form is refused, whatever the state is.
fn form(maker: &Maker<'_>, draw: Draw) -> Request {
    let (put, get) = (put(maker), get(maker));
    let delete = |key: &Bytes| DeleteRangeRequest { key: key.clone(), ..DeleteRangeRequest::default() };
    match draw.below(18) {
        0 => PutRequest { key: Bytes::new(), ..put }.into(),
        1 => RangeRequest { serializable: draw.then(1).below(2) == 0, ..RangeRequest::default() }.into(),
        2 => delete(&Bytes::new()).into(),
        3 => {
            let compare = compare(&Bytes::new(), CompareResult::Equal, TargetUnion::ModRevision(0));
            TxnRequest { compare: vec![compare], success: vec![op_put(put)], failure: Vec::new() }.into()
        }
        4 => PutRequest { ignore_value: true, ..put }.into(),
        5 => PutRequest { value: Bytes::new(), ignore_lease: true, lease: NO_LEASE, ..put }.into(),
        6 => txn(vec![op_put(put.clone()), op_put(put)]).into(),
        7 => txn(vec![op_delete(delete(&put.key)), op_put(put)]).into(),
        8 => txn(vec![op_put(put.clone()), op_txn(txn(vec![op_put(put)]))]).into(),
        9 => txn(vec![op_put(put), RequestOp::default()]).into(),
        10 => txn(vec![op_get(get), op_put(PutRequest { key: Bytes::new(), ..put })]).into(),
        11 => RangeRequest { sort_order: 9, ..get }.into(),
        12 => RangeRequest { sort_target: 9, ..get }.into(),
        13 => LeaseGrantRequest { id: 0, ttl: 9_000_000_001 }.into(),
        14 => MemberAddRequest { peer_urls: vec!["m4:2380".into()], is_learner: true }.into(),
        15 => MemberAddRequest { peer_urls: Vec::new(), is_learner: true }.into(),
        16 => DowngradeRequest { action: 0, version: "three".into() }.into(),
        _ => DowngradeRequest { action: 9, version: "3.6".into() }.into(),
    }
}

/// A transaction with as many operations as are allowed, or with one more.
fn count(maker: &Maker<'_>, draw: Draw) -> Request {
    let ops = |count: usize| vec![op_get(get(maker)); count];
    let more = draw.then(1).below(2) as usize;
    match draw.below(4) {
        0 => txn(ops(MAX_TXN_OPS + more)).into(),
        1 => TxnRequest { failure: ops(MAX_TXN_OPS + more), ..TxnRequest::default() }.into(),
        2 => {
            let (outer, inner) = (ops(MAX_TXN_OPS / 2 - 1), ops(MAX_TXN_OPS / 2 + more));
            txn(outer.into_iter().chain([op_txn(txn(inner))]).collect()).into()
        }
        _ => {
            let same = compare(&get(maker).key, CompareResult::NotEqual, TargetUnion::Version(0));
            let compare = vec![same; MAX_TXN_OPS + more];
            TxnRequest { compare, success: vec![op_put(put(maker))], failure: Vec::new() }.into()
        }
    }
}

/// A request that is refused because of the state: revisions, keys and leases that are not there.
fn state(maker: &Maker<'_>, draw: Draw) -> Request {
    let (put, get) = (put(maker), get(maker));
    let future = RangeRequest { revision: FAR_FUTURE, ..get.clone() };
    match draw.below(12) {
        0 => RangeRequest { serializable: draw.then(1).below(2) == 0, ..future }.into(),
        1 => txn(vec![op_put(put), op_get(future)]).into(),
        // Compacted, unless nothing ever was.
        2 => RangeRequest { revision: 1, ..get }.into(),
        3 => txn(vec![op_put(put), op_get(RangeRequest { revision: 1, ..get })]).into(),
        4 => CompactionRequest { revision: FAR_FUTURE, physical: false }.into(),
        5 => CompactionRequest { revision: 1, physical: false }.into(),
        6 => HashKvRequest { revision: FAR_FUTURE }.into(),
        7 => PutRequest { lease: NO_LEASE, ..put }.into(),
        8 => LeaseRevokeRequest { id: NO_LEASE }.into(),
        9 => LeaseKeepAliveRequest { id: NO_LEASE }.into(),
        10 => LeaseTimeToLiveRequest { id: NO_LEASE, keys: true }.into(),
        // A key that is never put.
        _ => PutRequest { key: "absent".into(), value: Bytes::new(), ignore_value: true, ..put }.into(),
    }
}

/// A request that a client sends with a token that no login issued.
fn ordinary(maker: &Maker<'_>, draw: Draw) -> Request {
    match draw.below(8) {
        0 => put(maker).into(),
        1 => DeleteRangeRequest { key: put(maker).key, ..DeleteRangeRequest::default() }.into(),
        2 => RangeRequest { serializable: true, ..get(maker) }.into(),
        3 => txn(vec![op_get(get(maker)), op_put(put(maker))]).into(),
        4 => LeaseGrantRequest { id: 0, ttl: 5 }.into(),
        5 => AuthUserListRequest {}.into(),
        6 => MemberListRequest { linearizable: true }.into(),
        _ => get(maker).into(),
    }
}

/// A login with a wrong password. The password `x` is bob's for some time.
fn password(draw: Draw) -> Request {
    let (name, password) =
        *draw.pick(&[("root", "toor"), ("alice", "b"), ("bob", "x"), ("bob", ""), ("nobody", "n"), ("", "")]);
    AuthenticateRequest { name: name.into(), password: password.into() }.into()
}

/// A streamed range that is not allowed.
fn streamed(maker: &Maker<'_>, draw: Draw) -> Act {
    let get = get(maker);
    let range = match draw.below(5) {
        0 => RangeRequest { key: Bytes::new(), ..get },
        1 => RangeRequest { sort_order: 9, ..get },
        2 => RangeRequest { sort_order: 2, ..get },
        3 => RangeRequest { min_mod_revision: 2, ..get },
        _ => RangeRequest { revision: FAR_FUTURE, ..get },
    };
    Act::Stream { range, literal: false }
}

/// Requests that the lock and election services, or the member itself, refuse.
fn service(draw: Draw) -> Request {
    match draw.below(4) {
        0 => ProclaimRequest { leader: None, value: "v".into() }.into(),
        1 => ResignRequest { leader: None }.into(),
        2 => UnlockRequest { key: Bytes::new() }.into(),
        _ => MoveLeaderRequest { target_id: NO_MACHINE }.into(),
    }
}

/// A user who sends two requests at a time, and so seldom that many of its tokens expire in between.
fn idler(setup: &Setup<'_>, number: u32) -> Lane {
    let mut lane = Lane { user: Some("alice:a".into()), ..Lane::new(number) };
    for turn in setup.every(number, 9 * SECOND) {
        for _ in 0..2 {
            let key = format!("{}{}", setup.workload.key_prefix, turn.draw.below(setup.workload.keys.into()));
            lane.ask(turn.at, RangeRequest { key: key.into(), ..RangeRequest::default() });
        }
    }
    lane
}

/// An operator. Learners without a machine come and go; everything else that it asks for must be refused.
fn operator(setup: &Setup<'_>, number: u32) -> Lane {
    let mut lane = Lane { user: Some("root:root".into()), ..Lane::new(number) };
    for turn in setup.every(number, 2 * SECOND) {
        for request in operate(turn.draw) {
            lane.ask(turn.at, request);
        }
    }
    lane
}

/// The operator's next requests.
fn operate(draw: Draw) -> Vec<Request> {
    let url = |number: u64| vec![format!("http://none-{number}:2380")];
    let learner = |number: u64| MemberAddRequest { peer_urls: url(number), is_learner: true };
    let get = || MemberListRequest { linearizable: false };
    match draw.below(12) {
        // A removed member's number is not used again, so there are several.
        0..4 => {
            let number = NO_MACHINE + 1 + draw.then(1).below(20);
            vec![
                learner(number).into(),
                learner(NO_MACHINE).into(),
                MemberPromoteRequest { id: number }.into(),
                get().into(),
                MemberRemoveRequest { id: number }.into(),
            ]
        }
        4 => vec![MemberAddRequest { peer_urls: vec!["http://m1:2380".into()], is_learner: true }.into()],
        5 => vec![get().into(), MemberRemoveRequest { id: NO_MACHINE }.into()],
        6 => vec![MemberUpdateRequest { id: NO_MACHINE, peer_urls: url(NO_MACHINE) }.into()],
        7 => vec![MemberPromoteRequest { id: 1 + draw.then(1).below(3) }.into()],
        8 => vec![
            AuthUserAddRequest::default().into(),
            AuthRoleAddRequest::default().into(),
            AuthRoleGrantPermissionRequest { name: "some".into(), perm: None }.into(),
        ],
        9 => {
            let perm = Permission { key: "k5".into(), range_end: "k1".into(), ..Permission::default() };
            vec![AuthRoleGrantPermissionRequest { name: "some".into(), perm: Some(perm) }.into()]
        }
        10 => vec![
            AuthUserGrantRoleRequest { user: "nobody".into(), role: "some".into() }.into(),
            AuthUserGrantRoleRequest { user: "bob".into(), role: "absent".into() }.into(),
        ],
        _ => vec![
            AuthUserRevokeRoleRequest { name: "bob".into(), role: "all".into() }.into(),
            AuthUserAddRequest {
                name: "alice".into(),
                password: "a".into(),
                ..AuthUserAddRequest::default()
            }
            .into(),
        ],
    }
}
