//! etcd's lock and election services (`api/v3lock`, `api/v3election`). The server executes a client's *call*,
//! such as `Lock`, as a sequence of requests and watches that the client could also make itself
//! (`client/v3/concurrency`).
//!
//! Each call is a small state machine that waits for one response or one watched deletion at a time. What it
//! wants done is a [`Want`]: a request, or a watcher on a stream, under a number that the services choose.
//! The member handles it like a client's request and passes the result to [`Services::answered`] or
//! [`Services::watched`].
//!
//! | file | what it contains |
//! |---|---|
//! | `mod` | tracks which call waits for which number |
//! | `lock`, `election` | the state machines of the calls |
//! | `queue` | the requests they make: keys in a queue, in the order in which they were created |
//!
//! A call without a lease gets one of 60 seconds, which is not kept alive, as in etcd (`Session.Orphan`). So
//! after 60 seconds of waiting its key is deleted, and the call has lost its position in the queue.
//!
//! Not here: `Observe`, which is a stream. There are no timeouts here, because the requests of a call have
//! their own, and no retries, as in etcd.
//!
//! Invariant: between two uses of [`Services`], each call in `calls` has exactly one number in `waiting_for`.

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

use crate::auth::Credential;
use crate::config::Config;
use crate::flaw::{Flaw, Flaws};
use crate::keeps::{Count, count};
use crate::probes::Probes;
use crate::want::{Want, Wants};

use election::{Campaign, Leader, Resume};
use lock::{Lock, Unlock};

/// The bit of operation and stream numbers that the services chose.
const OWN: u64 = 1 << 63;

/// What a call does next.
#[derive(Debug)]
enum NextStep {
    /// Makes a request.
    Send(Request),
    /// Waits for the deletion of `key`, which existed at revision `since`.
    AwaitDeletion { key: Bytes, since: i64 },
    /// Ends the call with this result.
    Finish(Result<Response, Error>),
}

/// The state machine of a call.
trait Call: std::fmt::Debug + Send {
    /// The request that it waited for was answered.
    fn answered(&mut self, result: Result<Response, Error>, probes: &Probes) -> NextStep;

    /// The key whose deletion it waited for was deleted. An error means that the watcher ended instead.
    fn ended(&mut self, ended: Result<(), Error>) -> NextStep {
        unreachable!("{self:?} does not wait for a key, but one ended: {ended:?}")
    }

    /// The client is gone. Returns a request that removes the client's key from the queue, if it may be
    /// there.
    fn abandoned(&self) -> Option<Request> {
        None
    }
}

/// A call in progress.
#[derive(Debug)]
struct CallInProgress {
    state: Box<dyn Call>,
    /// The client's credential, which all requests of the call carry.
    credential: Option<Credential>,
    /// The operation or stream number that the call waits for, and whether it is a stream.
    awaits: (u64, bool),
}

/// All calls in progress.
#[derive(Debug)]
pub(crate) struct Services {
    /// The calls, by the operation number of the client's request.
    calls: BTreeMap<u64, CallInProgress>,
    /// For each number that a call waits for, the operation number of that call.
    waiting_for: BTreeMap<u64, u64>,
    /// The last operation or stream number that the services chose, with the bit [`OWN`].
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

    /// A client makes a call.
    ///
    /// # Panics
    /// If the request is not a call of these services.
    pub(crate) fn begin(
        &mut self,
        operation: u64,
        request: Request,
        credential: Option<Credential>,
        wants: &mut Wants,
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
        self.proceed(operation, CallInProgress { state: call, credential, awaits: (0, false) }, next, wants);
    }

    /// One of the services' requests was answered.
    pub(crate) fn answered(&mut self, inner: u64, result: Result<Response, Error>, wants: &mut Wants) {
        let Some((operation, mut call)) = self.stop_waiting(inner) else { return };
        let next = call.state.answered(result, &self.probes);
        self.proceed(operation, call, next, wants);
    }

    /// A response arrived on one of the services' streams.
    pub(crate) fn watched(&mut self, stream: u64, response: WatchResponse, wants: &mut Wants) {
        let deleted = response.events.iter().any(|event| event.r#type == EventType::Delete as i32);
        if deleted {
            self.key_ended(stream, Ok(()), wants);
        } else if response.canceled {
            self.key_ended(stream, Err(reason(&response)), wants);
        }
    }

    /// The member ended one of the services' streams.
    pub(crate) fn watch_ended(&mut self, stream: u64, error: Error, wants: &mut Wants) {
        self.key_ended(stream, Err(error), wants);
    }

    /// The client of a call is gone: ends the call without a response, and removes its key from the queue.
    /// That request carries the client's token. In etcd it does not, so there the key stays if authentication
    /// is enabled.
    pub(crate) fn abandon(&mut self, operation: u64, wants: &mut Wants) {
        let Some(call) = self.calls.remove(&operation) else { return };
        let (number, is_stream) = call.awaits;
        self.waiting_for.remove(&number);
        if is_stream {
            wants.push(Want::CloseWatch(number));
        }
        if let Some(request) = call.state.abandoned() {
            self.probes.reached(Probe::WaiterGone);
            wants.push(Want::Request { operation: self.fresh(), request, credential: call.credential });
        }
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 2] {
        [count("service-calls", self.calls.len()), count("service-waits", self.waiting_for.len())]
    }

    /// Ends all calls and returns their operation numbers.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        self.waiting_for.clear();
        std::mem::take(&mut self.calls).into_keys().collect()
    }

    /// The key that a call waits for was deleted, or the watcher for it ended.
    fn key_ended(&mut self, stream: u64, ended: Result<(), Error>, wants: &mut Wants) {
        let Some((operation, mut call)) = self.stop_waiting(stream) else { return };
        if !self.flaws.has(Flaw::LockWatchStays) {
            wants.push(Want::CloseWatch(stream)); // all but flaw Z5
        }
        let next = call.state.ended(ended);
        self.proceed(operation, call, next, wants);
    }

    /// Removes and returns the call that waits for this number, with its operation number.
    fn stop_waiting(&mut self, number: u64) -> Option<(u64, CallInProgress)> {
        let operation = self.waiting_for.remove(&number)?;
        let call = self.calls.remove(&operation);
        Some((operation, call.expect("a number that is waited for has a call")))
    }

    /// Carries out the next step of a call and puts the call back into the tables, unless it has finished.
    fn proceed(&mut self, operation: u64, mut call: CallInProgress, next: NextStep, wants: &mut Wants) {
        let number = self.fresh();
        let credential = call.credential.clone();
        call.awaits = (number, matches!(next, NextStep::AwaitDeletion { .. }));
        match next {
            NextStep::Finish(result) => return wants.push(Want::Answer(operation, result)),
            NextStep::Send(request) => wants.push(Want::Request { operation: number, request, credential }),
            NextStep::AwaitDeletion { key, since } => {
                let create =
                    WatchCreateRequest { key, start_revision: since, ..WatchCreateRequest::default() };
                let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
                wants.push(Want::Watch { stream: number, request, credential });
            }
        }
        self.waiting_for.insert(number, operation);
        let before = self.calls.insert(operation, call);
        assert!(
            before.is_none(),
            "operation {operation} is in progress twice: are clients' operation numbers not unique?"
        );
    }

    /// A new operation or stream number.
    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// The reason for which a watcher was cancelled.
fn reason(response: &WatchResponse) -> Error {
    if response.compact_revision != 0 {
        return Error::Compacted;
    }
    let text =
        response.cancel_reason.rsplit_once(" desc = ").map_or(&response.cancel_reason[..], |(_, text)| text);
    Error::from_text(text).unwrap_or(Error::WatchCanceled)
}

/// Panics because a request got the response of another kind of request.
fn mismatch(what: &str, response: &Response) -> ! {
    panic!("{what} was answered by {}: were the answers mixed up?", response.rpc_name())
}

#[cfg(test)]
mod tests;
