//! Failpoints: named points in the member's code at which its process can be made to crash or pause. The
//! names are those of etcd's failpoints (`gofail` comments in etcd's sources; `tests/robustness/failpoint`).
//!
//! A crash ends the step at that point, by a panic with the payload [`Struck`]. The effects from before that
//! point remain, and there are none from after it. After a pause, the effects from before it are carried out
//! at once, and those from after it when the pause is over ([`contract::Stall`]).

pub use contract::{Action, Armed, Struck};
pub use record::Failpoint;
