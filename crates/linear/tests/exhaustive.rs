//! Generates all histories of a few operations with very few different values, and compares the engines with the
//! definition.
//!
//! Histories that cannot differ in their verdict are generated only once:
//!
//! * The exact times do not matter, only which operation returned before which was called. So time has as few points
//!   as possible: at each point except the last, some operation returns before another is called at the next point.
//! * Clients are not part of the definition, so the order of the operations in the list does not matter.
//! * If the model treats two values alike, exchanging them changes nothing.

use crate::common::{history_of, judge};
use linear::generate::Random;
use linear::models::{lock, queue, register, set};
use linear::{Budget, History, Model, Operation, Outcome, brute, check};

/// An interval: the call's point and the return's, `None` if the outcome is unknown.
pub type Interval = (u64, Option<u64>);

/// All ways in which operations can overlap, each as a sorted list of intervals.
pub fn skeletons(operations: usize) -> Vec<Vec<Interval>> {
    let mut found = Vec::new();
    for points in 1..=operations as u64 {
        let intervals: Vec<Interval> = (0..points)
            .flat_map(|call| (call..points).map(move |at| (call, Some(at))).chain([(call, None)]))
            .collect();
        extend(&intervals, operations, points, &mut Vec::new(), &mut found);
    }
    found
}

/// Adds intervals to `chosen` in every way, and adds the complete sets to `found`.
fn extend(
    intervals: &[Interval],
    operations: usize,
    points: u64,
    chosen: &mut Vec<Interval>,
    found: &mut Vec<Vec<Interval>>,
) {
    if chosen.len() == operations {
        let called = (0..points).all(|point| chosen.iter().any(|&(call, _)| call == point));
        let returned = (0..points - 1).all(|point| chosen.iter().any(|&(_, at)| at == Some(point)));
        if called && returned {
            found.push(chosen.clone());
        }
        return;
    }
    for (place, &interval) in intervals.iter().enumerate() {
        chosen.push(interval);
        extend(&intervals[place..], operations, points, chosen, found);
        chosen.pop();
    }
}

/// The operations that can occur: inputs, outputs if they are known, and the same with the values' names exchanged.
struct Domain<M: Model> {
    model: M,
    answered: Vec<(M::Input, M::Output)>,
    unknown: Vec<M::Input>,
    /// By place in `answered`, then by place in `unknown`: the place of its twin.
    twins: [Vec<usize>; 2],
}

impl<M> Domain<M>
where
    M: Model + Sync,
    M::Input: Clone + Sync + std::fmt::Debug,
    M::Output: Clone + Sync + std::fmt::Debug,
{
    fn shapes(&self, interval: Interval) -> usize {
        if interval.1.is_some() { self.answered.len() } else { self.unknown.len() }
    }

    fn history(&self, skeleton: &[Interval], shapes: &[usize]) -> History<M::Input, M::Output> {
        let operation = |(client, (&(call, at), &shape)): (usize, (&Interval, &usize))| {
            let (input, outcome) = match at {
                Some(at) => {
                    let (input, output) = self.answered[shape].clone();
                    (input, Outcome::Answered { output, at })
                }
                None => (self.unknown[shape].clone(), Outcome::Unknown),
            };
            Operation { client: client as u32, input, call, outcome }
        };
        history_of(skeleton.iter().zip(shapes).enumerate().map(operation))
    }

    /// Whether this history occurs and not its twin.
    fn first_of_twins(&self, skeleton: &[Interval], shapes: &[usize]) -> bool {
        let twin = |(&interval, &shape): (&Interval, &usize)| {
            (interval, self.twins[usize::from(interval.1.is_none())][shape])
        };
        let mut twins: Vec<(Interval, usize)> = skeleton.iter().zip(shapes).map(twin).collect();
        twins.sort_unstable();
        shapes.iter().le(twins.iter().map(|(_, shape)| shape))
    }

    /// Every history on this skeleton.
    fn each(&self, skeleton: &[Interval], shapes: &mut Vec<usize>, look: &mut impl FnMut(&Self, &[usize])) {
        let Some(&interval) = skeleton.get(shapes.len()) else {
            if self.first_of_twins(skeleton, shapes) {
                look(self, shapes);
            }
            return;
        };
        // Operations with the same interval change places freely.
        let same = shapes.len().checked_sub(1).filter(|&before| skeleton[before] == interval);
        for shape in same.map_or(0, |before| shapes[before])..self.shapes(interval) {
            shapes.push(shape);
            self.each(skeleton, shapes, look);
            shapes.pop();
        }
    }

    /// Compares the verdict with the definition's. Checks the evidence too, if wanted.
    fn compare(&self, history: &History<M::Input, M::Output>, evidence: bool) {
        let expected = brute::linearizable(&self.model, history);
        let found = if evidence {
            judge(&self.model, history)
        } else {
            let budget = Budget { explain: false, ..Budget::default() };
            let verdict = check(&self.model, history, &budget).verdict;
            assert!(verdict.is_linearizable() || verdict.is_violation(), "{history:?}");
            verdict.is_linearizable()
        };
        assert_eq!(found, expected, "{history:?}");
    }

    /// Checks all histories of this many operations; returns how many there are.
    fn all(&self, operations: usize, evidence: bool) -> u64 {
        let mut count = 0;
        for skeleton in skeletons(operations) {
            self.each(&skeleton, &mut Vec::new(), &mut |domain, shapes| {
                count += 1;
                domain.compare(&domain.history(&skeleton, shapes), evidence);
            });
        }
        count
    }

    /// Checks some histories of this many operations.
    fn sample(&self, operations: usize, count: usize) {
        let skeletons = skeletons(operations);
        let mut random = Random::new(operations as u64);
        for _ in 0..count {
            let skeleton = &skeletons[random.below(skeletons.len() as u64) as usize];
            let shape = |&interval: &Interval| random.below(self.shapes(interval) as u64) as usize;
            let shapes: Vec<usize> = skeleton.iter().map(shape).collect();
            self.compare(&self.history(skeleton, &shapes), true);
        }
    }

    /// What every test run checks.
    fn some(&self) {
        for operations in 1..=4 {
            self.all(operations, operations <= 3);
        }
        self.sample(5, 10_000);
        self.sample(6, 10_000);
    }

    /// Checks all histories of up to this many operations.
    fn whole(&self, name: &str, operations: usize) {
        for operations in 1..=operations {
            let count = self.all(operations, operations <= 4);
            println!("{name}: {count} histories of {operations} operations");
        }
    }
}

/// A register with the values 0, which is the initial one, and 1. They are not alike.
fn small_register(every_shape: bool) -> Domain<register::Register<u8>> {
    use register::{Input, Output};
    let mut answered = vec![
        (Input::Read, Output::Value(0)),
        (Input::Read, Output::Value(1)),
        (Input::Write(0), Output::Written),
        (Input::Write(1), Output::Written),
        (Input::Cas(0, 1), Output::Set(true)),
    ];
    let mut unknown = vec![Input::Write(1)];
    if every_shape {
        answered.extend([
            (Input::Cas(0, 1), Output::Set(false)),
            (Input::Cas(1, 0), Output::Set(true)),
            (Input::Cas(1, 0), Output::Set(false)),
        ]);
        unknown.extend([Input::Write(0), Input::Cas(0, 1), Input::Cas(1, 0)]);
    }
    let twins = [(0..answered.len()).collect(), (0..unknown.len()).collect()];
    Domain { model: register::Register { initial: 0 }, answered, unknown, twins }
}

/// A queue of elements 1 and 2, which are alike.
fn small_queue() -> Domain<queue::Queue<u8>> {
    use queue::{Input, Output};
    let answered = vec![
        (Input::Insert(1), Output::Inserted),
        (Input::Insert(2), Output::Inserted),
        (Input::Take, Output::Taken(None)),
        (Input::Take, Output::Taken(Some(1))),
        (Input::Take, Output::Taken(Some(2))),
    ];
    let unknown = vec![Input::Insert(1), Input::Insert(2), Input::Take];
    Domain { model: queue::Queue::new(), answered, unknown, twins: [vec![1, 0, 2, 4, 3], vec![1, 0, 2]] }
}

/// A set of one element.
fn small_set() -> Domain<set::Set<u8>> {
    use set::{Input, Output};
    let answered = vec![
        (Input::Add(1), Output::Changed(true)),
        (Input::Add(1), Output::Changed(false)),
        (Input::Remove(1), Output::Changed(true)),
        (Input::Remove(1), Output::Changed(false)),
        (Input::Read, Output::Elements([].into())),
        (Input::Read, Output::Elements([1].into())),
    ];
    let unknown = vec![Input::Add(1), Input::Remove(1)];
    Domain { model: set::Set::new(), answered, unknown, twins: [(0..6).collect(), (0..2).collect()] }
}

/// A set of elements 1 and 2, which are alike, and which reads connect.
fn small_set_of_two() -> Domain<set::Set<u8>> {
    use set::{Input, Output};
    let changed = [Input::Add, Input::Remove].map(|ask: fn(u8) -> Input<u8>| [ask(1), ask(2)]).concat();
    let mut answered: Vec<_> = changed.iter().map(|&input| (input, Output::Changed(true))).collect();
    answered.extend([1, 2].map(|element| (Input::Remove(element), Output::Changed(false))));
    let shown = [vec![], vec![1], vec![2], vec![1, 2]];
    answered.extend(shown.map(|shown| (Input::Read, Output::Elements(shown.into_iter().collect()))));
    let twins = [vec![1, 0, 3, 2, 5, 4, 6, 8, 7, 9], vec![1, 0, 3, 2]];
    Domain { model: set::Set::new(), answered, unknown: changed, twins }
}

/// A lock that the owners 1 and 2, which are alike, ask for.
fn small_lock() -> Domain<lock::Lock> {
    use lock::{Input, Output};
    let mut answered = Vec::new();
    for granted in [true, false] {
        for owner in [1, 2] {
            answered.push((Input::Acquire(owner), Output(granted)));
            answered.push((Input::Release(owner), Output(granted)));
        }
    }
    let unknown = vec![Input::Acquire(1), Input::Release(1), Input::Acquire(2), Input::Release(2)];
    let twins = [vec![2, 3, 0, 1, 6, 7, 4, 5], vec![2, 3, 0, 1]];
    Domain { model: lock::Lock, answered, unknown, twins }
}

#[test]
fn every_relation_of_precedence_occurs_once() {
    // Without unknown outcomes: unlabeled interval orders, https://oeis.org/A022493.
    let answered = |operations| {
        let all = skeletons(operations).into_iter();
        all.filter(|skeleton| skeleton.iter().all(|(_, at)| at.is_some())).count()
    };
    assert_eq!([1, 2, 3, 4, 5, 6].map(answered), [1, 2, 5, 15, 53, 217]);
}

#[test]
fn a_small_register_is_judged_as_by_definition() {
    small_register(true).some();
}

#[test]
fn a_small_queue_is_judged_as_by_definition() {
    small_queue().some();
}

#[test]
fn a_small_set_is_judged_as_by_definition() {
    small_set().some();
}

#[test]
fn a_small_set_of_two_is_judged_as_by_definition() {
    small_set_of_two().some();
}

#[test]
fn a_small_lock_is_judged_as_by_definition() {
    small_lock().some();
}

#[test]
#[ignore = "half a minute"]
fn all_small_registers_of_up_to_five_operations() {
    small_register(true).whole("register", 5);
}

#[test]
#[ignore = "half a minute"]
fn all_plain_small_registers_of_six_operations() {
    let count = small_register(false).all(6, false);
    println!("plain register: {count} histories of 6 operations");
}

#[test]
#[ignore = "about a minute"]
fn all_small_queues_of_up_to_six_operations_and_sets_and_locks_of_up_to_five() {
    small_queue().whole("queue", 6);
    small_set().whole("set", 5);
    small_set_of_two().whole("set of two", 4);
    small_lock().whole("lock", 5);
}
