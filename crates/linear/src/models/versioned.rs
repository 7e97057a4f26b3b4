//! A register whose version grows by one with every update.

use std::fmt::Debug;
use std::hash::Hash;

use crate::model::Model;

/// Clients ask the same of a register with and without versions.
pub use super::register::Input;

/// What a versioned register answers. A version of `None` is one that the answer does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output<V> {
    /// The answer to a read: the version and the value.
    Value(Option<u64>, V),
    /// The answer to a write, or to a compare-and-set that set the value: the version that it made.
    Updated(Option<u64>),
    /// The answer to a compare-and-set that did not set the value.
    NotEqual,
}

/// A register that holds `initial` at first, at version 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<V> {
    /// What it holds before the first update.
    pub initial: V,
}

impl<V: Clone + Eq + Hash + Debug> Model for Versioned<V> {
    type Input = Input<V>;
    type Output = Output<V>;
    type State = (u64, V);
    type Value = ();

    fn initial(&self) -> (u64, V) {
        (0, self.initial.clone())
    }

    fn step(&self, state: &(u64, V), input: &Input<V>, output: Option<&Output<V>>) -> Option<(u64, V)> {
        let (version, value) = state;
        let shows = |shown: &Option<u64>, version: u64| shown.is_none_or(|shown| shown == version);
        let updated = |new: &V| (version + 1, new.clone());
        match (input, output) {
            (Input::Read, None) => Some(state.clone()),
            (Input::Read, Some(Output::Value(shown, seen))) => {
                (shows(shown, *version) && seen == value).then(|| state.clone())
            }
            (Input::Write(new), None) => Some(updated(new)),
            (Input::Write(new), Some(Output::Updated(shown))) => {
                shows(shown, version + 1).then(|| updated(new))
            }
            (Input::Cas(expected, new), None) => {
                Some(if expected == value { updated(new) } else { state.clone() })
            }
            (Input::Cas(expected, new), Some(Output::Updated(shown))) => {
                (expected == value && shows(shown, version + 1)).then(|| updated(new))
            }
            (Input::Cas(expected, _), Some(Output::NotEqual)) => (expected != value).then(|| state.clone()),
            _ => None,
        }
    }

    fn is_read(&self, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        matches!(input, Input::Read) || output == Some(&Output::NotEqual)
    }

    fn describe_input(&self, input: &Input<V>) -> String {
        input.describe()
    }

    fn describe_output(&self, _: &Input<V>, output: &Output<V>) -> String {
        match output {
            Output::Value(Some(version), seen) => format!("{seen:?} at version {version}"),
            Output::Value(None, seen) => format!("{seen:?}"),
            Output::Updated(Some(version)) => format!("version {version}"),
            Output::Updated(None) => "done".to_owned(),
            Output::NotEqual => "not equal".to_owned(),
        }
    }

    fn describe_state(&self, (version, value): &(u64, V)) -> String {
        format!("the register holds {value:?} at version {version}")
    }
}
