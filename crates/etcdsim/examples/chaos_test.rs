//! A chaos test: a scenario and some seeds, all of which must hold.
//!
//! `cargo run --release --example chaos_test`, or with your own file:
//! `cargo run --release --example chaos_test scenarios/power-loss.toml`.
//!
//! Your own test needs only the scenario and `Simulation::check`.

use std::time::Duration;

use etcdsim::{NamedWorkload, ProcessFault, Scenario, ScenarioFault, Simulation, Spread, Target};

/// Members are killed and lose power while five clients read and write a few keys.
fn crashes() -> Result<Scenario, etcdsim::ScenarioErrors> {
    let (ms, secs) = (Duration::from_millis, Duration::from_secs);
    Scenario::builder("Members crash and lose power")
        .members(3)
        .disk(|disk| disk.sync = Spread::Exponential { floor: 1_000_000, mean: 5_000_000 })
        .workload(NamedWorkload::new("mixed").clients(5).rate(40).keys(3))
        .fault(
            ScenarioFault::new(ProcessFault::Crash)
                .on(Target::Random)
                .every(secs(2)..=secs(4))
                .lasting(ms(500)),
        )
        .fault(
            ScenarioFault::new(ProcessFault::PowerLoss)
                .on(Target::Majority)
                .at(secs(5)..=secs(8))
                .lasting(secs(1)),
        )
        .chaos(secs(12))
        .answered(50)
        .build()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let simulation = match std::env::args().nth(1) {
        Some(file) => Simulation::from_file(file)?,
        None => Simulation::new(crashes()?)?,
    };
    let report = simulation.seeds(0..5).verdict()?;
    let total = &report.cases[0].total;
    println!("{} seeds held: {} operations, {} elections", report.done(), total.operations, total.elections);
    Ok(())
}
