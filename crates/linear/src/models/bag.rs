//! A bag, or pool: elements leave it in any order.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use super::container::{ContainerModel, Order, Words};
use crate::model::Container;

pub use super::container::{Input, Output};

/// A bag that is empty at first. It may hold an element several times.
pub type Bag<V> = ContainerModel<AnyOrder, V>;

/// How a bag names its operations.
pub const WORDS: Words = Words { insert: "add", take: "take" };

/// Any element may leave next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnyOrder;

/// What a bag may hold.
///
/// Nobody knows what an unanswered take took. Which element it was is left open for as long as nothing depends on it:
/// all that can be said is that it is one of those that were there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held<V> {
    /// Elements and how often each was added; between two layers an unanswered take took one element, or none,
    /// of the layers before. Invariant: there is a layer, and only one if there are no elements.
    layers: Vec<BTreeMap<V, usize>>,
}

impl<V: Clone + Ord> Held<V> {
    fn add(&mut self, element: V) {
        if let Some(last) = self.layers.last_mut() {
            *last.entry(element).or_insert(0) += 1;
        }
    }

    /// An unanswered take.
    fn lose_one(&mut self) {
        if self.layers.iter().any(|layer| !layer.is_empty()) {
            self.layers.push(BTreeMap::new());
        }
    }

    /// Takes an element, if it may be there. Of several equal elements, the one added last goes: the fewest unanswered
    /// takes can have taken that one.
    fn take(&mut self, element: &V) -> bool {
        let Some(layer) = self.layers.iter_mut().rev().find(|layer| layer.contains_key(element)) else {
            return false;
        };
        if let Some(count) = layer.get_mut(element) {
            *count -= 1;
            if *count == 0 {
                layer.remove(element);
            }
        }
        if self.layers.iter().all(BTreeMap::is_empty) {
            *self = Held::default();
        }
        true
    }

    /// Finds nothing, if unanswered takes can have taken everything.
    fn take_nothing(&mut self) -> bool {
        let mut elements = 0;
        for (takes, layer) in self.layers.iter().rev().enumerate() {
            elements += layer.values().sum::<usize>();
            if elements > takes {
                return false;
            }
        }
        *self = Held::default();
        true
    }
}

impl<V> Default for Held<V> {
    fn default() -> Self {
        Held { layers: vec![BTreeMap::new()] }
    }
}

impl<V: Clone + Ord + Hash + Debug> Order<V> for AnyOrder {
    type State = Held<V>;

    const KIND: Container = Container::Bag;
    const WORDS: Words = WORDS;
    // Unanswered takes may have taken whatever is left.
    const EMPTY_CHANGES: bool = true;

    fn insert(state: &mut Held<V>, element: V) {
        state.add(element);
    }

    fn take(state: &mut Held<V>, answer: Option<&V>) -> bool {
        match answer {
            Some(element) => state.take(element),
            None => state.take_nothing(),
        }
    }

    fn take_any(state: &mut Held<V>) {
        state.lose_one();
    }

    fn owned_bytes(state: &Held<V>) -> usize {
        let elements: usize = state.layers.iter().map(BTreeMap::len).sum();
        let layers = state.layers.len() * size_of::<BTreeMap<V, usize>>();
        layers + elements * 2 * (size_of::<V>() + size_of::<usize>())
    }

    fn describe(state: &Held<V>) -> String {
        let layers = state.layers.iter().flatten();
        let elements: Vec<&V> = layers.flat_map(|(element, &count)| vec![element; count]).collect();
        match state.layers.len() - 1 {
            0 => format!("the bag holds {elements:?}"),
            lost => format!("the bag holds {elements:?}, less what {lost} unanswered takes took"),
        }
    }
}
