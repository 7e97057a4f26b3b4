//! The boxes of raft messages that were taken out, for the messages that this member sends next: a member sends about as
//! many as it receives.

use raft::eraftpb::Message;

/// How many boxes are kept, at about 200 bytes each.
const KEPT: usize = 64;

/// Boxes for messages.
#[derive(Debug, Default)]
pub(crate) struct Boxes {
    /// Invariant: the message in each is empty and owns no memory.
    #[expect(clippy::vec_box, reason = "the boxes are what is kept")]
    empty: Vec<Box<Message>>,
}

impl Boxes {
    /// Keeps the box of a message that was taken out.
    #[inline]
    pub(crate) fn keep(&mut self, taken_out: Box<Message>) {
        if self.empty.len() < KEPT {
            self.empty.push(taken_out);
        }
    }

    /// The message in a box.
    #[inline]
    pub(crate) fn fill(&mut self, message: Message) -> Box<Message> {
        let Some(mut empty) = self.empty.pop() else { return Box::new(message) };
        // The empty message need not be dropped, which would look at each of its fields.
        std::mem::forget(std::mem::replace(&mut *empty, message));
        empty
    }
}
