//! Tests the engines for containers into which no element is put twice. On small histories it compares them with the
//! definition, which tries every order.

use linear::generate::Random;
use linear::models::bag::AnyOrder;
use linear::models::container::{ContainerModel, Input, Order, Output};
use linear::models::priority_queue::LeastFirst;
use linear::models::queue::FirstIn;
use linear::models::set::{self, Set};
use linear::models::stack::LastIn;
use linear::{History, Model, Operation, Outcome};

use crate::common::{compare, histories, history_of};

type Containers = History<Input<u64>, Output<u64>>;

/// A history of up to eight operations on elements that have these names: half of the answers are right at points
/// in the intervals.
fn small<O: Order<u64>>(name: fn(u64) -> u64, random: &mut Random) -> Containers {
    let model = ContainerModel::<O, u64>::new();
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
    let mut state = model.initial();
    let mut put = 0;
    let mut operations = Vec::new();
    for (_, index, call, at) in plan {
        let lost = random.below(100) < unknown;
        let (input, output) = if random.below(2) == 0 {
            put += 1;
            (Input::Insert(name(put)), Output::Inserted)
        } else {
            let mut answers: Vec<Option<u64>> = (1..=length).map(|element| Some(name(element))).collect();
            answers.push(None);
            let answers: Vec<Output<u64>> = answers.into_iter().map(Output::Taken).collect();
            let right = answers
                .iter()
                .copied()
                .find(|answer| model.step(&state, &Input::Take, Some(answer)).is_some());
            let drawn = answers[random.below(answers.len() as u64) as usize];
            (Input::Take, right.filter(|_| random.below(100) >= wrong).unwrap_or(drawn))
        };
        let after = model.step(&state, &input, Some(&output));
        if let (true, Some(after)) = (!lost || random.below(2) == 0, after) {
            state = after;
        }
        let outcome = if lost { Outcome::Unknown } else { Outcome::Answered { output, at } };
        operations.push((index, Operation { client: index as u32, input, call, outcome }));
    }
    operations.sort_by_key(|(index, _)| *index);
    history_of(operations.into_iter().map(|(_, operation)| operation))
}

fn many<O: Order<u64>>(name: fn(u64) -> u64) {
    let mut verdicts = [0; 2];
    let count = histories(10_000);
    for seed in 0..count {
        let history = small::<O>(name, &mut Random::new(seed));
        verdicts[usize::from(compare(&ContainerModel::<O, u64>::new(), &history))] += 1;
    }
    println!("linearizable: {} of {count}", verdicts[1]);
    assert!(verdicts.iter().all(|&one| one * 20 > count), "{verdicts:?}");
}

#[test]
fn queues() {
    many::<FirstIn>(|element| element);
}

#[test]
fn stacks() {
    many::<LastIn>(|element| element);
}

/// Elements leave it in another order than they came in.
#[test]
fn priority_queues() {
    many::<LeastFirst>(|element| element * 5 % 11);
}

#[test]
fn bags() {
    many::<AnyOrder>(|element| element);
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
