//! Which name refers to which file, in the cache and on the medium.
//!
//! A change of a name is durable once its directory is synced. Until then a power failure may undo it. Of
//! several changes to one name the first ones survive, up to some point; changes to different names survive
//! independently. A rename changes two names or none, so it is enough to sync the directory of either.

use std::collections::{BTreeMap, BTreeSet};

use contract::disk::Path;
use keyed::Draw;

use super::stamp::Stamp;
use super::survival;

/// A file's number. It does not change when the file is renamed, and is not reused.
pub(super) type FileId = u32;

/// The names of a disk.
#[derive(Debug, Default)]
pub(super) struct Names {
    cached: BTreeMap<Path, FileId>,
    durable: BTreeMap<Path, FileId>,
    /// Changes that no sync of their directory covers yet, in order.
    log: Vec<Entry>,
    /// Virtual time at which the last change ends: changes of names run one after another.
    pub(super) busy_until: u64,
}

#[derive(Debug)]
struct Entry {
    stamp: Stamp,
    change: Change,
}

/// A change of names.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// The name refers to this file.
    Create(Path, FileId),
    /// The second name refers to the file of the first one, and the first one to nothing.
    Rename(Path, Path),
    /// The name refers to nothing.
    Remove(Path),
}

/// The directory of a path; the data directory itself is the empty path.
pub(super) fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

impl Change {
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let (first, second) = match self {
            Change::Create(path, _) | Change::Remove(path) => (path, None),
            Change::Rename(from, to) => (from, Some(to)),
        };
        std::iter::once(first).chain(second)
    }

    fn apply(&self, names: &mut BTreeMap<Path, FileId>) {
        match self {
            Change::Create(path, file) => {
                names.insert(path.clone(), *file);
            }
            Change::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Change::Remove(path) => {
                names.remove(path);
            }
        }
    }
}

impl Names {
    /// The file a name refers to in the cache.
    pub(super) fn get(&self, path: &str) -> Option<FileId> {
        self.cached.get(path).copied()
    }

    /// All names in the cache.
    pub(super) fn cached(&self) -> &BTreeMap<Path, FileId> {
        &self.cached
    }

    /// All names on the medium.
    pub(super) fn durable(&self) -> &BTreeMap<Path, FileId> {
        &self.durable
    }

    /// The names in a directory, sorted, without the directory.
    pub(super) fn list(&self, directory: &str) -> Vec<String> {
        let inside = self.cached.keys().filter(|path| self::directory(path) == directory);
        inside.map(|path| path.rsplit('/').next().unwrap_or(path).to_owned()).collect()
    }

    /// Changes a name in the cache.
    pub(super) fn change(&mut self, stamp: Stamp, change: Change) {
        change.apply(&mut self.cached);
        self.log.push(Entry { stamp, change });
    }

    /// A name is gone, in the cache and on the medium.
    pub(super) fn lose(&mut self, path: &Path) {
        self.cached.remove(path);
        self.durable.remove(path);
        self.log.retain(|entry| entry.change.paths().all(|other| other != path));
    }

    /// Two names, each of which refers to the same file in the cache and on the medium, exchange their files.
    pub(super) fn swap(&mut self, one: &Path, other: &Path) {
        for names in [&mut self.cached, &mut self.durable] {
            if let (Some(first), Some(second)) = (names.get(one).copied(), names.get(other).copied()) {
                names.insert(one.clone(), second);
                names.insert(other.clone(), first);
            }
        }
    }

    /// A sync of a directory has ended: its changes before the sync are durable, and so are earlier changes to
    /// the same names.
    pub(super) fn make_durable(&mut self, directory: &str, sync: Stamp) {
        let mut needed = BTreeSet::new();
        let mut covered = vec![false; self.log.len()];
        for (index, entry) in self.log.iter().enumerate().rev().filter(|(_, entry)| entry.stamp < sync) {
            let paths = || entry.change.paths();
            covered[index] = paths().any(|path| self::directory(path) == directory || needed.contains(path));
            if covered[index] {
                needed.extend(paths().cloned());
            }
        }
        let mut covered = covered.into_iter();
        let durable = &mut self.durable;
        self.log.retain(|entry| {
            let covered = covered.next() == Some(true);
            if covered {
                entry.change.apply(durable);
            }
            !covered
        });
    }

    /// Undoes the changes from this one on: they never happened.
    pub(super) fn undo(&mut self, from: Stamp) {
        self.log.retain(|entry| entry.stamp < from);
        self.cached = self.durable.clone();
        for entry in &self.log {
            entry.change.apply(&mut self.cached);
        }
    }

    /// The newest unsynced change's ordinal; 0 if there is none.
    pub(super) fn newest(&self) -> u64 {
        self.log.last().map_or(0, |entry| entry.stamp.ordinal)
    }

    /// Power fails. Returns how many unsynced changes are lost.
    pub(super) fn lose_power(&mut self, draw: Draw) -> u64 {
        let parts = survival::parts(draw);
        let mut lost_names = BTreeSet::new();
        let mut lost = 0;
        for entry in self.log.drain(..) {
            let builds_on_lost = entry.change.paths().any(|path| lost_names.contains(path));
            if builds_on_lost || survival::version(draw.then(entry.stamp.ordinal), 2, parts) == 0 {
                lost += 1;
                lost_names.extend(entry.change.paths().cloned());
            } else {
                entry.change.apply(&mut self.durable);
            }
        }
        self.cached = self.durable.clone();
        lost
    }

    /// The files that a name may still refer to.
    pub(super) fn referenced(&self) -> BTreeSet<FileId> {
        let created = self.log.iter().filter_map(|entry| match entry.change {
            Change::Create(_, file) => Some(file),
            _ => None,
        });
        self.cached.values().chain(self.durable.values()).copied().chain(created).collect()
    }
}
