//! Tests models that show only some of their operations as operations of a register (`Model::as_register`), and models
//! that say only in this way which operations are reads.

use std::borrow::Cow;

use linear::{Budget, History, Model, Operation, Outcome, Partition, RegisterOp, Verdict, check, validate};

/// Registers that hold 0 at first. Each operation has a key.
struct Registers;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Read,
    Write(u8),
    Cas(u8, u8),
    /// Sets this key and another one, which joins them to one component.
    Both(u8, u8),
    /// Sets the key, and answers what it held.
    Swap(u8),
}

/// What the key held, or whether a compare-and-set succeeded; 0 for operations without an answer.
type Output = u8;

impl Model for Registers {
    type Input = (u8, Input);
    type Output = Output;
    type State = [u8; 2];
    type Value = u8;

    fn initial(&self) -> [u8; 2] {
        [0; 2]
    }

    fn step(&self, state: &[u8; 2], (key, input): &(u8, Input), output: Option<&u8>) -> Option<[u8; 2]> {
        let (mut after, key) = (*state, usize::from(*key));
        let answer = match *input {
            Input::Read => state[key],
            Input::Write(new) => {
                after[key] = new;
                0
            }
            Input::Cas(expected, new) => {
                let sets = state[key] == expected;
                after[key] = if sets { new } else { state[key] };
                u8::from(sets)
            }
            Input::Both(other, new) => {
                (after[key], after[usize::from(other)]) = (new, new);
                0
            }
            Input::Swap(new) => std::mem::replace(&mut after[key], new),
        };
        output.is_none_or(|output| *output == answer).then_some(after)
    }

    fn partition(&self, history: &History<(u8, Input), u8>) -> Partition {
        Partition::by_keys(history, |(key, input)| match input {
            Input::Both(other, _) => vec![*key, *other],
            _ => vec![*key],
        })
    }

    fn register_start(&self) -> Option<u8> {
        Some(0)
    }

    fn as_register<'a>(
        &self,
        (_, input): &'a (u8, Input),
        output: Option<&'a u8>,
    ) -> Option<RegisterOp<Cow<'a, u8>>> {
        Some(match (input, output) {
            (Input::Read, None) => RegisterOp::Nothing,
            (Input::Read, Some(seen)) => RegisterOp::Read(Cow::Borrowed(seen)),
            (Input::Write(new), _) | (Input::Swap(new), None) => RegisterOp::Write(Cow::Borrowed(new)),
            (Input::Cas(expected, new), output) => RegisterOp::Cas {
                expected: Cow::Borrowed(expected),
                new: Cow::Borrowed(new),
                succeeded: output.map(|output| *output == 1),
            },
            (Input::Swap(new), Some(seen)) => {
                let (expected, new) = (Cow::Borrowed(seen), Cow::Borrowed(new));
                RegisterOp::Cas { expected, new, succeeded: Some(true) }
            }
            (Input::Both(..), _) => return None,
        })
    }
}

type Row = (u8, Input, u64, Output, u64);

fn history(rows: &[Row]) -> History<(u8, Input), Output> {
    let operation = |&(key, input, call, output, at): &Row| Operation {
        client: 0,
        input: (key, input),
        call,
        outcome: Outcome::Answered { output, at },
    };
    History::from_operations(rows.iter().map(operation)).expect("no return before a call")
}

#[test]
fn an_operation_without_a_view_takes_the_register_view_from_its_component_even_if_it_failed() {
    let mut history = history(&[(0, Input::Write(1), 0, 0, 1), (1, Input::Read, 2, 0, 3)]);
    let outcome = Outcome::Failed { at: 5 };
    let both = Operation { client: 1, input: (0, Input::Both(1, 2)), call: 4, outcome };
    history.push(both).expect("no return before a call");
    let only = check(&Registers, &history, &Budget::default());
    let Verdict::Linearizable(witness) = &only.verdict else { panic!("{only}") };
    assert_eq!(validate::linearization(&Registers, &history, witness), Ok(()));
    let other =
        Operation { client: 2, input: (2, Input::Write(1)), call: 0, outcome: Outcome::Failed { at: 1 } };
    history.push(other).expect("no return before a call");
    let several = check(&Registers, &history, &Budget::default());
    assert!(several.components == 2 && several.verdict.is_linearizable(), "{several}");
}

#[test]
fn what_the_view_says_is_enough_for_a_conflict() {
    for rows in [
        // A comparison that failed set nothing, though `is_read` does not say so.
        [(0, Input::Cas(0, 2), 1, 0, 6), (0, Input::Read, 2, 2, 3), (0, Input::Read, 0, 2, 4)].as_slice(),
        // Without its answer a swap is a write and no comparison.
        &[(0, Input::Swap(1), 2, 2, 4), (0, Input::Write(5), 4, 0, 9), (0, Input::Cas(1, 0), 8, 1, 11)],
    ] {
        let history = history(rows);
        for explain in [true, false] {
            let budget = Budget { explain, ..Budget::default() };
            let report = check(&Registers, &history, &budget);
            let Verdict::NotLinearizable(violation) = &report.verdict else { panic!("{report}") };
            let operations = &violation.conflict.operations;
            assert_eq!(validate::conflict(&Registers, &history, operations), Ok(()), "{report}");
        }
    }
}
