//! Asynchronous jobs: which are under way, and what of their work no sync covers yet.

use std::collections::VecDeque;

use member::disk::{DiskError, DiskOp, Path};

use super::lanes::Touch;
use super::names::{FileId, directory};

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOutcome {
    /// What the member gets to know.
    pub result: Result<(), DiskError>,
    /// Whether the job synced, and afterwards everything this job and all jobs before it wrote or
    /// created was covered by a successful sync. After a failed job it is false for good: what that
    /// one left undone never becomes durable.
    pub synced: bool,
}

/// A job that is not over, or over and not yet asked for.
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
    /// A job failed, so that something before is not durable and never will be.
    hopeless: bool,
    /// Whether the job at hand has synced.
    syncs: bool,
}

impl Debt {
    /// A job begins.
    pub(super) fn begin(&mut self) {
        self.syncs = false;
    }

    /// The job at hand ends: whether it made everything durable.
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
                self.directories.retain(|owed| **owed != **path);
            }
            Touch::Name(id) => match op {
                DiskOp::Create { path } | DiskOp::Rename { to: path, .. } => self.owe(path),
                _ => self.files.retain(|file| file != id),
            },
            Touch::Nothing | Touch::File(_) | Touch::FailedSync(_) => {}
        }
    }

    fn owe(&mut self, path: &Path) {
        let directory = directory(path);
        if !self.directories.iter().any(|owed| **owed == *directory) {
            self.directories.push(directory.into());
        }
    }
}
