//! W10: a watcher from now on is told of everything after the revision that its creation was answered with.
//!
//! Not checked: what is missing after the first event (W7), or where it can have been compacted (W12); a watcher that
//! gets nothing at all (W11, at the end).

use super::account::Account;
use super::{Look, gaps};
use crate::{Oracle, Violation};

pub fn check(look: &Look<'_>, account: &Account<'_>, looked: &mut usize) -> Option<Violation> {
    let watcher = account.watcher;
    if watcher.request.start_revision != 0 {
        return None;
    }
    *looked += 1;
    gaps::missed_first(look, account, Oracle::W10, "a new watcher missed the first changes")
}
