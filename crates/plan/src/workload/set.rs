//! Jepsen's `set` (`jepsen-io/etcd`, `set.clj`): a set in one key. Half of the clients add to it by
//! compare-and-swap, which they repeat until it succeeds, at most ten times in all. The other half read it.

use bytes::Bytes;

use super::lane::get;
use super::{Lane, Setup};
use crate::Act;
use crate::act::Add;

pub(super) const ABOUT: &str =
    "A set in one key: added to by compare-and-swap until it succeeds, and read. Jepsen's etcd tests, `set`.";

/// The key of the set.
pub(super) const SET: Bytes = Bytes::from_static(b"a-set");

/// All lanes of the workload. (A lane is one client with all its operations.)
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    (0..setup.workload.clients).map(|client| lane(setup, client)).collect()
}

/// One client.
fn lane(setup: &Setup<'_>, client: u32) -> Lane {
    let mut lane = Lane::new(client);
    for turn in setup.turns(client, setup.workload.clients) {
        if client % 2 == 1 {
            lane.ask(turn.at, get(SET));
            continue;
        }
        let value = Bytes::from(format!("c{client}o{}", lane.operations.len()));
        let add = Add { key: SET, value, lock: None, hold: 0, fenced: false, outside: false };
        lane.act(turn.at, Act::Add(add));
    }
    lane
}
