//! Observers and oracles that a user's own test adds. They watch and judge each run besides the built-in ones.

use std::fmt;
use std::sync::Arc;

use plan::Plan;
use record::{Etcd, Event, Inner, MemberId, Nanos, Observer, Record, Served, Step};
use verify::{Context, Judge, Monitor, Sheet};

use crate::execute::{HarnessFailure, Outcome, catch_panics, run_plan_with};

/// Makes an observer or a monitor for a run of this plan.
type Make<T> = Arc<dyn Fn(&Plan) -> Box<T> + Send + Sync>;

/// Custom observers and oracles. Each run gets new observers and monitors, so runs share nothing; one judge
/// looks at the records of all runs.
#[derive(Clone, Default)]
pub struct Additions {
    observers: Vec<Make<dyn Observer<Etcd>>>,
    monitors: Vec<Make<dyn Monitor>>,
    judges: Vec<Arc<dyn Judge + Send + Sync>>,
    /// Whether oracle S is switched off.
    without_specification: bool,
}

impl Additions {
    /// Adds an observer; `make` is called once for each run.
    pub fn observer<O: Observer<Etcd> + 'static>(
        &mut self,
        make: impl Fn(&Plan) -> O + Send + Sync + 'static,
    ) {
        self.observers.push(Arc::new(move |plan| Box::new(make(plan))));
    }

    /// Adds an oracle that watches events; `make` is called once for each run.
    pub fn monitor<M: Monitor + 'static>(&mut self, make: impl Fn(&Plan) -> M + Send + Sync + 'static) {
        self.monitors.push(Arc::new(move |plan| Box::new(make(plan))));
    }

    /// Adds an oracle that judges records.
    pub fn judge(&mut self, judge: impl Judge + Send + Sync + 'static) {
        self.judges.push(Arc::new(judge));
    }

    /// Switches oracle S off, which watches every step of every member: for measurements of what it costs.
    pub fn without_specification(&mut self) {
        self.without_specification = true;
    }

    /// Runs a plan with these observers and oracles, and judges its record.
    ///
    /// # Errors
    /// If the simulator, or a custom observer or oracle, panicked.
    pub fn run(&self, plan: &Plan) -> Result<Outcome, HarnessFailure> {
        let (mut observers, oracles) = catch_panics(|| self.make(plan))?;
        run_plan_with(plan, &mut observers, oracles, world::Options::default())
    }

    /// Makes the additions for one run.
    fn make(&self, plan: &Plan) -> (Observers, OwnOracles<'_>) {
        let observers = self.observers.iter().map(|make| make(plan)).collect();
        let monitors = self.monitors.iter().map(|make| make(plan)).collect();
        let without_specification = self.without_specification;
        (Observers(observers), OwnOracles { monitors, judges: &self.judges, without_specification })
    }
}

impl fmt::Debug for Additions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Additions { observers, monitors, judges, .. } = self;
        let counts = [("observers", observers.len()), ("monitors", monitors.len()), ("judges", judges.len())];
        f.debug_map().entries(counts).finish()
    }
}

/// All observers of one run.
struct Observers(Vec<Box<dyn Observer<Etcd>>>);

impl Observer<Etcd> for Observers {
    fn event(&mut self, event: &Event) {
        self.0.iter_mut().for_each(|observer| observer.event(event));
    }

    fn wants_steps(&self) -> bool {
        self.0.iter().any(|observer| observer.wants_steps())
    }

    fn step(&mut self, time: Nanos, member: MemberId, step: &Step) {
        self.0.iter_mut().for_each(|observer| observer.step(time, member, step));
    }

    fn wants_inner(&self) -> bool {
        self.0.iter().any(|observer| observer.wants_inner())
    }

    fn inner(&mut self, time: Nanos, member: MemberId, inner: &Inner) {
        self.0.iter_mut().for_each(|observer| observer.inner(time, member, inner));
    }

    fn served(&mut self, time: Nanos, member: MemberId, served: Served) {
        self.0.iter_mut().for_each(|observer| observer.served(time, member, served));
    }
}

/// The custom oracles in one run.
#[derive(Default)]
pub(crate) struct OwnOracles<'a> {
    monitors: Vec<Box<dyn Monitor>>,
    judges: &'a [Arc<dyn Judge + Send + Sync>],
    without_specification: bool,
}

impl OwnOracles<'_> {
    /// No custom oracles, with oracle S or without it.
    pub(crate) fn none(without_specification: bool) -> OwnOracles<'static> {
        OwnOracles { without_specification, ..OwnOracles::default() }
    }

    /// Whether oracle S is switched off.
    pub(crate) fn without_specification(&self) -> bool {
        self.without_specification
    }
}

impl Monitor for OwnOracles<'_> {
    #[inline]
    fn event(&mut self, event: &Event, sheet: &mut Sheet) {
        self.monitors.iter_mut().for_each(|monitor| monitor.event(event, sheet));
    }

    fn wants_steps(&self) -> bool {
        self.monitors.iter().any(|monitor| monitor.wants_steps())
    }

    fn step(&mut self, time: Nanos, member: MemberId, step: &Step, sheet: &mut Sheet) {
        self.monitors.iter_mut().for_each(|monitor| monitor.step(time, member, step, sheet));
    }

    fn served(&mut self, time: Nanos, member: MemberId, served: Served, sheet: &mut Sheet) {
        self.monitors.iter_mut().for_each(|monitor| monitor.served(time, member, served, sheet));
    }

    fn inner(&mut self, time: Nanos, member: MemberId, inner: &Inner, sheet: &mut Sheet) {
        self.monitors.iter_mut().for_each(|monitor| monitor.inner(time, member, inner, sheet));
    }

    fn end(&mut self, record: &Record, sheet: &mut Sheet) {
        self.monitors.iter_mut().for_each(|monitor| monitor.end(record, sheet));
    }
}

impl Judge for OwnOracles<'_> {
    fn judge(&self, context: &Context<'_>, sheet: &mut Sheet) {
        self.judges.iter().for_each(|judge| judge.judge(context, sheet));
    }
}
