//! The states that a search has met, numbered, and those steps between them that it needed so far.

use std::collections::HashMap;
use std::hash::Hash;

use crate::intern::Interner;

/// Rows, and what they do to states.
pub(crate) trait Effects {
    type State: Clone + Eq + Hash;

    /// The state before all rows.
    fn initial(&self) -> Self::State;

    /// What the row does to a state; `None` if it is wrong in this state.
    fn effect(&self, before: &Self::State, row: u32) -> Option<After<Self::State>>;

    /// How many bytes a state owns beyond its own size.
    fn owned_bytes(&self, state: &Self::State) -> usize;

    /// How many bytes of a state [`effect`](Effects::effect) may read even if the row is wrong.
    fn read_bytes(&self, _before: &Self::State) -> usize {
        0
    }
}

/// The state after a row.
pub(crate) enum After<S> {
    /// As before it.
    Same,
    Changed(S),
}

/// The states and steps of some rows. The first state has the number 0.
pub(crate) struct Steps<E: Effects> {
    effects: E,
    states: Interner<E::State>,
    /// How many bytes the states own, including the overhead of each allocation.
    owned_bytes: usize,
    /// From `(state, row)` to the state after; [`WRONG`] if there is none. Cleared when it grows too large.
    known: HashMap<(u32, u32), u32>,
    /// How many steps `known` may have.
    known_max: usize,
    /// How many bytes steps have read since the search last asked.
    work: u64,
}

/// Stands for no state: the row is wrong in the state before it.
const WRONG: u32 = u32::MAX;

/// The known steps may take one part in this many of the memory.
const KNOWN_SHARE: usize = 8;

/// A rough estimate of the bytes that a known step takes while their table grows.
const STEP_BYTES: usize = 48;

/// A rough estimate of the bytes that a state takes besides those that it owns: allocations are rounded up.
const ALLOCATION: usize = 32;

impl<E: Effects> Steps<E> {
    /// Only the first state is known. `bytes_max` is the memory of the whole search.
    pub(crate) fn new(effects: E, bytes_max: usize) -> Steps<E> {
        let mut states = Interner::new();
        states.intern_owned(effects.initial());
        Steps {
            effects,
            states,
            owned_bytes: 0,
            known: HashMap::new(),
            known_max: (bytes_max / KNOWN_SHARE / STEP_BYTES).max(1024),
            work: 0,
        }
    }

    pub(crate) fn effects(&self) -> &E {
        &self.effects
    }

    /// As [`Moves::after`](super::Moves::after).
    pub(crate) fn after(&mut self, state: u32, row: u32) -> Option<u32> {
        let after = match self.known.get(&(state, row)) {
            Some(&after) => after,
            None => {
                let after = self.step(state, row);
                if self.known.len() >= self.known_max {
                    self.known = HashMap::new();
                }
                self.known.insert((state, row), after);
                after
            }
        };
        (after != WRONG).then_some(after)
    }

    /// The state after the row, which is not in `known`; [`WRONG`] if there is none.
    fn step(&mut self, state: u32, row: u32) -> u32 {
        let before = self.states.value(state);
        self.work += (self.effects.read_bytes(before) + ALLOCATION) as u64;
        match self.effects.effect(before, row) {
            None => WRONG,
            Some(After::Same) => state,
            Some(After::Changed(after)) => {
                let owned_bytes = self.effects.owned_bytes(&after) + ALLOCATION;
                self.work += owned_bytes as u64;
                let count = self.states.len();
                let number = self.states.intern_owned(after);
                if self.states.len() > count {
                    self.owned_bytes += owned_bytes;
                }
                number
            }
        }
    }

    /// As [`Moves::take_work`](super::Moves::take_work).
    pub(crate) fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.work)
    }

    /// As [`Moves::bytes`](super::Moves::bytes).
    pub(crate) fn bytes(&self) -> usize {
        self.states.bytes_growing() + self.owned_bytes + self.known.capacity() * STEP_BYTES / 2
    }

    /// As [`Moves::keep_only`](super::Moves::keep_only).
    pub(crate) fn keep_only(&mut self, numbers: &mut [u32]) {
        let mut kept = Interner::new();
        for number in numbers {
            *number = kept.intern_owned(self.states.value(*number).clone());
        }
        let bytes = |number: u32| self.effects.owned_bytes(kept.value(number)) + ALLOCATION;
        self.owned_bytes = (0..kept.len() as u32).map(bytes).sum();
        self.states = kept;
        self.known = HashMap::new();
    }
}

#[cfg(test)]
#[path = "../../tests/steps.rs"]
mod tests;
