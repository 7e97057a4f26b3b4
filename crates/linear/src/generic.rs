//! The general path: judges a component of any model by a search over the model's states ([`crate::search`]).

use crate::budget::Meter;
use crate::distinct;
use crate::history::History;
use crate::model::Model;
use crate::order;
use crate::report::Linearization;
use crate::search::{self, After, Effects, Found, Moves, Steps};
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
    let mut moves = ModelMoves(Steps::new(ModelRows { model, rows }, meter.bytes_max()));
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

/// The steps of the model.
struct ModelRows<'h, M: Model> {
    model: &'h M,
    rows: Vec<Row<'h, M>>,
}

impl<M: Model> Effects for ModelRows<'_, M> {
    type State = M::State;

    fn initial(&self) -> M::State {
        self.model.initial()
    }

    fn effect(&self, before: &M::State, row: u32) -> Option<After<M::State>> {
        let Row { input, output, .. } = self.rows[row as usize];
        self.model.step(before, input, output).map(After::Changed)
    }

    fn owned_bytes(&self, state: &M::State) -> usize {
        self.model.owned_bytes(state)
    }
}

/// What the operations of the component do to states, for the search.
struct ModelMoves<'h, M: Model>(Steps<ModelRows<'h, M>>);

impl<M: Model> Moves for ModelMoves<'_, M> {
    fn is_read(&self, row: u32) -> bool {
        self.0.effects().rows[row as usize].read
    }

    fn after(&mut self, state: u32, row: u32) -> Option<u32> {
        self.0.after(state, row)
    }

    fn take_work(&mut self) -> u64 {
        self.0.take_work()
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    fn keep_only(&mut self, states: &mut [u32]) {
        self.0.keep_only(states);
    }
}
