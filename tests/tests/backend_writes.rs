//! When the world writes what a backend commit holds makes no difference to a run: the swarm's plans have the same
//! trace hash with `backend-writes = "eager"` and `"when-seen"`.
//!
//! An exception is a run in which somebody may have read, damaged or filled a file of the backend: the pages lie
//! elsewhere in the file if several commits were written as one. These runs must hold, too.
//!
//! `ETCDSIM_SEEDS=2000 cargo test -p etcdsim-tests backend_writes -- --nocapture` prints all differences and how
//! often the states were reached that only an interrupted commit reaches.

use std::path::Path;

use etcdsim::{Outcome, run_plan};
use etcdsim_tests::simulation;
use libtest_mimic::{Failed, Trial};
use member::config::BackendWrites;
use plan::Plan;
use record::Probe;

/// How many seeds of the swarm, unless the environment overrides it.
const SEEDS: u64 = 20;
const PROBES: [Probe; 3] = [Probe::TornCommitFound, Probe::CommitLostWhole, Probe::CommitKeptWhole];
/// Faults after which the two may differ.
const EXCUSES: [&str; 7] =
    ["bit-rot", "disk-full", "disk-error", "lost-disk", "lost-write", "misdirected-write", "short-read"];

/// The test.
pub fn trials() -> Vec<Trial> {
    vec![Trial::test("backend_writes::make_no_difference", compare)]
}

fn compare() -> Result<(), Failed> {
    etcdsim_tests::scenarios("scenarios");
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let first: u64 = number("ETCDSIM_FIRST").unwrap_or(0);
    let seeds = number("ETCDSIM_SEEDS").unwrap_or(SEEDS);
    let swarm = simulation(Path::new("scenarios/swarm.toml"))?;
    let mut reached = [[0; 3]; 2];
    let mut failures = Vec::new();
    let (mut equal, mut excused) = (0, 0);
    for seed in first..first + seeds {
        let plan = swarm.expand(seed);
        let outcomes = [run(&plan, BackendWrites::Eager)?, run(&plan, BackendWrites::WhenSeen)?];
        for (outcome, reached) in outcomes.iter().zip(&mut reached) {
            for (probe, reached) in PROBES.iter().zip(reached) {
                *reached += outcome.record.stats.probes[*probe];
            }
            if !outcome.verdict.violations.is_empty() {
                failures.push(format!("seed {seed}: {:?}", outcome.verdict.violations));
            }
        }
        let [eager, when_seen] = &outcomes;
        if eager.record.trace_hash == when_seen.record.trace_hash {
            equal += 1;
            continue;
        }
        let faults = &eager.record.stats.faults;
        let causes: Vec<_> = EXCUSES.iter().filter(|fault| faults.contains_key(**fault)).collect();
        println!("seed {seed} differs: {causes:?}");
        if causes.is_empty() {
            failures.push(format!("seed {seed} differs, and nothing excuses it"));
        }
        excused += 1;
    }
    println!("{equal} equal, {excused} not");
    for (writes, reached) in ["eager", "when-seen"].iter().zip(reached) {
        println!("{writes}: torn, lost, kept {reached:?}");
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

fn run(plan: &Plan, writes: BackendWrites) -> Result<Outcome, Failed> {
    let mut plan = plan.clone();
    plan.cluster.settings.backend_writes = writes;
    Ok(run_plan(&plan)?)
}
