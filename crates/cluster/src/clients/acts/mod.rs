//! Carries out the acts of a plan. An act is one step of a simulated client: usually one request, sometimes several
//! that depend on each other.
//!
//! Each act under way is a small state machine ([`RunningAct`]). It gets the outcome of its last request and returns
//! what it does next. It knows only the plan and the answers, never the state of the cluster.
//!
//! Invariant: an act never repeats a write of unknown outcome. It repeats only requests that certainly had no effect.
//! No value is written by two requests, so a judge can tell from a value which request wrote it.

mod add;
mod append;
mod compactor;
mod election;
mod list;
mod lock;
mod renew;
pub(crate) mod start;
mod write;

use std::collections::BTreeMap;

use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::{
    Compare, DeleteRangeRequest, LeaseGrantRequest, LeaseRevokeRequest, PutRequest, RangeRequest,
    RangeResponse, RequestOp, TxnRequest, TxnResponse, request_op, response_op,
};
use api::{Error, Request, Response};
use bytes::Bytes;
use plan::act::{Follow, Watch};
use record::{Nanos, Probe, Stats};

use crate::clients::memory::Memory;

/// The event that makes an act take its next step.
pub(crate) enum ActInput<'a> {
    /// The act begins.
    Begin,
    /// Its request was answered.
    Answer(&'a Response),
    /// Its request was answered with an error. A write may have taken effect all the same.
    Error(Error),
    /// Its request got no answer, so its outcome is unknown.
    Unknown,
    /// The time of [`Step::Wait`] has passed.
    WaitOver,
}

/// What an act does next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Sends this request. Its placeholders, such as "the last revision seen", are first replaced by what the client
    /// remembers (`Memory::resolve`).
    Ask(Request),
    /// Sends this request as it is, without looking for placeholders.
    AskThis(Request),
    /// Sends this request, as [`Step::Ask`] does, with this token instead of the client's.
    AskWith(Bytes, Request),
    /// Requests this range in chunks. If the flag is set, it is sent as it is; otherwise its placeholders are replaced
    /// first.
    AskStreamed(RangeRequest, bool),
    /// Waits for this time, by the client's clock.
    Wait(Nanos),
    /// Carries out a command about watches, and ends.
    Stream(Command),
    /// Records in the history what the client's copy of these keys contains, and ends.
    View(plan::act::Keys),
    /// Ends.
    Done,
}

/// A command about watches. A watcher is named by the number that the plan gives it, a watch stream by the number
/// that the client gives it.
#[derive(Debug)]
pub(crate) enum Command {
    /// Begins a watch.
    Watch(Watch),
    /// Watches keys that were listed, from this revision on, and keeps the client's copy of them up to date.
    Follow(Follow, i64),
    /// Cancels this watcher.
    Cancel(u32),
    /// Requests a progress notification on this stream.
    Progress(u32),
    /// Closes this stream.
    Close(u32),
}

/// A list of values that is not stored in etcd; clients use an etcd lock to take turns at changing it. If two clients
/// hold the lock at once, values get lost.
#[derive(Default)]
pub(crate) struct ExternalList {
    /// The list now.
    pub(crate) values: Vec<Bytes>,
    /// All values that were added, whether or not another client then overwrote the list without them.
    pub(crate) added: Vec<Bytes>,
}

/// What an act can read and change besides its own state.
pub(crate) struct Context<'a> {
    /// What the client has learned so far: revisions, leases, locks, copies.
    pub(crate) memory: &'a mut Memory,
    /// The lists outside etcd, by the key that names each in the plan.
    pub(crate) outside: &'a mut BTreeMap<Bytes, ExternalList>,
    pub(crate) stats: &'a mut Stats,
}

impl Context<'_> {
    /// Counts an action of the clients, for the statistics of the run.
    fn count(&mut self, what: &str) {
        self.stats.did(what);
    }

    /// Counts a probe: an interesting state that the tests must reach.
    fn reached(&mut self, probe: Probe) {
        self.stats.reached(probe);
    }
}

/// An act under way, as a state machine.
pub(crate) trait RunningAct {
    /// Takes what happened and returns what the act does next.
    fn next(&mut self, input: ActInput<'_>, context: &mut Context<'_>) -> Step;
}

// ---- requests --------------------------------------------------------------------------------------

// Shorthands for requests.

fn get(key: &Bytes) -> RangeRequest {
    RangeRequest { key: key.clone(), ..RangeRequest::default() }
}

fn put(key: &Bytes, value: Bytes) -> PutRequest {
    PutRequest { key: key.clone(), value, ..PutRequest::default() }
}

fn grant(lease: i64, ttl: i64) -> Step {
    Step::Ask(LeaseGrantRequest { ttl, id: lease }.into())
}

fn revoke(lease: i64) -> Step {
    Step::Ask(LeaseRevokeRequest { id: lease }.into())
}

fn op_put(put: PutRequest) -> RequestOp {
    RequestOp { request: Some(request_op::Request::RequestPut(put)) }
}

fn op_get(key: &Bytes) -> RequestOp {
    RequestOp { request: Some(request_op::Request::RequestRange(get(key))) }
}

fn op_delete(key: &Bytes) -> RequestOp {
    let delete = DeleteRangeRequest { key: key.clone(), ..DeleteRangeRequest::default() };
    RequestOp { request: Some(request_op::Request::RequestDeleteRange(delete)) }
}

fn compare(key: &Bytes, target: CompareTarget, with: TargetUnion) -> Compare {
    Compare {
        result: CompareResult::Equal as i32,
        target: target as i32,
        key: key.clone(),
        range_end: Bytes::new(),
        target_union: Some(with),
    }
}

/// Compares: the key has this modification revision; 0 means that the key does not exist.
fn unchanged(key: &Bytes, revision: i64) -> Compare {
    compare(key, CompareTarget::Mod, TargetUnion::ModRevision(revision))
}

/// Compares: the key has this create revision.
fn created(key: &Bytes, revision: i64) -> Compare {
    compare(key, CompareTarget::Create, TargetUnion::CreateRevision(revision))
}

/// A transaction: if `compare` holds, it does `success`, otherwise `failure`.
fn txn(compare: Compare, success: RequestOp, failure: Vec<RequestOp>) -> Step {
    Step::Ask(TxnRequest { compare: vec![compare], success: vec![success], failure }.into())
}

// ---- answers ---------------------------------------------------------------------------------------

/// The revision that an answer names; 0 if it names none.
fn revision(response: &Response) -> i64 {
    response.header().map_or(0, |header| header.revision)
}

/// The answers to the reads in a transaction, in order.
fn ranges(response: &TxnResponse) -> impl Iterator<Item = &RangeResponse> {
    response.responses.iter().filter_map(|op| match &op.response {
        Some(response_op::Response::ResponseRange(range)) => Some(range),
        _ => None,
    })
}

/// A list of values as stored in a key, separated by commas, with `value` added at its end.
fn longer(list: &[u8], value: &Bytes) -> Bytes {
    if list.is_empty() { value.clone() } else { [list, b",", value].concat().into() }
}
