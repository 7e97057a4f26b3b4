//! W6: a watcher from a revision receives everything from that revision on, and nothing before it.
//!
//! This lets a client continue at another member: it asks for the revision after the last one it has seen.
//!
//! Not checked: watchers from now on (W10); what is missing after the first event (W7), or where it can have been
//! compacted (W12); a watcher that receives nothing at all (W11, at the end); negative start revisions, because
//! versions of etcd differ.

use super::ledger::Ledger;
use super::{Look, gaps, said, seen};
use crate::answer::NOT_RECORDED;
use crate::{Oracle, Violation};

/// Checks a watcher that asked for a start revision.
pub fn check(look: &Look<'_>, ledger: &Ledger<'_>, looked: &mut usize) -> Option<Violation> {
    let watcher = ledger.watcher;
    *looked += usize::from(watcher.request.start_revision > 0);
    // If it is not recorded where the watcher began, its first revision follows from what it received.
    let began = watcher.request.start_revision != 0 || watcher.revision != NOT_RECORDED;
    if began && let Some(early) = ledger.deliveries.iter().find(|delivery| delivery.revision < ledger.first) {
        let title = "a watcher received a change before its first revision";
        let responses = [early.response];
        let violation = seen(watcher, Oracle::W6, early.at, title, &responses);
        return Some(violation.say(format!(
            "Its first revision is {}; it received {}.",
            ledger.first,
            said(early)
        )));
    }
    if watcher.request.start_revision <= 0 {
        return None;
    }
    gaps::missed_first(look, ledger, Oracle::W6, "a watcher from a revision missed the first changes")
}
