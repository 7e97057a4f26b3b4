//! Read indexes (thesis, section 6.4; etcd-io/raft `read_only.go`).
//!
//! A leader gives out a read index only once it has committed an entry of its own term, and only once a quorum has
//! confirmed the leader after the request; a sole voter needs no other member. The index is the commit index at the
//! time of the request.
//!
//! Allowed: a request before that first commit is dropped without a word (etcd's raft keeps it since 3.5); a follower that
//! receives an index whose entry it has moves its own commit index there (raft 0.7.0).

use record::step::{Context, Message, Read};
use record::{MemberId, MessageKind, Role};

use super::act::{Act, Field};
use super::reached::Reached;
use super::rule::Rule;

impl Act<'_> {
    /// The host asks for a read index.
    pub fn ask_read_index(&mut self, number: u64) {
        let context = Context::Read(number);
        if !self.node.is_new_context(number) {
            self.broke(Rule::ReadContextOnce, || {
                format!(
                    "It asked for a read index with context {}, with which it has asked before.",
                    crate::describe::number(number)
                )
            });
        }
        self.read_index(MemberId::NONE, context);
    }

    /// A request for a read index, from another member or from its own host.
    pub fn read_index(&mut self, from: MemberId, context: Context) {
        let state = self.node.state;
        match state.role {
            Role::Leader => self.read_index_at_leader(from, context),
            Role::Follower if !state.leader.is_none() => {
                self.reached(Reached::ReadForwarded);
                let from = if from.is_none() { self.node.id } else { from };
                let passed_on =
                    Message { context, ..Message::new(MessageKind::ReadIndex, from, state.leader) };
                self.must_send(&passed_on, Rule::ReadPassedOn);
            }
            Role::Follower | Role::PreCandidate | Role::Candidate => self.reached(Reached::ReadNoLeader),
        }
    }

    fn read_index_at_leader(&mut self, from: MemberId, context: Context) {
        let (commit, term) = (self.node.state.commit, self.node.state.term);
        if !self.node.log.has(commit, term) {
            self.governs(Field::Reads, Rule::ReadAfterCommit);
            self.reached(Reached::ReadTooEarly);
            return;
        }
        let configuration = &self.node.configuration;
        if configuration.voters.len() == 1 && !configuration.is_joint() {
            self.reached(Reached::ReadAlone);
            return self.give_read_index(from, context, commit);
        }
        self.governs(Field::Reads, Rule::ReadIndexTrue);
        self.reached(Reached::ReadBegun);
        if !self.node.reads.iter().any(|read| read.context == context) {
            let acks = vec![self.node.id];
            self.node.reads.push(Read { context, index: commit, from, acks });
        }
        self.heartbeats(context);
    }

    /// A leader gives out a read index: to its own host, or to the member that asked.
    pub fn give_read_index(&mut self, from: MemberId, context: Context, index: u64) {
        if from.is_none() || from == self.node.id {
            return self.node.answers.push((context, index));
        }
        let mut answer = self.message(MessageKind::ReadIndexResponse, from);
        (answer.context, answer.index) = (context, index);
        self.must_send(&answer, Rule::ReadPassedOn);
    }

    /// The leader's answer to a read that this member asked for.
    pub fn read_index_response(&mut self, answer: &Message) {
        if self.node.state.role != Role::Follower || answer.context == Context::None {
            return self.reached(Reached::ReadNotFollower);
        }
        self.reached(Reached::ReadAnswered);
        self.node.answers.push((answer.context, answer.index));
        self.governs(Field::Commit, Rule::CommitByVote);
        let (index, commit) = (answer.index, self.node.state.commit);
        let may = index > commit && self.node.log.has(index, answer.term);
        if may && self.step.after.commit == index {
            self.node.state.commit = index;
            self.reached(Reached::ReadCommits);
        }
    }
}
