//! The second and third arrows of `ARCHITECTURE.md`: runs a plan and judges its record.

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
    /// The verdict of all oracles: the judges of the record and the monitors that watched the run.
    pub verdict: Verdict,
    /// When each process started.
    pub starts: Vec<(MemberId, Nanos)>,
    /// Wall time of the run and the checks.
    pub wall: Duration,
    /// The part that the judges took after the run. The time of the monitors is part of the run.
    pub check: Duration,
}

/// The simulator itself, an oracle, an observer or a workload panicked, or a workload made invalid clients:
/// a bug that says nothing about the cluster.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct HarnessFailure(pub String);

/// Runs a plan and judges its record.
///
/// # Errors
/// If the simulator or an oracle panicked.
pub fn run_plan(plan: &Plan) -> Result<Outcome, HarnessFailure> {
    run_plan_observed(plan, &mut (), world::Options::default())
}

/// The same, with options and an observer that sees every event.
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

/// The same, with custom oracles in addition to those of the table.
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

/// The verdict of the judges, followed by what the monitors wrote into `watched`.
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
        progress: plan.expect.progress,
        starts: starts.to_vec(),
        clock_rates: clock_rates(plan),
        lease_extension: settings.election_timeout(),
        lease_checkpoint: settings.lease_checkpoints(),
        lessors: lessors.spans(),
        quota: settings.quota_bytes().is_some(),
        // The tests and `etcdsim check` validate. Here it would cost one run in twenty-five, and more runs find more.
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

/// How slow and how fast the members' clocks may run in a plan, in millionths of the true rate. A stopped
/// clock is not counted: the bounds on leases allow for it.
pub(crate) fn clock_rates(plan: &Plan) -> (u32, u32) {
    let rates = plan.faults.iter().filter_map(|fault| match fault.kind {
        FaultKind::Clock(ClockFault::Rate { rate }) => Some(rate),
        _ => None,
    });
    rates.fold((EXACT, EXACT), |(slowest, fastest), rate| (slowest.min(rate), fastest.max(rate)))
}

/// Everything that sees each event as it happens.
struct Watch<'a> {
    monitors: Monitors,
    own: OwnOracles<'a>,
    /// What the monitors write.
    sheet: Sheet,
    /// Which member was the lessor, and when (L2).
    lessors: Lessors,
    /// When each process started: it may forget what it answered before that (K2).
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

/// Runs a part of the harness; a panic in it is a failure of the harness.
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
