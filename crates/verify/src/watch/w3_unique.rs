//! W3: no watcher receives a change twice.
//!
//! Two events are of the same change if they agree in key, revision and kind (put or deletion). If the truth has more
//! such changes, as when a transaction deletes a key twice, that many events are right.
//!
//! Not checked: what a client receives again on another stream, because it asked for it again.

use super::ledger::{Ledger, is_delete};
use super::{Look, said, seen};
use crate::{Oracle, Violation, describe};

/// Looks for events that came twice.
pub fn check(_: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    *looked += ledger.deliveries.len();
    let at = ledger.deliveries.iter().position(|delivery| delivery.again)?;
    let again = &ledger.deliveries[at];
    let same = |other: &&super::Delivery<'_>| {
        (other.revision, other.key(), is_delete(other.event))
            == (again.revision, again.key(), is_delete(again.event))
    };
    let first = ledger.deliveries[..at].iter().find(same).unwrap_or(again);
    let title = "a watcher received a change twice";
    let responses = [first.response, again.response];
    let violation = seen(ledger.watcher, Oracle::W3, again.at, title, &responses);
    Some(violation.say(format!(
        "It received {} at {}, and again at {}.",
        said(again),
        describe::time(first.at),
        describe::time(again.at)
    )))
}
