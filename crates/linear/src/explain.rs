//! Explains a violation by a *conflict*: a few operations that cannot be linearized, whether or not the others took
//! effect ([`crate::validate`] has the exact definition).
//!
//! First it finds any conflict. Some engines name one, their *core*. Otherwise, the cause is likely near the
//! first return that is missing from the longest order that the search built (`deepest`). So a few operations
//! there are tried, then more, until they are a conflict. If that fails, bisection finds the shortest part of
//! the history, from its start, that has no order. (Operations that have not returned by its end count as
//! unknown there.)
//!
//! Then the conflict is made smaller: operations are left out, first several at a time and then one by one, as
//! long as the rest is still a conflict. Each trial is a search of its own, with another engine or another seed
//! than the search of the verdict, so a wrong verdict would be noticed here.

pub(crate) mod exclusions;
mod least;
mod pool;

use crate::budget::Ledger;
use crate::check;
use crate::history::History;
use crate::model::Model;
use crate::order::sort_by_key;
use crate::report::{Conflict, Linearization};
use crate::slice::{Decision, Effort, Slice};

use pool::Pool;

/// The component that has no order.
pub(crate) struct Part<'a, M: Model> {
    pub(crate) model: &'a M,
    pub(crate) history: &'a History<M::Input, M::Output>,
    pub(crate) operations: &'a [u32],
}

/// The result of an explanation.
pub(crate) enum Explained {
    Violation {
        conflict: Conflict,
        /// As in [`crate::report::Violation`], like `prefix_until`.
        prefix: Vec<u32>,
        prefix_until: u64,
    },
    /// The verdict was wrong: this is an order.
    Linearizable(Linearization),
}

/// The seed of searches for explanations. It must differ from that of the verdict.
const SEED: u64 = 0x0065_7870_6C61_696E;

/// Every trial is a full search with [`SEED`].
const EFFORT: Effort = Effort::Search(SEED);

/// How often [`grown`] enlarges a core that turns out to be no conflict.
const GROWTHS_MAX: usize = 4;

/// How often to look for a conflict that is earlier in time than the one found.
const EARLIER_MAX: usize = 2;

/// In a component with more operations than this, those that cannot matter to a conflict are left out before it
/// is made smaller.
const MANY: usize = 1024;

/// Explains why the component has no order. `core` is the conflict that the engine named, if it named one. `deepest`
/// is the longest order that the engine built.
pub(crate) fn explain<M: Model>(
    part: &Part<'_, M>,
    core: Option<Vec<u32>>,
    deepest: Vec<u32>,
    ledger: &Ledger<'_>,
) -> Explained {
    let Some(mut conflict) = core.and_then(|core| small(part, core, ledger)) else {
        return without_core(part, deepest, ledger);
    };
    let mut prefix = deepest;
    let mut until = returned_last(part, &conflict.operations);
    for _ in 0..EARLIER_MAX {
        match part.until(Some(until), ledger) {
            Decision::Linearizable(Linearization { order, .. }) => {
                prefix = order;
                break;
            }
            Decision::Violation { core: Some(earlier), .. } => {
                let Some(earlier) = small(part, earlier, ledger) else { break };
                until = returned_last(part, &earlier.operations);
                conflict = earlier;
            }
            Decision::Violation { .. } | Decision::Undecided { .. } | Decision::Deferred => break,
        }
    }
    Explained::Violation { conflict, prefix, prefix_until: until }
}

/// Explains without making the conflict smaller: takes the core, or operations near the point where the search
/// got stuck. If neither is a conflict, searches the whole component once more and reports it as the conflict.
pub(crate) fn bare<M: Model>(
    part: &Part<'_, M>,
    core: Option<Vec<u32>>,
    deepest: Vec<u32>,
    ledger: &Ledger<'_>,
) -> Explained {
    let core = core.and_then(|core| grown(part, core, ledger)).map(|(pool, kept)| pool.indices(&kept));
    let mut operations = match core.or_else(|| recent(part, &deepest, ledger)) {
        Some(operations) => operations,
        None => {
            let whole = Slice::whole(part.operations);
            if let Decision::Linearizable(linearization) =
                check::decide(part.model, part.history, &whole, ledger, EFFORT)
            {
                return Explained::Linearizable(linearization);
            }
            part.operations.to_vec()
        }
    };
    // An engine may name an operation twice, and a failed operation has no place in any order.
    operations.retain(|&index| !part.history.operation(index).failed());
    sort_by_key(&mut operations, &|index| (part.history.operation(index).call, index));
    operations.dedup();
    let conflict = Conflict { operations, ..Conflict::default() };
    // Nothing has determined up to which time `deepest` has every answer. 0 promises nothing.
    Explained::Violation { conflict, prefix: deepest, prefix_until: 0 }
}

/// A conflict near the point where the search got stuck, if there is a quick way to find one.
fn recent<M: Model>(part: &Part<'_, M>, deepest: &[u32], ledger: &Ledger<'_>) -> Option<Vec<u32>> {
    let mut pool = Pool::new(part, part.operations.to_vec(), ledger);
    if !pool.is_quick() {
        return None;
    }
    let in_time = pool.answered_by(part.first_missing(deepest));
    pool.recent(&in_time).map(|kept| pool.indices(&kept))
}

/// Makes the conflict that [`grown`] finds as small as it can.
fn small<M: Model>(part: &Part<'_, M>, core: Vec<u32>, ledger: &Ledger<'_>) -> Option<Conflict> {
    let (mut pool, kept) = grown(part, core, ledger)?;
    let all = kept.clone();
    Some(pool.shrink(kept, &all))
}

/// A conflict that contains the operations of a core and, if needed, the operations that the engine relied on
/// without naming them.
///
/// For example, an engine may have ruled out a write as the writer of a value because of the time at which the
/// write returned. That write must then be in the conflict too. It is among the operations that could matter to
/// the core, so all of these are added.
fn grown<'a, M: Model>(
    part: &'a Part<'a, M>,
    mut core: Vec<u32>,
    ledger: &'a Ledger<'a>,
) -> Option<(Pool<'a, M>, Vec<u32>)> {
    for _ in 0..GROWTHS_MAX {
        core.sort_unstable();
        core.dedup();
        let mut pool = Pool::around(part, &core, ledger);
        let kept = pool.places(|index| core.binary_search(&index).is_ok());
        if pool.is_conflict(&kept)? {
            return Some((pool, kept));
        }
        core = pool.indices(&pool.answered_by(u64::MAX));
    }
    None
}

/// How many trials the search for a least conflict may take.
const LEAST_TRIALS_MAX: usize = 100_000;

/// A conflict with the fewest operations possible, if there is a smaller one than `conflict` and it is found.
pub(crate) fn least<M: Model>(
    part: &Part<'_, M>,
    conflict: &Conflict,
    ledger: &Ledger<'_>,
) -> Option<Conflict> {
    let mut pool = match part.operations.len() {
        0..=MANY => Pool::new(part, part.operations.to_vec(), ledger),
        _ => Pool::around(part, &conflict.operations, ledger),
    };
    let all = pool.answered_by(u64::MAX);
    let size = conflict.operations.len() - 1;
    let least = least::least_conflict(&mut pool, &all, size, LEAST_TRIALS_MAX)?;
    Some(pool.conflict(&least, true))
}

/// Explains a violation for which the engine named no conflict.
fn without_core<M: Model>(part: &Part<'_, M>, deepest: Vec<u32>, ledger: &Ledger<'_>) -> Explained {
    let first_missing = part.first_missing(&deepest);
    let mut pool = Pool::new(part, part.operations.to_vec(), ledger);
    if pool.is_quick()
        && let Some(conflict) = among_returned(part, &mut pool, first_missing, ledger)
    {
        return Explained::Violation { conflict, prefix: deepest, prefix_until: first_missing };
    }
    let (prefix, until) = match bisect(part, deepest, first_missing, ledger) {
        Ok(found) => found,
        Err(linearization) => return Explained::Linearizable(linearization),
    };
    let conflict = among_returned(part, &mut pool, until, ledger).unwrap_or_else(|| {
        let operations = pool.indices(&pool.answered_by(u64::MAX));
        Conflict { operations, ..Conflict::default() }
    });
    Explained::Violation { conflict, prefix, prefix_until: until }
}

/// A small conflict among the operations that returned by this time.
fn among_returned<'a, M: Model>(
    part: &'a Part<'a, M>,
    pool: &mut Pool<'a, M>,
    until: u64,
    ledger: &'a Ledger<'a>,
) -> Option<Conflict> {
    let in_time = pool.answered_by(until);
    let kept = pool.recent(&in_time)?;
    if pool.len() <= MANY {
        return Some(pool.shrink(kept, &in_time));
    }
    small(part, pool.indices(&kept), ledger)
}

/// Finds the longest prefix of the history that has an order, by bisection. Returns that order, and the time of the
/// first answer after the prefix. `prefix` is an order that is known already. The error is an order of the whole
/// component.
fn bisect<M: Model>(
    part: &Part<'_, M>,
    mut prefix: Vec<u32>,
    first_missing: u64,
    ledger: &Ledger<'_>,
) -> Result<(Vec<u32>, u64), Linearization> {
    let mut returns = part.answered_returns();
    returns.dedup();
    // Up to and including `returns[high]` there is no order; up to, but not including, `returns[low]` there is.
    let (mut low, mut high) = (returns.partition_point(|&at| at < first_missing), returns.len());
    let mut middle = low;
    while low < high && middle < returns.len() {
        // No return can be later than the largest time.
        match part.until(returns[middle].checked_add(1), ledger) {
            Decision::Linearizable(linearization) if middle + 1 == returns.len() => {
                return Err(linearization);
            }
            Decision::Linearizable(linearization) => (low, prefix) = (middle + 1, linearization.order),
            Decision::Violation { .. } => high = middle,
            Decision::Undecided { .. } | Decision::Deferred => break,
        }
        middle = low + (high - low) / 2;
    }
    let until = returns.get(high.min(returns.len().saturating_sub(1))).copied().unwrap_or(u64::MAX);
    Ok((prefix, until))
}

impl<M: Model> Part<'_, M> {
    /// Judges what happened before a time; all of it for `None`.
    fn until(&self, until: Option<u64>, ledger: &Ledger<'_>) -> Decision {
        let slice = Slice { until, ..Slice::whole(self.operations) };
        check::decide(self.model, self.history, &slice, ledger, EFFORT)
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

    /// The time of the first answer whose operation is missing from this order.
    fn first_missing(&self, order: &[u32]) -> u64 {
        let mut present = order.to_vec();
        present.sort_unstable();
        let missing = self.operations.iter().filter(|index| present.binary_search(index).is_err());
        let operations = missing.map(|&index| self.history.operation(index));
        let returns =
            operations.filter(|operation| !operation.failed()).filter_map(|operation| operation.returned());
        returns.min().unwrap_or(u64::MAX)
    }
}

/// The latest return of these operations.
fn returned_last<M: Model>(part: &Part<'_, M>, operations: &[u32]) -> u64 {
    operations.iter().filter_map(|&index| part.history.operation(index).returned()).max().unwrap_or(u64::MAX)
}
