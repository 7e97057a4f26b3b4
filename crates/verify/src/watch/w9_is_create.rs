//! W9: an event's create revision is that of the first put of the key since it was last deleted. Clients use it to
//! tell a new key from a changed one.
//!
//! Not checked: deletions, which have no create revision (W7).

use super::ledger::Ledger;
use super::{Look, said, seen};
use crate::answer::is_same_creation;
use crate::{Oracle, Violation};

/// Compares the create revision of each put with the store.
pub fn check(look: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    ledger.deliveries.iter().find_map(|delivery| {
        let happened = look.truth.event(delivery.number?);
        let kv = delivery.event.kv.as_ref()?;
        if happened.deleted {
            return None;
        }
        *looked += 1;
        if is_same_creation(&happened.kv, kv) {
            return None;
        }
        let title = match (kv.create_revision == kv.mod_revision, happened.is_create()) {
            (true, false) => "an event shows a changed key as a new one",
            (false, true) => "an event shows a new key as a changed one",
            _ => "an event has a wrong create revision",
        };
        let responses = [delivery.response];
        let violation = seen(ledger.watcher, Oracle::W9, delivery.at, title, &responses);
        Some(
            violation
                .say(format!(
                    "It received {}; the key was created at revision {}.",
                    said(delivery),
                    happened.kv.create_revision
                ))
                .shown_by(look.maker(happened.kv.create_revision)),
        )
    })
}
