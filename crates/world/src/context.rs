//! The virtual time and the member whose code is running, per thread. Log lines show them.

use std::cell::Cell;

use trace::{MemberId, Nanos};

thread_local! {
    /// The virtual time, and the member that runs.
    static CONTEXT: Cell<(Nanos, MemberId)> = const { Cell::new((0, MemberId::NONE)) };
    /// What [`wall_clock`] returns.
    static WALL_CLOCK: Cell<i64> = const { Cell::new(0) };
}

/// What the running member's wall clock shows, in nanoseconds since 1970.
pub fn wall_clock() -> i64 {
    WALL_CLOCK.get()
}

/// The virtual time, and the member whose code is running on this thread; no member means the world itself.
pub fn current() -> (Nanos, MemberId) {
    CONTEXT.get()
}

/// The code of this member runs from now on; `wall_clock` is the reading of its wall clock.
#[inline]
pub(crate) fn enter(now: Nanos, member: MemberId, wall_clock: i64) {
    CONTEXT.set((now, member));
    WALL_CLOCK.set(wall_clock);
}

/// The code of the world runs from now on.
#[inline]
pub(crate) fn leave(now: Nanos) {
    CONTEXT.set((now, MemberId::NONE));
}
