//! Begins and ends the plan's faults. The part of the simulator that does this is called the nemesis, as in Jepsen.
//! Each family of faults has a file.
//!
//! A fault strikes at a time, or after a condition such as "there is a leader" has become true. Its target may
//! be a group such as `leader`. Which members that group means is decided only when the fault strikes; if there is a
//! choice, draws keyed by the fault's number make it. What the fault has changed is kept as a value ([`Undo`]), so that
//! its end undoes exactly that.

mod clocks;
mod disk;
mod network;
mod process;
mod target;
mod undo;

use std::collections::BTreeMap;

use keyed::{Domain, Keyed};
use schedule::{Condition, FaultKind, Part, Plan, Target, Trigger};
use trace::{Fact, MemberId, Members, Nanos};

pub(crate) use self::disk::inject;
use self::undo::{Scope, Undo};
use crate::deeds::Deed;
use crate::disk::Atlas;
use crate::happening::Happening;
use crate::network::Party;
use crate::strike::{Reach, Strike};
use crate::system::System;

/// The domain in which the targets of faults are drawn.
const TARGET: Domain = Domain::new("world fault target");

/// A fault that has begun and not ended.
struct ActiveFault {
    /// The members that it struck and for which it has not ended.
    members: Vec<MemberId>,
    /// What must be undone when it ends.
    undo: Undo,
}

/// A fault that waits for its condition.
struct WaitingFault {
    /// Its index in the plan.
    fault: usize,
    /// What it waits for.
    condition: Condition,
    /// The condition is not checked before this time.
    from: Nanos,
    /// Time between the condition and the fault.
    delay: Nanos,
}

/// The faults of a run.
pub(crate) struct Nemesis {
    /// Decides which disks may be damaged.
    atlas: Atlas,
    /// The faults that wait for their conditions.
    waiting: Vec<WaitingFault>,
    /// The faults that have begun and not ended, by index in the plan.
    active: BTreeMap<usize, ActiveFault>,
    /// For each member, whether the plan says that it may refuse to start.
    expected: Members<bool>,
    /// Whether the chaos phase is over: no fault begins any more.
    pub(crate) over: bool,
}

impl Nemesis {
    pub(crate) fn new<P: Part>(plan: &Plan<P>) -> Nemesis {
        let members = plan.cluster.members;
        let expected = Members::new(plan.most_members(), |member| plan.expect.refusals.contains(&member));
        let removed = plan.faults.iter().filter(|fault| fault.kind.effect().removes_member).count() as u32;
        Nemesis {
            // Removals make the cluster smaller. The smallest cluster can bear the least damage.
            atlas: Atlas::new(members.saturating_sub(removed).max(1)),
            waiting: Vec::new(),
            active: BTreeMap::new(),
            expected,
            over: false,
        }
    }

    /// Whether a member may refuse to start without that being a violation: its disk was damaged, or the plan expects
    /// it.
    pub(crate) fn excuses_refusal(&self, member: MemberId) -> bool {
        self.expected[member] || self.is_damaged(member)
    }

    /// Whether the member's disk was damaged or lost.
    pub(crate) fn is_damaged(&self, member: MemberId) -> bool {
        self.atlas.is_damaged(member)
    }

    /// Schedules the faults that have a time, and lists those that wait for a condition.
    pub(crate) fn schedule<S: System>(&mut self, reach: &mut Reach<'_, S>) {
        for (at, fault) in reach.plan.faults.iter().enumerate() {
            match fault.when {
                Trigger::At(time) => reach.at(time, Happening::FaultBegins { fault: at }),
                Trigger::When { condition, from, delay } => {
                    self.waiting.push(WaitingFault { fault: at, condition, from, delay });
                }
            }
        }
    }

    /// Whether a fault waits for its condition.
    pub(crate) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Schedules the faults whose conditions have become true.
    pub(crate) fn conditions<S: System>(&mut self, reach: &mut Reach<'_, S>) {
        let now = reach.now;
        let progress = reach.progress;
        let is_due = |waiting: &mut WaitingFault| now >= waiting.from && progress.is_met(&waiting.condition);
        for WaitingFault { fault, delay, .. } in self.waiting.extract_if(.., is_due) {
            reach.at(now + delay, Happening::FaultBegins { fault });
        }
    }

    /// A fault strikes.
    pub(crate) fn begin<S: System>(&mut self, at: usize, reach: &mut Reach<'_, S>) {
        if self.over {
            return;
        }
        let plan = reach.plan;
        let fault = &plan.faults[at];
        let draw = Keyed::new(reach.seed, TARGET).draw(u64::from(fault.id), 0);
        let mut members = reach.resolve(&fault.target, draw);
        if members.is_empty() && matches!(&fault.target, Target::Members(_)) {
            return; // its members have all left the cluster
        }
        if fault.kind.effect().damages {
            // The atlas decides which disks may be damaged, so that a quorum keeps its data.
            members.retain(|member| {
                let admitted = self.atlas.may_damage(*member, &fault.kind);
                if !admitted {
                    reach.deeds.push(Deed::Count("refused-by-atlas"));
                }
                admitted
            });
            if members.is_empty() {
                return;
            }
        }
        let targets = reach.resolve_parties(&fault.target, draw);
        tracing::debug!(fault = at, kind = fault.kind.name(), ?members, "fault begins");
        note_fault(at, &members, true, reach);
        let strike = Strike { fault: at as u32, members: &members, targets: &targets, draw };
        let undo = match &fault.kind {
            FaultKind::Network(kind) => reach.begin_network(kind, &strike),
            FaultKind::Disk(kind) => reach.begin_disk(kind, &strike),
            FaultKind::Clock(kind) => reach.begin_clock(kind, &strike),
            FaultKind::Process(kind) => reach.begin_process(kind, &strike),
            FaultKind::Task(_) => {
                reach.deeds.push(Deed::Task { fault: at, members: members.clone(), draw });
                Undo::Nothing
            }
        };
        self.active.insert(at, ActiveFault { members, undo });
        if let Some(duration) = fault.duration.filter(|_| !fault.kind.lasts_from_its_strike()) {
            reach.at(reach.now + duration, Happening::FaultEnds { fault: at });
        }
    }

    /// A fault reaches its planned end. After a partial healing, this also ends what the healing left of it.
    pub(crate) fn end<S: System>(&mut self, at: usize, reach: &mut Reach<'_, S>) {
        let Some(ActiveFault { members, mut undo }) = self.active.remove(&at) else { return };
        tracing::debug!(fault = at, kind = reach.plan.faults[at].kind.name(), "fault ends");
        note_fault(at, &members, false, reach);
        reach.undo(at as u32, &mut undo, &Scope::everything(&members));
    }

    /// A flapping partition is cut or joined.
    pub(crate) fn flap<S: System>(&mut self, at: usize, reach: &mut Reach<'_, S>) {
        if let Some(ActiveFault { members, undo: Undo::Flapping(flapping) }) = self.active.get_mut(&at) {
            reach.flap(at, flapping, members);
        }
    }

    /// The chaos phase is over: no fault begins any more. Returns the faults that have begun and not ended.
    pub(crate) fn stop(&mut self) -> Vec<usize> {
        self.over = true;
        self.active.keys().copied().collect()
    }

    /// Ends a fault; or, if not all members are healed, only its effect among those that are. Elsewhere it stays until
    /// the fault's own end.
    pub(crate) fn heal<S: System>(&mut self, at: usize, healed: &Members<bool>, reach: &mut Reach<'_, S>) {
        if healed.values().all(|healed| *healed) {
            return self.end(at, reach);
        }
        let Some(active) = self.active.get_mut(&at) else { return };
        let members = healed.iter().filter(|(_, healed)| **healed).map(|(member, _)| Party::Member(member));
        // Clients and operators are healed, too.
        let parties: Vec<Party> = members.chain(reach.network.clients()).collect();
        let freed: Vec<MemberId> = active.members.extract_if(.., |member| healed[*member]).collect();
        reach.undo(at as u32, &mut active.undo, &Scope::among(&freed, &parties));
    }
}

/// Records that a fault begins or ends: one fact for each member it strikes, or a single fact without a member.
fn note_fault<S: System>(at: usize, members: &[MemberId], begins: bool, reach: &mut Reach<'_, S>) {
    let kind = &reach.plan.faults[at].kind;
    let fact = Fact::Fault {
        fault: at as u32,
        what: kind.name(),
        kind: kind.number(),
        effect: kind.effect(),
        begins,
    };
    if members.is_empty() {
        reach.note(MemberId::NONE, fact.clone());
    }
    for member in members {
        reach.note(*member, fact.clone());
    }
}
