//! A queue from which the least element leaves first.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use super::container::{ContainerModel, Order, Words};
use crate::model::Container;

pub use super::container::{Input, Output};

/// A priority queue that is empty at first. It may hold an element several times.
pub type PriorityQueue<V> = ContainerModel<LeastFirst, V>;

/// How a priority queue names its operations.
pub const WORDS: Words = Words { insert: "insert", take: "delete-min" };

/// The least element leaves first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeastFirst;

impl<V: Clone + Ord + Hash + Debug> Order<V> for LeastFirst {
    /// How often each element is there.
    type State = BTreeMap<V, usize>;

    const KIND: Container = Container::PriorityQueue;
    const WORDS: Words = WORDS;

    fn insert(state: &mut BTreeMap<V, usize>, element: V) {
        *state.entry(element).or_insert(0) += 1;
    }

    fn take(state: &mut BTreeMap<V, usize>, answer: Option<&V>) -> bool {
        if state.first_key_value().map(|(least, _)| least) != answer {
            return false;
        }
        <Self as Order<V>>::take_any(state);
        true
    }

    fn take_any(state: &mut BTreeMap<V, usize>) {
        let Some(mut least) = state.first_entry() else { return };
        *least.get_mut() -= 1;
        if *least.get() == 0 {
            least.remove();
        }
    }

    fn owned_bytes(state: &BTreeMap<V, usize>) -> usize {
        state.len() * size_of::<V>()
    }

    fn compare(one: &V, other: &V) -> Ordering {
        one.cmp(other)
    }

    fn describe(state: &BTreeMap<V, usize>) -> String {
        let elements: Vec<&V> = state.iter().flat_map(|(element, &count)| vec![element; count]).collect();
        format!("the priority queue holds {elements:?}")
    }
}
