//! Hints: what besides a bug of the system may explain a violation. There are two such explanations. The state before
//! the first operation was not the one assumed, or a write that was reported as failed took effect.

use std::collections::BTreeSet;
use std::time::Duration;

use api::etcdserverpb::response_op;
use api::mvccpb::KeyValue;
use api::{Part, Request, Response};
use histories::{Recorded, RegisterValue};
use linear::models::{register, versioned};
use linear::{Budget, ContainerOp, History, Model, RegisterOp, Violation};
use record::{Operation, Outcome, Record};
use verify::model::FIRST_REVISION;
use verify::{Expectations, describe};

use super::engine::{End, General, Judgement, by_oracles};
use super::file::Content;

/// How many values are tried as the initial one; our choice.
const TRIED_MAX: usize = 3;
/// How many configurations may be searched for each of these values; our choice.
const STEPS_MAX: u64 = 100_000;
/// How many failed writes are named; our choice.
const WRITES_SHOWN: usize = 3;

/// Finds values that operations of the conflict show and that only failed writes wrote. Returns a sentence for each
/// such write.
pub(super) fn failed_writes<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    violation: &Violation,
    cited: &dyn Fn(u32) -> String,
) -> Vec<String> {
    let partition = model.partition(history);
    let components = (0..).zip(partition.components());
    let members = components.filter(|(_, component)| **component as usize == violation.component);
    // By operation of the component: what it wrote, and whether it failed.
    let mut writes: Vec<(u32, M::Value, bool)> = Vec::new();
    for (index, _) in members {
        let operation = history.operation(index);
        if let Some(value) = written(model, &operation.input) {
            writes.push((index, value, operation.failed()));
        }
    }
    if writes.iter().all(|(.., failed)| !failed) {
        return Vec::new();
    }
    let mut sentences = Vec::new();
    for &index in &violation.conflict.operations {
        let operation = history.operation(index);
        let Some(output) = operation.output() else { continue };
        for value in shown(model, &operation.input, output) {
            let of = || writes.iter().filter(|(_, written, _)| *written == value);
            if of().any(|(.., failed)| !failed) {
                continue;
            }
            sentences.extend(of().map(|(write, ..)| {
                let input = model.describe_input(&history.operation(*write).input);
                format!(
                    "{} shows what {}, {input}, wrote, which was reported as failed. If it may have taken effect, its outcome is unknown, not failed.",
                    cited(index),
                    cited(*write),
                )
            }));
        }
    }
    sentences.dedup();
    sentences.truncate(WRITES_SHOWN);
    sentences
}

/// The value that an operation writes, if it writes one.
fn written<M: Model>(model: &M, input: &M::Input) -> Option<M::Value> {
    match model.as_register(input, None) {
        Some(RegisterOp::Write(value) | RegisterOp::Cas { new: value, .. }) => Some(value.into_owned()),
        _ => match model.as_container(input, None) {
            Some(ContainerOp::Insert(element)) => Some(element.into_owned()),
            _ => None,
        },
    }
}

/// The values that an answer shows, each of which some operation must have written.
fn shown<M: Model>(model: &M, input: &M::Input, output: &M::Output) -> Vec<M::Value> {
    match model.as_register(input, Some(output)) {
        Some(RegisterOp::Read(value)) => vec![value.into_owned()],
        Some(RegisterOp::Cas { expected, succeeded: Some(true), .. }) => vec![expected.into_owned()],
        _ => match model.as_container(input, Some(output)) {
            Some(ContainerOp::Take(element) | ContainerOp::Present(element)) => vec![element.into_owned()],
            Some(ContainerOp::Elements(elements)) => {
                elements.into_iter().map(|element| element.into_owned()).collect()
            }
            _ => Vec::new(),
        },
    }
}

/// Tries values that the first answers show as the initial value. If there is no violation with one of them, returns
/// the hint. `left` is the time left.
pub(super) fn initial(
    general: &General<'_>,
    content: &mut Content,
    judged: &Judgement,
    left: Option<Duration>,
) -> Option<String> {
    let tried = candidates(content);
    let before = content.initial()?;
    let steps_max = general.budget.steps_max.min(STEPS_MAX);
    let wall_max = left.map(|left| left / TRIED_MAX as u32);
    let budget = Budget { explain: false, steps_max, wall_max, ..general.budget.clone() };
    let quiet = General { budget: &budget, ..*general };
    for value in tried.into_iter().filter(|value| *value != before).take(TRIED_MAX) {
        content.begin_with(&value);
        let held = quiet.judge(content).verdict == End::Held;
        content.begin_with(&before);
        if held {
            let them = if judged.model == "counter" { "counters show" } else { "registers hold" };
            return Some(format!(
                "if {them} {value:?} at first and not {before:?}, all held: try --initial {value:?}"
            ));
        }
    }
    None
}

/// The values that the first answers show, in the order of their returns.
fn candidates(content: &Content) -> Vec<RegisterValue> {
    let mut seen: Vec<(u64, RegisterValue)> = Vec::new();
    match content {
        Content::Recorded(Recorded::Register { operations, .. }) => {
            each(operations, |at, _, output| match output {
                register::Output::Value(value) => seen.push((at, value.clone())),
                register::Output::Written | register::Output::Set(_) => {}
            });
            each(operations, |at, input, output| {
                if let (register::Input::Cas(expected, _), register::Output::Set(true)) = (input, output) {
                    seen.push((at, expected.clone()));
                }
            });
        }
        Content::Recorded(Recorded::Versioned { operations, .. }) => {
            each(operations, |at, _, output| match output {
                versioned::Output::Value(_, value) => seen.push((at, value.clone())),
                versioned::Output::Updated(_) | versioned::Output::NotEqual => {}
            });
        }
        Content::Recorded(Recorded::Counter { operations, .. }) => {
            each(operations, |at, _, output| match output {
                linear::models::counter::Output::Value(value) => {
                    seen.push((at, RegisterValue(Some(histories::Value::Number(*value)))));
                }
                linear::models::counter::Output::Added => {}
            });
        }
        Content::Registers(transactions, _) => {
            for transaction in transactions {
                let linear::Outcome::Answered { at, .. } = transaction.outcome else { continue };
                seen.extend(transaction.steps.iter().filter_map(|step| match step {
                    linear::cycles::registers::Step::Read(_, Some(value)) => Some((at, value.clone())),
                    _ => None,
                }));
            }
        }
        _ => {}
    }
    seen.sort_by_key(|(at, _)| *at);
    let mut values: Vec<RegisterValue> = Vec::new();
    for (_, value) in seen {
        if values.len() > TRIED_MAX {
            break;
        }
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

fn each<I, O>(operations: &histories::Operations<I, O>, mut with: impl FnMut(u64, &I, &O)) {
    match operations {
        histories::Operations::Single(history) => {
            for operation in history.operations() {
                if let (Some(at), Some(output)) = (operation.returned(), operation.output()) {
                    with(at, &operation.input, output);
                }
            }
        }
        histories::Operations::Keyed(history) => {
            for operation in history.operations() {
                if let (Some(at), Some(output)) = (operation.returned(), operation.output()) {
                    with(at, &operation.input.input, output);
                }
            }
        }
    }
}

/// If the history began at a later revision than a new store has: reports evidence that the store was not empty then,
/// although it is taken for empty. Without such evidence: tries a later revision, and reports whether that leaves fewer
/// violations, or why not.
pub(super) fn start_revision(
    record: &Record,
    expectations: &mut Expectations,
    judged: &Judgement,
) -> Option<String> {
    let begun = expectations.start_revision;
    if let Some(hint) = not_empty(record, begun) {
        return Some(hint);
    }
    let first = first_revision(record).filter(|first| *first > begun)?;
    expectations.start_revision = first;
    let again = by_oracles(record, expectations);
    expectations.start_revision = begun;
    let count = |judged: &Judgement| judged.failure.as_ref().map_or(0, |failure| failure.violations.len());
    match again.verdict {
        End::Violation if count(&again) >= count(judged) => {
            let shown = from_before(record, first).find(|pair| !is_written(record, &pair.key))?;
            Some(format!(
                "the first answers are of revision {first}, and an answer shows {}, which nobody wrote in the file: the store seems to have been in use before the history began. --start-revision {first} would say so, but takes the store for empty at that revision",
                key_of(shown)
            ))
        }
        End::Violation => Some(format!(
            "the first answers are of revision {first}: if the store was in use before the history began, --start-revision {first} leaves fewer violations; it takes the store for empty at that revision"
        )),
        End::Held | End::Undecided => Some(format!(
            "if the store was in use before the history began and was empty at revision {first}, nothing is wrong: try --start-revision {first}"
        )),
    }
}

/// If the history began at a later revision than a new store has, and answers show keys or leases from before that: the
/// hint that these count as violations.
pub(super) fn not_empty(record: &Record, begun: i64) -> Option<String> {
    if begun == FIRST_REVISION {
        return None;
    }
    let shown = match from_before(record, begun).next() {
        Some(pair) => format!("an answer shows {}", key_of(pair)),
        None => {
            let (number, lease) = foreign_lease(record)?;
            format!("#{number} uses lease {lease}, which nobody granted in the file")
        }
    };
    Some(format!(
        "--start-revision {begun} takes the store for empty at revision {begun}, without keys and leases, but {shown}. If that was there before the history began, the violation is not the system's fault: record histories from an empty store"
    ))
}

/// The pairs in answers that were written, or whose key was created, by this revision.
fn from_before(record: &Record, revision: i64) -> impl Iterator<Item = &KeyValue> {
    let answers = record.history.operations.iter().filter_map(Operation::response);
    // A number below 0 means that the recorder did not keep it.
    let is_before = move |at: i64| (1..=revision).contains(&at);
    answers
        .flat_map(Response::pairs)
        .filter(move |pair| is_before(pair.mod_revision) || is_before(pair.create_revision))
}

fn key_of(pair: &KeyValue) -> String {
    let key = describe::key(&pair.key);
    match pair.create_revision {
        created @ 1.. => format!("the key {key}, created at revision {created}"),
        _ => format!("the key {key}, written at revision {}", pair.mod_revision),
    }
}

/// Whether an operation puts the key, or tries to.
fn is_written(record: &Record, key: &[u8]) -> bool {
    let mut parts = record.history.operations.iter().flat_map(|operation| operation.request.parts());
    parts.any(|part| matches!(part, Part::Put(put) if &put.key[..] == key))
}

/// An answered operation that puts a key with a lease that no client asked for, and that lease.
fn foreign_lease(record: &Record) -> Option<(usize, i64)> {
    let operations = &record.history.operations;
    let granted: BTreeSet<i64> = operations
        .iter()
        .flat_map(|operation| match (&operation.request, operation.response()) {
            (Request::LeaseGrant(asked), Some(Response::LeaseGrant(answer))) => [asked.id, answer.id],
            (Request::LeaseGrant(asked), _) => [asked.id; 2],
            _ => [0; 2],
        })
        .collect();
    let leases = |operation: &Operation| -> Vec<i64> {
        let put = |part: Part<'_>| match part {
            Part::Put(put) => Some(put.lease),
            _ => None,
        };
        operation.request.parts().filter_map(put).collect()
    };
    let answered = operations.iter().enumerate().filter(|(_, operation)| operation.response().is_some());
    let mut used = answered
        .flat_map(|(number, operation)| leases(operation).into_iter().map(move |lease| (number, lease)));
    used.find(|(_, lease)| *lease != 0 && !granted.contains(lease))
}

/// The revision of the store before the first operation, as far as answers show it.
fn first_revision(record: &Record) -> Option<i64> {
    let revisions = record.history.operations.iter().filter_map(|operation| {
        let Outcome::Answer { response, .. } = &operation.outcome else { return None };
        // A write made its own revision.
        Some(response.header()?.revision - i64::from(is_write(response)))
    });
    revisions.filter(|revision| *revision > 0).min()
}

fn is_write(response: &Response) -> bool {
    match response {
        Response::Put(_) => true,
        Response::DeleteRange(deleted) => deleted.deleted > 0,
        Response::Txn(txn) => txn.responses.iter().any(|part| match &part.response {
            Some(response_op::Response::ResponsePut(_)) => true,
            Some(response_op::Response::ResponseDeleteRange(deleted)) => deleted.deleted > 0,
            _ => false,
        }),
        _ => false,
    }
}
