//! Changes of unknown outcome, by what they would have done.

#![allow(
    clippy::disallowed_types,
    reason = "looked up in and never walked, and hashed without a seed, so that its order decides nothing"
)]

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::evidence::Change;
use crate::history::{History, Kind, Operation};
use crate::wide::{Step, Transaction};

/// No candidate.
const NONE: u32 = u32::MAX;

/// All of them, by effect, then by what they ask, then by call: whoever was asked first can stand for any other that
/// asked the same, because what an early revision allows, a later one does, too.
#[derive(Debug)]
pub(crate) struct Unknowns {
    /// In the order of their calls.
    unknown: Vec<Unknown>,
    /// The first class of each effect.
    heads: HashMap<Effect, u32, Unseeded>,
    classes: Vec<Class>,
    /// By [`Unknown::owner`].
    taken: Vec<Taken>,
    /// Classes that may still be looked at: all in all linear.
    budget: u64,
}

type Unseeded = BuildHasherDefault<Mixed>;

/// Changes without an answer, as they are found in a history.
#[derive(Debug, Default)]
pub(crate) struct Lost<'a> {
    unknown: Vec<Unknown>,
    owners: u32,
    /// Numbers of what wide operations ask, so that those that ask the same are told from others.
    requests: HashMap<&'a Transaction, u32, Unseeded>,
}

/// Something a candidate may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Effect {
    /// Sets a key to a value, or removes it.
    Change(u32, Option<u32>),
    /// Sets a key to what it holds already.
    Keep(u32),
    /// Removes many keys.
    Broad,
}

/// Those that may have the same effect and ask the same.
#[derive(Clone, Copy, Debug)]
struct Class {
    asks: u64,
    /// The first that may not be taken, and the last; places in `unknown`.
    first: u32,
    last: u32,
    /// Another class of the same effect.
    next: u32,
    /// Whether one was taken by choice.
    by_choice: bool,
}

/// Whether a candidate is taken, and whether another could have been instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Not,
    /// Or it can have made nothing.
    Certainly,
    ByChoice,
}

/// A change without an answer, by one of its effects.
#[derive(Clone, Copy, Debug)]
struct Unknown {
    number: u32,
    /// The next one of the same class.
    next: u32,
    call: u64,
    effect: Effect,
    /// Kind and condition: equal for those that ask the same.
    asks: u64,
    /// Counts operations of unknown outcome.
    owner: u32,
}

/// Whether a candidate may have made a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum May {
    Yes,
    No,
    /// Nor any later one.
    Never,
}

/// What was found for a revision.
#[derive(Debug)]
pub(crate) enum Found {
    /// This one made it. `mixed` is set where others that ask on different conditions could have done the same, so that
    /// the choice was not without loss.
    One { number: u32, mixed: bool },
    /// None can have made it; `mixed` if it may be that only the choices before were wrong.
    None { mixed: bool },
    /// Too many would have to be looked at.
    TooMany,
}

impl<'a> Lost<'a> {
    /// Removals of more keys than this are looked at wherever something was removed.
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
        // Both branches may have the same effect, but nobody is a candidate twice.
        effects.sort_unstable();
        effects.dedup();
        let unknown = |effect| Unknown { number, next: NONE, call, effect, asks, owner };
        self.unknown.extend(effects.into_iter().map(unknown));
    }
}

/// All that a transaction may do.
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
        // Only those that are not the first class of their effect.
        let mut others = HashMap::with_hasher(Unseeded::default());
        for place in 0..unknowns.unknown.len() as u32 {
            unknowns.classify(place, &mut others);
        }
        unknowns
    }

    /// Puts a candidate, which was asked after all before, into its class.
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

    /// Takes the candidate for all changes of a revision that was asked first, among those that `may` hold for.
    pub(crate) fn take(
        &mut self,
        history: &History,
        shown: &[Change],
        may: impl Fn(&Operation) -> May,
    ) -> Found {
        // Whoever made them all made one of them; those who set a key to a certain value are the fewest.
        let change = shown.iter().find(|change| change.value.is_some()).unwrap_or(&shown[0]);
        let other = if change.value.is_some() { Effect::Keep(change.key) } else { Effect::Broad };
        let mut looked = Looked::default();
        for effect in [Effect::Change(change.key, change.value), other] {
            if self.look(effect, history, &may, &mut looked).is_none() {
                return Found::TooMany;
            }
        }
        // Nobody else could have done it, whatever was chosen before; unless one of those could that were chosen.
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
            // Classes that are out of the question need not be looked at again.
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
    /// Call and place of the one that was asked first.
    best: Option<(u64, u32)>,
    /// What the first of them asks, and whether another asks for something else.
    asks: Option<u64>,
    mixed: bool,
    /// Whether others might that were taken by choice.
    by_choice: bool,
}

impl Looked {
    fn add(&mut self, asks: u64, call: u64, place: u32) {
        self.best = [self.best, Some((call, place))].into_iter().flatten().min();
        self.mixed |= *self.asks.get_or_insert(asks) != asks;
    }
}

/// Whether a transaction could ever make these changes, whatever the store holds.
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
