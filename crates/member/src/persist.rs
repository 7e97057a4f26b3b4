//! How a member's state gets to its disk: the queue of disk jobs, backend commits, defragmentation, the
//! removal of compacted revisions (the *scrub*), snapshots of the log, and snapshots from a leader.
//!
//! The member hands out everything for its disk as *jobs*, and continues. The write-ahead log (WAL) and snapshot
//! files are written by [`DiskJob`]s, one at a time. The backend belongs to the driver, which does the
//! [`Job`]s for it, also one at a time: commits, the copy of a defragmentation, the replacement of the whole file.
//! Only when the driver reports that such a job is done ([`contract::Input::StoreDone`]) does the consistent
//! index of a backend commit count as durable.
//!
//! A *snapshot of the log* is a marker in the WAL that says from which index a restart may replay. It comes
//! after a backend commit, because entries may be dropped from the log only if the backend holds their
//! effects durably (etcd issue 10219).
//!
//! Invariants: at most one job of the backend is in progress; `durable <= index of the last backend commit <= applied`.

use std::collections::VecDeque;

use api::Request;
use bytes::Bytes;
use protobuf::Message as _;
use raft::eraftpb::ConfState;
use record::inner::CommitCause;
use record::{EtcdFact as Fact, Inner, MemberId, Probe};

use crate::backend::{Job, Ledger, Meta, Size, Split};
use crate::config::{Config, EtcdVersion};
use crate::disk::{DiskJob, DiskOp};
use crate::failpoint::Failpoint;
use crate::flaw::{Flaw, Flaws};
use crate::inner;
use crate::keeps::{Count, count};
use crate::log::Log;
use crate::mvcc::Store;
use crate::node::Save;
use crate::out::Out;
use crate::punctual;
use crate::replica::Replica;
use crate::snapshot_file::{Snapshots, marker_of};
use crate::wal::{Marker, Position, Wal};
use crate::work::{Incoming, Prepared};

/// How many rows a step of a scrub removes at most. The rest of a batch follows in other steps, at once.
const SCRUBBED_AT_ONCE: u32 = 64;

/// How many entries are applied between two checks whether the log can be compacted (etcd 3.6's `server.go`,
/// `memorySnapshotCount`).
const ENTRIES_BETWEEN_COMPACTIONS: u64 = 100;

/// What is being written, and what is not written yet. Times are on the member's own clock.
#[derive(Debug)]
pub(crate) struct Persistence {
    limits: Limits,
    flaws: Flaws,
    wal: Wal,
    /// What the backend will hold once its job in progress is done.
    ledger: Ledger,
    /// When the oldest change that is not in the backend was made; `None` if the backend holds all changes.
    dirty_since: Option<u64>,
    /// How many entries were applied since the last backend commit.
    uncommitted: u64,
    /// The backend's job in progress.
    job: Option<UnderWay>,
    /// The consistent index of the last backend commit that is durable.
    durable: u64,
    /// The configuration at that index.
    durable_conf: ConfState,
    /// The operations of clients that requested a defragmentation and wait for it.
    defragment: Vec<u64>,
    /// Whether the commit with which a defragmentation begins has been handed out. Changes after that commit do not
    /// delay the copy.
    committed: bool,
    /// Whether there is a defragmented copy of the backend, which will replace it. With flaw M-20271: what the
    /// copy holds, because the backend may have changed since.
    copy: Option<Option<Ledger>>,
    /// The index of the last snapshot of the log. Its marker may still be in a job that is not done.
    last_snapshot: u64,
    /// The applied index when the log was last compacted, or looked at.
    compacted_at: u64,
    /// The job that writes a snapshot's marker, and the snapshot's index, until that job is done.
    marking: Option<(u64, u64)>,
    /// The first number that no job on the disk has had.
    unused_job: u64,
    /// The number of the job in progress on the disk.
    in_flight: Option<u64>,
    /// The next job. It collects all operations that are queued while a job is in progress, with one sync for
    /// several appends. etcd's raft loop has the same effect: it waits for the disk, and entries collect in
    /// the next ready.
    queued: Option<DiskJob>,
    /// For each job that is not done: the end of the WAL after it.
    positions: VecDeque<(u64, Position)>,
    /// The snapshot from a leader that raft has accepted and not given back to be saved.
    arriving: Option<Prepared>,
    /// Snapshots from a leader whose files are being written.
    incoming: VecDeque<(Marker, Box<Incoming>)>,
    /// Whether the store came from a leader's snapshot and must still replace the content of the backend.
    install: bool,
    /// The snapshot files.
    files: Snapshots,
    /// How many snapshots are being sent to followers. The log is not compacted meanwhile, nor while one is being made:
    /// the entries after the snapshot might be dropped, and the follower would need another snapshot.
    snapshots_in_flight: u32,
    /// When the scrub continues; `None` if none is in progress.
    scrub_at: Option<u64>,
    /// Whether no scrub begins or goes on, because the member stops. The next start finishes it.
    scrubs_no_more: bool,
    /// How many rows of its batch are removed.
    scrubbed: u32,
    /// The encoded membership, users and roles of the last backend commit, with the hashes of what was encoded:
    /// most commits come while neither has changed. `None` after a snapshot replaced them.
    rest: Option<((u64, u64), Bytes)>,
}

/// The settings of the same names.
#[derive(Debug)]
struct Limits {
    backend_interval: u64,
    backend_limit: u64,
    snapshot_count: u64,
    catch_up_entries: u64,
    /// Whether the log is compacted between two snapshots of it, too.
    compacts_between: bool,
    compaction_batch: u32,
    compaction_pause: u64,
    /// The space quota; `None` for no limit.
    quota: Option<u64>,
}

/// What a start found on the disk, or put there.
pub(crate) struct OnDisk {
    pub(crate) wal: Wal,
    pub(crate) ledger: Ledger,
    pub(crate) files: Snapshots,
    /// The consistent index of the backend, and the configuration at that index.
    pub(crate) durable: (u64, ConfState),
    /// The index of the marker from which the log was read.
    pub(crate) marker: u64,
}

/// A job of the backend that is not done.
#[derive(Debug)]
enum UnderWay {
    /// A backend commit: its consistent index, the configuration at that index, and whether it records that a
    /// scrub is finished.
    Commit(u64, ConfState, bool),
    /// The backend is being copied.
    Copy,
    /// The copy is replacing the backend.
    Replace,
}

impl Persistence {
    /// The state after a start. `scrubbing` says that a scrub was not finished.
    pub(crate) fn new(config: &Config, found: OnDisk, scrubbing: bool) -> Persistence {
        let settings = &config.settings;
        let (durable, durable_conf) = found.durable;
        Persistence {
            limits: Limits {
                backend_interval: settings.backend_interval,
                backend_limit: settings.backend_limit,
                snapshot_count: settings.snapshot_count,
                catch_up_entries: settings.catch_up_entries,
                compacts_between: settings.etcd_version >= EtcdVersion::V3_6,
                compaction_batch: settings.compaction_batch,
                compaction_pause: settings.compaction_pause,
                quota: settings.quota_bytes(),
            },
            flaws: config.flaws,
            wal: found.wal,
            ledger: found.ledger,
            dirty_since: None,
            uncommitted: 0,
            job: None,
            durable,
            durable_conf,
            defragment: Vec::new(),
            committed: false,
            copy: None,
            last_snapshot: found.marker,
            compacted_at: found.marker,
            marking: None,
            unused_job: 1,
            in_flight: None,
            queued: None,
            positions: VecDeque::new(),
            arriving: None,
            incoming: VecDeque::new(),
            install: false,
            files: found.files,
            snapshots_in_flight: 0,
            scrub_at: scrubbing.then_some(0),
            scrubs_no_more: false,
            scrubbed: 0,
            rest: None,
        }
    }

    /// Notes that an entry was applied. Its rows are prepared for the next commit now, so that the commit does not
    /// have to do so for all at once.
    pub(crate) fn applied(&mut self, store: &mut Store, now: u64) {
        self.uncommitted += 1;
        self.dirty_since.get_or_insert(now);
        self.stage_rows(store);
    }

    fn stage_rows(&mut self, store: &mut Store) {
        store.take_rows().for_each(|change| self.ledger.stage(change));
    }

    /// When to check again, on the member's clock.
    pub(crate) fn wake_at(&self) -> u64 {
        let commit = match (&self.job, self.dirty_since) {
            (None, Some(since)) if !self.waits_for_marker() => {
                since.saturating_add(self.limits.backend_interval)
            }
            _ => u64::MAX,
        };
        commit.min(self.scrub_at.unwrap_or(u64::MAX))
    }

    /// When [`Persistence::due`] next does something if nothing but time passes; 0 if the next step must call it. A
    /// commit waits for its interval, or for an applied entry, or for the end of the backend's job or of a snapshot; a
    /// defragmentation waits for the end of a job; a scrub, for its pause.
    pub(crate) fn due_at(&self, store: &Store) -> u64 {
        let compaction = store.compaction();
        match self.scrub_at {
            None if compaction.scheduled != compaction.finished => 0,
            _ => self.wake_at(),
        }
    }

    // ---- jobs on the disk -------------------------------------------------------------------------

    /// The number of the job to which operations queued now will belong.
    pub(crate) fn next_job(&self) -> u64 {
        self.queued.as_ref().map_or(self.unused_job, |job| job.id)
    }

    /// Whether a disk job is queued or in progress.
    pub(crate) fn is_writing(&self) -> bool {
        self.in_flight.is_some() || self.queued.is_some()
    }

    /// Queues what a ready must save as part of disk job `job`. `log` has it already.
    pub(crate) fn save(&mut self, job: u64, save: Save, log: &Log, out: &mut Out<'_>) {
        self.unused_job = self.unused_job.max(job + 1);
        let hard_state = log.hard_state();
        out.fact(Fact::Saving {
            job,
            term: hard_state.term,
            vote: MemberId::from_raft(hard_state.vote),
            commit: hard_state.commit,
            last_index: log.last(),
        });
        let mut ops = Vec::new();
        out.pass(Failpoint::RaftBeforeSave);
        let Save { entries, snapshot, must_sync, .. } = save;
        let position = match snapshot {
            Some(snapshot) => {
                let prepared = self.arriving.take().filter(|prepared| prepared.is_of(&snapshot));
                let Prepared { file, state, .. } = prepared.unwrap_or_else(|| {
                    panic!("raft has a snapshot that it did not get from here: {:?}", snapshot.get_metadata())
                });
                let marker = marker_of(&snapshot);
                out.pass(Failpoint::RaftBeforeSaveSnap);
                self.files.save(&marker, file, &mut ops);
                if self.flaws.has(Flaw::SnapshotFilesStay) {
                    ops.retain(|op| !matches!(op, DiskOp::Remove { .. })); // flaw Z1
                }
                out.pass(Failpoint::RaftAfterSaveSnap);
                let position = self.wal.replace(&marker, hard_state, &entries, &mut ops);
                self.incoming.push_back((marker, state));
                position
            }
            None => self.wal.append(Some(hard_state), &entries, must_sync, &mut ops),
        };
        self.positions.push_back((job, position));
        self.queue(job, ops);
        out.pass(Failpoint::WalBeforeSync);
    }

    /// Adds operations to the next job, whose number is `id`.
    fn queue(&mut self, id: u64, ops: Vec<DiskOp>) {
        let Some(job) = &mut self.queued else {
            self.queued = Some(DiskJob { id, ops });
            return;
        };
        assert_eq!(
            job.id, id,
            "operations of job {id} are added to the queued job: was its number not taken from `next_job`?"
        );
        // One sync for several appends to the same file: the last one covers them all.
        if let [DiskOp::Append { path, .. }, DiskOp::Sync { .. }] = &ops[..]
            && job
                .ops
                .last()
                .is_some_and(|last| matches!(last, DiskOp::Sync { path: synced } if synced == path))
        {
            job.ops.pop();
        }
        job.ops.extend(ops);
    }

    /// Adds operations that belong to no ready to the next job and returns its number.
    fn write(&mut self, ops: Vec<DiskOp>) -> u64 {
        let id = self.next_job();
        self.unused_job = self.unused_job.max(id + 1);
        self.queue(id, ops);
        id
    }

    /// Starts the next job if the disk is free.
    pub(crate) fn flush(&mut self, out: &mut Out<'_>) {
        if self.in_flight.is_none()
            && let Some(job) = self.queued.take()
        {
            self.in_flight = Some(job.id);
            out.submit(job);
        }
    }

    /// A job is done: tells the WAL how much of it is durable.
    pub(crate) fn job_done(&mut self, job: u64, out: &mut Out<'_>) {
        out.pass(Failpoint::WalAfterSync);
        assert_eq!(self.in_flight.take(), Some(job), "job {job} ended, but it is not the one under way");
        while let Some((first, position)) = self.positions.front().copied() {
            if first > job {
                break;
            }
            self.wal.durable(position);
            self.positions.pop_front();
        }
        out.pass(Failpoint::RaftAfterSave);
    }

    // ---- backend commits --------------------------------------------------------------------------

    /// Whether the backend lacks changes of the store.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty_since.is_some() || self.install
    }

    /// Whether neither the backend nor a snapshot's marker is being written.
    pub(crate) fn is_idle(&self) -> bool {
        self.job.is_none() && self.marking.is_none()
    }

    /// The size of the backend.
    pub(crate) fn size(&self) -> Size {
        self.ledger.size()
    }

    /// Whether the backend stays below its space quota if this request is applied.
    pub(crate) fn has_room(&self, request: &Request) -> bool {
        let cost = crate::cluster::cost(request, self.flaws);
        self.limits.quota.is_none_or(|quota| cost == 0 || self.size().total + cost < quota)
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 5] {
        [
            count("defragmentations", self.defragment.len()),
            count("positions-of-the-log", self.positions.len()),
            count("snapshots-being-installed", self.incoming.len() + usize::from(self.arriving.is_some())),
            count("snapshots-being-sent", self.snapshots_in_flight as usize),
            count("rows-of-the-backend", self.ledger.rows()),
        ]
    }

    /// The last compaction whose revisions are removed from the backend.
    pub(crate) fn finished_compaction(&self) -> i64 {
        self.ledger.meta().finished_compact
    }

    /// Starts what is due: a batch of the scrub, a step of a defragmentation, a backend commit. `is_awaited`
    /// says whether a client waits for the commit that records the end of a scrub.
    pub(crate) fn due(
        &mut self,
        replica: &mut Replica,
        log: &Log,
        is_awaited: impl Fn(&Store) -> bool,
        out: &mut Out<'_>,
    ) {
        self.scrub(&mut replica.store, out);
        if self.job.is_some() || out.is_fatal() {
            return;
        }
        if self.wants_defragmentation() {
            return self.begin_defragmentation(replica, log, out);
        }
        if self.waits_for_marker() {
            return;
        }
        if !self.is_dirty() {
            return;
        }
        let due_at = self.dirty_since.map(|since| since.saturating_add(self.limits.backend_interval));
        let due = due_at.is_some_and(|at| out.now.clock >= at);
        let full = self.uncommitted >= self.limits.backend_limit;
        if due
            || full
            || is_awaited(&replica.store)
            || self.install
            || self.wants_log_snapshot(replica.applied(), log)
        {
            due_at.filter(|_| due).into_iter().for_each(|at| punctual::was_due("a backend commit", at));
            self.commit(replica, log, out);
        }
    }

    /// Writes all changes since the last backend commit, with the consistent index, in one transaction.
    pub(crate) fn commit(&mut self, replica: &mut Replica, log: &Log, out: &mut Out<'_>) {
        if self.job.is_some() {
            return;
        }
        out.pass(Failpoint::BeforeCommit);
        out.pass(Failpoint::CommitBeforePreCommitHook);
        let conf_state = log.conf_state().clone();
        let hashes = (replica.cluster.hash(), replica.auth.hash());
        let rest = match &self.rest {
            Some((of, rest)) if *of == hashes => rest.clone(),
            _ => self.rest.insert((hashes, replica.rest())).1.clone(),
        };
        let meta = meta_of(&replica.store, rest, (replica.applied(), replica.term()), &conf_state);
        out.pass(Failpoint::CommitAfterPreCommitHook);
        out.pass(Failpoint::BeforeWritebackBuf);
        self.stage_rows(&mut replica.store);
        replica.store.take_changes();
        out.pass(Failpoint::AfterWritebackBuf);
        let finished_before = self.finished_compaction();
        let (before, applied) = (self.ledger.meta().consistent_index, replica.applied());
        let job = if self.install {
            Job::Install(self.ledger.transaction(meta))
        } else if self.flaws.has(Flaw::ApplyTwiceAfterRestart) {
            Job::Commit(self.ledger.commit_split(meta, Split::RowsFirst)) // R19
        } else if self.flaws.has(Flaw::ConsistentIndexBeforeApply) {
            Job::Commit(self.ledger.commit_split(meta, Split::IndexFirst)) // M-13766
        } else if self.flaws.has(Flaw::DefragCommitWithoutHook) && self.wants_defragmentation() {
            Job::Commit(self.ledger.commit_rows_only(meta)) // M-14685
        } else {
            Job::Commit(self.ledger.commit(meta))
        };
        inner::tell_deed(|| Inner::Commits {
            applied,
            before,
            transactions: job.transactions(),
            why: match job {
                Job::Install(_) => CommitCause::Snapshot,
                _ if self.wants_defragmentation() => CommitCause::Defragmentation,
                _ => CommitCause::Due,
            },
        });
        self.install = false;
        self.dirty_since = None;
        self.uncommitted = 0;
        let finished = self.finished_compaction() != finished_before;
        let consistent_index = self.ledger.meta().consistent_index;
        self.hand_out(job, UnderWay::Commit(consistent_index, conf_state, finished), out);
    }

    /// Gives the driver a job for the backend.
    fn hand_out(&mut self, job: Job, under_way: UnderWay, out: &mut Out<'_>) {
        self.job = Some(under_way);
        out.store(job);
    }

    /// The backend's job in progress has reached the disk. `applied` is the last applied index. Returns the
    /// operations whose defragmentation is done.
    pub(crate) fn store_done(&mut self, applied: u64, log: &Log, out: &mut Out<'_>) -> Vec<u64> {
        match self.job.take() {
            None => {}
            Some(UnderWay::Commit(consistent_index, conf_state, finished)) => {
                self.durable = consistent_index;
                self.durable_conf = conf_state;
                out.fact(Fact::BackendDurable { consistent_index });
                out.pass(Failpoint::AfterCommit);
                if finished {
                    out.pass(Failpoint::CompactAfterSetFinishedCompact);
                }
                out.pass(Failpoint::BeforeStartDbTxn);
                out.pass(Failpoint::AfterStartDbTxn);
                out.pass(Failpoint::BeforeStartDbTxn);
                out.pass(Failpoint::AfterStartDbTxn);
                if self.wants_log_snapshot(applied, log) {
                    self.mark_log_snapshot(log);
                } else if self.marking.is_none() && self.durable >= self.last_snapshot {
                    // Needed after a leader's snapshot, or a crash that undid a removal. etcd does this with the
                    // snapshot.
                    self.release_segments(self.last_snapshot, out);
                }
            }
            Some(UnderWay::Copy) => {
                out.pass(Failpoint::DefragBeforeRename);
                // M-20271: the copy replaces the backend only later, even if a leader's snapshot was
                // installed meanwhile.
                if !self.flaws.has(Flaw::DefragVsSnapshotSwap) {
                    self.replace_by_copy(out);
                }
            }
            Some(UnderWay::Replace) => return std::mem::take(&mut self.defragment),
        }
        Vec::new()
    }

    // ---- defragmentation --------------------------------------------------------------------------

    /// A client requests a defragmentation. It starts as soon as the backend has no job.
    pub(crate) fn defragment(&mut self, operation: u64) {
        self.defragment.push(operation);
    }

    /// Whether a defragmentation was requested and may proceed. A snapshot from a leader takes precedence: it
    /// replaces the backend's whole content.
    fn wants_defragmentation(&self) -> bool {
        !self.defragment.is_empty() && !self.install && self.marking.is_none()
    }

    /// Whether a defragmentation waits for the marker of a snapshot of the log. No commit begins meanwhile: if each
    /// commit led to another marker, the defragmentation might wait forever.
    fn waits_for_marker(&self) -> bool {
        !self.defragment.is_empty() && !self.install && self.marking.is_some()
    }

    /// Does the next of a defragmentation's three steps: a backend commit, a copy of the whole backend, the
    /// replacement of the backend by the copy.
    fn begin_defragmentation(&mut self, replica: &mut Replica, log: &Log, out: &mut Out<'_>) {
        if self.copy.is_some() {
            return self.replace_by_copy(out);
        }
        if !std::mem::replace(&mut self.committed, true) && self.is_dirty() {
            return self.commit(replica, log, out);
        }
        out.pass(Failpoint::DefragBeforeCopy);
        let later = self.flaws.has(Flaw::DefragVsSnapshotSwap); // M-20271
        inner::tell(|| Inner::Copies { index: self.ledger.meta().consistent_index });
        self.copy = Some(later.then(|| self.ledger.clone()));
        self.hand_out(Job::Copy, UnderWay::Copy, out);
    }

    /// Replaces the backend by its defragmented copy.
    fn replace_by_copy(&mut self, out: &mut Out<'_>) {
        let copy = self.copy.take().expect("the backend was copied before its copy takes over");
        self.committed = false;
        let held = self.ledger.meta().consistent_index;
        if let Some(copy) = copy {
            self.ledger.go_back(copy); // M-20271
        }
        inner::tell(|| Inner::ReplacesByCopy { held, holds: self.ledger.meta().consistent_index });
        self.ledger.defragmented();
        self.hand_out(Job::Replace, UnderWay::Replace, out);
    }

    /// Removes compacted revisions from the store, if that is due: a batch, or a part of it.
    fn scrub(&mut self, store: &mut Store, out: &mut Out<'_>) {
        let compaction = store.compaction();
        if compaction.scheduled == compaction.finished || self.scrubs_no_more {
            self.scrub_at = None;
            return;
        }
        let now = out.now.clock;
        let at = *self.scrub_at.get_or_insert(now);
        if now >= at {
            punctual::was_due("a batch of a scrub", at);
            if self.scrubbed == 0 {
                out.pass(Failpoint::CompactBeforeCommitBatch);
            }
            let before = store.compaction().finished;
            let left = self.limits.compaction_batch - self.scrubbed;
            let more = store.scrub_step(left.min(SCRUBBED_AT_ONCE));
            self.stage_rows(store);
            if left > SCRUBBED_AT_ONCE && store.compaction().finished == before {
                self.scrubbed += SCRUBBED_AT_ONCE;
                self.dirty_since.get_or_insert(now);
                self.scrub_at = Some(now);
                return;
            }
            self.scrubbed = 0;
            out.pass(Failpoint::CompactAfterCommitBatch);
            if store.compaction().finished != before {
                out.pass(Failpoint::CompactBeforeSetFinishedCompact);
                out.pass(Failpoint::CompactAfterSetFinishedCompact);
            }
            self.dirty_since.get_or_insert(now);
            if more && store.compaction().finished == before {
                out.probe(Probe::CompactionInSeveralBatches);
            }
            self.scrub_at = more.then_some(now + self.limits.compaction_pause);
        }
    }

    /// The member stops: removes no more compacted revisions.
    pub(crate) fn stop_scrubbing(&mut self) {
        self.scrubs_no_more = true;
    }

    // ---- snapshots of the log ---------------------------------------------------------------------

    /// Whether a snapshot of the log should be taken: enough entries were applied since the last one, and no
    /// other snapshot is in progress.
    fn wants_log_snapshot(&self, applied: u64, log: &Log) -> bool {
        applied - self.last_snapshot.min(applied) > self.limits.snapshot_count
            && self.marking.is_none()
            && self.may_compact(log)
    }

    /// Whether entries may be dropped from the log. They may not while a snapshot is on its way, in or out.
    fn may_compact(&self, log: &Log) -> bool {
        !self.install
            && self.incoming.is_empty()
            && self.snapshots_in_flight == 0
            && !log.is_making_snapshot()
    }

    /// Drops entries that only very slow followers would need, every hundred entries, as etcd does since 3.6. Entries
    /// that the backend does not hold durably stay: the next snapshot of the log begins with one of these.
    pub(crate) fn compact_log(&mut self, applied: u64, log: &mut Log, out: &mut Out<'_>) {
        if !self.limits.compacts_between
            || applied <= self.compacted_at + ENTRIES_BETWEEN_COMPACTIONS
            || !self.may_compact(log)
        {
            return;
        }
        self.compacted_at = applied;
        self.drop_entries(applied.min(self.durable + self.limits.catch_up_entries), log, out);
    }

    /// Drops the entries before `index`, except for the last ones (`catch-up-entries`), which slow followers may need.
    fn drop_entries(&self, index: u64, log: &mut Log, out: &mut Out<'_>) {
        let keep_from = index.saturating_sub(self.limits.catch_up_entries);
        if keep_from > log.before().0 {
            log.compact(keep_from);
            let (index, term) = log.before();
            out.fact(Fact::LogCompacted { index, term });
        }
    }

    /// Takes a snapshot of the log: writes a marker to the WAL at the durable consistent index. A restart can
    /// replay from there, because the backend holds the effects of all entries up to it.
    fn mark_log_snapshot(&mut self, log: &Log) {
        use raft::Storage as _;
        let index = self.durable;
        if index <= log.before().0 || index <= self.last_snapshot {
            return;
        }
        let term = log.term(index).expect("what is applied and not compacted is in the log");
        let marker = Marker { index, term, conf_state: self.durable_conf.clone() };
        let mut ops = Vec::new();
        let position = self.wal.mark_snapshot(&marker, &mut ops);
        let id = self.write(ops);
        self.positions.push_back((id, position));
        self.marking = Some((id, index));
        self.last_snapshot = index;
    }

    /// If `job` wrote the marker of a snapshot of the log: drops the entries before it, and removes WAL segments
    /// that are not needed. Returns whether it did.
    pub(crate) fn log_snapshot_saved(&mut self, job: u64, log: &mut Log, out: &mut Out<'_>) -> bool {
        let Some((_, index)) = self.marking.take_if(|(marking, _)| *marking == job) else {
            return false;
        };
        self.compacted_at = self.compacted_at.max(index);
        self.drop_entries(index, log, out);
        self.release_segments(index, out);
        true
    }

    /// Removes the segments of the log that a start from a marker at `index` does not need.
    fn release_segments(&mut self, index: u64, out: &mut Out<'_>) {
        let mut ops = Vec::new();
        if !self.flaws.has(Flaw::SegmentsStay) {
            self.wal.release(index, &mut ops); // all but flaw Z2
        }
        if !ops.is_empty() {
            self.write(ops);
            out.pass(Failpoint::RaftAfterWalRelease);
        }
    }

    // ---- snapshots between members ----------------------------------------------------------------

    /// A snapshot is being sent to a follower.
    pub(crate) fn snapshot_sent(&mut self) {
        self.snapshots_in_flight += 1;
    }

    /// A snapshot has arrived at its follower, or was lost.
    pub(crate) fn snapshot_ended(&mut self) {
        self.snapshots_in_flight = self.snapshots_in_flight.saturating_sub(1);
    }

    /// Whether a leader's snapshot is being written to disk.
    pub(crate) fn awaits_snapshot(&self) -> bool {
        !self.incoming.is_empty()
    }

    /// The files of a leader's snapshots with indices up to `index` are durable. Returns the next of them
    /// that must replace the replicated state.
    pub(crate) fn durable_snapshot(&mut self, index: u64) -> Option<(Marker, Box<Incoming>)> {
        self.incoming.pop_front_if(|(marker, _)| marker.index <= index)
    }

    /// Raft has accepted a leader's snapshot, and will give it back to be saved. Returns the one that it had accepted
    /// before, if that is out of date now.
    pub(crate) fn snapshot_arrives(&mut self, prepared: Prepared) -> Option<Prepared> {
        self.arriving.replace(prepared)
    }

    /// A leader's snapshot has replaced the replicated state. It replaces the content of the backend as soon as the
    /// backend has no job. If the member crashes before, its next start finds the snapshot file and replaces the
    /// content then. `ledger` says what the backend will hold. Returns the ledger of what it held before.
    pub(crate) fn installed(&mut self, index: u64, ledger: Ledger, out: &mut Out<'_>) -> Ledger {
        if !self.defragment.is_empty() {
            out.probe(Probe::SnapshotDuringDefragmentation);
        }
        self.rest = None;
        self.install = true;
        (self.last_snapshot, self.compacted_at) = (index, index);
        (self.scrub_at, self.scrubbed) = (None, 0);
        self.ledger.replace(ledger)
    }
}

/// The metadata of a backend commit. `applied` is the index and term of the last applied entry. `state` is
/// the replicated state that is not in rows: members, alarms, users and roles.
pub(crate) fn meta_of(store: &Store, state: Bytes, applied: (u64, u64), conf_state: &ConfState) -> Meta {
    let conf_state = conf_state.write_to_bytes();
    let compaction = store.compaction();
    Meta {
        consistent_index: applied.0,
        term: applied.1,
        conf_state: conf_state.expect("a configuration has no required fields to be missing").into(),
        state,
        scheduled_compact: compaction.scheduled,
        finished_compact: compaction.finished,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::etcdserverpb::PutRequest;
    use raft::eraftpb::{Entry, HardState};

    use super::*;
    use crate::envelope::Command;
    use crate::io::Effects;
    use contract::Now;

    /// A member's disk at the start of a log, its log and its state.
    struct Run {
        persistence: Persistence,
        log: Log,
        replica: Replica,
        now: u64,
    }

    impl Run {
        fn new(change: impl FnOnce(&mut Config)) -> Run {
            let mut config = Config::new(MemberId::new(1), Arc::new([]));
            change(&mut config);
            let conf_state = ConfState { voters: vec![1], ..ConfState::default() };
            let marker = Marker { index: 1, term: 1, conf_state: conf_state.clone() };
            let hard_state = HardState { term: 1, commit: 1, ..HardState::default() };
            let (wal, _) = Wal::create(&marker, &hard_state, 1 << 20, &mut Vec::new());
            let log = Log::new((1, 1), Vec::new(), hard_state, conf_state.clone());
            let durable = (1, conf_state);
            let (ledger, files) = (Ledger::default(), Snapshots::default());
            let found = OnDisk { wal, ledger, files, durable, marker: 1 };
            let persistence = Persistence::new(&config, found, false);
            let replica = Replica::empty(&config, (1, 1));
            Run { persistence, log, replica, now: 0 }
        }

        fn out<R>(&mut self, act: impl FnOnce(&mut Run, &mut Out<'_>) -> R) -> (R, Effects) {
            let (mut effects, mut armed) = (Effects::default(), None);
            let now = Now { clock: self.now, wall: 0 };
            let result = act(self, &mut Out::new(&mut effects, &mut armed, now));
            (result, effects)
        }

        /// An entry with a put is saved and applied.
        fn put(&mut self) -> Effects {
            let index = self.log.last() + 1;
            let entries = vec![Entry { index, term: 1, ..Entry::default() }];
            self.log.append(&entries);
            let save = Save { hard_state: None, entries, snapshot: None, must_sync: true };
            let put = PutRequest { key: "k".into(), value: "v".into(), ..PutRequest::default() };
            let (_, effects) = self.out(|run, out| {
                run.persistence.save(run.persistence.next_job(), save, &run.log, out);
                run.replica.advance(index, 1);
                run.replica.apply(&Command::Request(put.into()), None, false, true, out);
                run.persistence.applied(&mut run.replica.store, out.now.clock);
                run.persistence.flush(out);
            });
            effects
        }

        fn due(&mut self) -> Option<Job> {
            self.out(|run, out| run.persistence.due(&mut run.replica, &run.log, |_| false, out)).1.store
        }

        fn job_done(&mut self, job: u64) -> Effects {
            let (_, effects) = self.out(|run, out| {
                run.persistence.job_done(job, out);
                run.persistence.log_snapshot_saved(job, &mut run.log, out);
                run.persistence.flush(out);
            });
            effects
        }

        fn store_done(&mut self) -> (Vec<u64>, Effects) {
            self.out(|run, out| {
                let operations = run.persistence.store_done(run.replica.applied(), &run.log, out);
                run.persistence.flush(out);
                operations
            })
        }
    }

    #[test]
    fn one_job_at_a_time_collects_what_comes_meanwhile() {
        let mut run = Run::new(|_| {});
        assert_eq!(run.put().jobs.len(), 1);
        assert!(run.put().jobs.is_empty() && run.put().jobs.is_empty());
        let next = run.job_done(1).jobs;
        assert_eq!((next[0].id, next.len()), (2, 1));
        let syncs = next[0].ops.iter().filter(|op| matches!(op, DiskOp::Sync { .. })).count();
        assert_eq!(syncs, 1, "one sync covers both appends");
    }

    #[test]
    fn a_commit_is_due_after_its_interval_and_one_at_a_time() {
        let mut run = Run::new(|config| config.settings.backend_interval = 10);
        assert_eq!(run.persistence.wake_at(), u64::MAX);
        run.put();
        assert_eq!((run.persistence.wake_at(), run.due().is_some()), (10, false));
        run.now = 10;
        assert!(matches!(run.due(), Some(Job::Commit(_))));
        run.put();
        run.now = 30;
        assert!(run.due().is_none(), "the backend has a job");
        let durable = Fact::BackendDurable { consistent_index: 2 };
        assert_eq!(run.store_done().1.facts, [durable]);
        assert!(run.due().is_some());
    }

    #[test]
    fn a_snapshot_of_the_log_follows_a_durable_commit() {
        let mut run = Run::new(|config| {
            config.settings.snapshot_count = 1;
            config.settings.catch_up_entries = 0;
        });
        run.put();
        run.put();
        run.job_done(1);
        run.job_done(2);
        assert!(run.due().is_some(), "two entries were applied since the last snapshot of the log");
        let marker = run.store_done().1.jobs.remove(0);
        let facts = run.job_done(marker.id).facts;
        assert_eq!(facts, [Fact::LogCompacted { index: 3, term: 1 }]);
    }

    #[test]
    fn the_log_is_compacted_every_hundred_entries_as_far_as_the_backend_is() {
        let facts = |version| {
            let mut run = Run::new(|config| {
                config.settings.etcd_version = version;
                config.settings.catch_up_entries = 5;
                config.settings.backend_limit = 90;
            });
            let mut facts = Vec::new();
            for _ in 0..250 {
                run.put();
                if run.due().is_some() {
                    run.store_done();
                }
                let compact = |run: &mut Run, out: &mut Out<'_>| {
                    run.persistence.compact_log(run.replica.applied(), &mut run.log, out);
                };
                facts.extend(run.out(compact).1.facts);
            }
            facts
        };
        // Entry 102 is the hundred and first after the marker. The backend is durable up to entry 91, then to 181.
        let at = |index| Fact::LogCompacted { index, term: 1 };
        assert_eq!(facts(EtcdVersion::V3_7), [at(91), at(181)]);
        assert_eq!(facts(EtcdVersion::V3_5), []);
    }

    #[test]
    fn a_batch_of_a_scrub_takes_several_steps() {
        let mut run = Run::new(|_| {});
        for _ in 0..200 {
            run.put();
        }
        let revision = run.replica.store.revision();
        run.replica.store.compact(revision).expect("the revision exists");
        let mut steps = 0;
        while !run.replica.store.is_scrubbed(revision) {
            run.due();
            steps += 1;
            assert!(run.persistence.wake_at() == run.now || run.replica.store.is_scrubbed(revision));
        }
        assert_eq!(steps, 199_u32.div_ceil(SCRUBBED_AT_ONCE));
    }

    #[test]
    fn a_defragmentation_commits_copies_and_replaces() {
        let mut run = Run::new(|_| {});
        run.put();
        run.persistence.defragment(7);
        assert!(matches!(run.due(), Some(Job::Commit(_))));
        assert!(run.store_done().0.is_empty());
        assert!(matches!(run.due(), Some(Job::Copy)));
        assert!(matches!(run.store_done().1.store, Some(Job::Replace)));
        assert_eq!(run.store_done().0, [7]);
    }

    #[test]
    fn writes_do_not_hold_up_a_defragmentation() {
        let mut run = Run::new(|_| {});
        run.put();
        run.persistence.defragment(7);
        for _ in 0..2 {
            assert!(matches!(run.due(), Some(Job::Commit(_))));
            run.put();
            assert!(run.store_done().0.is_empty());
            assert!(matches!(run.due(), Some(Job::Copy)));
            run.put();
            assert!(matches!(run.store_done().1.store, Some(Job::Replace)));
            assert_eq!(run.store_done().0, [7]);
            run.persistence.defragment(7);
        }
    }
}
