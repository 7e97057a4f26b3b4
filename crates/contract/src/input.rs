//! What goes into a step.

use trace::MemberId;

use crate::disk::DiskError;
use crate::store::Store;
use crate::types::Types;
use crate::work::Work;

/// The readings of a node's clocks in one step, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock. All times and deadlines are readings of it.
    pub clock: u64,
    /// The wall clock, in nanoseconds since 1970. It may be set back.
    pub wall: i64,
}

/// One input of a node.
#[derive(Debug)]
pub enum Input<T: Types> {
    /// The time for which the node asked ([`Effects::wake_at`](crate::Effects::wake_at)) has come.
    Wake,
    /// What the start has written is on the disk. This input comes once, before all inputs but the ends of disk jobs.
    Recovered,
    /// A request to stop: the node saves its state and then ends ([`End::Finished`](crate::End::Finished)).
    Stop,
    /// A message of another node.
    Message {
        /// The sender.
        from: MemberId,
        /// The driver's number of the packet that brought it, for observers; 0 if the driver does not number packets.
        packet: u64,
        /// The message.
        message: T::Message,
    },
    /// The transport has delivered a message or failed to, and the node wants to know ([`Types::wants_receipt`]).
    Receipt {
        /// The receiver of the message.
        to: MemberId,
        /// Whether it was delivered.
        arrived: bool,
    },
    /// A caller's request.
    Call {
        /// The driver's number for the call, which the answer carries, too. It is not used again in this incarnation.
        call: u64,
        /// The request.
        request: T::Request,
    },
    /// The caller no longer waits for the answer.
    Cancel {
        /// The number of the call.
        call: u64,
    },
    /// A caller sends an item on a stream. The first one opens the stream.
    Item {
        /// The driver's number for the stream, which no other stream of this incarnation has.
        stream: u64,
        /// The item.
        item: T::Up,
    },
    /// The caller has taken an item from a stream, so the transport has room for one more.
    Taken {
        /// The number of the stream.
        stream: u64,
    },
    /// The caller's side of a stream is gone.
    Closed {
        /// The number of the stream.
        stream: u64,
    },
    /// The connections to other nodes: for each, how long messages have been passing both ways, in nanoseconds. A node
    /// is absent while messages do not pass.
    Connections(Vec<(MemberId, u64)>),
    /// A disk job ended. Jobs end in the order in which they were handed out.
    JobDone {
        /// The number of the job.
        job: u64,
        /// Its result.
        result: Result<(), DiskError>,
    },
    /// The store's job ([`Effects::store`](crate::Effects::store)) ended.
    StoreDone(Result<(), <T::Store as Store>::Error>),
    /// A computation ([`Effects::work`](crate::Effects::work)) ended.
    WorkDone {
        /// The node's number for it.
        work: u64,
        /// Its result.
        done: <T::Work as Work>::Done,
    },
}
