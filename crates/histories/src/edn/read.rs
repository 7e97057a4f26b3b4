//! Reads a Jepsen history in any syntax. The functions (`:f`) in the file decide the model.

use std::collections::BTreeSet;

use linear::{Operation, Outcome};

use super::events::{self, Event, Kind, Pair};
use super::models::{self, Model, scalar};
use super::parse::{Form, Node, Parser};
use super::{Indexed, Indices, Jepsen, Syntax, drains, json, lines, store, transactions, watches};
use crate::error::{CUT_FILE, Error, Scan};
use crate::recorded::{Operations, Recorded, RegisterValue, Value};

/// Reads a history in EDN. `file` is its name in errors.
///
/// # Errors
///
/// The first mistake in the file.
pub fn read(file: &str, bytes: &[u8]) -> Result<Jepsen, Error> {
    Ok(read_as(file, bytes, Syntax::Edn)?.history)
}

/// Reads a history in any syntax, with Jepsen's numbers of its operations. `file` is its name in errors.
///
/// # Errors
///
/// The first mistake in the file.
pub fn read_as(file: &str, bytes: &[u8], syntax: Syntax) -> Result<Indexed, Error> {
    let read = || {
        let mut parser = Parser::new(bytes)?;
        of(&mut parser, syntax).map_err(|mut mistake| {
            if syntax != Syntax::Lines && parser.is_cut_at(&mistake) {
                mistake.hint = CUT_FILE.to_owned();
            }
            mistake
        })
    };
    read().map_err(|mistake| Error::in_file(mistake, file))
}

/// The functions of all models.
const KNOWN: [&str; 16] = [
    "read",
    "write",
    "cas",
    "add",
    "enqueue",
    "dequeue",
    "drain",
    "acquire",
    "release",
    "transfer",
    "watch",
    "final-watch",
    "txn",
    "get",
    "put",
    "append",
];

/// Which functions belong together, for messages.
const HINT: &str = ":read and :write, with :cas, :watch or :final-watch; :add and :read; :transfer and :read; \
                    :enqueue, :dequeue and :drain; :acquire and :release; :txn; or :get, :put and :append";

/// Reads all events, and finds the model by their functions.
fn of(parser: &mut Parser<'_>, syntax: Syntax) -> Scan<Indexed> {
    let pairs = match syntax {
        Syntax::Edn => events::of_edn(parser)?,
        Syntax::Json => json::of_json(parser)?,
        Syntax::Lines => lines::of_lines(parser)?,
    };
    let parser = &*parser;
    let functions: BTreeSet<&str> = pairs.iter().map(|pair| pair.invoke.f).collect();
    let only = |known: &[&str]| functions.iter().all(|f| known.contains(f));
    // A file with only reads is a bank's history if the answers are balances, otherwise a register's. An empty file is
    // a register's.
    if only(&["read"]) && shows_balances(&pairs) {
        let (operations, indices) = operations(parser, pairs, &models::Bank)?;
        return Ok(indexed(Recorded::Bank(operations), indices));
    }
    if only(&["read", "write", "cas"]) {
        return registers(parser, pairs, functions.contains("cas"));
    }
    if only(&["add", "read"]) {
        return if is_counter(&pairs) {
            let (operations, indices) = operations(parser, pairs, &models::Counter)?;
            Ok(indexed(Recorded::Counter { initial: 0, operations }, indices))
        } else {
            let (operations, indices) = operations(parser, pairs, &models::Set::default())?;
            Ok(indexed(Recorded::Set(operations), indices))
        };
    }
    if only(&["enqueue", "dequeue", "drain"]) {
        let pairs = drains::expanded(parser, pairs)?;
        let (operations, indices) = operations(parser, pairs, &models::Queue)?;
        return Ok(indexed(Recorded::Queue(operations), indices));
    }
    if only(&["acquire", "release"]) {
        let lock = models::Lock { owned: models::owned(&pairs) };
        let (operations, indices) = operations(parser, pairs, &lock)?;
        return Ok(indexed(Recorded::Lock(operations), indices));
    }
    if only(&["transfer", "read"]) {
        let (operations, indices) = operations(parser, pairs, &models::Bank)?;
        return Ok(indexed(Recorded::Bank(operations), indices));
    }
    if only(&["write", "watch", "final-watch"]) {
        return watches::read(parser, pairs);
    }
    if only(&["get", "put", "append"]) {
        let indices = pairs.iter().map(indices).collect();
        return Ok(indexed(Recorded::KeyValue(store::store(parser, pairs)?), indices));
    }
    if only(&["txn"]) {
        let indices = pairs.iter().map(indices).collect();
        let history = transactions::read(parser, pairs)?;
        return Ok(Indexed { history, indices, reported: Vec::new() });
    }
    // A function that no model has or, failing that, the first one that differs from `first`.
    let first = pairs[0].invoke.f;
    let unknown = pairs.iter().find(|pair| !KNOWN.contains(&pair.invoke.f));
    let odd = unknown.or_else(|| pairs.iter().find(|pair| pair.invoke.f != first)).unwrap_or(&pairs[0]);
    let expected = match unknown {
        Some(odd) => format!("a function that some model has, not :{}", odd.invoke.f),
        None => format!("the functions of one model, not :{first} and :{}", odd.invoke.f),
    };
    Err(parser.mistake(odd.invoke.at, expected, format!("they are {HINT}")))
}

/// A history of one of `linear`'s models, without problems that clients reported.
fn indexed(recorded: Recorded, indices: Vec<Indices>) -> Indexed {
    Indexed { history: Jepsen::Recorded(recorded), indices, reported: Vec::new() }
}

/// The `:index` of a pair's events.
pub(super) fn indices(pair: &Pair<'_>) -> Indices {
    let end = pair.end.as_ref().and_then(|(end, _)| end.index);
    Indices { invoke: pair.invoke.index, end }
}

/// Reads a history of registers, with versions if the first value has one.
fn registers(parser: &Parser<'_>, pairs: Vec<Pair<'_>>, cas: bool) -> Scan<Indexed> {
    let initial = RegisterValue(None);
    if pairs.first().is_some_and(|pair| models::is_versioned(&pair.invoke)) {
        let (operations, indices) = operations(parser, pairs, &models::Versioned)?;
        return Ok(indexed(Recorded::Versioned { initial, operations }, indices));
    }
    let (operations, indices) = operations(parser, pairs, &models::Register)?;
    Ok(indexed(Recorded::Register { cas, initial, operations }, indices))
}

/// Whether a read was answered with a map, as those of a bank are.
fn shows_balances(pairs: &[Pair<'_>]) -> bool {
    let part = usize::from(pairs.first().is_some_and(|pair| keyed(&pair.invoke)));
    let ends = pairs.iter().filter_map(|pair| pair.end.as_ref());
    let mut answers = ends.filter(|(event, _)| event.kind == Kind::Ok);
    answers.any(|(event, _)| matches!(value(event, part).form, Form::Map(_)))
}

/// Whether additions and reads are those of a counter: a read was answered with a number.
///
/// If no read was answered, there is nothing to judge. The history then counts as a counter's only if a number is added
/// twice, because a set takes each element only once.
fn is_counter(pairs: &[Pair<'_>]) -> bool {
    let part = usize::from(pairs.first().is_some_and(|pair| keyed(&pair.invoke)));
    let ends = pairs.iter().filter_map(|pair| pair.end.as_ref());
    let mut reads = ends.filter(|(event, _)| event.f == "read" && event.kind == Kind::Ok);
    if let Some((event, _)) = reads.find(|(event, _)| value(event, part).form != Form::Nil) {
        return matches!(value(event, part).form, Form::Integer(_));
    }
    let mut added = BTreeSet::new();
    let mut adds = pairs.iter().filter(|pair| pair.invoke.f == "add" && part == 0);
    adds.any(|pair| match pair.invoke.value.form {
        Form::Integer(number) => !added.insert(number),
        _ => false,
    })
}

/// The key and the value of a `[key value]`, if it is one.
pub(super) fn tuple<'n, 'a>(node: &'n Node<'a>) -> Option<(&'n Node<'a>, &'n Node<'a>)> {
    match &node.form {
        Form::Sequence(items) if items.len() == 2 => Some((&items[0], &items[1])),
        _ => None,
    }
}

/// Whether the value of an event is a `[key value]`.
fn keyed(event: &Event<'_>) -> bool {
    if models::is_versioned(event) {
        return models::versioned_key(event).is_some();
    }
    let Some((_, second)) = tuple(&event.value) else { return false };
    event.f != "cas" || tuple(second).is_some()
}

/// The operations, and for each the `:index` of its events.
type Read<M> = (Operations<<M as Model>::Input, <M as Model>::Output>, Vec<Indices>);

/// Reads the operations of a model. The first one decides whether all have keys.
fn operations<M: Model>(parser: &Parser<'_>, pairs: Vec<Pair<'_>>, model: &M) -> Scan<Read<M>> {
    let keyed = pairs.first().is_some_and(|pair| keyed(&pair.invoke));
    let mut operations = Operations::new(keyed);
    let mut numbers = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let number = indices(&pair);
        let Pair { invoke, call, end } = pair;
        // The key of an event, and the `part` for which the function `value` returns its value without the key.
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
        let input = model.input(parser, &invoke, key.as_ref(), value(&invoke, part))?;
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
        numbers.push(number);
    }
    Ok((operations, numbers))
}

/// The value of an event: all of it for part 0, the second element of its tuple for part 1.
fn value<'n, 'a>(event: &'n Event<'a>, part: usize) -> &'n Node<'a> {
    match (part, tuple(&event.value)) {
        (1, Some((_, value))) => value,
        _ => &event.value,
    }
}
