//! What the nodes keep at a quiet moment, in numbers, so that a check can tell whether they keep more than is alive. It
//! is not part of the trace.

use crate::{MemberId, Nanos};

/// What was kept at one moment: at the end of the calm phase, and when the run is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// When.
    pub time: Nanos,
    /// Whether the cluster had settled by then. If not, callers' calls are under way.
    pub settled: bool,
    /// Whether all faults were healed, not only those of a core.
    pub all_healed: bool,
    /// The members of the newest configuration that any member had applied.
    pub configured: Vec<MemberId>,
    /// The index from which on that configuration holds.
    pub configured_at: u64,
    /// When the leader began to lead; equal to `time` if there is no leader.
    pub leader_since: Nanos,
    /// How many packets wait for a fault of the network to end.
    pub held_packets: u64,
    /// What each member with a running process keeps.
    pub members: Vec<KeptByMember>,
}

/// What one member keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptByMember {
    /// The member.
    pub member: MemberId,
    /// Whether it belongs to the core, whose faults are healed.
    pub core: bool,
    /// How often its process was started.
    pub incarnation: u32,
    /// When its process was started.
    pub started: Nanos,
    /// The index of the last entry that it has applied.
    pub applied: u64,
    /// The index of the last snapshot of a leader that its process has installed; 0 if none. The process has not
    /// applied the entries up to it itself.
    pub installed: u64,
    /// When it installed that snapshot; 0 if none.
    pub installed_at: Nanos,
    /// How many inputs wait for its process.
    pub inbox: u64,
    /// The periods in which inputs waited for its process for longer than a second: from the first arrival until the
    /// last was taken.
    pub behind: Vec<(Nanos, Nanos)>,
    /// How many messages that it has sent are under way, or their receipts are, if it wants to know whether they arrive.
    /// With those that an earlier process sent.
    pub receipts: u64,
    /// The paths of the files on its disk, with their lengths in bytes.
    pub files: Vec<(String, u64)>,
    /// What it counts itself, by name.
    pub counts: Vec<(&'static str, u64)>,
}

impl KeptByMember {
    /// A count by its name; `None` if the member does not have it.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.counts.iter().find(|(other, _)| *other == name).map(|(_, count)| *count)
    }
}
