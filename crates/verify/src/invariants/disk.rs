//! How much of a member's raft state is on its disk, as far as the facts prove it.
//!
//! An [`EtcdFact::Saving`] hands state to the disk, and a synced [`Fact::JobDone`] makes it durable. A process that is
//! killed leaves unsynced writes in the page cache, and the next incarnation reads them back without knowing that
//! they are not durable. So there are two views:
//!
//! * *now*: what the member may assume to be durable. Everything that it recovers counts. I5 and I6 judge by this
//!   view.
//! * *certain*: what must be there after a power loss. Three things count: a synced job; what the member promised to a
//!   peer in a message, because it must be durable; and what it recovers, but only after a power loss. I7 judges by
//!   this view. So a member that promises what it only read back from the cache is caught when the promise is broken.
//!
//! Not modelled: files. Unsynced content that survives is known only from what the next incarnation recovers.

use std::collections::VecDeque;

use record::{EtcdFact, Event, Fact, MemberId, MessageHead, Nanos};

use super::phrases;

/// Raft state on a disk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OnDisk {
    /// The log on the disk agrees with the log in memory up to this index.
    pub matched: u64,
    /// Term of the hard state.
    pub term: u64,
    /// Vote of the hard state.
    pub vote: MemberId,
    /// Commit index of the hard state.
    pub commit: u64,
}

/// A write of raft state that is not durable yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    number: u64,
    time: Nanos,
    /// The first index that this job writes and the one before does not; `last + 1` if it adds no entry.
    first: u64,
    /// The last index of the log after this write.
    last: u64,
    /// The state that it will make durable. If the log in memory is cut later, `matched` falls below `last`.
    held: OnDisk,
    /// How it ended, if it did.
    ended: Option<JobEnd>,
}

/// How a write ended, if it did not make its state durable.
#[derive(Clone, Copy, Debug)]
enum JobEnd {
    Unsynced,
    Failed,
}

/// Why something is certain to be on a disk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Proof {
    /// This job was synced.
    Synced {
        /// When that was.
        time: Nanos,
        /// Its number.
        job: u64,
    },
    /// The member promised it.
    Promised {
        /// When that was.
        time: Nanos,
        /// The peer it was promised to.
        to: MemberId,
        /// The number of the packet with the message that promised it.
        packet: u64,
        /// That message.
        head: MessageHead,
    },
    /// The member read it back after a power loss. What a power loss leaves is on the medium, not in a cache.
    ReadBack,
}

/// A member's disk.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    /// What the member may assume to be durable.
    pub now: OnDisk,
    /// Last index of the log on the disk, whether or not the log in memory still agrees.
    pub last: u64,
    /// The highest last index of the logs that the last sync made durable. One sync may cover an append and the cut
    /// after it, so this is at least `last`.
    pub passed: u64,
    /// What must be there after a power loss.
    pub certain: OnDisk,
    /// Why the log is certain.
    pub log_proof: Proof,
    /// Why the hard state is certain.
    pub state_proof: Proof,
    /// The writes that are not durable yet, in the order in which they were handed over.
    pending: VecDeque<Job>,
}

impl Disk {
    pub fn new() -> Disk {
        let proof = Proof::ReadBack;
        Disk {
            now: OnDisk::default(),
            last: 0,
            passed: 0,
            certain: OnDisk::default(),
            log_proof: proof,
            state_proof: proof,
            pending: VecDeque::new(),
        }
    }

    /// A write was handed to the disk. `first` is the first index that changed since the write before; `u64::MAX` if
    /// none did.
    pub fn saving(&mut self, time: Nanos, number: u64, held: OnDisk, first: u64) {
        let (last, ended) = (held.matched, None);
        self.pending.push_back(Job { number, time, first: first.min(last + 1), last, held, ended });
    }

    /// The log in memory was cut: from `index` on, the disk and the jobs have other entries.
    pub fn cut(&mut self, index: u64) {
        let keep = index.saturating_sub(1);
        self.now.matched = self.now.matched.min(keep);
        self.certain.matched = self.certain.matched.min(keep);
        self.pending.iter_mut().for_each(|job| job.held.matched = job.held.matched.min(keep));
    }

    /// A snapshot up to `index` replaced the log in memory, which agreed with the snapshot up to `keep`. The snapshot's
    /// own write is reported before or after this fact. A write whose log ends exactly at `index` is taken for the
    /// snapshot's.
    pub fn replaced(&mut self, index: u64, keep: u64) {
        if self.last != index {
            self.now.matched = self.now.matched.min(keep);
            self.certain.matched = self.certain.matched.min(keep);
        }
        for job in self.pending.iter_mut().filter(|job| job.last != index) {
            job.held.matched = job.held.matched.min(keep);
        }
    }

    /// A job ended.
    pub fn done(&mut self, time: Nanos, number: u64, synced: bool, failed: bool) {
        if synced {
            // A sync covers all jobs before it too, whatever kind of job it is.
            let mut passed = 0;
            while let Some(job) = self.pending.front().copied().filter(|job| job.number <= number) {
                self.pending.pop_front();
                passed = passed.max(job.last);
                self.passed = passed;
                self.sync(job, Proof::Synced { time, job: number });
            }
        } else if let Some(at) = self.pending.iter().rposition(|job| job.number == number) {
            // A job replaces what the jobs before it wrote.
            self.pending.drain(..at);
            self.pending[0].ended = Some(if failed { JobEnd::Failed } else { JobEnd::Unsynced });
        }
    }

    /// A write became durable.
    fn sync(&mut self, job: Job, proof: Proof) {
        self.now = job.held;
        self.last = job.last;
        self.certain = job.held;
        (self.log_proof, self.state_proof) = (proof, proof);
    }

    /// The process restarted and recovered this. `only_medium` is whether the page cache was lost.
    pub fn recovered(&mut self, found: OnDisk, only_medium: bool) {
        self.pending.clear();
        self.now = found;
        (self.last, self.passed) = (found.matched, found.matched);
        if only_medium {
            self.certain = found;
            (self.log_proof, self.state_proof) = (Proof::ReadBack, Proof::ReadBack);
        }
    }

    /// Whether this vote, or any later term, is on the disk.
    pub fn holds_vote(&self, term: u64, vote: MemberId) -> bool {
        self.now.term > term || self.now.term == term && self.now.vote == vote
    }

    /// The member sent a promise to have its log up to the message's index and to have seen its term.
    pub fn promised_log(&mut self, sent: &Event) {
        let Fact::Sent { to, packet, head } = sent.fact else { return };
        let proof = Proof::Promised { time: sent.time, to, packet, head };
        if head.index > self.certain.matched {
            self.certain.matched = head.index;
            self.log_proof = proof;
        }
        self.promised_state(head.term, MemberId::NONE, proof);
    }

    /// The member sent a promise of its vote.
    pub fn promised_vote(&mut self, sent: &Event, vote: MemberId) {
        let Fact::Sent { to, packet, head } = sent.fact else { return };
        self.promised_state(head.term, vote, Proof::Promised { time: sent.time, to, packet, head });
    }

    /// The member promised this term and vote.
    fn promised_state(&mut self, term: u64, vote: MemberId, proof: Proof) {
        if term > self.certain.term
            || term == self.certain.term && self.certain.vote.is_none() && !vote.is_none()
        {
            (self.certain.term, self.certain.vote) = (term, vote);
            self.state_proof = proof;
        }
    }

    /// Which job, if any, was writing the entry at `index`, which is not durable. Part of a sentence.
    pub fn whereabouts(&self, index: u64) -> String {
        match self.job_with(index) {
            Some(job) => {
                let holds = phrases::indexes(job.first.min(index), job.last);
                format!("job {}, which holds {holds}, {}", job.number, job.status())
            }
            None => format!("no write of {index} was under way"),
        }
    }

    /// Which job, if any, was writing this term and vote, which are not durable. Part of a sentence.
    pub fn state_whereabouts(&self, term: u64, vote: MemberId) -> String {
        match self.job_with_vote(term, vote) {
            Some(job) => format!("job {}, which holds it, {}", job.number, job.status()),
            None => "no write of it was under way".to_string(),
        }
    }

    /// The events about the entry at `index`: the last sync and the write it still needs.
    pub fn log_evidence(&self, member: MemberId, index: u64) -> Vec<Event> {
        self.log_proof
            .event(member)
            .into_iter()
            .chain(self.job_with(index).map(|job| job.event(member)))
            .collect()
    }

    /// The events about a term and vote: the last sync and the write they still need.
    pub fn state_evidence(&self, member: MemberId, term: u64, vote: MemberId) -> Vec<Event> {
        let job = self.job_with_vote(term, vote);
        self.state_proof.event(member).into_iter().chain(job.map(|job| job.event(member))).collect()
    }

    /// The write that has the entry at `index` and is not durable yet.
    fn job_with(&self, index: u64) -> Option<&Job> {
        self.pending.iter().find(|job| job.held.matched >= index)
    }

    /// The write that has this term and vote and is not durable yet.
    fn job_with_vote(&self, term: u64, vote: MemberId) -> Option<&Job> {
        self.pending.iter().find(|job| (job.held.term, job.held.vote) == (term, vote) || job.held.term > term)
    }
}

impl Job {
    /// How far the write has come, as part of a sentence.
    fn status(&self) -> &'static str {
        match self.ended {
            None => "was still being written",
            Some(JobEnd::Unsynced) => "was written but not synced",
            Some(JobEnd::Failed) => "had failed",
        }
    }

    /// The event in the trace with which this save began.
    fn event(&self, member: MemberId) -> Event {
        let OnDisk { term, vote, commit, .. } = self.held;
        let fact =
            Fact::Own(EtcdFact::Saving { job: self.number, term, vote, commit, last_index: self.last });
        Event { time: self.time, member, fact }
    }
}

impl Proof {
    /// The event that is the proof; `None` if there is no single one.
    pub fn event(&self, member: MemberId) -> Option<Event> {
        let (time, fact) = match *self {
            Proof::Synced { time, job } => (time, Fact::JobDone { job, synced: true, failed: false }),
            Proof::Promised { time, to, packet, head } => (time, Fact::Sent { to, packet, head }),
            Proof::ReadBack => return None,
        };
        Some(Event { time, member, fact })
    }

    /// The proof as text, to follow "Member 2 had it: ".
    pub fn reason(&self) -> String {
        match self {
            Proof::Synced { job, .. } => format!("job {job} was synced"),
            Proof::Promised { to, .. } => format!("it had said so to member {to}"),
            Proof::ReadBack => "it had read it back from the medium after a power loss".to_string(),
        }
    }
}
