//! A list: elements are appended to it, and it is read as a whole.

use std::borrow::Cow;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::{Model, RegisterOp};

/// What a client asks of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input<V> {
    /// Adds an element at the end.
    Append(V),
    /// Reads all elements.
    Read,
}

/// What a list answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output<V> {
    /// The answer to an append.
    Appended,
    /// The answer to a read.
    Elements(Vec<V>),
}

/// A list that is empty at first. The check is fast if no element is appended twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List<V>(std::marker::PhantomData<fn() -> V>);

impl<V> List<V> {
    /// The model.
    pub fn new() -> Self {
        List(std::marker::PhantomData)
    }
}

impl<V: Clone + Eq + Hash + Debug> Model for List<V> {
    type Input = Input<V>;
    type Output = Output<V>;
    type State = Vec<V>;
    type Value = Vec<V>;

    fn initial(&self) -> Vec<V> {
        Vec::new()
    }

    fn step(&self, state: &Vec<V>, input: &Input<V>, output: Option<&Output<V>>) -> Option<Vec<V>> {
        match (input, output) {
            (Input::Append(element), None | Some(Output::Appended)) => {
                let mut after = state.clone();
                after.push(element.clone());
                Some(after)
            }
            (Input::Read, None) => Some(state.clone()),
            (Input::Read, Some(Output::Elements(seen))) => (seen == state).then(|| state.clone()),
            _ => None,
        }
    }

    fn apply(&self, state: &mut Vec<V>, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        match (input, output) {
            (Input::Append(element), None | Some(Output::Appended)) => state.push(element.clone()),
            (Input::Read, None) => {}
            (Input::Read, Some(Output::Elements(seen))) => return seen == state,
            _ => return false,
        }
        true
    }

    fn owned_bytes(&self, state: &Vec<V>) -> usize {
        state.len() * size_of::<V>()
    }

    fn value_bytes(&self, value: &Vec<V>) -> usize {
        self.owned_bytes(value)
    }

    fn is_read(&self, input: &Input<V>, _: Option<&Output<V>>) -> bool {
        matches!(input, Input::Read)
    }

    fn register_start(&self) -> Option<Vec<V>> {
        Some(Vec::new())
    }

    fn as_register<'a>(
        &self,
        input: &'a Input<V>,
        output: Option<&'a Output<V>>,
    ) -> Option<RegisterOp<Cow<'a, Vec<V>>>> {
        match (input, output) {
            (Input::Append(_), None | Some(Output::Appended)) => Some(RegisterOp::Append),
            (Input::Read, None) => Some(RegisterOp::Nothing),
            (Input::Read, Some(Output::Elements(seen))) => Some(RegisterOp::Read(Cow::Borrowed(seen))),
            _ => None,
        }
    }

    fn retract(&self, after: &Vec<V>, input: &Input<V>) -> Option<Vec<V>> {
        match input {
            Input::Append(element) if after.last() == Some(element) => {
                Some(after[..after.len() - 1].to_vec())
            }
            _ => None,
        }
    }

    fn describe_input(&self, input: &Input<V>) -> String {
        match input {
            Input::Append(element) => format!("append({element:?})"),
            Input::Read => "read".to_owned(),
        }
    }

    fn describe_output(&self, _: &Input<V>, output: &Output<V>) -> String {
        match output {
            Output::Appended => "done".to_owned(),
            Output::Elements(elements) => format!("{elements:?}"),
        }
    }

    fn describe_state(&self, state: &Vec<V>) -> String {
        format!("the list holds {state:?}")
    }
}
