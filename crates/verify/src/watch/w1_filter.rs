//! W1: a watcher is told only of the keys it watches, and of no kind of change that it filtered out.
//!
//! Not checked: that everything it watches is told (W6, W7, W10, W11).

use super::account::{Account, is_delete, is_filtered};
use super::{Look, seen, told};
use crate::{Oracle, Violation};

pub fn check(_: &Look<'_>, account: &Account<'_>, looked: &mut usize) -> Option<Violation> {
    let keys = account.watcher.keys();
    *looked += account.deliveries.len();
    account.deliveries.iter().find_map(|delivery| {
        let title = if delivery.event.kv.is_some() && !keys.contain(delivery.key()) {
            "a watcher was told of a key that it does not watch"
        } else if is_filtered(account.watcher, is_delete(delivery.event)) {
            "a watcher was told of what it had filtered out"
        } else {
            return None;
        };
        let responses = [delivery.response];
        let violation = seen(account.watcher, Oracle::W1, delivery.at, title, &responses);
        Some(violation.say(format!("It was told of {}.", told(delivery))))
    })
}
