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
//! | `node`, `log` | raft and its log in memory; only `node` touches `raft::RawNode` |
//! | `start` | first start, and recovery after a restart |
//! | `persist` | disk jobs, backend commits, snapshots of the log, snapshots from a leader |
//! | `serve`, `proposals`, `reads` | a client's request: checks, proposals to the log, linearizable reads |
//! | `want` | what the parts of the member want of each other; `serve` carries it out |
//! | `peers`, `forwarded` | requests between members outside raft; duplicates of forwarded proposals |
//! | `envelope` | the data of a log entry |
//! | `replica` | the replicated state, and how an entry changes it |
//! | `apply`, [`mvcc`] | executing a request; the store of keys and leases |
//! | [`cluster`], `changes`, `configuration` | the membership and the alarms; their changes through raft |
//! | [`auth`] | users, roles, permissions, tokens |
//! | `lessor`, `leases` | when leases expire, which only the leader tracks |
//! | `watch`, `watches` | watchers and their streams |
//! | `services` | the lock and election services |
//! | `maintenance`, `compactor` | status, hashes, space quota, leadership transfer; automatic compaction |
//! | `image`, `snapshot_stream` | all replicated state in one piece, for snapshots |
//! | `out` | where the parts put facts, messages, answers and jobs; passes failpoints |
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
pub mod cluster;
mod compactor;
pub mod config;
mod configuration;
pub mod disk;
mod envelope;
pub mod failpoint;
pub mod flaw;
mod forwarded;
mod ids;
mod image;
pub mod io;
mod leadership;
mod leases;
mod lessor;
mod log;
mod logging;
mod logins;
mod maintenance;
mod member;
mod membership;
pub mod mvcc;
mod node;
mod out;
mod peers;
mod persist;
mod probes;
mod proposals;
mod reads;
mod replica;
mod serve;
mod services;
pub mod snapshot_file;
mod snapshot_stream;
mod start;
pub mod wal;
mod want;
mod watch;
mod watches;

pub use config::Config;
pub use flaw::{Flaw, FlawArea, Flaws};
pub use member::{Member, Status};
pub use snapshot_stream::SnapshotStream;
pub use start::StartError;
pub use watch::Counts as WatcherCounts;
