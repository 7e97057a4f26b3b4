//! Finds, for a revision that no answer acknowledged, the operation of unknown outcome that made it.
//!
//! The evidence shows what the revision did. Its *candidates* are the operations of unknown outcome that could have
//! done exactly that, as long as they have not been taken for another revision. An *effect* is one change that a
//! candidate could make, such as "sets key 7 to 3"; candidates are found by their effects. A *class* is all candidates
//! with the same effect and the same request. They can stand in for each other, and the one called first is always as
//! good as any other, because it may have made every revision that the others may have made.
//!
//! Candidates with different requests can have the same effect: a put, and a put on a condition. If several classes
//! fit, one is *chosen*, and a later contradiction may come from that choice.

#![allow(
    clippy::disallowed_types,
    reason = "values are looked up in the maps, which are never walked, and hashed without a seed"
)]

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::evidence::Change;
use crate::history::{History, Kind, Operation};
use crate::wide::{Step, Transaction};

/// Stands for no candidate, and for no class.
const NONE: u32 = u32::MAX;

/// All candidates, by class.
#[derive(Debug)]
pub(crate) struct Unknowns {
    /// One entry for each effect of each candidate, in the order of calls.
    unknown: Vec<Unknown>,
    /// The first class of each effect.
    heads: HashMap<Effect, u32, Unseeded>,
    classes: Vec<Class>,
    /// By [`Unknown::owner`]: whether the operation was taken for a revision.
    taken: Vec<Taken>,
    /// How many more classes may be looked at, for all revisions together. This keeps the total time linear.
    budget: u64,
}

/// The hash function of the maps here.
type Unseeded = BuildHasherDefault<Mixer>;

/// The operations of unknown outcome, while they are collected from a history.
#[derive(Debug, Default)]
pub(crate) struct Collected<'a> {
    unknown: Vec<Unknown>,
    /// How many operations there are so far. An *owner* is the number of one of them.
    owners: u32,
    /// The requests of wide operations, numbered so that equal requests have equal numbers.
    requests: HashMap<&'a Transaction, u32, Unseeded>,
}

/// One effect that a candidate may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Effect {
    /// Sets a key to a value, or deletes it.
    Change(u32, Option<u32>),
    /// Sets a key to the value it has already (etcd's `ignore_value`).
    Keep(u32),
    /// Deletes many keys. These are not listed one by one.
    Broad,
}

/// The candidates with the same effect and the same request.
#[derive(Clone, Copy, Debug)]
struct Class {
    /// As in [`Unknown`].
    request_code: u64,
    /// The first candidate that has perhaps not been taken yet, and the last one; indices in [`Unknowns::unknown`].
    first: u32,
    last: u32,
    /// The next class with the same effect.
    next: u32,
    /// Whether one of its candidates was chosen, see [`Taken::Chosen`].
    chosen: bool,
}

/// Whether a candidate was taken for a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// It was not taken.
    Not,
    /// It was taken, and only operations with the same request can have made the revision instead.
    Certainly,
    /// It was taken, but a candidate with another request could have made the revision instead.
    Chosen,
}

/// An operation of unknown outcome, with one of its effects.
#[derive(Clone, Copy, Debug)]
struct Unknown {
    /// The operation's index in the history.
    number: u32,
    /// The next candidate of the same class: its index in [`Unknowns::unknown`].
    next: u32,
    /// When the operation was called.
    call: u64,
    effect: Effect,
    /// The kind and the condition as a number: equal for equal requests.
    request_code: u64,
    /// The operation's number among those of unknown outcome.
    owner: u32,
}

/// Whether a candidate may have made a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum May {
    /// It may have made this revision.
    Yes,
    /// It cannot have made this revision.
    No,
    /// It cannot have made this revision or any later one.
    Never,
}

/// The candidate found for a revision.
#[derive(Debug)]
pub(crate) enum Found {
    /// This one is taken. `ambiguous` if others with different requests could have made the revision instead.
    One { number: u32, ambiguous: bool },
    /// None can have made it. `ambiguous` if one could have, had it not been chosen for an earlier revision.
    None { ambiguous: bool },
    /// Finding out would take too long.
    TooMany,
}

impl<'a> Collected<'a> {
    /// A deletion of more keys than this is a candidate for every deletion.
    const BROAD: u32 = 16;

    /// Adds all effects of an operation.
    pub(crate) fn push(&mut self, history: &'a History, operation: &Operation, number: u32) {
        let (owner, call) = (self.owners, operation.call);
        self.owners += 1;
        let Some(wide) = history.wide(operation) else {
            let request_code = u64::from(operation.expected) << 8 | operation.kind as u64;
            let effect = Effect::Change(operation.key, operation.sets());
            return self.unknown.push(Unknown { number, next: NONE, call, effect, request_code, owner });
        };
        let count = self.requests.len() as u32;
        let request = *self.requests.entry(&wide.request).or_insert(count);
        let request_code = u64::from(request) << 8 | Kind::Transaction as u64;
        let mut effects = effects(&wide.request);
        // Both branches may have the same effect, but an operation is a candidate for it only once.
        effects.sort_unstable();
        effects.dedup();
        let unknown = |effect| Unknown { number, next: NONE, call, effect, request_code, owner };
        self.unknown.extend(effects.into_iter().map(unknown));
    }
}

/// All effects that a transaction may have.
fn effects(request: &Transaction) -> Vec<Effect> {
    let mut effects = Vec::new();
    request.each(&mut |step| match step {
        Step::Put { key, value: Some(value) } => effects.push(Effect::Change(*key, Some(*value))),
        Step::Put { key, value: None } => effects.push(Effect::Keep(*key)),
        Step::Delete(keys) if keys.to.saturating_sub(keys.from) > Collected::BROAD => {
            effects.push(Effect::Broad)
        }
        Step::Delete(keys) => effects.extend((keys.from..keys.to).map(|key| Effect::Change(key, None))),
        Step::Range(_) | Step::Nested(_) => {}
    });
    effects
}

impl Unknowns {
    /// Sorts the collected operations into classes.
    pub(crate) fn new(collected: Collected<'_>) -> Unknowns {
        let Collected { mut unknown, owners, .. } = collected;
        if !unknown.is_sorted_by_key(|unknown| unknown.call) {
            unknown.sort_by_key(|unknown| unknown.call);
        }
        let heads = HashMap::with_capacity_and_hasher(unknown.len(), Unseeded::default());
        let budget = 64 * unknown.len() as u64 + 1024;
        let taken = vec![Taken::Not; owners as usize];
        let classes = Vec::with_capacity(unknown.len());
        let mut unknowns = Unknowns { unknown, heads, classes, taken, budget };
        // All classes except the first of each effect.
        let mut others = HashMap::with_hasher(Unseeded::default());
        for place in 0..unknowns.unknown.len() as u32 {
            unknowns.classify(place, &mut others);
        }
        unknowns
    }

    /// Puts a candidate into its class. Candidates come in the order of their calls.
    fn classify(&mut self, place: u32, others: &mut HashMap<(Effect, u64), u32, Unseeded>) {
        let Unknown { effect, request_code, .. } = self.unknown[place as usize];
        let new = self.classes.len() as u32;
        let head = *self.heads.entry(effect).or_insert(new);
        let is_first = head == new || self.classes[head as usize].request_code == request_code;
        let class = if is_first { head } else { *others.entry((effect, request_code)).or_insert(new) };
        if class != new {
            let class = &mut self.classes[class as usize];
            self.unknown[class.last as usize].next = place;
            class.last = place;
            return;
        }
        self.classes.push(Class { request_code, first: place, last: place, next: NONE, chosen: false });
        if !is_first {
            let head = &mut self.classes[head as usize];
            let next = std::mem::replace(&mut head.next, new);
            self.classes[new as usize].next = next;
        }
    }

    /// Takes a candidate that made all changes of a revision: of those for which `may` says yes, the one called first.
    pub(crate) fn take(
        &mut self,
        history: &History,
        shown: &[Change],
        may: impl Fn(&Operation) -> May,
    ) -> Found {
        // An operation that made all changes made each of them, so one is enough to find it. A change that sets a value
        // is best, because few candidates set a key to a given value.
        let change = shown.iter().find(|change| change.value.is_some()).unwrap_or(&shown[0]);
        let other = if change.value.is_some() { Effect::Keep(change.key) } else { Effect::Broad };
        let mut candidates = Candidates::default();
        for effect in [Effect::Change(change.key, change.value), other] {
            if self.look_through(effect, history, &may, &mut candidates).is_none() {
                return Found::TooMany;
            }
        }
        // If there is none, an operation that was chosen for an earlier revision may have made this one.
        let Some((_, place)) = candidates.best else { return Found::None { ambiguous: candidates.chosen } };
        let Unknown { number, owner, .. } = self.unknown[place as usize];
        let ambiguous = candidates.chosen || candidates.ambiguous;
        self.taken[owner as usize] = if ambiguous { Taken::Chosen } else { Taken::Certainly };
        Found::One { number, ambiguous }
    }

    /// Looks through the classes of an effect; `None` if that takes too long.
    fn look_through(
        &mut self,
        effect: Effect,
        history: &History,
        may: &impl Fn(&Operation) -> May,
        candidates: &mut Candidates,
    ) -> Option<()> {
        let mut before: Option<u32> = None;
        let mut at = self.heads.get(&effect).copied().unwrap_or(NONE);
        while at != NONE {
            self.budget = self.budget.checked_sub(1)?;
            let class = &mut self.classes[at as usize];
            while let Some(first) = self.unknown.get(class.first as usize) {
                match self.taken[first.owner as usize] {
                    Taken::Not => break,
                    Taken::Certainly => {}
                    Taken::Chosen => class.chosen = true,
                }
                class.first = first.next;
            }
            let Class { first: place, next, chosen, .. } = *class;
            candidates.chosen |= chosen;
            let mut is_useless = place == NONE;
            if let Some(first) = self.unknown.get(place as usize) {
                match may(&history.operations()[first.number as usize]) {
                    May::Yes => candidates.add(first.request_code, first.call, place),
                    May::No => {}
                    May::Never => is_useless = true,
                }
            }
            // Unlink classes that can never match again.
            match before {
                Some(before) if is_useless && !chosen => self.classes[before as usize].next = next,
                None if is_useless && !chosen && next != NONE => {
                    self.heads.insert(effect, next);
                }
                _ => before = Some(at),
            }
            at = next;
        }
        Some(())
    }
}

/// The candidates found for a revision.
#[derive(Debug, Default)]
struct Candidates {
    /// The call and the index in [`Unknowns::unknown`] of the one called first.
    best: Option<(u64, u32)>,
    /// The request of the first one found.
    request_code: Option<u64>,
    /// Whether another one has a different request.
    ambiguous: bool,
    /// Whether others would be candidates had they not been chosen for earlier revisions.
    chosen: bool,
}

impl Candidates {
    /// Adds one candidate that may have made the revision.
    fn add(&mut self, request_code: u64, call: u64, place: u32) {
        self.best = [self.best, Some((call, place))].into_iter().flatten().min();
        self.ambiguous |= *self.request_code.get_or_insert(request_code) != request_code;
    }
}

/// Whether a transaction could make these changes in some state of the store.
pub(crate) fn covers(request: &Transaction, shown: &[Change]) -> bool {
    shown.iter().all(|change| {
        let mut covers = false;
        request.each(&mut |step| {
            covers |= match (step, change.value) {
                (Step::Put { key, value }, Some(set)) => {
                    *key == change.key && value.is_none_or(|value| value == set)
                }
                (Step::Delete(keys), None) => keys.contains(change.key),
                _ => false,
            };
        });
        covers
    })
}

/// A hash function without a random seed, so that every run is the same: the finisher of splitmix64 (Steele, Lea, Flood
/// 2014).
#[derive(Clone, Copy, Debug, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0.rotate_left(32) ^ number).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.0 = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 ^= self.0 >> 31;
    }
}
