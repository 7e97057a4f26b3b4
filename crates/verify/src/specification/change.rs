//! A committed change of the configuration takes effect (*ApplySimpleConfChange*), and what follows.
//!
//! Paper, section 6; thesis, sections 4.1 to 4.3. One change takes effect at once, and moves at most one voter; several
//! take effect through a joint configuration, whose old half must agree to everything until the cluster leaves the
//! joint configuration. A voter of the old half that is to become a learner becomes one only then.
//!
//! Unlike in the paper, a configuration takes effect when its entry is applied and not when it enters the log
//! (etcd-io/raft `doc.go`); `CampaignGuard` makes that safe.

use record::step::{Change, Configuration, EntryKind, MemberChange, Transition};
use record::{MemberId, Role};

use super::act::{Act, Field};
use super::node::Flow;
use super::quorum;
use super::reached::Reached;
use super::rule::Rule;
use super::text;

/// The configuration after a change; `None` if the change does not fit.
pub(super) fn changed(configuration: &Configuration, change: &Change) -> Option<Configuration> {
    let mut new = configuration.clone();
    if change.transition == Transition::Auto && change.changes.is_empty() {
        new.learners.append(&mut new.learners_next);
        new.outgoing.clear();
        new.auto_leave = false;
        new.learners.sort_unstable();
        return configuration.is_joint().then_some(new);
    }
    if configuration.is_joint() {
        return None;
    }
    let joint = change.transition != Transition::Auto || change.changes.len() > 1;
    if joint {
        new.outgoing.clone_from(&new.voters);
        new.auto_leave = change.transition != Transition::Explicit;
    }
    for (kind, member) in change.changes.iter().filter(|(_, member)| !member.is_none()) {
        let was_learner = new.learners.contains(member);
        if *kind == MemberChange::Learner && was_learner {
            continue;
        }
        for list in [&mut new.voters, &mut new.learners, &mut new.learners_next] {
            list.retain(|other| other != member);
        }
        match kind {
            MemberChange::Voter => new.voters.push(*member),
            MemberChange::Learner if new.outgoing.contains(member) => new.learners_next.push(*member),
            MemberChange::Learner => new.learners.push(*member),
            MemberChange::Remove => {}
        }
    }
    for list in [&mut new.voters, &mut new.learners, &mut new.learners_next] {
        list.sort_unstable();
    }
    let apart = new.voters.iter().filter(|member| !configuration.voters.contains(member)).count()
        + configuration.voters.iter().filter(|member| !new.voters.contains(member)).count();
    (!new.voters.is_empty() && (joint || apart <= 1)).then_some(new)
}

impl Act<'_> {
    /// The host applies a change of the configuration.
    pub fn apply_change(&mut self, change: &Change) {
        let Some(new) = changed(&self.node.configuration, change) else {
            let before = text::configuration(&self.node.configuration);
            return self.broke(Rule::ConfigurationApplied, || {
                format!("The change {change:?} does not fit {before}.")
            });
        };
        let was_joint = self.node.configuration.is_joint();
        self.reached(match (was_joint, new.is_joint()) {
            (false, true) => Reached::JointEntered,
            (true, false) => Reached::JointEnded,
            _ if new == self.node.configuration => Reached::ChangedNothing,
            _ => Reached::ChangedSimply,
        });
        self.node.configuration = new;
        self.agree();
        if self.node.state.role != Role::Leader {
            return;
        }
        self.track();
        if !self.node.votes_in_configuration() || self.node.configuration.voters.is_empty() {
            return;
        }
        if self.advance_commit() {
            self.reached(Reached::ChangeCommits);
            self.broadcast();
        } else {
            for at in 0..self.node.flows.len() {
                let to = self.node.flows[at].0;
                if to != self.node.id {
                    self.send_append(to, false);
                }
            }
        }
        self.reads_of_smaller_quorum();
        let transferee = self.node.state.transferee;
        if !transferee.is_none() && !self.node.configuration.has_voter(transferee) {
            self.node.state.transferee = MemberId::NONE;
            self.reached(Reached::ChangeEndsTransfer);
        }
    }

    /// All members must have the same configuration after this entry.
    fn agree(&mut self) {
        let node = &mut *self.node;
        let after = node.changed.max(node.state.applied);
        let Some(index) = node.log.change(after, node.state.commit) else {
            let commit = node.state.commit;
            return self.broke(Rule::ConfigurationApplied, || {
                format!(
                    "It applies a change, but between {after} and its commit index {commit} its log has none."
                )
            });
        };
        node.changed = index;
        // What the step reports counts, if it reports something else.
        let reported = self.step.changed.configuration.as_deref();
        let configuration = reported.unwrap_or(&self.node.configuration);
        if let Some(other) = self.shared.configured(index, configuration) {
            let [own, other] = [configuration, other].map(text::configuration);
            self.broke(Rule::ConfigurationsAgree, || {
                format!("After entry {index} its configuration is {own}, and that of others {other}.")
            });
        }
    }

    /// A leader tracks the members of the new configuration.
    fn track(&mut self) {
        // A new member is probed with the last entry (etcd-io/raft confchange.go, `initProgress`).
        let next = self.node.log.last().0.max(1);
        let all = self.node.configuration.all();
        self.node.flows.retain(|(id, _)| all.contains(id));
        for id in all {
            if self.node.flow_at(id).is_none() {
                // A new member counts as active: it had no chance to answer yet.
                let mut flow = Flow::new(next);
                flow.progress.active = true;
                self.node.flows.push((id, flow));
            }
        }
        self.node.flows.sort_unstable_by_key(|(id, _)| *id);
    }

    /// With a smaller quorum, the newest read may be confirmed already, and with it all others.
    fn reads_of_smaller_quorum(&mut self) {
        let node = &*self.node;
        let Some(read) = node.reads.last() else { return };
        let own = node.id;
        let confirmed =
            quorum::has(&node.configuration, |member| member == own || read.acks.contains(&member));
        if confirmed {
            self.reached(Reached::ChangeConfirmsRead);
            self.answer_reads(self.node.reads.len());
        }
    }

    /// The host has applied everything up to `index`.
    pub fn applied(&mut self, index: u64) {
        let state = &mut self.node.state;
        let before = std::mem::replace(&mut state.applied, index);
        let (commit, persisted, to_apply) = (state.commit, state.persisted, self.node.to_apply);
        if index < before || index > commit.min(persisted) || index > to_apply {
            self.broke(Rule::AppliedWhenCommitted, || {
                format!(
                    "It has applied {index} after {before}; its commit index is {commit}, {persisted} is durable, and \
                     entries up to {to_apply} were handed over."
                )
            });
        }
        let state = &self.node.state;
        let passes = before <= state.pending_change && index >= state.pending_change;
        if self.node.configuration.auto_leave && passes && state.role == Role::Leader {
            self.reached(Reached::JointLeaves);
            for field in [Field::Log, Field::PendingChange] {
                self.governs(field, Rule::JointLeft);
            }
            self.append_own(EntryKind::Leave, 1);
            self.node.state.pending_change = self.node.log.last().0;
        }
    }

    /// The host makes a leader a follower of nobody.
    pub fn step_down(&mut self) {
        let node = &*self.node;
        let may = node.state.role == Role::Leader && !node.configuration.has(node.id);
        if !may {
            self.broke(Rule::StepDownRemoved, || {
                "The host made it a follower, although it does not lead or has not left the configuration."
                    .to_string()
            });
        }
        self.reached(Reached::RemovedLeader);
        self.become_follower(self.node.state.term, MemberId::NONE);
    }
}
