//! Runs a plan: virtual time, network, disks, clocks, processes, clients, operators, nemesis.
//!
//! One thread, one heap (rule R1): [`run`] takes a plan and returns a record. In a build with `--cfg madsim`,
//! as in this repository, madsim is the hermetic runtime around it: it controls the process's sources of time
//! and randomness; one madsim task pumps the heap and advances madsim's clock. Without the flag the same pump
//! runs bare, with the same trace hashes (rule R6).
//!
//! Architecture invariants: this crate judges nothing, and knows nothing of scenarios or how seeds are
//! expanded. Randomness is keyed (rule R2) and none leaks in (rule R3). The same plan gives the same trace
//! hash (rule R4), in every process and build and with any number of jobs.

mod clients;
mod clock;
pub mod context;
mod digests;
pub mod disk;
mod faults;
mod network;
mod operators;
mod panics;
mod process;
mod pump;
mod queue;
mod recorder;
mod runtime;
mod settle;
mod setup;
mod triggers;
mod world;

use plan::Plan;
use record::{Observer, Record};
pub use runtime::GUARDED;

/// What a run should keep.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Keep every event in the record: to print a trace, or to find where two runs differ.
    pub keep_events: bool,
}

/// Runs a plan to its end. The observer receives every event as it happens.
///
/// # Panics
/// On a bug of the simulator itself. A panic of a member is a fact of the record.
pub fn run(plan: &Plan, observer: &mut dyn Observer, options: Options) -> Record {
    pump::run(plan, observer, options)
}
