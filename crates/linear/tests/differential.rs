//! Compares the engines with the definition of linearizability, on histories that are small enough to try every
//! order.

use crate::common::{MODEL, Registers, Small, compare, histories};
use linear::generate::Random;
use linear::models::register::{Input, Output};
use linear::{History, Operation, Outcome};

#[test]
fn random_histories_are_judged_as_by_brute_force() {
    let mut verdicts = [0_u64; 2];
    for seed in 0..histories(200_000) {
        let mut random = Random::new(seed);
        let history = Small::random(&mut random).history(&mut random);
        verdicts[usize::from(compare(&MODEL, &history))] += 1;
    }
    // Both verdicts must be common, or the test shows nothing.
    assert!(verdicts.iter().all(|&count| count * 10 > verdicts[0] + verdicts[1]), "{verdicts:?}");
}

#[test]
#[ignore = "minutes; run it after a change of an engine"]
fn millions_of_random_histories_are_judged_as_by_brute_force() {
    for seed in 0..histories(3_000_000) {
        let mut random = Random::new(seed ^ 0xDEAD_BEEF_0000);
        let history = Small::random(&mut random).history(&mut random);
        compare(&MODEL, &history);
    }
}

/// All operations on the values 0, 1 and 2 that make a difference, with every outcome that they can have.
fn shapes() -> Vec<(Input<u8>, Option<Output<u8>>)> {
    let mut shapes = Vec::new();
    for value in 0..3 {
        shapes.push((Input::Read, Some(Output::Value(value))));
    }
    for value in 0..2 {
        shapes.push((Input::Write(value + 1), Some(Output::Written)));
    }
    shapes.push((Input::Write(1), None));
    for (expected, new) in [(0, 1), (1, 2), (2, 1), (1, 0)] {
        for output in [Some(Output::Set(true)), Some(Output::Set(false)), None] {
            shapes.push((Input::Cas(expected, new), output));
        }
    }
    shapes
}

/// The history that a number encodes: its digits are each operation's shape, call and return.
fn decode(
    mut number: u64,
    operations: usize,
    times: u64,
    shapes: &[(Input<u8>, Option<Output<u8>>)],
) -> Registers {
    let mut digit = |base: u64| {
        let digit = number % base;
        number /= base;
        digit
    };
    let mut history = History::new();
    for client in 0..operations {
        let (input, output) = shapes[digit(shapes.len() as u64) as usize];
        let call = digit(times);
        let at = call + digit(times - call);
        let outcome = output.map_or(Outcome::Unknown, |output| Outcome::Answered { output, at });
        let operation = Operation { client: client as u32, input, call, outcome };
        history.push(operation).expect("the return is not before the call");
    }
    history
}

#[test]
fn all_histories_of_two_operations() {
    let shapes = shapes();
    let each = shapes.len() as u64 * 16;
    for number in 0..each * each {
        compare(&MODEL, &decode(number, 2, 4, &shapes));
    }
}

#[test]
fn evenly_chosen_histories_of_three_to_six_operations() {
    let shapes = shapes();
    for operations in 3..=6_u32 {
        let all = (shapes.len() as u64 * 36).pow(operations);
        // A step that shares no factor with the radix visits all digits evenly.
        let step = all / 60_000 / 2 * 2 + 1;
        let mut number = 0;
        while number < all {
            compare(&MODEL, &decode(number, operations as usize, 6, &shapes));
            number += step;
        }
    }
}
