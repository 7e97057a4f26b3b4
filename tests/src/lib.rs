//! The scenarios and the canaries as tests.
//!
//! * `tests/scenarios.rs`: every file of `scenarios/` is a test with its name, with a few seeds.
//! * `tests/canaries.rs`: the scenario of every flaw finds it, and finds nothing without it.
//! * `tests/conformance/`: a whole member answers what a real etcd answered.
//! * `tests/names.rs`: everything that comments and pages name exists.
//! * `tests/page.rs`: a browser opens the pages of runs.
//!
//! The end-to-end tests of the command are in `crates/etcdsim/tests`, where cargo provides the path of
//! the binary.

use std::path::{Path, PathBuf};

use etcdsim::Simulation;
use libtest_mimic::Failed;

/// The command that replays failures of these tests, from the root of the repository.
const COMMAND: &str = "cargo run --release --";

/// The files of a folder of scenarios, relative to the root of the repository. Makes the root the working
/// directory.
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

/// The name of a scenario's test: `regressions::lost-vote`.
pub fn test_name(folder: &str, file: &Path) -> String {
    let inner = file.strip_prefix(folder).unwrap_or(file).with_extension("");
    let parts: Vec<_> = inner.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("::")
}

/// An error as text, with the mistakes underlined.
pub fn explained(error: etcdsim::Error) -> String {
    format!("{:?}", miette::Report::new(error))
}
