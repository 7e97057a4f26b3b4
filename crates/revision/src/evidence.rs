//! Evidence: what revisions did, as a watch of the whole store shows it. It is needed for changes whose clients got no
//! answer.

use crate::history::History;

/// One key's change at a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The revision.
    pub revision: u32,
    /// The key.
    pub key: u32,
    /// The value that was set; `None` for a deletion.
    pub value: Option<u32>,
}

impl Change {
    /// A key was set.
    pub fn put(revision: u32, key: u32, value: u32) -> Change {
        Change { revision, key, value: Some(value) }
    }

    /// A key was deleted.
    pub fn delete(revision: u32, key: u32) -> Change {
        Change { revision, key, value: None }
    }
}

/// What revisions did, according to a source other than the answers: a watch of all keys from the first revision on, or
/// the store's log.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Sorted by revision and key.
    changes: Vec<Change>,
    /// The revisions that the store made itself, in ascending order.
    store_made: Vec<u32>,
    /// One more than the highest valid number of a key in `changes`.
    keys: u32,
}

impl Evidence {
    /// All changes, sorted by revision and key.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// All changes of one revision; empty if it was not shown.
    pub fn of(&self, revision: u32) -> &[Change] {
        let from = self.changes.partition_point(|change| change.revision < revision);
        let rest = &self.changes[from..];
        &rest[..rest.iter().take_while(|change| change.revision == revision).count()]
    }

    /// Declares that the store itself, and no operation, made these revisions. For example, etcd deletes the keys of a
    /// lease that expires.
    pub fn made_by_store(mut self, revisions: impl IntoIterator<Item = u32>) -> Evidence {
        self.store_made.extend(revisions);
        self.store_made.sort_unstable();
        self.store_made.dedup();
        self
    }

    /// The revisions that the store made itself, in ascending order.
    pub fn store_made(&self) -> &[u32] {
        &self.store_made
    }

    /// One more than the highest valid number of a key that is shown.
    pub(crate) fn keys(&self) -> u32 {
        self.keys
    }

    /// Whether the store made this revision itself.
    pub fn is_store_made(&self, revision: u32) -> bool {
        self.store_made.binary_search(&revision).is_ok()
    }
}

impl<I: IntoIterator<Item = Change>> From<I> for Evidence {
    /// For each revision, `changes` must have either all of its changes or none. The same change may occur more than
    /// once.
    fn from(changes: I) -> Evidence {
        let mut changes: Vec<Change> = changes.into_iter().collect();
        if !changes.is_sorted() {
            changes.sort_unstable();
        }
        changes.dedup();
        let possible = changes.iter().map(|change| change.key).filter(|key| *key < History::KEYS_MAX);
        let keys = possible.max().map_or(0, |key| key + 1);
        Evidence { changes, store_made: Vec::new(), keys }
    }
}
