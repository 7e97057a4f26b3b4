//! Jepsen's `watch` (`jepsen-io/etcd`, `watch.clj`): half of the clients write one key. The other half watch it
//! for up to five seconds at a time, each time from the revision after the last one that they saw. At the end
//! they watch until all have seen everything.

use keyed::Draw;
use record::Nanos;

use super::lane::put;
use super::{Lane, Setup};
use crate::Act;
use crate::act::{Keys, Start, Watch};

pub(super) const ABOUT: &str = "One key: half of the clients write it, half watch it for up to five seconds at a time, each time from the revision after the last one they saw, until they have seen everything. Jepsen's etcd tests, `watch`.";

const KEY: &str = "w";
const SECOND: Nanos = 1_000_000_000;

/// All lanes of the workload. (A lane is one client with all its operations.)
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    let clients = setup.workload.clients;
    (0..clients)
        .map(|client| if client % 2 == 0 { writer(setup, client) } else { watcher(setup, client) })
        .collect()
}

/// A client that writes the key.
fn writer(setup: &Setup<'_>, client: u32) -> Lane {
    let mut lane = Lane::new(client);
    for turn in setup.turns(client, setup.workload.clients) {
        let value = lane.value(setup, turn.draw);
        lane.ask(turn.at, put(KEY, value));
    }
    lane
}

/// A client that watches the key.
fn watcher(setup: &Setup<'_>, client: u32) -> Lane {
    let mut lane = Lane::new(client);
    let watch = |lane: &mut Lane, at: Nanos, draw: Draw| {
        lane.act(at, Act::Close { stream: 0 });
        let keys = Keys { key: KEY.into(), end: bytes::Bytes::new() };
        let prev_kv = draw.then(1).below(2) == 0;
        lane.act(at, Act::Watch(Watch { keys, from: Start::Last, prev_kv, ..Watch::default() }));
    };
    for turn in setup.every(client, 3 * SECOND) {
        watch(&mut lane, turn.at, turn.draw);
    }
    lane
}
