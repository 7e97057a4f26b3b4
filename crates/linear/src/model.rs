//! What a system promises when clients take turns.

use std::borrow::Cow;
use std::hash::Hash;

use crate::history::History;
use crate::partition::Partition;

/// A sequential specification: what each operation does to the state, and what it may return.
///
/// Only [`initial`](Model::initial) and [`step`](Model::step) are needed. The other methods make the check
/// faster or its explanations easier to read. Some of them state a promise, which the model must keep.
pub trait Model {
    /// What is asked of the system.
    type Input;
    /// What the system answers.
    type Output;
    /// Everything that later answers may depend on.
    type State: Clone + Eq + Hash;
    /// What the register view holds, see [`as_register`](Model::as_register); `()` for models without one.
    type Value: Clone + Eq + Hash;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// The state after `input` in `state`, or `None` if it could not have returned `output` there.
    ///
    /// Without an output the outcome is unknown: any answer would do, and the state after is the one that the
    /// operation leaves if it takes effect. Whatever a step with an output allows, the step without one must
    /// allow too, with the same effect.
    fn step(
        &self,
        state: &Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Option<Self::State>;

    /// Whether the operation leaves every state as it was: a read, or a failed compare-and-set.
    ///
    /// The search never branches on such operations, and ignores them if their outcome is unknown.
    fn is_read(&self, _input: &Self::Input, _output: Option<&Self::Output>) -> bool {
        false
    }

    /// How many bytes a state owns beyond its own size, such as on the heap. They count towards
    /// [`Budget::bytes_max`](crate::Budget::bytes_max); a model that reports too few makes that limit loose.
    fn owned_bytes(&self, _state: &Self::State) -> usize {
        0
    }

    /// Splits the history into components that do not depend on each other. By default it is one component;
    /// [`Partition::by_key`] is for models whose operations each name one key.
    ///
    /// The promise: the state is a product, and each component's operations touch only its own factor.
    fn partition(&self, history: &History<Self::Input, Self::Output>) -> Partition {
        Partition::whole(history.len())
    }

    /// The value before the first operation, if every component can be seen as one register.
    fn register_start(&self) -> Option<Self::Value> {
        None
    }

    /// A number that stands for a value, so that the engine compares numbers instead of hashing values. `None`
    /// if the value has no such number.
    ///
    /// The promise: equal numbers mean equal values, and different numbers mean different values.
    fn word(&self, _value: &Self::Value) -> Option<u32> {
        None
    }

    /// The operation as one of a register, if it is one. Without an output the outcome is unknown.
    ///
    /// The promise: every component of [`partition`](Model::partition) behaves as one register that starts
    /// with [`register_start`](Model::register_start). A component with an operation that is `None` here is
    /// checked by [`step`](Model::step) alone, which is exact as well but slower.
    fn as_register<'a>(
        &self,
        _input: &'a Self::Input,
        _output: Option<&'a Self::Output>,
    ) -> Option<RegisterOp<Cow<'a, Self::Value>>> {
        None
    }

    /// The value before a [`RegisterOp::Append`], if `after` can be its result.
    ///
    /// The promise: there is at most one such value for each `after`.
    fn retract(&self, _after: &Self::Value, _input: &Self::Input) -> Option<Self::Value> {
        None
    }

    /// How many bytes a value owns beyond its own size, as [`owned_bytes`](Model::owned_bytes) says for states.
    /// Only called for values that [`retract`](Model::retract) returned.
    fn value_bytes(&self, _value: &Self::Value) -> usize {
        0
    }

    /// The operation in words, for explanations.
    fn describe_input(&self, _input: &Self::Input) -> String {
        "an operation".to_owned()
    }

    /// The answer in words, for explanations.
    fn describe_output(&self, _input: &Self::Input, _output: &Self::Output) -> String {
        "something".to_owned()
    }

    /// The state as a clause such as "the register holds 3", for explanations.
    fn describe_state(&self, _state: &Self::State) -> String {
        "the state allows no such answer".to_owned()
    }
}

/// An operation of a register, over values of type `V`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterOp<V> {
    /// Returned this value.
    Read(V),
    /// Sets this value, whatever was there.
    Write(V),
    /// Sets `new` if the value is `expected`.
    Cas {
        /// The value compared with.
        expected: V,
        /// The value set if they were equal.
        new: V,
        /// Whether they were; `None` if the outcome is unknown.
        succeeded: Option<bool>,
    },
    /// Makes a longer value out of any value; different values become different values, see [`Model::retract`].
    Append,
    /// Has no effect, and its answer says nothing about the value.
    Nothing,
}

/// Whether an operation changed nothing, according to [`Model::is_read`] or to the register view.
pub(crate) fn changes_nothing<M: Model>(model: &M, input: &M::Input, output: Option<&M::Output>) -> bool {
    let seen = || match model.as_register(input, output) {
        Some(RegisterOp::Read(_) | RegisterOp::Nothing) => true,
        Some(RegisterOp::Cas { expected, new, succeeded }) => succeeded == Some(false) || expected == new,
        Some(RegisterOp::Write(_) | RegisterOp::Append) | None => false,
    };
    model.is_read(input, output) || model.register_start().is_some() && seen()
}

/// Whether all of these operations have a register view. It counts only if a whole component has one.
pub(crate) fn is_register<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    operations: &[u32],
) -> bool {
    let mut all = operations.iter().map(|&index| history.operation(index));
    model.register_start().is_some()
        && all.all(|operation| model.as_register(&operation.input, operation.output()).is_some())
}
