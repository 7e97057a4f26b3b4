//! Turns the operations of a history into rows, one list of rows for each component. A [`Row`] contains what the
//! steps of this folder need to know of an operation on a register.
//!
//! The operations of one component are scattered through a large history. So one pass over the history, in its
//! own order, appends each operation's row to the list of its component ([`AllRows`]). After that the work on a
//! component touches only a few kilobytes of memory.
//!
//! Values become small numbers that count from 0 in each component, so that the steps can compare them quickly and
//! use them as indexes. There are two ways. If the model itself has a number for every value, its *word*
//! ([`Model::word`]), rows contain these words at first; [`WordNumbers`] gives the words of one component small
//! numbers right before the component is judged. Otherwise [`ValueNumbers`] numbers the values while the rows are
//! collected.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;

use crate::history::{History, Outcome};
use crate::intern::Interner;
use crate::model::{Model, RegisterOp};
use crate::partition::Partition;
use crate::slice::{Seen, Slice};

use super::columns::{Kind, NONE};

/// What the steps need to know of an operation on a register. Its values are either numbers that count from 0, which
/// is the initial value, or words (see the head comment).
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// The time of the call.
    pub(super) call: u64,
    /// The time of the answer. Meaningless if there was none.
    pub(super) at: u64,
    /// The index in the history.
    pub(super) index: u32,
    /// The value that the operation saw or compared with; [`NONE`] if it looked at none.
    pub(super) expected: u32,
    /// The value that it sets; [`NONE`] if it sets none.
    pub(super) new: u32,
    pub(super) kind: Kind,
    /// Whether there was an answer. If not, the row is optional.
    pub(super) answered: bool,
}

impl Row {
    /// The row of the operation with this index, call and, if it was answered, time of the answer. `None` if
    /// the operation cannot matter to any other. `number` gives the number or the word of a value.
    fn new<V: Clone>(
        seen: RegisterOp<Cow<'_, V>>,
        (index, call, at): (u32, u64, Option<u64>),
        mut number: impl FnMut(Cow<'_, V>) -> u32,
    ) -> Option<Row> {
        let answered = at.is_some();
        let (kind, expected, new) = match seen {
            RegisterOp::Read(value) if answered => (Kind::Read, number(value), NONE),
            RegisterOp::Read(_) | RegisterOp::Nothing => return None,
            RegisterOp::Write(value) => (Kind::Write, NONE, number(value)),
            RegisterOp::Append => (Kind::Append, NONE, NONE),
            RegisterOp::Cas { expected, new, succeeded } => {
                let (expected, new) = (number(expected), number(new));
                match succeeded {
                    Some(false) if answered => (Kind::Negative, expected, NONE),
                    // A compare-and-set that sets the expected value changes nothing.
                    Some(true) if answered && expected == new => (Kind::Read, expected, NONE),
                    Some(false) => return None,
                    Some(true) | None if expected == new => return None,
                    Some(true) | None => (Kind::Cas, expected, new),
                }
            }
        };
        Some(Row { call, at: at.unwrap_or(0), index, expected, new, kind, answered })
    }
}

/// The rows of a slice in the order of calls, and their values by number; `None` if the model does not see one
/// of the operations as one of a register.
pub(super) fn of_slice<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
    initial: M::Value,
) -> Option<(Vec<Row>, Interner<M::Value>)> {
    // A guess for the size of the table: about half of all operations bring a new value.
    let mut values = Interner::with_capacity(slice.operations.len() / 2);
    values.intern_owned(initial);
    let mut rows = Vec::with_capacity(slice.operations.len());
    for place in slice.by_call(history) {
        let index = slice.operations[place as usize];
        let operation = history.operation(index);
        let (output, at) = match slice.seen(model, history, place as usize) {
            Seen::Answered { output, at } => (Some(output), Some(at)),
            Seen::Optional { .. } | Seen::Unknown => (None, None),
            Seen::Absent => {
                // An operation that does not matter gets no row, but the fast path is ruled out if it is not one of a
                // register.
                model.as_register(&operation.input, operation.output())?;
                continue;
            }
        };
        let seen = model.as_register(&operation.input, output)?;
        rows.extend(Row::new(seen, (index, operation.call, at), |value| values.intern(value)));
    }
    Some((rows, values))
}

/// The rows of every component of a history.
pub(crate) struct AllRows {
    components: Vec<Component>,
    /// The word of the initial value, if the values of all rows are words.
    start: Option<u32>,
}

/// The rows of one component.
pub(crate) struct Component {
    /// In the order of calls.
    pub(super) rows: Vec<Row>,
    /// How many values there are; all numbers in the rows are less. Meaningless if the rows contain words.
    pub(super) values: u32,
    /// Whether every operation that matters has its row. Otherwise some operation is an append or is not one of a
    /// register, and the rows are not used.
    complete: bool,
}

/// An error: some value has no word.
struct NoWord;

impl AllRows {
    /// The rows of all components of a history; `None` if the model has no components that are registers.
    pub(crate) fn new<M: Model>(
        model: &M,
        history: &History<M::Input, M::Output>,
        partition: &Partition,
    ) -> Option<AllRows> {
        let initial = model.register_start()?;
        let word = |value: &M::Value| model.word(value).filter(|word| *word != NONE);
        if let Some(start) = word(&initial) {
            let of = |_, value: Cow<'_, M::Value>, _: &mut u32| word(&value).ok_or(NoWord);
            if let Ok(components) = collect(model, history, partition, of) {
                return Some(AllRows { components, start: Some(start) });
            }
        }
        let mut numbers = ValueNumbers::new(initial, history.len() / 2);
        let of = |component, value: Cow<'_, M::Value>, count: &mut u32| {
            Ok(numbers.number(component, value, count))
        };
        let components = collect(model, history, partition, of).ok()?;
        Some(AllRows { components, start: None })
    }

    /// The rows of a component. `None` if one of its operations is an append or is not one of a register.
    pub(crate) fn of(&self, component: usize) -> Option<&Component> {
        Some(&self.components[component]).filter(|component| component.complete)
    }

    /// The word of the initial value, if the values of all rows are words.
    pub(super) fn start(&self) -> Option<u32> {
        self.start
    }
}

/// Collects the rows of all components. `number` returns the number or word of a value in a component. Its last
/// argument is how many values the component has so far.
fn collect<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    partition: &Partition,
    mut number: impl FnMut(u32, Cow<'_, M::Value>, &mut u32) -> Result<u32, NoWord>,
) -> Result<Vec<Component>, NoWord> {
    let sizes = partition.sizes().into_iter();
    let empty = |size| Component { rows: Vec::with_capacity(size as usize), values: 1, complete: true };
    let mut components: Vec<Component> = sizes.map(empty).collect();
    let (mut ascending, mut last_call, mut wordless) = (true, 0, false);
    for ((index, operation), place) in history.operations().iter().enumerate().zip(partition.components()) {
        ascending &= last_call <= operation.call;
        last_call = operation.call;
        let component = &mut components[*place as usize];
        let (output, at) = match &operation.outcome {
            Outcome::Answered { output, at } => (Some(output), Some(*at)),
            Outcome::Unknown => (None, None),
            Outcome::Failed { .. } => {
                // Even an operation that does not matter rules the fast path out if it is not one of a register.
                component.complete &= model.as_register(&operation.input, None).is_some();
                continue;
            }
        };
        match model.as_register(&operation.input, output) {
            Some(RegisterOp::Append) | None => component.complete = false,
            Some(seen) if component.complete => {
                let values = &mut component.values;
                let number = |value: Cow<'_, M::Value>| {
                    number(*place, value, values).unwrap_or_else(|NoWord| {
                        wordless = true;
                        NONE
                    })
                };
                component.rows.extend(Row::new(seen, (index as u32, operation.call, at), number));
                if wordless {
                    return Err(NoWord);
                }
            }
            Some(_) => {}
        }
    }
    if !ascending {
        components.iter_mut().for_each(|component| component.rows.sort_by_key(|row| row.call));
    }
    Ok(components)
}

/// A hash table that numbers the words of one component, in the order in which they first appear.
#[derive(Default)]
pub(super) struct WordNumbers {
    /// Each slot has one more than the number, and the word. An empty slot has 0 instead of a number.
    /// Invariant: the length is a power of two, and at most half of the slots are full.
    slots: Vec<(u32, u32)>,
    count: u32,
}

impl WordNumbers {
    /// Empties the table for a component of this many rows, whose initial value has this word.
    pub(super) fn begin(&mut self, rows: usize, start: u32) {
        // A row has two values at most.
        let length = (4 * rows + 2).next_power_of_two();
        self.slots.clear();
        self.slots.resize(length, (0, 0));
        self.count = 0;
        self.number(start);
    }

    /// The number of a word; [`NONE`] stays what it is.
    #[inline]
    pub(super) fn number(&mut self, word: u32) -> u32 {
        if word == NONE {
            return NONE;
        }
        let mask = self.slots.len() - 1;
        // Fibonacci hashing spreads words that are consecutive, or multiples of a number, as they often are.
        let mut slot = (u64::from(word).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & mask;
        loop {
            match self.slots[slot] {
                (0, _) => {
                    self.count += 1;
                    self.slots[slot] = (self.count, word);
                    return self.count - 1;
                }
                (number, other) if other == word => return number - 1,
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    /// How many different words there were.
    pub(super) fn count(&self) -> u32 {
        self.count
    }
}

/// Numbers the values of all components. Each component counts from 0, which is the initial value.
///
/// Most values appear in one component only. So the number in the first component is in a list, and only the
/// numbers in further components need a hash table.
struct ValueNumbers<V> {
    /// The values of all components together. The initial value has the number 0 here too.
    values: Interner<V>,
    /// By number in `values`: the component that had the value first, and its number there.
    first: Vec<(u32, u32)>,
    /// From (component, number in `values`) to the number in that component, for every further component.
    others: HashMap<(u32, u32), u32>,
}

impl<V: Clone + Eq + Hash> ValueNumbers<V> {
    fn new(initial: V, capacity: usize) -> Self {
        let mut values = Interner::with_capacity(capacity);
        values.intern_owned(initial);
        // The initial value has the number 0 in every component, so it belongs to none.
        ValueNumbers { values, first: vec![(u32::MAX, 0)], others: HashMap::new() }
    }

    /// The number of a value in a component that has had `count` values so far.
    #[inline]
    fn number(&mut self, component: u32, value: Cow<'_, V>, count: &mut u32) -> u32 {
        let value = self.values.intern(value);
        let mut new = || {
            *count += 1;
            *count - 1
        };
        match self.first.get(value as usize) {
            None => {
                let number = new();
                self.first.push((component, number));
                number
            }
            Some(&(first, number)) if first == component || value == 0 => number,
            Some(_) => *self.others.entry((component, value)).or_insert_with(new),
        }
    }
}
