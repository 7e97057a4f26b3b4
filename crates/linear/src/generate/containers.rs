//! Histories of simulated containers into which no element is put twice, for tests and measurements.
//!
//! Times are those of [`super`]. Half of the operations put an element in, the others take one; of a set, some
//! add what is there already or remove what is not. An operation of unknown outcome is put or take alike.

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
    /// How many of a thousand operations are lost to their clients.
    pub unknown_per_mille: u32,
    /// What is wrong with it.
    pub wrong: Wrong,
    /// The same seed gives the same history.
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Shape { operations: 1000, clients: 5, unknown_per_mille: 0, wrong: Wrong::Nothing, seed: 1 }
    }
}

/// What is wrong in the second half of a history, whatever became of lost operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is linearizable.
    Nothing,
    /// A take answers an element that another one had answered long before. Of a set: a remove says that an
    /// element was not there that was.
    Answer,
    /// Two takes one after the other answer each what the other one took, in the wrong order. Of a bag and a
    /// set, whose order does not matter, the same as [`Wrong::Answer`].
    Swapped,
}

/// An operation under way, before it is one of a model.
#[derive(Clone, Copy, Debug)]
struct Planned {
    client: u32,
    call: u64,
    /// `None` if it was lost.
    at: Option<u64>,
    ask: Ask,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Put(u32),
    Take,
    /// Of a set.
    Remove(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Took(Option<u32>),
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

/// A history of a container in which an element is put in and some element taken out.
pub type Elements = History<Input<u32>, Output<u32>>;

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

fn taken(answer: Answer) -> Option<u32> {
    match answer {
        Answer::Took(element) => element,
        Answer::Done | Answer::Changed(_) => None,
    }
}

fn history<I, O>(plan: Vec<Planned>, shape: impl Fn(Ask, Answer) -> (I, O)) -> History<I, O> {
    let operation = |Planned { client, call, at, ask, answer }: Planned| {
        let (input, output) = shape(ask, answer);
        let outcome = at.map_or(Outcome::Unknown, |at| Outcome::Answered { output, at });
        Operation { client, input, call, outcome }
    };
    History::from_operations(plan.into_iter().map(operation)).expect("every return is drawn after its call")
}

fn plan(shape: &Shape, container: Container) -> Vec<Planned> {
    let mut random = Random::new(shape.seed);
    let (mut plan, points) = calls(shape, container, &mut random);
    take_effect(&mut plan, &points, container, &mut random);
    let spoiled = match shape.wrong {
        Wrong::Nothing => true,
        _ if container == Container::Set => refuse(&mut plan, &mut random),
        Wrong::Swapped if container != Container::Bag => swap(&mut plan, container, &mut random),
        Wrong::Answer | Wrong::Swapped => repeat(&mut plan, &mut random),
    };
    debug_assert!(spoiled || shape.operations < 200, "nothing to spoil in {shape:?}");
    plan
}

/// The calls in the order of time, and the points at which they take effect, [`NEVER`] if they do not.
fn calls(shape: &Shape, container: Container, random: &mut Random) -> (Vec<Planned>, Vec<u64>) {
    let mut clients: BinaryHeap<Reverse<(u64, u32)>> =
        (0..shape.clients).map(|client| Reverse((random.exponential(UNIT), client as u32))).collect();
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

/// How far back the elements of a set are that are asked for again.
const RECENT: u64 = 64;

fn ask(index: u32, container: Container, random: &mut Random) -> Ask {
    // Of a priority queue the elements come in no order; different ones stay different.
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

/// The answered takes of the second half, by call, beginning anywhere.
fn takes(plan: &[Planned], random: &mut Random) -> Vec<usize> {
    let half = plan.len() / 2;
    let begin = half + random.below((plan.len() - half) as u64 / 2 + 1) as usize;
    let took = |&at: &usize| plan[at].at.is_some() && matches!(plan[at].answer, Answer::Took(Some(_)));
    (begin..plan.len()).chain(half..begin).filter(took).collect()
}

/// Lets a take answer what another one answered before it was called.
fn repeat(plan: &mut [Planned], random: &mut Random) -> bool {
    let takes = takes(plan, random);
    let before = |&&later: &&usize| {
        let early = |&earlier: &usize| plan[earlier].at.is_some_and(|at| at < plan[later].call);
        takes.iter().copied().find(|earlier| *earlier < later && early(earlier))
    };
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

/// How far behind a take the other one may be.
const NEAR: usize = 4000;

/// Lets two takes answer what the other one took, in an order that cannot be.
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

/// Lets a remove of a set say that an element was not there that had been added before, and that nothing else
/// asked to remove.
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
