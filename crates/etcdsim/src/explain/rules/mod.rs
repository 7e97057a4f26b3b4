//! The rules of correct members, for what the facts of the trace do not show: each searches the inner events of a run
//! for steps that no correct member takes.
//!
//! They only explain. A run that holds is never looked at, and a rule that fires makes no violation. But a rule that
//! fires in a run in which no member is at fault would put the blame on the wrong step, so none may
//! (`tests/tests/explanations.rs`).
//!
//! A new rule is a row here and a function in the file of its subject: from the evidence to the wrong steps, in the order
//! of time.

mod backend;
mod entries;
mod leases;
mod membership;
mod reads;
pub(super) mod state;
pub(super) mod watchers;

#[cfg(test)]
mod tests;

use super::evidence::Evidence;
use super::wrong::Wrong;

/// A rule: its name, and what finds the steps that break it.
type Rule = (&'static str, fn(&Evidence) -> Vec<Wrong>);

/// All rules.
const RULES: &[Rule] = &[
    ("an entry is executed as it is", entries::executed),
    ("members apply an entry alike", entries::alike),
    ("an entry is in the log once", entries::once),
    ("a load finds every row", state::loads),
    ("a load keeps the revision", state::revisions),
    ("members agree on the state", state::agrees),
    ("a compaction keeps what can be read", state::compaction),
    ("permissions follow users and roles", state::permissions),
    ("a commit has rows and index together", backend::commits),
    ("the backend never goes back", backend::replaced),
    ("a start finds what was committed", backend::found),
    ("only a promotion makes a learner vote", membership::roles),
    ("one change of the membership at a time", membership::one_at_a_time),
    ("a read waits for its read index", reads::waits),
    ("a streamed range stays at its revision", reads::stays),
    ("a watcher goes on where it was", watchers::moves),
    ("a pass reads the history in order", watchers::passes),
    ("passes take all watchers in turn", watchers::turns),
    ("progress follows the events", watchers::progress),
    ("a response is sent as it was queued", watchers::unchanged),
    ("a lease lasts its time", leases::lasts),
    ("only a leader revokes and renews", leases::confirmed),
    ("a keep-alive is answered as the lease is", leases::answered),
    ("a lock goes to a key that exists", leases::locks),
];

/// The steps that break the rules, in the order of the rules.
pub(super) fn look(evidence: &Evidence) -> Vec<Wrong> {
    let of = |(name, find): &Rule| {
        let found = find(evidence);
        found.into_iter().map(|wrong| Wrong { by: name, ..wrong }).collect::<Vec<_>>()
    };
    RULES.iter().flat_map(of).collect()
}
