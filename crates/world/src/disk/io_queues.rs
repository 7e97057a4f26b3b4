//! When operations end, in virtual time.
//!
//! A disk has two queues: one for asynchronous jobs, one for synchronous sections. The operations of a queue
//! run one after another. Operations of different queues run at the same time, unless they touch the same file
//! or both change names: those wait for each other, as with the kernel's inode locks. So the operations on a
//! file end in the order of the calls, and a crash always undoes the last ones of a file.

use std::collections::VecDeque;

use contract::disk::Path;

use super::names::FileId;
use super::page_cache::PageCache;
use super::stamp::Stamp;

/// The end of an operation that is stalled, or that an armed crash prevents.
pub(super) const NEVER: u64 = u64::MAX;

/// What an operation changes or syncs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// Nothing: it reads, or it failed.
    Nothing,
    /// It changes this file.
    File(FileId),
    /// It changes the name of this file.
    Name(FileId),
    /// It syncs this file.
    Sync(FileId),
    /// It fails to sync this file.
    FailedSync(FileId),
    /// It syncs this directory.
    SyncDir(Path),
}

/// One of the two queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IoQueue {
    /// Asynchronous jobs.
    Jobs,
    /// Synchronous sections.
    Section,
}

/// An operation that has not ended yet.
#[derive(Debug)]
pub(super) struct PendingOp {
    /// Its ordinal, counted over all incarnations.
    pub(super) ordinal: u64,
    /// When it ends, in nanoseconds of virtual time.
    pub(super) ends_at: u64,
    /// How long it takes, in nanoseconds.
    takes: u64,
    /// How long it would take if no fault slowed it.
    healthy: u64,
    pub(super) touch: Touch,
    /// If this is a slot of a backend commit: the operations that end with it, in order.
    pub(super) attached: Vec<(Stamp, Touch)>,
}

impl PendingOp {
    /// What it and the operations that end with it touch, in order.
    pub(super) fn touches(&self) -> impl Iterator<Item = (Stamp, &Touch)> {
        let own = std::iter::once((Stamp::of(self.ordinal), &self.touch));
        own.chain(self.attached.iter().map(|(stamp, touch)| (*stamp, touch)))
    }
}

/// A crash that happens in place of an operation.
#[derive(Debug)]
struct ArmedCrash {
    ordinal: u64,
    /// When the operation would end; `None` before it is scheduled.
    ends_at: Option<u64>,
}

/// The two queues of a disk.
#[derive(Debug, Default)]
pub(super) struct IoQueues {
    pending: [VecDeque<PendingOp>; 2],
    /// When the last operation of each queue ends.
    cursors: [u64; 2],
    stalled: bool,
    armed: Option<ArmedCrash>,
}

impl IoQueues {
    /// Nothing submitted to this queue from now on starts before `now`.
    pub(super) fn begin(&mut self, queue: IoQueue, now: u64) {
        let cursor = &mut self.cursors[queue as usize];
        *cursor = now.max(*cursor);
    }

    /// When the last operation of a queue ends.
    pub(super) fn cursor(&self, queue: IoQueue) -> u64 {
        self.cursors[queue as usize]
    }

    /// The operations of a queue that have not ended, in order.
    pub(super) fn pending(&self, queue: IoQueue) -> &VecDeque<PendingOp> {
        &self.pending[queue as usize]
    }

    /// Whether all operations have ended.
    pub(super) fn idle(&self) -> bool {
        self.pending.iter().all(VecDeque::is_empty)
    }

    /// Puts an operation at the end of a queue. It takes `takes`; without faults it would take `healthy`.
    pub(super) fn schedule(
        &mut self,
        cache: &mut PageCache,
        queue: IoQueue,
        ordinal: u64,
        (takes, healthy): (u64, u64),
        touch: Touch,
    ) {
        let attached = Vec::new();
        self.reschedule(cache, queue, PendingOp { ordinal, ends_at: NEVER, takes, healthy, touch, attached });
    }

    /// Puts an operation at the end of a queue, and computes when it ends.
    fn reschedule(&mut self, cache: &mut PageCache, queue: IoQueue, mut pending_op: PendingOp) {
        let PendingOp { ordinal, takes, ref touch, .. } = pending_op;
        pending_op.ends_at = self.ends_at(cache, queue, ordinal, takes, touch);
        self.cursors[queue as usize] = pending_op.ends_at;
        self.pending[queue as usize].push_back(pending_op);
    }

    /// Lets an operation end with the slot of a backend commit that has this ordinal. Returns false if the slot
    /// has ended already.
    pub(super) fn attach(&mut self, stamp: Stamp, touch: &Touch) -> bool {
        let section = &mut self.pending[IoQueue::Section as usize];
        let slot = section.binary_search_by_key(&stamp.ordinal, |pending_op| pending_op.ordinal);
        let Ok(slot) = slot else { return false };
        section[slot].attached.push((stamp, touch.clone()));
        true
    }

    /// Drops the operations of the section after the one with this ordinal: they will not be performed.
    pub(super) fn drop_after(&mut self, ordinal: u64) {
        let section = &mut self.pending[IoQueue::Section as usize];
        while let Some(dropped) = section.pop_back_if(|last| last.ordinal > ordinal) {
            if self.armed.as_ref().is_some_and(|armed| armed.ordinal == dropped.ordinal) {
                self.armed = None;
            }
        }
        if let Some(last) = section.back() {
            self.cursors[IoQueue::Section as usize] = last.ends_at;
        }
    }

    /// A fault that slowed the disk has ended. Each pending operation starts over at `now` with its normal
    /// time, but never takes longer than it still had left. While the disk is stalled, it only gets its normal
    /// time for later.
    pub(super) fn end_slowness(&mut self, cache: &mut PageCache, now: u64) {
        if self.stalled {
            for pending_op in self.pending.iter_mut().flatten() {
                pending_op.takes = pending_op.takes.min(pending_op.healthy);
            }
            return;
        }
        cache.release();
        self.cursors = [now; 2];
        for (queue, pending_op) in self.take_with_queues() {
            let takes = pending_op.takes.min(pending_op.healthy).min(pending_op.ends_at.saturating_sub(now));
            self.reschedule(cache, queue, PendingOp { takes, ..pending_op });
        }
    }

    /// When the operation ends: it starts once its queue, its file and (if it changes names) the names are free.
    fn ends_at(
        &mut self,
        cache: &mut PageCache,
        queue: IoQueue,
        ordinal: u64,
        takes: u64,
        touch: &Touch,
    ) -> u64 {
        let mut start = if self.stalled { NEVER } else { self.cursors[queue as usize] };
        if matches!(touch, Touch::Name(_) | Touch::SyncDir(_)) {
            start = start.max(cache.names.busy_until);
        }
        if let Touch::File(id) | Touch::Name(id) | Touch::Sync(id) | Touch::FailedSync(id) = touch
            && let Some(file) = cache.file(*id)
        {
            start = start.max(file.busy_until);
        }
        let mut ends_at = start.saturating_add(takes);
        if let Some(armed) = &mut self.armed
            && armed.ordinal == ordinal
            && ends_at != NEVER
        {
            armed.ends_at = Some(ends_at);
            ends_at = NEVER;
        }
        if let Touch::Name(_) = touch {
            cache.names.busy_until = ends_at;
        }
        if let Touch::File(id) | Touch::Name(id) | Touch::FailedSync(id) = touch
            && let Some(file) = cache.file(*id)
        {
            file.busy_until = ends_at;
        }
        ends_at
    }

    /// Removes and returns the next operation that has ended at `now`.
    #[inline]
    pub(super) fn take_due(&mut self, now: u64) -> Option<PendingOp> {
        let [jobs, section] = &mut self.pending;
        let key =
            |queue: &VecDeque<PendingOp>| queue.front().map_or((NEVER, NEVER), |f| (f.ends_at, f.ordinal));
        let (job, other) = (key(jobs), key(section));
        if job.0.min(other.0) > now {
            return None;
        }
        if job < other { jobs.pop_front() } else { section.pop_front() }
    }

    /// Removes and returns all pending operations, by ordinal.
    pub(super) fn take(&mut self) -> Vec<PendingOp> {
        self.take_with_queues().into_iter().map(|(_, pending_op)| pending_op).collect()
    }

    fn take_with_queues(&mut self) -> Vec<(IoQueue, PendingOp)> {
        let [jobs, section] = &mut self.pending;
        let jobs = jobs.drain(..).map(|pending_op| (IoQueue::Jobs, pending_op));
        let mut all: Vec<_> =
            jobs.chain(section.drain(..).map(|pending_op| (IoQueue::Section, pending_op))).collect();
        all.sort_by_key(|(_, pending_op)| pending_op.ordinal);
        all
    }

    /// Stalls the disk: no operation ends before [`IoQueues::resume`]. Returns how many were stopped.
    pub(super) fn stall(&mut self) -> u64 {
        self.stalled = true;
        self.cursors = [NEVER; 2];
        let mut held = 0;
        for pending_op in self.pending.iter_mut().flatten() {
            held += u64::from(pending_op.ends_at != NEVER);
            pending_op.ends_at = NEVER;
            if let Some(armed) = self.armed.as_mut().filter(|armed| armed.ordinal == pending_op.ordinal) {
                armed.ends_at = None;
            }
        }
        held
    }

    /// Ends a stall: the pending operations start over at `now`, in the order in which they were submitted.
    pub(super) fn resume(&mut self, cache: &mut PageCache, now: u64) {
        if !std::mem::take(&mut self.stalled) {
            return;
        }
        cache.release();
        self.cursors = [now; 2];
        for (queue, pending_op) in self.take_with_queues() {
            self.reschedule(cache, queue, pending_op);
        }
    }

    /// The process has ended; nothing is pending any more.
    pub(super) fn reset(&mut self) {
        self.cursors = [if self.stalled { NEVER } else { 0 }; 2];
        self.armed = None;
    }

    /// Sets a crash in place of operation `ordinal`, or none. If that operation is scheduled already, the crash
    /// stays as it is.
    pub(super) fn arm(&mut self, ordinal: Option<u64>) {
        if self.armed_crash().is_none() {
            self.armed = ordinal.map(|ordinal| ArmedCrash { ordinal, ends_at: None });
        }
    }

    /// Whether a crash is set in place of an operation.
    pub(super) fn is_armed(&self) -> bool {
        self.armed.is_some()
    }

    /// When the crash is due; `None` before its operation is scheduled.
    pub(super) fn armed_crash(&self) -> Option<u64> {
        self.armed.as_ref()?.ends_at
    }
}
