//! One step under judgement: what the specification expects of it, and what it found.
//!
//! The file of each action adds methods to [`Act`]. They advance the specification's own copy of the member
//! ([`Node`]) to what it must be after the step, and take from the step's messages those that the action sends. In the
//! end `compare.rs` compares the copy with what the step reports. A message that no action has taken is one that nobody
//! asked for.

use record::step::{Call, Message, State, Step};
use record::{MemberId, MessageKind, Role};

use super::node::Node;
use super::reached::{Counts, Reached};
use super::rule::Rule;
use super::shared::Shared;
use super::text;

/// A rule that was broken, with the values; a sentence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub rule: Rule,
    pub sentence: String,
    /// A message that was due and did not come.
    pub due: Option<Box<Message>>,
}

/// A part of the state, to say which rule governs it in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Term,
    Vote,
    Role,
    Leader,
    Clock,
    Log,
    Commit,
    Persisted,
    Transfer,
    PendingChange,
    Uncommitted,
    Votes,
    Reads,
    Configuration,
    Match,
    Next,
    Flow,
    Active,
}

/// The rule that governs each field, unless the action names another.
const USUAL: [Rule; 18] = [
    Rule::TermMoves,
    Rule::VoteOnce,
    Rule::RoleChanges,
    Rule::FollowsLeader,
    Rule::ClockMoves,
    Rule::Frame,
    Rule::Frame,
    Rule::PersistedMoves,
    Rule::TransferState,
    Rule::OneChangeAtATime,
    Rule::UncommittedCounted,
    Rule::VotesCounted,
    Rule::ReadByQuorum,
    Rule::ConfigurationApplied,
    Rule::MatchMoves,
    Rule::NextMoves,
    Rule::FlowControl,
    Rule::ActiveCounted,
];

/// A step under judgement.
pub(super) struct Act<'a> {
    /// The specification's copy of the member, which becomes what it expects.
    pub node: &'a mut Node,
    pub step: &'a Step,
    /// What the specification knows of the whole cluster.
    pub shared: &'a mut Shared,
    pub counts: &'a mut Counts,
    pub found: &'a mut Vec<Finding>,
    /// The first of the step's messages that no action has taken.
    untaken: usize,
    /// The later messages that an action has taken.
    taken: &'a mut Vec<usize>,
    /// The state before the step.
    pub before: Before,
    /// The rule that governs each field.
    rules: [Rule; 18],
    /// The first index of the log that the step must have replaced; `u64::MAX` if none.
    pub replaced_from: u64,
    /// Whether the bytes of uncommitted proposals are known exactly.
    pub uncommitted_known: bool,
    /// Whether raft must accept the call.
    pub accepted: bool,
}

/// What the actions need to know of the state before a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    pub term: u64,
    pub role: Role,
    pub commit: u64,
    pub applied: u64,
    pub pending_change: u64,
    pub elapsed: u64,
    pub timeout: u64,
}

/// Storage that all steps use.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    taken: Vec<usize>,
}

impl<'a> Act<'a> {
    /// A step of a member. `node` is as the last step left it.
    #[inline]
    pub fn new(
        node: &'a mut Node,
        step: &'a Step,
        (shared, counts): (&'a mut Shared, &'a mut Counts),
        found: &'a mut Vec<Finding>,
        scratch: &'a mut Scratch,
    ) -> Act<'a> {
        let Scratch { taken } = scratch;
        taken.clear();
        node.flows.begin_step();
        let State { term, role, commit, applied, pending_change, elapsed, timeout, .. } = node.state;
        let mut act = Act {
            before: Before { term, role, commit, applied, pending_change, elapsed, timeout },
            node,
            step,
            shared,
            counts,
            found,
            untaken: 0,
            taken,
            rules: USUAL,
            replaced_from: u64::MAX,
            uncommitted_known: true,
            accepted: true,
        };
        act.node.state.first = step.after.first;
        act.node.state.timeout = step.after.timeout;
        if act.before.role == Role::Leader {
            act.governs(Field::Log, Rule::LeaderAppends);
        }
        act
    }

    /// Advances the copy as the specification says, and takes the messages that it sends.
    #[inline]
    pub fn perform(&mut self) {
        if self.node.owes_release && !matches!(self.step.call, Call::Release { .. }) {
            self.keeps_messages();
        }
        match &self.step.call {
            Call::Start(_) => {}
            Call::Tick => {
                self.loop_goes_on("ticked");
                self.tick();
            }
            Call::Receive(message) => self.receive(message),
            Call::Campaign => {
                self.loop_goes_on("began a campaign");
                self.told_to_campaign();
            }
            Call::Propose { kind, bytes } => self.propose(*kind, *bytes),
            Call::ApplyChange(change) => self.apply_change(change),
            Call::ReadIndex { context } => self.ask_read_index(*context),
            Call::TransferLeader { to } => self.transfer(*to),
            Call::ReportSnapshot { to, arrived } => self.report_snapshot(*to, *arrived),
            Call::Applied { index } => self.applied(*index),
            Call::StepDown => self.step_down(),
            Call::Ready(ready) => self.ready(ready),
            Call::Persisted { number } => self.persisted(*number),
            Call::Release { numbers, .. } => self.release(numbers),
        }
    }

    /// Counts a way through an action.
    #[inline]
    pub fn reached(&mut self, reached: Reached) {
        self.counts.count(reached);
    }

    /// The step breaks a rule.
    #[cold]
    pub fn broke(&mut self, rule: Rule, sentence: impl FnOnce() -> String) {
        self.found.push(Finding { rule, sentence: sentence(), due: None });
    }

    /// The step lacks a message, which breaks a rule.
    #[cold]
    pub fn lacks(&mut self, rule: Rule, due: Message) {
        let sentence = format!("It did not send {}.", text::message(&due));
        self.found.push(Finding { rule, sentence, due: Some(Box::new(due)) });
    }

    /// In this step, this rule governs a field.
    #[inline]
    pub fn governs(&mut self, field: Field, rule: Rule) {
        self.rules[field as usize] = rule;
    }

    /// The rule that governs a field.
    #[inline]
    pub fn rule_of(&self, field: Field) -> Rule {
        self.rules[field as usize]
    }

    // ---- messages --------------------------------------------------------------------------------

    /// A message of this member, in its current term.
    #[inline]
    pub fn message(&self, kind: MessageKind, to: MemberId) -> Message {
        let mut message = Message::new(kind, self.node.id, to);
        message.term = self.node.state.term;
        message
    }

    /// Takes the next message to a member that is of one of two kinds.
    #[inline]
    pub fn take(&mut self, to: MemberId, kinds: [MessageKind; 2]) -> Option<&'a Message> {
        let first = self.step.out.get(self.untaken)?;
        if first.to != to || !kinds.contains(&first.kind) {
            return self.take_later(to, kinds);
        }
        self.untaken += 1;
        if !self.taken.is_empty() {
            self.pass_taken();
        }
        Some(first)
    }

    /// As [`Act::take`], if the message is not the first one that is left.
    fn take_later(&mut self, to: MemberId, kinds: [MessageKind; 2]) -> Option<&'a Message> {
        let out = &self.step.out;
        let wanted =
            |at: &usize| out[*at].to == to && kinds.contains(&out[*at].kind) && !self.taken.contains(at);
        let at = (self.untaken + 1..out.len()).find(wanted)?;
        self.taken.push(at);
        Some(&out[at])
    }

    /// Goes on to the first message that no action has taken.
    fn pass_taken(&mut self) {
        while self.taken.contains(&self.untaken) {
            self.untaken += 1;
        }
    }

    /// The member must send this message.
    #[inline]
    pub fn must_send(&mut self, expected: &Message, rule: Rule) {
        let (kind, to) = (expected.kind, expected.to);
        match self.take(to, [kind, kind]) {
            Some(sent) if same(sent, expected) => {}
            Some(sent) => self.broke(rule, || {
                format!("It sent {}, where {} was due.", text::message(sent), text::message(expected))
            }),
            None => self.lacks(rule, expected.clone()),
        }
    }

    /// Finds messages that no action has taken.
    #[inline]
    pub fn look_for_unasked(&mut self) {
        if self.untaken < self.step.out.len() {
            self.unasked();
        }
    }

    /// Some messages may not have been taken.
    #[cold]
    fn unasked(&mut self) {
        for at in self.untaken..self.step.out.len() {
            if !self.taken.contains(&at) {
                let message = &self.step.out[at];
                self.broke(Rule::Unasked, || {
                    format!("It sent {}, which nothing asked for.", text::message(message))
                });
            }
        }
    }

    // ---- what several actions do -------------------------------------------------------------------

    /// Resets what every change of term or role resets.
    pub fn reset(&mut self, term: u64) {
        let state = &mut self.node.state;
        if state.term != term {
            (state.term, state.vote) = (term, MemberId::NONE);
        }
        state.leader = MemberId::NONE;
        (state.elapsed, state.since_heartbeat) = (0, 0);
        (state.transferee, state.pending_change) = (MemberId::NONE, 0);
        self.node.votes.clear();
        self.node.reads.clear();
    }

    /// The member follows a leader, or nobody.
    pub fn become_follower(&mut self, term: u64, leader: MemberId) {
        self.reset(term);
        (self.node.state.role, self.node.state.leader) = (Role::Follower, leader);
    }

    /// A leader of the current term was heard.
    #[inline]
    pub fn heard_leader(&mut self, leader: MemberId) {
        let State { term, role, leader: known, .. } = self.node.state;
        if role == Role::Leader || !known.is_none() && known != leader {
            let other = if role == Role::Leader { self.node.state.vote } else { known };
            self.broke(Rule::OneLeader, || {
                format!("Member {leader} leads term {term}, and so does member {other}.")
            });
        }
        if let Some(other) = self.shared.leads(term, leader) {
            self.broke(Rule::OneLeader, || {
                format!("Member {leader} leads term {term}, but member {other} was elected in it.")
            });
        }
    }

    /// Whether a change of the configuration is committed and not applied.
    pub fn has_change_to_apply(&self) -> bool {
        let state = &self.node.state;
        self.node.log.change(state.applied.max(state.snapshot), state.commit).is_some()
    }

    /// Commit index and term of the entry there, as votes carry them.
    pub fn commit_and_term(&self) -> (u64, u64) {
        let commit = self.node.state.commit;
        (commit, self.node.log.term_at(commit).unwrap_or(0))
    }

    /// The commit index that came with a vote or its refusal. Raft 0.7.0 takes it if the log has that entry; etcd's
    /// raft does not.
    pub fn commit_by_vote(&mut self, message: &Message) {
        let state = &self.node.state;
        let candidate = matches!(state.role, Role::Candidate | Role::PreCandidate);
        self.governs(Field::Commit, Rule::CommitByVote);
        let state = &self.node.state;
        let (commit, term) = (message.commit, message.commit_term);
        if commit == 0 || term == 0 || commit <= state.commit || state.role == Role::Leader {
            return;
        }
        if !self.node.log.has(commit, term) || self.step.after.commit < commit {
            return;
        }
        let before = std::mem::replace(&mut self.node.state.commit, commit);
        self.reached(Reached::CommitFromVote);
        if candidate && self.node.log.change(before, commit).is_some() {
            self.reached(Reached::CommitStopsCampaign);
            self.governs(Field::Role, Rule::CampaignGuard);
            self.become_follower(self.node.state.term, MemberId::NONE);
        }
    }
}

/// Whether two messages are the same, apart from their numbers, which always differ.
#[inline]
fn same(one: &Message, other: &Message) -> bool {
    one.kind == other.kind
        && one.from == other.from
        && one.to == other.to
        && one.term == other.term
        && one.index == other.index
        && one.log_term == other.log_term
        && one.commit == other.commit
        && one.commit_term == other.commit_term
        && one.reject == other.reject
        && one.hint == other.hint
        && one.wanted_snapshot == other.wanted_snapshot
        && one.context == other.context
        && one.entries == other.entries
        && one.snapshot == other.snapshot
}
