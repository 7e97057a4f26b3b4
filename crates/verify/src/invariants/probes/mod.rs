//! Probes that the facts of a run show. They are counted and never judged; `record::probe` says what each means.
//!
//! `cluster` has those about leaders, lessors, snapshots and the configuration; `process` those about roles, disks
//! and the ends of processes. The invariants themselves count a few more, where they look at the same facts anyway.

mod cluster;
mod process;

pub(super) use cluster::ClusterProbes;
pub(super) use process::ProcessProbes;
