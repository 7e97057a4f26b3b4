//! An index of watchers by the keys that they watch. It finds all watchers that a change of a key concerns.
//!
//! Watchers of a single key are found by that key. Watchers of a range are listed by range. Different ranges are few
//! in practice, so a lookup scans all ranges that start at or before the key.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::Name;
use crate::mvcc::KeyRange;

/// The keys that a watcher watches, with the bounds as in its request; see [`KeyRange::new`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    pub(super) key: Bytes,
    pub(super) end: Bytes,
}

impl Range {
    /// The range in the form that the store uses.
    fn view(&self) -> KeyRange<'_> {
        KeyRange::new(&self.key, &self.end)
    }

    /// Whether the range has no keys.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.view(), KeyRange::Between(first, end) if first >= end)
    }
}

/// Watchers by the keys they watch.
#[derive(Debug, Default)]
pub(super) struct Interests {
    /// The watchers of a single key, by that key.
    keys: BTreeMap<Bytes, BTreeSet<Name>>,
    /// All other watchers, by range.
    ranges: BTreeMap<Range, BTreeSet<Name>>,
    /// How many watchers there are.
    len: usize,
}

impl Interests {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many keys and ranges have watchers.
    pub(super) fn ranges(&self) -> usize {
        self.keys.len() + self.ranges.len()
    }

    /// Adds a watcher that is not yet in the index.
    pub(super) fn insert(&mut self, range: Range, name: Name) {
        let new = match range.view() {
            KeyRange::Single(_) => self.keys.entry(range.key).or_default().insert(name),
            KeyRange::From(_) | KeyRange::Between(..) => self.ranges.entry(range).or_default().insert(name),
        };
        assert!(new, "{name:?} is already in this group: was it not removed from its last one?");
        self.len += 1;
    }

    /// Removes a watcher that is in the index.
    pub(super) fn remove(&mut self, range: Range, name: Name) {
        let was_there = match range.view() {
            KeyRange::Single(_) => remove(&mut self.keys, range.key, name),
            KeyRange::From(_) | KeyRange::Between(..) => remove(&mut self.ranges, range, name),
        };
        assert!(was_there, "{name:?} should be in this group, but is not");
        self.len -= 1;
    }

    /// Calls `take` with every watcher of `key`.
    pub(super) fn for_each(&self, key: &Bytes, mut take: impl FnMut(Name)) {
        self.keys.get(key).into_iter().flatten().for_each(|name| take(*name));
        let begun = self.ranges.iter().take_while(|(range, _)| range.key <= *key);
        let around = begun.filter(|(range, _)| range.view().contains(key));
        around.flat_map(|(_, names)| names).for_each(|name| take(*name));
    }

    /// All watchers, in order.
    pub(super) fn names(&self) -> BTreeSet<Name> {
        self.keys.values().chain(self.ranges.values()).flatten().copied().collect()
    }
}

/// Removes a name from the set of a key. Returns whether it was there.
fn remove<K: Ord>(map: &mut BTreeMap<K, BTreeSet<Name>>, key: K, name: Name) -> bool {
    let Some(names) = map.get_mut(&key) else { return false };
    let was_there = names.remove(&name);
    if names.is_empty() {
        map.remove(&key);
    }
    was_there
}
