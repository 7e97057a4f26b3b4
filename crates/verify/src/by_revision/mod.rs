//! A history of etcd in the form that the crate `revision` takes: keys and values as numbers, operations on one key
//! in one word, all others as transactions.
//!
//! What every revision did is passed on as evidence from `k1`'s replay; so the engine has to confirm `k1`'s
//! explanation with a replay of its own, and its validator the resulting order. Neither shares anything with
//! [`crate::model`].
//!
//! Left out: requests that were refused, compactions, leases except for what their ends remove (no operation makes
//! that, for this engine), users, and those parts of answers that the engine cannot express: the lease of a pair,
//! headers of parts of transactions, the order of pairs.

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
    /// What each revision did.
    pub evidence: Evidence,
    /// The number of each operation in the record's history.
    pub numbers: Vec<u32>,
}

/// Why a history cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// A transaction compares leases.
    Leases,
    /// A revision, a version or a number of keys is beyond 32 bits, or the engine has no such operation.
    Numbers(String),
}

impl From<Invalid> for Beyond {
    fn from(invalid: Invalid) -> Beyond {
        Beyond::Numbers(invalid.to_string())
    }
}

impl ByRevision {
    /// Converts a history, with what is known of its revisions.
    ///
    /// # Errors
    /// If that is not possible.
    pub fn new(history: &History, start_revision: i64, known: &Known) -> Result<ByRevision, Beyond> {
        let numbers = Numbers::of(history, known);
        let mut taken = revision::History::new(requests::number(start_revision)?);
        let mut origins = Vec::new();
        for (number, operation) in (0..).zip(&history.operations) {
            let Some(at) = stands(operation) else { continue };
            let answered = operation.response().zip(over_at(operation));
            let returned = answered.map_or(UNKNOWN, |(_, at)| at);
            let revision = match at {
                At::Revision(position) => requests::number(position.revision())?,
                At::Unknown => 0,
            };
            let asked = requests::take(&operation.request, answered.map(|(response, _)| response), &numbers)?;
            match asked {
                requests::Taken::Point(point) => {
                    taken.push(point.at(revision).during(operation.call, returned))?;
                }
                requests::Taken::Wide(wide) => {
                    let wide = Wide { call: operation.call, returned, revision, ..*wide };
                    taken.push_wide(wide)?;
                }
            }
            origins.push(number);
        }
        let evidence = evidence(history, start_revision, known, &numbers)?;
        Ok(ByRevision { history: taken, evidence, numbers: origins })
    }

    /// Judges it.
    pub fn check(&self) -> Verdict {
        revision::check(&self.history, &self.evidence)
    }

    /// Whether a verdict's witness is valid, as judged by code that has no part in the verdict.
    ///
    /// # Errors
    /// Why it is not: then the engine is wrong, or its validator.
    pub fn validate(&self, verdict: &Verdict) -> Result<(), String> {
        let checked = match verdict {
            Verdict::Linearizable(witness) => validate::order(&self.history, &self.evidence, witness),
            Verdict::Violation(violation) => validate::violation(&self.history, &self.evidence, violation),
            Verdict::Undecided(_) => Ok(()),
        };
        checked.map_err(|wrong| wrong.to_string())
    }
}

/// The position of an operation.
enum At {
    Revision(Position),
    Unknown,
}

/// The position of an operation that the engine knows.
fn stands(operation: &Operation) -> Option<At> {
    let known = matches!(
        operation.request,
        Request::Range(_) | Request::Put(_) | Request::DeleteRange(_) | Request::Txn(_)
    );
    match place(operation) {
        Place::At(position) | Place::Shows(position) if known => Some(At::Revision(position)),
        Place::Open if known => Some(At::Unknown),
        _ => None,
    }
}

/// What each revision did, and which of them no operation known to the engine made.
fn evidence(
    history: &History,
    start_revision: i64,
    known: &Known,
    numbers: &Numbers<'_>,
) -> Result<Evidence, Beyond> {
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
        history.operations.get(number as usize).is_some_and(|operation| stands(operation).is_some())
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
