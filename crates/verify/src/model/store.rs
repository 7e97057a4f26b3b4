//! The key-value store: every key with all its versions, so that the state at any revision since the last compaction
//! can be read.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Bound;

use api::mvccpb::KeyValue;
use bytes::Bytes;

/// The revision of a store that was never written to.
pub const FIRST_REVISION: i64 = 1;

/// One version of a key: its state after one revision changed it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    /// The revision of this change.
    modified: i64,
    /// The revision that created the key.
    created: i64,
    /// The number of puts since the key was created; 0 if this revision deleted the key.
    number: i64,
    lease: i64,
    value: Bytes,
}

/// The keys a request names.
#[derive(Clone, Copy, Debug)]
pub enum Span<'a> {
    /// One key.
    Key(&'a [u8]),
    /// Every key from this one on.
    From(&'a [u8]),
    /// From the first (included) to the second (excluded); nothing if the second is not above the first.
    Between(&'a [u8], &'a [u8]),
}

impl<'a> Span<'a> {
    /// The span of `key` and `range_end` of a request. An empty end means one key; an end of one zero byte means all
    /// keys from `key` on.
    pub fn new(key: &'a [u8], range_end: &'a [u8]) -> Span<'a> {
        match range_end {
            [] => Span::Key(key),
            [0] => Span::From(key),
            end => Span::Between(key, end),
        }
    }
}

/// The multi-version store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Store {
    keys: BTreeMap<Bytes, Vec<Version>>,
    /// The newest revision.
    pub revision: i64,
    /// Reads below this revision are refused. -1 before the first compaction, so that 0 can be compacted once.
    pub compacted: i64,
    /// Whether ranges that ask for keys only have no leases in their answers.
    pub leaves_leases_out: bool,
    /// Every change in the order in which it was made, if they are kept.
    changes: Option<Vec<(Bytes, Version)>>,
}

impl Default for Store {
    fn default() -> Store {
        Store {
            keys: BTreeMap::new(),
            revision: FIRST_REVISION,
            compacted: -1,
            leaves_leases_out: false,
            changes: None,
        }
    }
}

impl Store {
    /// The key at revision `at`; `None` if it does not exist then.
    #[inline]
    pub fn get(&self, key: &[u8], at: i64) -> Option<KeyValue> {
        let (key, versions) = self.keys.get_key_value(key)?;
        live(versions, at).map(|version| key_value(key, version))
    }

    /// Whether the key exists at revision `at`.
    pub fn exists(&self, key: &[u8], at: i64) -> bool {
        self.keys.get(key).is_some_and(|versions| live(versions, at).is_some())
    }

    /// The keys of a span at revision `at`, in order.
    pub fn scan<'a>(&'a self, span: Span<'_>, at: i64) -> impl Iterator<Item = KeyValue> + use<'a> {
        self.range(span).filter_map(move |(key, versions)| Some(key_value(key, live(versions, at)?)))
    }

    /// How many keys of a span exist at revision `at`.
    pub fn count(&self, span: Span<'_>, at: i64) -> usize {
        self.range(span).filter(|(_, versions)| live(versions, at).is_some()).count()
    }

    /// All keys of an interval, with their versions.
    fn range(&self, span: Span<'_>) -> Range<'_, Bytes, Vec<Version>> {
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = match span {
            Span::Key(key) => (Bound::Included(key), Bound::Included(key)),
            Span::From(key) => (Bound::Included(key), Bound::Unbounded),
            Span::Between(key, end) => (Bound::Included(key), Bound::Excluded(end.max(key))),
        };
        self.keys.range::<[u8], _>(bounds)
    }

    /// Puts a key as part of revision `revision`, which is not finished yet.
    pub fn put(&mut self, key: &Bytes, value: Bytes, lease: i64, revision: i64) {
        let versions = match self.keys.get_mut(key) {
            Some(versions) => versions,
            None => self.keys.entry(key.clone()).or_default(),
        };
        let (created, number) = match versions.last() {
            Some(last) if last.number > 0 => (last.created, last.number + 1),
            _ => (revision, 1),
        };
        let version = Version { modified: revision, created, number, lease, value };
        if let Some(changes) = &mut self.changes {
            changes.push((key.clone(), version.clone()));
        }
        set(versions, version);
    }

    /// Deletes a key that exists, as part of revision `revision`, which is not finished yet.
    pub fn delete(&mut self, key: &Bytes, revision: i64) {
        if let Some(versions) = self.keys.get_mut(key) {
            let version =
                Version { modified: revision, created: 0, number: 0, lease: 0, value: Bytes::new() };
            if let Some(changes) = &mut self.changes {
                changes.push((key.clone(), version.clone()));
            }
            set(versions, version);
        }
    }

    /// Keeps every change from now on.
    pub fn keep_changes(&mut self) {
        self.changes.get_or_insert_default();
    }

    /// The changes that were kept, in the order in which they were made: what the key was then, and whether it was
    /// deleted. A deletion has only the key and the revision.
    pub fn changes(&self) -> impl Iterator<Item = (KeyValue, bool)> {
        self.changes.iter().flatten().map(|(key, version)| (key_value(key, version), version.number == 0))
    }

    /// The changes of one revision, as [`Store::changes`] has them.
    pub fn changes_at(&self, revision: i64) -> impl Iterator<Item = (KeyValue, bool)> {
        let changes = self.changes.as_deref().unwrap_or_default();
        let first = changes.partition_point(|(_, version)| version.modified < revision);
        let there = changes[first..].iter().take_while(move |(_, version)| version.modified == revision);
        there.map(|(key, version)| (key_value(key, version), version.number == 0))
    }

    /// The keys and values of the changes that were kept; empty values for deletions.
    pub fn changed(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.changes.iter().flatten().map(|(key, version)| (key, &version.value))
    }

    /// The revisions after `revision` of the changes that were kept, in order. A revision with several changes comes
    /// several times.
    pub fn changed_after(&self, revision: i64) -> impl Iterator<Item = i64> {
        let changes = self.changes.as_deref().unwrap_or_default();
        let first = changes.partition_point(|(_, version)| version.modified <= revision);
        changes[first..].iter().map(|(_, version)| version.modified)
    }

    /// Forgets what no read at `revision` or later can see.
    pub fn compact(&mut self, revision: i64) {
        self.compacted = revision;
        self.keys.retain(|_, versions| {
            let newest = versions.partition_point(|version| version.modified <= revision);
            let visible = newest > 0 && versions[newest - 1].number > 0;
            versions.drain(..newest - usize::from(visible));
            !versions.is_empty()
        });
    }

    /// Every key that exists, with its modification revision and value.
    pub fn newest(&self) -> impl Iterator<Item = (&Bytes, i64, &Bytes)> {
        self.keys.iter().filter_map(|(key, versions)| {
            let version = versions.last().filter(|version| version.number > 0)?;
            Some((key, version.modified, &version.value))
        })
    }

    /// Forgets all versions but the newest of each key, without a compaction: for callers that never read the past.
    pub fn forget_past(&mut self) {
        self.keys.retain(|_, versions| {
            versions.drain(..versions.len() - 1);
            versions.iter().all(|version| version.number > 0)
        });
    }

    /// Forgets everything after `revision`. Takes time in the number of keys; nothing may have been compacted since.
    pub fn rewind(&mut self, revision: i64) {
        self.revision = revision;
        if let Some(changes) = &mut self.changes {
            changes.truncate(changes.partition_point(|(_, version)| version.modified <= revision));
        }
        self.keys.retain(|_, versions| {
            versions.truncate(versions.partition_point(|version| version.modified <= revision));
            !versions.is_empty()
        });
    }
}

/// Adds the newest version of a key. If one revision changes a key twice, it replaces the first change, which cannot
/// be read any more.
fn set(versions: &mut Vec<Version>, version: Version) {
    match versions.last_mut() {
        Some(last) if last.modified == version.modified => *last = version,
        _ => versions.push(version),
    }
}

/// The version at revision `at`, if the key existed then.
#[inline]
fn live(versions: &[Version], at: i64) -> Option<&Version> {
    let newest = match versions.last() {
        Some(last) if last.modified <= at => last,
        _ => &versions[versions.partition_point(|version| version.modified <= at).checked_sub(1)?],
    };
    (newest.number > 0).then_some(newest)
}

#[inline]
fn key_value(key: &Bytes, version: &Version) -> KeyValue {
    KeyValue {
        key: key.clone(),
        create_revision: version.created,
        mod_revision: version.modified,
        version: version.number,
        value: version.value.clone(),
        lease: version.lease,
    }
}
