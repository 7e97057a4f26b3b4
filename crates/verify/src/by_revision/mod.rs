//! Converts a history of etcd for the crate `revision`, a second engine that judges the same question as K1: keys and
//! values become numbers, operations on one key take one word, and all others become transactions.
//!
//! The engine also gets evidence: what each revision changed, as K1's replay found it. It has to confirm that with a
//! replay of its own, and its validator checks the resulting order. Neither shares code with [`crate::model`].
//!
//! Left out: requests that were refused; compactions; leases, except for the keys that their ends remove (the engine
//! is told that no operation makes these revisions); users; and parts of answers that the engine cannot express: the
//! lease of a pair, the headers inside a transaction's answer, the order of pairs.

mod numbers;
mod requests;

use std::collections::BTreeSet;

use api::{Request, Response};
use record::{History, Operation};
use revision::{Change, Evidence, Invalid, UNKNOWN, Verdict, Wide, validate};

use crate::definite::over_at;
use crate::k1::Known;
use crate::k1::place::{Place, Position, place};
use numbers::Numbers;

/// A history that the engine can judge, and where its operations come from.
#[derive(Debug)]
pub struct ByRevision {
    /// The operations.
    pub history: revision::History,
    /// What each revision changed.
    pub evidence: Evidence,
    /// The number of each operation in the record's history.
    pub numbers: Vec<u32>,
}

/// Why the engine cannot judge a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotConvertible {
    /// A transaction compares leases, or does not name the value to compare with.
    Leases,
    /// A revision, a version or a number of keys is beyond 32 bits, or the engine has no such operation.
    Numbers(String),
}

impl From<Invalid> for NotConvertible {
    fn from(invalid: Invalid) -> NotConvertible {
        NotConvertible::Numbers(invalid.to_string())
    }
}

impl ByRevision {
    /// Converts a history, with what is known of its revisions.
    ///
    /// # Errors
    /// If that is not possible.
    pub fn new(history: &History, start_revision: i64, known: &Known) -> Result<ByRevision, NotConvertible> {
        let numbers = Numbers::of(history, known);
        let mut converted = revision::History::new(requests::number(start_revision)?);
        let mut origins = Vec::new();
        for (number, operation) in (0..).zip(&history.operations) {
            let Some(at) = engine_position(operation) else { continue };
            let answered = operation.response().zip(over_at(operation));
            let returned = answered.map_or(UNKNOWN, |(_, at)| at);
            let revision = match at {
                EnginePosition::Revision(position) => requests::number(position.revision())?,
                EnginePosition::Unknown => 0,
            };
            let asked =
                requests::convert(&operation.request, answered.map(|(response, _)| response), &numbers)?;
            match asked {
                requests::EngineOperation::Point(point) => {
                    converted.push(point.at(revision).during(operation.call, returned))?;
                }
                requests::EngineOperation::Wide(wide) => {
                    let wide = Wide { call: operation.call, returned, revision, ..*wide };
                    converted.push_wide(wide)?;
                }
            }
            origins.push(number);
        }
        let evidence = evidence(history, start_revision, known, &numbers)?;
        Ok(ByRevision { history: converted, evidence, numbers: origins })
    }

    /// Judges it.
    pub fn check(&self) -> Verdict {
        revision::check(&self.history, &self.evidence)
    }

    /// Checks the proof that comes with a verdict, by code that has no part in the verdict. The proof is an order of
    /// the operations, or the operations that contradict each other.
    ///
    /// # Errors
    /// If the proof is wrong: then the engine has a bug, or its validator.
    pub fn validate(&self, verdict: &Verdict) -> Result<(), String> {
        let checked = match verdict {
            Verdict::Linearizable(order) => validate::order(&self.history, &self.evidence, order),
            Verdict::Violation(violation) => validate::violation(&self.history, &self.evidence, violation),
            Verdict::Undecided(_) => Ok(()),
        };
        checked.map_err(|wrong| wrong.to_string())
    }
}

/// Where the engine is told that an operation took place.
enum EnginePosition {
    /// At this position in the order of revisions.
    Revision(Position),
    /// Anywhere after its call, or nowhere: its outcome is unknown.
    Unknown,
}

/// Where an operation took place; `None` if the engine has no such operation or does not judge it.
fn engine_position(operation: &Operation) -> Option<EnginePosition> {
    let known = matches!(
        operation.request,
        Request::Range(_) | Request::Put(_) | Request::DeleteRange(_) | Request::Txn(_)
    );
    match place(operation) {
        Place::At(position) | Place::Shows(position) if known => Some(EnginePosition::Revision(position)),
        Place::Open if known => Some(EnginePosition::Unknown),
        _ => None,
    }
}

/// What each revision changed, and which revisions none of the converted operations made.
fn evidence(
    history: &History,
    start_revision: i64,
    known: &Known,
    numbers: &Numbers<'_>,
) -> Result<Evidence, NotConvertible> {
    let mut changes = Vec::new();
    for (kv, deleted) in known.model.changes() {
        let (revision, key) = (requests::number(kv.mod_revision)?, numbers.key(&kv.key)?);
        changes.push(if deleted {
            Change::delete(revision, key)
        } else {
            Change::put(revision, key, numbers.value(&kv.value)?)
        });
    }
    // If one revision changed a key twice, the last change counts.
    changes.reverse();
    changes.sort_by_key(|change| (change.revision, change.key));
    changes.dedup_by_key(|change| (change.revision, change.key));
    let is_known = |number: u32| {
        history.operations.get(number as usize).is_some_and(|operation| engine_position(operation).is_some())
    };
    let made: BTreeSet<i64> =
        known.makers.iter().filter(|(_, maker)| is_known(*maker)).map(|(revision, _)| *revision).collect();
    let nobody = (start_revision + 1..=known.model.revision()).filter(|revision| !made.contains(revision));
    let nobody: Vec<u32> = nobody.map(requests::number).collect::<Result<_, _>>()?;
    Ok(Evidence::from(changes).made_by_store(nobody))
}

/// Whether an answer is of the right kind for the request.
fn fits(request: &Request, response: &Response) -> bool {
    request.rpc_name() == response.rpc_name()
}
