//! One model that stands for every model of this command, chosen at run time.
//!
//! The general engine is generic over the model, and the compiler makes a copy of the whole engine for each. With this
//! model there are two copies, one with keys and one without, where each model of its own would take a dozen more.
//!
//! Operations borrow from the history that was read, so nothing is copied.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use histories::{Operations, RegisterValue, Value};
use linear::models::bag::Bag;
use linear::models::bank::Bank;
use linear::models::counter::Counter;
use linear::models::keyed;
use linear::models::list::List;
use linear::models::lock::Lock;
use linear::models::priority_queue::PriorityQueue;
use linear::models::queue::Queue;
use linear::models::register::Register;
use linear::models::set::Set;
use linear::models::stack::Stack;
use linear::models::text::Text;
use linear::models::transactions::Transactions;
use linear::models::versioned::Versioned;
use linear::{Container, ContainerOp, History, Model, RegisterOp};
use verify::general::etcd::Etcd;

/// A model that [`AnyModel`] can stand for.
pub(super) trait Listed: Model {
    /// This model as any model.
    fn any(&self) -> AnyModel<'_>;
    /// An input of this model as one of any model.
    fn any_input(input: &Self::Input) -> Input<'_>;
    /// An output of this model as one of any model.
    fn any_output(output: &Self::Output) -> Output<'_>;
}

/// Defines [`AnyModel`], its types and its implementation of [`Model`] from the list of models.
macro_rules! models {
    ($($kind:ident: $model:ty,)*) => {
        /// A model of this command.
        #[derive(Clone, Copy)]
        pub(super) enum AnyModel<'a> {
            $(#[doc = concat!("[`", stringify!($kind), "`]")] $kind(&'a $model),)*
        }

        /// What the model is asked.
        #[derive(Clone, Copy)]
        pub(super) enum Input<'a> {
            $($kind(&'a <$model as Model>::Input),)*
        }

        /// What the model answers.
        #[derive(Clone, Copy)]
        pub(super) enum Output<'a> {
            $($kind(&'a <$model as Model>::Output),)*
        }

        /// A state of the model.
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub(super) enum State {
            $($kind(<$model as Model>::State),)*
        }

        /// A value of a register or an element of a container.
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub(super) enum AnyValue<'a> {
            $($kind(Cow<'a, <$model as Model>::Value>),)*
        }

        $(impl Listed for $model {
            fn any(&self) -> AnyModel<'_> {
                AnyModel::$kind(self)
            }

            fn any_input(input: &Self::Input) -> Input<'_> {
                Input::$kind(input)
            }

            fn any_output(output: &Self::Output) -> Output<'_> {
                Output::$kind(output)
            }
        })*

        impl<'a> Model for AnyModel<'a> {
            type Input = Input<'a>;
            type Output = Output<'a>;
            type State = State;
            type Value = AnyValue<'a>;

            fn initial(&self) -> State {
                match self {
                    $(AnyModel::$kind(model) => State::$kind(model.initial()),)*
                }
            }

            fn step(&self, state: &State, input: &Input<'a>, output: Option<&Output<'a>>) -> Option<State> {
                match (self, state, input) {
                    $((AnyModel::$kind(model), State::$kind(state), Input::$kind(input)) => {
                        model.step(state, input, only!($kind, output)).map(State::$kind)
                    })*
                    _ => mixed(),
                }
            }

            fn apply(&self, state: &mut State, input: &Input<'a>, output: Option<&Output<'a>>) -> bool {
                match (self, state, input) {
                    $((AnyModel::$kind(model), State::$kind(state), Input::$kind(input)) => {
                        model.apply(state, input, only!($kind, output))
                    })*
                    _ => mixed(),
                }
            }

            fn is_read(&self, input: &Input<'a>, output: Option<&Output<'a>>) -> bool {
                match (self, input) {
                    $((AnyModel::$kind(model), Input::$kind(input)) => {
                        model.is_read(input, only!($kind, output))
                    })*
                    _ => mixed(),
                }
            }

            fn is_impossible(&self, input: &Input<'a>, output: &Output<'a>) -> bool {
                match (self, input, output) {
                    $((AnyModel::$kind(model), Input::$kind(input), Output::$kind(output)) => {
                        model.is_impossible(input, output)
                    })*
                    _ => mixed(),
                }
            }

            fn owned_bytes(&self, state: &State) -> usize {
                match (self, state) {
                    $((AnyModel::$kind(model), State::$kind(state)) => model.owned_bytes(state),)*
                    _ => mixed(),
                }
            }

            fn register_start(&self) -> Option<AnyValue<'a>> {
                match self {
                    $(AnyModel::$kind(model) => {
                        model.register_start().map(|value| AnyValue::$kind(Cow::Owned(value)))
                    })*
                }
            }

            fn word(&self, value: &AnyValue<'a>) -> Option<u32> {
                match (self, value) {
                    $((AnyModel::$kind(model), AnyValue::$kind(value)) => model.word(value),)*
                    _ => mixed(),
                }
            }

            fn as_register<'b>(
                &self,
                input: &'b Input<'a>,
                output: Option<&'b Output<'a>>,
            ) -> Option<RegisterOp<Cow<'b, AnyValue<'a>>>> {
                match (self, input) {
                    $((AnyModel::$kind(model), Input::$kind(input)) => {
                        let operation = model.as_register(*input, only!($kind, output))?;
                        Some(operation.map(|value| Cow::Owned(AnyValue::$kind(value))))
                    })*
                    _ => mixed(),
                }
            }

            fn retract(&self, after: &AnyValue<'a>, input: &Input<'a>) -> Option<AnyValue<'a>> {
                match (self, after, input) {
                    $((AnyModel::$kind(model), AnyValue::$kind(after), Input::$kind(input)) => {
                        model.retract(after, input).map(|value| AnyValue::$kind(Cow::Owned(value)))
                    })*
                    _ => mixed(),
                }
            }

            fn container(&self) -> Option<Container> {
                match self {
                    $(AnyModel::$kind(model) => model.container(),)*
                }
            }

            fn as_container<'b>(
                &self,
                input: &'b Input<'a>,
                output: Option<&'b Output<'a>>,
            ) -> Option<ContainerOp<Cow<'b, AnyValue<'a>>>> {
                match (self, input) {
                    $((AnyModel::$kind(model), Input::$kind(input)) => {
                        let operation = model.as_container(*input, only!($kind, output))?;
                        Some(operation.map(|element| Cow::Owned(AnyValue::$kind(element))))
                    })*
                    _ => mixed(),
                }
            }

            fn compare(&self, one: &AnyValue<'a>, other: &AnyValue<'a>) -> Ordering {
                match (self, one, other) {
                    $((AnyModel::$kind(model), AnyValue::$kind(one), AnyValue::$kind(other)) => {
                        model.compare(one, other)
                    })*
                    _ => mixed(),
                }
            }

            fn describe_element(&self, element: &AnyValue<'a>) -> String {
                match (self, element) {
                    $((AnyModel::$kind(model), AnyValue::$kind(element)) => model.describe_element(element),)*
                    _ => mixed(),
                }
            }

            fn value_bytes(&self, value: &AnyValue<'a>) -> usize {
                match (self, value) {
                    $((AnyModel::$kind(model), AnyValue::$kind(value)) => model.value_bytes(value),)*
                    _ => mixed(),
                }
            }

            fn describe_input(&self, input: &Input<'a>) -> String {
                match (self, input) {
                    $((AnyModel::$kind(model), Input::$kind(input)) => model.describe_input(input),)*
                    _ => mixed(),
                }
            }

            fn describe_output(&self, input: &Input<'a>, output: &Output<'a>) -> String {
                match (self, input, output) {
                    $((AnyModel::$kind(model), Input::$kind(input), Output::$kind(output)) => {
                        model.describe_output(input, output)
                    })*
                    _ => mixed(),
                }
            }

            fn describe_state(&self, state: &State) -> String {
                match (self, state) {
                    $((AnyModel::$kind(model), State::$kind(state)) => model.describe_state(state),)*
                    _ => mixed(),
                }
            }
        }
    };
}

/// The output of the model `$kind`, if there is an output.
macro_rules! only {
    ($kind:ident, $output:expr) => {
        $output.map(|output| {
            let Output::$kind(output) = output else { mixed() };
            *output
        })
    };
}

models! {
    Register: Register<RegisterValue>,
    Versioned: Versioned<RegisterValue>,
    Counter: Counter,
    Bank: Bank<Value>,
    Text: Text,
    Queue: Queue<Value>,
    Stack: Stack<Value>,
    PriorityQueue: PriorityQueue<Value>,
    Bag: Bag<Value>,
    Set: Set<Value>,
    Lock: Lock,
    List: List<Value>,
    Transactions: Transactions<Value, RegisterValue>,
    Etcd: Etcd,
}

/// Invariant: a history, its model and all states and values come from one row of the list.
fn mixed() -> ! {
    panic!(
        "an operation, a state or a value of another model: `any::history` mixes no models, so this is a bug"
    )
}

/// The key of an instance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key<'a> {
    Value(&'a Value),
    Text(&'a str),
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Value(value) => value.fmt(f),
            Key::Text(text) => text.fmt(f),
        }
    }
}

/// A history of any model without keys.
pub(super) type AnyHistory<'a> = History<Input<'a>, Output<'a>>;
/// A history of any model with keys.
pub(super) type KeyedHistory<'a> = History<keyed::Input<Key<'a>, Input<'a>>, Output<'a>>;

/// A history of any model.
pub(super) enum AnyOperations<'a> {
    Single(AnyHistory<'a>),
    Keyed(KeyedHistory<'a>),
}

/// These operations as those of any model.
pub(super) fn operations<M: Listed>(operations: &Operations<M::Input, M::Output>) -> AnyOperations<'_> {
    match operations {
        Operations::Single(history) => AnyOperations::Single(single::<M>(history)),
        Operations::Keyed(history) => AnyOperations::Keyed(keyed::<M, Value>(history, Key::Value)),
    }
}

/// A history without keys as one of any model.
pub(super) fn single<M: Listed>(history: &History<M::Input, M::Output>) -> AnyHistory<'_> {
    history.map(M::any_input, M::any_output)
}

/// A history with keys as one of any model.
pub(super) fn keyed<'a, M: Listed, K>(
    history: &'a History<keyed::Input<K, M::Input>, M::Output>,
    key: impl Fn(&'a K) -> Key<'a>,
) -> KeyedHistory<'a> {
    let input = |input: &'a keyed::Input<K, M::Input>| keyed::Input {
        key: key(&input.key),
        input: M::any_input(&input.input),
    };
    history.map(input, M::any_output)
}
