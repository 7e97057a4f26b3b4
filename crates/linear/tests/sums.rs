//! Tests counters, banks, versioned registers and transactions on registers: known cases, and random small ones, for
//! which the verdict must be that of the search.

use std::collections::BTreeMap;

use linear::cycles::registers::{self, Step, Transaction};
use linear::models::bank::{self, Bank};
use linear::models::counter::{self, Counter};
use linear::models::transactions::{Step as Part, Transactions};
use linear::models::versioned::{self, Versioned};
use linear::{Budget, History, Model, Operation, Outcome, Verdict, check, validate};

/// Random numbers for histories.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn answered<O>(output: O, at: u64) -> Outcome<O> {
    Outcome::Answered { output, at }
}

/// Judges, and checks the evidence.
fn holds<M: Model + Sync>(model: &M, history: &History<M::Input, M::Output>) -> bool
where
    M::Input: Sync,
    M::Output: Sync,
{
    match check(model, history, &Budget::default()).verdict {
        Verdict::Linearizable(witness) => {
            assert_eq!(validate::linearization(model, history, &witness), Ok(()));
            true
        }
        Verdict::NotLinearizable(violation) => {
            assert_eq!(validate::conflict(model, history, &violation.conflict.operations), Ok(()));
            false
        }
        Verdict::Undecided(undecided) => panic!("not decided: {}", undecided.limit),
    }
}

fn history<I, O>(operations: Vec<Operation<I, O>>) -> History<I, O> {
    History::from_operations(operations).expect("no return before a call")
}

#[test]
fn contradictions_of_counters_are_right() {
    let mut dice = Dice(1);
    let (mut found, mut wrong) = (0, 0);
    for _ in 0..3000 {
        let operations = (0..1 + dice.roll(6)).map(|client| {
            let call = dice.roll(8);
            let at = call + dice.roll(4);
            let (input, output) = if dice.roll(2) == 0 {
                (counter::Input::Add(dice.roll(5) as i64 - 1), counter::Output::Added)
            } else {
                (counter::Input::Read, counter::Output::Value(dice.roll(5) as i64))
            };
            let outcome = match dice.roll(6) {
                0 => Outcome::Unknown,
                1 => Outcome::Failed { at },
                _ => answered(output, at),
            };
            Operation { client: client as u32, input, call, outcome }
        });
        let history = history(operations.collect());
        let model = Counter { initial: 1 };
        let holds = holds(&model, &history);
        wrong += usize::from(!holds);
        if counter::contradiction(&model, &history).is_some() {
            assert!(!holds, "{history:?}");
            found += 1;
        }
    }
    assert!(found > 500 && found > wrong / 2, "{found} of {wrong}");
}

#[test]
fn contradictions_of_banks_are_right() {
    let mut dice = Dice(2);
    let (mut found, mut good) = (0, 0);
    for _ in 0..3000 {
        let operations = (0..1 + dice.roll(5)).map(|client| {
            let call = dice.roll(8);
            let at = call + dice.roll(4);
            let (input, output) = if dice.roll(2) == 0 {
                let (from, to) = (dice.roll(2), dice.roll(2));
                (bank::Input::Transfer { from, to, amount: dice.roll(3) as i64 }, bank::Output::Transferred)
            } else {
                let first = dice.roll(4) as i64 - 1;
                let total = 2 + i64::from(dice.roll(8) == 0);
                let balances = BTreeMap::from([(0, Some(first)), (1, Some(total - first))]);
                (bank::Input::Read, bank::Output::Balances(balances))
            };
            let outcome = match dice.roll(6) {
                0 => Outcome::Unknown,
                _ => answered(output, at),
            };
            Operation { client: client as u32, input, call, outcome }
        });
        let history = history(operations.collect());
        let model = Bank { initial: None, negative: dice.roll(2) == 0 };
        let holds = holds(&model, &history);
        if bank::contradiction(&model, &history).is_some() {
            assert!(!holds, "{history:?}");
            found += 1;
        }
        // What holds with known balances holds with unknown ones.
        let reads = history.operations().iter().filter(|one| one.input == bank::Input::Read);
        if let Some(known) = reads.filter_map(Operation::output).find_map(|seen| model.starting_with(seen))
            && self::holds(&known, &history)
        {
            assert!(holds, "{history:?}");
            good += 1;
        }
    }
    assert!(found > 200 && good > 200, "{found}, {good}");
}

#[test]
fn versions_count_updates() {
    let model = Versioned { initial: 0 };
    let operation = |client, input, call, output: Option<versioned::Output<i32>>| Operation {
        client,
        input,
        call,
        outcome: output.map_or(Outcome::Unknown, |output| answered(output, call + 1)),
    };
    use versioned::{Input, Output};
    let judged = |last: Output<i32>| {
        holds(
            &model,
            &history(vec![
                operation(1, Input::Write(5), 0, None),
                operation(2, Input::Write(3), 10, Some(Output::Updated(None))),
                operation(2, Input::Cas(9, 4), 20, Some(Output::NotEqual)),
                operation(2, Input::Read, 30, Some(last)),
            ]),
        )
    };
    assert!(judged(Output::Value(Some(1), 3)) && judged(Output::Value(Some(2), 3)));
    assert!(judged(Output::Value(Some(2), 5)) && judged(Output::Value(None, 5)));
    assert!(!judged(Output::Value(Some(1), 5)) && !judged(Output::Value(Some(3), 3)));
    assert!(!judged(Output::Value(None, 4)));
}

/// A transaction for the search.
fn operation(one: &Transaction<u64, u64>) -> Operation<Vec<Part<u64, u64>>, Vec<u64>> {
    let (mut input, mut output) = (Vec::new(), Vec::new());
    for step in &one.steps {
        match step {
            Step::Write(key, value) => input.push(Part::Write(*key, *value)),
            Step::Read(key, seen) => {
                input.push(Part::Read(*key));
                output.extend(*seen);
            }
        }
    }
    let outcome = match one.outcome {
        Outcome::Answered { at, .. } => answered(output, at),
        Outcome::Failed { at } => Outcome::Failed { at },
        Outcome::Unknown => Outcome::Unknown,
    };
    Operation { client: one.client, input, call: one.call, outcome }
}

/// Random transactions, each of which writes values that nobody else writes.
fn transactions(dice: &mut Dice) -> Vec<Transaction<u64, u64>> {
    let mut next = 0;
    let count = 1 + dice.roll(6);
    let mut all = Vec::new();
    for client in 0..count {
        let call = dice.roll(12);
        let steps = (0..1 + dice.roll(3)).map(|_| {
            let key = dice.roll(2);
            if dice.roll(2) == 0 {
                next += 1;
                Step::Write(key, next)
            } else {
                Step::Read(key, Some(dice.roll(4)))
            }
        });
        let steps = steps.collect();
        let outcome = match dice.roll(8) {
            0 => Outcome::Unknown,
            1 => Outcome::Failed { at: call + 1 },
            _ => answered((), call + dice.roll(6)),
        };
        all.push(Transaction { client: client as u32, call, outcome, steps });
    }
    all
}

#[test]
fn transactions_on_registers_against_the_search() {
    let mut dice = Dice(3);
    let model = Transactions::new(0);
    let (mut serializable, mut wrong, mut unclear) = (0, 0, 0);
    for _ in 0..20_000 {
        let transactions = transactions(&mut dice);
        let history = history(transactions.iter().map(operation).collect());
        let verdict = registers::check(&transactions, &0).expect("valid times");
        let explain = Budget { explain: false, ..Budget::default() };
        let holds = check(&model, &history, &explain).verdict.is_linearizable();
        match verdict {
            registers::Verdict::Serializable(order) => {
                assert!(holds, "{transactions:?}");
                let mut state = model.initial();
                for &index in &order {
                    let operation = history.operation(index);
                    let right = model.apply(&mut state, &operation.input, operation.output());
                    assert!(right, "{transactions:?}: {order:?}");
                }
                serializable += 1;
            }
            registers::Verdict::Anomalies(anomalies) => {
                assert!(!holds && !anomalies.is_empty(), "{transactions:?}: {anomalies:?}");
                wrong += 1;
            }
            registers::Verdict::Cycle(edges) => {
                assert!(!holds && edges.len() >= 2, "{transactions:?}: {edges:?}");
                for (one, other) in edges.iter().zip(edges.iter().cycle().skip(1)) {
                    assert_eq!(one.to, other.from, "{edges:?}");
                }
                wrong += 1;
            }
            registers::Verdict::Unclear(_) => unclear += 1,
        }
    }
    assert!(serializable > 1000 && wrong > 1000, "{serializable}, {wrong}");
    assert!(unclear < 200, "{unclear}");
}

/// A serial execution is never found wrong, whatever the concurrency. Where writes that nobody read leave the order open,
/// the search finds one.
#[test]
fn serial_executions_are_found_serializable() {
    let mut dice = Dice(4);
    let model = Transactions::new(0);
    let (mut found, runs) = (0, 60);
    for _ in 0..runs {
        let (mut held, mut next, mut all) = ([0; 3], 0, Vec::new());
        for index in 0..200_u64 {
            let steps = (0..1 + dice.roll(4)).map(|_| {
                let key = dice.roll(3);
                if dice.roll(2) == 0 {
                    next += 1;
                    held[key as usize] = next;
                    Step::Write(key, next)
                } else {
                    Step::Read(key, Some(held[key as usize]))
                }
            });
            let steps = steps.collect();
            // It took effect at 10 * index.
            let (call, at) = (10 * index - dice.roll(40).min(10 * index), 10 * index + dice.roll(40));
            let outcome = if dice.roll(20) == 0 { Outcome::Unknown } else { answered((), at) };
            all.push(Transaction { client: index as u32 % 5, call, outcome, steps });
        }
        match registers::check(&all, &0).expect("valid times") {
            registers::Verdict::Serializable(_) => found += 1,
            registers::Verdict::Unclear(_) => {
                let history = history(all.iter().map(operation).collect());
                let report = check(&model, &history, &Budget::default());
                assert!(report.verdict.is_linearizable(), "{all:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(found > 0, "without a search: {found} of {runs}");
}
