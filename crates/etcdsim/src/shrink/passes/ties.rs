//! Lets a fault strike at an event instead of at a time: when a leader was elected, or when the clients have called a
//! certain number of operations. Such a plan says why the fault strikes then, and still fails if times change a little.

use plan::{Condition, Plan, Trigger};
use record::{Etcd, EtcdFact, Event, Fact, Nanos, Observer, Role};

use crate::additions::OwnOracles;
use crate::execute::run_plan_with;
use crate::shrink::trial::Trial;

/// The units in which the time between the event and the fault is tried; the last one is 1 ms.
const UNITS: &[Nanos] = &[1_000_000_000, 100_000_000, 10_000_000, 1_000_000];

pub(super) fn ties(trial: &mut Trial<'_>) {
    let moments = moments(trial.best());
    for fault in 0..trial.best().faults.len() {
        let candidates = candidates(&trial.best().faults[fault].when, &moments);
        trial.first(candidates.len(), &|plan, nth| {
            let mut plan = plan.clone();
            plan.faults[fault].when = candidates[nth];
            Some(plan)
        });
        if trial.over() {
            return;
        }
    }
}

/// Conditions that became true shortly before a fault's time, each with the delay from then; the shortest delays first.
fn candidates(when: &Trigger, moments: &[(Nanos, Condition)]) -> Vec<Trigger> {
    let Trigger::At(at) = *when else { return Vec::new() };
    let last =
        |is: fn(&Condition) -> bool| moments.iter().rfind(|(time, condition)| *time <= at && is(condition));
    let last = [
        last(|condition| matches!(condition, Condition::Election(_))),
        last(|condition| matches!(condition, Condition::Operations(_))),
    ];
    let mut delays = vec![0];
    for (time, _) in last.iter().flatten() {
        delays.extend(UNITS.iter().map(|unit| (at - time) / unit * unit));
    }
    delays.sort_unstable();
    delays.dedup();
    let tied = |delay: Nanos| {
        last.into_iter().flatten().map(move |(_, condition)| Trigger::When {
            condition: *condition,
            from: 0,
            delay,
        })
    };
    delays.into_iter().flat_map(tied).collect()
}

/// When elections were won and operations called, in order.
fn moments(plan: &Plan) -> Vec<(Nanos, Condition)> {
    let mut moments = Moments::default();
    // A plan that cannot be run has no moments.
    let _ = run_plan_with(plan, &mut moments, OwnOracles::none(true), world::Options::default());
    moments.all
}

#[derive(Default)]
struct Moments {
    all: Vec<(Nanos, Condition)>,
    elections: u32,
    operations: u64,
}

impl Observer<Etcd> for Moments {
    fn event(&mut self, event: &Event) {
        match &event.fact {
            Fact::Own(EtcdFact::State { role: Role::Leader, .. }) => {
                self.elections += 1;
                self.all.push((event.time, Condition::Election(self.elections)));
            }
            Fact::Called { .. } => {
                self.operations += 1;
                self.all.push((event.time, Condition::Operations(self.operations)));
            }
            _ => {}
        }
    }
}
