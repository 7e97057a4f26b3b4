//! Tests the oracles W1 to W12 on random watchers. They accept watchers that receive the truth, and find one wrong
//! thing in what a watcher receives.

use std::collections::BTreeSet;

use crate::support::{self, Random, Shape};
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::*;
use api::mvccpb::{Event, KeyValue};
use bytes::Bytes;
use etcdsim_verify::model::Model;
use etcdsim_verify::{Expectations, Oracle, Verdict, judge};
use record::{CacheView, History, MemberEnd, MemberId, Nanos, Record, StreamEnd, WatchStream};

const SECOND: Nanos = 1_000_000_000;

/// A member as it applies entry after entry: the store, and what it has compacted.
struct Member {
    /// Never compacted.
    model: Model,
    /// The revision that it is compacted to; -1 if it is not.
    compacted: i64,
    /// How many entries it has applied.
    applied: usize,
}

impl Member {
    fn new() -> Member {
        let mut model = Model::default();
        model.keep_changes();
        Member { model, compacted: -1, applied: 0 }
    }

    /// Applies the next entry.
    fn apply(&mut self, record: &Record) {
        let entry = &record.applied[self.applied];
        let number = entry.operation.expect("every entry is a client's") as usize;
        match &record.history.operations[number].request {
            api::Request::Compact(request) => {
                if request.revision > self.compacted && request.revision <= self.model.revision() {
                    self.compacted = request.revision;
                }
            }
            request => drop(self.model.apply(request)),
        }
        self.applied += 1;
    }

    /// Applies some of what the cluster had applied by then.
    fn advance(&mut self, record: &Record, now: Nanos, random: &mut Random) {
        while record.applied.get(self.applied).is_some_and(|entry| entry.time <= now) && random.percent(70) {
            self.apply(record);
        }
    }

    /// The events from revision `from` on that a watcher must receive.
    fn events(&self, request: &WatchCreateRequest, from: i64) -> Vec<Event> {
        let changes = self.model.changes();
        let wanted = changes.filter(|(kv, deleted)| {
            let filter = i32::from(*deleted);
            let single = request.range_end.is_empty() && kv.key == request.key;
            let inside = kv.key >= request.key && request.range_end == b"\0"[..];
            kv.mod_revision >= from && (single || inside) && !request.filters.contains(&filter)
        });
        let event = |(kv, deleted): (KeyValue, bool)| {
            let creates = !deleted && kv.create_revision == kv.mod_revision;
            let before = kv.mod_revision - 1;
            let looked_up = request.prev_kv && !creates && before >= self.compacted;
            let prev_kv = if looked_up { self.model.get(&kv.key, before) } else { None };
            Event { r#type: i32::from(deleted), kv: Some(kv), prev_kv }
        };
        wanted.map(event).collect()
    }
}

/// A watcher of a member.
struct Watching {
    id: i64,
    request: WatchCreateRequest,
    next: i64,
    /// The revision after the last event; a compaction is compared with it.
    needs: i64,
    /// Whether it was cancelled.
    gone: bool,
}

/// The revision of an event.
fn revision(event: &Event) -> i64 {
    event.kv.as_ref().map_or(0, |kv| kv.mod_revision)
}

/// A response for a watcher.
fn response(watch_id: i64, revision: i64, events: Vec<Event>) -> WatchResponse {
    let header = Some(ResponseHeader { revision, ..ResponseHeader::default() });
    WatchResponse { header, watch_id, events, ..WatchResponse::default() }
}

/// A random request for a watcher.
fn creation(random: &mut Random, newest: i64) -> WatchCreateRequest {
    let all = random.percent(50);
    WatchCreateRequest {
        key: if all { "k".into() } else { format!("k{}", random.below(3)).into() },
        range_end: if all { Bytes::from_static(b"\0") } else { Bytes::new() },
        start_revision: match random.below(3) {
            0 => 0,
            1 => 1 + random.below(newest as u64) as i64,
            _ => newest + random.below(4) as i64,
        },
        filters: if random.percent(20) { vec![random.below(2) as i32] } else { Vec::new() },
        prev_kv: random.percent(50),
        fragment: random.percent(30),
        watch_id: if random.percent(20) { 5 } else { 0 },
        ..WatchCreateRequest::default()
    }
}

/// A stream that receives the truth from a member that lags.
fn stream(random: &mut Random, record: &Record, client: u32, end: Nanos) -> WatchStream {
    let mut member = Member::new();
    let opened = random.below(end);
    let mut stream =
        WatchStream { client, member: MemberId::new(1), opened, sent: vec![], received: vec![], ended: None };
    let stays = random.percent(40);
    let until = if stays { end } else { opened + random.below(end - opened + 1) };
    let mut watching: Vec<Watching> = Vec::new();
    let mut used = BTreeSet::new();
    let mut next_id = 0;
    for now in opened..=until {
        member.advance(record, now, random);
        let newest = member.model.revision();
        if watching.len() < 3 && random.percent(20) {
            let request = creation(random, newest);
            stream.sent.push((
                now,
                WatchRequest { request_union: Some(RequestUnion::CreateRequest(request.clone())) },
            ));
            if request.watch_id != 0 && used.contains(&request.watch_id) {
                let refused = WatchResponse {
                    created: true,
                    canceled: true,
                    cancel_reason: api::Error::WatchDuplicateId.text().to_string(),
                    ..response(-1, newest, vec![])
                };
                stream.received.push((now, refused));
                continue;
            }
            while used.contains(&next_id) {
                next_id += 1;
            }
            let id = if request.watch_id != 0 { request.watch_id } else { next_id };
            used.insert(id);
            if request.watch_id == 0 {
                next_id += 1;
            }
            stream.received.push((now, WatchResponse { created: true, ..response(id, newest, vec![]) }));
            let next = if request.start_revision == 0 { newest + 1 } else { request.start_revision };
            watching.push(Watching { id, request, next, needs: next, gone: false });
        }
        deliver(random, &mut stream, &mut watching, &member, now, 50);
    }
    if stays {
        while member.applied < record.applied.len() {
            member.apply(record);
        }
        for watching in watching.iter_mut().filter(|watching| !watching.gone) {
            flush(random, &mut stream, watching, &member, end, usize::MAX);
        }
    } else {
        let how = if random.percent(50) { StreamEnd::Closed } else { StreamEnd::Broken };
        stream.ended = Some((until, how));
    }
    stream
}

fn deliver(
    random: &mut Random,
    stream: &mut WatchStream,
    watching: &mut [Watching],
    member: &Member,
    now: Nanos,
    percent: u64,
) {
    for watching in watching.iter_mut().filter(|watching| !watching.gone) {
        if random.percent(percent) {
            let batch = 1 + random.below(4) as usize;
            flush(random, stream, watching, member, now, batch);
        }
    }
    let newest = member.model.revision();
    let living = || watching.iter().filter(|watching| !watching.gone);
    let synced = living().all(|one| one.next == newest + 1);
    if synced && living().count() > 0 && random.percent(30) {
        stream.received.push((now, response(-1, newest, vec![])));
    }
}

/// Sends a watcher up to so many revisions.
fn flush(
    random: &mut Random,
    stream: &mut WatchStream,
    watching: &mut Watching,
    member: &Member,
    now: Nanos,
    batch: usize,
) {
    let newest = member.model.revision();
    if watching.next <= newest && watching.needs < member.compacted {
        watching.gone = true;
        let cancelled = WatchResponse {
            canceled: true,
            compact_revision: member.compacted,
            ..response(watching.id, 0, vec![])
        };
        stream.received.push((now, cancelled));
        return;
    }
    let mut events = member.events(&watching.request, watching.next);
    let mut revisions: Vec<i64> = events.iter().map(revision).collect();
    revisions.dedup();
    let limit = revisions.get(batch).copied().unwrap_or(i64::MAX);
    events.retain(|event| revision(event) < limit);
    watching.next = watching.next.max(limit.min(newest + 1));
    let Some(last) = events.last() else { return };
    watching.needs = revision(last) + 1;
    let header = if random.percent(50) { newest } else { revision(last) };
    if watching.request.fragment && events.len() > 1 && random.percent(50) {
        let rest = events.split_off(1 + random.below(events.len() as u64 - 1) as usize);
        let part = WatchResponse { fragment: true, ..response(watching.id, header, events) };
        stream.received.push((now, part));
        events = rest;
    }
    stream.received.push((now, response(watching.id, header, events)));
}

fn copies(random: &mut Random, record: &Record, end: Nanos) -> Vec<CacheView> {
    let mut member = Member::new();
    let mut views = Vec::new();
    for at in 0..end {
        member.advance(record, at, random);
        if random.percent(20) {
            let keys = (Bytes::from_static(b"k"), Bytes::from_static(b"\0"));
            let revision = member.model.revision();
            let pairs = member.model.scan(&keys.0, &keys.1, revision).map(|kv| (kv.key, kv.mod_revision));
            let pairs = pairs.collect();
            views.push(CacheView { client: 9, at, keys, revision, pairs });
        }
    }
    views
}

/// A record in which all watchers receive the truth.
fn truthful(random: &mut Random) -> Record {
    let shape = Shape { operations: 60, clients: 4, keys: 3, leases: true, ..Shape::default() };
    let (history, applied) = support::history(random, &shape);
    let end = 5 + applied.iter().map(|entry| entry.time).max().unwrap_or(0);
    let revision = applied.last().map_or(1, |entry| entry.revision);
    let mut record = Record { history, applied, ..Record::default() };
    record.history.watches = (0..4).map(|client| stream(random, &record, client, end)).collect();
    record.history.caches = copies(random, &record, end);
    record.healed = end;
    record.stats.virtual_ns = end + 10 * SECOND;
    let member = MemberEnd {
        member: MemberId::new(1),
        running: true,
        core: true,
        applied: 1,
        revision,
        state_hash: 0,
    };
    record.members.push(member);
    record
}

/// The verdict of the oracles of watchers and copies; the others have their own tests.
fn verdict(record: &Record) -> Verdict {
    let mut verdict = judge(record, &Expectations::default());
    verdict.violations.retain(|one| one.oracle.id().starts_with(['W', 'C']));
    verdict
}

#[test]
fn the_truth_is_believed() {
    let mut looked: Vec<(Oracle, u64)> = Vec::new();
    for seed in 0..400 {
        let record = truthful(&mut Random(seed));
        let verdict = verdict(&record);
        assert!(verdict.holds(), "seed {seed}: {verdict:#?}");
        for check in verdict.checks {
            match looked.iter_mut().find(|(oracle, _)| *oracle == check.oracle) {
                Some((_, count)) => *count += check.count,
                None => looked.push((check.oracle, check.count)),
            }
        }
        // Without the evidence less is known, and nothing is wrong.
        let mut bare = record;
        bare.applied.clear();
        let verdict = self::verdict(&bare);
        assert!(verdict.violations.is_empty(), "seed {seed} without evidence: {verdict:#?}");
    }
    for oracle in [
        Oracle::W1,
        Oracle::W2,
        Oracle::W3,
        Oracle::W4,
        Oracle::W5,
        Oracle::W6,
        Oracle::W7,
        Oracle::W8,
        Oracle::W9,
        Oracle::W10,
        Oracle::W11,
        Oracle::W12,
        Oracle::C1,
    ] {
        let count = looked.iter().find(|(one, _)| *one == oracle).map_or(0, |(_, count)| *count);
        assert!(count > 100, "{oracle} looked at {count} things in all");
    }
}

/// The position of an event: stream, response, index.
type Place = (usize, usize, usize);

fn places(history: &History) -> Vec<Place> {
    let mut places = Vec::new();
    for (number, stream) in history.watches.iter().enumerate() {
        for (at, (_, response)) in stream.received.iter().enumerate() {
            places.extend((0..response.events.len()).map(|event| (number, at, event)));
        }
    }
    places
}

/// Makes one thing wrong, and returns which oracles may report it; `None` if there was nothing to make wrong.
fn spoil(random: &mut Random, history: &mut History) -> Option<Vec<Oracle>> {
    let places = places(history);
    if places.is_empty() {
        return None;
    }
    let &(number, at, event) = random.pick(&places);
    let stream = &mut history.watches[number];
    let id = stream.received[at].1.watch_id;
    let later = stream.received[at + 1..]
        .iter()
        .position(|(_, response)| response.watch_id == id && !response.events.is_empty())
        .map(|place| at + 1 + place);
    let ended = stream.received[at..].iter().any(|(_, one)| one.canceled && one.watch_id == id);
    let received = &mut stream.received[at].1;
    match random.below(9) {
        // Dropped; it shows if something comes after it.
        0 => {
            let last = event + 1 == received.events.len();
            let same = |a: &Event, b: &Event| revision(a) == revision(b);
            let part = event > 0 && same(&received.events[event], &received.events[event - 1]);
            if received.fragment || last && !part && (later.is_none() || ended) {
                return None;
            }
            received.events.remove(event);
            Some(vec![Oracle::W4, Oracle::W5, Oracle::W6, Oracle::W7, Oracle::W10, Oracle::W12])
        }
        1 => {
            let again = received.events[event].clone();
            let to = later.filter(|_| random.percent(50)).unwrap_or(at);
            stream.received[to].1.events.push(again);
            Some(vec![Oracle::W3])
        }
        2 => {
            let other = (0..received.events.len())
                .find(|other| revision(&received.events[*other]) != revision(&received.events[event]))?;
            received.events.swap(event, other);
            Some(vec![Oracle::W2])
        }
        3 => {
            let kv = received.events[event].kv.as_mut().expect("a pair");
            match random.below(3) {
                0 => kv.value = "never".into(),
                1 => kv.version += 1,
                _ => kv.lease += 9,
            }
            Some(vec![Oracle::W7])
        }
        4 => {
            let deleted = received.events[event].r#type == 1;
            received.events[event].kv.as_mut().expect("a pair").create_revision += 1;
            Some(vec![if deleted { Oracle::W7 } else { Oracle::W9 }])
        }
        5 => {
            let event = &mut received.events[event];
            let mut wrong = event.kv.clone().expect("a pair");
            wrong.value = "never".into();
            event.prev_kv = Some(wrong);
            Some(vec![Oracle::W8])
        }
        6 => {
            // What makes the revision of an event and of a progress response contradict each other.
            let progress = |(_, one): &(Nanos, WatchResponse)| one.watch_id == -1 && !one.created;
            let place = at + 1 + stream.received[at + 1..].iter().position(progress)?;
            let gone = stream.received[at..place].iter().any(|(_, one)| one.canceled && one.watch_id == id);
            if gone {
                return None;
            }
            let before = revision(&stream.received[at].1.events[0]) - 1;
            stream.received[place].1.header.as_mut().expect("a header").revision = before;
            Some(vec![Oracle::W5])
        }
        7 => {
            // Progress for this watcher that is ahead of it.
            let ahead = revision(&received.events[event]);
            let now = stream.received[at].0;
            let fragment = at > 0 && stream.received[at - 1].1.fragment;
            if fragment {
                return None;
            }
            stream.received.insert(at, (now, response(id, ahead, vec![])));
            Some(vec![Oracle::W5])
        }
        _ => {
            let first = received.events.iter().map(revision).collect::<Vec<_>>();
            let cut = (1..first.len()).find(|cut| first[*cut] == first[cut - 1])?;
            if received.fragment {
                return None;
            }
            let (now, mut rest) = stream.received[at].clone();
            rest.events.drain(..cut);
            stream.received[at].1.events.truncate(cut);
            stream.received.insert(at + 1, (now, rest));
            Some(vec![Oracle::W4])
        }
    }
}

#[test]
fn one_thing_wrong_is_found() {
    let mut found = [0; 14];
    for seed in 0..2000 {
        let random = &mut Random(seed);
        let mut record = truthful(random);
        let Some(expected) = spoil(random, &mut record.history) else { continue };
        let verdict = verdict(&record);
        let said: Vec<Oracle> = verdict.violations.iter().map(|one| one.oracle).collect();
        assert!(
            expected.iter().any(|oracle| said.contains(oracle)),
            "seed {seed}: none of {expected:?}: {:#?}",
            verdict
        );
        for oracle in said {
            let at = [Oracle::W2, Oracle::W3, Oracle::W4, Oracle::W5, Oracle::W7, Oracle::W8, Oracle::W9];
            if let Some(at) = at.iter().position(|one| *one == oracle) {
                found[at] += 1;
            }
        }
    }
    assert!(found[..7].iter().all(|count| *count > 20), "{found:?}");
}

#[test]
fn a_wrong_copy_is_found() {
    for seed in 0..300 {
        let random = &mut Random(seed);
        let mut record = truthful(random);
        let count = record.history.caches.len() as u64;
        if count == 0 {
            continue;
        }
        let view = &mut record.history.caches[random.below(count) as usize];
        match random.below(3) {
            0 if !view.pairs.is_empty() => drop(view.pairs.pop()),
            1 if !view.pairs.is_empty() => view.pairs[0].1 += 1,
            _ => view.pairs.push((Bytes::from_static(b"kz"), view.revision)),
        }
        let verdict = verdict(&record);
        assert!(verdict.violations.iter().any(|one| one.oracle == Oracle::C1), "seed {seed}: {verdict:#?}");
    }
}
