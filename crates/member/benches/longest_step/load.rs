//! What clients and operators do in a run.

use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{
    CompactionRequest, Compare, DefragmentRequest, DeleteRangeRequest, HashKvRequest, HashRequest,
    PutRequest, RangeRequest, RequestOp, TxnRequest, WatchCreateRequest, WatchRequest,
};
use bytes::Bytes;
use etcdsim_member::config::Settings;
use keyed::{Domain, Keyed};

use crate::cluster::Cluster;

/// The keys of the store.
const KEYS: u64 = 100_000;
const VALUE_BYTES: usize = 100;
/// How many operations a run has, and how many are under way at once.
const OPERATIONS: u64 = 24_000;
const AT_ONCE: u64 = 8;
/// The most operations of a transaction: `--max-txn-ops` of etcd.
const LARGE_TXN: u64 = 128;
const HOUR: u64 = 3_600_000_000_000;

const CHOICES: Domain = Domain::new("the load of a bench");

/// The settings of the members. Without jobs, there are no backend commits and no snapshots of the log.
pub fn settings(settings: &mut Settings, jobs: bool) {
    if jobs {
        settings.snapshot_count = 2_000;
        settings.catch_up_entries = 500;
    } else {
        settings.backend_interval = HOUR;
        settings.backend_limit = u64::MAX;
        settings.snapshot_count = 1_000_000_000;
    }
}

/// A store with all keys.
pub fn image() -> Bytes {
    let mut cluster = Cluster::start(1, &Bytes::new(), |_| {});
    for first in (0..KEYS).step_by(LARGE_TXN as usize) {
        cluster.call(0, txn((first..KEYS.min(first + LARGE_TXN)).map(|nth| put(nth, 0)), None));
        cluster.settle();
    }
    cluster.image(0)
}

pub struct Load {
    leader: usize,
    /// The member that is cut off for a while; `None` in a cluster of one.
    follower: Option<usize>,
    jobs: bool,
    keyed: Keyed,
}

impl Load {
    /// The clients open their watches.
    pub fn new(cluster: &mut Cluster, jobs: bool) -> Load {
        let leader = cluster.leader().expect("a member leads");
        let follower = (0..cluster.members()).find(|at| *at != leader);
        let load = Load { leader, follower, jobs, keyed: Keyed::new(7, CHOICES) };
        for nth in 0..50 {
            let (from, to) = match nth {
                0 => (key(0), key(KEYS)),
                1..10 => (key(nth * 1_000), key(nth * 1_000 + 500)),
                _ => (key(nth * 1_000), Bytes::new()),
            };
            cluster.watch(leader, watch(from, to, 0));
        }
        cluster.settle();
        load
    }

    pub fn run(&mut self, cluster: &mut Cluster) {
        for nth in 0..OPERATIONS {
            self.operation(cluster, nth);
            if self.jobs {
                self.jobs_at(cluster, nth);
            }
            if nth % AT_ONCE == AT_ONCE - 1 {
                cluster.settle();
            }
        }
        cluster.settle();
        if self.jobs {
            assert!(cluster.snapshots.1 > 0 && cluster.hash.is_some(), "operators got what they asked for");
            let sent = cluster.snapshots.0 > 0;
            assert!(sent || self.follower.is_none(), "a follower got a snapshot");
        }
    }

    /// What a client does.
    fn operation(&self, cluster: &mut Cluster, nth: u64) {
        let draw = |what| self.keyed.draw(what, nth);
        let at = draw(1).below(KEYS);
        let leader = self.leader;
        match draw(0).below(1_000) {
            0..500 => cluster.call(leader, put(at, nth)),
            500..750 => {
                cluster.call(leader, RangeRequest { key: key(at), ..RangeRequest::default() });
            }
            750..850 => cluster.call(leader, range(at, 100, true)),
            850..870 => cluster.call(leader, range(at, 1_000, false)),
            870..950 => {
                let puts = (0..10).map(|of| put((at + of * 997) % KEYS, nth));
                cluster.call(leader, txn(puts, Some(key(at))));
            }
            950..960 => {
                let puts = (0..LARGE_TXN).map(|of| put((at + of * 7) % KEYS, nth));
                cluster.call(leader, txn(puts, Some(key(at))));
            }
            960..999 => {
                cluster.call(leader, DeleteRangeRequest { key: key(at), ..DeleteRangeRequest::default() });
            }
            _ => {
                // At first, the latest revisions are still those that filled the store.
                let from = if nth < 2_000 { 0 } else { cluster.revision(leader) - 100 };
                cluster.watch(leader, watch(key(0), key(KEYS), from));
            }
        }
    }

    /// What operators do, and what happens to a follower.
    fn jobs_at(&self, cluster: &mut Cluster, nth: u64) {
        let leader = self.leader;
        if nth % 1_000 == 500 {
            cluster.call(leader, HashKvRequest::default());
            cluster.call(leader, HashRequest::default());
        }
        if nth % 3_000 == 2_000 {
            // Keeps the revisions from which new watches start.
            let revision = cluster.revision(leader) - 1_200;
            cluster.call(leader, CompactionRequest { revision, physical: nth.is_multiple_of(2_000) });
            // After a compaction, the hash covers different rows.
            cluster.call(leader, HashKvRequest::default());
        }
        if nth % 4_000 == 2_000 {
            cluster.snapshot(leader);
        }
        if nth % 5_000 == 3_000 {
            (0..cluster.members()).for_each(|at| cluster.call(at, DefragmentRequest::default()));
        }
        match nth {
            6_000 => cluster.cut_off(self.follower),
            14_000 => cluster.cut_off(None),
            _ => {}
        }
    }
}

fn key(nth: u64) -> Bytes {
    format!("key/{nth:08}").into()
}

fn put(at: u64, nth: u64) -> PutRequest {
    let value = vec![b'a' + (nth % 26) as u8; VALUE_BYTES];
    PutRequest { key: key(at), value: value.into(), ..PutRequest::default() }
}

fn range(from: u64, limit: i64, serializable: bool) -> RangeRequest {
    RangeRequest { key: key(from), range_end: key(KEYS), limit, serializable, ..RangeRequest::default() }
}

/// A transaction that makes these puts, provided that the key `exists` has been put; `None` means always.
fn txn(puts: impl Iterator<Item = PutRequest>, exists: Option<Bytes>) -> TxnRequest {
    let success = puts.map(|put| RequestOp { request: Some(Op::RequestPut(put)) }).collect();
    let compare = exists.map(|key| Compare {
        result: CompareResult::Greater as i32,
        target: CompareTarget::Version as i32,
        key,
        target_union: Some(TargetUnion::Version(0)),
        ..Compare::default()
    });
    TxnRequest { compare: compare.into_iter().collect(), success, ..TxnRequest::default() }
}

fn watch(key: Bytes, range_end: Bytes, start_revision: i64) -> WatchRequest {
    let create = WatchCreateRequest { key, range_end, start_revision, ..WatchCreateRequest::default() };
    WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) }
}
