//! Handles panics during a run. The panic of a member is a result of the run: it is caught and becomes part of the
//! record, with its text and location, and nothing is printed. A panic of the simulator itself is printed and not
//! caught.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::Once;

thread_local! {
    /// Whether a world runs on this thread. If so, the panic hook prints nothing.
    static CATCHES_PANICS: Cell<bool> = const { Cell::new(false) };
    /// The source location of the last panic on this thread.
    static LAST_LOCATION: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `work`, during which panics are not printed: the code that catches them reports them.
pub(crate) fn silenced<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHES_PANICS.get() {
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                LAST_LOCATION.with_borrow_mut(|kept| *kept = place);
            } else {
                usual(info);
            }
        }));
    });
    let before = CATCHES_PANICS.replace(true);
    let result = panic::catch_unwind(panic::AssertUnwindSafe(work));
    CATCHES_PANICS.set(before);
    match result {
        Ok(result) => result,
        Err(payload) => {
            // No code within the run caught it, so it is a bug of the world itself and must be printed.
            eprintln!("the simulator panicked: {}", text(&*payload));
            panic::resume_unwind(payload)
        }
    }
}

/// The message of a panic, and its location.
pub(crate) fn text(payload: &(dyn Any + Send)) -> String {
    let message = payload.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("(no message)");
    let place = LAST_LOCATION.with_borrow(Clone::clone);
    format!("{message} (at {place})")
}
