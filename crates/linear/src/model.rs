//! What a system promises when clients take turns.

use std::borrow::Cow;
use std::cmp::Ordering;
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
    /// What the register view or the container view holds, see [`as_register`](Model::as_register) and
    /// [`as_container`](Model::as_container); `()` for models without either.
    type Value: Clone + Eq + Hash;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// The state after `input` in `state`, or `None` if it could not have returned `output` there.
    ///
    /// Without an output the outcome is unknown: any answer would do, and the state after is the one that the
    /// operation leaves if it takes effect. Whatever a step with an output allows, the step without one must
    /// allow too, with the same effect or with one that allows whatever that effect
    /// allows later.
    fn step(
        &self,
        state: &Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Option<Self::State>;

    /// Does to the state itself what [`step`](Model::step) does to a copy; whether the answer was right.
    ///
    /// After a wrong answer the state is of no use any more. Models with large states say how to do it without
    /// a copy.
    fn apply(&self, state: &mut Self::State, input: &Self::Input, output: Option<&Self::Output>) -> bool {
        let after = self.step(state, input, output);
        after.is_some_and(|after| {
            *state = after;
            true
        })
    }

    /// Whether the operation leaves every state as it was: a read, or a failed compare-and-set.
    ///
    /// The search never branches on such operations, and ignores them if their outcome is unknown.
    fn is_read(&self, _input: &Self::Input, _output: Option<&Self::Output>) -> bool {
        false
    }

    /// Whether no state allows this answer: then the operation is a violation by itself.
    fn is_impossible(&self, _input: &Self::Input, _output: &Self::Output) -> bool {
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

    /// What kind of container every component is, if it is one.
    fn container(&self) -> Option<Container> {
        None
    }

    /// The operation as one of a container, if it is one. Without an output the outcome is unknown.
    ///
    /// The promise: every component of [`partition`](Model::partition) behaves as one container of the kind
    /// [`container`](Model::container) that is first empty. A component with an operation that is `None` here
    /// is checked by [`step`](Model::step) alone, as is one into which an element is put twice.
    fn as_container<'a>(
        &self,
        _input: &'a Self::Input,
        _output: Option<&'a Self::Output>,
    ) -> Option<ContainerOp<Cow<'a, Self::Value>>> {
        None
    }

    /// Of a [`Container::PriorityQueue`]: which of two elements leaves first, the lesser one.
    fn compare(&self, _one: &Self::Value, _other: &Self::Value) -> Ordering {
        Ordering::Equal
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

/// What decides which element a container gives away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// The one that was put in first.
    Queue,
    /// The one that was put in last.
    Stack,
    /// The least one.
    PriorityQueue,
    /// Any.
    Bag,
    /// The one that is asked for. It holds an element once.
    Set,
}

/// An operation of a container, over elements of type `E`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerOp<E> {
    /// Puts an element in. Of a set: one that is not there, if there is an answer.
    Insert(E),
    /// Takes an element out, and answers it. None of a set.
    Take(E),
    /// Takes whatever the container gives away, if it holds anything: the outcome is unknown. None of a set.
    TakeAny,
    /// Found nothing to take. None of a set.
    TakeNothing,
    /// Takes this element out. Of a set only; it was there, if there is an answer.
    Remove(E),
    /// Found that this element is there. Of a set only.
    Present(E),
    /// Found that this element is not there. Of a set only.
    Absent(E),
    /// Found these elements and no others. Of a set only.
    Elements(Vec<E>),
    /// Has no effect and says nothing.
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
