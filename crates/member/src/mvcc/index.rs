//! The index of the store: for each key, the revisions at which it was put or deleted.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use super::key_range::KeyRange;
use super::revision::Revision;

/// One change of a key: a put or, with `tombstone`, a deletion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Modification {
    pub(super) at: Revision,
    pub(super) tombstone: bool,
}

/// The changes of one key, in order. Never empty.
///
/// etcd splits them into generations, each from the put that creates the key to its deletion
/// (`mvcc/key_index.go`). Here they are one list. The list may begin with a tombstone, if a compaction
/// removed the puts before it (etcd issue 19179).
#[derive(Clone, Debug, Default)]
pub(super) struct KeyIndex(Vec<Modification>);

impl KeyIndex {
    /// The put that was current at revision `at`, if the key existed then.
    fn live(&self, at: i64) -> Option<Revision> {
        let last = self.0.last()?;
        // Nearly all reads are of the current revision.
        let found = if last.at.main <= at {
            last
        } else {
            self.0[..self.0.partition_point(|change| change.at.main <= at)].last()?
        };
        (!found.tombstone).then_some(found.at)
    }

    /// The current put, if the key exists.
    pub(super) fn current(&self) -> Option<Revision> {
        self.live(i64::MAX)
    }

    /// Adds the newest change.
    pub(super) fn push(&mut self, change: Modification) {
        self.0.push(change);
    }

    /// Removes the changes that a compaction to `revision` makes unreadable, and appends them to `dropped`.
    ///
    /// All changes at `revision` itself stay, even tombstones, because a watch may start there (etcd issue
    /// 18089). Of the older changes, only the last one stays, and only if it is a put that is still current
    /// at `revision`.
    ///
    /// With `drop_tombstones`, a tombstone at `revision` is removed, too, with everything before it (flaw
    /// M-18089).
    fn compact(&mut self, revision: i64, drop_tombstones: bool, dropped: &mut Vec<Revision>) {
        if drop_tombstones {
            let through = self.0.partition_point(|change| change.at.main <= revision);
            if self.0[..through].last().is_some_and(|last| last.tombstone) {
                return dropped.extend(self.0.drain(..through).map(|change| change.at));
            }
        }
        let older = self.0.partition_point(|change| change.at.main < revision);
        let Some(newest) = self.0[..older].last() else { return };
        let superseded = self.0.get(older).is_some_and(|next| next.at.main == revision);
        let keeps_newest = !newest.tombstone && !superseded;
        dropped.extend(self.0.drain(..older - usize::from(keeps_newest)).map(|change| change.at));
    }
}

/// The changes of all keys that have any.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    keys: BTreeMap<Bytes, KeyIndex>,
}

impl Index {
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

    /// Removes and returns the changes that a compaction to `revision` makes unreadable.
    pub(super) fn compact(&mut self, revision: i64, drop_tombstones: bool) -> Vec<Revision> {
        let mut dropped = Vec::new();
        self.keys.retain(|_, key| {
            key.compact(revision, drop_tombstones, &mut dropped);
            !key.0.is_empty()
        });
        dropped
    }
}
