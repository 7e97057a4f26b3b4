//! W2: a watcher is told of changes in the order in which they happened: by revision, and within one revision in the
//! order of the transaction's operations.
//!
//! Not checked: events that come a second time (W3); the order among the events of one revision of which the truth is
//! not known; any order between two watchers, of which there is none.

use super::account::Account;
use super::{Look, seen, told};
use crate::{Oracle, Violation, describe};

pub fn check(_: &Look<'_>, account: &Account<'_>, looked: &mut usize) -> Option<Violation> {
    let mut last: Option<usize> = None;
    for (at, delivery) in account.deliveries.iter().enumerate() {
        if delivery.again {
            continue;
        }
        *looked += 1;
        if let Some(last) = last.map(|last| &account.deliveries[last]) {
            let before = match (delivery.number, last.number) {
                (Some(number), Some(last)) => number < last,
                _ => delivery.revision < last.revision,
            };
            if before {
                let title = "a watcher was told of changes in the wrong order";
                let responses = [last.response, delivery.response];
                let mut violation = seen(account.watcher, Oracle::W2, delivery.at, title, &responses);
                violation = violation.say(format!(
                    "At {} it was told of {}, after {}, which happened later.",
                    describe::time(delivery.at),
                    told(delivery),
                    told(last)
                ));
                return Some(violation);
            }
        }
        last = Some(at);
    }
    None
}
