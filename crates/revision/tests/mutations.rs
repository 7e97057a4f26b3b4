//! Takes linearizable histories of a few hundred operations, changes one thing in each, and checks that the verdict is
//! the one that must follow.

use revision::generate::{Shape, generate};
use revision::{
    Answer, Evidence, History, Kind, Operation, Reason, Response, UNKNOWN, Verdict, check, validate,
};

fn good(seed: u64, wide: u32) -> (History, Evidence) {
    let (clients, keys, operations) = (8, 6, 300);
    let (history, evidence) =
        generate(&Shape { clients, keys, operations, unknown: 30, wide, stale: false, seed });
    let Verdict::Linearizable(witness) = check(&history, &evidence) else { panic!("seed {seed} is good") };
    validate::order(&history, &evidence, &witness).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    (history, evidence)
}

/// The same history with operations changed, left out or added. Times are doubled to make room between them.
fn rewritten(
    history: &History,
    mut change: impl FnMut(u32, Operation) -> Option<Operation>,
    more: Option<Operation>,
) -> History {
    let mut made = History::new(history.base());
    for (number, operation) in (0..).zip(history.operations()) {
        let returned = if operation.returned == UNKNOWN { UNKNOWN } else { operation.returned * 2 };
        let Some(changed) = change(number, operation.during(operation.call * 2, returned)) else { continue };
        let Operation { call, returned, revision, .. } = changed;
        match history.wide(operation) {
            Some(wide) => {
                made.push_wide(wide.clone().at(revision).during(call, returned))
                    .expect("it was there before");
            }
            None => _ = made.push(changed).expect("it was there before"),
        }
    }
    more.into_iter().for_each(|operation| _ = made.push(operation).expect("it is valid"));
    made
}

/// An operation's position in the order: its revision, and whether it only saw it.
fn place(operation: &Operation) -> (u32, bool) {
    (operation.revision, !operation.is_change())
}

fn violation(history: &History, evidence: &Evidence) -> Reason {
    let verdict = check(history, evidence);
    let Verdict::Violation(violation) = verdict else { panic!("{verdict:?}") };
    validate::violation(history, evidence, &violation).unwrap_or_else(|why| panic!("{why}"));
    assert!(!violation.to_string().is_empty());
    violation.reason
}

/// Calls `judge` with many good histories, half of them with wide operations.
fn each(judge: impl Fn(&History, &Evidence) -> bool) {
    let judged = (0..100).filter(|seed| {
        let (history, evidence) = good(*seed, if seed % 2 == 0 { 0 } else { 300 });
        judge(&history, &evidence)
    });
    assert!(judged.count() > 80, "there is something to change in most histories");
}

#[test]
fn a_return_moved_before_a_call() {
    each(|history, evidence| {
        let operations = history.operations();
        // `newer` comes after `older` in the order but was called before it. If `newer` returned before the call of
        // `older`, that answer would be stale.
        let pair = operations.iter().enumerate().find_map(|(at, newer)| {
            let older = operations.iter().find(|older| {
                older.is_answered()
                    && place(older) < place(newer)
                    && newer.call < older.call
                    && older.is_bound()
            });
            older.filter(|_| newer.is_answered()).map(|older| (at as u32, older.call))
        });
        let Some((newer, call)) = pair else { return false };
        let change = |number, operation: Operation| {
            Some(if number == newer { operation.during(operation.call, call * 2 - 1) } else { operation })
        };
        let reason = violation(&rewritten(history, change, None), evidence);
        assert!(matches!(reason, Reason::Stale { .. }), "{reason:?}");
        true
    });
}

#[test]
fn two_values_swapped() {
    each(|history, evidence| {
        let is_put = |operation: &&Operation| operation.kind == Kind::Put && operation.is_answered();
        let mut puts = history.operations().iter().filter(is_put).map(|operation| operation.value);
        let (Some(one), Some(other)) = (puts.next(), puts.next_back()) else { return false };
        let swap = |_, operation: Operation| {
            let value = match operation.value {
                value if value == one && operation.kind == Kind::Put => other,
                value if value == other && operation.kind == Kind::Put => one,
                value => value,
            };
            Some(Operation { value, ..operation })
        };
        let reason = violation(&rewritten(history, swap, None), evidence);
        assert!(matches!(reason, Reason::Evidence { .. }), "{reason:?}");
        true
    });
}

#[test]
fn a_write_left_out() {
    each(|history, evidence| {
        let is_put = |operation: &Operation| operation.kind == Kind::Put && operation.is_answered();
        let Some(gone) = history.operations().iter().position(is_put) else { return false };
        let leave_out = |number, operation| (number != gone as u32).then_some(operation);
        let rest = rewritten(history, leave_out, None);
        let reason = violation(&rest, evidence);
        assert!(matches!(reason, Reason::Phantom { .. }), "{reason:?}");
        // Without the evidence nothing is known of the revision.
        let verdict = check(&rest, &Evidence::default());
        assert!(matches!(verdict, Verdict::Undecided(_)), "{verdict:?}");
        true
    });
}

#[test]
fn an_old_answer_given_again_at_the_end() {
    each(|history, evidence| {
        let operations = history.operations();
        let is_read = |operation: &&Operation| operation.kind == Kind::Get && operation.is_answered();
        let last =
            operations.iter().filter(|operation| operation.is_answered()).map(|one| one.revision).max();
        let read = operations.iter().filter(is_read).find(|read| Some(read.revision) < last);
        let Some(read) = read else { return false };
        let again = read.during(u64::MAX - 2, u64::MAX - 1);
        let reason = violation(&rewritten(history, |_, operation| Some(operation), Some(again)), evidence);
        assert!(matches!(reason, Reason::Stale { .. }), "{reason:?}");
        true
    });
}

#[test]
fn an_outcome_forgotten() {
    // Less knowledge can only lead to fewer violations.
    each(|history, evidence| {
        let forget = |number: u32, operation: Operation| {
            let forgotten = number.is_multiple_of(7);
            Some(if forgotten { operation.during(operation.call, UNKNOWN).at(0) } else { operation })
        };
        let verdict = check(&rewritten(history, forget, None), evidence);
        assert!(!matches!(verdict, Verdict::Violation(_)), "{verdict:?}");
        true
    });
}

/// The same history with one answer changed, and the index of its operation. It is the first answer for which `change`
/// returns true; `None` if there is none.
fn answered_otherwise(history: &History, change: impl Fn(&mut Response) -> bool) -> Option<(History, usize)> {
    let mut made = History::new(history.base());
    let mut changed = None;
    for (number, operation) in history.operations().iter().enumerate() {
        let Some(mut wide) = history.wide(operation).cloned() else {
            made.push(*operation).expect("it was there before");
            continue;
        };
        if changed.is_none() && operation.is_answered() && change(&mut wide.response) {
            changed = Some(number);
        }
        made.push_wide(wide).expect("it was there before");
    }
    changed.map(|number| (made, number))
}

/// Changes an answer in each of many histories. The violation must be of the expected kind and name the operation.
fn lie(change: impl Fn(&mut Response) -> bool, is_found: impl Fn(Reason) -> bool) {
    let judged = (0..60).filter(|seed| {
        let (history, evidence) = good(*seed, 500);
        let Some((lie, number)) = answered_otherwise(&history, &change) else { return false };
        let Verdict::Violation(violation) = check(&lie, &evidence) else { panic!("seed {seed}") };
        validate::violation(&lie, &evidence, &violation).unwrap_or_else(|why| panic!("{why}"));
        assert!(is_found(violation.reason), "seed {seed}: {violation}");
        assert!(violation.operations.contains(&(number as u32)));
        assert_eq!(violation.explain(&lie).len(), violation.operations.len());
        true
    });
    assert!(judged.count() > 40, "there is something to change in most histories");
}

#[test]
fn a_pair_missing() {
    let drop_pair = |response: &mut Response| {
        response.answers.iter_mut().any(|answer| match answer {
            Answer::Range { pairs, .. } => pairs.pop().is_some(),
            _ => false,
        })
    };
    lie(drop_pair, |reason| matches!(reason, Reason::WrongKey { .. }));
}

#[test]
fn a_count_wrong() {
    let miscount = |response: &mut Response| {
        response.answers.iter_mut().any(|answer| match answer {
            Answer::Range { count: Some(count), .. } => {
                *count += 1;
                true
            }
            _ => false,
        })
    };
    lie(miscount, |reason| matches!(reason, Reason::Count { .. }));
}

#[test]
fn more_than_there_is() {
    let flip = |response: &mut Response| {
        response.answers.iter_mut().any(|answer| match answer {
            Answer::Range { more: Some(more), .. } => {
                *more = !*more;
                true
            }
            _ => false,
        })
    };
    lie(flip, |reason| matches!(reason, Reason::More { .. }));
}

#[test]
fn a_previous_value_wrong() {
    let change = |response: &mut Response| {
        response.answers.iter_mut().any(|answer| match answer {
            Answer::Put(Some(seen)) => {
                seen.version += 1;
                true
            }
            Answer::Delete { previous: Some(previous), .. } => {
                previous.first_mut().map(|(_, seen)| seen.value += 1).is_some()
            }
            _ => false,
        })
    };
    lie(change, |reason| matches!(reason, Reason::WrongKey { .. }));
}
