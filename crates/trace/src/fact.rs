//! What happens in a run, when, and to which member. A [`Fact`] is one thing that happened: the kernel, which simulates
//! everything around the nodes, reports what the disks, the network, the processes and the calls did, and a node
//! reports facts of its own ([`Fact::Own`]). An [`Event`](crate::Event) is a fact with its time and its member.
//!
//! Not here: the payloads of messages, and the requests of callers. Facts carry 64-bit hashes of them, called digests.

use crate::{KindOf, MemberId, Vocabulary};

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
    /// It ended because its member was permanently removed from the cluster.
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
    /// The workload goes on without new faults.
    Calm = 5,
}

impl Phase {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Chaos => "chaos",
            Phase::Heal => "heal",
            Phase::Settle => "settle",
            Phase::End => "end",
            Phase::Calm => "calm",
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

/// One thing that happened. All but [`Fact::Own`] are reported by the kernel.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact<V: Vocabulary> {
    // ---- processes --------------------------------------------------------------------------------
    /// A process begins.
    Started {
        /// The number of starts of this member, from 1.
        incarnation: u32,
    },
    /// A process ended.
    Stopped(Stop),
    /// A process is paused. Its clocks go on.
    Paused,
    /// A paused process continues.
    Resumed,
    /// A fault of the plan begins or ends.
    Fault {
        /// Its place among the faults of the plan, from 0.
        fault: u32,
        /// The name of its kind, as in a scenario.
        what: &'static str,
        /// The number of its kind, for the trace hash.
        kind: u64,
        /// What remains after it ends. Some oracles must know.
        effect: FaultEffect,
        /// True if it begins, false if it ends.
        begins: bool,
    },
    /// A new phase of the run begins.
    Phase(Phase),

    // ---- disk -------------------------------------------------------------------------------------
    /// A disk job ended.
    JobDone {
        /// Its number.
        job: u64,
        /// Whether its writes, and those of all jobs before it, are durable now.
        synced: bool,
        /// Whether the disk reported an error.
        failed: bool,
    },

    // ---- network ----------------------------------------------------------------------------------
    /// A message was sent. The event's member is the sender, or none for a client.
    Sent {
        /// The receiver; none for a client.
        to: MemberId,
        /// The number of its packet. Packets are numbered from 1, in the order in which they are sent. The numbers do
        /// not enter the trace hash, because they follow from what does enter it.
        packet: u64,
        /// The message.
        head: V::Head,
    },
    /// A message was delivered. The event's member is the receiver.
    Delivered {
        /// The sender.
        from: MemberId,
        /// The number of its packet. A packet that the network duplicates arrives twice with the same number.
        packet: u64,
        /// The message.
        head: V::Head,
    },
    /// A message was lost. The event's member is the sender.
    Dropped {
        /// The receiver that it did not reach; none for a client.
        to: MemberId,
        /// The number of its packet.
        packet: u64,
        /// The kind of message.
        kind: KindOf<V>,
        /// The reason.
        why: DropReason,
    },

    // ---- calls ------------------------------------------------------------------------------------
    /// A client sends operation `operation` of the history.
    Called {
        /// Number in the history.
        operation: u64,
        /// The client.
        client: u32,
        /// Digest of the request.
        digest: u64,
    },
    /// A client has its answer, or gives up (`answered` false).
    Returned {
        /// Number in the history.
        operation: u64,
        /// Whether there was an answer.
        answered: bool,
        /// Digest of the answer.
        digest: u64,
    },

    // ---- the node and its callers ------------------------------------------------------------------
    /// A fact that only this kind of node has.
    Own(V::Fact),
}
