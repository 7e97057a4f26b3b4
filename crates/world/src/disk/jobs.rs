//! Asynchronous jobs of a process: which ones have not ended, and which of their writes no sync covers yet.

use std::collections::VecDeque;

use contract::disk::{DiskError, DiskOp, Path};

use super::io_queues::Touch;
use super::names::{FileId, directory};

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOutcome {
    /// What the member learns.
    pub result: Result<(), DiskError>,
    /// Whether the job did a sync, and after the job everything that it and all earlier jobs wrote or created
    /// is durable. After a failed job it stays false: that job's missing writes never become durable.
    pub synced: bool,
}

/// A job that has not ended, or whose outcome was not fetched yet.
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
    pub(super) unsynced: Unsynced,
}

/// Files and directories that jobs changed and no sync covers yet.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    files: Vec<FileId>,
    directories: Vec<Box<str>>,
    /// Whether a job failed: its missing writes never become durable.
    failed: bool,
    /// Whether the current job has synced.
    syncs: bool,
}

impl Unsynced {
    /// A job begins.
    pub(super) fn begin(&mut self) {
        self.syncs = false;
    }

    /// The current job ends. Returns whether everything is durable.
    pub(super) fn end(&mut self, ok: bool) -> bool {
        self.failed |= !ok;
        self.syncs && !self.failed && self.files.is_empty() && self.directories.is_empty()
    }

    /// Takes an operation of the current job into account.
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

    /// The directory of this path got a new name in it, which no sync covers yet.
    fn leave_unsynced(&mut self, path: &Path) {
        let directory = directory(path);
        if !self.directories.iter().any(|unsynced| **unsynced == *directory) {
            self.directories.push(directory.into());
        }
    }
}
