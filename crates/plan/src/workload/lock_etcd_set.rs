//! Jepsen's set in etcd that is protected by a lock of etcd (`jepsen-io/etcd`, `lock.clj`,
//! `etcd-set-workload`). A client takes the lock, reads the set, waits a little, and writes the set back with
//! one more element.
//!
//! The write is a transaction that compares the create revision of the lock's key, so it fails if the client
//! has lost the lock. (Jepsen compares the key's version with 0.) With this fence nothing is lost.

use super::lock::{RENEW, renewers};
use super::lock_set::{Kind, adder};
use super::{Lane, Setup};

pub(super) const ABOUT: &str = "A set in etcd, changed under the lock and fenced by the create revision of the lock's key. Jepsen's etcd tests, `lock-etcd-set`.";

/// All lanes of the workload. (A lane is one client with all its operations.)
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    let mut lanes: Vec<Lane> =
        (0..setup.workload.clients).map(|client| adder(setup, client, Kind::Fenced)).collect();
    renewers(setup, &mut lanes, RENEW);
    lanes
}
