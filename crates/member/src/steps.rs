//! Reports every call into raft as a step ([`record::step`]), if somebody watches.
//!
//! After each call, this compares raft's state with what it reported last, and puts the difference into the step. Steps
//! are large, so each one is filled where it stays, in the caller's list, which keeps the storage of earlier ones. It
//! only reads; a run takes the same course whether or not anybody watches. `node` calls it and is the only other file
//! that knows of steps.

use std::collections::VecDeque;

use contract::Reused;
use raft::eraftpb::{
    ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState, Entry, EntryType, Message, MessageType,
};
use raft::{ProgressState, Raft, StateRole};
use record::step::{self, Call, Changed, Configuration, Context, Entries, EntryKind, Mode, Read, State};
use record::{MemberId, MessageKind, Role, Step};

use crate::config::Config;
use crate::io::kind_of;
use crate::log::Log;

/// The context of a campaign that the leader ordered (`CAMPAIGN_TRANSFER` of the raft library).
const TRANSFER: &[u8] = b"CampaignTransfer";

/// Makes the steps of one process.
pub(crate) struct Steps {
    /// The role after the last step, and the index of the leader's snapshot that no ready had handed over then.
    before: (Role, u64),
    /// In the order of raft's own collection, which does not change while the members stay the same.
    progress: Vec<(MemberId, step::Progress)>,
    votes: Vec<(MemberId, bool)>,
    /// Of the reads that wait for a quorum: how many there are, the newest one, and how many acknowledgements they
    /// have.
    reads: (usize, Context, usize),
    /// Of the entries that no ready has handed over yet: the index of the first one, how many there are, and the
    /// term of the last one.
    unstable: (u64, usize, u64),
    /// How many of the messages in raft's outbox were reported by earlier steps.
    put_out: usize,
    /// How many messages raft has put out.
    numbers: u64,
    /// The messages that have not left yet: number, receiver, type.
    waiting: VecDeque<(u64, u64, MessageType)>,
    /// The messages of an earlier step, in whose place the next one that puts some out describes its own.
    spare: Vec<step::Message>,
}

impl Steps {
    /// The start of raft with this log, as the first step.
    pub(crate) fn start(raft: &Raft<Log>, config: &Config, list: &mut Reused<Step>) -> Steps {
        let mut steps = Steps {
            before: (Role::Follower, 0),
            progress: Vec::new(),
            votes: Vec::new(),
            reads: (0, Context::None, 0),
            unstable: unstable_of(raft),
            put_out: 0,
            numbers: 0,
            waiting: VecDeque::new(),
            spare: Vec::new(),
        };
        let log = raft.store();
        let mut start = step::Start {
            settings: step::Settings {
                election: raft.election_timeout() as u64,
                heartbeat: raft.heartbeat_timeout() as u64,
                pre_vote: raft.pre_vote,
                check_quorum: raft.check_quorum,
                max_inflight: raft.max_inflight as u64,
                max_size: raft.max_msg_size,
                max_uncommitted: config.settings.max_uncommitted_size,
            },
            configuration: configuration(&raft.prs().conf().to_conf_state()),
            before: log.before(),
            entries: Entries::default(),
        };
        add_entries(&mut start.entries, log.iter());
        Steps::begin(list, |call| *call = Call::Start(Box::new(start)));
        steps.end(raft, true, list);
        steps
    }

    /// A call begins, which `describe` writes into the step that comes next. That step may still hold the call of an
    /// earlier one, whose storage is then reused.
    #[inline]
    pub(crate) fn begin(list: &mut Reused<Step>, describe: impl FnOnce(&mut Call)) {
        describe(&mut list.coming(Step::default).call);
    }

    /// The call is over: adds the step to the list, with what changed and what was put out.
    #[inline]
    pub(crate) fn end(&mut self, raft: &Raft<Log>, accepted: bool, list: &mut Reused<Step>) {
        let step = list.next(Step::default);
        step.accepted = accepted;
        take_state(&mut step.after, raft);
        self.changes(raft, step);
        self.put_out(raft, &mut step.out);
    }

    /// Describes the messages that were put out since the last step.
    #[inline]
    fn put_out(&mut self, raft: &Raft<Log>, out: &mut Vec<step::Message>) {
        // A ready takes all messages, so afterwards there are fewer than before.
        let new = raft.msgs.get(self.put_out..).unwrap_or_default();
        self.put_out = raft.msgs.len();
        if out.len() != new.len() {
            self.make_room(new.len(), out);
        }
        for (at, message) in new.iter().enumerate() {
            self.numbers += 1;
            self.waiting.push_back((self.numbers, message.to, message.msg_type));
            describe(&mut out[at], self.numbers, message);
        }
    }

    /// Gives a list as many messages as it needs. Most calls into raft put out none, or as many as the last one that put
    /// some out: messages are large, so those of that one are kept.
    fn make_room(&mut self, count: usize, out: &mut Vec<step::Message>) {
        if count == 0 && self.spare.is_empty() || count > out.len() && self.spare.len() > out.len() {
            std::mem::swap(out, &mut self.spare);
        }
        out.resize_with(count, nothing);
    }

    /// Finds what else changed.
    #[inline]
    fn changes(&mut self, raft: &Raft<Log>, step: &mut Step) {
        let Step { call, after, changed, .. } = step;
        changed.clear();
        let (was, snapshot) = std::mem::replace(&mut self.before, (after.role, after.snapshot));
        let unstable = unstable_of(raft);
        if unstable != self.unstable {
            self.new_entries(raft, unstable, &mut changed.entries);
            self.unstable = unstable;
        }
        if after.role == Role::Leader || was == Role::Leader {
            self.compare_progress(raft, changed);
        }
        if raft.prs().votes().len() != self.votes.len()
            || matches!(after.role, Role::PreCandidate | Role::Candidate)
        {
            self.compare_votes(raft, changed);
        }
        if self.reads.0 != 0 || !raft.read_only.read_index_queue.is_empty() {
            self.compare_reads(raft, changed);
        }
        if matches!(call, Call::ApplyChange(_)) || after.snapshot != snapshot {
            changed.configuration = Some(Box::new(configuration(&raft.prs().conf().to_conf_state())));
        }
    }

    /// Adds a step that says that these messages leave. `durable` is the number of the last ready that is durable.
    pub(crate) fn release(&mut self, messages: &[Message], durable: u64, list: &mut Reused<Step>) {
        Steps::begin(list, |call| {
            let numbers = numbers_of(call);
            *call = Call::Release { numbers, durable };
        });
        list.next(Step::default);
        let (before, Some(step)) = list.last_two() else { return };
        if let Call::Release { numbers, .. } = &mut step.call {
            self.leave(messages, numbers);
        }
        // This is no call into raft, so nothing changed since the previous step, which belongs to a call in the same
        // list.
        step.accepted = true;
        if let Some(before) = before {
            step.after = before.after;
        }
        step.changed.clear();
        step.out.clear();
    }

    /// The ready that is taken in the step that comes next is durable, and these messages leave.
    pub(crate) fn leave_at_once(&mut self, messages: &[Message], list: &mut Reused<Step>) {
        if let Call::Ready(ready) = &mut list.coming(Step::default).call {
            ready.durable = true;
            self.leave(messages, &mut ready.left);
        }
    }

    /// Adds the numbers of messages that leave. Messages of one type to one member leave in order, and most leave in
    /// the order in which they were put out.
    #[inline]
    fn leave(&mut self, messages: &[Message], numbers: &mut Vec<u64>) {
        for message in messages {
            let number = match self.waiting.front() {
                Some((number, to, kind)) if (*to, *kind) == (message.to, message.msg_type) => {
                    let number = *number;
                    self.waiting.pop_front();
                    number
                }
                _ => self.number_of_later(message),
            };
            numbers.push(number);
        }
    }

    /// The number of a message that leaves before others that were put out before it.
    fn number_of_later(&mut self, message: &Message) -> u64 {
        let is_it = |(_, to, kind): &(u64, u64, MessageType)| (*to, *kind) == (message.to, message.msg_type);
        let found = self.waiting.iter().position(is_it).and_then(|at| self.waiting.remove(at));
        found.map_or(0, |(number, ..)| number)
    }

    /// The entries that were put into the log since the last step.
    fn new_entries(&self, raft: &Raft<Log>, (first, count, _): (u64, usize, u64), new: &mut Entries) {
        let all = raft.raft_log.unstable_entries();
        let (first_before, count_before, term_before) = self.unstable;
        let grew = first == first_before
            && count > count_before
            && (count_before == 0 || all[count_before - 1].term == term_before);
        add_entries(new, all[if grew { count_before } else { 0 }..].iter());
    }

    /// Finds the members about which the leader's knowledge has changed.
    #[inline]
    fn compare_progress(&mut self, raft: &Raft<Log>, changed: &mut Changed) {
        if !self.compare_known(raft, changed) {
            self.track(raft);
            self.compare_known(raft, changed);
        }
        if changed.progress.len() > 1 {
            changed.progress.sort_unstable_by_key(|(id, _)| *id);
        }
    }

    /// The configuration changed. What was known of members that stay is kept, to see whether it changes.
    #[cold]
    fn track(&mut self, raft: &Raft<Log>) {
        let known = std::mem::take(&mut self.progress);
        let before = |id| known.iter().find(|(other, _)| *other == id).map(|(_, progress)| *progress);
        let ids = raft.prs().iter().map(|(id, _)| MemberId::from_raft(*id));
        self.progress = ids.map(|id| (id, before(id).unwrap_or_default())).collect();
    }

    /// As [`Steps::compare_progress`], if the members are those of before. Otherwise it returns false, and may already
    /// have found some changes.
    #[inline]
    fn compare_known(&mut self, raft: &Raft<Log>, changed: &mut Changed) -> bool {
        let progress_of = raft.prs().iter();
        if progress_of.len() != self.progress.len() {
            return false;
        }
        for ((id, now), (seen_id, seen)) in progress_of.zip(&mut self.progress) {
            if seen_id.raft_id() != *id {
                return false;
            }
            if !is_known(now, seen) {
                *seen = progress(now);
                changed.progress.push((*seen_id, *seen));
            }
        }
        true
    }

    /// Finds whether the reads that wait have changed.
    fn compare_reads(&mut self, raft: &Raft<Log>, changed: &mut Changed) {
        let reads = reads_of(raft);
        if reads != self.reads {
            self.reads = reads;
            changed.reads = Some(all_reads(raft));
        }
    }

    /// Finds whether the votes that a candidate has counted have changed.
    #[cold]
    fn compare_votes(&mut self, raft: &Raft<Log>, changed: &mut Changed) {
        let votes = raft.prs().votes().iter();
        let mut now: Vec<_> = votes.map(|(id, vote)| (MemberId::from_raft(*id), *vote)).collect();
        now.sort_unstable();
        if now != self.votes {
            self.votes.clone_from(&now);
            changed.votes = Some(now);
        }
    }
}

/// Takes over the part of raft's state that every step has. It is written field by field, where it stays.
#[inline]
fn take_state(state: &mut State, raft: &Raft<Log>) {
    let State {
        term,
        vote,
        role: in_role,
        leader,
        first,
        last,
        handed_over,
        snapshot,
        commit,
        persisted,
        applied,
        elapsed,
        since_heartbeat,
        timeout,
        transferee,
        pending_change,
        wanted_snapshot,
        uncommitted,
    } = state;
    let log = &raft.raft_log;
    let unstable = log.unstable();
    *term = raft.term;
    *vote = MemberId::from_raft(raft.vote);
    *in_role = role(raft.state);
    *leader = MemberId::from_raft(raft.leader_id);
    *first = log.store().before().0 + 1;
    *handed_over = unstable.offset - 1;
    *snapshot = raft.snap().map_or(0, |snapshot| snapshot.get_metadata().index);
    // Raft finds the last index in the same way; its own search for the last term costs more.
    *last = match (unstable.entries.last(), raft.snap()) {
        (Some(entry), _) => (*handed_over + unstable.entries.len() as u64, entry.term),
        (None, Some(snapshot)) => (snapshot.get_metadata().index, snapshot.get_metadata().term),
        (None, None) => (log.store().last(), log.store().last_term()),
    };
    *commit = log.committed;
    *persisted = log.persisted;
    *applied = log.applied;
    *elapsed = raft.election_elapsed as u64;
    *since_heartbeat = raft.heartbeat_elapsed() as u64;
    *timeout = raft.randomized_election_timeout() as u64;
    *transferee = MemberId::from_raft(raft.lead_transferee.unwrap_or(raft::INVALID_ID));
    *pending_change = raft.pending_conf_index;
    *wanted_snapshot = raft.pending_request_snapshot;
    *uncommitted = raft.uncommitted_size() as u64;
}

/// The entries that no ready has handed over: the index of the first one, their number, the term of the last one.
fn unstable_of(raft: &Raft<Log>) -> (u64, usize, u64) {
    let unstable = raft.raft_log.unstable();
    (unstable.offset, unstable.entries.len(), unstable.entries.last().map_or(0, |entry| entry.term))
}

/// Of the reads that wait: how many there are, the newest one, and how many acknowledgements they have. New reads come
/// behind the others, and the number of acknowledgements only grows, so any change of the reads changes this.
#[inline]
fn reads_of(raft: &Raft<Log>) -> (usize, Context, usize) {
    let reads = &raft.read_only;
    let Some(newest) = reads.read_index_queue.back() else { return (0, Context::None, 0) };
    let acks = reads.pending_read_index.values().map(|status| status.acks.len()).sum();
    (reads.read_index_queue.len(), context(newest), acks)
}

/// A role in the form that facts use.
pub(crate) fn role(role: StateRole) -> Role {
    match role {
        StateRole::Follower => Role::Follower,
        StateRole::PreCandidate => Role::PreCandidate,
        StateRole::Candidate => Role::Candidate,
        StateRole::Leader => Role::Leader,
    }
}

/// Describes the message that this packet brought.
#[inline]
pub(crate) fn receive(call: &mut Call, packet: u64, message: &Message) {
    if !matches!(call, Call::Receive(_)) {
        *call = Call::Receive(nothing());
    }
    if let Call::Receive(described) = call {
        describe(described, packet, message);
    }
}

/// Makes it a ready, which is described in the place of an earlier one if there is one.
#[inline]
pub(crate) fn begin_ready(call: &mut Call) {
    if !matches!(call, Call::Ready(_)) {
        let left = numbers_of(call);
        *call = Call::Ready(step::Ready { left, ..step::Ready::default() });
    }
}

/// The emptied list of the messages that an earlier call let go, to be filled again.
#[inline]
fn numbers_of(call: &mut Call) -> Vec<u64> {
    let mut numbers = match call {
        Call::Release { numbers, .. } | Call::Ready(step::Ready { left: numbers, .. }) => {
            std::mem::take(numbers)
        }
        _ => Vec::new(),
    };
    numbers.clear();
    numbers
}

/// A message from nobody to nobody.
#[inline]
fn nothing() -> step::Message {
    step::Message::new(MessageKind::Other, MemberId::NONE, MemberId::NONE)
}

/// Describes a message in the form that steps use, with a number, overwriting another one.
#[inline]
fn describe(described: &mut step::Message, number: u64, message: &Message) {
    described.number = number;
    described.kind = kind_of(message.msg_type);
    described.from = MemberId::from_raft(message.from);
    described.to = MemberId::from_raft(message.to);
    described.term = message.term;
    described.index = message.index;
    described.log_term = message.log_term;
    described.commit = message.commit;
    described.commit_term = message.commit_term;
    described.reject = message.reject;
    described.hint = message.reject_hint;
    described.wanted_snapshot = message.request_snapshot;
    described.entries.clear();
    described.snapshot = None;
    match message.msg_type {
        // A read travels as the data of an entry.
        MessageType::MsgReadIndex | MessageType::MsgReadIndexResp => {
            described.context = message.entries.first().map_or(Context::None, |entry| context(&entry.data));
        }
        _ => {
            described.context = context(&message.context);
            add_entries(&mut described.entries, message.entries.iter());
        }
    }
    if message.msg_type == MessageType::MsgSnapshot {
        let metadata = message.get_snapshot().get_metadata();
        (described.index, described.log_term) = (metadata.index, metadata.term);
        described.snapshot = Some(Box::new(step::SnapshotHead {
            index: metadata.index,
            term: metadata.term,
            configuration: configuration(metadata.get_conf_state()),
        }));
    }
}

/// A context.
#[inline]
pub(crate) fn context(bytes: &[u8]) -> Context {
    if bytes.is_empty() { Context::None } else { some_context(bytes) }
}

/// A context that is not empty.
fn some_context(bytes: &[u8]) -> Context {
    if let Ok(number) = bytes.try_into() {
        Context::Read(u64::from_be_bytes(number))
    } else if bytes == TRANSFER {
        Context::Transfer
    } else {
        Context::Other(record::hash::digest(bytes))
    }
}

/// Adds entries to runs.
#[inline]
pub(crate) fn add_entries<'a>(runs: &mut Entries, all: impl Iterator<Item = &'a Entry>) {
    for entry in all {
        let kind = match entry.entry_type {
            EntryType::EntryNormal if entry.data.is_empty() => EntryKind::Empty,
            EntryType::EntryNormal => EntryKind::Data,
            EntryType::EntryConfChangeV2 if entry.data.is_empty() => EntryKind::Leave,
            EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => EntryKind::Change,
        };
        runs.push(entry.index, entry.term, kind, entry.data.len() as u64);
    }
}

/// How entries are sent to a member.
#[inline]
fn mode(progress: &raft::Progress) -> Mode {
    match progress.state {
        ProgressState::Probe => Mode::Probe,
        ProgressState::Replicate => Mode::Replicate,
        ProgressState::Snapshot => Mode::Snapshot,
    }
}

/// Whether a leader still knows of a member what [`progress`] found before.
#[inline]
fn is_known(progress: &raft::Progress, seen: &step::Progress) -> bool {
    let step::Progress {
        matched,
        next,
        mode: seen_mode,
        paused,
        active,
        snapshot,
        wanted_snapshot,
        inflight,
        full,
    } = seen;
    progress.matched == *matched
        && progress.next_idx == *next
        && mode(progress) == *seen_mode
        && progress.paused == *paused
        && progress.recent_active == *active
        && progress.pending_snapshot == *snapshot
        && progress.pending_request_snapshot == *wanted_snapshot
        && progress.ins.count() as u64 == *inflight
        && progress.ins.full() == *full
}

/// What a leader knows of a member.
#[inline]
fn progress(progress: &raft::Progress) -> step::Progress {
    step::Progress {
        matched: progress.matched,
        next: progress.next_idx,
        mode: mode(progress),
        paused: progress.paused,
        active: progress.recent_active,
        snapshot: progress.pending_snapshot,
        wanted_snapshot: progress.pending_request_snapshot,
        inflight: progress.ins.count() as u64,
        full: progress.ins.full(),
    }
}

/// All reads that wait for a quorum.
#[inline(never)]
fn all_reads(raft: &Raft<Log>) -> Vec<Read> {
    raft.read_only.read_index_queue.iter().map(|context| read(raft, context)).collect()
}

/// A read that waits for a quorum.
fn read(raft: &Raft<Log>, number: &[u8]) -> Read {
    let status = raft.read_only.pending_read_index.get(number);
    let mut acks: Vec<MemberId> = status
        .map(|status| status.acks.iter().map(|id| MemberId::from_raft(*id)).collect())
        .unwrap_or_default();
    acks.sort_unstable();
    Read {
        context: context(number),
        index: status.map_or(0, |status| status.index),
        from: MemberId::from_raft(status.map_or(0, |status| status.req.from)),
        acks,
    }
}

/// A configuration.
#[cold]
fn configuration(state: &ConfState) -> Configuration {
    let sorted = |ids: &[u64]| {
        let mut ids: Vec<MemberId> = ids.iter().copied().map(MemberId::from_raft).collect();
        ids.sort_unstable();
        ids
    };
    Configuration {
        voters: sorted(&state.voters),
        outgoing: sorted(&state.voters_outgoing),
        learners: sorted(&state.learners),
        learners_next: sorted(&state.learners_next),
        auto_leave: state.auto_leave,
    }
}

/// A change of the configuration.
pub(crate) fn change(change: &ConfChangeV2) -> step::Change {
    let one = |single: &raft::eraftpb::ConfChangeSingle| {
        let kind = match single.change_type {
            ConfChangeType::AddNode => step::MemberChange::Voter,
            ConfChangeType::AddLearnerNode => step::MemberChange::Learner,
            ConfChangeType::RemoveNode => step::MemberChange::Remove,
        };
        (kind, MemberId::from_raft(single.node_id))
    };
    step::Change {
        transition: match change.transition {
            ConfChangeTransition::Auto => step::Transition::Auto,
            ConfChangeTransition::Implicit => step::Transition::Implicit,
            ConfChangeTransition::Explicit => step::Transition::Explicit,
        },
        changes: change.changes.iter().map(one).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use contract::Now;
    use raft::eraftpb::HardState;

    use crate::config::Peer;
    use crate::io::Effects;
    use crate::node::Node;
    use crate::out::Out;

    use super::*;

    /// A node of this configuration, whose log begins after entry 1 of term 1, and its configuration.
    fn node(voters: &[u64]) -> (Node, Config) {
        let peer = |id: &u64| Peer {
            id: MemberId::from_raft(*id),
            name: format!("m{id}").into(),
            peer_urls: Arc::new([]),
        };
        let config = Config::new(MemberId::new(1), voters.iter().map(peer).collect());
        let hard_state = HardState { term: 1, commit: 1, ..HardState::default() };
        let conf_state = ConfState { voters: voters.to_vec(), ..ConfState::default() };
        (Node::new(&config, Log::new((1, 1), Vec::new(), hard_state, conf_state), 1), config)
    }

    /// The steps that a node of this configuration reports when it does this.
    fn steps_of(voters: &[u64], does: impl FnOnce(&mut Node, &mut Out<'_>)) -> Vec<Step> {
        let (mut effects, mut unarmed) = (Effects::default(), None);
        let mut out = Out::new(&mut effects, &mut unarmed, Now::default());
        let (mut node, config) = node(voters);
        node.watch(&config, &mut out);
        does(&mut node, &mut out);
        effects.steps.to_vec()
    }

    #[test]
    fn every_call_is_a_step() {
        let steps = steps_of(&[1], |node, out| {
            node.campaign(out);
            assert!(node.ready(7, out).save.is_some());
            node.persisted(7, out);
        });
        let names: Vec<_> = steps.iter().map(|step| step.call.name()).collect();
        assert_eq!(names, ["Start", "Campaign", "Ready", "Persisted"]);
        let [start, campaign, ready, persisted] = &steps[..] else { unreachable!() };
        assert_eq!((start.after.term, start.after.role, start.after.first), (1, Role::Follower, 2));
        // The only voter leads at once, and adds an entry.
        assert_eq!(
            (campaign.after.term, campaign.after.role, campaign.after.last),
            (2, Role::Leader, (2, 2))
        );
        assert_eq!((campaign.changed.entries.first(), campaign.changed.entries.len()), (2, 1));
        assert_eq!(campaign.changed.progress.len(), 1);
        let Call::Ready(taken) = &ready.call else { unreachable!() };
        assert_eq!((taken.number, taken.job, taken.entries.len(), taken.must_sync), (1, Some(7), 1, true));
        assert_eq!((ready.after.handed_over, ready.after.persisted), (2, 1));
        assert!(ready.changed.entries.is_empty());
        assert_eq!((persisted.after.persisted, persisted.after.commit), (2, 2));
    }

    #[test]
    fn messages_have_numbers_and_leave_by_them() {
        let steps = steps_of(&[1, 2, 3], |node, out| {
            node.campaign(out);
            assert!(node.ready(1, out).save.is_none(), "a pre-vote saves nothing");
        });
        let numbers: Vec<u64> = steps[1].out.iter().map(|message| message.number).collect();
        assert_eq!(numbers, [1, 2]);
        assert!(steps[1].out.iter().all(|message| message.kind == MessageKind::RequestPreVote));
        let Some(Call::Ready(ready)) = steps.last().map(|step| &step.call) else { panic!("{steps:?}") };
        assert_eq!((ready.durable, &ready.left), (true, &vec![1, 2]));
    }

    #[test]
    fn who_is_not_watched_does_the_same() {
        let (mut effects, mut unarmed) = (Effects::default(), None);
        let mut out = Out::new(&mut effects, &mut unarmed, Now::default());
        let ((mut watched, config), (mut unwatched, _)) = (node(&[1, 2, 3]), node(&[1, 2, 3]));
        watched.watch(&config, &mut out);
        for node in [&mut watched, &mut unwatched] {
            (0..30).for_each(|_| node.tick(&mut out));
        }
        assert_eq!((watched.term(), watched.leader()), (unwatched.term(), unwatched.leader()));
        assert_eq!(effects.steps.len(), 31, "only one of them reports");
    }

    #[test]
    fn contexts_are_told_apart() {
        assert_eq!(context(&[]), Context::None);
        assert_eq!(context(TRANSFER), Context::Transfer);
        assert_eq!(context(&7_u64.to_be_bytes()), Context::Read(7));
        assert!(matches!(context(b"else"), Context::Other(_)));
    }
}
