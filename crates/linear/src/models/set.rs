//! A set of elements.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::Model;

/// What a client asks of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input<V> {
    /// Adds an element.
    Add(V),
    /// Removes an element.
    Remove(V),
    /// Reads all elements.
    Read,
}

/// What a set answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output<V> {
    /// The answer to an add or a remove: whether it changed anything.
    Changed(bool),
    /// The answer to a read.
    Elements(BTreeSet<V>),
}

/// A set that is empty at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set<V>(std::marker::PhantomData<fn() -> V>);

impl<V> Set<V> {
    /// The model.
    pub fn new() -> Self {
        Set(std::marker::PhantomData)
    }
}

impl<V: Clone + Ord + Hash + Debug> Model for Set<V> {
    type Input = Input<V>;
    type Output = Output<V>;
    type State = BTreeSet<V>;
    type Value = ();

    fn initial(&self) -> BTreeSet<V> {
        BTreeSet::new()
    }

    fn step(&self, state: &BTreeSet<V>, input: &Input<V>, output: Option<&Output<V>>) -> Option<BTreeSet<V>> {
        let mut after = state.clone();
        let changed = match input {
            Input::Add(element) => after.insert(element.clone()),
            Input::Remove(element) => after.remove(element),
            Input::Read => false,
        };
        let right = match (input, output) {
            (_, None) => true,
            (Input::Read, Some(Output::Elements(seen))) => seen == state,
            (Input::Add(_) | Input::Remove(_), Some(Output::Changed(answer))) => *answer == changed,
            _ => false,
        };
        right.then_some(after)
    }

    fn owned_bytes(&self, state: &BTreeSet<V>) -> usize {
        state.len() * size_of::<V>()
    }

    fn is_read(&self, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        matches!(input, Input::Read) || matches!(output, Some(Output::Changed(false)))
    }

    fn describe_input(&self, input: &Input<V>) -> String {
        match input {
            Input::Add(element) => format!("add({element:?})"),
            Input::Remove(element) => format!("remove({element:?})"),
            Input::Read => "read".to_owned(),
        }
    }

    fn describe_output(&self, _: &Input<V>, output: &Output<V>) -> String {
        match output {
            Output::Changed(true) => "done".to_owned(),
            Output::Changed(false) => "nothing to do".to_owned(),
            Output::Elements(elements) => format!("{elements:?}"),
        }
    }

    fn describe_state(&self, state: &BTreeSet<V>) -> String {
        format!("the set holds {state:?}")
    }
}
