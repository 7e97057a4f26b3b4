//! What goes into a member and what comes out of it.

use api::etcdserverpb::{WatchRequest, WatchResponse};
use api::{Error, Request, Response};
use bytes::Bytes;
use raft::eraftpb::Message;
use record::Fact;

use crate::disk::{DiskError, DiskJob};
use crate::maintenance::SnapshotStream;

/// One thing that happens to a member.
#[derive(Debug)]
pub enum Input {
    /// The time the member asked to be woken at has come (or any later time).
    Wake,
    /// A peer's message.
    Message(Message),
    /// What another member says beside raft.
    Peer {
        /// Who, by raft id.
        from: u64,
        /// What.
        message: PeerMessage,
    },
    /// A client's request. `operation` is the caller's number for it; the answer carries it.
    Request {
        /// The caller's number, unique among the requests of this incarnation and below 2^61.
        operation: u64,
        /// What is asked.
        request: Request,
        /// The token it comes with (the metadata `token`); `None` without one.
        token: Option<Bytes>,
    },
    /// The client of a request does not wait for its answer any more. What is under way goes on; only a
    /// place in the queue of a lock or an election is given up.
    Canceled {
        /// The caller's number.
        operation: u64,
    },
    /// A client's message on a stream of watchers; the first one opens the stream.
    Watch {
        /// The caller's number of the stream, unique in this incarnation and below 2^61.
        stream: u64,
        /// What the client says.
        request: WatchRequest,
        /// The token the stream was opened with.
        token: Option<Bytes>,
    },
    /// The transport has room for one more response of this stream: one of those handed to it has
    /// been taken by the client's side.
    WatchTaken {
        /// The stream.
        stream: u64,
    },
    /// The client's side of a stream is gone.
    WatchClosed {
        /// The stream.
        stream: u64,
    },
    /// A disk job ended. Jobs end in the order in which they were handed out.
    JobDone {
        /// Its number.
        job: u64,
        /// How.
        result: Result<(), DiskError>,
    },
    /// Several changes of the membership at once, by a joint configuration: an extra of ours, which no
    /// call of etcd's asks for. Answered like a `MemberRemove`.
    Reconfigure {
        /// The caller's number.
        operation: u64,
        /// `MemberAdd`, `MemberRemove`, `MemberPromote`, `MemberUpdate`.
        changes: Vec<Request>,
    },
    /// An operator wants a snapshot of everything (`Maintenance.Snapshot`).
    Snapshot {
        /// The caller's number of the stream.
        stream: u64,
        /// The token it comes with.
        token: Option<Bytes>,
    },
    /// What the transport knows of its connections: for each other member by raft id, for how long
    /// messages have passed both ways, in nanoseconds; absent where they do not. Given before a change
    /// of the membership is asked for, which depends on it.
    Connections(Vec<(u64, u64)>),
    /// All that the last synchronous section did (see [`Effects::section`]) has reached the disk.
    SectionDone,
    /// A snapshot sent to `to` arrived (or did not).
    SnapshotStatus {
        /// The follower.
        to: u64,
        /// Whether it got it.
        arrived: bool,
    },
    /// Asked to stop: hand leadership over, save, finish. [`Effects::finished`] says when it is done.
    Stop,
}

/// What members say to each other beside raft. etcd does the same by HTTP on the peer port.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerMessage {
    /// Something only the other member (the leader, as a rule) can do: `LeaseKeepAlive`,
    /// `LeaseTimeToLive`, `MemberPromote`, `HashKv`.
    Call {
        /// The caller's number for it.
        id: u64,
        /// What.
        request: Request,
    },
    /// The answer to a call.
    Answer {
        /// The number of the call.
        id: u64,
        /// What became of it.
        result: Result<Response, Error>,
    },
    /// "Are you there?", of a member that has not heard of its leader for a while. etcd's peers try to
    /// connect all the time. Nobody answers but to one who was removed.
    Hello,
    /// "You have been removed from the cluster": the answer to whatever a removed member sends.
    Removed,
}

/// A pause in the middle of a step, at a named point: what the step did before it happens at once,
/// what it did after it happens `time` later, and nothing else until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// How long, in nanoseconds of true time.
    pub time: u64,
    /// How many messages, peer messages, replies, watch responses and jobs came before it.
    pub before: [usize; 5],
}

/// What a member wants done after a step. The driver empties it.
#[derive(Debug, Default)]
pub struct Effects {
    /// White-box facts, in order; to be taken note of before anything else here.
    pub facts: Vec<Fact>,
    /// Messages to peers.
    pub messages: Vec<Message>,
    /// Messages to peers beside raft's, with their receivers' raft ids.
    pub peers: Vec<(u64, PeerMessage)>,
    /// Responses on streams of watchers. At most [`watch_window`](crate::config::Settings::watch_window) of a stream are on
    /// their way at a time; see [`Input::WatchTaken`].
    pub watch: Vec<(u64, WatchResponse)>,
    /// Snapshots for operators, or why there is none, by the caller's number of the stream.
    pub snapshots: Vec<(u64, Result<SnapshotStream, Error>)>,
    /// Streams that the member ends, and why.
    pub watch_ended: Vec<(u64, Error)>,
    /// Answers to clients, by the caller's number.
    pub replies: Vec<(u64, Result<Response, Error>)>,
    /// Work for the disk.
    pub jobs: Vec<DiskJob>,
    /// Whether this step used the disk synchronously. The driver answers with
    /// [`Input::SectionDone`] once those operations are over; until then the member starts no other
    /// section.
    pub section: bool,
    /// The member cannot go on: the process ends with these words.
    pub fatal: Option<String>,
    /// A graceful stop is complete.
    pub finished: bool,
    /// The member is no longer part of the cluster and ends itself.
    pub removed: bool,
    /// A pause in the middle of the step.
    pub stall: Option<Stall>,
}
