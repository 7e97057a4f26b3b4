//! Begins and ends the plan's faults. The part of the simulator that does this is called the nemesis, as in Jepsen.
//! Each family of faults has a file.
//!
//! A fault strikes at a time, or after a condition such as "there is a leader" has become true. Its target may
//! be a group such as `leader`. That group becomes members only when the fault strikes; draws keyed by the
//! fault's number decide where there is a choice. What the fault has changed is kept as a value ([`Undo`]),
//! so that its end undoes exactly that.

mod clocks;
mod disk;
mod network;
mod operators;
mod process;
mod target;
mod undo;

use std::collections::BTreeMap;

use keyed::{Domain, Draw, Keyed};
use plan::{Condition, Fault, FaultKind, Plan, Target, Trigger};
use record::{Fact, MemberId, Members, Nanos};

use self::undo::{Scope, Undo};
use crate::disk::Atlas;
use crate::network::Party;
use crate::world::{Happening, World};

/// The name under which the targets of faults are drawn.
const TARGET: Domain = Domain::new("world fault target");

/// A fault that has begun and not ended.
struct ActiveFault {
    /// Those of the members it struck for which it has not ended.
    members: Vec<MemberId>,
    /// What must be undone when it ends.
    undo: Undo,
}

/// A fault that strikes now, with its resolved targets.
struct Strike<'a> {
    /// Its index in the plan.
    fault: u32,
    members: &'a [MemberId],
    /// Its targets as parties of the network: members or clients.
    targets: &'a [Party],
    /// The draw that decides its choices.
    draw: Draw,
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
    keyed: Keyed,
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
    pub(crate) fn new(plan: &Plan) -> Nemesis {
        let members = plan.cluster.members;
        let expected = Members::new(plan.most_members(), |member| plan.expect.refusals.contains(&member));
        let removed = plan.faults.iter().filter(|fault| fault.kind.effect().removes_member).count() as u32;
        Nemesis {
            keyed: Keyed::new(plan.seed, TARGET),
            // Removals make the cluster smaller. The smallest cluster can bear the least damage.
            atlas: Atlas::new(members.saturating_sub(removed).max(1)),
            waiting: Vec::new(),
            active: BTreeMap::new(),
            expected,
            over: false,
        }
    }

    /// Whether it is no violation if a member refuses to start: its disk was damaged, or the plan expects it.
    pub(crate) fn excuses_refusal(&self, member: MemberId) -> bool {
        self.expected[member] || self.is_damaged(member)
    }

    /// Whether the member's disk was damaged or lost.
    pub(crate) fn is_damaged(&self, member: MemberId) -> bool {
        self.atlas.is_damaged(member)
    }

    /// The draw that decides a fault's choices.
    fn draw(&self, fault: &Fault) -> Draw {
        self.keyed.draw(u64::from(fault.id), 0)
    }
}

impl World<'_> {
    /// Schedules the faults that have a time, and lists those that wait for a condition.
    pub(crate) fn schedule_faults(&mut self) {
        for (at, fault) in self.plan.faults.iter().enumerate() {
            match fault.when {
                Trigger::At(time) => self.queue.push(time, Happening::FaultBegins { fault: at }),
                Trigger::When { condition, from, delay } => {
                    self.nemesis.waiting.push(WaitingFault { fault: at, condition, from, delay });
                }
            }
        }
    }

    /// Schedules the faults whose conditions have become true.
    pub(crate) fn conditions(&mut self) {
        if self.nemesis.waiting.is_empty() {
            return;
        }
        let now = self.now();
        let progress = &self.progress;
        let is_due = |waiting: &mut WaitingFault| now >= waiting.from && progress.is_met(&waiting.condition);
        for WaitingFault { fault, delay, .. } in self.nemesis.waiting.extract_if(.., is_due) {
            self.queue.push(now + delay, Happening::FaultBegins { fault });
        }
    }

    /// A fault strikes.
    pub(crate) fn fault_begins(&mut self, at: usize) {
        if self.nemesis.over {
            return;
        }
        let plan = self.plan;
        let fault: &Fault = &plan.faults[at];
        let draw = self.nemesis.draw(fault);
        let mut members = self.resolve(&fault.target, draw);
        if members.is_empty() && matches!(&fault.target, Target::Members(_)) {
            return; // its members have all left the cluster
        }
        if fault.kind.effect().damages {
            // The atlas decides which disks may be damaged, so that a quorum keeps its data.
            members.retain(|member| {
                let admitted = self.nemesis.atlas.may_damage(*member, &fault.kind);
                if !admitted {
                    self.recorder.count("refused-by-atlas");
                }
                admitted
            });
            if members.is_empty() {
                return;
            }
        }
        let targets = self.resolve_parties(&fault.target, draw);
        tracing::debug!(fault = at, kind = fault.kind.name(), ?members, "fault begins");
        self.note_fault(at, &members, true);
        let strike = Strike { fault: at as u32, members: &members, targets: &targets, draw };
        let undo = match &fault.kind {
            FaultKind::Network(kind) => self.begin_network(kind, &strike),
            FaultKind::Disk(kind) => self.begin_disk(kind, &strike),
            FaultKind::Clock(kind) => self.begin_clock(kind, &strike),
            FaultKind::Process(kind) => self.begin_process(kind, &strike),
            FaultKind::Task(task) => self.begin_operator(task, &strike),
        };
        self.nemesis.active.insert(at, ActiveFault { members, undo });
        if let Some(duration) = fault.duration.filter(|_| !fault.kind.lasts_from_its_strike()) {
            self.queue.push(self.now() + duration, Happening::FaultEnds { fault: at });
        }
    }

    /// The time of a fault is over. After a partial healing, that also ends what the healing left of it.
    pub(crate) fn fault_ends(&mut self, at: usize) {
        let Some(ActiveFault { members, mut undo }) = self.nemesis.active.remove(&at) else { return };
        let fault = &self.plan.faults[at];
        tracing::debug!(fault = at, kind = fault.kind.name(), "fault ends");
        self.note_fault(at, &members, false);
        self.undo(at as u32, &mut undo, &Scope::everything(&members));
    }

    /// Records that a fault begins or ends: one fact for each member it strikes, or a single fact without a
    /// member.
    fn note_fault(&mut self, at: usize, members: &[MemberId], begins: bool) {
        let kind = &self.plan.faults[at].kind;
        let fact = Fact::Fault {
            fault: at as u32,
            what: kind.name(),
            kind: kind.number(),
            effect: kind.effect(),
            begins,
        };
        if members.is_empty() {
            self.note(MemberId::NONE, fact.clone());
        }
        for member in members {
            self.note(*member, fact.clone());
        }
    }

    /// Ends all faults; or, if `core` does not have all members, only their effects within it. Outside the
    /// core a fault stays until its own time is over.
    pub(crate) fn end_faults(&mut self, core: &Members<bool>) {
        self.nemesis.over = true;
        let active: Vec<usize> = self.nemesis.active.keys().copied().collect();
        if core.values().all(|core| *core) {
            active.into_iter().for_each(|at| self.fault_ends(at));
            return;
        }
        // Clients and operators are healed with the core.
        let members = core.iter().filter(|(_, healed)| **healed).map(|(member, _)| Party::Member(member));
        let healed: Vec<Party> = members.chain((0..=self.operator()).map(Party::Client)).collect();
        for at in active {
            let mut active = self.nemesis.active.remove(&at).expect("it was there a moment ago");
            let freed: Vec<MemberId> = active.members.extract_if(.., |member| core[*member]).collect();
            self.undo(at as u32, &mut active.undo, &Scope::among(&freed, &healed));
            self.nemesis.active.insert(at, active);
        }
    }
}
