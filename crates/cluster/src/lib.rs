//! A cluster of etcd members in the simulator's kernel ([`world`]). [`run`] takes a plan and returns a record: what the
//! clients saw, what the members applied, and a hash over every event.
//!
//! The kernel runs the members and strikes them with faults. This crate has the code that calls them, and the part of
//! the record that concerns etcd:
//!
//! * `etcd`: what the kernel knows about etcd (its [`System`](world::System)).
//! * `callers`: all callers. Each one works at a `desk`: it reads a view of the world, and writes the history, its
//!   counts and its orders.
//! * `clients`: the clients of the plan. `operators`, `tasks`: people and their tools. `final_read`: a read of
//!   everything at the end.
//! * `caller_event`: what callers wait for. `digests`: what stands for requests and answers in the trace.
//! * `gather`: takes the part of the record that concerns etcd from the events.
//!
//! Architecture invariants: this crate judges nothing, and the only state of a run that it holds is the callers'. Its
//! randomness is keyed (rule R2 of `ARCHITECTURE.md`). The same plan gives the same record (rule R4).

mod caller_event;
mod callers;
mod clients;
mod desk;
mod digests;
mod etcd;
mod final_read;
mod gather;
mod operators;
mod tasks;

use plan::Plan;
use record::{Observer, Record, Stats};
use trace::{Run, RunStats};
use world::Options;

use crate::callers::Callers;
use crate::desk::Journal;
use crate::etcd::Etcd;
pub use crate::gather::Gather;

/// Runs a plan to its end. The observer receives every event as it happens.
///
/// # Panics
/// On a bug of the simulator itself. If a member panics, the run goes on and the record says so.
pub fn run(plan: &Plan, observer: &mut dyn Observer<record::Etcd>, options: Options) -> Record {
    let mut gather = Gather::new(observer);
    let (run, callers) = world::run::<Etcd, _>(plan, Callers::new(plan), &mut gather, options);
    let mut record = record_of(run, callers.into_journal());
    gather.put_into(&mut record);
    record
}

/// Makes the record of a run from the kernel's result and the callers' journal.
fn record_of(run: Run<record::Etcd>, journal: Journal) -> Record {
    let Run { trace_hash, stats, members, unsettled, surprises, strikes, healed, kept, events } = run;
    let RunStats { virtual_ns, events: heap, messages, operations, elections, disk_operations, faults } =
        stats;
    let Journal { history, stats, .. } = journal;
    let mut record = Record {
        history,
        applied: Vec::new(),
        members,
        unsettled,
        surprises,
        strikes,
        healed,
        kept,
        stats,
        trace_hash,
        events,
    };
    let counts = Stats {
        virtual_ns,
        events: heap,
        messages,
        operations,
        elections,
        disk_operations,
        faults,
        ..Stats::default()
    };
    record.stats.add(&counts);
    record
}
