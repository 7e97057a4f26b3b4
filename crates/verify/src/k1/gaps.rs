//! Without evidence: which of the unanswered writes made the revisions that no answer acknowledges.
//!
//! A backtracking search in the order of revisions. What watchers received of a revision usually leaves one choice.
//! The search is exact if it ends; if nobody watched, and many unanswered writes touch keys that are seldom read, it
//! runs out of budget and nothing is decided.

use std::collections::BTreeMap;

use api::mvccpb::KeyValue;
use api::mvccpb::event::EventType;
use api::{Request, Response};
use bytes::Bytes;
use record::{History, WatchStream};

use super::order::Step;
use super::place::Position;
use super::realtime::Window;
use super::replay::Replay;
use crate::answer;

/// Steps of replay that the search may take: a few seconds.
const BUDGET: u64 = 10_000_000;
/// Steps that one trial counts for: it rewinds the model key by key.
const TRIAL: u64 = 20;

/// How the search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Every revision is explained by these steps.
    All(Vec<Step>),
    /// There is no explanation. These steps explain as much as possible.
    Impossible(Vec<Step>),
    /// The budget ran out.
    OutOfBudget,
}

/// A revision that some operation must have made, and the search's choice for it.
struct Gap {
    revision: i64,
    /// The step at which it was found missing.
    at: usize,
    /// The next open operation to try.
    next: usize,
    chosen: Option<usize>,
}

/// Explains the revisions that no step makes by operations whose outcome is open.
///
/// What watchers received is believed first. If that leads nowhere it is ignored: the oracles of watches and of the
/// store then say which of them is wrong.
pub fn fill(history: &History, shown: &[WatchStream], steps: &[Step], open: &[Window], start: i64) -> Filled {
    let shown = Shown::of(history.watches.iter().chain(shown));
    let believed = search(history, steps, open, start, &shown);
    if shown.0.is_empty() || matches!(believed, Filled::All(_)) {
        return believed;
    }
    search(history, steps, open, start, &Shown::default())
}

fn search(history: &History, steps: &[Step], open: &[Window], start: i64, shown: &Shown) -> Filled {
    // A compaction makes no revision, and the replay's model must not be compacted.
    let compacts = |window: &&Window| {
        matches!(history.operations[window.operation as usize].request, Request::Compact(_))
    };
    let open: Vec<Window> = open.iter().filter(|window| !compacts(window)).copied().collect();
    let mut gaps: Vec<Gap> = Vec::new();
    let mut used = vec![false; open.len()];
    let mut best = (0, Vec::new());
    let facts = Facts::of(history, steps, start);
    let mut replay = Replay::new(history, start);
    let mut at = 0;
    let mut budget = BUDGET;
    loop {
        let mut missing = None;
        while at < steps.len() {
            missing = replay.missing(&steps[at]);
            if missing.is_some() || replay.take(&steps[at]).is_err() {
                break;
            }
            at += 1;
            budget = budget.saturating_sub(1);
            if budget == 0 {
                return Filled::OutOfBudget;
            }
        }
        let chosen = || gaps.iter().filter_map(|gap| Some(step(gap.revision, &open[gap.chosen?]))).collect();
        if at == steps.len() {
            return Filled::All(chosen());
        }
        if at > best.0 {
            best = (at, chosen());
        }
        if let Some(revision) = missing {
            gaps.push(Gap { revision, at, next: 0, chosen: None });
        }
        // The next choice for the last gap that still has one.
        at = loop {
            let Some(gap) = gaps.last_mut() else { return Filled::Impossible(best.1) };
            if let Some(chosen) = gap.chosen.take() {
                used[chosen] = false;
            }
            let candidate = (gap.next..open.len()).find(|candidate| {
                if used[*candidate] || open[*candidate].floor.position >= Position::making(gap.revision) {
                    return false;
                }
                budget = budget.saturating_sub(1);
                let request = &history.operations[open[*candidate].operation as usize].request;
                if !shown.allow(request, gap.revision) {
                    return false;
                }
                budget = budget.saturating_sub(TRIAL);
                replay.model.rewind(gap.revision - 1);
                replay.take(&step(gap.revision, &open[*candidate])).is_ok()
                    && facts.hold(&replay, gap.revision)
                    && shown.hold(&replay, gap.revision)
            });
            if budget == 0 {
                return Filled::OutOfBudget;
            }
            match candidate {
                Some(candidate) => {
                    used[candidate] = true;
                    (gap.chosen, gap.next) = (Some(candidate), candidate + 1);
                    break gap.at;
                }
                None => drop(gaps.pop()),
            }
        };
    }
}

fn step(revision: i64, window: &Window) -> Step {
    Step { position: Position::making(revision), rank: 0, operation: window.operation }
}

/// What was seen of the revisions that no answer acknowledges.
struct Facts(Vec<KeyValue>);

impl Facts {
    fn of(history: &History, steps: &[Step], start: i64) -> Facts {
        let makes = |revision: i64| {
            steps.binary_search_by_key(&Position::making(revision), |step| step.position).is_ok()
        };
        let mut seen = Vec::new();
        let mut note = |kv: &KeyValue| {
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
            pairs.filter(|pair| !hides || !pair.value.is_empty()).for_each(&mut note);
        }
        seen.sort_by(|a, b| (a.mod_revision, &a.key).cmp(&(b.mod_revision, &b.key)));
        seen.dedup();
        Facts(seen)
    }

    /// Whether the model, which has just made this revision, agrees with what was seen of it.
    fn hold(&self, replay: &Replay<'_>, revision: i64) -> bool {
        let first = self.0.partition_point(|kv| kv.mod_revision < revision);
        let of_revision = self.0[first..].iter().take_while(|kv| kv.mod_revision == revision);
        of_revision
            .into_iter()
            .all(|kv| answer::is_same_pair(replay.model.get(&kv.key, revision).as_ref(), Some(kv)))
    }
}

/// What watchers received, by revision and key: the value that was put, or that the key was deleted.
#[derive(Default)]
struct Shown(BTreeMap<i64, BTreeMap<Bytes, Option<Bytes>>>);

impl Shown {
    fn of<'a>(streams: impl Iterator<Item = &'a WatchStream>) -> Shown {
        let mut shown: BTreeMap<i64, BTreeMap<Bytes, Option<Bytes>>> = BTreeMap::new();
        let events = streams.flat_map(|stream| &stream.received);
        for event in events.flat_map(|(_, response)| &response.events) {
            let Some(kv) = &event.kv else { continue };
            let value = (event.r#type == EventType::Put as i32).then(|| kv.value.clone());
            shown.entry(kv.mod_revision).or_default().insert(kv.key.clone(), value);
        }
        Shown(shown)
    }

    /// Whether a request can have made a revision, as far as can be seen without executing it.
    fn allow(&self, request: &Request, revision: i64) -> bool {
        let Some(changes) = self.0.get(&revision) else { return true };
        match request {
            Request::Put(put) if !put.ignore_value => {
                changes.len() == 1 && changes.get(&put.key) == Some(&Some(put.value.clone()))
            }
            Request::DeleteRange(_) => changes.values().all(Option::is_none),
            _ => true,
        }
    }

    /// Whether the model, which has just made this revision, did what watchers received of it.
    fn hold(&self, replay: &Replay<'_>, revision: i64) -> bool {
        let Some(changes) = self.0.get(&revision) else { return true };
        changes.iter().all(|(key, value)| {
            let kv = replay.model.get(key, revision);
            match (kv, value) {
                (Some(kv), Some(value)) => kv.mod_revision == revision && kv.value == *value,
                (None, None) => true,
                _ => false,
            }
        })
    }
}
