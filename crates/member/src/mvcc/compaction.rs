//! Compaction of the history, which has two parts.
//!
//! When the entry is applied, the compact revision changes, and reads below it fail. From then on, no read can return
//! the rows that the compaction makes unreadable (`doomed`). Later, the *scrub* removes these rows from memory and from
//! the backend, in batches. Two numbers in the backend say how far compaction has come: the revision of the last
//! *scheduled* compaction and that of the last *finished* one. A restart that finds a scheduled compaction which is not
//! finished starts the scrub again.
//!
//! The size of a batch is the number of rows that are removed; etcd counts the rows that it visits.
//!
//! The rows of a key are removed in the order of their revisions. So a tombstone stays at least as long as the puts
//! before it; otherwise the key would exist again after a restart in between. For the same reason, rows that were not
//! written to the backend yet are written before they are removed.

use api::Error;
use record::Inner;

use super::revision::Revision;
use super::{Store, row};
use crate::flaw::Flaw;
use crate::inner;

/// How far compaction has come. -1 means that there was none. Invariant: `finished <= scheduled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// The revision of the last applied compaction, which is the oldest revision that can be read.
    pub scheduled: i64,
    /// The revision of the last compaction whose scrub is done. It is written with the last batch of the
    /// scrub.
    pub finished: i64,
}

impl Default for Compaction {
    fn default() -> Compaction {
        Compaction { scheduled: -1, finished: -1 }
    }
}

impl Store {
    /// Compacts the history to `revision`: rows that no read at `revision` or later can return are removed.
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
        self.keep_hash(revision);
        self.schedule(revision);
        self.unsaved.compaction = true;
        Ok(())
    }

    /// How far compaction has come.
    pub fn compaction(&self) -> Compaction {
        self.compaction
    }

    /// Whether the scrub of a compaction to `revision` is done. A client that requested a compaction with
    /// `physical` waits for that.
    pub fn is_scrubbed(&self, revision: i64) -> bool {
        self.compaction.finished >= revision
    }

    /// Removes up to `batch` rows (at least one), which the next [`Store::take_changes`] returns. Returns whether there
    /// are more.
    pub fn scrub_step(&mut self, batch: u32) -> bool {
        let Some(&revision) = self.scrubs.front() else { return false };
        let before = self.unsaved.rows.len();
        let mut room = batch.max(1);
        let mut removed = Vec::new();
        while room > 0
            && let Some(at) = self.doomed.take(revision)
        {
            room -= 1;
            let row = self.rows.remove(at);
            let row = row.unwrap_or_else(|| panic!("the row at {at:?} is to be removed, but there is none"));
            let empty_stay = self.flaws.has(Flaw::EmptyKeysStay); // flaw Z4
            self.index.forget(&row.key, at, empty_stay);
            if inner::is_on() {
                removed.push(row::reported(at, &row));
            }
            self.unsaved.rows.push((at.row_key(row::is_tombstone(&row)), None));
        }
        inner::tell(|| Inner::Removed { compacted: revision, rows: removed });
        // Flaw M-17780 shows only if the finished revision is written in a batch of its own after a full one,
        // which is what etcd does.
        let lags = room == 0 && self.flaws.has(Flaw::RestoreRevFromIndex);
        let finishes = self.doomed.end() > revision && !lags;
        inner::tell_deed(|| Inner::Scrubs {
            rows: (self.unsaved.rows.len() - before) as u64,
            finished: finishes.then_some(revision),
        });
        if finishes {
            self.compaction.finished = revision;
            self.unsaved.compaction = true;
            self.scrubs.pop_front();
            self.forget_hashes();
        }
        !self.scrubs.is_empty()
    }

    /// Sets the compact revision, and begins a scrub.
    pub(super) fn schedule(&mut self, revision: i64) {
        let before = self.doomed.sum(self.compaction.scheduled);
        self.content = self.content.wrapping_sub(self.doomed.sum(revision).wrapping_sub(before));
        self.compaction.scheduled = revision;
        self.sums.forget(revision);
        self.scrubs.push_back(revision);
    }

    /// Whether tombstones at the compact revision stay.
    pub(super) fn tombstones_stay(&self) -> bool {
        // Flaw M-17780 shows only if a compaction can remove a row of the last revision, which it does with
        // M-18089. etcd had both defects at the time. So M-17780 includes M-18089.
        let causes = [Flaw::TombstoneDroppedAtCompactRev, Flaw::RestoreRevFromIndex];
        !causes.iter().any(|flaw| self.flaws.has(*flaw)) // flaw M-18089
    }

    /// The first compact revision that makes a tombstone at `at` unreadable, and a put before it in the same main
    /// revision.
    pub(super) fn end_of_tombstone(&self, at: Revision) -> i64 {
        at.main + i64::from(self.tombstones_stay())
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
        while store.scrub_step(1) {}
        assert_eq!(left(&store), [(4, 0, 0), (4, 1, 0), (4, 2, 1), (5, 0, 1)]);
        store.compact(5).unwrap();
        while store.scrub_step(9) {}
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
