//! V3: while faults last, the cluster answers some client at least once in each stretch of time as long as the bound
//! that the scenario names.
//!
//! An answer counts if a quorum was needed for it. Errors and serializable reads do not count, because one member
//! alone gives them. A time without answers is a violation only if a client asked for something within the bound.
//!
//! Not checked: which client is answered. A client that is cut off by faults may wait.

use api::Request;
use record::{Nanos, Operation, Outcome};

use crate::describe;
use crate::k1::place::{is_local, is_write};
use crate::{Context, Oracle, Sheet, Violation};

/// Judges a record by V3.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let record = context.record;
    let (Some(bound), Some((first, _))) = (context.expectations.progress, record.strikes.first()) else {
        return;
    };
    let operations = &record.history.operations;
    let mut answers: Vec<Nanos> = operations.iter().filter_map(answered_by_a_quorum).collect();
    answers.sort_unstable();
    // The end of the chaos phase counts as an answer.
    answers.push(record.healed);
    sheet.checked(Oracle::V3, "answers while faults lasted", answers.len() - 1);
    let mut calls: Vec<Nanos> =
        operations.iter().filter(|one| needs_a_quorum(one)).map(|one| one.call).collect();
    calls.sort_unstable();
    let mut since = *first;
    for answer in answers.into_iter().filter(|answer| *answer >= *first && *answer <= record.healed) {
        let asked = calls[calls.partition_point(|call| *call < since)..].first();
        if answer - since > bound && asked.is_some_and(|call| *call <= since + bound && *call < answer) {
            sheet.add(stretch(since, answer, bound, record.strikes.iter().rfind(|(time, _)| *time <= since)));
            return;
        }
        since = answer;
    }
}

/// The violation for a time without answers.
fn stretch(since: Nanos, until: Nanos, bound: Nanos, last: Option<&(Nanos, &'static str)>) -> Violation {
    let time = describe::time;
    let violation =
        Violation::new(Oracle::V3, since + bound, "no client was answered for too long").say(format!(
            "From {} to {} nobody was answered, {} long; the scenario allows {}.",
            time(since),
            time(until),
            time(until - since),
            time(bound),
        ));
    match last {
        Some((at, fault)) => {
            violation.say(format!("The last fault before that was `{fault}`, at {}.", time(*at)))
        }
        None => violation,
    }
}

/// When the operation was answered, if the answer needed a quorum.
fn answered_by_a_quorum(operation: &Operation) -> Option<Nanos> {
    match operation.outcome {
        Outcome::Answer { at, .. } if needs_a_quorum(operation) => Some(at),
        _ => None,
    }
}

/// Whether an answer needs a quorum: a write or a linearizable read.
fn needs_a_quorum(operation: &Operation) -> bool {
    let request = &operation.request;
    is_write(request) || matches!(request, Request::Range(_) | Request::Txn(_)) && !is_local(request)
}
