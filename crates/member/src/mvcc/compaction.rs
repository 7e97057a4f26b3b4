//! Compaction of the history, in two parts.
//!
//! The logical part happens when the entry is applied: the compact revision moves, reads below it fail,
//! superseded rows leave memory and the state hash. The physical part, the scrub, removes them from the
//! backend in batches, whenever the server has time. Two markers bracket it, *scheduled* and *finished*; a
//! restart that finds them different starts the scrub again.
//!
//! etcd's scrub counts the rows it visits, this one those it removes.

use std::collections::BTreeMap;

use api::Error;
use api::mvccpb::KeyValue;

use super::revision::Revision;
use super::{Store, row};
use crate::flaw::Flaw;

/// How far compaction has come. -1 means none yet. Invariant: `finished <= scheduled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// The last applied compaction: the oldest revision that can be read.
    pub scheduled: i64,
    /// The last compaction whose scrub is done. Written together with the scrub's last batch.
    pub finished: i64,
}

impl Default for Compaction {
    fn default() -> Compaction {
        Compaction { scheduled: -1, finished: -1 }
    }
}

/// What one compaction still has to remove from the backend.
///
/// Rows are removed in the order of the history. A tombstone must stay as long as the puts before it, or a
/// restart in between would bring the key back; for the same reason, rows that the backend has not received
/// yet are kept here for it.
#[derive(Clone, Debug)]
pub(super) struct Scrub {
    revision: i64,
    rows: BTreeMap<Revision, KeyValue>,
}

impl Store {
    /// Forgets what was superseded before `revision`.
    ///
    /// # Errors
    /// `Compacted` if that revision was already compacted; `FutureRev`.
    pub fn compact(&mut self, revision: i64) -> Result<(), Error> {
        if revision <= self.compaction.scheduled {
            return Err(Error::Compacted);
        }
        if revision > self.revision {
            return Err(Error::FutureRev);
        }
        self.schedule(revision);
        self.unsaved.compaction = true;
        Ok(())
    }

    /// How far compaction has come.
    pub fn compaction(&self) -> Compaction {
        self.compaction
    }

    /// Whether the scrub of a compaction to `revision` is done here; a compaction with `physical` waits for
    /// that.
    pub fn is_scrubbed(&self, revision: i64) -> bool {
        self.compaction.finished >= revision
    }

    /// Removes up to `batch` rows (at least one) from the backend, through the next [`Store::take_changes`].
    /// Returns whether there is more to do.
    pub fn scrub_step(&mut self, batch: u32) -> bool {
        let Some(scrub) = self.scrubs.front_mut() else { return false };
        let batch = batch.max(1) as usize;
        // M-17780 needs etcd's marker, which is written in its own batch if the one before was full.
        let lags = scrub.rows.len() >= batch && self.flaws.has(Flaw::RestoreRevFromIndex);
        let rows = std::iter::from_fn(|| scrub.rows.pop_first()).take(batch);
        self.unsaved.removed.extend(rows.map(|(at, row)| at.row_key(row::is_tombstone(&row))));
        if scrub.rows.is_empty() && !lags {
            self.compaction.finished = scrub.revision;
            self.unsaved.compaction = true;
            self.scrubs.pop_front();
        }
        !self.scrubs.is_empty()
    }

    /// The logical part.
    pub(super) fn schedule(&mut self, revision: i64) {
        self.compaction.scheduled = revision;
        // M-17780 shows only together with M-18089, and etcd had both then: the last row that a compaction
        // removes must be at the last revision.
        let drops = [Flaw::TombstoneDroppedAtCompactRev, Flaw::RestoreRevFromIndex];
        let tombstones = drops.iter().any(|flaw| self.flaws.has(*flaw)); // M-18089
        let dropped = self.index.compact(revision, tombstones).into_iter();
        let rows = dropped.map(|at| (at, self.remove_row(at))).collect();
        self.scrubs.push_back(Scrub { revision, rows });
    }

    /// The row at `at`, as the backend must hold it.
    pub(super) fn row_to_save(&self, at: Revision) -> Option<&KeyValue> {
        self.rows.get(&at).or_else(|| self.scrubs.iter().find_map(|scrub| scrub.rows.get(&at)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::KeyRange;
    use super::*;

    /// Revisions and versions of all remaining rows.
    fn left(store: &Store) -> Vec<(i64, i64, i64)> {
        store.history(0).map(|(at, row)| (at.main, at.sub, row.version)).collect()
    }

    /// etcd issue 18089: a watch from the compact revision must receive the deletion.
    #[test]
    fn changes_at_the_compact_revision_stay_for_one_compaction() {
        let mut store = Store::new();
        store.write().put(&"a".into(), "2".into(), 0);
        store.write().put(&"b".into(), "3".into(), 0);
        let mut write = store.write();
        write.delete(KeyRange::From(b"a"));
        write.put(&"b".into(), "4".into(), 0);
        store.write().put(&"c".into(), "5".into(), 0);

        store.compact(4).unwrap();
        assert_eq!(left(&store), [(4, 0, 0), (4, 1, 0), (4, 2, 1), (5, 0, 1)]);
        store.compact(5).unwrap();
        assert_eq!(left(&store), [(4, 2, 1), (5, 0, 1)]);
    }

    #[test]
    fn a_compaction_is_finished_with_its_last_batch() {
        let mut store = Store::new();
        for _ in 0..6 {
            store.write().put(&"a".into(), "".into(), 0);
        }
        store.compact(3).unwrap();
        store.compact(7).unwrap();
        let mut steps = Vec::new();
        loop {
            let more = store.scrub_step(2);
            steps.push((store.compaction().finished, store.take_changes().compaction.is_some()));
            if !more {
                break;
            }
        }
        // The first compaction drops one row, the second four.
        assert_eq!(steps, [(3, true), (3, false), (7, true)]);
        assert_eq!(store.compact(7), Err(Error::Compacted));
        assert_eq!(store.compact(8), Err(Error::FutureRev));
    }

    #[test]
    fn the_first_compaction_may_be_to_revision_0() {
        let mut store = Store::new();
        assert_eq!(
            [store.compact(-1), store.compact(0), store.compact(0)].map(|done| done.is_ok()),
            [false, true, false]
        );
    }
}
