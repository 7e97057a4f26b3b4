//! The types of which a member's inputs and effects are made. The crate [`contract`] defines the rules for them.

use std::sync::Arc;

use api::etcdserverpb::{RangeRequest, RangeStreamResponse, WatchRequest, WatchResponse};
use api::{Error, Request, Response};
use bytes::Bytes;
use contract::Types;
use prost::Message as _;
use protobuf::Message as _;
use raft::eraftpb::{Message as RaftMessage, MessageType};
use record::{MessageHead, MessageKind};

use crate::auth::Credential;
use crate::backend::Backend;
use crate::config::Config;
use crate::snapshot_stream::SnapshotStream;
pub use crate::work::{Done, Work};

/// One input of a member.
pub type Input = contract::Input<Etcd>;

/// What the driver must do after a step of a member.
pub type Effects = contract::Effects<Etcd>;

/// The name of a member's types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Etcd {}

/// A message between members.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A message of raft's. It is large and is passed on many times, so it is boxed.
    Raft(Box<RaftMessage>),
    /// A message outside raft.
    Peer(Box<PeerMessage>),
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

/// What a client asks, with what it says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask<W> {
    /// What it asks.
    pub what: W,
    /// What it says about itself.
    pub meta: Meta,
}

/// What a client says about itself with each request and on each stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Its token (gRPC metadata `token`).
    pub token: Option<Bytes>,
    /// The common name in its certificate, if the driver has checked one: the client is that user.
    pub certificate: Option<Arc<str>>,
    /// Whether it is to be refused if this member knows no leader (gRPC metadata `hasleader`).
    pub require_leader: bool,
}

/// A client's call.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// A call of etcd's API.
    Api(Request),
    /// Several membership changes at once, by a joint configuration: `MemberAdd`, `MemberRemove`, `MemberPromote`,
    /// `MemberUpdate`. This is our extension; no call of etcd's does it. The answer is that of a `MemberRemove`.
    Reconfigure(Vec<Request>),
}

/// What a client sends on a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Up {
    /// A message on a watch stream.
    Watch(WatchRequest),
    /// An operator requests a snapshot of all replicated state (`Maintenance.Snapshot`).
    Snapshot,
    /// A client requests a range in chunks (`KV.RangeStream`). It is the only item on its stream.
    Range(RangeRequest),
    /// A client opens a stream for keep-alives. The driver turns each keep-alive into a call; on the stream itself, the
    /// member only reports that there is no leader, if the client requires one. It is the only item on its stream.
    KeepAlive,
}

impl Meta {
    /// What shows who the client is: its token or, if it has none, its certificate, as in etcd (`v3_server.go`,
    /// `AuthInfoFromCtx`).
    pub(crate) fn credential(self) -> Option<Credential> {
        self.token.map(Credential::Token).or(self.certificate.map(Credential::Certificate))
    }
}

/// What a member sends on a stream.
#[derive(Clone, Debug)]
pub enum Down {
    /// A response on a watch stream. At most [`watch_window`](crate::config::Settings::watch_window) of them are under
    /// way at a time.
    Watch(WatchResponse),
    /// A snapshot. The transport sends its pieces and then ends the stream.
    Snapshot(SnapshotStream),
    /// A chunk of a streamed range. The next one is read once this one is taken: at most one is under way.
    Range(RangeStreamResponse),
    /// The member ends the stream: a streamed range is complete.
    End,
    /// The member ends the stream with this error.
    Refused(Error),
}

impl<W> Ask<W> {
    /// A request from a client that has this token.
    pub fn with_token(what: W, token: Option<Bytes>) -> Box<Ask<W>> {
        Box::new(Ask { what, meta: Meta { token, ..Meta::default() } })
    }
}

impl Types for Etcd {
    type Words = record::Etcd;
    type Config = Config;
    type Message = Message;
    type Request = Box<Ask<Call>>;
    type Answer = Result<Response, Error>;
    type Up = Box<Ask<Up>>;
    type Down = Down;
    type Store = Backend;
    type Work = Work;

    fn head(message: &Message) -> MessageHead {
        match message {
            Message::Raft(message) => head_of(message),
            Message::Peer(message) => MessageHead::of(match **message {
                PeerMessage::Answer { .. } => MessageKind::PeerAnswer,
                PeerMessage::Call { .. } | PeerMessage::Hello | PeerMessage::Removed => MessageKind::PeerCall,
            }),
        }
    }

    fn message_bytes(message: &Message) -> u64 {
        match message {
            Message::Raft(message) => u64::from(message.compute_size()),
            Message::Peer(_) => 64,
        }
    }

    fn request_bytes(request: &Box<Ask<Call>>) -> u64 {
        match &request.what {
            Call::Api(Request::Put(put)) => put.encoded_len() as u64,
            // Other calls are small; their exact size would not change the effect of a limit.
            Call::Api(_) | Call::Reconfigure(_) => 64,
        }
    }

    fn answer_bytes(answer: &Result<Response, Error>) -> u64 {
        match answer {
            Ok(Response::Range(range)) => range.encoded_len() as u64,
            _ => 64,
        }
    }

    fn damaged(message: &Message, place: u64) -> Option<Message> {
        let Message::Raft(message) = message else { return None };
        let mut bytes = message.write_to_bytes().expect("a message encodes");
        if bytes.is_empty() {
            return None;
        }
        let bit = place % (bytes.len() as u64 * 8);
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        let mut message = RaftMessage::default();
        message.merge_from_bytes(&bytes).ok()?;
        Some(Message::Raft(Box::new(message)))
    }

    /// Only snapshots have something inside with a checksum of its own: the state.
    fn damaged_inside(message: &Message, place: u64) -> Option<Message> {
        let Message::Raft(message) = message else { return None };
        let data = &message.get_snapshot().data;
        if data.is_empty() {
            return None;
        }
        let bit = place % (data.len() as u64 * 8);
        let mut damaged = data.to_vec();
        damaged[(bit / 8) as usize] ^= 1 << (bit % 8);
        let mut message = message.clone();
        message.mut_snapshot().data = damaged.into();
        Some(Message::Raft(message))
    }

    /// Raft holds back further messages to a follower until it knows whether a snapshot arrived.
    fn wants_receipt(message: &Message) -> bool {
        matches!(message, Message::Raft(message) if message.get_msg_type() == MessageType::MsgSnapshot)
    }

    /// etcd's check of a reconfiguration looks at the connections to the other members.
    fn wants_connections(request: &Box<Ask<Call>>) -> bool {
        use Request::{MemberAdd, MemberPromote, MemberRemove, MemberUpdate};
        match &request.what {
            Call::Api(request) => {
                matches!(request, MemberAdd(_) | MemberRemove(_) | MemberPromote(_) | MemberUpdate(_))
            }
            Call::Reconfigure(_) => true,
        }
    }
}

/// The kind of a raft message.
pub(crate) fn kind_of(message: MessageType) -> MessageKind {
    match message {
        MessageType::MsgAppend => MessageKind::Append,
        MessageType::MsgAppendResponse => MessageKind::AppendResponse,
        MessageType::MsgRequestVote => MessageKind::RequestVote,
        MessageType::MsgRequestVoteResponse => MessageKind::RequestVoteResponse,
        MessageType::MsgRequestPreVote => MessageKind::RequestPreVote,
        MessageType::MsgRequestPreVoteResponse => MessageKind::RequestPreVoteResponse,
        MessageType::MsgHeartbeat => MessageKind::Heartbeat,
        MessageType::MsgHeartbeatResponse => MessageKind::HeartbeatResponse,
        MessageType::MsgSnapshot => MessageKind::Snapshot,
        MessageType::MsgPropose => MessageKind::Propose,
        MessageType::MsgTransferLeader => MessageKind::TransferLeader,
        MessageType::MsgTimeoutNow => MessageKind::TimeoutNow,
        MessageType::MsgReadIndex => MessageKind::ReadIndex,
        MessageType::MsgReadIndexResp => MessageKind::ReadIndexResponse,
        _ => MessageKind::Other,
    }
}

/// The head of a raft message, for the trace.
fn head_of(message: &RaftMessage) -> MessageHead {
    let kind = kind_of(message.get_msg_type());
    let (index, log_term) = match kind {
        MessageKind::Snapshot => {
            let metadata = message.get_snapshot().get_metadata();
            (metadata.index, metadata.term)
        }
        _ => (message.index, message.log_term),
    };
    MessageHead {
        kind,
        term: message.term,
        index,
        log_term,
        commit: message.commit,
        reject: message.reject,
        entries: message.entries.len() as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs, messages and packets are moved by value many times.
    const _: () = assert!(size_of::<Message>() == 16 && size_of::<Input>() <= 64);

    #[test]
    fn a_flipped_bit_changes_a_message_or_makes_it_unreadable() {
        let mut message = RaftMessage { to: 2, from: 1, term: 3, index: 7, ..RaftMessage::default() };
        message.set_msg_type(MessageType::MsgAppend);
        let message = Message::Raft(Box::new(message));
        let bits = Etcd::message_bytes(&message) * 8;
        for place in 0..bits {
            assert_ne!(Etcd::damaged(&message, place).as_ref(), Some(&message));
            assert_eq!(Etcd::damaged(&message, place), Etcd::damaged(&message, place + bits));
        }
        assert!((0..bits).any(|place| Etcd::damaged(&message, place).is_some()));
        assert_eq!(Etcd::damaged(&Message::Peer(Box::new(PeerMessage::Hello)), 0), None);
    }
}
