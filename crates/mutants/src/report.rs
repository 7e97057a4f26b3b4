//! The result: the score, by file, kind and oracle, and the mutants that lived with their code.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::journal::Header;
use crate::list::List;
use crate::mutant::Name;
use crate::select::{Sample, Shard};
use crate::trial::{Compare, Fate, Outcome};

/// The name and version of the format.
const SCHEMA: &str = "etcdsim.mutants/1";

/// How many mutants met which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// All.
    pub mutants: usize,
    /// No job reaches them.
    pub not_reached: usize,
    /// They make no difference.
    pub no_difference: usize,
    /// They are on the list; those that are not reached or make no difference are counted there.
    pub listed: usize,
    /// A verdict.
    pub verdict: usize,
    /// A panic.
    pub panic: usize,
    /// A hang.
    pub hang: usize,
    /// The process died.
    pub died: usize,
    /// The code that runs or judges broke. That counts as not caught.
    pub broken: usize,
    /// They make a difference that nothing noticed.
    pub lived: usize,
    /// Of the mutants that are reached, make a difference and are not on the list: the share that was caught, from 0 to
    /// 1.
    pub score: Option<f64>,
}

/// A mutant that lived, or broke the code that runs it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Survivor {
    /// The mutant and how it was tried.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The line where it begins.
    pub code: String,
}

/// What the list is worth.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ListReport {
    /// How many entries it has.
    pub entries: usize,
    /// The share of those tried that are reached and make a difference, from 0 to 1.
    pub share: Option<f64>,
    /// Entries that were caught: something can tell them from the original.
    pub caught: Vec<Outcome>,
    /// Entries that name no mutant, because their code was changed.
    pub gone: Vec<Name>,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The format.
    pub schema: &'static str,
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Of the mutants that are reached, make a difference and are not on the list: the share that was caught, from 0 to
    /// 1.
    pub score: Option<f64>,
    /// Whether every mutant that was to be tried has been.
    pub complete: bool,
    /// What mutants are compared by.
    pub compare: Compare,
    /// How many jobs there are.
    pub jobs: usize,
    /// The files that were asked for; none for all.
    pub only: Vec<String>,
    /// The sample.
    pub sample: Option<Sample>,
    /// The shards.
    pub shards: Vec<Shard>,
    /// How many mutants the files have.
    pub found: usize,
    /// How many of them do not compile.
    pub left_out: usize,
    /// All that were tried.
    pub total: Counts,
    /// By file.
    pub by_file: BTreeMap<String, Counts>,
    /// By kind.
    pub by_kind: BTreeMap<&'static str, Counts>,
    /// How many mutants each oracle, or test, was the first to notice.
    pub by_oracle: BTreeMap<String, usize>,
    /// The list.
    pub list: ListReport,
    /// The mutants that lived and are not on the list.
    pub survivors: Vec<Survivor>,
    /// All that were tried.
    pub mutants: Vec<Outcome>,
}

impl Counts {
    fn add(&mut self, fate: Fate, listed: bool) {
        self.mutants += 1;
        let count = match fate {
            Fate::NotReached => &mut self.not_reached,
            Fate::NoDifference => &mut self.no_difference,
            _ if listed => &mut self.listed,
            Fate::Caught => &mut self.verdict,
            Fate::Panicked => &mut self.panic,
            Fate::Hung => &mut self.hang,
            Fate::Died => &mut self.died,
            Fate::Broken => &mut self.broken,
            Fate::Lived => &mut self.lived,
        };
        *count += 1;
        let caught = self.caught();
        self.score = share(caught, caught + self.broken + self.lived);
    }

    /// How many were caught.
    pub fn caught(&self) -> usize {
        self.verdict + self.panic + self.hang + self.died
    }
}

/// A share, rounded to ten-thousandths so that it prints short.
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0)
}

impl Report {
    /// The result of the journals of one package: those of one run, or those of all its shards. `code` finds the line
    /// of a mutant, `all` are all mutants of the package.
    pub fn new<'n>(
        headers: &[Header],
        mut mutants: Vec<Outcome>,
        list: &List,
        all: impl IntoIterator<Item = &'n Name>,
        code: impl Fn(&Outcome) -> String,
    ) -> Report {
        mutants.sort_by_key(|outcome| outcome.mutant.number);
        mutants.dedup_by_key(|outcome| outcome.mutant.number);
        let listed = |outcome: &Outcome| list.reasons.contains_key(&outcome.mutant.name);
        let mut total = Counts::default();
        let (mut by_file, mut by_kind) = (BTreeMap::<_, Counts>::new(), BTreeMap::<_, Counts>::new());
        let mut by_oracle = BTreeMap::<_, usize>::new();
        for outcome in &mutants {
            let file = by_file.entry(outcome.mutant.name.file.clone()).or_default();
            let kind = by_kind.entry(outcome.mutant.kind.name()).or_default();
            for counts in [&mut total, file, kind] {
                counts.add(outcome.fate, listed(outcome));
            }
            if matches!(outcome.fate, Fate::Caught | Fate::Panicked) && !listed(outcome) {
                *by_oracle.entry(outcome.by.clone()).or_default() += 1;
            }
        }
        let lived =
            |outcome: &&Outcome| matches!(outcome.fate, Fate::Lived | Fate::Broken) && !listed(outcome);
        let survivor = |outcome: &Outcome| Survivor { code: code(outcome), outcome: outcome.clone() };
        let survivors = mutants.iter().filter(lived).map(survivor).collect();
        let wrong = |outcome: &&Outcome| outcome.fate.is_caught() && listed(outcome);
        let different = total.mutants - total.not_reached - total.no_difference;
        let list = ListReport {
            entries: list.reasons.len(),
            share: share(total.listed, different),
            caught: mutants.iter().filter(wrong).cloned().collect(),
            gone: list.gone(all).into_iter().cloned().collect(),
        };
        let first = &headers[0];
        let planned: usize = headers.iter().map(|header| header.planned).sum();
        Report {
            schema: SCHEMA,
            package: first.package.clone(),
            version: first.version.clone(),
            score: total.score,
            complete: mutants.len() >= planned,
            compare: first.compare,
            jobs: first.jobs.len(),
            only: first.only.clone(),
            sample: first.sample,
            shards: headers.iter().filter_map(|header| header.shard).collect(),
            found: first.found,
            left_out: first.left_out,
            total,
            by_file,
            by_kind,
            by_oracle,
            list,
            survivors,
            mutants,
        }
    }

    /// The result for programs.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report has only keys that are texts") + "\n"
    }

    /// The result for people.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        // Writing to a text does not fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Report { package, version, total, .. } = self;
        writeln!(out, "# Mutants of {package} {version}\n")?;
        writeln!(
            out,
            "Score: **{}**: caught, of those that are reached, make a difference and are not on the list.\n",
            percent(self.score)
        )?;
        if !self.complete {
            writeln!(out, "**Not finished**: what follows is true of the mutants tried so far.\n")?;
        }
        let files = if self.only.is_empty() { "all files".to_string() } else { self.only.join(", ") };
        writeln!(out, "- {} mutants in {files}, of which {} do not compile", self.found, self.left_out)?;
        let sample = self.sample.map(|sample| format!(", a sample drawn with seed {}", sample.seed));
        let shards: Vec<_> = self.shards.iter().map(|shard| format!("{}/{}", shard.nth, shard.of)).collect();
        let shards = if shards.is_empty() { String::new() } else { format!(", shard {}", shards.join(", ")) };
        let compare = match self.compare {
            Compare::Trace => "found something, or not",
            Compare::Verdict => "changed a verdict, or not",
        };
        writeln!(
            out,
            "- {} tried{}{shards}, each with up to {} jobs that {compare}",
            total.mutants,
            sample.unwrap_or_default(),
            self.jobs
        )?;
        writeln!(
            out,
            "- {} on the list, {} of those that are reached and make a difference\n",
            total.listed,
            percent(self.list.share)
        )?;
        table(out, "file", self.by_file.iter().map(|(file, counts)| (file.as_str(), counts)), total)?;
        table(out, "kind", self.by_kind.iter().map(|(kind, counts)| (*kind, counts)), total)?;
        if !self.by_oracle.is_empty() {
            let mut oracles: Vec<_> = self.by_oracle.iter().collect();
            oracles.sort_by_key(|(oracle, count)| (std::cmp::Reverse(**count), oracle.as_str()));
            writeln!(out, "| first to notice | mutants |\n|---|--:|")?;
            for (oracle, count) in oracles {
                writeln!(out, "| {} | {count} |", cell(oracle))?;
            }
            writeln!(out)?;
        }
        if !self.list.caught.is_empty() {
            writeln!(out, "## On the list, but caught\n\nRemove these from the list.\n")?;
            for outcome in &self.list.caught {
                writeln!(out, "- {}: {} in {}", outcome.mutant.name, outcome.by, outcome.job)?;
            }
            writeln!(out)?;
        }
        if !self.list.gone.is_empty() {
            writeln!(
                out,
                "## On the list, but not in the sources\n\nTheir code was changed: look at them again.\n"
            )?;
            self.list.gone.iter().try_for_each(|name| writeln!(out, "- {name}"))?;
            writeln!(out)?;
        }
        if !self.survivors.is_empty() {
            writeln!(out, "## Survivors\n")?;
        }
        let mut file = "";
        for Survivor { outcome, code } in &self.survivors {
            let mutant = &outcome.mutant;
            if mutant.name.file != file {
                file = &mutant.name.file;
                writeln!(out, "### {file}\n")?;
            }
            let broken = match outcome.fate {
                Fate::Broken => format!(" The code that runs it broke: {}.", outcome.says),
                _ => String::new(),
            };
            writeln!(
                out,
                "- line {}, {}: {}: made a difference in {} of {} runs.{broken}",
                mutant.line, mutant.name.function, mutant.name.change, outcome.differed, outcome.runs
            )?;
            writeln!(out, "  ```rust\n  {code}\n  ```")?;
        }
        Ok(())
    }
}

/// A table with a row for each file or kind, and one for all.
fn table<'c>(
    out: &mut String,
    what: &str,
    rows: impl Iterator<Item = (&'c str, &'c Counts)>,
    total: &'c Counts,
) -> std::fmt::Result {
    writeln!(
        out,
        "| {what} | mutants | not reached | no difference | on the list | verdict | panic | hang | died | broken | lived | score |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
    for (name, counts) in rows.chain([("all", total)]) {
        let Counts { mutants, not_reached, no_difference, listed, verdict, panic, hang, died, .. } = counts;
        writeln!(
            out,
            "| {} | {mutants} | {not_reached} | {no_difference} | {listed} | {verdict} | {panic} | {hang} | {died} | {} | {} | {} |",
            cell(name),
            counts.broken,
            counts.lived,
            percent(counts.score)
        )?;
    }
    writeln!(out)
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A share for people.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "none".to_string(), |share| format!("{:.1} %", share * 100.0))
}
