//! K4: no acknowledged write is lost, and no operation takes effect twice.
//!
//! This oracle needs neither the model nor the order of operations. For each key, the acknowledged write with the
//! highest revision must still be there when all is quiet, or something newer. The quiet read, which shows that, is
//! the last linearizable range over all keys; the world ends every history with one.
//!
//! Not checked: writes that were overwritten before the end (K1 sees if a read missed them); puts with a lease; keys
//! that a lease, or a delete without an answer, may have removed; writes acknowledged after the quiet read was
//! called; without evidence, whether anything took effect twice.

use std::collections::BTreeMap;

use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::response_op::Response as OpResponse;
use api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest, TxnRequest, TxnResponse};
use api::mvccpb::KeyValue;
use api::{Part, Request, Response};
use bytes::Bytes;
use record::{Applied, History, Operation};

use crate::k1::place::{Place, is_write, place};
use crate::{Context, Missing, Oracle, Sheet, Violation, describe};

/// How many lost writes are reported one by one; further ones are only counted.
const LOST_REPORTED_MAX: usize = 3;

/// Judges a record by K4.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let (history, applied) = (context.history(), context.applied());
    let mut violations = Vec::new();
    twice(history, applied, &mut violations);
    let mut writes = 0;
    let acknowledged = history.operations.iter().filter(|operation| made(operation).is_some()).count();
    if let Some(quiet) = quiet_read(history) {
        writes = lost(history, applied, context.is_closed(), quiet, &mut violations);
    }
    let what = "acknowledged writes that may be lost at the end";
    sheet.not_judged(Oracle::K4, what, acknowledged - writes, Missing::QuietRead);
    if applied.is_empty() {
        let what = "acknowledged writes that may have taken effect twice";
        sheet.not_judged(Oracle::K4, what, acknowledged, Missing::AppliedEntries);
    }
    sheet.checked(Oracle::K4, "acknowledged writes looked for at the end", writes);
    sheet.checked(Oracle::K4, "applied entries", applied.len());
    sheet.add_all(violations);
}

/// The answer of an acknowledged write, and the revision that it made.
fn made(operation: &Operation) -> Option<(&Response, i64)> {
    let (response, place) = (operation.response()?, place(operation));
    match place {
        Place::At(position) if position.makes_revision() => Some((response, position.revision())),
        _ => None,
    }
}

/// The last linearizable read of everything.
pub fn quiet_read(history: &History) -> Option<usize> {
    history.operations.iter().rposition(|operation| match (&operation.request, operation.response()) {
        (Request::Range(request), Some(Response::Range(_))) => {
            let everything = Bytes::from_static(b"\0");
            *request
                == RangeRequest { key: everything.clone(), range_end: everything, ..RangeRequest::default() }
        }
        _ => false,
    })
}

/// Reports operations that took effect twice.
fn twice(history: &History, applied: &[Applied], violations: &mut Vec<Violation>) {
    let mut first: Vec<Option<&Applied>> = vec![None; history.operations.len()];
    for entry in applied.iter().filter(|entry| entry.mutated) {
        let Some(number) = entry.operation.map(|number| number as usize) else { continue };
        let Some(place) = first.get_mut(number) else { continue };
        match place {
            Some(earlier) => {
                let operation = &history.operations[number];
                let violation = Violation::new(Oracle::K4, entry.time, "an operation took effect twice")
                    .say(format!(
                        "{} was applied at index {} as revision {}, and again at index {} as revision {}.",
                        describe::who(operation),
                        earlier.index,
                        earlier.revision,
                        entry.index,
                        entry.revision
                    ))
                    .say("The client sent it once.")
                    .shown_by([number]);
                violations.push(violation);
            }
            None => *place = Some(entry),
        }
    }
}

/// The newest acknowledged change of a key.
#[derive(Clone, Copy)]
struct Change<'a> {
    revision: i64,
    /// Orders the changes of one transaction.
    order: u32,
    operation: usize,
    /// `None` for a delete.
    put: Option<&'a PutRequest>,
}

/// The newest acknowledged change of each key, and all acknowledged deletes of ranges.
#[derive(Default)]
struct Changes<'a> {
    keys: BTreeMap<&'a [u8], Change<'a>>,
    /// The deletes of ranges.
    ranges: Vec<(Change<'a>, &'a DeleteRangeRequest)>,
    /// How many changes there are so far.
    order: u32,
}

impl<'a> Changes<'a> {
    /// Adds the changes of an acknowledged write.
    fn take(&mut self, request: &'a Request, response: &'a Response, revision: i64, operation: usize) {
        match (request, response) {
            (Request::Put(request), _) => self.put(request, revision, operation),
            (Request::DeleteRange(request), _) => self.delete(request, revision, operation),
            (Request::Txn(request), Response::Txn(response)) => {
                self.txn(request, response, revision, operation)
            }
            _ => {}
        }
    }

    /// Adds a put.
    fn put(&mut self, request: &'a PutRequest, revision: i64, operation: usize) {
        let change = self.next(revision, operation, Some(request));
        self.change(&request.key, change);
    }

    /// Adds a deletion.
    fn delete(&mut self, request: &'a DeleteRangeRequest, revision: i64, operation: usize) {
        let change = self.next(revision, operation, None);
        if request.range_end.is_empty() {
            self.change(&request.key, change);
        } else {
            self.ranges.push((change, request));
        }
    }

    /// The next change in the order of changes.
    fn next(&mut self, revision: i64, operation: usize, put: Option<&'a PutRequest>) -> Change<'a> {
        self.order += 1;
        Change { revision, order: self.order, operation, put }
    }

    /// Remembers a change of a key, unless a newer one is remembered.
    fn change(&mut self, key: &'a [u8], change: Change<'a>) {
        match self.keys.get_mut(key) {
            Some(known) if known.revision > change.revision => {}
            Some(known) => *known = change,
            None => drop(self.keys.insert(key, change)),
        }
    }

    /// Adds the changes of the branch that ran.
    fn txn(&mut self, request: &'a TxnRequest, response: &'a TxnResponse, revision: i64, operation: usize) {
        let branch = if response.succeeded { &request.success } else { &request.failure };
        for (op, response) in branch.iter().zip(&response.responses) {
            match (&op.request, &response.response) {
                (Some(Op::RequestPut(request)), _) => self.put(request, revision, operation),
                (Some(Op::RequestDeleteRange(request)), Some(OpResponse::ResponseDeleteRange(response)))
                    if response.deleted > 0 =>
                {
                    self.delete(request, revision, operation);
                }
                (Some(Op::RequestTxn(request)), Some(OpResponse::ResponseTxn(response))) => {
                    self.txn(request, response, revision, operation);
                }
                _ => {}
            }
        }
    }

    /// The newest change of a key, of any kind, if it is newer than `than`. The ranges are sorted, newest first.
    fn newest(&self, key: &[u8], than: i64) -> Option<Change<'a>> {
        let single = self.keys.get(key).filter(|change| change.revision > than);
        // Without such a change, later than any change of the revision `than`.
        let than = single.map_or((than, u32::MAX), Change::when);
        let mut newer = self.ranges.iter().take_while(|(change, _)| change.when() > than);
        let covering = newer.find(|(_, request)| covers(request, key)).map(|(change, _)| change);
        covering.or(single).copied()
    }
}

impl Change<'_> {
    /// Sorts the changes by the order in which they were made.
    fn when(&self) -> (i64, u32) {
        (self.revision, self.order)
    }
}

/// Whether a deletion's range contains a key.
fn covers(request: &DeleteRangeRequest, key: &[u8]) -> bool {
    match &request.range_end[..] {
        [] => key == request.key,
        [0] => key >= &request.key[..],
        end => key >= &request.key[..] && key < end,
    }
}

/// Reports acknowledged writes that are missing in the quiet read. Returns how many writes were looked for.
fn lost(
    history: &History,
    applied: &[Applied],
    closed: bool,
    quiet: usize,
    violations: &mut Vec<Violation>,
) -> usize {
    let mut writes = 0;
    let read = &history.operations[quiet];
    let Some(Response::Range(seen)) = read.response() else { unreachable!("a quiet read has its answer") };
    let mut changes = Changes::default();
    for (number, operation) in history.operations.iter().enumerate() {
        let before = operation.returned().is_some_and(|at| at < read.call);
        if let (true, Some((response, revision))) = (before, made(operation)) {
            writes += 1;
            changes.take(&operation.request, response, revision, number);
        }
    }

    changes.ranges.sort_unstable_by_key(|(change, _)| std::cmp::Reverse(change.when()));

    let deletes = UnacknowledgedDeletes::of(history, applied);
    let there: BTreeMap<&[u8], &KeyValue> = seen.kvs.iter().map(|kv| (&kv.key[..], kv)).collect();
    let mut losses: Vec<(Change<'_>, &[u8], Option<&KeyValue>)> = Vec::new();
    for kv in &seen.kvs {
        // No change is newer than the pair that was read. If it is known which write made that pair's revision, the
        // pair must be what that write wrote.
        let Some(change) = changes.newest(&kv.key, kv.mod_revision - 1) else { continue };
        let wrote = |put: &PutRequest| put.ignore_value || put.value == kv.value;
        if change.revision > kv.mod_revision || !change.put.is_some_and(wrote) {
            losses.push((change, &kv.key, Some(kv)));
        }
    }
    for key in changes.keys.keys().filter(|key| !there.contains_key(*key)) {
        let Some(change) = changes.newest(key, 0) else { continue };
        // In a history that is not closed, a client that is not in it may have deleted the key.
        let excused = |put: &PutRequest| {
            !closed || put.lease != 0 || put.ignore_lease || deletes.may_delete(key, change.revision)
        };
        if change.put.is_some_and(|put| !excused(put)) {
            losses.push((change, key, None));
        }
    }
    losses.sort_by_key(|(change, ..)| change.revision);
    let count = losses.len();
    for (change, key, found) in losses.into_iter().take(LOST_REPORTED_MAX) {
        violations.push(loss(history, quiet, &change, key, found));
    }
    if let Some(last) = violations.last_mut()
        && count > LOST_REPORTED_MAX
    {
        last.sentences.push(match count - LOST_REPORTED_MAX {
            1 => "One more key lost an acknowledged write.".to_string(),
            more => format!("{more} more keys lost an acknowledged write."),
        });
    }
    writes
}

/// What may have deleted keys although no answer says so.
struct UnacknowledgedDeletes<'a> {
    /// Requests that may have deleted keys, each with the revision it made; `None` if it is not known whether it made
    /// one.
    deletes: Vec<(Option<i64>, &'a Request)>,
    /// Revisions that a member's own entry of unknown content made.
    own: Vec<i64>,
}

impl<'a> UnacknowledgedDeletes<'a> {
    /// Collects these requests. With evidence they are those that the cluster applied; without it, all that may have
    /// been applied.
    fn of(history: &'a History, applied: &'a [Applied]) -> UnacknowledgedDeletes<'a> {
        let mut found = UnacknowledgedDeletes { deletes: Vec::new(), own: Vec::new() };
        for entry in applied.iter().filter(|entry| entry.mutated) {
            match entry.operation.and_then(|number| history.operations.get(number as usize)) {
                // The answer of a revoke does not say which keys were attached to the lease.
                Some(operation)
                    if operation.response().is_none()
                        || matches!(operation.request, Request::LeaseRevoke(_)) =>
                {
                    found.deletes.push((Some(entry.revision as i64), &operation.request));
                }
                Some(_) => {}
                None => match entry.internal.as_deref() {
                    Some(request) => found.deletes.push((Some(entry.revision as i64), request)),
                    None => found.own.push(entry.revision as i64),
                },
            }
        }
        if applied.is_empty() {
            let open = |operation: &&record::Operation| {
                place(operation) == Place::Open || matches!(operation.request, Request::LeaseRevoke(_))
            };
            let open = history.operations.iter().filter(open);
            found.deletes.extend(open.filter(|one| is_write(&one.request)).map(|one| (None, &one.request)));
        }
        found
    }

    /// Whether one of these may have deleted the key after this revision.
    fn may_delete(&self, key: &[u8], after: i64) -> bool {
        let of_key = |(revision, request): &(Option<i64>, &Request)| {
            revision.is_none_or(|revision| revision > after) && deletes(request, key)
        };
        self.own.iter().any(|revision| *revision > after) || self.deletes.iter().any(of_key)
    }
}

/// Whether the request may delete the key.
fn deletes(request: &Request, key: &[u8]) -> bool {
    // A revocation deletes whatever was attached to the lease.
    matches!(request, Request::LeaseRevoke(_))
        || request.parts().any(|part| matches!(part, Part::DeleteRange(delete) if covers(delete, key)))
}

/// The violation for a lost write.
fn loss(
    history: &History,
    quiet: usize,
    change: &Change<'_>,
    key: &[u8],
    found: Option<&KeyValue>,
) -> Violation {
    let (write, read) = (&history.operations[change.operation], &history.operations[quiet]);
    let returned =
        |operation: &record::Operation| operation.returned().expect("only answered operations are held");
    let what =
        if change.put.is_some() { "an acknowledged write is lost" } else { "an acknowledged delete is lost" };
    let there = match found {
        Some(kv) => format!("holds {}", describe::key_value(kv)),
        None => format!("does not hold {}", describe::key(key)),
    };
    Violation::new(Oracle::K4, returned(read), what)
        .say(format!(
            "{} was acknowledged as revision {} at {}{}.",
            describe::who(write),
            change.revision,
            describe::time(returned(write)),
            describe::by_member(" by", write.member)
        ))
        .say(format!("The linearizable read of everything at {} {there}.", describe::time(returned(read))))
        .say(match found {
            Some(_) => "No newer write of that key is there instead.",
            None => "No later delete of it is known, acknowledged or not.",
        })
        .shown_by([change.operation, quiet])
}
