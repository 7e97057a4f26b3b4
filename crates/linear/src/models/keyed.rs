//! Many independent instances of one model, each with a key.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use crate::history::History;
use crate::model::{Container, ContainerOp, Model, RegisterOp};
use crate::partition::Partition;

/// How many pairs a node of a [`BTreeMap`] has room for.
const PAIRS_MAX: usize = 11;

/// How many pairs a node of a [`BTreeMap`] holds at least, except for the last node.
const PAIRS_MIN: usize = 5;

/// How many bytes an allocation takes beyond what was requested, roughly.
const ALLOCATION: usize = 16;

/// An input for the instance of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Input<K, I> {
    /// The key of the instance.
    pub key: K,
    /// What it is asked.
    pub input: I,
}

/// An instance of `model` for every key. The outputs are those of the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed<K, M> {
    model: M,
    split: bool,
    key: std::marker::PhantomData<fn() -> K>,
}

impl<K, M> Keyed<K, M> {
    /// A model that is checked key by key.
    pub fn new(model: M) -> Self {
        Keyed { model, split: true, key: std::marker::PhantomData }
    }

    /// A model whose keys are all checked together. Slow; for tests, and to measure what the split gains.
    pub fn together(model: M) -> Self {
        Keyed { split: false, ..Keyed::new(model) }
    }
}

impl<K: Clone + Ord + Hash + Debug, M: Model> Model for Keyed<K, M> {
    type Input = Input<K, M::Input>;
    type Output = M::Output;
    /// Instances in their initial state are left out, so that equal states compare equal.
    type State = BTreeMap<K, M::State>;
    type Value = M::Value;

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(
        &self,
        state: &Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Option<Self::State> {
        let initial = self.model.initial();
        let after = self.model.step(state.get(&input.key).unwrap_or(&initial), &input.input, output)?;
        let mut states = state.clone();
        if after == initial {
            states.remove(&input.key);
        } else {
            states.insert(input.key.clone(), after);
        }
        Some(states)
    }

    fn apply(&self, state: &mut Self::State, input: &Self::Input, output: Option<&Self::Output>) -> bool {
        let initial = self.model.initial();
        let mut instance = state.remove(&input.key).unwrap_or_else(|| initial.clone());
        if !self.model.apply(&mut instance, &input.input, output) {
            return false;
        }
        if instance != initial {
            state.insert(input.key.clone(), instance);
        }
        true
    }

    fn owned_bytes(&self, state: &Self::State) -> usize {
        let pair = size_of::<K>() + size_of::<M::State>();
        let owned: usize = state.values().map(|state| ALLOCATION + self.model.owned_bytes(state)).sum();
        state.len().div_ceil(PAIRS_MIN) * PAIRS_MAX * pair + owned
    }

    fn value_bytes(&self, value: &Self::Value) -> usize {
        self.model.value_bytes(value)
    }

    fn is_read(&self, input: &Self::Input, output: Option<&Self::Output>) -> bool {
        self.model.is_read(&input.input, output)
    }

    fn is_impossible(&self, input: &Self::Input, output: &Self::Output) -> bool {
        self.model.is_impossible(&input.input, output)
    }

    fn partition(&self, history: &History<Self::Input, Self::Output>) -> Partition {
        if self.split {
            Partition::by_key(history, |input| input.key.clone())
        } else {
            Partition::whole(history.len())
        }
    }

    fn register_start(&self) -> Option<M::Value> {
        // A component with several keys is not a register.
        if self.split { self.model.register_start() } else { None }
    }

    fn word(&self, value: &M::Value) -> Option<u32> {
        self.model.word(value)
    }

    fn as_register<'a>(
        &self,
        input: &'a Self::Input,
        output: Option<&'a Self::Output>,
    ) -> Option<RegisterOp<Cow<'a, M::Value>>> {
        self.model.as_register(&input.input, output)
    }

    fn container(&self) -> Option<Container> {
        // Several keys in one component are no container.
        if self.split { self.model.container() } else { None }
    }

    fn as_container<'a>(
        &self,
        input: &'a Self::Input,
        output: Option<&'a Self::Output>,
    ) -> Option<ContainerOp<Cow<'a, M::Value>>> {
        self.model.as_container(&input.input, output)
    }

    fn compare(&self, one: &M::Value, other: &M::Value) -> Ordering {
        self.model.compare(one, other)
    }

    fn describe_element(&self, element: &M::Value) -> String {
        self.model.describe_element(element)
    }

    fn retract(&self, after: &M::Value, input: &Self::Input) -> Option<M::Value> {
        self.model.retract(after, &input.input)
    }

    fn describe_input(&self, input: &Self::Input) -> String {
        format!("{} on key {:?}", self.model.describe_input(&input.input), input.key)
    }

    fn describe_output(&self, input: &Self::Input, output: &Self::Output) -> String {
        self.model.describe_output(&input.input, output)
    }

    fn describe_state(&self, state: &Self::State) -> String {
        if state.is_empty() {
            return self.model.describe_state(&self.model.initial());
        }
        let one =
            |(key, state): (&K, &M::State)| format!("key {key:?}: {}", self.model.describe_state(state));
        state.iter().map(one).collect::<Vec<String>>().join("; ")
    }
}
