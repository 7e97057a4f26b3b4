//! Tests each fault of the simulated disk: it has its effect, is counted, and becomes visible when it should.

use contract::disk::DiskErrorKind;
use schedule::{DiskCall, DiskFault, Files};

use super::*;

fn with(kind: DiskFault) -> Process {
    let mut process = Process::new(disk(1));
    process.make("db/1", &[1; 20_000]);
    process.make("snap/1", &[1; 20_000]);
    process.make("wal/1", &[1; 20_000]);
    process.disk.inject(process.now, 1, &kind);
    process
}

/// How many bytes of `found` differ from `expected`, and in how many sectors.
fn differing(found: &[u8], expected: &[u8]) -> (usize, usize) {
    assert_eq!(found.len(), expected.len());
    let bytes = found.iter().zip(expected).filter(|(found, expected)| found != expected).count();
    let sectors =
        found.chunks(512).zip(expected.chunks(512)).filter(|(found, expected)| found != expected).count();
    (bytes, sectors)
}

#[test]
fn a_failed_sync_drops_the_dirty_pages() {
    let mut process = with(DiskFault::DiskError { call: DiskCall::Sync, files: Files::Wal, count: 1 });
    process.perform(write_at("wal/1", 500, &[2; 100])).unwrap();
    process.perform(append("wal/1", &[3; 10])).unwrap();
    assert_eq!(process.perform(sync("wal/1")).unwrap_err().kind, DiskErrorKind::Io);
    // The medium's bytes, up to the length that the inode kept.
    let expected = [vec![1; 20_000], vec![0; 10]].concat();
    assert!(process.read("wal/1") == expected);
    // A later sync succeeds without them.
    process.perform(sync("wal/1")).unwrap();
    process.lose_power();
    assert!(process.read("wal/1") == expected);
    assert_eq!(process.count("disk-error"), 1);
}

#[test]
fn a_sync_that_never_came_to_fail_drops_nothing() {
    let mut process = with(DiskFault::DiskError { call: DiskCall::Sync, files: Files::All, count: 1 });
    process.perform(write_at("wal/1", 0, &[2; 100])).unwrap();
    let before = process.now;
    process.perform(sync("wal/1")).unwrap_err();
    process.now = before;
    process.crash();
    assert_eq!(process.read("wal/1")[..100], [2; 100]);
}

#[test]
fn a_failed_write_may_have_done_a_part() {
    let mut lens = std::collections::BTreeSet::new();
    for fault in 0..50 {
        let mut process = Process::new(disk(1));
        process.make("wal/1", &[1; 100]);
        let kind = DiskFault::DiskError { call: DiskCall::Write, files: Files::Wal, count: 1 };
        process.disk.inject(process.now, fault, &kind);
        let error = process.perform(append("wal/1", &[2; 1000])).unwrap_err();
        assert_eq!((error.kind, &*error.path), (DiskErrorKind::Io, "wal/1"));
        lens.insert(process.read("wal/1").len());
        process.perform(append("wal/1", &[2; 1000])).unwrap();
    }
    assert_eq!(lens.into_iter().collect::<Vec<_>>(), [100, 512, 1024]);
}

#[test]
fn failing_reads_fail_and_others_do_not() {
    let mut process = with(DiskFault::DiskError { call: DiskCall::Read, files: Files::Snapshot, count: 2 });
    process.read("wal/1");
    assert_eq!(process.section(|files| files.list("snap")).unwrap_err().kind, DiskErrorKind::Io);
    assert_eq!(process.section(|files| files.len("snap/1")).unwrap_err().kind, DiskErrorKind::Io);
    process.read("snap/1");
    assert_eq!(process.count("disk-error"), 2);
}

#[test]
fn a_short_read_fails_once() {
    let mut process = with(DiskFault::ShortRead { files: Files::Backend, count: 1 });
    let read = |files: &dyn Disk| files.read("db/1", 0, &mut [0; 10]);
    assert_eq!(process.section(read).unwrap_err().kind, DiskErrorKind::Io);
    process.section(read).unwrap();
    assert_eq!(process.count("short-read"), 1);
}

#[test]
fn a_full_disk_cuts_a_write_short() {
    let mut process = with(DiskFault::DiskFull { left: 100 });
    process.perform(append("wal/1", &[2; 60])).unwrap();
    assert_eq!(process.perform(append("wal/1", &[3; 60])).unwrap_err().kind, DiskErrorKind::Full);
    assert_eq!(process.read("wal/1")[20_000..], [vec![2; 60], vec![3; 40]].concat());
    assert_eq!(process.perform(truncate("db/1", 20_001)).unwrap_err().kind, DiskErrorKind::Full);
    process.perform(write_at("db/1", 0, &[4; 20_000])).expect("room that is taken already");
    process.perform(remove("snap/1")).unwrap();
    process.perform(append("wal/1", &[3; 20_000])).expect("room that was given back");
    assert_eq!(process.perform(append("wal/1", &[3])).unwrap_err().kind, DiskErrorKind::Full);
    process.disk.heal(process.now, 1);
    process.perform(append("wal/1", &[3])).unwrap();
    assert_eq!(process.count("disk-full"), 3);
}

#[test]
fn a_disk_has_a_capacity_of_its_own() {
    let disk =
        SimDisk::new(MemberId::new(1), Keyed::new(1, DISK), schedule::Disk { capacity: 1000, ..model() });
    let mut process = Process::new(disk);
    process.make("wal/1", &[1; 1000]);
    assert_eq!(process.perform(append("wal/1", &[1])).unwrap_err().kind, DiskErrorKind::Full);
    process.perform(create("wal/2")).unwrap();
    process.perform(rename("wal/2", "wal/1")).unwrap();
    process.perform(append("wal/1", &[1; 1000])).unwrap();
    assert_eq!(process.count("disk-full"), 1);
}

#[test]
fn a_rotten_bit_shows_to_the_next_process_and_stays_until_it_is_written_over() {
    let mut process = with(DiskFault::BitRot { files: Files::Backend, count: 1 });
    assert_eq!(process.count("bit-rot"), 1);
    let sound = vec![1; 20_000];
    assert!(process.read("db/1") == sound, "the page is in the cache");
    process.crash();
    for _ in 0..3 {
        let rotten = process.read("db/1");
        assert_eq!(differing(&rotten, &sound), (1, 1));
        assert!(rotten[..4096] == sound[..4096], "the superblock is spared");
        process.lose_power();
    }
    process.perform(write_at("db/1", 0, &sound)).unwrap();
    process.perform(sync("db/1")).unwrap();
    process.lose_power();
    assert!(process.read("db/1") == sound);
}

#[test]
fn a_write_into_a_rotten_sector_that_is_cached_heals_it() {
    let mut process = with(DiskFault::BitRot { files: Files::Backend, count: 1 });
    let durable = process.durable("db/1");
    let sector = durable.iter().position(|byte| *byte != 1).unwrap() as u64 / 512;
    process.perform(write_at("db/1", sector * 512, &[1])).unwrap();
    process.perform(sync("db/1")).unwrap();
    assert!(process.durable("db/1") == [1; 20_000]);
}

#[test]
fn rot_spares_the_last_synced_write_of_a_log() {
    for fault in 0..200 {
        let mut process = Process::new(disk(1));
        process.make("wal/1", &[1; 5000]);
        process.disk.inject(process.now, fault, &DiskFault::BitRot { files: Files::Wal, count: 1 });
        assert_eq!(process.count("bit-rot"), 0, "there is but one write");
        process.perform(append("wal/1", &[2; 5000])).unwrap();
        process.perform(sync("wal/1")).unwrap();
        process.perform(append("wal/1", &[3; 500])).unwrap();
        process.disk.inject(process.now, fault, &DiskFault::BitRot { files: Files::Wal, count: 1 });
        process.lose_power();
        let content = process.read("wal/1");
        assert_eq!(differing(&content[..5000], &[1; 5000]), (1, 1));
        assert!(content[5000..10_000] == [2; 5000]);
    }
}

#[test]
fn a_lost_write_shows_when_the_cache_is_gone() {
    let mut process = with(DiskFault::LostWrite { files: Files::All, count: 1 });
    process.perform(append("wal/1", &[2; 100])).unwrap();
    process.perform(sync("wal/1")).unwrap();
    process.perform(write_at("db/1", 8192, &[2; 4096])).unwrap();
    process.perform(write_at("db/1", 12_288, &[3; 4096])).unwrap();
    assert_eq!(process.count("lost-write"), 0, "nothing was synced yet");
    process.perform(sync("db/1")).unwrap();
    assert_eq!(process.count("lost-write"), 1);
    assert!(process.read("db/1")[8192..12_288] == [2; 4096]);
    process.lose_power();
    let content = process.read("db/1");
    assert!(content[8192..12_288] == [1; 4096]);
    assert!(content[12_288..16_384] == [3; 4096]);
    assert_eq!(process.read("wal/1")[20_000..], [2; 100], "a log loses no write");
}

#[test]
fn writing_a_sector_again_brings_a_lost_write_to_the_medium() {
    let mut process = with(DiskFault::LostWrite { files: Files::Snapshot, count: 1 });
    process.perform(append("snap/1", &[2; 700])).unwrap();
    process.perform(sync("snap/1")).unwrap();
    process.perform(append("snap/1", &[3; 10])).unwrap();
    process.perform(sync("snap/1")).unwrap();
    process.lose_power();
    // 20 000 lies in sector 39, 20 700 in sector 40, which begins at 20 480.
    let tail = [vec![0; 480], vec![2; 220], vec![3; 10]].concat();
    assert_eq!(process.read("snap/1")[20_000..], tail);
}

#[test]
fn a_misdirected_write_destroys_another_place() {
    let mut process = with(DiskFault::MisdirectedWrite { files: Files::Backend, count: 1 });
    process.perform(write_at("db/1", 8192, &[2; 4096])).unwrap();
    process.perform(sync("db/1")).unwrap();
    assert_eq!(process.count("misdirected-write"), 1);
    let meant = [vec![1; 8192], vec![2; 4096], vec![1; 20_000 - 12_288]].concat();
    assert!(process.read("db/1") == meant);
    process.crash();
    let found = process.read("db/1");
    assert!(found[8192..12_288] == [1; 4096]);
    assert_eq!(found.iter().filter(|byte| **byte == 2).count(), 4096);
    assert!(found[..4096] == [1; 4096], "the superblock is spared");
}

#[test]
fn a_lost_disk_is_empty() {
    let mut process = Process::new(disk(1));
    process.make("wal/1", b"a");
    let dead = process.files.clone();
    process.disk.inject(process.now, 1, &DiskFault::LostDisk);
    assert_eq!(dead.len("wal/1").unwrap_err().kind, DiskErrorKind::Dead);
    process.restart();
    assert_eq!(process.section(|files| files.list("wal")).unwrap(), [""; 0]);
    assert_eq!(process.disk.ordinal(), 5);
    assert_eq!(process.count("lost-disk"), 1);
}

#[test]
fn a_file_is_lost_while_no_process_runs() {
    let mut process = Process::new(disk(1));
    process.make("wal/1.wal", b"a");
    process.make("wal/2.wal", b"b");
    process.make("db/1", b"c");
    let all = Files::All;
    process.crash();
    process.disk.inject(process.now, 1, &DiskFault::LostFile { files: all });
    let left = process.disk.cached_files();
    assert_eq!(
        left.keys().collect::<Vec<_>>(),
        ["db/1", "wal/2.wal"],
        "the last segment and the backend stay"
    );
    assert_eq!(left, process.disk.durable_files(process.now));
    process.disk.inject(process.now, 2, &DiskFault::LostFile { files: all });
    assert_eq!(process.count("lost-file"), 1, "nothing is left that may go");
}

#[test]
fn two_files_take_each_others_place() {
    let mut process = Process::new(disk(1));
    for (path, content) in [("snap/1.snap", b"a"), ("snap/2.snap", b"b"), ("wal/1.wal", b"c")] {
        process.make(path, content);
    }
    process.crash();
    process.disk.inject(process.now, 1, &DiskFault::SwappedFiles { files: Files::All });
    let files = process.disk.cached_files();
    let contents: Vec<&[u8]> = files.values().map(Vec::as_slice).collect();
    assert_eq!(contents, [&b"b"[..], b"a", b"c"]);
    assert_eq!(files, process.disk.durable_files(process.now));
}

#[test]
fn healing_ends_all_faults() {
    let mut process = with(DiskFault::StalledDisk);
    process.disk.inject(process.now, 2, &DiskFault::DiskFull { left: 0 });
    process.disk.inject(
        process.now,
        3,
        &DiskFault::DiskError { call: DiskCall::Sync, files: Files::All, count: 9 },
    );
    process.disk.heal_all(process.now);
    process.perform(append("wal/1", b"a")).unwrap();
    process.perform(sync("wal/1")).unwrap();
    assert!(process.disk.section_over(process.now));
}
