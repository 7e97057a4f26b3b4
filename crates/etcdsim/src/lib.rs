//! etcdsim runs clusters of etcd members in virtual time, injects faults, and judges what their clients saw. A
//! scenario and a seed decide everything that happens, so a seed that fails will fail again.
//!
//! # A chaos test
//!
//! ```
//! use etcdsim::Simulation;
//!
//! # let scenario = r#"
//! # title = "Members are killed"
//! # [workload]
//! # [[fault]]
//! # kind = "crash"
//! # target = "random"
//! # every = "2s..4s"
//! # for = "500ms"
//! # [run]
//! # chaos = "10s"
//! # "#;
//! # let file = std::env::temp_dir().join(format!("etcdsim-doc-{}.toml", std::process::id()));
//! # std::fs::write(&file, scenario)?;
//! // In a `#[test]`, with a file such as "scenarios/power-loss.toml":
//! Simulation::from_file(&file)?.seeds(0..3).check();
//! # std::fs::remove_file(&file)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`check`](Simulation::check) panics if there is a failure. Its message shows the worst failures and how to replay
//! one of them. [`verdict`](Simulation::verdict) returns the same text as an error, and [`run`](Simulation::run)
//! always returns a [`Report`].
//!
//! # A scenario in code
//!
//! ```
//! use std::time::Duration;
//!
//! use etcdsim::{NamedWorkload, ProcessFault, Scenario, ScenarioFault, Simulation, Target};
//!
//! let scenario = Scenario::builder("The leader is paused")
//!     .members(3)
//!     .workload(NamedWorkload::new("register").clients(3).rate(30))
//!     .fault(
//!         ScenarioFault::new(ProcessFault::Pause)
//!             .on(Target::Leader)
//!             .every(Duration::from_secs(2)..=Duration::from_secs(5))
//!             .lasting(Duration::from_secs(2)),
//!     )
//!     .chaos(Duration::from_secs(10))
//!     .build()?;
//! Simulation::new(scenario)?.seeds(0..3).check();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Your own workload
//!
//! ```
//! use std::time::Duration;
//!
//! use etcdsim::{Act, Client, Scenario, Simulation, WorkloadContext};
//!
//! // Each client counts in its own key and reads any client's key, about ten times a second.
//! fn counters(context: &WorkloadContext) -> Vec<Client> {
//!     let client = |nth: u32| {
//!         let mut client = context.client(nth);
//!         for turn in context.turns(nth, Duration::from_millis(100)) {
//!             let act = match turn.draw.below(2) {
//!                 0 => Act::put(format!("counter/{nth}"), turn.nth.to_string()),
//!                 _ => Act::get(format!("counter/{}", turn.draw.then(1).below(4))),
//!             };
//!             client.operations.push(act.at(turn.at));
//!         }
//!         client
//!     };
//!     (0..4).map(client).collect()
//! }
//!
//! let scenario = Scenario::builder("Counters").chaos(Duration::from_secs(5)).build()?;
//! let report = Simulation::new(scenario)?.workload(counters).seeds(0..2).check();
//! assert!(report.cases[0].total.operations > 300);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Your own oracle
//!
//! An oracle is a rule that no run may violate. There are two kinds: one judges the record after the run
//! ([`judge`](Simulation::judge)), the other watches the events as they happen ([`monitor`](Simulation::monitor)).
//! Both write violations into a [`Sheet`].
//!
//! ```
//! use etcdsim::{Event, Fact, Monitor, Oracle, Severity, Sheet, Simulation, Violation};
//!
//! const ONCE: Oracle = Oracle::own("ONCE", "no process starts twice", Severity::Inside);
//!
//! #[derive(Default)]
//! struct Once;
//!
//! impl Monitor for Once {
//!     fn event(&mut self, event: &Event, sheet: &mut Sheet) {
//!         if let Fact::Started { incarnation: 2.. } = event.fact {
//!             sheet.add(Violation::new(ONCE, event.time, "a process starts again"));
//!         }
//!     }
//! }
//!
//! let text = r#"
//!     title = "A crash"
//!     fault = [{ kind = "crash", target = "random", at = "1s", for = "100ms" }]
//!     run = { chaos = "2s" }
//! "#;
//! let report = Simulation::from_text("crash.toml", text)?.monitor(|_plan| Once).seeds(0..2).run()?;
//! assert_eq!(report.failures(), 2);
//! assert!(report.oracles().contains(&ONCE));
//! # Ok::<(), etcdsim::Error>(())
//! ```
//!
//! # An observer
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use etcdsim::{Etcd, Event, Fact, Observer, Simulation};
//!
//! /// Counts the starts of processes.
//! struct Starts(Arc<AtomicU64>);
//!
//! impl Observer<Etcd> for Starts {
//!     fn event(&mut self, event: &Event) {
//!         if let Fact::Started { .. } = event.fact {
//!             self.0.fetch_add(1, Ordering::Relaxed);
//!         }
//!     }
//! }
//!
//! let starts = Arc::new(AtomicU64::new(0));
//! let counted = starts.clone();
//! let text = "title = \"Nothing happens\"\nrun = { chaos = \"1s\" }";
//! Simulation::from_text("quiet.toml", text)?
//!     .observer(move |_plan| Starts(counted.clone()))
//!     .seeds(0..2)
//!     .check();
//! assert_eq!(starts.load(Ordering::Relaxed), 2 * 3);
//! # Ok::<(), etcdsim::Error>(())
//! ```
//!
//! # A history
//!
//! [`check_history`] judges what the clients of a real etcd saw.
//!
//! # Structure
//!
//! One function for each arrow of `ARCHITECTURE.md`:
//!
//! ```text
//! scenario + seed ──Case::plan──▶ Plan ──run_plan──▶ Outcome { record, verdict } ──show──▶ text
//! ```
//!
//! The types of plans, records and verdicts that appear here come from the crates [`plan`], [`record`] and
//! [`verify`]; requests and answers of etcd come from [`api`]. All are re-exported whole, as are the engines
//! [`linear`] and [`revision`] and the readers of history files, [`histories`].
//!
//! No flag is needed. With `--cfg madsim`, which this repository sets for itself, madsim guards the runs: no real
//! clock and no real randomness can enter them. Without the flag the runs are the same, and the report says that
//! nothing guards them.
//!
//! Architecture invariant: of the crates that take part in runs, only this one reads the wall clock (`stopwatch`)
//! and starts threads ([`Batch`]). Neither reaches into a run.

mod additions;
mod aim;
mod batch;
mod case;
#[doc(hidden)]
pub mod command;
mod determinism;
mod diff;
mod error;
mod execute;
mod exit;
mod explain;
mod flaws;
mod history;
mod landmarks;
mod musts;
mod page;
#[doc(hidden)]
pub mod probes;
mod recorded;
mod replay_line;
mod report;
mod robustness;
mod saved;
mod show;
mod shrink;
mod signature;
mod simulation;
#[doc(hidden)]
pub mod stopwatch;
mod trace_out;
mod walk;
pub mod why;

pub use additions::Additions;
pub use batch::{Batch, run_seed};
pub use case::{Case, find as find_scenarios};
pub use determinism::{Divergence, FirstDifference};
pub use error::{Error, HistoryError};
pub use execute::{HarnessFailure, Outcome, expectations_of, monitors_of, run_plan, run_plan_observed};
pub use exit::Exit;
#[doc(hidden)]
pub use explain::wrong_steps;
pub use explain::{Explanation, Paragraph, Sentence, Story};
pub use history::{CheckedHistory, check_history, check_history_file, history_of_run};
pub use landmarks::Landmarks;
pub use page::page_of_run;
pub use report::{CaseReport, End, Ended, Failure, Group, Reached, Report, SeedRun, ViolationReport};
pub use shrink::{
    Ended as ShrinkEnded, NotShrunk, OtherFinding, PASSES as SHRINK_PASSES, Pass as ShrinkPass, Shrinker,
    Shrunk, Size, Step as ShrinkStep, Without,
};
pub use signature::Signature;
pub use simulation::{SEED_VARIABLE, SEEDS_VARIABLE, Simulation, SimulationFailure};

pub use plan::{
    Act, Client, ClockFault, Cluster, Condition, Disk, DiskFault, Fault, FaultKind, FlawAt, Link,
    MessageRule, NamedWorkload, Network, NetworkFault, Noise, Open, OperatorTask, Plan, PlannedOperation,
    ProcessFault, Scenario, ScenarioBuilder, ScenarioErrors, ScenarioFault, Spread, Target, Turn, Who,
    Workload, WorkloadContext,
};
pub use record::{
    Etcd, EtcdFact, Event, Fact, History, MemberId, Nanos, Observer, Operation, Record, Stats, Step,
    TraceHash, step,
};
pub use verify::{
    Check, Context, Expectations, Judge, Missing, Monitor, NotJudged, Oracle, Severity, Sheet, Verdict,
    Violation,
};
pub use world::Options;

pub use keyed::{Draw, Ratio};
pub use {api, bytes, histories, linear, plan, record, revision, verify};
