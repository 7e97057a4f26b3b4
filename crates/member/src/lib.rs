//! One etcd member as a deterministic state machine.
//!
//! [`Member`] is a [`contract::Node`]: it takes the time on its own clocks and one input (a wake-up, a message, a
//! request, the end of a disk operation), and returns effects: messages, answers, disk operations, and facts for the
//! simulator's trace. The code that calls it is the *driver*: in this project the simulator, but it could also be a
//! real server. The crate [`contract`] says what member and driver promise each other.
//!
//! A member consists of parts, each with its own state. A part does not know the others: it gets what it needs in a
//! call, puts facts, messages, answers and jobs into `out`, and says what it wants from the others in a list of wants.
//! Only the files of the first row know all parts.
//!
//! | file | job |
//! |---|---|
//! | `member`, `serve`, `due`, `start` | the step; requests, and what the parts want; what is due; first start and recovery |
//! | `refusal` | why a member does not start |
//! | [`io`], [`config`] | the types of inputs and effects; the configuration |
//! | `out`, `want`, `round` | a step's effects; what a part wants; whether anything can be due |
//! | `node`, `log`, `steps` | raft and its log in memory; only `node` touches `raft::RawNode`; its calls as steps |
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
//! | `image`, `snapshot_stream`, `content` | all replicated state in one piece, for snapshots; its content in etcd's terms |
//! | `work`, `pending` | what is computed outside of a step; what follows |
//! | [`wire`], [`recording`] | messages as bytes; the record of a process: its inputs and their effects |
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
mod boxes;
pub mod cluster;
mod compactor;
pub mod config;
mod configuration;
mod content;
mod downgrade;
mod due;
mod envelope;
pub mod failpoint;
pub mod flaw;
mod forwarded;
mod ids;
mod image;
mod inner;
pub mod io;
mod keeps;
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
mod pending;
mod persist;
mod probes;
mod proposals;
mod punctual;
mod range_stream;
mod reads;
pub mod recording;
mod refusal;
mod replica;
mod require_leader;
mod round;
mod serve;
mod services;
pub mod snapshot_file;
mod snapshot_stream;
mod start;
mod steps;
mod version;
pub mod wal;
mod want;
mod watch;
mod watches;
pub mod wire;
mod work;

pub use config::Config;
pub use content::Content;
pub use contract::Status;
#[doc(no_inline)]
pub use contract::disk;
pub use flaw::{Flaw, FlawArea, Flaws};
pub use member::Member;
pub use refusal::StartError;
pub use snapshot_stream::SnapshotStream;
pub use version::VERSION;
pub use watch::Counts as WatcherCounts;
