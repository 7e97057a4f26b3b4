//! What the driver holds for a node because its jobs take time: usually a database.
//!
//! A node keeps what it needs of its store in memory, and hands out jobs that bring the files up to date
//! ([`Effects::store`](crate::Effects::store)), one at a time. While a job is under way, the node goes on.
//!
//! Nobody reads the files of a store while its process runs. So a simulator may keep the jobs that only add to the
//! files, and write many of them at once when the files are next looked at.

use std::fmt::{self, Debug, Display, Formatter};

/// A node's store, as the driver uses it.
pub trait Store: Sized + Debug + 'static {
    /// Something to do with the store.
    type Job: Debug;
    /// Why a job failed. The store is of no use afterwards.
    type Error: Clone + Debug + Display;

    /// Does a job. When this returns, all its operations on the disk, with their syncs, were performed.
    ///
    /// # Errors
    /// The disk's, and what the store finds damaged.
    ///
    /// # Panics
    /// If some kept jobs are not in the files yet.
    fn perform(&mut self, job: &Self::Job) -> Result<(), Self::Error>;

    /// How a job uses the disk, if that is known before it is performed: for each of its syncs, how many writes come
    /// before it, at least one each. Such a job is a *commit*, and may be kept. `None` for all other jobs.
    fn shape(job: &Self::Job) -> Option<Vec<u32>>;

    /// How far a commit brings the store, as a number that grows from commit to commit. A start reports it with
    /// [`Sign::Durable`](trace::Sign::Durable), so that it shows what became of a commit during which the process
    /// ended. `None` for all other jobs.
    fn mark(job: &Self::Job) -> Option<u64>;

    /// Keeps a commit that counts as durable, to be written by [`Store::catch_up`].
    fn keep(&mut self, commit: Self::Job);

    /// Whether some kept commits are not in the files yet.
    fn is_behind(&self) -> bool;

    /// Whether so much is kept that it should be written because of the memory that it takes.
    fn keeps_too_much(&self) -> bool;

    /// Writes everything that was kept.
    ///
    /// # Errors
    /// The disk's.
    fn catch_up(&mut self) -> Result<(), Self::Error>;
}

/// The store of a node that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoStore;

/// The jobs and the errors of a node that has no store. It has no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {}

impl Display for Never {
    fn fmt(&self, _: &mut Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Store for NoStore {
    type Job = Never;
    type Error = Never;

    fn perform(&mut self, job: &Never) -> Result<(), Never> {
        match *job {}
    }

    fn shape(job: &Never) -> Option<Vec<u32>> {
        match *job {}
    }

    fn mark(job: &Never) -> Option<u64> {
        match *job {}
    }

    fn keep(&mut self, commit: Never) {
        match commit {}
    }

    fn is_behind(&self) -> bool {
        false
    }

    fn keeps_too_much(&self) -> bool {
        false
    }

    fn catch_up(&mut self) -> Result<(), Never> {
        Ok(())
    }
}
