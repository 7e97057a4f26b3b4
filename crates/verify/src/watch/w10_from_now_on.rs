//! W10: a watcher from now on is told of everything after the revision that its creation was answered with.
//!
//! Not checked: what is missing after the first event (W7), or where it can have been compacted (W12); a watcher that
//! gets nothing at all (W11, at the end). Without evidence, that is of a real server, events before that revision are
//! allowed as long as none is missing between: it reads the revision for its answer a moment after it took the watcher in.

use super::account::Account;
use super::gaps::{self, Where};
use super::{Look, seen, told};
use crate::{Oracle, Severity, Violation};

pub fn check(look: &Look<'_>, account: &Account<'_>, looked: &mut usize) -> Option<Violation> {
    let watcher = account.watcher;
    if watcher.request.start_revision != 0 {
        return None;
    }
    *looked += 1;
    let gap = gaps::find(account, look.truth, Where::Before)?;
    let title = "a new watcher missed the first changes";
    let responses = [gap.jump.response];
    let violation = seen(watcher, Oracle::W10, Severity::Lost, gap.jump.at, title, &responses);
    Some(
        violation
            .say(format!(
                "The first it was told of is {}; {} before it are missing.",
                told(gap.jump),
                gap.count
            ))
            .say(format!("The first of these: {}.", look.made(gap.number)))
            .shown_by(look.maker(gap.revision)),
    )
}
