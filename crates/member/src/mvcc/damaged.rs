//! The error of a store that is read from its file.

/// The error for saved state that no store can have written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the saved state of the store is damaged: {0}")]
pub struct Damaged(String);

impl Damaged {
    pub(crate) fn new(what: impl Into<String>) -> Damaged {
        Damaged(what.into())
    }
}
