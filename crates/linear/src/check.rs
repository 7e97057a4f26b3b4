//! The whole check: components, each judged by the quickest engine that can, and the evidence put together.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::budget::{Account, Budget, Meter};
use crate::explain;
use crate::history::History;
use crate::model::Model;
use crate::partition::{Members, Partition};
use crate::register::{Desk, Gathered};
use crate::report::{Linearization, Report, Undecided, Verdict, Violation, Witness};
use crate::slice::{Decision, Effort, Slice};
use crate::{generic, register};

/// The seed of the first search; every violation is confirmed with another one.
const SEED: u64 = 0x6C69_6E65_6172;

/// Judges whether the history is linearizable with respect to the model.
///
/// The verdict and its evidence are the same in every run, however many threads take part, unless
/// [`Budget::wall_max`] or [`Budget::cancel`] ended it, or threads share a budget that was too small.
pub fn check<M>(model: &M, history: &History<M::Input, M::Output>, budget: &Budget<'_>) -> Report
where
    M: Model + Sync,
    M::Input: Sync,
    M::Output: Sync,
{
    let parts = Parts::new(model, history);
    let account = Account::new(budget);
    let all: Vec<usize> = (0..parts.len()).collect();
    // A violation that shows without a search makes all searches unnecessary.
    let effort = if parts.len() == 1 { Effort::Search(SEED) } else { Effort::Quick };
    let mut results = Work::new(&parts, &account, &all, effort).run_on(budget.threads);
    if !results.iter().any(|(_, decision)| matches!(decision, Decision::Violation { .. })) {
        let deferred = results.extract_if(.., |(_, decision)| matches!(decision, Decision::Deferred));
        let deferred: Vec<usize> = deferred.map(|(component, _)| component).collect();
        let work = Work::new(&parts, &account, &deferred, Effort::Search(SEED));
        results.append(&mut work.run_on(budget.threads));
    }
    results.sort_unstable_by_key(|(component, _)| *component);
    let verdict = combine(&parts, results, &account, budget);
    Report { verdict, components: parts.len(), steps: account.spent() }
}

/// More threads than this are of no use, and the system may not have them.
const THREADS_MAX: usize = 256;

/// A history and its components.
struct Parts<'a, M: Model> {
    model: &'a M,
    history: &'a History<M::Input, M::Output>,
    partition: Partition,
    /// Of models with a register view; a single component needs no gathering.
    gathered: Option<Gathered>,
    members: OnceLock<Members>,
}

impl<'a, M: Model> Parts<'a, M> {
    fn new(model: &'a M, history: &'a History<M::Input, M::Output>) -> Self {
        let partition = model.partition(history);
        let gathered = if partition.len() > 1 { Gathered::new(model, history, &partition) } else { None };
        Parts { model, history, partition, gathered, members: OnceLock::new() }
    }

    fn len(&self) -> usize {
        self.partition.len()
    }

    fn operations(&self, component: usize) -> &[u32] {
        self.members.get_or_init(|| self.partition.members()).of(component)
    }

    fn decide(&self, component: usize, desk: &mut Desk, account: &Account<'_>, effort: Effort) -> Decision {
        let gathered = self.gathered.as_ref();
        let Some((gathered, rows)) = gathered.and_then(|all| Some((all, all.of(component)?))) else {
            let slice = Slice::whole(self.operations(component));
            return decide(self.model, self.history, &slice, account, effort);
        };
        let mut meter = Meter::new(account);
        match meter.look() {
            Ok(()) => desk.decide(gathered, rows, &mut meter, effort),
            Err(limit) => Decision::Undecided { limit, deepest: Vec::new() },
        }
    }

    fn answered(&self, component: usize) -> usize {
        let answered = |&&index: &&u32| self.history.operation(index).output().is_some();
        self.operations(component).iter().filter(answered).count()
    }
}

/// Judges a slice of one component.
pub(crate) fn decide<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
    account: &Account<'_>,
    effort: Effort,
) -> Decision {
    let mut meter = Meter::new(account);
    if let Err(limit) = meter.look() {
        return Decision::Undecided { limit, deepest: Vec::new() };
    }
    match (register::decide(model, history, slice, &mut meter, effort), effort) {
        (Some(decision), _) => decision,
        (None, Effort::Quick) => Decision::Deferred,
        (None, Effort::Search(seed)) => generic::decide(model, history, slice, &mut meter, seed),
    }
}

/// Components that any number of threads take one by one.
struct Work<'a, M: Model> {
    parts: &'a Parts<'a, M>,
    account: &'a Account<'a>,
    components: &'a [usize],
    effort: Effort,
    next: AtomicUsize,
    /// The place of the first component known to be a violation: later ones need not be looked at.
    stop: AtomicUsize,
}

impl<'a, M: Model> Work<'a, M> {
    fn new(
        parts: &'a Parts<'a, M>,
        account: &'a Account<'a>,
        components: &'a [usize],
        effort: Effort,
    ) -> Self {
        let (next, stop) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        Work { parts, account, components, effort, next, stop }
    }

    fn run(&self) -> Vec<(usize, Decision)> {
        let mut results = Vec::new();
        let mut desk = Desk::default();
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            if place >= self.components.len() || place > self.stop.load(Ordering::Relaxed) {
                return results;
            }
            let component = self.components[place];
            let decision = self.parts.decide(component, &mut desk, self.account, self.effort);
            if matches!(decision, Decision::Violation { .. }) {
                self.stop.fetch_min(place, Ordering::Relaxed);
            }
            results.push((component, decision));
        }
    }
}

impl<M> Work<'_, M>
where
    M: Model + Sync,
    M::Input: Sync,
    M::Output: Sync,
{
    fn run_on(&self, threads: usize) -> Vec<(usize, Decision)> {
        let threads = threads.min(self.components.len()).min(THREADS_MAX);
        if threads <= 1 {
            return self.run();
        }
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.run())).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    }
}

/// One verdict out of those of the components: a violation counts most, then the lack of a decision.
fn combine<M: Model>(
    parts: &Parts<'_, M>,
    results: Vec<(usize, Decision)>,
    account: &Account<'_>,
    budget: &Budget<'_>,
) -> Verdict {
    let mut witness = Witness::default();
    let mut undecided: Option<Undecided> = None;
    for (component, decision) in results {
        match decision {
            Decision::Linearizable(linearization) => witness.components.push(linearization),
            Decision::Violation { core, deepest } => {
                let steps_max = account.spent().saturating_add(budget.explain_steps_max);
                let operations = parts.operations(component);
                let part = explain::Part { model: parts.model, history: parts.history, operations };
                let explained = if budget.explain {
                    explain::explain(&part, core, deepest, &account.for_explanation(steps_max))
                } else {
                    explain::bare(&part, core, deepest, &account.for_explanation(steps_max))
                };
                match explained {
                    explain::Explained::Violation { conflict, prefix, prefix_until } => {
                        return Verdict::NotLinearizable(Box::new(Violation {
                            component,
                            conflict,
                            prefix,
                            prefix_until,
                        }));
                    }
                    // The memo took two configurations for one, once in 10²¹ histories.
                    explain::Explained::Linearizable(linearization) => witness.components.push(linearization),
                }
            }
            // Only components before a violation are left at this.
            Decision::Deferred => {}
            Decision::Undecided { limit, deepest } => {
                witness.components.push(Linearization::default());
                let count = undecided.as_ref().map_or(0, |known| known.undecided_components) + 1;
                let first = undecided.take().unwrap_or_else(|| Undecided {
                    component,
                    limit,
                    undecided_components: 0,
                    deepest,
                    answered: parts.answered(component),
                });
                undecided = Some(Undecided { undecided_components: count, ..first });
            }
        }
    }
    match undecided {
        Some(undecided) => Verdict::Undecided(Box::new(undecided)),
        None => Verdict::Linearizable(witness),
    }
}
