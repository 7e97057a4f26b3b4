//! Holds a verdict against the history by the definitions alone: slow where it likes, and without any of the check's
//! reasoning.

mod store;
mod violation;

use self::store::{Changes, Store};
use crate::evidence::Evidence;
use crate::history::{History, Seen, UNKNOWN};
use crate::verdict::Witness;

pub use self::violation::violation;

/// Whether the witness's order is one that a store could have gone through, and that the evidence shows.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn order(history: &History, evidence: &Evidence, witness: &Witness) -> Result<(), String> {
    let operations = history.operations();
    let mut placed = vec![false; operations.len()];
    let mut store = Store::new(history.base());
    // Nothing may stand after something that was asked when it was over.
    let mut latest_call = 0;
    for number in witness.order(history) {
        let operation = &operations[number as usize];
        if std::mem::replace(&mut placed[number as usize], true) {
            return Err(format!("operation {number} stands there twice"));
        }
        if operation.ret < latest_call {
            return Err(format!("operation {number} was over before one that stands before it was asked"));
        }
        if operation.is_bound() {
            latest_call = latest_call.max(operation.call);
        }
        let made = witness.made.iter().find(|(_, made)| *made == number).map(|(revision, _)| *revision);
        let place = made.unwrap_or(operation.revision);
        let is_change = made.is_some() || operation.is_change();
        make_by_nobody(&mut store, evidence, place.saturating_sub(u32::from(is_change)))?;
        let is_answered = operation.ret != UNKNOWN;
        let revision = if is_answered && !operation.is_bound() { operation.revision } else { store.revision };
        if revision > store.revision || revision < history.base() {
            return Err(format!("operation {number} shows revision {revision}, which there is not yet"));
        }
        let changes = store
            .run(history, operation, revision)
            .map_err(|why| format!("operation {number} is wrong: {why}"))?;
        if !changes.is_empty() {
            if evidence.is_nobodys(store.revision + 1) {
                return Err(format!(
                    "operation {number} makes revision {}, which is nobody's",
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
    make_by_nobody(&mut store, evidence, u32::MAX)?;
    if let Some(change) = evidence.changes().last().filter(|change| change.revision > store.revision) {
        return Err(format!("revision {} was shown, and nobody made it", change.revision));
    }
    match placed.iter().zip(operations).position(|(placed, operation)| !placed && operation.ret != UNKNOWN) {
        Some(number) => Err(format!("operation {number} was answered and does not stand in the order")),
        None => Ok(()),
    }
}

/// What the evidence shows of a revision.
fn shown(evidence: &Evidence, revision: u32) -> Changes {
    evidence.of(revision).iter().map(|change| (change.key, change.value)).collect()
}

/// Makes the revisions up to this one that the store made itself, if they are next. It removes only what there is.
fn make_by_nobody(store: &mut Store, evidence: &Evidence, until: u32) -> Result<(), String> {
    while store.revision < until && evidence.is_nobodys(store.revision + 1) {
        let changes = shown(evidence, store.revision + 1);
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

/// Makes a revision, which must be as it is shown, if it is.
fn make(store: &mut Store, evidence: &Evidence, changes: &Changes) -> Result<(), String> {
    let shown = shown(evidence, store.revision + 1);
    let is_twofold = shown.len() != evidence.of(store.revision + 1).len();
    if is_twofold || !shown.is_empty() && shown != *changes {
        return Err(format!("revision {} was shown to be {shown:?}, not {changes:?}", store.revision + 1));
    }
    store.apply(changes);
    Ok(())
}
