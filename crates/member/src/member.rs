//! The state of one etcd member, and the step that changes it: [`Member::step`] takes the time and one input,
//! and returns effects.
//!
//! A step first handles its input, then raft's readies until there are none (see [`crate::node`]), then
//! everything that is due at this time. A committed entry is applied to the store in memory as soon as raft
//! returns it; its changes reach the backend file with a later backend commit.

use api::etcdserverpb::{AlarmType, CompactionRequest};
use api::{Error, Request, Response};
use raft::eraftpb::{Entry, EntryType, Message, MessageType};
use record::{EtcdFact as Fact, MemberId, Probe};

use crate::auth::AuthStore;
use crate::backend::Ledger;
use crate::cluster::Cluster;
use crate::compactor::Compactor;
use crate::config::Config;
use crate::failpoint::Failpoint;
use crate::flaw::Flaw;
use crate::forwarded::Forwarded;
use crate::image::Image;
use crate::io::{Effects, Input};
use crate::lessor::Lessor;
use crate::maintenance::{Comparison, Transfer};
use crate::mvcc::Store;
use crate::node::{Node, Save, log_entry};
use crate::peers::Calls;
use crate::persist::Persistence;
use crate::proposals::Proposals;
use crate::reads::{Read, Reads};
use crate::services::Services;
use crate::wal::Wal;
use crate::watch::Hub;

/// The operation number of a request that the member makes itself and whose answer nobody waits for, such as the
/// revocation of an expired lease. (The operation numbers of clients' requests come from the driver, the caller of
/// [`Member::step`].)
pub(crate) const NOBODY: u64 = u64::MAX;

/// One etcd member. All times and deadlines are in nanoseconds of the member's own monotonic clock.
///
/// Words of this crate: an *operation* is a request of a client, or its number; a *probe* is an interesting state
/// whose occurrences are counted, so that tests can see whether they reach it; a *fact* is what the member reports
/// for the simulator's trace.
pub struct Member {
    pub(crate) config: Config,
    pub(crate) node: Node,
    pub(crate) wal: Wal,
    /// What the backend will hold once its job in progress is done.
    pub(crate) backend: Ledger,
    pub(crate) store: Store,
    pub(crate) cluster: Cluster,
    pub(crate) auth: AuthStore,
    pub(crate) lessor: Lessor,
    pub(crate) compactor: Compactor,
    /// All watch streams and their watchers.
    pub(crate) hub: Hub,
    /// The lock and election services.
    pub(crate) services: Services,
    /// Requests to and from other members outside raft.
    pub(crate) calls: Calls,
    /// Transfers of leadership that clients wait for.
    pub(crate) transfers: Vec<Transfer>,
    /// The leader's comparison of all members' hashes.
    pub(crate) comparison: Comparison,
    /// Renewals that wait until their lease is revoked or its checkpoint applied: operation, lease, deadline.
    pub(crate) waiting_renewals: Vec<(u64, i64, u64)>,
    /// Compactions whose clients wait until the compacted revisions are removed from the backend: operation,
    /// revision, answer.
    pub(crate) waiting_compactions: Vec<(u64, i64, Response)>,
    /// Logins in the log, by operation, with the auth revision at which the password was checked.
    pub(crate) logins: std::collections::BTreeMap<u64, (api::etcdserverpb::AuthenticateRequest, u64)>,
    /// Requests with a token that was issued by an entry this member has not applied yet: operation, request,
    /// token, deadline.
    pub(crate) waiting_for_token: Vec<(u64, Request, Option<bytes::Bytes>, u64)>,
    /// Only with the flaw M-15247: when the lessor notices that this member no longer leads.
    pub(crate) demote_at: Option<u64>,
    /// Set once this member knows that it was removed from the cluster: when its process ends.
    pub(crate) end_at: Option<u64>,
    /// Whether the others know this member's name.
    pub(crate) publication: Publication,
    /// How long each connection to another member has been up, as last reported.
    pub(crate) connections: Vec<(MemberId, u64)>,
    /// Index and term of the last applied entry.
    pub(crate) applied: (u64, u64),
    /// What is being written to the disk, and what is not written yet.
    pub(crate) persistence: Persistence,
    /// The requests that go through the log and are not answered yet.
    pub(crate) proposals: Proposals,
    /// The linearizable reads that are not answered yet.
    pub(crate) reads: Reads,
    /// Requests that other members forwarded to this one.
    pub(crate) forwarded: Forwarded,
    /// The reading of the member's monotonic clock at this step.
    pub(crate) now: u64,
    /// The reading of its wall clock at this step, in nanoseconds since 1970. Only the ids of new members and
    /// flaw M-12291 use it.
    pub(crate) wall: i64,
    /// When raft's next tick is due.
    pub(crate) next_tick: u64,
    /// How many ticks came due while the raft loop waited for a save.
    pub(crate) missed_ticks: u32,
    /// When this member last sent the others a [`crate::io::PeerMessage::Hello`].
    pub(crate) said_hello_at: u64,
    /// When to report next which probes were reached.
    pub(crate) report_at: u64,
    /// The number of the next disk job.
    pub(crate) next_job: u64,
    /// The counter in the last request id or ReadIndex context; see [`Member::fresh_id`].
    pub(crate) next_id: u32,
    /// What the member remembers about leaders.
    pub(crate) leadership: Leadership,
    /// Set once a stop was requested: when to stop waiting for another member to take over leadership.
    pub(crate) stopping: Option<u64>,
    /// Whether this process has ended. All further inputs are ignored.
    pub(crate) finished: bool,
    /// The armed failpoint, if any.
    pub(crate) failpoint: Option<crate::failpoint::Armed>,
}

/// What the member remembers about leaders, to choose the text of a timeout's error.
#[derive(Debug, Default)]
pub(crate) struct Leadership {
    /// The last known leader; none if there was none yet.
    pub(crate) leader: MemberId,
    /// When this member learned of that leader.
    pub(crate) since: u64,
    /// Whether there is a leader now.
    pub(crate) present: bool,
    /// When each peer was last heard from.
    pub(crate) heard: std::collections::BTreeMap<MemberId, u64>,
}

/// Whether the other members know this member's name. Until they do, member lists show it as not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publication {
    /// This member proposes its name to the log at this time, unless the name is known by then.
    Due(u64),
    /// The name is known.
    Done,
}

/// A summary of a member's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The leader it follows, itself if it leads, or none.
    pub leader: MemberId,
    /// Its term.
    pub term: u64,
    /// Last applied index.
    pub applied: u64,
    /// The store's revision.
    pub revision: u64,
    /// The hash of all replicated state: the store, the membership, users and roles.
    pub state_hash: u64,
}

impl Member {
    /// A summary of the member's state.
    pub fn status(&self) -> Status {
        Status {
            leader: self.node.leader(),
            term: self.node.term(),
            applied: self.applied.0,
            revision: self.store.revision() as u64,
            state_hash: self.state_hash(),
        }
    }

    /// The configuration that this member has applied: the voters, in a joint configuration those of both
    /// halves, and the learners.
    pub fn configuration(&self) -> (Vec<MemberId>, Vec<MemberId>) {
        let conf_state = self.node.log().conf_state();
        let voters = conf_state.voters.iter().chain(&conf_state.voters_outgoing);
        let mut voters: Vec<MemberId> = voters.copied().map(MemberId::from_raft).collect();
        voters.sort_unstable();
        voters.dedup();
        (voters, conf_state.learners.iter().copied().map(MemberId::from_raft).collect())
    }

    /// The number of watch streams, and of watchers in each group.
    pub fn watchers(&self) -> crate::watch::Counts {
        self.hub.counts()
    }

    /// Whether this member is the primary lessor.
    pub fn is_lessor(&self) -> bool {
        self.lessor.is_primary()
    }

    /// All leases: their id, and the TTL in seconds with which they were granted.
    pub fn leases(&self) -> impl Iterator<Item = (i64, i64)> {
        self.store.leases().map(|(id, lease)| (id, lease.ttl))
    }

    /// Whether the alarm CORRUPT is on: then no lease can be revoked, neither by a client nor after its time.
    pub fn is_corrupt(&self) -> bool {
        self.cluster.is_on(AlarmType::Corrupt)
    }

    /// All replicated state in one piece, as `etcdctl snapshot save` would return it.
    pub fn image(&self) -> bytes::Bytes {
        self.encode_image()
    }

    /// The time at which the member needs [`Input::Wake`], on its own clock.
    pub fn wake_at(&self) -> u64 {
        self.alarm_clocks().into_iter().map(|(_, at)| at).min().expect("there is always a next tick")
    }

    /// When each part of the member next has something to do, with the part's name for panic messages.
    #[inline]
    pub fn alarm_clocks(&self) -> [(&'static str, u64); 11] {
        [
            ("tick", self.next_tick),
            ("reads", self.reads.wake_at()),
            ("proposals", self.proposals.wake_at()),
            ("backend", self.persistence.wake_at(self.config.settings.backend_interval)),
            ("watchers", self.hub.wake_at()),
            ("leases", self.lessor.wake_at()),
            ("compaction", self.compactor.wake_at()),
            ("comparison of hashes", self.comparison_at()),
            ("transfers", self.transfers_wake_at()),
            ("calls", self.calls.wake_at()),
            ("end", self.end_at.unwrap_or(u64::MAX).min(self.stopping.unwrap_or(u64::MAX))),
        ]
    }

    /// Handles one input at `now`, in nanoseconds of the member's monotonic clock; `wall` is its wall clock
    /// in nanoseconds since 1970.
    ///
    /// # Panics
    /// On a bug of the member or of raft, with the values that show it.
    pub fn step(&mut self, now: u64, wall: i64, input: Input, effects: &mut Effects) {
        debug_assert!(now >= self.now, "a monotonic clock went back from {} to {now}", self.now);
        self.now = now;
        self.wall = wall;
        if self.finished {
            return;
        }
        match input {
            Input::Wake => {}
            Input::Message(message) => self.message(message, effects),
            Input::Request { operation, request, token } => {
                self.request(operation, request, token.as_ref(), effects);
            }
            Input::Canceled { operation } => self.abandon(operation, effects),
            Input::Peer { from, message } => self.peer(from, message, effects),
            Input::Watch { stream, request, token } => self.watch(stream, request, token.as_ref(), effects),
            Input::WatchTaken { stream } => self.hub.taken(stream),
            Input::WatchClosed { stream } => self.hub.closed(stream),
            Input::Reconfigure { operation, changes } => self.reconfigure(operation, &changes, effects),
            Input::Snapshot { stream, token } => self.snapshot(stream, token.as_ref(), effects),
            Input::Connections(connections) => self.connections = connections,
            Input::JobDone { job, result } => {
                if let Err(error) = result {
                    // etcd exits when it cannot save its log: what is on the disk is unknown.
                    effects.fatal = Some(format!("the write-ahead log could not be saved: {error}"));
                    return;
                }
                self.job_done(job, effects);
            }
            Input::Recovered => {}
            Input::BackendDone(Ok(())) => self.backend_done(effects),
            Input::BackendDone(Err(error)) => {
                effects.fatal = Some(error.to_string());
                return;
            }
            Input::SnapshotStatus { to, arrived } => {
                self.persistence.snapshots_in_flight = self.persistence.snapshots_in_flight.saturating_sub(1);
                self.node.report_snapshot(to, arrived);
            }
            Input::Stop => self.stop(effects),
        }
        self.tick(effects);
        self.drive(effects);
        self.housekeeping(effects);
        self.flush(effects);
    }

    /// Gives raft a tick, if one is due. If the process was paused for several ticks, or the raft loop waited
    /// for a save meanwhile, raft gets one tick for all of them, as with Go's ticker.
    ///
    /// Raft gets no tick while a leader's snapshot is being written to disk. Before a campaign, raft searches
    /// the entries between the applied index and the commit index for configuration changes; it would panic,
    /// because the snapshot has replaced those entries (`docs/findings.md`). TiKV skips these ticks, too.
    fn tick(&mut self, effects: &mut Effects) {
        let due = self.now >= self.next_tick;
        if due {
            let interval = self.config.settings.heartbeat_interval;
            self.next_tick += interval;
            if self.next_tick <= self.now {
                self.next_tick = self.now + interval;
            }
        }
        if self.node.waits_for_save() {
            self.missed_ticks += u32::from(due);
            return;
        }
        let missed = std::mem::take(&mut self.missed_ticks);
        if missed >= self.config.settings.election_ticks
            && self.node.is_leader()
            && !self.node.leads_in_raft()
        {
            effects.facts.push(Fact::Probe { probe: Probe::DeposedBySlowDisk });
        }
        if (due || missed > 0) && !self.persistence.awaits_snapshot() {
            self.node.tick();
        }
    }

    /// Gives raft a message from another member, without the proposals in it that have arrived before.
    fn message(&mut self, mut message: Message, effects: &mut Effects) {
        let from = MemberId::from_raft(message.from);
        if self.is_from_removed(from, effects) {
            return;
        }
        self.leadership.heard.insert(from, self.now);
        // `MsgTimeoutNow` asks raft to campaign at once; see `tick` for why that must not happen now.
        if message.get_msg_type() == MessageType::MsgTimeoutNow && self.persistence.awaits_snapshot() {
            return;
        }
        if message.get_msg_type() == MessageType::MsgPropose
            && !self.config.flaws.has(Flaw::ProposalTwiceOnForward)
        {
            let mut entries = message.take_entries().into_vec();
            entries.retain(|entry| {
                let id = match entry.get_entry_type() {
                    EntryType::EntryNormal => crate::envelope::id_of(&entry.data),
                    _ => crate::configuration::id_of(entry),
                };
                id.is_none_or(|id| self.forwarded.is_new(id))
            });
            if entries.is_empty() {
                return;
            }
            message.set_entries(entries.into());
        }
        self.node.step(message);
    }

    /// Handles raft's readies until there are none.
    pub(crate) fn drive(&mut self, effects: &mut Effects) {
        loop {
            self.propose_waiting(effects);
            self.ask_read_index(effects);
            // A ready after a leader's snapshot may have entries that follow the snapshot, so no ready is
            // taken before the snapshot is installed.
            if self.persistence.awaits_snapshot() || self.node.waits_for_save() || !self.node.has_ready() {
                break;
            }
            let job = self.persistence.next_job(self.next_job);
            let actions = self.node.ready(job, &mut effects.facts);
            if self.node.is_leader() {
                self.pass(Failpoint::RaftBeforeLeaderSend, effects);
            }
            self.send(actions.messages, effects);
            if let Some((job, save)) = actions.save {
                self.save(job, save, effects);
            }
            for state in actions.read_states {
                self.read_index_confirmed(&state, effects);
            }
            self.apply_all(actions.committed, effects);
            if !self.node.waits_for_save() {
                self.pass(Failpoint::RaftBeforeAdvance, effects);
            }
            self.note_leader(effects);
        }
        self.answer_reads(effects);
        self.offer_snapshot();
    }

    /// Sends raft messages, and counts the snapshots among them.
    pub(crate) fn send(&mut self, messages: Vec<Message>, effects: &mut Effects) {
        for message in &messages {
            if message.get_msg_type() == MessageType::MsgSnapshot {
                self.persistence.snapshots_in_flight += 1;
            }
        }
        effects.messages.extend(messages);
    }

    /// Queues what a ready must save as part of a disk job.
    fn save(&mut self, job: u64, save: Save, effects: &mut Effects) {
        self.next_job = self.next_job.max(job + 1);
        let hard_state = self.node.log().hard_state().clone();
        effects.facts.push(Fact::Saving {
            job,
            term: hard_state.term,
            vote: MemberId::from_raft(hard_state.vote),
            commit: hard_state.commit,
            last_index: self.node.log().last(),
        });
        self.queue_save(job, save, &hard_state, effects);
        self.pass(Failpoint::WalBeforeSync, effects);
    }

    /// A disk job is done: does what waited for it.
    fn job_done(&mut self, job: u64, effects: &mut Effects) {
        self.pass(Failpoint::WalAfterSync, effects);
        self.persistence.job_done(job, &mut self.wal);
        self.pass(Failpoint::RaftAfterSave, effects);
        let waited = self.node.waits_for_save();
        let persisted = self.node.persisted(job);
        if !self.node.is_leader() {
            self.pass(Failpoint::RaftBeforeFollowerSend, effects);
        }
        self.send(persisted.messages, effects);
        if let Some(index) = persisted.snapshot {
            self.install_snapshots(index, effects);
        }
        if waited && !self.node.waits_for_save() {
            self.pass(Failpoint::RaftBeforeAdvance, effects);
        }
        self.log_snapshot_saved(job, effects);
    }

    /// Applies committed entries, in order.
    fn apply_all(&mut self, entries: Vec<Entry>, effects: &mut Effects) {
        let Some(last) = entries.last().map(|entry| entry.index) else { return };
        for entry in entries {
            self.apply(entry, effects);
        }
        self.node.applied_to(last);
    }

    /// Applies one committed entry and reports it as a fact.
    fn apply(&mut self, entry: Entry, effects: &mut Effects) {
        assert_eq!(
            entry.index,
            self.applied.0 + 1,
            "entry {} follows applied entry {}: raft skipped or repeated one",
            entry.index,
            self.applied.0
        );
        let described = log_entry(&entry);
        self.applied = (entry.index, entry.term);
        let mut request = 0;
        let mut mutated = false;
        if entry.get_entry_type() != EntryType::EntryNormal {
            request = self.apply_configuration(&entry, effects);
        } else if !entry.data.is_empty() {
            (request, mutated) = self.apply_entry(entry, effects);
        } else if entry.term == self.node.term() && self.node.is_leader() && !self.lessor.is_primary() {
            // This is the first entry of our own term: from now on this leader can confirm ReadIndex. Raft
            // also puts an empty entry in place of a configuration change that it refuses; the check of
            // `is_primary` excludes those. etcd does not exclude them, and gives all leases a new expiry
            // again, which may be too early for a lease with a checkpoint.
            self.reads.retry_now();
            self.become_lessor(effects);
        }
        self.persistence.applied(self.now);
        effects.facts.push(Fact::Applied {
            index: described.index,
            term: described.term,
            digest: described.digest,
            request,
            revision: self.store.revision() as u64,
            state_hash: self.state_hash(),
            mutated,
            executed: true,
        });
    }

    /// Fills in the response header: cluster, member and term.
    pub(crate) fn with_header(&self, result: Result<Response, Error>) -> Result<Response, Error> {
        result.map(|mut response| {
            if let Some(header) = response.header_mut() {
                header.cluster_id = self.config.cluster_id;
                header.member_id = self.config.id.raft_id();
                header.raft_term = self.applied.1;
            }
            response
        })
    }

    /// If there is a new leader: fails the reads whose ReadIndex is in progress, as etcd does.
    fn note_leader(&mut self, effects: &mut Effects) {
        let leader = self.node.leader();
        self.leadership.present = !leader.is_none();
        if leader.is_none() || leader == self.leadership.leader {
            return;
        }
        self.leadership.leader = leader;
        self.leadership.since = self.now;
        for read in self.reads.leader_changed() {
            self.reply(read.operation, Err(Error::LeaderChanged), effects);
        }
        self.look_after_transfers(effects);
    }

    // ---- linearizable reads -----------------------------------------------------------------------

    /// Requests a ReadIndex from raft, if reads wait for one.
    fn ask_read_index(&mut self, effects: &mut Effects) {
        if !self.reads.wants_index(self.now) {
            return;
        }
        let context = match self.reads.last_context() {
            Some(context) if self.config.flaws.has(Flaw::ReadIndexContextReused) => context, // flaw M-20418b
            _ => self.fresh_id(),
        };
        self.reads.asked(context, self.now + self.config.settings.read_index_retry);
        effects.facts.push(Fact::ReadIndexAsked { context });
        self.node.read_index(context);
    }

    /// Raft returned an index: the reads of this context can be answered once it is applied.
    fn read_index_confirmed(&mut self, state: &raft::ReadState, effects: &mut Effects) {
        let Ok(context) = <[u8; 8]>::try_from(state.request_ctx.as_slice()) else { return };
        let context = u64::from_be_bytes(context);
        // Flaw R7: the read is answered without waiting for its index to be applied.
        let index = if self.config.flaws.has(Flaw::ReadIndexNoApplyWait) { 0 } else { state.index };
        if self.reads.confirm(context, index) {
            effects.facts.push(Fact::ReadIndexConfirmed { context, index: state.index });
        }
    }

    /// Answers the reads whose index is applied.
    fn answer_reads(&mut self, effects: &mut Effects) {
        while let Some(reads) = self.reads.ready(self.applied.0) {
            for read in reads {
                self.answer_read(read, effects);
            }
        }
    }

    /// Continues a request for which ReadIndex is done, or answers a serializable read, from the current
    /// state.
    pub(crate) fn answer_read(&mut self, read: Read, effects: &mut Effects) {
        let Read { operation, request, token, .. } = read;
        match request {
            Request::LeaseKeepAlive(request) => return self.renew(operation, request.id, effects),
            Request::LeaseRevoke(request) => return self.lessor.confirmed(request.id),
            Request::Authenticate(request) => return self.log_in(operation, request, effects),
            Request::MemberList(_) => {
                let result = self.with_header(Ok(self.member_list()));
                return self.reply(operation, result, effects);
            }
            _ => {}
        }
        // Users and roles may have changed while the read waited.
        let who = self.auth.who(token.as_deref(), self.now).map(Option::unwrap_or_default);
        let permitted = who.and_then(|who| self.auth.permit(&who, &request, &|id| self.keys_of(id)));
        let result = permitted.and_then(|()| {
            let applied = crate::apply::apply(&mut self.store, &request);
            debug_assert!(!applied.mutated, "a read changed the store: {request:?}");
            applied.result
        });
        let result = self.with_header(result);
        self.reply(operation, result, effects);
    }

    /// A new id for a request or a ReadIndex context, unique among all members and incarnations: 16 bits of
    /// the member id, 16 bits of the incarnation and a 32-bit counter. etcd's `idutil` has the wall clock in
    /// place of the incarnation, so its ids can repeat when that clock is set back (flaw R39).
    pub(crate) fn fresh_id(&mut self) -> u64 {
        self.next_id = self.next_id.checked_add(1).expect("2^32 requests in one incarnation");
        self.config.id.raft_id() << 48
            | u64::from(self.config.incarnation & 0xffff) << 32
            | u64::from(self.next_id)
    }

    // ---- what is due at the end of a step ---------------------------------------------------------

    /// Does everything that is due: each `look_after_…` below handles one concern, and does nothing if that
    /// concern has nothing due.
    fn housekeeping(&mut self, effects: &mut Effects) {
        self.expire(effects);
        self.look_after_waiting_for_token(effects);
        self.note_lessor(effects);
        self.look_after_leases(effects);
        self.look_after_calls(effects);
        if self.transfers_wake_at() <= self.now {
            self.look_after_transfers(effects);
        }
        self.look_after_watches(effects);
        self.look_after_compaction(effects);
        self.look_after_comparison();
        self.publish(effects);
        self.look_for_others(effects);
        self.look_after_backend(effects);
        self.look_after_removal(effects);
        self.look_after_stop(effects);
        self.report_probes(effects);
        // The calls above may have made proposals and reads. They go to raft in this step.
        if self.proposals.has_waiting() || self.reads.wants_index(self.now) {
            self.drive(effects);
        }
    }

    /// Proposes an automatic compaction if one is due on this leader, and answers clients that waited for the
    /// removal of compacted revisions from the backend.
    fn look_after_compaction(&mut self, effects: &mut Effects) {
        let leads = self.node.is_leader();
        if let Some(revision) = self.compactor.look_after(self.now, &self.store, leads) {
            let request = CompactionRequest { revision, physical: false };
            self.propose_internal(request.into(), effects);
        }
        if self.waiting_compactions.is_empty() {
            return;
        }
        let finished = self.backend.meta().finished_compact;
        let done: Vec<_> =
            self.waiting_compactions.extract_if(.., |(_, revision, _)| finished >= *revision).collect();
        for (operation, _, response) in done {
            self.reply(operation, Ok(response), effects);
        }
    }

    /// Reports the probes reached since the last report, once every heartbeat interval. At every step, this
    /// would cost as much as the rest of an idle step.
    fn report_probes(&mut self, effects: &mut Effects) {
        if self.now < self.report_at {
            return;
        }
        self.report_at = self.now + self.config.settings.heartbeat_interval;
        let reached = [
            self.hub.take_probes(),
            self.lessor.take_probes(),
            self.compactor.take_probes(),
            self.services.take_probes(),
            self.cluster.take_probes(),
            self.auth.take_probes(),
        ];
        for probes in reached {
            if !probes.is_empty() {
                effects.facts.extend(probes.into_iter().map(|probe| Fact::Probe { probe }));
            }
        }
    }

    /// Proposes this member's name and client URLs to the log, at intervals, until this member has applied
    /// them (`server.go`, `publishV3`).
    fn publish(&mut self, effects: &mut Effects) {
        let Publication::Due(at) = self.publication else { return };
        if at > self.now || self.node.leader().is_none() {
            return;
        }
        let Some(own) = self.cluster.member(self.config.id) else { return };
        if own.name == *self.config.name() && own.client_urls[..] == self.config.client_urls[..] {
            self.publication = Publication::Done;
            return;
        }
        self.publication = Publication::Due(self.now + self.config.settings.request_timeout);
        let attributes = api::membershippb::Attributes {
            name: self.config.name().to_string(),
            client_urls: self.config.client_urls.to_vec(),
        };
        let member_attributes = Some(attributes);
        let member_id = self.config.id.raft_id();
        let request = api::membershippb::ClusterMemberAttrSetRequest { member_id, member_attributes };
        self.propose_command(crate::envelope::Command::Attributes(request), effects);
    }

    /// Replaces all replicated state by that of a leader's snapshot.
    pub(crate) fn replace_state(&mut self, image: Image) {
        self.store = image.store;
        self.cluster = image.cluster;
        self.auth.replace(image.auth);
        self.persistence.rest = None;
        self.store.set_flaws(self.config.flaws);
        self.hub.replaced(&self.store);
        self.lessor.replaced(&self.store, self.now, self.wall);
        if self.has_left(self.config.id) {
            self.learned_of_removal();
        }
    }

    /// Begins to stop: fails all requests in progress and, on a leader, starts a transfer of leadership.
    fn stop(&mut self, effects: &mut Effects) {
        if self.stopping.is_some() {
            return;
        }
        let patience = self.config.settings.election_timeout();
        self.stopping = Some(self.now + patience);
        let mut in_progress = self.services.take_all();
        in_progress.extend(self.proposals.take_all());
        in_progress.extend(self.reads.take_all());
        in_progress.extend(self.calls.take_all());
        for operation in in_progress {
            if !self.services.owns_request(operation) {
                self.reply(operation, Err(Error::Stopped), effects);
            }
        }
        // etcd transfers leadership to the member connected longest; we pick the one with the longest
        // matching log.
        if self.node.is_leader()
            && let Some(successor) = self.node.best_follower()
        {
            self.node.transfer_leader(successor);
        }
    }

    /// Ends the member if it is stopping and nothing is left to wait for: a transfer of leadership, writes, a
    /// last backend commit.
    fn look_after_stop(&mut self, effects: &mut Effects) {
        let Some(give_up_at) = self.stopping else { return };
        let waits_for_successor =
            self.node.is_leader() && !self.node.is_only_voter() && self.now < give_up_at;
        if waits_for_successor
            || self.node.is_saving()
            || self.persistence.is_writing()
            || !self.backend_is_idle()
        {
            // Checked again at the next input. One will come, since there is always a next tick.
            self.stopping = Some(if self.now < give_up_at { give_up_at } else { u64::MAX });
            return;
        }
        if self.persistence.is_dirty() {
            self.commit_backend(effects);
            return;
        }
        self.finished = true;
        effects.finished = true;
    }
}
