//! Raft's state, as steps report it.

use super::{Context, Entries};
use crate::{MemberId, Role};

/// The part of raft's state that is reported with every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The current term.
    pub term: u64,
    /// The vote in this term.
    pub vote: MemberId,
    /// The role.
    pub role: Role,
    /// The leader that the member knows of.
    pub leader: MemberId,
    /// The index of the first entry that the log still has; that of the next one if it has none.
    pub first: u64,
    /// Index and term of the last entry.
    pub last: (u64, u64),
    /// The last index that a ready has handed over to be written.
    pub handed_over: u64,
    /// The index of a leader's snapshot that no ready has handed over yet; 0 if there is none.
    pub snapshot: u64,
    /// The commit index.
    pub commit: u64,
    /// The last index that is durable, as far as raft knows.
    pub persisted: u64,
    /// The last index that the host has applied, as far as raft knows.
    pub applied: u64,
    /// Ticks since the last election timeout began.
    pub elapsed: u64,
    /// Of a leader: ticks since its last heartbeat.
    pub since_heartbeat: u64,
    /// The election timeout that is drawn now, in ticks.
    pub timeout: u64,
    /// The member that leadership is being transferred to, or none.
    pub transferee: MemberId,
    /// No change of the configuration may be proposed until this index is applied.
    pub pending_change: u64,
    /// If the member has asked for a snapshot: the index that the snapshot must have; otherwise 0.
    pub wanted_snapshot: u64,
    /// The bytes of data in proposed entries that are not committed.
    pub uncommitted: u64,
}

/// The state of a process that has just begun and knows nothing.
impl Default for State {
    fn default() -> State {
        State {
            term: 0,
            vote: MemberId::NONE,
            role: Role::Follower,
            leader: MemberId::NONE,
            first: 1,
            last: (0, 0),
            handed_over: 0,
            snapshot: 0,
            commit: 0,
            persisted: 0,
            applied: 0,
            elapsed: 0,
            since_heartbeat: 0,
            timeout: 0,
            transferee: MemberId::NONE,
            pending_change: 0,
            wanted_snapshot: 0,
            uncommitted: 0,
        }
    }
}

/// The rarer changes of a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changed {
    /// New entries of the log. They replace everything from the index of the first one on.
    pub entries: Entries,
    /// What a leader knows of the others, for each member for which that changed, sorted.
    pub progress: Vec<(MemberId, Progress)>,
    /// All votes that a candidate has counted, sorted.
    pub votes: Option<Vec<(MemberId, bool)>>,
    /// All reads that wait for a quorum, oldest first.
    pub reads: Option<Vec<Read>>,
    /// The configuration.
    pub configuration: Option<Box<Configuration>>,
}

impl Changed {
    /// Resets it, so that it reports no change. Its lists keep their storage.
    #[inline]
    pub fn clear(&mut self) {
        self.entries.clear();
        self.progress.clear();
        (self.votes, self.reads, self.configuration) = (None, None, None);
    }
}

/// What a leader knows of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last index up to which its log is known to equal the leader's.
    pub matched: u64,
    /// The next entry to send.
    pub next: u64,
    /// How entries are sent to it.
    pub mode: Mode,
    /// While probing: whether the leader waits for an answer before it sends more.
    pub paused: bool,
    /// Whether it has answered since the leader last looked.
    pub active: bool,
    /// The index of a snapshot on its way; 0 for none.
    pub snapshot: u64,
    /// If it has asked for a snapshot: the index that the snapshot must have; otherwise 0.
    pub wanted_snapshot: u64,
    /// How many appends are in flight.
    pub inflight: u64,
    /// Whether no more appends may be in flight.
    pub full: bool,
}

/// How entries are sent to a follower (etcd's `tracker/state.go`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One message at a time, to find out where its log agrees.
    #[default]
    Probe,
    /// Many messages at a time, optimistically.
    Replicate,
    /// A snapshot is on its way; no entries.
    Snapshot,
}

/// A read that waits for a quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Its number.
    pub context: Context,
    /// The commit index when it was asked for.
    pub index: u64,
    /// Who asked; none or the leader itself if its own host did.
    pub from: MemberId,
    /// Who has confirmed the leader since, sorted.
    pub acks: Vec<MemberId>,
}

/// A configuration; every list is sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// The voters; in a joint configuration its new half.
    pub voters: Vec<MemberId>,
    /// The old half of a joint configuration, otherwise empty.
    pub outgoing: Vec<MemberId>,
    /// The learners.
    pub learners: Vec<MemberId>,
    /// Voters of the old half that become learners when the cluster leaves the joint configuration.
    pub learners_next: Vec<MemberId>,
    /// Whether the leader leaves the joint configuration on its own.
    pub auto_leave: bool,
}

impl Configuration {
    /// Whether both halves must agree.
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether a member votes in it, in either half.
    #[inline]
    pub fn has_voter(&self, member: MemberId) -> bool {
        self.voters.contains(&member) || self.outgoing.contains(&member)
    }

    /// Whether a member has any part in it.
    #[inline]
    pub fn has(&self, member: MemberId) -> bool {
        self.has_voter(member) || self.learners.contains(&member)
    }

    /// All voters of either half, sorted.
    pub fn all_voters(&self) -> Vec<MemberId> {
        let mut all = self.voters.clone();
        all.extend(self.outgoing.iter().filter(|member| !self.voters.contains(member)));
        all.sort_unstable();
        all
    }

    /// All members of it, sorted.
    pub fn all(&self) -> Vec<MemberId> {
        let mut all = self.all_voters();
        all.extend(self.learners.iter().filter(|member| !self.has_voter(**member)));
        all.sort_unstable();
        all
    }
}
