//! K3: a read at a revision returns that revision; a compacted or future revision gives the exact error.
//!
//! What a read at a revision returns is compared in K1's replay; whether a linearizable one could still be answered,
//! or had to be refused, is found in K1's graph of errors and compactions (`k1/loose.rs`), together with the answers
//! of Compact. Both name K3 as the oracle. Here are the errors of serializable reads, which a member gives by its own
//! state.
//!
//! Not checked: a serializable read at a revision that its member should have compacted by then (it may lag); errors
//! of serializable transactions; without the times of restarts, whether a revision was the future for a member.

use std::collections::BTreeMap;

use api::{Error, Request};
use record::{History, MemberId, Nanos, Operation, Outcome};

use crate::k2::{newest_before, shown};
use crate::{Oracle, Severity, Violation, definite, describe, model};

/// Whether it reads at a revision of its own choice.
pub fn reads_the_past(request: &Request) -> bool {
    matches!(request, Request::Range(range) if range.revision > 0)
}

/// What was found.
#[derive(Debug, Default)]
pub struct Finding {
    /// What does not hold.
    pub violations: Vec<Violation>,
    /// How many reads at a revision were answered or refused because of it.
    pub reads: usize,
}

/// Checks a history; `starts` as for K2.
pub fn check(history: &History, starts: &[(MemberId, Nanos)]) -> Finding {
    let mut finding = Finding::default();
    let compactions = compactions(history);
    let mut known = BTreeMap::new();
    if !starts.is_empty() && history.operations.iter().any(is_refused) {
        known.extend(newest_before(history, starts));
    }
    for (number, operation) in history.operations.iter().enumerate() {
        let past = reads_the_past(&operation.request);
        finding.reads += usize::from(past && operation.returned().is_some());
        if is_refused(operation)
            && let Some(reason) = against(history, number, &compactions, &known)
        {
            let title = "a serializable read was refused without a reason";
            let line = describe::operation(operation);
            let violation = Violation::new(Oracle::K3, Severity::Wrong, operation.call, title)
                .say(format!("It was refused: {line}."))
                .say(reason)
                .shown_by([number]);
            finding.violations.push(violation);
        }
    }
    finding
}

/// A serializable range with an error that the model can tell something of.
fn is_refused(operation: &Operation) -> bool {
    let range = matches!(&operation.request, Request::Range(range) if range.serializable);
    range && matches!(operation.outcome, Outcome::Error { error, .. } if definite::is_modelled(error))
}

/// The compactions that were not refused: when they were called, and to which revision.
fn compactions(history: &History) -> Vec<(Nanos, i64)> {
    let refused = |operation: &Operation| matches!(operation.outcome, Outcome::Error { error, .. } if definite::is_definite(error));
    let compaction = |operation: &Operation| match &operation.request {
        Request::Compact(compact) if !refused(operation) => Some((operation.call, compact.revision)),
        _ => None,
    };
    history.operations.iter().filter_map(compaction).collect()
}

/// What speaks against the error of a serializable read; `known` has for each the newest earlier answer of its
/// process.
fn against(
    history: &History,
    number: usize,
    compactions: &[(Nanos, i64)],
    known: &BTreeMap<usize, usize>,
) -> Option<String> {
    let operation = &history.operations[number];
    let (Request::Range(range), Outcome::Error { at, error }) = (&operation.request, &operation.outcome)
    else {
        return None;
    };
    match (model::check(&operation.request), *error) {
        (Err(expected), error) if expected == error => None,
        (Err(expected), _) => Some(format!("etcd answers such a request with \"{expected}\".")),
        (Ok(()), Error::Compacted) if range.revision > 0 => {
            let explains = |(call, to): &(Nanos, i64)| call <= at && *to > range.revision;
            let asked_for = compactions.iter().any(explains);
            (!asked_for).then(|| {
                format!("No compaction beyond revision {} had been asked for by then.", range.revision)
            })
        }
        (Ok(()), Error::FutureRev) if range.revision > 0 => {
            let known = &history.operations[*known.get(&number)?];
            let seen = shown(known)?.revision() >= range.revision;
            seen.then(|| {
                format!("Its member had shown that revision before: {}.", describe::operation(known))
            })
        }
        (Ok(()), _) => Some("There is no reason for that error.".to_string()),
    }
}
