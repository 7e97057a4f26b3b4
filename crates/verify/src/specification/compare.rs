//! Compares what a step reports with what the specification expects of it, and takes over what is reported: one mistake
//! must not be reported again with every later step.

use std::fmt::Debug;

use record::step::{Call, Progress};
use record::{MemberId, MessageKind, Role};

use super::act::{Act, Field};
use super::rule::Rule;
use super::text;

impl Act<'_> {
    /// The end of the judgement on a step.
    #[inline]
    pub fn compare(&mut self) {
        self.look_for_unasked();
        if self.step.accepted != self.accepted {
            self.acceptance_differs();
        }
        if self.step.after.timeout != self.before.timeout {
            self.look_at_timeout();
        }
        if self.node.state != self.step.after {
            self.compare_state();
        }
        self.compare_log();
        if self.before.role == Role::Leader || self.step.after.role == Role::Leader {
            self.compare_progress();
        }
        self.compare_votes();
        self.compare_reads();
        if self.step.changed.configuration.is_some() {
            self.compare_configuration();
        }
        self.node.put_out(&self.step.out);
    }

    /// The member took an input that it had to refuse, or the other way round.
    #[cold]
    fn acceptance_differs(&mut self) {
        let (is, due) = if self.step.accepted { ("took", "refuse") } else { ("refused", "take") };
        let rule = match self.step.call {
            Call::Receive(ref message) if message.kind != MessageKind::Propose => {
                Rule::StrangerChangesNothing
            }
            _ => Rule::ProposalTaken,
        };
        self.broke(rule, || format!("It {is} the input, which it had to {due}."));
    }

    /// A new election timeout was drawn.
    #[cold]
    fn look_at_timeout(&mut self) {
        let (timeout, election) = (self.step.after.timeout, self.node.settings.election);
        if timeout < election || timeout >= 2 * election {
            self.broke(Rule::TimeoutInRange, || {
                format!("Its election timeout is {timeout} ticks; the shortest is {election}.")
            });
        }
    }

    /// Compares the configuration, which the step reports.
    #[cold]
    fn compare_configuration(&mut self) {
        let Some(configuration) = &self.step.changed.configuration else { return };
        let expected = &self.node.configuration;
        if **configuration == *expected {
            return;
        }
        let by = match &self.step.call {
            Call::ApplyChange(change) => format!(" after the change ({})", text::change(change)),
            _ => String::new(),
        };
        let sentence = format!(
            "Its configuration{by} is {}, and not {}.",
            text::configuration(configuration),
            text::configuration(expected)
        );
        self.broke(self.rule_of(Field::Configuration), || sentence);
        self.node.configuration.clone_from(configuration);
        let (all, before) = (configuration.all(), std::mem::take(&mut *self.node.flows));
        let known = |id| before.iter().find(|(other, _)| *other == id).map(|(_, flow)| flow.clone());
        *self.node.flows = all.into_iter().map(|id| (id, known(id).unwrap_or_default())).collect();
    }

    /// A field differs.
    fn differs(&mut self, field: Field, what: &str, is: impl Debug, expected: impl Debug) {
        self.differs_by(self.rule_of(field), what, is, expected);
    }

    /// A field differs, by a rule of its own.
    #[cold]
    fn differs_by(&mut self, rule: Rule, what: &str, is: impl Debug, expected: impl Debug) {
        self.broke(rule, || format!("Its {what} is {is:?}, and not {expected:?}."));
    }

    /// Compares the fields of the state, at least one of which differs.
    #[cold]
    fn compare_state(&mut self) {
        let (is, expected) = (self.step.after, self.node.state);
        if is.term != expected.term {
            let rule = if is.term < self.before.term { Rule::TermMoves } else { self.rule_of(Field::Term) };
            self.differs_by(rule, "term", is.term, expected.term);
        }
        if is.vote != expected.vote {
            self.differs(Field::Vote, "vote", text::who(is.vote), text::who(expected.vote));
        }
        if is.role != expected.role {
            let (is, expected) = (text::role(is.role), text::role(expected.role));
            self.broke(self.rule_of(Field::Role), || format!("It is {is}, and not {expected}."));
        }
        if is.leader != expected.leader {
            self.differs(Field::Leader, "leader", text::who(is.leader), text::who(expected.leader));
        }
        if (is.elapsed, is.since_heartbeat) != (expected.elapsed, expected.since_heartbeat) {
            let (now, then) =
                ((is.elapsed, is.since_heartbeat), (expected.elapsed, expected.since_heartbeat));
            self.differs(
                Field::Clock,
                "count of ticks (since its timeout began, since its last heartbeat)",
                now,
                then,
            );
        }
        if is.commit != expected.commit {
            let rule = self.rule_of_commit();
            self.differs_by(rule, "commit index", is.commit, expected.commit);
        }
        if is.persisted != expected.persisted {
            self.differs(
                Field::Persisted,
                "last index known to be durable",
                is.persisted,
                expected.persisted,
            );
        }
        if is.applied != expected.applied {
            self.differs_by(Rule::AppliedWhenCommitted, "applied index", is.applied, expected.applied);
        }
        if (is.handed_over, is.snapshot) != (expected.handed_over, expected.snapshot) {
            let (now, then) = ((is.handed_over, is.snapshot), (expected.handed_over, expected.snapshot));
            self.differs_by(
                Rule::ReadyComplete,
                "record of what readies have taken (entries, snapshot)",
                now,
                then,
            );
        }
        if is.last != expected.last {
            self.differs(Field::Log, "last entry (index, term)", is.last, expected.last);
        }
        if is.transferee != expected.transferee {
            self.differs(
                Field::Transfer,
                "successor in a transfer",
                text::who(is.transferee),
                text::who(expected.transferee),
            );
        }
        let pending = (is.pending_change, expected.pending_change);
        // Only in a step that proposes a change does this rule govern the log.
        if pending.0 > pending.1
            && self.rule_of(Field::Log) == Rule::OneChangeAtATime
            && self.before.pending_change > self.before.applied
        {
            let sentence = self.second_change(pending.0);
            self.broke(Rule::OneChangeAtATime, || sentence);
        } else if pending.0 != pending.1 {
            self.differs(
                Field::PendingChange,
                "last index with a change that may not be applied yet",
                is.pending_change,
                expected.pending_change,
            );
        }
        if is.wanted_snapshot != expected.wanted_snapshot {
            self.differs_by(Rule::Frame, "wish for a snapshot", is.wanted_snapshot, expected.wanted_snapshot);
        }
        // Only leaders count.
        if is.role == Role::Leader && self.uncommitted_known && is.uncommitted != expected.uncommitted {
            self.differs(
                Field::Uncommitted,
                "count of uncommitted bytes",
                is.uncommitted,
                expected.uncommitted,
            );
        }
        self.node.state = is;
    }

    /// Says that a leader put a change into its log, as this entry, while an earlier one may not be applied yet.
    #[cold]
    fn second_change(&self, entry: u64) -> String {
        let (applied, pending) = (self.before.applied, self.before.pending_change);
        let earlier = match self.node.log.change(applied, pending) {
            Some(index) => format!("the one before it, entry {index}, was not applied yet"),
            // A new leader takes no change before it has applied all that its log had.
            None => format!("the entries up to {pending}, which may have another, were not applied yet"),
        };
        format!(
            "It, the leader, put a change of the configuration into its log as entry {entry} although {earlier} \
             (it had applied up to {applied}): an empty entry has to take its place."
        )
    }

    /// The rule that a wrong commit index breaks.
    fn rule_of_commit(&self) -> Rule {
        let (is, expected) = (self.step.after.commit, self.node.state.commit);
        if is < self.before.commit {
            return Rule::CommitNeverBack;
        }
        if is > self.node.log.last().0 {
            return Rule::CommitKnown;
        }
        if self.node.state.role != Role::Leader || self.step.after.role != Role::Leader {
            return self.rule_of(Field::Commit);
        }
        if is < expected {
            return Rule::CommitDue;
        }
        let node = &self.node;
        let has = super::quorum::has(&node.configuration, |member| node.matched(member) >= is);
        if has { Rule::CommitOwnTerm } else { Rule::CommitQuorum }
    }

    /// Compares the log: what was put into it, and where it was cut.
    #[inline]
    fn compare_log(&mut self) {
        let new = &self.step.changed.entries;
        let last = self.step.after.last;
        let right = self.node.log.last() == last
            && (new.is_empty() || self.node.log.contains(new))
            && (self.replaced_from == u64::MAX || !new.is_empty() && new.first() <= self.replaced_from);
        if !right {
            self.log_differs();
        }
    }

    /// The log differs.
    #[cold]
    fn log_differs(&mut self) {
        let (last, new) = (self.step.after.last, &self.step.changed.entries);
        let expected = self.node.log.last();
        let has: Vec<_> = new
            .runs()
            .map(|run| format!("{} to {} of term {}, {:?}", run.first, run.last(), run.term, run.kind))
            .collect();
        let before = self.before;
        let rule = self.rule_of(Field::Log);
        let sentence = if rule == Rule::OneChangeAtATime && before.pending_change > before.applied {
            self.second_change(last.0)
        } else {
            format!(
                "Its log ends at {} of term {}, with the new entries [{}], and not at {} of term {}.",
                last.0,
                last.1,
                has.join("; "),
                expected.0,
                expected.1
            )
        };
        self.broke(rule, || sentence);
        if !new.is_empty() {
            self.node.log.replace(new.first().max(1), new);
        }
        self.node.log.cut(last.0 + 1);
        if self.node.log.last().0 != last.0 {
            self.node.log = super::log::Log::after(last.0, last.1);
        }
    }

    /// Compares what a leader knows of the others. What neither raft nor the specification touched is what it was
    /// before.
    #[inline]
    fn compare_progress(&mut self) {
        for (id, _) in &self.step.changed.progress {
            if let Some(at) = self.node.flow_at(*id) {
                self.node.flows.touch(at);
            }
        }
        for at in self.node.flows.touched() {
            self.compare_flow(at);
        }
    }

    /// Compares what a leader knows of one member.
    fn compare_flow(&mut self, at: usize) {
        let is = self.reported(self.node.flows[at].0).unwrap_or_default();
        let max_inflight = self.node.settings.max_inflight;
        let flow = self.node.flows.touch(at);
        flow.count_window(max_inflight);
        if is != flow.progress {
            let expected = std::mem::replace(&mut flow.progress, is);
            self.flow_differs(at, is, expected);
        }
    }

    /// What a leader knows of one member differs.
    #[cold]
    fn flow_differs(&mut self, at: usize, is: Progress, expected: Progress) {
        if self.node.state.role == Role::Leader && self.step.after.role == Role::Leader {
            self.compare_fields(self.node.flows[at].0, is, expected);
        }
        let max_inflight = self.node.settings.max_inflight;
        let flow = self.node.flows.touch(at);
        if flow.window.len() as u64 != is.inflight {
            // A number beyond the window is a violation that was just noted, and too many for a list.
            let inflight = is.inflight.min(max_inflight);
            flow.window = (1..=inflight).rev().map(|back| is.next.saturating_sub(back)).collect();
        }
    }

    /// What the step reports of a member; if it reports no change, what the last step reported.
    #[inline]
    pub fn reported(&self, id: MemberId) -> Option<Progress> {
        let is_it = |(other, _): &&(MemberId, Progress)| *other == id;
        let changed = self.step.changed.progress.iter().find(is_it);
        changed.or_else(|| self.node.flows.reported().iter().find(is_it)).map(|(_, progress)| *progress)
    }

    /// Compares what a leader knows of one member, field by field.
    fn compare_fields(&mut self, id: MemberId, is: Progress, expected: Progress) {
        if is.matched != expected.matched {
            let what = format!("record of what matches at member {id}");
            self.differs(Field::Match, &what, is.matched, expected.matched);
        }
        if is.next != expected.next {
            let rule = if is.next <= is.matched && expected.next > expected.matched {
                Rule::NextAboveMatch
            } else {
                self.rule_of(Field::Next)
            };
            self.differs_by(rule, &format!("next entry for member {id}"), is.next, expected.next);
        }
        if is.active != expected.active {
            let what = format!("record of whether member {id} is active");
            self.differs(Field::Active, &what, is.active, expected.active);
        }
        let flow = |progress: Progress| {
            let Progress { mode, paused, snapshot, wanted_snapshot, inflight, full, .. } = progress;
            (mode, paused, snapshot, wanted_snapshot, inflight, full)
        };
        if flow(is) != flow(expected) {
            let what = format!(
                "way of sending to member {id} (mode, paused, snapshot, wanted snapshot, in flight, full)"
            );
            self.differs(Field::Flow, &what, flow(is), flow(expected));
        }
    }

    /// Compares the votes that were counted.
    #[inline]
    fn compare_votes(&mut self) {
        match &self.step.changed.votes {
            Some(votes) if *votes != self.node.votes => {
                let expected = std::mem::replace(&mut self.node.votes, votes.clone());
                self.differs(Field::Votes, "count of votes", votes, expected);
            }
            None if self.votes_changed() => {
                self.broke(self.rule_of(Field::Votes), || "It did not count the vote.".to_string());
                self.node.votes.clone_from(&self.node.votes_reported);
            }
            _ => {}
        }
        if self.step.changed.votes.is_some() {
            self.node.votes_reported.clone_from(&self.node.votes);
        }
    }

    #[inline]
    fn votes_changed(&self) -> bool {
        self.node.votes != self.node.votes_reported
    }

    /// Compares the reads that wait.
    #[inline]
    fn compare_reads(&mut self) {
        match &self.step.changed.reads {
            Some(reads) if *reads != self.node.reads => {
                let expected = std::mem::replace(&mut self.node.reads, reads.clone());
                self.differs(Field::Reads, "list of reads that wait", reads, expected);
            }
            None if self.node.reads != self.node.reads_reported => {
                let (is, expected) = (self.node.reads_reported.clone(), self.node.reads.clone());
                self.differs(Field::Reads, "list of reads that wait", &is, expected);
                self.node.reads = is;
            }
            _ => {}
        }
        if self.step.changed.reads.is_some() {
            self.node.reads_reported.clone_from(&self.node.reads);
        }
    }
}
