//! Small histories that a checker got wrong once, here or elsewhere.

mod common;

use common::{MODEL, Registers, compare};
use linear::models::register::{Input, Output};
use linear::{Operation, Outcome};

type Row = (Input<u8>, u64, Option<(Output<u8>, u64)>);

fn history(rows: &[Row]) -> Registers {
    let operation = |(client, &(input, call, end)): (usize, &Row)| Operation {
        client: client as u32,
        input,
        call,
        outcome: end.map_or(Outcome::Unknown, |(output, at)| Outcome::Answered { output, at }),
    };
    rows.iter().enumerate().map(operation).collect()
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

/// The zones alone name the write and the read; that the compare-and-set returned early is what rules out
/// the unknown one as the writer of what it compared with.
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
