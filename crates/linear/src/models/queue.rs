//! A first-in, first-out queue.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::{Container, ContainerOp, Model};

/// What a client asks of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input<V> {
    /// Adds an element at the back.
    Enqueue(V),
    /// Takes the element at the front.
    Dequeue,
}

/// What a queue answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output<V> {
    /// The answer to an enqueue.
    Enqueued,
    /// The answer to a dequeue; `None` if the queue was empty.
    Dequeued(Option<V>),
}

/// A queue that is empty at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue<V>(std::marker::PhantomData<fn() -> V>);

impl<V> Queue<V> {
    /// The model.
    pub fn new() -> Self {
        Queue(std::marker::PhantomData)
    }
}

impl<V: Clone + Eq + Hash + Debug> Model for Queue<V> {
    type Input = Input<V>;
    type Output = Output<V>;
    type State = VecDeque<V>;
    type Value = V;

    fn initial(&self) -> VecDeque<V> {
        VecDeque::new()
    }

    fn step(&self, state: &VecDeque<V>, input: &Input<V>, output: Option<&Output<V>>) -> Option<VecDeque<V>> {
        let mut after = state.clone();
        self.apply(&mut after, input, output).then_some(after)
    }

    fn apply(&self, state: &mut VecDeque<V>, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        match (input, output) {
            (Input::Enqueue(element), None | Some(Output::Enqueued)) => state.push_back(element.clone()),
            (Input::Dequeue, None) => {
                state.pop_front();
            }
            (Input::Dequeue, Some(Output::Dequeued(seen))) => return state.pop_front() == *seen,
            _ => return false,
        }
        true
    }

    fn container(&self) -> Option<Container> {
        Some(Container::Queue)
    }

    fn as_container<'a>(
        &self,
        input: &'a Input<V>,
        output: Option<&'a Output<V>>,
    ) -> Option<ContainerOp<Cow<'a, V>>> {
        match (input, output) {
            (Input::Enqueue(element), None | Some(Output::Enqueued)) => {
                Some(ContainerOp::Insert(Cow::Borrowed(element)))
            }
            (Input::Dequeue, None) => Some(ContainerOp::TakeAny),
            (Input::Dequeue, Some(Output::Dequeued(None))) => Some(ContainerOp::TakeNothing),
            (Input::Dequeue, Some(Output::Dequeued(Some(seen)))) => {
                Some(ContainerOp::Take(Cow::Borrowed(seen)))
            }
            _ => None,
        }
    }

    fn owned_bytes(&self, state: &VecDeque<V>) -> usize {
        state.len() * size_of::<V>()
    }

    fn is_read(&self, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        matches!((input, output), (Input::Dequeue, Some(Output::Dequeued(None))))
    }

    fn describe_input(&self, input: &Input<V>) -> String {
        match input {
            Input::Enqueue(element) => format!("enqueue({element:?})"),
            Input::Dequeue => "dequeue".to_owned(),
        }
    }

    fn describe_output(&self, _: &Input<V>, output: &Output<V>) -> String {
        match output {
            Output::Enqueued => "done".to_owned(),
            Output::Dequeued(Some(element)) => format!("{element:?}"),
            Output::Dequeued(None) => "empty".to_owned(),
        }
    }

    fn describe_state(&self, state: &VecDeque<V>) -> String {
        format!("the queue holds {state:?}")
    }
}
