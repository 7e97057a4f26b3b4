//! One key of a text store: get, put, append, compare-and-set, delete. Put it into [`super::keyed::Keyed`].

use std::borrow::Cow;

use crate::model::{Model, RegisterOp};

/// What a client asks of a key. An absent key reads as the empty text, as in Porcupine's model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Reads the text.
    Get,
    /// Sets the text.
    Put(String),
    /// Adds to the end of the text.
    Append(String),
    /// Compare-and-set: sets the second text if the key holds the first.
    Cas(String, String),
    /// Sets the empty text.
    Delete,
}

/// What a key answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// The answer to a get.
    Text(String),
    /// The answer to a put, an append or a delete.
    Done,
    /// The answer to a compare-and-set: whether it set the text.
    Set(bool),
}

/// One key that holds the empty text at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text;

impl Model for Text {
    type Input = Input;
    type Output = Output;
    type State = String;
    type Value = String;

    fn initial(&self) -> String {
        String::new()
    }

    fn step(&self, state: &String, input: &Input, output: Option<&Output>) -> Option<String> {
        let done = matches!(output, None | Some(Output::Done));
        match input {
            Input::Get => match output {
                None => Some(state.clone()),
                Some(Output::Text(seen)) => (seen == state).then(|| state.clone()),
                Some(_) => None,
            },
            Input::Put(text) => done.then(|| text.clone()),
            Input::Append(text) => done.then(|| format!("{state}{text}")),
            Input::Delete => done.then(String::new),
            Input::Cas(expected, new) => {
                let sets = expected == state;
                let right = match output {
                    None => true,
                    Some(Output::Set(set)) => *set == sets,
                    Some(_) => false,
                };
                right.then(|| if sets { new.clone() } else { state.clone() })
            }
        }
    }

    fn owned_bytes(&self, state: &String) -> usize {
        state.len()
    }

    fn value_bytes(&self, value: &String) -> usize {
        self.owned_bytes(value)
    }

    fn is_read(&self, input: &Input, output: Option<&Output>) -> bool {
        match input {
            Input::Get => true,
            Input::Append(text) => text.is_empty(),
            Input::Cas(expected, new) => expected == new || output == Some(&Output::Set(false)),
            Input::Put(_) | Input::Delete => false,
        }
    }

    fn register_start(&self) -> Option<String> {
        Some(String::new())
    }

    fn as_register<'a>(
        &self,
        input: &'a Input,
        output: Option<&'a Output>,
    ) -> Option<RegisterOp<Cow<'a, String>>> {
        match (input, output) {
            (Input::Get, None) => Some(RegisterOp::Nothing),
            (Input::Get, Some(Output::Text(seen))) => Some(RegisterOp::Read(Cow::Borrowed(seen))),
            (Input::Put(text), None | Some(Output::Done)) => Some(RegisterOp::Write(Cow::Borrowed(text))),
            (Input::Append(text), None) if text.is_empty() => Some(RegisterOp::Nothing),
            // It needs a place in the order, but neither makes a longer value nor answers anything, so the register
            // view has no operation for it.
            (Input::Append(text), Some(Output::Done)) if text.is_empty() => None,
            (Input::Append(_), None | Some(Output::Done)) => Some(RegisterOp::Append),
            (Input::Delete, None | Some(Output::Done)) => Some(RegisterOp::Write(Cow::Owned(String::new()))),
            (Input::Cas(expected, new), None | Some(Output::Set(_))) => Some(RegisterOp::Cas {
                expected: Cow::Borrowed(expected),
                new: Cow::Borrowed(new),
                succeeded: output.map(|output| *output == Output::Set(true)),
            }),
            _ => None,
        }
    }

    fn retract(&self, after: &String, input: &Input) -> Option<String> {
        match input {
            Input::Append(text) => after.strip_suffix(text.as_str()).map(str::to_owned),
            _ => None,
        }
    }

    fn describe_input(&self, input: &Input) -> String {
        match input {
            Input::Get => "get".to_owned(),
            Input::Put(text) => format!("put({text:?})"),
            Input::Append(text) => format!("append({text:?})"),
            Input::Cas(expected, new) => format!("cas({expected:?} -> {new:?})"),
            Input::Delete => "delete".to_owned(),
        }
    }

    fn describe_output(&self, _: &Input, output: &Output) -> String {
        match output {
            Output::Text(seen) => format!("{seen:?}"),
            Output::Done => "done".to_owned(),
            Output::Set(true) => "set".to_owned(),
            Output::Set(false) => "not equal".to_owned(),
        }
    }

    fn describe_state(&self, state: &String) -> String {
        format!("it holds {state:?}")
    }
}
