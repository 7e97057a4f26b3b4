//! A simulated disk: a page cache above a durable medium, with the semantics of POSIX.
//!
//! A member uses its disk in two ways. A *job* is asynchronous: a list of operations whose end the member
//! learns later. A *section* is synchronous: all disk calls during one step of the member. The calls return
//! their results at once, but take time in virtual time; the member gets no input before they have ended. A
//! *backend commit* is a section of another kind: how long it takes is known before its calls are made, and they may be
//! made much later (`commit.rs`).
//!
//! What it models:
//! - Each operation takes virtual time. A sync takes effect when it ends, and covers what was written before
//!   it was submitted. A crash undoes operations that have not ended ([`SimDisk::crash`]).
//! - A power failure may lose any subset of the sectors, lengths and names that no sync covered
//!   (`survival.rs`, `names.rs`).
//! - Faults of the device (`faults.rs`, `media.rs`). An [`Atlas`] keeps them from damaging so much that an acknowledged
//!   write could be lost without any bug.
//! - A failed sync drops the dirty pages, as on Linux. A full disk cuts a write short.
//!
//! What it does not model: permissions, links, sparse files that take no space, memory maps, reads that are
//! faster from the cache, members that share a disk, and an fsync that also makes a new file's name durable
//! (ext4 does that, POSIX does not promise it).
//!
//! Invariants:
//! - R2: every draw is keyed by an operation's ordinal, a fault's number or a sector, never streamed. The
//!   *ordinal* of an operation counts all operations of this disk, over all incarnations.
//! - R5: a handle of an ended incarnation changes nothing and gets [`DiskErrorKind::Dead`].
//! - The member sees the results of its calls at once; virtual time alone decides which of them really happened.
//! - No operation costs more than the bytes it moves. Bytes that are both durable and cached are stored once.

mod atlas;
mod commit;
mod content;
mod counts;
mod drive;
mod faults;
mod file;
#[cfg(test)]
mod invariants;
mod io_queues;
mod jobs;
mod media;
mod names;
mod page_cache;
mod stamp;
mod survival;
mod timing;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::disk::{Disk, DiskError, DiskErrorKind, DiskJob, DiskOp};
use keyed::Keyed;
use schedule::DiskFault;
use trace::MemberId;

pub use atlas::Atlas;
use drive::Drive;
pub use jobs::JobOutcome;
pub use media::concerns_backend;

/// A member's disk. A clone refers to the same disk.
///
/// All times are in nanoseconds of true time, and never go back from one call to the next. The time `u64::MAX`
/// means that the end is not known yet, because the disk is stalled or an armed crash comes first.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<Drive>>);

/// New times of the operations under way, after a stall began or ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retimed {
    /// The numbers and times of the jobs that have not ended, in order.
    pub jobs: Vec<(u64, u64)>,
    /// When the section ends, if one is under way.
    pub section: Option<u64>,
}

impl SimDisk {
    /// An empty disk. `keyed` is the world's source of disk draws; the disk takes its member's part.
    pub fn new(member: MemberId, keyed: Keyed, model: schedule::Disk) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(Drive::new(keyed.split(member.raft_id()), model))))
    }

    /// From now on, draws come from this source, which is the world's.
    pub(crate) fn reseed(&self, member: MemberId, keyed: Keyed) {
        self.drive().reseed(keyed.split(member.raft_id()));
    }

    /// A member may panic during a call. That poisons the lock, but the disk is still consistent.
    fn drive(&self) -> MutexGuard<'_, Drive> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- start and end of processes ----

    /// Gives a new process access to the disk. Its clean pages count as evicted from the cache, so the process
    /// sees damage that the medium has suffered.
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

    /// As [`SimDisk::crash`], and the page cache is lost too. Keyed draws decide which unsynced data survives.
    pub fn power_loss(&self, now: u64) {
        self.drive().power_loss(now);
    }

    // ---- sections and jobs ----

    /// Begins a section: until [`SimDisk::end_section`], the process may call the [`Disk`] trait.
    pub fn begin_section(&self, now: u64) {
        self.drive().begin_section(now);
    }

    /// Ends the calls of a section. Returns when its last operation ends; `None` if there was none, or if the calls
    /// caught up.
    pub fn end_section(&self) -> Option<u64> {
        self.drive().end_section()
    }

    /// Whether all operations of all sections have ended at `now`.
    pub fn section_over(&self, now: u64) -> bool {
        self.drive().section_over(now)
    }

    /// Begins a backend commit and returns when it ends. `writes` is its shape: for each of its syncs, how many
    /// writes come before it. It takes that many operations, no matter whether or when it is written.
    pub fn begin_commit(&self, now: u64, writes: &[u32]) -> u64 {
        self.drive().begin_commit(now, writes)
    }

    /// Whether, at `now`, an operation of the commit that was begun last has ended.
    pub fn commit_has_begun(&self, now: u64) -> bool {
        self.drive().commit_has_begun(now)
    }

    /// Begins a section whose calls write the commit that was begun last. They are spread over the time that the
    /// commit takes. Calls whose time has already come take effect at once.
    ///
    /// # Panics
    /// If this process has begun no commit.
    pub fn write_commit(&self, now: u64) {
        self.drive().write_commit(now);
    }

    /// Begins a section whose calls write commits that ended before `now`. They take no time: what they write takes
    /// effect at once, and is durable as soon as it is synced.
    pub fn catch_up(&self, now: u64) {
        self.drive().catch_up(now);
    }

    /// Whether the files of the backend must have their content at any time: while a fault is on that may read,
    /// damage or fill them, while a crash at an operation is armed, and always on a disk of limited capacity.
    pub fn shows_backend(&self) -> bool {
        self.drive().shows_backend()
    }

    /// Takes a job and returns when it ends.
    ///
    /// # Panics
    /// If no process is attached.
    pub fn submit(&self, now: u64, job: &DiskJob) -> u64 {
        self.drive().submit(now, job)
    }

    /// The outcome of `job`, if that is the oldest job under way and it has ended at `now`. Returned only once.
    pub fn complete(&self, now: u64, job: u64) -> Option<JobOutcome> {
        self.drive().complete(now, job)
    }

    /// The times of the operations under way. Call it after a fault has begun or ended: earlier times are void.
    pub fn retime(&self) -> Retimed {
        let (jobs, section) = self.drive().retime();
        Retimed { jobs, section }
    }

    // ---- crashes at an operation ----

    /// The ordinal of the last operation, from 1. Every call counts: reads, failed calls, each operation of a job.
    pub fn ordinal(&self) -> u64 {
        self.drive().ordinal
    }

    /// Arms a crash at this operation: neither it nor what follows it in its job or section will happen, and
    /// the world must crash the process at [`SimDisk::armed_crash`]. A second call replaces the first, unless
    /// that operation was already submitted. Any crash disarms it.
    pub fn crash_at(&self, ordinal: u64) {
        self.drive().io_queues.arm(Some(ordinal));
    }

    /// Undoes [`SimDisk::crash_at`], unless the operation was already submitted.
    pub fn disarm(&self) {
        self.drive().io_queues.arm(None);
    }

    /// When the operation with the armed crash would end; `None` before it is submitted.
    pub fn armed_crash(&self) -> Option<u64> {
        self.drive().io_queues.armed_crash()
    }

    // ---- faults ----

    /// Switches on the fault with this number in the plan. The caller asks the [`Atlas`] first. If the fault ends the
    /// process, the caller also ends the process first.
    pub fn inject(&self, now: u64, fault: u64, kind: &DiskFault) {
        self.drive().inject(now, fault, kind);
    }

    /// Switches a fault off. Damage that it did stays.
    pub fn heal(&self, now: u64, fault: u64) {
        self.drive().heal(now, fault);
    }

    /// Switches all faults off.
    pub fn heal_all(&self, now: u64) {
        self.drive().heal_all(now);
    }

    /// How often each fault took effect, by its name in the plan. Effects of crashes and power failures are
    /// counted too: "cut-operation", "lost-sector", "lost-length", "lost-name", "torn-write". A full disk counts
    /// as "disk-full", whether a fault or its own capacity caused it.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.drive().counts.get().clone()
    }

    /// Whether a fault or a lack of space ever made a call fail. After such an error a process may end itself,
    /// as etcd does, without this being a violation.
    pub fn had_errors(&self) -> bool {
        self.drive().had_errors
    }

    /// Operations submitted so far.
    pub fn operations(&self) -> u64 {
        self.ordinal()
    }

    // ---- for judges and tests ----

    /// The paths of all files as a process sees them, with their lengths in bytes.
    pub fn files(&self) -> Vec<(String, u64)> {
        self.drive().cache.lengths()
    }

    /// All files with their content as a process sees them.
    pub fn cached_files(&self) -> BTreeMap<String, Vec<u8>> {
        self.drive().cache.content(false)
    }

    /// All files with their content on the medium at `now`.
    pub fn durable_files(&self, now: u64) -> BTreeMap<String, Vec<u8>> {
        let mut drive = self.drive();
        drive.complete_due(now);
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
    /// The disk, if this handle belongs to the running incarnation (rule R5).
    fn drive(&self, path: &str) -> Result<MutexGuard<'_, Drive>, DiskError> {
        let drive = self.disk.drive();
        if drive.is_attached(self.incarnation) {
            Ok(drive)
        } else {
            Err(DiskError { kind: DiskErrorKind::Dead, path: path.into() })
        }
    }
}

impl Disk for Handle {
    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        self.drive(dir)?.read(dir, false, |cache| Ok(cache.names.list(dir)))
    }

    fn len(&self, path: &str) -> Result<u64, DiskError> {
        self.drive(path)?.read(path, false, |cache| Ok(cache.named(path)?.cached.len()))
    }

    fn read(&self, path: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.drive(path)?.read(path, true, |cache| {
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

    fn charge_reads(&self, count: u64) {
        if let Ok(mut drive) = self.drive("") {
            drive.charge_reads(count);
        }
    }
}
