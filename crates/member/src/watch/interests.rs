//! Who is interested in a key: an index over the ranges of watchers.
//!
//! Watchers of single keys are found by key. Ranges are few, and those of equal bounds are kept
//! together, so that all that begin at or before the key are looked at, one after the other.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::Name;
use crate::mvcc::KeyRange;

/// The keys a watcher watches, as its request has them; see [`KeyRange::new`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    pub(super) key: Bytes,
    pub(super) end: Bytes,
}

impl Range {
    fn view(&self) -> KeyRange<'_> {
        KeyRange::new(&self.key, &self.end)
    }

    /// Whether no key is in it, whatever there is in the store.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.view(), KeyRange::Between(first, end) if first >= end)
    }
}

/// Watchers by what they watch.
#[derive(Debug, Default)]
pub(super) struct Interests {
    keys: BTreeMap<Bytes, BTreeSet<Name>>,
    ranges: BTreeMap<Range, BTreeSet<Name>>,
    len: usize,
}

impl Interests {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a watcher that is not in it.
    pub(super) fn insert(&mut self, range: Range, name: Name) {
        let new = match range.view() {
            KeyRange::Single(_) => self.keys.entry(range.key).or_default().insert(name),
            KeyRange::From(_) | KeyRange::Between(..) => self.ranges.entry(range).or_default().insert(name),
        };
        assert!(new, "{name:?} is in this group already: it was not taken out of its last one");
        self.len += 1;
    }

    /// Takes out a watcher that is in it.
    pub(super) fn remove(&mut self, range: Range, name: Name) {
        let was_there = match range.view() {
            KeyRange::Single(_) => remove(&mut self.keys, range.key, name),
            KeyRange::From(_) | KeyRange::Between(..) => remove(&mut self.ranges, range, name),
        };
        assert!(was_there, "{name:?} says it is in this group, and is not");
        self.len -= 1;
    }

    /// Calls `take` with everybody who watches `key`.
    pub(super) fn for_each(&self, key: &Bytes, mut take: impl FnMut(Name)) {
        self.keys.get(key).into_iter().flatten().for_each(|name| take(*name));
        let begun = self.ranges.iter().take_while(|(range, _)| range.key <= *key);
        let around = begun.filter(|(range, _)| range.view().contains(key));
        around.flat_map(|(_, names)| names).for_each(|name| take(*name));
    }

    /// Everybody, in order.
    pub(super) fn names(&self) -> BTreeSet<Name> {
        self.keys.values().chain(self.ranges.values()).flatten().copied().collect()
    }
}

fn remove<K: Ord>(map: &mut BTreeMap<K, BTreeSet<Name>>, key: K, name: Name) -> bool {
    let Some(names) = map.get_mut(&key) else { return false };
    let was_there = names.remove(&name);
    if names.is_empty() {
        map.remove(&key);
    }
    was_there
}
