//! Describes operations and their answers in sentences, for reports of violations.

use crate::history::{History, Kind, Operation, Seen};
use crate::verdict::Violation;
use crate::wide::{Answer, Response, Step, Transaction, Wide};

impl Violation {
    /// A sentence for each of the violation's operations: its times, its request and its answer. Pass the history of
    /// the check.
    pub fn explain(&self, history: &History) -> Vec<String> {
        self.operations.iter().filter_map(|number| sentence(history, *number)).collect()
    }
}

/// The sentence about one operation; `None` if there is no operation with this number.
fn sentence(history: &History, number: u32) -> Option<String> {
    let operation = history.operations().get(number as usize)?;
    let Operation { call, returned, revision, .. } = *operation;
    let asked = match history.wide(operation) {
        Some(wide) => several(wide, operation.is_answered()),
        None => on_key(operation),
    };
    if !operation.is_answered() {
        return Some(format!("operation {number}, called at {call} and never answered, {asked}"));
    }
    Some(format!(
        "operation {number}, called at {call} and answered at {returned} with revision {revision}, {asked}"
    ))
}

/// What an operation on one key asks for or does, in words.
fn on_key(operation: &Operation) -> String {
    let Operation { key, value, expected, changed, .. } = *operation;
    let shows = words(operation.seen);
    let is_answered = operation.is_answered();
    match operation.kind {
        Kind::Get => format!("reads key {key} and sees {shows}"),
        Kind::GetSerializable => format!("reads key {key} from one member's own state and sees {shows}"),
        Kind::Put => format!("sets key {key} to {value}"),
        Kind::Delete if is_answered && !changed => format!("finds no key {key} to delete"),
        Kind::Delete => format!("deletes key {key}"),
        Kind::Update if is_answered && !changed => {
            format!("finds that key {key} was not last changed at {expected} and sees {shows}")
        }
        _ => format!("sets key {key} to {value} if it was last changed at {expected}"),
    }
}

/// What an operation on several keys asks for or does, in words.
fn several(wide: &Wide, is_answered: bool) -> String {
    let Wide { request, response, serializable, .. } = wide;
    let way = match (request.compares.len(), response.succeeded) {
        (0, _) => String::new(),
        (count, _) if !is_answered => format!("on {count} conditions "),
        (count, true) => format!("finds that its {count} conditions hold and "),
        (count, false) => format!("finds that its {count} conditions do not all hold and "),
    };
    let whose = if *serializable { ", from one member's own state" } else { "" };
    if !is_answered {
        return format!("{way}asks for {}", list(request.branch(true).iter().map(wish)));
    }
    format!("{way}{}{whose}", done(request, response))
}

/// Joins descriptions of steps.
fn list(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "nothing".to_string() } else { parts.join(", then ") }
}

/// What a step asks for, if there is no answer.
fn wish(step: &Step) -> String {
    match step {
        Step::Range(range) => format!("a read of keys {} to {}", range.keys.from, range.keys.to),
        Step::Put { key, .. } => format!("a put of key {key}"),
        Step::Delete(keys) => format!("a deletion of keys {} to {}", keys.from, keys.to),
        Step::Nested(_) => "a nested transaction".to_string(),
    }
}

/// What the steps of a transaction did, according to its answer.
fn done(request: &Transaction, response: &Response) -> String {
    let steps = request.branch(response.succeeded).iter().zip(&response.answers);
    let parts = steps.map(|(step, answer)| match (step, answer) {
        (Step::Range(range), Answer::Range { pairs, count, .. }) => {
            let at = range.at.map_or(String::new(), |at| format!(" at revision {at}"));
            let count = count.map_or(String::new(), |count| format!(" of {count}"));
            let keys = range.keys;
            format!("sees {}{count} keys from {} to {}{at}", pairs.len(), keys.from, keys.to)
        }
        (Step::Put { key, value: Some(value) }, _) => format!("sets key {key} to {value}"),
        (Step::Put { key, value: None }, _) => format!("sets key {key} to the value it holds"),
        (Step::Delete(keys), Answer::Delete { deleted, .. }) => {
            format!("deletes {deleted} keys from {} to {}", keys.from, keys.to)
        }
        (Step::Nested(request), Answer::Nested(response)) => done(request, response),
        _ => String::new(),
    });
    if response.answers.is_empty() { "does nothing".to_string() } else { list(parts) }
}

/// What a key holds, in words.
pub(crate) fn words(seen: Seen) -> String {
    let Seen { value, modified, created, version } = seen;
    if version == 0 && modified == 0 {
        return "nothing".to_string();
    }
    format!("value {value} (modified {modified}, created {created}, version {version})")
}
