//! What a node adds to the trace. The kernel has facts that hold for every node; everything else in a trace comes from
//! a [`Vocabulary`], which the node and its callers supply.

use std::fmt::Debug;

use crate::MemberId;

/// The facts and the messages of one kind of node. The type that implements it needs no values: it is only their name,
/// in types such as [`Event`](crate::Event). It derives what those types derive, because the compiler requires that.
pub trait Vocabulary: Clone + Debug + PartialEq + 'static {
    /// What happens in the node and to its callers.
    type Fact: OwnFact;
    /// What the trace knows of a message.
    type Head: Head;
    /// A step of the node's algorithm, for observers ([`Observer::step`](crate::Observer::step)). It is not part of the
    /// trace. [`Silent`](crate::Silent) if a node shows no steps.
    type Step: Debug;
    /// What happens inside a node that no oracle needs to know, for the code that explains a run
    /// ([`Observer::inner`](crate::Observer::inner)). It is not part of the trace either. [`Silent`](crate::Silent) if
    /// a node reports nothing.
    type Inner: Debug;
}

/// The kinds of messages of a vocabulary.
pub type KindOf<V> = <<V as Vocabulary>::Head as Head>::Kind;

/// One thing that happened in a node or to its callers.
pub trait OwnFact: Clone + Debug + PartialEq {
    /// Calls `put` with a tag and up to ten words, once or several times. They enter the trace hash, so they must
    /// never change. The tags 1 to 6, 20 to 25 and 128 to 159 are the kernel's.
    fn absorb(&self, put: &mut impl FnMut(u64, &[u64]));

    /// What the kernel learns from it; `None` for most facts.
    fn sign(&self) -> Option<Sign<'_>> {
        None
    }
}

/// What a node's fact means to the kernel. Conditions and targets of faults depend on it, and so does the check that a
/// run has settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign<'a> {
    /// The node leads from now on, or does not.
    Role {
        /// The term. Of two nodes that lead, the one with the higher term is the leader.
        term: u64,
        /// Whether it leads.
        leads: bool,
    },
    /// It has applied the entries up to this index.
    Applied(u64),
    /// A restart would find the effects of the entries up to this index.
    Durable(u64),
    /// A snapshot up to this index replaced its state.
    SnapshotAt(u64),
    /// It uses these members of the cluster.
    Members {
        /// The index of the entry that says so.
        index: u64,
        /// The members that vote.
        voters: &'a [MemberId],
        /// During a change of the voters: those that voted before. Otherwise empty.
        outgoing: &'a [MemberId],
        /// The members that do not vote.
        learners: &'a [MemberId],
    },
}

/// What the trace knows of a message.
pub trait Head: Copy + Debug + PartialEq {
    /// The kinds of messages. Their numbers enter the trace hash, so they must never change.
    type Kind: Copy + Debug + PartialEq + Into<u16>;

    /// The head of a message between a node and its callers.
    fn of_call(kind: CallKind) -> Self;

    /// The kind of message.
    fn kind(&self) -> Self::Kind;

    /// The term in it; 0 if it has none.
    fn term(&self) -> u64 {
        0
    }

    /// The index in it; 0 if it has none.
    fn index(&self) -> u64 {
        0
    }

    /// The head as words for the trace hash, with the other end of the message.
    fn words(&self, peer: MemberId) -> [u64; 5];
}

/// The messages between a node and its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// A request.
    Request,
    /// The answer to a request.
    Answer,
    /// An item of a stream to the node.
    Up,
    /// An item of a stream from the node.
    Down,
}
