//! A tick of raft's clock: the election timeout of members that do not lead (*Timeout* in `etcdraft.tla`), the
//! heartbeats of the leader (*Heartbeat*), and whether it still has a quorum (*StepDownToFollower*).
//!
//! Paper, section 5.2; thesis, section 6.2 for check-quorum. In etcd, a leader checks once per election timeout whether
//! a quorum has answered since its last check.

use record::step::{Context, Message};
use record::{MemberId, MessageKind, Role};

use super::act::{Act, Field};
use super::election::Campaign;
use super::quorum;
use super::reached::Reached;
use super::rule::Rule;

impl Act<'_> {
    /// A tick.
    pub fn tick(&mut self) {
        self.node.state.elapsed += 1;
        if self.node.state.role == Role::Leader {
            return self.tick_of_leader();
        }
        for field in [Field::Term, Field::Role, Field::Vote] {
            self.governs(field, Rule::CampaignDue);
        }
        // The host draws the timeout; what counts is the timeout before the step.
        if self.node.state.elapsed < self.before.timeout {
            return self.reached(Reached::TimeoutNotDue);
        }
        if !self.node.votes_in_configuration() {
            for field in [Field::Term, Field::Role, Field::Vote] {
                self.governs(field, Rule::CampaignVotersOnly);
            }
            return self.reached(Reached::TimeoutNoVoter);
        }
        self.node.state.elapsed = 0;
        self.hup(None);
    }

    /// A campaign is due; `order` is set if the leader ordered it.
    pub fn hup(&mut self, order: Option<Campaign>) {
        if self.node.state.role == Role::Leader {
            return self.reached(Reached::CampaignAsLeader);
        }
        if self.has_change_to_apply() {
            for field in [Field::Term, Field::Role, Field::Vote, Field::Leader, Field::Votes] {
                self.governs(field, Rule::CampaignGuard);
            }
            return self.reached(Reached::TimeoutHasChange);
        }
        let usual = if self.node.settings.pre_vote { Campaign::PreVote } else { Campaign::Election };
        self.campaign(order.unwrap_or(usual));
    }

    /// A tick of a leader.
    fn tick_of_leader(&mut self) {
        self.node.state.since_heartbeat += 1;
        if self.node.state.elapsed >= self.node.settings.election {
            self.node.state.elapsed = 0;
            if self.node.settings.check_quorum {
                self.check_quorum();
            }
            let state = &mut self.node.state;
            if state.role == Role::Leader && !state.transferee.is_none() {
                state.transferee = MemberId::NONE;
                self.reached(Reached::TransferGivenUp);
            }
        }
        if self.node.state.role != Role::Leader {
            return;
        }
        if self.node.state.since_heartbeat >= self.node.settings.heartbeat {
            self.node.state.since_heartbeat = 0;
            let context = self.node.reads.last().map_or(Context::None, |read| read.context);
            self.heartbeats(context);
        }
    }

    /// A leader checks whether a quorum has answered since its last check.
    fn check_quorum(&mut self) {
        self.governs(Field::Role, Rule::CheckQuorum);
        let own = self.node.id;
        let node = &mut *self.node;
        let is_active = |id: MemberId| {
            id == own || node.flows.iter().any(|(other, flow)| *other == id && flow.progress.active)
        };
        let active = quorum::has(&node.configuration, is_active);
        node.flows.iter_mut().for_each(|(id, flow)| flow.progress.active = *id == own);
        if active {
            return self.reached(Reached::QuorumActive);
        }
        self.reached(Reached::QuorumLost);
        self.become_follower(self.node.state.term, MemberId::NONE);
    }

    /// A leader sends heartbeats to all others.
    pub fn heartbeats(&mut self, context: Context) {
        self.reached(Reached::HeartbeatsSent);
        let own = self.node.id;
        for at in 0..self.node.flows.len() {
            let (to, matched) = (self.node.flows[at].0, self.node.flows[at].1.progress.matched);
            if to == own {
                continue;
            }
            let (term, commit) = (self.node.state.term, matched.min(self.node.state.commit));
            let sent = self.take(to, [MessageKind::Heartbeat; 2]);
            match sent {
                None => {
                    let heartbeat = self.message(MessageKind::Heartbeat, to);
                    self.lacks(Rule::HeartbeatDue, Message { commit, context, ..heartbeat });
                }
                Some(sent) if sent.context != context => self.broke(Rule::HeartbeatDue, || {
                    format!(
                        "Its heartbeat to member {to} has the context {:?}, and not {context:?}.",
                        sent.context
                    )
                }),
                Some(sent) if (sent.term, sent.commit) != (term, commit) => {
                    self.broke(Rule::HeartbeatTrue, || {
                        format!(
                            "Its heartbeat of term {} to member {to} has the commit index {}, and not {commit}: member \
                             {to} is known to match up to {matched}.",
                            sent.term, sent.commit
                        )
                    });
                }
                Some(_) => {}
            }
        }
    }
}
