//! What a run of the simulator leaves behind. The oracles (`verify`) judge a run by this alone.
//!
//! * `history`: what the clients asked and saw.
//! * `fact`: the event trace, which says what happened inside the cluster.
//! * `step`: every call into raft, for those who ask for it; not a part of the trace.
//! * `hash`: the trace hash over all events. The same plan always gives the same hash.
//! * `probe`, `failpoint`: the interesting states that a run can reach, and the points at which a member can
//!   crash.
//! * `run`: the [`Record`], which has all of this and the counts.
//!
//! Everything here is a plain value. `docs/glossary.md` defines the terms.
//!
//! Architecture invariant: this crate knows nothing of members, worlds or oracles.

pub mod fact;
pub mod failpoint;
pub mod hash;
pub mod history;
pub mod member_id;
pub mod members;
pub mod probe;
pub mod run;
pub mod step;

pub use fact::{Event, Fact, FaultEffect, LogEntry, MessageKind, Observer, Phase, Role, Stop};
pub use failpoint::Failpoint;
pub use hash::TraceHash;
pub use history::{CacheView, History, Operation, Outcome, StreamEnd, WatchStream};
pub use member_id::MemberId;
pub use members::Members;
pub use probe::Probe;
pub use run::{Applied, MemberEnd, Record, Stats};
pub use step::Step;

/// Virtual time in nanoseconds since the start of the run, on the simulator's true clock.
pub type Nanos = u64;
