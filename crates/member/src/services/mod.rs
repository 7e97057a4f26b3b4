//! etcd's services `Lock` and `Election` (`api/v3lock`, `api/v3election`): recipes of public operations
//! that the server runs on a client's behalf (`client/v3/concurrency`).
//!
//! A call is a state machine. What it wants comes out as [`Ask`]s, requests and watches like a client's
//! with numbers of their own; what becomes of them goes in by [`Services::answered`] and
//! [`Services::watched`]. Each call waits for one thing at a time.
//!
//! | file | job |
//! |---|---|
//! | `mod` | who waits for what |
//! | `lock`, `election` | the calls |
//! | `queue` | the requests they are made of: keys in the order in which they were created |
//!
//! A call without a lease gets one of 60 seconds. Nobody keeps it alive: etcd's services let go of the
//! session at once (`Session.Orphan`), so whoever waits longer than that has lost the place.
//!
//! Not here: `Observe`, a stream; time-outs, which are the requests' own; retries, which etcd's services
//! do not make either.
//!
//! Invariant: a call in `calls` has exactly one number in `waits`, unless it is in the middle of a step.

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

/// Marks the numbers of requests and streams that are the services' own.
const OWN: u64 = 1 << 63;

/// What the services want done.
#[derive(Debug, PartialEq)]
pub(crate) enum Ask {
    /// A request, as if a client had sent it.
    Request {
        /// The number that [`Services::answered`] is to be told.
        inner: u64,
        /// What is asked.
        request: Request,
        /// The token the client's call came with.
        token: Option<Bytes>,
    },
    /// A watcher, on a stream of its own.
    Watch {
        /// The number that [`Services::watched`] is to be told.
        stream: u64,
        /// The first and only message on the stream.
        request: WatchRequest,
        /// The token the client's call came with.
        token: Option<Bytes>,
    },
    /// The stream is not needed any more.
    CloseWatch {
        /// The stream.
        stream: u64,
    },
    /// The answer to a client's call.
    Reply {
        /// The client's number for it.
        operation: u64,
        /// What became of it.
        result: Result<Response, Error>,
    },
}

/// What a call does next.
#[derive(Debug)]
enum Turn {
    Ask(Request),
    /// Waits for the end of `key`, which was there at revision `since`.
    AwaitEnd {
        key: Bytes,
        since: i64,
    },
    End(Result<Response, Error>),
}

/// One call under way.
trait Call: std::fmt::Debug + Send {
    /// What it asked for was answered.
    fn answered(&mut self, result: Result<Response, Error>, probes: &Probes) -> Turn;

    /// The key whose end it waited for is gone, or cannot be waited for.
    fn ended(&mut self, ended: Result<(), Error>) -> Turn {
        unreachable!("{self:?} waits for no key, but heard of one: {ended:?}")
    }

    /// Its client is gone: what is to be undone.
    fn abandoned(&self) -> Option<Request> {
        None
    }
}

#[derive(Debug)]
struct Running {
    call: Box<dyn Call>,
    token: Option<Bytes>,
    /// The number of what it waits for, and whether that is a stream.
    awaits: (u64, bool),
}

/// All calls under way.
#[derive(Debug)]
pub(crate) struct Services {
    /// By the clients' numbers.
    calls: BTreeMap<u64, Running>,
    /// Whose a number is that something is waited for under.
    waits: BTreeMap<u64, u64>,
    next: u64,
    flaws: Flaws,
    probes: Probes,
}

impl Services {
    /// Nobody has called yet.
    pub(crate) fn new(config: &Config) -> Services {
        Services {
            calls: BTreeMap::new(),
            waits: BTreeMap::new(),
            next: OWN,
            flaws: config.flaws,
            probes: Probes::default(),
        }
    }

    /// Whether the request of this number is one of theirs.
    pub(crate) fn owns_request(&self, inner: u64) -> bool {
        inner & OWN != 0
    }

    /// Whether the stream of this number is one of theirs.
    pub(crate) fn owns_stream(&self, stream: u64) -> bool {
        stream & OWN != 0
    }

    /// The probes reached since this was asked last.
    pub(crate) fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }

    /// A client calls.
    ///
    /// # Panics
    /// If the request is none of these services'.
    pub(crate) fn begin(
        &mut self,
        operation: u64,
        request: Request,
        token: Option<Bytes>,
        out: &mut Vec<Ask>,
    ) {
        fn boxed<C: Call + 'static>((call, turn): (C, Turn)) -> (Box<dyn Call>, Turn) {
            (Box::new(call), turn)
        }
        let (call, turn) = match request {
            Request::Lock(request) => boxed(Lock::begin(request, self.flaws)),
            Request::Unlock(request) => boxed(Unlock::begin(request)),
            Request::Campaign(request) => boxed(Campaign::begin(request)),
            Request::Proclaim(request) => boxed(Resume::proclaim(request)),
            Request::Resign(request) => boxed(Resume::resign(request)),
            Request::Leader(request) => boxed(Leader::begin(request)),
            other => panic!("{} is no call of these services: who sent it here?", other.rpc_name()),
        };
        self.take(operation, Running { call, token, awaits: (0, false) }, turn, out);
    }

    /// A request of theirs was answered.
    pub(crate) fn answered(&mut self, inner: u64, result: Result<Response, Error>, out: &mut Vec<Ask>) {
        let Some((operation, mut running)) = self.stop_waiting(inner) else { return };
        let turn = running.call.answered(result, &self.probes);
        self.take(operation, running, turn, out);
    }

    /// A response came on a stream of theirs. They have room for any number of them.
    pub(crate) fn watched(&mut self, stream: u64, response: WatchResponse, out: &mut Vec<Ask>) {
        let gone = response.events.iter().any(|event| event.r#type == EventType::Delete as i32);
        if gone {
            self.key_ended(stream, Ok(()), out);
        } else if response.canceled {
            self.key_ended(stream, Err(reason(&response)), out);
        }
    }

    /// A stream of theirs was ended by the member.
    pub(crate) fn watch_ended(&mut self, stream: u64, error: Error, out: &mut Vec<Ask>) {
        self.key_ended(stream, Err(error), out);
    }

    /// The client of a call is gone; nothing of it is answered any more. Where it stood in a queue it is
    /// taken out. (etcd asks for that without the client's token, which with auth leaves it standing.)
    pub(crate) fn abandon(&mut self, operation: u64, out: &mut Vec<Ask>) {
        let Some(running) = self.calls.remove(&operation) else { return };
        let (number, is_stream) = running.awaits;
        self.waits.remove(&number);
        if is_stream {
            out.push(Ask::CloseWatch { stream: number });
        }
        if let Some(request) = running.call.abandoned() {
            self.probes.reached(Probe::WaiterGone);
            out.push(Ask::Request { inner: self.fresh(), request, token: running.token });
        }
    }

    /// The member stops: the clients' numbers of the calls that were under way.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        self.waits.clear();
        std::mem::take(&mut self.calls).into_keys().collect()
    }

    fn key_ended(&mut self, stream: u64, ended: Result<(), Error>, out: &mut Vec<Ask>) {
        let Some((operation, mut running)) = self.stop_waiting(stream) else { return };
        out.push(Ask::CloseWatch { stream });
        let turn = running.call.ended(ended);
        self.take(operation, running, turn, out);
    }

    /// The call that waits for this number, if it still does.
    fn stop_waiting(&mut self, number: u64) -> Option<(u64, Running)> {
        let operation = self.waits.remove(&number)?;
        let running = self.calls.remove(&operation);
        Some((operation, running.expect("a number that is waited for has its call")))
    }

    /// Does what a call wants next.
    fn take(&mut self, operation: u64, mut running: Running, turn: Turn, out: &mut Vec<Ask>) {
        let number = self.fresh();
        let token = running.token.clone();
        running.awaits = (number, matches!(turn, Turn::AwaitEnd { .. }));
        match turn {
            Turn::End(result) => return out.push(Ask::Reply { operation, result }),
            Turn::Ask(request) => out.push(Ask::Request { inner: number, request, token }),
            Turn::AwaitEnd { key, since } => {
                let create =
                    WatchCreateRequest { key, start_revision: since, ..WatchCreateRequest::default() };
                let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
                out.push(Ask::Watch { stream: number, request, token });
            }
        }
        self.waits.insert(number, operation);
        let before = self.calls.insert(operation, running);
        assert!(
            before.is_none(),
            "operation {operation} is under way twice: are clients' numbers not unique?"
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

/// An answer of another kind than that of its request.
fn mismatch(what: &str, response: &Response) -> ! {
    panic!("{what} was answered by {}: were the answers mixed up?", response.rpc_name())
}

#[cfg(test)]
mod tests;
