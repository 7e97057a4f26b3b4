//! Every scenario is a test, including those in `scenarios/regressions/`: a few seeds, all of which must hold.
//!
//! `ETCDSIM_SEED=7 cargo test -p etcdsim-tests scenarios::power-loss` runs one seed of one
//! scenario; `ETCDSIM_SEEDS=500` runs 500 seeds of each.

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
            simulation.verdict().map(drop).map_err(Failed::from)
        })
    });
    trials.collect()
}
