//! Helpers of the tests: small random histories of a register, and the comparison with `linear::brute`, which tries
//! all orders.

pub mod files;

use linear::generate::Random;
use linear::models::register::{Input, Output, Register};
use linear::{Budget, History, Model, Operation, Outcome, Verdict, brute, check, validate};

/// A history of a register.
pub type Registers = History<Input<u8>, Output<u8>>;

/// The model of these histories.
pub const MODEL: Register<u8> = Register { initial: 0 };

/// How many random histories a test judges. The variable `LINEAR_HISTORIES` sets another number.
pub fn histories(default: u64) -> u64 {
    std::env::var("LINEAR_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(default)
}

/// A history of operations that do not return before their calls.
pub fn history_of<I, O>(operations: impl IntoIterator<Item = Operation<I, O>>) -> History<I, O> {
    History::from_operations(operations).expect("no return before a call")
}

/// Judges a history, checks the evidence, and returns whether it is linearizable.
pub fn judge<M>(model: &M, history: &History<M::Input, M::Output>) -> bool
where
    M: Model + Sync,
    M::Input: Sync + std::fmt::Debug,
    M::Output: Sync + std::fmt::Debug,
{
    match check(model, history, &Budget::default()).verdict {
        Verdict::Linearizable(witness) => {
            let right = validate::linearization(model, history, &witness);
            assert_eq!(right, Ok(()), "{witness:?} of {history:?}");
            true
        }
        Verdict::NotLinearizable(violation) => {
            let operations = &violation.conflict.operations;
            let right = validate::conflict(model, history, operations);
            assert!(
                matches!(right, Ok(()) | Err(validate::WrongVerdict::TooLarge)),
                "{right:?}: {violation:?} of {history:?}"
            );
            false
        }
        Verdict::Undecided(undecided) => panic!("{undecided:?} of {history:?}"),
    }
}

/// Compares the verdict with that of the brute force, and returns it.
pub fn compare<M>(model: &M, history: &History<M::Input, M::Output>) -> bool
where
    M: Model + Sync,
    M::Input: Sync + std::fmt::Debug,
    M::Output: Sync + std::fmt::Debug,
{
    let expected = brute::linearizable(model, history);
    assert_eq!(judge(model, history), expected, "{history:?}");
    expected
}

/// The shape of a small random history.
#[derive(Clone, Copy, Debug)]
pub struct Small {
    pub operations: usize,
    /// 0: every write has a value of its own.
    pub values: u64,
    pub unknown_per_cent: u64,
    /// How many different times there are. With few of them, many are equal.
    pub times: u64,
    /// How many of a hundred answers are random instead of right.
    pub wrong_per_cent: u64,
}

impl Small {
    pub fn random(random: &mut Random) -> Small {
        Small {
            operations: 2 + random.below(6) as usize,
            values: [0, 2, 3][random.below(3) as usize],
            unknown_per_cent: [0, 20, 40][random.below(3) as usize],
            times: [6, 12, 40][random.below(3) as usize],
            wrong_per_cent: [0, 5, 30][random.below(3) as usize],
        }
    }

    /// A history with the answers of a register whose operations take effect in their intervals, except for the
    /// wrong answers.
    pub fn history(&self, random: &mut Random) -> Registers {
        let mut planned = Vec::new();
        for index in 0..self.operations {
            let (one, other) = (random.below(self.times), random.below(self.times));
            let (call, at) = (one.min(other), one.max(other));
            let point = call + random.below(at - call + 1);
            planned.push((point, random.draw(), index, call, at));
        }
        planned.sort_unstable();
        let mut held = 0;
        let mut operations = Vec::new();
        for (_, _, index, call, at) in planned {
            let input = self.input(random, index as u8, held);
            let unknown = random.below(100) < self.unknown_per_cent;
            let mut output = answer(&mut held, input, !unknown || random.below(2) == 0);
            if random.below(100) < self.wrong_per_cent {
                output = self.wrong(random, output);
            }
            let outcome = match (unknown, random.below(40)) {
                (true, _) => Outcome::Unknown,
                (false, 0) if matches!(input, Input::Read) => Outcome::Failed { at },
                _ => Outcome::Answered { output, at },
            };
            operations.push((index, Operation { client: index as u32, input, call, outcome }));
        }
        operations.sort_by_key(|(index, _)| *index);
        history_of(operations.into_iter().map(|(_, operation)| operation))
    }

    fn value(&self, random: &mut Random) -> u8 {
        let values = if self.values == 0 { self.operations as u64 + 1 } else { self.values };
        random.below(values) as u8
    }

    fn input(&self, random: &mut Random, index: u8, held: u8) -> Input<u8> {
        let new = if self.values == 0 { index + 1 } else { self.value(random) };
        match random.below(6) {
            0 | 1 => Input::Read,
            2 | 3 => Input::Write(new),
            4 => Input::Cas(held, new),
            _ => Input::Cas(self.value(random), new),
        }
    }

    fn wrong(&self, random: &mut Random, output: Output<u8>) -> Output<u8> {
        match output {
            Output::Value(_) => Output::Value(self.value(random)),
            Output::Set(set) => Output::Set(!set),
            Output::Written => Output::Written,
        }
    }
}

fn answer(held: &mut u8, input: Input<u8>, takes_effect: bool) -> Output<u8> {
    match input {
        Input::Read => Output::Value(*held),
        Input::Write(new) => {
            if takes_effect {
                *held = new;
            }
            Output::Written
        }
        Input::Cas(expected, new) => {
            let set = expected == *held;
            if set && takes_effect {
                *held = new;
            }
            Output::Set(set)
        }
    }
}
