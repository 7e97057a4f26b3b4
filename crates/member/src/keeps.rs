//! What the member keeps, in numbers: for a test bench that looks whether it keeps more than is alive.
//!
//! Each part counts what it keeps itself (`kept`), and says nothing of what ought to be there: that is the business of who
//! asks. A count that is new here needs a bound there (`verify/src/leaks/counts.rs`).

use crate::member::Member;
use crate::want::NOBODY;

/// How many of something there are, with its name.
pub(crate) type Count = (&'static str, u64);

/// A count.
pub(crate) fn count(name: &'static str, number: usize) -> Count {
    (name, number as u64)
}

/// Counts what waits for clients, and what the member wants itself.
pub(crate) fn by_asker(
    names: (&'static str, &'static str),
    operations: impl Iterator<Item = u64>,
) -> [Count; 2] {
    let (own, asked): (Vec<u64>, Vec<u64>) = operations.partition(|operation| *operation == NOBODY);
    [count(names.0, asked.len()), count(names.1, own.len())]
}

impl Member {
    /// All counts.
    pub(crate) fn kept(&self) -> Vec<Count> {
        let mut counts = Vec::new();
        counts.extend(self.proposals.kept());
        counts.extend(self.reads.kept());
        counts.extend(self.calls.kept());
        counts.extend(self.forwarded.kept());
        counts.extend(self.logins.kept());
        counts.extend(self.services.kept());
        counts.extend(self.range_streams.kept());
        counts.extend(self.require_leader.kept());
        counts.extend(self.pending.kept());
        counts.extend(self.transfers.kept());
        counts.extend(self.comparison.kept());
        counts.extend(self.compactor.kept());
        counts.extend(self.leadership.kept());
        counts.extend(self.leases.kept());
        counts.extend(self.hub.kept());
        counts.extend(self.node.kept());
        counts.extend(self.persistence.kept());
        counts.extend(self.replica.auth.kept());
        counts.extend(self.replica.store.kept());
        counts
    }
}
