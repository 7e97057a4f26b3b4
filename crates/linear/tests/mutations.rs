//! Takes linearizable histories of a few hundred operations and makes one change after which the verdict is certain.
//!
//! `metamorphic.rs` uses small histories, which a brute-force checker can judge.

use crate::common::{history_of, judge};
use linear::generate::{INITIAL, KeyedInput, Random, Shape, generate};
use linear::models::keyed::Keyed;
use linear::models::queue::{self, Queue};
use linear::models::register::{Input, Output, Register};
use linear::{Operation, Outcome};

type Op = Operation<KeyedInput, Output<u32>>;

/// Good histories of all kinds, each with a source of randomness.
fn good() -> impl Iterator<Item = (Vec<Op>, Random)> {
    (0..200).map(|seed| {
        let mut random = Random::new(seed);
        let shape = Shape {
            operations: 300,
            clients: [3, 10, 30][random.below(3) as usize],
            keys: [1, 4][random.below(2) as usize],
            unknown_per_mille: [0, 20, 100][random.below(3) as usize],
            seed,
            ..Shape::default()
        };
        (generate(&shape).operations().to_vec(), random)
    })
}

fn is_linearizable(operations: Vec<Op>) -> bool {
    judge(&Keyed::new(Register { initial: INITIAL }), &history_of(operations))
}

/// The index of a random operation that is `wanted`.
fn random_index(operations: &[Op], random: &mut Random, wanted: impl Fn(&Op) -> bool) -> Option<usize> {
    let places: Vec<usize> = (0..operations.len()).filter(|&place| wanted(&operations[place])).collect();
    places.get(random.below(places.len() as u64) as usize).copied()
}

/// The value that a read or a successful compare-and-set saw.
fn seen(operation: &Op) -> Option<u32> {
    match (&operation.input.input, operation.output()) {
        (Input::Read, Some(&Output::Value(value))) => Some(value),
        (&Input::Cas(expected, _), Some(Output::Set(true))) => Some(expected),
        _ => None,
    }
}

#[test]
fn unchanged_histories_are_linearizable() {
    for (operations, _) in good() {
        assert!(is_linearizable(operations));
    }
}

#[test]
fn a_read_that_ended_before_its_value_was_written_is_a_violation() {
    for (mut operations, mut random) in good() {
        let saw_a_write = |operation: &Op| seen(operation).is_some_and(|value| value != INITIAL);
        let Some(reader) = random_index(&operations, &mut random, saw_a_write) else { continue };
        let value = seen(&operations[reader]);
        let sets = |operation: &&mut Op| match operation.input.input {
            Input::Write(new) | Input::Cas(_, new) => Some(new) == value,
            Input::Read => false,
        };
        let end = operations[reader].returned().unwrap_or(0);
        let writer = operations.iter_mut().find(sets).expect("some operation wrote the value that was read");
        writer.call = end + 1;
        if let Outcome::Answered { at, .. } = &mut writer.outcome {
            *at = (*at).max(end + 2);
        }
        assert!(!is_linearizable(operations));
    }
}

#[test]
fn a_value_whose_write_is_lost_is_a_violation() {
    for (mut operations, mut random) in good() {
        let saw_a_write = |operation: &Op| seen(operation).is_some_and(|value| value != INITIAL);
        let Some(reader) = random_index(&operations, &mut random, saw_a_write) else { continue };
        let value = seen(&operations[reader]);
        operations.retain(|operation| match operation.input.input {
            Input::Write(new) | Input::Cas(_, new) => Some(new) != value,
            Input::Read => true,
        });
        assert!(!is_linearizable(operations));
    }
}

#[test]
fn a_read_of_what_was_overwritten_is_a_violation() {
    for (mut operations, _) in good() {
        let end = operations.iter().filter_map(Operation::returned).max().unwrap_or(0);
        let key = operations[0].input.key;
        // Two writes and a read, in sequence, called after every answered operation has returned.
        let mut add = |input, output, from: u64| {
            let outcome = Outcome::Answered { output, at: end + from + 1 };
            let input = linear::models::keyed::Input { key, input };
            operations.push(Operation { client: 9999, input, call: end + from, outcome });
        };
        add(Input::Write(1_000_001), Output::Written, 1);
        add(Input::Write(1_000_002), Output::Written, 3);
        add(Input::Read, Output::Value(1_000_002), 5);
        assert!(is_linearizable(operations.clone()));
        operations.last_mut().expect("the read").outcome =
            Outcome::Answered { output: Output::Value(1_000_001), at: end + 6 };
        assert!(!is_linearizable(operations));
    }
}

/// One client inserts distinct elements. Another takes each of them while the next one is being inserted.
fn queue_history(length: u32) -> Vec<Operation<queue::Input<u32>, queue::Output<u32>>> {
    let mut operations = Vec::new();
    for element in 0..length {
        let call = u64::from(element) * 4;
        let answered = |output, at| Outcome::Answered { output, at };
        let (input, outcome) = (queue::Input::Insert(element), answered(queue::Output::Inserted, call + 2));
        operations.push(Operation { client: 1, input, call, outcome });
        if element > 0 {
            let outcome = answered(queue::Output::Taken(Some(element - 1)), call + 3);
            operations.push(Operation { client: 2, input: queue::Input::Take, call: call + 1, outcome });
        }
    }
    operations
}

#[test]
fn elements_that_leave_a_queue_in_another_order_are_a_violation() {
    let judged = |operations: Vec<_>| judge(&Queue::new(), &history_of(operations));
    for first in [0, 7, 40] {
        let mut operations = queue_history(100);
        assert!(judged(operations.clone()));
        let dequeues: Vec<usize> =
            (0..operations.len()).filter(|&at| operations[at].input == queue::Input::Take).collect();
        let (one, other) = (dequeues[first], dequeues[first + 2]);
        let outputs = [one, other].map(|at| operations[at].output().copied());
        for (at, output) in [(one, outputs[1]), (other, outputs[0])] {
            if let (Outcome::Answered { output: answer, .. }, Some(output)) =
                (&mut operations[at].outcome, output)
            {
                *answer = output;
            }
        }
        assert!(!judged(operations));
    }
}
