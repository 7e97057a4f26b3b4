//! What a run of the simulator leaves behind. The oracles (`verify`) judge a run by this alone.
//!
//! * `history`: what the clients asked and saw.
//! * `fact`, `head`: the event trace, which says what happened inside the cluster.
//! * `step`: every call into raft, on request; not a part of the trace.
//! * `inner`: what else happens inside a member, for the code that explains a run; not a part of the trace.
//! * `probe`, `failpoint`: the interesting states that a run can reach, and the points at which a member can
//!   crash.
//! * `run`: the [`Record`], which has all of this and the counts.
//!
//! Everything here is a plain value. The parts of the trace that are not about etcd are in `trace`, and are re-exported.
//! `docs/glossary.md` defines the terms.
//!
//! Architecture invariant: this crate knows nothing of members, worlds or oracles.

pub mod fact;
pub mod failpoint;
pub mod head;
pub mod history;
pub mod inner;
pub mod probe;
pub mod run;
pub mod step;

pub use fact::{Etcd, EtcdFact, Event, Fact, LogEntry, Role};
pub use failpoint::Failpoint;
pub use head::{MessageHead, MessageKind};
pub use history::{CacheView, History, Operation, Outcome, StreamEnd, WatchStream};
pub use inner::Inner;
pub use probe::Probe;
pub use run::{Applied, MustCounts, Record, Stats};
pub use step::Step;
pub use trace::hash::{self, TraceHash, TraceHasher};
pub use trace::{
    DropReason, FaultEffect, Kept, KeptByMember, MemberEnd, MemberId, Members, Nanos, Observer, Phase,
    Served, Stop,
};
