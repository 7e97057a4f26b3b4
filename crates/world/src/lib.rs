//! Runs a plan: virtual time, network, disks, clocks, process life, clients, operators, nemesis.
//!
//! One thread, one heap (rule R1): [`run`] takes a plan and gives back a record. Where the build has
//! `--cfg madsim`, as in this repository, madsim is the hermetic runtime around it: it owns the process's
//! sources of time and randomness; one madsim task pumps the heap and moves madsim's clock along. Without
//! the flag the same pump runs bare, with the same trace hashes (rule R6).
//!
//! Architecture invariants: this crate judges nothing, and knows nothing of scenarios or seeds'
//! expansion. Randomness is keyed (rule R2) and nothing leaks in (rule R3). The same plan gives the
//! same trace hash (rule R4), in every process, build and number of jobs.

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
    /// Keep every event in the record: for a printed trace, or to find where two runs differ.
    pub keep_events: bool,
}

/// Runs a plan to its end. The observer is told every event, as it happens.
///
/// # Panics
/// On a bug of the simulator itself. A panic of a member is a fact of the record.
pub fn run(plan: &Plan, observer: &mut dyn Observer, options: Options) -> Record {
    pump::run(plan, observer, options)
}
