//! Which part of a member's raft state is durable, as far as its readies and the ends of their disk jobs prove it.
//!
//! What a process recovers counts as durable (I7 notices if it was not).

use std::collections::VecDeque;

use record::MemberId;

/// Raft state on a disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub term: u64,
    pub vote: MemberId,
    /// The log on the disk agrees with the log in memory up to here.
    pub matched: u64,
    /// The highest last index of the logs that the last sync covered. One sync may cover an append and the cut after
    /// it.
    passed: u64,
    /// The last job that is durable.
    done: u64,
    /// The jobs that are not durable yet.
    jobs: VecDeque<Job>,
}

/// A write that is not durable yet.
#[derive(Clone, Copy, Debug)]
struct Job {
    number: u64,
    term: u64,
    vote: MemberId,
    /// The end of the log after the write.
    last: u64,
    /// How far what it writes still agrees with the log in memory.
    matched: u64,
}

impl Disk {
    /// What a process found.
    pub fn found(term: u64, vote: MemberId, last: u64) -> Disk {
        Disk { term, vote, matched: last, passed: last, ..Disk::default() }
    }

    /// A ready becomes part of a job.
    pub fn saving(&mut self, number: u64, term: u64, vote: MemberId, last: u64) {
        let job = Job { number, term, vote, last, matched: last };
        match self.jobs.back_mut() {
            // Several readies may be part of one job.
            Some(back) if back.number == number => *back = Job { last: back.last.max(last), ..job },
            _ => self.jobs.push_back(job),
        }
    }

    /// The log in memory was cut: from `index` on it has other entries.
    pub fn cut(&mut self, index: u64) {
        let keep = index.saturating_sub(1);
        self.matched = self.matched.min(keep);
        self.jobs.iter_mut().for_each(|job| job.matched = job.matched.min(keep));
    }

    /// A job, and all before it, are durable.
    pub fn synced(&mut self, number: u64) {
        self.done = self.done.max(number);
        let mut passed = 0;
        while let Some(job) = self.jobs.pop_front_if(|job| job.number <= number) {
            passed = passed.max(job.last);
            (self.term, self.vote, self.matched, self.passed) = (job.term, job.vote, job.matched, passed);
        }
    }

    /// Whether a job is durable.
    pub fn has(&self, job: u64) -> bool {
        job <= self.done
    }

    /// Whether this vote, or any later term, is durable. Then no other vote can be given in that term.
    pub fn has_vote(&self, term: u64, candidate: MemberId) -> bool {
        self.term > term || (self.term, self.vote) == (term, candidate)
    }

    /// Whether the log once was durable up to `index`, before it was cut.
    pub fn had(&self, index: u64) -> bool {
        index <= self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_durable_once_it_is_synced() {
        let (two, mut disk) = (MemberId::new(2), Disk::found(1, MemberId::NONE, 5));
        disk.saving(1, 2, two, 7);
        disk.saving(1, 2, two, 8);
        assert!(disk.matched == 5 && !disk.has(1) && !disk.has_vote(2, two));
        disk.cut(7);
        disk.saving(2, 3, MemberId::NONE, 7);
        disk.synced(1);
        assert!(disk.matched == 6 && disk.had(8) && disk.has_vote(2, two) && !disk.has(2));
        disk.synced(2);
        assert!(disk.matched == 7 && disk.has_vote(2, two) && !disk.has_vote(3, two));
    }
}
