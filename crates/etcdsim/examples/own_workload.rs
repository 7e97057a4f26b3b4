//! Your own workload: what each client does, as a function of the seed.
//!
//! `cargo run --release --example own_workload`

use std::time::Duration;

use etcdsim::{
    Act, Client, NetworkFault, Scenario, ScenarioFault, Simulation, Target, Workload, WorkloadContext,
};

/// A job queue of the kind many programs keep in etcd: producers put jobs under a prefix, workers list the jobs
/// and delete some job.
struct Jobs {
    producers: u32,
    workers: u32,
}

impl Workload for Jobs {
    fn clients(&self, context: &WorkloadContext) -> Vec<Client> {
        let producers = (0..self.producers).map(|nth| produce(context, nth));
        let workers = (self.producers..self.producers + self.workers).map(|nth| work(context, nth));
        producers.chain(workers).collect()
    }
}

fn produce(context: &WorkloadContext, nth: u32) -> Client {
    let mut client = context.client(nth);
    for turn in context.turns(nth, Duration::from_millis(200)) {
        let key = format!("jobs/{}", turn.draw.below(20));
        client.operations.push(Act::put(key, format!("job {} of client {nth}", turn.nth)).at(turn.at));
    }
    client
}

fn work(context: &WorkloadContext, nth: u32) -> Client {
    let mut client = context.client(nth);
    for turn in context.turns(nth, Duration::from_millis(300)) {
        // What has no short form in code can be parsed from a line of a scenario.
        let list = "0s get jobs/* limit=5".parse::<etcdsim::PlannedOperation>();
        client.operations.push(list.expect("the line is valid").act.at(turn.at));
        client.operations.push(Act::delete(format!("jobs/{}", turn.draw.below(20))).at(turn.at));
    }
    client
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scenario = Scenario::builder("A job queue, while the leader is cut off")
        .fault(
            ScenarioFault::new(NetworkFault::Isolate)
                .on(Target::Leader)
                .every(Duration::from_secs(3)..=Duration::from_secs(5))
                .lasting(Duration::from_secs(2)),
        )
        .chaos(Duration::from_secs(12))
        .build()?;
    let simulation = Simulation::new(scenario)?.workload(Jobs { producers: 2, workers: 2 });
    let report = simulation.seeds(0..3).verdict()?;
    let total = &report.cases[0].total;
    println!("{} seeds held: {} of {} operations answered", report.done(), total.answered, total.operations);
    Ok(())
}
