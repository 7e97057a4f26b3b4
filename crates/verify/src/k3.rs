//! K3: a read at a revision returns that revision; a compacted or future revision gives the exact error.
//!
//! Three places report under K3. K1's replay compares what a read at a revision returns. K1's graph of errors and
//! compactions (`k1/loose.rs`) checks for linearizable reads whether the revision was compacted, and checks the
//! answers to Compact. This file checks the errors of serializable reads, which a member gives by its own state.
//!
//! Not checked: a serializable read at a revision that its member should have compacted by then, because the member
//! may lag; which branch a refused serializable transaction would have run (its reads at a revision count in both
//! branches); without the times of restarts, whether a revision was in the future for a member.

use std::collections::BTreeMap;

use api::etcdserverpb::RequestOp;
use api::etcdserverpb::request_op::Request as Op;
use api::{Error, Request};
use record::{Applied, History, Nanos, Operation, Outcome};

use crate::k1::place::is_local;
use crate::k2::{newest_before, store_position};
use crate::{Context, Missing, Oracle, Sheet, Violation, definite, describe, model};

/// Whether the request reads at a revision that it names.
pub fn reads_the_past(request: &Request) -> bool {
    matches!(request, Request::Range(range) if range.revision > 0)
}

/// Judges a record by K3. What K1's replay and graph find is in K1's report.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let (history, applied, starts) = (context.history(), context.applied(), context.starts());
    let closed = context.is_closed();
    let mut reads = 0;
    let compactions = closed.then(|| compactions(history, applied));
    let mut known = BTreeMap::new();
    if !starts.is_empty() && history.operations.iter().any(is_refused) {
        known.extend(newest_before(history, starts));
    }
    for (number, operation) in history.operations.iter().enumerate() {
        let past = reads_the_past(&operation.request) || is_refused(operation);
        reads += usize::from(past && operation.returned().is_some());
        if is_refused(operation)
            && let Some(reason) = against(history, number, compactions.as_deref(), &known)
        {
            let title = "a serializable read was refused without a reason";
            let line = describe::operation(operation);
            let violation = Violation::new(Oracle::K3, operation.call, title)
                .say(format!("It was refused: {line}."))
                .say(reason)
                .shown_by([number]);
            sheet.add(violation);
        }
    }
    sheet.checked(Oracle::K3, "reads at a revision", reads);
    let ahead = |operation: &&Operation| {
        is_refused(operation) && matches!(operation.outcome, Outcome::Error { error: Error::FutureRev, .. })
    };
    if starts.is_empty() {
        let refused = history.operations.iter().filter(ahead).count();
        let what = "serializable reads that were refused because their revision was in the future";
        sheet.not_judged(Oracle::K3, what, refused, Missing::Starts);
    }
}

/// A serializable read with an error that the model can judge.
fn is_refused(operation: &Operation) -> bool {
    is_local(&operation.request)
        && matches!(operation.outcome, Outcome::Error { error, .. } if definite::is_modelled(error))
}

/// The compactions that were not refused: when they were called, and to which revision. The time of one that a member
/// proposed itself is that of the first member to apply it.
pub(crate) fn compactions(history: &History, applied: &[Applied]) -> Vec<(Nanos, i64)> {
    let refused = |operation: &Operation| matches!(operation.outcome, Outcome::Error { error, .. } if definite::is_definite(error));
    let compaction = |operation: &Operation| match &operation.request {
        Request::Compact(compact) if !refused(operation) => Some((operation.call, compact.revision)),
        _ => None,
    };
    let own = |entry: &Applied| match entry.internal.as_deref() {
        Some(Request::Compact(compact)) if entry.operation.is_none() => Some((entry.time, compact.revision)),
        _ => None,
    };
    history.operations.iter().filter_map(compaction).chain(applied.iter().filter_map(own)).collect()
}

/// Why the error of a serializable read is wrong, if it is. `compactions` are all that can have happened, if that is
/// known. `known` has, for each operation, the earlier answer of the same process with the newest revision.
fn against(
    history: &History,
    number: usize,
    compactions: Option<&[(Nanos, i64)]>,
    known: &BTreeMap<usize, usize>,
) -> Option<String> {
    let operation = &history.operations[number];
    let Outcome::Error { at, error } = &operation.outcome else { return None };
    match (model::check(&operation.request), *error, revisions(&operation.request)) {
        (Err(expected), error, _) if expected == error => None,
        (Err(expected), ..) => Some(format!("etcd answers such a request with \"{expected}\".")),
        (Ok(()), Error::Compacted, Some((oldest, _))) => {
            let explains = |(call, to): &(Nanos, i64)| call <= at && *to > oldest;
            // Revisions below -1 count as compacted from the beginning.
            let asked_for = oldest < -1 || compactions.is_none_or(|all| all.iter().any(explains));
            (!asked_for)
                .then(|| format!("No compaction beyond revision {oldest} had been asked for by then."))
        }
        // A streamed range stays at the revision of its first chunk, which may be compacted before the last one.
        (Ok(()), Error::Compacted, None) if operation.streamed => {
            let asked_for = compactions.is_none_or(|all| all.iter().any(|(call, _)| call <= at));
            (!asked_for).then(|| "No compaction had been asked for by then.".to_string())
        }
        (Ok(()), Error::FutureRev, Some((_, newest))) => {
            let known = &history.operations[*known.get(&number)?];
            let seen = store_position(known)?.revision() >= newest;
            seen.then(|| {
                format!("Its member had shown that revision before: {}.", describe::operation(known))
            })
        }
        (Ok(()), ..) => Some("There is no reason for that error.".to_string()),
    }
}

/// The oldest and the newest revision that the request reads at. A Range on its own treats a negative revision as
/// none; a Range in a transaction does not.
fn revisions(request: &Request) -> Option<(i64, i64)> {
    let asked: Vec<i64> = match request {
        Request::Range(range) => Some(range.revision).filter(|revision| *revision > 0).into_iter().collect(),
        Request::Txn(txn) => {
            let of_op = |op: &RequestOp| match &op.request {
                Some(Op::RequestRange(range)) if range.revision != 0 => Some(range.revision),
                _ => None,
            };
            txn.success.iter().chain(&txn.failure).filter_map(of_op).collect()
        }
        _ => return None,
    };
    Some((*asked.iter().min()?, *asked.iter().max()?))
}
