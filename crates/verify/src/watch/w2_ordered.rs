//! W2: a watcher receives changes in the order in which they happened: by revision, and within one revision in the
//! order of the transaction's operations.
//!
//! Not checked: events that come a second time (W3); the order of the events of one revision if the truth of that
//! revision is not known; the order between two watchers, because etcd promises none.

use super::ledger::Ledger;
use super::{Look, said, seen};
use crate::{Oracle, Violation, describe};

/// Compares each event with the one before it.
pub fn check(_: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    let mut last: Option<usize> = None;
    for (at, delivery) in ledger.deliveries.iter().enumerate() {
        if delivery.again {
            continue;
        }
        *looked += 1;
        if let Some(last) = last.map(|last| &ledger.deliveries[last]) {
            let before = match (delivery.number, last.number) {
                (Some(number), Some(last)) => number < last,
                _ => delivery.revision < last.revision,
            };
            if before {
                let title = "a watcher received changes in the wrong order";
                let responses = [last.response, delivery.response];
                let mut violation = seen(ledger.watcher, Oracle::W2, delivery.at, title, &responses);
                violation = violation.say(format!(
                    "At {} it received {}, after {}, which happened later.",
                    describe::time(delivery.at),
                    said(delivery),
                    said(last)
                ));
                return Some(violation);
            }
        }
        last = Some(at);
    }
    None
}
