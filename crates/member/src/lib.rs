//! One etcd member as a deterministic state machine.
//!
//! [`Member::step`] takes the time on the member's own clock and one input (a wake-up, a message, a
//! request, the end of a disk operation) and gives effects: messages, answers, disk operations, facts.
//! The same struct runs in the simulator and in a server; only the driver differs.
//!
//! | file | job |
//! |---|---|
//! | `member` | the step: input, readies, apply |
//! | `node` | the only one that touches `raft::RawNode`: order, persistence, determinism |
//! | `start` | first start and recovery |
//! | `persist` | backend commits, snapshots of the log, snapshots from a leader |
//! | `requests`, `proposals`, `reads`, `forwarded` | the ways of a client's request |
//! | `apply`, [`mvcc`] | what etcd does with a request |
//! | [`failpoint`] | named points at which a process can be made to crash or to pause |
//! | [`wal`], [`snapshot_file`], [`backend`] | what is on the disk, and how |
//!
//! Architecture invariants: no threads, no sockets, no clock, no randomness of its own; it knows
//! nothing of madsim, of worlds or of oracles.

pub mod apply;
pub mod backend;
pub mod config;
pub mod disk;
mod envelope;
pub mod failpoint;
pub mod flaw;
mod forwarded;
pub mod io;
mod log;
mod logging;
mod member;
pub mod mvcc;
mod node;
mod persist;
mod proposals;
mod reads;
mod requests;
pub mod snapshot_file;
mod start;
pub mod wal;

pub use config::Config;
pub use flaw::{Flaw, Flaws};
pub use member::{Member, Status};
pub use start::StartError;
