//! The traffic of etcd's own robustness tests (`tests/robustness/traffic/etcd.go` and `traffic.go`): ten keys,
//! no value written twice, and the weights of those tests.
//!
//! There are also clients that watch all keys, one for each member. Their watchers start up to a hundred
//! revisions before or after the current one. And one client compacts. These act less often than in etcd's
//! tests, because here clients send a hundred times fewer requests.
//!
//! Two things that keep the checker of etcd's tests fast are left out: a list after a failed write, and a limit
//! on concurrent writes that are not unique. The checkers here need neither.

use api::Request;
use api::etcdserverpb::{
    CompactionRequest, LeaseRevokeRequest, PutRequest, RangeRequest, RequestOp, StatusRequest, TxnRequest,
};
use keyed::{Draw, Ratio};
use record::Nanos;

use super::lane::{filled, get, get_prefix, grant, op_delete, op_get, op_put, put_if_seen};
use super::{Lane, Setup, lane};
use crate::act::{Keys, Start, Watch};
use crate::{Act, LAST};

pub(super) const PUT: &str = "Gets, lists, reads of the past, puts, large puts and txns of four operations, ten keys, with watchers and a compactor. etcd `tests/robustness/traffic/etcd.go`, `EtcdPut`: get 15, list 15, stale get 10, stale list 10, txn 5, large put 5, put 40.";
pub(super) const PUT_DELETE_LEASE: &str = "The same with deletions, leases and compare-and-set. `EtcdPutDeleteLease`: get 15, list 15, stale get 10, stale list 10, delete 5, txn 5, put with lease 5, revoke 5, compare-and-set 5, put 20, large put 5.";
pub(super) const DELETE: &str =
    "Half puts, half deletions, ten keys, with watchers and a compactor. `EtcdDelete`.";

/// Kinds of requests, in the order of the weights.
#[derive(Clone, Copy)]
enum Kind {
    Get,
    List,
    StaleGet,
    StaleList,
    Delete,
    Txn,
    PutWithLease,
    Revoke,
    CompareAndSet,
    Put,
    LargePut,
}

/// The kinds of operations, in the order of the weights below.
const KINDS: [Kind; 11] = [
    Kind::Get,
    Kind::List,
    Kind::StaleGet,
    Kind::StaleList,
    Kind::Delete,
    Kind::Txn,
    Kind::PutWithLease,
    Kind::Revoke,
    Kind::CompareAndSet,
    Kind::Put,
    Kind::LargePut,
];

/// How many keys there are.
const KEYS: u64 = 10;
/// What every key begins with.
const PREFIX: &str = "key";
/// `DefaultLeaseTTL`, in seconds. No run is long enough for these leases to expire.
const LEASE_TTL: i64 = 7_200;
/// The length of a large value in bytes, etcd's `largePutSize`.
const LARGE: usize = 32_769;
/// How many operations a transaction has, etcd's `MultiOpTxnOpCount`.
const OPS: u64 = 4;
/// How far from the current revision a watcher may start, etcd's `DefaultRevisionOffset`.
const OFFSET: u64 = 100;
const SECOND: Nanos = 1_000_000_000;

/// The lanes of all variants, given the weights of the kinds of requests. (A lane is one client with all its
/// operations.)
fn lanes(setup: &Setup<'_>, weights: [u64; 11]) -> Vec<Lane> {
    let clients = setup.workload.clients;
    let mut lanes: Vec<Lane> = (0..clients).map(|client| writer(setup, client, &weights)).collect();
    for nth in 0..setup.watchers() {
        lanes.push(watcher(setup, lanes.len() as u32, nth, Keys::prefix(PREFIX), "key0"));
    }
    lanes.push(compactor(setup, lanes.len() as u32));
    lanes
}

/// The lanes of [`PUT`].
pub(super) fn put(setup: &Setup<'_>) -> Vec<Lane> {
    lanes(setup, [15, 15, 10, 10, 0, 5, 0, 0, 0, 40, 5])
}

/// The lanes of [`PUT_DELETE_LEASE`].
pub(super) fn put_delete_lease(setup: &Setup<'_>) -> Vec<Lane> {
    lanes(setup, [15, 15, 10, 10, 5, 5, 5, 5, 5, 20, 5])
}

/// The lanes of [`DELETE`].
pub(super) fn delete(setup: &Setup<'_>) -> Vec<Lane> {
    lanes(setup, [0, 0, 0, 0, 50, 0, 0, 0, 0, 50, 0])
}

/// A random key.
fn key(draw: Draw) -> String {
    format!("{PREFIX}{}", draw.below(KEYS))
}

/// A client that reads and writes.
fn writer(setup: &Setup<'_>, client: u32, weights: &[u64]) -> Lane {
    let mut lane = Lane::new(client);
    // Whether the plan has granted the client a lease. In the run, the grant may fail.
    let mut leased = false;
    for turn in setup.turns(client, setup.workload.clients) {
        let (at, draw) = (turn.at, turn.draw);
        let key = key(draw.then(1));
        match KINDS[draw.weighted(weights)] {
            Kind::Get => lane.ask(at, get(key)),
            Kind::List => lane.ask(at, get_prefix(PREFIX)),
            Kind::StaleGet => {
                let range = RangeRequest { revision: LAST, ..get(key) };
                lane.ask(at, range);
            }
            Kind::StaleList => {
                let range = RangeRequest { revision: LAST, ..get_prefix(PREFIX) };
                lane.ask(at, range);
            }
            Kind::Delete => lane.ask(at, lane::delete(key)),
            Kind::Txn => {
                let txn = txn(&lane, draw);
                lane.ask(at, txn);
            }
            Kind::PutWithLease => {
                if !leased {
                    let id = lane.lease();
                    lane.ask(at, grant(id, LEASE_TTL));
                    leased = true;
                }
                let value = lane.value(setup, draw);
                lane.ask(at, PutRequest { lease: LAST, ..lane::put(key, value) });
            }
            Kind::Revoke if leased => {
                lane.ask(at, LeaseRevokeRequest { id: LAST });
                leased = false;
            }
            Kind::Revoke => {}
            Kind::CompareAndSet => {
                lane.ask(at, get(key.clone()));
                let value = lane.value(setup, draw);
                lane.ask(at, put_if_seen(lane::put(key, value), Vec::new()));
            }
            Kind::Put => {
                let value = lane.value(setup, draw);
                lane.ask(at, lane::put(key, value));
            }
            Kind::LargePut => {
                let name = format!("c{client}o{}", lane.operations.len());
                lane.ask(at, lane::put(key, filled(name, LARGE)));
            }
        }
    }
    lane
}

/// A transaction of four operations on different keys. Of ten operations, one deletes, four read and five put,
/// on average. At least one of the four puts.
fn txn(lane: &Lane, draw: Draw) -> TxnRequest {
    let mut keys: Vec<u64> = (0..KEYS).collect();
    draw.then(2).shuffle(&mut keys);
    let rolls: Vec<u64> = (0..OPS).map(|nth| draw.then(3).then(nth).below(100)).collect();
    let puts = rolls.iter().any(|roll| *roll >= 50);
    let op = |nth: usize| {
        let key = format!("{PREFIX}{}", keys[nth]);
        match rolls[nth] {
            0..50 if nth == 0 && !puts => put_op(lane, key, nth),
            0..10 => op_delete(lane::delete(key)),
            10..50 => op_get(get(key)),
            _ => put_op(lane, key, nth),
        }
    };
    TxnRequest { success: (0..OPS as usize).map(op).collect(), ..TxnRequest::default() }
}

fn put_op(lane: &Lane, key: String, nth: usize) -> RequestOp {
    let mut value = format!("c{}o{}", lane.number, lane.operations.len());
    if nth > 0 {
        value += &format!("-{nth}");
    }
    op_put(lane::put(key, value.into()))
}

/// A client that opens watchers on `keys`, each from a revision near the current one. A get of the key `known`
/// shows the current revision.
pub(super) fn watcher(setup: &Setup<'_>, number: u32, nth: u32, keys: Keys, known: &'static str) -> Lane {
    let mut lane = Lane::pinned(number, nth, setup.members);
    for turn in setup.every(number, 2 * SECOND) {
        lane.ask(turn.at, get(known));
        let offset = turn.draw.then(1).within(0, 2 * OFFSET) as i64 - OFFSET as i64;
        // The client has at most three watchers: each new one replaces the oldest.
        let name = turn.nth as u32 % 3;
        lane.act(turn.at, Act::Cancel { watcher: name });
        lane.act(
            turn.at,
            Act::Watch(Watch {
                keys: keys.clone(),
                from: Start::Seen(offset),
                prev_kv: true,
                progress: true,
                name,
                skip: turn.draw.then(2).happens(Ratio::percent(50)),
                ..Watch::default()
            }),
        );
    }
    lane
}

/// Compacts to slightly below the current revision (`RunCompactLoop`).
fn compactor(setup: &Setup<'_>, number: u32) -> Lane {
    let mut lane = Lane::new(number);
    for turn in setup.every(number, SECOND) {
        lane.ask(turn.at, Request::Status(StatusRequest {}));
        let revision = -(turn.draw.log_within(1, 100) as i64);
        lane.ask(turn.at, CompactionRequest { revision, physical: false });
    }
    lane
}
