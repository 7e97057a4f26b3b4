//! Panics of a member: caught and returned with their text and location, but not printed.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::Once;

thread_local! {
    /// Whether a world runs on this thread, so that its panics are caught below.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `work` with panics silenced: the caller that catches them reports them.
pub(crate) fn watched<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if WATCHED.get() {
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                PLACE.with_borrow_mut(|kept| *kept = place);
            } else {
                usual(info);
            }
        }));
    });
    let before = WATCHED.replace(true);
    let result = panic::catch_unwind(panic::AssertUnwindSafe(work));
    WATCHED.set(before);
    match result {
        Ok(result) => result,
        Err(payload) => {
            // Not a member's panic: a bug of the world itself. It must not stay silent.
            eprintln!("the simulator panicked: {}", text(&*payload));
            panic::resume_unwind(payload)
        }
    }
}

/// What a panic said, and where.
pub(crate) fn text(payload: &(dyn Any + Send)) -> String {
    let said = payload.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("(no message)");
    let place = PLACE.with_borrow(Clone::clone);
    format!("{said} (at {place})")
}
