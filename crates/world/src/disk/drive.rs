//! A disk at work: the operations of one member, numbered, timed, struck by faults, and cut off by crashes.

use keyed::Keyed;
use member::disk::{DiskError, DiskErrorKind, DiskJob, DiskOp, Path};
use plan::{DiskCall, DiskFault};

use super::counts::Counts;
use super::file::Fate;
use super::jobs::{Job, JobOutcome, Jobs};
use super::lanes::{Lane, Lanes, Touch};
use super::media::{self, Media};
use super::page_cache::{PageCache, Refusal};
use super::timing::Timing;

/// Keys of a disk's sources of draws.
const TIMING: u64 = 1;
const MEDIA: u64 = 2;
const SURVIVAL: u64 = 3;

/// The state behind [`super::SimDisk`].
#[derive(Debug)]
pub(super) struct Drive {
    pub(super) cache: PageCache,
    pub(super) counts: Counts,
    pub(super) lanes: Lanes,
    pub(super) ordinal: u64,
    /// Whether a fault or a lack of space ever made a call fail.
    pub(super) had_errors: bool,
    /// The incarnation that may use the disk.
    alive: Option<u32>,
    jobs: Jobs,
    pub(super) media: Media,
    timing: Timing,
    survival: Keyed,
    /// The disk's own limit, in bytes.
    pub(super) capacity: u64,
    /// The ordinal just before the running section.
    section: Option<u64>,
}

impl Drive {
    pub(super) fn new(keyed: Keyed, model: plan::Disk) -> Drive {
        let capacity = if model.capacity == 0 { u64::MAX } else { model.capacity };
        Drive {
            cache: PageCache::new(capacity),
            counts: Counts::default(),
            lanes: Lanes::default(),
            ordinal: 0,
            had_errors: false,
            alive: None,
            jobs: Jobs::default(),
            media: Media::new(keyed.split(MEDIA)),
            timing: Timing::new(model, keyed.split(TIMING)),
            survival: keyed.split(SURVIVAL),
            capacity,
            section: None,
        }
    }

    // ---- process life ----

    pub(super) fn attach(&mut self, incarnation: u32) {
        assert!(
            self.alive.is_none() && self.lanes.idle(),
            "incarnation {incarnation} attaches while {:?} is alive: however a process ended, its disk must learn \
             of it by crash or power_loss",
            self.alive
        );
        self.alive = Some(incarnation);
        self.cache.evict();
    }

    /// Whether calls of this incarnation are still answered (rule R5).
    pub(super) fn admits(&self, incarnation: u32) -> bool {
        self.alive == Some(incarnation)
    }

    pub(super) fn crash(&mut self, now: u64) {
        self.settle(now);
        let undone = self.lanes.take();
        let cut = undone.iter().filter(|flight| flight.touch != Touch::Nothing).count();
        self.counts.add("cut-operation", cut as u64);
        self.cache.undo(undone.iter().map(|flight| (flight.ordinal, &flight.touch)));
        self.end_process();
    }

    fn end_process(&mut self) {
        self.lanes.reset();
        self.jobs = Jobs::default();
        self.section = None;
        self.alive = None;
    }

    pub(super) fn power_loss(&mut self, now: u64) {
        self.crash(now);
        let survival = self.survival;
        self.cache.lose_power(|who, nth| survival.draw(who, nth), &mut self.counts);
    }

    /// The process ends and all its files are gone.
    pub(super) fn wipe(&mut self) {
        self.lanes.take();
        self.end_process();
        self.cache = PageCache::new(self.capacity);
    }

    // ---- sections and jobs ----

    pub(super) fn begin_section(&mut self, now: u64) {
        self.settle(now);
        self.lanes.begin(Lane::Section, now);
        self.section = Some(self.ordinal);
    }

    pub(super) fn end_section(&mut self) -> Option<u64> {
        let before = self.section.take().expect("a section ends that was never begun");
        (self.ordinal > before).then(|| self.lanes.cursor(Lane::Section))
    }

    pub(super) fn section_over(&mut self, now: u64) -> bool {
        self.settle(now);
        self.lanes.flights(Lane::Section).is_empty()
    }

    pub(super) fn submit(&mut self, now: u64, job: &DiskJob) -> u64 {
        assert!(self.alive.is_some(), "job {} of a process that is gone: its effects outlived it", job.id);
        self.lanes.begin(Lane::Jobs, now);
        self.jobs.debt.begin();
        let result = job.ops.iter().try_for_each(|op| self.operate(Lane::Jobs, op));
        let synced = self.jobs.debt.end(result.is_ok());
        let outcome = JobOutcome { result, synced };
        self.jobs.under_way.push_back(Job { id: job.id, last: self.ordinal, outcome });
        self.due(self.ordinal).unwrap_or(now)
    }

    /// When a job's operation ends; `None` if it has ended.
    fn due(&self, ordinal: u64) -> Option<u64> {
        let flights = self.lanes.flights(Lane::Jobs);
        let behind = flights.partition_point(|flight| flight.ordinal <= ordinal);
        Some(flights.get(behind.checked_sub(1)?)?.over)
    }

    pub(super) fn complete(&mut self, now: u64, id: u64) -> Option<JobOutcome> {
        self.settle(now);
        let job = self.jobs.under_way.front().filter(|job| job.id == id)?;
        if self.lanes.flights(Lane::Jobs).front().is_some_and(|flight| flight.ordinal <= job.last) {
            return None;
        }
        self.jobs.under_way.pop_front().map(|job| job.outcome)
    }

    /// The jobs under way with their times, and the time of the section.
    pub(super) fn retime(&self) -> (Vec<(u64, u64)>, Option<u64>) {
        let jobs = self.jobs.under_way.iter().filter_map(|job| Some((job.id, self.due(job.last)?)));
        (jobs.collect(), self.lanes.flights(Lane::Section).back().map(|flight| flight.over))
    }

    /// Completes everything that is due at `now`.
    pub(super) fn settle(&mut self, now: u64) {
        while let Some(flight) = self.lanes.next_over(now) {
            self.cache.happen(flight.ordinal, &flight.touch, &mut self.counts);
        }
    }

    // ---- operations ----

    /// An operation of the running section.
    pub(super) fn perform(&mut self, op: &DiskOp) -> Result<(), DiskError> {
        self.assert_section();
        self.operate(Lane::Section, op)
    }

    /// A read of the running section, of bytes or of file metadata: `look` sees the page cache.
    pub(super) fn look<T>(
        &mut self,
        path: &str,
        bytes: bool,
        look: impl FnOnce(&PageCache) -> Result<T, DiskErrorKind>,
    ) -> Result<T, DiskError> {
        self.assert_section();
        self.ordinal += 1;
        let failed = !self.media.quiet()
            && (self.media.fails(DiskCall::Read, path, &mut self.counts).is_some()
                || bytes && self.media.cuts_read(path, &mut self.counts));
        self.had_errors |= failed;
        let result = if failed { Err(DiskErrorKind::Io) } else { look(&self.cache) };
        self.place(Lane::Section, DiskCall::Read, Touch::Nothing);
        result.map_err(|kind| DiskError { kind, path: path.into() })
    }

    fn assert_section(&self) {
        assert!(
            self.section.is_some(),
            "the disk was used outside a section: a destructor of the member, or a step without begin_section"
        );
    }

    fn operate(&mut self, lane: Lane, op: &DiskOp) -> Result<(), DiskError> {
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
        if lane == Lane::Jobs {
            self.jobs.debt.note(op, &touch);
        }
        self.place(lane, call, touch);
        result
    }

    fn apply(&mut self, call: DiskCall, op: &DiskOp) -> Result<Touch, Refusal> {
        let ordinal = self.ordinal;
        if self.media.quiet() {
            return self.cache.apply(op, ordinal, |_| Fate::Arrives);
        }
        if let Some(fault) = self.media.fails(call, path_of(op), &mut self.counts) {
            self.had_errors = true;
            return Err(self.cache.fail(op, ordinal, self.media.draw(fault, ordinal)));
        }
        let media = &mut self.media;
        self.cache.apply(op, ordinal, |extent| media.fate(path_of(op), ordinal, extent))
    }

    fn place(&mut self, lane: Lane, call: DiskCall, touch: Touch) {
        let healthy = self.timing.takes(call, self.ordinal);
        let mut takes = healthy;
        if !self.media.quiet() {
            takes = self.media.slow(call, self.ordinal, takes, &mut self.counts);
            self.counts.add(DiskFault::StalledDisk.name(), u64::from(self.media.stalls()));
        }
        self.lanes.place(&mut self.cache, lane, self.ordinal, (takes, healthy), touch);
    }
}

/// The path an operation is about.
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
