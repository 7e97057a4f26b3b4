//! The event trace of a simulated run, whatever nodes it simulates. What only a trace of etcd has is in `record`.
//!
//! * `member_id`, `members`: the id of a node of a cluster, and tables with a row for each node.
//! * `fact`, `event`: what happens to processes, machines and messages, when, and to which node.
//! * `vocabulary`: what a kind of node adds to that; `plain`: the vocabulary of a node that adds nothing.
//! * `run`: what a run leaves; `kept`: what the nodes keep at its end.
//! * `hash`: the trace hash over all events. The same plan always gives the same hash.
//!
//! Architecture invariant: this crate knows no node, no plan, no world and no oracle.

pub mod event;
pub mod fact;
pub mod hash;
pub mod kept;
pub mod member_id;
pub mod members;
mod plain;
pub mod run;
pub mod vocabulary;

pub use event::{Event, Observer, Served};
pub use fact::{DropReason, Fact, FaultEffect, Phase, Stop};
pub use hash::{TraceHash, TraceHasher};
pub use kept::{Kept, KeptByMember};
pub use member_id::MemberId;
pub use members::Members;
pub use plain::{PlainHead, Silent};
pub use run::{MemberEnd, Run, RunStats};
pub use vocabulary::{CallKind, Head, KindOf, OwnFact, Sign, Vocabulary};

/// Virtual time in nanoseconds since the start of the run, on the simulator's true clock.
pub type Nanos = u64;
