//! When a failure became certain, and what it needs.
//!
//! * `curve`: from an instant on, everything that the run draws is drawn again (`[[noise]]` in a plan), many times: the
//!   share of these futures that fail in the same way is the probability of the failure at that instant. Where it jumps,
//!   something happened that decided it.
//! * `left_out`: each fault, and each operation or group of operations, is left out once.
//! * `moments`: the events near the jump. `runs`: many runs on all cores.
//!
//! The plan is cut after its violation: later faults cannot have caused it, but could cause another like it.
//!
//! Not here: which messages and disk writes lead to the violation (`explain`), and a smaller plan (`shrink`).

mod curve;
mod left_out;
mod moments;
mod runs;

use plan::{Noise, Plan};
use record::Nanos;
use serde::Serialize;

pub use curve::{Instant, Rise};
pub use left_out::{LeftOut, Need};
pub use moments::Moment;
pub use runs::Runs;

use crate::execute::run_plan_observed;
use crate::report::{Ended, Failure, ViolationReport};
use crate::signature::Signature;
use curve::Search;
use left_out::{Part, begins};
use moments::Moments;

const SECOND: Nanos = 1_000_000_000;
/// How far the largest rise is narrowed.
const NARROW: Nanos = SECOND / 10;
/// The most events that are named near the largest rise.
const MOMENTS: usize = 12;
/// If at every instant at least this many of a hundred futures fail, the plan fails whatever is drawn.
const ALWAYS: usize = 90;
/// The most groups of operations that are left out at first.
const GROUPS: usize = 48;
/// The most groups and operations that are left out.
const MOST_LEFT_OUT: usize = 160;

/// How much is done to find out why.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Effort {
    /// How many futures are drawn at each instant; also the most that are drawn without each fault or operation.
    pub draws: usize,
    /// The most instants.
    pub instants: usize,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { draws: 50, instants: 40 }
    }
}

/// When a failure became certain, and what it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Why {
    /// What failed: the text of its [`Signature`].
    pub failure: String,
    /// When it became visible.
    pub violated_ns: Nanos,
    /// How many futures were drawn at each instant.
    pub draws: usize,
    /// How many futures fail if they are drawn from the very start, so that even the first election timeouts differ;
    /// `None` if that is not known.
    pub from_start: Option<usize>,
    /// The instants after the start, in the order of time. The last one is where the plan is cut: from there on nothing is drawn, so all
    /// fail.
    pub curve: Vec<Instant>,
    /// Whether it fails whatever is drawn: then faults and operations alone decide it, and the curve has no jump.
    pub always: bool,
    /// The largest rise; `None` if the plan always fails, or if that is not known yet.
    pub jump: Option<Rise>,
    /// The events near it.
    pub events: Vec<Moment>,
    /// Each fault that begins before the violation, left out once.
    pub faults: Vec<LeftOut>,
    /// The operations, in groups if there are many. A group that is needed is looked at in parts.
    pub operations: Vec<LeftOut>,
    /// How many runs it took.
    pub runs: usize,
    /// Whether everything was done, or what stopped it.
    pub ended: Ended,
}

impl Why {
    /// Asks why a plan fails as it does. `None` if it does not fail.
    pub fn ask(plan: &Plan, effort: Effort, runs: &Runs<'_>) -> Option<Why> {
        let outcome = run_plan_observed(plan, &mut (), world::Options::default()).ok()?;
        let failure = Failure::of(&outcome.verdict, &outcome.record.history)?;
        let wanted = Signature::of(&failure);
        let end = outcome.record.stats.virtual_ns;
        let (plan, violation, end) = match cut(plan, &wanted, failure.first().time_ns) {
            Some((plan, violation)) => (plan, violation, None),
            None => (plan.clone(), failure.first().clone(), Some(end)),
        };
        let violated_ns = violation.time_ns;
        let certain_ns = end.unwrap_or(plan.phases.chaos).max(violated_ns + 1);
        let why = Why::begun(&wanted, violated_ns, effort.draws);
        let mut asker = Asker { plan, wanted, violation, effort, runs, why };
        let done = asker.curve(certain_ns).and_then(|()| asker.faults()).and_then(|()| asker.operations());
        let mut why = asker.why;
        why.runs = runs.done();
        why.ended = if done.is_some() { Ended::Complete } else { runs.ended() };
        Some(why)
    }

    /// The answer for a failure of which nothing more is known yet.
    pub(crate) fn begun(failure: &Signature, violated_ns: Nanos, draws: usize) -> Why {
        Why {
            failure: failure.to_string(),
            violated_ns,
            draws,
            from_start: None,
            curve: Vec::new(),
            always: false,
            jump: None,
            events: Vec::new(),
            faults: Vec::new(),
            operations: Vec::new(),
            runs: 0,
            ended: Ended::Complete,
        }
    }

    /// The share of futures that fail at an instant, in percent.
    pub fn percent(&self, instant: &Instant) -> usize {
        (instant.failed * 100 + self.draws / 2) / self.draws.max(1)
    }
}

/// The search, and what it knows so far.
struct Asker<'a> {
    /// The plan, cut after its violation.
    plan: Plan,
    wanted: Signature,
    violation: ViolationReport,
    effort: Effort,
    runs: &'a Runs<'a>,
    why: Why,
}

impl Asker<'_> {
    /// Whether a plan has the violation.
    fn fails(&self, plan: &Plan) -> bool {
        runs::violation(plan, &self.wanted).is_some()
    }

    /// Finds the curve, its largest rise and the events there. `None` if it was cut short.
    fn curve(&mut self, certain_ns: Nanos) -> Option<()> {
        let Effort { draws, instants } = self.effort;
        let search = Search { certain_ns, draws, instants, narrow_ns: NARROW };
        let failed = |from| {
            let failed = self.runs.all(draws, |nth| self.fails(&drawn_again(&self.plan, from, nth)))?;
            Some(failed.into_iter().filter(|failed| *failed).count())
        };
        let from_start = failed(0);
        let mut cut_short = from_start.is_none();
        let curve = curve::curve(&search, |from| {
            let failed = failed(from);
            cut_short |= failed.is_none();
            failed
        });
        self.why.from_start = from_start;
        let fewest = curve.iter().map(|instant| instant.failed).min();
        self.why.always = curve.len() > 1 && fewest.is_some_and(|fewest| fewest * 100 >= draws * ALWAYS);
        self.why.jump = curve::largest(&curve).filter(|rise| !self.why.always && rise.height() > 0);
        self.why.curve = curve;
        if let Some(jump) = self.why.jump {
            let mut moments = Moments::new(self.violation.numbers.iter().copied());
            run_plan_observed(&self.plan, &mut moments, world::Options::default()).ok()?;
            self.why.events = moments.between(jump.from.at_ns, jump.to.at_ns, MOMENTS);
        }
        (!cut_short).then_some(())
    }

    /// Leaves out each fault.
    fn faults(&mut self) -> Option<()> {
        let parts = Part::faults(&self.plan);
        let needs = self.needs(&parts)?;
        self.why.faults = self.results(&parts, &needs).collect();
        Some(())
    }

    /// Leaves out groups of operations, and the halves of those that are needed.
    fn operations(&mut self) -> Option<()> {
        let mut parts = Part::operations(&self.plan, GROUPS);
        let mut left = MOST_LEFT_OUT;
        let mut kept = Vec::new();
        while !parts.is_empty() {
            left = left.saturating_sub(parts.len());
            let needs = self.needs(&parts)?;
            let mut next = Vec::new();
            for (part, result) in parts.iter().zip(self.results(&parts, &needs)) {
                match part.halves() {
                    Some(halves) if result.need != Need::None && left >= 2 => {
                        left -= 2;
                        next.extend(halves);
                    }
                    _ => kept.push(result),
                }
            }
            // What the halves take was set aside.
            left += next.len();
            parts = next;
        }
        kept.sort_by_key(|result| result.operations);
        self.why.operations = kept;
        Some(())
    }

    /// How far the failure depends on each part: the need, how many futures were drawn without it, and how many failed.
    fn needs(&self, parts: &[Part]) -> Option<Vec<(Need, (usize, usize))>> {
        let without: Vec<Plan> = parts.iter().map(|part| part.left_out_of(&self.plan)).collect();
        let fails = self.runs.all(parts.len(), |nth| self.fails(&without[nth]))?;
        let mut needs = Vec::new();
        for ((part, plan), fails) in parts.iter().zip(&without).zip(fails) {
            needs.push(match fails {
                true => (Need::None, (0, 0)),
                false => self.futures(part.at(&self.plan), plan)?,
            });
        }
        Some(needs)
    }

    /// Draws futures of a plan that does not fail, until one fails.
    fn futures(&self, from: Nanos, plan: &Plan) -> Option<(Need, (usize, usize))> {
        /// How many are drawn at once. It is fixed, so that the result does not depend on the machine.
        const ROUND: usize = 10;
        let (mut drawn, enough) = (0, enough(&self.why.curve, self.effort.draws, from).max(ROUND));
        while drawn < enough.min(self.effort.draws) {
            let round = ROUND.min(self.effort.draws - drawn);
            let failed = self.runs.all(round, |nth| self.fails(&drawn_again(plan, from, drawn + nth)))?;
            drawn += round;
            let failed = failed.into_iter().filter(|failed| *failed).count();
            if failed > 0 {
                return Some((Need::Timing, (drawn, failed)));
            }
        }
        Some((Need::Necessary, (drawn, 0)))
    }

    fn results<'a>(
        &'a self,
        parts: &'a [Part],
        needs: &'a [(Need, (usize, usize))],
    ) -> impl Iterator<Item = LeftOut> + 'a {
        parts.iter().zip(needs).map(|(part, (need, drawn))| part.result(&self.plan, *need, *drawn))
    }
}

/// How many futures without something must hold before it counts as necessary. The plan itself fails in a share of the
/// futures from the same time on; if that share were the same without it, this many would all hold in only one of 150
/// cases.
fn enough(curve: &[Instant], draws: usize, from: Nanos) -> usize {
    let next = curve.partition_point(|instant| instant.at_ns <= from);
    let around = curve[next.saturating_sub(1)..].iter().take(2).map(|instant| instant.failed);
    let fewest = around.min().unwrap_or_default().max(1);
    (5 * draws).div_ceil(fewest).min(draws)
}

/// The plan with future number `nth` from this time on.
fn drawn_again(plan: &Plan, from: Nanos, nth: usize) -> Plan {
    let mut plan = plan.clone();
    plan.noise.retain(|noise| noise.from < from);
    // A key of the plan's own noise would not give another future.
    let mut keys = (1..).filter(|key| plan.noise.iter().all(|noise| noise.key != *key));
    let key = keys.nth(nth).expect("there are more keys than futures");
    plan.noise.push(Noise { from, key });
    plan
}

/// The plan without what comes after its violation: no fault begins later, and the chaos phase ends soon after, so that
/// a future that is drawn again may show the violation a little later. Also returns the violation. `None` if the plan
/// does not fail that way any more.
fn cut(plan: &Plan, wanted: &Signature, violated_ns: Nanos) -> Option<(Plan, ViolationReport)> {
    let end = violated_ns + (violated_ns / 4).clamp(SECOND, 5 * SECOND);
    let mut plan = plan.clone();
    plan.phases.chaos = plan.phases.chaos.min(end);
    plan.faults.retain(|fault| begins(&fault.when) <= violated_ns);
    for client in &mut plan.clients {
        client.operations.retain(|operation| operation.at <= end);
    }
    plan.expect.answered = 0;
    let violation = runs::violation(&plan, wanted)?;
    Some((plan, violation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_likely_needs_few_futures() {
        let curve = [(0, 5), (10, 40), (20, 50)].map(|(at_ns, failed)| Instant { at_ns, failed });
        assert_eq!([0, 9, 10, 15, 20, 99].map(|at| enough(&curve, 50, at)), [50, 50, 7, 7, 5, 5]);
        assert_eq!(enough(&[], 50, 3), 50);
    }

    #[test]
    fn each_future_has_a_key_of_its_own() {
        let noise = |from, key| Noise { from, key };
        let plan = Plan { noise: vec![noise(5, 2), noise(9, 3)], ..Plan::default() };
        let keys = |nth| drawn_again(&plan, 7, nth).noise;
        assert_eq!(keys(0), [noise(5, 2), noise(7, 1)]);
        assert_eq!(keys(1), [noise(5, 2), noise(7, 3)], "the plan has no noise of key 3 any more");
    }
}
