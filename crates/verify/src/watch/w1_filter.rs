//! W1: a watcher receives only the keys it watches, and no kind of change that it filtered out.
//!
//! Not checked: that everything it watches arrives (W6, W7, W10, W11).

use super::ledger::{Ledger, is_delete, is_filtered};
use super::{Look, said, seen};
use crate::{Oracle, Violation};

/// Checks each event against the watcher's keys and filters.
pub fn check(_: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    let keys = ledger.watcher.keys();
    *looked += ledger.deliveries.len();
    ledger.deliveries.iter().find_map(|delivery| {
        let title = if delivery.event.kv.is_some() && !keys.contain(delivery.key()) {
            "a watcher received a key that it does not watch"
        } else if is_filtered(ledger.watcher, is_delete(delivery.event)) {
            "a watcher received what it had filtered out"
        } else {
            return None;
        };
        let responses = [delivery.response];
        let violation = seen(ledger.watcher, Oracle::W1, delivery.at, title, &responses);
        Some(violation.say(format!("It received {}.", said(delivery))))
    })
}
