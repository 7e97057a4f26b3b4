//! The sums of the digests of all rows up to each revision, from which the hash of the rows up to any revision follows
//! without a look at the rows.

use super::queue::Queue;

/// For each revision that can be asked for, the sums up to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums(Queue<Sum>);

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    revision: i64,
    rows: u64,
    tombstones: u64,
}

impl Sums {
    /// Adds the digest of the newest row.
    pub(super) fn add(&mut self, revision: i64, digest: u64, tombstone: bool) {
        let before = self.0.back().copied().unwrap_or_default();
        let rows = before.rows.wrapping_add(digest);
        let tombstones = if tombstone { before.tombstones.wrapping_add(digest) } else { before.tombstones };
        let sum = Sum { revision, rows, tombstones };
        match self.0.back_mut() {
            Some(last) if last.revision == revision => *last = sum,
            _ => self.0.push(sum),
        }
    }

    /// The sum of all rows that were ever added, up to a revision.
    pub(super) fn rows(&self, revision: i64) -> u64 {
        self.until(revision).rows
    }

    /// The sum of the tombstones of one revision.
    pub(super) fn tombstones(&self, revision: i64) -> u64 {
        self.until(revision).tombstones.wrapping_sub(self.until(revision - 1).tombstones)
    }

    /// Forgets what is needed only below a revision.
    pub(super) fn forget(&mut self, below: i64) {
        self.0.forget(|sum| sum.revision < below);
    }

    fn until(&self, revision: i64) -> Sum {
        self.0.last(|sum| sum.revision <= revision).copied().unwrap_or_default()
    }
}
