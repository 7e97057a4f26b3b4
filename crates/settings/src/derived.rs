//! Values that follow from several settings, and settings where 0 means "off".

use crate::Settings;

/// When a leader compacts automatically (`--auto-compaction-mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoCompaction {
    /// Keeps the revisions of this many nanoseconds of the member's own clock.
    Periodic(u64),
    /// Keeps this many revisions; checks every five minutes.
    Revision(i64),
}

impl Settings {
    /// The shortest time without a leader before an election, in nanoseconds.
    pub fn election_timeout(&self) -> u64 {
        self.heartbeat_interval * u64::from(self.election_ticks)
    }

    /// Whether and how the leader compacts automatically. If a period and a number are both set, the period
    /// applies.
    pub fn auto_compaction(&self) -> Option<AutoCompaction> {
        let period = given(self.auto_compaction_period).map(AutoCompaction::Periodic);
        let kept = given(self.auto_compaction_revisions);
        period.or(kept.map(|kept| AutoCompaction::Revision(kept as i64)))
    }

    /// Time between the leader's comparisons of hashes; `None` for never.
    pub fn corrupt_checks(&self) -> Option<u64> {
        given(self.corrupt_check_interval)
    }

    /// Time between checkpoints of long leases; `None` for never.
    pub fn lease_checkpoints(&self) -> Option<u64> {
        given(self.lease_checkpoint_interval)
    }

    /// Maximum size of the backend in bytes; `None` for no limit.
    pub fn quota_bytes(&self) -> Option<u64> {
        given(self.quota)
    }
}

fn given(value: u64) -> Option<u64> {
    (value != 0).then_some(value)
}
