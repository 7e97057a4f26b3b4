//! A last-in, first-out stack.

use std::fmt::Debug;
use std::hash::Hash;

use super::container::{ContainerModel, Order, Words};
use crate::model::Container;

pub use super::container::{Input, Output};

/// A stack that is empty at first.
pub type Stack<V> = ContainerModel<LastIn, V>;

/// How a stack names its operations.
pub const WORDS: Words = Words { insert: "push", take: "pop" };

/// The element that was put in last leaves first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastIn;

impl<V: Clone + Eq + Hash + Debug> Order<V> for LastIn {
    type State = Vec<V>;

    const KIND: Container = Container::Stack;
    const WORDS: Words = WORDS;

    fn insert(state: &mut Vec<V>, element: V) {
        state.push(element);
    }

    fn take(state: &mut Vec<V>, answer: Option<&V>) -> bool {
        state.pop().as_ref() == answer
    }

    fn take_any(state: &mut Vec<V>) {
        state.pop();
    }

    fn owned_bytes(state: &Vec<V>) -> usize {
        state.len() * size_of::<V>()
    }

    fn describe(state: &Vec<V>) -> String {
        format!("the stack holds {state:?}")
    }
}
