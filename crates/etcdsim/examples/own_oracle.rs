//! Your own oracles, one of each kind, and an observer.
//!
//! `cargo run --release --example own_oracle`
//!
//! A *judge* looks at the record when a run is over; a *monitor* watches its events as they happen; both write
//! into a sheet. An *observer* sees the same events and writes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use etcdsim::{
    Context, Etcd, EtcdFact, Event, Fact, MemberId, Monitor, NamedWorkload, Nanos, Observer, Oracle,
    ProcessFault, Scenario, ScenarioFault, Severity, Sheet, Simulation, SimulationFailure, Target, Violation,
};

const PATIENCE: Oracle = Oracle::own("PATIENCE", "every answer comes within 3 s", Severity::Stuck);
const FLAPS: Oracle =
    Oracle::own("FLAPS", "no member is started more than 3 times a minute", Severity::Inside);

const MINUTE: Nanos = 60_000_000_000;

/// Judges the history.
fn patience(context: &Context<'_>, sheet: &mut Sheet) {
    let operations = &context.history().operations;
    sheet.checked(PATIENCE, "operations", operations.len());
    for (number, operation) in operations.iter().enumerate() {
        let Some(returned) = operation.returned() else { continue };
        if returned - operation.call > 3_000_000_000 {
            let violation = Violation::new(PATIENCE, returned, "an answer took more than 3 s");
            sheet.add(violation.shown_by([number]));
        }
    }
}

/// Watches the events.
#[derive(Default)]
struct Flaps {
    starts: Vec<(MemberId, Nanos)>,
}

impl Monitor for Flaps {
    fn event(&mut self, event: &Event, sheet: &mut Sheet) {
        let Fact::Started { .. } = event.fact else { return };
        self.starts.push((event.member, event.time));
        let lately = |start: &&(MemberId, Nanos)| start.0 == event.member && start.1 + MINUTE > event.time;
        let count = self.starts.iter().filter(lately).count();
        if count > 3 {
            let violation = Violation::new(FLAPS, event.time, "a member is started over and over");
            sheet.add(
                violation.say(format!("Member {} was started {count} times in a minute.", event.member)),
            );
        }
    }
}

/// Counts the members that become leaders.
struct Elections(Arc<AtomicU64>);

impl Observer<Etcd> for Elections {
    fn event(&mut self, event: &Event) {
        if let Fact::Own(EtcdFact::State { role: etcdsim::record::Role::Leader, .. }) = event.fact {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scenario = Scenario::builder("A member that is killed every two seconds")
        .workload(NamedWorkload::new("register").clients(3))
        .fault(
            ScenarioFault::new(ProcessFault::Crash)
                .on(Target::members([2]))
                .every(Duration::from_secs(2))
                .lasting(Duration::from_millis(200)),
        )
        .chaos(Duration::from_secs(12))
        .build()?;
    let elections = Arc::new(AtomicU64::new(0));
    let counted = elections.clone();
    let simulation = Simulation::new(scenario)?
        .judge(patience)
        .monitor(|_plan| Flaps::default())
        .observer(move |_plan| Elections(counted.clone()))
        .seeds(0..2);
    match simulation.verdict() {
        Ok(report) => println!("{} seeds held", report.done()),
        // The second oracle is violated here.
        Err(SimulationFailure::Failed { report, account }) => {
            println!("{account}");
            println!("\nviolated: {:?}", report.oracles());
        }
        Err(other) => return Err(other.into()),
    }
    println!("leaders: {}", elections.load(Ordering::Relaxed));
    Ok(())
}
