//! The store: every key with its history, as one replicated state machine.
//!
//! It models etcd's `mvcc` and the replicated part of its `lease`: revisions, the key index, leases and their
//! keys, compaction in two parts, the rows in the backend. Everything is in memory; the backend is written
//! later, from [`Store::take_changes`], and read only at a restart.
//!
//! Not here: what requests mean (`crate::apply`), when rows are written or scrubbed (`crate::persist`), time
//! (`crate::lessor`; here leases have no time except the one left at their checkpoints), watchers
//! (`crate::watch`).
//!
//! Invariants:
//! - The state is a function of the applied entries alone: equal applied index, equal [`Store::state_hash`]
//!   (oracle I8), regardless of restarts, snapshots and scrubs.
//! - The revision never decreases, and `compact_revision <= revision`.
//! - `rows` holds exactly what the index refers to: compacted rows leave both at once. Only the backend's
//!   copy waits for the scrub.
//! - One main revision may change a key more than once: etcd checks a transaction for duplicate keys, but not
//!   for puts after a deletion up to the last key.

mod changes;
mod compaction;
mod hash;
mod index;
mod key_range;
mod lease;
mod revision;
mod row;
mod snapshot;
mod write;

use std::collections::{BTreeMap, VecDeque};
use std::iter::repeat_n;

use api::mvccpb::KeyValue;
use xxhash_rust::xxh3::xxh3_64;

use crate::flaw::Flaws;

pub use changes::{Changes, Saved};
pub use compaction::Compaction;
pub use key_range::KeyRange;
pub use lease::Lease;
pub use revision::Revision;
pub use write::Write;

/// Saved state that no store can have written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the saved state of the store is damaged: {0}")]
pub struct Damaged(String);

impl Damaged {
    pub(crate) fn new(what: impl Into<String>) -> Damaged {
        Damaged(what.into())
    }
}

/// The keys, their history and their leases.
#[derive(Clone, Debug)]
pub struct Store {
    revision: i64,
    index: index::Index,
    rows: BTreeMap<Revision, KeyValue>,
    /// Sum of the digests of all rows: independent of their order.
    content: u64,
    leases: lease::Leases,
    compaction: Compaction,
    /// Rows that compactions still have to remove from the backend, oldest compaction first.
    scrubs: VecDeque<compaction::Scrub>,
    unsaved: changes::Unsaved,
    flaws: Flaws,
    /// A row that appears twice in the history (flaw M-17247); `None` without that flaw.
    shown_twice: Option<Revision>,
}

impl Default for Store {
    fn default() -> Store {
        Store::new()
    }
}

impl Store {
    /// An empty store, at revision 1, without flaws.
    pub fn new() -> Store {
        Store {
            revision: 1,
            index: index::Index::default(),
            rows: BTreeMap::new(),
            content: 0,
            leases: lease::Leases::default(),
            compaction: Compaction::default(),
            scrubs: VecDeque::new(),
            unsaved: changes::Unsaved::default(),
            flaws: Flaws::default(),
            shown_twice: None,
        }
    }

    /// The store's flaws.
    pub fn flaws(&self) -> Flaws {
        self.flaws
    }

    /// Sets the store's flaws. Those that affect a restart must be passed to [`Store::from_rows_with`].
    pub fn set_flaws(&mut self, flaws: Flaws) {
        self.flaws = flaws;
    }

    /// The revision of the last change; 1 if there was none.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The oldest revision that can be read; -1 before the first compaction, so that the first may be to
    /// revision 0, as in etcd.
    pub fn compact_revision(&self) -> i64 {
        self.compaction.scheduled
    }

    /// A hash over all replicated state here: the readable rows, the leases, the revision, the compact
    /// revision. Its cost does not depend on the store's size.
    pub fn state_hash(&self) -> u64 {
        let words =
            [self.content, self.leases.content(), self.revision as u64, self.compaction.scheduled as u64];
        let mut bytes = [0_u8; 32];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        xxh3_64(&bytes)
    }

    /// The current pair of `key`.
    pub fn get(&self, key: &[u8]) -> Option<&KeyValue> {
        Some(self.row(self.index.get(key)?.current()?))
    }

    /// The revisions of the pairs of `range` in effect at revision `at`, in key order. [`Store::row`] returns
    /// the pairs.
    ///
    /// `at` must be between the compact revision and the current one.
    pub fn live(&self, range: KeyRange<'_>, at: i64) -> impl Iterator<Item = Revision> {
        self.index.live(range, at)
    }

    /// The pair written at `at`, which comes from [`Store::live`].
    pub fn row(&self, at: Revision) -> &KeyValue {
        self.rows.get(&at).unwrap_or_else(|| panic!("the index refers to {at:?}, but there is no such row"))
    }

    /// All changes from revision `from` on, in order; tombstones have version 0. `from` must not be below the
    /// compact revision: there are gaps there.
    pub fn history(&self, from: i64) -> impl Iterator<Item = (Revision, &KeyValue)> {
        let times = |at| 1 + usize::from(Some(at) == self.shown_twice); // M-17247
        let rows = self.rows.range(Revision::first_of(from)..);
        rows.flat_map(move |(at, row)| repeat_n((*at, row), times(*at)))
    }

    /// The lease `id`.
    pub fn lease(&self, id: i64) -> Option<&Lease> {
        self.leases.get(id)
    }

    /// All leases, by id.
    pub fn leases(&self) -> impl ExactSizeIterator<Item = (i64, &Lease)> {
        self.leases.iter()
    }

    fn insert_row(&mut self, at: Revision, row: KeyValue) {
        self.content = self.content.wrapping_add(row::digest(at, &row));
        self.rows.insert(at, row);
    }

    fn remove_row(&mut self, at: Revision) -> KeyValue {
        let row = self.rows.remove(&at);
        let row = row.unwrap_or_else(|| panic!("the index refers to {at:?}, but there is no such row"));
        self.content = self.content.wrapping_sub(row::digest(at, &row));
        row
    }
}
