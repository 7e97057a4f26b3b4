//! Explanations: the headline of a failure names what the flawed code does, and the rules behind it find nothing in runs
//! without a flaw.

use std::collections::BTreeSet;

use etcdsim::End;
use etcdsim_tests::{explained, simulation};
use libtest_mimic::{Failed, Trial};
use member::Flaw;

/// The most seeds that a flaw may need.
const MOST_SEEDS: u64 = 200;

/// How many seeds without a flaw each scenario is looked at.
const SEEDS_WITHOUT: u64 = 2;

/// Flaws, and the words that the headline of the first failure must have: together they say what the flawed code does.
const HEADLINES: &[(&str, &[&str])] = &[];

/// One test for each row, and one for each scenario that has a row of a flaw.
pub fn trials() -> Vec<Trial> {
    let headlines = HEADLINES.iter().map(|(flaw, words)| {
        Trial::test(format!("explanations::headline::{flaw}"), move || headline(flaw, words))
    });
    let scenarios: BTreeSet<&'static str> = Flaw::ALL.iter().map(|flaw| flaw.scenario()).collect();
    let silent = scenarios
        .into_iter()
        .map(|scenario| Trial::test(format!("explanations::silent::{scenario}"), move || silent(scenario)));
    headlines.chain(silent).collect()
}

/// The headline of the first failure that a flaw causes.
fn headline(flaw: &str, words: &[&str]) -> Result<(), Failed> {
    let known = flaw.parse::<Flaw>()?;
    let file = format!("scenarios/{}.toml", known.scenario());
    let with = simulation(file.as_ref())?.seeds(0..MOST_SEEDS).until_first();
    let report = with.flaw(flaw).map_err(explained)?.run().map_err(explained)?;
    let failure = report.runs().find_map(|(_, run)| match &run.end {
        End::Violated(failure) => Some(failure),
        _ => None,
    });
    let explanation = failure.and_then(|failure| failure.explanation.as_ref());
    let headline = &explanation.ok_or("there is no failure with an explanation")?.headline;
    let missing: Vec<_> = words.iter().filter(|word| !headline.contains(**word)).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("the headline lacks {missing:?}: {headline}").into())
    }
}

/// The rules find no wrong step where there is none.
fn silent(scenario: &str) -> Result<(), Failed> {
    let file = format!("scenarios/{scenario}.toml");
    let simulation = simulation(file.as_ref())?;
    for seed in 0..SEEDS_WITHOUT {
        let found = etcdsim::wrong_steps(&simulation.expand(seed))?;
        if !found.is_empty() {
            return Err(format!("seed {seed}: {}", found.join("\n")).into());
        }
    }
    Ok(())
}
