//! The part of I8 that clients can see: at one revision, the answers to HashKV of all members that had compacted up
//! to the same revision are equal, during the run and at its end. A wrong error of HashKV is a violation of K3.
//!
//! An answer is about the revision that it names (`hash_revision`); if it names none, about the one in the request; if
//! there is none, about the one in its header. A negative revision counts as a revision of its own, at which there is
//! nothing.
//!
//! Not checked: that the hash is that of the keys (there is nothing to compute it from); answers of members that had
//! compacted up to different revisions; without the times of restarts, whether a revision was in the future for a
//! member.

use std::collections::BTreeMap;

use api::{Error, Request, Response};
use record::{Applied, History, MemberId, Nanos, Operation, Outcome};

use crate::k3::compactions;
use crate::{Context, Oracle, Severity, Sheet, Violation, answer, describe, k2};

/// Judges a record by what clients see of I8.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let history = context.history();
    let (mut hashes, mut compared) = (0, 0);
    if history.operations.iter().any(|operation| matches!(operation.request, Request::HashKv(_))) {
        (hashes, compared) = equal(history, sheet);
        refused(history, context.applied(), context.starts(), sheet);
    }
    sheet.checked(Oracle::I8, "hashes of keys that clients saw", hashes);
    sheet.checked(Oracle::I8, "of these compared with another", compared);
}

/// Compares the hashes. Returns how many there are, and how many of them were compared with another.
fn equal(history: &History, sheet: &mut Sheet) -> (usize, usize) {
    let (mut hashes, mut compared) = (0, 0);
    let mut first: BTreeMap<(i64, i64), (u32, usize)> = BTreeMap::new();
    for (number, operation) in history.operations.iter().enumerate() {
        let (Request::HashKv(request), Some(Response::HashKv(response))) =
            (&operation.request, operation.response())
        else {
            continue;
        };
        hashes += 1;
        let named = [response.hash_revision, request.revision, answer::revision(response.header.as_ref())];
        let revision = named.into_iter().find(|revision| *revision != 0).unwrap_or(0);
        match first.get(&(revision, response.compact_revision)) {
            Some((hash, earlier)) => {
                compared += 1;
                if *hash != response.hash {
                    sheet.add(differ(history, *earlier, number, revision));
                }
            }
            None => {
                first.insert((revision, response.compact_revision), (response.hash, number));
            }
        }
    }
    (hashes, compared)
}

/// Checks the errors of HashKV requests.
fn refused(history: &History, applied: &[Applied], starts: &[(MemberId, Nanos)], sheet: &mut Sheet) {
    let compactions = compactions(history, applied);
    let known: BTreeMap<usize, usize> = if starts.is_empty() {
        BTreeMap::new()
    } else {
        k2::newest_before(history, starts).into_iter().collect()
    };
    for (number, operation) in history.operations.iter().enumerate() {
        let (Request::HashKv(request), Outcome::Error { at, error }) =
            (&operation.request, &operation.outcome)
        else {
            continue;
        };
        let (title, reason) = match error {
            Error::Compacted
                if !compactions.iter().any(|(call, to)| call <= at && *to > request.revision) =>
            {
                (
                    "a hash was refused as compacted, but never was",
                    format!("No compaction beyond revision {} had been asked for by then.", request.revision),
                )
            }
            Error::FutureRev => {
                let newest = known.get(&number).map(|earlier| &history.operations[*earlier]);
                let seen = |one: &&Operation| {
                    k2::store_position(one).is_some_and(|at| at.revision() >= request.revision)
                };
                let Some(earlier) = newest.filter(seen) else { continue };
                let line = describe::operation(earlier);
                (
                    "a hash was refused as of the future, but its revision was known already",
                    format!("Its member had shown that revision before: {line}."),
                )
            }
            _ => continue,
        };
        let violation = Violation::new(Oracle::K3, *at, title)
            .say(format!("It was refused: {}.", describe::operation(operation)))
            .say(reason)
            .shown_by([number]);
        sheet.add(violation);
    }
}

/// The violation that two members answered with different hashes.
fn differ(history: &History, one: usize, other: usize, revision: i64) -> Violation {
    let said = |number: usize| {
        let operation = &history.operations[number];
        let Some(Response::HashKv(response)) = operation.response() else {
            unreachable!("only answers are compared");
        };
        let at = describe::time(operation.returned().unwrap_or(operation.call));
        format!("Member {} answered {:08x} at {at}.", operation.member, response.hash)
    };
    let operation = &history.operations[other];
    let time = operation.returned().unwrap_or(operation.call);
    Violation::new(Oracle::I8, time, format!("two hashes of the keys at revision {revision}"))
        .of_severity(Severity::Wrong)
        .say(said(one))
        .say(said(other))
        .say("Both are of the same revision, compacted equally far.")
        .shown_by([one, other])
}
