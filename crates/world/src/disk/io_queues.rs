//! When operations happen: their times in virtual time.
//!
//! A disk works on two lanes, the jobs and the synchronous sections. In a lane operations run one after
//! another; across lanes they are ordered only on the same file (or on names), as the kernel's inode locks
//! make them. So for each file the order of calls is the order in time, and what a crash undoes is always the
//! end of a file's log.

use std::collections::VecDeque;

use member::disk::Path;

use super::names::FileId;
use super::page_cache::PageCache;

/// A time that never comes: for what waits for the end of a stall, or comes after an armed crash.
pub(super) const NEVER: u64 = u64::MAX;

/// What an operation touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// It reads, or it failed.
    Nothing,
    /// It changes this file.
    File(FileId),
    /// It changes names, and this is the named file.
    Name(FileId),
    /// It syncs this file.
    Sync(FileId),
    /// It fails to sync this file.
    FailedSync(FileId),
    /// It syncs this directory.
    SyncDir(Path),
}

/// A queue of operations that run one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Asynchronous jobs.
    Jobs,
    /// Synchronous sections.
    Section,
}

/// An operation that is not due yet.
#[derive(Debug)]
pub(super) struct Flight {
    /// Its number, counted over the life of the disk.
    pub(super) ordinal: u64,
    /// When it ends, in nanoseconds of virtual time.
    pub(super) over: u64,
    /// How long it takes, in nanoseconds.
    takes: u64,
    /// How long it would take if no fault slowed it.
    healthy: u64,
    pub(super) touch: Touch,
}

/// The operation before which a crash must happen.
#[derive(Debug)]
struct Armed {
    ordinal: u64,
    /// When that operation would end; known once it is scheduled.
    over: Option<u64>,
}

/// The lanes of a disk.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    flights: [VecDeque<Flight>; 2],
    /// When each lane's last operation ends.
    cursors: [u64; 2],
    stalled: bool,
    armed: Option<Armed>,
}

impl Lanes {
    /// The lane is used at `now`: nothing in it starts before.
    pub(super) fn begin(&mut self, lane: Lane, now: u64) {
        let cursor = &mut self.cursors[lane as usize];
        *cursor = now.max(*cursor);
    }

    /// When the last operation of a lane ends.
    pub(super) fn cursor(&self, lane: Lane) -> u64 {
        self.cursors[lane as usize]
    }

    /// The operations of a lane that have not ended, in order.
    pub(super) fn flights(&self, lane: Lane) -> &VecDeque<Flight> {
        &self.flights[lane as usize]
    }

    /// Whether nothing is in flight.
    pub(super) fn idle(&self) -> bool {
        self.flights.iter().all(VecDeque::is_empty)
    }

    /// Schedules an operation that takes `takes` at the end of a lane.
    pub(super) fn place(
        &mut self,
        cache: &mut PageCache,
        lane: Lane,
        ordinal: u64,
        (takes, healthy): (u64, u64),
        touch: Touch,
    ) {
        let over = self.over(cache, lane, ordinal, takes, &touch);
        self.cursors[lane as usize] = over;
        self.flights[lane as usize].push_back(Flight { ordinal, over, takes, healthy, touch });
    }

    /// A disk is no longer slow: from `now` on, what is in flight takes its normal time, and no longer than
    /// it still had left. What is stalled gets the normal time when it restarts.
    pub(super) fn hurry(&mut self, cache: &mut PageCache, now: u64) {
        if self.stalled {
            for flight in self.flights.iter_mut().flatten() {
                flight.takes = flight.takes.min(flight.healthy);
            }
            return;
        }
        cache.release();
        self.cursors = [now; 2];
        for (lane, flight) in self.take_with_lanes() {
            let takes = flight.takes.min(flight.healthy).min(flight.over.saturating_sub(now));
            self.place(cache, lane, flight.ordinal, (takes, flight.healthy), flight.touch);
        }
    }

    /// When the operation ends, after its lane, its file and the names are free.
    fn over(&mut self, cache: &mut PageCache, lane: Lane, ordinal: u64, takes: u64, touch: &Touch) -> u64 {
        let mut start = if self.stalled { NEVER } else { self.cursors[lane as usize] };
        if matches!(touch, Touch::Name(_) | Touch::SyncDir(_)) {
            start = start.max(cache.names.busy_until);
        }
        if let Touch::File(id) | Touch::Name(id) | Touch::Sync(id) | Touch::FailedSync(id) = touch
            && let Some(file) = cache.file(*id)
        {
            start = start.max(file.busy_until);
        }
        let mut over = start.saturating_add(takes);
        if let Some(armed) = &mut self.armed
            && armed.ordinal == ordinal
            && over != NEVER
        {
            armed.over = Some(over);
            over = NEVER;
        }
        if let Touch::Name(_) = touch {
            cache.names.busy_until = over;
        }
        if let Touch::File(id) | Touch::Name(id) | Touch::FailedSync(id) = touch
            && let Some(file) = cache.file(*id)
        {
            file.busy_until = over;
        }
        over
    }

    /// Takes out the next operation that is due at `now`.
    #[inline]
    pub(super) fn next_over(&mut self, now: u64) -> Option<Flight> {
        let [jobs, section] = &mut self.flights;
        let key = |lane: &VecDeque<Flight>| lane.front().map_or((NEVER, NEVER), |f| (f.over, f.ordinal));
        let (job, other) = (key(jobs), key(section));
        if job.0.min(other.0) > now {
            return None;
        }
        if job < other { jobs.pop_front() } else { section.pop_front() }
    }

    /// Takes out everything in flight, in order of the ordinals.
    pub(super) fn take(&mut self) -> Vec<Flight> {
        self.take_with_lanes().into_iter().map(|(_, flight)| flight).collect()
    }

    fn take_with_lanes(&mut self) -> Vec<(Lane, Flight)> {
        let [jobs, section] = &mut self.flights;
        let jobs = jobs.drain(..).map(|flight| (Lane::Jobs, flight));
        let mut all: Vec<_> = jobs.chain(section.drain(..).map(|flight| (Lane::Section, flight))).collect();
        all.sort_by_key(|(_, flight)| flight.ordinal);
        all
    }

    /// Nothing ends before [`Lanes::resume`]. Returns how many operations are held.
    pub(super) fn stall(&mut self) -> u64 {
        self.stalled = true;
        self.cursors = [NEVER; 2];
        let mut held = 0;
        for flight in self.flights.iter_mut().flatten() {
            held += u64::from(flight.over != NEVER);
            flight.over = NEVER;
            if let Some(armed) = self.armed.as_mut().filter(|armed| armed.ordinal == flight.ordinal) {
                armed.over = None;
            }
        }
        held
    }

    /// What was in flight restarts at `now`, in the order in which it was submitted.
    pub(super) fn resume(&mut self, cache: &mut PageCache, now: u64) {
        if !std::mem::take(&mut self.stalled) {
            return;
        }
        cache.release();
        self.cursors = [now; 2];
        for (lane, flight) in self.take_with_lanes() {
            self.place(cache, lane, flight.ordinal, (flight.takes, flight.healthy), flight.touch);
        }
    }

    /// The process is gone, and so is what it waited for.
    pub(super) fn reset(&mut self) {
        self.cursors = [if self.stalled { NEVER } else { 0 }; 2];
        self.armed = None;
    }

    /// Sets the crash before operation `ordinal`, or no crash. One that is already due stays.
    pub(super) fn arm(&mut self, ordinal: Option<u64>) {
        if self.armed_crash().is_none() {
            self.armed = ordinal.map(|ordinal| Armed { ordinal, over: None });
        }
    }

    /// When the crash is due, if that is known yet.
    pub(super) fn armed_crash(&self) -> Option<u64> {
        self.armed.as_ref()?.over
    }
}
