//! etcd's services `Lock` and `Election` (`api/v3lock`, `api/v3election`): recipes of public operations that
//! the server runs on a client's behalf (`client/v3/concurrency`).
//!
//! A call is a state machine. Its [`Ask`]s are requests and watches like a client's, with their own operation
//! and stream numbers; the results come back through [`Services::answered`] and [`Services::watched`]. Each
//! call waits for one thing at a time.
//!
//! | file | job |
//! |---|---|
//! | `mod` | which call waits for what |
//! | `lock`, `election` | the calls |
//! | `queue` | the requests they are made of: keys in the order in which they were created |
//!
//! A call without a lease gets one of 60 seconds. It is not kept alive: etcd's services give up the session
//! at once (`Session.Orphan`), so a call that waits longer loses its position in the queue.
//!
//! Not here: `Observe`, a stream; time-outs, which are the requests' own; retries, which etcd's services do
//! not make either.
//!
//! Invariant: a call in `calls` has exactly one number in `waits`, except in the middle of a step.

mod election;
mod lock;
mod queue;

use std::collections::{BTreeMap, BTreeSet};

use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use api::mvccpb::event::EventType;
use api::{Error, Request, Response};
use bytes::Bytes;
use record::Probe;

use crate::config::Config;
use crate::flaw::Flaws;
use crate::probes::Probes;

use election::{Campaign, Leader, Resume};
use lock::{Lock, Unlock};

/// Marks the numbers of the services' own requests and streams.
const OWN: u64 = 1 << 63;

/// What the services want done.
#[derive(Debug, PartialEq)]
pub(crate) enum Ask {
    /// A request, as if a client had sent it.
    Request {
        /// The number to pass to [`Services::answered`].
        inner: u64,
        /// The request.
        request: Request,
        /// The token of the client's call.
        token: Option<Bytes>,
    },
    /// A watcher, on a stream of its own.
    Watch {
        /// The number to pass to [`Services::watched`].
        stream: u64,
        /// The first and only message on the stream.
        request: WatchRequest,
        /// The token of the client's call.
        token: Option<Bytes>,
    },
    /// The stream is no longer needed.
    CloseWatch {
        /// The stream.
        stream: u64,
    },
    /// The answer to a client's call.
    Reply {
        /// The client's operation number.
        operation: u64,
        /// The result of the call.
        result: Result<Response, Error>,
    },
}

/// What a call does next.
#[derive(Debug)]
enum NextStep {
    Send(Request),
    /// Waits for the deletion of `key`, which existed at revision `since`.
    AwaitDeletion {
        key: Bytes,
        since: i64,
    },
    Finish(Result<Response, Error>),
}

/// One call in progress.
trait Call: std::fmt::Debug + Send {
    /// The answer to its request.
    fn answered(&mut self, result: Result<Response, Error>, probes: &Probes) -> NextStep;

    /// The key whose deletion it waited for is gone, or cannot be waited for.
    fn ended(&mut self, ended: Result<(), Error>) -> NextStep {
        unreachable!("{self:?} does not wait for a key, but one ended: {ended:?}")
    }

    /// Its client is gone: what must be undone.
    fn abandoned(&self) -> Option<Request> {
        None
    }
}

#[derive(Debug)]
struct CallInProgress {
    call: Box<dyn Call>,
    token: Option<Bytes>,
    /// The number it waits for, and whether that is a stream.
    awaits: (u64, bool),
}

/// All calls in progress.
#[derive(Debug)]
pub(crate) struct Services {
    /// By the clients' operation numbers.
    calls: BTreeMap<u64, CallInProgress>,
    /// From each number that is waited for to its call.
    waiting_for: BTreeMap<u64, u64>,
    next: u64,
    flaws: Flaws,
    probes: Probes,
}

impl Services {
    /// Services without calls.
    pub(crate) fn new(config: &Config) -> Services {
        Services {
            calls: BTreeMap::new(),
            waiting_for: BTreeMap::new(),
            next: OWN,
            flaws: config.flaws,
            probes: Probes::default(),
        }
    }

    /// Whether the services made the request of this number.
    pub(crate) fn owns_request(&self, inner: u64) -> bool {
        inner & OWN != 0
    }

    /// Whether the services opened the stream of this number.
    pub(crate) fn owns_stream(&self, stream: u64) -> bool {
        stream & OWN != 0
    }

    /// The probes reached since the last call.
    pub(crate) fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }

    /// A client's call.
    ///
    /// # Panics
    /// If the request is not a call of these services.
    pub(crate) fn begin(
        &mut self,
        operation: u64,
        request: Request,
        token: Option<Bytes>,
        out: &mut Vec<Ask>,
    ) {
        fn boxed<C: Call + 'static>((call, next): (C, NextStep)) -> (Box<dyn Call>, NextStep) {
            (Box::new(call), next)
        }
        let (call, next) = match request {
            Request::Lock(request) => boxed(Lock::begin(request, self.flaws)),
            Request::Unlock(request) => boxed(Unlock::begin(request)),
            Request::Campaign(request) => boxed(Campaign::begin(request)),
            Request::Proclaim(request) => boxed(Resume::proclaim(request)),
            Request::Resign(request) => boxed(Resume::resign(request)),
            Request::Leader(request) => boxed(Leader::begin(request)),
            other => panic!("{} is not a call of these services: was it routed wrongly?", other.rpc_name()),
        };
        self.proceed(operation, CallInProgress { call, token, awaits: (0, false) }, next, out);
    }

    /// One of the services' requests was answered.
    pub(crate) fn answered(&mut self, inner: u64, result: Result<Response, Error>, out: &mut Vec<Ask>) {
        let Some((operation, mut running)) = self.stop_waiting(inner) else { return };
        let next = running.call.answered(result, &self.probes);
        self.proceed(operation, running, next, out);
    }

    /// A response arrived on one of the services' streams. They have room for any number of them.
    pub(crate) fn watched(&mut self, stream: u64, response: WatchResponse, out: &mut Vec<Ask>) {
        let gone = response.events.iter().any(|event| event.r#type == EventType::Delete as i32);
        if gone {
            self.key_ended(stream, Ok(()), out);
        } else if response.canceled {
            self.key_ended(stream, Err(reason(&response)), out);
        }
    }

    /// The member ended one of the services' streams.
    pub(crate) fn watch_ended(&mut self, stream: u64, error: Error, out: &mut Vec<Ask>) {
        self.key_ended(stream, Err(error), out);
    }

    /// The client of a call is gone; the call gets no answer any more. Its key is removed from the queue.
    /// (etcd requests that without the client's token, so with authentication enabled the key stays.)
    pub(crate) fn abandon(&mut self, operation: u64, out: &mut Vec<Ask>) {
        let Some(running) = self.calls.remove(&operation) else { return };
        let (number, is_stream) = running.awaits;
        self.waiting_for.remove(&number);
        if is_stream {
            out.push(Ask::CloseWatch { stream: number });
        }
        if let Some(request) = running.call.abandoned() {
            self.probes.reached(Probe::WaiterGone);
            out.push(Ask::Request { inner: self.fresh(), request, token: running.token });
        }
    }

    /// The member stops: returns the operation numbers of the calls that were in progress.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        self.waiting_for.clear();
        std::mem::take(&mut self.calls).into_keys().collect()
    }

    fn key_ended(&mut self, stream: u64, ended: Result<(), Error>, out: &mut Vec<Ask>) {
        let Some((operation, mut running)) = self.stop_waiting(stream) else { return };
        out.push(Ask::CloseWatch { stream });
        let next = running.call.ended(ended);
        self.proceed(operation, running, next, out);
    }

    /// The call that waits for this number, if it still does.
    fn stop_waiting(&mut self, number: u64) -> Option<(u64, CallInProgress)> {
        let operation = self.waiting_for.remove(&number)?;
        let running = self.calls.remove(&operation);
        Some((operation, running.expect("a number that is waited for has a call")))
    }

    /// Does what a call wants next.
    fn proceed(&mut self, operation: u64, mut running: CallInProgress, next: NextStep, out: &mut Vec<Ask>) {
        let number = self.fresh();
        let token = running.token.clone();
        running.awaits = (number, matches!(next, NextStep::AwaitDeletion { .. }));
        match next {
            NextStep::Finish(result) => return out.push(Ask::Reply { operation, result }),
            NextStep::Send(request) => out.push(Ask::Request { inner: number, request, token }),
            NextStep::AwaitDeletion { key, since } => {
                let create =
                    WatchCreateRequest { key, start_revision: since, ..WatchCreateRequest::default() };
                let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
                out.push(Ask::Watch { stream: number, request, token });
            }
        }
        self.waiting_for.insert(number, operation);
        let before = self.calls.insert(operation, running);
        assert!(
            before.is_none(),
            "operation {operation} is in progress twice: are clients' operation numbers not unique?"
        );
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Why a watcher was cancelled.
fn reason(response: &WatchResponse) -> Error {
    if response.compact_revision != 0 {
        return Error::Compacted;
    }
    Error::from_text(&response.cancel_reason).unwrap_or(Error::WatchCanceled)
}

/// An answer of the wrong kind for its request.
fn mismatch(what: &str, response: &Response) -> ! {
    panic!("{what} was answered by {}: were the answers mixed up?", response.rpc_name())
}

#[cfg(test)]
mod tests;
