//! Lists what a verdict covers: what the oracles judged, and what they could not judge and why. So a reader does not
//! mistake "nothing found" for "nothing checked".

use std::fmt::{self, Write};

use owo_colors::OwoColorize;
use verify::{Check, NotJudged, Oracle};

use crate::show::numbers;

/// The oracles that judged something, in their order: "K1, K4".
pub fn judged_by(checks: &[Check]) -> String {
    ids(checks.iter().filter(|check| check.count > 0).map(|check| check.oracle))
}

/// The oracles that could not judge everything, in their order.
pub fn not_judged_in_full(not_judged: &[NotJudged]) -> String {
    ids(not_judged.iter().map(|one| one.oracle))
}

/// The ids of oracles, sorted.
fn ids(oracles: impl Iterator<Item = Oracle>) -> String {
    let mut oracles: Vec<Oracle> = oracles.collect();
    oracles.sort_unstable();
    oracles.dedup();
    oracles.iter().map(|oracle| oracle.id()).collect::<Vec<_>>().join(", ")
}

/// Two lists: what each oracle judged, and what was not judged.
pub fn lists(out: &mut String, checks: &[Check], not_judged: &[NotJudged]) -> fmt::Result {
    let mut judged: Vec<&Check> = checks.iter().filter(|check| check.count > 0).collect();
    // Stable: what one oracle checked stays in its order.
    judged.sort_by_key(|check| check.oracle);
    if !judged.is_empty() {
        writeln!(out, "   {}", "judged".dimmed())?;
    }
    for of_oracle in judged.chunk_by(|one, other| one.oracle == other.oracle) {
        let parts: Vec<String> = of_oracle
            .iter()
            .map(|check| format!("{}: {}", check.what, numbers::count(check.count)))
            .collect();
        writeln!(out, "     {:<4} {}", of_oracle[0].oracle, parts.join("; "))?;
    }
    if !not_judged.is_empty() {
        writeln!(out, "   {}", "not judged".yellow())?;
    }
    for NotJudged { oracle, what, count, missing } in not_judged {
        writeln!(out, "     {oracle:<4} {what}: {}, because {}", numbers::count(*count), missing.why())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use verify::{Missing, Sheet};

    #[test]
    fn it_says_what_was_judged_and_what_was_not() {
        let mut sheet = Sheet::default();
        sheet.checked(Oracle::K4, "writes", 1_200);
        sheet.checked(Oracle::K1, "reads", 3);
        sheet.checked(Oracle::K1, "errors", 0);
        sheet.checked(Oracle::K1, "revisions", 2);
        sheet.not_judged(Oracle::M1, "answers", 1, Missing::AppliedEntries);
        sheet.not_judged(Oracle::L1, "leases", 0, Missing::AppliedEntries);
        let verdict = sheet.into_verdict();
        assert_eq!(judged_by(&verdict.checks), "K1, K4");
        assert_eq!(not_judged_in_full(&verdict.not_judged), "M1");
        let mut text = String::new();
        lists(&mut text, &verdict.checks, &verdict.not_judged).expect("a String takes everything");
        let text = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(
            text,
            "   judged\n     K1   reads: 3; revisions: 2\n     K4   writes: 1,200\n   not judged\n     M1   answers: 1, because the history does not have the entries that the members applied\n"
        );
    }
}
