//! A queue from which the least element leaves first.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::{Container, ContainerOp, Model};

/// What can be asked of a priority queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input<V> {
    /// To hold one more element.
    Insert(V),
    /// For the least element, which then leaves.
    DeleteMin,
}

/// What a priority queue answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output<V> {
    /// To an insert.
    Inserted,
    /// To a delete-min: `None` if there was nothing.
    Deleted(Option<V>),
}

/// A priority queue that is first empty. It may hold an element several times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriorityQueue<V>(std::marker::PhantomData<fn() -> V>);

impl<V> PriorityQueue<V> {
    /// The model.
    pub fn new() -> Self {
        PriorityQueue(std::marker::PhantomData)
    }
}

impl<V: Clone + Ord + Hash + Debug> Model for PriorityQueue<V> {
    type Input = Input<V>;
    type Output = Output<V>;
    type State = BTreeMap<V, usize>;
    type Value = V;

    fn initial(&self) -> BTreeMap<V, usize> {
        BTreeMap::new()
    }

    fn step(
        &self,
        state: &BTreeMap<V, usize>,
        input: &Input<V>,
        output: Option<&Output<V>>,
    ) -> Option<BTreeMap<V, usize>> {
        let mut after = state.clone();
        self.apply(&mut after, input, output).then_some(after)
    }

    fn apply(&self, state: &mut BTreeMap<V, usize>, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        match (input, output) {
            (Input::Insert(element), None | Some(Output::Inserted)) => {
                *state.entry(element.clone()).or_insert(0) += 1
            }
            (Input::DeleteMin, None) => {
                take_least(state);
            }
            (Input::DeleteMin, Some(Output::Deleted(seen))) => return take_least(state) == *seen,
            _ => return false,
        }
        true
    }

    fn owned_bytes(&self, state: &BTreeMap<V, usize>) -> usize {
        state.len() * size_of::<V>()
    }

    fn is_read(&self, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        matches!((input, output), (Input::DeleteMin, Some(Output::Deleted(None))))
    }

    fn container(&self) -> Option<Container> {
        Some(Container::PriorityQueue)
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
            (Input::DeleteMin, None) => Some(ContainerOp::TakeAny),
            (Input::DeleteMin, Some(Output::Deleted(None))) => Some(ContainerOp::TakeNothing),
            (Input::DeleteMin, Some(Output::Deleted(Some(seen)))) => {
                Some(ContainerOp::Take(Cow::Borrowed(seen)))
            }
            _ => None,
        }
    }

    fn compare(&self, one: &V, other: &V) -> Ordering {
        one.cmp(other)
    }

    fn describe_input(&self, input: &Input<V>) -> String {
        match input {
            Input::Insert(element) => format!("insert({element:?})"),
            Input::DeleteMin => "delete-min".to_owned(),
        }
    }

    fn describe_output(&self, _: &Input<V>, output: &Output<V>) -> String {
        match output {
            Output::Inserted => "done".to_owned(),
            Output::Deleted(Some(element)) => format!("{element:?}"),
            Output::Deleted(None) => "empty".to_owned(),
        }
    }

    fn describe_state(&self, state: &BTreeMap<V, usize>) -> String {
        let elements: Vec<&V> = state.iter().flat_map(|(element, &count)| vec![element; count]).collect();
        format!("the priority queue holds {elements:?}")
    }
}

fn take_least<V: Clone + Ord>(state: &mut BTreeMap<V, usize>) -> Option<V> {
    let mut least = state.first_entry()?;
    *least.get_mut() -= 1;
    Some(if *least.get() == 0 { least.remove_entry().0 } else { least.key().clone() })
}
