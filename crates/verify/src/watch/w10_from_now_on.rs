//! W10: a watcher that starts from now on (without a start revision) receives everything after the revision that the
//! answer to its creation names.
//!
//! Not checked: what is missing after the first event (W7), or where it can have been compacted (W12); a watcher that
//! receives nothing at all (W11, at the end).

use super::ledger::Ledger;
use super::{Look, gaps};
use crate::{Oracle, Violation};

/// Checks a watcher that asked for no start revision.
pub fn check(look: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    let watcher = ledger.watcher;
    if watcher.request.start_revision != 0 {
        return None;
    }
    *looked += 1;
    gaps::missed_first(look, ledger, Oracle::W10, "a new watcher missed the first changes")
}
