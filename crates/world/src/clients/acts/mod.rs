//! Acts, request by request: each is a small state machine that decides the next request from the last
//! outcome. Everything is a function of the plan and of the answers.
//!
//! Invariant: a write with an unknown outcome is never repeated; only what failed for certain is tried again.
//! No value is written by two requests.

mod add;
mod append;
mod compactor;
mod election;
mod list;
mod lock;
mod renew;
mod write;

use std::collections::BTreeMap;

use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::{
    Compare, DeleteRangeRequest, LeaseGrantRequest, LeaseRevokeRequest, PutRequest, RangeRequest,
    RangeResponse, RequestOp, TxnRequest, TxnResponse, request_op, response_op,
};
use api::{Error, Request, Response};
use bytes::Bytes;
use plan::Act;
use plan::act::{Follow, Watch};
use record::{Nanos, Probe, Stats};

use crate::clients::memory::Memory;

pub(crate) use list::List;

/// The input of an act.
pub(crate) enum ActInput<'a> {
    /// It begins.
    Begin,
    /// The answer to its request.
    Answer(&'a Response),
    /// An error. It does not say whether a write took effect.
    Error(Error),
    /// No answer.
    Unknown,
    /// The rest is over.
    WaitOver,
}

/// What an act does next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Sends this request; placeholder numbers are replaced by what the memory holds.
    Ask(Request),
    /// Sends this request unchanged.
    AskThis(Request),
    /// Waits, by the client's clock.
    Wait(Nanos),
    /// Does something with a watch, and ends.
    Stream(Command),
    /// Records what a copy holds, and ends.
    View(plan::act::Keys),
    /// Ends.
    Done,
}

/// What an act does with watches.
#[derive(Debug)]
pub(crate) enum Command {
    Watch(Watch),
    /// Watches what was listed, from this revision on.
    Follow(Follow, i64),
    Cancel(u32),
    Progress(u32),
    Close(u32),
}

/// A list of values outside etcd, for the lock workloads.
#[derive(Default)]
pub(crate) struct ExternalList {
    /// What it holds now.
    pub(crate) values: Vec<Bytes>,
    /// What was added for certain, as far as the clients that added it know.
    pub(crate) added: Vec<Bytes>,
}

/// What acts work with.
pub(crate) struct Context<'a> {
    pub(crate) memory: &'a mut Memory,
    pub(crate) outside: &'a mut BTreeMap<Bytes, ExternalList>,
    pub(crate) stats: &'a mut Stats,
}

impl Context<'_> {
    /// Counts something the program did.
    fn count(&mut self, what: &str) {
        self.stats.did(what);
    }

    /// Counts something the program did and that is a probe, too.
    fn reached(&mut self, probe: Probe) {
        self.stats.reached(probe);
    }
}

/// An act under way.
pub(crate) trait RunningAct {
    /// What comes next.
    fn next(&mut self, input: ActInput<'_>, context: &mut Context<'_>) -> Step;
}

/// The state machine of an act.
pub(crate) fn start(act: Act) -> Box<dyn RunningAct> {
    match act {
        Act::Request(request) => Box::new(SingleStep(Some(Step::Ask(request)))),
        Act::Literal(request) => Box::new(SingleStep(Some(Step::AskThis(request)))),
        Act::Rest(time) => Box::new(SingleStep(Some(Step::Wait(time)))),
        Act::Watch(watch) => Box::new(SingleStep(Some(Step::Stream(Command::Watch(watch))))),
        Act::Cancel { watcher } => Box::new(SingleStep(Some(Step::Stream(Command::Cancel(watcher))))),
        Act::Progress { stream } => Box::new(SingleStep(Some(Step::Stream(Command::Progress(stream))))),
        Act::Close { stream } => Box::new(SingleStep(Some(Step::Stream(Command::Close(stream))))),
        Act::View { keys } => Box::new(SingleStep(Some(Step::View(keys)))),
        Act::Follow(follow) => Box::new(List::follow(follow)),
        Act::List { keys, page } => Box::new(List::new(keys, page)),
        Act::Write(write) => Box::new(write::RunningWrite::new(write)),
        Act::Add(add) => Box::new(add::RunningAdd::new(add)),
        Act::Append(micros) => Box::new(append::RunningAppend::new(micros)),
        Act::Lock(session) => Box::new(lock::RunningLock::new(session)),
        Act::Unlock { name } => Box::new(lock::RunningRelease::lock(name)),
        Act::Campaign(session, value) => Box::new(election::RunningCampaign::new(session, value)),
        Act::Proclaim { name, value } => Box::new(election::RunningProclaim::new(name, value)),
        Act::Resign { name } => Box::new(lock::RunningRelease::leadership(name)),
        Act::Fenced { name, key, value } => Box::new(election::RunningFencedWrite::new(name, key, value)),
        Act::Renew => Box::new(renew::RunningRenewal::default()),
        Act::Compactor { key } => Box::new(compactor::RunningCompactor::new(key)),
    }
}

/// One step, and no more.
struct SingleStep(Option<Step>);

impl RunningAct for SingleStep {
    fn next(&mut self, _: ActInput<'_>, _: &mut Context<'_>) -> Step {
        self.0.take().unwrap_or(Step::Done)
    }
}

// ---- requests --------------------------------------------------------------------------------------

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

/// The key has this modification revision; 0 means that it does not exist.
fn unchanged(key: &Bytes, revision: i64) -> Compare {
    compare(key, CompareTarget::Mod, TargetUnion::ModRevision(revision))
}

/// The key has this create revision.
fn created(key: &Bytes, revision: i64) -> Compare {
    compare(key, CompareTarget::Create, TargetUnion::CreateRevision(revision))
}

fn txn(compare: Compare, success: RequestOp, failure: Vec<RequestOp>) -> Step {
    Step::Ask(TxnRequest { compare: vec![compare], success: vec![success], failure }.into())
}

// ---- answers ---------------------------------------------------------------------------------------

fn revision(response: &Response) -> i64 {
    response.header().map_or(0, |header| header.revision)
}

/// The ranges of a txn's answer, in order.
fn ranges(response: &TxnResponse) -> impl Iterator<Item = &RangeResponse> {
    response.responses.iter().filter_map(|op| match &op.response {
        Some(response_op::Response::ResponseRange(range)) => Some(range),
        _ => None,
    })
}

/// The list of values in a key, with one more.
fn longer(list: &[u8], value: &Bytes) -> Bytes {
    if list.is_empty() { value.clone() } else { [list, b",", value].concat().into() }
}
