//! One etcd member as a deterministic state machine.
//!
//! [`Member::step`] takes the time on the member's own clock and one input (a wake-up, a message, a request,
//! the end of a disk operation), and returns effects: messages, answers, disk operations, and facts for the
//! simulator's trace. The code that calls it is the *driver*: in this project the simulator, but it could
//! also be a real server.
//!
//! | file | job |
//! |---|---|
//! | `member`, [`io`], [`config`], [`disk`] | the step; inputs and effects; the configuration; disk operations |
//! | `node`, `log`, `steps` | raft and its log in memory; only `node` touches `raft::RawNode`; its calls as steps |
//! | `start` | first start, and recovery after a restart |
//! | `persist` | disk jobs, backend commits, snapshots of the log, snapshots from a leader |
//! | `requests`, `proposals`, `reads` | a client's request: checks, proposals to the log, linearizable reads |
//! | `peers`, `forwarded` | requests between members outside raft; duplicates of forwarded proposals |
//! | `envelope`, `entries` | the data of a log entry; applying an entry |
//! | `apply`, [`mvcc`] | executing a request; the store of keys and leases |
//! | [`cluster`], `changes`, `configuration` | the membership and the alarms; their changes through raft |
//! | [`auth`] | users, roles, permissions, tokens |
//! | `lessor`, `leases` | when leases expire, which only the leader tracks |
//! | `watch`, `watches` | watchers and their streams |
//! | `services`, `lockers` | the lock and election services |
//! | `maintenance`, `compactor` | status, hashes, space quota, leadership transfer; automatic compaction |
//! | `image` | all replicated state in one piece, for snapshots |
//! | [`flaw`] | defects of real systems that a run can switch on |
//! | [`failpoint`] | named points at which a process can be made to crash or pause |
//! | `probes` | which interesting states the member has reached |
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
mod steps;
pub mod wal;
mod watch;
mod watches;

pub use config::Config;
pub use flaw::{Flaw, FlawArea, Flaws};
pub use maintenance::SnapshotStream;
pub use member::{Member, Status};
pub use start::StartError;
pub use watch::Counts as WatcherCounts;
