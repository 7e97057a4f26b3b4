//! A bag, or pool: elements leave it in any order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::{Container, ContainerOp, Model};

/// What can be asked of a bag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input<V> {
    /// To hold one more element.
    Add(V),
    /// For any element, which then leaves.
    Take,
}

/// What a bag answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output<V> {
    /// To an add.
    Added,
    /// To a take: `None` if there was nothing.
    Taken(Option<V>),
}

/// A bag that is first empty. It may hold an element several times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bag<V>(std::marker::PhantomData<fn() -> V>);

impl<V> Bag<V> {
    /// The model.
    pub fn new() -> Self {
        Bag(std::marker::PhantomData)
    }
}

/// What a bag may hold.
///
/// A take that got no answer took nobody knows what. Which element it was is left open for as long as nothing
/// depends on it: all that can be said is that it is one of those that were there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held<V> {
    /// Elements and how often each was added; between two layers an unanswered take took one element, or none,
    /// of the layers before. Invariant: there is a layer, and only one if there are no elements.
    layers: Vec<BTreeMap<V, usize>>,
}

impl<V: Clone + Ord> Held<V> {
    fn new() -> Self {
        Held { layers: vec![BTreeMap::new()] }
    }

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

    /// Takes an element, if it may be there. Of several alike the one added last goes: the fewest unanswered
    /// takes can have been of that one.
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
            *self = Held::new();
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
        *self = Held::new();
        true
    }
}

impl<V: Clone + Ord + Hash + Debug> Model for Bag<V> {
    type Input = Input<V>;
    type Output = Output<V>;
    type State = Held<V>;
    type Value = V;

    fn initial(&self) -> Held<V> {
        Held::new()
    }

    fn step(&self, state: &Held<V>, input: &Input<V>, output: Option<&Output<V>>) -> Option<Held<V>> {
        let mut after = state.clone();
        self.apply(&mut after, input, output).then_some(after)
    }

    fn apply(&self, state: &mut Held<V>, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        match (input, output) {
            (Input::Add(element), None | Some(Output::Added)) => state.add(element.clone()),
            (Input::Take, None) => state.lose_one(),
            (Input::Take, Some(Output::Taken(Some(element)))) => return state.take(element),
            (Input::Take, Some(Output::Taken(None))) => return state.take_nothing(),
            _ => return false,
        }
        true
    }

    fn owned_bytes(&self, state: &Held<V>) -> usize {
        let elements: usize = state.layers.iter().map(BTreeMap::len).sum();
        let layers = state.layers.len() * size_of::<BTreeMap<V, usize>>();
        layers + elements * 2 * (size_of::<V>() + size_of::<usize>())
    }

    fn container(&self) -> Option<Container> {
        Some(Container::Bag)
    }

    fn as_container<'a>(
        &self,
        input: &'a Input<V>,
        output: Option<&'a Output<V>>,
    ) -> Option<ContainerOp<Cow<'a, V>>> {
        match (input, output) {
            (Input::Add(element), None | Some(Output::Added)) => {
                Some(ContainerOp::Insert(Cow::Borrowed(element)))
            }
            (Input::Take, None) => Some(ContainerOp::TakeAny),
            (Input::Take, Some(Output::Taken(None))) => Some(ContainerOp::TakeNothing),
            (Input::Take, Some(Output::Taken(Some(seen)))) => Some(ContainerOp::Take(Cow::Borrowed(seen))),
            _ => None,
        }
    }

    fn describe_input(&self, input: &Input<V>) -> String {
        match input {
            Input::Add(element) => format!("add({element:?})"),
            Input::Take => "take".to_owned(),
        }
    }

    fn describe_output(&self, _: &Input<V>, output: &Output<V>) -> String {
        match output {
            Output::Added => "done".to_owned(),
            Output::Taken(Some(element)) => format!("{element:?}"),
            Output::Taken(None) => "empty".to_owned(),
        }
    }

    fn describe_state(&self, state: &Held<V>) -> String {
        let layers = state.layers.iter().flatten();
        let elements: Vec<&V> = layers.flat_map(|(element, &count)| vec![element; count]).collect();
        match state.layers.len() - 1 {
            0 => format!("the bag holds {elements:?}"),
            lost => format!("the bag holds {elements:?}, less what {lost} unanswered takes took"),
        }
    }
}
