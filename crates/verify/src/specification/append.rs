//! An append at a follower (*HandleAppendEntriesRequest*: *RejectAppendEntriesRequest*, *AppendEntriesAlreadyDone*,
//! *ConflictAppendEntriesRequest*, *NoConflictAppendEntriesRequest*, *ReturnToFollowerState*).
//!
//! Paper, section 5.3 and figure 2. A refusal carries a hint where the logs may agree: the last index up to the refused
//! one whose term is not above the leader's there (etcd-io/raft `raft.go`, `handleAppendEntries`).
//!
//! An append may carry the leader's own commit index, beyond what the follower has; the follower takes the smaller of
//! that and the last entry that it knows to share.

use record::step::Message;
use record::{MessageKind, Role};

use super::act::{Act, Field};
use super::reached::Reached;
use super::rule::Rule;
use super::text;

impl Act<'_> {
    /// An append of the current term.
    #[inline]
    pub fn append(&mut self, append: &Message) {
        if !self.follow(append, Reached::AppendEndsCandidacy) {
            return;
        }
        self.governs(Field::Log, Rule::AppendTaken);
        self.governs(Field::Commit, Rule::FollowerCommit);
        let mut answer = self.message(MessageKind::AppendResponse, append.from);
        let commit = self.node.state.commit;
        if append.index < commit {
            self.reached(Reached::AppendBelowCommit);
            self.governs(Field::Log, Rule::CutAtConflict);
            (answer.index, answer.commit) = (commit, commit);
            return self.must_send(&answer, Rule::AppendAnswered);
        }
        if !self.node.log.has(append.index, append.log_term) {
            self.reached(Reached::AppendRefused);
            self.governs(Field::Log, Rule::AppendConsistent);
            let (last, _) = self.node.log.last();
            answer.index = append.index;
            answer.reject = true;
            let first = self.node.state.first;
            answer.hint = self.node.log.last_up_to(append.index.min(last), append.log_term, first);
            answer.log_term = self.node.log.term_at(answer.hint).unwrap_or(0);
            answer.commit = commit;
            return self.must_answer(append, &answer);
        }
        let last_new = append.index + append.entries.len();
        match self.node.log.conflict(&append.entries) {
            None if append.entries.is_empty() => self.reached(Reached::AppendEmpty),
            None => {
                self.reached(Reached::AppendDone);
                self.governs(Field::Log, Rule::CutAtConflict);
            }
            Some(conflict) => self.put(append, conflict),
        }
        let state = &mut self.node.state;
        state.commit = state.commit.max(append.commit.min(last_new));
        (answer.index, answer.commit) = (last_new, state.commit);
        self.must_answer(append, &answer);
    }

    /// The log takes the entries of an append from the first one in conflict on.
    fn put(&mut self, append: &Message, conflict: u64) {
        let (last, commit) = (self.node.log.last().0, self.node.state.commit);
        if conflict <= commit {
            self.broke(Rule::CutAtConflict, || {
                format!(
                    "{} conflicts at entry {conflict} with the commit index {commit}.",
                    text::message(append)
                )
            });
        }
        if conflict <= last {
            self.reached(Reached::AppendCuts);
            self.node.disk.cut(conflict);
        } else {
            self.reached(Reached::AppendStored);
        }
        self.node.log.replace(conflict, &append.entries);
        self.replaced_from = conflict;
        let state = &mut self.node.state;
        state.last = self.node.log.last();
        state.persisted = state.persisted.min(conflict - 1);
        // What readies handed over before is replaced.
        state.handed_over = state.handed_over.min(conflict - 1);
    }

    /// The answer to an append. Whether it is accepted matters most.
    #[inline]
    fn must_answer(&mut self, append: &Message, answer: &Message) {
        let sent = (self.step.out.iter())
            .find(|sent| sent.kind == MessageKind::AppendResponse && sent.to == append.from);
        match sent {
            Some(sent) if sent.reject != answer.reject => {
                self.take(append.from, [MessageKind::AppendResponse; 2]);
                let own = self.node.log.term_at(append.index);
                self.broke(Rule::AppendConsistent, || {
                    format!(
                        "It sent {} in answer to {}; the term of its own entry {} is {own:?}.",
                        text::message(sent),
                        text::message(append),
                        append.index
                    )
                });
            }
            _ => self.must_send(answer, Rule::AppendAnswered),
        }
    }

    /// A leader of the current term was heard: the member follows it. Returns false if it leads itself.
    #[inline]
    pub fn follow(&mut self, message: &Message, ends: Reached) -> bool {
        self.heard_leader(message.from);
        match self.node.state.role {
            Role::Leader => return false,
            Role::Candidate | Role::PreCandidate => {
                self.reached(ends);
                self.become_follower(message.term, message.from);
            }
            Role::Follower => {
                (self.node.state.elapsed, self.node.state.leader) = (0, message.from);
            }
        }
        for field in [Field::Role, Field::Leader, Field::Clock] {
            self.governs(field, Rule::FollowsLeader);
        }
        true
    }
}
