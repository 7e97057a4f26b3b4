//! Tests snapshot files. If the write-ahead log has a marker for one, that file is intact and found, whatever happens
//! to later ones.

use etcdsim_member::disk::DiskErrorKind;
use etcdsim_member::snapshot_file::{KEPT, SnapshotFile, Snapshots};
use etcdsim_member::wal::Marker;
use proptest::prelude::*;
use raft::eraftpb::ConfState;

use super::disk::TestDisk;
use super::end::{cases, ends};

/// The snapshot with this number, with `size` bytes of data.
fn snapshot(nth: u64, size: usize) -> SnapshotFile {
    let conf_state = ConfState { voters: vec![1, nth], ..ConfState::default() };
    let marker = Marker { index: nth * 10, term: nth / 3 + 1, conf_state };
    SnapshotFile { marker, data: vec![nth as u8; size].into() }
}

/// The snapshot that a process finds at its start.
fn load(disk: &TestDisk, markers: &[Marker]) -> Option<SnapshotFile> {
    Snapshots::load(disk, markers).unwrap().1
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_marked_snapshot_is_found(
        incarnations in prop::collection::vec((prop::collection::vec(0..3_000_usize, 1..9), 0..60_u64, ends()), 1..5),
    ) {
        let mut disk = TestDisk::new();
        let (mut markers, mut newest, mut nth) = (Vec::new(), None, 0);
        for (sizes, last, end) in incarnations {
            let (mut snapshots, found) = Snapshots::load(&*disk, &markers).unwrap();
            prop_assert_eq!(&found, &newest);
            disk.stop_at(disk.operations() + last);
            for size in sizes {
                // The same one again, if the last process did not finish it.
                let snapshot = snapshot(nth + 1, size);
                let mut ops = Vec::new();
                snapshots.save(&snapshot.marker, snapshot.encode(), &mut ops);
                if let Err(error) = disk.run(&ops) {
                    prop_assert_eq!(error.kind, DiskErrorKind::Dead);
                    break;
                }
                nth += 1;
                markers.push(snapshot.marker.clone());
                newest = Some(snapshot);
            }
            disk = end.of(&disk);
        }
        prop_assert_eq!(load(&disk, &markers), newest);
    }
}

/// Three snapshots, all marked.
fn settled() -> (std::sync::Arc<TestDisk>, Vec<SnapshotFile>, Vec<Marker>) {
    let disk = TestDisk::new();
    let mut snapshots = Snapshots::default();
    let files: Vec<_> = (1..=3).map(|nth| snapshot(nth, 100)).collect();
    for file in &files {
        let mut ops = Vec::new();
        snapshots.save(&file.marker, file.encode(), &mut ops);
        disk.run(&ops).unwrap();
    }
    let markers = files.iter().map(|file| file.marker.clone()).collect();
    (disk, files, markers)
}

#[test]
fn a_broken_file_is_set_aside_and_the_previous_one_is_used() {
    let (disk, files, markers) = settled();
    let newest = disk.paths().last().unwrap().clone();
    let length = disk.content(&newest).len();
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let disk = disk.copy();
        disk.damage(&newest, change);
        assert_eq!(load(&disk, &markers).as_ref(), Some(&files[1]));
        assert!(disk.paths().iter().any(|path| **path == format!("{newest}.broken")));
        // The next start does not fail because of it.
        assert_eq!(load(&disk, &markers).as_ref(), Some(&files[1]));
    };
    for byte in 0..length {
        (0..8).for_each(|bit| broken(&|content| content[byte] ^= 1 << bit));
    }
    (0..length).for_each(|length| broken(&|content| content.truncate(length)));
    // Another snapshot's file in its place.
    let other = disk.content(&disk.paths()[0]);
    broken(&|content| content.clone_from(&other));
}

#[test]
fn a_file_without_a_marker_does_not_count() {
    let (disk, files, markers) = settled();
    assert_eq!(load(&disk, &markers[..2]).as_ref(), Some(&files[1]));
    assert_eq!(load(&disk, &[]), None);
}

#[test]
fn old_files_are_removed() {
    let disk = TestDisk::new();
    let mut snapshots = Snapshots::default();
    for nth in 1..=20 {
        let mut ops = Vec::new();
        let snapshot = snapshot(nth, 10);
        snapshots.save(&snapshot.marker, snapshot.encode(), &mut ops);
        disk.run(&ops).unwrap();
        assert_eq!(disk.paths().len(), KEPT.min(nth as usize));
    }
    assert_eq!(load(&disk, &[snapshot(20, 0).marker]), Some(snapshot(20, 10)));
}

#[test]
fn failing_operations_are_errors() {
    let (disk, _, markers) = settled();
    let newest = disk.paths().last().unwrap().clone();
    disk.damage(&newest, |content| content.clear());
    for nth in 0..20 {
        let disk = disk.copy();
        let first = disk.operations();
        disk.fail_at(first + nth, DiskErrorKind::Io);
        let loaded = Snapshots::load(&*disk, &markers);
        assert_eq!(loaded.is_err(), disk.operations() > first + nth);
    }
}
