//! A request for a vote or a pre-vote (*HandleRequestVoteRequest*).
//!
//! Paper, figure 2 and section 5.4.1; thesis, section 9.6 for pre-votes. A grant carries the candidate's term, a refusal
//! the voter's.
//!
//! Allowed beyond the paper: a member that knows a leader of the term gives nobody its vote; learners give theirs (a
//! candidate may know better who votes); a pre-vote of the member's own term is granted only to the candidate that has
//! its vote. Raft 0.7.0 also sends the commit index and its term with requests and refusals, and takes them; etcd's raft
//! does not.

use record::MessageKind;
use record::step::Message;

use super::act::{Act, Field};
use super::reached::Reached;
use super::rule::Rule;
use super::text;

impl Act<'_> {
    /// A request for a vote or a pre-vote, whose term is the current one, or, of a pre-vote, higher.
    pub fn request_vote(&mut self, request: &Message) {
        let state = self.node.state;
        let is_real = request.kind == MessageKind::RequestVote;
        let repeated = state.vote == request.from;
        let free = repeated
            || state.vote.is_none() && state.leader.is_none()
            || !is_real && request.term > state.term;
        let (last, last_term) = self.node.log.last();
        let up_to_date = (request.log_term, request.index) >= (last_term, last);
        let answer_kind =
            if is_real { MessageKind::RequestVoteResponse } else { MessageKind::RequestPreVoteResponse };
        let grant = free && up_to_date;
        let rule = if !free {
            Rule::VoteOnce
        } else if !up_to_date || is_real {
            Rule::VoteUpToDate
        } else {
            Rule::PreVoteKeepsTerm
        };
        self.governs(Field::Vote, rule);
        self.reached(match (grant, is_real) {
            (true, true) if repeated => Reached::VoteRepeated,
            (true, true) => Reached::VoteGranted,
            (true, false) => Reached::PreVoteGranted,
            (false, false) => Reached::PreVoteRefused,
            (false, true) if free => Reached::VoteRefusedLog,
            (false, true) => Reached::VoteRefusedVoted,
        });
        let mut answer = self.message(answer_kind, request.from);
        if grant {
            answer.term = request.term;
            if is_real {
                self.node.state.elapsed = 0;
                self.node.state.vote = request.from;
            }
        } else {
            answer.reject = true;
            (answer.commit, answer.commit_term) = self.commit_and_term();
        }
        // Distinguishes a wrong decision from a wrong form of the answer.
        let sent = self.step.out.iter().find(|sent| sent.kind == answer_kind && sent.to == request.from);
        match sent {
            Some(sent) if sent.reject == grant => {
                let rule = if free { Rule::VoteUpToDate } else { Rule::VoteOnce };
                self.take(request.from, [answer_kind; 2]);
                self.broke(rule, || {
                    format!(
                        "It sent {} in answer to {}; its vote is for {}, its leader {}, its last entry {last} of term \
                         {last_term}.",
                        text::message(sent),
                        text::message(request),
                        text::who(state.vote),
                        text::who(state.leader),
                    )
                });
            }
            _ => self.must_send(&answer, Rule::VoteAnswered),
        }
        if !grant {
            self.commit_by_vote(request);
        }
    }
}
