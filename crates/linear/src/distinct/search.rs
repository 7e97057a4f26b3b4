//! The search for containers that the fast path does not decide: elements are numbers, states short lists of them.
//!
//! Operations that do the same on the same element change places freely, so of these only the one that must be
//! done first is tried ([`Moves::class`]). That goes for takes of unknown outcome, too.

use std::collections::HashMap;

use crate::budget::Meter;
use crate::history::History;
use crate::intern::Interner;
use crate::model::{Container, ContainerOp, Model};
use crate::order;
use crate::report::Linearization;
use crate::search::{self, Found, Moves};
use crate::slice::{Decision, Seen, Slice};

use super::elements::positions;

/// Judges a slice by a search, or `None` if it is none of a container.
pub(crate) fn decide<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
    meter: &mut Meter<'_>,
    seed: u64,
) -> Option<Decision> {
    let kind = model.container()?;
    let mut values: Interner<M::Value> = Interner::new();
    let (mut op, mut calls, mut returns, mut asked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for place in slice.by_call(history) {
        let index = slice.operations[place as usize];
        let operation = history.operation(index);
        let (output, at) = match slice.seen(model, history, place as usize) {
            Seen::Answered { output, at } => (Some(output), Some(at)),
            Seen::Optional { output } => (Some(output), None),
            Seen::Unknown => (None, None),
            Seen::Absent => {
                model.as_container(&operation.input, operation.output())?;
                continue;
            }
        };
        let mut number = |value| values.intern(value);
        let numbered = match model.as_container(&operation.input, output)? {
            ContainerOp::Insert(value) => ContainerOp::Insert(number(value)),
            ContainerOp::Take(value) => ContainerOp::Take(number(value)),
            ContainerOp::Remove(value) => ContainerOp::Remove(number(value)),
            ContainerOp::Present(value) => ContainerOp::Present(number(value)),
            ContainerOp::Absent(value) => ContainerOp::Absent(number(value)),
            ContainerOp::Elements(seen) => {
                let mut elements: Vec<u32> = seen.into_iter().map(number).collect();
                elements.sort_unstable();
                ContainerOp::Elements(elements)
            }
            ContainerOp::TakeAny => ContainerOp::TakeAny,
            ContainerOp::TakeNothing => ContainerOp::TakeNothing,
            ContainerOp::Nothing => continue,
        };
        op.push(index);
        calls.push(operation.call);
        returns.push(at);
        asked.push(numbered);
    }
    if kind == Container::PriorityQueue {
        let ranks = ranks(model, &values);
        for one in &mut asked {
            if let ContainerOp::Insert(number) | ContainerOp::Take(number) = one {
                *number = ranks[*number as usize];
            }
        }
    }
    let call: Vec<u32> = (0..op.len()).map(order::call_position).collect();
    let ret = positions(&calls, &returns);
    drop(values);
    let mut moves = ContainerMoves::new(kind, asked, returns.iter().map(Option::is_some), meter.bytes_max());
    let problem = search::Problem { call: &call, ret: &ret, rank: &ret, start: 0, seed };
    let name = |order: Vec<u32>| order.into_iter().map(|row| op[row as usize]).collect::<Vec<u32>>();
    Some(match search::search(&problem, &mut moves, meter) {
        Found::Order(order) => {
            let left_out = search::missing(&order, &op);
            Decision::Linearizable(Linearization { left_out, order: name(order) })
        }
        Found::Nothing { deepest } => Decision::Violation { core: None, deepest: name(deepest) },
        Found::Ended { limit, deepest } => Decision::Undecided { limit, deepest: name(deepest) },
    })
}

/// By number of a value: how many lesser values there are.
fn ranks<M: Model>(model: &M, values: &Interner<M::Value>) -> Vec<u32> {
    let compare = |one: u32, other: u32| model.compare(values.value(one), values.value(other));
    let mut sorted: Vec<u32> = (0..values.len() as u32).collect();
    sorted.sort_by(|&one, &other| compare(one, other));
    let mut ranks = vec![0; values.len()];
    let mut rank = 0;
    for place in 0..sorted.len() {
        if place > 0 && compare(sorted[place - 1], sorted[place]).is_ne() {
            rank = place as u32;
        }
        ranks[sorted[place] as usize] = rank;
    }
    ranks
}

/// Between two layers of a bag: a take of unknown outcome took one element, or none, of those before.
const LOST: u32 = u32::MAX;

/// What a container holds: a queue from the front on, a stack from the bottom on, a priority queue from the greatest
/// on, a set ascending. A bag in layers with [`LOST`] between, each ascending.
type State = Box<[u32]>;

struct ContainerMoves {
    kind: Container,
    rows: Vec<ContainerOp<u32>>,
    classes: Vec<u32>,
    count: u32,
    states: Interner<State>,
    /// How many bytes the states own, with what each allocation takes.
    owned_bytes: usize,
    known: usize,
    /// `(state, row)` to the state after, [`WRONG`] if there is none. Begun anew when it grows too large.
    steps: HashMap<(u32, u32), u32>,
    steps_max: usize,
    work: u64,
}

const WRONG: u32 = u32::MAX;

/// What an allocation takes beside what was asked for, roughly.
const ALLOCATION: usize = 24;

/// The share of the memory that known steps may take.
const STEPS_SHARE: usize = 8;

/// What a step takes in its table, roughly, while the table grows.
const STEP_BYTES: usize = 48;

impl ContainerMoves {
    fn new(
        kind: Container,
        rows: Vec<ContainerOp<u32>>,
        answered: impl Iterator<Item = bool>,
        bytes_max: usize,
    ) -> Self {
        // An operation that must be done is no twin of one that need not be: that one may be left out.
        let mut classes = Interner::new();
        let key = |(row, answered): (&ContainerOp<u32>, bool)| match row {
            ContainerOp::Insert(number) => (0, *number, answered),
            ContainerOp::Take(number) => (1, *number, answered),
            ContainerOp::Remove(number) => (2, *number, answered),
            ContainerOp::TakeAny => (3, 0, answered),
            // These are never branched on.
            _ => (4, 0, answered),
        };
        let classes_of: Vec<u32> =
            rows.iter().zip(answered).map(|pair| classes.intern_owned(key(pair))).collect();
        let mut states = Interner::new();
        states.intern_owned(State::default());
        ContainerMoves {
            kind,
            rows,
            count: classes.len() as u32,
            classes: classes_of,
            states,
            owned_bytes: 0,
            known: 1,
            steps: HashMap::new(),
            steps_max: (bytes_max / STEPS_SHARE / STEP_BYTES).max(1024),
            work: 0,
        }
    }

    fn step(&mut self, state: u32, row: u32) -> u32 {
        let before = self.states.value(state);
        self.work += before.len() as u64 * 4 + 64;
        let Some(after) = after(self.kind, before, &self.rows[row as usize]) else { return WRONG };
        let after = match after {
            After::Same => return state,
            After::New(after) => after.into_boxed_slice(),
        };
        let bytes = after.len() * size_of::<u32>() + ALLOCATION;
        let number = self.states.intern_owned(after);
        if self.states.len() > self.known {
            self.known = self.states.len();
            self.owned_bytes += bytes;
        }
        number
    }
}

enum After {
    Same,
    New(Vec<u32>),
}

/// What a container holds after an operation, `None` if that cannot be.
fn after(kind: Container, before: &[u32], row: &ContainerOp<u32>) -> Option<After> {
    let without = |place: usize| {
        let mut after = before.to_vec();
        after.remove(place);
        Some(After::New(after))
    };
    match (kind, row) {
        (Container::Queue | Container::Stack, ContainerOp::Insert(element)) => {
            let mut after = Vec::with_capacity(before.len() + 1);
            after.extend_from_slice(before);
            after.push(*element);
            Some(After::New(after))
        }
        (Container::PriorityQueue, ContainerOp::Insert(element)) => {
            Some(After::New(inserted(before, before.partition_point(|other| other > element), *element)))
        }
        (Container::Bag, ContainerOp::Insert(element)) => {
            let layer = before.iter().rposition(|&element| element == LOST).map_or(0, |place| place + 1);
            let place = layer + before[layer..].partition_point(|other| other < element);
            Some(After::New(inserted(before, place, *element)))
        }
        (Container::Set, ContainerOp::Insert(element)) => match before.binary_search(element) {
            // Of unknown outcome: an answer would have said that it was there.
            Ok(_) => None,
            Err(place) => Some(After::New(inserted(before, place, *element))),
        },
        (Container::Set, ContainerOp::Remove(element)) => {
            before.binary_search(element).ok().and_then(without)
        }
        (Container::Set, ContainerOp::Present(element)) => {
            before.binary_search(element).is_ok().then_some(After::Same)
        }
        (Container::Set, ContainerOp::Absent(element)) => {
            before.binary_search(element).is_err().then_some(After::Same)
        }
        (Container::Set, ContainerOp::Elements(elements)) => (before == elements).then_some(After::Same),
        (Container::Queue, ContainerOp::Take(element)) => {
            (before.first() == Some(element)).then(|| without(0)).flatten()
        }
        (Container::Stack | Container::PriorityQueue, ContainerOp::Take(element)) => {
            (before.last() == Some(element)).then(|| without(before.len() - 1)).flatten()
        }
        (Container::Bag, ContainerOp::Take(element)) => {
            // Of several alike the one put in last: the fewest takes of unknown outcome can have had it.
            let mut after = before.to_vec();
            after.remove(before.iter().rposition(|other| other == element)?);
            Some(After::New(if after.iter().all(|&element| element == LOST) { Vec::new() } else { after }))
        }
        // What takes nothing changes nothing: it need not have happened.
        (_, ContainerOp::TakeAny) if before.is_empty() => None,
        (Container::Queue, ContainerOp::TakeAny) => without(0),
        (Container::Stack | Container::PriorityQueue, ContainerOp::TakeAny) => without(before.len() - 1),
        (Container::Bag, ContainerOp::TakeAny) => Some(After::New(inserted(before, before.len(), LOST))),
        (Container::Bag, ContainerOp::TakeNothing) => {
            let (mut elements, mut takes) = (0, 0);
            for &element in before.iter().rev() {
                if element == LOST {
                    takes += 1;
                } else {
                    elements += 1;
                    if elements > takes {
                        return None;
                    }
                }
            }
            Some(After::New(Vec::new()))
        }
        (_, ContainerOp::TakeNothing) => before.is_empty().then_some(After::Same),
        _ => None,
    }
}

fn inserted(before: &[u32], place: usize, element: u32) -> Vec<u32> {
    let mut after = Vec::with_capacity(before.len() + 1);
    after.extend_from_slice(&before[..place]);
    after.push(element);
    after.extend_from_slice(&before[place..]);
    after
}

impl Moves for ContainerMoves {
    fn is_read(&self, row: u32) -> bool {
        match self.rows[row as usize] {
            ContainerOp::TakeNothing => self.kind != Container::Bag,
            ContainerOp::Present(_) | ContainerOp::Absent(_) | ContainerOp::Elements(_) => true,
            _ => false,
        }
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

    fn class(&self, row: u32) -> u32 {
        self.classes[row as usize]
    }

    fn classes(&self) -> u32 {
        self.count
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
        let bytes = |number: u32| kept.value(number).len() * size_of::<u32>() + ALLOCATION;
        self.owned_bytes = (0..kept.len() as u32).map(bytes).sum();
        self.states = kept;
        self.steps = HashMap::new();
    }
}
