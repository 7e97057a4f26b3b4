//! C1: a client's copy of a part of the store equals that part at the copy's revision.
//!
//! Such a client lists its keys and keeps the list up to date with a watch, as a Kubernetes API server does. A view is
//! the content of the copy at one moment, with its revision. It must have exactly the keys that the store had at that
//! revision, each with its modification revision. One client's views of one part never go back, because the list that
//! begins a new copy is linearizable too.
//!
//! Not checked: values, because a modification revision identifies one; how old a view is; views of a revision at
//! which the store's content is not known; views of different parts, or of different clients, against each other.

use std::collections::BTreeMap;

use api::mvccpb::KeyValue;
use bytes::Bytes;
use record::{CacheView, History};

use crate::truth::{Keys, Truth};
use crate::{Context, Oracle, Sheet, Violation, describe, watch};

/// How many violations are reported one by one; further ones are only counted.
const REPORTED_MAX: usize = 5;

/// Judges a record by C1.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    if let (true, Some(truth)) = (watch::is_watched(context.history()), context.truth()) {
        check(context.history(), truth, sheet);
    }
}

/// Compares every view of a client's copy with the store at its revision.
fn check(history: &History, truth: &Truth, sheet: &mut Sheet) {
    let mut violations = Vec::new();
    let (mut compared, mut pairs) = (0, 0);
    let mut newest: BTreeMap<(u32, &(Bytes, Bytes)), &CacheView> = BTreeMap::new();
    let mut views: Vec<&CacheView> = history.caches.iter().collect();
    views.sort_by_key(|view| view.at);
    let (mut unknown, mut wrong) = (0, 0);
    for view in views {
        let known = newest.entry((view.client, &view.keys)).or_insert(view);
        let back = view.revision < known.revision;
        let mut found = back.then(|| went_back(known, view));
        if !back {
            *known = view;
        }
        if truth.knows(view.revision) {
            compared += 1;
            pairs += view.pairs.len();
            found = found.or_else(|| compare(history, truth, view));
        } else {
            unknown += 1;
        }
        wrong += usize::from(found.is_some());
        violations.extend(found.filter(|_| wrong <= REPORTED_MAX));
    }
    if let Some(last) = violations.last_mut()
        && wrong > REPORTED_MAX
    {
        last.sentences.push(format!("{} more views are wrong.", wrong - REPORTED_MAX));
    }
    sheet.checked(Oracle::C1, "views of clients' copies", compared);
    sheet.checked(Oracle::C1, "pairs in them", pairs);
    sheet.add_all(violations);
    if unknown > 0 {
        sheet.leave_open(format!(
            "{unknown} views of clients' copies were not compared: the store's content after revision {} is not known.",
            truth.until()
        ));
    }
}

/// Compares a view with the store at its revision, key by key.
fn compare(history: &History, truth: &Truth, view: &CacheView) -> Option<Violation> {
    if let Some(newest) = truth.newest()
        && view.revision > newest
    {
        let violation = wrong_view(view, "a copy claims a revision that was never made");
        return Some(violation.say(format!("The newest revision of all is {newest}.")));
    }
    let keys = Keys { key: &view.keys.0, end: &view.keys.1 };
    let mut expected = truth.pairs(keys, view.revision).peekable();
    for (key, revision) in &view.pairs {
        let Some(there) = expected.next_if(|kv| kv.key <= *key) else {
            return Some(too_much(history, truth, view, key, *revision));
        };
        if there.key != *key {
            return Some(missing(history, truth, view, there));
        }
        if there.mod_revision != *revision {
            return Some(other(history, truth, view, there, *revision));
        }
    }
    expected.next().map(|there| missing(history, truth, view, there))
}

/// A violation about a view, without its reason.
fn wrong_view(view: &CacheView, title: &str) -> Violation {
    Violation::new(Oracle::C1, view.at, title).say(format!(
        "At {} client {} had a copy of {} as of revision {}.",
        describe::time(view.at),
        view.client,
        describe::span(&view.keys.0, &view.keys.1),
        view.revision
    ))
}

/// The violation that a view lacks a key.
fn missing(history: &History, truth: &Truth, view: &CacheView, there: &KeyValue) -> Violation {
    let violation = wrong_view(view, "a copy misses a key")
        .say(format!("It did not have {}, which the store had.", describe::key_value(there)));
    made_by(history, truth, there.mod_revision, violation)
}

/// The violation that a view has a key that the store does not have.
fn too_much(history: &History, truth: &Truth, view: &CacheView, key: &Bytes, revision: i64) -> Violation {
    let keys = Keys { key, end: b"" };
    let deletes = truth.between(keys, revision, view.revision);
    let violation = wrong_view(view, "a copy has a key that was not there")
        .say(format!("It had {} as of revision {revision}.", describe::key(key)));
    match deletes.last().map(|number| truth.event(*number)) {
        Some(event) if event.deleted => {
            let at = event.kv.mod_revision;
            made_by(history, truth, at, violation.say(format!("Revision {at} had deleted it.")))
        }
        _ => violation.say("No write had put it there, or the copy is not in the order of keys."),
    }
}

/// The violation that a view has another modification revision of a key than the store.
fn other(history: &History, truth: &Truth, view: &CacheView, there: &KeyValue, revision: i64) -> Violation {
    let violation = wrong_view(view, "a copy has an old or wrong version of a key").say(format!(
        "It had {} as of revision {revision}; the store had {}.",
        describe::key(&there.key),
        describe::key_value(there)
    ));
    made_by(history, truth, there.mod_revision, violation)
}

/// Adds the operation that made a revision to a violation.
fn made_by(history: &History, truth: &Truth, revision: i64, violation: Violation) -> Violation {
    match truth.maker(revision).and_then(|number| Some((number, history.operations.get(number)?))) {
        Some((number, operation)) => violation
            .say(format!("Revision {revision} was made by: {}.", describe::operation(operation)))
            .shown_by([number]),
        None => violation,
    }
}

/// The violation that a view is of an older revision than one before it.
fn went_back(known: &CacheView, view: &CacheView) -> Violation {
    wrong_view(view, "a client's copy went back").say(format!(
        "At {} it had been at revision {}.",
        describe::time(known.at),
        known.revision
    ))
}
