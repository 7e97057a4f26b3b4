//! Where a member puts its steps, for whoever drives it to fetch.

use std::sync::{Arc, Mutex, PoisonError};

use super::Step;

/// A list of steps that a member and its driver share. Its clones are the same list.
///
/// It is shared, and no part of what a member returns, so that the steps before a crash in the middle of an input
/// are there, too.
#[derive(Clone, Debug, Default)]
pub struct Sink(Arc<Mutex<Vec<Step>>>);

impl Sink {
    /// Adds a step.
    #[inline]
    pub fn push(&self, step: Step) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }

    /// Exchanges the steps with the content of `steps`, which must be empty: so both keep their storage.
    #[inline]
    pub fn fetch(&self, steps: &mut Vec<Step>) {
        debug_assert!(steps.is_empty(), "the steps that were fetched before are still there");
        std::mem::swap(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), steps);
    }
}
