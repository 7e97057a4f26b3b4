//! Scenarios and plans of a simulated run, whatever nodes it simulates.
//!
//! A *scenario* is a short TOML file that a person writes. It says which cluster, clients and faults a run has,
//! and may leave values open as ranges and choices. A *plan* is one run with nothing left open: the cluster,
//! every operation of every client, every fault with its time. A scenario and a *seed*, a number, give a plan:
//! the seed decides what the scenario leaves open, by *draws* of random numbers. Both files have the same
//! format, described in `docs/scenarios.md`; a plan is a file with a `seed`.
//!
//! A [`Part`] says what the nodes are asked, which settings they have and which tasks their operators have. The crate
//! `plan` has etcd's. A node that needs no more than closed loops of requests can use [`Client`] as it is.
//!
//! * `plan`: the types of a plan. `part`: what a kind of node brings. `client`: clients for any node.
//! * `kinds`: the kinds of faults, one row each, one file for each family.
//! * `field`, `sections`, `kinds`: tables of all fields of a file. Everything else here follows from them and from
//!   those of the part: reading, drawing, writing, the documentation and the schema.
//! * `units`, `words`: how amounts, targets and conditions are written.
//! * `choice`: what a scenario can leave open, and how a seed decides it.
//! * `read`, `scenario`, `check`, `mistakes`: from text to a scenario, with the position of every mistake.
//! * `build`, `open`: scenarios that are built in code instead of a file. `own`, `turns`: workloads written in Rust.
//! * `expand`, `swarm`: from a scenario and a seed to a plan. `write`: from a plan to text.
//! * `docs`, `schema`: the tables of the documentation, and the JSON schema for editors.
//!
//! Not here: what any of this does to a cluster (`world`).
//!
//! Architecture invariant: this crate knows no node, no world and no oracle. Architecture invariant: a scenario and a
//! seed always give the same plan, on every machine. Draws are keyed (rule R2 of `ARCHITECTURE.md`), and arithmetic
//! uses integers. Architecture invariant: no user input makes it panic. Only code that handles the part's types has
//! type parameters; the code that reads and writes text is compiled once.

mod build;
mod check;
pub mod choice;
mod client;
pub mod docs;
mod expand;
pub mod field;
pub mod kinds;
pub mod mistakes;
mod open;
mod own;
mod part;
mod plan;
mod read;
mod scenario;
mod schema;
pub mod sections;
mod swarm;
mod turns;
pub mod units;
pub mod words;
pub mod write;

pub use build::{ScenarioBuilder, ScenarioFault};
pub use choice::Who;
pub use client::{Client, Operation, Planned};
pub use docs::document;
pub use kinds::{
    ClockFault, DiskCall, DiskFault, FaultKind, Files, MessageRule, NetworkFault, NoTask, PointAction,
    ProcessFault, RuleAction,
};
pub use mistakes::{Mistake, ScenarioErrors};
pub use open::{Open, Written, toml};
pub use own::WorkloadContext;
pub use part::{Checked, ClientPart, Given, OwnSection, OwnSections, Part, TakesWorkload};
pub use plan::*;
pub use scenario::{Scenario, Source};
pub use schema::schema;
pub use swarm::OwnSwarm;
pub use turns::{Turn, turns};
