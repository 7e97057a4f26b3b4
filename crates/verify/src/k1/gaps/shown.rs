//! What was seen of each revision: by answers, which the order must agree with, and by watchers, which are believed as
//! long as an explanation agrees with them.

use std::collections::{BTreeMap, BTreeSet};

use api::mvccpb::KeyValue;
use api::mvccpb::event::EventType;
use api::{Request, Response};
use bytes::Bytes;
use record::{CacheView, History, Nanos, WatchStream};

use super::super::order::Step;
use super::super::place::Position;
use super::super::replay::Replay;
use super::services::Standing;
use crate::answer;
use crate::model::Model;
use crate::truth::Keys;
use crate::watch::reach::{self, Reach};

/// What reads saw of the revisions that no answer acknowledges.
pub struct Facts(Vec<KeyValue>);

impl Facts {
    pub fn of(history: &History, steps: &[Step], start: i64) -> Facts {
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
            // A read without values may be part of a transaction: there, only pairs with a value count.
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
        Facts(seen)
    }

    /// The keys of which something else was seen than what the model, which has just made this revision, has.
    pub fn against(&self, replay: &Replay<'_>, revision: i64) -> Vec<Bytes> {
        let first = self.0.partition_point(|kv| kv.mod_revision < revision);
        let of_revision = self.0[first..].iter().take_while(|kv| kv.mod_revision == revision);
        let wrong =
            |kv: &&KeyValue| !answer::is_same_pair(replay.model.get(&kv.key, revision).as_ref(), Some(kv));
        of_revision.filter(wrong).map(|kv| kv.key.clone()).collect()
    }

    /// The highest revision that was seen.
    pub fn newest(&self) -> i64 {
        self.0.last().map_or(0, |kv| kv.mod_revision)
    }
}

/// An event that a watcher received.
struct Seen {
    deleted: bool,
    kv: KeyValue,
    before: Option<KeyValue>,
    /// When the first watcher had it.
    at: Nanos,
}

/// What watchers received and did not receive, what clients' copies held, and what the lock and election services
/// answered.
#[derive(Default)]
pub struct Shown<'a> {
    events: BTreeMap<i64, Vec<Seen>>,
    watchers: Vec<Reach<'a>>,
    views: BTreeMap<i64, Vec<&'a CacheView>>,
    standings: BTreeMap<i64, Vec<Standing>>,
    /// Revisions at which none of this is believed any more, because no explanation agreed with it.
    doubted: BTreeSet<i64>,
}

/// What disagrees with the model.
#[derive(Default)]
pub struct Against {
    /// The keys that it is about.
    pub keys: Vec<Bytes>,
    /// Whether it is also about when the write was requested, or about a range of keys.
    pub all: bool,
}

impl Against {
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.all
    }
}

impl<'a> Shown<'a> {
    /// `more` are streams that are not in the history.
    pub fn of(history: &'a History, more: &'a [WatchStream]) -> Shown<'a> {
        let mut shown = Shown { watchers: reach::of(&history.watches), ..Shown::default() };
        for (at, response) in history.watches.iter().chain(more).flat_map(|stream| &stream.received) {
            for event in &response.events {
                let Some(kv) = &event.kv else { continue };
                let deleted = event.r#type == EventType::Delete as i32;
                let of_revision = shown.events.entry(kv.mod_revision).or_default();
                let same = |seen: &&mut Seen| {
                    seen.deleted == deleted && seen.kv == *kv && seen.before == event.prev_kv
                };
                match of_revision.iter_mut().find(same) {
                    Some(seen) => seen.at = seen.at.min(*at),
                    None => {
                        let before = event.prev_kv.clone();
                        of_revision.push(Seen { deleted, kv: kv.clone(), before, at: *at });
                    }
                }
            }
        }
        for view in &history.caches {
            shown.views.entry(view.revision).or_default().push(view);
        }
        for standing in super::services::standings(history) {
            shown.standings.entry(standing.revision).or_default().push(standing);
        }
        shown
    }

    /// The highest revision up to which watchers say that there is one, but no further than `most`.
    pub fn newest(&self, most: i64) -> i64 {
        let events = self.events.range(..=most).next_back().map_or(0, |(revision, _)| *revision);
        let views = self.views.range(..=most).next_back().map_or(0, |(revision, _)| *revision);
        let reached = self.watchers.iter().map(|watcher| watcher.newest).filter(|newest| *newest <= most);
        events.max(views).max(reached.max().unwrap_or(0))
    }

    /// No longer believes what was shown at these revisions. Returns whether any of it was believed.
    pub fn doubt(&mut self, revisions: &BTreeSet<i64>) -> bool {
        let before = self.doubted.len();
        self.doubted.extend(revisions);
        self.doubted.len() > before
    }

    /// How much of what watchers received of a revision a request cannot have done, as far as can be seen without
    /// executing it. `call` is when it was requested.
    pub fn misfits(&self, request: &Request, call: Nanos, revision: i64) -> usize {
        let Some(events) = self.events.get(&revision) else { return 0 };
        let fits = |seen: &&Seen| {
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

    /// Whether everything that was shown at this revision is believed.
    pub fn believes(&self, revision: i64) -> bool {
        !self.doubted.contains(&revision)
    }

    /// What disagrees with what the model has just made of this revision, requested at `call`.
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
            let followed = seen.before.as_ref().is_none_or(|before| {
                answer::is_same_pair(model.get(&before.key, revision - 1).as_ref(), Some(before))
            });
            if !made || !followed {
                against.keys.push(seen.kv.key.clone());
            }
        }
        for (at, (kv, deleted)) in changes.iter().enumerate() {
            // A change that its own transaction undoes can be lost to a compaction.
            let again = changes[at + 1..].iter().any(|(later, _)| later.key == kv.key);
            let missed = |watcher: &Reach<'_>| watcher.misses(&kv.key, revision, *deleted);
            if !again && self.watchers.iter().any(missed) {
                against.keys.push(kv.key.clone());
            }
        }
        self.stands(model, revision, &mut against);
        against
    }

    /// What clients' copies and the services' answers say of a revision.
    fn stands(&self, model: &Model, revision: i64, against: &mut Against) {
        for view in self.views.get(&revision).into_iter().flatten() {
            let held = view.pairs.iter().map(|(key, revision)| (&key[..], *revision));
            let there: Vec<KeyValue> = model.scan(&view.keys.0, &view.keys.1, revision).collect();
            let there = there.iter().map(|kv| (&kv.key[..], kv.mod_revision));
            let held: BTreeSet<(&[u8], i64)> = held.collect();
            let there: BTreeSet<(&[u8], i64)> = there.collect();
            let differing = held.symmetric_difference(&there);
            against.keys.extend(differing.map(|(key, _)| Bytes::copy_from_slice(key)));
        }
        for standing in self.standings.get(&revision).into_iter().flatten() {
            against.all |= !standing.holds(model);
        }
    }
}

impl Seen {
    fn is(&self, kv: &KeyValue, deleted: bool) -> bool {
        deleted == self.deleted
            && kv.key == self.kv.key
            && (deleted || answer::is_same_pair(Some(kv), Some(&self.kv)))
    }
}
