//! The state of one disk, and what each operation goes through: it gets its ordinal, faults may change it, the
//! page cache carries it out, and a queue (`io_queues.rs`) decides when it ends.

use contract::disk::{DiskError, DiskErrorKind, DiskJob, DiskOp, Path};
use keyed::Keyed;
use schedule::{DiskCall, DiskFault, Files};

use super::commit::{Slots, Walk};
use super::counts::Counts;
use super::file::Fate;
use super::io_queues::{IoQueue, IoQueues, PendingOp, Touch};
use super::jobs::{Job, JobOutcome, Jobs};
use super::media::{self, Media};
use super::page_cache::{PageCache, Refusal};
use super::stamp::Stamp;
use super::timing::Timing;

/// Keys of a disk's three sources of draws.
const TIMING: u64 = 1;
const MEDIA: u64 = 2;
const SURVIVAL: u64 = 3;
/// The `part` in the stamp of the first late operation with a new ordinal. A commit never has so many parts.
const LATE: u32 = 1 << 24;

/// The state behind [`super::SimDisk`].
#[derive(Debug)]
pub(super) struct Drive {
    pub(super) cache: PageCache,
    pub(super) counts: Counts,
    pub(super) io_queues: IoQueues,
    /// The number of the last operation, counted over all incarnations.
    pub(super) ordinal: u64,
    /// Whether a fault or a lack of space ever made a call fail.
    pub(super) had_errors: bool,
    /// The incarnation that may use the disk.
    attached: Option<u32>,
    jobs: Jobs,
    pub(super) media: Media,
    timing: Timing,
    survival: Keyed,
    /// The disk's own limit, in bytes.
    pub(super) capacity: u64,
    /// During a section: what its calls are.
    section: Option<Calls>,
    /// The slots of the last backend commit, while no other section has begun.
    commit: Option<Slots>,
    /// The stamp of the last operation that was late.
    late: Stamp,
}

/// What the calls of a section are.
#[derive(Debug)]
enum Calls {
    /// Each is an operation of its own. The ordinal just before the first one.
    OfTheirOwn { before: u64 },
    /// They write a backend commit. The stamp of the one that failed, if one did.
    OfCommit(Walk, Option<Stamp>),
    /// They write commits that ended long ago in virtual time, and take effect at once.
    Late,
}

impl Drive {
    pub(super) fn new(keyed: Keyed, model: schedule::Disk) -> Drive {
        let capacity = if model.capacity == 0 { u64::MAX } else { model.capacity };
        Drive {
            cache: PageCache::new(capacity),
            counts: Counts::default(),
            io_queues: IoQueues::default(),
            ordinal: 0,
            had_errors: false,
            attached: None,
            jobs: Jobs::default(),
            media: Media::new(keyed.split(MEDIA)),
            timing: Timing::new(model, keyed.split(TIMING)),
            survival: keyed.split(SURVIVAL),
            capacity,
            section: None,
            commit: None,
            late: Stamp::default(),
        }
    }

    /// From now on, draws come from this source. Operations under way keep the durations that were already drawn.
    pub(super) fn reseed(&mut self, keyed: Keyed) {
        self.media.reseed(keyed.split(MEDIA));
        self.timing.reseed(keyed.split(TIMING));
        self.survival = keyed.split(SURVIVAL);
    }

    // ---- start and end of processes ----

    pub(super) fn attach(&mut self, incarnation: u32) {
        assert!(
            self.attached.is_none() && self.io_queues.idle(),
            "incarnation {incarnation} attaches while {:?} is attached: however a process ended, its disk must learn \
             of it by crash or power_loss",
            self.attached
        );
        self.attached = Some(incarnation);
        self.cache.evict();
    }

    /// Whether calls of this incarnation are still answered (rule R5 of ARCHITECTURE.md).
    pub(super) fn is_attached(&self, incarnation: u32) -> bool {
        self.attached == Some(incarnation)
    }

    pub(super) fn crash(&mut self, now: u64) {
        self.complete_due(now);
        let undone = self.io_queues.take();
        let undone = || undone.iter().flat_map(PendingOp::touches);
        let cut = undone().filter(|(_, touch)| **touch != Touch::Nothing).count();
        self.counts.add("cut-operation", cut as u64);
        self.cache.undo(undone());
        self.end_process();
    }

    fn end_process(&mut self) {
        self.io_queues.reset();
        self.jobs = Jobs::default();
        self.section = None;
        self.commit = None;
        self.attached = None;
    }

    pub(super) fn power_loss(&mut self, now: u64) {
        self.crash(now);
        let survival = self.survival;
        self.cache.lose_power(|who, nth| survival.draw(who, nth), &mut self.counts);
    }

    /// The process ends and all files are gone.
    pub(super) fn wipe(&mut self) {
        self.io_queues.take();
        self.end_process();
        self.cache = PageCache::new(self.capacity);
    }

    // ---- sections and jobs ----

    pub(super) fn begin_section(&mut self, now: u64) {
        self.complete_due(now);
        self.io_queues.begin(IoQueue::Section, now);
        self.commit = None;
        self.section = Some(Calls::OfTheirOwn { before: self.ordinal });
    }

    /// Takes the slots of a backend commit of this shape. Returns when the last one ends.
    pub(super) fn begin_commit(&mut self, now: u64, writes: &[u32]) -> u64 {
        self.complete_due(now);
        self.io_queues.begin(IoQueue::Section, now);
        self.commit = Some(Slots::new(self.ordinal + 1, writes));
        for writes in writes {
            let calls = std::iter::repeat_n(DiskCall::Write, *writes as usize);
            for call in calls.chain([DiskCall::Sync]) {
                self.ordinal += 1;
                self.schedule(IoQueue::Section, call, Touch::Nothing);
            }
        }
        self.io_queues.cursor(IoQueue::Section)
    }

    /// Whether an operation of the commit that was begun last has ended, if that commit is under way.
    pub(super) fn commit_has_begun(&mut self, now: u64) -> bool {
        self.complete_due(now);
        let first = self.commit.as_ref().map_or(0, |slots| slots.before() + 1);
        self.io_queues.pending(IoQueue::Section).front().is_none_or(|pending_op| pending_op.ordinal > first)
    }

    /// Begins a section whose calls write the commit that was begun last.
    pub(super) fn write_commit(&mut self, now: u64) {
        self.complete_due(now);
        let slots = self.commit.as_ref().expect("a commit is written that was never begun");
        self.section = Some(Calls::OfCommit(slots.walk(), None));
    }

    /// Begins a section whose calls take effect at once: they should have done so long ago.
    pub(super) fn catch_up(&mut self, now: u64) {
        self.complete_due(now);
        self.section = Some(Calls::Late);
    }

    /// Whether the files of the backend must have their content at any time: a fault may read, damage or fill
    /// them, or a crash is armed.
    pub(super) fn shows_backend(&self) -> bool {
        self.capacity != u64::MAX || self.media.concerns_backend() || self.io_queues.is_armed()
    }

    pub(super) fn end_section(&mut self) -> Option<u64> {
        let uses_disk = match self.section.take().expect("a section ends that was never begun") {
            Calls::OfTheirOwn { before } => self.ordinal > before,
            Calls::OfCommit(_, failed) => {
                if let Some(failed) = failed {
                    self.io_queues.drop_after(failed.ordinal);
                }
                true
            }
            Calls::Late => false,
        };
        uses_disk.then(|| self.io_queues.cursor(IoQueue::Section))
    }

    pub(super) fn section_over(&mut self, now: u64) -> bool {
        self.complete_due(now);
        self.io_queues.pending(IoQueue::Section).is_empty()
    }

    pub(super) fn submit(&mut self, now: u64, job: &DiskJob) -> u64 {
        assert!(self.attached.is_some(), "job {} of a process that is gone: its effects outlived it", job.id);
        self.complete_due(now);
        self.io_queues.begin(IoQueue::Jobs, now);
        self.jobs.unsynced.begin();
        let result = job.ops.iter().try_for_each(|op| self.operate(IoQueue::Jobs, op));
        let synced = self.jobs.unsynced.end(result.is_ok());
        let outcome = JobOutcome { result, synced };
        self.jobs.under_way.push_back(Job { id: job.id, last: self.ordinal, outcome });
        self.due(self.ordinal).unwrap_or(now)
    }

    /// When a job's operation ends; `None` if it has ended.
    fn due(&self, ordinal: u64) -> Option<u64> {
        let pending = self.io_queues.pending(IoQueue::Jobs);
        let behind = pending.partition_point(|pending_op| pending_op.ordinal <= ordinal);
        Some(pending.get(behind.checked_sub(1)?)?.ends_at)
    }

    pub(super) fn complete(&mut self, now: u64, id: u64) -> Option<JobOutcome> {
        self.complete_due(now);
        let job = self.jobs.under_way.front().filter(|job| job.id == id)?;
        if self
            .io_queues
            .pending(IoQueue::Jobs)
            .front()
            .is_some_and(|pending_op| pending_op.ordinal <= job.last)
        {
            return None;
        }
        self.jobs.under_way.pop_front().map(|job| job.outcome)
    }

    /// The jobs under way with their times, and the time of the section.
    pub(super) fn retime(&self) -> (Vec<(u64, u64)>, Option<u64>) {
        let jobs = self.jobs.under_way.iter().filter_map(|job| Some((job.id, self.due(job.last)?)));
        (jobs.collect(), self.io_queues.pending(IoQueue::Section).back().map(|pending_op| pending_op.ends_at))
    }

    /// Completes the operations that have ended at `now`.
    pub(super) fn complete_due(&mut self, now: u64) {
        while let Some(pending_op) = self.io_queues.take_due(now) {
            for (stamp, touch) in pending_op.touches() {
                self.cache.op_completed(stamp, touch, &mut self.counts);
            }
        }
    }

    // ---- operations ----

    /// An operation within a section: one of its own, one of a backend commit, or a late one.
    pub(super) fn perform(&mut self, op: &DiskOp) -> Result<(), DiskError> {
        let (ordinal, stamp) = match self.section.as_mut() {
            None | Some(Calls::OfTheirOwn { .. }) => {
                self.assert_section();
                return self.operate(IoQueue::Section, op);
            }
            Some(Calls::OfCommit(walk, failed)) => {
                let stamp = walk.assign(op);
                // What the database does to clean up after a failure goes with the failed operation: the slots after
                // that one are dropped.
                let ordinal = failed.map_or(stamp.ordinal, |failed| failed.ordinal);
                (self.ordinal, Stamp { ordinal, ..stamp })
            }
            Some(Calls::Late) => return self.operate_late(op),
        };
        debug_assert!(stamp.ordinal <= ordinal, "a commit has no slot {stamp:?}");
        let (touch, result) = self.apply(media::call_of(op), op, stamp);
        if !self.io_queues.attach(stamp, &touch) {
            self.cache.op_completed(stamp, &touch, &mut self.counts);
        }
        if let (Err(_), Some(Calls::OfCommit(_, failed))) = (&result, &mut self.section) {
            failed.get_or_insert(stamp);
        }
        result
    }

    /// An operation that ended long ago in virtual time: it is durable as soon as it is synced, and no fault that
    /// is on now concerns it.
    fn operate_late(&mut self, op: &DiskOp) -> Result<(), DiskError> {
        let ordinal = self.commit.as_ref().map_or(self.ordinal, Slots::before);
        let part = if self.late.ordinal == ordinal { self.late.part + 1 } else { LATE };
        self.late = Stamp { ordinal, part };
        let stamp = self.late;
        let touch = self.cache.apply(op, stamp, |_| Fate::Arrives);
        let touch = touch.map_err(|refusal| DiskError { kind: refusal.kind, path: path_of(op).clone() })?;
        self.cache.op_completed(stamp, &touch, &mut self.counts);
        Ok(())
    }

    /// A read within a section, of bytes or of metadata. `read` takes the result from the page cache. How often the
    /// database reads a file of the backend depends on how its pages lie in the file, so these reads take no time
    /// by themselves; see [`Drive::charge_reads`].
    pub(super) fn read<T>(
        &mut self,
        path: &str,
        bytes: bool,
        read: impl FnOnce(&PageCache) -> Result<T, DiskErrorKind>,
    ) -> Result<T, DiskError> {
        self.assert_section();
        let of_backend = media::kind_of(path) == Some(Files::Backend) && path != "db";
        if !of_backend {
            self.ordinal += 1;
        }
        let failed = !self.media.has_no_faults()
            && (self.media.fails(DiskCall::Read, path, &mut self.counts).is_some()
                || bytes && self.media.cuts_read(path, &mut self.counts));
        self.had_errors |= failed;
        let result = if failed { Err(DiskErrorKind::Io) } else { read(&self.cache) };
        if !of_backend {
            self.schedule(IoQueue::Section, DiskCall::Read, Touch::Nothing);
        }
        result.map_err(|kind| DiskError { kind, path: path.into() })
    }

    /// Reads of the backend's files, counted by the content that they returned.
    pub(super) fn charge_reads(&mut self, count: u64) {
        self.assert_section();
        for _ in 0..count {
            self.ordinal += 1;
            self.schedule(IoQueue::Section, DiskCall::Read, Touch::Nothing);
        }
    }

    fn assert_section(&self) {
        assert!(
            self.section.is_some(),
            "the disk was used outside a section: by a destructor of the member, or by a step"
        );
    }

    fn operate(&mut self, queue: IoQueue, op: &DiskOp) -> Result<(), DiskError> {
        self.ordinal += 1;
        let call = media::call_of(op);
        let (touch, result) = self.apply(call, op, Stamp::of(self.ordinal));
        if queue == IoQueue::Jobs {
            self.jobs.unsynced.note(op, &touch);
        }
        self.schedule(queue, call, touch);
        result
    }

    /// Carries out an operation in the page cache, unless a fault or a lack of space prevents it. Returns what it
    /// touched, and its result.
    fn apply(&mut self, call: DiskCall, op: &DiskOp, stamp: Stamp) -> (Touch, Result<(), DiskError>) {
        match self.try_apply(call, op, stamp) {
            Ok(touch) => (touch, Ok(())),
            Err(Refusal { kind, touch }) => {
                if kind == DiskErrorKind::Full {
                    self.counts.add(DiskFault::DiskFull { left: 0 }.name(), 1);
                    self.had_errors = true;
                }
                (touch, Err(DiskError { kind, path: path_of(op).clone() }))
            }
        }
    }

    fn try_apply(&mut self, call: DiskCall, op: &DiskOp, stamp: Stamp) -> Result<Touch, Refusal> {
        if self.media.has_no_faults() {
            return self.cache.apply(op, stamp, |_| Fate::Arrives);
        }
        if let Some(fault) = self.media.fails(call, path_of(op), &mut self.counts) {
            self.had_errors = true;
            return Err(self.cache.fail(op, stamp, self.media.draw(fault, stamp.key())));
        }
        let media = &mut self.media;
        self.cache.apply(op, stamp, |extent| media.fate(path_of(op), stamp.key(), extent))
    }

    fn schedule(&mut self, queue: IoQueue, call: DiskCall, touch: Touch) {
        let healthy = self.timing.takes(call, self.ordinal);
        let mut takes = healthy;
        if !self.media.has_no_faults() {
            takes = self.media.slow(call, self.ordinal, takes, &mut self.counts);
            self.counts.add(DiskFault::StalledDisk.name(), u64::from(self.media.stalls()));
        }
        self.io_queues.schedule(&mut self.cache, queue, self.ordinal, (takes, healthy), touch);
    }
}

/// The path of the file or directory that an operation is about.
pub(super) fn path_of(op: &DiskOp) -> &Path {
    match op {
        DiskOp::Create { path }
        | DiskOp::Append { path, .. }
        | DiskOp::WriteAt { path, .. }
        | DiskOp::Truncate { path, .. }
        | DiskOp::Rename { from: path, .. }
        | DiskOp::Remove { path }
        | DiskOp::Sync { path }
        | DiskOp::SyncDir { path } => path,
    }
}
