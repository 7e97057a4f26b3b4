//! W8: if a watcher asked for the previous pair (`prev_kv`), an event has the pair as it was one revision before.
//!
//! The previous pair is absent if the key did not exist then, and for a put that creates the key, even if the same
//! transaction deleted it before. It may also be absent if it can have been compacted by the time the event was sent,
//! because etcd looks it up only then. A watcher that did not ask gets none.
//!
//! Not checked: whether a pair that is absent and can have been compacted really was; whether one that is there was
//! compacted when its event left (B8).

use super::ledger::{Delivery, Ledger};
use super::{Look, said, seen};
use crate::answer::is_same_pair;
use crate::{Oracle, Violation, describe};

/// Checks the previous pair of each event.
pub fn check(look: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    ledger.deliveries.iter().find_map(|delivery| against(look, ledger, delivery, looked))
}

/// Compares the previous pair that came with one event with the store.
fn against(
    look: &Look<'_>,
    ledger: &Ledger<'_>,
    delivery: &Delivery<'_>,
    looked: &mut usize,
) -> Option<Violation> {
    let got = delivery.event.prev_kv.as_ref();
    let wrong = |title: &str| {
        let responses = [delivery.response];
        seen(ledger.watcher, Oracle::W8, delivery.at, title, &responses)
            .say(format!("It received {}.", said(delivery)))
            .shown_by(look.maker(delivery.revision))
    };
    if !ledger.watcher.request.prev_kv {
        return got.map(|_| wrong("an event has a previous pair that was not asked for"));
    }
    let happened = look.truth.event(delivery.number?);
    let expected = if happened.is_create() { None } else { look.truth.before(happened) };
    *looked += usize::from(expected.is_some());
    let gone = got.is_none() && look.truth.may_be_compacted(delivery.revision - 1, delivery.at);
    if is_same_pair(expected, got) || gone {
        return None;
    }
    let text = |kv: Option<&_>| kv.map_or("nothing".to_string(), describe::key_value);
    Some(wrong("an event has the wrong previous pair").say(format!(
        "Before that there was {}; it says {}.",
        text(expected),
        text(got)
    )))
}
