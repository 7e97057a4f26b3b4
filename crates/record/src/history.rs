//! The client history: what each client asked, of which member, when, and what it learned.

use std::sync::Arc;

use api::etcdserverpb::{WatchRequest, WatchResponse};
use api::{Error, Request, Response};

use crate::{MemberId, Nanos};

/// Everything the clients saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// In the order of their calls; an operation's number is its index here.
    pub operations: Vec<Operation>,
    /// Every watch stream, in the order in which they were opened.
    pub watches: Vec<WatchStream>,
    /// The contents of clients' copies of a part of the store, in order of time.
    pub caches: Vec<CacheView>,
}

/// One request of one client and its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The client.
    pub client: u32,
    /// The endpoint it went to.
    pub member: MemberId,
    /// The user; `None` for a client that never logged in.
    pub user: Option<Arc<str>>,
    /// The request.
    pub request: Request,
    /// When it was sent. Within one client, calls and returns alternate and never share a time.
    pub call: Nanos,
    /// What the client learned, and when.
    pub outcome: Outcome,
}

/// What a client learned of its operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The answer.
    Answer {
        /// When it arrived.
        at: Nanos,
        /// Its content.
        response: Response,
    },
    /// The server returned an error. Some errors mean that nothing happened, others leave it open: `verify`
    /// has the list.
    Error {
        /// When it arrived.
        at: Nanos,
        /// The error.
        error: Error,
    },
    /// No answer: a time-out or a lost connection. The operation may still take effect at any later time, or
    /// never. It stays open to the end of the history.
    Unknown {
        /// When the client gave up. This does not limit when it may take effect.
        gave_up: Nanos,
    },
}

/// One watch stream between a client and a member, from its opening to its end. A client that continues
/// elsewhere opens another one, from the revision after the last one it has seen; so each stream can be
/// judged by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchStream {
    /// The client.
    pub client: u32,
    /// The member at the other end.
    pub member: MemberId,
    /// When the client opened it.
    pub opened: Nanos,
    /// What the client sent, and when, in order. Creations are answered in this order.
    pub sent: Vec<(Nanos, WatchRequest)>,
    /// What was delivered to the client, and when, in order. A stream neither loses nor reorders: what is
    /// missing at its end was in flight or never sent.
    pub received: Vec<(Nanos, WatchResponse)>,
    /// When and how it ended; `None` if it was open at the end of the run.
    pub ended: Option<(Nanos, StreamEnd)>,
}

/// How a stream ended, as its client learned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The client closed it.
    Closed,
    /// The connection broke: the server's process ended, or nothing came for too long.
    Broken,
    /// The server ended it with this error.
    Refused(Error),
}

/// What a client's copy of a part of the store held at one moment, according to the client.
///
/// Such a client lists its part once and then keeps it up to date by a watch, as an API server of Kubernetes
/// does.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheView {
    /// The client.
    pub client: u32,
    /// The time.
    pub at: Nanos,
    /// The part: first key and end, as in a range request.
    pub keys: (bytes::Bytes, bytes::Bytes),
    /// The revision up to which the client believes it has seen everything.
    pub revision: i64,
    /// Key and modification revision of every pair in it, ordered by key.
    pub pairs: Vec<(bytes::Bytes, i64)>,
}

impl Operation {
    /// When an answer or an error arrived; `None` while the operation is open.
    pub fn returned(&self) -> Option<Nanos> {
        match self.outcome {
            Outcome::Answer { at, .. } | Outcome::Error { at, .. } => Some(at),
            Outcome::Unknown { .. } => None,
        }
    }

    /// The answer, if there is one.
    pub fn response(&self) -> Option<&Response> {
        match &self.outcome {
            Outcome::Answer { response, .. } => Some(response),
            _ => None,
        }
    }
}
