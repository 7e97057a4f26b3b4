//! Tests the backend. After any crash or power failure it holds the state after one of its commits: the last one that
//! returned, or a later one. Its consistent index belongs to the same commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use contract::Store as _;
use etcdsim_member::backend::{Backend, BackendError, Job, Ledger, Loaded, Meta, Row, Split};
use etcdsim_member::disk::{Disk as _, DiskError, DiskErrorKind, DiskOp};
use etcdsim_member::{Flaw, Flaws};
use keyed::{Draw, Ratio};
use proptest::prelude::*;

use super::disk::TestDisk;
use super::end::{End, cases, ends};

const NAME: &str = "backend.redb";
const PATH: &str = "db/backend.redb";

/// One commit: a number of rows from key number `first` on, of `size` bytes, and a number of deletions.
#[derive(Clone, Copy, Debug)]
struct Commit {
    first: u64,
    puts: u64,
    size: usize,
    deletes: u64,
}

/// Random commits.
fn commits(most: usize) -> impl Strategy<Value = Vec<Commit>> {
    let puts = prop_oneof![5 => 0..8_u64, 1 => 50..300_u64];
    let size = prop_oneof![4 => 0..300_usize, 1 => 1_000..30_000_usize];
    let commit = (0..200_u64, puts, size, 0..60_u64).prop_map(|(first, puts, size, deletes)| {
        // At most 600 kB at once.
        let puts = puts.min(600_000 / (size as u64 + 1));
        Commit { first, puts, size, deletes }
    });
    prop::collection::vec(commit, 1..most)
}

/// The content of the database.
type Rows = BTreeMap<Bytes, Bytes>;

/// What the database should hold.
type State = (Rows, Meta);

/// The key with this number.
fn key(nth: u64) -> Bytes {
    Bytes::copy_from_slice(&nth.to_be_bytes())
}

/// What a commit stores besides rows.
fn meta(index: u64) -> Meta {
    Meta {
        consistent_index: index,
        term: index / 4 + 1,
        conf_state: Bytes::from_static(b"conf"),
        scheduled_compact: index as i64 / 2,
        finished_compact: index as i64 / 3,
        state: Bytes::from_static(b"state"),
    }
}

/// A commit's parts and the state after it.
fn apply(before: &State, commit: Commit) -> (Vec<Row>, Vec<Bytes>, State) {
    let (mut rows, meta) = (before.0.clone(), meta(before.1.consistent_index + 1));
    let value = |nth: u64| Bytes::from(vec![(nth + meta.consistent_index) as u8; commit.size]);
    let puts: Vec<_> = (commit.first..commit.first + commit.puts).map(|nth| (key(nth), value(nth))).collect();
    let deleted = commit.first + commit.puts..commit.first + commit.puts + commit.deletes;
    let deletes: Vec<_> = deleted.map(key).collect();
    deletes.iter().for_each(|key| {
        rows.remove(key);
    });
    rows.extend(puts.iter().cloned());
    (puts, deletes, (rows, meta))
}

/// An open backend with its ledger.
#[derive(Debug)]
struct Open {
    backend: Backend,
    ledger: Ledger,
}

impl Open {
    fn stage(&mut self, puts: Vec<Row>, deletes: Vec<Bytes>) {
        deletes.into_iter().for_each(|key| self.ledger.stage((key, None)));
        puts.into_iter().for_each(|(key, value)| self.ledger.stage((key, Some(value))));
    }

    fn commit(&mut self, puts: &[Row], deletes: &[Bytes], meta: &Meta) -> Result<(), BackendError> {
        self.stage(puts.to_vec(), deletes.to_vec());
        self.backend.commit(&self.ledger.commit(meta.clone()))
    }

    fn install(&mut self, rows: &[Row], meta: &Meta) -> Result<(), BackendError> {
        self.backend.install(&self.ledger.install(rows.to_vec(), meta.clone()))
    }
}

/// Opens the backend.
fn open(disk: &Arc<TestDisk>) -> Result<(Open, Loaded), BackendError> {
    let (backend, loaded) = Backend::open(disk.clone(), NAME)?;
    Ok((Open { backend, ledger: loaded.ledger.clone() }, loaded))
}

/// What was loaded, in the form of the model.
fn state(loaded: Loaded) -> State {
    (loaded.rows.into_iter().collect(), loaded.meta)
}

/// Commits until the disk is gone; `states` ends with the last state that can be on disk. Returns the number
/// of durable states.
fn run(backend: &mut Open, commits: &[Commit], states: &mut Vec<State>) -> usize {
    for commit in commits {
        let (puts, deletes, state) = apply(states.last().unwrap(), *commit);
        let returned = backend.commit(&puts, &deletes, &state.1);
        states.push(state);
        if let Err(error) = returned {
            assert!(matches!(error, BackendError::Disk { .. }), "{error}");
            return states.len() - 1;
        }
    }
    states.len()
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn it_holds_what_it_held_after_a_commit(
        incarnations in prop::collection::vec((commits(8), 0..160_u64, ends(), prop::option::of((0..25_u64, ends()))), 1..4),
    ) {
        let mut disk = TestDisk::new();
        let mut states = vec![State::default()];
        let mut durable = 1;
        for (commits, last, end, interrupted) in incarnations {
            if let Some((last, end)) = interrupted {
                disk.stop_at(disk.operations() + last);
                if let Err(error) = open(&disk) {
                    prop_assert!(matches!(error, BackendError::Disk { .. }), "{error}");
                }
                disk = end.of(&disk);
            }
            let (mut backend, loaded) = open(&disk).unwrap_or_else(|error| panic!("{error}"));
            let found = state(loaded);
            let at = states.iter().rposition(|state| *state == found);
            prop_assert!(at.is_some_and(|at| at + 1 >= durable), "durable {durable}, found {at:?} of {}", states.len());
            states = vec![found];
            disk.stop_at(disk.operations() + last);
            durable = run(&mut backend, &commits, &mut states);
            let operations = disk.operations();
            drop(backend);
            prop_assert_eq!(disk.operations(), operations, "a process that is gone has written");
            disk = end.of(&disk);
        }
    }

    #[test]
    fn an_installed_snapshot_is_there_or_not(
        before in commits(5), after in commits(3), last in 0..60_u64, end in ends(),
    ) {
        let disk = TestDisk::new();
        let (mut backend, _) = open(&disk).unwrap();
        let mut states = vec![State::default()];
        run(&mut backend, &before, &mut states);
        let old = states.pop().unwrap();
        let new = after.iter().fold((Rows::new(), meta(1_000)), |state, commit| apply(&state, *commit).2);
        let rows: Vec<Row> = new.0.clone().into_iter().collect();
        disk.stop_at(disk.operations() + last);
        let installed = backend.install(&rows, &new.1);
        if installed.is_ok() {
            prop_assert_eq!(backend.ledger.meta(), &new.1);
        }
        drop(backend);
        let disk = end.of(&disk);
        let (mut backend, loaded) = open(&disk).unwrap();
        prop_assert!(!loaded.created);
        let found = state(loaded);
        prop_assert!(found == new || (found == old && installed.is_err()));
        prop_assert_eq!(disk.paths().len(), 1);
        // And it can be written to.
        prop_assert_eq!(run(&mut backend, &before, &mut vec![found]), before.len() + 1);
    }

    #[test]
    fn failing_operations_are_errors(
        commits in commits(6), nth in 0..120_u64, full in any::<bool>(), end in ends(),
    ) {
        let disk = TestDisk::new();
        let kind = if full { DiskErrorKind::Full } else { DiskErrorKind::Io };
        disk.fail_at(nth, kind);
        let mut states = vec![State::default()];
        let mut durable = 0;
        match open(&disk) {
            Ok((mut backend, _)) => {
                durable = run(&mut backend, &commits, &mut states);
                if durable < states.len() {
                    // Poisoned: nothing can be committed any more, and the error says why.
                    let error = backend.commit(&[], &[], &Meta::default()).unwrap_err();
                    let reported = matches!(&error, BackendError::Disk { error: DiskError { kind: reported, .. }, .. } if *reported == kind);
                    prop_assert!(reported, "{}", error);
                }
            }
            Err(error) => prop_assert!(matches!(error, BackendError::Disk { .. }), "{}", error),
        }
        let found = state(open(&end.of(&disk)).unwrap().1);
        let at = states.iter().rposition(|state| *state == found);
        prop_assert!(at.is_some_and(|at| at + 1 >= durable), "durable {durable}, found {at:?} of {}", states.len());
    }
}

/// A database with a history: rows, replacements, deletions, all durable; and its state after each commit.
fn settled(seed: u64) -> (Arc<TestDisk>, Vec<State>) {
    let disk = TestDisk::new();
    let (mut backend, _) = open(&disk).unwrap();
    let mut states = vec![State::default()];
    let commits: Vec<_> = (0..12)
        .map(|nth| {
            let draw = Draw(seed).then(nth);
            Commit {
                first: draw.then(0).below(150),
                puts: draw.then(1).below(40),
                size: draw.then(2).below(700) as usize,
                deletes: draw.then(3).below(30),
            }
        })
        .collect();
    run(&mut backend, &commits, &mut states);
    (disk, states)
}

#[test]
fn a_crash_at_any_operation_leaves_a_whole_commit() {
    let commits = [
        Commit { first: 0, puts: 3, size: 40, deletes: 0 },
        Commit { first: 1, puts: 200, size: 700, deletes: 5 }, // grows the file
        Commit { first: 0, puts: 0, size: 0, deletes: 199 },   // and lets it shrink
        Commit { first: 0, puts: 1, size: 40, deletes: 0 },
    ];
    for last in 0.. {
        let disk = TestDisk::new();
        disk.stop_at(last);
        let mut states = vec![State::default()];
        let durable = open(&disk).map_or(0, |(mut backend, _)| run(&mut backend, &commits, &mut states));
        for seed in 0..12 {
            let lost = [0, 10, 50, 90, 100, 50][seed as usize % 6];
            let disk = End::PowerLoss { seed, lost }.of(&disk);
            let found = state(open(&disk).unwrap_or_else(|error| panic!("{error} after {last}, {seed}")).1);
            let at = states.iter().rposition(|state| *state == found);
            assert!(at.is_some_and(|at| at + 1 >= durable), "after {last}, {seed}: {at:?}, {durable}");
        }
        if durable == commits.len() + 1 {
            return;
        }
    }
}

#[test]
fn what_a_killed_process_left_is_durable_once_it_was_opened() {
    let commit = [Commit { first: 0, puts: 3, size: 40, deletes: 0 }];
    let rows = [(key(7), key(8))];
    for last in 0..100 {
        let disk = TestDisk::new();
        disk.stop_at(last);
        if let Ok((mut backend, _)) = open(&disk) {
            let _ = backend.install(&rows, &meta(5));
        }
        let disk = disk.after_kill();
        let (mut backend, loaded) = open(&disk).unwrap();
        let mut states = vec![state(loaded)];
        assert_eq!(run(&mut backend, &commit, &mut states), 2);
        let disk = disk.after_power_loss(0, Ratio::ALWAYS);
        assert!(state(open(&disk).unwrap().1) == states[1], "killed at operation {last}");
    }
}

#[test]
fn damage_is_refused_or_harmless() {
    for seed in 0..1_500 {
        let (disk, states) = settled(seed % 20);
        let length = disk.content(PATH).len() as u64;
        let draw = Draw(seed);
        let page = |nth: u64| draw.then(nth).below(length / 4_096) as usize * 4_096;
        // Damage to the first page has the most effect.
        let byte = draw.then(1).below(if seed % 2 == 0 { 400 } else { length }) as usize;
        disk.damage(PATH, |content| match draw.then(2).below(4) {
            0 | 1 => content[byte] ^= 1 << draw.then(3).below(8),
            2 => content[byte / 512 * 512..][..512].fill(0),
            _ => content.copy_within(page(4)..page(4) + 4_096, page(5)),
        });
        match open(&disk.copy()) {
            Err(BackendError::Damaged { path, .. }) => assert_eq!(&*path, PATH),
            Err(error) => panic!("seed {seed}: {error}"),
            Ok((_, loaded)) => {
                let found = state(loaded);
                let back = states.iter().rev().position(|state| *state == found);
                // redb's flag byte, which nothing protects, can point to the previous root.
                let most = usize::from(byte == 9);
                assert!(back.is_some_and(|back| back <= most), "seed {seed} went unnoticed");
            }
        }
    }
}

#[test]
fn a_flip_in_a_page_header_does_not_panic() {
    // The location of redb's roots and page layout: a plain open would follow them unchecked.
    let disk = TestDisk::new();
    let (mut backend, _) = open(&disk).unwrap();
    let mut states = vec![State::default()];
    run(&mut backend, &[Commit { first: 0, puts: 9, size: 90, deletes: 0 }; 3], &mut states);
    let heads = (0..disk.content(PATH).len()).filter(|byte| *byte < 320 || byte % 4_096 < 12);
    for byte in heads {
        for bit in 0..8 {
            let disk = disk.copy();
            disk.damage(PATH, |content| content[byte] ^= 1 << bit);
            if let Ok((_, loaded)) = open(&disk) {
                let found = state(loaded);
                assert!(found == states[3] || (byte == 9 && found == states[2]), "byte {byte}, bit {bit}");
            }
        }
    }
}

#[test]
fn a_file_cut_short_is_refused() {
    let (disk, _) = settled(3);
    let length = disk.content(PATH).len();
    for length in (0..length).step_by(1_024) {
        let disk = disk.copy();
        disk.damage(PATH, |content| content.truncate(length));
        let error = open(&disk).unwrap_err();
        assert!(matches!(error, BackendError::Damaged { .. }), "{length}: {error}");
        // redb turns an empty file into a new database, which would hide what happened.
        assert!(length > 0 || disk.content(PATH).is_empty());
    }
}

/// A file on the test's disk as redb sees it.
#[derive(Debug)]
struct Raw(Arc<TestDisk>);

impl Raw {
    fn perform(&self, op: DiskOp) -> std::io::Result<()> {
        self.0.perform(&op).map_err(std::io::Error::other)
    }
}

impl redb::StorageBackend for Raw {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len(PATH).map_err(std::io::Error::other)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(PATH, offset, out).map_err(std::io::Error::other)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.perform(DiskOp::Truncate { path: PATH.into(), len })
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.perform(DiskOp::Sync { path: PATH.into() })
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.perform(DiskOp::WriteAt { path: PATH.into(), offset, data: Bytes::copy_from_slice(data) })
    }
}

#[test]
fn a_row_that_redb_lost_is_noticed() {
    let (disk, states) = settled(4);
    let first = states.last().unwrap().0.keys().next().unwrap();
    let database = redb::Database::builder().create_with_backend(Raw(disk.clone())).unwrap();
    let transaction = database.begin_write().unwrap();
    let rows = redb::TableDefinition::<&[u8], &[u8]>::new("rows");
    transaction.open_table(rows).unwrap().remove(&first[..]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = open(&disk).unwrap_err().to_string();
    assert!(error.contains("rows add up to"), "{error}");
}

#[test]
fn the_flaws_tear_rows_and_index_apart_and_nothing_else_does() {
    let (old, new) = (
        (Rows::new(), meta(7)),
        apply(&(Rows::new(), meta(7)), Commit { first: 0, puts: 2, size: 9, deletes: 0 }),
    );
    let (puts, deletes, new) = new;
    for (split, halfway) in [
        (None, None),
        (
            Some(Split::RowsFirst),
            Some((new.0.clone(), Meta { consistent_index: 7, term: old.1.term, ..new.1.clone() })),
        ),
        (
            Some(Split::IndexFirst),
            Some((old.0.clone(), Meta { consistent_index: 8, term: new.1.term, ..old.1.clone() })),
        ),
    ] {
        let mut seen_halfway = false;
        for last in 0..40 {
            let disk = TestDisk::new();
            let (mut backend, _) = open(&disk).unwrap();
            backend.commit(&[], &[], &old.1).unwrap();
            disk.stop_at(disk.operations() + last);
            let (puts, deletes, meta) = (puts.clone(), deletes.clone(), new.1.clone());
            backend.stage(puts, deletes);
            let commit = match split {
                None => backend.ledger.commit(meta),
                Some(split) => backend.ledger.commit_split(meta, split),
            };
            let _ = backend.backend.commit(&commit);
            let found = state(open(&disk.after_power_loss(last, Ratio::ALWAYS)).unwrap().1);
            seen_halfway |= Some(&found) == halfway.as_ref();
            assert!(found == old || found == new || Some(&found) == halfway.as_ref());
        }
        assert_eq!(seen_halfway, split.is_some());
    }
}

#[test]
fn the_same_commits_make_the_same_file() {
    let content = || settled(5).0.content(PATH);
    assert!(content() == content(), "the backend depends on something that no seed decides (rule R3)");
}

#[test]
fn a_lost_file_is_created_again_and_reported() {
    let disk = TestDisk::new();
    let (_, loaded) = open(&disk).unwrap();
    assert_eq!(loaded, Loaded { created: true, ..Loaded::default() });
    let (_, loaded) = open(&disk).unwrap();
    assert!(!loaded.created);
}

/// What a backend holds that wrote each commit at once, and one that kept them and caught up before some of them.
fn both(commits: &[(Commit, bool)], flaws: Flaws) -> (State, Result<State, BackendError>) {
    let disks = [TestDisk::new(), TestDisk::new()];
    let mut eager = open(&disks[0]).unwrap().0;
    let mut lazy = open(&disks[1]).unwrap().0;
    lazy.backend.set_flaws(flaws);
    let mut state = State::default();
    for (commit, caught_up) in commits {
        if *caught_up {
            lazy.backend.catch_up().unwrap();
        }
        let (puts, deletes, after) = apply(&state, *commit);
        eager.commit(&puts, &deletes, &after.1).unwrap();
        lazy.stage(puts, deletes);
        let commit = lazy.ledger.commit(after.1.clone());
        lazy.backend.keep(Job::Commit(commit));
        state = after;
    }
    lazy.backend.catch_up().unwrap();
    assert!(!lazy.backend.is_behind());
    assert_eq!(lazy.ledger, eager.ledger);
    drop((eager, lazy));
    let [eager, lazy] = disks.map(|disk| open(&disk.after_power_loss(0, Ratio::ALWAYS)));
    (self::state(eager.unwrap().1), lazy.map(|(_, loaded)| self::state(loaded)))
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn kept_commits_are_there_once_it_has_caught_up(
        commits in commits(12), caught_up in prop::collection::vec(prop::bool::weighted(0.2), 12),
    ) {
        let commits: Vec<_> = commits.into_iter().zip(caught_up).collect();
        let (eager, lazy) = both(&commits, Flaws::NONE);
        prop_assert!(eager == lazy.unwrap());
    }
}

#[test]
fn what_catching_up_leaves_out_is_noticed() {
    let commit = |first| (Commit { first, puts: 3, size: 20, deletes: 0 }, false);
    for flaw in [Flaw::KeptCommitLeftOut, Flaw::KeptRowLeftOut] {
        let (_, lazy) = both(&[commit(0), commit(10), commit(20)], Flaws::NONE.with(flaw));
        let error = lazy.unwrap_err().to_string();
        assert!(error.contains("rows add up to"), "{flaw}: {error}");
    }
    let (eager, lazy) = both(&[commit(0), commit(10)], Flaws::NONE.with(Flaw::KeptIndexTooFar));
    assert_eq!(lazy.unwrap().1.consistent_index, eager.1.consistent_index + 1);
}

#[test]
fn what_a_backend_keeps_is_bounded() {
    let (mut open, _) = open(&TestDisk::new()).unwrap();
    let mut kept = 0;
    while !open.backend.keeps_too_much() {
        let (puts, deletes, (_, meta)) =
            apply(&State::default(), Commit { first: kept, puts: 10, size: 9, deletes: 0 });
        open.stage(puts, deletes);
        let commit = open.ledger.commit(meta);
        open.backend.keep(Job::Commit(commit));
        kept += 10;
    }
    assert_eq!(kept, 10_000);
    open.backend.catch_up().unwrap();
    assert!(!open.backend.keeps_too_much());
    let (puts, deletes, (_, meta)) =
        apply(&State::default(), Commit { first: 0, puts: 9, size: 1 << 20, deletes: 0 });
    open.stage(puts, deletes);
    let commit = open.ledger.commit(meta);
    open.backend.keep(Job::Commit(commit));
    assert!(open.backend.keeps_too_much());
}

#[test]
fn the_shape_of_a_commit_is_what_redb_does() {
    // Puts, their size, deletions.
    let kinds = [(0, 0, 0), (1, 20, 0), (1, 20, 1), (3, 40, 2), (10, 40, 0), (30, 60, 10), (100, 60, 0)];
    let large = [(100, 1_000, 20), (4, 20_000, 0), (300, 30, 300)];
    for (puts, size, deletes) in kinds.into_iter().chain(large) {
        let disk = TestDisk::new();
        let (mut backend, _) = open(&disk).unwrap();
        let mut state = State::default();
        let (mut made, mut modelled) = (0, 0);
        for nth in 0..40 {
            let commit = Commit { first: nth * 7 % 400, puts, size, deletes };
            let (puts, deletes, after) = apply(&state, commit);
            backend.stage(puts, deletes);
            let commit = backend.ledger.commit(after.1.clone());
            let before = disk.operations();
            backend.backend.commit(&commit).unwrap();
            // The first ones grow the file.
            if nth >= 5 {
                made += disk.operations() - before - 2;
                modelled += u64::from(commit.shape().iter().sum::<u32>());
            }
            state = after;
        }
        let message = format!("35 commits of {puts} puts of {size} bytes: {made} writes, not {modelled}");
        assert!(made.abs_diff(modelled) <= 35 + made / 10, "{message}");
    }
}
