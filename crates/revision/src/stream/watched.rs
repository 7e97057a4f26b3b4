//! The store as the watch of a [`Stream`](super::Stream) shows it, and the answers that are judged against it.
//!
//! The watch may be behind the answers or ahead of them. So some answers must wait for the watch, and some revisions
//! for an answer:
//!
//! * An answer with a revision that the watch has not reached waits until the watch gets there.
//! * A revision that was shown but not acknowledged by an answer is *open*. It waits for the answer of the operation
//!   that made it. When no answer can come any more, a lost operation (one of unknown outcome) must have made it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{InFlight, Position, Retained};
use crate::check::{is_allowed, would_change};
use crate::evidence::Change;
use crate::history::{Operation, Seen};
use crate::verdict::{Reason, Undecided, Violation};

type Result<T> = std::result::Result<T, Box<Violation>>;

/// What a change does: its key, and the value that it sets; `None` for a deletion.
type Effect = (u32, Option<u32>);

/// The store as the watch shows it, and the answers and revisions that wait.
#[derive(Debug)]
pub(super) struct Watched {
    /// The revision up to which every change is known.
    cursor: u32,
    /// The oldest revision at which it is known what keys held.
    oldest: u32,
    /// What the watch showed of revisions after the cursor, and whether the store made them itself.
    shown: BTreeMap<u32, (Vec<Change>, bool)>,
    /// For revisions after the cursor: the operation whose answer says that it made the revision, and its number.
    makers: BTreeMap<u32, (u32, Operation)>,
    /// For revisions after the cursor: the operations whose answers say that they saw the revision, and their numbers.
    readers: BTreeMap<u32, Vec<(u32, Operation)>>,
    /// Revisions that were shown and not acknowledged by an answer.
    open: BTreeMap<u32, Open>,
    /// Writes in flight: the effect, the floor (see [`InFlight::floor`]) and the number of each.
    in_flight: BTreeSet<(Effect, Position, u32)>,
    /// Writes of unknown outcome, by effect.
    unknown: BTreeMap<Effect, Vec<InFlight>>,
    /// How many operations there are in `unknown`.
    unknown_count: usize,
    /// By key: pairs of a revision and what the key held from that revision on.
    versions: BTreeMap<u32, VecDeque<(u32, Seen)>>,
    /// Revision and key of all those versions, in the order of revisions.
    recent: VecDeque<(u32, u32)>,
    /// Effects for which a lost operation was chosen although another one on a different condition fitted too.
    chosen: BTreeSet<Effect>,
    /// Why the verdict may be undecided.
    pub(super) undecided: Undecided,
    /// How many revisions the store made itself.
    store_made: u32,
}

/// A revision that no answer has acknowledged so far.
#[derive(Debug)]
struct Open {
    /// What the watch showed of it.
    changes: Vec<Change>,
    /// What the key of the first change held before it.
    before: Seen,
}

/// A violation as an error.
fn violation<T>(operations: Vec<u32>, reason: Reason) -> Result<T> {
    Err(Box::new(Violation { operations, reason }))
}

impl Watched {
    /// The empty store at revision `base`.
    pub(super) fn new(base: u32) -> Watched {
        Watched {
            cursor: base,
            oldest: base,
            shown: BTreeMap::new(),
            makers: BTreeMap::new(),
            readers: BTreeMap::new(),
            open: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            unknown: BTreeMap::new(),
            unknown_count: 0,
            versions: BTreeMap::new(),
            recent: VecDeque::new(),
            chosen: BTreeSet::new(),
            undecided: Undecided::default(),
            store_made: 0,
        }
    }

    /// Records that an operation was called.
    pub(super) fn called(&mut self, in_flight: &InFlight) {
        if in_flight.operation.is_write() {
            self.in_flight.insert((effect(&in_flight.operation), in_flight.floor, in_flight.number));
        }
    }

    /// Records that an operation is no longer in flight.
    pub(super) fn landed(&mut self, in_flight: &InFlight) {
        self.in_flight.remove(&(effect(&in_flight.operation), in_flight.floor, in_flight.number));
    }

    /// Records that an operation will get no answer.
    pub(super) fn lost(&mut self, in_flight: InFlight) {
        if in_flight.operation.is_write() {
            self.unknown.entry(effect(&in_flight.operation)).or_default().push(in_flight);
            self.unknown_count += 1;
        }
    }

    /// Judges an answer, or keeps it until the watch reaches its revision.
    pub(super) fn answered(&mut self, number: u32, operation: Operation) -> Result<()> {
        let revision = operation.revision;
        let is_reached = revision <= self.cursor;
        if !operation.is_change() {
            if is_reached {
                return self.read(number, &operation);
            }
            self.readers.entry(revision).or_default().push((number, operation));
            return Ok(());
        }
        if !is_reached {
            return match self.makers.insert(revision, (number, operation)) {
                Some((other, _)) => violation(vec![other, number], Reason::MadeTwice { revision }),
                None => Ok(()),
            };
        }
        match self.open.remove(&revision) {
            Some(Open { changes, before }) => made(number, &operation, &changes, before),
            None => violation(vec![number], Reason::MadeTwice { revision }),
        }
    }

    /// Records what the watch showed of a revision.
    pub(super) fn shown(&mut self, revision: u32, changes: Vec<Change>, by_store: bool) -> Result<()> {
        if changes.is_empty() || revision <= self.cursor {
            return Ok(());
        }
        let mut changes = changes;
        changes.sort_unstable();
        changes.dedup();
        let is_possible = changes.windows(2).all(|pair| pair[0].key != pair[1].key);
        if !is_possible {
            return violation(Vec::new(), Reason::Phantom { revision });
        }
        self.store_made += u32::from(by_store);
        self.shown.insert(revision, (changes, by_store));
        Ok(())
    }

    /// Carries out all revisions that are known now. Then decides which lost operations made the open revisions before
    /// the floor: no answer for those can come any more. Forgets what keys held before the revision `oldest`.
    pub(super) fn proceed(&mut self, floor: Position, oldest: u32) -> Result<()> {
        while let Some((changes, by_store)) = self.next() {
            self.advance(changes, by_store)?;
        }
        self.decide(floor)?;
        self.prune(oldest.min(self.cursor));
        Ok(())
    }

    /// What the next revision did, and whether the store made it. It is known if the watch showed the revision, or if
    /// the watch showed a later one and an answer acknowledged this one.
    fn next(&mut self) -> Option<(Vec<Change>, bool)> {
        let (first, _) = self.shown.first_key_value()?;
        if *first == self.cursor + 1 {
            return self.shown.pop_first().map(|(_, shown)| shown);
        }
        self.acknowledged()
    }

    /// What the next revision did according to the answer that acknowledged it, if there is one.
    fn acknowledged(&self) -> Option<(Vec<Change>, bool)> {
        let revision = self.cursor.checked_add(1)?;
        let (_, maker) = self.makers.get(&revision)?;
        let (key, value) = effect(maker);
        Some((vec![Change { revision, key, value }], false))
    }

    /// Carries out the next revision, and judges the answers that waited for it.
    fn advance(&mut self, changes: Vec<Change>, by_store: bool) -> Result<()> {
        let revision = self.cursor + 1;
        let before = self.held(changes[0].key, self.cursor);
        // Whether something deletes a key that is not there. The store itself never does that.
        let is_idle = |change: &Change| change.value.is_none() && self.now(change.key).is_absent();
        let is_idle = changes.iter().any(is_idle);
        match (self.makers.remove(&revision), by_store) {
            (Some((number, _)), true) => return violation(vec![number], Reason::MadeByStore { revision }),
            (Some((number, operation)), false) => made(number, &operation, &changes, before)?,
            (None, true) if is_idle => return violation(Vec::new(), Reason::Phantom { revision }),
            (None, true) => {}
            (None, false) => {
                self.open.insert(revision, Open { changes: changes.clone(), before });
            }
        }
        for Change { key, value, .. } in changes {
            let holds = self.now(key).after(revision, value);
            self.versions.entry(key).or_default().push_back((revision, holds));
            self.recent.push_back((revision, key));
        }
        self.cursor = revision;
        for (number, operation) in self.readers.remove(&revision).unwrap_or_default() {
            self.read(number, &operation)?;
        }
        Ok(())
    }

    /// What a key holds at the cursor.
    fn now(&self, key: u32) -> Seen {
        let versions = self.versions.get(&key).and_then(VecDeque::back);
        versions.map_or(Seen::ABSENT, |(_, seen)| *seen)
    }

    /// What a key held at a revision.
    fn held(&self, key: u32, revision: u32) -> Seen {
        let Some(versions) = self.versions.get(&key) else { return Seen::ABSENT };
        let mut back = versions.iter().rev();
        back.find(|(since, _)| *since <= revision).map_or(Seen::ABSENT, |(_, seen)| *seen)
    }

    /// Judges an answer to an operation that changed nothing, at a revision that the watch has reached.
    fn read(&mut self, number: u32, operation: &Operation) -> Result<()> {
        let revision = operation.revision;
        if revision < self.oldest {
            // A serializable read of a state that is no longer kept.
            self.undecided.forgotten += 1;
            return Ok(());
        }
        let (holds, shows) = (self.held(operation.key, revision), operation.seen);
        if would_change(operation, holds) {
            return violation(vec![number], Reason::Condition { revision, holds });
        }
        if holds != shows {
            return violation(vec![number], Reason::Wrong { revision, holds, shows });
        }
        Ok(())
    }

    /// Finds the lost operations that made open revisions, where no operation in flight can have made them.
    fn decide(&mut self, floor: Position) -> Result<()> {
        let mut after = 0;
        while let Some((revision, open)) = self.open.range(after..).next() {
            let (revision, first) = (*revision, open.changes[0]);
            let position = Position::of_change(revision);
            if floor <= position {
                return Ok(());
            }
            after = revision.saturating_add(1);
            let effect = (first.key, first.value);
            let oldest = self.in_flight.range((effect, Position::of_change(0), 0)..).next();
            let may_be_acknowledged =
                oldest.is_some_and(|(other, floor, _)| *other == effect && *floor <= position);
            if !may_be_acknowledged {
                self.take(revision, effect)?;
            }
            // This was the last possible revision; there is none after it.
            if after == u32::MAX {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes a lost operation for a revision. Any that fits will do: those that remain can make a later revision.
    fn take(&mut self, revision: u32, effect: Effect) -> Result<()> {
        let open = self.open.remove(&revision).expect("it is open");
        let empty = &mut Vec::new();
        let lost = self.unknown.get_mut(&effect).unwrap_or(empty);
        let may = |in_flight: &InFlight| {
            let is_single = open.changes.len() == 1;
            let in_time = in_flight.floor <= Position::of_change(revision);
            is_single && in_time && is_allowed(&in_flight.operation, open.before)
        };
        let Some(at) = lost.iter().position(may) else {
            // With another choice for an earlier revision, an operation that fits might be left.
            if self.chosen.contains(&effect) {
                self.undecided.ambiguous = true;
                return Ok(());
            }
            return violation(Vec::new(), Reason::Phantom { revision });
        };
        let request = |in_flight: &InFlight| (in_flight.operation.kind, in_flight.operation.expected);
        let taken = lost.swap_remove(at);
        if lost.iter().any(|other| request(other) != request(&taken) && may(other)) {
            self.chosen.insert(effect);
        }
        self.unknown_count -= 1;
        if lost.is_empty() {
            self.unknown.remove(&effect);
        }
        Ok(())
    }

    /// Forgets what keys held before the oldest revision that an answer can still show.
    fn prune(&mut self, oldest: u32) {
        self.oldest = self.oldest.max(oldest);
        while let Some((revision, key)) = self.recent.front().copied().filter(|(at, _)| *at <= self.oldest) {
            self.recent.pop_front();
            let Some(versions) = self.versions.get_mut(&key) else { continue };
            while versions.front().is_some_and(|(since, _)| *since < revision) {
                versions.pop_front();
            }
            if versions.len() == 1 && versions[0].1.is_absent() {
                self.versions.remove(&key);
            }
        }
    }

    /// Forgets lost operations called before this time, unless a revision that was shown already may need them.
    pub(super) fn forget(&mut self, time: u64) {
        let open = self.open.values().map(|open| &open.changes);
        let shown = self.shown.values().map(|(changes, _)| changes);
        let all = open.chain(shown).flatten();
        let wanted: BTreeSet<Effect> = all.map(|change| (change.key, change.value)).collect();
        self.unknown.retain(|effect, lost| {
            if !wanted.contains(effect) {
                lost.retain(|in_flight| in_flight.operation.call >= time);
            }
            !lost.is_empty()
        });
        self.unknown_count = self.unknown.values().map(Vec::len).sum();
    }

    /// Judges everything that still waits, at the end of the stream. A revision that an answer acknowledged and the
    /// watch did not show is taken to have done what its operation asked for.
    pub(super) fn finish(&mut self, base: u32, operations: u32) -> Result<()> {
        self.proceed(Position::LAST, 0)?;
        let named =
            [self.shown.keys().next_back(), self.makers.keys().next_back(), self.readers.keys().next_back()];
        let last = named.into_iter().flatten().copied().max().unwrap_or(self.cursor);
        let most = base.saturating_add(operations).saturating_add(self.store_made);
        if last > most {
            return violation(Vec::new(), Reason::OutOfRange { revision: last });
        }
        while self.cursor < last {
            let shown = self.shown.remove(&(self.cursor + 1));
            let Some((changes, by_store)) = shown.or_else(|| self.acknowledged()) else {
                // Nothing is known of the store from here on.
                for revision in self.cursor + 1..=last {
                    if !self.shown.contains_key(&revision) && !self.makers.contains_key(&revision) {
                        self.undecided.add(revision);
                    }
                }
                break;
            };
            self.advance(changes, by_store)?;
        }
        self.decide(Position::LAST)
    }

    /// How many items are retained here. Operations in flight are counted by the stream.
    pub(super) fn retained(&self) -> Retained {
        let readers: usize = self.readers.values().map(Vec::len).sum();
        Retained {
            in_flight: 0,
            lost: self.unknown_count,
            waiting: readers + self.makers.len() + self.shown.len() + self.open.len(),
            versions: self.recent.len() + self.versions.len(),
        }
    }
}

/// What an operation does to its key, if it changes the key.
fn effect(operation: &Operation) -> Effect {
    (operation.key, operation.sets())
}

/// Checks that an operation made a revision as it was shown, given what its key held before.
fn made(number: u32, operation: &Operation, changes: &[Change], before: Seen) -> Result<()> {
    let revision = operation.revision;
    let is_shown = changes.len() == 1 && effect(operation) == (changes[0].key, changes[0].value);
    if !is_shown {
        return violation(vec![number], Reason::Evidence { revision });
    }
    if !is_allowed(operation, before) {
        return violation(vec![number], Reason::Condition { revision, holds: before });
    }
    Ok(())
}
