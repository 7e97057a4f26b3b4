//! The second and third arrow of `ARCHITECTURE.md`: a plan is run, its record is judged.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use plan::{ClockFault, FaultKind, Plan};
use record::{Event, Fact, MemberId, Nanos, Observer, Record};
use verify::invariants::{Broken, Monitors};
use verify::leases::Lessors;
use verify::{Expectations, Oracle, Severity, Verdict, Violation};

use crate::probes;
use crate::show::event;
use crate::stopwatch::Stopwatch;

/// The rate of a clock that is right.
const EXACT: u32 = 1_000_000;

/// A run and its judgement.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the run left.
    pub record: Record,
    /// What is to be said of it: the judge's findings and those of the invariants that were watched
    /// as the run went, the worst first.
    pub verdict: Verdict,
    /// When each process was started.
    pub starts: Vec<(MemberId, Nanos)>,
    /// Wall time of it all.
    pub wall: Duration,
    /// The part of it that the judge took, after the run. What watching the invariants took is part of
    /// the run.
    pub check: Duration,
}

/// The simulator itself, or the judge, panicked: a bug of ours, which says nothing about the cluster.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct HarnessFailure(pub String);

/// Runs a plan and judges what it leaves.
pub fn run_plan(plan: &Plan) -> Result<Outcome, HarnessFailure> {
    run_plan_told(plan, &mut (), world::Options::default())
}

/// Same, with an observer who is told every event, and with options.
pub fn run_plan_told(
    plan: &Plan,
    observer: &mut dyn Observer,
    options: world::Options,
) -> Result<Outcome, HarnessFailure> {
    let stopwatch = Stopwatch::start();
    let (record, verdict, starts, check) = guarded(|| {
        let monitors = Monitors::new(plan.most_members());
        let mut watch = Watch { monitors, lessors: Lessors::default(), starts: Vec::new(), observer };
        let mut record = world::run(plan, &mut watch, options);
        let checking = Stopwatch::start();
        let Watch { monitors, lessors, starts, .. } = watch;
        probes::count(&mut record, monitors.probes());
        let verdict = judge(plan, &record, monitors, &lessors, &starts);
        (record, verdict, starts, checking.elapsed())
    })?;
    Ok(Outcome { record, verdict, starts, wall: stopwatch.elapsed(), check })
}

/// Both views on a run in one verdict.
fn judge(
    plan: &Plan,
    record: &Record,
    monitors: Monitors,
    lessors: &Lessors,
    starts: &[(MemberId, Nanos)],
) -> Verdict {
    let settings = &plan.cluster.settings;
    let expectations = Expectations {
        answered: plan.expect.answered,
        starts: starts.to_vec(),
        clock_rates: clock_rates(plan),
        lease_extension: settings.election_timeout(),
        lease_checkpoint: settings.lease_checkpoints(),
        lessors: lessors.spans(),
        quota: settings.quota_bytes().is_some(),
        // The tests do it, and `check` of a history: a run in twenty-five more for the same time finds more.
        validate: false,
        ..Expectations::default()
    };
    let mut verdict = verify::judge(record, &expectations);
    verdict.violations.extend(monitors.into_violations().into_iter().map(violation));
    verdict.rank();
    verdict
}

/// How slow and how fast the members' clocks may run in a plan, in parts of a million of true time. A clock
/// that stands still does so for a while; what that does to leases is within their bound.
fn clock_rates(plan: &Plan) -> (u32, u32) {
    let rates = plan.faults.iter().filter_map(|fault| match fault.kind {
        FaultKind::Clock(ClockFault::Rate { rate }) => Some(rate),
        _ => None,
    });
    rates.fold((EXACT, EXACT), |(slowest, fastest), rate| (slowest.min(rate), fastest.max(rate)))
}

/// A broken invariant in the judge's words. No client has seen it yet; what one saw of it the judge says.
fn violation(broken: Broken) -> Violation {
    let oracle = Oracle::ALL.into_iter().find(|oracle| oracle.id() == broken.invariant);
    let oracle = oracle.unwrap_or_else(|| panic!("the monitors told of an invariant {:?}", broken.invariant));
    let mut violation = Violation::new(oracle, Severity::Inside, broken.time, broken.title);
    violation.sentences = broken.sentences;
    violation.seen_in(broken.evidence.iter().map(event::line))
}

/// Those who are told every event as it happens.
struct Watch<'a> {
    monitors: Monitors,
    /// Who looked after the leases, and when (L2).
    lessors: Lessors,
    /// When each process began: it may forget then what it has answered before (K2).
    starts: Vec<(MemberId, Nanos)>,
    observer: &'a mut dyn Observer,
}

impl Observer for Watch<'_> {
    #[inline]
    fn event(&mut self, event: &Event) {
        if let Fact::Started { .. } = event.fact {
            self.starts.push((event.member, event.time));
        }
        self.monitors.event(event);
        self.lessors.event(event);
        self.observer.event(event);
    }
}

/// Does some of the harness's own work; a panic in it is a failure of the harness.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, HarnessFailure> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| HarnessFailure(said(&*panic)))
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_of_the_harness() {
        let failed = guarded(|| panic!("index {} is gone", 7)).map_err(|failure| failure.0);
        assert_eq!(failed, Err::<(), _>("index 7 is gone".to_string()));
    }
}
