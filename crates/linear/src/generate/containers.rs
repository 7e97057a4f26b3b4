//! Histories of simulated containers into which no element is put twice, for tests and measurements.
//!
//! The times are drawn as in [`super`]. Half of the operations put an element in, and the others take one out. In a
//! set, some add an element that is there already, or remove one that is not. Both kinds of operations can have an
//! unknown outcome, with the same probability.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use super::{NEVER, Pending, Random, UNIT};
use crate::history::{History, Operation, Outcome};
use crate::model::Container;
use crate::models::container::{Input, Output};
use crate::models::set;

/// What to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many operations.
    pub operations: usize,
    /// How many clients at a time.
    pub clients: usize,
    /// How many of a thousand operations are *lost*: the client never hears their outcome.
    pub unknown_per_mille: u32,
    /// Which error to put into the history.
    pub wrong: Wrong,
    /// The same seed gives the same history.
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Shape { operations: 1000, clients: 5, unknown_per_mille: 0, wrong: Wrong::Nothing, seed: 1 }
    }
}

/// An error in the second half of a history. It remains an error no matter which of the lost operations took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// No error: the history is linearizable.
    Nothing,
    /// A take returns an element that another take had returned long before. In a set: a remove says that an element
    /// was not there although it was.
    Answer,
    /// The answers of two takes, one after the other, are exchanged, so the elements come out in the wrong order. For
    /// a bag and a set, which have no order, the same as [`Wrong::Answer`]; also where so many clients are concurrent
    /// that no two takes have a certain order.
    Swapped,
}

/// An operation, before it is translated into an operation of one of the models.
#[derive(Clone, Copy, Debug)]
struct Planned {
    client: u32,
    call: u64,
    /// When it was answered; `None` if it was lost.
    at: Option<u64>,
    ask: Ask,
    answer: Answer,
}

/// What an operation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Put(u32),
    Take,
    /// Removes an element from a set.
    Remove(u32),
}

/// What an operation answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// To a put into a container that is no set.
    Done,
    /// To a take: the element, or `None` if the container was empty.
    Took(Option<u32>),
    /// To an operation on a set: whether it changed the set.
    Changed(bool),
}

/// A history of a queue.
pub fn queue(shape: &Shape) -> Elements {
    elements(shape, Container::Queue)
}

/// A history of a stack.
pub fn stack(shape: &Shape) -> Elements {
    elements(shape, Container::Stack)
}

/// A history of a priority queue.
pub fn priority_queue(shape: &Shape) -> Elements {
    elements(shape, Container::PriorityQueue)
}

/// A history of a bag.
pub fn bag(shape: &Shape) -> Elements {
    elements(shape, Container::Bag)
}

/// A history of a container with operations that put in a given element, or take out one that the container chooses.
pub type Elements = History<Input<u32>, Output<u32>>;

/// A history of a container with elements that are put in and taken out.
fn elements(shape: &Shape, container: Container) -> Elements {
    history(plan(shape, container), |ask, answer| match (ask, answer) {
        (Ask::Put(element), _) => (Input::Insert(element), Output::Inserted),
        (_, answer) => (Input::Take, Output::Taken(taken(answer))),
    })
}

/// A history of a set, without reads of the whole set.
pub fn set(shape: &Shape) -> History<set::Input<u32>, set::Output<u32>> {
    history(plan(shape, Container::Set), |ask, answer| {
        let input = match ask {
            Ask::Remove(element) => set::Input::Remove(element),
            Ask::Put(element) => set::Input::Add(element),
            Ask::Take => set::Input::Read,
        };
        (input, set::Output::Changed(answer == Answer::Changed(true)))
    })
}

/// The element that a take answered.
fn taken(answer: Answer) -> Option<u32> {
    match answer {
        Answer::Took(element) => element,
        Answer::Done | Answer::Changed(_) => None,
    }
}

/// Translates planned operations into operations of a model.
fn history<I, O>(plan: Vec<Planned>, translate: impl Fn(Ask, Answer) -> (I, O)) -> History<I, O> {
    let operation = |Planned { client, call, at, ask, answer }: Planned| {
        let (input, output) = translate(ask, answer);
        let outcome = at.map_or(Outcome::Unknown, |at| Outcome::Answered { output, at });
        Operation { client, input, call, outcome }
    };
    History::from_operations(plan.into_iter().map(operation)).expect("every return is drawn after its call")
}

/// Plans all operations and their answers, including the error that is asked for.
fn plan(shape: &Shape, container: Container) -> Vec<Planned> {
    let mut random = Random::new(shape.seed);
    let (mut plan, points) = calls(shape, container, &mut random);
    take_effect(&mut plan, &points, container, &mut random);
    let spoiled = match shape.wrong {
        Wrong::Nothing => true,
        _ if container == Container::Set => refuse(&mut plan, &mut random),
        Wrong::Swapped if container != Container::Bag => {
            swap(&mut plan, container, &mut random) || repeat(&mut plan, &mut random)
        }
        Wrong::Answer | Wrong::Swapped => repeat(&mut plan, &mut random),
    };
    debug_assert!(spoiled || shape.operations < 200, "nothing to spoil in {shape:?}");
    plan
}

/// Draws the calls, in the order of time, and the times (*points*) at which they take effect; [`NEVER`] for those
/// that do not.
fn calls(shape: &Shape, container: Container, random: &mut Random) -> (Vec<Planned>, Vec<u64>) {
    let mut clients: BinaryHeap<Reverse<(u64, u32)>> =
        (0..shape.clients).map(|client| Reverse((random.exponential(UNIT), client as u32))).collect();
    // The number of the newest client. A client that loses an operation is replaced by a new one.
    let mut names = shape.clients as u32;
    let (mut plan, mut points) = (Vec::with_capacity(shape.operations), Vec::new());
    while plan.len() < shape.operations {
        let Some(Reverse((call, client))) = clients.pop() else { break };
        let ask = ask(plan.len() as u32, container, random);
        let lost = random.below(1000) < u64::from(shape.unknown_per_mille);
        let (point, at) = if lost {
            let point = call + random.exponential(5.0 * UNIT);
            names += 1;
            clients.push(Reverse((call + (2.0 * UNIT) as u64, names)));
            (if random.below(2) == 0 { point } else { NEVER }, None)
        } else {
            let point = call + random.exponential(UNIT);
            let at = point + random.exponential(UNIT);
            clients.push(Reverse((at + random.exponential(UNIT / 10.0) + 1, client)));
            (point, Some(at))
        };
        points.push(point);
        plan.push(Planned { client, call, at, ask, answer: Answer::Done });
    }
    (plan, points)
}

/// Operations on a set ask again for elements that were first used at most this many operations ago.
const RECENT: u64 = 64;

/// What the operation with this number asks for.
fn ask(index: u32, container: Container, random: &mut Random) -> Ask {
    // In a priority queue, elements should not be put in in ascending order. The multiplier is odd, so different
    // numbers stay different.
    let new = match container {
        Container::PriorityQueue => (index + 1).wrapping_mul(0x9E37_79B1),
        _ => index + 1,
    };
    if container != Container::Set {
        return if random.below(2) == 0 { Ask::Put(new) } else { Ask::Take };
    }
    let recent = (u64::from(index) - random.below(RECENT.min(u64::from(index) + 1))) as u32;
    // A quarter of the elements is never removed, and these alone are added again.
    match random.below(20) {
        0..8 => Ask::Put(new),
        8..11 => Ask::Put(recent / 4 * 4 + 1),
        _ if recent % 4 == 1 => Ask::Remove(recent + 1),
        _ => Ask::Remove(recent),
    }
}

/// Lets every operation take effect, in the order of the points.
fn take_effect(plan: &mut [Planned], points: &[u64], container: Container, random: &mut Random) {
    let mut pending: Vec<Pending> = (0..plan.len() as u32)
        .filter(|&index| points[index as usize] != NEVER)
        .map(|index| Pending { point: points[index as usize], index })
        .collect();
    pending.sort_unstable();
    // What a queue, stack or bag holds, in the order of the puts; and what a set or priority queue holds.
    let mut row: VecDeque<u32> = VecDeque::new();
    let mut sorted: BTreeSet<u32> = BTreeSet::new();
    for Pending { index, .. } in pending {
        let planned = &mut plan[index as usize];
        planned.answer = match (container, planned.ask) {
            (Container::Set, Ask::Put(element)) => Answer::Changed(sorted.insert(element)),
            (Container::Set, Ask::Remove(element)) => Answer::Changed(sorted.remove(&element)),
            (Container::PriorityQueue, Ask::Put(element)) => {
                sorted.insert(element);
                Answer::Done
            }
            (Container::PriorityQueue, _) => Answer::Took(sorted.pop_first()),
            (_, Ask::Put(element)) => {
                row.push_back(element);
                Answer::Done
            }
            (Container::Queue, _) => Answer::Took(row.pop_front()),
            (Container::Bag, _) if !row.is_empty() => {
                let place = random.below(row.len() as u64) as usize;
                Answer::Took(row.swap_remove_back(place))
            }
            _ => Answer::Took(row.pop_back()),
        };
    }
}

/// The answered takes of the second half, in the order of calls. The list begins at a random one and wraps around.
fn takes(plan: &[Planned], random: &mut Random) -> Vec<usize> {
    let half = plan.len() / 2;
    let begin = half + random.below((plan.len() - half) as u64 / 2 + 1) as usize;
    let took = |&at: &usize| plan[at].at.is_some() && matches!(plan[at].answer, Answer::Took(Some(_)));
    (begin..plan.len()).chain(half..begin).filter(took).collect()
}

/// Puts in [`Wrong::Answer`]: a take answers what another one answered before it was called. Returns whether it
/// found such takes.
fn repeat(plan: &mut [Planned], random: &mut Random) -> bool {
    let takes = takes(plan, random);
    let before = |&&later: &&usize| {
        let early = |&earlier: &usize| plan[earlier].at.is_some_and(|at| at < plan[later].call);
        takes.iter().copied().find(|earlier| *earlier < later && early(earlier))
    };
    // Any but the first 50 come first, so that the other take is long before, if possible.
    let found = takes
        .iter()
        .skip(takes.len().min(50))
        .chain(&takes)
        .find_map(|later| Some((*later, before(&later)?)));
    if let Some((later, earlier)) = found {
        plan[later].answer = plan[earlier].answer;
    }
    found.is_some()
}

/// How many operations may lie between the two operations of an error.
const NEAR: usize = 4000;

/// Puts in [`Wrong::Swapped`]: exchanges the answers of two takes that cannot have come in the other order. Returns
/// whether it found such takes.
fn swap(plan: &mut [Planned], container: Container, random: &mut Random) -> bool {
    let mut put: Vec<(u32, usize)> = (0..plan.len())
        .filter_map(|at| if let Ask::Put(element) = plan[at].ask { Some((element, at)) } else { None })
        .collect();
    put.sort_unstable();
    let put_of = |at: usize| {
        let element = taken(plan[at].answer)?;
        let place = put.binary_search_by_key(&element, |&(element, _)| element).ok()?;
        Some((element, plan[put[place].1]))
    };
    let before = |one: &Planned, other: &Planned| one.at.is_some_and(|at| at < other.call);
    let wrong = |&(first, second): &(usize, usize)| {
        let (Some((one, put_one)), Some((other, put_other))) = (put_of(first), put_of(second)) else {
            return false;
        };
        let both_there = before(&put_one, &plan[first]) && before(&put_other, &plan[first]);
        before(&plan[first], &plan[second])
            && match container {
                Container::Queue => before(&put_one, &put_other),
                // The one taken first lies above the other one.
                Container::Stack => before(&put_other, &put_one) && both_there,
                _ => one < other && both_there,
            }
    };
    let takes = takes(plan, random);
    let pairs = takes.iter().flat_map(|&first| {
        let near = plan.len().min(first + NEAR);
        (first + 1..near).map(move |second| (first, second))
    });
    let took = |&(_, second): &(usize, usize)| {
        plan[second].at.is_some() && matches!(plan[second].answer, Answer::Took(Some(_)))
    };
    let found = pairs.filter(took).find(wrong);
    if let Some((first, second)) = found {
        (plan[first].answer, plan[second].answer) = (plan[second].answer, plan[first].answer);
    }
    found.is_some()
}

/// Puts in [`Wrong::Answer`] for a set: a remove says that its element was not there, although the element had been
/// added before, and no other operation asked to remove it. Returns whether it found such a remove.
fn refuse(plan: &mut [Planned], random: &mut Random) -> bool {
    let half = plan.len() / 2;
    let begin = half + random.below((plan.len() - half) as u64 / 2 + 1) as usize;
    let near = |at: usize| at.saturating_sub(NEAR)..plan.len().min(at + NEAR);
    let wrong = |&at: &usize| {
        let Ask::Remove(element) = plan[at].ask else { return false };
        let added = |other: usize| {
            plan[other].ask == Ask::Put(element)
                && plan[other].answer == Answer::Changed(true)
                && plan[other].at.is_some_and(|returned| returned < plan[at].call)
        };
        plan[at].at.is_some()
            && plan[at].answer == Answer::Changed(true)
            && near(at).any(added)
            && near(at).all(|other| other == at || plan[other].ask != plan[at].ask)
    };
    let found = (begin..plan.len()).chain(half..begin).find(wrong);
    if let Some(at) = found {
        plan[at].answer = Answer::Changed(false);
    }
    found.is_some()
}
