//! A register that can be read, written, and compared and set.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::{Model, RegisterOp};

/// What a client asks of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input<V> {
    /// Reads the value.
    Read,
    /// Sets the value.
    Write(V),
    /// Compare-and-set: sets the second value if the register holds the first.
    Cas(V, V),
}

impl<V: Debug> Input<V> {
    /// The request as text, for explanations.
    pub(super) fn describe(&self) -> String {
        match self {
            Input::Read => "read".to_owned(),
            Input::Write(new) => format!("write({new:?})"),
            Input::Cas(expected, new) => format!("cas({expected:?} -> {new:?})"),
        }
    }
}

/// What a register answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output<V> {
    /// The answer to a read.
    Value(V),
    /// The answer to a write.
    Written,
    /// The answer to a compare-and-set: whether it set the value.
    Set(bool),
}

/// A register that holds `initial` at first. Without compare-and-sets it is a plain register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register<V> {
    /// What it holds before the first write.
    pub initial: V,
}

impl<V: Clone + Eq + Hash + Debug + 'static> Model for Register<V> {
    type Input = Input<V>;
    type Output = Output<V>;
    type State = V;
    type Value = V;

    fn initial(&self) -> V {
        self.initial.clone()
    }

    fn step(&self, state: &V, input: &Input<V>, output: Option<&Output<V>>) -> Option<V> {
        match (input, output) {
            (Input::Read, None) => Some(state.clone()),
            (Input::Read, Some(Output::Value(seen))) => (seen == state).then(|| state.clone()),
            (Input::Write(new), None | Some(Output::Written)) => Some(new.clone()),
            (Input::Cas(expected, new), output) => {
                let sets = expected == state;
                let right = match output {
                    None => true,
                    Some(Output::Set(set)) => *set == sets,
                    Some(_) => false,
                };
                right.then(|| if sets { new.clone() } else { state.clone() })
            }
            _ => None,
        }
    }

    fn is_read(&self, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        match input {
            Input::Read => true,
            Input::Write(_) => false,
            Input::Cas(expected, new) => expected == new || output == Some(&Output::Set(false)),
        }
    }

    fn register_start(&self) -> Option<V> {
        Some(self.initial.clone())
    }

    fn word(&self, value: &V) -> Option<u32> {
        let value: &dyn Any = value;
        let small = value.downcast_ref::<u8>().map(|value| u32::from(*value));
        value.downcast_ref::<u32>().copied().or(small)
    }

    fn as_register<'a>(
        &self,
        input: &'a Input<V>,
        output: Option<&'a Output<V>>,
    ) -> Option<RegisterOp<Cow<'a, V>>> {
        match (input, output) {
            (Input::Read, None) => Some(RegisterOp::Nothing),
            (Input::Read, Some(Output::Value(seen))) => Some(RegisterOp::Read(Cow::Borrowed(seen))),
            (Input::Write(new), None | Some(Output::Written)) => Some(RegisterOp::Write(Cow::Borrowed(new))),
            (Input::Cas(expected, new), None | Some(Output::Set(_))) => Some(RegisterOp::Cas {
                expected: Cow::Borrowed(expected),
                new: Cow::Borrowed(new),
                succeeded: output.map(|output| *output == Output::Set(true)),
            }),
            // The answer to another question: no step allows it.
            _ => None,
        }
    }

    fn describe_input(&self, input: &Input<V>) -> String {
        input.describe()
    }

    fn describe_output(&self, _: &Input<V>, output: &Output<V>) -> String {
        match output {
            Output::Value(seen) => format!("{seen:?}"),
            Output::Written => "done".to_owned(),
            Output::Set(true) => "set".to_owned(),
            Output::Set(false) => "not equal".to_owned(),
        }
    }

    fn describe_state(&self, state: &V) -> String {
        format!("the register holds {state:?}")
    }
}
