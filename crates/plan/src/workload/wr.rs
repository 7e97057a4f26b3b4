//! Jepsen's `wr` (`jepsen-io/etcd`, `wr.clj`): transactions of up to four operations that read and write three
//! keys, without conditions.

use api::etcdserverpb::TxnRequest;

use super::append::{KEYS, LENGTH};
use super::lane::{get, op_get, op_put, put};
use super::{Lane, Setup};

pub(super) const ABOUT: &str = "Txns that read and write registers, without guards. Three keys, up to four operations. Jepsen's etcd tests, `wr`.";

/// All lanes of the workload. (A lane is one client with all its operations.)
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    (0..setup.workload.clients).map(|client| lane(setup, client)).collect()
}

/// One client.
fn lane(setup: &Setup<'_>, client: u32) -> Lane {
    let mut lane = Lane::new(client);
    for turn in setup.turns(client, setup.workload.clients) {
        let mut written = Vec::new();
        let op = |nth: u64| {
            let draw = turn.draw.then(nth);
            let number = draw.then(1).below(KEYS);
            let key = format!("r{number}");
            // etcd refuses two puts of one key in a txn.
            if draw.below(2) == 0 || written.contains(&number) {
                return op_get(get(key));
            }
            written.push(number);
            let suffix = if nth == 0 { String::new() } else { format!("-{nth}") };
            op_put(put(key, format!("c{client}o{}{suffix}", lane.operations.len()).into()))
        };
        // The operations use the draws 0 to 3, so their number has another one.
        let success = (0..turn.draw.then(9).within(1, LENGTH)).map(op).collect();
        lane.ask(turn.at, TxnRequest { success, ..TxnRequest::default() });
    }
    lane
}
