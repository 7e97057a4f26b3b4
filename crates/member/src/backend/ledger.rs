//! What the backend will hold once everything that was handed out is written. The member keeps it, so that it
//! knows the size and the checksum of its backend without asking the database, which may be far behind.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::commit::Transaction;
use super::meta::{Meta, Size, Sum, digest, row_bytes};
use super::{Change, Commit, Row};

/// The order of the two transactions into which flaws R19 and M-13766 split a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Rows first: after a crash in between, entries are applied twice (R19).
    RowsFirst,
    /// Consistent index first: after a crash in between, entries are skipped (M-13766).
    IndexFirst,
}

/// Sizes and digests of all rows, and the metadata.
///
/// Changes may be *staged* one by one before the commit that has them, so that a large commit is not prepared all at
/// once. Until then, metadata, size and checksum are those of the last commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    meta: Meta,
    sum: Sum,
    size: Size,
    /// All rows, with those that are staged.
    rows: BTreeMap<Bytes, Entry>,
    staged: Staged,
}

/// What the next commit writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Staged {
    changes: Vec<Change>,
    /// Whether it makes a new file, which has the size of its rows.
    renews: bool,
    /// The checksum and the bytes of all rows after it.
    sum: Sum,
    in_use: u64,
}

/// What is remembered of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Its size in the file, in bytes.
    bytes: u64,
    digest: u64,
}

impl Entry {
    fn of(key: &[u8], value: &[u8]) -> Entry {
        Entry { bytes: row_bytes(key, value), digest: digest(key, value) }
    }
}

impl Ledger {
    /// The ledger of a backend with these rows.
    pub(super) fn of(rows: &[Row], meta: Meta, size: Size) -> Ledger {
        let entries = rows.iter().map(|(key, value)| (key.clone(), Entry::of(key, value)));
        let rows: BTreeMap<Bytes, Entry> = entries.collect();
        let mut sum = Sum::default();
        rows.values().for_each(|entry| sum.add(entry.digest));
        let staged = Staged { sum, in_use: size.in_use, ..Staged::default() };
        Ledger { meta, sum, size, rows, staged }
    }

    pub(super) fn sum(&self) -> Sum {
        self.sum
    }

    /// The metadata of the last commit.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The size of the database after the last commit.
    pub fn size(&self) -> Size {
        self.size
    }

    /// How many rows there will be after the next commit.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// A change for the next commit. A row that is removed may be missing.
    pub fn stage(&mut self, change: Change) {
        let (key, value) = &change;
        let new = value.as_ref().map(|value| Entry::of(key, value));
        let old = match new {
            Some(new) => self.rows.insert(key.clone(), new),
            None => self.rows.remove(key),
        };
        if let Some(old) = old {
            self.staged.sum.remove(old.digest);
            self.staged.in_use -= old.bytes;
        }
        if let Some(new) = new {
            self.staged.sum.add(new.digest);
            self.staged.in_use += new.bytes;
        }
        self.staged.changes.push(change);
    }

    /// A commit of what is staged.
    pub fn commit(&mut self, meta: Meta) -> Commit {
        Commit { transactions: vec![self.transaction(meta)] }
    }

    /// A commit as flaws R19 and M-13766 make it: rows and consistent index in separate transactions.
    pub fn commit_split(&mut self, meta: Meta, order: Split) -> Commit {
        let before = self.meta.clone();
        let transactions = match order {
            Split::RowsFirst => {
                let rows = self.commit_rows_only(meta.clone());
                rows.transactions.into_iter().chain([self.transaction(meta)]).collect()
            }
            Split::IndexFirst => {
                let Meta { consistent_index, term, .. } = meta;
                let (sum, size) = (self.sum, self.size);
                let index = Meta { consistent_index, term, ..before };
                let index = Transaction { changes: Vec::new(), meta: index, sum, size };
                vec![index, self.transaction(meta)]
            }
        };
        Commit { transactions }
    }

    /// A commit without its consistent index (flaw M-14685).
    pub fn commit_rows_only(&mut self, meta: Meta) -> Commit {
        let Meta { consistent_index, term, .. } = self.meta;
        self.commit(Meta { consistent_index, term, ..meta })
    }

    /// The transaction that makes a new file with these rows, in place of all existing ones.
    pub fn install(&mut self, rows: Vec<Row>, meta: Meta) -> Transaction {
        self.replace(Ledger::default());
        rows.into_iter().for_each(|(key, value)| self.stage((key, Some(value))));
        self.transaction(meta)
    }

    /// The next transaction makes a new file, with the rows that are staged in `new`. Returns the ledger of the old
    /// rows.
    pub fn replace(&mut self, mut new: Ledger) -> Ledger {
        (new.meta, new.sum, new.size) = (self.meta.clone(), self.sum, self.size);
        new.staged.renews = true;
        std::mem::replace(self, new)
    }

    /// Goes back to an earlier state, except for what is staged (flaw M-20271).
    pub fn go_back(&mut self, earlier: Ledger) {
        std::mem::replace(self, earlier).staged.changes.into_iter().for_each(|change| self.stage(change));
    }

    /// A copy replaces the file: the space of removed rows is gone.
    pub fn defragmented(&mut self) {
        self.size.total = self.size.in_use;
    }

    /// One transaction of what is staged.
    pub fn transaction(&mut self, meta: Meta) -> Transaction {
        let (sum, in_use) = (self.staged.sum, self.staged.in_use);
        let next = Staged { sum, in_use, ..Staged::default() };
        let Staged { changes, renews, .. } = std::mem::replace(&mut self.staged, next);
        self.size = if renews { Size::default() } else { self.size }.after(in_use);
        self.sum = sum;
        self.meta.clone_from(&meta);
        Transaction { changes, meta, sum, size: self.size }
    }
}
