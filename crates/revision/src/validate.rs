//! Holds a verdict against the history by the definitions alone: slow where it likes, and without any of the check's
//! reasoning.

use std::collections::BTreeMap;

use crate::history::{Change, Evidence, History, Kind, Operation, Seen, UNKNOWN};
use crate::verdict::{Reason, Violation, Witness};

/// Whether the witness's order is one that a store could have gone through.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn order(history: &History, witness: &Witness) -> Result<(), String> {
    let operations = history.operations();
    let order = witness.order(history);
    let mut placed = vec![false; operations.len()];
    let mut store: BTreeMap<u32, Seen> = BTreeMap::new();
    let mut revision = history.base();
    let mut past: BTreeMap<u32, Vec<(u32, Seen)>> = BTreeMap::new();
    // Nothing may stand after something that was asked when it was over.
    let mut latest_call = 0;
    for number in order {
        let operation = &operations[number as usize];
        if std::mem::replace(&mut placed[number as usize], true) {
            return Err(format!("operation {number} stands there twice"));
        }
        if operation.ret < latest_call {
            return Err(format!("operation {number} was over before one that stands before it was asked"));
        }
        if operation.kind == Kind::GetSerializable {
            let versions = past.get(&operation.key).map_or(&[][..], |versions| versions);
            let then = versions.iter().rev().find(|(at, _)| *at <= operation.revision);
            if operation.revision > revision || operation.seen != then.map_or(Seen::ABSENT, |(_, seen)| *seen)
            {
                return Err(format!("operation {number} shows what no revision {} held", operation.revision));
            }
            continue;
        }
        latest_call = latest_call.max(operation.call);
        let holds = store.get(&operation.key).copied().unwrap_or_default();
        let (changed, value, shows) = step(operation, holds);
        revision += u32::from(changed);
        let known = operation.ret != UNKNOWN;
        if known && (operation.revision, operation.changed, operation.seen) != (revision, changed, shows) {
            return Err(format!("operation {number} should have been answered at revision {revision}"));
        }
        if changed {
            let after = after(holds, value, revision);
            store.insert(operation.key, after);
            past.entry(operation.key).or_default().push((revision, after));
        }
    }
    match placed.iter().zip(operations).position(|(placed, operation)| !placed && operation.ret != UNKNOWN) {
        Some(number) => Err(format!("operation {number} was answered and does not stand in the order")),
        None => Ok(()),
    }
}

/// What an operation does to a key that holds this: whether it changes it, to what, and what it shows.
fn step(operation: &Operation, holds: Seen) -> (bool, Option<u32>, Seen) {
    match operation.kind {
        Kind::Get | Kind::GetSerializable => (false, None, holds),
        Kind::Put => (true, Some(operation.value), Seen::ABSENT),
        Kind::Delete => (holds != Seen::ABSENT, None, Seen::ABSENT),
        Kind::Update if holds.modified == operation.expected => (true, Some(operation.value), Seen::ABSENT),
        Kind::Update => (false, None, holds),
    }
}

fn after(holds: Seen, value: Option<u32>, revision: u32) -> Seen {
    let created = if holds == Seen::ABSENT { revision } else { holds.created };
    value.map_or(Seen::ABSENT, |value| Seen::new(value, revision, created, holds.version + 1))
}

/// Whether the operations of a violation contradict each other as it says.
///
/// # Errors
/// Why not.
pub fn violation(history: &History, evidence: &Evidence, violation: &Violation) -> Result<(), String> {
    let operations = history.operations();
    let named: Vec<&Operation> = violation.operations.iter().map(|at| &operations[*at as usize]).collect();
    let makes = |operation: &Operation, revision: u32| {
        operation.ret != UNKNOWN
            && operation.is_write()
            && operation.changed
            && operation.revision == revision
    };
    let may_make =
        |operation: &Operation, revision: u32| operation.ret == UNKNOWN || makes(operation, revision);
    let shown = |revision: u32| evidence.changes().iter().find(|change| change.revision == revision).copied();
    let holds = match (violation.reason, &named[..]) {
        (Reason::MadeTwice { revision }, [a, b]) => makes(a, revision) && makes(b, revision),
        (Reason::Stale { revision, newer }, [late, over]) => {
            let is_later =
                revision < newer || revision == newer && may_make(late, revision) && !makes(over, revision);
            over.ret < late.call && is_later && over.revision == newer && late.kind != Kind::GetSerializable
        }
        (Reason::Wrong { revision, holds, shows }, _) => {
            let reader =
                named.iter().find(|operation| operation.seen == shows && operation.revision == revision);
            reader.is_some_and(|reader| {
                holds != shows && agrees(history, evidence, reader.key, revision, holds)
            })
        }
        (Reason::Condition { revision, holds }, _) => named.iter().any(|operation| {
            let before = if makes(operation, revision) { revision - 1 } else { revision };
            let (changed, ..) = step(operation, holds);
            operation.revision == revision
                && changed != operation.changed
                && agrees(history, evidence, operation.key, before, holds)
        }),
        (Reason::Evidence { revision }, [maker]) => {
            makes(maker, revision) && shown(revision).is_some_and(|change| change != effect(maker))
        }
        (Reason::Phantom { revision }, []) => shown(revision).is_some(),
        (Reason::OutOfRange { revision }, [operation]) => operation.revision == revision,
        _ => false,
    };
    if holds { Ok(()) } else { Err(format!("{violation:?} does not hold of {named:?}")) }
}

fn effect(operation: &Operation) -> Change {
    let value = (operation.kind != Kind::Delete).then_some(operation.value);
    Change { revision: operation.revision, key: operation.key, value }
}

/// Whether a key holds this after a revision, as far as acknowledged and shown changes tell: its last change is that one.
fn agrees(history: &History, evidence: &Evidence, key: u32, revision: u32, holds: Seen) -> bool {
    let acknowledged = history
        .operations()
        .iter()
        .filter(|operation| operation.ret != UNKNOWN && operation.is_write() && operation.changed);
    let all = acknowledged.map(effect).chain(evidence.changes().iter().copied());
    let last = all.filter(|change| change.key == key && change.revision <= revision).max();
    match last {
        Some(Change { revision, value: Some(value), .. }) => {
            (holds.modified, holds.value) == (revision, value)
        }
        Some(Change { value: None, .. }) | None => holds == Seen::ABSENT,
    }
}
