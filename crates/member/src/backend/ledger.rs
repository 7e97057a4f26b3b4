//! What the backend will hold once everything that was handed out is written. The member keeps it, so that it
//! knows the size and the checksum of its backend without asking the database, which may be far behind.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::commit::Transaction;
use super::meta::{Meta, Size, Sum, digest, row_bytes};
use super::{Commit, Row};

/// The order of the two transactions into which flaws R19 and M-13766 split a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Rows first: after a crash in between, entries are applied twice (R19).
    RowsFirst,
    /// Consistent index first: after a crash in between, entries are skipped (M-13766).
    IndexFirst,
}

/// Sizes and digests of all rows, and the metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    meta: Meta,
    sum: Sum,
    size: Size,
    rows: BTreeMap<Bytes, Entry>,
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
        let mut ledger = Ledger { meta, sum: Sum::default(), size, rows: entries.collect() };
        ledger.rows.values().for_each(|entry| ledger.sum.add(entry.digest));
        ledger
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

    /// A commit of these changes: first the deletions, then the rows to insert or replace. Each key occurs once;
    /// missing keys may be deleted.
    pub fn commit(&mut self, puts: Vec<Row>, deletes: Vec<Bytes>, meta: Meta) -> Commit {
        Commit { transactions: vec![self.transaction(puts, deletes, meta)] }
    }

    /// A commit as flaws R19 and M-13766 make it: rows and consistent index in separate transactions.
    pub fn commit_split(&mut self, puts: Vec<Row>, deletes: Vec<Bytes>, meta: Meta, order: Split) -> Commit {
        let before = self.meta.clone();
        let transactions = match order {
            Split::RowsFirst => {
                let rows = self.commit_rows_only(puts, deletes, meta.clone());
                rows.transactions.into_iter().chain([self.transaction(vec![], vec![], meta)]).collect()
            }
            Split::IndexFirst => {
                let Meta { consistent_index, term, .. } = meta;
                let index = self.transaction(vec![], vec![], Meta { consistent_index, term, ..before });
                vec![index, self.transaction(puts, deletes, meta)]
            }
        };
        Commit { transactions }
    }

    /// A commit without its consistent index (flaw M-14685).
    pub fn commit_rows_only(&mut self, puts: Vec<Row>, deletes: Vec<Bytes>, meta: Meta) -> Commit {
        let Meta { consistent_index, term, .. } = self.meta;
        self.commit(puts, deletes, Meta { consistent_index, term, ..meta })
    }

    /// The transaction that makes a new file with these rows, in place of all that there were.
    pub fn install(&mut self, rows: Vec<Row>, meta: Meta) -> Transaction {
        *self = Ledger::default();
        self.transaction(rows, Vec::new(), meta)
    }

    /// A copy replaces the file: the space of removed rows is gone.
    pub fn defragmented(&mut self) {
        self.size.total = self.size.in_use;
    }

    fn transaction(&mut self, puts: Vec<Row>, deletes: Vec<Bytes>, meta: Meta) -> Transaction {
        for key in &deletes {
            if let Some(old) = self.rows.remove(key) {
                self.take_off(old);
            }
        }
        for (key, value) in &puts {
            let new = Entry::of(key, value);
            if let Some(old) = self.rows.insert(key.clone(), new) {
                self.take_off(old);
            }
            self.sum.add(new.digest);
            self.size.add(new.bytes);
        }
        self.meta.clone_from(&meta);
        Transaction { puts, deletes, meta, sum: self.sum, size: self.size }
    }

    fn take_off(&mut self, old: Entry) {
        self.sum.remove(old.digest);
        self.size.remove(old.bytes);
    }
}
