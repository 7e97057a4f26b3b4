//! Transactions that read and write registers, each as a whole.
//!
//! If every value is written once, [`crate::cycles::registers`] judges them by their dependencies; this model is for
//! the search, which decides the rest.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::Model;

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step<K, V> {
    /// Reads a register.
    Read(K),
    /// Sets a register.
    Write(K, V),
}

/// What a transaction asks: its steps, in their order.
pub type Input<K, V> = Vec<Step<K, V>>;

/// What a transaction answers: what its reads saw, in their order.
pub type Output<V> = Vec<V>;

/// Registers that hold `initial` at first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transactions<K, V> {
    /// What each register holds before the first write.
    pub initial: V,
    key: std::marker::PhantomData<fn() -> K>,
}

impl<K, V> Transactions<K, V> {
    /// Registers that hold `initial` at first.
    pub fn new(initial: V) -> Self {
        Transactions { initial, key: std::marker::PhantomData }
    }
}

impl<K: Clone + Ord + Hash + Debug, V: Clone + Eq + Hash + Debug> Model for Transactions<K, V> {
    type Input = Input<K, V>;
    type Output = Output<V>;
    /// Registers that hold what they held at first are left out.
    type State = BTreeMap<K, V>;
    type Value = ();

    fn initial(&self) -> BTreeMap<K, V> {
        BTreeMap::new()
    }

    fn step(
        &self,
        state: &BTreeMap<K, V>,
        input: &Input<K, V>,
        output: Option<&Output<V>>,
    ) -> Option<BTreeMap<K, V>> {
        let mut after = state.clone();
        self.apply(&mut after, input, output).then_some(after)
    }

    fn apply(&self, state: &mut BTreeMap<K, V>, input: &Input<K, V>, output: Option<&Output<V>>) -> bool {
        let mut seen = output.map(|seen| seen.iter());
        for step in input {
            match step {
                Step::Write(key, value) if *value == self.initial => {
                    state.remove(key);
                }
                Step::Write(key, value) => {
                    state.insert(key.clone(), value.clone());
                }
                Step::Read(key) => {
                    let held = state.get(key).unwrap_or(&self.initial);
                    if seen.as_mut().is_some_and(|seen| seen.next() != Some(held)) {
                        return false;
                    }
                }
            }
        }
        seen.is_none_or(|mut seen| seen.next().is_none())
    }

    fn owned_bytes(&self, state: &BTreeMap<K, V>) -> usize {
        state.len() * size_of::<(K, V)>() * 2
    }

    fn is_read(&self, input: &Input<K, V>, _: Option<&Output<V>>) -> bool {
        input.iter().all(|step| matches!(step, Step::Read(_)))
    }

    fn describe_input(&self, input: &Input<K, V>) -> String {
        let one = |step: &Step<K, V>| match step {
            Step::Read(key) => format!("read {key:?}"),
            Step::Write(key, value) => format!("write {value:?} to {key:?}"),
        };
        format!("[{}]", input.iter().map(one).collect::<Vec<_>>().join(", "))
    }

    fn describe_output(&self, input: &Input<K, V>, output: &Output<V>) -> String {
        let keys = input.iter().filter_map(|step| match step {
            Step::Read(key) => Some(key),
            Step::Write(..) => None,
        });
        let one = |(key, seen): (&K, &V)| format!("{key:?} held {seen:?}");
        let seen: Vec<String> = keys.zip(output).map(one).collect();
        if seen.is_empty() { "done".to_owned() } else { seen.join(", ") }
    }

    fn describe_state(&self, state: &BTreeMap<K, V>) -> String {
        if state.is_empty() {
            return format!("every register holds {:?}", self.initial);
        }
        let one = |(key, value): (&K, &V)| format!("{key:?} holds {value:?}");
        state.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}
