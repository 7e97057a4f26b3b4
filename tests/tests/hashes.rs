//! The trace hashes written down in `tests/data/hashes.txt`: a change that should not change a run shows it by them.
//!
//! Most changes of the member or of the world do change runs, so this test runs only when asked for:
//! `cargo test -p etcdsim-tests -- --ignored hashes`. `UPDATE_HASHES=1` writes the file again.

use std::fmt::Write;
use std::path::Path;

use etcdsim_tests::{explained, scenarios, simulation};
use libtest_mimic::{Failed, Trial};

const FILE: &str = "tests/data/hashes.txt";
/// Seeds of each scenario.
const SEEDS: u64 = 2;
/// Seeds of the swarm.
const SWARM_SEEDS: u64 = 1_000;

/// The test, ignored by default.
pub fn trials() -> Vec<Trial> {
    vec![Trial::test("hashes::are_those_written_down", compare).with_ignored_flag(true)]
}

fn compare() -> Result<(), Failed> {
    let mut now = String::new();
    for file in scenarios("scenarios") {
        // Plans and what only benches run have no seeds to vary.
        let swarm = file.ends_with("swarm.toml");
        hashes(&mut now, &file, if swarm { SWARM_SEEDS } else { SEEDS })?;
    }
    if std::env::var_os("UPDATE_HASHES").is_some() {
        return Ok(std::fs::write(FILE, now)?);
    }
    let before = std::fs::read_to_string(FILE)?;
    let differing: Vec<&str> =
        before.lines().zip(now.lines()).filter(|(a, b)| a != b).map(|(before, _)| before).collect();
    if before == now {
        return Ok(());
    }
    let (lines, first) = (now.lines().count(), differing.first().unwrap_or(&"the number of lines"));
    Err(format!("{} of {lines} hashes differ, the first: {first}", differing.len()).into())
}

fn hashes(text: &mut String, file: &Path, seeds: u64) -> Result<(), Failed> {
    let report = simulation(file)?.seeds(0..seeds).run().map_err(explained)?;
    for (_, run) in report.runs() {
        writeln!(text, "{} {} {}", file.display(), run.seed, run.trace_hash)
            .expect("a String takes everything");
    }
    Ok(())
}
