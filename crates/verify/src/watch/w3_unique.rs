//! W3: no watcher is told of a change twice.
//!
//! Two events are of the same change if they agree in key, revision and kind, and the truth, where it is known, has no
//! more of these.
//!
//! Not checked: what a client gets again on another stream, because it asked for it again.

use super::account::{Account, is_delete};
use super::{Look, seen, told};
use crate::{Oracle, Violation, describe};

pub fn check(_: &Look<'_>, account: &Account<'_>, looked: &mut usize) -> Option<Violation> {
    *looked += account.deliveries.len();
    let at = account.deliveries.iter().position(|delivery| delivery.again)?;
    let again = &account.deliveries[at];
    let same = |other: &&super::Delivery<'_>| {
        (other.revision, other.key(), is_delete(other.event))
            == (again.revision, again.key(), is_delete(again.event))
    };
    let first = account.deliveries[..at].iter().find(same).unwrap_or(again);
    let title = "a watcher was told of a change twice";
    let responses = [first.response, again.response];
    let violation = seen(account.watcher, Oracle::W3, again.at, title, &responses);
    Some(violation.say(format!(
        "It was told of {} at {}, and again at {}.",
        told(again),
        describe::time(first.at),
        describe::time(again.at)
    )))
}
