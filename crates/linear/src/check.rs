//! The whole check: each component goes to the fastest engine that can judge it, then the results are combined.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::budget::{Budget, Ledger, Meter};
use crate::explain;
use crate::history::History;
use crate::model::Model;
use crate::partition::{Members, Partition};
use crate::register::{AllRows, Workspace};
use crate::report::{Linearization, Report, Undecided, Verdict, Violation, Witness};
use crate::slice::{Decision, Effort, Seen, Slice};
use crate::{distinct, generic, register};

/// The seed of the first search. Every violation is confirmed with another seed.
const SEED: u64 = 0x6C69_6E65_6172;

/// Judges whether the history is linearizable with respect to the model.
///
/// The verdict and its evidence are the same in every run, however many threads take part, unless
/// [`Budget::wall_max`] or [`Budget::cancel`] ended the check, or several threads shared a budget that was too
/// small.
pub fn check<M>(model: &M, history: &History<M::Input, M::Output>, budget: &Budget<'_>) -> Report
where
    M: Model + Sync,
    M::Input: Sync,
    M::Output: Sync,
{
    let parts = Parts::new(model, history);
    let threads = budget.threads.min(parts.len()).min(THREADS_MAX);
    let mut ledger = Ledger::new(budget, threads);
    let all: Vec<usize> = (0..parts.len()).collect();
    // A violation that is found without a search makes all searches unnecessary.
    let effort = if parts.len() == 1 { Effort::Search(SEED) } else { Effort::Quick };
    let mut results = Work::new(&parts, &ledger, &all, effort).run_on(threads);
    if !results.iter().any(|(_, decision)| matches!(decision, Decision::Violation { .. })) {
        let deferred = results.extract_if(.., |(_, decision)| matches!(decision, Decision::Deferred));
        let deferred: Vec<usize> = deferred.map(|(component, _)| component).collect();
        ledger.share_among(threads.min(deferred.len()));
        let work = Work::new(&parts, &ledger, &deferred, Effort::Search(SEED));
        results.append(&mut work.run_on(threads));
    }
    results.sort_unstable_by_key(|(component, _)| *component);
    let verdict = combine(&parts, results, &ledger, budget);
    Report { verdict, components: parts.len(), steps: ledger.spent() }
}

/// More threads than this do not help, and the system may not have them.
const THREADS_MAX: usize = 256;

/// A history and its components.
struct Parts<'a, M: Model> {
    model: &'a M,
    history: &'a History<M::Input, M::Output>,
    partition: Partition,
    /// The operations in the form that the register engine needs (rows), if there are several components. `None` if
    /// none of them is a register.
    all_rows: Option<AllRows>,
    /// The operations of each component. Filled in at the first use, because registers do not need it.
    members: OnceLock<Members>,
}

impl<'a, M: Model> Parts<'a, M> {
    fn new(model: &'a M, history: &'a History<M::Input, M::Output>) -> Self {
        let partition = model.partition(history);
        let all_rows = if partition.len() > 1 { AllRows::new(model, history, &partition) } else { None };
        Parts { model, history, partition, all_rows, members: OnceLock::new() }
    }

    fn len(&self) -> usize {
        self.partition.len()
    }

    /// The operations of a component, by index.
    fn operations(&self, component: usize) -> &[u32] {
        self.members.get_or_init(|| self.partition.members()).of(component)
    }

    /// Judges one component: by its rows if it is a register, otherwise by its operations.
    fn decide(
        &self,
        component: usize,
        workspace: &mut Workspace,
        ledger: &Ledger<'_>,
        effort: Effort,
    ) -> Decision {
        let all_rows = self.all_rows.as_ref();
        let Some((all_rows, rows)) = all_rows.and_then(|all| Some((all, all.of(component)?))) else {
            let slice = Slice::whole(self.operations(component));
            return decide(self.model, self.history, &slice, ledger, effort);
        };
        let mut meter = Meter::new(ledger);
        match meter.look() {
            Ok(()) => workspace.decide(all_rows, rows, &mut meter, effort),
            Err(limit) => Decision::Undecided { limit, deepest: Vec::new() },
        }
    }

    /// How many operations of a component were answered.
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
    ledger: &Ledger<'_>,
    effort: Effort,
) -> Decision {
    let mut meter = Meter::new(ledger);
    if let Err(limit) = meter.look() {
        return Decision::Undecided { limit, deepest: Vec::new() };
    }
    let quick = register::decide(model, history, slice, &mut meter, effort)
        .or_else(|| impossible(model, history, slice))
        .or_else(|| distinct::decide(model, history, slice, &mut meter, effort));
    match (quick, effort) {
        (Some(decision), _) => decision,
        (None, Effort::Quick) => Decision::Deferred,
        (None, Effort::Search(seed)) => generic::decide(model, history, slice, &mut meter, seed),
    }
}

/// A violation by the first operation whose answer is wrong in every state, if there is one.
fn impossible<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
) -> Option<Decision> {
    let wrong = |&(place, &index): &(usize, &u32)| match slice.seen(model, history, place) {
        Seen::Answered { output, .. } => model.is_impossible(&history.operation(index).input, output),
        Seen::Optional { .. } | Seen::Unknown | Seen::Absent => false,
    };
    let (_, &index) = slice.operations.iter().enumerate().find(wrong)?;
    Some(Decision::Violation { core: Some(vec![index]), deepest: Vec::new() })
}

/// A list of components that any number of threads work through together.
struct Work<'a, M: Model> {
    parts: &'a Parts<'a, M>,
    ledger: &'a Ledger<'a>,
    components: &'a [usize],
    effort: Effort,
    /// Where in `components` the next one to judge is.
    next: AtomicUsize,
    /// Where in `components` the first known violation is: later components need not be judged.
    stop: AtomicUsize,
}

impl<'a, M: Model> Work<'a, M> {
    fn new(parts: &'a Parts<'a, M>, ledger: &'a Ledger<'a>, components: &'a [usize], effort: Effort) -> Self {
        let (next, stop) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        Work { parts, ledger, components, effort, next, stop }
    }

    /// Judges one component after another, until none is left for this thread.
    fn run(&self) -> Vec<(usize, Decision)> {
        let mut results = Vec::new();
        let mut workspace = Workspace::default();
        loop {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            if next >= self.components.len() || next > self.stop.load(Ordering::Relaxed) {
                return results;
            }
            let component = self.components[next];
            let decision = self.parts.decide(component, &mut workspace, self.ledger, self.effort);
            if matches!(decision, Decision::Violation { .. }) {
                self.stop.fetch_min(next, Ordering::Relaxed);
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
    /// Judges all components of the list with up to `threads` threads.
    fn run_on(&self, threads: usize) -> Vec<(usize, Decision)> {
        let threads = threads.min(self.components.len());
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

/// Combines the results of the components. One violation makes the verdict a violation; otherwise, one undecided
/// component makes the verdict undecided.
fn combine<M: Model>(
    parts: &Parts<'_, M>,
    results: Vec<(usize, Decision)>,
    ledger: &Ledger<'_>,
    budget: &Budget<'_>,
) -> Verdict {
    let mut witness = Witness::default();
    let mut undecided: Option<Undecided> = None;
    for (component, decision) in results {
        match decision {
            Decision::Linearizable(linearization) => witness.components.push(linearization),
            Decision::Violation { core, deepest } => {
                let steps_max = ledger.spent().saturating_add(budget.explain_steps_max);
                let operations = parts.operations(component);
                let part = explain::Part { model: parts.model, history: parts.history, operations };
                let explained = if budget.explain {
                    explain::explain(&part, core, deepest, &ledger.for_explanation(steps_max))
                } else {
                    explain::bare(&part, core, deepest, &ledger.for_explanation(steps_max))
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
                    // The memo mistook two configurations for one, which happens once in 10²¹ histories.
                    explain::Explained::Linearizable(linearization) => witness.components.push(linearization),
                }
            }
            // Only a violation in another component leaves a component deferred.
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
