//! The place of one operation in the order of revisions, by its request and answer alone.
//!
//! A write that changed something is placed at the revision it made. A read, or a write that changed nothing, is
//! placed in the time during which the revision of its answer was the newest. Errors and compactions carry no
//! revision and have no such place.

use api::etcdserverpb::TxnResponse;
use api::etcdserverpb::response_op::Response as OpResponse;
use api::{Request, Response};
use record::{Operation, Outcome};

use crate::answer;
use crate::definite::is_definite;
use crate::model;

/// A point in the order of revisions: the making of a revision, or the time until the next one is made. It is stored
/// as one number: revision R is made at 2R, and 2R + 1 is the time in which it is the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u64);

impl Position {
    /// Before everything.
    pub const START: Position = Position(0);
    /// After everything.
    pub const END: Position = Position(u64::MAX);

    /// The position at which this revision is made.
    pub fn making(revision: i64) -> Position {
        Position(revision.max(0) as u64 * 2)
    }

    /// The position at which this revision is the newest, until the next one is made.
    pub fn during(revision: i64) -> Position {
        Position(revision.max(0) as u64 * 2 + 1)
    }

    /// The revision that is the newest right after this position.
    pub fn revision(self) -> i64 {
        (self.0 / 2) as i64
    }

    /// Whether a revision is made at this position.
    pub fn makes_revision(self) -> bool {
        self.0.is_multiple_of(2)
    }

    /// The first position, this one or the next, at which no revision is made.
    pub fn settled(self) -> Position {
        Position(self.0 | 1)
    }

    /// The last position, this one or the one before, at which no revision is made.
    pub fn settled_before(self) -> Position {
        if self.makes_revision() { Position(self.0.saturating_sub(1)) } else { self }
    }
}

/// What is known about an operation's place from its request and outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It was executed exactly there.
    At(Position),
    /// A serializable read: it returned the state at this position. The member's store may have been old, so the read
    /// may have been executed later.
    Shows(Position),
    /// An error or a compaction: it was executed at some position between its call and its return, and its answer must
    /// be right there.
    Somewhere,
    /// A write whose outcome is unknown: it took effect anywhere after its call, or never.
    Open,
    /// Nothing is known, and nothing is checked: a read without an answer, a serializable read that was refused, or a
    /// call that the model does not cover.
    Silent,
}

/// The operation's place, by its answer alone.
pub fn place(operation: &Operation) -> Place {
    let request = &operation.request;
    match &operation.outcome {
        Outcome::Answer { response, .. } => place_of_answer(request, response),
        Outcome::Error { error, .. } if is_definite(*error) => match request {
            request if is_local(request) => Place::Silent,
            request if model::Model::covers(request) => Place::Somewhere,
            _ => Place::Silent,
        },
        _ if is_write(request) => Place::Open,
        _ => Place::Silent,
    }
}

/// The place of an operation that was answered and not refused.
fn place_of_answer(request: &Request, response: &Response) -> Place {
    let revision = answer::revision(response.header());
    match request {
        request if is_local(request) => Place::Shows(Position::during(revision)),
        Request::Compact(_) => Place::Somewhere,
        Request::Range(_) | Request::LeaseGrant(_) => Place::At(Position::during(revision)),
        Request::Put(_) | Request::DeleteRange(_) | Request::Txn(_) | Request::LeaseRevoke(_) => {
            let mutates = mutates(response);
            Place::At(if mutates { Position::making(revision) } else { Position::during(revision) })
        }
        _ => Place::Silent,
    }
}

/// Whether a member answers the request from its own store, without asking others. These are the serializable reads.
pub fn is_local(request: &Request) -> bool {
    match request {
        Request::Range(range) => range.serializable,
        Request::Txn(txn) => model::is_serializable(txn),
        _ => false,
    }
}

/// Whether the request goes through the log and may change the store, a lease or the compacted revision.
pub fn is_write(request: &Request) -> bool {
    match request {
        Request::Put(_)
        | Request::DeleteRange(_)
        | Request::Compact(_)
        | Request::LeaseGrant(_)
        | Request::LeaseRevoke(_) => true,
        Request::Txn(txn) => !model::is_read_only(txn),
        _ => false,
    }
}

/// Whether the request goes through the log and changes leases, users or alarms, which make no revision. Only the
/// order of the applied entries places these operations.
pub fn is_beside_the_store(request: &Request) -> bool {
    matches!(request, Request::LeaseGrant(_) | Request::LeaseRevoke(_) | Request::Alarm(_))
        || model::auth::changes_auth(request)
}

/// Whether the answer says that a revision was made. The answer to a LeaseRevoke does not say whether it removed
/// keys; it counts as no.
pub fn mutates(response: &Response) -> bool {
    match response {
        Response::Put(_) => true,
        Response::DeleteRange(delete) => delete.deleted > 0,
        Response::Txn(txn) => txn_mutates(txn),
        _ => false,
    }
}

/// Whether a transaction, or one nested in it, put or deleted a key.
fn txn_mutates(txn: &TxnResponse) -> bool {
    txn.responses.iter().any(|op| match &op.response {
        Some(OpResponse::ResponsePut(_)) => true,
        Some(OpResponse::ResponseDeleteRange(delete)) => delete.deleted > 0,
        Some(OpResponse::ResponseTxn(nested)) => txn_mutates(nested),
        _ => false,
    })
}
