//! The index of the store: for each key, the revisions at which it was put or deleted.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use bytes::Bytes;

use super::key_range::KeyRange;
use super::revision::Revision;

/// One change of a key: a put or, with `tombstone`, a deletion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Modification {
    pub(super) at: Revision,
    pub(super) tombstone: bool,
    /// The digest of its row.
    pub(super) digest: u64,
}

/// The changes of one key, in order. Never empty.
///
/// etcd splits them into generations, each from the put that creates the key to its deletion
/// (`mvcc/key_index.go`). Here they are one list. The list may begin with a tombstone, if a compaction
/// removed the puts before it (etcd issue 19179).
#[derive(Clone, Debug, Default)]
pub(super) struct KeyIndex(VecDeque<Modification>);

impl KeyIndex {
    /// The put that was current at revision `at`, if the key existed then.
    fn live(&self, at: i64) -> Option<Revision> {
        let last = self.0.back()?;
        // Nearly all reads are of the current revision.
        let found = if last.at.main <= at {
            last
        } else {
            self.0.get(self.0.partition_point(|change| change.at.main <= at).checked_sub(1)?)?
        };
        (!found.tombstone).then_some(found.at)
    }

    /// The current put, if the key exists.
    pub(super) fn current(&self) -> Option<Revision> {
        self.live(i64::MAX)
    }

    /// The newest change.
    pub(super) fn last(&self) -> Option<Modification> {
        self.0.back().copied()
    }

    /// Adds the newest change.
    pub(super) fn push(&mut self, change: Modification) {
        self.0.push_back(change);
    }
}

/// The changes of all keys that have any.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    keys: BTreeMap<Bytes, KeyIndex>,
}

impl Index {
    /// How many keys have changes.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The changes of a key, if it has any.
    pub(super) fn get(&self, key: &[u8]) -> Option<&KeyIndex> {
        self.keys.get(key)
    }

    /// The changes of a key; `None` if it has none.
    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut KeyIndex> {
        self.keys.get_mut(key)
    }

    /// The changes of a key, to add one.
    pub(super) fn entry(&mut self, key: &Bytes) -> &mut KeyIndex {
        self.keys.entry(key.clone()).or_default()
    }

    /// For each key of `range` that existed at revision `at`, the put that was current then, in key order.
    pub(super) fn live(&self, range: KeyRange<'_>, at: i64) -> impl Iterator<Item = Revision> {
        let (single, many) = match range {
            KeyRange::Single(key) => (self.keys.get(key), None),
            KeyRange::From(key) => (None, Some((Bound::Included(key), Bound::Unbounded))),
            KeyRange::Between(key, end) if key < end => {
                (None, Some((Bound::Included(key), Bound::Excluded(end))))
            }
            KeyRange::Between(..) => (None, None),
        };
        let many = many.map(|bounds| self.keys.range::<[u8], _>(bounds).map(|(_, key)| key));
        single.into_iter().chain(many.into_iter().flatten()).filter_map(move |key| key.live(at))
    }

    /// Forgets a change of a key. It is one of the first ones. With `empty_stay`, a key without changes stays.
    pub(super) fn forget(&mut self, key: &[u8], at: Revision, empty_stay: bool) {
        let Some(changes) = self.keys.get_mut(key) else { return };
        if let Some(nth) = changes.0.iter().position(|change| change.at == at) {
            changes.0.remove(nth);
        }
        if changes.0.is_empty() && !empty_stay {
            self.keys.remove(key);
        }
    }
}
