//! One etcd member as a deterministic state machine.
//!
//! [`Member::step`] takes the time on the member's own clock and one input (a wake-up, a message, a request,
//! the end of a disk operation) and produces effects: messages, answers, disk operations, facts. None of it
//! is specific to the simulator: a server would be another driver of the same struct.
//!
//! | file | job |
//! |---|---|
//! | `member` | the step: input, readies, apply |
//! | `node` | the only one that touches `raft::RawNode`: order, persistence, determinism |
//! | `start` | first start and recovery |
//! | `persist` | backend commits, snapshots of the log, snapshots from a leader |
//! | `requests`, `proposals`, `reads`, `forwarded`, `peers` | how a client's request is handled |
//! | `entries` | which part of the state an entry is applied to |
//! | `apply`, [`mvcc`] | what etcd does with a request |
//! | [`cluster`], `changes`, `configuration` | the membership and the alarms; their form in raft |
//! | [`auth`] | users, roles, permissions, tokens |
//! | `lessor`, `leases` | the time of leases |
//! | `watch`, `watches` | watchers and their streams |
//! | `services`, `lockers` | the lock and election services |
//! | `maintenance`, `compactor` | status, hashes, defragmentation, leadership, space; automatic compaction |
//! | `image` | all replicated state in one piece |
//! | [`failpoint`] | named points at which a process can be made to crash or pause |
//! | [`wal`], [`snapshot_file`], [`backend`] | the files on disk |
//!
//! Architecture invariants: no threads, no sockets, no clock, no randomness of its own; it does not know
//! madsim, worlds or oracles.

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
