//! The answer to an append or a snapshot at the leader (*HandleAppendEntriesResponse*), and the commit that may follow
//! (*AdvanceCommitIndex*).
//!
//! Paper, section 5.3, 5.4.2 and figure 2. An acknowledgement moves the match index forward, never back. A refusal
//! moves the next entry back unless the refusal is out of date: while probing, if it does not answer the last probe;
//! afterwards, if it refuses what is known to match. With the hint of the refusal, the leader skips entries that cannot
//! agree (etcd-io/raft `raft.go`, `stepLeader`).
//!
//! Allowed: raft 0.7.0 ignores an acknowledgement of what is known already; etcd's raft lets it end a probe.

use record::step::{Message, Mode};
use record::{MessageKind, Role};

use super::act::{Act, Field};
use super::quorum;
use super::reached::Reached;
use super::rule::Rule;

impl Act<'_> {
    /// The answer to an append, of the current term, by a member of the configuration.
    pub fn append_response(&mut self, answer: &Message) {
        if self.node.state.role != Role::Leader {
            return;
        }
        let from = answer.from;
        let Some(flow) = self.node.flow(from) else { return };
        flow.progress.active = true;
        if answer.reject {
            return self.refused(answer);
        }
        let (index, last) = (answer.index, self.node.log.last().0);
        if index > last {
            self.broke(Rule::AcknowledgedExists, || {
                format!("Member {from} acknowledges entry {index}, but the leader's log ends at {last}.")
            });
        }
        let max_inflight = self.node.settings.max_inflight;
        let Some(flow) = self.node.flow(from) else { return };
        let was_paused = flow.is_paused(max_inflight);
        if !flow.acknowledge(index) {
            // Here etcd's raft ends a probe all the same.
            let may_go_on = flow.progress.mode == Mode::Probe && flow.progress.matched == index;
            self.reached(Reached::AckKnown);
            if !may_go_on || self.reported(from).is_none_or(|known| known.mode != Mode::Replicate) {
                return;
            }
        }
        let Some(flow) = self.node.flow(from) else { return };
        match flow.progress.mode {
            Mode::Probe => {
                flow.replicate();
                self.reached(Reached::AckEndsProbe);
            }
            Mode::Snapshot => {
                if flow.progress.matched >= flow.progress.snapshot {
                    flow.probe();
                    self.reached(Reached::AckEndsSnapshot);
                }
            }
            Mode::Replicate => {
                flow.free_to(index);
                self.reached(Reached::AckAdvances);
            }
        }
        if self.advance_commit() {
            self.reached(Reached::AckCommits);
            self.broadcast();
        } else if was_paused {
            self.send_append(from, true);
        }
        self.send_all(from);
        if self.node.state.transferee == from && self.node.matched(from) == last {
            self.reached(Reached::AckOrdersTransfer);
            let order = self.message(MessageKind::TimeoutNow, from);
            self.must_send(&order, Rule::TransferOrder);
        }
    }

    /// A member refuses an append.
    fn refused(&mut self, refusal: &Message) {
        let (from, index) = (refusal.from, refusal.index);
        let first = self.node.state.first;
        let hint = if refusal.log_term > 0 {
            self.node.log.last_up_to(refusal.hint, refusal.log_term, first)
        } else {
            refusal.hint
        };
        let known = self.reported(from);
        let Some(flow) = self.node.flow(from) else { return };
        let matched = flow.progress.matched;
        if flow.progress.mode == Mode::Replicate {
            if index <= matched {
                return self.reached(Reached::RefusalStale);
            }
            flow.probe();
        } else {
            if flow.progress.next != index + 1 {
                return self.reached(Reached::RefusalStale);
            }
            let back = index.min(hint + 1).max(1);
            let right = back.max(matched + 1);
            // The published raft 0.7.0 lets the next entry fall to the match index, or below.
            let falls = back < right && known.is_some_and(|known| known.next == back);
            flow.progress.next = if falls { back } else { right };
            flow.progress.paused = false;
            if falls {
                self.broke(Rule::NextAboveMatch, || {
                    format!(
                        "The next entry for member {from} is {back}, but its log matches up to {matched}."
                    )
                });
            }
        }
        self.governs(Field::Flow, Rule::FlowControl);
        self.reached(Reached::RefusalHeeded);
        self.send_append(from, true);
    }

    /// A leader commits what a quorum has, if it is of its own term. Returns whether the commit index moves.
    pub fn advance_commit(&mut self) -> bool {
        let node = &mut *self.node;
        // Most acknowledgements complete no quorum. To see that costs less than to find what each quorum has.
        let commit = node.state.commit;
        if !quorum::has(&node.configuration, |member| node.matched(member) > commit) {
            return false;
        }
        let index = quorum::matched(&node.configuration, |member| node.matched(member));
        let moves = index > node.state.commit && node.log.has(index, node.state.term);
        if moves {
            node.state.commit = index;
        }
        moves
    }
}
