//! Small histories that a checker once got wrong, here or elsewhere.

use crate::common::{MODEL, Registers, compare, history_of};
use std::time::Duration;

use linear::models::list::{self, List};
use linear::models::lock::{self, Lock};
use linear::models::register::{Input, Output};
use linear::models::text::{self, Text};
use linear::{Budget, History, Invalid, Limit, Operation, Outcome, Verdict, check, validate};

type Row = (Input<u8>, u64, Option<(Output<u8>, u64)>);

fn history(rows: &[Row]) -> Registers {
    let operation = |(client, &(input, call, end)): (usize, &Row)| Operation {
        client: client as u32,
        input,
        call,
        outcome: end.map_or(Outcome::Unknown, |(output, at)| Outcome::Answered { output, at }),
    };
    history_of(rows.iter().enumerate().map(operation))
}

const DONE: Output<u8> = Output::Written;

#[test]
fn an_unseen_unknown_write_may_feed_an_unknown_compare_and_set_that_was_seen() {
    let rows = [
        (Input::Write(1), 0, None),
        (Input::Cas(1, 2), 1, None),
        (Input::Read, 5, Some((Output::Value(2), 6))),
    ];
    assert!(compare(&MODEL, &history(&rows)));
}

#[test]
fn compare_and_sets_in_a_circle_end() {
    let rows = [
        (Input::Cas(1, 2), 0, Some((Output::Set(true), 5))),
        (Input::Cas(2, 1), 0, Some((Output::Set(true), 4))),
        (Input::Read, 6, Some((Output::Value(1), 7))),
    ];
    assert!(!compare(&MODEL, &history(&rows)));
}

#[test]
fn a_return_at_the_time_of_a_call_precedes_nothing() {
    let rows = [
        (Input::Write(1), 0, Some((DONE, 5))),
        (Input::Read, 5, Some((Output::Value(0), 9))),
        (Input::Read, 3, Some((Output::Value(1), 5))),
    ];
    assert!(compare(&MODEL, &history(&rows)));
}

#[test]
fn a_value_that_nobody_wrote_is_a_conflict_of_one() {
    let rows = [(Input::Write(1), 0, Some((DONE, 5))), (Input::Read, 2, Some((Output::Value(3), 9)))];
    assert!(!compare(&MODEL, &history(&rows)));
}

#[test]
fn only_an_unseen_unknown_write_lets_a_comparison_fail() {
    let rows = [
        (Input::Write(7), 0, None),
        (Input::Write(0), 0, None),
        (Input::Cas(0, 1), 2, Some((Output::Set(false), 3))),
        (Input::Read, 4, Some((Output::Value(0), 5))),
    ];
    assert!(compare(&MODEL, &history(&rows)));
}

/// The zones alone name the write and the read. The early return of the compare-and-set is what rules out the
/// unknown one as the writer of the value it compared with.
#[test]
fn a_conflict_holds_what_ruled_other_writers_out() {
    let rows = [
        (Input::Read, 5, Some((Output::Value(1), 10))),
        (Input::Cas(2, 0), 6, None),
        (Input::Write(2), 1, Some((DONE, 3))),
        (Input::Cas(0, 1), 0, Some((Output::Set(true), 3))),
        (Input::Write(2), 3, Some((DONE, 8))),
        (Input::Read, 4, Some((Output::Value(2), 8))),
        (Input::Write(2), 4, None),
    ];
    assert!(!compare(&MODEL, &history(&rows)));
}

/// The answer comes at the largest time, so no prefix can end after it.
#[test]
fn a_wrong_answer_at_the_largest_time_is_a_violation() {
    let mut history = History::new();
    let answered = |granted, at| Outcome::Answered { output: lock::Output(granted), at };
    let mut push = |input, call, outcome| {
        history.push(Operation { client: 1, input, call, outcome }).expect("no return before a call")
    };
    push(lock::Input::Acquire(0), 1, answered(true, 2));
    push(lock::Input::Release(2), 3, Outcome::Unknown);
    push(lock::Input::Release(2), 4, answered(true, u64::MAX));
    let report = check(&Lock, &history, &Budget::default());
    let Verdict::NotLinearizable(violation) = report.verdict else { panic!("{report:?}") };
    assert_eq!(validate::conflict(&Lock, &history, &violation.conflict.operations), Ok(()));
    assert_eq!(violation.prefix_until, u64::MAX);
}

#[test]
fn an_append_of_nothing_has_a_place_in_the_order() {
    let mut history = History::new();
    let answered = |output, at| Outcome::Answered { output, at };
    let mut push = |input, call, outcome| {
        history.push(Operation { client: 1, input, call, outcome }).expect("no return before a call")
    };
    push(text::Input::Append(String::new()), 1, answered(text::Output::Done, 2));
    push(text::Input::Append("a".to_string()), 3, answered(text::Output::Done, 4));
    push(text::Input::Append(String::new()), 5, Outcome::Unknown);
    push(text::Input::Get, 6, answered(text::Output::Text("a".to_string()), 7));
    let report = check(&Text, &history, &Budget::default());
    let Verdict::Linearizable(witness) = report.verdict else { panic!("{report:?}") };
    assert_eq!(validate::linearization(&Text, &history, &witness), Ok(()));
}

/// A read of all that was appended leads to as many values as there are appends, most of them long.
#[test]
fn the_values_before_appends_count_towards_the_budget() {
    let mut history = History::new();
    let mut push = |input, call, output| {
        let outcome = Outcome::Answered { output, at: call + 1 };
        history.push(Operation { client: 1, input, call, outcome }).expect("no return before a call");
    };
    let all: Vec<u32> = (0..1000).collect();
    for &element in &all {
        push(list::Input::Append(element), 2 * u64::from(element), list::Output::Appended);
    }
    push(list::Input::Read, 2000, list::Output::Elements(all));
    let limit = |budget: Budget<'_>| match check(&List::new(), &history, &budget).verdict {
        Verdict::Linearizable(_) => None,
        Verdict::Undecided(undecided) => Some(undecided.limit),
        Verdict::NotLinearizable(violation) => panic!("{violation:?}"),
    };
    assert_eq!(limit(Budget::default()), None);
    assert_eq!(limit(Budget { bytes_max: 1 << 20, ..Budget::default() }), Some(Limit::Bytes));
    assert_eq!(limit(Budget { wall_max: Some(Duration::ZERO), ..Budget::default() }), Some(Limit::Wall));
}

#[test]
fn an_explanation_may_have_no_bound() {
    let rows =
        [(Input::Cas(1, 2), 0, Some((Output::Set(true), 3))), (Input::Read, 4, Some((Output::Value(0), 5)))];
    let budget = Budget { explain_steps_max: u64::MAX, ..Budget::default() };
    assert!(check(&MODEL, &history(&rows), &budget).verdict.is_violation());
    let rows = [(Input::Cas(0, 1), 0, Some((Output::Set(false), 3)))];
    assert!(check(&MODEL, &history(&rows), &budget).verdict.is_violation());
}

#[test]
fn a_conflict_names_no_operation_twice_and_none_that_failed() {
    let rows = [
        (Input::Write(1), 0, Some((DONE, 1))),
        (Input::Cas(1, 2), 2, Some((Output::Set(true), 3))),
        (Input::Read, 8, Some((Output::Value(2), 9))),
    ];
    let mut good = history(&rows);
    let (input, outcome) = (Input::Write(3), Outcome::Failed { at: 7 });
    good.push(Operation { client: 3, input, call: 6, outcome }).expect("no return before a call");
    assert!(check(&MODEL, &good, &Budget::default()).verdict.is_linearizable());
    assert_eq!(validate::conflict(&MODEL, &good, &[0, 1, 1]), Err(validate::WrongVerdict::Foreign(1)));
    assert_eq!(validate::conflict(&MODEL, &good, &[2, 3]), Err(validate::WrongVerdict::Foreign(3)));
}

#[test]
fn an_operation_that_returns_before_its_call_is_refused() {
    let mut history = Registers::new();
    let outcome = Outcome::Answered { output: DONE, at: 4 };
    let error = history.push(Operation { client: 1, input: Input::Write(1), call: 5, outcome }).unwrap_err();
    assert_eq!(error, Invalid::ReturnBeforeCall { index: 0, call: 5, returned: 4 });
    assert_eq!(
        error.to_string(),
        "operation 0 returns at 4, before its call at 5: do the times come from two clocks?"
    );
    assert!(history.is_empty());
}

/// What is reported without an explanation is a conflict, too.
#[test]
fn a_conflict_that_is_not_explained_holds() {
    let value = |value, at| Some((Output::Value(value), at));
    let twice = [
        (Input::Read, 3, value(0, 3)),
        (Input::Read, 0, value(1, 5)),
        (Input::Write(0), 2, Some((DONE, 6))),
        (Input::Cas(1, 1), 0, Some((Output::Set(true), 5))),
        (Input::Read, 2, value(1, 4)),
        (Input::Read, 3, value(0, 4)),
    ];
    let too_few = [
        (Input::Cas(0, 1), 6, None),
        (Input::Read, 0, value(2, 5)),
        (Input::Read, 3, value(2, 4)),
        (Input::Write(2), 1, Some((DONE, 5))),
        (Input::Read, 5, value(1, 6)),
    ];
    let mut with_failed = history(&[
        (Input::Cas(0, 0), 1, Some((Output::Set(false), 2))),
        (Input::Read, 3, value(0, 3)),
        (Input::Read, 1, value(0, 5)),
        (Input::Write(1), 1, Some((DONE, 3))),
    ]);
    let (input, outcome) = (Input::Cas(1, 0), Outcome::Failed { at: 7 });
    with_failed.push(Operation { client: 4, input, call: 3, outcome }).expect("no return before a call");
    for history in [history(&twice), history(&too_few), with_failed] {
        let budget = Budget { explain: false, ..Budget::default() };
        let Verdict::NotLinearizable(violation) = check(&MODEL, &history, &budget).verdict else { panic!() };
        assert_eq!(validate::conflict(&MODEL, &history, &violation.conflict.operations), Ok(()));
    }
}
