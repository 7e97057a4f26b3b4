//! Brings a saved plan back to where its failure was. With a build that takes other steps, the plan may no longer get
//! there: then it holds, but that proves nothing. So small changes to its times, and other draws, are tried until it
//! again reaches what the failing run reached ([`Landmarks`]).

use keyed::{Domain, Draw, Keyed};
use plan::{Noise, Plan, Trigger};
use record::{Nanos, TraceHash};
use verify::describe;

use crate::execute::{Outcome, run_plan};
use crate::landmarks::Landmarks;
use crate::report::Failure;
use crate::why::Runs;

/// The name under which changes are drawn.
const CHANGE: Domain = Domain::new("aim: change of a plan");
/// How many changed plans are tried at once; the best of them is changed further. It is fixed, so that the result does
/// not depend on the machine.
const ROUND: usize = 8;
/// The smallest and the largest shift of a time.
const SHIFT: (Nanos, Nanos) = (1_000_000, 3_000_000_000);

/// A changed plan, and where it gets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Aimed {
    /// The plan.
    pub plan: Plan,
    /// What was changed, in words.
    pub changes: Vec<String>,
    /// The hash of its run.
    pub trace_hash: TraceHash,
    /// What it does not reach.
    pub missing: Vec<String>,
    /// The failure, if it fails.
    pub failure: Option<Failure>,
    /// How many changed plans were tried.
    pub tries: usize,
}

impl Aimed {
    /// Whether the search can stop: the plan reaches everything, or it fails, which is what a saved plan is for.
    fn is_there(&self) -> bool {
        self.missing.is_empty() || self.failure.is_some()
    }
}

/// Changes a plan until it reaches what it should, at most `tries` times. `None` if the simulator fails on the plan
/// itself.
pub fn aim(plan: &Plan, goal: &Landmarks, tries: usize, runs: &Runs<'_>) -> Option<Aimed> {
    let mut best = tried(plan.clone(), Vec::new(), goal)?;
    let mut tried_so_far = 0;
    while !best.is_there() && tried_so_far < tries {
        let round = ROUND.min(tries - tried_so_far);
        let change = |nth: usize| {
            let draw = Keyed::new(plan.seed, CHANGE).draw((tried_so_far + nth) as u64, 0);
            let (plan, mut changes) = changed(&best.plan, draw);
            changes.splice(0..0, best.changes.iter().cloned());
            tried(plan, changes, goal)
        };
        let Some(results) = runs.all(round, change) else { break };
        tried_so_far += round;
        let key = |aimed: &Aimed| (aimed.failure.is_none(), aimed.missing.len());
        if let Some(better) =
            results.into_iter().flatten().min_by_key(key).filter(|new| key(new) < key(&best))
        {
            best = better;
        }
        best.tries = tried_so_far;
    }
    Some(best)
}

/// Runs a plan and sees where it gets; `None` if the simulator fails.
fn tried(plan: Plan, changes: Vec<String>, goal: &Landmarks) -> Option<Aimed> {
    let Outcome { record, verdict, starts, .. } = run_plan(&plan).ok()?;
    let missing = goal.missing(&Landmarks::of(&record, &starts));
    let failure = Failure::of(&verdict, &record.history);
    Some(Aimed { plan, changes, trace_hash: record.trace_hash, missing, failure, tries: 0 })
}

/// A plan with one to three small changes, and the changes in words.
fn changed(plan: &Plan, draw: Draw) -> (Plan, Vec<String>) {
    let mut plan = plan.clone();
    let count = draw.within(1, 3);
    let changes = (1..=count).filter_map(|nth| change(&mut plan, draw.then(nth))).collect();
    (plan, changes)
}

/// Makes one change; `None` if there is nothing of that kind to change.
fn change(plan: &mut Plan, draw: Draw) -> Option<String> {
    let by = Shift::of(draw.then(1));
    match draw.below(5) {
        0 => {
            let from = draw.then(2).below(plan.phases.chaos.max(1)) / 1_000_000 * 1_000_000;
            let from = if draw.then(3).below(2) == 0 { 0 } else { from };
            let key = draw.then(4).within(1, 1_000_000);
            plan.noise.retain(|noise| noise.from < from);
            plan.noise.push(Noise { from, key });
            Some(format!("everything is drawn anew from {} on", describe::time(from)))
        }
        1 => {
            plan.faults.iter_mut().for_each(|fault| by.shift_fault(&mut fault.when));
            (!plan.faults.is_empty()).then(|| format!("all faults {by}"))
        }
        2 => {
            let client = pick(draw.then(2), plan.clients.len())?;
            let operations = &mut plan.clients[client].operations;
            operations.iter_mut().for_each(|operation| operation.at = by.of_time(operation.at));
            Some(format!("client {client}'s operations {by}"))
        }
        3 => {
            let at = pick(draw.then(2), plan.faults.len())?;
            let fault = &mut plan.faults[at];
            by.shift_fault(&mut fault.when);
            Some(format!("fault {} ({}) {by}", fault.id, fault.kind.name()))
        }
        _ => {
            let at = pick(draw.then(2), plan.faults.len())?;
            let fault = &mut plan.faults[at];
            let percent = draw.then(3).log_within(25, 400);
            let lasts = fault.duration?;
            fault.duration = Some((u128::from(lasts) * u128::from(percent) / 100) as Nanos / 1_000 * 1_000);
            Some(format!("fault {} ({}) lasts {percent} % as long", fault.id, fault.kind.name()))
        }
    }
}

/// An index below `count`; `None` if that is 0.
fn pick(draw: Draw, count: usize) -> Option<usize> {
    (count > 0).then(|| draw.below(count as u64) as usize)
}

/// A shift of times.
#[derive(Clone, Copy, Debug)]
struct Shift {
    by: Nanos,
    later: bool,
}

impl Shift {
    fn of(draw: Draw) -> Shift {
        let by = draw.log_within(SHIFT.0, SHIFT.1) / 1_000 * 1_000;
        Shift { by, later: draw.then(1).below(2) == 0 }
    }

    fn of_time(self, at: Nanos) -> Nanos {
        if self.later { at + self.by } else { at.saturating_sub(self.by) }
    }

    fn shift_fault(self, when: &mut Trigger) {
        let (Trigger::At(at) | Trigger::When { from: at, .. }) = when;
        *at = self.of_time(*at);
    }
}

impl std::fmt::Display for Shift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = if self.later { "later" } else { "earlier" };
        write!(f, "{} ms {word}", self.by.div_ceil(1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_plans_read_back_and_differ() {
        let plan = Plan::parse(
            "p.toml",
            "title = \"t\"\nseed = 3\n[[fault]]\nkind = \"crash\"\nid = 4\nat = \"2s\"\nfor = \"1s\"\ntarget = \"leader\"\n[[client]]\nendpoints = [1]\noperations = [\"1s put a b\"]\n",
        )
        .unwrap();
        let mut kinds = std::collections::BTreeSet::new();
        for nth in 0..200 {
            let (changed, changes) = changed(&plan, Keyed::new(1, CHANGE).draw(nth, 0));
            assert_eq!(Plan::parse("p.toml", &changed.to_toml()).unwrap(), changed, "{changes:?}");
            kinds.extend(changes.iter().filter_map(|change| change.split(' ').next().map(String::from)));
        }
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["all", "client", "everything", "fault"]);
    }
}
