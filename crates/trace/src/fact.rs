//! What happens in a run of any nodes: how processes end, what faults leave behind, the parts of a run, and why messages
//! are lost.

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It was asked to stop, and ended in good order.
    Graceful,
    /// It was killed (`kill -9`). What it wrote to files is still in the page cache.
    Crash,
    /// Its machine lost power. What was not synced to the disk may be lost.
    PowerLoss,
    /// It ended itself because it could not continue safely, for example after a disk error. The text is the
    /// reason.
    Fatal(String),
    /// It panicked. The text is the panic's message and location.
    Panic(String),
    /// It refused to start. The text is the reason.
    Refused(String),
    /// It ended because its member was removed from the cluster for good.
    Removed,
}

/// The lasting effects of a kind of fault: those that remain when the fault is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultEffect {
    /// Whether it destroys data that a member's disk has reported as durable.
    pub damages: bool,
    /// Whether a member on a new machine joins the cluster.
    pub adds_member: bool,
    /// Whether a member leaves the cluster.
    pub removes_member: bool,
}

impl FaultEffect {
    /// None: when the fault is over, everything is as before.
    pub const NONE: FaultEffect = FaultEffect { damages: false, adds_member: false, removes_member: false };
    /// It destroys data that the disk has reported as durable.
    pub const DAMAGE: FaultEffect = FaultEffect { damages: true, ..FaultEffect::NONE };
    /// A member joins.
    pub const ADDS_MEMBER: FaultEffect = FaultEffect { adds_member: true, ..FaultEffect::NONE };
    /// A member leaves.
    pub const REMOVES_MEMBER: FaultEffect = FaultEffect { removes_member: true, ..FaultEffect::NONE };
    /// A member leaves, and another one joins.
    pub const REPLACES_MEMBER: FaultEffect = FaultEffect { adds_member: true, ..FaultEffect::REMOVES_MEMBER };
}

/// A part of a run. The numbers enter the trace hash, so they must not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// The workload runs and the faults strike.
    Chaos = 1,
    /// All faults are ended.
    Heal = 2,
    /// The run waits until there is a leader, every operation has ended and the members are equal.
    Settle = 3,
    /// The run is over.
    End = 4,
}

impl Phase {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Chaos => "chaos",
            Phase::Heal => "heal",
            Phase::Settle => "settle",
            Phase::End => "end",
        }
    }
}

/// Why a message was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DropReason {
    /// The link lost it. A link loses a share of all messages, which the plan sets.
    Loss,
    /// The link was cut when the message was sent.
    CutAtSend,
    /// The link was cut when the message should have arrived.
    CutAtArrival,
    /// It was damaged, and the checksum of the transport or the decoder noticed.
    Corrupt,
    /// A fault of the plan drops messages of this kind.
    Rule,
    /// The process that it was sent to has ended, even if it has restarted since.
    Dead,
    /// The link's queue was full.
    Overflow,
}
