//! Campaigns, the counting of votes, and the start of a leadership (*Timeout*, *RequestVote*,
//! *HandleRequestVoteResponse*, *BecomeLeader*).
//!
//! Paper, sections 5.2, 5.4.1 and 6; thesis, sections 3.10 and 9.6.
//!
//! Allowed beyond the paper: a candidate counts its own vote at once, before it is durable, and a sole voter leads in the
//! same call (raft 0.7.0; what leaves the process waits for the disk, see `host.rs`). A late grant of an earlier pre-vote
//! counts, because a pre-vote promises nothing.

use record::step::{Context, EntryKind, Message, Run};
use record::{MemberId, MessageKind, Role};

use super::act::{Act, Field};
use super::node::Flow;
use super::quorum::{self, Outcome};
use super::reached::Reached;
use super::rule::Rule;

/// A kind of campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Campaign {
    PreVote,
    Election,
    /// The leader ordered it.
    Transfer,
}

impl Act<'_> {
    /// The leader orders this member to campaign at once.
    pub fn ordered_to_campaign(&mut self) {
        for field in [Field::Term, Field::Role, Field::Vote] {
            self.governs(field, Rule::CampaignDue);
        }
        if self.node.state.role != Role::Follower || !self.node.votes_in_configuration() {
            return self.reached(Reached::OrderIgnored);
        }
        self.hup(Some(Campaign::Transfer));
    }

    /// The host tells this member to campaign. Raft 0.7.0 does as it is told even if the member is no voter; etcd's raft
    /// refuses that (`hup`, `promotable`), and so must the host.
    pub fn told_to_campaign(&mut self) {
        if self.node.state.role != Role::Leader && !self.node.votes_in_configuration() {
            for field in [Field::Term, Field::Role, Field::Vote] {
                self.governs(field, Rule::CampaignVotersOnly);
            }
            return self.reached(Reached::OrderIgnored);
        }
        self.hup(None);
    }

    /// A campaign begins.
    pub fn campaign(&mut self, kind: Campaign) {
        self.reached(match kind {
            Campaign::PreVote => Reached::CampaignPreVote,
            Campaign::Election => Reached::CampaignElection,
            Campaign::Transfer => Reached::CampaignTransfer,
        });
        let own = self.node.id;
        if kind == Campaign::PreVote {
            self.node.votes.clear();
            (self.node.state.role, self.node.state.leader) = (Role::PreCandidate, MemberId::NONE);
        } else {
            self.reset(self.node.state.term + 1);
            (self.node.state.role, self.node.state.vote) = (Role::Candidate, own);
        }
        self.node.votes.push((own, true));
        if quorum::outcome(&self.node.configuration, &self.node.votes) == Outcome::Won {
            self.governs(Field::Role, Rule::WonByQuorum);
            return match kind {
                Campaign::PreVote => self.campaign(Campaign::Election),
                Campaign::Election | Campaign::Transfer => {
                    self.reached(Reached::ElectedAlone);
                    self.lead();
                }
            };
        }
        let kind_of_request =
            if kind == Campaign::PreVote { MessageKind::RequestPreVote } else { MessageKind::RequestVote };
        let (index, log_term) = self.node.log.last();
        let (commit, commit_term) = self.commit_and_term();
        for to in self.node.configuration.all_voters().into_iter().filter(|voter| *voter != own) {
            let mut request = self.message(kind_of_request, to);
            request.term += u64::from(kind == Campaign::PreVote);
            (request.index, request.log_term) = (index, log_term);
            (request.commit, request.commit_term) = (commit, commit_term);
            request.context = if kind == Campaign::Transfer { Context::Transfer } else { Context::None };
            self.must_send(&request, Rule::CampaignAsks);
        }
    }

    /// An answer to a request for a vote or a pre-vote.
    pub fn vote_response(&mut self, answer: &Message) {
        let role = self.node.state.role;
        let asked = match role {
            Role::PreCandidate => MessageKind::RequestPreVoteResponse,
            Role::Candidate => MessageKind::RequestVoteResponse,
            Role::Follower | Role::Leader => return self.reached(Reached::VoteTooLate),
        };
        if answer.kind != asked {
            return self.reached(Reached::VoteOfOtherKind);
        }
        if self.node.votes.iter().any(|(voter, _)| *voter == answer.from) {
            self.reached(Reached::VoteRepeatedAnswer);
        } else {
            self.reached(Reached::VoteCounted);
            self.node.votes.push((answer.from, !answer.reject));
            self.node.votes.sort_unstable();
        }
        self.governs(Field::Role, Rule::WonByQuorum);
        match quorum::outcome(&self.node.configuration, &self.node.votes) {
            Outcome::Open => self.reached(Reached::VoteOpen),
            Outcome::Lost => {
                self.reached(Reached::Defeated);
                self.become_follower(self.node.state.term, MemberId::NONE);
            }
            Outcome::Won if role == Role::PreCandidate => {
                self.reached(Reached::PreVoteWon);
                self.campaign(Campaign::Election);
            }
            Outcome::Won => {
                self.reached(Reached::Elected);
                self.lead();
            }
        }
        self.commit_by_vote(answer);
    }

    /// The member leads from now on.
    pub fn lead(&mut self) {
        let own = self.node.id;
        self.reset(self.node.state.term);
        (self.node.state.role, self.node.state.leader) = (Role::Leader, own);
        let (term, last) = (self.node.state.term, self.node.log.last().0);
        if let Some(other) = self.shared.leads(term, own) {
            self.broke(Rule::OneLeader, || {
                format!("It leads term {term}, in which member {other} was elected already.")
            });
        }
        for field in [Field::Log, Field::Match, Field::Next, Field::Flow, Field::Active, Field::PendingChange]
        {
            self.governs(field, Rule::LeaderBegins);
        }
        let persisted = self.node.state.persisted;
        *self.node.flows = (self.node.configuration.all().into_iter())
            .map(|id| {
                let mut flow = Flow::new(last + 1);
                if id == own {
                    flow.progress.matched = persisted;
                    flow.replicate();
                }
                (id, flow)
            })
            .collect();
        self.node.state.pending_change = last;
        self.node.state.uncommitted = 0;
        self.append_own(EntryKind::Empty, 1);
        self.broadcast();
    }

    /// A leader adds entries to its log.
    pub fn append_own(&mut self, kind: EntryKind, count: u64) {
        let (term, first) = (self.node.state.term, self.node.log.last().0 + 1);
        self.node.log.push(Run { first, count, term, kind });
        self.node.state.last = self.node.log.last();
        self.replaced_from = self.replaced_from.min(first);
    }
}
