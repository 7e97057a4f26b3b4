//! What queues, stacks, priority queues and bags have in common: an element goes in, and some element comes out.
//!
//! A kind of container is its [`Words`] and its [`Order`], which says what leaves it next.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use crate::model::{Container, ContainerOp, Model};

/// What a client asks of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input<V> {
    /// Puts an element in.
    Insert(V),
    /// Takes the element whose turn it is.
    Take,
}

/// What a container answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output<V> {
    /// The answer to an insert.
    Inserted,
    /// The answer to a take; `None` if the container was empty.
    Taken(Option<V>),
}

/// How a kind of container names its operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// An insert, such as "enqueue".
    pub insert: &'static str,
    /// A take, such as "dequeue".
    pub take: &'static str,
}

/// Which element leaves a container next.
pub trait Order<V> {
    /// What the container holds.
    type State: Clone + Default + Eq + Hash;

    /// The kind of container that this order makes.
    const KIND: Container;
    /// How it names its operations.
    const WORDS: Words;
    /// Whether a take that found nothing can tell more than that the state is empty, and so changes it.
    const EMPTY_CHANGES: bool = false;

    /// Puts an element in.
    fn insert(state: &mut Self::State, element: V);

    /// Applies a take with this answer; `None` means that it found nothing. Returns whether the answer is right in this
    /// state.
    fn take(state: &mut Self::State, answer: Option<&V>) -> bool;

    /// Takes an unknown element, if there is any.
    fn take_any(state: &mut Self::State);

    /// How many bytes a state owns beyond its own size.
    fn owned_bytes(state: &Self::State) -> usize;

    /// The order of two elements, if the elements decide which one leaves first: the lesser one does.
    fn compare(_one: &V, _other: &V) -> Ordering {
        Ordering::Equal
    }

    /// What the container holds, as a clause.
    fn describe(state: &Self::State) -> String;
}

/// The model of a container that is empty at first. It may hold an element several times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerModel<O, V>(PhantomData<fn() -> (O, V)>);

impl<O, V> ContainerModel<O, V> {
    /// The model.
    pub fn new() -> Self {
        ContainerModel(PhantomData)
    }
}

impl<O: Order<V>, V: Clone + Eq + Hash + Debug> Model for ContainerModel<O, V> {
    type Input = Input<V>;
    type Output = Output<V>;
    type State = O::State;
    type Value = V;

    fn initial(&self) -> O::State {
        O::State::default()
    }

    fn step(&self, state: &O::State, input: &Input<V>, output: Option<&Output<V>>) -> Option<O::State> {
        let mut after = state.clone();
        self.apply(&mut after, input, output).then_some(after)
    }

    fn apply(&self, state: &mut O::State, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        match (input, output) {
            (Input::Insert(element), None | Some(Output::Inserted)) => O::insert(state, element.clone()),
            (Input::Take, None) => O::take_any(state),
            (Input::Take, Some(Output::Taken(answer))) => return O::take(state, answer.as_ref()),
            _ => return false,
        }
        true
    }

    fn owned_bytes(&self, state: &O::State) -> usize {
        O::owned_bytes(state)
    }

    fn is_read(&self, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        matches!((input, output), (Input::Take, Some(Output::Taken(None)))) && !O::EMPTY_CHANGES
    }

    fn container(&self) -> Option<Container> {
        Some(O::KIND)
    }

    fn as_container<'a>(
        &self,
        input: &'a Input<V>,
        output: Option<&'a Output<V>>,
    ) -> Option<ContainerOp<Cow<'a, V>>> {
        match (input, output) {
            (Input::Insert(element), None | Some(Output::Inserted)) => {
                Some(ContainerOp::Insert(Cow::Borrowed(element)))
            }
            (Input::Take, None) => Some(ContainerOp::TakeAny),
            (Input::Take, Some(Output::Taken(None))) => Some(ContainerOp::TakeNothing),
            (Input::Take, Some(Output::Taken(Some(answer)))) => {
                Some(ContainerOp::Take(Cow::Borrowed(answer)))
            }
            _ => None,
        }
    }

    fn compare(&self, one: &V, other: &V) -> Ordering {
        O::compare(one, other)
    }

    fn describe_element(&self, element: &V) -> String {
        format!("{element:?}")
    }

    fn describe_input(&self, input: &Input<V>) -> String {
        match input {
            Input::Insert(element) => format!("{}({element:?})", O::WORDS.insert),
            Input::Take => O::WORDS.take.to_owned(),
        }
    }

    fn describe_output(&self, _: &Input<V>, output: &Output<V>) -> String {
        match output {
            Output::Inserted => "done".to_owned(),
            Output::Taken(Some(element)) => format!("{element:?}"),
            Output::Taken(None) => "empty".to_owned(),
        }
    }

    fn describe_state(&self, state: &O::State) -> String {
        O::describe(state)
    }
}
