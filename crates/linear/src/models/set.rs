//! A set of elements.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::{Container, ContainerOp, Model};

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
    /// The answer to a read that shows an element more than once, which no set does.
    Repeated(Vec<V>),
}

impl<V: Clone + Ord> Output<V> {
    /// The answer to a read that shows these elements, in any order.
    pub fn of(elements: Vec<V>) -> Self {
        let set: BTreeSet<V> = elements.iter().cloned().collect();
        if set.len() < elements.len() { Output::Repeated(elements) } else { Output::Elements(set) }
    }
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
    type Value = V;

    fn initial(&self) -> BTreeSet<V> {
        BTreeSet::new()
    }

    fn step(&self, state: &BTreeSet<V>, input: &Input<V>, output: Option<&Output<V>>) -> Option<BTreeSet<V>> {
        // Most steps that a search tries are wrong, and a copy of a large set is expensive.
        let right = match (input, output) {
            (_, None) => true,
            (Input::Read, Some(Output::Elements(seen))) => seen == state,
            (Input::Add(element), Some(Output::Changed(answer))) => *answer != state.contains(element),
            (Input::Remove(element), Some(Output::Changed(answer))) => *answer == state.contains(element),
            _ => false,
        };
        if !right {
            return None;
        }
        let mut after = state.clone();
        change(&mut after, input);
        Some(after)
    }

    fn apply(&self, state: &mut BTreeSet<V>, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        match (input, output) {
            (Input::Read, None) => true,
            (Input::Read, Some(Output::Elements(seen))) => seen == state,
            (Input::Add(_) | Input::Remove(_), None) => {
                change(state, input);
                true
            }
            (Input::Add(_) | Input::Remove(_), Some(Output::Changed(answer))) => {
                *answer == change(state, input)
            }
            _ => false,
        }
    }

    fn container(&self) -> Option<Container> {
        Some(Container::Set)
    }

    fn as_container<'a>(
        &self,
        input: &'a Input<V>,
        output: Option<&'a Output<V>>,
    ) -> Option<ContainerOp<Cow<'a, V>>> {
        Some(match (input, output) {
            (Input::Add(element), None | Some(Output::Changed(true))) => {
                ContainerOp::Insert(Cow::Borrowed(element))
            }
            (Input::Add(element), Some(Output::Changed(false))) => {
                ContainerOp::Present(Cow::Borrowed(element))
            }
            (Input::Remove(element), None | Some(Output::Changed(true))) => {
                ContainerOp::Remove(Cow::Borrowed(element))
            }
            (Input::Remove(element), Some(Output::Changed(false))) => {
                ContainerOp::Absent(Cow::Borrowed(element))
            }
            (Input::Read, None) => ContainerOp::Nothing,
            (Input::Read, Some(Output::Elements(seen))) => {
                ContainerOp::Elements(seen.iter().map(Cow::Borrowed).collect())
            }
            _ => return None,
        })
    }

    fn owned_bytes(&self, state: &BTreeSet<V>) -> usize {
        state.len() * size_of::<V>()
    }

    fn is_read(&self, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        matches!(input, Input::Read) || matches!(output, Some(Output::Changed(false)))
    }

    fn describe_element(&self, element: &V) -> String {
        format!("{element:?}")
    }

    fn is_impossible(&self, _: &Input<V>, output: &Output<V>) -> bool {
        matches!(output, Output::Repeated(_))
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
            Output::Repeated(elements) => format!("{elements:?}, an element more than once"),
        }
    }

    fn describe_state(&self, state: &BTreeSet<V>) -> String {
        format!("the set holds {state:?}")
    }
}

/// Whether that changed anything.
fn change<V: Clone + Ord>(state: &mut BTreeSet<V>, input: &Input<V>) -> bool {
    match input {
        Input::Add(element) => state.insert(element.clone()),
        Input::Remove(element) => state.remove(element),
        Input::Read => false,
    }
}
