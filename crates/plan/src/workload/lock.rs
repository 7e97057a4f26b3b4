//! Jepsen's `lock` (`jepsen-io/etcd`, `lock.clj`): clients take and release one lock of etcd's lock service at
//! random. Each client is two lanes with one memory: one takes and releases the lock, the other keeps its lease
//! of two seconds alive.
//!
//! If a lease expires and its client does not notice, two clients believe that they have the lock.

use bytes::Bytes;
use record::Nanos;

use super::{Lane, Setup};
use crate::Act;
use crate::act::Session;

pub(super) const ABOUT: &str = "One lock of the server's lock service, taken and released at random, with a lease of two seconds that is kept alive. Jepsen's etcd tests, `lock`.";

const LOCK: Bytes = Bytes::from_static(b"foo");
/// The TTL of a session's lease in seconds, Jepsen's `lease-ttl`.
const TTL: i64 = 2;
/// The time between two renewals of a lease: a third of its TTL, as in clientv3 (`lease.go`).
pub(super) const RENEW: Nanos = TTL as Nanos * 1_000_000_000 / 3;

/// All lanes of the workload. (A lane is one client with all its operations.)
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    let clients = setup.workload.clients;
    let mut lanes: Vec<Lane> = (0..clients).map(|client| lane(setup, client)).collect();
    renewers(setup, &mut lanes, RENEW);
    lanes
}

/// One lane for each existing lane, to renew its leases.
pub(super) fn renewers(setup: &Setup<'_>, lanes: &mut Vec<Lane>, period: Nanos) {
    for client in 0..lanes.len() as u32 {
        let number = lanes.len() as u32;
        let mut lane = Lane::part_of(number, client);
        for turn in setup.every(number, period) {
            lane.act(turn.at, Act::Renew);
        }
        lanes.push(lane);
    }
}

/// A session for the next act of a lane.
pub(super) fn session(lane: &Lane) -> Session {
    Session { name: LOCK, lease: lane.lease(), ttl: TTL }
}

/// The lane that takes and releases the lock.
fn lane(setup: &Setup<'_>, client: u32) -> Lane {
    let mut lane = Lane::new(client);
    for turn in setup.turns(client, setup.workload.clients) {
        let act = match turn.draw.below(2) {
            0 => Act::Lock(session(&lane)),
            _ => Act::Unlock { name: LOCK },
        };
        lane.act(turn.at, act);
    }
    lane
}
