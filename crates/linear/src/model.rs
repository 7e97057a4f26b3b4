//! Models: what a system does and answers when clients take turns. The head of the crate has an example.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::Hash;

use crate::history::History;
use crate::partition::Partition;

/// A sequential specification: what each operation does to the state, and what it may return.
///
/// Only [`initial`](Model::initial) and [`step`](Model::step) are needed. The other methods make the check
/// faster or its explanations easier to read. Some of them say what a model promises by implementing them; a
/// model that breaks the promise gets wrong verdicts.
pub trait Model {
    /// What is asked of the system.
    type Input;
    /// What the system answers.
    type Output;
    /// Everything that later answers may depend on.
    type State: Clone + Eq + Hash;
    /// The values of a register or the elements of a container, for models of these; see
    /// [`as_register`](Model::as_register) and [`as_container`](Model::as_container). `()` for other models.
    type Value: Clone + Eq + Hash;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// The state after `input` in `state`, or `None` if it could not have returned `output` there.
    ///
    /// Without an output the outcome is unknown. The result is then the state that the operation leaves if it
    /// takes effect, whatever it answers.
    ///
    /// The promise: whatever is possible with an output must be possible without it. So if a step with some
    /// output has a result, the step without output has one too, and it allows every later answer that the
    /// first allows.
    fn step(
        &self,
        state: &Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Option<Self::State>;

    /// Like [`step`](Model::step), but changes the state in place. Returns whether the answer was right; if
    /// not, the state is not used again. Models with large states implement this without a copy.
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
    /// The promise: the state consists of one part for each component, and operations of a component read and
    /// change only its part.
    fn partition(&self, history: &History<Self::Input, Self::Output>) -> Partition {
        Partition::whole(history.len())
    }

    /// The value before the first operation, if every component is one register.
    fn register_start(&self) -> Option<Self::Value> {
        None
    }

    /// A number of the model's own that stands for a value, so that the engine need not hash values. `None` if
    /// the value has none.
    ///
    /// The promise: equal numbers mean equal values, and different numbers mean different values.
    fn word(&self, _value: &Self::Value) -> Option<u32> {
        None
    }

    /// What the operation does to a register, if the model's components are registers. Without an output the
    /// outcome is unknown.
    ///
    /// The promise: every component of [`partition`](Model::partition) behaves as one register that starts
    /// with [`register_start`](Model::register_start). If one of a component's operations is `None` here, the
    /// component is checked with [`step`](Model::step), which is exact as well but slower.
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

    /// What the operation does to a container, if the model's components are containers. Without an output the
    /// outcome is unknown.
    ///
    /// The promise: every component of [`partition`](Model::partition) behaves as one container of the kind
    /// [`container`](Model::container) that is empty at first. A component is checked with
    /// [`step`](Model::step), more slowly, if one of its operations is `None` here or an element is put into it
    /// twice.
    fn as_container<'a>(
        &self,
        _input: &'a Self::Input,
        _output: Option<&'a Self::Output>,
    ) -> Option<ContainerOp<Cow<'a, Self::Value>>> {
        None
    }

    /// The order of two elements of a [`Container::PriorityQueue`]. The lesser one leaves first.
    fn compare(&self, _one: &Self::Value, _other: &Self::Value) -> Ordering {
        Ordering::Equal
    }

    /// An element of a container in words, for explanations.
    fn describe_element(&self, _element: &Self::Value) -> String {
        "an element".to_owned()
    }

    /// How many bytes a value owns beyond its own size; what [`owned_bytes`](Model::owned_bytes) is for states.
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

    /// The state as a clause such as "the register holds 3", for explanations. It stands after "… answered 4, but";
    /// the default describes no state, but completes that sentence too.
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
        /// Whether they were equal; `None` if the outcome is unknown.
        succeeded: Option<bool>,
    },
    /// Makes a longer value out of the current one, see [`Model::retract`]. Different values become different
    /// values.
    Append,
    /// Has no effect, and its answer says nothing about the value.
    Nothing,
}

impl<V> RegisterOp<V> {
    /// The same operation with other values.
    pub fn map<W>(self, mut value: impl FnMut(V) -> W) -> RegisterOp<W> {
        match self {
            RegisterOp::Read(seen) => RegisterOp::Read(value(seen)),
            RegisterOp::Write(written) => RegisterOp::Write(value(written)),
            RegisterOp::Cas { expected, new, succeeded } => {
                RegisterOp::Cas { expected: value(expected), new: value(new), succeeded }
            }
            RegisterOp::Append => RegisterOp::Append,
            RegisterOp::Nothing => RegisterOp::Nothing,
        }
    }
}

/// Kinds of containers. They differ in which element they give away.
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
    /// The one that is asked for. A set contains each element at most once.
    Set,
}

/// An operation of a container, over elements of type `E`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerOp<E> {
    /// Puts an element in. In a set: if there is an answer, the element was not there before.
    Insert(E),
    /// Took this element out. Not for sets.
    Take(E),
    /// Takes out whatever the container gives away, if it is not empty; the outcome is unknown. Not for sets.
    TakeAny,
    /// Found nothing to take. Not for sets.
    TakeNothing,
    /// Takes this element out. If there is an answer, the element was there before. For sets only.
    Remove(E),
    /// Found that this element is there. For sets only.
    Present(E),
    /// Found that this element is not there. For sets only.
    Absent(E),
    /// Found these elements and no others. For sets only.
    Elements(Vec<E>),
    /// Has no effect and says nothing.
    Nothing,
}

impl<E> ContainerOp<E> {
    /// The same operation with other elements.
    pub fn map<F>(self, mut element: impl FnMut(E) -> F) -> ContainerOp<F> {
        match self {
            ContainerOp::Insert(inserted) => ContainerOp::Insert(element(inserted)),
            ContainerOp::Take(taken) => ContainerOp::Take(element(taken)),
            ContainerOp::TakeAny => ContainerOp::TakeAny,
            ContainerOp::TakeNothing => ContainerOp::TakeNothing,
            ContainerOp::Remove(removed) => ContainerOp::Remove(element(removed)),
            ContainerOp::Present(found) => ContainerOp::Present(element(found)),
            ContainerOp::Absent(missed) => ContainerOp::Absent(element(missed)),
            ContainerOp::Elements(found) => ContainerOp::Elements(found.into_iter().map(element).collect()),
            ContainerOp::Nothing => ContainerOp::Nothing,
        }
    }
}

/// Whether an operation changed nothing, according to [`Model::is_read`] or [`Model::as_register`].
pub(crate) fn changes_nothing<M: Model>(model: &M, input: &M::Input, output: Option<&M::Output>) -> bool {
    let seen = || match model.as_register(input, output) {
        Some(RegisterOp::Read(_) | RegisterOp::Nothing) => true,
        Some(RegisterOp::Cas { expected, new, succeeded }) => succeeded == Some(false) || expected == new,
        Some(RegisterOp::Write(_) | RegisterOp::Append) | None => false,
    };
    model.is_read(input, output) || model.register_start().is_some() && seen()
}

/// Whether all of these operations, those of a whole component, are operations of a register.
pub(crate) fn is_register<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    operations: &[u32],
) -> bool {
    let mut all = operations.iter().map(|&index| history.operation(index));
    model.register_start().is_some()
        && all.all(|operation| model.as_register(&operation.input, operation.output()).is_some())
}
