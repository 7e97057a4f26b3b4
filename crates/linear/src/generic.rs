//! The general path: judges a component of any model by a search over the model's states ([`crate::search`]).
//! States are numbered as they are met, and known steps between them are kept in a table.

use std::collections::HashMap;

use crate::budget::Meter;
use crate::distinct;
use crate::history::History;
use crate::intern::Interner;
use crate::model::Model;
use crate::order;
use crate::report::Linearization;
use crate::search::{self, Found, Moves};
use crate::slice::{Decision, Seen, Slice};

/// Judges a slice by the model's steps.
pub(crate) fn decide<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
    meter: &mut Meter<'_>,
    seed: u64,
) -> Decision {
    if let Some(decision) = distinct::search::decide(model, history, slice, meter, seed) {
        return decision;
    }
    let mut rows = Vec::new();
    let mut calls = Vec::new();
    let mut answers = Vec::new();
    for place in slice.by_call(history) {
        let place = place as usize;
        let operation = history.operation(slice.operations[place]);
        let (output, at) = match slice.seen(model, history, place) {
            Seen::Answered { output, at } => (Some(output), Some(at)),
            Seen::Optional { output } => (Some(output), None),
            Seen::Unknown => (None, None),
            Seen::Absent => continue,
        };
        let read = model.is_read(&operation.input, output);
        answers.push(at);
        rows.push(Row { index: slice.operations[place], input: &operation.input, output, read });
        calls.push(operation.call);
    }
    let call: Vec<u32> = (0..rows.len()).map(order::call_position).collect();
    let returned = |(place, &at): (usize, &Option<u64>)| {
        at.map_or(order::NEVER, |at| order::return_position(place, at, calls.len(), |place| calls[place]))
    };
    let ret: Vec<u32> = answers.iter().enumerate().map(returned).collect();
    let every: Vec<u32> = rows.iter().map(|row| row.index).collect();
    let rank: Vec<u32> = ret.clone();
    let mut moves = ModelMoves::new(model, rows, meter.bytes_max());
    let problem = search::Problem { call: &call, ret: &ret, rank: &rank, start: 0, seed };
    let name = |order: Vec<u32>| order.into_iter().map(|row| every[row as usize]).collect::<Vec<u32>>();
    match search::search(&problem, &mut moves, meter) {
        Found::Order(order) => {
            let left_out = search::missing(&order, &every);
            Decision::Linearizable(Linearization { left_out, order: name(order) })
        }
        Found::Nothing { deepest } => Decision::Violation { core: None, deepest: name(deepest) },
        Found::Ended { limit, deepest } => Decision::Undecided { limit, deepest: name(deepest) },
    }
}

/// An operation of the component.
struct Row<'h, M: Model> {
    /// Its index in the history.
    index: u32,
    input: &'h M::Input,
    output: Option<&'h M::Output>,
    /// Whether it changes nothing.
    read: bool,
}

/// The model's states, numbered, and those steps between them that were needed so far.
struct ModelMoves<'h, M: Model> {
    model: &'h M,
    rows: Vec<Row<'h, M>>,
    states: Interner<M::State>,
    /// How many states there are.
    known: usize,
    /// How many bytes the states own beyond their own size.
    owned_bytes: usize,
    /// From `(state, row)` to the state after; [`WRONG`] if there is none. Cleared when it grows too large.
    steps: HashMap<(u32, u32), u32>,
    steps_max: usize,
    /// How many bytes steps have read since the search last asked.
    work: u64,
}

/// Stands for no state: the row's answer is wrong in the state before it.
const WRONG: u32 = u32::MAX;

/// The table of steps may take this fraction of the memory: one eighth.
const STEPS_SHARE: usize = 8;

/// A rough estimate of the bytes that a step takes in the table while the table grows.
const STEP_BYTES: usize = 48;

/// A rough estimate of the bytes that a state takes besides those that it owns: allocations are rounded up.
const ALLOCATION: usize = 32;

impl<'h, M: Model> ModelMoves<'h, M> {
    fn new(model: &'h M, rows: Vec<Row<'h, M>>, bytes_max: usize) -> Self {
        let mut states = Interner::new();
        states.intern_owned(model.initial());
        let steps_max = (bytes_max / STEPS_SHARE / STEP_BYTES).max(1024);
        ModelMoves {
            model,
            rows,
            states,
            known: 1,
            owned_bytes: 0,
            steps: HashMap::new(),
            steps_max,
            work: 0,
        }
    }

    /// Runs the model: the number of the state after a row; [`WRONG`] if there is none.
    fn step(&mut self, state: u32, row: u32) -> u32 {
        let Row { input, output, .. } = self.rows[row as usize];
        self.work += ALLOCATION as u64;
        match self.model.step(self.states.value(state), input, output) {
            Some(after) => {
                let owned_bytes = self.model.owned_bytes(&after) + ALLOCATION;
                self.work += owned_bytes as u64;
                let number = self.states.intern_owned(after);
                if number as usize + 1 > self.known {
                    self.known = number as usize + 1;
                    self.owned_bytes += owned_bytes;
                }
                number
            }
            None => WRONG,
        }
    }
}

impl<M: Model> Moves for ModelMoves<'_, M> {
    fn is_read(&self, row: u32) -> bool {
        self.rows[row as usize].read
    }

    fn after(&mut self, state: u32, row: u32) -> Option<u32> {
        let after = match self.steps.get(&(state, row)) {
            Some(&after) => after,
            None => {
                let after = self.step(state, row);
                if self.steps.len() >= self.steps_max {
                    self.steps = HashMap::new();
                }
                self.steps.insert((state, row), after);
                after
            }
        };
        (after != WRONG).then_some(after)
    }

    fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.work)
    }

    fn bytes(&self) -> usize {
        self.states.bytes_growing() + self.owned_bytes + self.steps.capacity() * STEP_BYTES / 2
    }

    fn keep_only(&mut self, numbers: &mut [u32]) {
        let mut kept = Interner::new();
        for number in numbers {
            *number = kept.intern_owned(self.states.value(*number).clone());
        }
        self.known = kept.len();
        self.owned_bytes = (0..kept.len() as u32)
            .map(|number| self.model.owned_bytes(kept.value(number)) + ALLOCATION)
            .sum();
        self.states = kept;
        self.steps = HashMap::new();
    }
}
