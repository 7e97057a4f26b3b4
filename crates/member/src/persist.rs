//! What the member makes durable besides raft's state: backend commits, snapshots of the log, snapshots from
//! a leader.
//!
//! A backend commit is a synchronous section: it runs at once and is finished when the driver says so
//! ([`crate::io::Input::SectionDone`]). Only then does its consistent index count as durable, and only what
//! the backend holds durably is ever dropped from the log (etcd issue 10219).
//!
//! Invariants: one section at a time; `durable <= committed index of the last commit <= applied`.

use std::collections::VecDeque;

use bytes::Bytes;
use protobuf::Message as _;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use record::{Fact, Probe};

use crate::backend::{Backend, Batch, Meta, Split};
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

/// The state of the member's disk work.
#[derive(Debug, Default)]
pub(crate) struct Persistence {
    /// When the oldest change that the backend does not yet hold was made, on the member's clock.
    dirty_since: Option<u64>,
    /// Entries applied since the last commit.
    uncommitted: u64,
    /// The section in progress.
    section: Option<Section>,
    /// The durable consistent index.
    durable: u64,
    /// The configuration at that index.
    durable_conf: ConfState,
    /// Requested defragmentations, by operation.
    defragment: Vec<u64>,
    /// A copy of the backend that will replace it.
    copy: Option<Backend>,
    /// Index of the last snapshot of the log that is marked in the WAL (or is being marked).
    last_snapshot: u64,
    /// The job that marks a snapshot, and its index.
    marking: Option<(u64, u64)>,
    /// The job in progress on the disk.
    in_flight: Option<u64>,
    /// Operations that arrived since it started: the next job, with one sync for all of it. etcd gets the
    /// same effect from its raft loop, which waits for the disk while entries gather in the next Ready.
    queued: Option<DiskJob>,
    /// End of the WAL after each job.
    positions: VecDeque<(u64, Position)>,
    /// Snapshots from a leader that are being written to disk.
    incoming: VecDeque<Snapshot>,
    /// The store came from a snapshot, which must replace the backend file.
    install: bool,
    files: Snapshots,
    /// Snapshots being sent to followers. The log is not compacted meanwhile, or a follower would need
    /// another snapshot once it has the first.
    pub(crate) snapshots_in_flight: u32,
    /// When the next batch of a compaction's scrub is due, on the member's clock.
    scrub_at: Option<u64>,
}

/// A synchronous use of the disk.
#[derive(Debug)]
enum Section {
    /// A backend commit: its consistent index, the configuration at that index, and whether it records that a
    /// compaction is finished.
    Commit(u64, ConfState, bool),
    /// The backend is being copied.
    Copy,
    /// The copy is replacing the backend.
    Replace,
}

impl Persistence {
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

    /// The number of the job that the next operations will belong to, where `next` is the first unused one.
    pub(crate) fn next_job(&self, next: u64) -> u64 {
        self.queued.as_ref().map_or(next, |job| job.id)
    }

    /// Whether a leader's snapshot is being written to disk.
    pub(crate) fn awaits_snapshot(&self) -> bool {
        !self.incoming.is_empty()
    }

    /// Whether operations are queued or in progress.
    pub(crate) fn is_writing(&self) -> bool {
        self.in_flight.is_some() || self.queued.is_some()
    }

    /// Adds operations to the next job.
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

    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty_since.is_some() || self.install
    }

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
        let commit = match (&self.section, self.dirty_since) {
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

    // ---- the backend ------------------------------------------------------------------------------

    pub(crate) fn backend_is_idle(&self) -> bool {
        self.persistence.section.is_none() && self.persistence.marking.is_none()
    }

    /// Commits the backend when that is due, scrubs, takes snapshots of the log.
    pub(crate) fn look_after_backend(&mut self, effects: &mut Effects) {
        self.scrub(effects);
        if self.persistence.section.is_some() || effects.fatal.is_some() {
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
        // A client that requested a physical compaction waits for a commit that records its end.
        let scrubbed = self.scrubbing.iter().any(|(_, revision, _)| self.store.is_scrubbed(*revision));
        if due || full || scrubbed || persistence.install || self.wants_log_snapshot() {
            self.commit_backend(effects);
        }
    }

    /// Writes everything since the last commit, with the consistent index, in one transaction.
    pub(crate) fn commit_backend(&mut self, effects: &mut Effects) {
        if self.persistence.section.is_some() {
            return;
        }
        self.pass(Failpoint::BeforeCommit, effects);
        self.pass(Failpoint::CommitBeforePreCommitHook, effects);
        let conf_state = self.node.log().conf_state().clone();
        let meta = meta_of(&self.store, self.rest(), self.applied, &conf_state);
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
        let batch = Batch { puts: &puts, deletes: &deletes, meta: &meta };
        let flaws = self.config.flaws;
        let result = if self.persistence.install {
            self.backend.install(&puts, &meta)
        } else if flaws.has(Flaw::ApplyTwiceAfterRestart) {
            self.backend.commit_flawed(batch, Split::RowsFirst) // R19
        } else if flaws.has(Flaw::ConsistentIndexBeforeApply) {
            self.backend.commit_flawed(batch, Split::IndexFirst) // M-13766
        } else if flaws.has(Flaw::DefragCommitWithoutHook) && self.wants_defragmentation() {
            self.backend.commit_rows_only(batch) // M-14685
        } else {
            self.backend.commit(batch)
        };
        if let Err(error) = result {
            effects.fatal = Some(error.to_string());
            return;
        }
        self.persistence.install = false;
        self.persistence.dirty_since = None;
        self.persistence.uncommitted = 0;
        let finished = self.backend.meta().finished_compact != finished_before;
        self.persistence.section =
            Some(Section::Commit(self.backend.meta().consistent_index, conf_state, finished));
        effects.section = true;
    }

    pub(crate) fn section_done(&mut self, effects: &mut Effects) {
        match self.persistence.section.take() {
            None => {}
            Some(Section::Commit(consistent_index, conf_state, finished)) => {
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
            Some(Section::Copy) => {
                self.pass(Failpoint::DefragBeforeRename, effects);
                // M-20271: the copy replaces the backend later, whatever happens to it meanwhile.
                if !self.config.flaws.has(Flaw::DefragVsSnapshotSwap) {
                    self.replace_by_copy(effects);
                }
            }
            Some(Section::Replace) => {
                for operation in std::mem::take(&mut self.persistence.defragment) {
                    self.defragmented(operation, effects);
                }
            }
        }
    }

    // ---- defragmentation --------------------------------------------------------------------------

    /// Requests a defragmentation, which starts as soon as no section is in progress.
    pub(crate) fn ask_defragmentation(&mut self, operation: u64) {
        self.persistence.defragment.push(operation);
    }

    /// A leader's snapshot goes first: it brings its own file.
    fn wants_defragmentation(&self) -> bool {
        let persistence = &self.persistence;
        !persistence.defragment.is_empty() && !persistence.install && persistence.marking.is_none()
    }

    /// The next of its three steps: commit what is pending, copy everything, replace the backend with the
    /// copy.
    fn defragment(&mut self, effects: &mut Effects) {
        if self.persistence.copy.is_some() {
            return self.replace_by_copy(effects);
        }
        if self.persistence.is_dirty() {
            return self.commit_backend(effects);
        }
        self.pass(Failpoint::DefragBeforeCopy, effects);
        match self.backend.copy() {
            Ok(copy) => self.persistence.copy = Some(copy),
            Err(error) => return effects.fatal = Some(error.to_string()),
        }
        self.persistence.section = Some(Section::Copy);
        effects.section = true;
    }

    fn replace_by_copy(&mut self, effects: &mut Effects) {
        let copy = self.persistence.copy.take().expect("the backend was copied before its copy takes over");
        if let Err(error) = self.backend.replace_by(copy) {
            return effects.fatal = Some(error.to_string());
        }
        self.persistence.section = Some(Section::Replace);
        effects.section = true;
    }

    /// One batch of a compaction's scrub, if it is due.
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

    fn wants_log_snapshot(&self) -> bool {
        let persistence = &self.persistence;
        self.applied.0 - persistence.last_snapshot.min(self.applied.0) > self.config.settings.snapshot_count
            && persistence.marking.is_none()
            && !persistence.install
            && persistence.incoming.is_empty()
            && persistence.snapshots_in_flight == 0
    }

    /// The backend holds everything up to its durable index: the log may be replayed from there.
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

    /// A snapshot of the log is durably marked: drops the entries before it, except those that slow followers
    /// may still need, and releases unused segments.
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

    /// Makes a snapshot of the state machine if raft needs one to send.
    pub(crate) fn offer_snapshot(&mut self) {
        if !self.node.log().wants_snapshot() {
            return;
        }
        let mut snapshot = Snapshot { data: self.encode_image(), ..Snapshot::default() };
        let mut conf_state = self.node.log().conf_state().clone();
        // R13: the configuration at the time the member started.
        if self.config.flaws.has(Flaw::ConfStateMissingInSnapshot) {
            conf_state = crate::start::first_configuration(&self.config);
        }
        let metadata = snapshot.mut_metadata();
        (metadata.index, metadata.term) = self.applied;
        metadata.set_conf_state(conf_state);
        self.node.log_mut().offer_snapshot(snapshot);
    }

    /// The leader's snapshots up to `durable` are durable: they replace the store now, and the backend file
    /// as soon as no section is in progress. After a crash in between, the next start finds the snapshot's
    /// file and finishes the job. Later snapshots wait for their own job.
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

/// A snapshot's position in the log.
pub(crate) fn marker_of(snapshot: &Snapshot) -> Marker {
    let metadata = snapshot.get_metadata();
    Marker { index: metadata.index, term: metadata.term, conf_state: metadata.get_conf_state().clone() }
}

/// The metadata of a commit. `applied` is the index and term of the last entry in it.
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

/// Entries in the form that facts use.
pub(crate) fn described(entries: &[Entry]) -> Vec<record::LogEntry> {
    entries.iter().map(crate::node::log_entry).collect()
}
