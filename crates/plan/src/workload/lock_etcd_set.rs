//! Jepsen's lock around a set in etcd: read, think, write back, each under the lock, and the write compares
//! the create revision of the lock's key (`jepsen-io/etcd`, `lock.clj`, `etcd-set-workload`, which compares
//! its version with 0). With that fence nothing is lost.

use super::lock::{RENEW, renewers};
use super::lock_set::{Kind, adder};
use super::{Lane, Setup};

pub(super) const ABOUT: &str = "A set in etcd, changed under the lock and fenced by the create revision of the lock's key. Jepsen's etcd tests, `lock-etcd-set`.";

pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    let mut lanes: Vec<Lane> =
        (0..setup.workload.clients).map(|client| adder(setup, client, Kind::Fenced)).collect();
    renewers(setup, &mut lanes, RENEW);
    lanes
}
