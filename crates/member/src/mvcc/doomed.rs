//! The rows that some compaction makes unreadable, each with the lowest compact revision that does so. That revision is
//! known as soon as the key changes again, so a compaction need not look at any rows: it takes from the list those that
//! wait up to its revision. The list sums up their digests on the way.
//!
//! All changes at the compact revision itself stay, even tombstones, because a watch may start there (etcd issue
//! 18089). Of the older changes of a key, only the last one stays, and only if it is a put that is still current at the
//! compact revision. Hence a put that a later revision changes goes with a compaction to that later revision; a
//! tombstone, or a put that its own revision changes again, goes with a compaction to the next revision.

use super::queue::Queue;
use super::revision::Revision;

/// All rows that compactions doom. The rows of one key are in the order of their revisions.
#[derive(Clone, Debug, Default)]
pub(super) struct Doomed {
    /// Those that go with a compaction to the revision that doomed them.
    at_once: List,
    /// Those that go with a compaction to the revision after it.
    later: List,
}

/// Rows in the order in which they were doomed.
#[derive(Clone, Debug, Default)]
struct List {
    /// The compact revision with which a row goes, the row, and the sum of the digests up to it.
    rows: Queue<(i64, Revision, u64)>,
    /// The sum of the digests of the rows that were taken.
    taken: u64,
}

impl List {
    fn push(&mut self, end: i64, at: Revision, digest: u64) {
        let before = self.rows.back().map_or(self.taken, |(_, _, sum)| *sum);
        self.rows.push((end, at, before.wrapping_add(digest)));
    }

    fn sum(&self, compacted: i64) -> u64 {
        self.rows.last(|(end, ..)| *end <= compacted).map_or(self.taken, |(_, _, sum)| *sum)
    }

    /// The first row, preceded by the compact revision with which it goes.
    fn front(&self) -> (i64, Revision) {
        self.rows.front().map_or((i64::MAX, Revision::default()), |(end, at, _)| (*end, *at))
    }

    fn take(&mut self) -> Option<Revision> {
        let (_, at, sum) = self.rows.pop()?;
        self.taken = sum;
        Some(at)
    }
}

impl Doomed {
    /// The row at `at` goes with a compaction to `end`, which is the current revision.
    pub(super) fn now(&mut self, end: i64, at: Revision, digest: u64) {
        self.at_once.push(end, at, digest);
    }

    /// The row at `at` goes with a compaction to `end`, which follows the current revision.
    pub(super) fn later(&mut self, end: i64, at: Revision, digest: u64) {
        self.later.push(end, at, digest);
    }

    /// The sum of the digests of all rows that a compaction to this revision, or one before it, makes unreadable.
    pub(super) fn sum(&self, compacted: i64) -> u64 {
        self.at_once.sum(compacted).wrapping_add(self.later.sum(compacted))
    }

    /// The compact revision with which the first of the rows goes.
    pub(super) fn end(&self) -> i64 {
        self.at_once.front().min(self.later.front()).0
    }

    /// Takes the first row, if it goes with a compaction to this revision.
    pub(super) fn take(&mut self, compacted: i64) -> Option<Revision> {
        if self.end() > compacted {
            None
        } else if self.at_once.front() < self.later.front() {
            self.at_once.take()
        } else {
            self.later.take()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_in_the_order_in_which_they_go() {
        let at = |main, sub| Revision { main, sub };
        let mut doomed = Doomed::default();
        // Revision 5 puts a key and deletes it, revision 6 puts it again and changes another key.
        doomed.later(6, at(5, 0), 1);
        doomed.later(6, at(5, 1), 2);
        doomed.now(6, at(3, 0), 4);
        doomed.now(9, at(6, 0), 8);
        assert_eq!([5, 6, 8, 9].map(|compacted| doomed.sum(compacted)), [0, 7, 7, 15]);
        assert_eq!((doomed.take(5), doomed.end()), (None, 6));
        let taken: Vec<Revision> = std::iter::from_fn(|| doomed.take(8)).collect();
        assert_eq!(taken, [at(3, 0), at(5, 0), at(5, 1)]);
        assert_eq!((doomed.sum(8), doomed.sum(9), doomed.end()), (7, 15, 9));
    }
}
