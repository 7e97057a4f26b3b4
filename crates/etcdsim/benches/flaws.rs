//! Measures which oracles find each flaw, and writes that into `docs/flaws.md`: `cargo bench -p etcdsim --bench flaws`.
//! With ids after `--`, it measures only those flaws.
//!
//! For each flaw it runs its scenario with the seeds 0 to 29 and counts the seeds that failed, the oracles that were
//! violated, and the oracle that saw something first in virtual time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use etcdsim::{End, Simulation};
use member::Flaw;

const SEEDS: u64 = 30;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = root.join("docs/flaws.md");
    for flaw in Flaw::ALL.iter().filter(|flaw| wanted.is_empty() || wanted.iter().any(|id| id == flaw.id())) {
        let cells = measure(&root, *flaw);
        println!("{flaw}: {cells}");
        let text = fs::read_to_string(&page).expect("docs/flaws.md can be read");
        let begin = format!("| {flaw} | {} | `{}` | ", flaw.name(), flaw.scenario());
        let line = |line: &str| {
            if line.starts_with(&begin) { format!("{begin}{cells} |\n") } else { format!("{line}\n") }
        };
        fs::write(&page, text.lines().map(line).collect::<String>()).expect("docs/flaws.md can be written");
    }
}

/// The measured cells of a flaw's row.
fn measure(root: &Path, flaw: Flaw) -> String {
    let file = root.join("scenarios").join(flaw.scenario()).with_extension("toml");
    let simulation = Simulation::from_file(&file).expect("the scenario can be read").seeds(0..SEEDS);
    let report = simulation.flaw(flaw.id()).expect("the flaw exists").run().expect("the scenario runs");
    let (mut failed, mut caught, mut first) = (0, BTreeMap::new(), BTreeMap::new());
    for run in report.cases.iter().flat_map(|case| &case.runs) {
        let End::Violated(failure) = &run.end else { continue };
        failed += 1;
        for violation in &failure.violations {
            *caught.entry(violation.oracle).or_insert(0) += 1;
        }
        let earliest =
            failure.violations.iter().min_by_key(|violation| (violation.time_ns, violation.oracle));
        if let Some(violation) = earliest {
            *first.entry(violation.oracle).or_insert(0) += 1;
        }
    }
    format!("{failed} | {} | {}", counts(&caught), counts(&first))
}

/// Oracles with their counts, the most frequent first.
fn counts(counts: &BTreeMap<etcdsim::Oracle, u64>) -> String {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(oracle, count)| (std::cmp::Reverse(**count), **oracle));
    sorted.iter().map(|(oracle, count)| format!("{oracle} {count}")).collect::<Vec<_>>().join(", ")
}
