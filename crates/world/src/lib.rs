//! Runs a plan. [`run`] takes a plan and returns a record: what the clients saw, what the members applied, and
//! a hash over every event.
//!
//! The crate simulates everything around the members: virtual time, network, disks, clocks, processes, clients
//! and operators. It also injects the faults of the plan; the part that does so is called the nemesis.
//!
//! * `world`, `lives`, `feeding`, `traffic` and `pump` are the world: it has the whole state of a run, and only these
//!   files change all of it.
//! * `network`, `disk`, `clock`, `machine`, `process`, `keeper`, `queue`, `calls`: what the world is made of.
//! * `faults` and `settle`: the two phases of a run. Faults get a `Reach` of the world (`strike`).
//! * `callers`, `clients`, `operators`, `tasks`, `final_read`: those who call the members. They work at a `desk`: they
//!   read a `View` of the world, and write orders.
//!
//! What faults and callers want done besides is a list of `deeds`, which the world carries out. So none of them names
//! the world.
//!
//! A run uses one thread and one heap of future events (rule R1; the rules are in `ARCHITECTURE.md`). With
//! `--cfg madsim`, as in this repository, the whole run is one task of madsim, which intercepts every read of
//! the operating system's clock and randomness. Without the flag the same loop runs without that guard and
//! gives the same trace hashes (rule R6).
//!
//! Architecture invariants: this crate judges nothing. It does not know scenarios, nor how a seed is expanded
//! into a plan. Its randomness is keyed (rule R2), and no other randomness leaks in (rule R3). The same plan
//! gives the same trace hash (rule R4) in every process, in every build and with any number of jobs.

mod caller_event;
mod callers;
mod calls;
mod clients;
mod clock;
pub mod context;
mod deeds;
mod desk;
mod digests;
pub mod disk;
mod faults;
mod feeding;
mod final_read;
mod gather;
mod happening;
mod keeper;
mod lives;
mod machine;
mod network;
mod operators;
mod panics;
mod process;
mod progress;
mod pump;
mod queue;
mod recorder;
mod runtime;
mod settle;
mod setup;
mod strike;
mod tasks;
mod traffic;
mod view;
mod world;

use plan::Plan;
use record::{Etcd, Observer, Record};
pub use runtime::GUARDED;

/// What a run keeps in its record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Keeps every event, to print a trace or to find where two runs differ.
    pub keep_events: bool,
}

/// Runs a plan to its end. The observer receives every event as it happens.
///
/// # Panics
/// On a bug of the simulator itself. If a member panics, the run goes on and the record says so.
pub fn run(plan: &Plan, observer: &mut dyn Observer<Etcd>, options: Options) -> Record {
    pump::run(plan, observer, options)
}
