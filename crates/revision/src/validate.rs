//! Checks a verdict by the definition of linearizability alone. It is slow, and it shares no reasoning with the check.
//! [`order`] is for a history that was judged linearizable, [`violation()`] for one that was not.

mod store;
mod violation;

use self::store::{Changes, Store};
use crate::evidence::Evidence;
use crate::history::{History, Seen, UNKNOWN};
use crate::verdict::Witness;

pub use self::violation::violation;

/// Why a verdict is wrong, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WrongVerdict(pub(crate) String);

/// Checks that the order of a [`Witness`] is a legal one: it respects calls and returns, a store that executes the
/// operations in this order gives the same answers, and the evidence agrees.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn order(history: &History, evidence: &Evidence, witness: &Witness) -> Result<(), WrongVerdict> {
    execute_order(history, evidence, witness).map_err(WrongVerdict)
}

fn execute_order(history: &History, evidence: &Evidence, witness: &Witness) -> Result<(), String> {
    let operations = history.operations();
    let mut placed = vec![false; operations.len()];
    let mut store = Store::new(history.base());
    // The latest call of the operations so far. An operation that returned before it is too late in the order.
    let mut latest_call = 0;
    for number in witness.order(history) {
        let Some(operation) = operations.get(number as usize) else {
            return Err(format!("there is no operation {number}"));
        };
        if std::mem::replace(&mut placed[number as usize], true) {
            return Err(format!("operation {number} is in the order twice"));
        }
        if operation.returned < latest_call {
            return Err(format!(
                "operation {number} returned before the call of an operation ordered before it"
            ));
        }
        if operation.is_bound() {
            latest_call = latest_call.max(operation.call);
        }
        let made = witness.made.iter().find(|(_, made)| *made == number).map(|(revision, _)| *revision);
        let place = made.unwrap_or(operation.revision);
        let is_change = made.is_some() || operation.is_change();
        make_by_store(&mut store, evidence, place.saturating_sub(u32::from(is_change)))?;
        let is_answered = operation.returned != UNKNOWN;
        let revision = if is_answered && !operation.is_bound() { operation.revision } else { store.revision };
        if revision > store.revision || revision < history.base() {
            return Err(format!(
                "operation {number} shows revision {revision}, which does not exist at its place"
            ));
        }
        let changes = store
            .run(history, operation, revision)
            .map_err(|why| format!("operation {number} is wrong: {why}"))?;
        if !changes.is_empty() {
            if evidence.is_store_made(store.revision + 1) {
                return Err(format!(
                    "operation {number} makes revision {}, which the store made itself",
                    store.revision + 1
                ));
            }
            make(&mut store, evidence, &changes)?;
        }
        let made = if operation.is_bound() { store.revision } else { revision };
        if is_answered && (operation.revision, operation.changed) != (made, !changes.is_empty()) {
            return Err(format!("operation {number} should have been answered at revision {made}"));
        }
    }
    make_by_store(&mut store, evidence, u32::MAX)?;
    if let Some(change) = evidence.changes().last().filter(|change| change.revision > store.revision) {
        return Err(format!("revision {} was shown, but no operation made it", change.revision));
    }
    match placed
        .iter()
        .zip(operations)
        .position(|(placed, operation)| !placed && operation.returned != UNKNOWN)
    {
        Some(number) => Err(format!("operation {number} was answered but is not in the order")),
        None => Ok(()),
    }
}

/// The changes of a revision according to the evidence.
fn shown(evidence: &Evidence, revision: u32) -> Changes {
    evidence.of(revision).iter().map(|change| (change.key, change.value)).collect()
}

/// Makes the next revisions, up to this one, as long as the store made them itself. If it deletes a key, the key must
/// exist.
fn make_by_store(store: &mut Store, evidence: &Evidence, until: u32) -> Result<(), String> {
    while store.revision < until && evidence.is_store_made(store.revision + 1) {
        let changes = shown(evidence, store.revision + 1);
        // Whether a change deletes a key that does not exist.
        let is_idle = |(key, value): (&u32, &Option<u32>)| {
            value.is_none() && store.get(*key, store.revision) == Seen::ABSENT
        };
        if changes.is_empty() || changes.iter().any(is_idle) {
            return Err(format!("the store cannot have made {changes:?} of revision {}", store.revision + 1));
        }
        make(store, evidence, &changes)?;
    }
    Ok(())
}

/// Makes the next revision. It is an error if the evidence shows other changes.
fn make(store: &mut Store, evidence: &Evidence, changes: &Changes) -> Result<(), String> {
    let shown = shown(evidence, store.revision + 1);
    // Whether the evidence shows two changes of one key, which no revision makes.
    let is_twofold = shown.len() != evidence.of(store.revision + 1).len();
    if is_twofold || !shown.is_empty() && shown != *changes {
        return Err(format!("revision {} was shown to be {shown:?}, not {changes:?}", store.revision + 1));
    }
    store.apply(changes);
    Ok(())
}
