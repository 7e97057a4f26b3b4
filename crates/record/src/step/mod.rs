//! Step facts: every call of a member into its raft library, what it changed, and what it put out.
//!
//! A [`Step`] is one call: its input, raft's state afterwards, and the messages that raft put out in it. Steps of
//! one process come without gaps, so the state before a step is the state after the one before; the first step of a
//! process is [`Call::Start`], which has everything. What changes rarely (the log, the progress of the followers,
//! votes, reads, the configuration) is reported only if it changed.
//!
//! Steps are for code that judges or shows what happens inside raft: they are a list of their own beside the facts, do
//! not enter the trace hash, and are made only on request ([`Observer::wants_steps`]).
//!
//! Everything that raft keeps in hashed collections is sorted here.
//!
//! [`Observer::wants_steps`]: crate::Observer::wants_steps

mod entries;
mod message;
mod state;

pub use entries::{Entries, EntryKind, Run};
pub use message::{Context, Message, SnapshotHead};
pub use state::{Changed, Configuration, Mode, Progress, Read, State};

use crate::MemberId;

/// One call of a member into raft.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The call and its input.
    pub call: Call,
    /// Whether raft accepted the call. It drops proposals that it cannot take, and messages of strangers.
    pub accepted: bool,
    /// Raft's state after the call.
    pub after: State,
    /// What else the call changed.
    pub changed: Changed,
    /// The messages that raft put out in this call, in order. They leave the process later: see
    /// [`Call::Ready`] and [`Call::Release`].
    pub out: Vec<Message>,
}

impl Default for Step {
    /// A tick that changed nothing.
    fn default() -> Step {
        let (after, changed) = (State::default(), Changed::default());
        Step { call: Call::Tick, accepted: true, after, changed, out: Vec::new() }
    }
}

/// A call into raft, with its input. [`Call::Release`] is the host's own act: raft is not called.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// A process started, with what it found on its disk.
    Start(Box<Start>),
    /// A tick of raft's clock.
    Tick,
    /// A message of another member. Proposals, transfers and reads that other members forward come this way, too.
    Receive(Message),
    /// The host starts an election at once.
    Campaign,
    /// The host proposes an entry of this kind, with this many bytes of data.
    Propose {
        /// The kind of entry.
        kind: EntryKind,
        /// The length of its data.
        bytes: u64,
    },
    /// The host applies a committed change of the configuration.
    ApplyChange(Box<Change>),
    /// The host asks for a read index.
    ReadIndex {
        /// The number by which the answer is recognized.
        context: u64,
    },
    /// The host asks for a transfer of leadership.
    TransferLeader {
        /// To whom.
        to: MemberId,
    },
    /// The transport reports what became of a snapshot.
    ReportSnapshot {
        /// The follower that it was sent to.
        to: MemberId,
        /// Whether it arrived.
        arrived: bool,
    },
    /// The host has applied all entries up to here.
    Applied {
        /// The index.
        index: u64,
    },
    /// The host turns a leader that has left the configuration into a follower without a leader.
    StepDown,
    /// The host took a ready: raft's work since the last one. If neither it nor an earlier one has anything to save, no
    /// separate [`Call::Persisted`] and [`Call::Release`] follow: see [`Ready::durable`].
    Ready(Ready),
    /// The host reported readies as durable.
    Persisted {
        /// The last ready that is durable; all before it are, too.
        number: u64,
    },
    /// The host lets messages go that had to wait.
    Release {
        /// The messages' numbers ([`Message::number`]).
        numbers: Vec<u64>,
        /// The last ready that the host knows to be durable at that moment; 0 for none.
        durable: u64,
    },
}

impl Call {
    /// A word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Call::Start(_) => "Start",
            Call::Tick => "Tick",
            Call::Receive(_) => "Receive",
            Call::Campaign => "Campaign",
            Call::Propose { .. } => "Propose",
            Call::ApplyChange(_) => "ApplyChange",
            Call::ReadIndex { .. } => "ReadIndex",
            Call::TransferLeader { .. } => "TransferLeader",
            Call::ReportSnapshot { .. } => "ReportSnapshot",
            Call::Applied { .. } => "Applied",
            Call::StepDown => "StepDown",
            Call::Ready(_) => "Ready",
            Call::Persisted { .. } => "Persisted",
            Call::Release { .. } => "Release",
        }
    }
}

/// What a process started with.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The settings of raft.
    pub settings: Settings,
    /// The configuration.
    pub configuration: Configuration,
    /// Index and term just before the first entry of the log.
    pub before: (u64, u64),
    /// All entries of the log.
    pub entries: Entries,
}

/// The settings of raft that decide what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The shortest election timeout, in ticks.
    pub election: u64,
    /// The heartbeat interval, in ticks.
    pub heartbeat: u64,
    /// Whether a member asks for pre-votes before it campaigns.
    pub pre_vote: bool,
    /// Whether a leader steps down if no quorum answers it, and followers protect the leader they hear from.
    pub check_quorum: bool,
    /// The largest number of append messages in flight to one follower.
    pub max_inflight: u64,
    /// The largest number of bytes of entries in one append message. A single entry may be larger.
    pub max_size: u64,
    /// The largest number of bytes in proposed entries that are not committed; `u64::MAX` for no limit.
    pub max_uncommitted: u64,
}

/// A change of the configuration as the host gives it to raft.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// How to go over to the new configuration.
    pub transition: Transition,
    /// The changes, in order. A change of [`MemberId::NONE`] changes nothing.
    pub changes: Vec<(MemberChange, MemberId)>,
}

/// How a change of the configuration takes effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transition {
    /// At once if it is one change, by a joint configuration if there are several. No change at all leaves a joint
    /// configuration.
    #[default]
    Auto,
    /// By a joint configuration that the leader leaves on its own.
    Implicit,
    /// By a joint configuration that somebody must propose to leave.
    Explicit,
}

/// A change of one member's part in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// It votes.
    Voter,
    /// It only learns.
    Learner,
    /// It leaves.
    Remove,
}

/// A ready: what raft wants written, sent and applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ready {
    /// Raft's number of it, from 1.
    pub number: u64,
    /// The disk job that will save it; `None` if nothing of it must be saved.
    pub job: Option<u64>,
    /// Term, vote and commit index, if they changed since the last ready.
    pub hard_state: Option<(u64, MemberId, u64)>,
    /// The entries to write; they replace everything from the index of the first one on.
    pub entries: Entries,
    /// Index and term of a leader's snapshot to write.
    pub snapshot: Option<(u64, u64)>,
    /// Whether raft wants the write synced.
    pub must_sync: bool,
    /// The first and the last entry to apply, if there are any.
    pub committed: Option<(u64, u64)>,
    /// The answers to reads: context and index.
    pub reads: Vec<(Context, u64)>,
    /// How many messages it has.
    pub messages: u64,
    /// Whether the messages may leave at once. Otherwise they wait until the ready is durable.
    pub at_once: bool,
    /// Whether there was nothing to wait for: in the same step, the host reported the ready as durable
    /// ([`Call::Persisted`]) and let messages go ([`Call::Release`]).
    pub durable: bool,
    /// The numbers of the messages that it let go in this step.
    pub left: Vec<u64>,
}
