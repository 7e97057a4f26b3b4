//! Keeps the store of a process: the part of a member that the world holds, because its jobs take time on the disk.
//!
//! Nobody reads the files of a store while its member runs. So the world writes the content of a commit only when
//! something could see it (the setting `backend-writes`). Until then the commit is a value. It takes the same
//! operations of the disk, at the same times, as if it were written (`disk/commit.rs`), so the run is the same.
//!
//! The files are brought up to date, that is, all commits that have ended are written in one transaction and synced,
//! and a commit that is under way is written in its slots:
//!
//! - when the process ends, for whatever reason. A commit under way is then torn like any other operations of the
//!   disk: those whose time has not come never happened, and a power loss takes a part of the rest;
//! - before any other job of the store;
//! - before a fault begins that may read, damage or fill the store's files, and before a crash at an operation
//!   is armed. While such a fault is on or such a crash is armed, and always on a disk of limited capacity, commits are
//!   written at once;
//! - when the list has become long.

use contract::Store;
use trace::Nanos;

use crate::disk::SimDisk;

/// A store and its job in progress.
#[derive(Debug)]
pub(crate) struct Keeper<St: Store> {
    store: St,
    /// Whether every commit is written at once.
    eager: bool,
    under_way: Option<UnderWay<St>>,
    /// The mark of the commit under way, if it is higher than that of the commit before.
    mark: Option<u64>,
    /// The mark of the commit before.
    last_mark: u64,
}

/// A commit during which a process ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted {
    mark: u64,
    /// Whether an operation of it had ended.
    begun: bool,
}

/// What became of such a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// All of it is there.
    KeptWhole,
    /// It was under way, and nothing of it counts.
    Torn,
    /// Nothing of it had reached the disk.
    LostWhole,
}

impl Interrupted {
    /// What became of the commit, if the next process finds a store with this mark.
    pub(crate) fn found(self, mark: u64) -> Found {
        if mark >= self.mark {
            Found::KeptWhole
        } else if self.begun {
            Found::Torn
        } else {
            Found::LostWhole
        }
    }
}

/// A job whose operations have not all ended.
#[derive(Debug)]
enum UnderWay<St: Store> {
    /// Its calls were made, with this result.
    Written(Result<(), St::Error>),
    /// A commit whose calls were not made.
    Unwritten(St::Job),
}

impl<St: Store> Keeper<St> {
    pub(crate) fn new(store: St, eager: bool, last_mark: u64) -> Keeper<St> {
        Keeper { store, eager, under_way: None, mark: None, last_mark }
    }

    /// The commit that is under way, if one is.
    pub(crate) fn interrupted(&self, now: Nanos, disk: &SimDisk) -> Option<Interrupted> {
        Some(Interrupted { mark: self.mark?, begun: disk.commit_has_begun(now) })
    }

    /// Begins a job. Returns when it ends; `Nanos::MAX` if that is not known yet.
    pub(crate) fn begin(&mut self, now: Nanos, disk: &SimDisk, job: St::Job) -> Nanos {
        assert!(self.under_way.is_none(), "the member hands out {job:?} before its last job is done");
        let at_once = self.eager || disk.shows_backend();
        let shape = St::shape(&job);
        if let Some(mark) = St::mark(&job) {
            self.mark = Some(mark).filter(|mark| *mark > self.last_mark);
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
        self.under_way = Some(UnderWay::Written(self.store.perform(&job)));
        disk.end_section().unwrap_or(now)
    }

    /// The operations of the job in progress have ended. Returns its result, for the member.
    pub(crate) fn end(&mut self, now: Nanos, disk: &SimDisk) -> Result<(), St::Error> {
        self.last_mark = self.mark.take().unwrap_or(self.last_mark);
        match self.under_way.take().expect("a job of the store ends that was never begun") {
            UnderWay::Written(result) => result,
            UnderWay::Unwritten(commit) => {
                self.store.keep(commit);
                if self.store.keeps_too_much() {
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
            let result = self.store.perform(commit);
            disk.end_section();
            self.under_way = Some(UnderWay::Written(result));
        }
    }

    /// Writes the commits that have ended.
    fn catch_up(&mut self, now: Nanos, disk: &SimDisk) {
        if !self.store.is_behind() {
            return;
        }
        disk.catch_up(now);
        let result = self.store.catch_up();
        disk.end_section();
        if let Err(error) = result {
            panic!(
                "commits that were durable cannot be written: {error}. Did a fault of the disk begin before the store was \
                 brought up to date?"
            );
        }
    }
}
