//! How much of a member's raft state is on its disk, as far as the facts prove it.
//!
//! A [`Fact::Saving`] hands state to the disk, a synced [`Fact::JobDone`] makes it durable. Two views are kept,
//! because a process that was killed leaves unsynced writes in the page cache, and the next incarnation reads them
//! back without knowing:
//!
//! * *now*: what the member may assume to be durable. All it recovers counts. I5 and I6 judge by this one.
//! * *certain*: what a power loss must leave. A recovery adds to it only after a power loss; otherwise a synced job
//!   does, or the member's own messages: what it promised to a peer it must have. I7 judges by this one, so a member
//!   that promises what it only read back from the cache is caught when the promise is broken.
//!
//! Not modelled: files. Content that a job wrote unsynced and that survives nevertheless is known only from what the
//! next incarnation recovers.

use std::collections::VecDeque;

use record::fact::MessageHead;
use record::{Event, Fact, MemberId, Nanos};

use super::words;

/// Raft state on a disk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OnDisk {
    /// The disk agrees with the log in memory up to here.
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
    /// First index that is not in the job before; `last + 1` if it adds none.
    first: u64,
    /// Last index of the log in it.
    last: u64,
    /// What it will make durable; `matched` falls behind `last` when the log in memory is cut.
    held: OnDisk,
    /// How it ended, if it did.
    ended: Option<Ended>,
}

#[derive(Clone, Copy, Debug)]
enum Ended {
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
        /// The message that promised it.
        head: MessageHead,
    },
    /// It read it back after a power loss, which leaves nothing but the medium.
    ReadBack,
}

/// A member's disk.
#[derive(Debug)]
pub(super) struct Disk {
    /// What the member may assume to be durable.
    pub now: OnDisk,
    /// Last index of the log on the disk, whether or not the log in memory still agrees.
    pub last: u64,
    /// The furthest that a log which the last sync made durable went: one sync may cover an append and the cut after
    /// it. At least `last`.
    pub passed: u64,
    /// What a power loss must leave.
    pub certain: OnDisk,
    /// Why the log is certain.
    pub log_proof: Proof,
    /// Why the hard state is certain.
    pub state_proof: Proof,
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

    /// A write was handed over. `first` is the first index that changed since the one before.
    pub fn saving(&mut self, time: Nanos, number: u64, held: OnDisk, first: u64) {
        let (last, ended) = (held.matched, None);
        self.pending.push_back(Job { number, time, first: first.min(last + 1), last, held, ended });
    }

    /// The log in memory was cut: what the disk and the jobs hold from `index` on is something else.
    pub fn cut(&mut self, index: u64) {
        let keep = index.saturating_sub(1);
        self.now.matched = self.now.matched.min(keep);
        self.certain.matched = self.certain.matched.min(keep);
        self.pending.iter_mut().for_each(|job| job.held.matched = job.held.matched.min(keep));
    }

    /// A snapshot up to `index` replaced the log in memory, whose entries up to `keep` agree with it.
    /// The write of the snapshot may have been reported before or will be after: one that ends exactly at
    /// its index is taken for it.
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
            // It covers the jobs before it, of whatever kind it is itself.
            let mut passed = 0;
            while let Some(job) = self.pending.front().copied().filter(|job| job.number <= number) {
                self.pending.pop_front();
                passed = passed.max(job.last);
                self.passed = passed;
                self.sync(job, Proof::Synced { time, job: number });
            }
        } else if let Some(at) = self.pending.iter().rposition(|job| job.number == number) {
            // What a job writes replaces what those before it wrote.
            self.pending.drain(..at);
            self.pending[0].ended = Some(if failed { Ended::Failed } else { Ended::Unsynced });
        }
    }

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

    /// The member promised to have its log up to `index` and to have seen `head.term`.
    pub fn promised_log(&mut self, time: Nanos, to: MemberId, head: &MessageHead) {
        let proof = Proof::Promised { time, to, head: *head };
        if head.index > self.certain.matched {
            self.certain.matched = head.index;
            self.log_proof = proof;
        }
        self.promised_state(head.term, MemberId::NONE, proof);
    }

    /// The member promised its vote.
    pub fn promised_vote(&mut self, time: Nanos, to: MemberId, head: &MessageHead, vote: MemberId) {
        self.promised_state(head.term, vote, Proof::Promised { time, to, head: *head });
    }

    fn promised_state(&mut self, term: u64, vote: MemberId, proof: Proof) {
        if term > self.certain.term
            || term == self.certain.term && self.certain.vote.is_none() && !vote.is_none()
        {
            (self.certain.term, self.certain.vote) = (term, vote);
            self.state_proof = proof;
        }
    }

    /// Where the entry at `index` is, as text, if it is not durable.
    pub fn whereabouts(&self, index: u64) -> String {
        match self.job_with(index) {
            Some(job) => {
                let holds = words::indexes(job.first.min(index), job.last);
                format!("job {}, which holds {holds}, {}", job.number, job.status())
            }
            None => format!("no write of {index} was under way"),
        }
    }

    /// Where a term and vote are, as text, if they are not durable.
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

    /// The same about a term and vote.
    pub fn state_evidence(&self, member: MemberId, term: u64, vote: MemberId) -> Vec<Event> {
        let job = self.job_with_vote(term, vote);
        self.state_proof.event(member).into_iter().chain(job.map(|job| job.event(member))).collect()
    }

    fn job_with(&self, index: u64) -> Option<&Job> {
        self.pending.iter().find(|job| job.held.matched >= index)
    }

    fn job_with_vote(&self, term: u64, vote: MemberId) -> Option<&Job> {
        self.pending.iter().find(|job| (job.held.term, job.held.vote) == (term, vote) || job.held.term > term)
    }
}

impl Job {
    fn status(&self) -> &'static str {
        match self.ended {
            None => "was still being written",
            Some(Ended::Unsynced) => "was written but not synced",
            Some(Ended::Failed) => "had failed",
        }
    }

    fn event(&self, member: MemberId) -> Event {
        let OnDisk { term, vote, commit, .. } = self.held;
        let fact = Fact::Saving { job: self.number, term, vote, commit, last_index: self.last };
        Event { time: self.time, member, fact }
    }
}

impl Proof {
    /// The event behind it, if it can be written again.
    pub fn event(&self, member: MemberId) -> Option<Event> {
        let (time, fact) = match *self {
            Proof::Synced { time, job } => (time, Fact::JobDone { job, synced: true, failed: false }),
            Proof::Promised { time, to, head } => (time, Fact::Sent { to, head }),
            Proof::ReadBack => return None,
        };
        Some(Event { time, member, fact })
    }

    /// As text that continues "Member 2 had it: …".
    pub fn words(&self) -> String {
        match self {
            Proof::Synced { job, .. } => format!("job {job} was synced"),
            Proof::Promised { to, .. } => format!("it had said so to member {to}"),
            Proof::ReadBack => "it had read it back from the medium after a power loss".to_string(),
        }
    }
}
