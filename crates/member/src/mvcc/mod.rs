//! The store: every key with its history, and the leases. It is replicated state, changed only by applied
//! entries. It models etcd's `mvcc` and the replicated part of its `lease`.
//!
//! A change of a key is a *row*: a key-value pair with the revision that made it. A deletion is a row, too,
//! named a *tombstone*. The index knows, for each key, at which revisions it has rows.
//!
//! The whole store is in memory. The member writes its changes to the backend later
//! ([`Store::take_changes`]), and reads the backend only at a restart. A compaction makes rows unreadable
//! at once; the *scrub* removes them from memory and from the backend afterwards, in batches.
//!
//! Not here: what requests mean (`crate::apply`), when rows are written or scrubbed (`crate::persist`), when
//! leases expire (`crate::lessor`), watchers (`crate::watch`).
//!
//! Invariants:
//! - The state depends only on the applied entries, and not on restarts, snapshots or scrubs. Members with
//!   the same applied index have the same [`Store::state_hash`] (oracle I8).
//! - The revision never decreases, and `compact_revision <= revision`.
//! - `rows` has exactly the rows that the index refers to.
//! - A key may have several rows of one main revision. etcd refuses a transaction that writes a key twice,
//!   but does not notice a put after a deletion up to the last key.

mod changes;
mod compaction;
mod damaged;
mod doomed;
mod frozen;
mod hash;
mod index;
mod key_range;
mod lease;
mod queue;
mod revision;
mod row;
mod rows;
mod snapshot;
mod sums;
mod write;

use std::collections::VecDeque;
use std::iter::repeat_n;

use api::mvccpb::KeyValue;
use xxhash_rust::xxh3::xxh3_64;

use crate::config::EtcdVersion;
use crate::flaw::Flaws;
use crate::keeps::{Count, count};
use index::Modification;

pub use changes::{Changes, Saved};
pub use compaction::Compaction;
pub use damaged::Damaged;
pub use frozen::Frozen;
pub use key_range::KeyRange;
pub use lease::Lease;
pub use revision::Revision;
pub(crate) use row::as_etcd_has_it;
pub use write::Write;

/// The keys, their history and their leases.
#[derive(Clone, Debug)]
pub struct Store {
    /// The newest revision.
    revision: i64,
    /// The changes of each key.
    index: index::Index,
    /// All changes (rows), by revision.
    rows: rows::Rows,
    /// The sum of the digests of all rows that are not compacted, which does not depend on their order.
    content: u64,
    /// The same up to each revision.
    sums: sums::Sums,
    /// The rows that compactions have made or will make unreadable.
    doomed: doomed::Doomed,
    leases: lease::Leases,
    /// The last compaction, and how far its scrub is.
    compaction: Compaction,
    /// The revisions of the compactions whose rows are not all removed yet, oldest first.
    scrubs: VecDeque<i64>,
    /// The hashes of the last compactions, oldest first.
    kept_hashes: VecDeque<hash::KeptHash>,
    /// What the backend does not have yet.
    unsaved: changes::Unsaved,
    flaws: Flaws,
    /// The version of etcd that it answers as.
    version: EtcdVersion,
    /// Only with the flaw M-17247: the row that [`Store::history`] returns twice, so that watchers which
    /// catch up receive its event twice.
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
            rows: rows::Rows::default(),
            content: 0,
            sums: sums::Sums::default(),
            doomed: doomed::Doomed::default(),
            leases: lease::Leases::default(),
            compaction: Compaction::default(),
            scrubs: VecDeque::new(),
            kept_hashes: VecDeque::new(),
            unsaved: changes::Unsaved::default(),
            flaws: Flaws::default(),
            version: EtcdVersion::V3_7,
            shown_twice: None,
        }
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 6] {
        [
            count("rows", self.rows.len()),
            count("keys-with-rows", self.index.len()),
            count("leases", self.leases.iter().len()),
            count("keys-of-leases", self.leases.iter().map(|(_, lease)| lease.keys().len()).sum()),
            count("hashes-of-compactions", self.kept_hashes.len()),
            count("scrubs", self.scrubs.len()),
        ]
    }

    /// The store's flaws.
    pub fn flaws(&self) -> Flaws {
        self.flaws
    }

    /// Sets the store's flaws. Those that affect a restart must be passed to [`Store::from_rows_with`].
    pub fn set_flaws(&mut self, flaws: Flaws) {
        self.flaws = flaws;
    }

    /// The version of etcd that it answers as.
    pub fn version(&self) -> EtcdVersion {
        self.version
    }

    /// Sets the version of etcd that it answers as; 3.7 if this is never called. What it holds does not depend on it.
    pub fn set_version(&mut self, version: EtcdVersion) {
        self.version = version;
    }

    /// The revision of the last change; 1 if there was none.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The oldest revision that can be read. It is -1 before the first compaction, so that a first compaction
    /// to revision 0 is accepted, as in etcd.
    pub fn compact_revision(&self) -> i64 {
        self.compaction.scheduled
    }

    /// A hash of the rows, the leases, the revision and the compact revision. Its cost does not depend on the
    /// store's size.
    pub fn state_hash(&self) -> u64 {
        let parts =
            [self.content, self.leases.content(), self.revision as u64, self.compaction.scheduled as u64];
        let mut bytes = [0_u8; 32];
        for (place, part) in bytes.chunks_exact_mut(8).zip(parts) {
            place.copy_from_slice(&part.to_le_bytes());
        }
        xxh3_64(&bytes)
    }

    /// The current pair of `key`, if the key exists.
    pub fn get(&self, key: &[u8]) -> Option<&KeyValue> {
        Some(self.row(self.index.get(key)?.current()?))
    }

    /// For each key of `range` that existed at revision `at`, the revision of its pair then, in key order.
    /// [`Store::row`] returns the pair.
    ///
    /// `at` must be between the compact revision and the current one.
    pub fn live(&self, range: KeyRange<'_>, at: i64) -> impl Iterator<Item = Revision> {
        self.index.live(range, at)
    }

    /// The pair written at `at`, which must come from [`Store::live`].
    pub fn row(&self, at: Revision) -> &KeyValue {
        self.rows.get(at).unwrap_or_else(|| panic!("the index refers to {at:?}, but there is no such row"))
    }

    /// All rows from revision `from` on, in order. Tombstones have version 0. `from` must not be below the
    /// compact revision, because rows are missing there.
    pub fn history(&self, from: i64) -> impl Iterator<Item = (Revision, &KeyValue)> {
        let times = |at| 1 + usize::from(Some(at) == self.shown_twice); // flaw M-17247
        let rows = self.rows.since(Revision::first_of(from));
        let is_gone = |at: Revision, row| {
            row::is_tombstone(row) && self.end_of_tombstone(at) <= self.compaction.scheduled
        };
        rows.filter(move |(at, row)| !is_gone(*at, row))
            .flat_map(move |(at, row)| repeat_n((at, row), times(at)))
    }

    /// The rows from revision `from` on, for the code that explains a run.
    pub(crate) fn told_since(&self, from: i64) -> Vec<record::inner::Row> {
        self.rows.since(Revision::first_of(from)).map(|(at, row)| row::reported(at, row)).collect()
    }

    /// The lease `id`.
    pub fn lease(&self, id: i64) -> Option<&Lease> {
        self.leases.get(id)
    }

    /// All leases, by id.
    pub fn leases(&self) -> impl ExactSizeIterator<Item = (i64, &Lease)> {
        self.leases.iter()
    }

    /// Adds the newest row. `before` is the previous change of its key.
    fn add_row(&mut self, at: Revision, row: KeyValue, digest: u64, before: Option<Modification>) {
        let tombstone = row::is_tombstone(&row);
        self.content = self.content.wrapping_add(digest);
        self.sums.add(at.main, digest, tombstone);
        if let Some(before) = before.filter(|before| !before.tombstone) {
            if before.at.main < at.main {
                self.doomed.now(at.main, before.at, before.digest);
            } else {
                self.doomed.later(self.end_of_tombstone(at), before.at, before.digest);
            }
        }
        if tombstone {
            self.doomed.later(self.end_of_tombstone(at), at, digest);
        }
        self.rows.push(at, row);
    }
}
