//! The state of one disk, and what each operation goes through: it gets its ordinal, faults may change it, the
//! page cache carries it out, and a queue (`io_queues.rs`) decides when it ends.

use keyed::Keyed;
use member::disk::{DiskError, DiskErrorKind, DiskJob, DiskOp, Path};
use plan::{DiskCall, DiskFault};

use super::counts::Counts;
use super::file::Fate;
use super::io_queues::{IoQueue, IoQueues, Touch};
use super::jobs::{Job, JobOutcome, Jobs};
use super::media::{self, Media};
use super::page_cache::{PageCache, Refusal};
use super::timing::Timing;

/// Keys of a disk's three sources of draws.
const TIMING: u64 = 1;
const MEDIA: u64 = 2;
const SURVIVAL: u64 = 3;

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
    /// During a section: the ordinal just before its first operation.
    section: Option<u64>,
}

impl Drive {
    pub(super) fn new(keyed: Keyed, model: plan::Disk) -> Drive {
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
        }
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
        let cut = undone.iter().filter(|pending_op| pending_op.touch != Touch::Nothing).count();
        self.counts.add("cut-operation", cut as u64);
        self.cache.undo(undone.iter().map(|pending_op| (pending_op.ordinal, &pending_op.touch)));
        self.end_process();
    }

    fn end_process(&mut self) {
        self.io_queues.reset();
        self.jobs = Jobs::default();
        self.section = None;
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
        self.section = Some(self.ordinal);
    }

    pub(super) fn end_section(&mut self) -> Option<u64> {
        let before = self.section.take().expect("a section ends that was never begun");
        (self.ordinal > before).then(|| self.io_queues.cursor(IoQueue::Section))
    }

    pub(super) fn section_over(&mut self, now: u64) -> bool {
        self.complete_due(now);
        self.io_queues.pending(IoQueue::Section).is_empty()
    }

    pub(super) fn submit(&mut self, now: u64, job: &DiskJob) -> u64 {
        assert!(self.attached.is_some(), "job {} of a process that is gone: its effects outlived it", job.id);
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
            self.cache.op_completed(pending_op.ordinal, &pending_op.touch, &mut self.counts);
        }
    }

    // ---- operations ----

    /// An operation within a section.
    pub(super) fn perform(&mut self, op: &DiskOp) -> Result<(), DiskError> {
        self.assert_section();
        self.operate(IoQueue::Section, op)
    }

    /// A read within a section, of bytes or of metadata. `read` takes the result from the page cache.
    pub(super) fn read<T>(
        &mut self,
        path: &str,
        bytes: bool,
        read: impl FnOnce(&PageCache) -> Result<T, DiskErrorKind>,
    ) -> Result<T, DiskError> {
        self.assert_section();
        self.ordinal += 1;
        let failed = !self.media.has_no_faults()
            && (self.media.fails(DiskCall::Read, path, &mut self.counts).is_some()
                || bytes && self.media.cuts_read(path, &mut self.counts));
        self.had_errors |= failed;
        let result = if failed { Err(DiskErrorKind::Io) } else { read(&self.cache) };
        self.schedule(IoQueue::Section, DiskCall::Read, Touch::Nothing);
        result.map_err(|kind| DiskError { kind, path: path.into() })
    }

    fn assert_section(&self) {
        assert!(
            self.section.is_some(),
            "the disk was used outside a section: a destructor of the member, or a step without begin_section"
        );
    }

    fn operate(&mut self, queue: IoQueue, op: &DiskOp) -> Result<(), DiskError> {
        self.ordinal += 1;
        let call = media::call_of(op);
        let (touch, result) = match self.apply(call, op) {
            Ok(touch) => (touch, Ok(())),
            Err(Refusal { kind, touch }) => {
                if kind == DiskErrorKind::Full {
                    self.counts.add(DiskFault::DiskFull { left: 0 }.name(), 1);
                    self.had_errors = true;
                }
                (touch, Err(DiskError { kind, path: path_of(op).clone() }))
            }
        };
        if queue == IoQueue::Jobs {
            self.jobs.unsynced.note(op, &touch);
        }
        self.schedule(queue, call, touch);
        result
    }

    fn apply(&mut self, call: DiskCall, op: &DiskOp) -> Result<Touch, Refusal> {
        let ordinal = self.ordinal;
        if self.media.has_no_faults() {
            return self.cache.apply(op, ordinal, |_| Fate::Arrives);
        }
        if let Some(fault) = self.media.fails(call, path_of(op), &mut self.counts) {
            self.had_errors = true;
            return Err(self.cache.fail(op, ordinal, self.media.draw(fault, ordinal)));
        }
        let media = &mut self.media;
        self.cache.apply(op, ordinal, |extent| media.fate(path_of(op), ordinal, extent))
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
