//! The clients: closed loops over the operations of the plan.
//!
//! A client has one operation under way. It waits for an answer by its own clock, turns to another
//! endpoint as its plan says, and never repeats a write by itself: what it does not know (a time-out,
//! a broken connection) is recorded as unknown and stays open to the end of the history.

use std::collections::BTreeMap;

use api::etcdserverpb::compare::{CompareTarget, TargetUnion};
use api::etcdserverpb::request_op;
use api::etcdserverpb::response_op;
use api::{Request, Response};
use bytes::Bytes;
use plan::Failover;
use record::Nanos;

use crate::clock::Clock;

/// One client.
pub(crate) struct Client {
    pub(crate) plan: plan::Client,
    pub(crate) clock: Clock,
    /// Next operation of the plan.
    pub(crate) next: usize,
    /// The operation under way: its number in the history, and the member it went to.
    pub(crate) current: Option<(u64, u32)>,
    /// Place in the list of endpoints.
    endpoint: usize,
    /// The newest revision it has seen.
    newest: i64,
    /// The last modification revision it has seen of each key.
    seen: BTreeMap<Bytes, i64>,
    /// No call before this, so that a return and the next call never share a time.
    pub(crate) not_before: Nanos,
}

impl Client {
    pub(crate) fn new(plan: plan::Client) -> Client {
        let clock = Clock::new(plan.clock_rate);
        Client {
            plan,
            clock,
            next: 0,
            current: None,
            endpoint: 0,
            newest: 1,
            seen: BTreeMap::new(),
            not_before: 0,
        }
    }

    /// The member it asks next.
    pub(crate) fn member(&self) -> u32 {
        self.plan.endpoints[self.endpoint % self.plan.endpoints.len()]
    }

    /// An operation ended; `well` if it was answered without an error.
    pub(crate) fn ended(&mut self, well: bool, now: Nanos) {
        self.current = None;
        self.not_before = now + 1_000;
        let moves = match self.plan.failover {
            Failover::Pinned => false,
            Failover::OnTrouble => !well,
            Failover::RoundRobin => true,
        };
        self.endpoint += usize::from(moves);
    }

    /// When a time-out that begins now is over, in true time; `None` while its clock stands still.
    pub(crate) fn timeout_at(&self, now: Nanos) -> Option<Nanos> {
        self.clock.true_time_of(self.clock.monotonic(now) + self.plan.timeout)
    }

    /// The request with the revisions filled in that only the run knows. See
    /// [`plan::PlannedOperation`].
    pub(crate) fn resolve(&self, mut request: Request) -> Request {
        match &mut request {
            Request::Range(range) => self.relative(&mut range.revision),
            Request::Compact(compact) => self.relative(&mut compact.revision),
            Request::Txn(txn) => self.resolve_txn(txn),
            _ => {}
        }
        request
    }

    fn relative(&self, revision: &mut i64) {
        if *revision < 0 {
            *revision = (self.newest + *revision).max(1);
        }
    }

    fn resolve_txn(&self, txn: &mut api::etcdserverpb::TxnRequest) {
        for compare in &mut txn.compare {
            let seen = self.seen.get(&compare.key).copied().unwrap_or(0);
            if compare.target == CompareTarget::Mod as i32
                && let Some(TargetUnion::ModRevision(revision)) = &mut compare.target_union
                && *revision < 0
            {
                *revision = seen;
            }
        }
        for op in txn.success.iter_mut().chain(&mut txn.failure) {
            match &mut op.request {
                Some(request_op::Request::RequestRange(range)) => self.relative(&mut range.revision),
                Some(request_op::Request::RequestTxn(nested)) => self.resolve_txn(nested),
                _ => {}
            }
        }
    }

    /// Remembers the revisions an answer shows.
    pub(crate) fn learn(&mut self, request: &Request, response: &Response) {
        let revision = response.header().map_or(0, |header| header.revision);
        self.newest = self.newest.max(revision);
        match (request, response) {
            (Request::Put(put), Response::Put(_)) => {
                self.seen.insert(put.key.clone(), revision);
            }
            (_, Response::Range(range)) => self.learn_range(range),
            (_, Response::Txn(txn)) => {
                for op in &txn.responses {
                    if let Some(response_op::Response::ResponseRange(range)) = &op.response {
                        self.learn_range(range);
                    }
                }
            }
            _ => {}
        }
    }

    fn learn_range(&mut self, range: &api::etcdserverpb::RangeResponse) {
        for kv in &range.kvs {
            self.seen.insert(kv.key.clone(), kv.mod_revision);
        }
    }
}
