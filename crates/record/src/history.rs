//! The client history: what each client asked, of which member and when, and what it received. Most oracles
//! judge this.

use std::sync::Arc;

use api::etcdserverpb::{WatchRequest, WatchResponse};
use api::{Error, Request, Response};

use crate::{MemberId, Nanos};

/// Everything the clients saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// All operations, in the order of their calls. An operation's number is its index here.
    pub operations: Vec<Operation>,
    /// All watch streams, in the order in which they were opened.
    pub watches: Vec<WatchStream>,
    /// What clients' copies of parts of the store contained at various times, in the order of time.
    pub caches: Vec<CacheView>,
}

/// One request of one client and its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The client.
    pub client: u32,
    /// The member that the request was sent to.
    pub member: MemberId,
    /// The user; `None` for a client that never logged in, [`Operation::NOBODY`] for a token that no login has issued.
    pub user: Option<Arc<str>>,
    /// The request.
    pub request: Request,
    /// Whether the answer came in chunks (`RangeStream`). The request is then a range, and an answer is that of the range.
    pub streamed: bool,
    /// When the request was sent. A client calls its next operation only after the last one ended, and at a
    /// later time.
    pub call: Nanos,
    /// How the operation ended for the client.
    pub outcome: Outcome,
}

/// How an operation ended for its client.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// An answer arrived.
    Answer {
        /// When it arrived.
        at: Nanos,
        /// The answer.
        response: Response,
    },
    /// An error arrived. After some errors it is certain that the operation had no effect, after others it is
    /// not; `verify` knows which.
    Error {
        /// When it arrived.
        at: Nanos,
        /// The error.
        error: Error,
    },
    /// Nothing arrived: a timeout or a lost connection. The operation may have taken effect, may still do so at
    /// any later time, or never does.
    Unknown {
        /// When the client gave up. The operation may take effect after that.
        gave_up: Nanos,
    },
}

/// One watch stream between a client and a member, from its opening to its end.
///
/// A client that continues a watch at another member opens a new stream, and starts after the last revision
/// that it has seen. So each stream can be judged alone.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchStream {
    /// The client.
    pub client: u32,
    /// The member at the other end.
    pub member: MemberId,
    /// When the client opened it.
    pub opened: Nanos,
    /// What the client sent, and when, in order. The server answers requests to create watchers in this order.
    pub sent: Vec<(Nanos, WatchRequest)>,
    /// What was delivered to the client, and when, in order. A stream does not lose or reorder responses: those
    /// missing at its end were in flight or never sent.
    pub received: Vec<(Nanos, WatchResponse)>,
    /// When and how it ended; `None` if it was open at the end of the run.
    pub ended: Option<(Nanos, StreamEnd)>,
}

/// How a stream ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The client closed it.
    Closed,
    /// The connection broke: the server's process ended, or nothing came for too long.
    Broken,
    /// The server ended it with this error.
    Refused(Error),
}

/// What a client's copy of a part of the store contained at one moment, according to the client.
///
/// A client with a copy lists a range of keys once and then keeps the copy up to date with a watch, as an API
/// server of Kubernetes does.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheView {
    /// The client.
    pub client: u32,
    /// The time.
    pub at: Nanos,
    /// The part of the store: `key` and `range_end` as in a range request.
    pub keys: (bytes::Bytes, bytes::Bytes),
    /// The revision up to which the client believes that it has seen every change.
    pub revision: i64,
    /// Key and mod revision of every pair in the copy, in the order of keys.
    pub pairs: Vec<(bytes::Bytes, i64)>,
}

impl Operation {
    /// The user of a token that no login has issued. No user of etcd can have this name.
    pub const NOBODY: &str = "";
    /// The bit of the number of a stream that stands for a streamed range. The rest is the number of the operation.
    pub const RANGE: u64 = 1 << 59;

    /// Whether it was sent with a token that no login has issued.
    pub fn is_forged(&self) -> bool {
        self.user.as_deref() == Some(Operation::NOBODY)
    }

    /// When an answer or an error arrived; `None` if neither did.
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
