//! Reads a file. Its functions decide the model.

use std::collections::BTreeSet;

use linear::{Operation, Outcome};

use super::events::{Event, Kind, Pair, pairs};
use super::models::{self, Model, scalar};
use super::parse::{Form, Node, Parser};
use super::{Jepsen, Step, Transaction};
use crate::error::{Error, Scan};
use crate::recorded::{Operations, Recorded, RegisterValue, Value};

/// Reads a history. `file` is its name in errors.
///
/// # Errors
///
/// The first mistake in the file.
pub fn read(file: &str, bytes: &[u8]) -> Result<Jepsen, Error> {
    of(bytes).map_err(|mistake| Error::in_file(mistake, file))
}

const HINT: &str = ":read and :write, with :cas; :add and :read; :enqueue and :dequeue; :txn; \
                    or :get, :put and :append";

fn of(bytes: &[u8]) -> Scan<Jepsen> {
    let mut parser = Parser::new(bytes)?;
    let pairs = pairs(&mut parser)?;
    let parser = &parser;
    let functions: BTreeSet<&str> = pairs.iter().map(|pair| pair.invoke.f).collect();
    let only = |known: &[&str]| functions.iter().all(|f| known.contains(f));
    // A file with only reads is of a register, and so is an empty one.
    if only(&["read", "write", "cas"]) {
        let cas = functions.contains("cas");
        let operations = operations(parser, pairs, &models::Register)?;
        return Ok(Jepsen::Recorded(Recorded::Register { cas, initial: RegisterValue(None), operations }));
    }
    if only(&["add", "read"]) {
        let model = models::Set::default();
        return Ok(Jepsen::Recorded(Recorded::Set(operations(parser, pairs, &model)?)));
    }
    if only(&["enqueue", "dequeue"]) {
        return Ok(Jepsen::Recorded(Recorded::Queue(operations(parser, pairs, &models::Queue)?)));
    }
    if only(&["get", "put", "append"]) {
        return Ok(Jepsen::Recorded(Recorded::KeyValue(models::store(parser, pairs)?)));
    }
    if only(&["txn"]) {
        let transactions = pairs.into_iter().map(|pair| transaction(parser, pair));
        return Ok(Jepsen::ListAppend(transactions.collect::<Scan<_>>()?));
    }
    // The first function that differs from the first one.
    let first = pairs[0].invoke.f;
    let odd = pairs.iter().find(|pair| pair.invoke.f != first).unwrap_or(&pairs[0]);
    Err(parser.mistake(odd.invoke.at, "the functions of one model", format!("they are {HINT}")))
}

/// The key and the value of a `[key value]`, if it is one.
fn tuple<'n, 'a>(node: &'n Node<'a>) -> Option<(&'n Node<'a>, &'n Node<'a>)> {
    match &node.form {
        Form::Sequence(items) if items.len() == 2 => Some((&items[0], &items[1])),
        _ => None,
    }
}

fn keyed(event: &Event<'_>) -> bool {
    let Some((_, second)) = tuple(&event.value) else { return false };
    event.f != "cas" || tuple(second).is_some()
}

fn operations<M: Model>(
    parser: &Parser<'_>,
    pairs: Vec<Pair<'_>>,
    model: &M,
) -> Scan<Operations<M::Input, M::Output>> {
    let keyed = pairs.first().is_some_and(|pair| keyed(&pair.invoke));
    let mut operations = Operations::new(keyed);
    for Pair { invoke, call, end } in pairs {
        let split = |event: &Event<'_>| -> Scan<(Option<Value>, usize)> {
            if !keyed {
                return Ok((None, 0));
            }
            let Some((key, _)) = tuple(&event.value) else {
                let hint = "the first value of this file is a [key value], so all are";
                return Err(parser.mistake(event.value.at, "a [key value]", hint));
            };
            Ok((Some(scalar(parser, key)?), 1))
        };
        let (key, part) = split(&invoke)?;
        let input = model.input(parser, invoke.f, key.as_ref(), value(&invoke, part))?;
        let outcome = match end {
            None => Outcome::Unknown,
            Some((Event { kind: Kind::Info, .. }, _)) => Outcome::Unknown,
            Some((Event { kind: Kind::Fail, .. }, at)) => Outcome::Failed { at },
            Some((event, at)) => {
                let (answered, part) = split(&event)?;
                if answered != key {
                    let hint = "an answer has the key of its call";
                    return Err(parser.mistake(event.value.at, "the key of the call", hint));
                }
                Outcome::Answered { output: model.output(parser, &input, value(&event, part))?, at }
            }
        };
        let operation = Operation { client: invoke.process, input, call, outcome };
        operations.push(key, operation).map_err(|invalid| models::too_many(parser, invoke.at, invalid))?;
    }
    Ok(operations)
}

/// The value of an event: all of it for part 0, the second element of its tuple for part 1.
fn value<'n, 'a>(event: &'n Event<'a>, part: usize) -> &'n Node<'a> {
    match (part, tuple(&event.value)) {
        (1, Some((_, value))) => value,
        _ => &event.value,
    }
}

fn transaction(parser: &Parser<'_>, pair: Pair<'_>) -> Scan<Transaction> {
    let Pair { invoke, call, end } = pair;
    let mut called = steps(parser, &invoke.value, false)?;
    let outcome = match end {
        None => Outcome::Unknown,
        Some((Event { kind: Kind::Info, .. }, _)) => Outcome::Unknown,
        Some((Event { kind: Kind::Fail, .. }, at)) => Outcome::Failed { at },
        Some((event, at)) => {
            let answered = steps(parser, &event.value, true)?;
            let same = |(called, answered): (&Step<_, _>, &Step<_, _>)| match (called, answered) {
                (Step::Read(called, _), Step::Read(answered, _)) => called == answered,
                (called, answered) => called == answered,
            };
            if called.len() != answered.len() || !called.iter().zip(&answered).all(same) {
                let hint = "an :ok repeats the transaction and fills in what its reads saw";
                return Err(parser.mistake(event.value.at, "the parts of the call", hint));
            }
            called = answered;
            Outcome::Answered { output: (), at }
        }
    };
    Ok(Transaction { client: invoke.process, call, outcome, steps: called })
}

fn steps(parser: &Parser<'_>, node: &Node<'_>, answered: bool) -> Scan<Vec<Step<Value, Value>>> {
    let hint = "a transaction is [[:append key element] [:r key nil] …]";
    let Form::Sequence(parts) = &node.form else {
        return Err(parser.mistake(node.at, "the parts of a transaction", hint));
    };
    let part = |node: &Node<'_>| {
        let Form::Sequence(items) = &node.form else {
            return Err(parser.mistake(node.at, "a part of a transaction", hint));
        };
        let [Node { form: Form::Keyword(f), .. }, key, value] = &items[..] else {
            return Err(parser.mistake(node.at, "a part of a transaction", hint));
        };
        let key = scalar(parser, key)?;
        match (*f, &value.form) {
            ("append", _) => Ok(Step::Append(key, scalar(parser, value)?)),
            ("r", Form::Nil) => Ok(Step::Read(key, answered.then(Vec::new))),
            ("r", Form::Sequence(items)) if answered => {
                let items = items.iter().map(|item| scalar(parser, item));
                Ok(Step::Read(key, Some(items.collect::<Scan<_>>()?)))
            }
            _ => Err(parser.mistake(value.at, "an :append, or an :r of nil or of what was seen", hint)),
        }
    };
    parts.iter().map(part).collect()
}
