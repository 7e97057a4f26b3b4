//! Reads transactions on lists or on registers.

use linear::Outcome;
use linear::cycles::registers;

use super::events::{self, Event, Kind, Pair};
use super::models::{held, scalar};
use super::parse::{Form, Node, Parser};
use super::{Jepsen, RegisterTransaction, Step, Transaction};
use crate::error::Scan;
use crate::recorded::Value;

/// How transactions are written, for messages.
const HINT: &str =
    "a transaction is [[:append key element] [:r key nil] …], or [[:w key value] [:r key nil] …]";

/// Reads a history of transactions.
pub(super) fn read(parser: &Parser<'_>, pairs: Vec<Pair<'_>>) -> Scan<Jepsen> {
    if on_registers(&pairs) {
        let transactions = pairs.into_iter().map(|pair| on_register(parser, pair));
        Ok(Jepsen::Registers(transactions.collect::<Scan<_>>()?))
    } else {
        let transactions = pairs.into_iter().map(|pair| on_list(parser, pair));
        Ok(Jepsen::ListAppend(transactions.collect::<Scan<_>>()?))
    }
}

/// Whether the first write is one of a register. If there is no write, the answer of the first read decides.
fn on_registers(pairs: &[Pair<'_>]) -> bool {
    // Of each part: its function, and whether its value is one of a register.
    let parts = |event: &Event<'_>| -> Vec<(Option<String>, bool)> {
        let Form::Sequence(parts) = &event.value.form else { return Vec::new() };
        let one = |part: &Node<'_>| match &part.form {
            Form::Sequence(items) => {
                let seen = items.get(2).map(|value| &value.form);
                let scalar = !matches!(seen, None | Some(Form::Nil | Form::Sequence(_)));
                (items.first().and_then(events::name).map(str::to_owned), scalar)
            }
            _ => (None, false),
        };
        parts.iter().map(one).collect()
    };
    let called = pairs.iter().flat_map(|pair| parts(&pair.invoke));
    let write = called.filter_map(|(f, _)| f).find(|f| f == "w" || f == "append");
    match write {
        Some(f) => f == "w",
        None => {
            let ends = pairs.iter().filter_map(|pair| pair.end.as_ref());
            ends.flat_map(|(end, _)| parts(end)).any(|(_, scalar)| scalar)
        }
    }
}

/// A transaction on lists. Reads in call and answer count as the same if they have the same key.
fn on_list(parser: &Parser<'_>, pair: Pair<'_>) -> Scan<Transaction> {
    let same = |called: &Step<Value, Value>, answered: &Step<Value, Value>| match (called, answered) {
        (Step::Read(called, _), Step::Read(answered, _)) => called == answered,
        (called, answered) => called == answered,
    };
    let (outcome, steps) = outcome(parser, &pair, list_step, same)?;
    Ok(Transaction { client: pair.invoke.process, call: pair.call, outcome, steps })
}

/// A transaction on registers. Reads are compared as in [`on_list`].
fn on_register(parser: &Parser<'_>, pair: Pair<'_>) -> Scan<RegisterTransaction> {
    let same = |called: &registers::Step<_, _>, answered: &registers::Step<_, _>| match (called, answered) {
        (registers::Step::Read(called, _), registers::Step::Read(answered, _)) => called == answered,
        (called, answered) => called == answered,
    };
    let (outcome, steps) = outcome(parser, &pair, register_step, same)?;
    Ok(RegisterTransaction { client: pair.invoke.process, call: pair.call, outcome, steps })
}

/// How a transaction ended, and its steps as far as they are known.
fn outcome<S>(
    parser: &Parser<'_>,
    pair: &Pair<'_>,
    step: impl Fn(&Parser<'_>, &Node<'_>, bool) -> Scan<S>,
    same: impl Fn(&S, &S) -> bool,
) -> Scan<(Outcome<()>, Vec<S>)> {
    let called = steps(parser, &pair.invoke.value, |node| step(parser, node, false))?;
    match &pair.end {
        None | Some((Event { kind: Kind::Info, .. }, _)) => Ok((Outcome::Unknown, called)),
        Some((Event { kind: Kind::Fail, .. }, at)) => Ok((Outcome::Failed { at: *at }, called)),
        Some((event, at)) => {
            let answered = steps(parser, &event.value, |node| step(parser, node, true))?;
            if called.len() != answered.len()
                || !called.iter().zip(&answered).all(|(one, other)| same(one, other))
            {
                let hint = "an :ok repeats the transaction and fills in what its reads saw";
                return Err(parser.mistake(event.value.at, "the parts of the call", hint));
            }
            Ok((Outcome::Answered { output: (), at: *at }, answered))
        }
    }
}

/// The steps of a transaction, which `step` reads one by one.
fn steps<S>(parser: &Parser<'_>, node: &Node<'_>, step: impl Fn(&Node<'_>) -> Scan<S>) -> Scan<Vec<S>> {
    match &node.form {
        Form::Sequence(parts) => parts.iter().map(step).collect(),
        _ => Err(parser.mistake(node.at, "the parts of a transaction", HINT)),
    }
}

/// The function, the key and the value of a part.
fn part<'n, 'a>(parser: &Parser<'_>, node: &'n Node<'a>) -> Scan<(&'n str, Value, &'n Node<'a>)> {
    if let Form::Sequence(items) = &node.form
        && let [f, key, value] = &items[..]
        && let Some(f) = events::name(f)
    {
        return Ok((f, scalar(parser, key)?, value));
    }
    Err(parser.mistake(node.at, "a part of a transaction", HINT))
}

/// A step on a list. `answered` says whether it is from the answer, where reads have values.
fn list_step(parser: &Parser<'_>, node: &Node<'_>, answered: bool) -> Scan<Step<Value, Value>> {
    let (f, key, value) = part(parser, node)?;
    match (f, &value.form) {
        ("append", _) => Ok(Step::Append(key, scalar(parser, value)?)),
        ("r", Form::Nil) => Ok(Step::Read(key, answered.then(Vec::new))),
        ("r", Form::Sequence(items)) if answered => {
            let items = items.iter().map(|item| scalar(parser, item));
            Ok(Step::Read(key, Some(items.collect::<Scan<_>>()?)))
        }
        // In the histories of some clients, the call has the values that the answer returned.
        ("r", Form::Sequence(_)) => Ok(Step::Read(key, None)),
        _ => Err(parser.mistake(value.at, "an :append, or an :r of nil or of what was seen", HINT)),
    }
}

/// A step on a register. `answered` is as in [`list_step`].
fn register_step(
    parser: &Parser<'_>,
    node: &Node<'_>,
    answered: bool,
) -> Scan<registers::Step<Value, crate::RegisterValue>> {
    let (f, key, value) = part(parser, node)?;
    match f {
        "w" => Ok(registers::Step::Write(key, held(parser, value)?)),
        "r" => {
            let seen = held(parser, value)?;
            Ok(registers::Step::Read(key, answered.then_some(seen)))
        }
        _ => Err(parser.mistake(node.at, "a :w, or an :r of nil or of what was seen", HINT)),
    }
}
