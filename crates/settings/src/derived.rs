//! Values that are calculated from settings, and settings whose value 0 means "off" as options.

use crate::Settings;

/// When a leader compacts automatically (`--auto-compaction-mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoCompaction {
    /// The leader keeps the revisions made in the last period of this many nanoseconds, by its own clock.
    Periodic(u64),
    /// The leader keeps this many revisions. It checks every five minutes.
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
        let period = unless_zero(self.auto_compaction_period).map(AutoCompaction::Periodic);
        let revisions = unless_zero(self.auto_compaction_revisions);
        period.or(revisions.map(|revisions| AutoCompaction::Revision(revisions as i64)))
    }

    /// Nanoseconds between the leader's comparisons of all members' hashes; `None` for never.
    pub fn corrupt_checks(&self) -> Option<u64> {
        unless_zero(self.corrupt_check_interval)
    }

    /// Nanoseconds between checkpoints of long leases; `None` for never. A checkpoint records the time that a
    /// lease has left.
    pub fn lease_checkpoints(&self) -> Option<u64> {
        unless_zero(self.lease_checkpoint_interval)
    }

    /// Maximum size of the backend in bytes; `None` for no limit.
    pub fn quota_bytes(&self) -> Option<u64> {
        unless_zero(self.quota)
    }
}

fn unless_zero(value: u64) -> Option<u64> {
    (value != 0).then_some(value)
}
