//! The search for containers that the fast path does not decide. It is the general search of [`crate::search`]; this
//! file says what the operations of a container do to states. Elements are numbers, and a state is a list of the
//! elements in the container.
//!
//! Two operations that do the same with the same element can be swapped in any order. So of these, only the one that
//! must return first is tried ([`Moves::class`]). The same is true of all takes of unknown outcome.

use crate::budget::Meter;
use crate::history::History;
use crate::intern::Interner;
use crate::model::{Container, ContainerOp, Model};
use crate::order::{self, NEVER};
use crate::report::Linearization;
use crate::search::{self, After, Effects, Found, Moves, Steps};
use crate::slice::{Decision, Slice};

use super::elements::Rows;

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
    let mut asked = Vec::new();
    let Rows { op, ret } = Rows::read(model, history, slice, |one, _, _| {
        let mut number = |value| values.intern(value);
        asked.push(match one {
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
            ContainerOp::Nothing => return Some(false),
        });
        Some(true)
    })?;
    if kind == Container::PriorityQueue {
        let ranks = ranks(model, &values);
        for one in &mut asked {
            if let ContainerOp::Insert(number) | ContainerOp::Take(number) = one {
                *number = ranks[*number as usize];
            }
        }
    }
    let call: Vec<u32> = (0..op.len()).map(order::call_position).collect();
    drop(values);
    let mut moves = ContainerMoves::new(kind, asked, &ret, meter.bytes_max());
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

/// The operations of a container.
struct ContainerRows {
    kind: Container,
    /// By row: what the operation does, with elements as numbers.
    rows: Vec<ContainerOp<u32>>,
}

impl Effects for ContainerRows {
    type State = State;

    fn initial(&self) -> State {
        State::default()
    }

    fn effect(&self, before: &State, row: u32) -> Option<After<State>> {
        after(self.kind, before, &self.rows[row as usize])
    }

    fn owned_bytes(&self, state: &State) -> usize {
        state.len() * size_of::<u32>()
    }

    fn read_bytes(&self, before: &State) -> usize {
        self.owned_bytes(before)
    }
}

/// What the operations of a container do to states, for the search.
struct ContainerMoves {
    steps: Steps<ContainerRows>,
    /// By row: its class.
    classes: Vec<u32>,
    /// How many classes there are.
    count: u32,
}

impl ContainerMoves {
    fn new(kind: Container, rows: Vec<ContainerOp<u32>>, ret: &[u32], bytes_max: usize) -> Self {
        // An operation that must take effect is in another class than one that need not, because the latter may be
        // left out.
        let mut classes = Interner::new();
        let key = |(row, &ret): (&ContainerOp<u32>, &u32)| match row {
            ContainerOp::Insert(number) => (0, *number, ret != NEVER),
            ContainerOp::Take(number) => (1, *number, ret != NEVER),
            ContainerOp::Remove(number) => (2, *number, ret != NEVER),
            ContainerOp::TakeAny => (3, 0, ret != NEVER),
            // These are never branched on.
            _ => (4, 0, ret != NEVER),
        };
        let of_rows = rows.iter().zip(ret).map(|pair| classes.intern_owned(key(pair))).collect();
        let count = classes.len() as u32;
        ContainerMoves { steps: Steps::new(ContainerRows { kind, rows }, bytes_max), classes: of_rows, count }
    }
}

/// What a container holds after an operation, `None` if that cannot be.
fn after(kind: Container, before: &[u32], row: &ContainerOp<u32>) -> Option<After<State>> {
    let changed = |after: Vec<u32>| Some(After::Changed(after.into_boxed_slice()));
    let without = |place: usize| {
        let mut after = before.to_vec();
        after.remove(place);
        changed(after)
    };
    match (kind, row) {
        (Container::Queue | Container::Stack, ContainerOp::Insert(element)) => {
            let mut after = Vec::with_capacity(before.len() + 1);
            after.extend_from_slice(before);
            after.push(*element);
            changed(after)
        }
        (Container::PriorityQueue, ContainerOp::Insert(element)) => {
            changed(inserted(before, before.partition_point(|other| other > element), *element))
        }
        (Container::Bag, ContainerOp::Insert(element)) => {
            let layer = before.iter().rposition(|&element| element == LOST).map_or(0, |place| place + 1);
            let place = layer + before[layer..].partition_point(|other| other < element);
            changed(inserted(before, place, *element))
        }
        (Container::Set, ContainerOp::Insert(element)) => match before.binary_search(element) {
            // An answer says that the element was not there, so this cannot be. Without an answer, the operation
            // changes nothing here, so it need not take effect.
            Ok(_) => None,
            Err(place) => changed(inserted(before, place, *element)),
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
            changed(if after.iter().all(|&element| element == LOST) { Vec::new() } else { after })
        }
        // A take of unknown outcome that takes nothing need not take effect.
        (_, ContainerOp::TakeAny) if before.is_empty() => None,
        (Container::Queue, ContainerOp::TakeAny) => without(0),
        (Container::Stack | Container::PriorityQueue, ContainerOp::TakeAny) => without(before.len() - 1),
        (Container::Bag, ContainerOp::TakeAny) => changed(inserted(before, before.len(), LOST)),
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
            changed(Vec::new())
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
        let ContainerRows { kind, rows } = self.steps.effects();
        match rows[row as usize] {
            ContainerOp::TakeNothing => *kind != Container::Bag,
            ContainerOp::Present(_) | ContainerOp::Absent(_) | ContainerOp::Elements(_) => true,
            _ => false,
        }
    }

    fn after(&mut self, state: u32, row: u32) -> Option<u32> {
        self.steps.after(state, row)
    }

    fn class(&self, row: u32) -> u32 {
        self.classes[row as usize]
    }

    fn classes(&self) -> u32 {
        self.count
    }

    fn take_work(&mut self) -> u64 {
        self.steps.take_work()
    }

    fn bytes(&self) -> usize {
        self.steps.bytes()
    }

    fn keep_only(&mut self, states: &mut [u32]) {
        self.steps.keep_only(states);
    }
}
