//! The state of one etcd member, and the step that changes it: it takes the time and one input, and returns effects.
//!
//! A step first handles its input, then raft's readies until there are none (see [`crate::node`]), then
//! everything that is due at this time. A committed entry is applied to the store in memory as soon as raft
//! returns it; its changes reach the backend file with a later backend commit.

use std::sync::Arc;

use api::etcdserverpb::{AlarmType, DefragmentResponse, Member as Listed, StatusResponse};
use api::{Error, Request};
use contract::disk::Disk;
use contract::{Armed, Boot, Now, Started, Status, Watched};
use raft::eraftpb::{Entry, EntryType, Message as RaftMessage, MessageType, Snapshot};
use record::inner::LeaseDeed;
use record::{EtcdFact as Fact, Inner, MemberId, Probe};

use crate::auth::{self, AuthInfo};
use crate::compactor::Compactor;
use crate::config::Config;
use crate::configuration;
use crate::envelope::{self, Command, Envelope};
use crate::failpoint::Failpoint;
use crate::flaw::Flaw;
use crate::forwarded::Forwarded;
use crate::ids::Ids;
use crate::image::Image;
use crate::inner;
use crate::io::{Effects, Etcd, Input, Message, PeerMessage};
use crate::leadership::Leadership;
use crate::leases::Leases;
use crate::lessor;
use crate::logins::Logins;
use crate::maintenance::{self, Comparison, Transfers};
use crate::membership::Membership;
use crate::mvcc::Store;
use crate::node::{Node, log_entry};
use crate::out::Out;
use crate::peers::Calls;
use crate::pending::{Pending, Then};
use crate::persist::Persistence;
use crate::proposals::{Proposals, Purpose, Waiter};
use crate::punctual;
use crate::range_stream::RangeStreams;
use crate::reads::Reads;
use crate::refusal::StartError;
use crate::replica::{LeaseNews, Outcome, Replica};
use crate::require_leader::RequireLeader;
use crate::round::Round;
use crate::services::Services;
use crate::wal::Marker;
use crate::want::Wants;
use crate::watch::Hub;
use crate::work::{Done, Incoming, Piece, Prepared, Product};

/// Before a run has settled, leases with a time to live of up to this many seconds must have ended; our choice.
const LEASES_WAITED_FOR: i64 = 20;

/// One etcd member. All times and deadlines are in nanoseconds of the member's own monotonic clock.
///
/// Words of this crate: an *operation* is a request of a client, or its number; a *probe* is an interesting state
/// whose occurrences are counted, so that tests can see whether they reach it; a *fact* is what the member reports
/// for the simulator's trace.
pub struct Member {
    pub(crate) config: Config,
    pub(crate) node: Node,
    /// What the members agree on.
    pub(crate) replica: Replica,
    /// The lessor, and who waits for it.
    pub(crate) leases: Leases,
    pub(crate) compactor: Compactor,
    /// All watch streams and their watchers.
    pub(crate) hub: Hub,
    /// The lock and election services.
    pub(crate) services: Services,
    /// Requests to and from other members outside raft.
    pub(crate) calls: Calls,
    /// Transfers of leadership that clients wait for.
    pub(crate) transfers: Transfers,
    /// The leader's comparison of all members' hashes.
    pub(crate) comparison: Comparison,
    /// Logins in the log, and the requests that wait for one.
    pub(crate) logins: Logins,
    /// This member's own place in the cluster.
    pub(crate) membership: Membership,
    /// What is being computed outside of the steps.
    pub(crate) pending: Pending,
    /// What is being written to the disk, and what is not written yet.
    pub(crate) persistence: Persistence,
    /// The requests that go through the log and are not answered yet.
    pub(crate) proposals: Proposals,
    /// The linearizable reads that are not answered yet.
    pub(crate) reads: Reads,
    /// When this member, if it leads, next checks whether the cluster version must change.
    pub(crate) version_look_at: u64,
    /// The streamed ranges that are not over.
    pub(crate) range_streams: RangeStreams,
    /// The streams whose clients want a member that knows a leader.
    pub(crate) require_leader: RequireLeader,
    /// Requests that other members forwarded to this one.
    pub(crate) forwarded: Forwarded,
    /// The reading of the member's monotonic clock at this step.
    pub(crate) now: u64,
    /// When the last step asked to be woken.
    pub(crate) asked: u64,
    /// When raft's next tick is due.
    pub(crate) next_tick: u64,
    /// How many ticks came due while the raft loop waited for a save.
    pub(crate) missed_ticks: u32,
    /// When to report next which probes were reached.
    pub(crate) report_at: u64,
    /// The numbers of requests and ReadIndex contexts.
    pub(crate) ids: Ids,
    /// What the member remembers about leaders.
    pub(crate) leadership: Leadership,
    /// Set once a stop was requested: when to stop waiting for another member to take over leadership.
    pub(crate) stopping: Option<u64>,
    /// Whether this member is about to end, and takes part in nothing more. Otherwise there might always be something
    /// to save. etcd, too, stops its raft loop before it closes the backend.
    pub(crate) leaving: bool,
    /// Whether this process has ended. All further inputs are ignored.
    pub(crate) finished: bool,
    /// The armed failpoint, if any.
    pub(crate) armed: Option<Armed>,
    /// When the parts must be looked at again.
    pub(crate) round: Round,
    /// What somebody asked for of what happens inside.
    pub(crate) tells: inner::Asked,
    /// Storage for what the parts want, reused by all steps; empty between them.
    pub(crate) wants: Wants,
}

impl contract::Node for Member {
    type Types = Etcd;
    type Refusal = StartError;

    /// Starts a member. See `start`.
    ///
    /// # Errors
    /// The disk fails, or its content cannot be trusted.
    fn start(boot: Boot<Etcd>, disk: Arc<dyn Disk>, effects: &mut Effects) -> Started<Member> {
        Member::boot(boot, disk, effects)
    }

    fn step(&mut self, now: Now, input: Input, effects: &mut Effects) {
        debug_assert!(
            now.clock >= self.now,
            "a monotonic clock went back from {} to {}",
            self.now,
            now.clock
        );
        self.now = now.clock;
        if self.finished {
            return;
        }
        inner::begin(self.tells);
        punctual::begin(if matches!(input, Input::Wake) { self.asked } else { 0 }, now.clock);
        let mut armed = self.armed.take();
        let mut out = Out::new(effects, &mut armed, now);
        self.handle(input, &mut out);
        let wake_at = if out.is_end() { u64::MAX } else { self.wake_at() };
        out.over(wake_at);
        self.asked = wake_at;
        self.armed = armed;
    }
}

impl Watched for Member {
    fn arm(&mut self, armed: Option<Armed>) {
        self.armed = armed;
    }

    fn reseed(&mut self, seed: u64) {
        self.config.seed = seed;
        self.node.reseed(&self.config);
        self.hub.reseed(&self.config);
        self.ids.reseed(&self.config);
    }

    /// The hash is that of all replicated state: the store, the membership, users and roles.
    fn status(&self) -> Option<Status> {
        Some(Status {
            leader: self.node.leader(),
            applied: self.replica.applied(),
            revision: self.replica.store.revision() as u64,
            state_hash: self.replica.hash(),
        })
    }

    /// The primary lessor still has to end the leases that are short enough to be waited for. It cannot revoke a lease
    /// while the alarm CORRUPT is on.
    fn owes(&self) -> Option<Vec<String>> {
        let corrupt = self.replica.cluster.is_on(AlarmType::Corrupt);
        let waited_for = |(_, ttl): &(i64, i64)| *ttl <= LEASES_WAITED_FOR && !corrupt;
        let sentence = |(id, ttl)| format!("Lease {id} of {ttl} s has not ended.");
        self.leases.is_primary().then(|| self.leases().filter(waited_for).map(sentence).collect())
    }

    fn keeps(&self) -> Vec<(&'static str, u64)> {
        let mut counts = Vec::new();
        counts.extend(self.proposals.kept());
        counts.extend(self.reads.kept());
        counts.extend(self.calls.kept());
        counts.extend(self.forwarded.kept());
        counts.extend(self.logins.kept());
        counts.extend(self.services.kept());
        counts.extend(self.range_streams.kept());
        counts.extend(self.require_leader.kept());
        counts.extend(self.pending.kept());
        counts.extend(self.transfers.kept());
        counts.extend(self.comparison.kept());
        counts.extend(self.compactor.kept());
        counts.extend(self.leadership.kept());
        counts.extend(self.leases.kept());
        counts.extend(self.hub.kept());
        counts.extend(self.node.kept());
        counts.extend(self.persistence.kept());
        counts.extend(self.replica.auth.kept());
        counts.extend(self.replica.store.kept());
        counts
    }

    fn explain(&self) -> String {
        format!("{:?}", self.alarm_clocks())
    }
}

impl Member {
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

    /// The members of the cluster, as this one has applied it. None are known to a member that joins and has not heard
    /// from the leader.
    pub fn members(&self) -> Vec<Listed> {
        self.replica.cluster.list()
    }

    /// Whether a member was removed from the cluster.
    pub fn is_removed(&self, id: MemberId) -> bool {
        self.replica.cluster.is_removed(id)
    }

    /// The version of the cluster; empty until it is set.
    pub fn cluster_version(&self) -> &str {
        self.replica.cluster.version()
    }

    /// The store of keys and leases.
    pub fn store(&self) -> &Store {
        &self.replica.store
    }

    /// The member's status, as in the answer to a status request.
    pub fn report(&self) -> StatusResponse {
        maintenance::status(&self.replica, &self.node, self.persistence.size(), &self.config.settings)
    }

    /// The number of watch streams, and of watchers in each group.
    pub fn watchers(&self) -> crate::watch::Counts {
        self.hub.counts()
    }

    /// All leases: their id, and the TTL in seconds with which they were granted.
    pub fn leases(&self) -> impl Iterator<Item = (i64, i64)> {
        self.replica.store.leases().map(|(id, lease)| (id, lease.ttl))
    }

    /// All replicated state in one piece, as `etcdctl snapshot save` would return it.
    pub fn image(&self) -> bytes::Bytes {
        self.replica.parts().encode()
    }

    /// Handles one input, then raft's readies, then what is due.
    fn handle(&mut self, input: Input, out: &mut Out<'_>) {
        // A wake-up changes nothing by itself. A raft message or the end of a write requires a round where it changes
        // something.
        let quiet = matches!(
            input,
            Input::Wake | Input::Message { message: Message::Raft(_), .. } | Input::JobDone { .. }
        );
        if !quiet {
            self.round.require();
        }
        match input {
            Input::Wake | Input::Recovered => {}
            Input::Message { .. } if self.leaving => {}
            Input::Message { packet, message: Message::Raft(message), .. } => {
                self.message(packet, message, out)
            }
            Input::Message { from, message: Message::Peer(message), .. } => self.peer(from, *message, out),
            Input::Call { call, request } => self.call(call, *request, out),
            Input::Cancel { call } => self.abandon(call, out),
            Input::Item { stream, item } => self.item(stream, *item, out),
            Input::Taken { stream } => {
                if !self.send_chunk(stream, out) {
                    self.hub.taken(stream);
                }
            }
            Input::Closed { stream } => {
                self.hub.closed(stream);
                self.range_streams.closed(stream);
                self.require_leader.closed(stream);
                self.pending.closed(stream);
            }
            Input::Connections(connections) => self.membership.connected(connections),
            Input::JobDone { job, result } => {
                if let Err(error) = result {
                    // etcd exits when it cannot save its log: what is on the disk is unknown.
                    out.fatal(format!("the write-ahead log could not be saved: {error}"));
                    return;
                }
                self.job_done(job, out);
            }
            Input::StoreDone(Ok(())) => self.store_done(out),
            Input::StoreDone(Err(error)) => {
                out.fatal(error.to_string());
                return;
            }
            Input::WorkDone { work, done } => self.work_done(work, done, out),
            Input::Receipt { to, arrived } => {
                // Flaw Z6: the member still waits for a snapshot that did not arrive.
                if arrived || !self.config.flaws.has(Flaw::LostSnapshotAwaited) {
                    self.persistence.snapshot_ended();
                }
                self.node.report_snapshot(to, arrived, out);
            }
            Input::Stop => self.stop(out),
        }
        self.tick(out);
        self.drive(out);
        self.housekeeping(out);
        self.persistence.flush(out);
    }

    /// Gives raft a tick, if one is due. If the process was paused for several ticks, or the raft loop waited
    /// for a save meanwhile, raft gets one tick for all of them, as with Go's ticker.
    ///
    /// Raft gets no tick while a leader's snapshot is being written to disk. Before a campaign, raft searches
    /// the entries between the applied index and the commit index for configuration changes; it would panic,
    /// because the snapshot has replaced those entries (`docs/findings.md`). TiKV skips these ticks, too.
    fn tick(&mut self, out: &mut Out<'_>) {
        let due = self.now >= self.next_tick;
        if due {
            punctual::was_due("a tick", self.next_tick);
            let interval = self.config.settings.heartbeat_interval;
            self.next_tick += interval;
            if self.next_tick <= self.now {
                self.next_tick = self.now + interval;
            }
        }
        if self.leaving {
            return;
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
            out.probe(Probe::DeposedBySlowDisk);
        }
        if (due || missed > 0) && !self.persistence.awaits_snapshot() {
            self.node.tick(out);
        }
    }

    /// Gives raft a message from another member, without the proposals in it that have arrived before.
    fn message(&mut self, packet: u64, mut message: Box<RaftMessage>, out: &mut Out<'_>) {
        let from = MemberId::from_raft(message.from);
        // A removed member is told that it was removed, whatever it sent.
        if self.has_left(from) {
            return out.send_peer(from, PeerMessage::Removed);
        }
        self.leadership.heard(from, self.now);
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
                    EntryType::EntryNormal => envelope::id_of(&entry.data),
                    _ => configuration::id_of(entry),
                };
                id.is_none_or(|id| self.forwarded.is_new(id))
            });
            if entries.is_empty() {
                return;
            }
            message.set_entries(entries.into());
        }
        if message.get_msg_type() == MessageType::MsgSnapshot {
            let config = Box::new(self.config.clone());
            self.pending.hand_out(Piece::Receive(message, config), Then::Receive { packet }, out);
            return;
        }
        self.node.step(packet, message, out);
    }

    /// Gives raft the message with a leader's snapshot, once its content is decoded.
    fn receive_snapshot(&mut self, packet: u64, message: RaftMessage, prepared: Prepared, out: &mut Out<'_>) {
        self.node.step(packet, Box::new(message), out);
        let not_needed = if self.node.has_accepted(&prepared) {
            self.persistence.snapshot_arrives(prepared)
        } else {
            Some(prepared)
        };
        if let Some(not_needed) = not_needed {
            self.pending.discard(not_needed, out);
        }
    }

    /// Work that the member handed out is done.
    fn work_done(&mut self, work: u64, done: Done, out: &mut Out<'_>) {
        let Some(then) = self.pending.done(work) else { return };
        match (then, done.0) {
            (Then::Offer(mut snapshot), Product::Image(data)) => {
                snapshot.data = data;
                self.node.log_mut().offer_snapshot(work, *snapshot);
            }
            (Then::Send(stream), Product::Snapshot(snapshot)) => out.send_snapshot(stream, *snapshot),
            (Then::Receive { packet }, Product::Received(received)) => {
                let (message, prepared) = *received;
                match prepared {
                    Ok(prepared) => self.receive_snapshot(packet, message, prepared, out),
                    // It must not reach the disk: no start could read it. The leader will send another one.
                    Err(error) => {
                        tracing::warn!(%error, "a leader's snapshot is dropped");
                        out.probe(Probe::DamagedSnapshotDropped);
                    }
                }
            }
            (Then::LogIn { operation, request, revision }, Product::Checked(right)) => {
                self.password_checked(operation, request, right.then_some(revision), out);
            }
            (Then::Propose { operation, mut request, who }, Product::Hashed(hash)) => {
                auth::seal(&mut request, hash);
                self.propose(operation, request, who, out);
            }
            (Then::Nothing, _) => {}
            (then, product) => panic!("work {work} has the result {product:?}, but {then:?} was to follow"),
        }
    }

    /// Handles raft's readies until there are none.
    pub(crate) fn drive(&mut self, out: &mut Out<'_>) {
        while !self.leaving {
            self.propose_waiting(out);
            self.ask_read_index(out);
            // A ready after a leader's snapshot may have entries that follow the snapshot, so no ready is
            // taken before the snapshot is installed.
            if self.persistence.awaits_snapshot() || self.node.waits_for_save() || !self.node.has_ready() {
                break;
            }
            self.take_ready(out);
        }
        self.answer_reads(out);
        self.make_snapshot(out);
    }

    /// Takes a ready from raft, and carries it out. Not inlined: many steps have none, and would prepare for one.
    #[inline(never)]
    fn take_ready(&mut self, out: &mut Out<'_>) {
        let job = self.persistence.next_job();
        let actions = self.node.ready(job, out);
        if self.node.is_leader() {
            out.pass(Failpoint::RaftBeforeLeaderSend);
        }
        self.send(actions.messages, out);
        if let Some((job, save)) = actions.save {
            self.persistence.save(job, save, self.node.log(), out);
        }
        for state in actions.read_states {
            self.read_index_confirmed(&state, out);
        }
        self.apply_all(actions.committed, out);
        if !self.node.waits_for_save() {
            out.pass(Failpoint::RaftBeforeAdvance);
        }
        self.note_leader(out);
    }

    /// Sends raft messages, and counts the snapshots among them.
    pub(crate) fn send(&mut self, mut messages: Vec<RaftMessage>, out: &mut Out<'_>) {
        if messages.is_empty() {
            return;
        }
        for message in &messages {
            if message.get_msg_type() == MessageType::MsgSnapshot {
                self.persistence.snapshot_sent();
            }
        }
        out.send(&mut messages, self.node.boxes());
        self.node.take_back(messages);
    }

    /// A disk job is done: does what waited for it.
    fn job_done(&mut self, job: u64, out: &mut Out<'_>) {
        self.persistence.job_done(job, out);
        let waited = self.node.waits_for_save();
        let persisted = self.node.persisted(job, out);
        if !self.node.is_leader() {
            out.pass(Failpoint::RaftBeforeFollowerSend);
        }
        self.send(persisted.messages, out);
        if let Some(index) = persisted.snapshot {
            self.round.require();
            self.install_snapshots(index, out);
        }
        if waited && !self.node.waits_for_save() {
            out.pass(Failpoint::RaftBeforeAdvance);
        }
        if self.persistence.log_snapshot_saved(job, self.node.log_mut(), out) {
            self.round.require();
        }
    }

    /// The backend's job in progress is done.
    fn store_done(&mut self, out: &mut Out<'_>) {
        for operation in self.persistence.store_done(self.replica.applied(), self.node.log(), out) {
            out.probe(Probe::BackendDefragmented);
            self.reply(operation, Ok(DefragmentResponse { header: None }.into()), out);
        }
    }

    /// Begins to make a snapshot of all replicated state, if raft wants to send one to a follower.
    fn make_snapshot(&mut self, out: &mut Out<'_>) {
        if let Some(useless) = self.node.log_mut().take_useless() {
            self.pending.discard(useless, out);
        }
        if !self.node.log().wants_snapshot() {
            return;
        }
        let mut snapshot = Snapshot::default();
        let mut conf_state = self.node.log().conf_state().clone();
        // R13: the snapshot has the cluster's first configuration instead of the current one.
        if self.config.flaws.has(Flaw::ConfStateMissingInSnapshot) {
            conf_state = configuration::first(&self.config);
        }
        let metadata = snapshot.mut_metadata();
        (metadata.index, metadata.term) = (self.replica.applied(), self.replica.term());
        metadata.set_conf_state(conf_state);
        let image = Piece::Image(self.replica.parts());
        let work = self.pending.hand_out(image, Then::Offer(Box::new(snapshot)), out);
        self.node.log_mut().begin_snapshot(work);
    }

    /// The files of a leader's snapshots with indices up to `durable` are durable. Their content replaces the
    /// replicated state now.
    fn install_snapshots(&mut self, durable: u64, out: &mut Out<'_>) {
        while let Some((Marker { index, term, conf_state }, state)) =
            self.persistence.durable_snapshot(durable)
        {
            let applied = self.replica.applied();
            assert!(
                index > applied,
                "a snapshot at {index} arrived at a member that has applied {applied}: raft should have refused it"
            );
            out.pass(Failpoint::RaftBeforeApplySnap);
            out.pass(Failpoint::ApplyBeforeOpenSnapshot);
            let Incoming { image, ledger } = *state;
            self.node.log_mut().set_conf_state(conf_state);
            let old_store = self.replace_state(image, (index, term), out.now);
            self.node.applied_to(index, out);
            self.report_configuration(out);
            out.fact(Fact::SnapshotInstalled {
                index,
                term,
                revision: self.replica.store.revision() as u64,
                state_hash: self.replica.hash(),
            });
            inner::tell(|| self.replica.loaded(false));
            inner::tell(|| self.replica.state());
            out.pass(Failpoint::RaftAfterApplySnap);
            let old_ledger = self.persistence.installed(index, ledger, out);
            self.pending.discard((old_store, old_ledger), out);
        }
    }

    /// Replaces all replicated state by that of a leader's snapshot. Returns the old store.
    fn replace_state(&mut self, image: Image, applied: (u64, u64), now: Now) -> Store {
        let old = self.replica.replace(image, applied);
        self.hub.replaced(&self.replica.store);
        self.leases.replaced(&self.replica.store, now);
        if self.has_left(self.config.id) {
            self.membership.learned_of_removal(self.now);
        }
        old
    }

    /// Applies committed entries, in order.
    fn apply_all(&mut self, entries: Vec<Entry>, out: &mut Out<'_>) {
        let Some(last) = entries.last().map(|entry| entry.index) else { return };
        self.round.require();
        for entry in entries {
            self.apply(entry, out);
        }
        self.node.applied_to(last, out);
    }

    /// Applies one committed entry and reports it as a fact.
    fn apply(&mut self, entry: Entry, out: &mut Out<'_>) {
        let described = log_entry(&entry);
        self.replica.advance(entry.index, entry.term);
        let mut request = 0;
        let mut mutated = false;
        if entry.get_entry_type() != EntryType::EntryNormal {
            request = self.apply_configuration(&entry, out);
        } else if !entry.data.is_empty() {
            (request, mutated) = self.apply_entry(entry, out);
        } else if entry.term == self.node.term() && self.node.is_leader() && !self.leases.is_primary() {
            // This is the first entry of our own term: from now on this leader can confirm ReadIndex. Raft
            // also puts an empty entry in place of a configuration change that it refuses; the check of
            // `is_primary` excludes those. etcd does not exclude them, and gives all leases a new expiry
            // again, which may be too early for a lease with a checkpoint.
            self.reads.retry_now();
            self.leases.promote(&self.replica.store, out);
        }
        self.persistence.applied(&mut self.replica.store, self.now);
        out.fact(Fact::Applied {
            index: described.index,
            term: described.term,
            digest: described.digest,
            request,
            revision: self.replica.store.revision() as u64,
            state_hash: self.replica.hash(),
            mutated,
            executed: true,
        });
        inner::tell(|| self.replica.state());
    }

    /// Applies a normal entry: gives it to the replicated state, tells the parts that must know, and answers
    /// the client if the request came through this member. Returns the id of the request and whether it made
    /// a revision.
    fn apply_entry(&mut self, entry: Entry, out: &mut Out<'_>) -> (u64, bool) {
        let index = entry.index;
        let Envelope { id, user, auth_revision, command } =
            envelope::decode(entry.data).unwrap_or_else(|error| {
                panic!("entry {index} cannot be decoded ({error}): its checksum is right, so it was encoded wrong")
            });
        out.pass(Failpoint::BeforeApplyOneEntryNormal);
        let waiting = self.proposals.applied(id);
        let who = (!user.is_empty()).then_some(AuthInfo { user, revision: auth_revision });
        let room = match &command {
            Command::Request(request) => self.persistence.has_room(request),
            _ => true,
        };
        let before = self.replica.store.revision();
        let Outcome { result, mutated, news, lacks_space } =
            self.replica.apply(&command, who.as_ref(), waiting.is_some(), room, out);
        inner::tell(|| {
            let user = who.as_ref().map(|who| who.user.clone()).unwrap_or_default();
            // For commands that no client waits for, the answer is an error, which nobody reads.
            let error = match command {
                Command::Request(_) => result.as_ref().err().copied(),
                _ => None,
            };
            let command = envelope::reported(&command);
            self.replica.applied_entry(id, command, user, waiting.is_some(), error, before)
        });
        self.tell_own(index, &command, news);
        match news {
            Some(LeaseNews::Granted { id, ttl }) => self.leases.granted(id, ttl, out.now),
            Some(LeaseNews::Revoked(id)) => {
                self.with_wants(out, |own, _, wants| own.leases.revoked(id, &own.replica.store, wants));
            }
            None => {}
        }
        if let Command::Checkpoint(request) = &command {
            for checkpoint in &request.checkpoints {
                self.leases.checkpointed(checkpoint.id, checkpoint.remaining_ttl);
            }
        }
        if mutated {
            self.hub.changed(&self.replica.store);
        }
        out.pass(Failpoint::AfterApplyOneEntryNormal);
        if let Some(waiter @ Waiter { operation, purpose, .. }) = waiting {
            match purpose {
                Purpose::Answer if lacks_space => {
                    self.raise_no_space(waiter, out);
                    return (id, mutated);
                }
                Purpose::Answer => {}
                Purpose::Refuse(error) => {
                    self.reply(operation, Err(error), out);
                    return (id, mutated);
                }
                Purpose::Renew(lease) => {
                    self.renew(operation, lease, out);
                    return (id, mutated);
                }
            }
            // If users or roles changed after the password was checked, the login starts over.
            if let Some(login) = self.logins.applied(operation, self.replica.auth.revision()) {
                self.serve(operation, login.into(), None, None, out);
                return (id, mutated);
            }
            let result = self.replica.stamped(result);
            match (&command, result) {
                (Command::Request(Request::Compact(request)), Ok(response)) if request.physical => {
                    self.compactor.wait(operation, request.revision, response);
                }
                (_, result) => self.reply(operation, result, out),
            }
        }
        (id, mutated)
    }

    /// Tells the oracles what an entry says about leases, and what some member has proposed on its own.
    fn tell_own(&self, index: u64, command: &Command, news: Option<LeaseNews>) {
        if let Some(LeaseNews::Granted { id, ttl }) = news {
            lessor::tell(id, LeaseDeed::Created { index, ttl }, self.now);
        }
        if let Command::Checkpoint(request) = command {
            for checkpoint in &request.checkpoints {
                let left = checkpoint.remaining_ttl;
                lessor::tell(checkpoint.id, LeaseDeed::Recorded { index, left }, self.now);
            }
        }
        if let Some(what) = envelope::own(command) {
            inner::tell_deed(|| Inner::AppliesOwn { index, what });
        }
    }

    /// Applies an entry that changes the configuration. Returns its request id; 0 if there is none.
    fn apply_configuration(&mut self, entry: &Entry, out: &mut Out<'_>) -> u64 {
        out.pass(Failpoint::BeforeApplyOneConfChange);
        let (mut change, wanted) = configuration::read(entry);
        let before = self.replica.store.revision();
        let result = wanted.as_ref().map(|(_, wanted)| self.replica.change(wanted));
        if let (Some((id, wanted)), Some(result)) = (&wanted, &result) {
            inner::tell(|| {
                let mine = self.proposals.has(*id);
                let (command, error) = (configuration::reported(wanted), result.as_ref().err().copied());
                self.replica.applied_entry(*id, command, String::new(), mine, error, before)
            });
        }
        if let Some(Err(_)) = &result {
            change = configuration::nothing(); // it is no longer valid
        }
        self.node.apply_change(&change, out);
        self.report_configuration(out);
        if self.has_left(self.config.id) {
            self.membership.left(self.now);
        }
        let Some(((id, wanted), result)) = wanted.zip(result) else { return 0 };
        if let Some(Waiter { operation, .. }) = self.proposals.applied(id) {
            let answer = result.map(|members| configuration::answer(&wanted, members));
            self.answer_here(operation, answer, out);
        }
        id
    }

    /// Reports the current configuration as a fact.
    pub(crate) fn report_configuration(&mut self, out: &mut Out<'_>) {
        let conf_state = self.node.log().conf_state();
        self.leadership.forget(|id| self.replica.has_left(id, conf_state));
        out.fact(configuration::report(self.replica.applied(), conf_state));
    }

    /// Whether a member was removed from the cluster, and has no part in raft's configuration any more.
    pub(crate) fn has_left(&self, id: MemberId) -> bool {
        self.replica.has_left(id, self.node.log().conf_state())
    }

    /// If there is a new leader: fails the reads whose ReadIndex is in progress, as etcd does.
    fn note_leader(&mut self, out: &mut Out<'_>) {
        if !self.leadership.led_by(self.node.leader(), self.now) {
            return;
        }
        self.round.require();
        for read in self.reads.leader_changed() {
            self.reply(read.operation, Err(Error::LeaderChanged), out);
        }
        self.look_after_transfers(out);
    }

    // ---- linearizable reads -----------------------------------------------------------------------

    /// Requests a ReadIndex from raft, if reads wait for one.
    fn ask_read_index(&mut self, out: &mut Out<'_>) {
        if !self.reads.wants_index(self.now) {
            return;
        }
        let context = match self.reads.last_context() {
            Some(context) if self.config.flaws.has(Flaw::ReadIndexContextReused) => context, // flaw M-20418b
            _ => self.ids.fresh(),
        };
        self.reads.asked(context, self.now + self.config.settings.read_index_retry);
        out.fact(Fact::ReadIndexAsked { context });
        self.node.read_index(context, out);
    }

    /// Raft returned an index: the reads of this context can be answered once it is applied.
    fn read_index_confirmed(&mut self, state: &raft::ReadState, out: &mut Out<'_>) {
        let Ok(context) = <[u8; 8]>::try_from(state.request_ctx.as_slice()) else { return };
        let context = u64::from_be_bytes(context);
        // Flaw R7: the read is answered without waiting for its index to be applied.
        let index = if self.config.flaws.has(Flaw::ReadIndexNoApplyWait) { 0 } else { state.index };
        if self.reads.confirm(context, index) {
            out.fact(Fact::ReadIndexConfirmed { context, index: state.index });
        }
    }

    /// Answers the reads whose index is applied.
    fn answer_reads(&mut self, out: &mut Out<'_>) {
        while let Some((context, reads)) = self.reads.ready(self.replica.applied()) {
            self.round.require();
            for read in reads {
                self.tell_read(&read, Some(context));
                self.answer_read(read, out);
            }
        }
    }
}
