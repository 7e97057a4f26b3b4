//! Computation that costs more than a step may cost, such as a hash over the whole state.

use std::fmt::Debug;

use crate::store::Never;

/// A computation that a node hands out ([`Effects::work`](crate::Effects::work)). It has everything that it needs, and
/// changes nothing else, so the driver may do it at once or on another thread.
pub trait Work: Debug + Send + 'static {
    /// The result.
    type Done: Debug + Send;

    /// Computes it.
    fn perform(self) -> Self::Done;
}

/// The work of a node that hands out none. It has no values.
pub type NoWork = Never;

impl Work for Never {
    type Done = Never;

    fn perform(self) -> Never {
        self
    }
}
