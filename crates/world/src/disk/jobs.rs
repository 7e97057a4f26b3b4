//! Asynchronous jobs: which are under way, and what of their work no sync covers yet.

use std::collections::VecDeque;

use member::disk::{DiskError, DiskOp, Path};

use super::lanes::Touch;
use super::names::{FileId, directory};

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOutcome {
    /// What the member is notified of.
    pub result: Result<(), DiskError>,
    /// Whether the job synced, and afterwards everything that this job and all jobs before it wrote or
    /// created was covered by a successful sync. After a failed job it is false for good: what that job left
    /// undone never becomes durable.
    pub synced: bool,
}

/// A job that has not ended, or whose end was not collected yet.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: u64,
    /// The ordinal of its last operation.
    pub(super) last: u64,
    pub(super) outcome: JobOutcome,
}

/// The jobs of a process, in order.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    pub(super) under_way: VecDeque<Job>,
    pub(super) debt: Debt,
}

/// What jobs wrote and no sync covers yet.
#[derive(Debug, Default)]
pub(super) struct Debt {
    files: Vec<FileId>,
    directories: Vec<Box<str>>,
    /// A job failed, so something earlier is not durable and never will be.
    hopeless: bool,
    /// Whether the current job has synced.
    syncs: bool,
}

impl Debt {
    /// A job begins.
    pub(super) fn begin(&mut self) {
        self.syncs = false;
    }

    /// The current job ends. Returns whether everything is durable.
    pub(super) fn end(&mut self, ok: bool) -> bool {
        self.hopeless |= !ok;
        self.syncs && !self.hopeless && self.files.is_empty() && self.directories.is_empty()
    }

    /// An operation was done and touched this.
    pub(super) fn note(&mut self, op: &DiskOp, touch: &Touch) {
        match touch {
            Touch::File(id) if !self.files.contains(id) => self.files.push(*id),
            Touch::Sync(id) => {
                self.syncs = true;
                self.files.retain(|file| file != id);
            }
            Touch::SyncDir(path) => {
                self.syncs = true;
                self.directories.retain(|unsynced| **unsynced != **path);
            }
            Touch::Name(id) => match op {
                DiskOp::Create { path } | DiskOp::Rename { to: path, .. } => self.leave_unsynced(path),
                _ => self.files.retain(|file| file != id),
            },
            Touch::Nothing | Touch::File(_) | Touch::FailedSync(_) => {}
        }
    }

    fn leave_unsynced(&mut self, path: &Path) {
        let directory = directory(path);
        if !self.directories.iter().any(|unsynced| **unsynced == *directory) {
            self.directories.push(directory.into());
        }
    }
}
