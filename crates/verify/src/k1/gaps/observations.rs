//! What clients saw of the revisions that no answer acknowledges.
//!
//! They saw two kinds of things. Key-value pairs that reads returned ([`ReadPairs`]) are binding: an explanation must
//! agree with them. What watchers received, what clients' copies held and what the services answered
//! ([`Observations`]) is believed only as long as some explanation agrees with it.

use std::collections::{BTreeMap, BTreeSet};

use api::mvccpb::KeyValue;
use api::mvccpb::event::EventType;
use api::{Request, Response};
use bytes::Bytes;
use record::{CacheView, History, Nanos, WatchStream};

use super::super::order::Step;
use super::super::place::Position;
use super::super::replay::Replay;
use super::services::QueueClaim;
use crate::answer;
use crate::model::Model;
use crate::truth::Keys;
use crate::watch::reach::{self, Reach};

/// The pairs that reads returned and that were last changed at a revision that no answer acknowledges.
pub struct ReadPairs(Vec<KeyValue>);

impl ReadPairs {
    /// Collects the pairs that answers showed and that no known step made.
    pub fn of(history: &History, steps: &[Step], start: i64) -> ReadPairs {
        let makes = |revision: i64| {
            steps.binary_search_by_key(&Position::making(revision), |step| step.position).is_ok()
        };
        let mut seen = Vec::new();
        let mut see = |kv: &KeyValue| {
            if kv.mod_revision > start && !makes(kv.mod_revision) {
                seen.push(kv.clone());
            }
        };
        for operation in &history.operations {
            // A transaction may contain a read that returns keys without values. The pairs of the answer do not show
            // which read they are from, so only those with a value count.
            let hides = match &operation.request {
                Request::Range(range) => range.keys_only,
                Request::Txn(_) => true,
                _ => false,
            };
            let pairs = operation.response().into_iter().flat_map(Response::pairs);
            pairs.filter(|pair| !hides || !pair.value.is_empty()).for_each(&mut see);
        }
        seen.sort_by(|a, b| (a.mod_revision, &a.key).cmp(&(b.mod_revision, &b.key)));
        seen.dedup();
        ReadPairs(seen)
    }

    /// The keys whose pair, as reads returned it, differs from the model's. The model has just made this revision.
    pub fn against(&self, replay: &Replay<'_>, revision: i64) -> Vec<Bytes> {
        let first = self.0.partition_point(|kv| kv.mod_revision < revision);
        let of_revision = self.0[first..].iter().take_while(|kv| kv.mod_revision == revision);
        let wrong =
            |kv: &&KeyValue| !answer::is_same_pair(replay.model.get(&kv.key, revision).as_ref(), Some(kv));
        of_revision.filter(wrong).map(|kv| kv.key.clone()).collect()
    }

    /// The highest revision of these pairs.
    pub fn newest(&self) -> i64 {
        self.0.last().map_or(0, |kv| kv.mod_revision)
    }
}

/// An event that a watcher received.
struct Seen<'a> {
    /// Whether it is a deletion.
    deleted: bool,
    kv: &'a KeyValue,
    /// The pair before the change (`prev_kv`), if the watcher asked for it.
    before: Option<&'a KeyValue>,
    /// When the first watcher received it.
    at: Nanos,
}

/// What watchers received and did not receive, what clients' copies held, and what the lock and election services
/// answered, by revision.
#[derive(Default)]
pub struct Observations<'a> {
    events: BTreeMap<i64, Vec<Seen<'a>>>,
    /// For each watcher, which revisions it covers: it must have received every change there that it asked for.
    watchers: Vec<Reach<'a>>,
    /// The contents of clients' copies.
    views: BTreeMap<i64, Vec<&'a CacheView>>,
    /// What the services' answers claim about who is first in a lock or election.
    queue_claims: BTreeMap<i64, Vec<QueueClaim>>,
    /// Revisions at which these observations are no longer believed, because no explanation agreed with them.
    doubted: BTreeSet<i64>,
}

/// What in the observations disagrees with the model.
#[derive(Default)]
pub struct Against {
    /// The keys about which they disagree.
    pub keys: Vec<Bytes>,
    /// Whether they also disagree about when the write was requested, or about a queue; then any gap can be the cause.
    pub all: bool,
}

impl Against {
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.all
    }
}

impl<'a> Observations<'a> {
    /// The observations of a history. `more` are watch streams from elsewhere.
    pub fn of(history: &'a History, more: &'a [WatchStream]) -> Observations<'a> {
        let mut observations =
            Observations { watchers: reach::of(&history.watches), ..Observations::default() };
        for (at, response) in history.watches.iter().chain(more).flat_map(|stream| &stream.received) {
            for event in &response.events {
                let Some(kv) = &event.kv else { continue };
                let deleted = event.r#type == EventType::Delete as i32;
                let of_revision = observations.events.entry(kv.mod_revision).or_default();
                let before = event.prev_kv.as_ref();
                let same =
                    |seen: &&mut Seen<'_>| seen.deleted == deleted && seen.kv == kv && seen.before == before;
                match of_revision.iter_mut().find(same) {
                    Some(seen) => seen.at = seen.at.min(*at),
                    None => of_revision.push(Seen { deleted, kv, before, at: *at }),
                }
            }
        }
        for view in &history.caches {
            observations.views.entry(view.revision).or_default().push(view);
        }
        for claim in super::services::queue_claims(history) {
            observations.queue_claims.entry(claim.revision).or_default().push(claim);
        }
        observations
    }

    /// The highest revision that watchers or copies name, up to `most`.
    pub fn newest(&self, most: i64) -> i64 {
        let events = self.events.range(..=most).next_back().map_or(0, |(revision, _)| *revision);
        let views = self.views.range(..=most).next_back().map_or(0, |(revision, _)| *revision);
        let reached = self.watchers.iter().map(|watcher| watcher.newest).filter(|newest| *newest <= most);
        events.max(views).max(reached.max().unwrap_or(0))
    }

    /// Stops believing the observations at these revisions. Returns whether some of them were believed so far.
    pub fn doubt(&mut self, revisions: &BTreeSet<i64>) -> bool {
        let before = self.doubted.len();
        self.doubted.extend(revisions);
        self.doubted.len() > before
    }

    /// How many of the events that watchers received at a revision cannot have been caused by this request, as far as
    /// can be said without executing the request. `call` is when it was called.
    pub fn misfits(&self, request: &Request, call: Nanos, revision: i64) -> usize {
        let Some(events) = self.events.get(&revision) else { return 0 };
        let fits = |seen: &&Seen<'_>| {
            let does = match request {
                Request::Put(put) if put.ignore_value => !seen.deleted && put.key == seen.kv.key,
                Request::Put(put) => !seen.deleted && put.key == seen.kv.key && put.value == seen.kv.value,
                Request::DeleteRange(delete) => {
                    seen.deleted && Keys { key: &delete.key, end: &delete.range_end }.contain(&seen.kv.key)
                }
                Request::LeaseRevoke(_) => seen.deleted,
                _ => true,
            };
            does && call <= seen.at
        };
        events.iter().filter(|seen| !fits(seen)).count()
    }

    /// Whether the observations at this revision are believed.
    pub fn believes(&self, revision: i64) -> bool {
        !self.doubted.contains(&revision)
    }

    /// Compares the observations at this revision with the model, which has just made it by a request called at
    /// `call`.
    pub fn against(&self, model: &Model, revision: i64, call: Nanos) -> Against {
        let mut against = Against::default();
        if !self.believes(revision) {
            return against;
        }
        let changes: Vec<(KeyValue, bool)> = model.changes_at(revision).collect();
        let events = self.events.get(&revision).map_or(&[][..], |events| &events[..]);
        for seen in events {
            against.all |= call > seen.at;
            let made = changes.iter().any(|(kv, deleted)| seen.is(kv, *deleted));
            let followed = seen.before.is_none_or(|before| {
                answer::is_same_pair(model.get(&before.key, revision - 1).as_ref(), Some(before))
            });
            if !made || !followed {
                against.keys.push(seen.kv.key.clone());
            }
        }
        for (at, (kv, deleted)) in changes.iter().enumerate() {
            // If the same transaction changes the key again, a compaction can have removed the first change.
            let again = changes[at + 1..].iter().any(|(later, _)| later.key == kv.key);
            let missed = |watcher: &Reach<'_>| watcher.misses(&kv.key, revision, *deleted);
            if !again && self.watchers.iter().any(missed) {
                against.keys.push(kv.key.clone());
            }
        }
        self.compare_copies_and_queues(model, revision, &mut against);
        against
    }

    /// Compares clients' copies and the services' answers with the model.
    fn compare_copies_and_queues(&self, model: &Model, revision: i64, against: &mut Against) {
        for view in self.views.get(&revision).into_iter().flatten() {
            let held = view.pairs.iter().map(|(key, revision)| (&key[..], *revision));
            let there: Vec<KeyValue> = model.scan(&view.keys.0, &view.keys.1, revision).collect();
            let there = there.iter().map(|kv| (&kv.key[..], kv.mod_revision));
            let held: BTreeSet<(&[u8], i64)> = held.collect();
            let there: BTreeSet<(&[u8], i64)> = there.collect();
            let differing = held.symmetric_difference(&there);
            against.keys.extend(differing.map(|(key, _)| Bytes::copy_from_slice(key)));
        }
        for claim in self.queue_claims.get(&revision).into_iter().flatten() {
            against.all |= !claim.agrees_with(model);
        }
    }
}

impl Seen<'_> {
    /// Whether this is the same put or deletion.
    fn is(&self, kv: &KeyValue, deleted: bool) -> bool {
        deleted == self.deleted
            && kv.key == self.kv.key
            && (deleted || answer::is_same_pair(Some(kv), Some(self.kv)))
    }
}

#[cfg(test)]
mod tests {
    use api::etcdserverpb::{PutRequest, RangeResponse, WatchResponse};
    use api::mvccpb::Event;
    use record::{MemberId, Operation, Outcome};

    use super::*;

    fn pair(key: &'static str, value: &'static str, mod_revision: i64) -> KeyValue {
        KeyValue { key: key.into(), value: value.into(), mod_revision, ..KeyValue::default() }
    }

    /// A watcher that received a put of `a` at revision 5.
    fn watched() -> History {
        let event = Event { r#type: EventType::Put as i32, kv: Some(pair("a", "1", 5)), prev_kv: None };
        let response = WatchResponse { events: vec![event], ..WatchResponse::default() };
        let received = vec![(100, response)];
        let (client, member) = (1, MemberId::new(1));
        let watches =
            vec![WatchStream { client, member, opened: 0, sent: Vec::new(), received, ended: None }];
        History { watches, ..History::default() }
    }

    #[test]
    fn a_put_fits_an_event_of_its_key_and_value_that_came_after_it() {
        let history = watched();
        let observations = Observations::of(&history, &[]);
        let misfits = |key: &'static str, value: &'static str, ignore_value, call| {
            let put =
                PutRequest { key: key.into(), value: value.into(), ignore_value, ..PutRequest::default() };
            observations.misfits(&put.into(), call, 5)
        };
        assert_eq!([misfits("a", "1", false, 0), misfits("a", "", true, 100)], [0, 0]);
        assert_eq!([misfits("b", "1", false, 0), misfits("b", "", true, 0)], [1, 1]);
        assert_eq!([misfits("a", "2", false, 0), misfits("a", "1", false, 101)], [1, 1]);
    }

    #[test]
    fn what_disagrees_about_no_key_disagrees_all_the_same() {
        assert!(Against::default().is_empty());
        assert!(!Against { all: true, ..Against::default() }.is_empty());
        assert!(!Against { keys: vec!["a".into()], ..Against::default() }.is_empty());
    }

    #[test]
    fn the_newest_pair_that_was_read() {
        let answer =
            RangeResponse { kvs: vec![pair("a", "1", 5), pair("b", "1", 3)], ..RangeResponse::default() };
        let operation = Operation {
            client: 1,
            member: MemberId::new(1),
            user: None,
            request: api::etcdserverpb::RangeRequest::default().into(),
            streamed: false,
            call: 1,
            outcome: Outcome::Answer { at: 2, response: answer.into() },
        };
        let history = History { operations: vec![operation], ..History::default() };
        assert_eq!(ReadPairs::of(&history, &[], 1).newest(), 5);
        assert_eq!(ReadPairs::of(&history, &[], 5).newest(), 0);
    }
}
