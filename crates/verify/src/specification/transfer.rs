//! A transfer of leadership (thesis, section 3.10; etcd-io/raft `raft.go`, `stepLeader`).
//!
//! A leader transfers to one other voter at a time. It brings the successor's log up to date, then orders it to campaign
//! at once. It takes no proposals meanwhile, and gives up after an election timeout (`tick.rs`).

use record::step::Message;
use record::{MemberId, MessageKind, Role};

use super::act::Act;
use super::reached::Reached;
use super::rule::Rule;

impl Act<'_> {
    /// Leadership is to go to a member.
    pub fn transfer(&mut self, to: MemberId) {
        let state = self.node.state;
        match state.role {
            Role::Leader => self.transfer_at_leader(to),
            Role::Follower if !state.leader.is_none() => {
                self.reached(Reached::TransferForwarded);
                let passed_on = Message {
                    term: state.term,
                    ..Message::new(MessageKind::TransferLeader, to, state.leader)
                };
                self.must_send(&passed_on, Rule::TransferState);
            }
            Role::Follower | Role::PreCandidate | Role::Candidate => self.reached(Reached::TransferNoLeader),
        }
    }

    fn transfer_at_leader(&mut self, to: MemberId) {
        let configuration = &self.node.configuration;
        if !configuration.has(to) || configuration.learners.contains(&to) {
            return self.reached(Reached::TransferToNobody);
        }
        let (own, last) = (self.node.id, self.node.log.last().0);
        let state = &mut self.node.state;
        if state.transferee == to {
            return self.reached(Reached::TransferRepeated);
        }
        if !state.transferee.is_none() {
            state.transferee = MemberId::NONE;
            self.counts.count(Reached::TransferReplaced);
        }
        if to == own {
            return self.reached(Reached::TransferToSelf);
        }
        (state.elapsed, state.transferee) = (0, to);
        self.reached(Reached::TransferBegun);
        if self.node.matched(to) == last {
            self.reached(Reached::TransferOrdered);
            let order = self.message(MessageKind::TimeoutNow, to);
            self.must_send(&order, Rule::TransferOrder);
        } else {
            self.send_append(to, true);
        }
    }
}
