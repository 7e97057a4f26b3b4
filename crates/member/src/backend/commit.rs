//! What the member hands out for its backend: commits, and the jobs that replace the whole file.

use bytes::Bytes;

use super::Change;
use super::meta::{Meta, Size, Sum};

/// The bytes of a page of the database.
const PAGE: u64 = 4096;

/// Something for the driver to do with the backend. The member hands out one at a time.
#[derive(Clone, Debug)]
pub enum Job {
    /// To commit.
    Commit(Commit),
    /// The first part of a defragmentation: to copy what is committed into a new file next to the old one.
    Copy,
    /// The second part of a defragmentation: to replace the file by its copy.
    Replace,
    /// To replace the file by one with the rows of a snapshot.
    Install(Transaction),
}

/// A commit. A correct member has one transaction in it: rows and metadata together, all or nothing. Flaws split
/// it in two.
#[derive(Clone, Debug)]
pub struct Commit {
    pub(super) transactions: Vec<Transaction>,
}

/// What one transaction of the database writes.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// What happens to rows, in order.
    pub(super) changes: Vec<Change>,
    /// The metadata that belongs to the rows after it.
    pub(super) meta: Meta,
    /// The checksum of all rows after it.
    pub(super) sum: Sum,
    /// The size of the database after it.
    pub(super) size: Size,
}

impl Job {
    /// Its transactions: how many rows each changes, and the consistent index that it records.
    pub(crate) fn transactions(&self) -> Vec<(usize, u64)> {
        let reported = |one: &Transaction| (one.rows(), one.meta.consistent_index);
        match self {
            Job::Commit(commit) => commit.transactions.iter().map(reported).collect(),
            Job::Install(transaction) => vec![reported(transaction)],
            Job::Copy | Job::Replace => Vec::new(),
        }
    }
}

impl Commit {
    /// The consistent index of the backend after it.
    pub fn consistent_index(&self) -> u64 {
        self.transactions.last().map_or(0, |last| last.meta.consistent_index)
    }

    /// How the commit uses the disk, in as much detail as anybody needs: for each of its syncs, how many writes come
    /// before it, at least one.
    ///
    /// The figures are averages of what redb does (`the_shape_of_a_commit_is_what_redb_does` in the tests). They depend
    /// only on what the commit writes, and not on the pages that the file happens to have.
    pub fn shape(&self) -> Vec<u32> {
        // The second sync is for the byte that says which root is current.
        self.transactions.iter().flat_map(|transaction| [transaction.writes(), 1]).collect()
    }
}

impl Transaction {
    /// How many rows it changes.
    pub(super) fn rows(&self) -> usize {
        self.changes.len()
    }

    /// How many bytes its rows and its metadata have.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = |(key, value): &Change| key.len() + value.as_ref().map_or(0, Bytes::len);
        let changes: usize = self.changes.iter().map(bytes).sum();
        (changes + self.meta.state.len() + self.meta.conf_state.len()) as u64
    }

    /// How many writes come before its first sync: six for the metadata, redb's own tables and the header with the
    /// new root; the pages of the rows, where a large row has one of its own; and the pages above them.
    fn writes(&self) -> u32 {
        let size = |(key, value): &Change| value.as_ref().map(|value| (key.len() + value.len()) as u64);
        let sizes = || self.changes.iter().filter_map(size);
        let large = sizes().filter(|size| *size >= PAGE).count() as u64;
        let small: u64 = sizes().filter(|size| *size < PAGE).sum();
        let above = self.rows().checked_ilog2().unwrap_or(0) / 2;
        6 + (large + small.div_ceil(PAGE)).min(10_000) as u32 + above
    }
}
