//! The judge: every oracle, the sequential model of etcd, the linearizability engines.
//!
//! [`judge`] takes the record of a run and reports every violation of an oracle, with its proof. It needs only the
//! clients' history, so it also judges histories that were recorded elsewhere ([`history_file`]). If the record also
//! has the entries that the members applied, it uses them as evidence of outcomes that no client knows.
//!
//! * [`table`]: the table of the oracles. An oracle is a [`Monitor`], which watches a run as it goes, or a [`Judge`],
//!   which looks at the record; both write into a [`Sheet`], which becomes a [`Verdict`].
//! * [`model`]: what one etcd would answer.
//! * [`k1`] to [`k4`]: the oracles over the history; `k1` is the revision engine. [`general`] is the other engine,
//!   which needs nothing but the history. The two are compared on every history that is judged, and on many small
//!   ones with the whole model (`tests/cross_check.rs`).
//! * [`watch`], `caches`: W1 to W12 and C1, against the [`truth`] that `k1` replayed.
//! * [`leases`] (L4 watches the lessor), `locks`, `membership`, `hash_kv`: L1 to L3, M1, M2, and what clients see of I8.
//! * `headers`: what K1 says of the headers of answers and of the status of members, in runs.
//! * `refused`: N1 to N3, what must be refused.
//! * [`leaks`]: Z, what members keep against what is alive.
//! * [`invariants`]: I1 to I10, which watch a run as it goes. [`specification`]: S, which watches every step of raft. [`musts`]: B1 to B8, what must happen within a bound. `ends`: V1, V2 and the end of I8; `progress`: V3.
//! * `watch_rights`: the rule of K1 for users who watch. `scope`: reports what a history has that no oracle looked
//!   at.
//! * [`describe`]: operations, events and times as text.
//!
//! Not here: D1, which needs two runs.
//!
//! Architecture invariant: it depends on `api`, `record`, the engines `linear` and `revision` and the scanner of
//! `histories`, and on no other crate of this workspace; above all not on `member`. The model and the member's store
//! are written separately, so that they do not share mistakes.
//!
//! Architecture invariant: deterministic, no input or output except reading and writing the text of a history file.

mod agreement;
pub mod answer;
pub mod by_revision;
mod caches;
mod clocks;
mod context;
pub mod definite;
pub mod describe;
mod ends;
mod failed_writes;
pub mod general;
mod hash_kv;
mod headers;
pub mod history_file;
pub mod invariants;
mod judge;
pub mod k1;
pub mod k2;
pub mod k3;
pub mod k4;
mod keys_only;
pub mod leaks;
pub mod leases;
mod locks;
mod membership;
pub mod model;
pub mod musts;
mod oracle;
mod progress;
mod refused;
mod scope;
pub mod specification;
pub mod table;
pub mod truth;
mod verdict;
pub mod watch;
mod watch_rights;

pub use context::Context;
pub use judge::{Expectations, judge, judge_all};
pub use oracle::{Judge, Monitor, Oracle, Severity};
pub use refused::Limits;
pub use table::Monitors;
pub use verdict::{Check, Missing, NotJudged, Sheet, Verdict, Violation};
/// The engines, for histories and models of other systems: neither knows anything of etcd.
pub use {linear, revision};
