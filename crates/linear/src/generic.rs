//! The general path: a component searched over the model's own states.

use std::collections::HashMap;

use crate::budget::Meter;
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
    let mut rows = Vec::new();
    let mut calls = Vec::new();
    let mut answers = Vec::new();
    for place in slice.by_call(history) {
        let place = place as usize;
        let operation = history.operation(slice.operations[place]);
        let (output, at) = match slice.seen(model, history, place) {
            Seen::Answered { output, at } => (Some(output), Some(at)),
            Seen::Unknown => (None, None),
            Seen::Absent => continue,
        };
        let read = model.is_read(&operation.input, output);
        answers.push(at);
        rows.push(Row { op: slice.operations[place], input: &operation.input, output, read });
        calls.push(operation.call);
    }
    let call: Vec<u32> = (0..rows.len()).map(order::call_position).collect();
    let returned = |(place, &at): (usize, &Option<u64>)| {
        at.map_or(order::NEVER, |at| order::return_position(place, at, calls.len(), |place| calls[place]))
    };
    let ret: Vec<u32> = answers.iter().enumerate().map(returned).collect();
    let every: Vec<u32> = rows.iter().map(|row| row.op).collect();
    let rank: Vec<u32> = ret.clone();
    let mut moves = ModelMoves::new(model, rows);
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

struct Row<'h, M: Model> {
    op: u32,
    input: &'h M::Input,
    output: Option<&'h M::Output>,
    read: bool,
}

/// The model's states, numbered, and those steps between them that were needed so far.
struct ModelMoves<'h, M: Model> {
    model: &'h M,
    rows: Vec<Row<'h, M>>,
    states: Interner<M::State>,
    /// How many states there are, and how many bytes they own beyond their own size.
    known: usize,
    owned_bytes: usize,
    /// From `(state, row)` to the state after; [`WRONG`] if there is none.
    steps: HashMap<(u32, u32), u32>,
}

const WRONG: u32 = u32::MAX;

impl<'h, M: Model> ModelMoves<'h, M> {
    fn new(model: &'h M, rows: Vec<Row<'h, M>>) -> Self {
        let mut states = Interner::new();
        states.intern_owned(model.initial());
        ModelMoves { model, rows, states, known: 1, owned_bytes: 0, steps: HashMap::new() }
    }

    fn step(&mut self, state: u32, row: u32) -> u32 {
        let Row { input, output, .. } = self.rows[row as usize];
        match self.model.step(self.states.value(state), input, output) {
            Some(after) => {
                let owned_bytes = self.model.owned_bytes(&after);
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
                self.steps.insert((state, row), after);
                after
            }
        };
        (after != WRONG).then_some(after)
    }

    fn bytes(&self) -> usize {
        self.states.bytes() + self.owned_bytes + self.steps.capacity() * size_of::<((u32, u32), u32)>()
    }

    fn keep_only(&mut self, numbers: &mut [u32]) {
        let mut kept = Interner::new();
        for number in numbers {
            *number = kept.intern_owned(self.states.value(*number).clone());
        }
        self.known = kept.len();
        self.owned_bytes =
            (0..kept.len() as u32).map(|number| self.model.owned_bytes(kept.value(number))).sum();
        self.states = kept;
        self.steps = HashMap::new();
    }
}
