//! Tests that a check keeps to its limits of steps, memory and time for every history, including the explanation.
//!
//! Peak memory is that of a process, so each case is judged in a process of its own, which is this program again.
//! `LINEAR_LIMITS=full` judges larger histories with the limits that people set (256 MiB, 5 s), and prints a table.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::process::Command;
use std::time::{Duration, Instant};

use linear::generate::Random;
use linear::models::bag::Bag;
use linear::models::container;
use linear::models::keyed::{self, Keyed};
use linear::models::list::{self, List};
use linear::models::lock::{self, Lock};
use linear::models::priority_queue::PriorityQueue;
use linear::models::queue::Queue;
use linear::models::register::{self, Register};
use linear::models::set::{self, Set};
use linear::models::stack::Stack;
use linear::models::text::{self, Text};
use linear::{Budget, History, Model, Operation, Outcome, Verdict, check, validate};

use crate::common::history_of;

/// What is done to a history.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub operations: usize,
    pub clients: u64,
    /// How many of a hundred outcomes are unknown.
    pub unknown: u64,
    pub wrong: Wrong,
}

/// An error in a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// None.
    Nothing,
    /// Two answers of operations that do not overlap are swapped.
    Swapped,
    /// The second of two such operations answers what the first one did.
    Stale,
}

/// A history of a model whose answers are right at points in the intervals.
pub fn simulated<M: Model>(
    model: &M,
    shape: Shape,
    mut ask: impl FnMut(&mut Random, u64) -> M::Input,
    answer: impl Fn(&M::State, &M::Input) -> M::Output,
) -> History<M::Input, M::Output>
where
    M::Input: Clone,
    M::Output: Clone + PartialEq,
{
    let mut random = Random::new(7);
    let mut free: Vec<u64> = (0..shape.clients).map(|_| random.below(100)).collect();
    let mut plan = Vec::new();
    for index in 0..shape.operations {
        let client = (0..free.len()).min_by_key(|&client| free[client]).unwrap_or(0);
        let call = free[client];
        let point = call + 1 + random.below(100);
        let at = point + 1 + random.below(100);
        free[client] = at + 1 + random.below(10);
        let lost = random.below(100) < shape.unknown;
        plan.push((point, index, client as u32, call, (!lost).then_some(at)));
    }
    let mut by_call = plan.clone();
    by_call.sort_by_key(|&(_, index, ..)| index);
    plan.sort_unstable();
    let mut state = model.initial();
    let mut outputs: Vec<Option<(M::Input, M::Output)>> = vec![None; plan.len()];
    for (_, index, _, _, at) in plan {
        let input = ask(&mut random, index as u64);
        let output = answer(&state, &input);
        if at.is_some() || random.below(2) == 0 {
            let took = model.step(&state, &input, Some(&output));
            state = took.expect("the answer is that of the model");
        }
        outputs[index] = Some((input, output));
    }
    if shape.wrong != Wrong::Nothing {
        spoil(shape.wrong, &by_call, &mut outputs);
    }
    history_of(by_call.into_iter().zip(outputs).map(|((_, _, client, call, at), asked)| {
        let (input, output) = asked.expect("every operation is planned once");
        let outcome = at.map_or(Outcome::Unknown, |at| Outcome::Answered { output, at });
        Operation { client, input, call, outcome }
    }))
}

/// Swaps the answers of two operations of one kind in the second half that do not overlap, or repeats one.
fn spoil<I, O: Clone + PartialEq>(
    wrong: Wrong,
    plan: &[(u64, usize, u32, u64, Option<u64>)],
    outputs: &mut [Option<(I, O)>],
) {
    let kind = |at: usize| outputs[at].as_ref().map(|(input, _)| std::mem::discriminant(input));
    for one in plan.len() / 2..plan.len() {
        for other in one + 1..plan.len().min(one + 200) {
            let apart = plan[one].4.is_some_and(|at| at < plan[other].3) && plan[other].4.is_some();
            let output = |at: usize| outputs[at].as_ref().map(|(_, output)| output);
            if apart && kind(one) == kind(other) && output(one) != output(other) {
                let moved = output(one).cloned();
                let back = output(other).cloned();
                if let (Some((_, first)), Some(back), Wrong::Swapped) = (&mut outputs[one], back, wrong) {
                    *first = back;
                }
                if let (Some((_, second)), Some(moved)) = (&mut outputs[other], moved) {
                    *second = moved;
                }
                return;
            }
        }
    }
}

/// How a case ended.
struct End {
    verdict: String,
    took: Duration,
    steps: u64,
}

/// Judges and explains, as the command does.
fn judged<M>(model: &M, history: &History<M::Input, M::Output>, budget: &Budget<'_>) -> End
where
    M: Model + Sync,
    M::Input: Sync + Debug,
    M::Output: Sync + Debug,
{
    let start = Instant::now();
    let report = check(model, history, budget);
    let verdict = match &report.verdict {
        Verdict::Linearizable(witness) => {
            assert_eq!(validate::linearization(model, history, witness), Ok(()));
            "linearizable".to_owned()
        }
        Verdict::NotLinearizable(violation) => {
            let wall_max = budget.wall_max.map(|wall| wall.saturating_sub(start.elapsed()));
            let conflict = if violation.conflict.operations.len() > 6 {
                violation.least_conflict(model, history, &Budget { wall_max, ..budget.clone() })
            } else {
                violation.conflict.clone()
            };
            let right = validate::conflict(model, history, &conflict.operations);
            assert!(matches!(right, Ok(()) | Err(validate::WrongVerdict::TooLarge)), "{right:?}");
            let said = violation.reason(model, history).is_some();
            let excluded = violation.excluded(model, history).len();
            format!("not linearizable, by {} ({said}, {excluded})", conflict.operations.len())
        }
        Verdict::Undecided(undecided) => format!("not decided: {}", undecided.limit),
    };
    End { verdict, took: start.elapsed(), steps: report.steps }
}

/// What a set answers.
pub fn of_set(state: &BTreeSet<u64>, input: &set::Input<u64>) -> set::Output<u64> {
    match input {
        set::Input::Add(element) => set::Output::Changed(!state.contains(element)),
        set::Input::Remove(element) => set::Output::Changed(state.contains(element)),
        set::Input::Read => set::Output::Elements(state.clone()),
    }
}

type Case = (String, Box<dyn Fn(&Budget<'_>) -> End>);

fn container<M>(cases: &mut Vec<Case>, name: &str, model: M, shape: Shape, values: u64, put: u64)
where
    M: Model<Input = container::Input<u64>, Output = container::Output<u64>> + Copy + Sync + 'static,
{
    let name = format!("{name}, {values} values, {put} % put, {shape:?}");
    let judge = move |budget: &Budget<'_>| {
        let ask = |random: &mut Random, _| match random.below(100) {
            drawn if drawn < put => container::Input::Insert(random.below(values)),
            _ => container::Input::Take,
        };
        let history = simulated(&model, shape, ask, |state, input| {
            let taken = (0..values).map(Some).chain([None]).map(container::Output::Taken);
            let mut all = [container::Output::Inserted].into_iter().chain(taken);
            all.find(|output| model.step(state, input, Some(output)).is_some()).expect("some answer is right")
        });
        judged(&model, &history, budget)
    };
    cases.push((name, Box::new(judge)));
}

fn of_model<M>(
    cases: &mut Vec<Case>,
    name: String,
    model: M,
    shape: Shape,
    ask: impl Fn(&mut Random, u64) -> M::Input + 'static,
    answer: impl Fn(&M::State, &M::Input) -> M::Output + 'static,
) where
    M: Model + Sync + 'static,
    M::Input: Sync + Debug + Clone,
    M::Output: Sync + Debug + Clone + PartialEq,
{
    let judge = move |budget: &Budget<'_>| {
        let history = simulated(&model, shape, &ask, &answer);
        judged(&model, &history, budget)
    };
    cases.push((format!("{name}, {shape:?}"), Box::new(judge)));
}

/// A sum that may be asked for, as somebody may write it: the fewest methods, and a state that says its size.
struct Sums;

impl Model for Sums {
    type Input = Option<u8>;
    type Output = Vec<u8>;
    type State = Vec<u8>;
    type Value = ();

    fn initial(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Adds a digit to the front, or shows all.
    fn step(&self, state: &Vec<u8>, input: &Option<u8>, output: Option<&Vec<u8>>) -> Option<Vec<u8>> {
        match (input, output) {
            (Some(digit), None | Some(_)) => Some([&[*digit], state.as_slice()].concat()),
            (None, None) => Some(state.clone()),
            (None, Some(seen)) => (seen == state).then(|| state.clone()),
        }
    }

    fn owned_bytes(&self, state: &Vec<u8>) -> usize {
        state.len()
    }
}

fn cases(full: bool) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let shapes: &[Shape] = if full {
        &[
            Shape { operations: 200, clients: 5, unknown: 0, wrong: Wrong::Swapped },
            Shape { operations: 1000, clients: 5, unknown: 2, wrong: Wrong::Nothing },
            Shape { operations: 1000, clients: 25, unknown: 10, wrong: Wrong::Swapped },
            Shape { operations: 1000, clients: 5, unknown: 0, wrong: Wrong::Stale },
            Shape { operations: 3000, clients: 100, unknown: 5, wrong: Wrong::Swapped },
            Shape { operations: 20_000, clients: 25, unknown: 1, wrong: Wrong::Swapped },
        ]
    } else {
        &[
            Shape { operations: 200, clients: 5, unknown: 0, wrong: Wrong::Swapped },
            Shape { operations: 1000, clients: 5, unknown: 2, wrong: Wrong::Nothing },
            Shape { operations: 1000, clients: 25, unknown: 10, wrong: Wrong::Swapped },
            Shape { operations: 1000, clients: 5, unknown: 0, wrong: Wrong::Stale },
        ]
    };
    for &shape in shapes {
        for (values, put) in [(3, 50), (20, 60), (500, 90)] {
            container(&mut cases, "queue", Queue::new(), shape, values, put);
            container(&mut cases, "stack", Stack::new(), shape, values, put);
            container(&mut cases, "priority queue", PriorityQueue::new(), shape, values, put);
            container(&mut cases, "bag", Bag::new(), shape, values, put);
            let ask = move |random: &mut Random, _| match random.below(10) {
                0..4 => set::Input::Add(random.below(values)),
                4..7 => set::Input::Remove(random.below(values)),
                _ => set::Input::Read,
            };
            of_model(&mut cases, format!("set, {values} values"), Set::new(), shape, ask, of_set);
            // Each read holds all elements: with too many of them the history alone takes all memory.
            let reads = if shape.operations > 5000 { 5 } else { 400 };
            let ask = move |random: &mut Random, index| match (random.below(1000), values) {
                (drawn, _) if drawn < reads => list::Input::Read,
                (_, 500) => list::Input::Append(index),
                _ => list::Input::Append(random.below(values)),
            };
            let answer = |state: &Vec<u64>, input: &list::Input<u64>| match input {
                list::Input::Append(_) => list::Output::Appended,
                list::Input::Read => list::Output::Elements(state.clone()),
            };
            of_model(&mut cases, format!("list, {values} values"), List::new(), shape, ask, answer);
            let ask = move |random: &mut Random, _| match random.below(10) {
                0..3 => register::Input::Write(random.below(values)),
                3..6 => register::Input::Cas(random.below(values), random.below(values)),
                _ => register::Input::Read,
            };
            let answer = |state: &u64, input: &register::Input<u64>| match input {
                register::Input::Read => register::Output::Value(*state),
                register::Input::Write(_) => register::Output::Written,
                register::Input::Cas(old, _) => register::Output::Set(state == old),
            };
            let model = Register { initial: 0 };
            of_model(&mut cases, format!("register, {values} values"), model, shape, ask, answer);
            let ask = move |random: &mut Random, _| keyed::Input {
                key: random.below(3),
                input: match random.below(10) {
                    0..3 => register::Input::Write(random.below(values)),
                    3..6 => register::Input::Cas(random.below(values), random.below(values)),
                    _ => register::Input::Read,
                },
            };
            let answer = |state: &std::collections::BTreeMap<u64, u64>,
                          input: &keyed::Input<u64, register::Input<u64>>| {
                let held = state.get(&input.key).copied().unwrap_or(0);
                match &input.input {
                    register::Input::Read => register::Output::Value(held),
                    register::Input::Write(_) => register::Output::Written,
                    register::Input::Cas(old, _) => register::Output::Set(held == *old),
                }
            };
            let model = Keyed::together(Register { initial: 0 });
            of_model(&mut cases, format!("registers together, {values} values"), model, shape, ask, answer);
            let word = move |random: &mut Random| format!("{},", random.below(values));
            let ask = move |random: &mut Random, _| match random.below(20) {
                0..8 => text::Input::Append(word(random)),
                8 => text::Input::Put(word(random)),
                9 => text::Input::Cas(word(random), word(random)),
                _ => text::Input::Get,
            };
            let answer = |state: &String, input: &text::Input| match input {
                text::Input::Get => text::Output::Text(state.clone()),
                text::Input::Cas(old, _) => text::Output::Set(state == old),
                _ => text::Output::Done,
            };
            of_model(&mut cases, format!("text, {values} values"), Text, shape, ask, answer);
        }
        let ask = |random: &mut Random, _| match random.below(2) {
            0 => lock::Input::Acquire(random.below(10) as u32),
            _ => lock::Input::Release(random.below(10) as u32),
        };
        let answer = |state: &Option<u32>, input: &lock::Input| match *input {
            lock::Input::Acquire(_) => lock::Output(state.is_none()),
            lock::Input::Release(owner) => lock::Output(*state == Some(owner)),
        };
        of_model(&mut cases, "lock".to_owned(), Lock, shape, ask, answer);
        let ask = |random: &mut Random, _| (random.below(3) > 0).then(|| random.below(10) as u8);
        let answer = |state: &Vec<u8>, input: &Option<u8>| match input {
            Some(_) => Vec::new(),
            None => state.clone(),
        };
        of_model(&mut cases, "somebody's own".to_owned(), Sums, shape, ask, answer);
    }
    cases
}

const CASE: &str = "LINEAR_LIMITS_CASE";

fn full() -> bool {
    std::env::var("LINEAR_LIMITS").is_ok_and(|value| value == "full")
}

/// The most memory this process has held, in MB, if the system says.
fn peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1000)
}

/// One case, in a process of its own.
#[test]
#[ignore = "the next test runs it for each case"]
fn one() {
    let Some(case) = std::env::var(CASE).ok().and_then(|case| case.parse::<usize>().ok()) else { return };
    let full = full();
    let wall_max = full.then_some(Duration::from_secs(5));
    let (bytes_max, steps_max) = if full { (256 << 20, u64::MAX) } else { (16 << 20, 300_000) };
    let budget = Budget { bytes_max, steps_max, wall_max, threads: 2, ..Budget::default() };
    let end = cases(full)[case].1(&budget);
    let peak = peak_mb().map_or("-".to_owned(), |peak| peak.to_string());
    println!("ended {peak} {} {} {}", end.took.as_millis(), end.steps, end.verdict);
}

#[test]
fn every_check_keeps_to_its_limits() {
    let program = std::env::current_exe().expect("this program has a path");
    let full = full();
    let mut wrong = Vec::new();
    for (number, (name, _)) in cases(full).iter().enumerate() {
        let output = Command::new(&program)
            .args(["--exact", "limits::one", "--ignored", "--nocapture"])
            .env(CASE, number.to_string())
            .output()
            .expect("this program can be started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let Some(line) = text.lines().find_map(|line| Some(line.split_once("ended ")?.1)) else {
            wrong.push(format!("{name}: {text} {}", String::from_utf8_lossy(&output.stderr)));
            continue;
        };
        let mut words = line.splitn(4, ' ');
        let peak: Option<u64> = words.next().and_then(|word| word.parse().ok());
        let took: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(u64::MAX);
        println!(
            "{name}: {took} ms, {} MB, {}",
            peak.unwrap_or(0),
            words.collect::<Vec<_>>().join(" steps, ")
        );
        // Beside what the budget allows: the program, the history, and what checks the evidence.
        let (peak_max, took_max) = if full { (300, 6000) } else { (64, u64::MAX) };
        if peak.is_some_and(|peak| peak > peak_max) || took > took_max {
            wrong.push(format!("{name}: {line}"));
        }
    }
    assert!(wrong.is_empty(), "{} of the cases: {wrong:#?}", wrong.len());
}
