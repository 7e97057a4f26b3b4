//! Probes that facts alone show: counted, never judged. Each one's row says what it means (`record::probe`).
//!
//! `cluster` has those about leaders, lessors, snapshots and the configuration, `process` those about roles, disks
//! and ends. The invariants count a few of their own, where they look anyway.

mod cluster;
mod process;

pub(super) use cluster::ClusterProbes;
pub(super) use process::ProcessProbes;
