//! The scenarios and the canaries as tests.
//!
//! * `tests/scenarios.rs`: every file of `scenarios/` is a test of its own name, with a few seeds.
//! * `tests/canaries.rs`: every flaw is found by its scenario, and nothing is found without it.
//! * `tests/conformance/`: what a real etcd answered, a whole member answers too.
//! * `tests/names.rs`: whatever a comment or a page names exists.
//!
//! The end-to-end tests of the command are in `crates/etcdsim/tests`, where cargo tells the place of
//! the binary.

use std::path::{Path, PathBuf};

use etcdsim::Simulation;
use libtest_mimic::Failed;

/// How the failures of these tests are replayed, from the root of the repository.
const COMMAND: &str = "cargo run --release --";

/// The files of a folder of scenarios, relative to the root of the repository, which becomes the
/// working directory.
pub fn scenarios(folder: &str) -> Vec<PathBuf> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the repository");
    std::env::set_current_dir(root).expect("the root of the repository can be entered");
    etcdsim::find_scenarios(&[PathBuf::from(folder)]).unwrap_or_default()
}

/// A simulation of a file; a mistake in the file fails the test.
pub fn simulation(file: &Path) -> Result<Simulation, Failed> {
    let simulation = Simulation::from_file(file).map_err(|error| Failed::from(explained(error)))?;
    Ok(simulation.replayed_with(COMMAND))
}

/// A case's name as a test's: `regressions::lost-vote`.
pub fn test_name(folder: &str, file: &Path) -> String {
    let inner = file.strip_prefix(folder).unwrap_or(file).with_extension("");
    let parts: Vec<_> = inner.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("::")
}

/// An error with its places underlined.
pub fn explained(error: etcdsim::Error) -> String {
    format!("{:?}", miette::Report::new(error))
}
