//! Failpoints: points in a node's code at which its process can be made to crash or to pause. A node numbers its
//! points; the names that people read are up to the node.
//!
//! A crash ends the step at that point, by a panic with the payload [`Struck`]. The effects from before the point
//! remain, and there are none from after it. After a pause, the effects from before the point are carried out at once,
//! and the others when the pause is over ([`Stall`](crate::Stall)).

/// What happens at a failpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The process crashes there.
    Crash,
    /// The process pauses there for this long, in nanoseconds.
    Sleep(u64),
}

/// A failpoint that was switched on. It crashes or pauses the process once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// The number of the failpoint.
    pub point: u16,
    /// How many times the code passes the failpoint before it acts.
    pub skip: u32,
    /// What happens.
    pub action: Action,
}

/// The panic payload of a step that crashed at a failpoint, with the number of the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struck(pub u16);
