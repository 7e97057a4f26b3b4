//! A batch: many runs, distributed over threads. Each run is a case (a scenario or a plan) with a seed.
//!
//! A run uses one thread (rule R1 of ARCHITECTURE.md). The threads share only the list of remaining runs, so
//! the results do not depend on the number of threads. The first seed of every case comes before the second
//! seed of any. So even a batch that stops early has run each case.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use record::Stats;

use crate::additions::Additions;
use crate::case::Case;
use crate::determinism;
use crate::execute::{HarnessFailure, Outcome, catch_panics, run_plan};
use crate::landmarks::Landmarks;
use crate::report::{CaseReport, End, Ended, Failure, Report, SeedRun};
use crate::stopwatch::{Stopwatch, peak_rss_bytes};

/// What to run, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Batch {
    /// The cases.
    pub cases: Vec<Case>,
    /// The seeds that each scenario runs with. A saved plan has its own seed and runs once.
    pub seeds: Vec<u64>,
    /// The number of threads.
    pub jobs: usize,
    /// No run starts after this much real time.
    pub time_budget: Option<Duration>,
    /// Whether every seed runs twice, so that the trace hashes can be compared (oracle D1).
    pub check_determinism: bool,
    /// Whether no run starts after the first failure.
    pub fail_fast: bool,
    /// Custom observers and oracles for every run, in addition to the built-in ones.
    pub additions: Additions,
}

impl Batch {
    /// A batch on one thread, without limits.
    pub fn new(cases: Vec<Case>, seeds: Vec<u64>) -> Batch {
        let additions = Additions::default();
        Batch {
            cases,
            seeds,
            jobs: 1,
            time_budget: None,
            check_determinism: false,
            fail_fast: false,
            additions,
        }
    }

    /// The number of runs.
    #[allow(clippy::len_without_is_empty, reason = "an empty batch has no use")]
    pub fn len(&self) -> usize {
        self.cases.iter().map(|case| case.seeds(&self.seeds).len()).sum()
    }

    /// Runs the batch. Once `interrupted` is true, no further run starts. `done` is called after each run.
    pub fn run(self, interrupted: &AtomicBool, done: &mut dyn FnMut(&Case, &SeedRun, &Stats)) -> Report {
        let stopwatch = Stopwatch::start();
        let tasks = self.tasks();
        let mut reports: Vec<CaseReport> = (self.cases.iter())
            .map(|case| CaseReport::new(case.clone(), case.seeds(&self.seeds).len()))
            .collect();
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let may_start_another = || {
            // However short the time budget is, one run takes place: without any run, a CI job would pass.
            let begun = next.load(Ordering::Relaxed) > 0;
            let out_of_time = begun && self.time_budget.is_some_and(|budget| stopwatch.elapsed() >= budget);
            !out_of_time && !interrupted.load(Ordering::Relaxed) && !failed.load(Ordering::Relaxed)
        };
        thread::scope(|scope| {
            let (send, receive) = mpsc::channel();
            for _ in 0..self.jobs.clamp(1, tasks.len().max(1)) {
                let (send, tasks, next, may_start_another, batch) =
                    (send.clone(), &tasks, &next, &may_start_another, &self);
                scope.spawn(move || {
                    while may_start_another() {
                        let Some(&(index, seed)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) else {
                            return;
                        };
                        let run = batch.run_seed(&batch.cases[index], seed);
                        if send.send((index, run)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(send);
            for (index, (run, stats)) in receive {
                if self.fail_fast && !matches!(run.end, End::Held) {
                    failed.store(true, Ordering::Relaxed);
                }
                done(&self.cases[index], &run, &stats);
                reports[index].peak_rss_bytes = peak_rss_bytes();
                reports[index].add(run, &stats);
            }
        });
        reports.iter_mut().for_each(|report| report.runs.sort_by_key(|run| run.seed));
        let mut report = Report { cases: reports, ended: Ended::Complete, wall: stopwatch.elapsed() };
        if report.done() < tasks.len() {
            report.ended = if interrupted.load(Ordering::Relaxed) {
                Ended::Interrupted
            } else if failed.load(Ordering::Relaxed) {
                Ended::FirstFailure
            } else {
                Ended::TimeBudget
            };
        }
        report
    }

    /// Pairs of case and seed: the first seed of every case, then the second.
    fn tasks(&self) -> Vec<(usize, u64)> {
        let seeds: Vec<_> = self.cases.iter().map(|case| case.seeds(&self.seeds)).collect();
        let rounds = seeds.iter().map(|seeds| seeds.len()).max().unwrap_or(0);
        let round = |nth: usize| {
            let seeds = seeds.iter().enumerate();
            seeds.filter_map(move |(case, seeds)| seeds.get(nth).map(|seed| (case, *seed)))
        };
        (0..rounds).flat_map(round).collect()
    }
}

/// Runs one seed of a case. If `twice`, it runs the seed again and compares the trace hashes.
pub fn run_seed(case: &Case, seed: u64, twice: bool) -> (SeedRun, Stats) {
    let batch = Batch { check_determinism: twice, ..Batch::new(Vec::new(), Vec::new()) };
    batch.run_seed(case, seed)
}

impl Batch {
    /// Runs one seed and judges it.
    fn run_seed(&self, case: &Case, seed: u64) -> (SeedRun, Stats) {
        let stopwatch = Stopwatch::start();
        let result = || -> Result<(SeedRun, Stats), HarnessFailure> {
            let plan = catch_panics(|| case.valid_plan(seed))?;
            let plan = plan.map_err(|error| HarnessFailure(format!("{error:?}")))?;
            let (mut run, stats) = seed_run(seed, case, self.additions.run(&plan)?);
            (run.wall, run.idle) = (stopwatch.elapsed(), plan.why_idle());
            if self.check_determinism {
                let hashes = [run.trace_hash, run_plan(&plan)?.record.trace_hash];
                if hashes[0] != hashes[1] {
                    run.end = End::Diverged(Box::new(determinism::divergence(&plan, hashes)?));
                }
            }
            Ok((run, stats))
        };
        result().unwrap_or_else(|HarnessFailure(message)| {
            let (wall, end) = (stopwatch.elapsed(), End::Collapsed(message));
            (SeedRun { wall, end, ..SeedRun::of(seed) }, Stats::default())
        })
    }
}

/// What the report keeps of a run.
fn seed_run(seed: u64, case: &Case, outcome: Outcome) -> (SeedRun, Stats) {
    let Outcome { record, verdict, wall, check, starts, .. } = outcome;
    let end = match Failure::of(&verdict, &record.history) {
        Some(failure) => End::Violated(failure),
        None if !verdict.undecided.is_empty() => End::Undecided(verdict.undecided),
        None => End::Held,
    };
    let landmarks = || Landmarks::of(&record, &starts);
    let (landmarks, strayed) = match (&end, case.saved()) {
        (End::Violated(_), _) => (Some(Box::new(landmarks())), Vec::new()),
        (_, Some(saved)) => (None, saved.missing(&landmarks())),
        _ => (None, Vec::new()),
    };
    let trace_hash = record.trace_hash;
    (SeedRun { trace_hash, wall, check, end, landmarks, strayed, ..SeedRun::of(seed) }, record.stats)
}
