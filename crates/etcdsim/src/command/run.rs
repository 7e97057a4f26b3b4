//! `etcdsim run`: runs scenarios with many seeds, prints the report, and saves the plans of failing runs.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use owo_colors::OwoColorize;

use super::progress::Progress;
use super::shrink::{self, Goal};
use super::values::{self, Seeds};
use super::{Format, Mistakes};
use crate::additions::Additions;
use crate::batch::Batch;
use crate::case::{self, Case};
use crate::error::Error;
use crate::exit::Exit;
use crate::report::{CaseReport, End, Report, SeedRun};
use crate::show::{github, human, json, junit, numbers};
use crate::shrink::Shrinker;
use crate::{page, replay_line, saved};

/// Whether the user has pressed Ctrl-C.
pub(super) static INTERRUPTED: AtomicBool = AtomicBool::new(false);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Scenarios, saved plans, or folders of them (except folders named `bench`)
    #[arg(default_value = "scenarios")]
    paths: Vec<PathBuf>,
    /// How many seeds, or which: `100`, `40..60`, `40..=59`
    #[arg(long, default_value = "100", value_parser = values::seeds)]
    seeds: Seeds,
    /// Only this seed; may be repeated
    #[arg(long, value_name = "SEED", conflicts_with = "seeds")]
    seed: Vec<u64>,
    /// How many threads run seeds [default: all cores]
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Start no seed after this time: `5m`, `90s`, `1h30m`
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    time_budget: Option<Duration>,
    /// The format of the result
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Switch a flaw on, on all members or on one; may be repeated (`etcdsim flaws` lists them)
    #[arg(long, value_name = "ID[@MEMBER]", value_parser = values::flaw)]
    flaw: Vec<::plan::FlawAt>,
    /// Start no seed after the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Run every seed twice and compare the trace hashes (oracle D1)
    #[arg(long)]
    check_determinism: bool,
    /// Switch off the oracles that watch every step of every member: S (docs/specification.md) and B1 to B8
    /// (docs/musts.md)
    #[arg(long)]
    no_specification: bool,
    /// Show at the end what the clients' programs did: objects, watches, conflicts, locks, …; and how long each must was
    /// judged (docs/musts.md)
    #[arg(long)]
    counts: bool,
    /// Show at the end how often each probe was reached (docs/coverage.md), and each action of the specification
    /// (docs/specification.md)
    #[arg(long)]
    coverage: bool,
    /// The same, and exit with 1 if a required probe was never reached
    #[arg(long)]
    require_coverage: bool,
    /// Make the first failing plan of every group of failures as small as it can, for at most this long each, and save it
    /// beside the failing plan (docs/shrink.md)
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "60s", value_parser = values::duration)]
    shrink: Option<Duration>,
    /// Where failing plans are saved
    #[arg(long, value_name = "FOLDER", default_value = "failures")]
    save_dir: PathBuf,
    /// How many failing plans to save at most
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    save: usize,
    /// Write a page for the first run of each case to this folder: HTML, for a browser (docs/page.md). Failing plans that
    /// are saved always have one beside them
    #[arg(long, value_name = "FOLDER")]
    page: Option<PathBuf>,
}

/// Runs the command `run`.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Mistakes> {
    let annotate = arguments.format == Format::Github;
    let cases = load(arguments).map_err(|mistakes| Mistakes { annotate, ..mistakes })?;
    let seeds =
        if arguments.seed.is_empty() { arguments.seeds.0.clone().collect() } else { arguments.seed.clone() };
    let mut additions = Additions::default();
    if arguments.no_specification {
        additions.without_specification();
    }
    let batch = Batch {
        additions,
        jobs: values::threads(arguments.jobs),
        time_budget: arguments.time_budget,
        check_determinism: arguments.check_determinism,
        fail_fast: arguments.fail_fast,
        ..Batch::new(cases, seeds)
    };
    stop_on_ctrl_c();
    let mut progress = Progress::start(&batch);
    let mut report = batch.run(&INTERRUPTED, &mut |case, run, stats| progress.add_run(case, run, stats));
    report.explain(&replay_line::launcher());
    progress.end();

    let saved = save(&report, arguments);
    if let Some(folder) = &arguments.page {
        pages(&report, folder)?;
    }
    // The report for people says this itself; the other formats are for programs.
    if matches!(arguments.format, Format::Json | Format::Junit) {
        for warning in report.warnings() {
            anstream::eprintln!("{}: {warning}.", "warning".yellow());
        }
        if !world::GUARDED {
            eprintln!("{}", human::NOT_GUARDED);
        }
    }
    super::print(&text(&report, &saved, arguments.format, arguments.counts));
    if arguments.coverage || arguments.require_coverage {
        let table = human::coverage(&report);
        // Keep the output for programs one document.
        match arguments.format {
            Format::Human => super::print(&table),
            _ => anstream::eprint!("{table}"),
        }
    }
    if let Some(time_budget) = arguments.shrink {
        shrink(&report, &saved, time_budget, arguments)?;
    }
    Ok(match report.exit() {
        Exit::Held if arguments.require_coverage => covered(&report),
        other => other,
    })
}

/// The exit code if nothing failed: a violation if a required probe was never reached.
fn covered(report: &Report) -> Exit {
    let missed = report.coverage().iter().any(|reached| reached.probe.required() && reached.seeds == 0);
    if missed { Exit::Violation } else { Exit::Held }
}

/// Loads all scenarios, and reports the mistakes of all files together.
fn load(arguments: &Arguments) -> Result<Vec<Case>, Mistakes> {
    let files = case::find(&arguments.paths)?;
    let (mut cases, mut errors) = (Vec::new(), Vec::new());
    for file in files {
        match Case::load(&file).and_then(|case| case.with_flaws(&arguments.flaw)) {
            Ok(case) => cases.push(case),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(cases) } else { Err(Mistakes { errors, annotate: false }) }
}

/// The first Ctrl-C stops the batch between two runs; the second stops at once.
pub(super) fn stop_on_ctrl_c() {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        eprintln!("\nstopping after the current runs; press Ctrl-C again to stop at once");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("Ctrl-C will stop at once, without a report: {error}");
    }
}

/// The files of saved plans, by case and seed.
type Saved = BTreeMap<(String, u64), PathBuf>;

/// Saves failing plans: the first of every group of failures, then the others.
fn save(report: &Report, arguments: &Arguments) -> Saved {
    let groups = report.groups();
    let firsts = groups.iter().map(|group| (group.case, group.runs[0]));
    let others = groups.iter().flat_map(|group| group.runs[1..].iter().map(|run| (group.case, *run)));
    let (mut saved, launcher) = (Saved::new(), replay_line::launcher());
    for (case, (run, failure)) in firsts.chain(others).take(arguments.save) {
        match saved::save(&arguments.save_dir, &case.case, run, failure, &launcher) {
            Ok(file) => {
                saved.insert((case.case.file.clone(), run.seed), file);
            }
            Err(error) => {
                eprintln!("cannot save a failing plan in {}: {error}", arguments.save_dir.display());
                break;
            }
        }
    }
    saved
}

/// Shrinks the first plan of every group of failures that was saved, and says where the small one is.
fn shrink(
    report: &Report,
    saved: &Saved,
    time_budget: Duration,
    arguments: &Arguments,
) -> Result<(), Mistakes> {
    for group in report.groups() {
        let (case, seed) = (&group.case.case, group.runs[0].0.seed);
        let Some(file) = saved.get(&(case.file.clone(), seed)) else { continue };
        if INTERRUPTED.load(Ordering::Relaxed) {
            break;
        }
        let goal = Goal { source: shrink::source(case, seed), output: shrink::small(file), time_budget };
        let shrinker = Shrinker::new(values::threads(arguments.jobs));
        let text = match goal.reach(case.plan(seed), shrinker, true)? {
            Ok(shrunk) => {
                let line = replay_line::of_saved(&replay_line::launcher(), &goal.output);
                format!("\n{}{}To see it:\n{line}\n", shrink::summary(&shrunk), shrink::others(&shrunk))
            }
            Err(why) => format!("\n{} was not shrunk: {why}.\n", goal.source),
        };
        // Keep the output for programs one document.
        match arguments.format {
            Format::Human => super::print(&text),
            _ => anstream::eprint!("{text}"),
        }
    }
    Ok(())
}

/// Writes a page for the first run of each case.
fn pages(report: &Report, folder: &Path) -> Result<(), Error> {
    let unwritable = |path: &Path| {
        let path = path.to_path_buf();
        |error| Error::Unwritable { path, error }
    };
    fs::create_dir_all(folder).map_err(unwritable(folder))?;
    let launcher = replay_line::launcher();
    for case in &report.cases {
        let Some(run) = case.runs.first() else { continue };
        let (failure, undecided) = match &run.end {
            End::Violated(failure) => (Some(failure), &[][..]),
            End::Undecided(reasons) => (None, &reasons[..]),
            End::Held => (None, &[][..]),
            // Such a run has no result that could be shown.
            End::Diverged(_) | End::Collapsed(_) => continue,
        };
        let file = folder.join(saved::file_name(&case.case, run.seed)).with_extension("html");
        let line = replay_line::of_seed(&launcher, &case.case, run.seed);
        page::write_again(&file, &case.case, run.seed, &line, failure, undecided)
            .map_err(unwritable(&file))?;
    }
    Ok(())
}

/// The report in the format that was asked for.
fn text(report: &Report, saved: &Saved, format: Format, counts: bool) -> String {
    let launcher = replay_line::launcher();
    let replay = |case: &CaseReport, run: &SeedRun| match saved.get(&(case.case.file.clone(), run.seed)) {
        Some(file) => replay_line::of_saved(&launcher, file),
        None => replay_line::of_seed(&launcher, &case.case, run.seed),
    };
    match format {
        Format::Human => human::report(report, counts) + &last_lines(report, saved, &launcher, &replay),
        Format::Json => json::report(report, &replay) + "\n",
        Format::Junit => junit::report(report, &replay),
        Format::Github => {
            step_summary(report, &replay);
            let folded = human::report(report, counts) + &last_lines(report, saved, &launcher, &replay);
            github::report(report, &replay) + &folded
        }
    }
}

/// The end of the report: where failing plans were saved, and the line that replays one.
fn last_lines(
    report: &Report,
    saved: &Saved,
    launcher: &str,
    replay: &dyn Fn(&CaseReport, &SeedRun) -> String,
) -> String {
    let mut text = String::new();
    if let Some(file) = saved.values().next() {
        let folder = file.parent().unwrap_or(file).display();
        let left = report.failures() - saved.len();
        let more = if left == 0 { String::new() } else { format!(" ({left} more not saved)") };
        let plans = numbers::counted(saved.len(), "failing plan");
        text.push_str(&format!(
            "\nSaved {plans} in {folder}{more}, each with a page (.html) that shows its run.\n"
        ));
    }
    let line = if let Some(group) = report.groups().first() {
        replay(group.case, group.runs[0].0)
    } else if let Some((case, run)) = report.runs().find(|(_, run)| matches!(run.end, End::Diverged(_))) {
        // The same line, but with the command that runs the seed twice and compares.
        replay_line::of_seed(launcher, &case.case, run.seed).replacen(
            " replay ",
            " run --check-determinism ",
            1,
        )
    } else if let Some((case, run)) = report.runs().find(|(_, run)| !matches!(run.end, End::Held)) {
        replay(case, run)
    } else {
        return text;
    };
    text + "To see it again:\n" + &line + "\n"
}

/// Appends the summary to the file that GitHub shows on the page of the job.
fn step_summary(report: &Report, replay: &dyn Fn(&CaseReport, &SeedRun) -> String) {
    let Some(file) = env::var_os("GITHUB_STEP_SUMMARY") else { return };
    let written = OpenOptions::new().create(true).append(true).open(&file);
    let written = written.and_then(|mut file| file.write_all(github::summary(report, replay).as_bytes()));
    if let Err(error) = written {
        eprintln!("cannot write the summary to {}: {error}", PathBuf::from(file).display());
    }
}
