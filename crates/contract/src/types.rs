//! The types of which a node's inputs and effects are made.

use std::fmt::Debug;

use trace::Vocabulary;

use crate::store::Store;
use crate::work::Work;

/// What one kind of node reports to the trace.
pub type FactOf<T> = <<T as Types>::Words as Vocabulary>::Fact;

/// What the trace knows of a message of one kind of node.
pub type HeadOf<T> = <<T as Types>::Words as Vocabulary>::Head;

/// A step of the algorithm of one kind of node, as observers see it.
pub type StepOf<T> = <<T as Types>::Words as Vocabulary>::Step;

/// What happens inside one kind of node, for the code that explains a run.
pub type InnerOf<T> = <<T as Types>::Words as Vocabulary>::Inner;

/// The types of one kind of node. The type that implements this needs no values: it is only their name. It is not the
/// node itself, so that all files of a node can name its inputs and effects without naming the node.
///
/// The functions say what a driver must know of a message. They are here because the messages may be types of other
/// crates. All but [`Types::head`] have a default that suits a small node.
pub trait Types: Clone + Debug + 'static {
    /// What the node adds to the trace.
    type Words: Vocabulary;
    /// What a node is given when it starts: who it is, its settings, its flaws.
    type Config: Clone + Debug;
    /// A message from one node to another.
    type Message: Clone + Debug;
    /// A caller's request, with everything that comes along with it.
    type Request: Clone + Debug;
    /// The answer to a request.
    type Answer: Clone + Debug;
    /// An item of a stream from a caller to the node. The first one opens the stream.
    type Up: Clone + Debug;
    /// An item of a stream from the node to a caller.
    type Down: Clone + Debug;
    /// What the driver holds for the node; [`NoStore`](crate::NoStore) if nothing.
    type Store: Store;
    /// What the driver computes for the node; [`NoWork`](crate::NoWork) if nothing.
    type Work: Work;

    /// What the trace shows of a message.
    fn head(message: &Self::Message) -> HeadOf<Self>;

    /// The bytes of a message on the wire. Asked only if the bandwidth is limited.
    fn message_bytes(_message: &Self::Message) -> u64 {
        64
    }

    /// The bytes of a request on the wire.
    fn request_bytes(_request: &Self::Request) -> u64 {
        64
    }

    /// The bytes of an answer on the wire.
    fn answer_bytes(_answer: &Self::Answer) -> u64 {
        64
    }

    /// The message with one bit flipped; `None` if a receiver could not read it any more. `place`, taken modulo the
    /// number of bits, says which bit.
    fn damaged(_message: &Self::Message, _place: u64) -> Option<Self::Message> {
        None
    }

    /// The message with one bit flipped in the part that the node's own checksum covers, so that the receiver can tell;
    /// `None` if it has no such part. `place`, taken modulo the number of bits, says which bit.
    fn damaged_inside(_message: &Self::Message, _place: u64) -> Option<Self::Message> {
        None
    }

    /// Whether the sender learns from its transport whether the message arrived
    /// ([`Input::Receipt`](crate::Input::Receipt)).
    fn wants_receipt(_message: &Self::Message) -> bool {
        false
    }

    /// Whether a node must know its connections to the others before it gets the request
    /// ([`Input::Connections`](crate::Input::Connections)).
    fn wants_connections(_request: &Self::Request) -> bool {
        false
    }
}
