//! A message arrives: its term is handled before anything else in it (*UpdateTerm*, *DropStaleResponse*).
//!
//! Paper, section 5.1. Requests for pre-votes and their grants carry a term that nobody has yet (thesis, section 9.6).
//! With check-quorum, a member that has heard from a leader within an election timeout does not let a candidate disturb
//! that leader (thesis, section 4.2.3), unless the leader asked for the election.
//!
//! Allowed beyond the paper: a leader of a lower term is answered by an empty append response, so that it learns of the
//! current term, and a request for a pre-vote of a lower term by a refusal; everything else of a lower term is ignored
//! (etcd-io/raft `raft.go`, `Step`).

use record::step::{Context, Message};
use record::{MemberId, MessageKind};

use super::act::{Act, Field};
use super::reached::Reached;
use super::rule::Rule;
use super::text;

impl Act<'_> {
    /// A message of another member.
    pub fn receive(&mut self, message: &Message) {
        use MessageKind::{
            Append, AppendResponse, Heartbeat, HeartbeatResponse, Propose, ReadIndex, ReadIndexResponse,
            RequestPreVote, RequestPreVoteResponse, RequestVote, RequestVoteResponse, Snapshot, TimeoutNow,
            TransferLeader,
        };
        let is_answer = matches!(
            message.kind,
            AppendResponse | RequestVoteResponse | RequestPreVoteResponse | HeartbeatResponse
        );
        if is_answer && !self.node.configuration.has(message.from) {
            for field in [Field::Term, Field::Role, Field::Votes, Field::Match, Field::Commit, Field::Leader]
            {
                self.governs(field, Rule::StrangerChangesNothing);
            }
            self.accepted = false;
            return self.reached(Reached::Stranger);
        }
        if !self.take_term(message) {
            return;
        }
        match message.kind {
            RequestVote | RequestPreVote => self.request_vote(message),
            RequestVoteResponse | RequestPreVoteResponse => self.vote_response(message),
            Append => self.append(message),
            AppendResponse => self.append_response(message),
            Heartbeat => self.heartbeat(message),
            HeartbeatResponse => self.heartbeat_response(message),
            Snapshot => self.snapshot(message),
            Propose => self.propose_forwarded(message),
            ReadIndex => self.read_index(message.from, message.context),
            ReadIndexResponse => self.read_index_response(message),
            TransferLeader => self.transfer(message.from),
            TimeoutNow => self.ordered_to_campaign(),
            _ => {}
        }
    }

    /// Looks at the term of a message. Returns whether the message is to be handled.
    #[inline]
    fn take_term(&mut self, message: &Message) -> bool {
        let own = self.node.state.term;
        if message.term == 0 {
            true
        } else if message.term > own {
            self.higher_term(message)
        } else if message.term < own {
            self.lower_term(message);
            false
        } else {
            true
        }
    }

    /// A message of a higher term.
    #[cold]
    fn higher_term(&mut self, message: &Message) -> bool {
        use MessageKind::{Append, Heartbeat, RequestPreVote, RequestPreVoteResponse, RequestVote, Snapshot};
        let state = &self.node.state;
        if matches!(message.kind, RequestVote | RequestPreVote) {
            let in_lease = self.node.settings.check_quorum
                && !state.leader.is_none()
                && state.elapsed < self.node.settings.election;
            if in_lease && message.context != Context::Transfer {
                for field in [Field::Term, Field::Role, Field::Vote, Field::Leader] {
                    self.governs(field, Rule::VoteLease);
                }
                if let Some(sent) = self.take(
                    message.from,
                    [MessageKind::RequestVoteResponse, MessageKind::RequestPreVoteResponse],
                ) {
                    let (leader, elapsed) = (self.node.state.leader, self.before.elapsed);
                    self.broke(Rule::VoteLease, || {
                        let sent = text::message(sent);
                        format!("It sent {sent}, although it heard from leader {leader} {elapsed} ticks ago.")
                    });
                }
                self.reached(Reached::IgnoredInLease);
                return false;
            }
            if in_lease {
                self.reached(Reached::TransferOverLease);
            }
        }
        let granted = message.kind == RequestPreVoteResponse && !message.reject;
        if message.kind == RequestPreVote || granted {
            for field in [Field::Term, Field::Vote] {
                self.governs(field, Rule::PreVoteKeepsTerm);
            }
            self.reached(if granted { Reached::HigherPreVoteGrant } else { Reached::HigherPreVote });
            return true;
        }
        self.reached(Reached::TermRaised);
        let leads = matches!(message.kind, Append | Heartbeat | Snapshot);
        self.become_follower(message.term, if leads { message.from } else { MemberId::NONE });
        true
    }

    /// A message of a lower term.
    #[cold]
    fn lower_term(&mut self, message: &Message) {
        use MessageKind::{Append, AppendResponse, Heartbeat, RequestPreVote, RequestPreVoteResponse};
        for field in [
            Field::Term,
            Field::Vote,
            Field::Role,
            Field::Leader,
            Field::Clock,
            Field::Log,
            Field::Commit,
            Field::Votes,
            Field::Match,
            Field::Next,
            Field::Reads,
        ] {
            self.governs(field, Rule::StaleChangesNothing);
        }
        let settings = &self.node.settings;
        if matches!(message.kind, Append | Heartbeat) && (settings.check_quorum || settings.pre_vote) {
            self.reached(Reached::StaleLeaderTold);
            let answer = self.message(AppendResponse, message.from);
            self.must_send(&answer, Rule::StaleChangesNothing);
        } else if message.kind == RequestPreVote {
            self.reached(Reached::StalePreVoteRefused);
            let mut answer = self.message(RequestPreVoteResponse, message.from);
            answer.reject = true;
            self.must_send(&answer, Rule::VoteAnswered);
        } else {
            self.reached(Reached::StaleIgnored);
        }
    }
}
