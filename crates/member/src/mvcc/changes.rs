//! Collects what the store must write to the backend, and restores the store from the backend after a
//! restart.

use std::collections::BTreeSet;
use std::mem;

use api::mvccpb::KeyValue;
use bytes::Bytes;

use super::compaction::Compaction;
use super::index::Modification;
use super::key_range::KeyRange;
use super::lease::Terms;
use super::revision::Revision;
use super::{Damaged, Store, lease, row};
use crate::flaw::{Flaw, Flaws};

/// What a backend commit must write so that the backend holds the whole store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Whether all rows of the store must be removed from the backend first, because the store came from a
    /// snapshot.
    pub replaces: bool,
    /// Rows of the history: a key of [`Revision::row_key`] with an encoded `mvccpb.KeyValue`, or with `None`
    /// to remove the row. If both occur for a key, the removal comes last.
    pub rows: Vec<(Bytes, Option<Bytes>)>,
    /// The rows of leases, likewise. Only the store knows the format of their keys and values.
    pub leases: Vec<(Bytes, Option<Bytes>)>,
    /// How far compaction has come, if that changed.
    pub compaction: Option<Compaction>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        !self.replaces && self.rows.is_empty() && self.leases.is_empty() && self.compaction.is_none()
    }
}

/// What the backend held at a restart: the sum of all [`Changes`] that were committed.
#[derive(Clone, Debug, Default)]
pub struct Saved<R, L> {
    /// All rows of the history, ordered by key.
    pub rows: R,
    /// All leases.
    pub leases: L,
    /// How far compaction had come; the default value if none was ever recorded.
    pub compaction: Compaction,
}

/// What changed since the last [`Store::take_changes`].
#[derive(Clone, Debug, Default)]
pub(super) struct Unsaved {
    /// Whether the store came from a snapshot.
    pub(super) replaces: bool,
    /// New rows, encoded, and the keys of scrubbed ones.
    pub(super) rows: Vec<(Bytes, Option<Bytes>)>,
    /// The first row since then. Only the flaw M-17247 needs it.
    first: Option<Revision>,
    /// Leases that were granted or revoked, or got a checkpoint.
    pub(super) leases: BTreeSet<i64>,
    /// Whether the progress of compaction changed.
    pub(super) compaction: bool,
}

impl Unsaved {
    /// There is a new row.
    pub(super) fn add(&mut self, at: Revision, row: &KeyValue) {
        let (key, value) = row::encode(at, row);
        self.first.get_or_insert(at);
        self.rows.push((key, Some(value)));
    }
}

impl Store {
    /// Removes and returns the rows, including those of leases, that [`Store::take_changes`] would return, so that a
    /// caller need not collect them all at once.
    pub fn take_rows(&mut self) -> impl Iterator<Item = (Bytes, Option<Bytes>)> {
        let changed = mem::take(&mut self.unsaved.leases).into_iter();
        let leases = changed.map(|id| (lease::row_key(id), self.leases.get(id).map(lease::encode)));
        self.unsaved.rows.drain(..).chain(leases)
    }

    /// Returns what changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        let unsaved = mem::take(&mut self.unsaved);
        if self.flaws.has(Flaw::WritebackDedupeBroken) {
            self.shown_twice = unsaved.first; // flaw M-17247: watchers see this row twice
        }
        let leases = unsaved.leases.into_iter();
        Changes {
            replaces: unsaved.replaces,
            rows: unsaved.rows,
            leases: leases.map(|id| (lease::row_key(id), self.leases.get(id).map(lease::encode))).collect(),
            compaction: unsaved.compaction.then_some(self.compaction),
        }
    }

    /// Restores the store from the backend. If a scrub was not finished, it starts again.
    ///
    /// # Errors
    /// `Damaged` if no store can have written these rows.
    pub fn from_rows<R, L>(saved: Saved<R, L>) -> Result<Store, Damaged>
    where
        R: IntoIterator<Item = (Bytes, Bytes)>,
        L: IntoIterator<Item = (Bytes, Bytes)>,
    {
        Store::from_rows_with(saved, Flaws::default())
    }

    /// Like [`Store::from_rows`], for a store with flaws.
    ///
    /// # Errors
    /// As [`Store::from_rows`].
    pub fn from_rows_with<R, L>(saved: Saved<R, L>, flaws: Flaws) -> Result<Store, Damaged>
    where
        R: IntoIterator<Item = (Bytes, Bytes)>,
        L: IntoIterator<Item = (Bytes, Bytes)>,
    {
        let rows = saved.rows.into_iter().map(|(key, value)| row::decode(&key, value));
        let leases = saved.leases.into_iter().map(|(key, value)| lease::decode(&key, &value));
        Store::restore(Saved { rows, leases, compaction: saved.compaction }, flaws)
    }

    /// Makes a store from decoded rows and leases.
    pub(super) fn restore<R, L>(saved: Saved<R, L>, flaws: Flaws) -> Result<Store, Damaged>
    where
        R: Iterator<Item = Result<(Revision, KeyValue), Damaged>>,
        L: Iterator<Item = Result<(i64, Terms), Damaged>>,
    {
        let Compaction { scheduled, finished } = saved.compaction;
        if finished > scheduled || finished < -1 {
            return Err(Damaged::new(format!(
                "compaction {finished} is finished, but {scheduled} is the last one scheduled"
            )));
        }
        let mut store = Store { flaws, ..Store::new() };
        for lease in saved.leases {
            let (id, terms) = lease?;
            if store.leases.get(id).is_some() {
                return Err(Damaged::new(format!("lease {id} occurs twice")));
            }
            store.leases.insert(id, terms);
        }
        let mut last = Revision::first_of(store.revision);
        for row in saved.rows {
            let (at, row) = row?;
            check(last, at, &row)?;
            last = at;
            // The first row of a key may be a tombstone, if a scrub has removed the puts before it (etcd
            // issue 19179).
            let change =
                Modification { at, tombstone: row::is_tombstone(&row), digest: row::digest(at, &row) };
            let lone = change.tombstone && store.index.get(&row.key).is_none();
            if lone && flaws.has(Flaw::LoneTombstoneNotRestored) {
                continue; // flaw M-19179
            }
            let index = store.index.entry(&row.key);
            let before = index.last();
            index.push(change);
            store.add_row(at, row, change.digest, before);
        }
        // A compaction may have removed all rows of the last revision. The compact revision then says what
        // the store's revision was (etcd issue 17780).
        let known = if flaws.has(Flaw::RestoreRevFromIndex) { finished } else { scheduled }; // flaw M-17780
        store.revision = last.main.max(known);
        store.compaction = Compaction { scheduled: finished, finished };
        // With flaw M-17780 the scheduled revision may be in the future, and etcd does not compact to that.
        if scheduled > finished && scheduled <= store.revision {
            store.schedule(scheduled);
        }
        store.reattach()?;
        store.unsaved = Unsaved::default();
        Ok(store)
    }

    /// Attaches keys to their leases. A lease is saved without its keys, because each pair names its lease.
    fn reattach(&mut self) -> Result<(), Damaged> {
        for at in self.index.live(KeyRange::From(b""), self.revision) {
            let row = self.rows.get(at).expect("the index refers to rows that exist");
            if row.lease != 0 && self.leases.get(row.lease).is_none() {
                return Err(Damaged::new(format!(
                    "the row at {at:?} names lease {}, which does not exist",
                    row.lease
                )));
            }
            self.leases.attach(&row.key, 0, row.lease);
        }
        Ok(())
    }

    /// Makes the next [`Store::take_changes`] replace all rows of the backend by those of the store.
    pub(super) fn unsave(&mut self) {
        let leases = self.leases.iter().map(|(id, _)| id).collect();
        self.unsaved = Unsaved { replaces: true, leases, compaction: true, ..Unsaved::default() };
        self.rows.iter().for_each(|(at, row)| self.unsaved.add(at, row));
    }
}

/// Checks whether a row makes sense, by itself and after the row before it.
fn check(last: Revision, at: Revision, row: &KeyValue) -> Result<(), Damaged> {
    let is_put = (1..=at.main).contains(&row.create_revision) && row.version > 0;
    let is_deletion = row::is_tombstone(row) && row.create_revision == 0;
    match last < at && row.mod_revision == at.main && !row.key.is_empty() && (is_put || is_deletion) {
        true => Ok(()),
        false => Err(Damaged::new(format!("{row:?} cannot be the row at {at:?} after a row at {last:?}"))),
    }
}
