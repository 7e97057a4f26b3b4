//! Many runs of variants of one plan, on all cores. The result does not depend on the number of cores.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use plan::Plan;

use crate::additions::OwnOracles;
use crate::execute::run_plan_with;
use crate::report::{Ended, Failure, ViolationReport};
use crate::signature::Signature;
use crate::stopwatch::Stopwatch;

/// How many runs there may be at once, and until when.
pub struct Runs<'a> {
    jobs: usize,
    time_budget: Option<Duration>,
    stopwatch: Stopwatch,
    interrupted: &'a AtomicBool,
    done: AtomicUsize,
    /// Called after each run, with the number of runs so far.
    progress: &'a (dyn Fn(usize) + Sync),
}

impl<'a> Runs<'a> {
    /// Runs on this many threads. No run starts after the budget, or once `interrupted` is true.
    pub fn new(
        jobs: usize,
        time_budget: Option<Duration>,
        interrupted: &'a AtomicBool,
        progress: &'a (dyn Fn(usize) + Sync),
    ) -> Runs<'a> {
        let (stopwatch, done) = (Stopwatch::start(), AtomicUsize::new(0));
        Runs { jobs, time_budget, stopwatch, interrupted, done, progress }
    }

    /// How many runs there were.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Why no further run starts; [`Ended::Complete`] if one may.
    pub fn ended(&self) -> Ended {
        if self.interrupted.load(Ordering::Relaxed) {
            Ended::Interrupted
        } else if self.time_budget.is_some_and(|budget| self.stopwatch.elapsed() >= budget) {
            Ended::TimeBudget
        } else {
            Ended::Complete
        }
    }

    /// The result of `run` for each of the numbers from 0 to `count`, in their order; `None` if no run may start any
    /// more.
    pub fn all<T: Send>(&self, count: usize, run: impl Fn(usize) -> T + Sync) -> Option<Vec<T>> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut results = Vec::new();
            while self.ended() == Ended::Complete {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= count {
                    break;
                }
                results.push((nth, run(nth)));
                (self.progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1);
            }
            results
        };
        let mut results: Vec<(usize, T)> = thread::scope(|scope| {
            let threads: Vec<_> = (0..self.jobs.clamp(1, count.max(1))).map(|_| scope.spawn(work)).collect();
            let joined = threads.into_iter().flat_map(|thread| match thread.join() {
                Ok(results) => results,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.collect()
        });
        results.sort_by_key(|(nth, _)| *nth);
        (results.len() == count).then(|| results.into_iter().map(|(_, result)| result).collect())
    }
}

/// The violation of a plan that has this signature, whatever kind of operation shows it; `None` if the plan has no such
/// violation. Violations before it do not matter: when the future is drawn again, more may go wrong than before.
pub fn violation(plan: &Plan, wanted: &Signature) -> Option<ViolationReport> {
    // The oracles that watch every step take a fifth of the time, and are needed only if the violation is theirs.
    let oracles = OwnOracles::none(!wanted.oracle.watches_steps());
    let outcome = run_plan_with(plan, &mut (), oracles, world::Options::default()).ok()?;
    let failure = Failure::of(&outcome.verdict, &outcome.record.history)?;
    failure.violations.into_iter().find(|violation| {
        let signature = Signature::of_violation(violation);
        signature.oracle == wanted.oracle && signature.rule == wanted.rule
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_on_any_number_of_threads() {
        let interrupted = AtomicBool::new(false);
        for jobs in [1, 3, 8] {
            let runs = Runs::new(jobs, None, &interrupted, &|_| {});
            assert_eq!(runs.all(20, |nth| nth * nth), Some((0..20).map(|nth| nth * nth).collect()));
            assert_eq!(runs.done(), 20);
        }
    }

    #[test]
    fn what_is_cut_short_has_no_result() {
        let interrupted = AtomicBool::new(false);
        let runs = Runs::new(2, Some(Duration::ZERO), &interrupted, &|_| {});
        assert_eq!((runs.all(1, |nth| nth), runs.ended()), (None, Ended::TimeBudget));
        interrupted.store(true, Ordering::Relaxed);
        assert_eq!(runs.ended(), Ended::Interrupted);
    }
}
