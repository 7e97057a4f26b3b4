//! What goes into a member's step and what comes out: inputs, effects, and the messages between members that
//! are not raft's. The *driver* is the code that calls [`crate::Member::step`] and carries out the effects.

use api::etcdserverpb::{WatchRequest, WatchResponse};
use api::{Error, Request, Response};
use bytes::Bytes;
use raft::eraftpb::Message;
use record::{EtcdFact as Fact, MemberId};

use crate::backend::BackendError;
use crate::disk::{DiskError, DiskJob};
use crate::snapshot_stream::SnapshotStream;

/// One input of a member.
#[derive(Debug)]
pub enum Input {
    /// The time that [`crate::Member::wake_at`] returned has come.
    Wake,
    /// A peer's raft message.
    Message(Message),
    /// A peer's message outside raft.
    Peer {
        /// The sender.
        from: MemberId,
        /// The message.
        message: PeerMessage,
    },
    /// A client's request.
    Request {
        /// The driver's number for the request, which the answer has, too. Unique in this incarnation and
        /// below 2^61.
        operation: u64,
        /// The request.
        request: Request,
        /// The client's token (gRPC metadata `token`); `None` if it has none.
        token: Option<Bytes>,
    },
    /// The client of a request no longer waits for its answer. A call of the lock or election service then
    /// leaves its queue; other requests continue.
    Canceled {
        /// The driver's number for the request.
        operation: u64,
    },
    /// A client's message on a watch stream; the first one opens the stream.
    Watch {
        /// The driver's number for the stream, unique in this incarnation and below 2^61.
        stream: u64,
        /// The client's message.
        request: WatchRequest,
        /// The token with which the stream was opened.
        token: Option<Bytes>,
    },
    /// The client's side has taken a response of this stream, so the transport has room for one more.
    WatchTaken {
        /// The stream.
        stream: u64,
    },
    /// The client's side of a stream is gone.
    WatchClosed {
        /// The stream.
        stream: u64,
    },
    /// A disk job ended. Jobs end in the order in which they were issued.
    JobDone {
        /// Its number.
        job: u64,
        /// Its result.
        result: Result<(), DiskError>,
    },
    /// A request for several membership changes at once, by a joint configuration. This is our extension; no
    /// call of etcd's does it. The answer is that of a `MemberRemove`.
    Reconfigure {
        /// The driver's number for the request.
        operation: u64,
        /// `MemberAdd`, `MemberRemove`, `MemberPromote`, `MemberUpdate`.
        changes: Vec<Request>,
    },
    /// An operator requests a snapshot of all replicated state (`Maintenance.Snapshot`).
    Snapshot {
        /// The driver's number for the stream on which the snapshot is sent.
        stream: u64,
        /// The operator's token.
        token: Option<Bytes>,
    },
    /// The state of the connections to other members: for how long messages have passed both ways, in
    /// nanoseconds. A member is absent while they do not pass. The checks of a membership change use the last
    /// one given, so the driver gives it before such a request.
    Connections(Vec<(MemberId, u64)>),
    /// The recovery of this process has reached the disk. It comes once, before all inputs but the ends of disk
    /// jobs.
    Recovered,
    /// The backend's job ([`Effects::backend`]) ended.
    BackendDone(Result<(), BackendError>),
    /// The transport has delivered a snapshot to a follower, or has failed to.
    SnapshotStatus {
        /// The follower.
        to: MemberId,
        /// Whether it was delivered.
        arrived: bool,
    },
    /// A request to stop: the member transfers its leadership, saves its state and then sets
    /// [`Effects::finished`].
    Stop,
}

/// A message between members outside raft. etcd uses HTTP on the peer port for these.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerMessage {
    /// A request that only the receiver can serve, usually because it leads: `LeaseKeepAlive`,
    /// `LeaseTimeToLive`, `MemberPromote`, `HashKv`.
    Call {
        /// The sender's number for the call.
        id: u64,
        /// The request.
        request: Request,
    },
    /// The answer to a call.
    Answer {
        /// The number of the call.
        id: u64,
        /// The result of the call.
        result: Result<Response, Error>,
    },
    /// A greeting from a member that has not heard from its leader for a while. It is answered only if the
    /// sender was removed from the cluster, so that the sender learns of it. In etcd, a member learns of it
    /// when it tries to connect to others, which it does all the time.
    Hello,
    /// The receiver has been removed from the cluster. This is the answer to any message from a removed
    /// member.
    Removed,
}

/// A pause in the middle of a step, at a failpoint. The driver carries out the effects from before the pause
/// at once and those from after it when `time` has passed. Until then, the process does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The length of the pause, in nanoseconds of virtual time.
    pub time: u64,
    /// How many messages, peer messages, replies, watch responses, disk jobs and jobs for the backend come before
    /// the pause.
    pub before: [usize; 6],
}

/// What the driver must do after a step. It empties this value before the next step.
#[derive(Debug, Default)]
pub struct Effects {
    /// What happened in the step, in order, for the trace. Record these before carrying out anything else.
    pub facts: Vec<Fact>,
    /// Messages to peers.
    pub messages: Vec<Message>,
    /// Peer messages outside raft, with their receivers.
    pub peers: Vec<(MemberId, PeerMessage)>,
    /// Responses on watch streams. At most [`watch_window`](crate::config::Settings::watch_window) per stream
    /// are in flight at a time; see [`Input::WatchTaken`].
    pub watch: Vec<(u64, WatchResponse)>,
    /// Snapshots for operators, or the error, with the driver's number for the stream.
    pub snapshots: Vec<(u64, Result<SnapshotStream, Error>)>,
    /// Watch streams that the member ends, with the reason.
    pub watch_ended: Vec<(u64, Error)>,
    /// Answers to clients, with the driver's number for the request.
    pub replies: Vec<(u64, Result<Response, Error>)>,
    /// Disk jobs to start.
    pub jobs: Vec<DiskJob>,
    /// What to do with the backend, which the driver has. It gives [`Input::BackendDone`] once that is durable.
    /// Until then, the member hands out no other job for the backend. It does not wait for it otherwise.
    pub backend: Option<crate::backend::Job>,
    /// If set, the member cannot continue, and the process ends with this message.
    pub fatal: Option<String>,
    /// Whether the member has stopped, as requested by [`Input::Stop`].
    pub finished: bool,
    /// Whether the member has ended because it was removed from the cluster.
    pub removed: bool,
    /// A pause in the middle of the step.
    pub stall: Option<Stall>,
}
