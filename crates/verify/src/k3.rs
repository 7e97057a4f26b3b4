//! K3: a read at a revision returns that revision; a compacted or future revision gives the exact error.
//!
//! What a read at a revision returns is compared in K1's replay; whether a linearizable one could still be answered,
//! or had to be refused, is found in K1's graph of errors and compactions (`k1/loose.rs`), together with the answers
//! of Compact. Both name K3 as the oracle. Here are the errors of serializable reads, which a member gives by its own
//! state.
//!
//! Not checked: a serializable read at a revision that its member should have compacted by then (it may lag); errors
//! of serializable transactions; without the times of restarts, whether a revision was the future for a member.

use api::{Error, Request};
use record::{History, MemberId, Nanos, Outcome};

use crate::k1::place::{Place, is_local, place};
use crate::k2::process;
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
    for (number, operation) in history.operations.iter().enumerate() {
        let past = reads_the_past(&operation.request);
        finding.reads += usize::from(past && operation.returned().is_some());
        let Outcome::Error { at, error } = operation.outcome else { continue };
        if !is_local(&operation.request) || !definite::is_modelled(error) {
            continue;
        }
        let Request::Range(range) = &operation.request else { continue };
        let reason = match (model::check(&operation.request), error) {
            (Err(expected), error) if expected == error => None,
            (Err(expected), _) => Some(format!("etcd answers such a request with \"{expected}\".")),
            (Ok(()), Error::Compacted) if past => never_compacted(history, range.revision, at),
            (Ok(()), Error::FutureRev) if past => known_already(history, starts, number, range.revision),
            (Ok(()), _) => Some("There is no reason for that error.".to_string()),
        };
        if let Some(reason) = reason {
            let title = "a serializable read was refused without a reason";
            let said = format!("was answered by member {} with \"{error}\" at {}", operation.member, describe::time(at));
            let violation = Violation::new(Oracle::K3, Severity::Wrong, at, title)
                .say(format!("{} {said}.", describe::who(operation)))
                .say(reason)
                .shown_by([number]);
            finding.violations.push(violation);
        }
    }
    finding
}

/// A compaction beyond the revision must have been asked for, and not refused.
fn never_compacted(history: &History, revision: i64, at: Nanos) -> Option<String> {
    let explains = history.operations.iter().take_while(|operation| operation.call <= at).any(|operation| {
        let refused = matches!(operation.outcome, Outcome::Error { error, .. } if definite::is_definite(error));
        matches!(&operation.request, Request::Compact(compact) if compact.revision > revision) && !refused
    });
    (!explains).then(|| format!("No compaction beyond revision {revision} had been asked for by then."))
}

/// The member's process must not have shown the revision before.
fn known_already(
    history: &History,
    starts: &[(MemberId, Nanos)],
    number: usize,
    revision: i64,
) -> Option<String> {
    let mut starts = starts.to_vec();
    starts.sort_unstable();
    let operation = &history.operations[number];
    let this = process(&starts, operation.member, operation.call, operation.returned()?)?;
    let known = history.operations[..number].iter().find(|earlier| {
        let (Place::At(position) | Place::Shows(position)) = place(earlier) else { return false };
        let Some(at) = earlier.returned().filter(|at| *at < operation.call) else { return false };
        let process = process(&starts, earlier.member, earlier.call, at);
        let same = earlier.member == operation.member && process == Some(this);
        same && position.revision() >= revision
    })?;
    (!starts.is_empty()).then(|| format!("That member had shown it before: {}.", describe::operation(known)))
}
