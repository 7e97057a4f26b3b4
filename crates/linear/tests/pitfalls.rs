//! Histories of containers for which a plausible but wrong method would give the wrong verdict.
//!
//! Abdulla and others (arXiv 2509.17795) show by counter-examples that proofs of earlier methods are wrong, and Lee
//! and Mathur (arXiv 2410.04581) say which restrictions theirs needs. The histories here are our own, one for each
//! wrong assumption: that it is enough to look at pairs of elements, that the element put in first lies at the bottom
//! of a stack, that the answer "empty" is about one element, that operations of unknown outcome can be left out. Each
//! verdict is compared with the definition.

use linear::models::container::{Input, Output};
use linear::models::priority_queue::PriorityQueue;
use linear::models::queue::Queue;
use linear::models::set::{self, Set};
use linear::models::stack::Stack;
use linear::{Budget, History, Model, Operation, Outcome, Verdict, check};

use crate::common::{compare, history_of};

/// An element with the times of its put and its take.
type Element = (u64, [u64; 2], [u64; 2]);

fn answered<O>((call, at): (u64, u64), output: O) -> (u64, Outcome<O>) {
    (call, Outcome::Answered { output, at })
}

/// An operation: what it asks, when it was called, and how it ended.
type Row = (Input<u64>, u64, Outcome<Output<u64>>);

/// The puts and takes of these elements.
fn rows(elements: &[Element]) -> Vec<Row> {
    let both = |&(element, put, take): &Element| {
        let (call, outcome) = answered((put[0], put[1]), Output::Inserted);
        let put = (Input::Insert(element), call, outcome);
        let (call, outcome) = answered((take[0], take[1]), Output::Taken(Some(element)));
        [put, (Input::Take, call, outcome)]
    };
    elements.iter().flat_map(both).collect()
}

/// A take that found nothing.
fn empty(call: u64, at: u64) -> Row {
    let (call, outcome) = answered((call, at), Output::Taken(None));
    (Input::Take, call, outcome)
}

/// A take of unknown outcome.
fn lost_take(call: u64) -> Row {
    (Input::Take, call, Outcome::Unknown)
}

/// A history in which each operation has its own client.
fn history(rows: &[Row]) -> History<Input<u64>, Output<u64>> {
    history_of(rows.iter().enumerate().map(|(client, (input, call, outcome))| Operation {
        client: client as u32,
        input: *input,
        call: *call,
        outcome: outcome.clone(),
    }))
}

/// Asserts that these elements have no order, that they have one without any one of them, and that the explanation
/// names them all.
fn only_together<M>(model: &M, elements: &[Element], more: &[Row])
where
    M: Model<Input = Input<u64>, Output = Output<u64>> + Sync,
{
    let all = history(&[rows(elements).as_slice(), more].concat());
    assert!(!compare(model, &all));
    for left_out in 0..elements.len() {
        let mut others = elements.to_vec();
        others.remove(left_out);
        assert!(compare(model, &history(&[rows(&others).as_slice(), more].concat())), "without {left_out}");
    }
    let Verdict::NotLinearizable(violation) = check(model, &all, &Budget::default()).verdict else {
        panic!("it was a violation just now")
    };
    assert!(violation.conflict.minimal && violation.reason(model, &all).is_some(), "{violation:?}");
}

/// 1 lies within 2 and 2 within 3, or apart, whichever two are looked at; but 3 was not put in before 1.
#[test]
fn pairs_of_elements_are_not_enough_for_a_stack() {
    let elements = [(1, [0, 10], [40, 50]), (2, [0, 30], [70, 80]), (3, [20, 60], [90, 100])];
    only_together(&Stack::new(), &elements, &[]);
}

/// The put that returned first is not the one at the bottom, nor is the one that was called first.
#[test]
fn neither_the_first_call_nor_the_first_return_is_at_the_bottom_of_a_stack() {
    let first_return = [(1, [5, 10], [40, 50]), (2, [0, 30], [70, 80])];
    assert!(compare(&Stack::new(), &history(&rows(&first_return))));
    let first_call = [(1, [0, 30], [40, 50]), (2, [5, 10], [70, 80])];
    assert!(compare(&Stack::new(), &history(&rows(&first_call))));
    // If their takes do not let the one lie within the other, both are wrong.
    let neither = [(1, [0, 30], [40, 50]), (2, [35, 38], [70, 80])];
    assert!(!compare(&Stack::new(), &history(&rows(&neither))));
}

/// A stretch that is outermost in one order is not in another: any choice within the bounds must do.
#[test]
fn one_of_several_outermost_elements_of_a_stack_will_do() {
    let elements = [(1, [0, 20], [50, 100]), (2, [0, 20], [50, 100]), (3, [0, 20], [50, 100])];
    assert!(compare(&Stack::new(), &history(&rows(&elements))));
    let elements = [(1, [0, 20], [50, 55]), (2, [0, 20], [60, 65]), (3, [0, 20], [70, 75])];
    assert!(compare(&Stack::new(), &history(&rows(&elements))));
}

/// While 2 covers the time between 1 and 3, no position is left for an empty answer.
#[test]
fn several_elements_together_leave_no_room_for_an_empty_answer() {
    let elements = [(1, [0, 10], [40, 45]), (2, [20, 30], [60, 65]), (3, [50, 55], [90, 95])];
    only_together(&Queue::new(), &elements, &[empty(20, 80)]);
    only_together(&PriorityQueue::new(), &elements, &[empty(20, 80)]);
}

/// 9 was taken while 1 or 2 was there all the time, though neither was.
#[test]
fn several_lesser_elements_together_stay_in_the_way_of_a_greater_one() {
    let elements = [(1, [0, 10], [50, 55]), (2, [20, 30], [80, 85]), (9, [0, 10], [20, 70])];
    only_together(&PriorityQueue::new(), &elements, &[]);
}

/// Elements that are put in while nothing is seen of their order can leave in any.
#[test]
fn a_queue_has_no_order_of_its_own_for_concurrent_puts() {
    let elements = [(1, [0, 100], [130, 140]), (2, [0, 100], [110, 120]), (3, [0, 100], [150, 160])];
    assert!(compare(&Queue::new(), &history(&rows(&elements))));
    // A put that returned before another was called is the only tie, however many stand between.
    let elements = [(1, [0, 10], [200, 210]), (2, [0, 100], [130, 140]), (3, [20, 30], [150, 160])];
    assert!(!compare(&Queue::new(), &history(&rows(&elements))));
}

/// What no operation is known to have taken is gone only if a take of unknown outcome took it.
#[test]
fn takes_of_unknown_outcome_are_counted() {
    let done = |call, at, element| {
        let (call, outcome) = answered((call, at), Output::Inserted);
        (Input::Insert(element), call, outcome)
    };
    let puts = [done(0, 10, 1), done(20, 30, 2), done(40, 50, 3)];
    let (call, outcome) = answered((80, 90), Output::Taken(Some(3)));
    let third = (Input::Take, call, outcome);
    let lost = [lost_take(60), lost_take(70)];
    let model = Queue::new();
    assert!(compare(&model, &history(&[&puts[..], &lost[..], std::slice::from_ref(&third)].concat())));
    assert!(!compare(&model, &history(&[&puts[..], &lost[..1], std::slice::from_ref(&third)].concat())));
    // One that was called after the element had left came too late.
    let late = [lost_take(60), lost_take(95)];
    assert!(!compare(&model, &history(&[&puts[..], &late[..], &[third]].concat())));
}

/// An add and a remove that can stand at one position leave every absence possible; apart from that they do not.
#[test]
fn an_element_of_a_set_may_come_and_go_at_once() {
    let row = |input, call, at, changed| Operation {
        client: call as u32,
        input,
        call,
        outcome: Outcome::Answered { output: set::Output::Changed(changed), at },
    };
    let history = |returned, removed| {
        history_of([
            row(set::Input::Add(1), 0, returned, true),
            row(set::Input::Remove(1), removed, 90, true),
            row(set::Input::Remove(1), 41, 49, false),
        ])
    };
    assert!(compare(&Set::new(), &history(60, 50)));
    assert!(compare(&Set::new(), &history(60, 30)));
    assert!(!compare(&Set::new(), &history(40, 50)));
}
