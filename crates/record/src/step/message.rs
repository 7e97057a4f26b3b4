//! A raft message without the content of its entries.

use super::{Configuration, Entries};
use crate::{MemberId, MessageKind};

/// A raft message, as far as the protocol goes. Fields that a kind of message does not have are 0 or empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Messages that a process puts out are numbered from 1. Of a message that was received: the number of the packet
    /// that brought it, or 0 if nobody numbers packets.
    pub number: u64,
    /// Its kind.
    pub kind: MessageKind,
    /// The sender; none if the host itself asks.
    pub from: MemberId,
    /// The receiver.
    pub to: MemberId,
    /// The term; 0 for proposals and requests for a read index.
    pub term: u64,
    /// Of an append: the index before its first entry. Of an answer to an append: the last index that was accepted, or
    /// the index that was rejected. Of a request for votes: the candidate's last index. Of a snapshot: its index. Of
    /// an answer to a read: the read index.
    pub index: u64,
    /// The term of the entry at `index`; of a rejected append, of the entry at `hint`.
    pub log_term: u64,
    /// The commit index.
    pub commit: u64,
    /// The term of the entry at `commit`; only in requests for votes and their refusals.
    pub commit_term: u64,
    /// Whether it rejects a request.
    pub reject: bool,
    /// Of a rejected append: where the receiver's log may agree.
    pub hint: u64,
    /// Of a rejected append: the index that a snapshot must have, if the receiver asks for one.
    pub wanted_snapshot: u64,
    /// What the sender wants back, or why it asks.
    pub context: Context,
    /// The entries.
    pub entries: Entries,
    /// The snapshot.
    pub snapshot: Option<Box<SnapshotHead>>,
}

impl Message {
    /// A message of this kind, with nothing else in it.
    #[inline]
    pub fn new(kind: MessageKind, from: MemberId, to: MemberId) -> Message {
        Message {
            number: 0,
            kind,
            from,
            to,
            term: 0,
            index: 0,
            log_term: 0,
            commit: 0,
            commit_term: 0,
            reject: false,
            hint: 0,
            wanted_snapshot: 0,
            context: Context::None,
            entries: Entries::default(),
            snapshot: None,
        }
    }
}

/// The context of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Context {
    /// None.
    #[default]
    None,
    /// The sender campaigns because its leader ordered it to.
    Transfer,
    /// The number of a read.
    Read(u64),
    /// Anything else, as a digest.
    Other(u64),
}

/// A snapshot without its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotHead {
    /// The index of the last entry it contains.
    pub index: u64,
    /// The term of that entry.
    pub term: u64,
    /// The configuration after that entry.
    pub configuration: Configuration,
}
