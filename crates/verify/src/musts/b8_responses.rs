//! B8, of responses: what a member must know when it sends changes.
//!
//! Derivation, from `server/storage/mvcc/watchable_store.go` and `server/etcdserver/api/v3rpc/watch.go`:
//! - A pass serves a watcher at most `watch-batch-revisions` revisions at a time (`watchBatchMaxRevs`); a change that is just
//!   made has one revision. So no response has more. What comes in fragments is one response.
//! - A response for which the channel had no room is sent later with the revision up to which its watcher was sent
//!   everything (`moveVictims`: `w.minRev - 1`), which may be below the store's.
//! - The pair before a change (`prev_kv`) is read when the response leaves, at the revision before the change. If that is
//!   compacted by then, there is none (`ErrCompacted`).
//!
//! The last needs to know what the member had applied when the response left. It had applied all entries up to the last one
//! that it reported at an earlier time, since the stream was opened. A compaction counts if its client was told that it
//! succeeded, or if a member proposed it on its own, of a revision that there was.
//!
//! Premises: none. Nothing here takes time.
//!
//! Not judged: responses that did not arrive; pairs that are missing though they are not compacted (W8 accepts that once they
//! may be).

use std::collections::BTreeMap;

use api::etcdserverpb::WatchResponse;
use api::etcdserverpb::watch_request::RequestUnion;
use api::{Request, Response};
use record::{Nanos, Outcome, Record, WatchStream};

use super::counts::Tally;
use super::setup::Setup;
use super::watchers::{Waiting, Watchers};
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// Judges the responses of a run.
pub(super) fn judge(
    record: &Record,
    setup: &Setup,
    watchers: &Watchers,
    tally: &mut Tally,
    sheet: &mut Sheet,
) {
    let mut found: [Option<Violation>; 3] = Default::default();
    let compactions = compactions(record);
    for (number, stream) in record.history.watches.iter().enumerate() {
        let sent = watchers.sent(number as u64);
        found[0] = found[0].take().or_else(|| too_many(stream, setup, tally));
        found[1] = found[1].take().or_else(|| compacted(stream, sent, watchers, &compactions, tally));
    }
    for waiting in &watchers.waiting {
        let stream = record.history.watches.get(waiting.name.0 as usize);
        let wrong = stream
            .and_then(|stream| of_another_revision(stream, watchers.sent(waiting.name.0), waiting, tally));
        found[2] = found[2].take().or(wrong);
    }
    sheet.add_all(found.into_iter().flatten());
}

/// The revisions of the changes in a response.
fn revisions(response: &WatchResponse) -> impl Iterator<Item = i64> {
    response.events.iter().filter_map(|event| event.kv.as_ref()).map(|kv| kv.mod_revision)
}

/// The first response of a stream that has more revisions than a pass may send at a time.
fn too_many(stream: &WatchStream, setup: &Setup, tally: &mut Tally) -> Option<Violation> {
    // For each watcher, how many revisions the fragments had so far, and the last of them.
    let mut begun: BTreeMap<i64, (u64, i64)> = BTreeMap::new();
    for (at, response) in &stream.received {
        let (mut count, mut last) = begun.remove(&response.watch_id).unwrap_or_default();
        for revision in revisions(response) {
            count += u64::from(revision != last);
            last = revision;
        }
        if count > 1 {
            tally.judged();
        }
        if count > setup.watch_batch_revisions {
            let title = format!("member {} sends a watcher more than a batch", stream.member);
            let sentence = format!(
                "A response to client {} for watcher {} has changes of {count} revisions, but there may be {} in one.",
                stream.client, response.watch_id, setup.watch_batch_revisions
            );
            return Some(Violation::new(Oracle::B8, *at, title).say(sentence));
        }
        if response.fragment {
            begun.insert(response.watch_id, (count, last));
        }
    }
    None
}

/// Whether the response that waited for room arrived with another revision in its header than that up to which its watcher
/// had been sent everything.
fn of_another_revision(
    stream: &WatchStream,
    sent: &[Nanos],
    waiting: &Waiting,
    tally: &mut Tally,
) -> Option<Violation> {
    let (from, end) = waiting.revisions;
    // What left before may be of an earlier watcher with this id.
    let earlier = sent.partition_point(|at| *at < waiting.at);
    let later = stream.received.iter().skip(earlier);
    let of_it = later.filter(|(_, response)| response.watch_id == waiting.name.1);
    // After its cancellation the id may be that of another watcher.
    let mut of_it = of_it.take_while(|(_, response)| !response.canceled);
    let (at, response) = of_it.find(|(_, response)| {
        !response.events.is_empty() && revisions(response).all(|revision| (from..end).contains(&revision))
    })?;
    let says = response.header.as_ref()?.revision;
    tally.judged();
    if says == end - 1 {
        return None;
    }
    let title = format!("a response of member {} that waited has another revision", stream.member);
    let sentence = format!(
        "At {} there was no room for a response to client {} with the changes for watcher {} from revision {from} to {}. It \
         arrived at {} and says that the store was at revision {says}.",
        time(waiting.at),
        stream.client,
        waiting.name.1,
        end - 1,
        time(*at)
    );
    Some(Violation::new(Oracle::B8, *at, title).say(sentence))
}

/// The compactions that certainly took place: index and revision, in the order of the log.
fn compactions(record: &Record) -> Vec<(u64, i64)> {
    let mut found = Vec::new();
    for entry in &record.applied {
        let request = match (entry.operation, &entry.internal) {
            (Some(number), _) => {
                let operation = record.history.operations.get(number as usize);
                operation
                    .filter(|operation| succeeded(&operation.outcome))
                    .map(|operation| &operation.request)
            }
            (None, Some(request)) => Some(&**request),
            (None, None) => None,
        };
        if let Some(Request::Compact(compact)) = request
            && u64::try_from(compact.revision).is_ok_and(|revision| revision <= entry.revision)
        {
            found.push((entry.index, compact.revision));
        }
    }
    found.sort_unstable();
    found
}

fn succeeded(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Answer { response: Response::Compact(_), .. })
}

/// The first previous pair of a stream that was compacted when its response left.
fn compacted(
    stream: &WatchStream,
    sent: &[Nanos],
    watchers: &Watchers,
    compactions: &[(u64, i64)],
    tally: &mut Tally,
) -> Option<Violation> {
    let asks = |request: &Option<RequestUnion>| matches!(request, Some(RequestUnion::CreateRequest(create)) if create.prev_kv);
    if compactions.is_empty() || !stream.sent.iter().any(|(_, request)| asks(&request.request_union)) {
        return None;
    }
    // When the first fragment of what is not complete left, by watcher: its pairs were read then.
    let mut begun = BTreeMap::new();
    for ((at, response), left) in stream.received.iter().zip(sent) {
        let left = begun.remove(&response.watch_id).unwrap_or(*left);
        if response.fragment {
            begun.insert(response.watch_id, left);
        }
        let Some(oldest) = revisions(response).min() else { continue };
        let Some(applied) = watchers.applied_before(stream.member, left, stream.opened) else { continue };
        let until = compactions.partition_point(|(index, _)| *index <= applied);
        let Some(limit) = compactions[..until].iter().map(|(_, revision)| *revision).max() else { continue };
        if oldest > limit {
            continue;
        }
        tally.judged();
        let gone = response.events.iter().find(|event| {
            let revision = event.kv.as_ref().map(|kv| kv.mod_revision - 1);
            event.prev_kv.is_some() && revision.is_some_and(|before| before < limit)
        });
        if let Some(kv) = gone.and_then(|event| event.kv.as_ref()) {
            let title = format!("member {} sends a pair of a revision that is compacted", stream.member);
            let sentence = format!(
                "The change of revision {} reached client {} at {} with the pair before it. When the member sent it, at {}, \
                 it had applied a compaction of revision {limit}, so revision {} could not be read.",
                kv.mod_revision,
                stream.client,
                time(*at),
                time(left),
                kv.mod_revision - 1
            );
            return Some(Violation::new(Oracle::B8, *at, title).say(sentence));
        }
    }
    None
}
