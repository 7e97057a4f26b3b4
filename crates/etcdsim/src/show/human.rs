//! Prints the report of `etcdsim run` for people: a table with a row for each scenario, a summary, and the failures.
//! The worst failures are shown in full, with the operations and events that prove them.

use std::fmt::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use owo_colors::OwoColorize;
use record::Stats;
use verify::describe;
use verify::specification::known::KNOWN;
use verify::specification::reached::Reached as Way;

use crate::determinism::Divergence;
use crate::explain::{Explanation, Paragraph};
use crate::report::{
    CaseReport, End, Ended, Failure, Group, Reached, Report, SHOWN_IN_FULL, SeedRun, ViolationReport,
};
use crate::show::{musts, numbers};

/// The most lines shown of a list; the others are counted.
const LINES_SHOWN: usize = 12;
/// The most parts shown of a list of seeds.
const SEEDS_SHOWN: usize = 12;

/// Counts of the Kubernetes workload: what its API servers did to objects.
const OBJECTS: [&str; 3] = ["objects-created", "objects-updated", "objects-removed"];
/// The other counts of the Kubernetes workload, in the order in which they are shown.
const OF_CLUSTERS: [&str; 5] = ["watches", "relists", "conflicts", "compactions", "compactors-beaten"];

/// What a report says about runs without madsim (rule R6 of ARCHITECTURE.md).
pub const NOT_GUARDED: &str = "Built without `--cfg madsim`: the runs are the same, but nothing guards them against real clocks and randomness.";

/// The whole report, without the line that replays a failure. With `counts` it also says what the clients did and how
/// often, and how long each must was judged.
pub fn report(report: &Report, counts: bool) -> String {
    let mut text = String::new();
    write(&mut text, report, counts).expect("a String takes everything");
    text
}

/// Writes the whole report.
fn write(out: &mut String, report: &Report, counts: bool) -> fmt::Result {
    if !report.cases.is_empty() {
        writeln!(out, "{}", table(report))?;
    }
    for case in report.cases.iter().filter(|_| counts) {
        work(out, case)?;
    }
    if counts {
        let mut sum = Stats::default();
        report.cases.iter().for_each(|case| sum.add(&case.total));
        write!(out, "{}", musts::table(&sum.musts))?;
    }
    writeln!(out, "{}", summary(report))?;
    if let Some(reason) = shortened(report) {
        writeln!(out, "{}", reason.yellow())?;
    }
    for warning in report.warnings() {
        writeln!(out, "{}: {warning}.", "warning".yellow())?;
    }
    if !world::GUARDED {
        writeln!(out, "{}", NOT_GUARDED.dimmed())?;
    }
    let groups = report.groups();
    for (nth, group) in groups.iter().enumerate() {
        writeln!(out)?;
        let heading = format!("Failure {} of {}", nth + 1, groups.len());
        self::group(out, &heading, group, nth < SHOWN_IN_FULL)?;
    }
    for (case, run) in report.runs() {
        trouble(out, case, run)?;
    }
    Ok(())
}

/// The table of scenarios.
fn table(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["scenario", "seeds", "operations", "virtual", "x real", "faults", "failures"]);
    // Scenarios with failures first: there may be a hundred without.
    let held = |case: &&CaseReport| case.runs.iter().all(|run| matches!(run.end, End::Held));
    let mut cases: Vec<&CaseReport> = report.cases.iter().collect();
    cases.sort_by_key(held);
    for case in cases {
        let total = &case.total;
        table.add_row([
            case.case.name.clone(),
            numbers::count(case.runs.len() as u64),
            numbers::count(total.operations),
            numbers::span(std::time::Duration::from_nanos(total.virtual_ns)),
            numbers::speed(total.virtual_ns, case.wall()),
            numbers::count(total.faults.values().sum()),
            numbers::count(case.failures().count() as u64),
        ]);
    }
    for column in 1..7 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// What the clients did and how often, for workloads that count more than single requests.
fn work(out: &mut String, case: &CaseReport) -> fmt::Result {
    let work = &case.total.work;
    if work.is_empty() {
        return Ok(());
    }
    let objects: u64 = OBJECTS.iter().filter_map(|name| work.get(*name)).sum();
    let mut parts = Vec::new();
    if objects > 0 {
        let part = |name: &&str| {
            let done = name.trim_start_matches("objects-");
            format!("{} {done}", numbers::count(work.get(*name).copied().unwrap_or_default()))
        };
        let parts_of = OBJECTS.iter().map(part).collect::<Vec<_>>().join(", ");
        parts.push(format!("objects {} ({parts_of})", numbers::count(objects)));
    }
    // The counts of the Kubernetes workload are shown even if they are 0.
    let shown = |name: &&str| work.contains_key(*name) || (objects > 0 && OF_CLUSTERS.contains(name));
    let first = OF_CLUSTERS.iter().copied().filter(shown);
    let rest =
        work.keys().map(String::as_str).filter(|name| !OBJECTS.contains(name) && !OF_CLUSTERS.contains(name));
    for name in first.chain(rest) {
        let count = work.get(name).copied().unwrap_or_default();
        parts.push(format!("{} {}", name.replace('-', " "), numbers::count(count)));
    }
    writeln!(out, "{}: {}", case.case.name.bold(), parts.join(" · "))
}

/// How often each probe was reached. Those that most seeds reached come first.
pub fn coverage(report: &Report) -> String {
    let reached = report.coverage();
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["probe", "times", "seeds"]);
    for Reached { probe, times, seeds } in &reached {
        let seeds = match *seeds {
            0 if probe.required() => "never".red().to_string(),
            0 => "not required".dimmed().to_string(),
            seeds => numbers::count(seeds as u64),
        };
        table.add_row([probe.to_string(), numbers::count(*times), seeds]);
    }
    for column in 1..3 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let required = || reached.iter().filter(|reached| reached.probe.required());
    let never = required().filter(|reached| reached.seeds == 0).count();
    let said = match never {
        0 => "all were reached".green().to_string(),
        never => format!("{} never reached", numbers::count(never as u64)).red().to_string(),
    };
    format!("{table}\n{} probes required: {said}.\n{}", required().count(), actions(report))
}

/// How often each way through an action of the specification was reached; nothing if oracle S was off.
fn actions(report: &Report) -> String {
    let times = |name: &str| -> u64 {
        report.cases.iter().filter_map(|case| case.total.specification.get(name)).sum()
    };
    if Way::ALL.iter().all(|way| times(way.name()) == 0) {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["action", "what happens", "times"]);
    for way in Way::ALL {
        let count = match times(way.name()) {
            0 if way.seldom().is_empty() => "never".red().to_string(),
            0 => "not required".dimmed().to_string(),
            times => numbers::count(times),
        };
        table.add_row([way.action().to_string(), way.what().to_string(), count]);
    }
    let known = KNOWN.iter().map(|known| {
        let count = times(&format!("known-{}", known.rule.name()));
        format!("Known breach of {}: {}\n", known.rule.name(), numbers::counted(count as usize, "time"))
    });
    format!("{table}\n{}", known.collect::<String>())
}

/// The line below the table.
fn summary(report: &Report) -> String {
    let virtual_ns: u64 = report.cases.iter().map(|case| case.total.virtual_ns).sum();
    let failures = match report.failures() {
        0 => "no failure".green().to_string(),
        some => numbers::counted(some, "failure").red().bold().to_string(),
    };
    format!(
        "{} of {}: {} of virtual time in {}; {failures}.",
        numbers::counted(report.done(), "seed"),
        numbers::counted(report.cases.len(), "scenario"),
        numbers::span(std::time::Duration::from_nanos(virtual_ns)),
        numbers::span(report.wall),
    )
}

/// A sentence that says why not all seeds were run; `None` if all were.
fn shortened(report: &Report) -> Option<String> {
    let why = match report.ended {
        Ended::Complete => return None,
        Ended::TimeBudget => "The time budget was used up",
        Ended::Interrupted => "Interrupted",
        Ended::FirstFailure => "Stopped at the first failure",
    };
    let (done, asked) = (numbers::count(report.done() as u64), numbers::counted(report.asked(), "seed"));
    Some(format!("{why} after {done} of {asked}."))
}

/// A group of failures.
fn group(out: &mut String, heading: &str, group: &Group<'_>, in_full: bool) -> fmt::Result {
    let (run, failure) = group.runs[0];
    let seeds: Vec<u64> = group.runs.iter().map(|(run, _)| run.seed).collect();
    let heading =
        format!("{heading}: {} · {} · {}", group.case.case.name, failure.oracles(), failure.title());
    writeln!(out, "{}", heading.red().bold())?;
    let seed =
        if group.case.case.is_plan() { "" } else { &format!(", {}", numbers::counted(seeds.len(), "seed")) };
    writeln!(out, "{}{seed}: {}", group.case.case.file, numbers::seeds(&seeds, SEEDS_SHOWN))?;
    if in_full {
        writeln!(out, "seed {}, trace hash {}", run.seed, run.trace_hash)?;
        writeln!(out)?;
        self::failure(out, failure)?;
    }
    Ok(())
}

/// A failure: its title, and its explanation. Without one, the violation to show first ([`Failure::first`]), and a line
/// for each other violation.
pub fn failure(out: &mut String, failure: &Failure) -> fmt::Result {
    if let Some(explanation) = &failure.explanation {
        let title = format!("{} {}", failure.first().oracle.id(), failure.title());
        writeln!(out, "{}", title.bold())?;
        return self::explanation(out, explanation);
    }
    let first = failure.first();
    violation(out, first)?;
    let others = || failure.violations.iter().filter(|violation| violation.oracle != first.oracle);
    if others().next().is_some() {
        writeln!(out, "\n{}", "Also violated".bold())?;
    }
    for violation in others() {
        writeln!(
            out,
            "   {}  {} ({})",
            violation.oracle,
            violation.title,
            describe::time(violation.time_ns)
        )?;
    }
    Ok(())
}

/// An explanation: its headline, and each paragraph under its heading.
pub fn explanation(out: &mut String, explanation: &Explanation) -> fmt::Result {
    writeln!(out, "{}", explanation.headline)?;
    for Paragraph { heading, sentences } in &explanation.paragraphs {
        writeln!(out, "\n{}", title_of(heading).bold())?;
        // Times stand in a column of their own, if any sentence has one.
        let timed = sentences.iter().any(|sentence| sentence.time.is_some());
        for sentence in sentences {
            let when = sentence.time.map_or(String::new(), moment);
            match timed {
                true => writeln!(out, "   {when:>13}  {}", sentence.text)?,
                false => writeln!(out, "   {}", sentence.text)?,
            }
        }
    }
    Ok(())
}

/// A moment in seconds, to the microsecond.
fn moment(at: record::Nanos) -> String {
    format!("{}.{:06} s", at / 1_000_000_000, at % 1_000_000_000 / 1_000)
}

/// The heading of a paragraph as a title.
fn title_of(heading: &str) -> &str {
    match heading {
        "promised" => "What was promised",
        "first wrong step" => "The first wrong step",
        "chain" => "How it went on",
        "happened" => "What was seen",
        "open at the end" => "What was still open at the end",
        "faults" => "The faults before it",
        "leaders" => "Who led",
        "also violated" => "Also violated",
        "ids" => "What the names mean",
        "replay" => "To see it again",
        other => other,
    }
}

/// Writes one violation.
fn violation(out: &mut String, violation: &ViolationReport) -> fmt::Result {
    writeln!(out, "{} {}", violation.oracle.id().bold(), violation.title.bold())?;
    for sentence in &violation.sentences {
        writeln!(out, "   {sentence}")?;
    }
    list(out, "operations", &violation.operations, LINES_SHOWN)?;
    list(out, "events", &violation.events, LINES_SHOWN)?;
    if violation.others > 0 {
        writeln!(out, "   and {} more of {}", numbers::count(violation.others as u64), violation.oracle)?;
    }
    Ok(())
}

/// A list with a heading. At most `most` lines are shown; the others are counted.
fn list(out: &mut String, name: &str, lines: &[String], most: usize) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "   {}", name.dimmed())?;
    for line in lines.iter().take(most) {
        writeln!(out, "     {line}")?;
    }
    match lines.len().saturating_sub(most) {
        0 => Ok(()),
        more => writeln!(out, "     … and {more} more"),
    }
}

/// A run that has no verdict, for a reason that is not the cluster's: undecided, not deterministic, or a failure of the
/// harness.
pub fn trouble(out: &mut String, case: &CaseReport, run: &SeedRun) -> fmt::Result {
    let place = format!("{}, seed {}", case.case.file, run.seed);
    match &run.end {
        End::Held | End::Violated(_) => Ok(()),
        End::Undecided(sentences) => {
            writeln!(out, "\n{}", format!("{place}: the judge could not decide").yellow().bold())?;
            list(out, "open", sentences, LINES_SHOWN)
        }
        End::Collapsed(said) => {
            writeln!(out, "\n{}", format!("{place}: the simulator itself failed").red().bold())?;
            writeln!(out, "   {said}")
        }
        End::Diverged(divergence) => {
            writeln!(out, "\n{}", format!("{place}: not deterministic (D1)").red().bold())?;
            writeln!(out, "{}", self::divergence(divergence))
        }
    }
}

/// How two runs of one plan differ.
pub fn divergence(divergence: &Divergence) -> String {
    let [one, other] = divergence.hashes;
    let mut text = format!("   Two runs of the same plan have the trace hashes {one} and {other}.\n");
    match &divergence.first_difference {
        None => text.push_str("   When the plan was run again to find where they diverge, they did not."),
        Some(first_difference) => {
            let show = |event: &Option<record::Event>| match event {
                Some(event) => format!("{}\n       {event:?}", describe::event(event)),
                None => "the trace ends".to_string(),
            };
            text.push_str(&format!(
                "   Their first {} events are the same. Then:\n     one    {}\n     other  {}",
                numbers::count(first_difference.shared as u64),
                show(&first_difference.next[0]),
                show(&first_difference.next[1])
            ));
            if first_difference.last.is_some() {
                text.push_str(&format!(
                    "\n   The last event they share:\n            {}",
                    show(&first_difference.last)
                ));
            }
        }
    }
    text
}
