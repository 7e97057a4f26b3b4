//! Every scenario is a test, including those in `scenarios/regressions/`: a few seeds, all of which must hold. The plan of
//! a past failure must also still reach what it reached, or it shows nothing (docs/why.md).
//!
//! `ETCDSIM_SEED=7 cargo test -p etcdsim-tests scenarios::power-loss` runs one seed of one
//! scenario; `ETCDSIM_SEEDS=500` runs 500 seeds of each.

use std::path::Path;

use etcdsim::Report;
use etcdsim_tests::{scenarios, simulation, test_name};
use libtest_mimic::{Failed, Trial};

const FOLDER: &str = "scenarios";
/// Seeds of each scenario, unless the environment overrides it.
const SEEDS: u64 = 5;

/// The tests, by name.
pub fn trials() -> Vec<Trial> {
    let files = scenarios(FOLDER);
    let trials = files.into_iter().map(|file| {
        let name = format!("scenarios::{}", test_name(FOLDER, &file));
        Trial::test(name, move || {
            let simulation = simulation(&file)?.seeds(0..SEEDS);
            let report = simulation.verdict().map_err(Failed::from)?;
            strayed(&file, &report)
        })
    });
    trials.collect()
}

/// An error if a saved plan no longer reaches what its failing run reached.
fn strayed(file: &Path, report: &Report) -> Result<(), Failed> {
    let missing: Vec<&str> = report.runs().flat_map(|(_, run)| &run.strayed).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (file, missing) = (file.display(), missing.join(", "));
    Err(format!("{file} no longer reaches {missing}; `etcdsim aim {file}` mends the plan").into())
}
