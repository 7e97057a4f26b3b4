//! What the oracles make of some runs, written down in `tests/data/verdicts`: how much each of them judged, what it
//! skipped and why, and what it says of each flaw, and of what a correct run shows with one thing changed: a value of a
//! history, a fact, a step, what a member keeps, a setting. So a change of an oracle shows what it changes, and a check
//! that stops looking does not go unnoticed.
//!
//! A change of the member or of the world changes runs, and so these files. `UPDATE_VERDICTS=1 cargo test -p
//! etcdsim-verify --test all verdicts::` writes them again; look at the difference.

mod facts;
mod histories;
mod kept;
mod lines;
mod steps;
mod stream;
mod traces;
mod values;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use etcdsim::plan::FlawAt;
use etcdsim::{Case, Outcome, Plan, find_scenarios, history_of_run, run_plan};
use etcdsim_verify::history_file::HistoryFile;
use etcdsim_verify::{Verdict, Violation, judge};

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A scenario of the repository.
fn scenario(name: &str) -> Case {
    let file = root().join("scenarios").join(name).with_extension("toml");
    Case::load(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// All scenarios but the swarm, in the order of their names. Saved plans are not among them.
fn scenarios() -> Vec<Case> {
    let folder = root().join("scenarios");
    let mut files = find_scenarios(std::slice::from_ref(&folder)).expect("the folder of scenarios");
    files.retain(|file| file.parent() == Some(&folder) && !file.ends_with("swarm.toml"));
    files.sort();
    files.iter().map(|file| Case::load(file).expect("a scenario")).collect()
}

/// The swarm with short runs, for tests that look at each of them many times.
fn short_swarm() -> Case {
    let text = std::fs::read_to_string(root().join("scenarios/swarm.toml")).expect("the swarm is there");
    let short = text.replace(r#"chaos = "20s..40s""#, r#"chaos = "4s..10s""#);
    assert_ne!(short, text, "its chaos phase has another length");
    Case::parse("swarm.toml", &short).expect("a scenario")
}

fn run(plan: &Plan) -> Outcome {
    run_plan(plan).expect("the simulator does not panic")
}

/// The verdict on what is left of a run if nobody knows what the members did: as of a history of a real cluster.
fn without_evidence(plan: &Plan, outcome: &Outcome) -> Verdict {
    let mut file = history_of_run(plan, outcome);
    file.applied.clear();
    let mut text = Vec::new();
    file.write(&mut text).expect("a vector takes everything");
    let read = HistoryFile::read_from("run.jsonl", &text[..]).expect("what is written can be read");
    let (record, expectations) = read.into_record();
    judge(&record, &expectations)
}

/// Sums over several runs: a row for each name.
#[derive(Default)]
struct Sums(BTreeMap<String, u64>);

impl Sums {
    fn add(&mut self, name: impl Into<String>, count: u64) {
        *self.0.entry(name.into()).or_default() += count;
    }

    /// What a verdict says: how much was checked and how much was not, what is undecided, and what is wrong.
    fn add_verdict(&mut self, verdict: &Verdict) {
        for check in &verdict.checks {
            self.add(format!("{} checked: {}", check.oracle, check.what), check.count);
        }
        for missing in &verdict.not_judged {
            self.add(
                format!("{} not judged: {} ({:?})", missing.oracle, missing.what, missing.missing),
                missing.count,
            );
        }
        for reason in &verdict.undecided {
            self.add(format!("undecided: {reason}"), 1);
        }
        for violation in &verdict.violations {
            self.add(format!("violated: {}", shown(violation)), 1);
        }
    }

    /// What the monitors counted in a run.
    fn add_stats(&mut self, outcome: &Outcome) {
        let stats = &outcome.record.stats;
        for (must, counts) in &stats.musts {
            self.add(format!("{must} judged, times"), counts.judged);
            self.add(format!("{must} judged, ns"), counts.judged_ns);
            counts
                .skipped
                .iter()
                .for_each(|(why, count)| self.add(format!("{must} skipped by {why}, times"), *count));
            counts
                .skipped_ns
                .iter()
                .for_each(|(why, ns)| self.add(format!("{must} skipped by {why}, ns"), *ns));
        }
        stats.specification.iter().for_each(|(path, count)| self.add(format!("S reached: {path}"), *count));
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, count) in &self.0 {
            writeln!(text, "{count:>16}  {name}").expect("a String takes everything");
        }
        text
    }
}

/// A violation in one line.
fn shown(violation: &Violation) -> String {
    let Violation { oracle, severity, time, title, sentences, operations, events } = violation;
    format!(
        "{oracle} {severity:?} at {time}: {title}. {} {operations:?} {}",
        sentences.join(" "),
        events.join(" | ")
    )
}

/// A verdict in one line: the titles of up to three violations, how many there are, and a digest of all that it says.
fn in_brief(verdict: &Verdict) -> String {
    let mut titles: Vec<String> = Vec::new();
    for violation in &verdict.violations {
        let title = format!("{} {}", violation.oracle, violation.title);
        if titles.len() < 3 && !titles.contains(&title) {
            titles.push(title);
        }
    }
    let Verdict { checks, not_judged, undecided, violations, .. } = verdict;
    let all = digest(&format!("{checks:?} {not_judged:?} {undecided:?} {violations:?}"));
    match violations.len() {
        0 => format!("holds ({all:08x})"),
        1 => format!("{} ({all:08x})", titles.join("; ")),
        many => format!("{} ({many}, {all:08x})", titles.join("; ")),
    }
}

/// FNV-1a, of 32 bits: texts that differ have different digests, as good as always.
fn digest(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |digest, byte| (digest ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Compares with what is written down.
fn compare(name: &str, now: &str) {
    let file = Path::new("tests/data/verdicts").join(name).with_extension("txt");
    if std::env::var_os("UPDATE_VERDICTS").is_some() {
        return std::fs::write(&file, now).expect("the folder can be written");
    }
    let before = std::fs::read_to_string(&file).expect("it is written down");
    let differing = before.lines().zip(now.lines()).filter(|(before, now)| before != now);
    let first: Vec<String> = differing.take(5).map(|(before, now)| format!("- {before}\n+ {now}")).collect();
    assert!(
        before == now,
        "{} differs. If the runs or the oracles were meant to change, `UPDATE_VERDICTS=1` writes it again.\n{}",
        file.display(),
        first.join("\n")
    );
}

/// The swarm on the correct build: how much everything is judged.
#[test]
fn of_the_swarm() {
    let case = scenario("swarm");
    let mut sums = Sums::default();
    for seed in 0..16 {
        let outcome = run(&case.plan(seed));
        sums.add_verdict(&outcome.verdict);
        sums.add_stats(&outcome);
    }
    compare("swarm", &sums.text());
}

/// Every second scenario on the correct build, half of them known by the answers alone.
#[test]
fn of_scenarios() {
    let mut sums = [Sums::default(), Sums::default()];
    for (number, case) in scenarios().iter().step_by(2).enumerate() {
        let plan = case.plan(number as u64);
        let outcome = run(&plan);
        match number % 2 {
            0 => sums[0].add_verdict(&outcome.verdict),
            _ => sums[1].add_verdict(&without_evidence(&plan, &outcome)),
        }
        sums[0].add_stats(&outcome);
    }
    compare("scenarios", &format!("{}\nWithout evidence\n\n{}", sums[0].text(), sums[1].text()));
}

/// Every second flaw in the first seed of its scenario: what each oracle says first, with the evidence and without.
#[test]
fn of_flaws() {
    let page = std::fs::read_to_string(root().join("docs/flaws.md")).expect("the page of flaws");
    let mut text = String::new();
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains("` | "));
    for row in rows.step_by(2) {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let &[_, flaw, _, name, ..] = &cells[..] else { panic!("a row of the table: {row}") };
        let switched = FlawAt { flaw: flaw.to_string(), member: None };
        let case = scenario(name).with_flaws(&[switched]).expect("a flaw");
        let plan = case.plan(0);
        let outcome = run(&plan);
        let bare = without_evidence(&plan, &outcome);
        for (how, verdict) in [("", &outcome.verdict), (", without evidence", &bare)] {
            writeln!(text, "{flaw} in {name}{how}").expect("a String takes everything");
            let mut said = Vec::new();
            for violation in &verdict.violations {
                if !said.contains(&violation.oracle) {
                    said.push(violation.oracle);
                    writeln!(text, "    {}", shown(violation)).expect("a String takes everything");
                }
            }
        }
    }
    compare("flaws", &text);
}
