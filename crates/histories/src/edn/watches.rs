//! Reads histories of watchers of one key: what was written, and what each watcher received.
//!
//! Such a history becomes one of a list. A write appends to the list. A watcher may lag, so its log is a read of the
//! list as it was at some time before the watch ended. The list has a linearization exactly if all watchers received
//! the writes in one order that respects real time, with none missing and none twice.

use std::collections::BTreeMap;

use linear::models::list;
use linear::{History, Operation, Outcome};

use super::events::{self, Event, Kind, Pair};
use super::models::{scalar, too_many};
use super::parse::{Form, Node, Parser};
use super::read::indices;
use super::{Indexed, Jepsen};
use crate::error::Scan;
use crate::recorded::{Operations, Recorded, Value};

/// If all logs together have more elements than this, only the last log of each process is kept, which begins with its
/// earlier ones.
const ELEMENTS_MAX: usize = 4_000_000;

/// The error that Jepsen's client reports if events came in the wrong order.
const NONMONOTONIC: &str = "nonmonotonic-watch";

/// Reads a history of watchers.
pub(super) fn read(parser: &Parser<'_>, pairs: Vec<Pair<'_>>) -> Scan<Indexed> {
    // By process: what it has read so far.
    let mut logs: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
    let mut reported = Vec::new();
    // `last` has, by process, the operation that read last.
    let (mut operations, mut numbers, mut last) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut elements = 0;
    for pair in &pairs {
        let process = pair.invoke.process;
        if pair.invoke.f == "write" {
            let element = scalar(parser, &pair.invoke.value)?;
            let outcome = match &pair.end {
                None | Some((Event { kind: Kind::Info, .. }, _)) => Outcome::Unknown,
                Some((Event { kind: Kind::Fail, .. }, at)) => Outcome::Failed { at: *at },
                Some((_, at)) => Outcome::Answered { output: list::Output::Appended, at: *at },
            };
            let input = list::Input::Append(element);
            operations.push(Operation { client: process, input, call: pair.call, outcome });
            numbers.push(indices(pair));
            continue;
        }
        let Some((end, at)) = &pair.end else { continue };
        reported.extend(out_of_order_report(pair, end));
        if end.kind != Kind::Ok {
            continue;
        }
        let log = logs.entry(process).or_default();
        log.extend(log_of(parser, &end.value)?);
        elements += log.len();
        let output = list::Output::Elements(log.clone());
        let outcome = Outcome::Answered { output, at: *at };
        if elements > ELEMENTS_MAX
            && let Some(earlier) = last.get(&process)
        {
            let earlier: &mut Operation<_, _> = &mut operations[*earlier];
            earlier.outcome = Outcome::Unknown;
        }
        last.insert(process, operations.len());
        operations.push(Operation { client: process, input: list::Input::Read, call: 0, outcome });
        numbers.push(indices(pair));
    }
    let at = pairs.first().map_or(0, |pair| pair.invoke.at);
    let history = History::from_operations(operations).map_err(|invalid| too_many(parser, at, invalid))?;
    let history = Jepsen::Recorded(Recorded::List(Operations::Single(history)));
    Ok(Indexed { history, indices: numbers, reported })
}

/// The sentence for a watch whose client reported that events came in the wrong order.
fn out_of_order_report(pair: &Pair<'_>, end: &Event<'_>) -> Option<String> {
    let error = end.error.as_ref()?;
    let kind = match &error.form {
        Form::Sequence(parts) => parts.first().and_then(events::name),
        _ => events::name(error),
    };
    if kind != Some(NONMONOTONIC) {
        return None;
    }
    let index = end.index.map_or(String::new(), |index| format!(" (:index {index})"));
    let process = pair.invoke.process;
    Some(format!(
        "a watch of client {process}{index} ended because events came in the wrong order of their revisions"
    ))
}

/// The `:log` of a watch's answer.
fn log_of(parser: &Parser<'_>, value: &Node<'_>) -> Scan<Vec<Value>> {
    let hint = "a watch answers {:revision 5, :log [1 2]}";
    let Form::Map(fields) = &value.form else {
        return Err(parser.mistake(value.at, "a map with :log", hint));
    };
    let log = fields.iter().find(|(field, _)| events::name(field) == Some("log"));
    match log.map(|(_, log)| log) {
        Some(Node { form: Form::Sequence(items), .. }) => {
            items.iter().map(|item| scalar(parser, item)).collect()
        }
        Some(other) => Err(parser.mistake(other.at, "a vector of what was seen", hint)),
        None => Err(parser.mistake(value.at, "a map with :log", hint)),
    }
}
