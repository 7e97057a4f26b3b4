//! Checks that the member asks to be woken in time.
//!
//! Each step says when the member must be woken. If it says too late a time, nothing breaks: the next tick wakes it, up
//! to a heartbeat interval late. So whatever does something because its time has come says so ([`was_due`]), and the
//! member panics if it had asked to be woken only later.
//!
//! This does not use the functions that work out when to wake the member (`wake_at`), but the time that is due itself.
//! Only steps for [`contract::Input::Wake`] are checked: nothing but time has passed since the step before, so what is
//! due now was waited for then. Another input may end what something waited for, after its time had come. Being woken
//! late is never wrong, and what came up in this very step has its time now or later.
//!
//! Not checked, because a tick is soon enough for them: requests that wait for their login, renewals that wait for a
//! revocation, revocations that count as lost, greetings, the publication of a name. Nor what only a leader does at
//! its intervals, because it may have become leader in this step.

use std::cell::Cell;

thread_local! {
    /// When the member asked to be woken, if it was woken for that, else 0; and the time of the step under way.
    static STEP: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// A step begins at `now`. `asked` is the time at which the step before asked to be woken; 0 if this step has another
/// reason.
#[inline]
pub(crate) fn begin(asked: u64, now: u64) {
    STEP.set((asked, now));
}

/// Something is done now because its time has come, which was `at`.
///
/// # Panics
/// If the member had asked to be woken only after that time.
#[inline]
pub(crate) fn was_due(what: &str, at: u64) {
    let (asked, now) = STEP.get();
    if asked > at && at < now {
        too_late(what, at, asked, now);
    }
}

#[cold]
fn too_late(what: &str, at: u64, asked: u64, now: u64) -> ! {
    panic!(
        "{what} was due at {at} and is done at {now}, because the member asked to be woken at {asked}: does `wake_at` \
         of that part leave it out?"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_before_the_member_asked_to_be_woken_is_late() {
        for (asked, now, at, late) in [
            (10, 10, 9, true),
            (10, 12, 9, true),
            (10, 10, 10, false),
            (10, 30, 20, false), // it was woken late
            (10, 10, 12, false), // it came up in this step
            (0, 30, 20, false),  // another input
        ] {
            begin(asked, now);
            let outcome = std::panic::catch_unwind(|| was_due("something", at));
            assert_eq!(outcome.is_err(), late, "asked {asked}, now {now}, at {at}");
        }
        begin(0, 0);
    }
}
