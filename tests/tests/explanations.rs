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
const HEADLINES: &[(&str, &[&str])] = &[
    ("R2", &["Member", "answered", "on its disk"]),
    ("R5", &["linearizable", "without asking the leader for a read index"]),
    ("R7", &["linearizable", "did not wait until that entry was applied"]),
    ("R12", &["in one step", "without the joint configuration"]),
    ("R19", &["backend commit", "the index in a later one", "again"]),
    ("R37", &["a second time", "the network delivered that message"]),
    ("M-13766", &["backend commit", "the consistent index", "ahead of the effects", "skips"]),
    ("M-14571", &["snapshot", "still checks permissions by its cache"]),
    ("M-14685", &["before a defragmentation", "left the consistent index"]),
    ("M-15220", &["request for progress", "ahead of"]),
    ("M-15247", &["lease", "without confirming with a quorum that it still led"]),
    ("M-15271", &["did not move its next revision"]),
    ("M-17132", &["whole TTL", "last checkpoint"]),
    ("M-17247", &["twice", "backend commit", "buffer"]),
    ("M-17529", &["had to cancel the watcher", "no room"]),
    ("M-18089", &["compaction to revision", "removed the deletion", "itself"]),
    ("M-18667", &["did not propose it", "in place of"]),
    ("M-19179", &["restart", "left out the deletion", "whose puts a compaction has removed"]),
    ("M-20221a", &["sent progress", "waits for a revision that is not reached"]),
    ("M-20221b", &["lowered the next revision", "snapshot"]),
    ("M-20271", &["copy of a defragmentation", "snapshot from the leader"]),
    ("M-20693", &["negative revision -1"]),
    ("M-20797", &["restarted", "as a learner", "as a voter"]),
    ("M-21174", &["cancelled", "left it in the group"]),
    ("M-21355", &["pass over lagging watchers", "overwrote"]),
    ("M-21737", &["other addresses", "a learner", "a voter"]),
    ("M-22264", &["passed over", "begins with the same ones"]),
    ("M-12291", &["the lessor, granted it", "by its monotonic clock", "as a wall clock may say"]),
    ("M-lock-expired", &["gave the lock", "no longer existed"]),
];

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
