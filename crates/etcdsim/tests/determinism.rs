//! Tests D1, determinism: the same plan gives the same trace hash, twice in one process, in two processes, with one job
//! and with two. (Debug and release builds are compared by `.ci/run` and by hand.)

use std::path::Path;

use crate::common::etcdsim;
use etcdsim::{Case, run_seed};
use serde_json::Value;

/// Scenarios with faults of disks, links, clocks and processes, and with all of them at once.
const SCENARIOS: &[&str] = &["power-loss", "lossy-duplicating-reordering", "clock-drift", "swarm"];
const SEEDS: std::ops::Range<u64> = 10..13;

fn files() -> Vec<String> {
    SCENARIOS.iter().map(|name| format!("scenarios/{name}.toml")).collect()
}

/// A report without the fields that depend on the machine.
fn run(jobs: &str) -> Value {
    let files = files();
    let mut arguments = vec!["run", "--format", "json", "--seeds", "10..13", "--jobs", jobs];
    arguments.extend(files.iter().map(String::as_str));
    let mut report = serde_json::from_str(&etcdsim(&arguments).expect(0).stdout).expect("one JSON object");
    strip(&mut report);
    report
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !["wall_ns", "check_ns", "peak_rss_bytes"].contains(&name.as_str()));
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

#[test]
fn two_processes_with_one_job_and_with_two_agree() {
    let one = run("1");
    assert_eq!(one, run("2"));

    // This process takes the same steps on its own thread.
    for (index, file) in files().iter().enumerate() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let case = Case::load(&root.join(file)).expect("the scenario is valid");
        for seed in SEEDS {
            let here = run_seed(&case, seed, false).0.trace_hash.to_string();
            assert_eq!(
                one["scenarios"][index]["trace_hashes"][seed.to_string()],
                here,
                "{file}, seed {seed}"
            );
        }
    }
}

#[test]
fn two_runs_of_a_seed_are_the_same() {
    let mut arguments = vec!["run", "--check-determinism", "--seeds", "2"];
    let files = files();
    arguments.extend(files.iter().map(String::as_str));
    etcdsim(&arguments).expect(0);
}
