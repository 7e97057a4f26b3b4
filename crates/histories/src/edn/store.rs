//! Reads histories of a key-value store, in the form that Porcupine publishes.

use linear::models::{keyed, text};
use linear::{Operation, Outcome};

use super::events::{Event, Kind, Pair};
use super::models::{repeats, too_many};
use super::parse::{Form, Node, Parser};
use crate::error::Scan;
use crate::recorded::StoreHistory;

/// The history of a key-value store. Its events have a `:key`, and values are texts.
pub(super) fn store(parser: &Parser<'_>, pairs: Vec<Pair<'_>>) -> Scan<StoreHistory> {
    let string = |node: &Node<'_>| match &node.form {
        Form::Text(text) => Ok(text.clone().into_owned()),
        _ => Err(parser.mistake(node.at, "a string", "a key-value store holds texts")),
    };
    let key = |event: &Event<'_>| match &event.key {
        Some(key) => string(key),
        None => {
            Err(parser.mistake(event.at, "an event with :key", "an operation on a key-value store has a key"))
        }
    };
    let mut history = StoreHistory::new();
    for Pair { invoke, call, end } in pairs {
        let asked = key(&invoke)?;
        let input = match invoke.f {
            "get" => text::Input::Get,
            "put" => text::Input::Put(string(&invoke.value)?),
            _ => text::Input::Append(string(&invoke.value)?),
        };
        let outcome = match end {
            None => Outcome::Unknown,
            Some((Event { kind: Kind::Info, .. }, _)) => Outcome::Unknown,
            Some((Event { kind: Kind::Fail, .. }, at)) => Outcome::Failed { at },
            Some((event, at)) => {
                repeats(parser, &event.value, key(&event)? == asked)?;
                let answer = string(&event.value)?;
                let output = match &input {
                    text::Input::Put(value) | text::Input::Append(value) => {
                        repeats(parser, &event.value, answer == *value)?;
                        text::Output::Done
                    }
                    _ => text::Output::Text(answer),
                };
                Outcome::Answered { output, at }
            }
        };
        let input = keyed::Input { key: asked, input };
        let operation = Operation { client: invoke.process, input, call, outcome };
        history.push(operation).map_err(|invalid| too_many(parser, invoke.at, invalid))?;
    }
    Ok(history)
}
