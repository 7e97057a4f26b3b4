//! S: an executable specification of Raft as etcd runs it. It watches every step of every member.
//!
//! A step is one call into raft ([`record::step`]). [`Specification`] keeps its own copy of each process (`node`). For
//! each step it advances the copy as the specification says, takes from the step's messages those that the action
//! sends, and compares the copy with what the step reports (`compare`). A difference breaks the rule that governs the
//! field; a message that nothing asked for breaks a rule, too. So the specification needs no search: it knows which
//! action took place.
//!
//! The rules, with their sources, are in [`rule`]; the actions, in files of their own, have the names of etcd-io/raft's
//! `tla/etcdraft.tla` where it has them: `tick` (Timeout, Heartbeat, StepDownToFollower), `term` (UpdateTerm,
//! DropStaleResponse), `vote`, `election` (RequestVote, HandleRequestVoteResponse, BecomeLeader), `append`,
//! `acknowledge` (HandleAppendEntriesResponse, AdvanceCommitIndex), `replicate` (AppendEntries, SendSnapshot),
//! `heartbeat`, `snapshot`, `propose` (ClientRequest), `change` (ApplySimpleConfChange), `read`, `transfer`,
//! `host` (Ready, PersistState, SendPendingMessages).
//!
//! Soundness comes first: where `raft` 0.7.0 and etcd's raft differ and both are right, both are allowed, and the file
//! says so. [`known`] lists where the published crate is known to break a rule. How often each way through an action
//! was reached is counted ([`reached`]).
//!
//! Only the first breach of each rule by each member is reported.
//!
//! Not here: messages that the network damages without anybody noticing; time (what must happen within a bound is V1,
//! V3); the content of entries (I2, I4); what a restart must find (I7); members of which no start was seen.
//!
//! It uses nothing from `member` or `raft`.

mod acknowledge;
mod act;
mod append;
mod change;
mod compare;
mod disk;
mod election;
mod heartbeat;
mod host;
pub mod known;
mod log;
mod node;
mod propose;
mod quorum;
pub mod reached;
mod read;
mod replicate;
pub mod rule;
mod shared;
mod snapshot;
mod term;
mod text;
mod tick;
pub mod trace;
mod transfer;
mod vote;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use record::step::{Call, Settings, Start, Step};
use record::{Event, Fact, MemberId, Members, Nanos, Record, Role};

use crate::oracle::Monitor;
use crate::{Oracle, Sheet, Violation};
use act::{Act, Finding, Scratch};
use known::KNOWN;
use node::Node;
use reached::{Counts, Reached};
use rule::Rule;
use shared::Shared;

/// What the plan says about raft and its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configured {
    /// The settings of raft.
    pub settings: Settings,
    /// Whether the raft loop waits for each save (`raft-loop = "blocking"`).
    pub blocking: bool,
}

/// Watches the steps of a run for S.
#[derive(Clone, Debug)]
pub struct Specification {
    /// Whether it watches.
    on: bool,
    /// What the plan says; `None` if that is not known.
    configured: Option<Configured>,
    members: Members<Option<Node>>,
    shared: Shared,
    counts: Counts,
    /// How often each known breach was met.
    known: Vec<u64>,
    /// Which rules each member has broken.
    broken: BTreeSet<(MemberId, Rule)>,
    steps: usize,
    /// What is wrong with the current step.
    found: Vec<Finding>,
    scratch: Scratch,
}

impl Specification {
    /// For a cluster of at most the members 1 to `members`, including those that join later.
    pub fn new(members: u32) -> Specification {
        Specification {
            on: true,
            configured: None,
            members: Members::new(members, |_| None),
            shared: Shared::default(),
            counts: Counts::default(),
            known: vec![0; KNOWN.len()],
            broken: BTreeSet::new(),
            steps: 0,
            found: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// From now on it knows what the plan says about raft and its host.
    pub fn configure(&mut self, configured: Configured) {
        self.configured = Some(configured);
    }

    /// It watches nothing from now on. Members then report no steps, which saves time.
    pub fn switch_off(&mut self) {
        self.on = false;
    }

    /// How often the run reached each way through an action.
    pub fn reached(&self) -> &Counts {
        &self.counts
    }

    /// All counts that are not 0, by name. A known breach has the name of its rule, after `known-`.
    pub fn counts_by_name(&self) -> BTreeMap<String, u64> {
        let reached =
            Reached::ALL.iter().map(|reached| (reached.name().to_string(), self.counts.of(*reached)));
        let known =
            KNOWN.iter().zip(&self.known).map(|(row, count)| (format!("known-{}", row.rule.name()), *count));
        reached.chain(known).filter(|(_, count)| *count > 0).collect()
    }

    /// A process started.
    fn start(&mut self, member: MemberId, step: &Step, start: &Start) {
        self.counts.count(Reached::Restarted);
        let mut node = Node::new(member, start, step.after);
        if let Some(Configured { settings, blocking }) = self.configured {
            node.blocking = blocking;
            if start.settings != settings {
                let sentence = format!("Raft started with {:?}, and not with {settings:?}.", start.settings);
                self.found.push(Finding { rule: Rule::Configured, sentence, due: None });
            }
        }
        let after = &step.after;
        let sound = after.role == Role::Follower
            && after.leader.is_none()
            && after.transferee.is_none()
            && (after.elapsed, after.since_heartbeat, after.pending_change, after.snapshot) == (0, 0, 0, 0)
            && after.last == node.log.last()
            && (after.persisted, after.handed_over) == (after.last.0, after.last.0)
            && after.applied <= after.commit
            && after.commit <= after.last.0
            && step.out.is_empty();
        if !sound {
            let sentence = format!("It started with {after:?}; its log ends at {:?}.", node.log.last());
            self.found.push(Finding { rule: Rule::Restart, sentence, due: None });
        }
        if let Some(known) = self.shared.found(after.applied, &start.configuration) {
            let sentence = format!(
                "It started with {}, where others have {} after entry {}.",
                text::configuration(&start.configuration),
                text::configuration(known),
                after.applied
            );
            self.found.push(Finding { rule: Rule::ConfigurationsAgree, sentence, due: None });
        }
        self.members[member] = Some(node);
    }

    /// Judges a step of a process that runs.
    #[inline]
    fn judge(&mut self, member: MemberId, step: &Step) {
        let Some(node) = &mut self.members[member] else { return };
        let shared = (&mut self.shared, &mut self.counts);
        let mut act = Act::new(node, step, shared, &mut self.found, &mut self.scratch);
        act.perform();
        // Messages leave without a call into raft. Such a step repeats the state of the one before, which was compared.
        if !matches!(step.call, Call::Release { .. }) {
            act.compare();
        }
        node.log.trim(step.after.first);
    }

    /// Reports what a step broke.
    #[cold]
    fn report(&mut self, time: Nanos, member: MemberId, step: &Step, sheet: &mut Sheet) {
        // A wrong state comes before the messages that follow from it.
        self.found.sort_by_key(|finding| finding.rule.is_of_messages());
        for finding in std::mem::take(&mut self.found) {
            if let Some(row) = known::row(&finding, step) {
                self.known[row] += 1;
                continue;
            }
            let rule = finding.rule;
            if !self.broken.insert((member, rule)) {
                continue;
            }
            let input = match &step.call {
                Call::Receive(message) => text::message(message),
                Call::ApplyChange(change) => text::change(change),
                Call::Propose { kind, bytes } => format!("an entry of kind {kind:?} with {bytes} bytes"),
                other => format!("{other:?}"),
            };
            let title = format!("member {member} broke the rule {}", rule.name());
            let violation = Violation::new(Oracle::S, time, title)
                .say(text::of_member(member, &finding.sentence))
                .say(format!("The step of member {member} was {}: {input}.", step.call.name()))
                .say(format!("The rule {} says: {} ({}.)", rule.name(), rule.says(), rule.source()))
                .seen_in([format!("member {member} after the step: {:?}", step.after)]);
            sheet.add(violation);
        }
    }
}

impl Monitor for Specification {
    #[inline]
    fn event(&mut self, event: &Event, _: &mut Sheet) {
        match event.fact {
            Fact::JobDone { job, synced: true, .. } => {
                if let Some(node) = self.members.get_mut(event.member).and_then(Option::as_mut) {
                    node.disk.synced(job);
                }
            }
            Fact::Stopped(_) => {
                if let Some(member) = self.members.get_mut(event.member) {
                    *member = None;
                }
            }
            _ => {}
        }
    }

    fn wants_steps(&self) -> bool {
        self.on
    }

    #[inline]
    fn step(&mut self, time: Nanos, member: MemberId, step: &Step, sheet: &mut Sheet) {
        if !self.on || !self.members.contains(member) {
            return;
        }
        self.steps += 1;
        match &step.call {
            Call::Start(start) => self.start(member, step, start),
            _ => self.judge(member, step),
        }
        if !self.found.is_empty() {
            self.report(time, member, step, sheet);
        }
    }

    fn end(&mut self, _: &Record, sheet: &mut Sheet) {
        if self.on {
            sheet.checked(Oracle::S, "steps", self.steps);
        }
    }
}
