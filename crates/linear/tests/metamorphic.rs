//! Changes histories in ways that must not change the verdict, or that may change it in one direction only.

use crate::common::{MODEL, Registers, Small, compare, history_of, judge};
use linear::generate::Random;
use linear::models::register::{Input, Output};
use linear::{Operation, Outcome};

type Op = Operation<Input<u8>, Output<u8>>;

const HISTORIES: u64 = 30_000;

/// Small histories, of which about half are linearizable, each with a source of randomness.
fn small() -> impl Iterator<Item = (Registers, Random)> {
    (0..HISTORIES).map(|seed| {
        let mut random = Random::new(seed ^ 0x6D65_7461);
        let history = Small::random(&mut random).history(&mut random);
        (history, random)
    })
}

fn changed(history: &Registers, change: impl FnOnce(&mut Vec<Op>)) -> Registers {
    let mut operations = history.operations().to_vec();
    change(&mut operations);
    history_of(operations)
}

#[test]
fn forgetting_an_outcome_keeps_what_is_linearizable() {
    for (history, mut random) in small() {
        let victim = random.below(history.len() as u64) as usize;
        let forgotten = changed(&history, |operations| {
            if !operations[victim].failed() {
                operations[victim].outcome = Outcome::Unknown;
            }
        });
        assert!(judge(&MODEL, &forgotten) || !judge(&MODEL, &history), "{history:?} without {victim}");
    }
}

#[test]
fn widening_an_interval_keeps_what_is_linearizable() {
    for (history, mut random) in small() {
        let victim = random.below(history.len() as u64) as usize;
        let wider = changed(&history, |operations| {
            operations[victim].call = operations[victim].call.saturating_sub(random.below(8));
            if let Outcome::Answered { at, .. } = &mut operations[victim].outcome {
                *at += random.below(8);
            }
        });
        assert!(judge(&MODEL, &wider) || !judge(&MODEL, &history), "{history:?} with {victim} wider");
    }
}

#[test]
fn dropping_a_read_keeps_what_is_linearizable() {
    for (history, _) in small() {
        let fewer = changed(&history, |operations| {
            if let Some(read) = operations.iter().position(|operation| operation.input == Input::Read) {
                operations.remove(read);
            }
        });
        assert!(judge(&MODEL, &fewer) || !judge(&MODEL, &history), "{history:?}");
    }
}

#[test]
fn names_of_values_and_clients_and_the_order_of_operations_mean_nothing() {
    let rename = |value: u8| if value == 0 { 0 } else { 200 - value };
    for (history, mut random) in small() {
        let renamed = changed(&history, |operations| {
            for operation in operations.iter_mut() {
                operation.client = 7 * operation.client + 3;
                operation.call *= 3;
                match &mut operation.input {
                    Input::Read => {}
                    Input::Write(new) => *new = rename(*new),
                    Input::Cas(expected, new) => (*expected, *new) = (rename(*expected), rename(*new)),
                }
                match &mut operation.outcome {
                    Outcome::Answered { output, at } => {
                        *at *= 3;
                        if let Output::Value(seen) = output {
                            *seen = rename(*seen);
                        }
                    }
                    Outcome::Failed { at } => *at *= 3,
                    Outcome::Unknown => {}
                }
            }
            for at in (1..operations.len()).rev() {
                operations.swap(at, random.below(at as u64 + 1) as usize);
            }
        });
        assert_eq!(judge(&MODEL, &renamed), judge(&MODEL, &history), "{history:?}");
    }
}

#[test]
fn mutated_histories_are_judged_as_by_brute_force() {
    for (history, mut random) in small() {
        let mutated = changed(&history, |operations| {
            let one = random.below(operations.len() as u64) as usize;
            let other = random.below(operations.len() as u64) as usize;
            match random.below(6) {
                0 => move_return(&mut operations[one], random.below(10)),
                1 => swap_answers(operations, one, other),
                2 => drop(operations.remove(one)),
                3 => operations.push(operations[one].clone()),
                4 => operations[one].call = operations[one].returned().unwrap_or(9),
                _ => same_time(operations, one, other),
            }
        });
        compare(&MODEL, &mutated);
    }
}

fn move_return(operation: &mut Op, by: u64) {
    if let Outcome::Answered { at, .. } = &mut operation.outcome {
        *at = operation.call + by;
    }
}

fn swap_answers(operations: &mut [Op], one: usize, other: usize) {
    if operations[one].input == operations[other].input {
        let answer = operations[one].output().copied();
        if let (Some(answer), Some(second)) = (answer, operations[other].output().copied()) {
            for (at, answer) in [(other, answer), (one, second)] {
                if let Outcome::Answered { output, .. } = &mut operations[at].outcome {
                    *output = answer;
                }
            }
        }
    }
}

/// Makes one operation return at the very time of another's call.
fn same_time(operations: &mut [Op], one: usize, other: usize) {
    let call = operations[other].call;
    if let Outcome::Answered { at, .. } = &mut operations[one].outcome {
        *at = call.max(operations[one].call);
    }
}
