//! Failpoints: named points in the member's code at which its process can be made to crash or pause. The
//! names are those of etcd's failpoints (`gofail` comments in etcd's sources; `tests/robustness/failpoint`).
//!
//! A crash ends the step at that point, by a panic with the payload [`Struck`]. The effects from before that
//! point remain, and there are none from after it. After a pause, the effects from before it are carried out
//! at once, and those from after it when the pause is over ([`crate::io::Stall`]).

pub use record::Failpoint;

/// What happens at a failpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The process crashes there.
    Crash,
    /// The process pauses there for this long, in nanoseconds of virtual time.
    Sleep(u64),
}

/// A failpoint that was switched on. It crashes or pauses the process once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// The failpoint.
    pub point: Failpoint,
    /// How many times the code passes the failpoint before it acts.
    pub skip: u32,
    /// What happens.
    pub action: Action,
}

/// The panic payload of a step that crashed at a failpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struck(pub Failpoint);
