//! The client history: what each client asked, of whom, when, and what it learnt.

use api::{Error, Request, Response};

use crate::{MemberId, Nanos};

/// Everything the clients saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// In the order of their calls; an operation's number is its place here.
    pub operations: Vec<Operation>,
}

/// One request of one client and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Who asked.
    pub client: u32,
    /// The endpoint it went to.
    pub member: MemberId,
    /// What was asked.
    pub request: Request,
    /// When it was sent. Within one client, calls and returns alternate and never share a time.
    pub call: Nanos,
    /// What the client learnt, and when.
    pub outcome: Outcome,
}

/// What a client learnt of its operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The answer.
    Answer {
        /// When it arrived.
        at: Nanos,
        /// What it said.
        response: Response,
    },
    /// The server said no. Some errors mean that nothing happened, others leave it open: `verify`
    /// has the list.
    Error {
        /// When it arrived.
        at: Nanos,
        /// What it said.
        error: Error,
    },
    /// No answer: a time-out or a lost connection. The operation may still take effect at any later
    /// time, or never. It stays open to the end of the history.
    Unknown {
        /// When the client gave up. No bound on when it may take effect.
        gave_up: Nanos,
    },
}

impl Operation {
    /// When an answer or an error arrived; `None` while the operation is open.
    pub fn returned(&self) -> Option<Nanos> {
        match self.outcome {
            Outcome::Answer { at, .. } | Outcome::Error { at, .. } => Some(at),
            Outcome::Unknown { .. } => None,
        }
    }

    /// The answer, where there is one.
    pub fn response(&self) -> Option<&Response> {
        match &self.outcome {
            Outcome::Answer { response, .. } => Some(response),
            _ => None,
        }
    }
}
