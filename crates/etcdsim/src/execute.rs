//! The second and third arrow of `ARCHITECTURE.md`: a plan is run, its record is judged.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use plan::{ClockFault, FaultKind, Plan};
use record::{Event, Fact, MemberId, Nanos, Observer, Record};
use verify::leases::Lessors;
use verify::{Context, Expectations, Judge, Monitor, Monitors, Sheet, Verdict};

use crate::additions::OwnOracles;
use crate::probes;
use crate::stopwatch::Stopwatch;

/// The rate of a clock that is right.
const EXACT: u32 = 1_000_000;

/// A run and its judgement.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What the run left.
    pub record: Record,
    /// What the oracles say of it, the judges of the record as well as the monitors that watched it as it went.
    pub verdict: Verdict,
    /// When each process was started.
    pub starts: Vec<(MemberId, Nanos)>,
    /// Wall time of it all.
    pub wall: Duration,
    /// The part of it that the judges took, after the run. What the monitors took is part of the run.
    pub check: Duration,
}

/// The simulator itself, an oracle, an observer or a workload panicked, or a workload made clients that cannot
/// be: a bug that says nothing about the cluster.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct HarnessFailure(pub String);

/// Runs a plan and judges what it leaves.
///
/// # Errors
/// If the simulator or an oracle panicked.
pub fn run_plan(plan: &Plan) -> Result<Outcome, HarnessFailure> {
    run_plan_observed(plan, &mut (), world::Options::default())
}

/// Same, with an observer who sees every event, and with options.
///
/// # Errors
/// If the simulator, an oracle or the observer panicked.
pub fn run_plan_observed(
    plan: &Plan,
    observer: &mut dyn Observer,
    options: world::Options,
) -> Result<Outcome, HarnessFailure> {
    run_plan_with(plan, observer, OwnOracles::default(), options)
}

/// Same, with oracles beside those of the table.
pub(crate) fn run_plan_with(
    plan: &Plan,
    observer: &mut dyn Observer,
    own: OwnOracles<'_>,
    options: world::Options,
) -> Result<Outcome, HarnessFailure> {
    let stopwatch = Stopwatch::start();
    let (record, verdict, starts, check) = guarded(|| {
        let monitors = Monitors::new(plan.most_members());
        let (sheet, lessors, starts) = (Sheet::default(), Lessors::default(), Vec::new());
        let mut watch = Watch { monitors, own, sheet, lessors, starts, observer };
        let mut record = world::run(plan, &mut watch, options);
        let checking = Stopwatch::start();
        let Watch { mut monitors, mut own, mut sheet, lessors, starts, .. } = watch;
        probes::count(&mut record, monitors.invariants.probes());
        monitors.end(&record, &mut sheet);
        own.end(&record, &mut sheet);
        let verdict = judge(plan, &record, &own, sheet, &lessors, &starts);
        (record, verdict, starts, checking.elapsed())
    })?;
    Ok(Outcome { record, verdict, starts, wall: stopwatch.elapsed(), check })
}

/// What the judges say, and after it what the monitors wrote into `watched`.
fn judge(
    plan: &Plan,
    record: &Record,
    own: &OwnOracles<'_>,
    watched: Sheet,
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
    let mut sheet = Sheet::default();
    let context = Context::new(record, &expectations);
    verify::judge_all(&context, &mut sheet);
    own.judge(&context, &mut sheet);
    sheet.append(watched);
    sheet.into_verdict()
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

/// Those who see every event as it happens.
struct Watch<'a> {
    monitors: Monitors,
    own: OwnOracles<'a>,
    /// What the monitors write.
    sheet: Sheet,
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
        self.monitors.event(event, &mut self.sheet);
        self.own.event(event, &mut self.sheet);
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
