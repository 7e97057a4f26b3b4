//! For tests only: performs random operations, faults and crashes, and checks the invariants of every file after each
//! step. Only code inside the module `disk` can see these.

use bytes::Bytes;
use contract::disk::{DiskJob, DiskOp};
use keyed::{Domain, Draw, Keyed};
use schedule::{DiskCall, DiskFault, Files, Spread};

use super::content::{Content, SECTOR};
use super::drive::Drive;

const CHOICE: Keyed = Keyed::new(1, Domain::new("disk invariants"));

/// How fast the disk is.
fn model() -> schedule::Disk {
    let spread = Spread::Uniform { low: 0, high: 20 };
    schedule::Disk { read: spread, write: spread, sync: spread, capacity: 300_000 }
}

/// A random operation.
fn operation(draw: Draw) -> DiskOp {
    let path =
        |nth: u64| draw.then(nth).pick(&["wal/1", "wal/2", "db/1", "snap/1", "snap/2"]).to_owned().into();
    let data = || Bytes::from(vec![draw.then(1).0 as u8; draw.then(2).log_within(1, 20_000) as usize]);
    let offset = draw.then(3).below(30_000);
    match draw.below(12) {
        0 => DiskOp::Create { path: path(4) },
        1..=3 => DiskOp::Append { path: path(4), data: data() },
        4..=6 => DiskOp::WriteAt { path: path(4), offset, data: data() },
        7 => DiskOp::Truncate { path: path(4), len: offset },
        8 => DiskOp::Rename { from: path(4), to: path(5) },
        9 if draw.then(6).below(4) == 0 => DiskOp::Remove { path: path(4) },
        10 => DiskOp::SyncDir { path: draw.then(4).pick(&["wal", "db", "snap"]).to_owned().into() },
        _ => DiskOp::Sync { path: path(4) },
    }
}

/// A random fault.
fn fault(draw: Draw) -> DiskFault {
    let files = *draw.then(1).pick(&[Files::Wal, Files::Snapshot, Files::Backend, Files::All]);
    let call = *draw.then(2).pick(&[DiskCall::Read, DiskCall::Write, DiskCall::Sync]);
    match draw.below(7) {
        0 => DiskFault::StalledDisk,
        1 => DiskFault::DiskError { call, files, count: 2 },
        2 => DiskFault::DiskFull { left: draw.then(3).below(10_000) },
        3 => DiskFault::BitRot { files, count: 3 },
        4 => DiskFault::LostWrite { files, count: 2 },
        5 => DiskFault::MisdirectedWrite { files, count: 2 },
        _ => DiskFault::SlowDisk {
            call: Some(call),
            factor: 3,
            extra: Spread::Exponential { floor: 1, mean: 9 },
        },
    }
}

/// All bytes of a content.
fn bytes(content: &Content) -> Vec<u8> {
    let mut bytes = vec![0; content.len() as usize];
    content.read(0, &mut bytes);
    bytes
}

/// Checks the invariants of every file.
fn assert_invariants(drive: &mut Drive) {
    for file in drive.cache.files() {
        let cached = bytes(&file.cached);
        file.rebuild();
        assert!(
            bytes(&file.cached) == cached,
            "the cached content is not what durable content, divergent sectors and log make"
        );
        assert!(file.log.is_sorted_by_key(|entry| entry.stamp), "the log is out of order");
        assert!(file.tail <= file.durable.len(), "the last synced write lies behind the end");
        let last = file.divergent.keys().next_back();
        assert!(
            last.is_none_or(|last| last * SECTOR < file.durable.len()),
            "a divergent sector behind the end"
        );
        for content in [&file.cached, &file.durable] {
            let mut last = content.clone();
            last.set_len(content.len() + SECTOR);
            assert!(
                last.sector(content.len().div_ceil(SECTOR)) == [0; SECTOR as usize],
                "bytes behind the end"
            );
        }
    }
    let lens: usize = drive.cache.content(false).values().map(Vec::len).sum();
    assert_eq!(drive.cache.used(), lens as u64, "bytes in use were counted wrong");
}

#[test]
fn the_invariants_hold_whatever_happens() {
    let mut counts = super::counts::Counts::default();
    for seed in 0..60 {
        let mut drive = Drive::new(Keyed::new(seed, Domain::new("disk")), model());
        let mut now = 0;
        drive.attach(0);
        for step in 1..400 {
            let draw = CHOICE.draw(seed, step);
            now += draw.then(100).below(60);
            match draw.below(40) {
                0 => drive.crash(now),
                1 => drive.power_loss(now),
                2 => drive.inject(now, step, &fault(draw.then(1))),
                3 => drive.heal_all(now),
                4..20 => {
                    let ops = (0..draw.then(2).below(4)).map(|nth| operation(draw.then(200 + nth))).collect();
                    drive.submit(now, &DiskJob { id: step, ops });
                }
                20..24 => {
                    drive.begin_commit(now, &[2, 1]);
                    drive.write_commit(now);
                    for nth in 0..draw.then(3).below(8) {
                        let _ = drive.perform(&operation(draw.then(200 + nth)));
                    }
                    drive.end_section();
                }
                _ => {
                    drive.begin_section(now);
                    for nth in 0..draw.then(3).below(5) {
                        let _ = drive.perform(&operation(draw.then(200 + nth)));
                    }
                    drive.end_section();
                }
            }
            if !drive.is_attached(0) {
                drive.attach(0);
            }
            assert_invariants(&mut drive);
        }
        drive.counts.get().iter().for_each(|(fault, times)| counts.add(fault, *times));
    }
    let struck: Vec<_> = counts.get().keys().copied().collect();
    let all = [
        "bit-rot",
        "cut-operation",
        "disk-error",
        "disk-full",
        "lost-length",
        "lost-name",
        "lost-sector",
        "lost-write",
        "misdirected-write",
        "slow-disk",
        "stalled-disk",
        "torn-write",
    ];
    assert_eq!(struck, all, "a fault that never struck was not tested");
}
