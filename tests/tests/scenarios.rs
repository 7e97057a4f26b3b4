//! Every scenario is a test: a few seeds, and all must hold. Files in `scenarios/regressions/` too.
//!
//! `ETCDSIM_SEED=7 cargo test -p etcdsim-tests scenarios::power-loss` runs one seed of one
//! scenario, `ETCDSIM_SEEDS=500` runs 500 of each.

use etcdsim_tests::{scenarios, simulation, test_name};
use libtest_mimic::{Failed, Trial};

const FOLDER: &str = "scenarios";
/// Seeds of each scenario, where the environment does not say otherwise.
const SEEDS: u64 = 5;

/// The tests, by name.
pub fn trials() -> Vec<Trial> {
    let files = scenarios(FOLDER);
    let trials = files.into_iter().map(|file| {
        let name = format!("scenarios::{}", test_name(FOLDER, &file));
        Trial::test(name, move || {
            let simulation = simulation(&file)?.seeds(0..SEEDS);
            simulation.verdict().map(drop).map_err(Failed::from)
        })
    });
    trials.collect()
}
