//! Changes of unknown outcome, sorted by their possible effects.

#![allow(
    clippy::disallowed_types,
    reason = "maps are looked up in and never walked, and hashed without a seed"
)]

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::evidence::Change;
use crate::history::{History, Kind, Operation};
use crate::wide::{Step, Transaction};

/// The number that stands for no candidate.
const NONE: u32 = u32::MAX;

/// All candidates, sorted by effect, then by request, then by call. Of those with the same request the one called first
/// can stand in for any other, because its call allows every revision that a later call allows.
#[derive(Debug)]
pub(crate) struct Unknowns {
    /// In the order of their calls.
    unknown: Vec<Unknown>,
    /// The first class of each effect.
    heads: HashMap<Effect, u32, Unseeded>,
    classes: Vec<Class>,
    /// By [`Unknown::owner`].
    taken: Vec<Taken>,
    /// How many classes may still be looked at. This keeps the total time linear.
    budget: u64,
}

type Unseeded = BuildHasherDefault<Mixed>;

/// Changes of unknown outcome, as they are collected from a history.
#[derive(Debug, Default)]
pub(crate) struct Lost<'a> {
    unknown: Vec<Unknown>,
    owners: u32,
    /// The requests of wide operations, numbered, so that equal requests are recognized.
    requests: HashMap<&'a Transaction, u32, Unseeded>,
}

/// One effect that a candidate may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Effect {
    /// Sets a key to a value, or deletes it.
    Change(u32, Option<u32>),
    /// Sets a key to the value it holds already.
    Keep(u32),
    /// Deletes many keys.
    Broad,
}

/// Candidates that may have the same effect and have the same request.
#[derive(Clone, Copy, Debug)]
struct Class {
    asks: u64,
    /// The first candidate that may still be free, and the last; indices in `unknown`.
    first: u32,
    last: u32,
    /// The next class of the same effect.
    next: u32,
    /// Whether one of its candidates was taken by choice.
    by_choice: bool,
}

/// Whether a candidate is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Not,
    Certainly,
    /// Another candidate on a different condition could have been taken instead.
    ByChoice,
}

/// A change of unknown outcome, with one of its effects.
#[derive(Clone, Copy, Debug)]
struct Unknown {
    number: u32,
    /// The next one of the same class.
    next: u32,
    call: u64,
    effect: Effect,
    /// Encodes kind and condition: equal for equal requests.
    asks: u64,
    /// The number of its operation among those of unknown outcome.
    owner: u32,
}

/// Whether a candidate may have made a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum May {
    Yes,
    No,
    /// Neither this revision nor any later one.
    Never,
}

/// The candidate found for a revision.
#[derive(Debug)]
pub(crate) enum Found {
    /// This one made it. `mixed` if others on different conditions could have made it, so that the choice may be wrong.
    One { number: u32, mixed: bool },
    /// None can have made it. `mixed` if that may be because of an earlier choice.
    None { mixed: bool },
    /// Finding out would take too long.
    TooMany,
}

impl<'a> Lost<'a> {
    /// A deletion of more keys than this is a candidate for every deletion.
    const BROAD: u32 = 16;

    /// Adds all effects of an operation.
    pub(crate) fn push(&mut self, history: &'a History, operation: &Operation, number: u32) {
        let (owner, call) = (self.owners, operation.call);
        self.owners += 1;
        let Some(wide) = history.wide(operation) else {
            let asks = u64::from(operation.expected) << 8 | operation.kind as u64;
            let effect = Effect::Change(operation.key, operation.sets());
            return self.unknown.push(Unknown { number, next: NONE, call, effect, asks, owner });
        };
        let count = self.requests.len() as u32;
        let request = *self.requests.entry(&wide.request).or_insert(count);
        let asks = u64::from(request) << 8 | Kind::Transaction as u64;
        let mut effects = effects(&wide.request);
        // Both branches may have the same effect, but an operation is a candidate for it only once.
        effects.sort_unstable();
        effects.dedup();
        let unknown = |effect| Unknown { number, next: NONE, call, effect, asks, owner };
        self.unknown.extend(effects.into_iter().map(unknown));
    }
}

/// All effects that a transaction may have.
fn effects(request: &Transaction) -> Vec<Effect> {
    let mut effects = Vec::new();
    request.each(&mut |step| match step {
        Step::Put { key, value: Some(value) } => effects.push(Effect::Change(*key, Some(*value))),
        Step::Put { key, value: None } => effects.push(Effect::Keep(*key)),
        Step::Delete(keys) if keys.to.saturating_sub(keys.from) > Lost::BROAD => effects.push(Effect::Broad),
        Step::Delete(keys) => effects.extend((keys.from..keys.to).map(|key| Effect::Change(key, None))),
        Step::Range(_) | Step::Nested(_) => {}
    });
    effects
}

impl Unknowns {
    pub(crate) fn new(lost: Lost<'_>) -> Unknowns {
        let Lost { mut unknown, owners, .. } = lost;
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
        let Unknown { effect, asks, .. } = self.unknown[place as usize];
        let new = self.classes.len() as u32;
        let head = *self.heads.entry(effect).or_insert(new);
        let is_first = head == new || self.classes[head as usize].asks == asks;
        let class = if is_first { head } else { *others.entry((effect, asks)).or_insert(new) };
        if class != new {
            let class = &mut self.classes[class as usize];
            self.unknown[class.last as usize].next = place;
            class.last = place;
            return;
        }
        self.classes.push(Class { asks, first: place, last: place, next: NONE, by_choice: false });
        if !is_first {
            let head = &mut self.classes[head as usize];
            let next = std::mem::replace(&mut head.next, new);
            self.classes[new as usize].next = next;
        }
    }

    /// Takes a candidate for all changes of a revision: of those for which `may` is yes, the one called first.
    pub(crate) fn take(
        &mut self,
        history: &History,
        shown: &[Change],
        may: impl Fn(&Operation) -> May,
    ) -> Found {
        // An operation that made all changes made any one of them. The fewest candidates set a key to a certain value.
        let change = shown.iter().find(|change| change.value.is_some()).unwrap_or(&shown[0]);
        let other = if change.value.is_some() { Effect::Keep(change.key) } else { Effect::Broad };
        let mut looked = Looked::default();
        for effect in [Effect::Change(change.key, change.value), other] {
            if self.look(effect, history, &may, &mut looked).is_none() {
                return Found::TooMany;
            }
        }
        // If there is none, an operation taken by choice for an earlier revision may be the right one.
        let Some((_, place)) = looked.best else { return Found::None { mixed: looked.by_choice } };
        let Unknown { number, owner, .. } = self.unknown[place as usize];
        let mixed = looked.by_choice || looked.mixed;
        self.taken[owner as usize] = if mixed { Taken::ByChoice } else { Taken::Certainly };
        Found::One { number, mixed }
    }

    /// Looks through the classes of an effect; `None` if that takes too long.
    fn look(
        &mut self,
        effect: Effect,
        history: &History,
        may: &impl Fn(&Operation) -> May,
        looked: &mut Looked,
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
                    Taken::ByChoice => class.by_choice = true,
                }
                class.first = first.next;
            }
            let Class { first: place, next, by_choice, .. } = *class;
            looked.by_choice |= by_choice;
            let mut is_over = place == NONE;
            if let Some(first) = self.unknown.get(place as usize) {
                match may(&history.operations()[first.number as usize]) {
                    May::Yes => looked.add(first.asks, first.call, place),
                    May::No => {}
                    May::Never => is_over = true,
                }
            }
            // Unlink classes that can never match again.
            match before {
                Some(before) if is_over && !by_choice => self.classes[before as usize].next = next,
                None if is_over && !by_choice && next != NONE => {
                    self.heads.insert(effect, next);
                }
                _ => before = Some(at),
            }
            at = next;
        }
        Some(())
    }
}

/// The candidates for a revision.
#[derive(Debug, Default)]
struct Looked {
    /// The call and the index of the one called first.
    best: Option<(u64, u32)>,
    /// The request of the first one found, and whether another has a different request.
    asks: Option<u64>,
    mixed: bool,
    /// Whether there are candidates that were taken by choice before.
    by_choice: bool,
}

impl Looked {
    fn add(&mut self, asks: u64, call: u64, place: u32) {
        self.best = [self.best, Some((call, place))].into_iter().flatten().min();
        self.mixed |= *self.asks.get_or_insert(asks) != asks;
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

/// A hash without a seed, by the finisher of splitmix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Copy, Debug, Default)]
struct Mixed(u64);

impl Hasher for Mixed {
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
