//! Compares what power failures leave on the simulated disk with what a simple model allows. The model keeps full
//! copies of every file after every operation.
//!
//! It allows what POSIX allows after a power failure: a file has any length that it had since its last sync, each of
//! its sectors is as it was at some moment since then, and of the changes of names any subset took place.

use std::collections::{BTreeMap, BTreeSet};

use contract::disk::DiskOp;
use proptest::prelude::*;

use super::parity::operation;
use super::*;

const SECTOR: usize = 512;
/// With more unsynced name changes than this there are too many sets to try.
const CHANGES_MAX: usize = 10;

/// The index of the file behind each name.
type Names = BTreeMap<String, usize>;

/// The model.
#[derive(Default)]
struct Twin {
    /// For each file, full copies since its last sync, the synced one first.
    files: Vec<Vec<Vec<u8>>>,
    /// The names as a running process sees them.
    cached: Names,
    /// The names as of the last sync of their directories.
    durable: Names,
    /// The changes of names since then.
    changes: Vec<DiskOp>,
    /// For each creation among `changes`, by its index there: the index of the file.
    created: BTreeMap<usize, usize>,
}

impl Twin {
    /// An operation that succeeded.
    fn perform(&mut self, op: &DiskOp) {
        match op {
            DiskOp::Create { .. } | DiskOp::Rename { .. } | DiskOp::Remove { .. } => self.change(op),
            DiskOp::Append { path, data } => self.edit(path, |file| file.extend_from_slice(data)),
            DiskOp::WriteAt { path, offset, data } if !data.is_empty() => self.edit(path, |file| {
                let (from, to) = (*offset as usize, *offset as usize + data.len());
                file.resize(file.len().max(to), 0);
                file[from..to].copy_from_slice(data);
            }),
            DiskOp::WriteAt { .. } => {}
            DiskOp::Truncate { path, len } => self.edit(path, |file| file.resize(*len as usize, 0)),
            DiskOp::Sync { path } => {
                let history = &mut self.files[self.cached[&**path]];
                history.drain(..history.len() - 1);
            }
            DiskOp::SyncDir { path } => self.sync_names(path),
        }
    }

    /// Keeps a new copy of a file, with an edit.
    fn edit(&mut self, path: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let history = &mut self.files[self.cached[path]];
        let mut file = history.last().unwrap().clone();
        edit(&mut file);
        history.push(file);
    }

    /// Changes names.
    fn change(&mut self, op: &DiskOp) {
        if let DiskOp::Rename { from, to } = op
            && from == to
        {
            return;
        }
        if let DiskOp::Create { .. } = op {
            self.created.insert(self.changes.len(), self.files.len());
            self.files.push(vec![Vec::new()]);
        }
        self.changes.push(op.clone());
        self.cached = self.after(|_| true);
    }

    /// The names after some of the unsynced changes.
    fn after(&self, survives: impl Fn(usize) -> bool) -> Names {
        let mut names = self.durable.clone();
        for (index, change) in self.changes.iter().enumerate().filter(|(index, _)| survives(*index)) {
            match change {
                DiskOp::Create { path } => {
                    names.insert(path.to_string(), self.created[&index]);
                }
                DiskOp::Rename { from, to } => {
                    if let Some(file) = names.remove(&**from) {
                        names.insert(to.to_string(), file);
                    }
                }
                DiskOp::Remove { path } => {
                    names.remove(&**path);
                }
                other => panic!("{other:?} changes no names"),
            }
        }
        names
    }

    /// Changes in a directory become durable, with everything they build on.
    fn sync_names(&mut self, directory: &str) {
        let mut covered = BTreeSet::new();
        for index in (0..self.changes.len()).rev() {
            let inside =
                paths(&self.changes[index]).iter().any(|path| path.split('/').next() == Some(directory));
            if inside || covered.iter().any(|later| self.shares(index, *later)) {
                covered.insert(index);
            }
        }
        self.durable = self.after(|index| covered.contains(&index));
        let kept: Vec<_> = (0..self.changes.len()).filter(|index| !covered.contains(index)).collect();
        self.created =
            kept.iter().enumerate().filter_map(|(to, from)| Some((to, *self.created.get(from)?))).collect();
        self.changes = kept.iter().map(|index| self.changes[*index].clone()).collect();
    }

    fn shares(&self, one: usize, other: usize) -> bool {
        let other = paths(&self.changes[other]);
        paths(&self.changes[one]).iter().any(|path| other.contains(path))
    }

    /// Whether a power failure may leave this.
    fn allows(&self, found: &BTreeMap<String, Vec<u8>>) -> bool {
        (0..1_u32 << self.changes.len()).any(|set| {
            let survives = |index: usize| set >> index & 1 == 1;
            let in_order = (0..self.changes.len())
                .filter(|later| survives(*later))
                .all(|later| (0..later).all(|earlier| survives(earlier) || !self.shares(earlier, later)));
            let names = if in_order { self.after(survives) } else { return false };
            names.keys().eq(found.keys())
                && names.iter().all(|(path, file)| self.may_hold(*file, &found[path]))
        })
    }

    fn may_hold(&self, file: usize, found: &[u8]) -> bool {
        let history = &self.files[file];
        history.iter().any(|version| version.len() == found.len())
            && found.chunks(SECTOR).enumerate().all(|(index, sector)| {
                (0..history.len()).any(|version| may_hold_sector(&history[version..], index, sector))
            })
    }

    /// The model of a disk that holds this and nothing unsynced.
    fn of(found: &BTreeMap<String, Vec<u8>>) -> Twin {
        let names: Names = found.keys().cloned().zip(0..).collect();
        let files = found.values().map(|content| vec![content.clone()]).collect();
        Twin { files, cached: names.clone(), durable: names, ..Twin::default() }
    }
}

/// Whether a sector may be as it was in the first of these versions, or what later truncations left of that.
fn may_hold_sector(versions: &[Vec<u8>], index: usize, sector: &[u8]) -> bool {
    let mut cut = usize::MAX;
    versions.iter().any(|later| {
        cut = cut.min(later.len());
        let kept = versions[0].iter().take(cut).skip(index * SECTOR).chain(std::iter::repeat(&0));
        sector.iter().eq(kept.take(sector.len()))
    })
}

/// The names that a change of names concerns.
fn paths(op: &DiskOp) -> Vec<&str> {
    match op {
        DiskOp::Create { path } | DiskOp::Remove { path } => vec![path],
        DiskOp::Rename { from, to } => vec![from, to],
        other => panic!("{other:?} changes no names"),
    }
}

/// What one process does with its disk, each operation in a section or (`true`) as a job, and how it ends:
/// after this many steps, by a power failure (`true`) or a crash.
type Life = (Vec<(DiskOp, bool)>, u64, bool);

/// A random [`Life`].
fn life() -> impl Strategy<Value = Life> {
    (proptest::collection::vec((operation(), any::<bool>()), 1..30), 0..30_u64, any::<bool>())
}

/// Does the operations at once and returns those that succeeded and have ended at `end`.
fn live(process: &mut Process, operations: Vec<(DiskOp, bool)>, end: u64, changes_max: usize) -> Vec<DiskOp> {
    let start = process.now;
    let mut changes = 0;
    let mut asked = Vec::new();
    for (id, (op, as_job)) in (1..).zip(operations) {
        if matches!(op, DiskOp::Create { .. } | DiskOp::Rename { .. } | DiskOp::Remove { .. }) {
            changes += 1;
            if changes > changes_max {
                continue;
            }
        }
        if as_job {
            let over = process.disk.submit(start, &job(id, vec![op.clone()]));
            asked.push((op, over, None, id));
        } else {
            process.disk.begin_section(start);
            let done = process.files.perform(&op).is_ok();
            let over = process.disk.end_section().unwrap();
            asked.push((op, over, Some(done), id));
        }
    }
    process.now = end;
    asked.retain(|(_, over, ..)| *over <= end);
    asked.retain(|(_, _, done, id)| {
        done.unwrap_or_else(|| process.disk.complete(end, *id).unwrap().result.is_ok())
    });
    asked.into_iter().map(|(op, ..)| op).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Several processes on one disk. An operation that had not ended must not have an effect, and a power
    /// failure must not take more or less than POSIX allows.
    #[test]
    fn a_crash_leaves_what_happened_and_a_power_failure_what_posix_allows(
        seed in any::<u64>(),
        lives in proptest::collection::vec(life(), 1..5)
    ) {
        let mut process = Process::new(disk(seed));
        let mut twin = Twin::default();
        for (operations, steps, power) in lives {
            let end = process.now + steps * STEP;
            let happened = live(&mut process, operations, end, CHANGES_MAX - twin.changes.len());
            happened.iter().for_each(|op| twin.perform(op));
            if power {
                process.lose_power();
                let found = process.disk.durable_files(process.now);
                prop_assert!(found == process.disk.cached_files());
                prop_assert!(twin.allows(&found), "{:?} after {:?}", found.keys(), happened);
                twin = Twin::of(&found);
            } else {
                process.crash();
                let newest = |file: &usize| twin.files[*file].last().unwrap().clone();
                let expected: BTreeMap<_, _> = twin.cached.iter().map(|(path, file)| (path.clone(), newest(file))).collect();
                prop_assert!(process.disk.cached_files() == expected, "after {:?}", happened);
            }
        }
    }
}

#[test]
fn what_was_synced_survives() {
    for seed in 0..50 {
        let mut process = Process::new(disk(seed));
        process.make("wal/1", &[7; 3000]);
        process.perform(append("wal/1", &[8; 3000])).unwrap();
        process.lose_power();
        let content = process.read("wal/1");
        assert_eq!(content[..3000], [7; 3000]);
        assert!(content[3000..].iter().all(|byte| [0, 8].contains(byte)));
    }
}

#[test]
fn everything_possible_happens() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let mut process = Process::new(disk(seed));
        process.make("wal/1", &[]);
        process.perform(append("wal/1", &[8; 2048])).unwrap();
        process.lose_power();
        let content = process.read("wal/1");
        seen.insert(match (content.len(), content.iter().filter(|byte| **byte == 8).count()) {
            (0, _) => "nothing",
            (_, 0) => "its length alone",
            (_, 2048) => "everything",
            _ => "a torn write",
        });
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn a_file_without_a_synced_directory_may_vanish_although_its_content_was_synced() {
    let outcomes: BTreeSet<_> = (0..50)
        .map(|seed| {
            let mut process = Process::new(disk(seed));
            for op in [create("wal/1"), append("wal/1", &[1; 10]), sync("wal/1")] {
                process.perform(op).unwrap();
            }
            process.lose_power();
            process.disk.durable_files(process.now).into_iter().collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(outcomes, BTreeSet::from([vec![], vec![("wal/1".to_owned(), vec![1; 10])]]));
}

#[test]
fn a_rename_happens_wholly_or_not_at_all() {
    let outcomes: BTreeSet<_> = (0..50)
        .map(|seed| {
            let mut process = Process::new(disk(seed));
            process.make("snap/new", b"new");
            process.make("snap/now", b"old");
            process.perform(rename("snap/new", "snap/now")).unwrap();
            process.lose_power();
            process.disk.durable_files(process.now)
        })
        .collect();
    let file = |name: &str, content: &[u8]| (format!("snap/{name}"), content.to_vec());
    let undone = BTreeMap::from([file("new", b"new"), file("now", b"old")]);
    let done = BTreeMap::from([file("now", b"new")]);
    assert_eq!(outcomes, BTreeSet::from([undone, done]));
}

#[test]
fn what_a_surviving_truncation_cut_does_not_come_back() {
    for seed in 0..100 {
        let mut process = Process::new(disk(seed));
        process.make("wal/1", &[7; 4000]);
        for op in [truncate("wal/1", 700), truncate("wal/1", 4000)] {
            process.perform(op).unwrap();
        }
        process.perform(append("wal/1", &[9; 10])).unwrap();
        process.lose_power();
        let content = process.read("wal/1");
        let cut = content.iter().skip(700).take(3300).filter(|byte| **byte == 7).count();
        match content.len() {
            700 => assert_eq!(cut, 0),
            4010 => assert_eq!(cut, 0),
            // Either no truncation survived or both did.
            4000 => assert!(cut == 0 || cut == 3300, "{cut} bytes came back"),
            other => panic!("a length of {other} never was"),
        }
    }
}

#[test]
fn what_was_written_behind_a_lost_truncation_is_lost_with_it() {
    for seed in 0..100 {
        let mut process = Process::new(disk(seed));
        process.make("wal/1", &[7; 4096]);
        for op in [truncate("wal/1", 0), append("wal/1", &[9; 512])] {
            process.perform(op).unwrap();
        }
        process.lose_power();
        let content = process.read("wal/1");
        assert!(
            content.len() < 4096 || content == [7; 4096],
            "seed {seed}: a write landed in a file that was never cut"
        );
    }
}
