//! Backend commits: whether they are written at once or only when the process ends, a crash or a power loss leaves
//! the same.

use std::sync::Arc;

use bytes::Bytes;
use contract::Store as _;
use member::backend::{Backend, Commit, Job, Ledger, Meta, Row};

use super::{Process, STEP, disk};

/// Commits that end before the last one.
const ENDED: u64 = 6;

fn meta(consistent_index: u64) -> Meta {
    Meta { consistent_index, term: 1, ..Meta::default() }
}

fn commit(ledger: &mut Ledger, nth: u64) -> Commit {
    let row = |row: u64| {
        (Bytes::from(format!("key {nth} {row}")), Bytes::from(vec![nth as u8; 100 * row as usize]))
    };
    (0..nth % 4 * 3).map(row).for_each(|(key, value)| ledger.stage((key, Some(value))));
    ledger.commit(meta(nth))
}

/// What one life of a process left.
#[derive(Debug, PartialEq)]
struct Left {
    rows: Vec<Row>,
    consistent_index: u64,
    /// When the last commit would have ended, in nanoseconds after it began.
    takes: u64,
    /// How many operations the disk counted until the process ended.
    operations: u64,
}

/// A process makes some commits and ends `after` nanoseconds of the last one.
fn left(seed: u64, late: bool, after: u64, power: bool) -> Left {
    let mut process = Process::new(disk(seed));
    let files = Arc::clone(&process.files);
    let (mut backend, mut loaded) =
        process.section(|_| Backend::open(files, "test.redb")).expect("a disk without faults");
    let write = |process: &Process, backend: &mut Backend, commit: &Commit, now: u64| {
        process.disk.write_commit(now);
        backend.commit(commit).expect("a disk without faults");
        process.disk.end_section();
    };
    for nth in 1..=ENDED {
        let commit = commit(&mut loaded.ledger, nth);
        let over = process.disk.begin_commit(process.now, &commit.shape());
        if late {
            backend.keep(Job::Commit(commit));
        } else {
            write(&process, &mut backend, &commit, process.now);
        }
        process.now = over;
    }
    let last = commit(&mut loaded.ledger, ENDED + 1);
    let takes = process.disk.begin_commit(process.now, &last.shape()) - process.now;
    let end = process.now + after;
    if late {
        process.disk.catch_up(end);
        backend.catch_up().expect("a disk without faults");
        process.disk.end_section();
    }
    write(&process, &mut backend, &last, if late { end } else { process.now });
    process.now = end;
    let operations = process.disk.operations();
    drop(backend);
    if power {
        process.lose_power();
    } else {
        process.crash();
    }
    let files = Arc::clone(&process.files);
    let (_, loaded) = process.section(|_| Backend::open(files, "test.redb")).expect("a whole commit");
    Left { rows: loaded.rows, consistent_index: loaded.meta.consistent_index, takes, operations }
}

#[test]
fn a_commit_that_is_written_late_is_torn_like_any_other() {
    let (mut kept, mut lost) = (0, 0);
    for power in [false, true] {
        for seed in 0..6 {
            let takes = left(seed, false, 0, power).takes;
            for after in (0..=takes).step_by(STEP as usize / 2) {
                let eager = left(seed, false, after, power);
                assert_eq!(left(seed, true, after, power), eager, "seed {seed}, {after} ns, power {power}");
                kept += u64::from(eager.consistent_index == ENDED + 1);
                lost += u64::from(eager.consistent_index == ENDED);
                // The last two operations are the write that makes the commit current, and its sync.
                if after < takes - 2 * STEP {
                    assert_eq!(eager.consistent_index, ENDED);
                }
            }
            assert_eq!(left(seed, true, takes, power).consistent_index, ENDED + 1);
        }
    }
    assert!(kept > 20 && lost > 100, "kept {kept}, lost {lost}");
}

#[test]
fn a_crash_at_a_slot_of_a_commit_prevents_what_belongs_to_it() {
    let mut process = Process::new(disk(1));
    let files = Arc::clone(&process.files);
    let (mut backend, mut loaded) = process.section(|_| Backend::open(files, "test.redb")).unwrap();
    let commit = commit(&mut loaded.ledger, 5);
    let slots: u64 = commit.shape().iter().map(|writes| u64::from(writes + 1)).sum();
    // The last operation but one makes the commit current.
    process.disk.crash_at(process.disk.ordinal() + slots - 1);
    assert!(process.disk.shows_backend());
    let over = process.disk.begin_commit(process.now, &commit.shape());
    process.disk.write_commit(process.now);
    backend.commit(&commit).unwrap();
    assert_eq!(process.disk.end_section(), Some(over));
    process.now = process.disk.armed_crash().expect("the operation was submitted");
    drop(backend);
    process.crash();
    let files = Arc::clone(&process.files);
    let (_, loaded) = process.section(|_| Backend::open(files, "test.redb")).unwrap();
    assert_eq!(loaded.meta, Meta::default());
}
