//! Runs one plan and judges its record: the arrows *run* and *judge* in the picture of `ARCHITECTURE.md`.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use plan::{ClockFault, FaultKind, Plan};
use record::{Etcd, Event, Fact, Inner, MemberId, Nanos, Observer, Record, Served, Step};
use verify::leaks;
use verify::leases::Lessors;
use verify::{Context, Expectations, Judge, Limits, Monitor, Monitors, Oracle, Sheet, Verdict};

use crate::additions::OwnOracles;
use crate::musts;
use crate::probes;
use crate::stopwatch::Stopwatch;

/// The rate of a correct clock, in parts per million.
pub(crate) const EXACT: u32 = 1_000_000;

/// A run and its judgement.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The record of the run.
    pub record: Record,
    /// The verdict of all oracles: the judges of the record and the monitors that watched the run.
    pub verdict: Verdict,
    /// When each process started.
    pub starts: Vec<(MemberId, Nanos)>,
    /// How long the run and the judges took, in real time.
    pub wall: Duration,
    /// How long the judges alone took. The monitors work during the run, so their time counts as the run's.
    pub check: Duration,
}

/// A bug of the harness, that is, of anything but the cluster under test: the simulator, an oracle, an observer or a
/// workload panicked, or a workload made invalid clients.
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

/// Runs a plan with options and an observer that sees every event, and judges its record.
///
/// # Errors
/// If the simulator, an oracle or the observer panicked.
pub fn run_plan_observed(
    plan: &Plan,
    observer: &mut dyn Observer<Etcd>,
    options: world::Options,
) -> Result<Outcome, HarnessFailure> {
    run_plan_with(plan, observer, OwnOracles::default(), options)
}

/// Runs a plan with an observer and with custom oracles besides those of the table, and judges its record.
pub(crate) fn run_plan_with(
    plan: &Plan,
    observer: &mut dyn Observer<Etcd>,
    own: OwnOracles<'_>,
    options: world::Options,
) -> Result<Outcome, HarnessFailure> {
    let stopwatch = Stopwatch::start();
    let (record, verdict, starts, check) = catch_panics(|| {
        let mut receivers = EventReceivers::new(plan.most_members(), own, observer);
        configure(&mut receivers.monitors, plan, !receivers.own.without_specification());
        let mut record = cluster::run(plan, &mut receivers, options);
        let checking = Stopwatch::start();
        let (verdict, starts) = receivers.judge(&mut record, expectations_of(plan));
        (record, verdict, starts, checking.elapsed())
    })?;
    Ok(Outcome { record, verdict, starts, wall: stopwatch.elapsed(), check })
}

/// The monitors that watch a run of this plan, at its beginning. Whoever has kept what they see can show it to them once
/// more, or something else.
pub fn monitors_of(plan: &Plan) -> Monitors {
    let mut monitors = Monitors::new(plan.most_members());
    configure(&mut monitors, plan, true);
    monitors
}

/// Tells the monitors what they must know of a plan. Those that need the steps of members watch nothing without them.
fn configure(monitors: &mut Monitors, plan: &Plan, steps: bool) {
    if steps {
        monitors.musts.configure(musts::setup(plan));
        monitors.specification.configure(musts::raft(plan));
        monitors.lessor.configure(plan.cluster.settings.election_timeout());
    }
    monitors.headers.configure();
}

/// What a plan expects, and what else the judges must know of it besides the record. What a run shows, when processes
/// started and who was the lessor, is not in it.
pub fn expectations_of(plan: &Plan) -> Expectations {
    let settings = &plan.cluster.settings;
    Expectations {
        answered: plan.expect.answered,
        progress: plan.expect.progress,
        clock_rates: clock_rates(plan),
        lease_extension: settings.election_timeout(),
        lease_checkpoint: settings.lease_checkpoints(),
        bounds: bounds(plan),
        quota: settings.quota_bytes().is_some(),
        limits: Some(limits(plan)),
        // The tests and `etcdsim check` validate verdicts. Here it would take 4 % of the time, and more runs find
        // more bugs.
        validate: false,
        ..Expectations::default()
    }
}

/// The settings on which refusals depend.
fn limits(plan: &Plan) -> Limits {
    let settings = &plan.cluster.settings;
    Limits {
        max_request_bytes: settings.max_request_bytes,
        max_learners: settings.max_learners,
        strict_reconfig: settings.strict_reconfig,
        token_ttl: (!clocks_stop(plan)).then_some(settings.auth_token_ttl),
    }
}

/// Whether a fault stops a clock.
fn clocks_stop(plan: &Plan) -> bool {
    plan.faults.iter().any(|fault| matches!(fault.kind, FaultKind::Clock(ClockFault::Freeze)))
}

/// How often Z compared each count.
fn compared_by_name(verdict: &Verdict) -> BTreeMap<String, u64> {
    let of_leaks = verdict.checks.iter().filter(|check| check.oracle == Oracle::Z);
    of_leaks.map(|check| (check.what.to_string(), check.count)).collect()
}

/// The settings on which the bounds of Z depend.
fn bounds(plan: &Plan) -> leaks::Limits {
    let settings = &plan.cluster.settings;
    leaks::Limits {
        request_timeout: settings.request_timeout,
        read_index_retry: settings.read_index_retry,
        corrupt_check: settings.corrupt_checks(),
        token_ttl: settings.auth_token_ttl,
        compaction_pause: settings.compaction_pause,
        compaction_batch: u64::from(settings.compaction_batch),
        snapshot_count: settings.snapshot_count,
        catch_up_entries: settings.catch_up_entries,
        wal_segment_bytes: settings.wal_segment_bytes,
        watch_window: u64::from(settings.watch_window),
        watch_buffer: u64::from(settings.watch_buffer),
        clocks_stop: clocks_stop(plan),
        links_break: plan.faults.iter().any(|fault| matches!(fault.kind, FaultKind::Network(_))),
    }
}

/// The slowest and the fastest clock rate that the plan's faults give a member, in parts per million. A frozen clock
/// does not count: the oracles of leases allow for it anyway.
pub(crate) fn clock_rates(plan: &Plan) -> (u32, u32) {
    let rates = plan.faults.iter().filter_map(|fault| match fault.kind {
        FaultKind::Clock(ClockFault::Rate { rate }) => Some(rate),
        _ => None,
    });
    rates.fold((EXACT, EXACT), |(slowest, fastest), rate| (slowest.min(rate), fastest.max(rate)))
}

/// Passes each event of a run to everything that wants to see it.
pub(crate) struct EventReceivers<'a> {
    monitors: Monitors,
    own: OwnOracles<'a>,
    /// The sheet that the monitors write into.
    sheet: Sheet,
    /// Which member was the lessor, and when (L2).
    lessors: Lessors,
    /// When each process started: after a restart a member may answer from an older state (K2).
    starts: Vec<(MemberId, Nanos)>,
    observer: &'a mut dyn Observer<Etcd>,
    /// Whether the observer wants the steps.
    shows_steps: bool,
}

impl<'a> EventReceivers<'a> {
    /// For a cluster of at most the members 1 to `members`.
    pub(crate) fn new(members: u32, own: OwnOracles<'a>, observer: &'a mut dyn Observer<Etcd>) -> Self {
        let mut monitors = Monitors::new(members);
        if own.without_specification() {
            monitors.specification.switch_off();
        }
        let (sheet, lessors, starts) = (Sheet::default(), Lessors::default(), Vec::new());
        let shows_steps = observer.wants_steps();
        EventReceivers { monitors, own, sheet, lessors, starts, observer, shows_steps }
    }

    /// The verdict of the judges, followed by that of the monitors; and when each process started. What the events show
    /// is added to the record and to what is expected.
    pub(crate) fn judge(
        self,
        record: &mut Record,
        expectations: Expectations,
    ) -> (Verdict, Vec<(MemberId, Nanos)>) {
        let EventReceivers { mut monitors, mut own, sheet: mut from_monitors, lessors, starts, .. } = self;
        probes::count(record, monitors.invariants.probes());
        record.stats.specification = monitors.specification.counts_by_name();
        monitors.end(record, &mut from_monitors);
        record.stats.musts = monitors.musts.counts();
        own.end(record, &mut from_monitors);
        let expectations = Expectations { starts: starts.clone(), lessors: lessors.spans(), ..expectations };
        let mut sheet = Sheet::default();
        let context = Context::new(record, &expectations);
        verify::judge_all(&context, &mut sheet);
        own.judge(&context, &mut sheet);
        sheet.append(from_monitors);
        let verdict = sheet.into_verdict();
        record.stats.leaks = compared_by_name(&verdict);
        (verdict, starts)
    }
}

impl Observer<Etcd> for EventReceivers<'_> {
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

    fn wants_steps(&self) -> bool {
        self.monitors.wants_steps() || self.own.wants_steps() || self.shows_steps
    }

    #[inline]
    fn step(&mut self, time: Nanos, member: MemberId, step: &Step) {
        self.monitors.step(time, member, step, &mut self.sheet);
        self.own.step(time, member, step, &mut self.sheet);
        if self.shows_steps {
            self.observer.step(time, member, step);
        }
    }

    fn wants_inner(&self) -> bool {
        self.observer.wants_inner()
    }

    fn inner(&mut self, time: Nanos, member: MemberId, inner: &Inner) {
        self.monitors.inner(time, member, inner, &mut self.sheet);
        self.own.inner(time, member, inner, &mut self.sheet);
        self.observer.inner(time, member, inner);
    }

    #[inline]
    fn served(&mut self, time: Nanos, member: MemberId, served: Served) {
        self.monitors.served(time, member, served, &mut self.sheet);
        self.own.served(time, member, served, &mut self.sheet);
        self.observer.served(time, member, served);
    }
}

/// Runs code of the harness, and turns a panic into a [`HarnessFailure`].
pub fn catch_panics<T>(work: impl FnOnce() -> T) -> Result<T, HarnessFailure> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| HarnessFailure(panic_message(&*panic)))
}

/// The message of a panic.
fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_of_the_harness() {
        let failed = catch_panics(|| panic!("index {} is gone", 7)).map_err(|failure| failure.0);
        assert_eq!(failed, Err::<(), _>("index 7 is gone".to_string()));
    }
}
