//! Reports to the code that explains a run what happens inside the member ([`Inner`]).
//!
//! It works like a log: any part of the member may call [`tell`], without being handed anything. The reports of a step
//! are collected outside its effects, for the thread on which the step runs, and join the effects at its end. If nobody
//! asked for reports, nothing is collected, and they are not even made. Only the explainer reads them, so they change
//! no step.

use std::cell::RefCell;

use record::Inner;

thread_local! {
    /// What the step under way has reported; `None` if nobody asked.
    static TOLD: RefCell<Option<Vec<Inner>>> = const { RefCell::new(None) };
}

/// A step begins. `on` says whether somebody asked for what happens inside.
#[inline]
pub(crate) fn begin(on: bool) {
    TOLD.with_borrow_mut(|reported| match (on, reported.as_mut()) {
        (true, Some(reported)) => reported.clear(),
        (true, None) => *reported = Some(Vec::new()),
        (false, Some(_)) => *reported = None,
        (false, None) => {}
    });
}

/// Whether somebody asked.
#[inline]
pub(crate) fn is_on() -> bool {
    TOLD.with_borrow(Option::is_some)
}

/// Reports something. Making the report must change nothing, and must not report anything else.
#[inline]
pub(crate) fn tell(happened: impl FnOnce() -> Inner) {
    if is_on() {
        let happened = happened();
        TOLD.with_borrow_mut(|reported| reported.as_mut().expect("it is on").push(happened));
    }
}

/// The step is over: moves its reports to the end of `list`.
#[inline]
pub(crate) fn end(list: &mut Vec<Inner>) {
    TOLD.with_borrow_mut(|reported| {
        if let Some(reported) = reported {
            list.append(reported);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(index: u64) -> Inner {
        Inner::Copies { index }
    }

    #[test]
    fn a_step_tells_only_those_who_asked() {
        let mut list = Vec::new();
        begin(false);
        tell(|| panic!("nobody asked"));
        end(&mut list);
        begin(true);
        tell(|| copies(1));
        begin(true); // the step before had no end, for it panicked
        tell(|| copies(2));
        tell(|| copies(3));
        end(&mut list);
        end(&mut list);
        begin(false);
        assert_eq!(list, [copies(2), copies(3)]);
    }
}
