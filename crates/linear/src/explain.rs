//! From "there is no order" to a few operations that show it.
//!
//! An engine that knows a conflict names it; otherwise the shortest prefix in time without an order is looked
//! for: a history with an order has one up to any time, if what has not returned by then is taken for
//! unknown. The longest order that the search built is one up to the first return that it lacks, and mostly
//! there is none beyond; if there is, halving goes on from there. The cause is mostly near the end of that
//! prefix, so a few operations there are tried, then more, until they are a conflict. Then operations are
//! forgotten, many at first and one by one in the end, as long as the rest is still a conflict (see
//! [`crate::validate`] for what that means). Every such trial is a check of its own with other sums than the
//! verdict's, so that a wrong verdict shows here.

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

/// How many operations are tried at first.
const FEW_MIN: usize = 4;

/// A conflict of more operations than this is looked at twice.
const SMALL: usize = 6;

/// Explains why the component has no order. `core` is a conflict if there is one, `deepest` the longest order
/// that was built.
pub(crate) fn explain<M: Model>(
    part: &Part<'_, M>,
    core: Option<Vec<u32>>,
    deepest: Vec<u32>,
    account: &Account<'_>,
) -> Explained {
    let Some(mut found) = core.and_then(|core| grow(part, core, account)) else {
        return without_core(part, deepest, account);
    };
    for _ in 0..EARLIER_MAX {
        let conflict = shrink(found);
        let until = returned_last(part, &conflict.operations);
        match part.until(until, account) {
            Decision::Violation { core: Some(earlier), .. } => match grow(part, earlier, account) {
                Some(earlier) => found = earlier,
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
    let conflict = shrink(found);
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
fn grow<'a, M: Model>(
    part: &'a Part<'a, M>,
    mut core: Vec<u32>,
    account: &'a Account<'a>,
) -> Option<Shrinking<'a, M>> {
    for _ in 0..EARLIER_MAX {
        core.sort_unstable();
        core.dedup();
        let shrinking = Shrinking::new(part, &core, account);
        if shrinking.is_conflict()? {
            return Some(shrinking);
        }
        let answered = |index: &u32| part.history.operation(*index).output().is_some();
        core = shrinking.pool.into_iter().filter(answered).collect();
    }
    None
}

/// The same without a conflict to begin with.
fn without_core<M: Model>(part: &Part<'_, M>, deepest: Vec<u32>, account: &Account<'_>) -> Explained {
    let mut returns = part.answered_returns();
    returns.dedup();
    // Up to `returns[high]` inclusive there is no order, up to `returns[low]` exclusive there is.
    let first_lacking = part.first_lacking(&deepest);
    let (mut low, mut high) = (returns.partition_point(|&at| at < first_lacking), returns.len());
    let mut prefix = deepest;
    let mut middle = low;
    while low < high && middle < returns.len() {
        match part.until(returns[middle].saturating_add(1), account) {
            Decision::Linearizable(linearization) if middle + 1 == returns.len() => {
                return Explained::Linearizable(linearization);
            }
            Decision::Linearizable(linearization) => (low, prefix) = (middle + 1, linearization.order),
            Decision::Violation { .. } => high = middle,
            Decision::Undecided { .. } | Decision::Deferred => break,
        }
        middle = low + (high - low) / 2;
    }
    let until = returns.get(high.min(returns.len().saturating_sub(1))).copied().unwrap_or(u64::MAX);
    let in_time = part.operations.iter().copied().filter(|&index| {
        let operation = part.history.operation(index);
        operation.returned().is_some_and(|at| at <= until) && !operation.failed()
    });
    let conflict = shrink(part.recent(in_time.collect(), account));
    part.violation(conflict, prefix, until)
}

impl<M: Model> Part<'_, M> {
    /// Judges what happened before a time.
    fn until(&self, until: u64, account: &Account<'_>) -> Decision {
        let slice = Slice { until: Some(until), ..Slice::whole(self.operations) };
        check::decide(self.model, self.history, &slice, account, EFFORT)
    }

    /// The times of all answers, ascending.
    fn answered_returns(&self) -> Vec<u64> {
        let operations = self.operations.iter().map(|&index| self.history.operation(index));
        let mut returns: Vec<u64> = operations
            .filter(|operation| !operation.failed())
            .filter_map(|operation| operation.returned())
            .collect();
        returns.sort_unstable();
        returns
    }

    /// The first time of an answer whose operation is not in this order.
    fn first_lacking(&self, order: &[u32]) -> u64 {
        let mut present = order.to_vec();
        present.sort_unstable();
        let lacking = self.operations.iter().filter(|index| present.binary_search(index).is_err());
        let operations = lacking.map(|&index| self.history.operation(index));
        let returns =
            operations.filter(|operation| !operation.failed()).filter_map(|operation| operation.returned());
        returns.min().unwrap_or(u64::MAX)
    }

    /// The first conflict among the last few of these operations, more and more of them; or all.
    fn recent<'a>(&'a self, mut operations: Vec<u32>, account: &'a Account<'a>) -> Shrinking<'a, M> {
        operations.sort_by_key(|&index| (self.history.operation(index).call, index));
        let mut few = FEW_MIN;
        while few < operations.len() {
            let shrinking = Shrinking::new(self, &operations[operations.len() - few..], account);
            match shrinking.is_conflict() {
                Some(true) => return shrinking,
                Some(false) => few *= 2,
                None => break,
            }
        }
        Shrinking::new(self, &operations, account)
    }

    fn violation(&self, conflict: Conflict, prefix: Vec<u32>, prefix_until: u64) -> Explained {
        let excluded = exclusions::exclusions(self.model, self.history, &conflict);
        Explained::Violation { conflict, prefix, prefix_until, excluded }
    }
}

fn returned_last<M: Model>(part: &Part<'_, M>, operations: &[u32]) -> u64 {
    operations.iter().filter_map(|&index| part.history.operation(index).returned()).max().unwrap_or(u64::MAX)
}

/// Forgets operations of a conflict as long as it stays one: the earliest first, and if many are left, the
/// latest first.
fn shrink<M: Model>(mut shrinking: Shrinking<'_, M>) -> Conflict {
    let all = shrinking.kept.clone();
    let mut minimal = shrinking.minimize(false);
    if minimal && shrinking.kept_count() > SMALL {
        let first = std::mem::replace(&mut shrinking.kept, all);
        if !shrinking.minimize(true) || shrinking.kept_count() >= count(&first) {
            shrinking.kept = first;
        }
        minimal = true;
    }
    let operations = shrinking.kept();
    let Part { model, history, .. } = *shrinking.part;
    let supporting = validate::supporting(model, history, &shrinking.pool, &operations);
    Conflict { operations, supporting, minimal }
}

fn count(kept: &[bool]) -> usize {
    kept.iter().filter(|kept| **kept).count()
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
        count(&self.kept)
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

    /// Forgets what can be forgotten; whether nothing more can be.
    fn minimize(&mut self, latest_first: bool) -> bool {
        let mut chunk = (self.kept_count() / 4).max(1);
        loop {
            match self.pass(chunk, latest_first) {
                None => return false,
                Some(removed) if chunk == 1 && !removed => return true,
                Some(_) => chunk = (chunk / 2).max(1),
            }
        }
    }

    /// Tries to forget each run of `chunk` operations; whether that worked for any, `None` if the budget is
    /// spent.
    fn pass(&mut self, chunk: usize, latest_first: bool) -> Option<bool> {
        let mut places: Vec<usize> = (0..self.kept.len()).filter(|&place| self.kept[place]).collect();
        if latest_first {
            places.reverse();
        }
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
