//! The vocabulary of a node that has none of its own: it reports nothing, and its messages are all of one kind.

use crate::{CallKind, Head, MemberId, OwnFact, Vocabulary};

/// The vocabulary of such a node. It is also the type of its facts and of its steps, of which there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silent {}

/// What the trace knows of its messages: only their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHead {
    /// A message from node to node.
    Message,
    /// A request.
    Request,
    /// The answer to a request.
    Answer,
    /// An item of a stream to the node.
    Up,
    /// An item of a stream from the node.
    Down,
}

impl Vocabulary for Silent {
    type Fact = Silent;
    type Head = PlainHead;
    type Step = Silent;
    type Inner = Silent;
}

impl OwnFact for Silent {
    fn absorb(&self, _: &mut impl FnMut(u64, &[u64])) {
        match *self {}
    }
}

impl From<PlainHead> for u16 {
    fn from(head: PlainHead) -> u16 {
        head as u16
    }
}

impl Head for PlainHead {
    type Kind = PlainHead;

    fn of_call(kind: CallKind) -> PlainHead {
        match kind {
            CallKind::Request => PlainHead::Request,
            CallKind::Answer => PlainHead::Answer,
            CallKind::Up => PlainHead::Up,
            CallKind::Down => PlainHead::Down,
        }
    }

    fn kind(&self) -> PlainHead {
        *self
    }

    fn words(&self, peer: MemberId) -> [u64; 5] {
        [peer.raft_id() | (*self as u64) << 32, 0, 0, 0, 0]
    }
}
