//! Shrinking: from a plan that fails to a much smaller one that fails in the same way.
//!
//! A plan that fails may have thousands of operations and forty faults, most of which have nothing to do with the failure.
//! [`Shrinker`] leaves out what it can and makes the rest simple, in `passes`. What must remain is the failure's
//! [`Signature`]: which oracle, which rule, which kind of operation. So a plan never slips to a failure for another
//! reason; other failures that it meets are reported as further findings.
//!
//! * `size`: the order in which one plan is smaller than another. Only a smaller plan is accepted, so shrinking ends.
//! * `trial`: runs candidates on all cores, remembers how they ended, and accepts the first in order that is smaller and
//!   fails in the same way. Every accepted plan runs twice, and must have the same trace hash both times.
//! * `passes`: what is tried, one file each, one table.
//! * `pieces`: delta debugging. `usual`: the fields that differ from their defaults.
//! * `written`: the file of the result, with a comment for each fault that says what happens without it.
//!
//! It works because randomness is keyed (rule R2 of `ARCHITECTURE.md`): without one fault, the others strike as before.
//!
//! Not here: shrinking of recorded histories, which cannot run again (`command/check/shrink`).

mod passes;
mod pieces;
mod size;
mod trial;
mod usual;
mod written;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use plan::Plan;
use record::TraceHash;

pub use passes::{PASSES, Pass};
pub use size::Size;
pub use trial::{OtherFinding, Step};

use crate::execute::{HarnessFailure, run_plan};
use crate::report::Failure;
use crate::signature::Signature;
use crate::stopwatch::Stopwatch;
use trial::{Ending, Limits, Seen, Trial};

/// Makes failing plans smaller.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Shrinker {
    /// The number of threads.
    pub jobs: usize,
    /// After this much real time, the smallest plan so far is the result. `None`: until nothing can be left out.
    pub time_budget: Option<Duration>,
    /// The failure that must remain. `None`: the one that the plan has.
    pub signature: Option<Signature>,
}

/// The result of shrinking.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Shrunk {
    /// The smallest plan.
    pub plan: Plan,
    /// What fails, in it and in the plan that it was made from.
    pub signature: Signature,
    /// The size of the plan before.
    pub from: Size,
    /// Its size.
    pub size: Size,
    /// The ids of the oracles that it violates, the worst first.
    pub oracles: String,
    /// The title of its first violation.
    pub title: String,
    /// The sentences of its first violation.
    pub sentences: Vec<String>,
    /// The hash over its events.
    pub trace_hash: TraceHash,
    /// For each fault, what happens without it.
    pub without: Vec<Without>,
    /// Whether the failure goes away without any one of its faults and operations. All of these plans were run.
    pub minimal: bool,
    /// Why shrinking ended.
    pub ended: Ended,
    /// How many candidates were run.
    pub runs: usize,
    /// How long it took, in real time.
    pub wall: Duration,
    /// Failures of other kinds that were met on the way.
    pub others: Vec<OtherFinding>,
}

/// What happens without a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Without {
    /// All oracles hold.
    Holds,
    /// The first violation is another one.
    Other(Signature),
    /// An oracle cannot decide.
    Undecided,
    /// The failure is the same.
    Same,
    /// Not known: shrinking was interrupted before this was run.
    Untried,
}

/// Why shrinking ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// No pass finds anything more.
    Complete,
    /// The time budget was used up.
    TimeBudget,
    /// The user pressed Ctrl-C.
    Interrupted,
}

/// Why a plan was not shrunk.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotShrunk {
    /// It does not fail.
    #[error("the plan does not fail: all oracles hold")]
    Holds,
    /// It does not fail, but something was left undecided.
    #[error("the plan does not fail, but not everything was decided: {0}")]
    Undecided(String),
    /// It fails, but in another way than is wanted.
    #[error("the plan fails in another way: {0}")]
    Other(Signature),
    /// The harness failed.
    #[error(transparent)]
    Harness(#[from] HarnessFailure),
    /// A plan took different steps when it was run again (oracle D1).
    #[error("a plan took different steps when it was run again (oracle D1)")]
    Diverged(Box<Plan>),
}

impl Shrinker {
    /// Shrinks on this many threads, without a time budget.
    pub fn new(jobs: usize) -> Shrinker {
        Shrinker { jobs, time_budget: None, signature: None }
    }

    /// Shrinks a plan. Once `interrupted` is true, the smallest plan so far is the result. `progress` is called after each
    /// candidate and for each accepted plan. Without a time budget, the result is the same however long anything takes,
    /// and whatever the number of threads.
    ///
    /// # Errors
    /// If the plan does not fail, or not in the way that is wanted, or the harness fails, or a run is not deterministic.
    pub fn shrink(
        &self,
        plan: Plan,
        interrupted: &AtomicBool,
        progress: &mut dyn FnMut(Step<'_>),
    ) -> Result<Shrunk, NotShrunk> {
        let stopwatch = Stopwatch::start();
        let (signature, seen) = self.first_look(&plan)?;
        let from = Size::of(&plan);
        let limits = Limits { jobs: self.jobs, time_budget: self.time_budget, interrupted };
        let mut trial = Trial::new(plan, (signature.clone(), seen), limits, progress);
        let original = trial.reached();
        coarse(&mut trial);
        rounds(&mut trial, PIECES, Order::FaultsFirst);
        if !trial.is_first() {
            trial.back_to_first();
            rounds(&mut trial, PIECES, Order::FaultsFirst);
        }
        if trial.size().acts > SMALL && !trial.over() {
            let first = trial.reached();
            trial.return_to(original);
            rounds(&mut trial, PIECES, Order::OperationsFirst);
            if first.1 < trial.size() {
                trial.return_to(first);
            }
        }
        if trial.diverged() {
            return Err(NotShrunk::Diverged(Box::new(trial.best().clone())));
        }
        let ended = match (trial.interrupted(), trial.over()) {
            (true, _) => Ended::Interrupted,
            (false, true) => Ended::TimeBudget,
            (false, false) => Ended::Complete,
        };
        let (without, minimal) = necessary(&mut trial);
        let (size, runs) = (trial.size(), trial.runs());
        let (plan, seen, others) = trial.into_result();
        let Seen { hash: trace_hash, oracles, title, sentences, .. } = seen;
        let wall = stopwatch.elapsed();
        Ok(Shrunk {
            plan,
            signature,
            from,
            size,
            oracles,
            title,
            sentences,
            trace_hash,
            without,
            minimal,
            ended,
            runs,
            wall,
            others,
        })
    }

    /// What fails in a plan.
    ///
    /// # Errors
    /// As for [`Shrinker::shrink`].
    pub fn signature_of(&self, plan: &Plan) -> Result<Signature, NotShrunk> {
        self.first_look(plan).map(|(signature, _)| signature)
    }

    /// Runs the plan as it is.
    fn first_look(&self, plan: &Plan) -> Result<(Signature, Seen), NotShrunk> {
        let outcome = run_plan(plan)?;
        let Some(failure) = Failure::of(&outcome.verdict, &outcome.record.history) else {
            return Err(match outcome.verdict.undecided.join(" ") {
                nothing if nothing.is_empty() => NotShrunk::Holds,
                undecided => NotShrunk::Undecided(undecided),
            });
        };
        let signature = Signature::of(&failure);
        if self.signature.as_ref().is_some_and(|wanted| *wanted != signature) {
            return Err(NotShrunk::Other(signature));
        }
        let hash = outcome.record.trace_hash;
        Ok((signature, Seen::of(&failure, Ending::Same(hash), hash)))
    }
}

/// Into how many pieces lists are cut, one after the other: as long as large pieces can be left out, small ones would take
/// too long.
const PIECES: &[usize] = &[16, 128, usize::MAX];
/// A plan with at most this many faults and operations is small enough; a larger one is shrunk in another order, too.
const SMALL: usize = 4;

/// What is left out first. Many operations may do what one fault does, and the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    FaultsFirst,
    OperationsFirst,
}

/// Leaves out large pieces as long as the failure is among the violations. Which of many violations comes first depends
/// on many details; with less in the plan there are fewer violations.
fn coarse(trial: &mut Trial<'_>) {
    trial.accept_anywhere(true);
    rounds(trial, &PIECES[..PIECES.len() - 1], Order::FaultsFirst);
    trial.accept_anywhere(false);
}

/// Runs all passes until none finds anything, with lists cut into at most this many pieces, one number after the other.
fn rounds(trial: &mut Trial<'_>, pieces: &[usize], order: Order) {
    for (nth, pieces_max) in pieces.iter().enumerate() {
        trial.cut_into(*pieces_max);
        let faults_wait = order == Order::OperationsFirst && nth + 1 < pieces.len();
        loop {
            let before = trial.size();
            for pass in PASSES.iter().filter(|pass| !(faults_wait && pass.drops_faults)) {
                trial.begin(pass.name);
                (pass.run)(trial);
            }
            if trial.over() || trial.size() == before {
                break;
            }
        }
    }
}

/// What happens without each fault, and whether every fault and every operation is needed.
fn necessary(trial: &mut Trial<'_>) -> (Vec<Without>, bool) {
    let plan = trial.best().clone();
    let faults = (0..plan.faults.len()).map(|nth| passes::without_fault(&plan, nth)).collect();
    let without: Vec<Without> = trial.endings(faults).into_iter().map(Without::from).collect();
    // With many operations, none was tried alone.
    let operations = passes::without_operation(&plan);
    let goes = |without: &Without| !matches!(without, Without::Same | Without::Untried);
    let minimal = !trial.over()
        && without.iter().all(goes)
        && trial.endings(operations).into_iter().map(Without::from).all(|without| goes(&without));
    (without, minimal)
}

impl From<Option<Ending>> for Without {
    fn from(ending: Option<Ending>) -> Without {
        match ending {
            Some(Ending::Held) => Without::Holds,
            Some(Ending::Other(signature) | Ending::Among(_, signature)) => Without::Other(signature),
            Some(Ending::Unclear) => Without::Undecided,
            Some(Ending::Same(_)) => Without::Same,
            None => Without::Untried,
        }
    }
}
