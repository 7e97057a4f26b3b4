//! For `--shrink`: smaller conflicts of locks and registers, in a window of time.
//!
//! A conflict must hold whether or not the other operations took effect, and they may have done so at any time after
//! their calls. So an earlier release of a lock may explain any later grant, and the conflict of a lock needs every
//! operation from the beginning on. But operations that had returned before the conflict's first call took effect
//! before it. All that the conflict can see of them is the state they left, and a lock or a register has few states: no
//! owner, an owner that the conflict names, or another one; a value that the conflict names, or another one. So
//! operations contradict each other if they cannot be linearized *from any of these states*, whether or not those that
//! were in flight with them or came later took effect. An order of the whole history would contain an order of them
//! that starts from the state the earlier ones left.

use std::collections::BTreeSet;

use histories::{Recorded, RegisterValue, Value};
use linear::models::lock::{self, Lock};
use linear::models::register::{self, Register};
use linear::{Budget, History, Model, Operation, Outcome};

use super::any::{self, Listed};
use super::engine::{Conflict, General};
use super::shrink::reduce;
use super::sums::by_key;

/// A model with few states that matter to some operations.
trait FewStates: Listed {
    /// For each state that matters to these operations, an input with its output that brings the model into it; `None`
    /// for its first state.
    fn ways_into(&self, operations: &[&Operation<Self::Input, Self::Output>]) -> Ways<Self>;
}

/// Inputs with their outputs; `None` for no input at all.
type Ways<M> = Vec<Option<(<M as Model>::Input, <M as Model>::Output)>>;

impl FewStates for Lock {
    fn ways_into(&self, operations: &[&Operation<lock::Input, lock::Output>]) -> Ways<Lock> {
        let owner = |operation: &&Operation<lock::Input, lock::Output>| match operation.input {
            lock::Input::Acquire(owner) | lock::Input::Release(owner) => owner,
        };
        let mut owners: BTreeSet<u32> = operations.iter().map(owner).collect();
        owners.extend((0..=u32::MAX).find(|other| !owners.contains(other)));
        let held = owners.into_iter().map(|owner| Some((lock::Input::Acquire(owner), lock::Output(true))));
        std::iter::once(None).chain(held).collect()
    }
}

impl FewStates for Register<RegisterValue> {
    fn ways_into(
        &self,
        operations: &[&Operation<register::Input<RegisterValue>, register::Output<RegisterValue>>],
    ) -> Ways<Self> {
        let mut values = BTreeSet::from([self.initial.clone()]);
        for operation in operations {
            match &operation.input {
                register::Input::Read => {}
                register::Input::Write(value) => values.extend([value.clone()]),
                register::Input::Cas(expected, value) => values.extend([expected.clone(), value.clone()]),
            }
            if let Some(register::Output::Value(value)) = operation.output() {
                values.insert(value.clone());
            }
        }
        let number = |number| RegisterValue(Some(Value::Number(number)));
        values.extend((0..).map(number).find(|other| !values.contains(other)));
        let set = |value| Some((register::Input::Write(value), register::Output::Written));
        values.into_iter().map(set).collect()
    }
}

impl General<'_> {
    /// A conflict in a window of time that has fewer operations than this one, if there is one and it is found in time.
    pub(super) fn in_window(
        &self,
        recorded: &Recorded,
        conflict: &Conflict,
        over: &dyn Fn() -> bool,
    ) -> Option<Conflict> {
        match recorded {
            Recorded::Lock(operations) => self.window(&Lock, by_key(operations), conflict, over),
            Recorded::Register { initial, operations, .. } => {
                let model = Register { initial: initial.clone() };
                self.window(&model, by_key(operations), conflict, over)
            }
            _ => None,
        }
    }

    #[allow(clippy::type_complexity, reason = "a key's history and the numbers of its operations")]
    fn window<M>(
        &self,
        model: &M,
        keys: Vec<(History<M::Input, M::Output>, Vec<u32>)>,
        conflict: &Conflict,
        over: &dyn Fn() -> bool,
    ) -> Option<Conflict>
    where
        M: FewStates,
        M::Input: Clone,
        M::Output: Clone,
    {
        let first = conflict.numbers.first()?;
        let (history, numbers) = keys.into_iter().find(|(_, numbers)| numbers.contains(first))?;
        let window = Window { general: self, model, history: &history };
        let place = |number: &u32| numbers.iter().position(|other| other == number);
        let inside: Vec<usize> = conflict.numbers.iter().filter_map(place).collect();
        let operations = history.operations();
        let end = inside.iter().filter_map(|place| operations[*place].returned()).max()?;
        let mut calls: Vec<u64> = inside.iter().map(|place| operations[*place].call).collect();
        calls.sort_unstable();
        // Windows that end with the conflict and begin with one of its calls, each twice as many operations as the last.
        let sizes = std::iter::successors(Some(1_usize), |size| size.checked_mul(2));
        let begins = sizes.take_while(|size| *size < calls.len()).map(|size| calls[calls.len() - size]);
        for begin in begins {
            let answered = |operation: &Operation<M::Input, M::Output>| {
                operation.call >= begin
                    && operation.output().is_some()
                    && operation.returned().is_some_and(|at| at <= end)
            };
            let kept: Vec<usize> = operations
                .iter()
                .enumerate()
                .filter(|(_, one)| answered(one))
                .map(|(place, _)| place)
                .collect();
            if over() {
                return None;
            }
            if !window.is_conflict(&kept) {
                continue;
            }
            let kept = reduce(kept, &mut |kept| !over() && window.is_conflict(kept));
            if kept.len() >= inside.len() {
                return None;
            }
            let line = |place: &usize| self.line(model, &history, *place as u32, &numbers);
            return Some(Conflict {
                title: format!(
                    "these {} operations cannot be put in order, whatever state the earlier ones left and \
                     whether or not the others took effect",
                    kept.len()
                ),
                operations: kept.iter().map(line).collect(),
                numbers: kept.iter().map(|place| numbers[*place]).collect(),
                minimal: !over(),
                ..Conflict::default()
            });
        }
        None
    }
}

/// The operations of one lock or register.
struct Window<'a, M: FewStates> {
    general: &'a General<'a>,
    model: &'a M,
    history: &'a History<M::Input, M::Output>,
}

impl<M: FewStates> Window<'_, M>
where
    M::Input: Clone,
    M::Output: Clone,
{
    /// Whether these operations cannot be linearized from any state, whether or not those took effect that had not
    /// returned before the first of these was called.
    fn is_conflict(&self, kept: &[usize]) -> bool {
        let operations = self.history.operations();
        let Some(begin) = kept.iter().map(|place| operations[*place].call).min() else { return false };
        let inside: Vec<&Operation<M::Input, M::Output>> =
            kept.iter().map(|place| &operations[*place]).collect();
        let others = operations.iter().enumerate().filter(|(place, one)| {
            let over = one.returned().is_some_and(|at| at < begin);
            !over && !one.failed() && kept.binary_search(place).is_err()
        });
        let others: Vec<&Operation<M::Input, M::Output>> = others.map(|(_, one)| one).collect();
        self.model.ways_into(&inside).into_iter().all(|entry| {
            // Times are 2 later, so that the entry has returned before anything is called.
            let entry = entry.map(|(input, output)| Operation {
                client: 0,
                input,
                call: 0,
                outcome: Outcome::Answered { output, at: 1 },
            });
            let inside = inside.iter().map(|one| {
                let outcome = match &one.outcome {
                    Outcome::Answered { output, at } => {
                        Outcome::Answered { output: output.clone(), at: at.saturating_add(2) }
                    }
                    other => other.clone(),
                };
                Operation {
                    client: one.client,
                    input: one.input.clone(),
                    call: one.call.saturating_add(2),
                    outcome,
                }
            });
            let others = others.iter().map(|one| Operation {
                client: one.client,
                input: one.input.clone(),
                call: one.call.saturating_add(2),
                outcome: Outcome::Unknown,
            });
            let all = entry.into_iter().chain(inside).chain(others);
            let history = History::from_operations(all).expect("no operation returns before its call");
            let budget = Budget { explain: false, ..self.general.budget.clone() };
            let any_history = any::single::<M>(&history);
            linear::check(&self.model.any(), &any_history, &budget).verdict.is_violation()
        })
    }
}
