//! Jepsen's `append` (`jepsen-io/etcd`, `append.clj`): transactions of up to four operations that read lists
//! and append to them, on three keys. etcd cannot append, so each client first reads the lists that it appends
//! to; the transaction then writes longer lists, but only if the mod revisions are still those that were read.

use super::{Lane, Setup};
use crate::Act;
use crate::act::Micro;

pub(super) const ABOUT: &str = "Txns that read lists and append to them: a read, then a guarded write of the longer lists. Three keys, up to four operations. Jepsen's etcd tests, `append`.";

/// How many keys there are, Jepsen's `:key-count`.
pub(super) const KEYS: u64 = 3;
/// The most operations of a transaction, Jepsen's `:max-txn-length`.
pub(super) const LENGTH: u64 = 4;

/// All lanes of the workload. (A lane is one client with all its operations.)
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    (0..setup.workload.clients).map(|client| lane(setup, client)).collect()
}

/// One client.
fn lane(setup: &Setup<'_>, client: u32) -> Lane {
    let mut lane = Lane::new(client);
    for turn in setup.turns(client, setup.workload.clients) {
        let mut written = Vec::new();
        let micro = |nth: u64| {
            let draw = turn.draw.then(nth);
            let number = draw.then(1).below(KEYS);
            let key = format!("l{number}").into();
            // etcd refuses two puts of one key in a txn.
            if draw.below(2) == 0 || written.contains(&number) {
                return Micro::Get(key);
            }
            written.push(number);
            let suffix = if nth == 0 { String::new() } else { format!("-{nth}") };
            Micro::Append(key, format!("c{client}o{}{suffix}", lane.operations.len()).into())
        };
        // The operations use the draws 0 to 3, so their number has another one.
        let all = (0..turn.draw.then(9).within(1, LENGTH)).map(micro).collect();
        lane.act(turn.at, Act::Append(all));
    }
    lane
}
