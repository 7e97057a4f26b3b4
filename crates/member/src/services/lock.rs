//! The calls `Lock` and `Unlock` (`api/v3lock/lock.go`, `client/v3/concurrency/mutex.go`).
//!
//! `Lock` puts a key into the lock's queue and then waits until no key is before it. It waits for the
//! deletion of the key just before its own, so that each deletion wakes one client only. When no key is
//! before it, it checks that its own key still exists, because its lease may have expired meanwhile.

use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{ResponseHeader, TxnResponse};
use api::v3lockpb::{LockRequest, LockResponse, UnlockRequest, UnlockResponse};
use api::{Error, Request, Response};
use bytes::Bytes;
use record::{Inner, Probe};

use super::{Call, NextStep, mismatch, queue};
use crate::flaw::{Flaw, Flaws};
use crate::inner;
use crate::probes::Probes;

/// What a `Lock` waits for.
#[derive(Debug)]
enum Stage {
    /// A lease.
    Session,
    /// The transaction that puts its key into the queue.
    Enter,
    /// The read that finds the key before its own, and then the deletion of that key.
    Wait,
    /// The read that shows whether its own key still exists.
    Check,
    /// The deletion of its own key, after an error.
    Leave(Error),
}

/// A `Lock` in progress.
#[derive(Debug)]
pub(super) struct Lock {
    prefix: Bytes,
    /// The client's key in the queue.
    key: Bytes,
    /// The create revision of that key.
    revision: i64,
    stage: Stage,
    flaws: Flaws,
}

impl Lock {
    /// A call that takes a lock, and its first step.
    pub(super) fn begin(request: LockRequest, flaws: Flaws) -> (Lock, NextStep) {
        let prefix = queue::prefix(&request.name);
        let mut lock = Lock { prefix, key: Bytes::new(), revision: 0, stage: Stage::Session, flaws };
        let next = if request.lease == 0 { queue::session() } else { lock.enter(request.lease) };
        (lock, next)
    }

    /// Puts the client's key into the queue, unless it is there.
    fn enter(&mut self, lease: i64) -> NextStep {
        self.stage = Stage::Enter;
        self.key = queue::key_of(&self.prefix, lease);
        let owner = Op::RequestRange(queue::first(&self.prefix));
        let put = Op::RequestPut(queue::put(&self.key, &Bytes::new(), lease));
        let get = Op::RequestRange(queue::get(&self.key));
        NextStep::Send(queue::if_created_at(0, &self.key, [put, owner.clone()], [get, owner]))
    }

    /// The key is in the queue.
    fn entered(&mut self, txn: &TxnResponse) -> NextStep {
        self.revision = match txn.succeeded {
            true => queue::revision(txn.header.as_ref()),
            // The key existed already: a call with the same lease waits for the lock or has it.
            false => queue::found(txn, 0).kvs[0].create_revision,
        };
        // The second operation of either branch reads the first key of the queue.
        match queue::found(txn, 1).kvs.first() {
            Some(owner) if owner.create_revision != self.revision => self.look(),
            _ => self.held(txn.header),
        }
    }

    /// Reads which key is just before the client's.
    fn look(&mut self) -> NextStep {
        self.stage = Stage::Wait;
        NextStep::Send(queue::last_before(&self.prefix, self.revision).into())
    }

    /// Deletes the client's key after an error.
    fn leave(&mut self, error: Error) -> NextStep {
        self.stage = Stage::Leave(error);
        NextStep::Send(queue::delete(&self.key).into())
    }

    /// The client has the lock.
    fn held(&self, header: Option<ResponseHeader>) -> NextStep {
        inner::tell(|| Inner::LockGiven {
            key: self.key.clone(),
            revision: header.as_ref().map_or(0, |header| header.revision),
        });
        NextStep::Finish(Ok(LockResponse { header, key: self.key.clone() }.into()))
    }
}

impl Call for Lock {
    fn answered(&mut self, result: Result<Response, Error>, probes: &Probes) -> NextStep {
        match (&self.stage, result) {
            (Stage::Session, Ok(Response::LeaseGrant(granted))) => self.enter(granted.id),
            (Stage::Enter, Ok(Response::Txn(txn))) => self.entered(&txn),
            (Stage::Session | Stage::Enter, Err(error)) => NextStep::Finish(Err(error)),
            (Stage::Wait, Ok(Response::Range(found))) => {
                if let Some(before) = found.kvs.first() {
                    probes.reached(Probe::LockWaited);
                    return NextStep::AwaitDeletion {
                        key: before.key.clone(),
                        since: queue::revision(found.header.as_ref()),
                    };
                }
                if self.flaws.has(Flaw::LockHeldAfterExpiry) {
                    return self.held(found.header); // flaw M-lock-expired
                }
                self.stage = Stage::Check;
                NextStep::Send(queue::get(&self.key).into())
            }
            (Stage::Check, Ok(Response::Range(own))) if own.kvs.is_empty() => {
                probes.reached(Probe::LockSessionExpiredWhileWaiting);
                NextStep::Finish(Err(Error::SessionExpired))
            }
            (Stage::Check, Ok(Response::Range(own))) => self.held(own.header),
            (Stage::Wait | Stage::Check, Err(error)) => self.leave(error),
            (Stage::Leave(error), _) => NextStep::Finish(Err(*error)),
            (_, Ok(response)) => mismatch("a step of a lock", &response),
        }
    }

    fn ended(&mut self, ended: Result<(), Error>) -> NextStep {
        match ended {
            Ok(()) => self.look(),
            Err(error) => self.leave(error),
        }
    }

    fn abandoned(&self) -> Option<Request> {
        matches!(self.stage, Stage::Wait | Stage::Check).then(|| queue::delete(&self.key).into())
    }
}

/// An `Unlock` in progress, which deletes the client's key.
#[derive(Debug)]
pub(super) struct Unlock;

impl Unlock {
    /// A call that releases a lock, and its only step.
    pub(super) fn begin(request: UnlockRequest) -> (Unlock, NextStep) {
        (Unlock, NextStep::Send(queue::delete(&request.key).into()))
    }
}

impl Call for Unlock {
    fn answered(&mut self, result: Result<Response, Error>, _: &Probes) -> NextStep {
        NextStep::Finish(result.map(|response| match response {
            Response::DeleteRange(deleted) => UnlockResponse { header: deleted.header }.into(),
            other => mismatch("an unlock", &other),
        }))
    }
}
