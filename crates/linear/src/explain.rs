//! From "there is no order" to a few operations that show it.
//!
//! An engine that knows a conflict names it; otherwise the shortest prefix in time without an order is looked
//! for, by halving: a history with an order has one up to any time, if what has not returned by then is taken
//! for unknown. Then operations are forgotten, many at first and one by one in the end, as long as the rest
//! is still a conflict (see [`crate::validate`] for what that means). Every such trial is a check of its own
//! with other sums than the verdict's, so that a wrong verdict shows here.

mod exclusions;

use crate::budget::Account;
use crate::check;
use crate::history::History;
use crate::model::Model;
use crate::report::{Conflict, Excluded, Linearization};
use crate::slice::{Decision, Effort, Slice};
use crate::validate;

/// The component that has no order.
pub(crate) struct Part<'a, M: Model> {
    pub(crate) model: &'a M,
    pub(crate) history: &'a History<M::Input, M::Output>,
    pub(crate) operations: &'a [u32],
}

/// What came of it.
pub(crate) enum Explained {
    Violation {
        conflict: Conflict,
        prefix: Vec<u32>,
        prefix_until: u64,
        excluded: Vec<Excluded>,
    },
    /// The verdict was wrong: this is an order.
    Linearizable(Linearization),
}

/// Another seed than that of the verdict.
const EFFORT: Effort = Effort::Search(0x0065_7870_6C61_696E);

/// How often an earlier conflict is looked for before the one at hand is taken.
const EARLIER_MAX: usize = 4;

/// Explains why the component has no order. `core` is a conflict if there is one, `deepest` the longest order
/// that was built.
pub(crate) fn explain<M: Model>(
    part: &Part<'_, M>,
    core: Option<Vec<u32>>,
    deepest: Vec<u32>,
    account: &Account<'_>,
) -> Explained {
    let Some(mut core) = core.and_then(|core| grow(part, core, account)) else {
        return without_core(part, deepest, account);
    };
    for _ in 0..EARLIER_MAX {
        let conflict = shrink(part, core, account);
        let until = returned_last(part, &conflict.operations);
        match part.until(until, account) {
            Decision::Violation { core: Some(earlier), .. } => match grow(part, earlier, account) {
                Some(earlier) => core = earlier,
                None => return part.violation(conflict, deepest, until),
            },
            Decision::Linearizable(Linearization { order, .. }) => {
                return part.violation(conflict, order, until);
            }
            Decision::Violation { .. } | Decision::Undecided { .. } | Decision::Deferred => {
                return part.violation(conflict, deepest, until);
            }
        }
    }
    let conflict = shrink(part, core, account);
    let until = returned_last(part, &conflict.operations);
    part.violation(conflict, deepest, until)
}

/// What is known without any work. Not confirmed by a second search.
pub(crate) fn bare<M: Model>(part: &Part<'_, M>, core: Option<Vec<u32>>, deepest: Vec<u32>) -> Explained {
    let operations = core.unwrap_or_else(|| part.operations.to_vec());
    let conflict = Conflict { operations, ..Conflict::default() };
    Explained::Violation { conflict, prefix: deepest, prefix_until: 0, excluded: Vec::new() }
}

/// Makes sure that what an engine named is a conflict, or adds what it took for granted.
///
/// An engine may have used that an operation returned in time to rule another one out as the writer of some
/// value. Such an operation is among those that could matter.
fn grow<M: Model>(part: &Part<'_, M>, mut core: Vec<u32>, account: &Account<'_>) -> Option<Vec<u32>> {
    for _ in 0..EARLIER_MAX {
        core.sort_by_key(|&index| (part.history.operation(index).call, index));
        core.dedup();
        let shrinking = Shrinking::new(part, &core, account);
        if shrinking.is_conflict()? {
            return Some(core);
        }
        let answered = |index: &u32| part.history.operation(*index).output().is_some();
        core = shrinking.pool.into_iter().filter(answered).collect();
    }
    None
}

/// The same without a conflict to begin with.
fn without_core<M: Model>(part: &Part<'_, M>, deepest: Vec<u32>, account: &Account<'_>) -> Explained {
    if let Decision::Linearizable(linearization) =
        check::decide(part.model, part.history, &Slice::whole(part.operations), account, EFFORT)
    {
        return Explained::Linearizable(linearization);
    }
    let mut returns: Vec<u64> =
        part.operations.iter().filter_map(|&index| part.history.operation(index).returned()).collect();
    returns.sort_unstable();
    returns.dedup();
    // Up to `returns[high]` inclusive there is no order, up to `returns[low]` exclusive there is.
    let (mut low, mut high) = (0, returns.len().saturating_sub(1));
    let mut prefix = deepest;
    while low < high {
        let middle = low + (high - low) / 2;
        match part.until(returns[middle].saturating_add(1), account) {
            Decision::Linearizable(linearization) => (low, prefix) = (middle + 1, linearization.order),
            Decision::Violation { .. } => high = middle,
            Decision::Undecided { .. } | Decision::Deferred => break,
        }
    }
    let until = returns.get(high).copied().unwrap_or(u64::MAX);
    let operations = part.operations.iter().copied().filter(|&index| {
        let operation = part.history.operation(index);
        operation.call <= until && operation.returned().is_some_and(|at| at <= until) && !operation.failed()
    });
    let conflict = shrink(part, operations.collect(), account);
    part.violation(conflict, prefix, until)
}

impl<M: Model> Part<'_, M> {
    /// Judges what happened before a time.
    fn until(&self, until: u64, account: &Account<'_>) -> Decision {
        let slice = Slice { until: Some(until), ..Slice::whole(self.operations) };
        check::decide(self.model, self.history, &slice, account, EFFORT)
    }

    fn violation(&self, conflict: Conflict, prefix: Vec<u32>, prefix_until: u64) -> Explained {
        let excluded = exclusions::exclusions(self.model, self.history, &conflict);
        Explained::Violation { conflict, prefix, prefix_until, excluded }
    }
}

fn returned_last<M: Model>(part: &Part<'_, M>, operations: &[u32]) -> u64 {
    operations.iter().filter_map(|&index| part.history.operation(index).returned()).max().unwrap_or(u64::MAX)
}

/// Forgets operations of a conflict as long as it stays one.
fn shrink<M: Model>(part: &Part<'_, M>, mut operations: Vec<u32>, account: &Account<'_>) -> Conflict {
    operations.sort_by_key(|&index| (part.history.operation(index).call, index));
    operations.dedup();
    let mut shrinking = Shrinking::new(part, &operations, account);
    let mut minimal = shrinking.recent();
    let mut chunk = (shrinking.kept_count() / 2).max(1);
    loop {
        let removed = shrinking.pass(chunk);
        match removed {
            None => break,
            Some(removed) if chunk == 1 && !removed => {
                minimal = true;
                break;
            }
            Some(removed) if chunk == 1 && removed => minimal = false,
            Some(_) => chunk = (chunk / 2).max(1),
        }
    }
    let operations = shrinking.kept();
    let supporting = validate::supporting(part.model, part.history, &shrinking.pool, &operations);
    Conflict { operations, supporting, minimal }
}

/// A conflict on the way to a smaller one.
struct Shrinking<'a, M: Model> {
    part: &'a Part<'a, M>,
    account: &'a Account<'a>,
    /// The conflict at first and all that could matter to it, by call. A smaller conflict needs no others:
    /// it looks for fewer values.
    pool: Vec<u32>,
    kept: Vec<bool>,
}

impl<'a, M: Model> Shrinking<'a, M> {
    fn new(part: &'a Part<'a, M>, operations: &[u32], account: &'a Account<'a>) -> Self {
        let mut pool = validate::supporting(part.model, part.history, part.operations, operations);
        pool.extend_from_slice(operations);
        pool.sort_by_key(|&index| (part.history.operation(index).call, index));
        let mut inside = operations.to_vec();
        inside.sort_unstable();
        let kept = pool.iter().map(|index| inside.binary_search(index).is_ok()).collect();
        Shrinking { part, account, pool, kept }
    }

    fn kept(&self) -> Vec<u32> {
        self.pool.iter().zip(&self.kept).filter(|(_, kept)| **kept).map(|(&index, _)| index).collect()
    }

    fn kept_count(&self) -> usize {
        self.kept.iter().filter(|kept| **kept).count()
    }

    /// Whether what is kept is a conflict; `None` if the budget is spent.
    fn is_conflict(&self) -> Option<bool> {
        let slice = Slice { operations: &self.pool, kept: Some(&self.kept), until: None };
        match check::decide(self.part.model, self.part.history, &slice, self.account, EFFORT) {
            Decision::Violation { .. } => Some(true),
            Decision::Linearizable(_) => Some(false),
            Decision::Undecided { .. } | Decision::Deferred => None,
        }
    }

    /// Tries to keep only the last few operations: the cause is mostly near the end. Returns false: the
    /// result is not known to be minimal.
    fn recent(&mut self) -> bool {
        let places: Vec<usize> = (0..self.kept.len()).filter(|&place| self.kept[place]).collect();
        let mut few = 4;
        while few < places.len() {
            for (rank, &place) in places.iter().rev().enumerate() {
                self.kept[place] = rank < few;
            }
            if self.is_conflict() == Some(true) {
                return false;
            }
            few *= 2;
        }
        for place in places {
            self.kept[place] = true;
        }
        false
    }

    /// Tries to forget each run of `chunk` operations; whether that worked for any, `None` if the budget is
    /// spent.
    fn pass(&mut self, chunk: usize) -> Option<bool> {
        let places: Vec<usize> = (0..self.kept.len()).filter(|&place| self.kept[place]).collect();
        let mut removed = false;
        for run in places.chunks(chunk) {
            for &place in run {
                self.kept[place] = false;
            }
            let conflict = self.is_conflict();
            if conflict == Some(true) {
                removed = true;
                continue;
            }
            for &place in run {
                self.kept[place] = true;
            }
            conflict?;
        }
        Some(removed)
    }
}
