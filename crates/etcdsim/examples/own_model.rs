//! Your own model, for histories of any system: here, a counter with additions and reads.
//!
//! `cargo run --release --example own_model`

use etcdsim::linear::{Budget, History, Model, Operation, Outcome, Verdict, check};

struct Counter;

enum Ask {
    Add(i64),
    Read,
}

#[derive(PartialEq)]
enum Answer {
    Added,
    Is(i64),
}

impl Model for Counter {
    type Input = Ask;
    type Output = Answer;
    type State = i64;
    type Value = ();

    fn initial(&self) -> i64 {
        0
    }

    fn step(&self, state: &i64, input: &Ask, output: Option<&Answer>) -> Option<i64> {
        let (answer, next) = match input {
            Ask::Add(by) => (Answer::Added, state + by),
            Ask::Read => (Answer::Is(*state), *state),
        };
        // Without an answer the outcome is unknown, and any answer is possible.
        output.is_none_or(|output| *output == answer).then_some(next)
    }
}

fn main() {
    let mut history = History::new();
    let mut add = |client, call, input, output, at| {
        history
            .push(Operation { client, input, call, outcome: Outcome::Answered { output, at } })
            .expect("the operations end after they begin");
    };
    // Two concurrent additions, then a read that sees only one.
    add(1, 0, Ask::Add(1), Answer::Added, 10);
    add(2, 5, Ask::Add(1), Answer::Added, 12);
    add(3, 20, Ask::Read, Answer::Is(1), 25);
    match check(&Counter, &history, &Budget::default()).verdict {
        Verdict::Linearizable(_) => println!("linearizable"),
        Verdict::NotLinearizable(violation) => {
            println!(
                "not linearizable: operations {:?} contradict each other",
                violation.conflict.operations
            );
        }
        Verdict::Undecided(_) => println!("not decided within the budget"),
    }
}
