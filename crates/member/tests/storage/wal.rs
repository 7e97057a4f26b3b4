//! The write-ahead log: whatever happens, it recovers to its state after one of its calls, not before the
//! last synced one; damage is refused.

use std::sync::Arc;

use bytes::Bytes;
use etcdsim_member::disk::{Disk, DiskErrorKind, DiskOp};
use etcdsim_member::wal::{Marker, Recovered, Replay, Wal, WalError};
use keyed::{Draw, Ratio};
use proptest::prelude::*;
use raft::eraftpb::{ConfState, Entry, HardState};

use super::disk::TestDisk;
use super::end::{End, cases, ends};

/// One call of the log, in terms that fit any state.
#[derive(Clone, Copy, Debug)]
enum Call {
    /// `count` entries of `size` bytes, the first of them `back` before the end, unless that is committed.
    Append { back: u64, count: u64, size: usize, commit: bool, sync: bool },
    /// A snapshot of what is committed.
    Mark,
    /// A leader's snapshot, that far ahead of the commit index.
    Replace { ahead: u64, count: u64 },
    /// Releases what the last marker makes unnecessary.
    Release,
}

fn calls(most: usize) -> impl Strategy<Value = Vec<Call>> {
    let size = prop_oneof![4 => 0..200_usize, 1 => 400..3_000_usize];
    let append = (0..4_u64, 0..5_u64, size, any::<bool>(), prop::bool::weighted(0.7))
        .prop_map(|(back, count, size, commit, sync)| Call::Append { back, count, size, commit, sync });
    let replace = (0..6_u64, 0..3_u64).prop_map(|(ahead, count)| Call::Replace { ahead, count });
    prop::collection::vec(
        prop_oneof![12 => append, 2 => Just(Call::Mark), 1 => replace, 2 => Just(Call::Release)],
        1..most,
    )
}

/// What the log should be.
#[derive(Clone, Debug, PartialEq)]
struct Model {
    hard_state: HardState,
    /// The snapshot from which it would be replayed.
    marker: Marker,
    /// The entries after the marker.
    entries: Vec<Entry>,
}

impl Model {
    fn new() -> Model {
        Model { hard_state: HardState::default(), marker: marker(0, 0), entries: Vec::new() }
    }

    fn last_index(&self) -> u64 {
        self.marker.index + self.entries.len() as u64
    }

    fn term_at(&self, index: u64) -> u64 {
        match index.checked_sub(self.marker.index + 1) {
            Some(at) => self.entries[at as usize].term,
            None => self.marker.term,
        }
    }

    fn cut(&mut self, marker: &Marker) {
        self.entries.retain(|entry| entry.index > marker.index);
        self.marker = marker.clone();
    }
}

fn marker(index: u64, term: u64) -> Marker {
    Marker { index, term, conf_state: ConfState { voters: vec![1, 2, 3], ..ConfState::default() } }
}

fn entry(index: u64, term: u64, size: usize) -> Entry {
    // Long values are full of zeros, which must not pass for a missing sector.
    let byte = if size > 1_000 { 0 } else { index as u8 };
    Entry {
        index,
        term,
        data: vec![byte; size].into(),
        context: Bytes::from_static(b"c"),
        ..Entry::default()
    }
}

/// A log, its disk, and what it should be after each call.
struct Run {
    disk: Arc<TestDisk>,
    wal: Wal,
    states: Vec<Model>,
    /// The last durable state.
    synced: usize,
    /// The last state that may be partly in the file.
    written: usize,
}

const SEGMENT: u64 = 2_000;

impl Run {
    fn new() -> Run {
        let disk = TestDisk::new();
        let mut ops = Vec::new();
        let (mut wal, position) = Wal::create(&marker(0, 0), &HardState::default(), SEGMENT, &mut ops);
        disk.run(&ops).unwrap();
        wal.durable(position);
        Run { disk, wal, states: vec![Model::new()], synced: 0, written: 0 }
    }

    /// Makes calls until the disk is gone.
    fn calls(&mut self, calls: &[Call]) {
        for call in calls {
            let mut model = self.states[self.written].clone();
            let mut ops = Vec::new();
            let position = match *call {
                Call::Append { back, count, size, commit, sync } => {
                    let last = model.last_index();
                    let back = back.min(last - model.hard_state.commit);
                    let first = last + 1 - back;
                    if back > 0 || model.hard_state.term == 0 {
                        model.hard_state.term += 1;
                        model.hard_state.vote = model.hard_state.term % 3 + 1;
                    }
                    let term = model.hard_state.term;
                    let entries: Vec<_> =
                        (first..first + count).map(|index| entry(index, term, size)).collect();
                    if count > 0 {
                        model.entries.truncate((first - model.marker.index - 1) as usize);
                        model.entries.extend(entries.iter().cloned());
                    }
                    if commit {
                        model.hard_state.commit = model.last_index();
                    }
                    let changed = model.hard_state != self.states[self.written].hard_state;
                    if !changed && entries.is_empty() {
                        continue;
                    }
                    self.wal.append(changed.then_some(&model.hard_state), &entries, sync, &mut ops)
                }
                Call::Mark => {
                    let index = model.hard_state.commit;
                    let marker = marker(index, model.term_at(index));
                    model.cut(&marker);
                    self.wal.mark_snapshot(&marker, &mut ops)
                }
                Call::Replace { ahead, count } => {
                    model.hard_state.term += 1;
                    let term = model.hard_state.term;
                    let marker = marker(model.hard_state.commit + 1 + ahead, term);
                    model.hard_state.commit = marker.index;
                    model.entries.clear();
                    let entries: Vec<_> = (marker.index + 1..=marker.index + count)
                        .map(|index| entry(index, term, 50))
                        .collect();
                    model.entries.extend(entries.iter().cloned());
                    model.marker = marker.clone();
                    self.wal.replace(&marker, &model.hard_state, &entries, &mut ops)
                }
                Call::Release => {
                    // Only what is durable may be relied on.
                    if self.synced == self.written {
                        self.wal.release(model.marker.index, &mut ops);
                        if let Err(error) = self.disk.run(&ops) {
                            assert_eq!(error.kind, DiskErrorKind::Dead);
                            return;
                        }
                    }
                    continue;
                }
            };
            for op in &ops {
                if let Err(error) = self.disk.perform(op) {
                    assert_eq!(error.kind, DiskErrorKind::Dead, "{op:?}");
                    return;
                }
                match op {
                    DiskOp::Append { path, .. } if path.ends_with(".wal") => {
                        self.states.truncate(self.written + 1);
                        self.states.push(model.clone());
                        self.written += 1;
                    }
                    DiskOp::Sync { path } if path.ends_with(".wal") => self.synced = self.written,
                    _ => {}
                }
            }
            // Reports are sometimes late.
            if self.written % 4 != 3 {
                self.wal.durable(position);
            }
        }
    }

    /// Recovers and continues from there.
    fn recover(&mut self, disk: Arc<TestDisk>) {
        let recovered = recover(&disk).unwrap_or_else(|error| panic!("{error}"));
        let model = Model {
            hard_state: recovered.hard_state,
            marker: newest_marker(&disk),
            entries: recovered.entries,
        };
        let known = &self.states[self.synced..=self.written];
        let found = known.iter().rposition(|state| *state == model);
        let found = self.synced + found.unwrap_or_else(|| panic!("{model:#?} is none of {known:#?}"));
        self.states.truncate(found + 1);
        (self.synced, self.written) = (found, found);
        self.wal = recovered.wal;
        self.disk = disk;
    }
}

/// Recovers the log from its newest marker.
fn recover(disk: &TestDisk) -> Result<Recovered, WalError> {
    let replay = Replay::read(disk)?;
    let marker = replay.markers().last().cloned().unwrap_or(marker(0, 0));
    replay.finish(disk, &marker, SEGMENT)
}

/// The newest marker on the disk.
fn newest_marker(disk: &TestDisk) -> Marker {
    Replay::read(disk).unwrap().markers().last().unwrap().clone()
}

/// One incarnation of a process: what it does, when its disk is gone, how it ended; and when its recovery was
/// interrupted, if it was.
type Incarnation = (Vec<Call>, u64, End, Option<(u64, End)>);

/// Random incarnations.
fn incarnations() -> impl Strategy<Value = Vec<Incarnation>> {
    prop::collection::vec((calls(25), 0..80_u64, ends(), prop::option::of((0..12_u64, ends()))), 1..5)
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn it_recovers_to_a_state_it_had(incarnations in incarnations()) {
        let mut run = Run::new();
        for (calls, last, end, interrupted) in incarnations {
            run.disk.stop_at(run.disk.operations() + last);
            run.calls(&calls);
            let mut disk = end.of(&run.disk);
            if let Some((last, end)) = interrupted {
                disk.stop_at(disk.operations() + last);
                // Whether or not it finished, it must not lose anything.
                if let Err(error) = recover(&disk) {
                    prop_assert!(matches!(&error, WalError::Disk(error) if error.kind == DiskErrorKind::Dead), "{error}");
                }
                disk = end.of(&disk);
            }
            run.recover(disk);
        }
    }

    #[test]
    fn failing_operations_are_errors(calls in calls(12), nth in 0..40_u64, kind in 0..2_usize) {
        let mut run = Run::new();
        run.calls(&calls);
        let disk = run.disk.after_kill();
        disk.fail_at(disk.operations() + nth, [DiskErrorKind::Io, DiskErrorKind::Full][kind]);
        let operations = disk.operations();
        match recover(&disk) {
            Ok(_) => prop_assert!(disk.operations() <= operations + nth),
            Err(error) => prop_assert!(matches!(error, WalError::Disk(_)), "{}", error),
        }
    }
}

#[test]
fn what_recovery_returns_is_durable() {
    let append = Call::Append { back: 0, count: 2, size: 300, commit: true, sync: true };
    let unsynced = Call::Append { back: 0, count: 2, size: 300, commit: true, sync: false };
    let calls = [append, unsynced, Call::Mark].repeat(6);
    for last in 0..60 {
        for goes_on in [false, true] {
            let mut run = Run::new();
            run.disk.stop_at(run.disk.operations() + last);
            run.calls(&calls);
            run.recover(run.disk.after_kill());
            if goes_on {
                run.calls(&[append]);
            }
            let before = run.states.last().unwrap().clone();
            run.recover(run.disk.after_power_loss(0, Ratio::ALWAYS));
            assert_eq!(run.states.last().unwrap(), &before, "killed at operation {last}");
        }
    }
}

/// A log of several segments whose every frame is durable and reported, with values full of zeros.
fn settled(calls: u64) -> Run {
    let mut run = Run::new();
    for nth in 0..calls {
        let sizes = [0, 40, 700, 1_100];
        let size = sizes[(nth % 4) as usize];
        run.calls(&[Call::Append {
            back: nth % 5 / 4,
            count: 1 + nth % 2,
            size,
            commit: nth % 3 == 0,
            sync: true,
        }]);
        if nth == calls / 2 {
            run.calls(&[Call::Mark]);
        }
    }
    assert_eq!(run.synced, run.written);
    assert!(run.disk.paths().len() > 2);
    run
}

/// Checks that a damaged log is refused, or that nothing is missing from it.
fn refused_with_a_place(disk: &TestDisk, whole: &Model, what: &dyn std::fmt::Debug) {
    match recover(disk) {
        Err(WalError::Damaged(_)) => {}
        Err(error) => panic!("{what:?}: {error}"),
        Ok(recovered) => {
            // Harmless only if nothing is missing.
            assert_eq!(recovered.entries, whole.entries, "{what:?} went unnoticed");
            assert_eq!(recovered.hard_state, whole.hard_state, "{what:?} went unnoticed");
        }
    }
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let mut run = settled(8);
    run.calls(&[Call::Append { back: 0, count: 1, size: 1_100, commit: false, sync: true }]);
    let whole = run.states.last().unwrap();
    let disk = run.disk.copy();
    for path in disk.paths() {
        for byte in 0..disk.content(&path).len() {
            for bit in 0..8 {
                disk.damage(&path, |content| content[byte] ^= 1 << bit);
                refused_with_a_place(&disk.copy(), whole, &(&path, byte, bit));
                disk.damage(&path, |content| content[byte] ^= 1 << bit);
            }
        }
    }
}

#[test]
fn a_few_zeros_in_a_sector_are_not_a_missing_sector() {
    // Wherever the last frame ends, in a sector that contains a few bytes of the value's zeros.
    for size in 1_001..=1_512 {
        let mut run = settled(8);
        run.calls(&[Call::Append { back: 0, count: 1, size, commit: false, sync: true }]);
        let path = run.disk.paths().last().unwrap().clone();
        let disk = run.disk.copy();
        disk.damage(&path, |content| content[200] ^= 1);
        refused_with_a_place(&disk, run.states.last().unwrap(), &size);
    }
}

#[test]
fn no_lost_sector_before_the_last_frame_goes_unnoticed() {
    let mut run = settled(15);
    run.calls(&[Call::Append { back: 0, count: 1, size: 30, commit: false, sync: true }]);
    let whole = run.states.last().unwrap();
    let disk = run.disk.copy();
    let paths = disk.paths();
    let last = paths.last().unwrap().clone();
    assert!(disk.content(&last).len() > 1_000);
    for path in paths {
        let length = disk.content(&path).len();
        // Up to the last frame, which has 24 + 64 bytes and no later frame to cover it.
        let end = if path == last { length - 88 } else { length };
        for start in (0..end).step_by(8) {
            for length in [8, 512, 1_024] {
                let copy = disk.copy();
                copy.damage(&path, |content| {
                    let end = (start + length).min(end);
                    content[start..end].fill(0);
                });
                refused_with_a_place(&copy, whole, &(&path, start, length));
            }
        }
    }
}

#[test]
fn no_misdirected_or_missing_segment_goes_unnoticed() {
    let run = settled(14);
    let whole = run.states.last().unwrap();
    let paths = run.disk.paths();
    for (at, path) in paths.iter().enumerate() {
        let disk = run.disk.copy();
        disk.damage(path, |content| {
            let middle = content.len() / 2;
            content.rotate_left(middle / 8 * 8);
        });
        refused_with_a_place(&disk, whole, &("rotated", path));
        if at + 1 == paths.len() {
            continue;
        }
        let disk = run.disk.copy();
        disk.run(&[DiskOp::Remove { path: path.clone() }]).unwrap();
        refused_with_a_place(&disk, whole, &("removed", path));
        for length in (0..run.disk.content(path).len()).step_by(8) {
            let disk = run.disk.copy();
            disk.damage(path, |content| content.truncate(length));
            refused_with_a_place(&disk, whole, &("cut", path, length));
        }
        let disk = run.disk.copy();
        disk.damage(path, |content| content.clone_from(&run.disk.content(&paths[at + 1])));
        refused_with_a_place(&disk, whole, &("overwritten", path));
    }
}

#[test]
fn a_frame_cut_off_at_the_end_of_an_older_segment_is_noticed() {
    // A marker that ends a segment: no gap between entries shows that it is gone.
    for size in 1_500..2_000 {
        let mut run = Run::new();
        run.calls(&[Call::Append { back: 0, count: 1, size, commit: true, sync: true }]);
        let first = run.disk.paths()[0].clone();
        let length = run.disk.content(&first).len();
        let segments = run.disk.paths().len();
        run.calls(&[Call::Mark]);
        if segments == 1 && run.disk.paths().len() == 2 {
            run.disk.damage(&first, |content| content.truncate(length));
            assert!(matches!(recover(&run.disk), Err(WalError::Damaged(_))));
            return;
        }
    }
    panic!("no marker ended a segment");
}

#[test]
fn damage_before_a_torn_tail_is_still_damage() {
    let last_length = |run: &Run| run.disk.content(run.disk.paths().last().unwrap()).len();
    let mut run = (8..20).map(settled).find(|run| (400..1_300).contains(&last_length(run))).unwrap();
    let length = last_length(&run);
    run.calls(&[Call::Append { back: 0, count: 2, size: 300, commit: false, sync: false }]);
    let path = run.disk.paths().last().unwrap().clone();
    assert!(run.disk.content(&path).len() > length + 600);
    for seed in 0..40 {
        let disk = run.disk.after_power_loss(seed, Ratio::percent(50));
        let byte = Draw(seed).then(1).below(length as u64) as usize;
        disk.damage(&path, |content| content[byte] ^= 1 << (seed % 8));
        assert!(matches!(recover(&disk), Err(WalError::Damaged(_))), "byte {byte}");
    }
}

#[test]
fn a_missing_log_is_not_damage() {
    let disk = TestDisk::new();
    assert_eq!(Replay::read(&*disk).unwrap_err(), WalError::Empty);
    let mut ops = Vec::new();
    Wal::create(&marker(0, 0), &HardState::default(), SEGMENT, &mut ops);
    for last in 0..ops.len() {
        for seed in 0..50 {
            let disk = TestDisk::new();
            disk.run(&ops[..last]).unwrap();
            let disk = disk.after_power_loss(seed, Ratio::percent(50));
            match Replay::read(&*disk) {
                Err(WalError::Empty) => {}
                Ok(replay) => assert_eq!(replay.markers(), [marker(0, 0)]),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn entries_of_a_deposed_leader_do_not_reappear_after_a_snapshot() {
    // Entries 1 to 9 of term 1; a new leader replaces 4 to 9 by 4 to 6; a snapshot at 6.
    let mut run = Run::new();
    run.calls(&[
        Call::Append { back: 0, count: 3, size: 1, commit: true, sync: true },
        Call::Append { back: 0, count: 6, size: 1, commit: false, sync: true },
        Call::Append { back: 6, count: 3, size: 1, commit: true, sync: true },
        Call::Mark,
    ]);
    assert_eq!(run.states.last().unwrap().marker, marker(6, 2));
    let recovered = recover(&run.disk.copy()).unwrap();
    assert!(recovered.entries.is_empty(), "{:?}", recovered.entries);
}

#[test]
fn a_missing_marker_is_named() {
    let run = settled(8);
    let error = Replay::read(&*run.disk).unwrap().finish(&*run.disk, &marker(99, 7), SEGMENT).unwrap_err();
    assert_eq!(error, WalError::NoMarker { index: 99, term: 7 });
}
