//! Jepsen's lock around a set that is not in etcd: read, think, write back, each under the lock
//! (`jepsen-io/etcd`, `lock.clj`, `set-workload`). Nothing fences the write: a client that thinks longer than
//! its lease lasts loses what others added meanwhile. That is a property of every lock service with
//! time-outs, and what this workload shows: `lost-adds` in the counts of a run.

use bytes::Bytes;

use super::lock::{RENEW, renewers, session};
use super::set::SET;
use super::{Lane, Setup};
use crate::Act;
use crate::act::Add;

pub(super) const ABOUT: &str = "A set outside etcd, changed under the lock without a fence: the known-unsafe demonstration; the run counts `lost-adds`. Jepsen's etcd tests, `lock-set`.";

/// Maximum time of a read-modify-write, in nanoseconds; Jepsen uses 2 s.
const HOLD: u64 = 1_000_000_000;

pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    let mut lanes: Vec<Lane> =
        (0..setup.workload.clients).map(|client| adder(setup, client, Kind::Outside)).collect();
    renewers(setup, &mut lanes, RENEW);
    lanes
}

/// Where the set is and what guards it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Outside,
    Fenced,
}

/// A client that adds to the set under the lock; a fenced one reads it every other turn.
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
