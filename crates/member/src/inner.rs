//! Reports to the code that explains a run what happens inside the member ([`Inner`]).
//!
//! It works like a log: any part of the member may call [`tell`], without being handed anything. The reports of a step
//! are collected outside its effects, for the thread on which the step runs, and join the effects at its end. If nobody
//! asked for reports, nothing is collected, and they are not even made. Only the explainer reads them, and oracles the
//! few that are deeds ([`tell_deed`]), so they change no step.

use std::cell::{Cell, RefCell};

use record::Inner;

thread_local! {
    /// What the step under way has reported. Only looked at if somebody asked.
    static TOLD: RefCell<Vec<Inner>> = const { RefCell::new(Vec::new()) };
    /// What somebody asked for.
    static ASKED: Cell<Asked> = const { Cell::new(Asked::Nothing) };
}

/// What somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing.
    Nothing,
    /// What is for oracles.
    Deeds,
    /// Everything.
    All,
}

/// A step begins. `asked` says what somebody asked for of what happens inside.
#[inline]
pub(crate) fn begin(asked: Asked) {
    ASKED.set(asked);
    if asked != Asked::Nothing {
        TOLD.with_borrow_mut(Vec::clear);
    }
}

/// Whether somebody asked for everything.
#[inline]
pub(crate) fn is_on() -> bool {
    ASKED.get() == Asked::All
}

/// Reports something. Making the report must change nothing, and must not report anything else.
#[inline]
pub(crate) fn tell(happened: impl FnOnce() -> Inner) {
    if is_on() {
        tell_deed(happened);
    }
}

/// The same for a deed ([`Inner::is_deed`]), which is also made if only deeds were asked for.
#[inline]
pub(crate) fn tell_deed(happened: impl FnOnce() -> Inner) {
    if ASKED.get() != Asked::Nothing {
        let happened = happened();
        TOLD.with_borrow_mut(|reported| reported.push(happened));
    }
}

/// The step is over: moves its reports to the end of `list`.
#[inline]
pub(crate) fn end(list: &mut Vec<Inner>) {
    if ASKED.get() != Asked::Nothing {
        TOLD.with_borrow_mut(|reported| list.append(reported));
    }
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
        begin(Asked::Nothing);
        tell_deed(|| panic!("nobody asked"));
        end(&mut list);
        begin(Asked::Deeds);
        tell(|| panic!("nobody asked"));
        tell_deed(|| copies(0));
        begin(Asked::All);
        tell(|| copies(1));
        begin(Asked::All); // the step before had no end, for it panicked
        tell(|| copies(2));
        tell(|| copies(3));
        end(&mut list);
        end(&mut list);
        begin(Asked::Nothing);
        assert_eq!(list, [copies(2), copies(3)]);
    }
}
