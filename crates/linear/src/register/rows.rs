//! Operations as rows, component by component.
//!
//! The operations of one component are scattered through a large history. So one pass over the history, in its
//! own order, appends what the engines need of each operation to the rows of its component. From then on the work
//! on a component stays within a few kilobytes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;

use crate::history::{History, Outcome};
use crate::intern::Interner;
use crate::model::{Model, RegisterOp};
use crate::partition::Partition;
use crate::slice::{Seen, Slice};

use super::columns::{Kind, NONE};

/// What the engines need of an operation on a register. Values are either numbers, where 0 is the value at the
/// start, or words of the model, see [`Model::word`].
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(super) call: u64,
    /// The time of the answer. Meaningless if there was none.
    pub(super) at: u64,
    /// The index in the history.
    pub(super) op: u32,
    pub(super) a: u32,
    pub(super) b: u32,
    pub(super) kind: Kind,
    pub(super) answered: bool,
}

impl Row {
    /// The row of an operation; `None` if it cannot matter.
    fn new<V: Clone>(
        seen: RegisterOp<Cow<'_, V>>,
        (op, call, at): (u32, u64, Option<u64>),
        mut number: impl FnMut(Cow<'_, V>) -> u32,
    ) -> Option<Row> {
        let answered = at.is_some();
        let (kind, a, b) = match seen {
            RegisterOp::Read(value) if answered => (Kind::Read, number(value), NONE),
            RegisterOp::Read(_) | RegisterOp::Nothing => return None,
            RegisterOp::Write(value) => (Kind::Write, NONE, number(value)),
            RegisterOp::Append => (Kind::Append, NONE, NONE),
            RegisterOp::Cas { expected, new, succeeded } => {
                let (a, b) = (number(expected), number(new));
                match succeeded {
                    Some(false) if answered => (Kind::Not, a, NONE),
                    // A compare-and-set that sets the expected value changes nothing.
                    Some(true) if answered && a == b => (Kind::Read, a, NONE),
                    Some(false) => return None,
                    Some(true) | None if a == b => return None,
                    Some(true) | None => (Kind::Cas, a, b),
                }
            }
        };
        Some(Row { call, at: at.unwrap_or(0), op, a, b, kind, answered })
    }
}

/// The rows of a slice in the order of calls, and their values; `None` if it has no register view.
pub(super) fn of_slice<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
    initial: M::Value,
) -> Option<(Vec<Row>, Interner<M::Value>)> {
    // About half of all operations bring a new value.
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
                // Without a view it takes the register view from the component all the same.
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
pub(crate) struct Gathered {
    components: Vec<Component>,
    /// The word of the value at the start, if the values of all rows are words.
    start: Option<u32>,
}

/// The rows of one component.
pub(crate) struct Component {
    /// In the order of calls.
    pub(super) rows: Vec<Row>,
    /// How many values there are. The numbers in the rows are less. Meaningless if they are words.
    pub(super) values: u32,
    /// Whether the rows say everything. If not, the component has appends or no register view.
    whole: bool,
}

/// Some value has no word.
struct Wordless;

impl Gathered {
    /// The rows of all components of a history; `None` if the model has no register view.
    pub(crate) fn new<M: Model>(
        model: &M,
        history: &History<M::Input, M::Output>,
        partition: &Partition,
    ) -> Option<Gathered> {
        let initial = model.register_start()?;
        let word = |value: &M::Value| model.word(value).filter(|word| *word != NONE);
        if let Some(start) = word(&initial) {
            let of = |_, value: Cow<'_, M::Value>, _: &mut u32| word(&value).ok_or(Wordless);
            if let Ok(components) = gather(model, history, partition, of) {
                return Some(Gathered { components, start: Some(start) });
            }
        }
        let mut numbers = Numbers::new(initial, history.len() / 2);
        let of = |component, value: Cow<'_, M::Value>, count: &mut u32| {
            Ok(numbers.number(component, value, count))
        };
        let components = gather(model, history, partition, of).ok()?;
        Some(Gathered { components, start: None })
    }

    /// The rows of a component, unless it has appends or no register view.
    pub(crate) fn of(&self, component: usize) -> Option<&Component> {
        Some(&self.components[component]).filter(|component| component.whole)
    }

    /// The word of the value at the start, if the values of all rows are words.
    pub(super) fn start(&self) -> Option<u32> {
        self.start
    }
}

/// The rows of all components. `number` returns what stands for a value in a component; its last argument is how
/// many values the component has so far.
fn gather<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    partition: &Partition,
    mut number: impl FnMut(u32, Cow<'_, M::Value>, &mut u32) -> Result<u32, Wordless>,
) -> Result<Vec<Component>, Wordless> {
    let sizes = partition.sizes().into_iter();
    let empty = |size| Component { rows: Vec::with_capacity(size as usize), values: 1, whole: true };
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
                // Without a view it takes the register view from the component all the same.
                component.whole &= model.as_register(&operation.input, None).is_some();
                continue;
            }
        };
        match model.as_register(&operation.input, output) {
            Some(RegisterOp::Append) | None => component.whole = false,
            Some(seen) if component.whole => {
                let values = &mut component.values;
                let number = |value: Cow<'_, M::Value>| {
                    number(*place, value, values).unwrap_or_else(|Wordless| {
                        wordless = true;
                        NONE
                    })
                };
                component.rows.extend(Row::new(seen, (index as u32, operation.call, at), number));
                if wordless {
                    return Err(Wordless);
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

/// Numbers for the words of one component.
#[derive(Default)]
pub(super) struct Words {
    /// One more than the number, and the word; 0 for an empty slot. Invariant: the length is a power of two, and
    /// at most half of the slots are full.
    slots: Vec<(u32, u32)>,
    count: u32,
}

impl Words {
    /// Begins with a component of this many rows, whose value at the start has this word.
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
        // Fibonacci hashing: words are often consecutive, or multiples of a number.
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

    /// How many words there were.
    pub(super) fn count(&self) -> u32 {
        self.count
    }
}

/// Numbers for the values of all components. Each component counts from 0, which is the value at the start.
struct Numbers<V> {
    /// The values of all components together. The value at the start has the number 0 here too.
    values: Interner<V>,
    /// By value: the component that had it first, and its number there.
    first: Vec<(u32, u32)>,
    /// The numbers of values in further components.
    others: HashMap<(u32, u32), u32>,
}

impl<V: Clone + Eq + Hash> Numbers<V> {
    fn new(initial: V, capacity: usize) -> Self {
        let mut values = Interner::with_capacity(capacity);
        values.intern_owned(initial);
        Numbers { values, first: vec![(u32::MAX, 0)], others: HashMap::new() }
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
