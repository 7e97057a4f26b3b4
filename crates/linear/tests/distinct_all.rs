//! Generates all histories of a few operations on containers into which no element is put twice, and compares the
//! engines with another implementation of the definition.
//!
//! As in [`crate::exhaustive`], histories that cannot differ in their verdict are generated only once. Except in a
//! priority queue, elements only differ in their names, so they are put in in the order of their names.

use linear::models::bag::Bag;
use linear::models::container::{Input, Output};
use linear::models::priority_queue::PriorityQueue;
use linear::models::queue::Queue;
use linear::models::stack::Stack;
use linear::{Budget, Container, History, Model, Operation, Outcome, Verdict, check, validate};

use crate::common::history_of;
use crate::exhaustive::{Interval, skeletons};

/// What an operation does, answered or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Puts in this element.
    Put(u8),
    /// Takes this element out, or finds nothing.
    Take(Option<u8>),
    /// A take of unknown outcome.
    TakeAny,
}

/// Calls `look` with every history whose operations have these intervals.
fn each(
    kind: Container,
    elements: u8,
    skeleton: &[Interval],
    asked: &mut Vec<Asked>,
    look: &mut impl FnMut(&[Asked]),
) {
    let Some(&interval) = skeleton.get(asked.len()) else { return look(asked) };
    let puts = asked.iter().filter(|asked| matches!(asked, Asked::Put(_))).count() as u8;
    let mut choices = Vec::new();
    for element in 1..=elements {
        let alike = kind != Container::PriorityQueue;
        let next = if alike { element == puts + 1 } else { !asked.contains(&Asked::Put(element)) };
        if next {
            choices.push(Asked::Put(element));
        }
    }
    match interval.1 {
        Some(_) => choices.extend([None].into_iter().chain((1..=elements).map(Some)).map(Asked::Take)),
        None => choices.push(Asked::TakeAny),
    }
    for choice in choices {
        asked.push(choice);
        each(kind, elements, skeleton, asked, look);
        asked.pop();
    }
}

/// Whether there is an order, by the definition: the state is what is there, in the order in which it came.
fn orderable(
    kind: Container,
    skeleton: &[Interval],
    asked: &[Asked],
    done: u32,
    state: &mut Vec<u8>,
) -> bool {
    let left = |at: usize| done >> at & 1 == 0;
    let all = || (0..asked.len()).filter(|&at| left(at));
    if all().all(|at| skeleton[at].1.is_none()) {
        return true;
    }
    let until = all().filter_map(|at| skeleton[at].1).min().unwrap_or(u64::MAX);
    for at in all().filter(|&at| skeleton[at].0 <= until) {
        let next = |state: &mut Vec<u8>| orderable(kind, skeleton, asked, done | 1 << at, state);
        let leaves = |place: usize, state: &[u8]| match kind {
            Container::Queue => place == 0,
            Container::Stack => place + 1 == state.len(),
            Container::PriorityQueue => state.iter().all(|&other| other >= state[place]),
            _ => true,
        };
        match asked[at] {
            Asked::Put(element) => {
                state.push(element);
                let found = next(state);
                state.pop();
                if found {
                    return true;
                }
            }
            Asked::Take(None) if state.is_empty() => {
                if next(state) {
                    return true;
                }
            }
            Asked::Take(None) => {}
            Asked::Take(Some(_)) | Asked::TakeAny => {
                for place in 0..state.len() {
                    let asked_for =
                        asked[at] == Asked::TakeAny || asked[at] == Asked::Take(Some(state[place]));
                    if asked_for && leaves(place, state) {
                        let element = state.remove(place);
                        let found = next(state);
                        state.insert(place, element);
                        if found {
                            return true;
                        }
                    }
                }
            }
        }
    }
    false
}

/// Compares the engine's verdict with the expected one.
fn compare<M>(model: &M, history: &History<M::Input, M::Output>, expected: bool, evidence: bool)
where
    M: Model + Sync,
    M::Input: Sync + std::fmt::Debug,
    M::Output: Sync + std::fmt::Debug,
{
    let report = check(model, history, &Budget { explain: evidence, ..Budget::default() });
    match report.verdict {
        Verdict::Linearizable(witness) => {
            assert!(expected, "{history:?}");
            assert_eq!(validate::linearization(model, history, &witness), Ok(()), "{history:?}");
        }
        Verdict::NotLinearizable(violation) => {
            assert!(!expected, "{history:?}");
            let operations = &violation.conflict.operations;
            if evidence {
                assert_eq!(
                    validate::conflict(model, history, operations),
                    Ok(()),
                    "{operations:?} of {history:?}"
                );
            }
        }
        Verdict::Undecided(undecided) => panic!("{undecided:?} of {history:?}"),
    }
}

fn history(skeleton: &[Interval], asked: &[Asked]) -> History<Input<u8>, Output<u8>> {
    let operation = |(client, (&(call, at), &asked)): (usize, (&Interval, &Asked))| {
        let (input, output) = match asked {
            Asked::Put(element) => (Input::Insert(element), Output::Inserted),
            Asked::Take(element) => (Input::Take, Output::Taken(element)),
            Asked::TakeAny => (Input::Take, Output::Taken(None)),
        };
        let outcome = at.map_or(Outcome::Unknown, |at| Outcome::Answered { output, at });
        Operation { client: client as u32, input, call, outcome }
    };
    history_of(skeleton.iter().zip(asked).enumerate().map(operation))
}

/// All histories of so many operations on so many elements.
fn all(kind: Container, operations: usize, elements: u8) {
    let evidence = operations <= 5;
    let (mut count, mut good) = (0_u64, 0_u64);
    for skeleton in skeletons(operations) {
        each(kind, elements, &skeleton, &mut Vec::new(), &mut |asked| {
            let expected = orderable(kind, &skeleton, asked, 0, &mut Vec::new());
            count += 1;
            good += u64::from(expected);
            let history = history(&skeleton, asked);
            match kind {
                Container::Queue => compare(&Queue::new(), &history, expected, evidence),
                Container::Stack => compare(&Stack::new(), &history, expected, evidence),
                Container::PriorityQueue => compare(&PriorityQueue::new(), &history, expected, evidence),
                _ => compare(&Bag::new(), &history, expected, evidence),
            }
        });
    }
    println!("{kind:?}: {good} of {count} histories of {operations} operations are linearizable");
}

const KINDS: [Container; 4] = [Container::Queue, Container::Stack, Container::PriorityQueue, Container::Bag];

#[test]
fn all_histories_of_up_to_four_operations() {
    for kind in KINDS {
        (1..=4).for_each(|operations| all(kind, operations, 2));
    }
}

#[test]
#[ignore = "minutes"]
fn all_histories_of_up_to_six_operations() {
    for kind in KINDS {
        (1..=6).for_each(|operations| all(kind, operations, 3));
    }
}
