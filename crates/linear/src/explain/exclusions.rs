//! Why no order of a conflict's operations works, order by order.

use crate::history::{History, Operation};
use crate::model::Model;
use crate::report::{Conflict, Excluded};

/// More sentences than this explain nothing.
const SENTENCES_MAX: usize = 24;

/// Larger conflicts have too many orders.
const OPERATIONS_MAX: usize = 12;

/// Every way to go wrong, or nothing if there are too many.
pub(super) fn exclusions<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    conflict: &Conflict,
) -> Vec<Excluded> {
    if conflict.operations.len() + conflict.supporting.len() > OPERATIONS_MAX {
        return Vec::new();
    }
    let mut walk = Walk { model, history, conflict, order: Vec::new(), excluded: Vec::new(), visits: 0 };
    let mut left: Vec<u32> = [conflict.operations.as_slice(), conflict.supporting.as_slice()].concat();
    left.sort_by_key(|&index| (history.operation(index).call, index));
    if walk.go_on(&model.initial(), &left) { walk.excluded } else { Vec::new() }
}

struct Walk<'a, M: Model> {
    model: &'a M,
    history: &'a History<M::Input, M::Output>,
    conflict: &'a Conflict,
    order: Vec<u32>,
    excluded: Vec<Excluded>,
    visits: usize,
}

impl<M: Model> Walk<'_, M> {
    /// Goes on in every way; whether that was few enough.
    fn go_on(&mut self, state: &M::State, left: &[u32]) -> bool {
        self.visits += 1;
        for &next in left {
            if self.excluded.len() >= SENTENCES_MAX || self.visits > SENTENCES_MAX * SENTENCES_MAX {
                return false;
            }
            match self.step(state, left, next) {
                Ok(after) => {
                    let rest: Vec<u32> = left.iter().copied().filter(|&other| other != next).collect();
                    self.order.push(next);
                    let few = self.go_on(&after, &rest);
                    self.order.pop();
                    if !few {
                        return false;
                    }
                }
                Err(Some(reason)) => self.excluded.push(Excluded { order: self.order.clone(), next, reason }),
                Err(None) => {}
            }
        }
        true
    }

    /// The state after `next`, or why it cannot be next, if that needs saying.
    fn step(&self, state: &M::State, left: &[u32], next: u32) -> Result<M::State, Option<String>> {
        let kept = |index: u32| self.conflict.operations.contains(&index);
        let operation = self.history.operation(next);
        let earlier = left.iter().find(|&&other| {
            kept(other) && self.history.operation(other).returned().is_some_and(|at| at < operation.call)
        });
        if let Some(&earlier) = earlier {
            return Err(kept(next).then(|| self.late(earlier, next)));
        }
        let output = operation.output().filter(|_| kept(next));
        self.model
            .step(state, &operation.input, output)
            .ok_or_else(|| output.map(|output| self.wrong(state, operation, output)))
    }

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
