//! Containers whose elements differ, against the definition.

use linear::generate::Random;
use linear::models::bag::{self, Bag};
use linear::models::priority_queue::{self, PriorityQueue};
use linear::models::queue::{self, Queue};
use linear::models::set::{self, Set};
use linear::models::stack::{self, Stack};
use linear::{History, Model, Operation, Outcome};

use crate::common::{compare, histories, history_of};

/// What a small history is drawn from.
struct Shape<M: Model> {
    model: M,
    /// Puts in the element of this number.
    put: fn(u64) -> (M::Input, M::Output),
    /// Takes one, or finds nothing.
    take: fn(Option<u64>) -> (M::Input, M::Output),
}

/// A history of up to eight operations: half of the answers are right at points in the intervals.
fn small<M: Model>(shape: &Shape<M>, random: &mut Random) -> History<M::Input, M::Output>
where
    M::Input: Clone,
    M::Output: Clone,
{
    let length = 3 + random.below(5);
    let unknown = [0, 0, 20, 40][random.below(4) as usize];
    let wrong = [0, 0, 10, 50][random.below(4) as usize];
    let times = [8, 16, 40][random.below(3) as usize];
    let mut plan: Vec<(u64, u64, u64, u64)> = (0..length)
        .map(|index| {
            let (one, other) = (random.below(times), random.below(times));
            let short = random.below(3) > 0;
            let (call, at) = (one.min(other), one.max(other));
            let at = if short { at.min(call + 3) } else { at };
            (call + random.below(at - call + 1), index, call, at)
        })
        .collect();
    plan.sort_unstable();
    let mut state = shape.model.initial();
    let mut put = 0;
    let mut operations = Vec::new();
    for (_, index, call, at) in plan {
        let lost = random.below(100) < unknown;
        let (input, output) = if random.below(2) == 0 {
            put += 1;
            (shape.put)(put)
        } else {
            let mut answers: Vec<Option<u64>> = (1..=length).map(Some).collect();
            answers.push(None);
            let right = answers.iter().copied().find(|&answer| {
                let (input, output) = (shape.take)(answer);
                shape.model.step(&state, &input, Some(&output)).is_some()
            });
            let drawn = answers[random.below(answers.len() as u64) as usize];
            (shape.take)(right.filter(|_| random.below(100) >= wrong).unwrap_or(drawn))
        };
        let after = shape.model.step(&state, &input, Some(&output));
        if let (true, Some(after)) = (!lost || random.below(2) == 0, after) {
            state = after;
        }
        let outcome = if lost { Outcome::Unknown } else { Outcome::Answered { output, at } };
        operations.push((index, Operation { client: index as u32, input, call, outcome }));
    }
    operations.sort_by_key(|(index, _)| *index);
    history_of(operations.into_iter().map(|(_, operation)| operation))
}

fn many<M>(shape: &Shape<M>)
where
    M: Model + Sync,
    M::Input: Sync + Clone + std::fmt::Debug,
    M::Output: Sync + Clone + std::fmt::Debug,
{
    let mut verdicts = [0; 2];
    let count = histories(10_000);
    for seed in 0..count {
        let mut random = Random::new(seed);
        let history = small(shape, &mut random);
        verdicts[usize::from(compare(&shape.model, &history))] += 1;
    }
    println!("linearizable: {} of {count}", verdicts[1]);
    assert!(verdicts.iter().all(|&one| one * 20 > count), "{verdicts:?}");
}

const QUEUE: fn() -> Shape<Queue<u64>> = || Shape {
    model: Queue::new(),
    put: |element| (queue::Input::Enqueue(element), queue::Output::Enqueued),
    take: |element| (queue::Input::Dequeue, queue::Output::Dequeued(element)),
};

const STACK: fn() -> Shape<Stack<u64>> = || Shape {
    model: Stack::new(),
    put: |element| (stack::Input::Push(element), stack::Output::Pushed),
    take: |element| (stack::Input::Pop, stack::Output::Popped(element)),
};

/// Elements leave it in another order than they came in.
const PRIORITY_QUEUE: fn() -> Shape<PriorityQueue<u64>> = || Shape {
    model: PriorityQueue::new(),
    put: |element| (priority_queue::Input::Insert(element * 5 % 11), priority_queue::Output::Inserted),
    take: |element| {
        let element = element.map(|element| element * 5 % 11);
        (priority_queue::Input::DeleteMin, priority_queue::Output::Deleted(element))
    },
};

const BAG: fn() -> Shape<Bag<u64>> = || Shape {
    model: Bag::new(),
    put: |element| (bag::Input::Add(element), bag::Output::Added),
    take: |element| (bag::Input::Take, bag::Output::Taken(element)),
};

#[test]
fn queues() {
    many(&QUEUE());
}

#[test]
fn stacks() {
    many(&STACK());
}

#[test]
fn priority_queues() {
    many(&PRIORITY_QUEUE());
}

#[test]
fn bags() {
    many(&BAG());
}

/// A history of a set of three elements. Every element is added once, or as often as it comes.
fn small_set(
    random: &mut Random,
    once: bool,
    reads: u64,
    removes: u64,
) -> History<set::Input<u64>, set::Output<u64>> {
    let model = Set::new();
    let length = 3 + random.below(5);
    let unknown = [0, 20, 40][random.below(3) as usize];
    let wrong = [0, 10, 40][random.below(3) as usize];
    let mut plan: Vec<(u64, u64, u64, u64)> = (0..length)
        .map(|index| {
            let (one, other) = (random.below(16), random.below(16));
            let (call, at) = (one.min(other), one.max(other));
            (call + random.below(at - call + 1), index, call, at)
        })
        .collect();
    plan.sort_unstable();
    let mut state = model.initial();
    let mut added = [false; 3];
    let mut operations = Vec::new();
    for (_, index, call, at) in plan {
        let element = random.below(3);
        let input = match random.below(10) {
            drawn if drawn < reads => set::Input::Read,
            drawn if drawn < reads + removes => set::Input::Remove(element),
            _ => set::Input::Add(element),
        };
        let lost = random.below(100) < unknown;
        let mut output = match input {
            set::Input::Read => set::Output::Elements(state.clone()),
            set::Input::Add(element) => set::Output::Changed(!state.contains(&element)),
            set::Input::Remove(element) => set::Output::Changed(state.contains(&element)),
        };
        if random.below(100) < wrong {
            output = match output {
                set::Output::Repeated(elements) => set::Output::Repeated(elements),
                set::Output::Changed(changed) => set::Output::Changed(!changed),
                set::Output::Elements(mut elements) => {
                    if !elements.remove(&element) {
                        elements.insert(element);
                    }
                    set::Output::Elements(elements)
                }
            };
        }
        // An add that answers that it changed something, or may have, counts.
        if let set::Input::Add(element) = input {
            let counts = lost || output == set::Output::Changed(true);
            if once && counts && std::mem::replace(&mut added[element as usize], true) {
                continue;
            }
        }
        if !lost || random.below(2) == 0 {
            match input {
                set::Input::Add(element) => {
                    state.insert(element);
                }
                set::Input::Remove(element) => {
                    state.remove(&element);
                }
                set::Input::Read => {}
            }
        }
        let outcome = if lost { Outcome::Unknown } else { Outcome::Answered { output, at } };
        operations.push((index, Operation { client: index as u32, input, call, outcome }));
    }
    operations.sort_by_key(|(index, _)| *index);
    history_of(operations.into_iter().map(|(_, operation)| operation))
}

fn many_sets(once: bool, reads: u64, removes: u64) {
    let mut verdicts = [0; 2];
    let count = histories(10_000);
    for seed in 0..count {
        let mut random = Random::new(seed);
        let history = small_set(&mut random, once, reads, removes);
        verdicts[usize::from(compare(&Set::new(), &history))] += 1;
    }
    println!("linearizable: {} of {count}", verdicts[1]);
    assert!(verdicts.iter().all(|&one| one * 20 > count), "{verdicts:?}");
}

#[test]
fn sets_without_reads() {
    many_sets(true, 0, 4);
}

#[test]
fn sets_without_reads_to_which_elements_are_added_again() {
    many_sets(false, 0, 4);
}

#[test]
fn sets_from_which_nothing_is_removed() {
    many_sets(true, 4, 0);
}

#[test]
fn sets_with_everything() {
    many_sets(true, 3, 3);
}
