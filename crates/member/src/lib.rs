//! One etcd member as a deterministic state machine.
//!
//! [`Member::step`] takes the time on the member's own clock and one input (a wake-up, a message, a request,
//! the end of a disk operation), and returns effects: messages, answers, disk operations, and facts for the
//! simulator's trace. The code that calls it is the *driver*: in this project the simulator, but it could
//! also be a real server.
//!
//! A member consists of parts, each with its own state. A part does not know the others: it gets what it needs in a
//! call, puts facts, messages, answers and jobs into `out`, and says what it wants of the others in a list of wants. Only
//! the files of the first row know all parts.
//!
//! | file | job |
//! |---|---|
//! | `member`, `serve`, `due`, `start` | the step and raft's readies; requests, and what the parts want; what is due at the end of a step; first start and recovery |
//! | [`io`], [`config`] | inputs and effects; the configuration |
//! | `out`, `want`, `round` | the effects of a step while it runs; what a part wants; whether a step must look at what is due |
//! | `node`, `log` | raft and its log in memory; only `node` touches `raft::RawNode` |
//! | `persist` | disk jobs, backend commits, snapshots of the log, snapshots from a leader |
//! | `proposals`, `reads` | requests that go through the log; linearizable reads |
//! | `peers`, `forwarded` | requests between members outside raft; duplicates of forwarded proposals |
//! | `envelope` | the data of a log entry |
//! | `replica` | the replicated state, and how an entry changes it |
//! | `apply`, [`mvcc`] | executing a request; the store of keys and leases |
//! | [`cluster`], `configuration` | the membership and the alarms; their changes through raft |
//! | `membership`, `leadership` | the member's own place in the cluster; what it remembers about leaders |
//! | [`auth`], `logins` | users, roles, permissions, tokens; logins that are in the log |
//! | `lessor`, `leases` | when leases expire, which only the leader tracks |
//! | `watch`, `watches` | watchers and their streams |
//! | `services` | the lock and election services |
//! | `maintenance`, `compactor` | status, hashes, leadership transfer; automatic compaction |
//! | `image`, `snapshot_stream` | all replicated state in one piece, for snapshots |
//! | `ids` | numbers that are never used twice |
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
mod due;
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
mod round;
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
#[doc(no_inline)]
pub use contract::disk;
pub use flaw::{Flaw, FlawArea, Flaws};
pub use member::{Member, Status};
pub use snapshot_stream::SnapshotStream;
pub use start::StartError;
pub use watch::Counts as WatcherCounts;
