//! How a member's state gets to its disk: the queue of disk jobs, backend commits, defragmentation, the
//! removal of compacted revisions (the *scrub*), snapshots of the log, and snapshots from a leader.
//!
//! The member hands out everything for its disk as *jobs*, and continues. The write-ahead log (WAL) and snapshot
//! files are written by [`DiskJob`]s, one at a time. The backend belongs to the driver, which does the
//! [`Job`]s for it, also one at a time: commits, the copy of a defragmentation, the replacement of the whole file.
//! Only when the driver reports that such a job is done ([`crate::io::Input::BackendDone`]) does the consistent
//! index of a backend commit count as durable.
//!
//! A *snapshot of the log* is a marker in the WAL that says from which index a restart may replay. It comes
//! after a backend commit, because entries may be dropped from the log only if the backend holds their
//! effects durably (etcd issue 10219).
//!
//! Invariants: at most one job of the backend is in progress; `durable <= index of the last backend commit <= applied`.

use std::collections::VecDeque;

use bytes::Bytes;
use protobuf::Message as _;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use record::{EtcdFact as Fact, Probe};

use crate::backend::{Job, Ledger, Meta, Split};
use crate::disk::{DiskJob, DiskOp};
use crate::failpoint::Failpoint;
use crate::flaw::Flaw;
use crate::image::Image;
use crate::io::Effects;
use crate::member::Member;
use crate::mvcc::Store;
use crate::node::Save;
use crate::snapshot_file::{SnapshotFile, Snapshots};
use crate::wal::{Marker, Position, Wal};

/// What is being written, and what is not written yet. Times are on the member's own clock.
#[derive(Debug, Default)]
pub(crate) struct Persistence {
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
    /// Whether there is a defragmented copy of the backend, which will replace it. With flaw M-20271: what the
    /// copy holds, because the backend may have changed since.
    copy: Option<Option<Ledger>>,
    /// The index of the last snapshot of the log. Its marker may still be in a job that is not done.
    last_snapshot: u64,
    /// The job that writes a snapshot's marker, and the snapshot's index, until that job is done.
    marking: Option<(u64, u64)>,
    /// The number of the job in progress on the disk.
    in_flight: Option<u64>,
    /// The next job. It collects all operations that are queued while a job is in progress, with one sync for
    /// several appends. etcd's raft loop has the same effect: it waits for the disk, and entries collect in
    /// the next ready.
    queued: Option<DiskJob>,
    /// For each job that is not done: the end of the WAL after it.
    positions: VecDeque<(u64, Position)>,
    /// Snapshots from a leader whose files are being written.
    incoming: VecDeque<Snapshot>,
    /// Whether the store came from a leader's snapshot and must still replace the content of the backend.
    install: bool,
    /// The snapshot files.
    files: Snapshots,
    /// How many snapshots are being sent to followers. The log is not compacted meanwhile: the entries after
    /// the snapshot might be dropped, and the follower would need another snapshot.
    pub(crate) snapshots_in_flight: u32,
    /// When the next batch of the scrub is due; `None` if no scrub is in progress.
    scrub_at: Option<u64>,
    /// The encoded membership, users and roles of the last backend commit, with the hashes of what was encoded:
    /// most commits come while neither has changed. `None` after a snapshot replaced them.
    pub(crate) rest: Option<((u64, u64), Bytes)>,
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
    /// The state after a start: the backend and the log are as found on disk. `scrubbing` says that a scrub
    /// was not finished.
    pub(crate) fn new(
        durable: u64,
        durable_conf: ConfState,
        last_snapshot: u64,
        files: Snapshots,
        scrubbing: bool,
    ) -> Persistence {
        Persistence {
            durable,
            durable_conf,
            last_snapshot,
            files,
            scrub_at: scrubbing.then_some(0),
            ..Persistence::default()
        }
    }

    /// Notes that an entry was applied.
    pub(crate) fn applied(&mut self, now: u64) {
        self.uncommitted += 1;
        self.dirty_since.get_or_insert(now);
    }

    /// The number of the job to which operations queued now will belong. `next` is the first unused number.
    pub(crate) fn next_job(&self, next: u64) -> u64 {
        self.queued.as_ref().map_or(next, |job| job.id)
    }

    /// Whether a leader's snapshot is being written to disk.
    pub(crate) fn awaits_snapshot(&self) -> bool {
        !self.incoming.is_empty()
    }

    /// Whether a disk job is queued or in progress.
    pub(crate) fn is_writing(&self) -> bool {
        self.in_flight.is_some() || self.queued.is_some()
    }

    /// Adds operations to the next job, whose number is `id`.
    fn queue(&mut self, id: u64, ops: Vec<DiskOp>) {
        let job = self.queued.get_or_insert(DiskJob { id, ops: Vec::new() });
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

    /// Whether the backend lacks changes of the store.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty_since.is_some() || self.install
    }

    /// A job is done: tells the WAL how much of it is durable.
    pub(crate) fn job_done(&mut self, job: u64, wal: &mut Wal) {
        assert_eq!(self.in_flight.take(), Some(job), "job {job} ended, but it is not the one under way");
        while let Some((first, position)) = self.positions.front().copied() {
            if first > job {
                break;
            }
            wal.durable(position);
            self.positions.pop_front();
        }
    }

    /// When to check again, on the member's clock.
    pub(crate) fn wake_at(&self, interval: u64) -> u64 {
        let commit = match (&self.job, self.dirty_since) {
            (None, Some(since)) => since.saturating_add(interval),
            _ => u64::MAX,
        };
        commit.min(self.scrub_at.unwrap_or(u64::MAX))
    }
}

impl Member {
    /// Starts the next job if the disk is free.
    pub(crate) fn flush(&mut self, effects: &mut Effects) {
        if self.persistence.in_flight.is_none()
            && let Some(job) = self.persistence.queued.take()
        {
            self.persistence.in_flight = Some(job.id);
            effects.jobs.push(job);
        }
    }

    /// Adds operations that belong to no ready to the next job and returns its number.
    fn write(&mut self, ops: Vec<DiskOp>) -> u64 {
        let id = self.persistence.next_job(self.next_job);
        self.next_job = self.next_job.max(id + 1);
        self.persistence.queue(id, ops);
        id
    }

    /// Queues the operations that save a ready, as part of job `job`.
    pub(crate) fn queue_save(&mut self, job: u64, save: Save, hard_state: &HardState, effects: &mut Effects) {
        let mut ops = Vec::new();
        self.pass(Failpoint::RaftBeforeSave, effects);
        let Save { entries, snapshot, must_sync, .. } = save;
        let position = match snapshot {
            Some(snapshot) => {
                let marker = marker_of(&snapshot);
                let data = snapshot.data.clone();
                self.pass(Failpoint::RaftBeforeSaveSnap, effects);
                self.persistence.files.save(&SnapshotFile { marker: marker.clone(), data }, &mut ops);
                self.persistence.incoming.push_back(snapshot);
                self.pass(Failpoint::RaftAfterSaveSnap, effects);
                self.wal.replace(&marker, hard_state, &entries, &mut ops)
            }
            None => self.wal.append(Some(hard_state), &entries, must_sync, &mut ops),
        };
        self.persistence.positions.push_back((job, position));
        self.persistence.queue(job, ops);
    }

    // ---- backend commits --------------------------------------------------------------------------

    /// Whether neither the backend nor a snapshot's marker is being written.
    pub(crate) fn backend_is_idle(&self) -> bool {
        self.persistence.job.is_none() && self.persistence.marking.is_none()
    }

    /// Starts what is due: a batch of the scrub, a step of a defragmentation, a backend commit.
    pub(crate) fn look_after_backend(&mut self, effects: &mut Effects) {
        self.scrub(effects);
        if self.persistence.job.is_some() || effects.fatal.is_some() {
            return;
        }
        if self.wants_defragmentation() {
            return self.defragment(effects);
        }
        let persistence = &self.persistence;
        if !persistence.is_dirty() {
            return;
        }
        let due = persistence
            .dirty_since
            .is_some_and(|since| self.now >= since + self.config.settings.backend_interval);
        let full = persistence.uncommitted >= self.config.settings.backend_limit;
        // A client that requested a physical compaction waits for the commit that records the end of the
        // scrub.
        let scrubbed =
            self.waiting_compactions.iter().any(|(_, revision, _)| self.store.is_scrubbed(*revision));
        if due || full || scrubbed || persistence.install || self.wants_log_snapshot() {
            self.commit_backend(effects);
        }
    }

    /// Writes all changes since the last backend commit, with the consistent index, in one transaction.
    pub(crate) fn commit_backend(&mut self, effects: &mut Effects) {
        if self.persistence.job.is_some() {
            return;
        }
        self.pass(Failpoint::BeforeCommit, effects);
        self.pass(Failpoint::CommitBeforePreCommitHook, effects);
        let conf_state = self.node.log().conf_state().clone();
        let hashes = (self.cluster.hash(), self.auth.hash());
        let rest = match &self.persistence.rest {
            Some((of, rest)) if *of == hashes => rest.clone(),
            _ => self.persistence.rest.insert((hashes, self.rest())).1.clone(),
        };
        let meta = meta_of(&self.store, rest, self.applied, &conf_state);
        self.pass(Failpoint::CommitAfterPreCommitHook, effects);
        self.pass(Failpoint::BeforeWritebackBuf, effects);
        let changes = self.store.take_changes();
        let mut puts = Vec::with_capacity(changes.rows.len() + changes.leases.len());
        let mut deletes = Vec::new();
        for (key, value) in changes.rows.into_iter().chain(changes.leases) {
            match value {
                Some(value) => puts.push((key, value)),
                None => deletes.push(key),
            }
        }
        self.pass(Failpoint::AfterWritebackBuf, effects);
        let finished_before = self.backend.meta().finished_compact;
        let flaws = self.config.flaws;
        let job = if self.persistence.install {
            Job::Install(self.backend.install(puts, meta))
        } else if flaws.has(Flaw::ApplyTwiceAfterRestart) {
            Job::Commit(self.backend.commit_split(puts, deletes, meta, Split::RowsFirst)) // R19
        } else if flaws.has(Flaw::ConsistentIndexBeforeApply) {
            Job::Commit(self.backend.commit_split(puts, deletes, meta, Split::IndexFirst)) // M-13766
        } else if flaws.has(Flaw::DefragCommitWithoutHook) && self.wants_defragmentation() {
            Job::Commit(self.backend.commit_rows_only(puts, deletes, meta)) // M-14685
        } else {
            Job::Commit(self.backend.commit(puts, deletes, meta))
        };
        self.persistence.install = false;
        self.persistence.dirty_since = None;
        self.persistence.uncommitted = 0;
        let finished = self.backend.meta().finished_compact != finished_before;
        let consistent_index = self.backend.meta().consistent_index;
        self.hand_out(job, UnderWay::Commit(consistent_index, conf_state, finished), effects);
    }

    /// Gives the driver a job for the backend.
    fn hand_out(&mut self, job: Job, under_way: UnderWay, effects: &mut Effects) {
        self.persistence.job = Some(under_way);
        effects.backend = Some(job);
    }

    /// The backend's job in progress has reached the disk.
    pub(crate) fn backend_done(&mut self, effects: &mut Effects) {
        match self.persistence.job.take() {
            None => {}
            Some(UnderWay::Commit(consistent_index, conf_state, finished)) => {
                self.persistence.durable = consistent_index;
                self.persistence.durable_conf = conf_state;
                effects.facts.push(Fact::BackendDurable { consistent_index });
                self.pass(Failpoint::AfterCommit, effects);
                if finished {
                    self.pass(Failpoint::CompactAfterSetFinishedCompact, effects);
                }
                self.pass(Failpoint::BeforeStartDbTxn, effects);
                self.pass(Failpoint::AfterStartDbTxn, effects);
                self.pass(Failpoint::BeforeStartDbTxn, effects);
                self.pass(Failpoint::AfterStartDbTxn, effects);
                if self.wants_log_snapshot() {
                    self.mark_log_snapshot();
                }
            }
            Some(UnderWay::Copy) => {
                self.pass(Failpoint::DefragBeforeRename, effects);
                // M-20271: the copy replaces the backend only later, even if a leader's snapshot was
                // installed meanwhile.
                if !self.config.flaws.has(Flaw::DefragVsSnapshotSwap) {
                    self.replace_by_copy(effects);
                }
            }
            Some(UnderWay::Replace) => {
                for operation in std::mem::take(&mut self.persistence.defragment) {
                    self.defragmented(operation, effects);
                }
            }
        }
    }

    // ---- defragmentation --------------------------------------------------------------------------

    /// A client requests a defragmentation. It starts as soon as the backend has no job.
    pub(crate) fn ask_defragmentation(&mut self, operation: u64) {
        self.persistence.defragment.push(operation);
    }

    /// Whether a defragmentation was requested and may proceed. A snapshot from a leader takes precedence: it
    /// replaces the backend's whole content.
    fn wants_defragmentation(&self) -> bool {
        let persistence = &self.persistence;
        !persistence.defragment.is_empty() && !persistence.install && persistence.marking.is_none()
    }

    /// Does the next of a defragmentation's three steps: a backend commit, a copy of the whole backend, the
    /// replacement of the backend by the copy.
    fn defragment(&mut self, effects: &mut Effects) {
        if self.persistence.copy.is_some() {
            return self.replace_by_copy(effects);
        }
        if self.persistence.is_dirty() {
            return self.commit_backend(effects);
        }
        self.pass(Failpoint::DefragBeforeCopy, effects);
        let later = self.config.flaws.has(Flaw::DefragVsSnapshotSwap); // M-20271
        self.persistence.copy = Some(later.then(|| self.backend.clone()));
        self.hand_out(Job::Copy, UnderWay::Copy, effects);
    }

    /// Replaces the backend by its defragmented copy.
    fn replace_by_copy(&mut self, effects: &mut Effects) {
        let copy = self.persistence.copy.take().expect("the backend was copied before its copy takes over");
        if let Some(copy) = copy {
            self.backend = copy; // M-20271
        }
        self.backend.defragmented();
        self.hand_out(Job::Replace, UnderWay::Replace, effects);
    }

    /// Removes a batch of compacted revisions from the store, if one is due.
    fn scrub(&mut self, effects: &mut Effects) {
        let compaction = self.store.compaction();
        if compaction.scheduled == compaction.finished {
            self.persistence.scrub_at = None;
            return;
        }
        let at = *self.persistence.scrub_at.get_or_insert(self.now);
        if self.now >= at {
            self.pass(Failpoint::CompactBeforeCommitBatch, effects);
            let before = self.store.compaction().finished;
            let more = self.store.scrub_step(self.config.settings.compaction_batch);
            self.pass(Failpoint::CompactAfterCommitBatch, effects);
            if self.store.compaction().finished != before {
                self.pass(Failpoint::CompactBeforeSetFinishedCompact, effects);
                self.pass(Failpoint::CompactAfterSetFinishedCompact, effects);
            }
            self.persistence.dirty_since.get_or_insert(self.now);
            if more && self.store.compaction().finished == before {
                effects.facts.push(Fact::Probe { probe: Probe::CompactionInSeveralBatches });
            }
            self.persistence.scrub_at = more.then_some(self.now + self.config.settings.compaction_pause);
        }
    }

    // ---- snapshots of the log ---------------------------------------------------------------------

    /// Whether a snapshot of the log should be taken: enough entries were applied since the last one, and no
    /// other snapshot is in progress.
    fn wants_log_snapshot(&self) -> bool {
        let persistence = &self.persistence;
        self.applied.0 - persistence.last_snapshot.min(self.applied.0) > self.config.settings.snapshot_count
            && persistence.marking.is_none()
            && !persistence.install
            && persistence.incoming.is_empty()
            && persistence.snapshots_in_flight == 0
    }

    /// Takes a snapshot of the log: writes a marker to the WAL at the durable consistent index. A restart can
    /// replay from there, because the backend holds the effects of all entries up to it.
    fn mark_log_snapshot(&mut self) {
        use raft::Storage as _;
        let index = self.persistence.durable;
        let log = self.node.log();
        if index <= log.before().0 || index <= self.persistence.last_snapshot {
            return;
        }
        let term = log.term(index).expect("what is applied and not compacted is in the log");
        let marker = Marker { index, term, conf_state: self.persistence.durable_conf.clone() };
        let mut ops = Vec::new();
        let position = self.wal.mark_snapshot(&marker, &mut ops);
        let id = self.write(ops);
        self.persistence.positions.push_back((id, position));
        self.persistence.marking = Some((id, index));
        self.persistence.last_snapshot = index;
    }

    /// If `job` wrote the marker of a snapshot of the log: drops the entries before it, except for the last
    /// ones (`catch-up-entries`), which slow followers may need, and removes WAL segments that are not
    /// needed.
    pub(crate) fn log_snapshot_saved(&mut self, job: u64, effects: &mut Effects) {
        let Some((_, index)) = self.persistence.marking.take_if(|(marking, _)| *marking == job) else {
            return;
        };
        let keep_from = index.saturating_sub(self.config.settings.catch_up_entries);
        if keep_from > self.node.log().before().0 {
            self.node.log_mut().compact(keep_from);
            let (index, term) = self.node.log().before();
            effects.facts.push(Fact::LogCompacted { index, term });
        }
        let mut ops = Vec::new();
        self.wal.release(index, &mut ops);
        if !ops.is_empty() {
            self.write(ops);
            self.pass(Failpoint::RaftAfterWalRelease, effects);
        }
    }

    // ---- snapshots between members ----------------------------------------------------------------

    /// Makes a snapshot of all replicated state, if raft wants to send one to a follower.
    pub(crate) fn offer_snapshot(&mut self) {
        if !self.node.log().wants_snapshot() {
            return;
        }
        let mut snapshot = Snapshot { data: self.encode_image(), ..Snapshot::default() };
        let mut conf_state = self.node.log().conf_state().clone();
        // R13: the snapshot has the cluster's first configuration instead of the current one.
        if self.config.flaws.has(Flaw::ConfStateMissingInSnapshot) {
            conf_state = crate::start::first_configuration(&self.config);
        }
        let metadata = snapshot.mut_metadata();
        (metadata.index, metadata.term) = self.applied;
        metadata.set_conf_state(conf_state);
        self.node.log_mut().offer_snapshot(snapshot);
    }

    /// The files of a leader's snapshots with indices up to `durable` are durable. Their content replaces the
    /// store now, and the content of the backend as soon as the backend has no job. If the member crashes
    /// between the two, its next start finds the snapshot file and replaces the backend's content then.
    pub(crate) fn install_snapshots(&mut self, durable: u64, effects: &mut Effects) {
        while let Some(snapshot) =
            self.persistence.incoming.pop_front_if(|next| next.get_metadata().index <= durable)
        {
            let marker = marker_of(&snapshot);
            assert!(
                marker.index > self.applied.0,
                "a snapshot at {} arrived at a member that has applied {}: raft should have refused it",
                marker.index,
                self.applied.0
            );
            self.pass(Failpoint::RaftBeforeApplySnap, effects);
            self.pass(Failpoint::ApplyBeforeOpenSnapshot, effects);
            match Image::decode(snapshot.data, &self.config) {
                Ok(image) => self.replace_state(image),
                Err(error) => {
                    effects.fatal =
                        Some(format!("the leader's snapshot at {} is damaged: {error}", marker.index));
                    return;
                }
            }
            self.applied = (marker.index, marker.term);
            self.node.applied_to(marker.index);
            self.report_configuration(effects);
            effects.facts.push(Fact::SnapshotInstalled {
                index: marker.index,
                term: marker.term,
                revision: self.store.revision() as u64,
                state_hash: self.state_hash(),
            });
            self.pass(Failpoint::RaftAfterApplySnap, effects);
            if !self.persistence.defragment.is_empty() {
                effects.facts.push(Fact::Probe { probe: Probe::SnapshotDuringDefragmentation });
            }
            self.persistence.install = true;
            self.persistence.last_snapshot = marker.index;
            self.persistence.scrub_at = None;
        }
    }
}

/// The WAL's marker for a snapshot: index, term and configuration.
pub(crate) fn marker_of(snapshot: &Snapshot) -> Marker {
    let metadata = snapshot.get_metadata();
    Marker { index: metadata.index, term: metadata.term, conf_state: metadata.get_conf_state().clone() }
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

/// Entries as facts describe them.
pub(crate) fn described(entries: &[Entry]) -> Vec<record::LogEntry> {
    entries.iter().map(crate::node::log_entry).collect()
}
