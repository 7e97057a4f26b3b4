//! Judges larger histories of containers, whose verdicts are known beforehand, and small ones that an engine once
//! judged wrongly.

use std::collections::BTreeSet;

use linear::generate::Random;
use linear::generate::containers::{self, Shape, Wrong};
use linear::models::bag::Bag;
use linear::models::priority_queue::PriorityQueue;
use linear::models::queue::{self, Queue};
use linear::models::set::{self, Set};
use linear::models::stack::{self, Stack};
use linear::{Budget, History, Model, Operation, Outcome, Report, Verdict, check};

use crate::common::{compare, history_of, judge};
use crate::limits;

fn generated<M>(model: &M, history: impl Fn(&Shape) -> History<M::Input, M::Output>)
where
    M: Model + Sync,
    M::Input: Sync + std::fmt::Debug,
    M::Output: Sync + std::fmt::Debug,
{
    for clients in [5, 25, 100] {
        for unknown_per_mille in [0, 20, 50] {
            let shape = Shape { operations: 3000, clients, unknown_per_mille, ..Shape::default() };
            assert!(judge(model, &history(&shape)), "{shape:?}");
            for wrong in [Wrong::Answer, Wrong::Swapped] {
                let shape = Shape { wrong, ..shape };
                let history = history(&shape);
                assert!(!judge(model, &history), "{shape:?}");
                let Verdict::NotLinearizable(violation) = check(model, &history, &Budget::default()).verdict
                else {
                    panic!("{shape:?}")
                };
                let operations = violation.conflict.operations.len();
                assert!(operations <= 6 && violation.conflict.minimal, "{shape:?}: {violation:?}");
            }
        }
    }
}

#[test]
fn generated_queues() {
    generated(&Queue::new(), containers::queue);
}

#[test]
fn generated_stacks() {
    generated(&Stack::new(), containers::stack);
}

#[test]
fn generated_priority_queues() {
    generated(&PriorityQueue::new(), containers::priority_queue);
}

#[test]
fn generated_bags() {
    generated(&Bag::new(), containers::bag);
}

#[test]
fn generated_sets() {
    generated(&Set::new(), containers::set);
}

/// Operations of a client each; without a return the outcome is unknown.
fn history<I: Clone, O: Clone>(rows: &[(I, u64, Option<(O, u64)>)]) -> History<I, O> {
    let operation = |(client, (input, call, end)): (usize, &(I, u64, Option<(O, u64)>))| Operation {
        client: client as u32,
        input: input.clone(),
        call: *call,
        outcome: end.clone().map_or(Outcome::Unknown, |(output, at)| Outcome::Answered { output, at }),
    };
    history_of(rows.iter().enumerate().map(operation))
}

fn in_no_time<M>(model: &M, history: &History<M::Input, M::Output>) -> Report
where
    M: Model + Sync,
    M::Input: Sync,
    M::Output: Sync,
{
    let report = check(model, history, &Budget { steps_max: 1000, ..Budget::default() });
    assert!(!matches!(report.verdict, Verdict::Undecided(_)), "{report}");
    report
}

#[test]
fn small_numbers_enqueued_at_a_time_take_no_search() {
    let mut rows: Vec<(queue::Input<u64>, u64, Option<(queue::Output<u64>, u64)>)> = Vec::new();
    for element in 0..8 {
        rows.push((queue::Input::Insert(element), 1, Some((queue::Output::Inserted, 1000))));
    }
    for (place, element) in [3, 4, 6, 1, 2, 7, 5, 0].into_iter().enumerate() {
        let call = 2000 + place as u64 * 10;
        rows.push((queue::Input::Take, call, Some((queue::Output::Taken(Some(element)), call + 1))));
    }
    assert!(in_no_time(&Queue::new(), &history(&rows)).verdict.is_linearizable());
}

#[test]
fn permutations_of_small_numbers_have_different_sums_in_a_search() {
    // One element comes twice, so it takes a search, whose states are the orders of the others.
    let mut rows: Vec<(queue::Input<u64>, u64, Option<(queue::Output<u64>, u64)>)> = Vec::new();
    for element in [0, 1, 2, 3, 4, 5, 6, 6] {
        rows.push((queue::Input::Insert(element), 1, Some((queue::Output::Inserted, 1000))));
    }
    for (place, element) in [3, 4, 6, 1, 2, 6, 5, 0].into_iter().enumerate() {
        let call = 2000 + place as u64 * 10;
        rows.push((queue::Input::Take, call, Some((queue::Output::Taken(Some(element)), call + 1))));
    }
    assert!(judge(&Queue::new(), &history(&rows)));
}

#[test]
fn lost_adds_and_a_read_that_lacks_an_element_take_no_search() {
    let mut rows: Vec<(set::Input<u64>, u64, Option<(set::Output<u64>, u64)>)> =
        (0..64).map(|element| (set::Input::Add(element), 1, None)).collect();
    rows.push((set::Input::Read, 2000, Some((set::Output::Elements((0..8).collect()), 2001))));
    rows.push((set::Input::Read, 2002, Some((set::Output::Elements((1..8).collect()), 2003))));
    let history = history(&rows);
    let Verdict::NotLinearizable(violation) = in_no_time(&Set::new(), &history).verdict else { panic!() };
    assert_eq!(violation.conflict.operations, [64, 65]);
}

#[test]
fn an_element_that_leaves_twice_is_said_to() {
    let done = |at| Some((queue::Output::Inserted, at));
    let took = |element, at| Some((queue::Output::Taken(Some(element)), at));
    let rows = [
        (queue::Input::Insert(1), 1, done(2)),
        (queue::Input::Take, 3, took(1, 4)),
        (queue::Input::Take, 5, took(1, 6)),
    ];
    let history = history(&rows);
    let Verdict::NotLinearizable(violation) = in_no_time(&Queue::new(), &history).verdict else { panic!() };
    assert_eq!(violation.conflict.operations, [1, 2]);
    let reason = violation.reason(&Queue::new(), &history);
    assert_eq!(reason.as_deref(), Some("#1 answered 1, and so did #2, but only #0 enqueue(1) put it in"));
    // What is said of orders counts what the others did, too: there is no word of an empty queue before 1 left it.
    for excluded in violation.excluded(&Queue::new(), &history) {
        assert!(!excluded.reason.contains("holds []") || excluded.order.len() == 2, "{excluded:?}");
    }
}

#[test]
fn elements_that_come_twice_are_searched() {
    let done = |at| Some((queue::Output::Inserted, at));
    let took = |element, at| Some((queue::Output::Taken(element), at));
    let rows = [
        (queue::Input::Insert(1), 1, done(2)),
        (queue::Input::Insert(1), 1, done(2)),
        (queue::Input::Take, 3, took(Some(1), 4)),
        (queue::Input::Take, 5, took(Some(1), 6)),
        (queue::Input::Take, 7, took(None, 8)),
    ];
    assert!(compare(&Queue::new(), &history(&rows)));
    let rows = [rows.as_slice(), &[(queue::Input::Take, 9, took(Some(1), 10))]].concat();
    assert!(!compare(&Queue::new(), &history(&rows)));
}

/// One element after the other is put in while the one before is there: no moment without any, though none is there
/// for long.
#[test]
fn a_chain_of_elements_leaves_no_room_for_an_empty_answer() {
    let mut rows: Vec<(queue::Input<u64>, u64, Option<(queue::Output<u64>, u64)>)> = Vec::new();
    for element in 0..20 {
        let from = element * 10;
        rows.push((queue::Input::Insert(element), from, Some((queue::Output::Inserted, from + 1))));
        let took = queue::Output::Taken(Some(element));
        rows.push((queue::Input::Take, from + 12, Some((took, from + 40))));
    }
    assert!(judge(&Queue::new(), &history(&rows)));
    let nothing = queue::Output::Taken(None);
    let during = (queue::Input::Take, 30, Some((nothing, 190)));
    assert!(!judge(&Queue::new(), &history(&[rows.as_slice(), &[during]].concat())));
    let after = (queue::Input::Take, 30, Some((nothing, 202)));
    assert!(judge(&Queue::new(), &history(&[rows.as_slice(), &[after]].concat())));
}

/// A stack that is filled and then emptied is as deep as it is long.
#[test]
fn a_deep_stack_takes_no_longer() {
    let deep = 50_000_u64;
    let mut rows: Vec<(stack::Input<u64>, u64, Option<(stack::Output<u64>, u64)>)> = Vec::new();
    for element in 0..deep {
        rows.push((
            stack::Input::Insert(element),
            element * 2,
            Some((stack::Output::Inserted, element * 2 + 3)),
        ));
    }
    for place in 0..deep {
        let call = (deep + place) * 2 + 10;
        rows.push((stack::Input::Take, call, Some((stack::Output::Taken(Some(deep - 1 - place)), call + 3))));
    }
    assert!(in_no_time(&Stack::new(), &history(&rows)).verdict.is_linearizable());
}

type SetRow = (set::Input<u64>, u64, Option<(set::Output<u64>, u64)>);

fn changed(input: set::Input<u64>, call: u64, at: u64, answer: bool) -> SetRow {
    (input, call, Some((set::Output::Changed(answer), at)))
}

fn read(call: u64, at: u64, elements: &[u64]) -> SetRow {
    (set::Input::Read, call, Some((set::Output::Elements(elements.iter().copied().collect()), at)))
}

/// What is said of a violation, and which operations it is about.
fn said(rows: &[SetRow]) -> (Vec<u32>, String) {
    let history = history(rows);
    let Verdict::NotLinearizable(violation) = in_no_time(&Set::new(), &history).verdict else { panic!() };
    let reason = violation.reason(&Set::new(), &history);
    (violation.conflict.operations, reason.unwrap_or_default())
}

#[test]
fn violations_of_sets_are_said_in_a_sentence() {
    use set::Input::{Add, Remove};
    let never = [read(1, 2, &[7])];
    assert_eq!(said(&never), (vec![0], "#0 answered {7}, but nothing had added 7 by then".to_owned()));
    let twice = [changed(Add(7), 1, 2, true), changed(Remove(7), 3, 4, true), changed(Remove(7), 5, 6, true)];
    let text = "#1 answered that it removed 7, and so did #2, but it was added only once";
    assert_eq!(said(&twice), (vec![1, 2], text.to_owned()));
    let early = [changed(Remove(7), 1, 2, true), changed(Add(7), 3, 4, true)];
    let text = "#0 answered done, but nothing had added 7 by then";
    assert_eq!(said(&early), (vec![0], text.to_owned()));
    let late = [changed(Add(7), 1, 2, true), changed(Remove(7), 3, 4, true), changed(Add(7), 5, 6, false)];
    let text = "#1 had removed 7 by 4, and only #0 added it; but #2, called at 5, found it there";
    assert_eq!(said(&late), (vec![1, 2], text.to_owned()));
    let lost = [changed(Add(7), 1, 2, true), changed(Remove(7), 3, 4, false)];
    let text =
        "#1 did not find 7 between 3 and 4; but #0 had added it by 2, and nothing had removed it by then";
    assert_eq!(said(&lost), (vec![0, 1], text.to_owned()));
    // What is called only later is of no use, and not part of the conflict.
    let missed = [changed(Add(7), 1, 2, true), read(3, 4, &[]), changed(Remove(7), 5, 6, true)];
    assert_eq!(said(&missed), (vec![0, 1], text.to_owned()));
    let between =
        [changed(Add(7), 1, 2, true), read(3, 9, &[]), changed(Remove(7), 10, 11, true), read(4, 12, &[7])];
    assert_eq!(said(&between).0, [0, 1]);
}

#[test]
fn reads_of_sets_that_contradict_each_other_are_said_to() {
    use set::Input::{Add, Remove};
    let adds = [changed(Add(1), 1, 20, true), changed(Add(2), 1, 20, true)];
    let unlike = [&adds[..], &[read(2, 10, &[1]), read(3, 11, &[2])]].concat();
    let text = "#2 answered {1}, and #3 answered {2}: neither shows all that the other one shows, and nothing was removed";
    assert_eq!(said(&unlike), (vec![2, 3], text.to_owned()));
    let back = [&adds[..], &[read(2, 5, &[1]), read(6, 11, &[])]].concat();
    let (operations, text) = said(&back);
    assert_eq!(operations, [2, 3]);
    assert_eq!(
        text,
        "#3 read took effect before #2 read; but that was over by 5 (#2), and #3 was called only at 6"
    );
    let never_together = [
        changed(Add(1), 1, 2, true),
        changed(Remove(1), 3, 4, true),
        changed(Add(2), 5, 6, true),
        read(2, 9, &[1, 2]),
    ];
    let text = "#3 shows what #2 add(2) added and what #1 remove(1) removed; but that removal had returned at 4, and that add was called at 5";
    assert_eq!(said(&never_together), (vec![3, 1], text.to_owned()));
}

type Sets = History<set::Input<u64>, set::Output<u64>>;

/// Takes an element out of an answer that the reads before and after it show.
fn with_a_lacking_read(good: &Sets) -> Sets {
    let mut operations = good.operations().to_vec();
    let shown = |at: usize| match operations[at].output() {
        Some(set::Output::Elements(elements)) => elements.clone(),
        _ => BTreeSet::new(),
    };
    let is_read = |&at: &usize| matches!(operations[at].output(), Some(set::Output::Elements(_)));
    let apart = |one: usize, other: usize| {
        operations[one].returned().is_some_and(|returned| returned < operations[other].call)
    };
    let reads: Vec<usize> = (0..operations.len()).filter(is_read).collect();
    let in_both = |&this: &usize| {
        let before = reads.iter().copied().rev().find(|&other| apart(other, this))?;
        let after = reads.iter().copied().find(|&other| apart(this, other))?;
        let (before, after) = (shown(before), shown(after));
        let element = shown(this).into_iter().find(|one| before.contains(one) && after.contains(one))?;
        Some((this, element))
    };
    let (at, element) =
        reads[reads.len() / 2..].iter().find_map(in_both).expect("some elements stay for long");
    if let Outcome::Answered { output: set::Output::Elements(elements), .. } = &mut operations[at].outcome {
        elements.remove(&element);
    }
    history_of(operations)
}

/// Sets that are read whole while elements come and go take hardly more steps than they have reads.
#[test]
fn reads_of_whole_sets_take_little_search() {
    for clients in [5, 25, 100] {
        for unknown in [0, 2, 5] {
            let ask = |random: &mut Random, index: u64| match random.below(10) {
                0 => set::Input::Read,
                1..5 => set::Input::Remove(index.saturating_sub(random.below(60))),
                _ => set::Input::Add(index),
            };
            let shape = limits::Shape { operations: 3000, clients, unknown, wrong: limits::Wrong::Nothing };
            let good = limits::simulated(&Set::<u64>::new(), shape, ask, limits::of_set);
            let report = check(&Set::new(), &good, &Budget::default());
            println!("{shape:?}: {report}");
            assert!(report.verdict.is_linearizable() && report.steps < 30_000, "{shape:?}: {report}");
            assert!(judge(&Set::new(), &good));
            let wrong = with_a_lacking_read(&good);
            assert!(!judge(&Set::new(), &wrong), "{shape:?}");
            let Verdict::NotLinearizable(violation) = check(&Set::new(), &wrong, &Budget::default()).verdict
            else {
                panic!("{shape:?}")
            };
            let operations = violation.conflict.operations.len();
            assert!(operations <= 6 && violation.conflict.minimal, "{shape:?}: {violation:?}");
            assert!(violation.reason(&Set::new(), &wrong).is_some(), "{shape:?}: {violation:?}");
        }
    }
}

/// Reads in the order in which elements come and go, though all of them are in flight at a time.
#[test]
fn reads_in_flight_at_a_time_are_put_in_order_by_what_they_show() {
    use set::Input::{Add, Remove};
    let count = 40;
    let mut rows: Vec<SetRow> = Vec::new();
    for element in 0..count {
        rows.push(changed(Add(element), 1, 1000, true));
        rows.push(changed(Remove(element), 1, 1000, true));
    }
    // Each element is there for three reads, and the reads are called in the wrong order.
    for first in (0..count).rev() {
        let shown: Vec<u64> = (first..count.min(first + 3)).collect();
        rows.push(read(1, 1000, &shown));
    }
    assert!(in_no_time(&Set::new(), &history(&rows)).verdict.is_linearizable());
    // One that shows what no order of the others leaves room for.
    rows.push(read(1, 1000, &[0, 20]));
    assert!(in_no_time(&Set::new(), &history(&rows)).verdict.is_violation());
}
