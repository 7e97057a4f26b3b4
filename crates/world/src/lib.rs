//! The kernel of the simulator: it runs a cluster of nodes, whatever nodes they are. [`run`] takes a plan and the
//! callers of the nodes, and returns what the run leaves, with a hash over every event.
//!
//! The crate simulates everything around the nodes: virtual time, network, disks, clocks and processes. It also injects
//! the faults of the plan; the part that does so is called the nemesis. The crate `contract` says what a node is. What
//! else a run is made of is a [`System`], and the code that calls the nodes is its [`Callers`]. The crate `cluster` has
//! both for etcd. A small node, one that only answers requests, needs no more than [`Plain`] and [`Loops`]:
//! `examples/register.rs` is one. Messages and texts call a node a *member* of its cluster.
//!
//! * `system`, `callers`: what the kernel does not know, as traits.
//! * `world`, `lives`, `feeding`, `traffic` and `pump` are the world: it has the whole state of a run, and only these
//!   files change all of it.
//! * `network`, `disk`, `clock`, `machine`, `process`, `keeper`, `queue`, `calls`: what the world is made of.
//! * `recorder`, `progress`: what becomes of the facts.
//! * `faults` and `settle`: the two phases of a run. Faults get a `Reach` of the world (`strike`).
//! * `plain`, `loops`: a system for small nodes, and clients for any node.
//!
//! Whatever else faults and callers want done is a list of `deeds`, which the world carries out. Callers read a `view`
//! of the world. So none of them names the world.
//!
//! A run uses one thread and one heap of future events (rule R1; the rules are in `ARCHITECTURE.md`). With
//! `--cfg madsim`, as in this repository, the whole run is one task of madsim, which intercepts every read of
//! the operating system's clock and randomness. Without the flag the same loop runs without that guard and
//! gives the same trace hashes (rule R6).
//!
//! Architecture invariants: this crate knows no node and judges nothing. Apart from `plain`, it knows neither scenarios
//! nor how a seed is expanded into a plan. Its randomness is keyed (rule R2), and no other randomness leaks in (rule
//! R3). The same plan gives the same trace hash (rule R4) in every process, in every build and with any number of jobs.

mod callers;
mod calls;
pub mod clock;
pub mod context;
mod deeds;
pub mod disk;
mod faults;
mod feeding;
mod happening;
mod keeper;
mod lives;
mod loops;
mod machine;
mod network;
mod panics;
mod plain;
mod process;
mod progress;
mod pump;
mod queue;
mod recorder;
mod runtime;
mod settle;
mod strike;
mod system;
mod traffic;
mod view;
mod world;

use schedule::Plan;
use trace::{Observer, Run};

pub use callers::{Callers, Task, Waiting};
pub use calls::Ended;
pub use deeds::Orders;
pub use keeper::Found;
pub use loops::{Asks, Call, Loops, Next};
pub use machine::State;
pub use network::{Party, packet_size};
pub use plain::{Ask, Plain, Simple};
pub use progress::Configuration;
pub use runtime::GUARDED;
pub use system::*;
pub use view::View;

/// The names that a small node and its driver use: `use world::prelude::*`.
pub mod prelude {
    pub use std::sync::Arc;

    pub use contract::disk::{Disk, DiskError, DiskJob, DiskOp};
    pub use contract::{Boot, Effects, End, Input, NoStore, Node, Now, Started, Watched};
    pub use keyed::Ratio;
    pub use schedule::{Plan, Scenario, Turn};
    pub use trace::{MemberId, Nanos};

    pub use crate::{Call, Loops, Options, Plain, Simple};
}

/// What else a run keeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Keeps every event, to print a trace or to find where two runs differ.
    pub keep_events: bool,
}

/// Runs a plan to its end. The observer receives every event as it happens. Returns what the run leaves, and the
/// callers with what they know of the run.
///
/// # Panics
/// On a bug of the kernel itself, of the callers or of the observer. If a node panics, the run goes on and what it
/// leaves says so.
pub fn run<S: System, C: Callers<S>>(
    plan: &Plan<S::Part>,
    mut callers: C,
    observer: &mut dyn Observer<WordsOf<S>>,
    options: Options,
) -> (Run<WordsOf<S>>, C) {
    let run = pump::run(plan, &mut callers, observer, options);
    (run, callers)
}
