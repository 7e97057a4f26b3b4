//! W7: a watcher receives every change, and each with its content.
//!
//! Between two events that it received, no change is missing. Each event is of a change that happened, and arrives no
//! earlier than the change was requested. A put has the value, version and lease of the change; a deletion has the
//! key and the revision and nothing else.
//!
//! Not checked: what is missing before the first event (W6, W10), after the last one (W5 up to a progress response,
//! W11 at the end), in a part of a revision (W4), or where it can have been compacted (W12); the create revision (W9)
//! and the previous pair (W8).

use api::mvccpb::KeyValue;

use super::gaps::{self, Where};
use super::ledger::{Delivery, Ledger};
use super::{Look, said, seen};
use crate::answer::is_same_number;
use crate::{Oracle, Severity, Violation};

/// Checks that no change is missing and that each has its content.
pub fn check(look: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    *looked += ledger.deliveries.iter().filter(|delivery| delivery.number.is_some()).count();
    ledger
        .deliveries
        .iter()
        .find_map(|delivery| against(look, ledger, delivery))
        .or_else(|| missing(look, ledger))
}

/// Compares an event that arrived with the change.
fn against(look: &Look<'_>, ledger: &Ledger<'_>, delivery: &Delivery<'_>) -> Option<Violation> {
    let wrong = |title: &str| seen(ledger.watcher, Oracle::W7, delivery.at, title, &[delivery.response]);
    let Some(number) = delivery.number else {
        if !look.truth.knows(delivery.revision) {
            return None;
        }
        let violation = wrong("a watcher received a change that never happened")
            .say(format!("It received {}.", said(delivery)))
            .say(format!("Revision {} did no such thing.", delivery.revision));
        return Some(violation.shown_by(look.maker(delivery.revision)));
    };
    if let Some(maker) = look.maker(delivery.revision)
        && look.record.history.operations[maker].call > delivery.at
    {
        let violation = wrong("a watcher received a change that no client had requested yet")
            .say(format!("It received {}.", said(delivery)))
            .say(format!("{}.", look.made(number)));
        return Some(violation.shown_by([maker]));
    }
    let kv = delivery.event.kv.as_ref()?;
    let happened = look.truth.event(number);
    let field = difference(kv, &happened.kv, happened.deleted)?;
    Some(
        wrong("a watcher received a change with the wrong content")
            .say(format!("It received {}; its {field} is wrong.", said(delivery)))
            .say(format!("{}.", look.made(number)))
            .shown_by(look.maker(delivery.revision)),
    )
}

/// The first field that is wrong.
fn difference(received: &KeyValue, happened: &KeyValue, deleted: bool) -> Option<&'static str> {
    if received == happened {
        return None;
    }
    if received.value != happened.value {
        Some("value")
    } else if !is_same_number(happened.version, received.version) {
        Some("version")
    } else if !is_same_number(happened.lease, received.lease) {
        Some("lease")
    } else if deleted && !is_same_number(happened.create_revision, received.create_revision) {
        Some("create revision")
    } else {
        None
    }
}

/// Finds a change that is missing between two events.
fn missing(look: &Look<'_>, ledger: &Ledger<'_>) -> Option<Violation> {
    let gap = gaps::find(ledger, look.truth, Where::Between)?;
    let title = "a watcher missed a change";
    let responses = [gap.jump.response];
    let violation = seen(ledger.watcher, Oracle::W7, gap.jump.at, title, &responses);
    Some(
        violation
            .of_severity(Severity::Lost)
            .say(format!("It received {}; {} before that never came.", said(gap.jump), gap.count))
            .say(format!("The first of these: {}.", look.made(gap.number)))
            .shown_by(look.maker(gap.revision)),
    )
}
