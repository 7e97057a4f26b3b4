//! A member's inputs and outputs.

use api::etcdserverpb::{WatchRequest, WatchResponse};
use api::{Error, Request, Response};
use bytes::Bytes;
use raft::eraftpb::Message;
use record::{Fact, MemberId};

use crate::disk::{DiskError, DiskJob};
use crate::maintenance::SnapshotStream;

/// One input of a member.
#[derive(Debug)]
pub enum Input {
    /// The time the member asked to be woken at has come (or a later time).
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
    /// A client's request. `operation` is the caller's number for it, which the answer carries.
    Request {
        /// The caller's number, unique among the requests of this incarnation and below 2^61.
        operation: u64,
        /// The request.
        request: Request,
        /// Its token (the metadata `token`); `None` if it has none.
        token: Option<Bytes>,
    },
    /// The client of a request no longer waits for its answer. The request continues; only a position in the
    /// queue of a lock or an election is given up.
    Canceled {
        /// The caller's number.
        operation: u64,
    },
    /// A client's message on a watch stream; the first one opens the stream.
    Watch {
        /// The caller's number for the stream, unique in this incarnation and below 2^61.
        stream: u64,
        /// The client's message.
        request: WatchRequest,
        /// The token with which the stream was opened.
        token: Option<Bytes>,
    },
    /// The transport has room for one more response of this stream: the client's side has taken one.
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
    /// Several membership changes at once, by a joint configuration: our own extension, which no etcd call
    /// uses. Answered like a `MemberRemove`.
    Reconfigure {
        /// The caller's number.
        operation: u64,
        /// `MemberAdd`, `MemberRemove`, `MemberPromote`, `MemberUpdate`.
        changes: Vec<Request>,
    },
    /// An operator requests a snapshot of everything (`Maintenance.Snapshot`).
    Snapshot {
        /// The caller's number for the stream.
        stream: u64,
        /// Its token.
        token: Option<Bytes>,
    },
    /// The state of the transport's connections: for each other member, for how long messages have
    /// passed both ways, in nanoseconds; absent if they do not. Given before a request for a membership
    /// change, which depends on it.
    Connections(Vec<(MemberId, u64)>),
    /// All operations of the last synchronous section (see [`Effects::section`]) have reached the disk.
    SectionDone,
    /// A snapshot sent to `to` was delivered (or not).
    SnapshotStatus {
        /// The follower.
        to: MemberId,
        /// Whether it was delivered.
        arrived: bool,
    },
    /// A request to stop: transfer leadership, save, finish. [`Effects::finished`] reports completion.
    Stop,
}

/// Messages between members outside raft. etcd uses HTTP on the peer port for this.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerMessage {
    /// A request that only the other member (usually the leader) can serve: `LeaseKeepAlive`,
    /// `LeaseTimeToLive`, `MemberPromote`, `HashKv`.
    Call {
        /// The caller's number for it.
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
    /// A greeting from a member that has not heard from its leader for a while. etcd's peers try to connect
    /// all the time. Only a removed sender gets an answer.
    Hello,
    /// The receiver has been removed from the cluster: the answer to any message from a removed member.
    Removed,
}

/// A pause in the middle of a step, at a failpoint: what the step did before it happens at once, what it did
/// after it happens `time` later, and nothing else happens until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Its length, in nanoseconds of true time.
    pub time: u64,
    /// How many messages, peer messages, replies, watch responses and jobs came before it.
    pub before: [usize; 5],
}

/// What a member wants done after a step. The driver empties it.
#[derive(Debug, Default)]
pub struct Effects {
    /// White-box facts, in order; process them before anything else here.
    pub facts: Vec<Fact>,
    /// Messages to peers.
    pub messages: Vec<Message>,
    /// Peer messages outside raft, with their receivers.
    pub peers: Vec<(MemberId, PeerMessage)>,
    /// Responses on watch streams. At most [`watch_window`](crate::config::Settings::watch_window) per stream
    /// are in flight at a time; see [`Input::WatchTaken`].
    pub watch: Vec<(u64, WatchResponse)>,
    /// Snapshots for operators, or why there is none, with the caller's number for the stream.
    pub snapshots: Vec<(u64, Result<SnapshotStream, Error>)>,
    /// Streams that the member ends, with the reason.
    pub watch_ended: Vec<(u64, Error)>,
    /// Answers to clients, with the caller's number for the request.
    pub replies: Vec<(u64, Result<Response, Error>)>,
    /// Work for the disk.
    pub jobs: Vec<DiskJob>,
    /// Whether this step used the disk synchronously. The driver answers with [`Input::SectionDone`] once
    /// those operations are done; until then the member starts no other section.
    pub section: bool,
    /// The member cannot continue: the process ends with this message.
    pub fatal: Option<String>,
    /// A graceful stop is complete.
    pub finished: bool,
    /// The member is no longer part of the cluster and ends itself.
    pub removed: bool,
    /// A pause in the middle of the step.
    pub stall: Option<Stall>,
}
