//! What the packets of a stream carry.

use std::sync::Arc;

use api::Error;
use api::etcdserverpb::{RangeRequest, RangeStreamResponse, WatchRequest, WatchResponse};

/// What a client sends to the member.
#[derive(Clone, Debug)]
pub(crate) enum Up {
    Request(WatchRequest),
    /// The request of a streamed range.
    Range(Arc<RangeRequest>),
    /// The client closes the stream.
    Close,
}

/// What a member sends to the client.
#[derive(Clone, Debug)]
pub(crate) enum Down {
    Response(Arc<WatchResponse>),
    /// A chunk of a streamed range.
    Chunk(Arc<RangeStreamResponse>),
    /// The member ends the stream: a streamed range is complete.
    End,
    /// The member ends the stream with this error.
    Refused(Error),
}

/// One packet of a stream.
#[derive(Clone, Debug)]
pub(crate) enum Segment {
    /// An item from the client, with its number.
    Up(u64, Up),
    /// An item from the member, with its number.
    Down(u64, Down),
    /// An acknowledgement: how many items have arrived from the other end, and how many of them were taken.
    Ack(u64, u64),
    /// Asks the other end's kernel for an acknowledgement, as TCP's window probe does. Not a `record::Probe`.
    Probe,
    /// The client's keepalive: asks whether the member's process responds.
    Ping,
    Pong,
    /// This end of the connection no longer exists.
    Reset,
}

impl world::Segment for Segment {
    // 32 is a rough size for the small packets.
    fn bytes(&self) -> u64 {
        use prost::Message as _;
        match self {
            Segment::Down(_, Down::Response(response)) => response.encoded_len() as u64,
            Segment::Down(_, Down::Chunk(chunk)) => chunk.encoded_len() as u64,
            _ => 32,
        }
    }

    fn is_reset(&self) -> bool {
        matches!(self, Segment::Reset)
    }
}
