//! etcdsim: a cluster of etcd members that lives and dies in virtual time.
//!
//! The picture of the design, one function an arrow:
//!
//! ```text
//! scenario + seed ──Case::plan──▶ Plan ──run_plan──▶ Outcome { record, verdict } ──show──▶ text
//! ```
//!
//! For tests of your own, [`Simulation`] is all you need:
//!
//! ```no_run
//! # fn main() -> Result<(), etcdsim::Error> {
//! etcdsim::Simulation::from_file("scenarios/power-loss.toml")?.seeds(0..20).check();
//! # Ok(())
//! # }
//! ```
//!
//! Everything must be built with `--cfg madsim`; the crate `world` says how where it is not.
//!
//! Architecture invariant: this is the only crate that reads the wall clock ([`stopwatch`]), and the
//! only one that starts threads ([`batch`]). Neither reaches into a run.

pub mod batch;
pub mod case;
pub mod command;
pub mod determinism;
mod error;
pub mod execute;
mod exit;
pub mod flaws;
pub mod probes;
pub mod replay_line;
pub mod report;
mod robustness;
pub mod saved;
pub mod show;
mod simulation;
pub mod stopwatch;
pub mod story;

pub use batch::Batch;
pub use case::Case;
pub use error::{Error, HistoryError};
pub use execute::{HarnessFailure, Outcome, run_plan};
pub use exit::Exit;
pub use report::{End, Failure, Report, ViolationReport};
pub use simulation::Simulation;
