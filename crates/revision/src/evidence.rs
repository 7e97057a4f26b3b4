//! What a watch showed.

use crate::history::History;

/// What a revision did to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The revision.
    pub revision: u32,
    /// The key.
    pub key: u32,
    /// The value that was set; `None` for a removal.
    pub value: Option<u32>,
}

impl Change {
    /// A key was set.
    pub fn put(revision: u32, key: u32, value: u32) -> Change {
        Change { revision, key, value: Some(value) }
    }

    /// A key was removed.
    pub fn delete(revision: u32, key: u32) -> Change {
        Change { revision, key, value: None }
    }
}

/// What is known of revisions from elsewhere: a watch of everything from the first revision, or a log.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// By revision and key.
    changes: Vec<Change>,
    /// In ascending order.
    nobody: Vec<u32>,
    keys: u32,
}

impl Evidence {
    /// What each revision did, by revision and key.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// All changes of one revision.
    pub fn of(&self, revision: u32) -> &[Change] {
        let from = self.changes.partition_point(|change| change.revision < revision);
        let rest = &self.changes[from..];
        &rest[..rest.iter().take_while(|change| change.revision == revision).count()]
    }

    /// Declares revisions to be made by the store itself and by none of the operations: the end of a lease removes its
    /// keys.
    pub fn by_nobody(mut self, revisions: impl IntoIterator<Item = u32>) -> Evidence {
        self.nobody.extend(revisions);
        self.nobody.sort_unstable();
        self.nobody.dedup();
        self
    }

    /// The revisions that the store made itself, in ascending order.
    pub fn nobodys(&self) -> &[u32] {
        &self.nobody
    }

    /// One more than the highest number of a key that is shown, as far as there can be such a key.
    pub(crate) fn keys(&self) -> u32 {
        self.keys
    }

    /// Whether the store made this revision itself.
    pub fn is_nobodys(&self, revision: u32) -> bool {
        self.nobody.binary_search(&revision).is_ok()
    }
}

impl<I: IntoIterator<Item = Change>> From<I> for Evidence {
    /// Of a revision that is shown at all, all changes must be shown. The same change may be shown more than once.
    fn from(changes: I) -> Evidence {
        let mut changes: Vec<Change> = changes.into_iter().collect();
        if !changes.is_sorted() {
            changes.sort_unstable();
        }
        changes.dedup();
        let possible = changes.iter().map(|change| change.key).filter(|key| *key < History::MOST_KEYS);
        let keys = possible.max().map_or(0, |key| key + 1);
        Evidence { changes, nobody: Vec::new(), keys }
    }
}
