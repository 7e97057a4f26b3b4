//! What a run leaves behind: the history that the clients saw, the facts of the event trace, the rolling
//! trace hash, the counts.
//!
//! Everything here is a plain value that can be written to a file and read back. The judges (`verify`) need
//! nothing else, so they can judge records that come from elsewhere.
//!
//! Architecture invariant: this crate knows nothing of members, worlds or oracles.

pub mod fact;
pub mod failpoint;
pub mod hash;
pub mod history;
pub mod probe;
pub mod run;

pub use fact::{Event, Fact, FaultEffect, LogEntry, MessageKind, Observer, Phase, Role, Stop};
pub use failpoint::Failpoint;
pub use hash::TraceHash;
pub use history::{CacheView, History, Operation, Outcome, StreamEnd, WatchStream};
pub use probe::Probe;
pub use run::{Applied, MemberEnd, Record, Stats};

/// Virtual time in nanoseconds since the start of the run, on the simulator's true clock.
pub type Nanos = u64;

/// A member's number in the plan, from 1. Also its raft id in the simulator. 0 is no member.
pub type MemberId = u32;

/// No member: stands for one that a recorder did not keep.
pub const NO_MEMBER: MemberId = 0;
