//! One etcd member as a deterministic state machine.
//!
//! [`Member::step`] takes the time on the member's own clock and one input (a wake-up, a message, a
//! request, the end of a disk operation) and gives effects: messages, answers, disk operations, facts.
//! Nothing in it is the simulator's: a server would be another driver of the same struct.
//!
//! | file | job |
//! |---|---|
//! | `member` | the step: input, readies, apply |
//! | `node` | the only one that touches `raft::RawNode`: order, persistence, determinism |
//! | `start` | first start and recovery |
//! | `persist` | backend commits, snapshots of the log, snapshots from a leader |
//! | `requests`, `proposals`, `reads`, `forwarded`, `peers` | the ways of a client's request |
//! | `entries` | what is applied to which part of the state |
//! | `apply`, [`mvcc`] | what etcd does with a request |
//! | [`cluster`], `changes`, `configuration` | the membership and the alarms; what raft makes of them |
//! | [`auth`] | users, roles, permissions, tokens |
//! | `lessor`, `leases` | the time of leases |
//! | `watch`, `watches` | watchers and their streams |
//! | `services`, `lockers` | the lock and election services |
//! | `maintenance`, `compactor` | status, hashes, defragmentation, leadership, space; compaction by itself |
//! | `image` | everything that is replicated, in one piece |
//! | [`failpoint`] | named points at which a process can be made to crash or to pause |
//! | [`wal`], [`snapshot_file`], [`backend`] | what is on the disk, and how |
//!
//! Architecture invariants: no threads, no sockets, no clock, no randomness of its own; it knows
//! nothing of madsim, of worlds or of oracles.

pub mod apply;
pub mod auth;
pub mod backend;
mod changes;
pub mod cluster;
mod compactor;
pub mod config;
mod configuration;
pub mod disk;
mod entries;
mod envelope;
pub mod failpoint;
pub mod flaw;
mod forwarded;
mod image;
pub mod io;
mod leases;
mod lessor;
mod lockers;
mod log;
mod logging;
mod maintenance;
mod member;
pub mod mvcc;
mod node;
mod peers;
mod persist;
mod probes;
mod proposals;
mod reads;
mod requests;
mod services;
pub mod snapshot_file;
mod start;
pub mod wal;
mod watch;
mod watches;

pub use config::Config;
pub use flaw::{Flaw, FlawArea, Flaws};
pub use maintenance::SnapshotStream;
pub use member::{Member, Status};
pub use start::StartError;
pub use watch::Counts as WatcherCounts;
