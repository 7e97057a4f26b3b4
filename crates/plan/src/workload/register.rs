//! Jepsen's `register` (`jepsen-io/etcd`, `register.clj`): reads, writes and compare-and-sets of single keys.
//! Half of the clients only read.
//!
//! Jepsen writes the values 0 to 4. Here every value is new, so that it identifies the act that wrote it, and a
//! compare-and-set compares the mod revision instead of the value.

use super::lane::{get, op_get, put, put_if_seen};
use super::{Lane, Setup};

pub(super) const ABOUT: &str = "Reads by one half of the clients, writes and compare-and-sets by the other, on independent keys. Jepsen's etcd tests, `register`.";

/// All lanes of the workload. (A lane is one client with all its operations.)
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    (0..setup.workload.clients).map(|client| lane(setup, client)).collect()
}

/// One client.
fn lane(setup: &Setup<'_>, client: u32) -> Lane {
    let mut lane = Lane::new(client);
    for turn in setup.turns(client, setup.workload.clients) {
        let key =
            format!("{}{}", setup.workload.key_prefix, turn.draw.then(1).below(setup.workload.keys.into()));
        let value = lane.value(setup, turn.draw);
        match (client % 2, turn.draw.below(2)) {
            (0, _) => lane.ask(turn.at, get(key)),
            (_, 0) => lane.ask(turn.at, put(key, value)),
            _ => lane.ask(turn.at, put_if_seen(put(key.clone(), value), vec![op_get(get(key))])),
        }
    }
    lane
}
