//! Tests of the simulated disk, and the helpers that they share.

mod commit;
mod faults;
mod parity;
mod power;
mod redb_backend;
mod time;
mod wal;

use std::sync::Arc;

use bytes::Bytes;
use contract::disk::{Disk, DiskError, DiskJob, DiskOp};
use etcdsim_world::disk::SimDisk;
use keyed::{Domain, Keyed};
use schedule::Spread;
use trace::MemberId;

const DISK: Domain = Domain::new("disk test");

/// Every operation takes this long here, in nanoseconds.
const STEP: u64 = 10;

/// A disk without capacity limit whose operations all take [`STEP`].
fn model() -> schedule::Disk {
    schedule::Disk {
        read: Spread::Constant(STEP),
        write: Spread::Constant(STEP),
        sync: Spread::Constant(STEP),
        capacity: 0,
    }
}

/// An empty disk.
fn disk(seed: u64) -> SimDisk {
    SimDisk::new(MemberId::new(1), Keyed::new(seed, DISK), model())
}

/// A disk and the process that uses it, one section per call, at a time of their own.
struct Process {
    disk: SimDisk,
    files: Arc<dyn Disk>,
    now: u64,
    incarnation: u32,
}

impl Process {
    fn new(disk: SimDisk) -> Process {
        let files = disk.attach(1);
        Process { disk, files, now: 0, incarnation: 1 }
    }

    fn section<T>(&mut self, calls: impl FnOnce(&dyn Disk) -> T) -> T {
        self.disk.begin_section(self.now);
        let result = calls(&*self.files);
        self.now = self.disk.end_section().unwrap_or(self.now).max(self.now);
        result
    }

    fn perform(&mut self, op: DiskOp) -> Result<(), DiskError> {
        self.section(|files| files.perform(&op))
    }

    fn read(&mut self, path: &str) -> Vec<u8> {
        self.section(|files| contract::disk::read_all(files, path)).expect("a file that should be readable")
    }

    fn durable(&self, path: &str) -> Vec<u8> {
        self.disk.durable_files(self.now).remove(path).expect("a file whose name should be durable")
    }

    /// Makes a file with synced content and a synced name.
    fn make(&mut self, path: &str, content: &[u8]) {
        for op in [create(path), append(path, content), sync(path), sync_dir(path.split('/').next().unwrap())]
        {
            self.perform(op).expect("a disk without faults");
        }
    }

    fn crash(&mut self) {
        self.disk.crash(self.now);
        self.restart();
    }

    fn lose_power(&mut self) {
        self.disk.power_loss(self.now);
        self.restart();
    }

    fn restart(&mut self) {
        self.incarnation += 1;
        self.files = self.disk.attach(self.incarnation);
    }

    fn count(&self, fault: &str) -> u64 {
        self.disk.section_over(self.now);
        self.disk.counts().get(fault).copied().unwrap_or(0)
    }
}

fn create(path: &str) -> DiskOp {
    DiskOp::Create { path: path.into() }
}

fn append(path: &str, data: &[u8]) -> DiskOp {
    DiskOp::Append { path: path.into(), data: Bytes::copy_from_slice(data) }
}

fn write_at(path: &str, offset: u64, data: &[u8]) -> DiskOp {
    DiskOp::WriteAt { path: path.into(), offset, data: Bytes::copy_from_slice(data) }
}

fn truncate(path: &str, len: u64) -> DiskOp {
    DiskOp::Truncate { path: path.into(), len }
}

fn rename(from: &str, to: &str) -> DiskOp {
    DiskOp::Rename { from: from.into(), to: to.into() }
}

fn remove(path: &str) -> DiskOp {
    DiskOp::Remove { path: path.into() }
}

fn sync(path: &str) -> DiskOp {
    DiskOp::Sync { path: path.into() }
}

fn sync_dir(path: &str) -> DiskOp {
    DiskOp::SyncDir { path: path.into() }
}

fn job(id: u64, ops: Vec<DiskOp>) -> DiskJob {
    DiskJob { id, ops }
}
