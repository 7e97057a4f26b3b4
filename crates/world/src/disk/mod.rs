//! A simulated disk: a page cache above a durable medium, as POSIX has it.
//!
//! What it models:
//! - Operations have a place in virtual time. A sync takes effect when it is over, and covers what was
//!   written before it was asked for. A crash takes back what was not over; see [`SimDisk::crash`].
//! - Power failures: of what no sync covered, any subset of sectors, lengths and names survives
//!   (`survival.rs`, `names.rs`).
//! - Faults of the device (`faults.rs`, `media.rs`), kept by an [`Atlas`] from destroying what the protocol needs.
//! - A failed sync drops the dirty pages; a full disk cuts a write short.
//!
//! What it does not model: permissions, links, holes that take no room, memory maps, the time a read
//! from the cache saves, queueing between members on one machine, an fsync that also makes a new
//! file's name durable (ext4 does that, POSIX does not).
//!
//! Invariants:
//! - R2: every draw is keyed by an operation's ordinal, a fault's number or a sector, never streamed.
//! - R5: a handle of a dead incarnation changes nothing and gets [`DiskErrorKind::Dead`].
//! - The member sees the results of its calls at once; what happened is decided by virtual time alone.
//! - No operation costs more than the bytes it moves; what is durable and cached is kept once.

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

pub use atlas::Atlas;
use drive::Drive;
pub use jobs::JobOutcome;

/// A member's disk. A clone is the same disk.
///
/// All times are nanoseconds of the simulator's true time, and never go back from call to call.
/// `u64::MAX` as a time means *not before something else happens*: the end of a stall, or a crash.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<Drive>>);

/// New times of what is under way, after a stall began or ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retimed {
    /// The jobs that are not over, by their numbers and in their order, each with its time.
    pub jobs: Vec<(u64, u64)>,
    /// When the section is over, where one is not.
    pub section: Option<u64>,
}

impl SimDisk {
    /// An empty disk. `keyed` is the world's source of disk draws; the disk takes its member's part.
    pub fn new(member: u32, keyed: Keyed, model: plan::Disk) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(Drive::new(keyed.split(u64::from(member)), model))))
    }

    /// A panic of a member amid a call does not break the disk: the world goes on to judge it.
    fn drive(&self) -> MutexGuard<'_, Drive> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- process life ----

    /// The disk as a new process sees it. Clean pages count as evicted: damage shows from here on.
    ///
    /// # Panics
    /// If the last process ended without [`SimDisk::crash`] or [`SimDisk::power_loss`].
    pub fn attach(&self, incarnation: u32) -> Arc<dyn Disk> {
        self.drive().attach(incarnation);
        Arc::new(Handle { disk: self.clone(), incarnation })
    }

    /// The process ends, killed or by itself. Operations that are not over at `now` never happened;
    /// the others stay in the page cache.
    pub fn crash(&self, now: u64) {
        self.drive().crash(now);
    }

    /// The same, and the page cache is gone, too: of what is not durable a part survives by keyed draws.
    pub fn power_loss(&self, now: u64) {
        self.drive().power_loss(now);
    }

    // ---- sections and jobs ----

    /// Until [`SimDisk::end_section`] calls of the [`Disk`] trait are taken, one after another from `now` on.
    pub fn begin_section(&self, now: u64) {
        self.drive().begin_section(now);
    }

    /// When the last operation of the section is over; `None` if there was none.
    pub fn end_section(&self) -> Option<u64> {
        self.drive().end_section()
    }

    /// Whether all operations of all sections are over at `now`.
    pub fn section_over(&self, now: u64) -> bool {
        self.drive().section_over(now)
    }

    /// Takes a job and returns when it is over.
    ///
    /// # Panics
    /// If no process is attached.
    pub fn submit(&self, now: u64, job: &DiskJob) -> u64 {
        self.drive().submit(now, job)
    }

    /// The outcome of the oldest job under way, if that is `job` and it is over at `now`; once only.
    pub fn complete(&self, now: u64, job: u64) -> Option<JobOutcome> {
        self.drive().complete(now, job)
    }

    /// The times of what is under way; to be asked after a stall has begun or ended, which makes
    /// all earlier times void.
    pub fn retime(&self) -> Retimed {
        let (jobs, section) = self.drive().retime();
        Retimed { jobs, section }
    }

    // ---- crashes at an operation ----

    /// The number of the last operation, counted from 1 over the life of the disk. Every call counts:
    /// reads, failed ones, each operation of a job.
    pub fn ordinal(&self) -> u64 {
        self.drive().ordinal
    }

    /// The operation of this number, and what follows it in its job or section, will not happen: the
    /// world is to crash the process at [`SimDisk::armed_crash`]. Only the last such call counts, but
    /// for one whose operation was asked for already. A crash disarms, whatever its cause.
    pub fn crash_at(&self, ordinal: u64) {
        self.drive().lanes.arm(Some(ordinal));
    }

    /// Takes [`SimDisk::crash_at`] back, unless the operation was asked for already.
    pub fn disarm(&self) {
        self.drive().lanes.arm(None);
    }

    /// When the operation that is to be crashed at would be over, once it was asked for.
    pub fn armed_crash(&self) -> Option<u64> {
        self.drive().lanes.armed_crash()
    }

    // ---- faults ----

    /// Switches on the fault of the plan that has this number. Ask the [`Atlas`] before. A
    /// fault that ends the process is injected after that end.
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

    /// How often each fault took effect: those of the plan by their names there, and what crashes and
    /// power failures did: "cut-operation", "lost-sector", "lost-length", "lost-name", "torn-write". A disk
    /// that is full counts as "disk-full", whether a fault or its own capacity made it so.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.drive().counts.get().clone()
    }

    /// Whether a fault, or want of room, ever made a call of a process fail: then the process may end
    /// itself, as etcd does.
    pub fn had_errors(&self) -> bool {
        self.drive().had_errors
    }

    /// Operations asked for so far.
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
    /// The disk, if this handle's process is the living one (rule R5).
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
