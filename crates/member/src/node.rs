//! The only file that touches `raft::RawNode`.
//!
//! It keeps two promises to the rest of the member:
//!
//! - *Determinism* (rule R3): raft draws election timeouts from the operating system. After every call into
//!   raft we set the timeout to our own keyed draw, a function of the seed, the member, its incarnation, the
//!   term and the number of campaigns, and of nothing that raft drew.
//! - *Order* (etcd's `raft.go`): a leader sends its messages while its own write is in progress, and counts
//!   its own copy only once that write is durable; other members send theirs after the write.
//!
//! Readies are persisted asynchronously: `advance_append_async` at once, `on_persist_ready` when the
//! disk job that holds the ready is done. Jobs end in order, so readies do.
//!
//! With the setting `raft-loop = "blocking"` the loop waits for each save as etcd's does ([`Node::waits`]):
//! messages and proposals are still stepped, as by the goroutine of etcd's raft node, but what follows from
//! them, and who leads, comes to light only with the next ready ([`Node::leader`]).

use std::cmp::Reverse;
use std::collections::VecDeque;

use keyed::{Domain, Keyed};
use raft::eraftpb::{ConfChangeV2, ConfState, Entry, HardState, Message, MessageType, Snapshot};
use raft::{RawNode, ReadOnlyOption, ReadState, SnapshotStatus, StateRole};
use record::{Fact, LogEntry, MemberId, Role};

use crate::config::{Config, RaftLoop};
use crate::configuration::Proposed;
use crate::flaw::{Flaw, Flaws};
use crate::log::Log;

const ELECTION: Domain = Domain::new("member election timeout");

/// The raft node and what the member must remember about it.
pub(crate) struct Node {
    raw: RawNode<Log>,
    timeouts: Keyed,
    /// Campaigns this process has started; part of the timeout's key, so that two members with equal timeouts
    /// do not collide in every round.
    campaigns: u64,
    /// Key and value of the current timeout.
    timeout: ((u64, u64), usize),
    election_ticks: u32,
    flaws: Flaws,
    /// Whether no ready follows another one before that one is durable.
    blocking: bool,
    /// The leader, and whether it is this member, as of the last ready.
    seen: (MemberId, bool),
    /// Readies whose writes are in progress, oldest first.
    unpersisted: VecDeque<Unpersisted>,
    reported: Reported,
}

/// What was last reported in facts.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Reported {
    state: State,
    commit: u64,
}

/// What [`Fact::State`] reports.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    term: u64,
    vote: MemberId,
    role: Role,
    leader: MemberId,
}

/// A process that knows nothing yet.
const FOLLOWER: State = State { term: 0, vote: MemberId::NONE, role: Role::Follower, leader: MemberId::NONE };

/// A ready whose write is in progress, or that waits behind one.
struct Unpersisted {
    number: u64,
    /// The disk job that makes it durable, which may hold other readies too; `None` if it needs no write of
    /// its own and only waits for those before it.
    job: Option<u64>,
    /// Whether it changed the term or the vote.
    is_vote: bool,
    /// Messages that may be sent once it is durable.
    messages: Vec<Message>,
    /// Index of the snapshot in it.
    snapshot: Option<u64>,
}

/// What one ready needs saved.
pub(crate) struct Save {
    pub(crate) hard_state: Option<HardState>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) snapshot: Option<Snapshot>,
    /// Whether it must be durable before the actions that depend on it.
    pub(crate) must_sync: bool,
}

/// What one ready allows at once.
#[derive(Default)]
pub(crate) struct Turn {
    pub(crate) read_states: Vec<ReadState>,
    pub(crate) messages: Vec<Message>,
    pub(crate) committed: Vec<Entry>,
    pub(crate) save: Option<(u64, Save)>,
}

/// What a finished write allows.
#[derive(Default)]
pub(crate) struct Persisted {
    pub(crate) messages: Vec<Message>,
    /// Index of a snapshot that is now durable and must replace the store.
    pub(crate) snapshot: Option<u64>,
}

impl Node {
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
            timeouts: Keyed::new(config.seed, ELECTION)
                .split(config.id.raft_id() << 32 | u64::from(config.incarnation)),
            campaigns: 0,
            timeout: ((u64::MAX, 0), 0),
            election_ticks: config.settings.election_ticks,
            flaws: config.flaws,
            blocking: config.settings.raft_loop == RaftLoop::Blocking,
            seen: (MemberId::NONE, false),
            unpersisted: VecDeque::new(),
            reported: Reported { state: FOLLOWER, commit: 0 },
        };
        node.steady();
        node
    }

    /// Replaces raft's election timeout with our own (rule R3). Called after every call that could have reset
    /// it, which is every call.
    fn steady(&mut self) {
        let key = (self.raw.raft.term, self.campaigns);
        if self.timeout.0 != key {
            let ticks = u64::from(self.election_ticks);
            let drawn = ticks + self.timeouts.draw(key.0, key.1).below(ticks);
            self.timeout = (key, drawn as usize);
        }
        self.raw.raft.set_randomized_election_timeout(self.timeout.1);
        if !self.blocking {
            self.see();
        }
    }

    /// Remembers who leads.
    fn see(&mut self) {
        self.seen = (MemberId::from_raft(self.raw.raft.leader_id), self.leads_in_raft());
    }

    pub(crate) fn tick(&mut self) {
        let due =
            self.raw.raft.state != StateRole::Leader && self.raw.raft.election_elapsed + 1 >= self.timeout.1;
        self.raw.tick();
        self.campaigns += u64::from(due);
        self.steady();
    }

    pub(crate) fn step(&mut self, message: Message) {
        // An error here means a message that does not belong (from an unknown member, say). It is dropped, as
        // in etcd.
        if let Err(error) = self.raw.step(message) {
            tracing::debug!(%error, "message ignored");
        }
        self.steady();
    }

    /// Starts an election at once: the first start of a one-member cluster.
    pub(crate) fn campaign(&mut self) {
        let _ = self.raw.campaign();
        self.steady();
    }

    /// Proposes data; returns false if raft dropped it.
    pub(crate) fn propose(&mut self, data: Vec<u8>) -> bool {
        let taken = self.raw.propose(Vec::new(), data).is_ok();
        self.steady();
        taken
    }

    /// Proposes a configuration change; returns false if raft dropped it.
    pub(crate) fn propose_change(&mut self, change: Proposed) -> bool {
        // R11: disables raft's guard against a second change before the first is applied.
        if self.flaws.has(Flaw::ConfChangeTwoAtOnce) {
            self.raw.raft.pending_conf_index = 0;
        }
        let taken = match change {
            Proposed::One(change) => self.raw.propose_conf_change(Vec::new(), change).is_ok(),
            Proposed::Several(change) => self.raw.propose_conf_change(Vec::new(), change).is_ok(),
        };
        self.steady();
        taken
    }

    /// Applies a committed configuration change, here and in the log's storage.
    pub(crate) fn apply_change(&mut self, change: &ConfChangeV2) -> ConfState {
        let applied = if self.flaws.has(Flaw::NonJointMultiChange) && change.changes.len() > 1 {
            self.apply_one_by_one(change) // R12
        } else {
            self.raw.apply_conf_change(change)
        };
        let conf_state = applied.unwrap_or_else(|error| {
            panic!("raft refuses a committed change of the configuration ({error}): {change:?}; was it checked before it was applied?")
        });
        self.raw.mut_store().set_conf_state(conf_state.clone());
        // A leader that was removed from the cluster steps down, as etcd's raft does on request
        // (`StepDownOnRemoval`): raft 0.7 would panic at its next durable entry (`docs/findings.md`).
        if self.leads_in_raft() && self.matched(self.id()).is_none() {
            let term = self.term();
            self.raw.raft.become_follower(term, raft::INVALID_ID);
        }
        self.steady();
        conf_state
    }

    /// Applies several changes, each as if it were the only one.
    fn apply_one_by_one(&mut self, change: &ConfChangeV2) -> raft::Result<ConfState> {
        let mut conf_state = self.log().conf_state().clone();
        for single in &change.changes {
            let single = ConfChangeV2 { changes: vec![single.clone()].into(), ..ConfChangeV2::default() };
            conf_state = self.raw.apply_conf_change(&single)?;
        }
        Ok(conf_state)
    }

    /// The match index of another member (leaders only).
    pub(crate) fn matched(&self, member: MemberId) -> Option<u64> {
        self.leads_in_raft()
            .then(|| self.raw.raft.prs().get(member.raft_id()))?
            .map(|progress| progress.matched)
    }

    pub(crate) fn read_index(&mut self, context: u64) {
        self.raw.read_index(context.to_be_bytes().to_vec());
        self.steady();
    }

    pub(crate) fn transfer_leader(&mut self, to: MemberId) {
        self.raw.transfer_leader(to.raft_id());
        self.steady();
    }

    pub(crate) fn report_snapshot(&mut self, to: MemberId, arrived: bool) {
        let status = if arrived { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raw.report_snapshot(to.raft_id(), status);
        self.steady();
    }

    /// Reports the applied index to raft.
    pub(crate) fn applied_to(&mut self, index: u64) {
        self.raw.advance_apply_to(index);
        self.steady();
    }

    pub(crate) fn term(&self) -> u64 {
        self.raw.raft.term
    }

    /// The leader as of the last ready, or none: what etcd's server knows (`server.go`, `getLead`).
    pub(crate) fn leader(&self) -> MemberId {
        self.seen.0
    }

    fn id(&self) -> MemberId {
        MemberId::from_raft(self.raw.raft.id)
    }

    /// Whether this member leads, as of the last ready.
    pub(crate) fn is_leader(&self) -> bool {
        self.seen.1
    }

    /// Whether this member leads by what raft has stepped since the last ready, too.
    pub(crate) fn leads_in_raft(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    /// Whether raft takes proposals: it knows a leader.
    pub(crate) fn takes_proposals(&self) -> bool {
        self.raw.raft.leader_id != raft::INVALID_ID
    }

    pub(crate) fn committed(&self) -> u64 {
        self.raw.raft.raft_log.committed
    }

    pub(crate) fn log(&self) -> &Log {
        self.raw.store()
    }

    pub(crate) fn log_mut(&mut self) -> &mut Log {
        self.raw.mut_store()
    }

    /// Whether this member is the only voter.
    pub(crate) fn is_alone(&self) -> bool {
        let voters = &self.log().conf_state().voters;
        voters.len() == 1 && self.log().conf_state().voters_outgoing.is_empty()
    }

    /// The follower with the longest matching log: the one to transfer leadership to.
    pub(crate) fn best_follower(&self) -> Option<MemberId> {
        let own = self.raw.raft.id;
        let voters = &self.log().conf_state().voters;
        let progress = self.raw.raft.prs().iter().filter(|(id, _)| **id != own && voters.contains(id));
        let best = progress.max_by_key(|(id, progress)| (progress.matched, Reverse(**id)));
        best.map(|(id, _)| MemberId::from_raft(*id))
    }

    /// Whether writes are in progress.
    pub(crate) fn is_saving(&self) -> bool {
        !self.unpersisted.is_empty()
    }

    /// Whether the loop waits for a save, as etcd's does: until it is durable there is no tick and no further
    /// ready.
    pub(crate) fn waits(&self) -> bool {
        // M-14370: raft commits the only member's entries at once, in the ready that has them saved.
        let commits_early = self.flaws.has(Flaw::AckBeforeFsyncSingle) && self.is_alone();
        self.blocking && !self.unpersisted.is_empty() && !commits_early
    }

    pub(crate) fn has_ready(&self) -> bool {
        self.raw.has_ready()
    }

    /// Takes the next ready apart. `job` is the number of the disk job it will need, if it needs one.
    pub(crate) fn ready(&mut self, job: u64, facts: &mut Vec<Fact>) -> Turn {
        let mut ready = self.raw.ready();
        self.see();
        let number = ready.number();
        let mut turn = Turn {
            read_states: ready.take_read_states(),
            messages: ready.take_messages(),
            committed: ready.take_committed_entries(),
            save: None,
        };
        let mut held = ready.take_persisted_messages();
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
        // is durable. raft assumes that it is, because vote requests wait for that; but a sole voter becomes
        // leader without asking, and its learners would hear of a term that it may reuse for other entries
        // after a crash (`docs/findings.md`).
        if self.is_leader()
            && !self.flaws.has(Flaw::OnlyVoterHeardEarly)
            && (is_vote || self.unpersisted.iter().any(|ready| ready.is_vote))
        {
            held.splice(0..0, turn.messages.drain(..));
        }
        self.mirror(&save, facts);
        self.raw.advance_append_async(ready);
        self.report_state(facts);

        // A new commit index alone need not be saved (raft's paper, figure 2, keeps it volatile): it is saved
        // with the next write.
        let needs_write = save.must_sync;
        let snapshot = save.snapshot.as_ref().map(|snapshot| snapshot.get_metadata().index);
        let votes_only = save.entries.is_empty() && save.snapshot.is_none();
        let mut release_now = false;
        if needs_write {
            // R1: a change of term or vote alone does not wait for the disk.
            release_now |= votes_only && self.flaws.has(Flaw::VoteNotPersisted);
            // R3, M-14370: the leader counts its own copy before it is durable.
            let own_copy_early = if self.is_alone() {
                self.flaws.has(Flaw::AckBeforeFsyncSingle)
            } else {
                self.flaws.has(Flaw::LeaderSelfAckBeforeFsync)
            };
            if own_copy_early && self.is_leader() {
                self.raw.on_persist_ready(number);
                self.steady();
            }
            turn.save = Some((job, save));
        }
        // R2: a follower's acknowledgements are sent before its entries are durable.
        if self.flaws.has(Flaw::AppendAckBeforeFsync) {
            let (early, rest) =
                held.into_iter().partition(|m| m.get_msg_type() == MessageType::MsgAppendResponse);
            turn.messages.extend::<Vec<_>>(early);
            held = rest;
        }
        if release_now {
            turn.messages.append(&mut held);
        }
        if needs_write || !self.unpersisted.is_empty() {
            let job = needs_write.then_some(job);
            self.unpersisted.push_back(Unpersisted { number, job, is_vote, messages: held, snapshot });
        } else {
            self.raw.on_persist_ready(number);
            turn.messages.append(&mut held);
        }
        self.steady();
        turn
    }

    /// Applies what the ready needs saved to the log in memory.
    fn mirror(&mut self, save: &Save, facts: &mut Vec<Fact>) {
        let log = self.raw.mut_store();
        if let Some(snapshot) = &save.snapshot {
            log.restore(snapshot);
        }
        if let Some(hard_state) = &save.hard_state {
            log.set_hard_state(hard_state.clone());
        }
        if !save.entries.is_empty() {
            log.append(&save.entries);
            facts.push(Fact::Appended(save.entries.iter().map(log_entry).collect()));
        }
    }

    /// A disk job is done: releases what waited for it.
    pub(crate) fn persisted(&mut self, job: u64) -> Persisted {
        let mut persisted = Persisted::default();
        let Some(at) = self.unpersisted.iter().position(|ready| ready.job == Some(job)) else {
            return persisted; // a job of the WAL's own, such as a released segment
        };
        assert_eq!(at, 0, "job {job} ended before the job of an earlier ready: jobs must end in order");
        let mut number = 0;
        // Later readies that need no write of their own waited only for this one.
        while let Some(ready) = self.unpersisted.front() {
            if ready.job.is_some_and(|other| other != job) {
                break;
            }
            let ready = self.unpersisted.pop_front().expect("it was there a moment ago");
            number = ready.number;
            persisted.messages.extend(ready.messages);
            persisted.snapshot = persisted.snapshot.max(ready.snapshot);
        }
        self.raw.on_persist_ready(number);
        self.steady();
        persisted
    }

    /// Reports changes of term, vote, role, leader and commit index as facts.
    pub(crate) fn report_state(&mut self, facts: &mut Vec<Fact>) {
        let raft = &self.raw.raft;
        let role = match raft.state {
            StateRole::Follower => Role::Follower,
            StateRole::PreCandidate => Role::PreCandidate,
            StateRole::Candidate => Role::Candidate,
            StateRole::Leader => Role::Leader,
        };
        let commit = raft.raft_log.committed;
        let vote = MemberId::from_raft(raft.vote);
        let leader = MemberId::from_raft(raft.leader_id);
        let state = State { term: raft.term, vote, role, leader };
        if state != self.reported.state {
            facts.push(Fact::State { term: state.term, vote, role, leader });
        }
        if commit != self.reported.commit {
            let term = raft.raft_log.term(commit).unwrap_or(0);
            facts.push(Fact::Committed { index: commit, term });
        }
        self.reported = Reported { state, commit };
    }
}

/// An entry in the form that facts use.
pub(crate) fn log_entry(entry: &Entry) -> LogEntry {
    let kind = entry.get_entry_type() as u64;
    LogEntry { index: entry.index, term: entry.term, digest: record::hash::digest(&entry.data) ^ kind }
}
