//! What a node of a cluster is, for the code that drives it: a simulator, or a server.
//!
//! A [`Node`] is a state machine. [`Node::step`] takes the readings of its clocks and one [`Input`], changes the node,
//! and fills in [`Effects`]: what the node wants done. It does nothing else: it has no thread, no socket, no clock and
//! no randomness of its own, and of the disk it only hands out jobs. The *driver* is the code that calls it, carries
//! out the effects, and comes back with their results as further inputs. The same node, from the same disk, with the
//! same inputs in the same order, always does the same.
//!
//! A driver is a loop:
//!
//! ```text
//! let (mut node, mut store) = N::start(boot, disk, &mut effects)?;
//! carry out the effects; once what the start wrote is durable, the next input is Input::Recovered
//! loop {
//!     wait until effects.wake_at (Input::Wake), or until something arrives or ends (the other inputs)
//!     node.step(now, input, &mut effects);
//!     carry out the effects; leave the loop if effects.end says so
//! }
//! ```
//!
//! The test `tests/counter.rs` has a small node, and what a driver does with it. In the crate `world`, the test
//! `tests/contract.rs` has a node that checks the rules stated here.
//!
//! # What the driver does with effects
//!
//! 1. It records the [`facts`](Effects::facts), and shows the [`steps`](Effects::steps) and [inner
//!    events](Effects::inner) to observers.
//! 2. It begins the [`store`](Effects::store)'s job.
//! 3. It sends the [`messages`](Effects::messages), then the [`items`](Effects::items), then the
//!    [`answers`](Effects::answers).
//! 4. It begins the [`jobs`](Effects::jobs) of the disk, then the [`work`](Effects::work).
//! 5. If [`end`](Effects::end) is set, the process ends. Otherwise the driver remembers
//!    [`wake_at`](Effects::wake_at).
//!
//! Each list is in the order in which its items arose. No list waits for another one: a message may leave before the
//! disk has begun a job from the same step. So if something must wait for the disk, a node sends it only from the step
//! that learns that the disk is done. Nothing is ever taken back.
//!
//! A test bench may arm a failpoint ([`Boot::armed`], [`Watched::arm`]). Then a step may end in a panic with the
//! payload [`Struck`], and the driver carries out the effects up to there and ends the process; or the step may have
//! paused ([`Effects::stall`]), and the driver carries out the effects in two parts.
//!
//! # What comes back
//!
//! - [`Input::JobDone`] with the number *n*: all operations of the jobs up to *n* have been performed, in order. What a
//!   [`DiskOp::Sync`](disk::DiskOp::Sync) among them covered is durable, and so are the names that a
//!   [`DiskOp::SyncDir`](disk::DiskOp::SyncDir) covered. With an error, the rest of that job was not done.
//! - [`Input::StoreDone`]: the store's job is durable, or it has failed.
//! - [`Input::WorkDone`]: the result, computed from what the node handed out, not from what it has become since.
//!
//! Each of these comes once, or never if the process ends first. Jobs of the disk, the store's job and work are
//! independent of each other: they may end in any order.
//!
//! # Messages, calls and streams
//!
//! A message to another node may be lost, come twice, come late, and overtake others. Where [`Types::damaged`] says
//! that it can happen, a message may also come with a flipped bit. A message to an incarnation that has ended is lost.
//!
//! A call reaches a node at most once, and may not reach it at all. Its answer may be lost with the connection. A
//! [`Input::Cancel`] may come for a call that never came, or that is answered already. The items of a stream come once
//! and in order, both ways, until one of the ends closes it; and no more of a node's items are under way than
//! [`Input::Taken`] has made room for, beyond what the node chooses to begin with.
//!
//! # What a crash leaves
//!
//! When a process is killed, each job of the disk under way has been performed up to some operation. When the power
//! fails, any part of what no sync has covered may be there or not: each sector of a write, each length, each name,
//! independently. An operation under way may be there in part. A job of the store leaves what its own operations leave.
//!
//! The directories `wal`, `snap` and `db` always exist. A test bench may damage files as bad disks do: those in `snap`
//! and `db` anywhere, so these need checksums and another source, and those in `wal` only before the last write that
//! was synced, so that promises made since can be read. Hence a node keeps its promises in `wal`, and in `db` what
//! `wal` restores.
//!
//! # What a restart finds
//!
//! A start sees its disk and its [`Boot`], and nothing else of an earlier incarnation. [`Boot::incarnation`] is a
//! number that no earlier start on this data directory has had: a driver that lives on a real machine writes the number
//! and syncs it before the start. So ids that contain it never repeat. [`Boot::first`] is true until the node has got
//! [`Input::Recovered`] once. After that, an empty disk is a lost disk, and a node that has promised something must
//! refuse to start on it.
//!
//! # What holds at all times
//!
//! - Before [`Input::Recovered`], no input comes but [`Input::JobDone`].
//! - The store gets no second job before [`Input::StoreDone`]. This is the node's promise; all others here are the
//!   driver's.
//! - No step follows [`Effects::end`], a refusal to start, or a panic.
//! - [`Now::clock`] never goes back within an incarnation, and has no relation to that of another one. [`Now::wall`]
//!   may go anywhere.
//! - A number of a call or of a stream is never used twice in an incarnation. It is below 2^60.
//! - A request for which [`Types::wants_connections`] is true never comes without [`Input::Connections`] before it.
//!
//! A step waits for nothing and costs no more than its input warrants: a driver may have one thread for many nodes.
//! Anything that takes longer is a job of the store or [`Work`].
//!
//! Architecture invariant: this crate knows no node, no world, no plan and no oracle.

pub mod disk;
mod effects;
mod failpoint;
mod input;
mod node;
mod reused;
mod store;
mod types;
mod work;

pub use effects::{Effects, End, Stall};
pub use failpoint::{Action, Armed, Struck};
pub use input::{Input, Now};
pub use node::{Boot, Node, Refusal, Started, Status, Watched};
pub use reused::Reused;
pub use store::{Never, NoStore, Store};
pub use types::{FactOf, HeadOf, InnerOf, StepOf, Types};
pub use work::{NoWork, Work};
