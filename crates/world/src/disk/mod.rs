//! A simulated disk: a page cache above a durable medium, with the semantics of POSIX.
//!
//! What it models:
//! - Operations have a time in virtual time. A sync takes effect when it ends, and covers what was written
//!   before it was submitted. A crash undoes what has not ended; see [`SimDisk::crash`].
//! - Power failures: of what no sync covered, any subset of sectors, lengths and names survives
//!   (`survival.rs`, `names.rs`).
//! - Faults of the device (`faults.rs`, `media.rs`), kept by an [`Atlas`] from destroying what the protocol needs.
//! - A failed sync drops the dirty pages; a full disk cuts a write short.
//!
//! What it does not model: permissions, links, holes that take no space, memory maps, the time a read from
//! the cache saves, queueing between members on one machine, an fsync that also makes a new file's name
//! durable (ext4 does that, POSIX does not).
//!
//! Invariants:
//! - R2: every draw is keyed by an operation's ordinal, a fault's number or a sector, never streamed.
//! - R5: a handle of a dead incarnation changes nothing and gets [`DiskErrorKind::Dead`].
//! - The member sees the results of its calls at once; what really happened is decided by virtual time alone.
//! - No operation costs more than the bytes it moves; what is both durable and cached is stored once.

mod atlas;
mod content;
mod counts;
mod drive;
mod faults;
mod file;
#[cfg(test)]
mod invariants;
mod jobs;
mod lanes;
mod media;
mod names;
mod page_cache;
mod survival;
mod timing;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyed::Keyed;
use member::disk::{Disk, DiskError, DiskErrorKind, DiskJob, DiskOp};
use plan::DiskFault;
use record::MemberId;

pub use atlas::Atlas;
use drive::Drive;
pub use jobs::JobOutcome;

/// A member's disk. A clone is the same disk.
///
/// All times are nanoseconds of the simulator's true time, and never go back from call to call. The time
/// `u64::MAX` means *not before something else happens*: the end of a stall, or a crash.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<Drive>>);

/// New times of what is under way, after a stall began or ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retimed {
    /// The numbers and times of the jobs that have not ended, in order.
    pub jobs: Vec<(u64, u64)>,
    /// When the section ends, if one is under way.
    pub section: Option<u64>,
}

impl SimDisk {
    /// An empty disk. `keyed` is the world's source of disk draws; the disk takes its member's part.
    pub fn new(member: MemberId, keyed: Keyed, model: plan::Disk) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(Drive::new(keyed.split(member.raft_id()), model))))
    }

    /// A panic of a member during a call does not break the disk: the world goes on to judge it.
    fn drive(&self) -> MutexGuard<'_, Drive> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- process life ----

    /// The disk as a new process sees it. Clean pages count as evicted: damage shows from now on.
    ///
    /// # Panics
    /// If the last process ended without [`SimDisk::crash`] or [`SimDisk::power_loss`].
    pub fn attach(&self, incarnation: u32) -> Arc<dyn Disk> {
        self.drive().attach(incarnation);
        Arc::new(Handle { disk: self.clone(), incarnation })
    }

    /// The process ends, killed or by itself. Operations that have not ended at `now` never happened; the
    /// others stay in the page cache.
    pub fn crash(&self, now: u64) {
        self.drive().crash(now);
    }

    /// As [`SimDisk::crash`], and the page cache is lost too: keyed draws decide which part of the unsynced
    /// data survives.
    pub fn power_loss(&self, now: u64) {
        self.drive().power_loss(now);
    }

    // ---- sections and jobs ----

    /// From `now` on, calls of the [`Disk`] trait are taken one after another, until
    /// [`SimDisk::end_section`].
    pub fn begin_section(&self, now: u64) {
        self.drive().begin_section(now);
    }

    /// When the last operation of the section ends; `None` if there was none.
    pub fn end_section(&self) -> Option<u64> {
        self.drive().end_section()
    }

    /// Whether all operations of all sections have ended at `now`.
    pub fn section_over(&self, now: u64) -> bool {
        self.drive().section_over(now)
    }

    /// Takes a job and returns when it ends.
    ///
    /// # Panics
    /// If no process is attached.
    pub fn submit(&self, now: u64, job: &DiskJob) -> u64 {
        self.drive().submit(now, job)
    }

    /// The outcome of the oldest job under way, if that is `job` and it has ended at `now`; given only once.
    pub fn complete(&self, now: u64, job: u64) -> Option<JobOutcome> {
        self.drive().complete(now, job)
    }

    /// The times of what is under way. Call it after a stall has begun or ended, which makes all earlier
    /// times void.
    pub fn retime(&self) -> Retimed {
        let (jobs, section) = self.drive().retime();
        Retimed { jobs, section }
    }

    // ---- crashes at an operation ----

    /// The number of the last operation, counted from 1 over the life of the disk. Every call counts: reads,
    /// failed ones, each operation of a job.
    pub fn ordinal(&self) -> u64 {
        self.drive().ordinal
    }

    /// The operation of this number, and what follows it in its job or section, will not happen: the world
    /// must crash the process at [`SimDisk::armed_crash`]. Only the last such call counts, unless the
    /// operation was already submitted. A crash disarms it, whatever the cause.
    pub fn crash_at(&self, ordinal: u64) {
        self.drive().lanes.arm(Some(ordinal));
    }

    /// Undoes [`SimDisk::crash_at`], unless the operation was already submitted.
    pub fn disarm(&self) {
        self.drive().lanes.arm(None);
    }

    /// When the operation with an armed crash would end, once it was submitted.
    pub fn armed_crash(&self) -> Option<u64> {
        self.drive().lanes.armed_crash()
    }

    // ---- faults ----

    /// Switches on the fault with this number in the plan. Ask the [`Atlas`] first. A fault that ends the
    /// process is injected after that end.
    pub fn inject(&self, now: u64, fault: u64, kind: &DiskFault) {
        self.drive().inject(now, fault, kind);
    }

    /// Switches a fault off. Damage it did stays.
    pub fn heal(&self, now: u64, fault: u64) {
        self.drive().heal(now, fault);
    }

    /// Switches all faults off.
    pub fn heal_all(&self, now: u64) {
        self.drive().heal_all(now);
    }

    /// How often each fault took effect: the plan's faults by their names there, and the effects of crashes
    /// and power failures: "cut-operation", "lost-sector", "lost-length", "lost-name", "torn-write". A full
    /// disk counts as "disk-full", whether a fault or its own capacity caused it.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.drive().counts.get().clone()
    }

    /// Whether a fault or a lack of space ever made a call of a process fail: then the process may end
    /// itself, as etcd does.
    pub fn had_errors(&self) -> bool {
        self.drive().had_errors
    }

    /// Operations submitted so far.
    pub fn operations(&self) -> u64 {
        self.ordinal()
    }

    // ---- for judges and tests ----

    /// All files with their content as a process sees them.
    pub fn cached_files(&self) -> BTreeMap<String, Vec<u8>> {
        self.drive().cache.content(false)
    }

    /// All files with their content as the medium holds them at `now`.
    pub fn durable_files(&self, now: u64) -> BTreeMap<String, Vec<u8>> {
        let mut drive = self.drive();
        drive.settle(now);
        drive.cache.content(true)
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drive = self.drive();
        f.debug_struct("SimDisk")
            .field("ordinal", &drive.ordinal)
            .field("counts", drive.counts.get())
            .finish()
    }
}

/// One process's access to its disk.
#[derive(Debug)]
struct Handle {
    disk: SimDisk,
    incarnation: u32,
}

impl Handle {
    /// The disk, if this handle belongs to the living process (rule R5).
    fn drive(&self, path: &str) -> Result<MutexGuard<'_, Drive>, DiskError> {
        let drive = self.disk.drive();
        if drive.admits(self.incarnation) {
            Ok(drive)
        } else {
            Err(DiskError { kind: DiskErrorKind::Dead, path: path.into() })
        }
    }
}

impl Disk for Handle {
    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        self.drive(dir)?.look(dir, false, |cache| Ok(cache.names.list(dir)))
    }

    fn len(&self, path: &str) -> Result<u64, DiskError> {
        self.drive(path)?.look(path, false, |cache| Ok(cache.named(path)?.cached.len()))
    }

    fn read(&self, path: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.drive(path)?.look(path, true, |cache| {
            let content = &cache.named(path)?.cached;
            let end = offset.saturating_add(buffer.len() as u64);
            if end > content.len() && !buffer.is_empty() {
                return Err(DiskErrorKind::PastEnd);
            }
            content.read(offset, buffer);
            Ok(())
        })
    }

    fn perform(&self, op: &DiskOp) -> Result<(), DiskError> {
        self.drive(drive::path_of(op))?.perform(op)
    }
}
