//! M1: locks and elections exclude each other by their fencing tokens.
//!
//! A lock or election is a queue: all keys under one prefix, one for each candidate. The key with the lowest create
//! revision is first; its owner holds the lock or leads. The create revision of a candidate's key is its fencing
//! token. The oracle compares with the store:
//!
//! * what the Lock and Election services answer: the candidate that they say holds the lock, or leads, is first in the
//!   queue;
//! * writes that are guarded by a token, that is, transactions that compare the create revision of a key in a queue:
//!   they succeed only if that key is first.
//!
//! It knows the queues of the services, and those of clients that follow the same recipe: a range over a prefix for its
//! oldest key, or for the youngest key older than their own.
//!
//! Without tokens nothing is excluded, because a lease can end while its holder is slow. The oracle counts how often
//! two clients held a lock at once by the clock; this is a demonstration and no violation.
//!
//! The oracle needs the store over the history, as K1 knows it. Without evidence, what the services wrote is not
//! known; then their answers are compared with each other (`answers`).
//!
//! Not checked: writes without a guard; that a queue moves on (V1, L2); fairness beyond the order of the queue;
//! without evidence, what `answers` leaves out, and guarded writes at revisions that only the services can have made.

mod answers;
mod removals;

use std::collections::{BTreeMap, BTreeSet};

use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{RangeRequest, RequestOp, TxnRequest};
use api::key_range::prefix_end;
use api::mvccpb::KeyValue;
use api::v3electionpb::LeaderKey;
use api::{Error, Part, Request, Response};
use bytes::Bytes;
use record::{Applied, History, Nanos, Operation, Outcome};

use crate::k1::place::{Place, place};
use crate::k1::{Known, is_service as calls_service};
use crate::model::FIRST_REVISION;
use crate::{Context, Missing, Oracle, Sheet, Violation, answer, describe};
pub(crate) use removals::lease_of;

/// What the oracle checked, and how often.
#[derive(Default)]
struct Counts {
    /// Answers of the services that were compared with the store.
    answers: usize,
    /// Writes guarded by a token.
    guarded: usize,
    /// How often a lock was held, each time from the answer that gave it to the call that released it.
    holds: usize,
    /// How many of these times began while another client held the same lock, by the clock.
    overlapping: usize,
    /// Answers of the services that could not be compared, because the store is not known at their revision.
    open: usize,
    /// Guarded writes that could not be checked, because the store is not known at their revision.
    open_guards: usize,
}

/// Judges a record by M1.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let Some(known) = context.known() else { return };
    let history = context.history();
    let evidence = !context.applied().is_empty();
    let mut counts = Counts::default();
    let queues = queues(history);
    if !queues.is_empty() {
        let judge = Queues { applied: context.applied(), known, queues };
        check(history, &judge, evidence, &mut counts, sheet);
        (counts.holds, counts.overlapping) = overlaps_by_clock(history);
    }
    if !evidence {
        by_answers(context, &mut counts, sheet);
    }
    sheet.checked(Oracle::M1, "answers of the lock and election services", counts.answers);
    sheet.checked(Oracle::M1, "writes guarded by a token", counts.guarded);
    sheet.checked(Oracle::M1, "times that a lock was held, by the clock", counts.holds);
    sheet.checked(Oracle::M1, "of these while another held it (shown, not judged)", counts.overlapping);
    let missing = if evidence { Missing::Store } else { Missing::AppliedEntries };
    sheet.not_judged(Oracle::M1, "answers of the lock and election services", counts.open, missing);
    sheet.not_judged(Oracle::M1, "writes guarded by a token", counts.open_guards, missing);
}

/// Compares the answers of the services with each other.
fn by_answers(context: &Context<'_>, counts: &mut Counts, sheet: &mut Sheet) {
    let expectations = context.expectations;
    if !context.is_closed() {
        let answered =
            |operation: &&Operation| is_service(&operation.request) && operation.response().is_some();
        let open = context.history().operations.iter().filter(answered).count();
        let what = "answers of the lock and election services";
        return sheet.not_judged(Oracle::M1, what, open, Missing::OtherClients);
    }
    let from_start = expectations.start_revision == FIRST_REVISION;
    let found = answers::check(context.history(), expectations.clock_rates.1, from_start, sheet);
    counts.answers = found.judged;
    let what = "answers to Unlock and Resign, after which the key is gone";
    sheet.not_judged(Oracle::M1, what, found.releases, Missing::AppliedEntries);
}

/// Whether the request is a call of the lock or election service. (`calls_service`, which K1 uses, leaves out
/// `Leader`, because that writes nothing.)
pub(crate) fn is_service(request: &Request) -> bool {
    calls_service(request) || matches!(request, Request::Leader(_))
}

/// Compares guarded writes with the store and, if there is evidence, the answers of the services too.
fn check(history: &History, judge: &Queues<'_>, evidence: bool, counts: &mut Counts, sheet: &mut Sheet) {
    for (number, operation) in history.operations.iter().enumerate() {
        let wrong = if let Request::Txn(txn) = &operation.request {
            let Some((key, token)) = judge.guard(operation, txn) else { continue };
            let revision = answer::revision(operation.response().and_then(|response| response.header()));
            if !judge.is_known(revision - 1) {
                counts.open_guards += 1;
                continue;
            }
            counts.guarded += 1;
            judge.guarded(operation, key, token)
        } else if !evidence || !is_service(&operation.request) {
            continue;
        } else {
            let Some(wrong) = judge.service(operation) else {
                counts.open += usize::from(operation.response().is_some());
                continue;
            };
            counts.answers += 1;
            wrong
        };
        if let Some((title, reason)) = wrong {
            let time = operation.returned().unwrap_or(operation.call);
            let violation = Violation::new(Oracle::M1, time, title)
                .say(format!("The operation: {}.", describe::operation(operation)))
                .say(reason)
                .shown_by([number]);
            sheet.add(violation);
        }
    }
}

/// A prefix: first key and end, as in a range request.
type Queue = (Bytes, Bytes);

/// The title of a violation, and its reason; `None` if nothing is wrong.
type Wrong = Option<(&'static str, String)>;

/// The queue of a lock or election with this name.
fn queue_of(name: &[u8]) -> Queue {
    let prefix = Bytes::from([name, b"/"].concat());
    let end = prefix_end(&prefix);
    (prefix, end)
}

/// The queues that the requests of a history name: those of the services, and those that clients keep themselves.
fn queues(history: &History) -> BTreeSet<Queue> {
    let mut queues = BTreeSet::new();
    for operation in &history.operations {
        let leader = |leader: &Option<LeaderKey>| leader.as_ref().map(|leader| queue_of(&leader.name));
        match &operation.request {
            Request::Lock(request) => drop(queues.insert(queue_of(&request.name))),
            Request::Campaign(request) => drop(queues.insert(queue_of(&request.name))),
            Request::Leader(request) => drop(queues.insert(queue_of(&request.name))),
            Request::Proclaim(request) => queues.extend(leader(&request.leader)),
            Request::Resign(request) => queues.extend(leader(&request.leader)),
            request => queues.extend(request.parts().filter_map(|part| match part {
                Part::Range(range) => asked_for(range),
                _ => None,
            })),
        }
    }
    queues
}

/// The queue that a range reads, if the range follows the recipe: it asks for the oldest key, or for the youngest key
/// older than the client's own.
fn asked_for(range: &RangeRequest) -> Option<Queue> {
    let oldest = range.sort_order == SortOrder::Ascend as i32;
    let before = range.sort_order == SortOrder::Descend as i32 && range.max_create_revision > 0;
    let asks = range.limit == 1
        && range.sort_target == SortTarget::Create as i32
        && (oldest || before)
        && !range.range_end.is_empty();
    asks.then(|| (range.key.clone(), range.range_end.clone()))
}

/// Whether a key is in the queue's prefix.
fn holds_key(queue: &Queue, key: &[u8]) -> bool {
    let (from, end) = queue;
    key >= &from[..] && (&end[..] == b"\0" || key < &end[..])
}

/// The queues of a history, and the store that shows who was first in them.
struct Queues<'a> {
    /// The entries that the cluster applied.
    applied: &'a [Applied],
    /// The store, as far as it is known.
    known: &'a Known,
    /// The queues of all locks and elections.
    queues: BTreeSet<Queue>,
}

impl Queues<'_> {
    /// The pair that is first in the queue at a revision.
    fn first(&self, queue: &Queue, at: i64) -> Option<KeyValue> {
        self.known.model.scan(&queue.0, &queue.1, at).min_by_key(|kv| kv.create_revision)
    }

    /// Whether the store is known at a revision.
    fn is_known(&self, at: i64) -> bool {
        (1..=self.known.until).contains(&at)
    }

    /// The newest revision at the call and at the return, by the evidence.
    fn window(&self, operation: &Operation, at: Nanos) -> Option<(i64, i64)> {
        let revision = |entries: usize| Some(self.applied[entries.checked_sub(1)?].revision as i64);
        let until = revision(self.applied.partition_point(|entry| entry.time <= at))?;
        let from = revision(self.applied.partition_point(|entry| entry.time < operation.call)).unwrap_or(1);
        self.is_known(until).then_some((from, until))
    }

    /// The guard of a successful transaction that wrote something outside the queue: key and token.
    fn guard<'t>(&self, operation: &Operation, txn: &'t TxnRequest) -> Option<(&'t Bytes, i64)> {
        let Response::Txn(response) = operation.response()? else { return None };
        if !response.succeeded {
            return None;
        }
        txn.compare.iter().find_map(|compare| {
            let Some(TargetUnion::CreateRevision(token)) = compare.target_union else { return None };
            let guards = compare.target == CompareTarget::Create as i32
                && compare.result == CompareResult::Equal as i32
                && compare.range_end.is_empty()
                && token > 0;
            let queue = self.queues.iter().find(|queue| holds_key(queue, &compare.key))?;
            let writes = |op: &RequestOp| match &op.request {
                Some(Op::RequestPut(put)) => !holds_key(queue, &put.key),
                Some(Op::RequestDeleteRange(delete)) => !holds_key(queue, &delete.key),
                _ => false,
            };
            (guards && txn.success.iter().any(writes)).then_some((&compare.key, token))
        })
    }

    /// Checks that the key that guards a write was first in its queue when the write was executed.
    fn guarded(&self, operation: &Operation, key: &Bytes, token: i64) -> Wrong {
        let revision = answer::revision(operation.response().and_then(|response| response.header()));
        let made = matches!(place(operation), Place::At(position) if position.makes_revision());
        let before = revision - i64::from(made);
        let mut its_queues = self.queues.iter().filter(|queue| holds_key(queue, key));
        let first = its_queues.find_map(|queue| self.first(queue, before));
        if first.as_ref().is_some_and(|first| (&first.key, first.create_revision) == (key, token)) {
            return None;
        }
        let reason = format!("At revision {before} {}", self.describe_first(first.as_ref()));
        Some(("a write was guarded by a token that was not first in its queue", reason))
    }

    /// A clause that says which key was first in a queue.
    fn describe_first(&self, first: Option<&KeyValue>) -> String {
        match first {
            Some(first) => format!("the first in the queue was {}.", describe::key_value(first)),
            None => "the queue was empty.".to_string(),
        }
    }

    /// Compares an answer or error of the services with the store; the outer `None` if it claims nothing, or the store
    /// of that revision is not known.
    fn service(&self, operation: &Operation) -> Option<Wrong> {
        let response = match &operation.outcome {
            Outcome::Answer { response, .. } => response,
            Outcome::Error { at, error } => return self.refused(operation, *at, *error),
            Outcome::Unknown { .. } => return None,
        };
        let at = answer::revision(response.header());
        if !self.is_known(at) {
            return None;
        }
        let get = |key: &[u8]| self.known.model.get(key, at);
        let wrong = match (&operation.request, response) {
            (Request::Lock(request), Response::Lock(response)) => {
                let first = self.first(&queue_of(&request.name), at);
                let right = first.as_ref().is_some_and(|first| first.key == response.key);
                (!right).then(|| {
                    let key = describe::key(&response.key);
                    let reason = format!(
                        "The answer says that {key} holds the lock; at revision {at} {}",
                        self.describe_first(first.as_ref())
                    );
                    ("a lock was given to one who was not first in its queue", reason)
                })
            }
            (Request::Unlock(request), Response::Unlock(_)) => {
                let still = get(&request.key);
                still.map(|kv| ("a lock was released and is still there", describe::key_value(&kv)))
            }
            (Request::Campaign(request), Response::Campaign(response)) => {
                let leader = response.leader.clone().unwrap_or_default();
                return Some(self.campaign(operation, &queue_of(&request.name), &leader, at));
            }
            (Request::Leader(request), Response::Leader(response)) => {
                let first = self.first(&queue_of(&request.name), at);
                (first != response.kv).then(|| {
                    let named = response.kv.as_ref().map_or("nobody".to_string(), describe::key_value);
                    let reason = format!(
                        "The answer names {named}; at revision {at} {}",
                        self.describe_first(first.as_ref())
                    );
                    ("an answer names another leader than the first in the queue", reason)
                })
            }
            (Request::Proclaim(request), Response::Proclaim(_)) => {
                let leader = request.leader.clone().unwrap_or_default();
                let kv = get(&leader.key);
                let right = kv.as_ref().is_some_and(|kv| {
                    kv.create_revision == leader.rev && kv.mod_revision == at && kv.value == request.value
                });
                (!right).then(|| {
                    let there = kv.as_ref().map_or("nothing".to_string(), describe::key_value);
                    (
                        "a leader's proclamation was acknowledged and not written",
                        format!("At revision {at} its key is {there}."),
                    )
                })
            }
            (Request::Resign(request), Response::Resign(_)) => {
                let leader = request.leader.clone().unwrap_or_default();
                let still = get(&leader.key).filter(|kv| kv.create_revision == leader.rev);
                still.map(|kv| ("a leader resigned and its key is still there", describe::key_value(&kv)))
            }
            _ => return None,
        };
        Some(wrong)
    }

    /// Checks the answer to a campaign. The revision in its header may be the one at which the candidate entered the
    /// queue. The candidate must have been first at that revision, or at a later one up to the answer.
    fn campaign(&self, operation: &Operation, queue: &Queue, leader: &LeaderKey, entered: i64) -> Wrong {
        let returned = operation.returned().unwrap_or(operation.call);
        let until = self.window(operation, returned).map_or(self.known.until, |(_, until)| until);
        let changes = self.known.model.changes();
        let of_queue = changes.filter(|(kv, _)| holds_key(queue, &kv.key)).map(|(kv, _)| kv.mod_revision);
        let mut moments = of_queue.filter(|revision| *revision > entered && *revision <= until);
        let leads = |at: i64| {
            self.first(queue, at).is_some_and(|first| {
                (&first.key, first.create_revision, first.lease) == (&leader.key, leader.rev, leader.lease)
            })
        };
        if leads(entered) || moments.any(leads) {
            return None;
        }
        // etcd's campaign does not check that its own key still exists when the keys before it are gone
        // (`concurrency/election.go`). So a candidate whose lease ended while it waited is told that it leads. That is
        // no violation, because its token no longer guards anything.
        let exists = |at: i64| {
            self.known.model.get(&leader.key, at).is_some_and(|kv| kv.create_revision == leader.rev)
        };
        if exists(leader.rev) && !exists(until) {
            return None;
        }
        let reason = format!(
            "Its key is {} of revision {}, which was first in the queue at no revision from {entered} to {until}.",
            describe::key(&leader.key),
            leader.rev
        );
        Some(("an election was won by one who was not first in its queue", reason))
    }

    /// Checks an error of the services that says that there is no leader, or that the caller does not lead.
    fn refused(&self, operation: &Operation, at: Nanos, error: Error) -> Option<Wrong> {
        let (from, until) = self.window(operation, at)?;
        let somewhen = |holds: &dyn Fn(i64) -> bool| (from..=until).any(holds);
        let wrong = match (&operation.request, error) {
            (Request::Leader(request), Error::ElectionNoLeader) => {
                let queue = queue_of(&request.name);
                let reason = format!("From revision {from} to {until} there was one all along.");
                (!somewhen(&|at| self.first(&queue, at).is_none()))
                    .then_some(("no leader is named where there was a leader", reason))
            }
            (Request::Proclaim(request), Error::ElectionNotLeader) => {
                let leader = request.leader.clone().unwrap_or_default();
                let gone = |at: i64| {
                    self.known.model.get(&leader.key, at).is_none_or(|kv| kv.create_revision != leader.rev)
                };
                let reason = format!("From revision {from} to {until} its key was there all along.");
                (!somewhen(&gone)).then_some(("a leader was refused as if it did not lead", reason))
            }
            _ => return None,
        };
        Some(wrong)
    }
}

/// Counts how often locks were held, each time from the answer that gave it to the call that released it, and how many
/// of these times began while another client held the same lock.
fn overlaps_by_clock(history: &History) -> (usize, usize) {
    // By the key in the queue: the calls that released the lock.
    let mut back: BTreeMap<&Bytes, Vec<Nanos>> = BTreeMap::new();
    for operation in &history.operations {
        if let Request::Unlock(request) = &operation.request {
            back.entry(&request.key).or_default().push(operation.call);
        }
    }
    let mut held: BTreeMap<&Bytes, Vec<(Nanos, Nanos)>> = BTreeMap::new();
    for operation in &history.operations {
        if let (Request::Lock(request), Outcome::Answer { at, response: Response::Lock(response) }) =
            (&operation.request, &operation.outcome)
            && let Some(until) =
                back.get(&response.key).and_then(|calls| calls.iter().find(|call| *call >= at))
        {
            held.entry(&request.name).or_default().push((*at, *until));
        }
    }
    let mut overlapping = 0;
    for spans in held.values_mut() {
        spans.sort_unstable();
        let mut last = 0;
        for (from, until) in &*spans {
            overlapping += usize::from(*from < last);
            last = last.max(*until);
        }
    }
    (held.values().map(Vec::len).sum(), overlapping)
}
