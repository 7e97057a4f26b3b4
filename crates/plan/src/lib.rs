//! Scenarios and plans: the first arrow of `ARCHITECTURE.md`, `scenario.toml + seed ──expand──▶ Plan`.
//!
//! A *scenario* is a short TOML file that a person writes. Anything in it may be a value, a range or a
//! choice. A *plan* has none of these left: topology, every client operation, every fault. Both have the same
//! grammar, described in `docs/scenarios.md`; a plan is a scenario with a `seed`.
//!
//! * `plan`, [`act`]: the types of a plan, which `world` runs and a shrinker edits, and of a client's steps.
//! * `kinds/`: every fault and every operator's task, one row each, one file per family.
//! * `field`, `sections`, `kinds`, `workload`: one table of fields, from which everything else here is
//!   generated: the reader, the draws, the writer, the documentation and the schema. The fields of
//!   `[cluster]` are the rows of the crate `settings`.
//! * `units`, `words`, `operation`: how amounts, targets, conditions and operations are written.
//! * `choice`: what is left open, and how a seed decides it.
//! * `read`, `scenario`, `check`, `mistakes`: from text to a scenario, with the position of every mistake.
//! * `build`, `open`: scenarios built in code, through the same text. `own`: workloads written in Rust.
//! * `expand`, `swarm`: from a scenario and a seed to a plan. `write`: from a plan to text.
//! * `docs`, `schema`: the tables of the documentation, and the format for editors.
//!
//! Not here: what any of this does to a cluster (`world`), which flaws there are (`member`).
//!
//! Architecture invariant: knows nothing of members, worlds or oracles.
//! Architecture invariant: a scenario and a seed always give the same plan, on every machine: draws are keyed
//! (rule R2), arithmetic uses integers.
//! Architecture invariant: no user input makes it panic.

pub mod act;
mod build;
mod check;
mod choice;
mod docs;
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
