//! Checks a violation: do the operations that it names really contradict each other?
//!
//! A [`Violation`] names operations and a [`Reason`]. For each kind of reason, [`violation`] says what must be true of
//! the operations. Most reasons are about what the store contained at a revision; that is found by executing all
//! revisions up to it ([`store_at`]).

use super::store::{Changes, Store, step};
use super::{WrongVerdict, shown};
use crate::evidence::{Change, Evidence};
use crate::history::{History, Operation, Seen, UNKNOWN};
use crate::verdict::{Reason, Violation};

/// Checks that the operations of a violation contradict each other as it says.
///
/// # Errors
/// If they do not, or the violation is of another history.
pub fn violation(history: &History, evidence: &Evidence, violation: &Violation) -> Result<(), WrongVerdict> {
    let operations = history.operations();
    let named = violation.operations.iter().map(|at| operations.get(*at as usize));
    let Some(named) = named.collect::<Option<Vec<&Operation>>>() else {
        return Err(WrongVerdict(format!("{violation:?} names an operation that does not exist")));
    };
    let is_true = match (violation.reason, &named[..]) {
        (Reason::MadeTwice { revision }, [one, other]) => makes(one, revision) && makes(other, revision),
        (Reason::Stale { revision, newer }, [stale, earlier]) => {
            // `earlier` returned before `stale` was called, and yet comes after it in the order: it has a higher
            // revision, or it saw the revision that `stale` made.
            let may_make = stale.returned == UNKNOWN || makes(stale, revision);
            let comes_after = revision < newer || revision == newer && may_make && !makes(earlier, revision);
            let is_in_time = earlier.returned < stale.call;
            is_in_time && comes_after && earlier.revision == newer && stale.is_bound()
        }
        (Reason::Wrong { revision, holds, shows }, _) => {
            let shows_it = |operation: &&&Operation| {
                !operation.is_wide() && operation.seen == shows && operation.revision == revision
            };
            let mut readers = named.iter().filter(shows_it);
            holds != shows && readers.any(|reader| is_held(history, evidence, reader.key, revision, holds))
        }
        (Reason::Condition { revision, holds }, _) => {
            named.iter().filter(|operation| !operation.is_wide()).any(|operation| {
                let before = revision_before(operation, revision);
                let (changed, ..) = step(operation, holds);
                operation.revision == revision
                    && changed != operation.changed
                    && is_held(history, evidence, operation.key, before, holds)
            })
        }
        (Reason::WrongKey { revision, holds, shows, .. }, _) => {
            // An answer must not list a key that does not exist, not even as absent.
            (holds != shows || holds == Seen::ABSENT) && is_refuted(history, evidence, &named, revision)
        }
        (Reason::Count { revision, holds, shows }, _) => {
            holds != shows && is_refuted(history, evidence, &named, revision)
        }
        (
            Reason::More { revision, .. } | Reason::Branch { revision, .. } | Reason::Refused { revision },
            [_],
        ) => is_refuted(history, evidence, &named, revision),
        (Reason::MadeByStore { revision }, [maker]) => {
            makes(maker, revision) && evidence.is_store_made(revision)
        }
        (Reason::Evidence { revision }, [maker]) => {
            makes(maker, revision) && is_shown_otherwise(history, evidence, maker)
        }
        (Reason::Phantom { revision }, []) => !evidence.of(revision).is_empty(),
        (Reason::OutOfRange { revision }, [operation]) => operation.revision == revision,
        (Reason::OutOfRange { revision }, []) => {
            evidence.is_store_made(revision) || !evidence.of(revision).is_empty()
        }
        _ => false,
    };
    if is_true { Ok(()) } else { Err(WrongVerdict(format!("{violation:?} is not true of {named:?}"))) }
}

/// Whether an operation's answer says that it made this revision.
fn makes(operation: &Operation, revision: u32) -> bool {
    operation.returned != UNKNOWN && operation.is_change() && operation.revision == revision
}

/// The revision of the store on which an operation with this revision in its answer was executed.
fn revision_before(operation: &Operation, revision: u32) -> u32 {
    if makes(operation, revision) { revision - 1 } else { revision }
}

/// Whether one of these is an operation on several keys that the store at its revision would have answered differently.
fn is_refuted(history: &History, evidence: &Evidence, named: &[&Operation], revision: u32) -> bool {
    let wide = named.iter().filter(|operation| operation.is_wide() && operation.revision == revision);
    wide.into_iter().any(|operation| {
        let before = revision_before(operation, revision);
        let store = store_at(history, evidence, before);
        store.is_some_and(|store| store.run(history, operation, before).is_err())
    })
}

/// Whether the evidence of a revision shows changes other than those of the operation that made it.
fn is_shown_otherwise(history: &History, evidence: &Evidence, maker: &Operation) -> bool {
    let shown = shown(evidence, maker.revision);
    if !maker.is_wide() {
        let made = Changes::from([effect(maker)]);
        return evidence.of(maker.revision).len() != 1 || shown != made;
    }
    let store = store_at(history, evidence, maker.revision - 1);
    let made = store.and_then(|store| store.run(history, maker, maker.revision - 1).ok());
    made.is_some_and(|made| made != shown || evidence.of(maker.revision).len() != made.len())
}

/// The store at a revision. `None` if some revision up to it was neither shown nor acknowledged.
fn store_at(history: &History, evidence: &Evidence, revision: u32) -> Option<Store> {
    let mut store = Store::new(history.base());
    while store.revision < revision {
        let next = store.revision + 1;
        let mut changes = shown(evidence, next);
        if changes.is_empty() {
            let maker = history.operations().iter().find(|operation| makes(operation, next))?;
            changes = store.run(history, maker, store.revision).ok()?;
        }
        store.apply(&changes);
    }
    Some(store)
}

/// The key that an operation on one key changes, and the value that it sets; `None` for a deletion.
fn effect(operation: &Operation) -> (u32, Option<u32>) {
    (operation.key, operation.sets())
}

/// Whether a key holds `holds` after a revision. If an earlier revision is unknown, only the last known change of the
/// key is compared.
fn is_held(history: &History, evidence: &Evidence, key: u32, revision: u32, holds: Seen) -> bool {
    if let Some(store) = store_at(history, evidence, revision) {
        return store.get(key, revision) == holds;
    }
    let acknowledged = history
        .operations()
        .iter()
        .filter(|operation| operation.returned != UNKNOWN && operation.is_change() && !operation.is_wide());
    let changes = acknowledged.map(|operation| {
        let (key, value) = effect(operation);
        Change { revision: operation.revision, key, value }
    });
    let all = changes.chain(evidence.changes().iter().copied());
    let within = history.base().saturating_add(1)..=revision;
    let last = all.filter(|change| change.key == key && within.contains(&change.revision)).max();
    match last {
        Some(Change { revision, value: Some(value), .. }) => {
            (holds.modified, holds.value) == (revision, value)
        }
        Some(Change { value: None, .. }) | None => holds == Seen::ABSENT,
    }
}
