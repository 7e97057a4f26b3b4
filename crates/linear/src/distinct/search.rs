//! The search for containers that the fast path does not decide. It is the general search of [`crate::search`]; this
//! file says what the operations of a container do to states. Elements are numbers, and a state is a list of the
//! elements in the container.
//!
//! Two operations that do the same with the same element can be swapped in any order. So of these, only the one that
//! must return first is tried ([`Moves::class`]). The same is true of all takes of unknown outcome.

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

/// Judges a slice of the history by a search. `None` if it is not one of a container.
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

/// By number of a value: its rank, that is, how many lesser values there are.
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

/// Stands in the state of a bag for a take of unknown outcome: it took one of the elements listed before it, or none.
const LOST: u32 = u32::MAX;

/// The elements in a container, in this order: of a queue from front to back; of a stack from bottom to top; of a
/// priority queue from the greatest to the least; of a set ascending. Of a bag ascending, too, but only the elements
/// between two takes of unknown outcome: for each such take, the list contains [`LOST`].
type State = Box<[u32]>;

/// What the operations of a container do to states, for the search.
struct ContainerMoves {
    kind: Container,
    /// By row: what the operation does, with elements as numbers.
    rows: Vec<ContainerOp<u32>>,
    /// By row: its class. Rows of one class do the same.
    classes: Vec<u32>,
    /// How many classes there are.
    count: u32,
    states: Interner<State>,
    /// How many bytes the lists of the states take, including the overhead of their allocations.
    owned_bytes: usize,
    /// How many states are counted in `owned_bytes`.
    known: usize,
    /// A cache from `(state, row)` to the state after the row; [`WRONG`] if there is none. Emptied when it grows too
    /// large.
    steps: HashMap<(u32, u32), u32>,
    /// The greatest number of entries in `steps`.
    steps_max: usize,
    /// How many bytes were read since the search last asked, see [`Moves::take_work`].
    work: u64,
}

/// Stands for "no state": the operation is wrong.
const WRONG: u32 = u32::MAX;

/// The overhead of an allocation in bytes, roughly.
const ALLOCATION: usize = 24;

/// The cache of steps may take one part in this many of the memory.
const STEPS_SHARE: usize = 8;

/// How many bytes an entry of the cache takes, roughly, while the cache grows.
const STEP_BYTES: usize = 48;

impl ContainerMoves {
    fn new(
        kind: Container,
        rows: Vec<ContainerOp<u32>>,
        answered: impl Iterator<Item = bool>,
        bytes_max: usize,
    ) -> Self {
        // An operation that must take effect is not in the class of one that need not, because the latter may be left
        // out.
        let mut classes = Interner::new();
        let key = |(row, answered): (&ContainerOp<u32>, bool)| match row {
            ContainerOp::Insert(number) => (0, *number, answered),
            ContainerOp::Take(number) => (1, *number, answered),
            ContainerOp::Remove(number) => (2, *number, answered),
            ContainerOp::TakeAny => (3, 0, answered),
            // These are reads, or take nothing; the search does not try them by class.
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

    /// The state after a row, or [`WRONG`].
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

/// The elements after an operation.
enum After {
    /// The operation changed nothing.
    Same,
    New(Vec<u32>),
}

/// The elements in a container after an operation; `None` if the operation is wrong before these elements.
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
            // The outcome is unknown (an answer would say that the element was there already), and the operation
            // changes nothing, so it need not take effect.
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
            // Of several equal elements, it takes the one that was put in last: the fewest takes of unknown outcome
            // can have taken that one instead.
            let mut after = before.to_vec();
            after.remove(before.iter().rposition(|other| other == element)?);
            Some(After::New(if after.iter().all(|&element| element == LOST) { Vec::new() } else { after }))
        }
        // A take of unknown outcome that takes nothing need not take effect.
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

/// The elements with one more at `place`.
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
