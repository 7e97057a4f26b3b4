//! What goes into a member and what comes out of it.

use api::{Error, Request, Response};
use raft::eraftpb::Message;
use record::Fact;

use crate::disk::{DiskError, DiskJob};

/// One thing that happens to a member.
#[derive(Debug)]
pub enum Input {
    /// The time the member asked to be woken at has come (or any later time).
    Wake,
    /// A peer's message.
    Message(Message),
    /// A client's request. `operation` is the caller's number for it; the answer carries it.
    Request {
        /// The caller's number, unique among the requests of this incarnation.
        operation: u64,
        /// What is asked.
        request: Request,
    },
    /// A disk job ended. Jobs end in the order in which they were handed out.
    JobDone {
        /// Its number.
        job: u64,
        /// How.
        result: Result<(), DiskError>,
    },
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

/// What a member wants done after a step. The driver empties it.
#[derive(Debug, Default)]
pub struct Effects {
    /// White-box facts, in order; to be taken note of before anything else here.
    pub facts: Vec<Fact>,
    /// Messages to peers.
    pub messages: Vec<Message>,
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
}
