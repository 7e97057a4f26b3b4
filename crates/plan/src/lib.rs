//! Scenarios and plans: what a run of the simulator is to do.
//!
//! A *scenario* is a short TOML file that a person writes. It says which cluster, clients and faults a run has,
//! and may leave values open as ranges and choices. A *plan* is one run with nothing left open: the cluster,
//! every operation of every client, every fault with its time. A scenario and a *seed*, a number, give a plan:
//! the seed decides what the scenario leaves open, by *draws* of random numbers. Both files have the same
//! format, described in `docs/scenarios.md`; a plan is a file with a `seed`.
//!
//! * `plan`, [`act`]: the types of a plan, and of the steps of a client.
//! * `kinds/`: the kinds of faults and of operators' tasks, one row each, one file for each family.
//! * `field`, `sections`, `kinds`, `workload`: tables of all fields of a file. Everything else here follows
//!   from them: reading, drawing, writing, the documentation and the schema. The fields of `[cluster]` are the
//!   rows of the crate `settings`.
//! * `etcd`: the names that files have for numbers in a plan.
//! * `units`, `words`, `operation`: how amounts, targets, conditions and operations are written.
//! * `choice`: what a scenario can leave open, and how a seed decides it.
//! * `read`, `scenario`, `check`, `mistakes`: from text to a scenario, with the position of every mistake.
//! * `build`, `open`: scenarios that are built in code instead of a file. `own`: workloads written in Rust.
//! * `expand`, `swarm`: from a scenario and a seed to a plan. `write`: from a plan to text.
//! * `docs`, `schema`: the tables of the documentation, and the JSON schema for editors.
//!
//! Not here: what any of this does to a cluster (`world`), which flaws there are (`member`).
//!
//! Architecture invariant: this crate knows nothing about members, worlds or oracles. Architecture invariant: a
//! scenario and a seed always give the same plan, on every machine. Draws are keyed (rule R2 of
//! `ARCHITECTURE.md`), and arithmetic uses integers. Architecture invariant: no user input makes it panic.

pub mod act;
mod build;
mod check;
mod choice;
mod docs;
mod etcd;
mod expand;
mod field;
mod kinds;
mod mistakes;
mod open;
mod operation;
mod own;
pub mod plan;
#[cfg(test)]
mod properties;
mod read;
mod scenario;
mod schema;
mod sections;
mod swarm;
mod units;
mod words;
mod workload;
mod write;

pub use act::{Act, LAST, SEEN};
pub use build::{NamedWorkload, ScenarioBuilder, ScenarioFault};
pub use choice::Who;
pub use docs::document;
pub(crate) use etcd::NAMES;
pub use kinds::{
    ClockFault, DiskCall, DiskFault, FaultKind, Files, MessageRule, NetworkFault, OperatorTask, PointAction,
    ProcessFault, RuleAction,
};
pub use mistakes::{Mistake, ScenarioErrors};
pub use open::Open;
pub use operation::OperationError;
pub use own::{Workload, WorkloadContext};
pub use plan::*;
pub use scenario::{Scenario, Source};
pub use schema::schema;
pub use workload::Turn;
