//! A last-in, first-out stack.

use std::borrow::Cow;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::{Container, ContainerOp, Model};

/// What can be asked of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input<V> {
    /// To hold one more element, above all others.
    Push(V),
    /// For the uppermost element, which then leaves.
    Pop,
}

/// What a stack answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output<V> {
    /// To a push.
    Pushed,
    /// To a pop: `None` if there was nothing.
    Popped(Option<V>),
}

/// A stack that is first empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stack<V>(std::marker::PhantomData<fn() -> V>);

impl<V> Stack<V> {
    /// The model.
    pub fn new() -> Self {
        Stack(std::marker::PhantomData)
    }
}

impl<V: Clone + Eq + Hash + Debug> Model for Stack<V> {
    type Input = Input<V>;
    type Output = Output<V>;
    type State = Vec<V>;
    type Value = V;

    fn initial(&self) -> Vec<V> {
        Vec::new()
    }

    fn step(&self, state: &Vec<V>, input: &Input<V>, output: Option<&Output<V>>) -> Option<Vec<V>> {
        let mut after = state.clone();
        self.apply(&mut after, input, output).then_some(after)
    }

    fn apply(&self, state: &mut Vec<V>, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        match (input, output) {
            (Input::Push(element), None | Some(Output::Pushed)) => state.push(element.clone()),
            (Input::Pop, None) => {
                state.pop();
            }
            (Input::Pop, Some(Output::Popped(seen))) => return state.pop() == *seen,
            _ => return false,
        }
        true
    }

    fn owned_bytes(&self, state: &Vec<V>) -> usize {
        state.len() * size_of::<V>()
    }

    fn is_read(&self, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        matches!((input, output), (Input::Pop, Some(Output::Popped(None))))
    }

    fn container(&self) -> Option<Container> {
        Some(Container::Stack)
    }

    fn as_container<'a>(
        &self,
        input: &'a Input<V>,
        output: Option<&'a Output<V>>,
    ) -> Option<ContainerOp<Cow<'a, V>>> {
        match (input, output) {
            (Input::Push(element), None | Some(Output::Pushed)) => {
                Some(ContainerOp::Insert(Cow::Borrowed(element)))
            }
            (Input::Pop, None) => Some(ContainerOp::TakeAny),
            (Input::Pop, Some(Output::Popped(None))) => Some(ContainerOp::TakeNothing),
            (Input::Pop, Some(Output::Popped(Some(seen)))) => Some(ContainerOp::Take(Cow::Borrowed(seen))),
            _ => None,
        }
    }

    fn describe_input(&self, input: &Input<V>) -> String {
        match input {
            Input::Push(element) => format!("push({element:?})"),
            Input::Pop => "pop".to_owned(),
        }
    }

    fn describe_output(&self, _: &Input<V>, output: &Output<V>) -> String {
        match output {
            Output::Pushed => "done".to_owned(),
            Output::Popped(Some(element)) => format!("{element:?}"),
            Output::Popped(None) => "empty".to_owned(),
        }
    }

    fn describe_state(&self, state: &Vec<V>) -> String {
        format!("the stack holds {state:?}")
    }
}
