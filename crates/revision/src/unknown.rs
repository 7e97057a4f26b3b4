//! Changes of unknown outcome, by what they would have done.

#![allow(
    clippy::disallowed_types,
    reason = "looked up in and never walked, so that its order decides nothing"
)]

use std::collections::HashMap;

use crate::history::{History, Kind, Operation};

/// No candidate.
const NONE: u32 = u32::MAX;

/// All of them, by effect and then by call: whoever was asked first can stand for any other that would have done the
/// same, because what an early revision allows, a later one does, too.
#[derive(Debug)]
pub(crate) struct Unknowns {
    groups: HashMap<(u32, u64), Group>,
    /// Operations in the order of their calls.
    numbers: Vec<u32>,
    /// The next one of the same group; by place in `numbers`.
    next: Vec<u32>,
    taken: Vec<bool>,
    /// Steps that may still be spent on looking through groups: all in all linear.
    budget: u64,
}

/// Those that would do the same.
#[derive(Clone, Copy, Debug)]
struct Group {
    /// The first that may not be taken, and the last; places in `numbers`.
    first: u32,
    last: u32,
    /// What its first one asks, and on which condition.
    asks: (Kind, u32),
    /// Whether others ask on other conditions.
    mixed: bool,
}

/// What was found for a revision.
pub(crate) enum Found {
    /// This one made it. `mixed` is set where others that ask on different conditions would have done the same, so that
    /// the choice was not without loss.
    One { number: u32, mixed: bool },
    /// None can have made it; `mixed` as above.
    None { mixed: bool },
    /// Too many would have to be looked at.
    TooMany,
}

impl Unknowns {
    pub(crate) fn new(history: &History, mut numbers: Vec<u32>) -> Unknowns {
        let operations = history.operations();
        let call = |number: &u32| operations[*number as usize].call;
        if !numbers.is_sorted_by_key(call) {
            numbers.sort_by_key(call);
        }
        let mut groups: HashMap<(u32, u64), Group> = HashMap::with_capacity(numbers.len());
        let mut next = vec![NONE; numbers.len()];
        for (place, number) in (0..).zip(&numbers) {
            let operation = &operations[*number as usize];
            let asks = (operation.kind, operation.expected);
            let new = Group { first: place, last: place, asks, mixed: false };
            let group = groups.entry((operation.key, effect_of(operation))).or_insert(new);
            if group.last != place {
                next[group.last as usize] = place;
                group.last = place;
                group.mixed |= group.asks != asks;
            }
        }
        let budget = 64 * numbers.len() as u64 + 1024;
        let taken = vec![false; numbers.len()];
        Unknowns { groups, numbers, next, taken, budget }
    }

    /// Takes the candidate for a change of `key` to `value` that was asked first, among those that `may` hold for.
    pub(crate) fn take(
        &mut self,
        history: &History,
        key: u32,
        value: Option<u32>,
        may: impl Fn(&Operation) -> bool,
    ) -> Found {
        let effect = value.map_or(0, |value| u64::from(value) + 1);
        let Some(group) = self.groups.get_mut(&(key, effect)) else { return Found::None { mixed: false } };
        let mixed = group.mixed;
        let mut place = group.first;
        while place != NONE {
            if self.budget == 0 {
                return Found::TooMany;
            }
            self.budget -= 1;
            let number = self.numbers[place as usize];
            if !self.taken[place as usize] && may(&history.operations()[number as usize]) {
                self.taken[place as usize] = true;
                // Those at the front that are taken need not be passed again.
                while group.first != NONE && self.taken[group.first as usize] {
                    group.first = self.next[group.first as usize];
                }
                return Found::One { number, mixed };
            }
            place = self.next[place as usize];
        }
        Found::None { mixed }
    }
}

fn effect_of(operation: &Operation) -> u64 {
    if operation.kind == Kind::Delete { 0 } else { u64::from(operation.value) + 1 }
}
