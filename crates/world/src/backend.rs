//! A process's backend: the part of a member that the world has, because its jobs take time on the disk.
//!
//! Nobody reads the backend's file while its member runs. So the world writes what a commit holds only when
//! somebody can see it (the setting `backend-writes`). Until then the commit is a list of rows. It takes the same
//! operations of the disk, at the same times, as if it were written (`disk/commit.rs`), so the run is the same.
//!
//! The file is brought up to date, that is, all commits that have ended are written in one transaction and
//! synced, and a commit that is under way is written in its slots:
//!
//! - when the process ends, for whatever reason. A commit under way is then torn like any other operations of the
//!   disk: those whose time has not come never happened, and a power loss takes a part of the rest;
//! - before any other job of the backend;
//! - before a fault begins that may read, damage or fill the backend's files, and before a crash at an operation
//!   is armed. As long as one is on, and always on a disk of limited capacity, commits are written at once;
//! - when the list has become long.

use contract::Store;
use member::backend::{Backend, BackendError, Job};
use record::{Nanos, Probe};

use crate::disk::SimDisk;

/// A backend and its job in progress.
#[derive(Debug)]
pub(crate) struct Host {
    backend: Backend,
    /// Whether commits are written at once in any case.
    eager: bool,
    under_way: Option<UnderWay>,
    /// The consistent index of the commit under way, if it is higher than that of the commit before.
    index: Option<u64>,
    /// The consistent index of the commit before.
    last_index: u64,
}

/// A backend commit in which a process ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted {
    consistent_index: u64,
    /// Whether an operation of it had ended.
    begun: bool,
}

impl Interrupted {
    /// What became of the commit, if the next process finds a backend with this consistent index.
    pub(crate) fn found(self, consistent_index: u64) -> Probe {
        if consistent_index >= self.consistent_index {
            Probe::CommitKeptWhole
        } else if self.begun {
            Probe::TornCommitFound
        } else {
            Probe::CommitLostWhole
        }
    }
}

/// A job whose operations have not all ended.
#[derive(Debug)]
enum UnderWay {
    /// Its calls were made, with this result.
    Written(Result<(), BackendError>),
    /// A commit whose calls were not made.
    Unwritten(Job),
}

impl Host {
    pub(crate) fn new(backend: Backend, eager: bool, last_index: u64) -> Host {
        Host { backend, eager, under_way: None, index: None, last_index }
    }

    /// The commit that is under way, if one is.
    pub(crate) fn interrupted(&self, now: Nanos, disk: &SimDisk) -> Option<Interrupted> {
        let consistent_index = self.index?;
        Some(Interrupted { consistent_index, begun: disk.commit_has_begun(now) })
    }

    /// Begins a job. Returns when it ends; `Nanos::MAX` if that is not known yet.
    pub(crate) fn begin(&mut self, now: Nanos, disk: &SimDisk, job: Job) -> Nanos {
        assert!(self.under_way.is_none(), "the member hands out {job:?} before its last job is done");
        let at_once = self.eager || disk.shows_backend();
        let shape = Backend::shape(&job);
        if let Some(mark) = Backend::mark(&job) {
            self.index = Some(mark).filter(|index| *index > self.last_index);
        }
        if let Some(shape) = &shape
            && !at_once
        {
            let over = disk.begin_commit(now, shape);
            self.under_way = Some(UnderWay::Unwritten(job));
            return over;
        }
        self.catch_up(now, disk);
        match &shape {
            Some(shape) => {
                disk.begin_commit(now, shape);
                disk.write_commit(now);
            }
            None => disk.begin_section(now),
        }
        self.under_way = Some(UnderWay::Written(self.backend.perform(&job)));
        disk.end_section().unwrap_or(now)
    }

    /// The operations of the job in progress have ended. Returns its result, for the member.
    pub(crate) fn end(&mut self, now: Nanos, disk: &SimDisk) -> Result<(), BackendError> {
        self.last_index = self.index.take().unwrap_or(self.last_index);
        match self.under_way.take().expect("a job of the backend ends that was never begun") {
            UnderWay::Written(result) => result,
            UnderWay::Unwritten(commit) => {
                self.backend.keep(commit);
                if self.backend.keeps_too_much() {
                    self.catch_up(now, disk);
                }
                Ok(())
            }
        }
    }

    /// Brings the file up to date: the disk then holds what it would hold if all commits had been written at once.
    pub(crate) fn bring_up_to_date(&mut self, now: Nanos, disk: &SimDisk) {
        self.catch_up(now, disk);
        if let Some(UnderWay::Unwritten(commit)) = &self.under_way {
            disk.write_commit(now);
            let result = self.backend.perform(commit);
            disk.end_section();
            self.under_way = Some(UnderWay::Written(result));
        }
    }

    /// Writes the commits that have ended.
    fn catch_up(&mut self, now: Nanos, disk: &SimDisk) {
        if !self.backend.is_behind() {
            return;
        }
        disk.catch_up(now);
        let result = self.backend.catch_up();
        disk.end_section();
        if let Err(error) = result {
            panic!(
                "commits that were durable cannot be written: {error}. Did a fault of the disk begin before the backend \
                 was brought up to date?"
            );
        }
    }
}
