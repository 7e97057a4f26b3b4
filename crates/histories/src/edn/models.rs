//! How the values of each model are written.

use std::cell::RefCell;
use std::collections::BTreeSet;

use linear::models::{keyed, queue, register, set, text};
use linear::{Invalid, Operation, Outcome};

use super::events::{Event, Kind, Pair};
use super::parse::{Form, Node, Parser};
use crate::error::{Mistake, Scan};
use crate::recorded::{RegisterValue, StoreHistory, Value};

/// How one of Jepsen's models writes its values, without keys.
pub(super) trait Model {
    type Input;
    type Output;

    fn input(&self, parser: &Parser<'_>, f: &str, key: Option<&Value>, value: &Node<'_>)
    -> Scan<Self::Input>;

    fn output(&self, parser: &Parser<'_>, input: &Self::Input, value: &Node<'_>) -> Scan<Self::Output>;
}

/// A number, a text, or a keyword, which becomes the text `:name`.
pub(super) fn scalar(parser: &Parser<'_>, node: &Node<'_>) -> Scan<Value> {
    match &node.form {
        Form::Integer(number) => Ok(Value::Number(*number)),
        Form::Text(text) => Ok(Value::Text(text.as_ref().into())),
        Form::Keyword(name) => Ok(Value::Text(format!(":{name}").into())),
        _ => Err(parser.mistake(
            node.at,
            "a number, a string or a keyword",
            "this cannot be nil or have parts",
        )),
    }
}

fn held(parser: &Parser<'_>, node: &Node<'_>) -> Scan<RegisterValue> {
    if node.form == Form::Nil {
        Ok(RegisterValue(None))
    } else {
        Ok(RegisterValue(Some(scalar(parser, node)?)))
    }
}

/// Makes sure that an answer repeats the value of the call.
fn repeats(parser: &Parser<'_>, node: &Node<'_>, same: bool) -> Scan<()> {
    if same {
        return Ok(());
    }
    Err(parser.mistake(
        node.at,
        "the value of the call",
        "an :ok repeats the value of its :invoke, except for reads",
    ))
}

pub(super) struct Register;

impl Register {
    fn cas(parser: &Parser<'_>, node: &Node<'_>) -> Scan<register::Input<RegisterValue>> {
        match &node.form {
            Form::Sequence(items) if items.len() == 2 => {
                Ok(register::Input::Cas(held(parser, &items[0])?, held(parser, &items[1])?))
            }
            _ => Err(parser.mistake(node.at, "[old new]", "a compare-and-set has two values")),
        }
    }
}

impl Model for Register {
    type Input = register::Input<RegisterValue>;
    type Output = register::Output<RegisterValue>;

    fn input(&self, parser: &Parser<'_>, f: &str, _: Option<&Value>, value: &Node<'_>) -> Scan<Self::Input> {
        match f {
            "read" => Ok(register::Input::Read),
            "write" => Ok(register::Input::Write(held(parser, value)?)),
            _ => Self::cas(parser, value),
        }
    }

    fn output(&self, parser: &Parser<'_>, input: &Self::Input, value: &Node<'_>) -> Scan<Self::Output> {
        match input {
            register::Input::Read => Ok(register::Output::Value(held(parser, value)?)),
            register::Input::Write(written) => {
                repeats(parser, value, held(parser, value)? == *written)?;
                Ok(register::Output::Written)
            }
            register::Input::Cas(..) => {
                repeats(parser, value, Self::cas(parser, value)? == *input)?;
                Ok(register::Output::Set(true))
            }
        }
    }
}

pub(super) struct Queue;

impl Model for Queue {
    type Input = queue::Input<Value>;
    type Output = queue::Output<Value>;

    fn input(&self, parser: &Parser<'_>, f: &str, _: Option<&Value>, value: &Node<'_>) -> Scan<Self::Input> {
        match f {
            "enqueue" => Ok(queue::Input::Insert(scalar(parser, value)?)),
            _ => Ok(queue::Input::Take),
        }
    }

    fn output(&self, parser: &Parser<'_>, input: &Self::Input, value: &Node<'_>) -> Scan<Self::Output> {
        match input {
            queue::Input::Insert(element) => {
                repeats(parser, value, scalar(parser, value)? == *element)?;
                Ok(queue::Output::Inserted)
            }
            queue::Input::Take => Ok(queue::Output::Taken(held(parser, value)?.0)),
        }
    }
}

/// Jepsen does not record whether an add changed anything. It adds every element once, so each add did. A second
/// add of an element is refused, because either answer could be right.
#[derive(Default)]
pub(super) struct Set {
    added: RefCell<BTreeSet<(Option<Value>, Value)>>,
}

impl Model for Set {
    type Input = set::Input<Value>;
    type Output = set::Output<Value>;

    fn input(
        &self,
        parser: &Parser<'_>,
        f: &str,
        key: Option<&Value>,
        value: &Node<'_>,
    ) -> Scan<Self::Input> {
        if f == "read" {
            return Ok(set::Input::Read);
        }
        let element = scalar(parser, value)?;
        if !self.added.borrow_mut().insert((key.cloned(), element.clone())) {
            let hint = "this format does not record whether a second :add of an element changed anything";
            return Err(parser.mistake(value.at, "an element that was not added before", hint));
        }
        Ok(set::Input::Add(element))
    }

    fn output(&self, parser: &Parser<'_>, input: &Self::Input, value: &Node<'_>) -> Scan<Self::Output> {
        if let set::Input::Add(element) | set::Input::Remove(element) = input {
            repeats(parser, value, scalar(parser, value)? == *element)?;
            return Ok(set::Output::Changed(true));
        }
        let (Form::Sequence(items) | Form::Set(items)) = &value.form else {
            return Err(parser.mistake(value.at, "all elements", "a read of a set answers #{1 2} or [1 2]"));
        };
        let elements = items.iter().map(|item| scalar(parser, item)).collect::<Scan<BTreeSet<Value>>>()?;
        if elements.len() < items.len() {
            return Err(parser.mistake(value.at, "every element once", "a set holds an element once"));
        }
        Ok(set::Output::Elements(elements))
    }
}

/// The mistake of a file whose history `linear` cannot hold.
pub(super) fn too_many(parser: &Parser<'_>, at: usize, invalid: Invalid) -> Box<Mistake> {
    parser.mistake(at, "the end of the file", format!("{invalid}; split the file"))
}

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
