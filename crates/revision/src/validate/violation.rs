//! Whether operations contradict each other.

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
    let holds = match (violation.reason, &named[..]) {
        (Reason::MadeTwice { revision }, [a, b]) => makes(a, revision) && makes(b, revision),
        (Reason::Stale { revision, newer }, [late, over]) => {
            let may_make = late.returned == UNKNOWN || makes(late, revision);
            let is_later = revision < newer || revision == newer && may_make && !makes(over, revision);
            over.returned < late.call && is_later && over.revision == newer && late.is_bound()
        }
        (Reason::Wrong { revision, holds, shows }, _) => {
            let shows_it = |operation: &&&Operation| {
                !operation.is_wide() && operation.seen == shows && operation.revision == revision
            };
            let mut readers = named.iter().filter(shows_it);
            holds != shows && readers.any(|reader| agrees(history, evidence, reader.key, revision, holds))
        }
        (Reason::Condition { revision, holds }, _) => {
            named.iter().filter(|operation| !operation.is_wide()).any(|operation| {
                let before = if makes(operation, revision) { revision - 1 } else { revision };
                let (changed, ..) = step(operation, holds);
                operation.revision == revision
                    && changed != operation.changed
                    && agrees(history, evidence, operation.key, before, holds)
            })
        }
        (Reason::WrongKey { revision, holds, shows, .. }, _) => {
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
            makes(maker, revision) && contradicts(history, evidence, maker)
        }
        (Reason::Phantom { revision }, []) => !evidence.of(revision).is_empty(),
        (Reason::OutOfRange { revision }, [operation]) => operation.revision == revision,
        (Reason::OutOfRange { revision }, []) => {
            evidence.is_store_made(revision) || !evidence.of(revision).is_empty()
        }
        _ => false,
    };
    if holds { Ok(()) } else { Err(WrongVerdict(format!("{violation:?} is not true of {named:?}"))) }
}

fn makes(operation: &Operation, revision: u32) -> bool {
    operation.returned != UNKNOWN && operation.is_change() && operation.revision == revision
}

/// Whether one of these is an operation on several keys to which the store at its revision would have answered otherwise.
fn is_refuted(history: &History, evidence: &Evidence, named: &[&Operation], revision: u32) -> bool {
    let wide = named.iter().filter(|operation| operation.is_wide() && operation.revision == revision);
    wide.into_iter().any(|operation| {
        let before = if makes(operation, revision) { revision - 1 } else { revision };
        let store = replay(history, evidence, before);
        store.is_some_and(|store| store.run(history, operation, before).is_err())
    })
}

/// Whether the evidence shows other changes than an operation made.
fn contradicts(history: &History, evidence: &Evidence, maker: &Operation) -> bool {
    let shown = shown(evidence, maker.revision);
    if !maker.is_wide() {
        let made = Changes::from([effect(maker)]);
        return evidence.of(maker.revision).len() != 1 || shown != made;
    }
    let store = replay(history, evidence, maker.revision - 1);
    let made = store.and_then(|store| store.run(history, maker, maker.revision - 1).ok());
    made.is_some_and(|made| made != shown || evidence.of(maker.revision).len() != made.len())
}

/// The store at a revision, if all revisions up to it are known.
fn replay(history: &History, evidence: &Evidence, revision: u32) -> Option<Store> {
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

fn effect(operation: &Operation) -> (u32, Option<u32>) {
    (operation.key, operation.sets())
}

/// Whether a key holds this after a revision, as far as acknowledged and shown changes say: that is its last change.
fn agrees(history: &History, evidence: &Evidence, key: u32, revision: u32, holds: Seen) -> bool {
    if let Some(store) = replay(history, evidence, revision) {
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
