//! A store written for checking verdicts: as simple as possible, and slow. It keeps every version of every key. It
//! shares no code with `execute`, so a mistake there does not repeat here.

use std::collections::BTreeMap;

use crate::history::{History, Kind, Operation, Seen, UNKNOWN};
use crate::wide::{Answer, Compare, Keys, Range, Relation, Response, Step, Target, Transaction};

/// A store with all its earlier states.
pub(super) struct Store {
    /// The newest revision.
    pub(super) revision: u32,
    /// The revision of the empty store at the start.
    base: u32,
    /// By key: pairs of a revision and what the key held from that revision on.
    versions: BTreeMap<u32, Vec<(u32, Seen)>>,
}

/// The keys that a transaction changed, with their new values; `None` for deleted keys.
pub(super) type Changes = BTreeMap<u32, Option<u32>>;

impl Store {
    /// An empty store at revision `base`.
    pub(super) fn new(base: u32) -> Store {
        Store { revision: base, base, versions: BTreeMap::new() }
    }

    /// What a key held at a revision.
    pub(super) fn get(&self, key: u32, revision: u32) -> Seen {
        let versions = self.versions.get(&key).map_or(&[][..], |versions| versions);
        versions.iter().rev().find(|(since, _)| *since <= revision).map_or(Seen::ABSENT, |(_, seen)| *seen)
    }

    /// All keys of an interval that existed at a revision, and what they held.
    fn held(&self, keys: Keys, revision: u32) -> BTreeMap<u32, Seen> {
        let keys = self.versions.keys().copied().filter(|key| keys.contains(*key));
        keys.map(|key| (key, self.get(key, revision))).filter(|(_, seen)| *seen != Seen::ABSENT).collect()
    }

    /// Makes a revision.
    pub(super) fn apply(&mut self, changes: &Changes) {
        for (key, value) in changes {
            let after = after(self.get(*key, self.revision), *value, self.revision + 1);
            self.versions.entry(*key).or_default().push((self.revision + 1, after));
        }
        self.revision += 1;
    }

    /// What an operation changes when it is executed on the store at a revision.
    ///
    /// # Errors
    /// If the operation has an answer and the store would have answered differently. The error says what the store
    /// would have answered.
    pub(super) fn run(
        &self,
        history: &History,
        operation: &Operation,
        revision: u32,
    ) -> Result<Changes, String> {
        let is_answered = operation.returned != UNKNOWN;
        let Some(wide) = history.wide(operation) else {
            let holds = self.get(operation.key, revision);
            let (changed, value, shows) = step(operation, holds);
            if is_answered && (operation.changed, operation.seen) != (changed, shows) {
                return Err(format!("the key holds {holds:?}"));
            }
            return Ok(if changed { Changes::from([(operation.key, value)]) } else { Changes::new() });
        };
        let mut run = Run { store: self, revision, changes: Changes::new() };
        run.transaction(&wide.request, is_answered.then_some(&wide.response))?;
        Ok(run.changes)
    }
}

/// What an operation does to a key that holds this: whether it changes it, to what, and what its answer shows.
pub(super) fn step(operation: &Operation, holds: Seen) -> (bool, Option<u32>, Seen) {
    match operation.kind {
        Kind::Put => (true, Some(operation.value), Seen::ABSENT),
        Kind::Delete => (holds != Seen::ABSENT, None, Seen::ABSENT),
        Kind::Update if holds.modified == operation.expected => (true, Some(operation.value), Seen::ABSENT),
        _ => (false, None, holds),
    }
}

/// What a key that held `holds` holds after a change at this revision.
fn after(holds: Seen, value: Option<u32>, revision: u32) -> Seen {
    let created = if holds == Seen::ABSENT { revision } else { holds.created };
    value.map_or(Seen::ABSENT, |value| Seen::new(value, revision, created, holds.version + 1))
}

/// A transaction that is being executed on the store at `revision`.
struct Run<'a> {
    store: &'a Store,
    revision: u32,
    /// What it has changed so far.
    changes: Changes,
}

impl Run<'_> {
    /// Executes a transaction, or one nested in it. The error says what the store would have answered.
    fn transaction(&mut self, request: &Transaction, response: Option<&Response>) -> Result<(), String> {
        let succeeded = request.compares.iter().all(|compare| self.holds(compare));
        if response.is_some_and(|response| response.succeeded != succeeded) {
            return Err(format!("the result of its compares should be {succeeded}"));
        }
        let steps = if succeeded { &request.success } else { &request.failure };
        for (at, step) in steps.iter().enumerate() {
            self.step(step, response.map(|response| &response.answers[at]))?;
        }
        Ok(())
    }

    /// Whether a compare holds.
    fn holds(&self, compare: &Compare) -> bool {
        let mut held: Vec<Seen> = self.store.held(compare.keys, self.revision).into_values().collect();
        if held.is_empty() {
            held.push(Seen::ABSENT);
        }
        held.into_iter().all(|seen| {
            let (number, wanted) = match compare.target {
                Target::Value(_) if seen == Seen::ABSENT => return false,
                Target::Value(wanted) => (seen.value, wanted),
                Target::Version(wanted) => (seen.version, wanted),
                Target::Created(wanted) => (seen.created, wanted),
                Target::Modified(wanted) => (seen.modified, wanted),
            };
            match compare.relation {
                Relation::Equal => number == wanted,
                Relation::NotEqual => number != wanted,
                Relation::Less => number < wanted,
                Relation::Greater => number > wanted,
            }
        })
    }

    /// Executes one step. The error is as in [`Run::transaction`].
    fn step(&mut self, step: &Step, answer: Option<&Answer>) -> Result<(), String> {
        match step {
            Step::Nested(request) => {
                let response = match answer {
                    Some(Answer::Nested(response)) => Some(response),
                    _ => None,
                };
                self.transaction(request, response)
            }
            Step::Range(range) => self.range(range, answer),
            Step::Put { key, value } => {
                let holds = self.held(Keys::one(*key)).get(key).copied().unwrap_or(Seen::ABSENT);
                if value.is_none() && holds == Seen::ABSENT {
                    return Err(format!("key {key}, whose value it should keep, does not exist"));
                }
                self.changes.insert(*key, Some(value.unwrap_or(holds.value)));
                match answer {
                    Some(Answer::Put(Some(shows))) if *shows != holds => {
                        Err(format!("key {key} held {holds:?}"))
                    }
                    _ => Ok(()),
                }
            }
            Step::Delete(keys) => {
                let held = self.held(*keys);
                self.changes.extend(held.keys().map(|key| (*key, None)));
                match answer {
                    Some(Answer::Delete { deleted, previous })
                        if *deleted as usize != held.len()
                            || previous.as_ref().is_some_and(|previous| !is_all(previous, &held)) =>
                    {
                        Err(format!("it deleted {held:?}"))
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// What the keys of an interval hold after the steps so far.
    fn held(&self, keys: Keys) -> BTreeMap<u32, Seen> {
        let mut held = self.store.held(keys, self.revision);
        for (key, value) in self.changes.iter().filter(|(key, _)| keys.contains(**key)) {
            let holds = self.store.get(*key, self.revision);
            held.insert(*key, after(holds, *value, self.revision + 1));
        }
        held.retain(|_, seen| *seen != Seen::ABSENT);
        held
    }

    /// Checks the answer to a range. The error is as in [`Run::transaction`].
    fn range(&self, range: &Range, answer: Option<&Answer>) -> Result<(), String> {
        if range.at.is_some_and(|at| at > self.revision) {
            return Err(format!("it reads a revision after {}", self.revision));
        }
        if range.at.is_some_and(|at| at < self.store.base) {
            return Ok(());
        }
        let Some(Answer::Range { pairs, complete, count, more }) = answer else { return Ok(()) };
        let held = range.at.map_or_else(|| self.held(range.keys), |at| self.store.held(range.keys, at));
        // Without the values, if the request did not ask for them.
        let without = |seen: Seen| if range.keys_only { Seen { value: 0, ..seen } } else { seen };
        let held: BTreeMap<u32, Seen> = held.into_iter().map(|(key, seen)| (key, without(seen))).collect();
        let given: Vec<(u32, Seen)> = pairs.iter().map(|(key, seen)| (*key, without(*seen))).collect();
        let limit = match range.limit {
            _ if range.count_only => 0,
            0 => held.len(),
            limit => limit as usize,
        };
        let first: BTreeMap<u32, Seen> = held.iter().take(limit).map(|(key, seen)| (*key, *seen)).collect();
        let is_left_out = !range.count_only && held.len() > limit;
        let are_right = if *complete {
            is_all(&given, &first)
        } else {
            given.iter().all(|(key, seen)| held.get(key) == Some(seen))
        };
        if are_right
            && count.is_none_or(|count| count as usize == held.len())
            && more.is_none_or(|more| more == is_left_out)
        {
            return Ok(());
        }
        Err(format!("it should show {first:?} of {}", held.len()))
    }
}

/// Whether an answer shows exactly these keys, each once.
fn is_all(given: &[(u32, Seen)], held: &BTreeMap<u32, Seen>) -> bool {
    given.len() == held.len() && given.iter().all(|(key, seen)| held.get(key) == Some(seen)) && {
        let keys: BTreeMap<u32, ()> = given.iter().map(|(key, _)| (*key, ())).collect();
        keys.len() == given.len()
    }
}
