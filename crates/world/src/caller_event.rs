//! The events on the heap that are for the callers alone.

/// What a caller is told when its time has come.
#[derive(Debug)]
pub(crate) enum CallerEvent {
    /// An operator continues a task.
    ContinueTask { task: usize },
}
