//! What the trace says of a message.

use trace::{CallKind, Head};

use crate::MemberId;

/// The kinds of messages. Those without a comment are raft's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are raft's own")]
pub enum MessageKind {
    Append,
    AppendResponse,
    RequestVote,
    RequestVoteResponse,
    RequestPreVote,
    RequestPreVoteResponse,
    Heartbeat,
    HeartbeatResponse,
    Snapshot,
    Propose,
    TransferLeader,
    TimeoutNow,
    ReadIndex,
    ReadIndexResponse,
    /// A client's request to a member.
    ClientRequest,
    /// A member's answer to a client.
    ClientResponse,
    /// A client's message on a watch stream.
    WatchRequest,
    /// A member's message on a watch stream.
    WatchResponse,
    /// A request of one member to another outside raft, for example to renew a lease at the leader.
    PeerCall,
    /// The answer to a [`MessageKind::PeerCall`].
    PeerAnswer,
    Other,
}

/// What the invariants need to know about a message. Fields that a kind of message does not have are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHead {
    /// The kind of message.
    pub kind: MessageKind,
    /// The term in the message (0 for proposals and client messages).
    pub term: u64,
    /// Of an append: the index before its first entry. Of an answer to an append: the last index that was
    /// accepted, or the index that was rejected. Of a snapshot: its index.
    pub index: u64,
    /// The term of the entry at `index`.
    pub log_term: u64,
    /// The commit index in the message.
    pub commit: u64,
    /// Whether the message rejects a request.
    pub reject: bool,
    /// The number of entries in the message.
    pub entries: u32,
}

impl From<MessageKind> for u16 {
    /// Its number in the trace hash: its place in the enum, so a new kind belongs at the end.
    #[inline]
    fn from(kind: MessageKind) -> u16 {
        kind as u16
    }
}

impl Head for MessageHead {
    type Kind = MessageKind;

    #[inline]
    fn of_call(kind: CallKind) -> MessageHead {
        let kind = match kind {
            CallKind::Request => MessageKind::ClientRequest,
            CallKind::Answer => MessageKind::ClientResponse,
            CallKind::Up => MessageKind::WatchRequest,
            CallKind::Down => MessageKind::WatchResponse,
        };
        MessageHead { kind, term: 0, index: 0, log_term: 0, commit: 0, reject: false, entries: 0 }
    }

    #[inline]
    fn kind(&self) -> MessageKind {
        self.kind
    }

    #[inline]
    fn term(&self) -> u64 {
        self.term
    }

    #[inline]
    fn index(&self) -> u64 {
        self.index
    }

    #[inline]
    fn words(&self, peer: MemberId) -> [u64; 5] {
        let flags = peer.raft_id() | (self.kind as u64) << 32 | u64::from(self.reject) << 48;
        [flags, self.term, self.index, self.log_term << 20 ^ self.commit, u64::from(self.entries)]
    }
}
