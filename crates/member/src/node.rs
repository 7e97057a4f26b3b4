//! Wraps `raft::RawNode`, the raft library's state machine. No other file of the member touches it.
//!
//! Raft returns its work in batches, called *readies*: entries and hard state to save, messages to send,
//! entries to apply. This file splits a ready into what the member may do at once ([`ReadyActions`]) and what
//! must wait until the ready is durable ([`SaveActions`]), and guarantees two things:
//!
//! - *Determinism* (rule R3 of ARCHITECTURE.md): raft takes the randomness of its election timeouts from the
//!   operating system. After every call into raft, we replace the timeout by our own draw. It depends only on
//!   the seed, the member, its incarnation, the term and the number of campaigns.
//! - *Order* (etcd's `raft.go`): a leader sends its messages while its own entries are being written, and
//!   counts its own copy only once it is durable. Other members send their messages after the write.
//!
//! The raft library lets a ready be saved while later ones are taken: we call `advance_append_async` when we
//! have taken a ready, and `on_persist_ready` when the disk job that saves it is done. Disk jobs end in the
//! order in which they were issued, so readies become durable in order.
//!
//! With the setting `raft-loop = "blocking"`, the member takes no further ready and makes no tick until the
//! last save is durable, as in etcd ([`Node::waits_for_save`]). Messages and proposals are still stepped
//! meanwhile, but their effects, including a change of leader, show only in the next ready
//! ([`Node::leader`]).
//!
//! Every call into raft ends in [`Node::ended`]: it replaces the timeout, and reports the call as a step if somebody
//! watches (`steps`).

use std::cmp::Reverse;
use std::collections::VecDeque;

use keyed::{Domain, Keyed};
use protobuf::Message as _;
use raft::eraftpb::{ConfChangeV2, ConfState, Entry, HardState, Message, MessageType, Snapshot};
use raft::{RawNode, ReadOnlyOption, ReadState, SnapshotStatus, StateRole};
use record::step::{Call, EntryKind};
use record::{EtcdFact as Fact, LogEntry, MemberId, Role};

use crate::boxes::Boxes;
use crate::config::{Config, RaftLoop};
use crate::configuration::Proposed;
use crate::flaw::{Flaw, Flaws};
use crate::keeps::{Count, count};
use crate::log::Log;
use crate::out::Out;
use crate::steps::{self, Steps};
use crate::work::Prepared;

/// The name under which election timeouts are drawn.
const ELECTION: Domain = Domain::new("member election timeout");

/// The longest list of messages whose storage is used again. One that a follower far behind needed is freed.
const KEPT_MESSAGES: usize = 64;

/// The raft node, with the readies that are not durable yet.
pub(crate) struct Node {
    /// The raft library's node.
    raw: RawNode<Log>,
    /// The keyed draws of election timeouts.
    timeouts: Keyed,
    /// How many times this process has campaigned because its election timeout ran out. It is part of the draw's key: a
    /// member that tries again in the same term draws a new timeout.
    campaigns: u64,
    /// The current election timeout: the key of its draw (the term and the number of campaigns), and its
    /// length in ticks.
    timeout: ((u64, u64), usize),
    /// The shortest election timeout, in ticks.
    election_ticks: u32,
    flaws: Flaws,
    /// Whether the setting `raft-loop` is `blocking`: a ready is taken only once the one before is durable.
    blocking: bool,
    /// The leader, and whether it is this member: as of the last ready or, with `raft-loop = "async"`, as of
    /// the last call into raft.
    known_leader: (MemberId, bool),
    /// Readies that are not durable yet, oldest first.
    unpersisted: VecDeque<Unpersisted>,
    /// What the facts reported last, so that only changes are reported.
    reported: Reported,
    /// Reports every call as a step, if somebody watches.
    steps: Option<Steps>,
    /// The number of the last ready that is durable.
    durable: u64,
    boxes: Boxes,
}

/// What the last facts about raft's state reported.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Reported {
    state: State,
    /// The commit index.
    commit: u64,
}

/// Raft's state as [`Fact::State`] reports it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    term: u64,
    vote: MemberId,
    role: Role,
    leader: MemberId,
}

/// The state of a process that has just started.
const FOLLOWER: State = State { term: 0, vote: MemberId::NONE, role: Role::Follower, leader: MemberId::NONE };

/// A ready that is not durable yet.
struct Unpersisted {
    /// Raft's number of the ready.
    number: u64,
    /// The disk job that saves the ready, possibly together with others. `None` if the ready has nothing to
    /// save and only waits for the readies before it.
    job: Option<u64>,
    /// Whether the ready changed the term or the vote.
    is_vote: bool,
    /// Messages to send once the ready is durable.
    messages: Vec<Message>,
    /// The index of the ready's snapshot, if it has one.
    snapshot: Option<u64>,
}

/// The part of a ready that must be saved.
pub(crate) struct Save {
    pub(crate) hard_state: Option<HardState>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) snapshot: Option<Snapshot>,
    /// Whether the save needs an fsync. A new commit index alone does not.
    pub(crate) must_sync: bool,
}

/// The part of a ready that the member may act on at once.
#[derive(Default)]
pub(crate) struct ReadyActions {
    /// Answers of raft to ReadIndex requests.
    pub(crate) read_states: Vec<ReadState>,
    /// Messages to send at once.
    pub(crate) messages: Vec<Message>,
    /// Committed entries, to apply.
    pub(crate) committed: Vec<Entry>,
    /// What must be saved, and the number of the disk job for it.
    pub(crate) save: Option<(u64, Save)>,
}

/// What the member may do once a save is durable.
#[derive(Default)]
pub(crate) struct SaveActions {
    /// Messages to send now.
    pub(crate) messages: Vec<Message>,
    /// The index of a leader's snapshot that is now durable and must replace the store.
    pub(crate) snapshot: Option<u64>,
}

/// The draws of this process's election timeouts.
fn timeouts(config: &Config) -> Keyed {
    Keyed::new(config.seed, ELECTION).split(config.id.raft_id() << 32 | u64::from(config.incarnation))
}

impl Node {
    /// Starts raft with this log. `applied` is the index of the last applied entry.
    pub(crate) fn new(config: &Config, log: Log, applied: u64) -> Node {
        let raft_config = raft::Config {
            id: config.id.raft_id(),
            election_tick: config.settings.election_ticks as usize,
            heartbeat_tick: 1,
            applied,
            max_size_per_msg: config.settings.max_size_per_message,
            max_inflight_msgs: config.settings.max_inflight_messages as usize,
            check_quorum: config.settings.check_quorum,
            pre_vote: config.settings.pre_vote,
            read_only_option: ReadOnlyOption::Safe,
            max_uncommitted_size: config.settings.max_uncommitted_size,
            ..raft::Config::default()
        };
        let raw = RawNode::new(&raft_config, log, &crate::logging::raft_logger()).unwrap_or_else(|error| {
            panic!("raft refuses the configuration of member {}: {error}", config.id)
        });
        let mut node = Node {
            raw,
            timeouts: timeouts(config),
            campaigns: 0,
            timeout: ((u64::MAX, 0), 0), // no real key, so that the call below draws the first timeout
            election_ticks: config.settings.election_ticks,
            flaws: config.flaws,
            blocking: config.settings.raft_loop == RaftLoop::Blocking,
            known_leader: (MemberId::NONE, false),
            unpersisted: VecDeque::new(),
            reported: Reported { state: FOLLOWER, commit: 0 },
            steps: None,
            durable: 0,
            boxes: Boxes::default(),
        };
        node.replace_timeout();
        node
    }

    /// From now on, election timeouts are those of the configuration's new seed. The current one stays until another
    /// one is due.
    pub(crate) fn reseed(&mut self, config: &Config) {
        self.timeouts = timeouts(config);
    }

    /// From now on, reports every call as a step. It must come before the first call.
    pub(crate) fn watch(&mut self, config: &Config, out: &mut Out<'_>) {
        self.steps = Some(Steps::start(&self.raw.raft, config, out.steps()));
    }

    /// A call into raft begins. `describe` writes it down as a step, if somebody watches.
    #[inline]
    fn begins(&mut self, out: &mut Out<'_>, describe: impl FnOnce(&mut Call)) {
        if self.steps.is_some() {
            Steps::begin(out.steps(), describe);
        }
    }

    /// Ends every call into raft. `accepted` is false if raft refused the call.
    #[inline]
    fn ended(&mut self, accepted: bool, out: &mut Out<'_>) {
        self.replace_timeout();
        if let Some(steps) = &mut self.steps {
            steps.end(&self.raw.raft, accepted, out.steps());
        }
    }

    /// The same for a call that was not described when it began.
    #[inline]
    fn called(&mut self, accepted: bool, out: &mut Out<'_>, describe: impl FnOnce(&mut Call)) {
        self.begins(out, describe);
        self.ended(accepted, out);
    }

    /// Reports that these messages leave.
    #[inline]
    fn release(&mut self, messages: &[Message], out: &mut Out<'_>) {
        if let Some(steps) = &mut self.steps
            && !messages.is_empty()
        {
            steps.release(messages, self.durable, out.steps());
        }
    }

    /// Tells raft that readies are durable.
    fn on_persist_ready(&mut self, number: u64, out: &mut Out<'_>) {
        self.raw.on_persist_ready(number);
        self.called(true, out, |call| *call = Call::Persisted { number });
    }

    /// Replaces raft's election timeout by our own (rule R3). Any call into raft may have set a new timeout,
    /// so this follows each of them ([`Node::ended`]).
    fn replace_timeout(&mut self) {
        let key = (self.raw.raft.term, self.campaigns);
        if self.timeout.0 != key {
            let ticks = u64::from(self.election_ticks);
            let drawn = ticks + self.timeouts.draw(key.0, key.1).below(ticks);
            self.timeout = (key, drawn as usize);
        }
        self.raw.raft.set_randomized_election_timeout(self.timeout.1);
        let taken = self.raw.raft.randomized_election_timeout();
        assert_eq!(taken, self.timeout.1, "raft keeps a timeout of its own, drawn from the operating system");
        if !self.blocking {
            self.update_known_leader();
        }
    }

    /// Makes raft's current leader the one that the rest of the member sees.
    fn update_known_leader(&mut self) {
        self.known_leader = (MemberId::from_raft(self.raw.raft.leader_id), self.leads_in_raft());
    }

    /// Advances raft's clock by one tick.
    pub(crate) fn tick(&mut self, out: &mut Out<'_>) {
        let due =
            self.raw.raft.state != StateRole::Leader && self.raw.raft.election_elapsed + 1 >= self.timeout.1;
        self.raw.tick();
        self.campaigns += u64::from(due);
        self.called(true, out, |call| *call = Call::Tick);
    }

    /// Gives raft a message of another member, which this packet brought.
    pub(crate) fn step(&mut self, packet: u64, mut message: Box<Message>, out: &mut Out<'_>) {
        self.begins(out, |call| steps::receive(call, packet, &message));
        // An error means that raft cannot use the message, for example because its sender is unknown. The
        // message is dropped, as in etcd.
        let stepped = self.raw.step(std::mem::take(&mut *message));
        self.boxes.keep(message);
        if let Err(error) = &stepped {
            tracing::debug!(%error, "message ignored");
        }
        self.ended(stepped.is_ok(), out);
    }

    /// Whether raft has accepted a leader's snapshot, but has not handed it out in a ready yet.
    pub(crate) fn has_accepted(&self, snapshot: &Prepared) -> bool {
        self.raw.raft.raft_log.unstable.snapshot.as_ref().is_some_and(|accepted| snapshot.is_of(accepted))
    }

    /// Starts an election at once. A sole voter does this when it starts, since it has nobody to wait for.
    pub(crate) fn campaign(&mut self, out: &mut Out<'_>) {
        let accepted = self.raw.campaign().is_ok();
        self.called(accepted, out, |call| *call = Call::Campaign);
    }

    /// Proposes data; returns false if raft dropped it.
    pub(crate) fn propose(&mut self, data: Vec<u8>, out: &mut Out<'_>) -> bool {
        let bytes = data.len() as u64;
        let accepted = self.raw.propose(Vec::new(), data).is_ok();
        let kind = if bytes == 0 { EntryKind::Empty } else { EntryKind::Data };
        self.called(accepted, out, |call| *call = Call::Propose { kind, bytes });
        accepted
    }

    /// Proposes a configuration change; returns false if raft dropped it.
    pub(crate) fn propose_change(&mut self, change: Proposed, out: &mut Out<'_>) -> bool {
        // Flaw R11: disables raft's protection against a second change before the first one is applied.
        if self.flaws.has(Flaw::ConfChangeTwoAtOnce) {
            self.raw.raft.pending_conf_index = 0;
        }
        self.begins(out, |call| {
            let bytes = u64::from(match &change {
                Proposed::One(change) => change.compute_size(),
                Proposed::Several(change) => change.compute_size(),
            });
            let kind = if bytes == 0 { EntryKind::Leave } else { EntryKind::Change };
            *call = Call::Propose { kind, bytes };
        });
        let accepted = match change {
            Proposed::One(change) => self.raw.propose_conf_change(Vec::new(), change).is_ok(),
            Proposed::Several(change) => self.raw.propose_conf_change(Vec::new(), change).is_ok(),
        };
        self.ended(accepted, out);
        accepted
    }

    /// Applies a committed configuration change, here and in the log's storage.
    pub(crate) fn apply_change(&mut self, change: &ConfChangeV2, out: &mut Out<'_>) -> ConfState {
        let applied = if self.flaws.has(Flaw::NonJointMultiChange) && change.changes.len() > 1 {
            self.apply_one_by_one(change) // flaw R12
        } else {
            self.raw.apply_conf_change(change)
        };
        let conf_state = applied.unwrap_or_else(|error| {
            panic!("raft refuses a committed change of the configuration ({error}): {change:?}; was it checked before it was applied?")
        });
        self.raw.mut_store().set_conf_state(conf_state.clone());
        self.called(true, out, |call| *call = Call::ApplyChange(Box::new(steps::change(change))));
        // A leader that was removed from the cluster steps down, as etcd's raft does on request
        // (`StepDownOnRemoval`): raft 0.7 would panic at its next durable entry (`docs/findings.md`).
        if self.leads_in_raft() && self.match_index(self.id()).is_none() {
            let term = self.term();
            self.raw.raft.become_follower(term, raft::INVALID_ID);
            self.called(true, out, |call| *call = Call::StepDown);
        }
        conf_state
    }

    /// Applies a change of several members as several changes of one member (flaw R12).
    fn apply_one_by_one(&mut self, change: &ConfChangeV2) -> raft::Result<ConfState> {
        let mut conf_state = self.log().conf_state().clone();
        for single in &change.changes {
            let single = ConfChangeV2 { changes: vec![single.clone()].into(), ..ConfChangeV2::default() };
            conf_state = self.raw.apply_conf_change(&single)?;
        }
        Ok(conf_state)
    }

    /// A member's match index: up to there, its log is known to equal the leader's. `None` if this member
    /// does not lead, or if the other one is not in the configuration.
    pub(crate) fn match_index(&self, member: MemberId) -> Option<u64> {
        self.leads_in_raft()
            .then(|| self.raw.raft.prs().get(member.raft_id()))?
            .map(|progress| progress.matched)
    }

    /// Requests a ReadIndex. The context comes back with the index.
    pub(crate) fn read_index(&mut self, context: u64, out: &mut Out<'_>) {
        self.raw.read_index(context.to_be_bytes().to_vec());
        self.called(true, out, |call| *call = Call::ReadIndex { context });
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Count> {
        let raft = &self.raw.raft;
        let own = [
            count("progress", raft.prs().iter().len()),
            count("read-index-contexts", raft.pending_read_count()),
            count("unstable-entries", raft.raft_log.unstable.entries.len()),
            count("readies-not-durable", self.unpersisted.len()),
        ];
        own.into_iter().chain(self.log().kept())
    }

    /// Starts a transfer of leadership.
    pub(crate) fn transfer_leader(&mut self, to: MemberId, out: &mut Out<'_>) {
        self.raw.transfer_leader(to.raft_id());
        self.called(true, out, |call| *call = Call::TransferLeader { to });
    }

    /// Tells raft whether the snapshot that it sent to a follower arrived.
    pub(crate) fn report_snapshot(&mut self, to: MemberId, arrived: bool, out: &mut Out<'_>) {
        let status = if arrived { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raw.report_snapshot(to.raft_id(), status);
        self.called(true, out, |call| *call = Call::ReportSnapshot { to, arrived });
    }

    /// Reports the applied index to raft.
    pub(crate) fn applied_to(&mut self, index: u64, out: &mut Out<'_>) {
        self.raw.advance_apply_to(index);
        self.called(true, out, |call| *call = Call::Applied { index });
    }

    pub(crate) fn term(&self) -> u64 {
        self.raw.raft.term
    }

    /// The leader that the rest of the member sees (`known_leader`), or none. With `raft-loop = "blocking"`
    /// it is that of the last ready, as in etcd, whose server learns of a leader only from a ready
    /// (`server.go`, `getLead`).
    pub(crate) fn leader(&self) -> MemberId {
        self.known_leader.0
    }

    /// The leader that [`Node::leader`] returns, and whether it is this member.
    pub(crate) fn known_leader(&self) -> (MemberId, bool) {
        self.known_leader
    }

    fn id(&self) -> MemberId {
        MemberId::from_raft(self.raw.raft.id)
    }

    /// Whether this member is the leader that [`Node::leader`] returns.
    pub(crate) fn is_leader(&self) -> bool {
        self.known_leader.1
    }

    /// Whether this member leads now in raft, counting messages stepped since the last ready.
    pub(crate) fn leads_in_raft(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    /// Whether raft accepts proposals, which it does as long as it knows a leader.
    pub(crate) fn takes_proposals(&self) -> bool {
        self.raw.raft.leader_id != raft::INVALID_ID
    }

    /// The commit index.
    pub(crate) fn committed(&self) -> u64 {
        self.raw.raft.raft_log.committed
    }

    pub(crate) fn log(&self) -> &Log {
        self.raw.store()
    }

    pub(crate) fn log_mut(&mut self) -> &mut Log {
        self.raw.mut_store()
    }

    /// Whether this member is a learner, also if it knows that only from a snapshot that waits to be installed.
    pub(crate) fn is_learner(&self) -> bool {
        self.raw.raft.prs().conf().learners().contains(&self.raw.raft.id)
    }

    /// Whether this member is the only voter. A learner beside the only voter is not.
    pub(crate) fn is_only_voter(&self) -> bool {
        let conf_state = self.log().conf_state();
        conf_state.voters == [self.raw.raft.id] && conf_state.voters_outgoing.is_empty()
    }

    /// The voter with the highest match index, other than this member. A stopping leader transfers leadership
    /// to it.
    pub(crate) fn best_follower(&self) -> Option<MemberId> {
        let own = self.raw.raft.id;
        let voters = &self.log().conf_state().voters;
        let progress = self.raw.raft.prs().iter().filter(|(id, _)| **id != own && voters.contains(id));
        let best = progress.max_by_key(|(id, progress)| (progress.matched, Reverse(**id)));
        best.map(|(id, _)| MemberId::from_raft(*id))
    }

    /// Whether any ready is not durable yet.
    pub(crate) fn is_saving(&self) -> bool {
        !self.unpersisted.is_empty()
    }

    /// Whether the raft loop waits for a save. Until the save is durable, the member makes no tick and takes
    /// no ready, as in etcd. Never with `raft-loop = "async"`.
    pub(crate) fn waits_for_save(&self) -> bool {
        // Flaw M-14370: the only voter commits and applies its entries before they are durable, so it does not
        // wait.
        let commits_early = self.flaws.has(Flaw::AckBeforeFsyncSingle) && self.is_only_voter();
        self.blocking && !self.unpersisted.is_empty() && !commits_early
    }

    /// Whether raft has a ready to take.
    pub(crate) fn has_ready(&self) -> bool {
        self.raw.has_ready()
    }

    /// Takes the next ready from raft and splits it into what can be done at once and what waits for the
    /// save. `job` is the number that the disk job for the save will have, if there is something to save.
    pub(crate) fn ready(&mut self, job: u64, out: &mut Out<'_>) -> ReadyActions {
        let mut ready = self.raw.ready();
        self.update_known_leader();
        let number = ready.number();
        let mut actions = ReadyActions {
            read_states: ready.take_read_states(),
            messages: ready.take_messages(),
            committed: ready.take_committed_entries(),
            save: None,
        };
        let mut after_save = ready.take_persisted_messages();
        let save = Save {
            hard_state: ready.hs().cloned(),
            must_sync: ready.must_sync(),
            snapshot: (!ready.snapshot().is_empty()).then(|| ready.snapshot().clone()),
            entries: ready.take_entries(),
        };
        let is_vote = save.hard_state.as_ref().is_some_and(|new| {
            let old = self.log().hard_state();
            (new.term, new.vote) != (old.term, old.vote)
        });
        // A leader sends messages while its entries are being written, but never before its vote for itself
        // is durable. Raft takes that for granted, because vote requests are sent only after the vote is
        // durable. But the only voter becomes leader without requesting votes. Its learners would receive
        // entries of a term that this member may use again, with other entries, after a crash
        // (`docs/findings.md`).
        if self.is_leader()
            && !self.flaws.has(Flaw::OnlyVoterHeardEarly)
            && (is_vote || self.unpersisted.iter().any(|ready| ready.is_vote))
        {
            after_save.splice(0..0, actions.messages.drain(..));
        }
        // A new commit index alone causes no write; it is saved with the next one. In the raft paper (figure
        // 2), the commit index is volatile.
        let needs_write = save.must_sync;
        self.begins(out, |call| {
            steps::begin_ready(call);
            let Call::Ready(step) = call else { return };
            (step.number, step.job) = (number, needs_write.then_some(job));
            step.hard_state = (save.hard_state.as_ref())
                .map(|state| (state.term, MemberId::from_raft(state.vote), state.commit));
            step.entries.clear();
            steps::add_entries(&mut step.entries, save.entries.iter());
            let snapshot = save.snapshot.as_ref().map(|snapshot| snapshot.get_metadata());
            step.snapshot = snapshot.map(|metadata| (metadata.index, metadata.term));
            step.must_sync = save.must_sync;
            let committed = actions.committed.first().zip(actions.committed.last());
            step.committed = committed.map(|(first, last)| (first.index, last.index));
            step.reads.clear();
            let reads = actions.read_states.iter();
            step.reads.extend(reads.map(|state| (steps::context(&state.request_ctx), state.index)));
            step.messages = (actions.messages.len() + after_save.len()) as u64;
            step.at_once = !actions.messages.is_empty();
            step.durable = false;
            step.left.clear();
        });
        self.update_log(&save, out);
        self.raw.advance_append_async(ready);
        // If nothing has to wait, what the code below does with the ready is part of the same step.
        let waits = needs_write || !self.unpersisted.is_empty();
        if waits {
            self.ended(true, out);
        } else {
            self.replace_timeout();
        }
        self.report_state(out);

        let snapshot = save.snapshot.as_ref().map(|snapshot| snapshot.get_metadata().index);
        let votes_only = save.entries.is_empty() && save.snapshot.is_none();
        let mut release_now = false;
        if needs_write {
            // Flaw R1: messages do not wait for a save of only the term and vote.
            release_now |= votes_only && self.flaws.has(Flaw::VoteNotPersisted);
            // Flaws R3 and M-14370: the leader counts its own copy of an entry before that copy is durable.
            let own_copy_early = if self.is_only_voter() {
                self.flaws.has(Flaw::AckBeforeFsyncSingle)
            } else {
                self.flaws.has(Flaw::LeaderSelfAckBeforeFsync)
            };
            if own_copy_early && self.is_leader() {
                self.on_persist_ready(number, out);
            }
            actions.save = Some((job, save));
        }
        // Flaw R2: a follower acknowledges entries before they are durable.
        if self.flaws.has(Flaw::AppendAckBeforeFsync) {
            let (early, rest) =
                after_save.into_iter().partition(|m| m.get_msg_type() == MessageType::MsgAppendResponse);
            actions.messages.extend::<Vec<_>>(early);
            after_save = rest;
        }
        if release_now {
            append(&mut actions.messages, std::mem::take(&mut after_save));
        }
        if waits {
            let job = needs_write.then_some(job);
            self.unpersisted.push_back(Unpersisted { number, job, is_vote, messages: after_save, snapshot });
            self.release(&actions.messages, out);
        } else {
            self.durable = number;
            self.raw.on_persist_ready(number);
            append(&mut actions.messages, after_save);
            if let Some(steps) = &mut self.steps {
                steps.leave_at_once(&actions.messages, out.steps());
            }
            self.ended(true, out);
        }
        actions
    }

    /// Brings the log in memory to the state that the log on disk will have after the save.
    fn update_log(&mut self, save: &Save, out: &mut Out<'_>) {
        let log = self.raw.mut_store();
        if let Some(snapshot) = &save.snapshot {
            log.restore(snapshot);
        }
        if let Some(hard_state) = &save.hard_state {
            log.set_hard_state(hard_state.clone());
        }
        if !save.entries.is_empty() {
            log.append(&save.entries);
            out.fact(Fact::Appended(save.entries.iter().map(log_entry).collect()));
        }
    }

    /// A disk job is done. Returns what waited for the readies that it made durable.
    pub(crate) fn persisted(&mut self, job: u64, out: &mut Out<'_>) -> SaveActions {
        let mut persisted = SaveActions::default();
        let Some(at) = self.unpersisted.iter().position(|ready| ready.job == Some(job)) else {
            return persisted; // The job saved no ready: it removed a WAL segment, for example.
        };
        assert_eq!(at, 0, "job {job} ended before the job of an earlier ready: jobs must end in order");
        let mut number = 0;
        // Also completes the readies behind it that have nothing to save.
        while let Some(ready) = self.unpersisted.front() {
            if ready.job.is_some_and(|other| other != job) {
                break;
            }
            let ready = self.unpersisted.pop_front().expect("it was there a moment ago");
            number = ready.number;
            append(&mut persisted.messages, ready.messages);
            persisted.snapshot = persisted.snapshot.max(ready.snapshot);
        }
        self.durable = number;
        self.on_persist_ready(number, out);
        self.release(&persisted.messages, out);
        persisted
    }

    /// The boxes of messages that raft has taken.
    pub(crate) fn boxes(&mut self) -> &mut Boxes {
        &mut self.boxes
    }

    /// Gives raft an empty list for its next messages: it would make one at nearly every call.
    pub(crate) fn take_back(&mut self, empty: Vec<Message>) {
        debug_assert!(empty.is_empty(), "messages would be sent again: {empty:?}");
        let list = &mut self.raw.raft.msgs;
        if list.capacity() == 0 && empty.capacity() <= KEPT_MESSAGES {
            *list = empty;
        }
    }

    /// Reports changes of term, vote, role, leader and commit index as facts.
    pub(crate) fn report_state(&mut self, out: &mut Out<'_>) {
        let raft = &self.raw.raft;
        let role = steps::role(raft.state);
        let commit = raft.raft_log.committed;
        let vote = MemberId::from_raft(raft.vote);
        let leader = MemberId::from_raft(raft.leader_id);
        let state = State { term: raft.term, vote, role, leader };
        if state != self.reported.state {
            out.fact(Fact::State { term: state.term, vote, role, leader });
        }
        if commit != self.reported.commit {
            let term = raft.raft_log.term(commit).unwrap_or(0);
            out.fact(Fact::Committed { index: commit, term });
        }
        self.reported = Reported { state, commit };
    }
}

/// Appends messages, without copying them if there were none before.
fn append(to: &mut Vec<Message>, mut messages: Vec<Message>) {
    if to.is_empty() { *to = messages } else { to.append(&mut messages) }
}

/// An entry as facts describe it: index, term and a digest of the content.
pub(crate) fn log_entry(entry: &Entry) -> LogEntry {
    let kind = entry.get_entry_type() as u64;
    LogEntry { index: entry.index, term: entry.term, digest: record::hash::digest(&entry.data) ^ kind }
}
