//! Shows the progress of `etcdsim run` and `etcdsim shrink` on stderr. It first says what will run. On a terminal it then shows a bar;
//! elsewhere it prints a line after 5 s and then once a minute. It also prints the first failure of each scenario at
//! once. Here every run that did not pass is a failure, for whatever reason.

use std::collections::BTreeSet;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use plan::Plan;
use record::Stats;

use super::shrink::extent;
use crate::batch::Batch;
use crate::case::Case;
use crate::report::{End, SeedRun};
use crate::show::numbers;
use crate::shrink::Step;
use crate::stopwatch::Stopwatch;

/// Real time before the first line, if there is no bar.
const FIRST_LINE: Duration = Duration::from_secs(5);
/// Real time between later lines.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// How far a batch has come, as a bar, or as lines if the output is no terminal.
pub(super) struct Progress {
    bar: ProgressBar,
    stopwatch: Stopwatch,
    /// When the next line is due.
    next_line: Duration,
    virtual_ns: u64,
    faults: u64,
    failures: usize,
    /// The files of cases for which a failure was shown.
    failed: BTreeSet<String>,
}

impl Progress {
    /// Says what will run, and begins to show the progress.
    pub(super) fn start(batch: &Batch) -> Progress {
        eprintln!("{}", intent(batch));
        let style =
            ProgressStyle::with_template("{elapsed_precise} {bar:24} {human_pos}/{human_len} seeds · {msg}")
                .expect("the template of the progress bar is a constant");
        // Without a terminal the bar is hidden and needs no ticks.
        let bar = ProgressBar::new(batch.len() as u64).with_style(style);
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        let (stopwatch, next_line, failed) = (Stopwatch::start(), FIRST_LINE, BTreeSet::new());
        Progress { bar, stopwatch, next_line, virtual_ns: 0, faults: 0, failures: 0, failed }
    }

    /// Adds a run that has ended.
    pub(super) fn add_run(&mut self, case: &Case, run: &SeedRun, stats: &Stats) {
        self.virtual_ns += stats.virtual_ns;
        self.faults += stats.faults.values().sum::<u64>();
        if let Some(line) = failure(case, run) {
            self.failures += 1;
            if self.failed.insert(case.file.clone()) {
                self.bar.suspend(|| eprintln!("{line}"));
            }
        }
        self.bar.inc(1);
        let wall = self.stopwatch.elapsed();
        if !self.bar.is_hidden() {
            self.bar.set_message(self.so_far(wall));
        } else if wall >= self.next_line {
            let minutes = (wall.as_secs() / BETWEEN_LINES.as_secs()) as u32;
            self.next_line = BETWEEN_LINES * (minutes + 1);
            let (done, of) = (self.bar.position(), self.bar.length().unwrap_or_default());
            eprintln!("{}/{} seeds · {}", numbers::count(done), numbers::count(of), self.so_far(wall));
        }
    }

    /// How far the batch has come, as text.
    fn so_far(&self, wall: Duration) -> String {
        let seeds_per_second = self.bar.position() as f64 / wall.as_secs_f64().max(0.001);
        format!(
            "{seeds_per_second:.1}/s · {} x real time · {} · {}",
            numbers::speed(self.virtual_ns, wall),
            numbers::counted(self.faults as usize, "fault"),
            numbers::counted(self.failures, "failure"),
        )
    }

    /// Removes the bar.
    pub(super) fn end(self) {
        self.bar.finish_and_clear();
    }
}

/// How far shrinking has come, as a line that changes, or as lines if the output is no terminal.
pub(super) struct ShrinkProgress {
    bar: ProgressBar,
    stopwatch: Stopwatch,
    /// When the next line is due.
    next_line: Duration,
    /// What the smallest plan has.
    extent: String,
}

impl ShrinkProgress {
    /// Says what is shrunk, and begins to show the progress.
    pub(super) fn start(source: &str, plan: &Plan) -> ShrinkProgress {
        let extent = extent(plan);
        eprintln!("Shrinking {source}: {extent}.");
        let style = ProgressStyle::with_template("{elapsed_precise} {spinner} {msg}")
            .expect("the template of the progress line is a constant");
        let bar = ProgressBar::new_spinner().with_style(style);
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        ShrinkProgress { bar, stopwatch: Stopwatch::start(), next_line: FIRST_LINE, extent }
    }

    /// Takes a candidate that was run.
    pub(super) fn step(&mut self, step: &Step<'_>) {
        if step.smaller {
            self.extent = extent(step.plan);
        }
        let text = || format!("{} · {} · {}", self.extent, numbers::counted(step.runs, "run"), step.pass);
        if !self.bar.is_hidden() {
            self.bar.set_message(text());
        } else if self.stopwatch.elapsed() >= self.next_line {
            self.next_line = self.stopwatch.elapsed() + BETWEEN_LINES;
            eprintln!("{}", text());
        }
    }

    /// Removes the line.
    pub(super) fn end(self) {
        self.bar.finish_and_clear();
    }
}

/// A line that says what the batch will run.
fn intent(batch: &Batch) -> String {
    let budget = batch.time_budget.map(|budget| format!(", for at most {}", numbers::span(budget)));
    format!(
        "Running {} of {} on {}{}.",
        numbers::counted(batch.len(), "seed"),
        numbers::counted(batch.cases.len(), "scenario"),
        numbers::counted(batch.jobs, "thread"),
        budget.unwrap_or_default(),
    )
}

/// A line about a run that did not pass: it has a violation, is undecided, took different steps when it was run
/// again, or the simulator failed. `None` for a run that passed.
fn failure(case: &Case, run: &SeedRun) -> Option<String> {
    let what = match &run.end {
        End::Held => return None,
        End::Violated(failure) => format!("{} {}", failure.first().oracle, failure.title()),
        End::Undecided(_) => "the judge could not decide".to_string(),
        End::Diverged(_) => "not deterministic (D1)".to_string(),
        End::Collapsed(_) => "the simulator itself failed".to_string(),
    };
    Some(format!("{}, seed {}: {what}", case.file, run.seed))
}
