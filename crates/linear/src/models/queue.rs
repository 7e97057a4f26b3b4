//! A first-in, first-out queue.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::Hash;

use super::container::{ContainerModel, Order, Words};
use crate::model::Container;

pub use super::container::{Input, Output};

/// A queue that is empty at first.
pub type Queue<V> = ContainerModel<FirstIn, V>;

/// How a queue names its operations.
pub const WORDS: Words = Words { insert: "enqueue", take: "dequeue" };

/// The element that was put in first leaves first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstIn;

impl<V: Clone + Eq + Hash + Debug> Order<V> for FirstIn {
    type State = VecDeque<V>;

    const KIND: Container = Container::Queue;
    const WORDS: Words = WORDS;

    fn insert(state: &mut VecDeque<V>, element: V) {
        state.push_back(element);
    }

    fn take(state: &mut VecDeque<V>, answer: Option<&V>) -> bool {
        state.pop_front().as_ref() == answer
    }

    fn take_any(state: &mut VecDeque<V>) {
        state.pop_front();
    }

    fn owned_bytes(state: &VecDeque<V>) -> usize {
        state.len() * size_of::<V>()
    }

    fn describe(state: &VecDeque<V>) -> String {
        format!("the queue holds {state:?}")
    }
}
