//! Executes a transaction on the store that [`crate::check()`] keeps. The result is its changes and its answer; the
//! store stays as it is.

use std::collections::BTreeMap;

use crate::history::Seen;
use crate::wide::{Answer, Compare, Keys, Range, Relation, Response, Step, Target, Transaction};

/// A store at a revision.
#[derive(Clone, Copy)]
pub(crate) struct Store<'a> {
    /// What each key holds.
    pub(crate) keys: &'a [Seen],
    /// Its newest revision.
    pub(crate) revision: u32,
    /// What keys held before.
    pub(crate) past: &'a Past,
}

/// What keys held at earlier revisions. It stays empty unless some operation reads an earlier revision.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// Whether some operation reads an earlier revision.
    is_kept: bool,
    /// By key: pairs of a revision and what the key held from that revision on.
    versions: Vec<Vec<(u32, Seen)>>,
}

impl Past {
    pub(crate) fn new(keys: usize, is_kept: bool) -> Past {
        Past { is_kept, versions: vec![Vec::new(); if is_kept { keys } else { 0 }] }
    }

    /// Records a change of a key.
    #[inline]
    pub(crate) fn push(&mut self, revision: u32, key: u32, holds: Seen) {
        if self.is_kept {
            self.versions[key as usize].push((revision, holds));
        }
    }

    /// What a key held at a revision.
    fn at(&self, revision: u32, key: u32) -> Seen {
        let versions = &self.versions[key as usize];
        let until = versions.partition_point(|(since, _)| *since <= revision);
        until.checked_sub(1).map_or(Seen::ABSENT, |last| versions[last].1)
    }
}

/// The result of a transaction.
#[derive(Debug)]
pub(crate) struct Done {
    /// The answer.
    pub(crate) response: Response,
    /// The keys it changed, and what they hold now.
    pub(crate) changes: BTreeMap<u32, Seen>,
}

/// Executes a transaction; `None` if the store would refuse it.
///
/// Ranges are answered only if `answer_ranges` is true, because they change nothing. Their answers contain all pairs;
/// [`cut`] removes those that the limit of a range leaves out.
pub(crate) fn execute(store: Store<'_>, request: &Transaction, answer_ranges: bool) -> Option<Done> {
    let mut run = Run { store, changes: BTreeMap::new(), answer_ranges };
    let response = run.transaction(request)?;
    Some(Done { response, changes: run.changes })
}

/// Whether all compares hold.
pub(crate) fn holds_all(keys: &[Seen], compares: &[Compare]) -> bool {
    compares.iter().all(|compare| {
        let mut held = within(keys, compare.keys).filter(|(_, seen)| !seen.is_absent()).peekable();
        match held.peek() {
            None => holds(compare, Seen::ABSENT),
            Some(_) => held.all(|(_, seen)| holds(compare, *seen)),
        }
    })
}

/// Whether a compare holds for a key that holds `seen`.
fn holds(compare: &Compare, seen: Seen) -> bool {
    let (held, wanted) = match compare.target {
        Target::Value(_) if seen.is_absent() => return false,
        Target::Value(wanted) => (seen.value, wanted),
        Target::Version(wanted) => (seen.version, wanted),
        Target::Created(wanted) => (seen.created, wanted),
        Target::Modified(wanted) => (seen.modified, wanted),
    };
    match compare.relation {
        Relation::Equal => held == wanted,
        Relation::NotEqual => held != wanted,
        Relation::Less => held < wanted,
        Relation::Greater => held > wanted,
    }
}

/// The keys of an interval that exist in the table.
fn within(keys: &[Seen], interval: Keys) -> impl Iterator<Item = (u32, &Seen)> {
    let to = (interval.to as usize).min(keys.len());
    let from = (interval.from as usize).min(to);
    (from as u32..).zip(&keys[from..to])
}

/// A transaction that is being executed.
struct Run<'a> {
    store: Store<'a>,
    /// The keys changed so far, and what they hold now.
    changes: BTreeMap<u32, Seen>,
    /// See [`execute`].
    answer_ranges: bool,
}

impl Run<'_> {
    /// Executes a transaction, or one nested in it. `None` if the store would refuse it.
    fn transaction(&mut self, request: &Transaction) -> Option<Response> {
        let succeeded = holds_all(self.store.keys, &request.compares);
        let steps = request.branch(succeeded).iter();
        let answers = steps.map(|step| self.step(step)).collect::<Option<_>>()?;
        Some(Response { succeeded, answers })
    }

    /// Executes one step and answers it. `None` if the store would refuse it.
    fn step(&mut self, step: &Step) -> Option<Answer> {
        Some(match step {
            Step::Range(range) => self.range(range)?,
            Step::Put { key, value } => {
                let holds = self.now(*key, self.store.keys[*key as usize]);
                if value.is_none() && holds.is_absent() {
                    return None;
                }
                let value = value.unwrap_or(holds.value);
                self.changes.insert(*key, holds.after(self.store.revision.saturating_add(1), Some(value)));
                Answer::Put(Some(holds))
            }
            Step::Delete(keys) => {
                let previous = self.held(*keys);
                self.changes.extend(previous.iter().map(|(key, _)| (*key, Seen::ABSENT)));
                Answer::Delete { deleted: previous.len() as u32, previous: Some(previous) }
            }
            Step::Nested(request) => Answer::Nested(self.transaction(request)?),
        })
    }

    /// What a key holds after the steps so far, given what it held before the transaction.
    fn now(&self, key: u32, before: Seen) -> Seen {
        if self.changes.is_empty() { before } else { self.changes.get(&key).copied().unwrap_or(before) }
    }

    /// All keys of an interval that exist after the steps so far, and what they hold.
    fn held(&self, keys: Keys) -> Vec<(u32, Seen)> {
        let now = within(self.store.keys, keys).map(|(key, before)| (key, self.now(key, *before)));
        now.filter(|(_, seen)| !seen.is_absent()).collect()
    }

    /// The answer to a range. `None` if it reads a revision that does not exist yet.
    fn range(&self, range: &Range) -> Option<Answer> {
        if range.at.is_some_and(|at| at > self.store.revision) {
            return None;
        }
        let mut pairs = match range.at {
            _ if !self.answer_ranges => Vec::new(),
            None => self.held(range.keys),
            Some(at) => {
                let then =
                    within(self.store.keys, range.keys).map(|(key, _)| (key, self.store.past.at(at, key)));
                then.filter(|(_, seen)| !seen.is_absent()).collect()
            }
        };
        if range.keys_only {
            pairs.iter_mut().for_each(|(_, seen)| seen.value = 0);
        }
        let count = Some(pairs.len() as u32);
        Some(Answer::Range { pairs, complete: true, count, more: None })
    }
}

/// How many of `count` pairs a range shows.
pub(crate) fn shown(range: &Range, count: usize) -> usize {
    match range.limit {
        _ if range.count_only => 0,
        0 => count,
        limit => count.min(limit as usize),
    }
}

/// Removes from full answers what their ranges do not show.
pub(crate) fn cut(request: &Transaction, response: &mut Response) {
    for (step, answer) in request.branch(response.succeeded).iter().zip(&mut response.answers) {
        match (step, answer) {
            (Step::Range(range), Answer::Range { pairs, more, .. }) => {
                let length = shown(range, pairs.len());
                *more = Some(!range.count_only && length < pairs.len());
                pairs.truncate(length);
            }
            (Step::Nested(request), Answer::Nested(response)) => cut(request, response),
            _ => {}
        }
    }
}
