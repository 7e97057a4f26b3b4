//! Tests at which time each operation of the disk ends and what is left of it: in sections, in jobs, after crashes
//! between operations, during stalls, and after the process has ended.

use contract::disk::DiskErrorKind;
use schedule::DiskFault;

use super::*;

#[test]
fn a_crash_amid_a_section_takes_back_what_was_not_over() {
    let mut process = Process::new(disk(1));
    process.make("db/1", b"old");
    let start = process.now;
    process.section(|files| {
        files.perform(&write_at("db/1", 0, b"new")).unwrap();
        files.perform(&write_at("db/1", 3, b"er")).unwrap();
        files.perform(&create("db/2")).unwrap();
        files.perform(&remove("db/1")).unwrap();
        assert_eq!(files.list("db").unwrap(), ["2"]);
    });
    process.now = start + STEP;
    process.crash();
    assert_eq!(process.read("db/1"), b"new");
    assert_eq!(process.section(|files| files.list("db")).unwrap(), ["1"]);
    assert_eq!(process.count("cut-operation"), 3);
}

#[test]
fn a_sync_counts_when_it_is_over() {
    for (wait, durable) in [(2 * STEP - 1, b"".as_slice()), (2 * STEP, b"data".as_slice())] {
        let mut process = Process::new(disk(1));
        process.make("wal/1", b"");
        let start = process.now;
        assert_eq!(
            process.disk.submit(start, &job(1, vec![append("wal/1", b"data"), sync("wal/1")])),
            start + 2 * STEP
        );
        let outcome = process.disk.complete(start + wait, 1);
        assert_eq!(outcome.is_some(), durable == b"data");
        assert_eq!(process.disk.durable_files(start + wait)["wal/1"], durable);
        assert_eq!(process.disk.cached_files()["wal/1"], b"data");
    }
}

#[test]
fn jobs_follow_one_another_and_sections_go_beside_them() {
    let mut process = Process::new(disk(1));
    process.make("wal/1", b"");
    process.make("db/1", b"");
    let start = process.now;
    assert_eq!(
        process.disk.submit(start, &job(1, vec![append("wal/1", b"a"), sync("wal/1")])),
        start + 2 * STEP
    );
    assert_eq!(process.disk.submit(start, &job(2, vec![append("wal/1", b"b")])), start + 3 * STEP);
    process.section(|files| files.perform(&append("db/1", b"c"))).unwrap();
    assert_eq!(process.now, start + STEP);
    // The section waits for a file that a job uses.
    process.section(|files| files.perform(&append("wal/1", b"d"))).unwrap();
    assert_eq!(process.now, start + 4 * STEP);
    assert_eq!(process.disk.complete(process.now, 2), None, "job 1 was not collected yet");
    assert!(process.disk.complete(process.now, 1).unwrap().synced);
    assert!(!process.disk.complete(process.now, 2).unwrap().synced);
    assert_eq!(process.disk.complete(process.now, 2), None);
    assert_eq!(process.read("wal/1"), b"abd");
}

#[test]
fn a_job_has_synced_when_nothing_is_owed() {
    let mut process = Process::new(disk(1));
    let mut synced = |id, ops| {
        process.now = process.disk.submit(process.now, &job(id, ops));
        process.disk.complete(process.now, id).unwrap().synced
    };
    assert!(
        !synced(1, vec![create("wal/1"), append("wal/1", b"a"), sync("wal/1")]),
        "the name is not synced"
    );
    assert!(synced(2, vec![sync_dir("wal")]));
    assert!(!synced(3, vec![append("wal/1", b"b")]));
    assert!(synced(4, vec![append("wal/1", b"c"), sync("wal/1")]));
    assert!(!synced(5, vec![]));
    assert!(!synced(6, vec![sync("wal/none")]));
    assert!(!synced(7, vec![append("wal/1", b"c"), sync("wal/1")]), "a failed job is never repaired");
}

#[test]
fn a_failed_operation_ends_its_job() {
    let process = Process::new(disk(1));
    let over = process.disk.submit(0, &job(1, vec![create("wal/1"), remove("wal/2"), remove("wal/1")]));
    assert_eq!(over, 2 * STEP);
    let error = process.disk.complete(over, 1).unwrap().result.unwrap_err();
    assert_eq!((error.kind, &*error.path), (DiskErrorKind::NotFound, "wal/2"));
    assert!(process.disk.cached_files().contains_key("wal/1"));
}

#[test]
fn a_dead_handle_changes_nothing() {
    let mut process = Process::new(disk(1));
    process.make("wal/1", b"a");
    let dead = process.files.clone();
    process.disk.crash(process.now);
    assert_eq!(dead.perform(&remove("wal/1")).unwrap_err().kind, DiskErrorKind::Dead);
    process.restart();
    assert_eq!(dead.perform(&remove("wal/1")).unwrap_err().kind, DiskErrorKind::Dead);
    assert_eq!(dead.len("wal/1").unwrap_err().kind, DiskErrorKind::Dead);
    assert_eq!(process.read("wal/1"), b"a");
}

#[test]
fn a_crash_falls_before_the_nth_operation() {
    // In a job: the append is number 5, its sync number 6.
    for (ordinal, cached, durable) in [(5, b"".as_slice(), b"".as_slice()), (6, b"a", b""), (7, b"a", b"a")] {
        let mut process = Process::new(disk(1));
        process.make("wal/1", b"");
        assert_eq!(process.disk.ordinal(), 4);
        process.disk.crash_at(ordinal);
        assert_eq!(process.disk.armed_crash(), None);
        let ops = vec![append("wal/1", b"a"), sync("wal/1"), append("wal/1", b"b"), append("wal/1", b"c")];
        let start = process.now;
        assert_eq!(process.disk.submit(start, &job(1, ops)), u64::MAX);
        process.now = process.disk.armed_crash().unwrap();
        assert_eq!(process.now, start + (ordinal - 4) * STEP);
        assert_eq!(process.disk.complete(process.now, 1), None);
        process.crash();
        assert_eq!(process.disk.cached_files()["wal/1"], cached);
        assert_eq!(process.durable("wal/1"), durable);
        assert_eq!(process.disk.armed_crash(), None);
    }
}

#[test]
fn a_crash_falls_amid_a_recovery() {
    let mut process = Process::new(disk(1));
    process.make("wal/1", b"ab");
    process.crash();
    process.disk.crash_at(process.disk.ordinal() + 2);
    process.disk.begin_section(process.now);
    process.files.len("wal/1").unwrap();
    process.files.perform(&truncate("wal/1", 1)).unwrap();
    process.files.perform(&append("wal/1", b"c")).unwrap();
    assert_eq!(process.disk.end_section(), Some(u64::MAX));
    process.now = process.disk.armed_crash().unwrap();
    assert!(!process.disk.section_over(process.now));
    process.crash();
    assert_eq!(process.read("wal/1"), b"ab");
}

#[test]
fn a_stall_holds_everything_until_it_ends() {
    let mut process = Process::new(disk(1));
    process.make("wal/1", b"");
    let start = process.now;
    process.disk.submit(start, &job(1, vec![append("wal/1", b"a"), sync("wal/1")]));
    process.disk.inject(start + STEP, 9, &DiskFault::StalledDisk);
    assert_eq!(process.disk.submit(start + STEP, &job(2, vec![append("wal/1", b"b")])), u64::MAX);
    process.disk.begin_section(start + STEP);
    process.files.len("wal/1").unwrap();
    assert_eq!(process.disk.end_section(), Some(u64::MAX));
    assert_eq!(process.disk.complete(start + 1000, 1), None);

    process.disk.heal(start + 1000, 9);
    let retimed = process.disk.retime();
    assert_eq!(retimed.jobs, [(1, start + 1010), (2, start + 1020)]);
    assert_eq!(retimed.section, Some(start + 1010));
    assert!(process.disk.complete(start + 1010, 1).unwrap().synced);
    assert!(process.disk.section_over(start + 1010));
    assert!(process.disk.complete(start + 1020, 2).unwrap().result.is_ok());
    assert_eq!(process.count("stalled-disk"), 3);
}

#[test]
fn a_slow_disk_is_slow_and_leaves_other_times_alone() {
    let spread = Spread::Uniform { low: 100, high: 1_000_000 };
    let model = schedule::Disk { read: spread, write: spread, sync: spread, capacity: 0 };
    let times = |slow: Option<u64>| -> Vec<u64> {
        let disk = SimDisk::new(MemberId::new(1), Keyed::new(3, DISK), model);
        let _process = disk.attach(1);
        let mut now = 0;
        (1..20)
            .map(|id| {
                if slow == Some(id) {
                    disk.inject(
                        now,
                        1,
                        &DiskFault::SlowDisk { call: None, factor: 10, extra: Spread::Constant(7) },
                    );
                } else {
                    disk.heal(now, 1);
                }
                let over = disk.submit(now, &job(id, vec![create(&format!("wal/{id}"))]));
                let took = over - now;
                now = over;
                disk.complete(now, id).unwrap().result.unwrap();
                took
            })
            .collect()
    };
    let (sound, slow) = (times(None), times(Some(5)));
    for (index, (sound, slow)) in sound.iter().zip(&slow).enumerate() {
        assert_eq!(*slow, if index == 4 { sound * 10 + 7 } else { *sound });
    }
}

#[test]
fn a_slow_disk_that_is_healed_catches_up() {
    let process = Process::new(disk(1));
    process.disk.inject(0, 1, &DiskFault::SlowDisk { call: None, factor: 100, extra: Spread::Constant(0) });
    let over = process.disk.submit(0, &job(1, vec![create("wal/1"), append("wal/1", b"a")]));
    assert_eq!(over, 200 * STEP);
    process.disk.heal(50 * STEP, 1);
    assert_eq!(process.disk.retime().jobs, [(1, 52 * STEP)]);
    assert!(process.disk.complete(52 * STEP, 1).unwrap().result.is_ok());
}

#[test]
fn the_same_seed_gives_the_same_disk() {
    let run = |seed| {
        let mut process = Process::new(disk(seed));
        for life in 0..10 {
            let path = format!("wal/{life}");
            process.perform(create(&path)).unwrap();
            process.perform(append(&path, &[life; 5000])).unwrap();
            process.perform(write_at(&path, 1000, &[77; 2000])).unwrap();
            process.lose_power();
        }
        (process.disk.durable_files(process.now), process.disk.counts())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
