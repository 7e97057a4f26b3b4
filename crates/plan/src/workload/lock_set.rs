//! Jepsen's set that is not in etcd but is protected by a lock of etcd (`jepsen-io/etcd`, `lock.clj`,
//! `set-workload`). A client takes the lock, reads the set, waits a little, and writes the set back with one
//! more element.
//!
//! Nothing checks at the write that the client still has the lock. If its lease has expired meanwhile, the
//! elements that others added are lost. Every lock service with timeouts has this property. The count
//! `lost-adds` of a run shows it.

use bytes::Bytes;

use super::lock::{RENEW, renewers, session};
use super::set::SET;
use super::{Lane, Setup};
use crate::Act;
use crate::act::Add;

pub(super) const ABOUT: &str = "A set outside etcd, changed under the lock without a fence: the known-unsafe demonstration; the run counts `lost-adds`. Jepsen's etcd tests, `lock-set`.";

/// Maximum time of a read-modify-write, in nanoseconds; Jepsen uses 2 s.
const HOLD: u64 = 1_000_000_000;

/// All lanes of the workload. (A lane is one client with all its operations.)
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    let mut lanes: Vec<Lane> =
        (0..setup.workload.clients).map(|client| adder(setup, client, Kind::Outside)).collect();
    renewers(setup, &mut lanes, RENEW);
    lanes
}

/// Where the set is and what guards it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is outside etcd, and only the lock guards it.
    Outside,
    /// It is in etcd, and a write takes effect only while its client holds the lock.
    Fenced,
}

/// A client that adds to the set under the lock. If the set is in etcd, about half of its turns read it
/// instead.
pub(super) fn adder(setup: &Setup<'_>, client: u32, kind: Kind) -> Lane {
    let mut lane = Lane::new(client);
    for turn in setup.turns(client, setup.workload.clients) {
        if kind == Kind::Fenced && turn.draw.below(2) == 0 {
            lane.ask(turn.at, super::lane::get(SET));
            continue;
        }
        lane.act(
            turn.at,
            Act::Add(Add {
                key: SET,
                value: Bytes::from(format!("c{client}o{}", lane.operations.len())),
                lock: Some(session(&lane)),
                hold: turn.draw.then(1).below(HOLD) / 1_000 * 1_000,
                fenced: kind == Kind::Fenced,
                outside: kind == Kind::Outside,
            }),
        );
    }
    lane
}
