//! Scenarios and plans of etcd: what a run of the simulator is to do.
//!
//! The crate `schedule` has scenarios and plans for nodes of any kind, and their text; `docs/scenarios.md` describes
//! it. This crate adds what is specific to etcd ([`Etcd`], its [`Part`](schedule::Part)), and the names under which all
//! other crates use both.
//!
//! * `etcd`: the part. The settings of the section `[cluster]` are the rows of the crate `settings`; `swarm.toml` lists
//!   what the swarm may choose.
//! * `client`, [`act`]: clients, and their steps. `operation`: how a step is written.
//! * `workload`: the section `[workload]`, one file for each workload. `own`: workloads written in Rust.
//! * `operators`: the tasks of operators, such as adding a member, one row each.
//!
//! Not here: what any of this does to a cluster (`world`, `cluster`), which flaws there are (`member`).
//!
//! Architecture invariant: this crate knows nothing about members, worlds or oracles. Architecture invariant: no user
//! input makes it panic.

pub mod act;
mod client;
mod etcd;
mod operation;
mod operators;
mod own;
#[cfg(test)]
mod properties;
mod workload;

pub use act::{Act, LAST, SEEN};
pub use client::{Client, Failover, PlannedOperation};
pub use etcd::Etcd;
pub(crate) use etcd::NAMES;
pub use operation::OperationError;
pub use operators::OperatorTask;
pub use own::Workload;
pub use schedule::{
    ClockFault, Condition, Disk, DiskCall, DiskFault, Expect, Files, FlawAt, Link, MOST_MACHINES,
    MessageRule, Mistake, Network, NetworkFault, Noise, Open, Phases, PointAction, ProcessFault, RuleAction,
    ScenarioErrors, Spread, Target, Trigger, Turn, Who,
};
pub use settings::{EtcdVersion, RaftLoop, Settings};
pub use workload::NamedWorkload;

/// A fully decided run of etcd.
pub type Plan = schedule::Plan<Etcd>;
/// The members and how they are set up.
pub type Cluster = schedule::Cluster<Settings>;
/// Something that goes wrong.
pub type Fault = schedule::Fault<OperatorTask>;
/// What goes wrong: a fault of one of the families, or an operator's task. See `docs/faults.md` for each of them with
/// its ranges.
pub type FaultKind = schedule::FaultKind<OperatorTask>;
/// A scenario file. [`Scenario::expand`](schedule::Scenario::expand) makes a [`Plan`] from it and a seed.
pub type Scenario = schedule::Scenario<Etcd>;
/// A file that can be run: a scenario, which needs a seed, or a plan, which has one.
pub type Source = schedule::Source<Etcd>;
/// Builds a [`Scenario`] in code.
pub type ScenarioBuilder = schedule::ScenarioBuilder<Etcd>;
/// A fault of a scenario that is built in code: kind, target, time and duration.
pub type ScenarioFault = schedule::ScenarioFault<OperatorTask>;
/// What a [`Workload`] may depend on: the cluster, the length of the run, and keyed draws of the seed.
pub type WorkloadContext = schedule::WorkloadContext<Etcd>;

/// A page of the documentation with its tables regenerated: the text between `<!-- made: NAME -->` and
/// `<!-- end -->` is replaced.
pub fn document(page: &str) -> String {
    schedule::document::<Etcd>(page)
}

/// The JSON schema of scenarios and plans. `docs/scenario.schema.json` is this, printed.
pub fn schema() -> serde_json::Value {
    schedule::schema::<Etcd>()
}
