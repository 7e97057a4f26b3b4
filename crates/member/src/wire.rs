//! How messages between members look as bytes: on a connection and in a record. Only our own members speak this.
//!
//! A connection is a sequence of frames: the length of the body (4 bytes, little-endian), its kind (1 byte), the body.
//! The kinds are 1, a message of raft's in its own protobuf, and 2, a `PeerFrame`.

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use protobuf::Message as _;
use raft::eraftpb::Message as RaftMessage;

use crate::io::{Message, PeerMessage};

/// Bytes before a body.
pub const HEAD: usize = 5;
/// The kinds of frames.
pub mod kind {
    /// A message of raft's.
    pub const RAFT: u8 = 1;
    /// A message outside raft.
    pub const PEER: u8 = 2;
}
/// A longer body is refused: it is larger than any message but a snapshot, which has a request of its own.
pub const BODY_MAX: usize = 64 << 20;

/// Why bytes are not a message.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The kind is not known.
    #[error("frames of the kind {0} are not known")]
    Kind(u8),
    /// The body is longer than [`BODY_MAX`].
    #[error("a frame of {0} bytes is too long")]
    TooLong(usize),
    /// A raft message that cannot be read.
    #[error("a message of raft's is damaged: {0}")]
    Raft(#[from] protobuf::ProtobufError),
    /// A message outside raft that cannot be read.
    #[error("a message is damaged: {0}")]
    Peer(#[from] prost::DecodeError),
    /// A request or an answer in such a message cannot be read.
    #[error("the request or answer in a message is damaged: {0}")]
    Call(#[from] api::WireError),
    /// Something is missing in it.
    #[error("a message has no {0}")]
    Lacks(&'static str),
}

/// A message outside raft.
#[derive(Clone, PartialEq, prost::Message)]
struct PeerFrame {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    Call(CallFrame),
    #[prost(message, tag = "2")]
    Answer(AnswerFrame),
    #[prost(message, tag = "3")]
    Hello(()),
    #[prost(message, tag = "4")]
    Removed(()),
}

/// A request that only the receiver can serve.
#[derive(Clone, PartialEq, prost::Message)]
struct CallFrame {
    #[prost(uint64, tag = "1")]
    id: u64,
    /// The path of the call in gRPC.
    #[prost(string, tag = "2")]
    method: String,
    #[prost(bytes = "bytes", tag = "3")]
    request: Bytes,
}

/// Its answer.
#[derive(Clone, PartialEq, prost::Message)]
struct AnswerFrame {
    #[prost(uint64, tag = "1")]
    id: u64,
    /// The path of the call in gRPC; empty if there is an error.
    #[prost(string, tag = "2")]
    method: String,
    #[prost(bytes = "bytes", tag = "3")]
    response: Bytes,
    /// The text of the error.
    #[prost(string, tag = "4")]
    error: String,
}

/// Writes a message as a frame.
pub fn put(message: &Message, out: &mut BytesMut) {
    let at = out.len();
    out.put_u32_le(0);
    match message {
        Message::Raft(message) => {
            out.put_u8(kind::RAFT);
            out.put_slice(&message.write_to_bytes().expect("a message of raft's encodes"));
        }
        Message::Peer(message) => {
            out.put_u8(kind::PEER);
            let frame = PeerFrame { kind: Some(kind_of(message)) };
            frame.encode(out).expect("the buffer grows");
        }
    }
    let length = (out.len() - at - HEAD) as u32;
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

fn kind_of(message: &PeerMessage) -> Kind {
    match message {
        PeerMessage::Call { id, request } => {
            let mut bytes = BytesMut::new();
            request.encode(&mut bytes);
            Kind::Call(CallFrame { id: *id, method: request.method().into(), request: bytes.freeze() })
        }
        PeerMessage::Answer { id, result: Ok(response) } => {
            let mut bytes = BytesMut::new();
            response.encode(&mut bytes);
            let (method, response) = (response.method().into(), bytes.freeze());
            Kind::Answer(AnswerFrame { id: *id, method, response, error: String::new() })
        }
        PeerMessage::Answer { id, result: Err(error) } => {
            Kind::Answer(AnswerFrame { id: *id, error: error.text().into(), ..AnswerFrame::default() })
        }
        PeerMessage::Hello => Kind::Hello(()),
        PeerMessage::Removed => Kind::Removed(()),
    }
}

/// Reads the body of a frame.
///
/// # Errors
/// The body is not a message.
pub fn read(kind: u8, body: Bytes) -> Result<Message, WireError> {
    match kind {
        kind::RAFT => read_raft(&body).map(|message| Message::Raft(Box::new(message))),
        kind::PEER => read_peer(body).map(|message| Message::Peer(Box::new(message))),
        kind => Err(WireError::Kind(kind)),
    }
}

/// Reads a message of raft's.
///
/// # Errors
/// The body is not a message of raft's.
pub fn read_raft(body: &[u8]) -> Result<RaftMessage, WireError> {
    Ok(RaftMessage::parse_from_bytes(body)?)
}

fn read_peer(body: Bytes) -> Result<PeerMessage, WireError> {
    match PeerFrame::decode(body)?.kind.ok_or(WireError::Lacks("content"))? {
        Kind::Call(CallFrame { id, method, request }) => {
            Ok(PeerMessage::Call { id, request: api::Request::decode(&method, request)? })
        }
        Kind::Answer(AnswerFrame { id, method, response, error }) => {
            let result = if error.is_empty() {
                Ok(api::Response::decode(&method, response)?)
            } else {
                Err(api::Error::from_text(&error).ok_or(WireError::Lacks("error that is known"))?)
            };
            Ok(PeerMessage::Answer { id, result })
        }
        Kind::Hello(()) => Ok(PeerMessage::Hello),
        Kind::Removed(()) => Ok(PeerMessage::Removed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::etcdserverpb::{HashKvRequest, HashKvResponse};

    #[test]
    fn messages_are_read_as_they_were_written() {
        let raft = RaftMessage { to: 2, from: 1, term: 3, index: 7, ..RaftMessage::default() };
        let response = HashKvResponse { hash: 5, ..HashKvResponse::default() };
        let peer = |message| Message::Peer(Box::new(message));
        for message in [
            Message::Raft(Box::new(raft)),
            peer(PeerMessage::Hello),
            peer(PeerMessage::Removed),
            peer(PeerMessage::Call { id: 1, request: HashKvRequest { revision: 9 }.into() }),
            peer(PeerMessage::Answer { id: 1, result: Ok(response.into()) }),
            peer(PeerMessage::Answer { id: 1, result: Err(api::Error::NotLeader) }),
        ] {
            let mut frame = BytesMut::new();
            put(&message, &mut frame);
            let length = u32::from_le_bytes(frame[..4].try_into().expect("four bytes"));
            assert_eq!(length as usize, frame.len() - HEAD);
            let read = read(frame[4], Bytes::copy_from_slice(&frame[HEAD..]));
            assert_eq!(read.expect("it was written"), message);
            for end in HEAD..frame.len() {
                // Not every cut-off frame is refused, but none makes `read` panic.
                let _ = super::read(frame[4], Bytes::copy_from_slice(&frame[HEAD..end]));
            }
        }
        assert!(matches!(read(9, Bytes::new()), Err(WireError::Kind(9))));
    }
}
