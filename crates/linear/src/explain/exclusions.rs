//! Lists the orders of a conflict's operations, each up to the operation that cannot come next, with the reason
//! in words.

use std::collections::HashSet;

use crate::history::{History, Operation};
use crate::model::Model;
use crate::order::sort_by_key;
use crate::report::{Conflict, Excluded};

/// The maximum number of orders to list. Nobody reads more.
const SENTENCES_MAX: usize = 24;

/// After this many steps the walk ends if it has found a failed order to report.
const STEPS_MAX: usize = 200;

/// After this many steps the walk ends even if it has found no failed order.
const STEPS_AT_MOST: usize = 50_000;

/// A step counts once more for each `BYTES_PER_STEP` bytes of its state.
const BYTES_PER_STEP: usize = 512;

/// Conflicts of more operations than this have too many orders.
const OPERATIONS_MAX: usize = 12;

/// Every order, up to where it fails. If there are too many, only those that get furthest.
pub(crate) fn exclusions<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    conflict: &Conflict,
) -> Vec<Excluded> {
    if conflict.operations.len() > OPERATIONS_MAX {
        return Vec::new();
    }
    let (order, dead) = (Vec::new(), Vec::new());
    let mut walk =
        Walk { model, history, conflict, order, dead, seen: HashSet::new(), whole: true, steps: 0 };
    let mut left: Vec<u32> = [conflict.operations.as_slice(), conflict.supporting.as_slice()].concat();
    sort_by_key(&mut left, &|index| (history.operation(index).call, index));
    walk.whole = left.len() <= OPERATIONS_MAX;
    if walk.whole {
        walk.extend(&model.initial(), &left);
    }
    if !walk.whole {
        // Start again, but follow only one of several orders of the same operations that lead to the same
        // state.
        walk.dead.clear();
        walk.seen.clear();
        (walk.whole, walk.steps) = (false, 0);
        walk.extend(&model.initial(), &left);
        let kept = |index: &&u32| conflict.operations.contains(index);
        walk.dead.sort_by_key(|(order, _)| std::cmp::Reverse(order.iter().filter(kept).count()));
        walk.dead.truncate(SENTENCES_MAX);
    }
    let dead = std::mem::take(&mut walk.dead);
    dead.into_iter().map(|(order, next)| walk.excluded(order, next, &left)).collect()
}

/// The walk through all orders.
struct Walk<'a, M: Model> {
    model: &'a M,
    history: &'a History<M::Input, M::Output>,
    conflict: &'a Conflict,
    /// The order so far.
    order: Vec<u32>,
    /// Orders that failed, each with an operation that cannot come next.
    dead: Vec<(Vec<u32>, u32)>,
    /// The operations left and the state at each point reached so far. Used only if not every order is wanted.
    seen: HashSet<(Vec<u32>, M::State)>,
    /// Whether every order is wanted and none has been skipped so far.
    whole: bool,
    steps: usize,
}

/// Why an operation cannot come next.
enum Reason<M: Model> {
    /// This other operation had returned before its call.
    Late(u32),
    /// The state does not allow its answer.
    Wrong(M::State),
}

impl<M: Model> Walk<'_, M> {
    /// Tries every way to continue, as long as there are not too many.
    fn extend(&mut self, state: &M::State, left: &[u32]) {
        if !self.whole && !self.seen.insert((left.to_vec(), state.clone())) {
            return;
        }
        for &next in left {
            self.steps += 1 + self.model.owned_bytes(state) / BYTES_PER_STEP;
            let enough = if self.dead.is_empty() { STEPS_AT_MOST } else { STEPS_MAX };
            if self.steps > enough || self.whole && self.dead.len() > SENTENCES_MAX {
                self.whole = false;
                return;
            }
            match self.step(state, left, next) {
                Ok(after) => {
                    // An operation outside the conflict need not take effect, so it is pointless where it
                    // changes nothing.
                    if after == *state && !self.conflict.operations.contains(&next) {
                        continue;
                    }
                    let rest: Vec<u32> = left.iter().copied().filter(|&other| other != next).collect();
                    self.order.push(next);
                    self.extend(&after, &rest);
                    self.order.pop();
                }
                Err(Some(reason)) => {
                    // If an operation outside the conflict could make the answer right, this is no dead end:
                    // another order has that operation first.
                    if !matches!(reason, Reason::Wrong(_)) || !self.would_be_right(state, left, next) {
                        self.dead.push((self.order.clone(), next));
                    }
                }
                Err(None) => {}
            }
        }
    }

    /// Whether an operation outside the conflict can come first and make this one right.
    fn would_be_right(&mut self, state: &M::State, left: &[u32], next: u32) -> bool {
        let operation = self.history.operation(next);
        left.iter().filter(|&other| !self.conflict.operations.contains(other)).any(|&other| {
            self.steps += self.model.owned_bytes(state) / BYTES_PER_STEP;
            let after = self.step(state, left, other);
            after.is_ok_and(|after| self.model.step(&after, &operation.input, operation.output()).is_some())
        })
    }

    /// The answer of an operation; `None` if the conflict forgets it.
    fn output(&self, index: u32) -> Option<&M::Output> {
        let kept = self.conflict.operations.contains(&index) || self.model.container().is_some();
        self.history.operation(index).output().filter(|_| kept)
    }

    /// A dead end, in words.
    fn excluded(&self, order: Vec<u32>, next: u32, all: &[u32]) -> Excluded {
        let left: Vec<u32> = all.iter().copied().filter(|index| !order.contains(index)).collect();
        let state = order.iter().try_fold(self.model.initial(), |state, &index| {
            let operation = self.history.operation(index);
            self.model.step(&state, &operation.input, self.output(index))
        });
        let reason = match state.map(|state| self.step(&state, &left, next)) {
            Some(Err(Some(why))) => self.reason(why, next),
            _ => String::new(),
        };
        Excluded { order, next, reason }
    }

    /// The state after `next`. The error is why it cannot come next; `None` if it is outside the conflict,
    /// because then it need not come at all.
    fn step(&self, state: &M::State, left: &[u32], next: u32) -> Result<M::State, Option<Reason<M>>> {
        let kept = |index: u32| self.conflict.operations.contains(&index);
        let operation = self.history.operation(next);
        let earlier = left.iter().find(|&&other| {
            kept(other) && self.history.operation(other).returned().is_some_and(|at| at < operation.call)
        });
        if let Some(&earlier) = earlier {
            return Err(kept(next).then_some(Reason::Late(earlier)));
        }
        self.model
            .step(state, &operation.input, self.output(next))
            .ok_or_else(|| kept(next).then(|| Reason::Wrong(state.clone())))
    }

    /// The reason in one sentence.
    fn reason(&self, reason: Reason<M>, next: u32) -> String {
        let operation = self.history.operation(next);
        match (reason, operation.output()) {
            (Reason::Late(earlier), _) => self.late(earlier, next),
            (Reason::Wrong(state), Some(output)) => self.wrong(&state, operation, output),
            (Reason::Wrong(_), None) => String::new(),
        }
    }

    /// The sentence for [`Reason::Late`].
    fn late(&self, earlier: u32, next: u32) -> String {
        let (first, second) = (self.history.operation(earlier), self.history.operation(next));
        format!(
            "{} of client {} had returned at {} before {} of client {} was called at {}",
            self.model.describe_input(&first.input),
            first.client,
            first.returned().unwrap_or(u64::MAX),
            self.model.describe_input(&second.input),
            second.client,
            second.call,
        )
    }

    /// The sentence for [`Reason::Wrong`].
    fn wrong(
        &self,
        state: &M::State,
        operation: &Operation<M::Input, M::Output>,
        output: &M::Output,
    ) -> String {
        format!(
            "{} of client {} answered {}, but {}",
            self.model.describe_input(&operation.input),
            operation.client,
            self.model.describe_output(&operation.input, output),
            self.model.describe_state(state),
        )
    }
}
