//! A check that cannot fail is a defect: the scenario of every flaw must find it, with an oracle that is
//! meant to find it, and the same seeds must find nothing without the flaw.

use etcdsim_tests::{explained, simulation};
use libtest_mimic::{Failed, Trial};
use member::Flaw;

/// The most seeds that a flaw may need.
const MOST_SEEDS: u64 = 200;

/// One test for each flaw. Its row names the scenario and the oracles; one of them must find it.
pub fn trials() -> Vec<Trial> {
    let test =
        |flaw: &'static Flaw| Trial::test(format!("canaries::{flaw}::{}", flaw.scenario()), || catch(*flaw));
    Flaw::ALL.iter().map(test).collect()
}

fn catch(flaw: Flaw) -> Result<(), Failed> {
    let (scenario, oracles) = (flaw.scenario(), flaw.oracles());
    let file = format!("scenarios/{scenario}.toml");
    let with = simulation(file.as_ref())?.seeds(0..MOST_SEEDS).until_first();
    let report = with.flaw(flaw.id()).map_err(explained)?.run().map_err(explained)?;
    let seeds = report.done() as u64;
    if report.failures() == 0 {
        return Err(format!("{flaw} was not found by {scenario} in {seeds} seeds").into());
    }
    let found = report.oracles();
    if !found.iter().any(|oracle| oracles.contains(&oracle.id())) {
        return Err(format!("{flaw} was found by {found:?}, but one of {oracles:?} must find it").into());
    }
    let without = simulation(file.as_ref())?.seeds(0..seeds);
    without.verdict().map(drop).map_err(|failure| format!("without {flaw}:\n{failure}").into())
}
