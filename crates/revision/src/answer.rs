//! Compares the recorded answer to a transaction with the answer (`expected`) that the store of [`crate::check()`]
//! gives.

use crate::execute::shown;
use crate::history::Seen;
use crate::verdict::Reason;
use crate::wide::{Answer, Range, Response, Step, Transaction};

/// The first difference between an answer at a revision and the expected one. The expected answer contains all pairs of
/// a range, even those that its limit leaves out.
pub(crate) fn difference(
    (base, revision): (u32, u32),
    request: &Transaction,
    given: &Response,
    expected: &Response,
) -> Option<Reason> {
    if given.succeeded != expected.succeeded {
        return Some(Reason::Branch { revision, succeeded: expected.succeeded });
    }
    let steps = request.branch(expected.succeeded).iter();
    let mut answers = steps.zip(given.answers.iter().zip(&expected.answers));
    answers.find_map(|(step, (given, expected))| in_step((base, revision), step, given, expected))
}

/// The first difference between an answer to one step and the expected one.
fn in_step((base, revision): (u32, u32), step: &Step, given: &Answer, expected: &Answer) -> Option<Reason> {
    match (step, given, expected) {
        // Revisions before the base are not known.
        (Step::Range(range), ..) if range.at.is_some_and(|at| at < base) => None,
        (
            Step::Range(range),
            Answer::Range { pairs, complete, count, more },
            Answer::Range { pairs: all, .. },
        ) => {
            let length = shown(range, all.len());
            let has_more = !range.count_only && length < all.len();
            in_pairs(revision, Some(range), pairs, all)
                .or_else(|| if *complete { missing(revision, pairs, &all[..length]) } else { None })
                .or_else(|| differs(revision, count.unwrap_or(all.len() as u32), all.len()))
                .or_else(|| (*more == Some(!has_more)).then_some(Reason::More { revision, more: has_more }))
        }
        (Step::Put { key, .. }, Answer::Put(Some(shows)), Answer::Put(Some(holds))) => {
            (shows != holds).then_some(Reason::WrongKey { revision, key: *key, holds: *holds, shows: *shows })
        }
        (
            Step::Delete(_),
            Answer::Delete { deleted, previous },
            Answer::Delete { previous: Some(all), .. },
        ) => differs(revision, *deleted, all.len()).or_else(|| {
            let given = previous.as_deref()?;
            in_pairs(revision, None, given, all).or_else(|| missing(revision, given, all))
        }),
        (Step::Nested(request), Answer::Nested(given), Answer::Nested(expected)) => {
            difference((base, revision), request, given, expected)
        }
        _ => None,
    }
}

/// The first pair that the answer shows and the store does not hold.
fn in_pairs(
    revision: u32,
    range: Option<&Range>,
    given: &[(u32, Seen)],
    all: &[(u32, Seen)],
) -> Option<Reason> {
    let keys_only = range.is_some_and(|range| range.keys_only);
    given.iter().find_map(|(key, shows)| {
        let held = all.binary_search_by_key(key, |(key, _)| *key);
        let holds = held.map_or(Seen::ABSENT, |at| all[at].1);
        let shows = if keys_only { Seen { value: 0, ..*shows } } else { *shows };
        // A key that does not exist must not be among the pairs, not even as absent.
        (holds != shows || holds.is_absent()).then_some(Reason::WrongKey {
            revision,
            key: *key,
            holds,
            shows,
        })
    })
}

/// The first pair that the answer should show but does not. If there is none, whether the number of pairs is wrong.
fn missing(revision: u32, given: &[(u32, Seen)], expected: &[(u32, Seen)]) -> Option<Reason> {
    let mut keys: Vec<u32> = given.iter().map(|(key, _)| *key).collect();
    keys.sort_unstable();
    let lacks = expected.iter().find(|(key, _)| keys.binary_search(key).is_err());
    let lacks = lacks.map(|(key, holds)| (*key, *holds));
    lacks
        .map(|(key, holds)| Reason::WrongKey { revision, key, holds, shows: Seen::ABSENT })
        .or_else(|| differs(revision, given.len() as u32, expected.len()))
}

/// The difference between two numbers of keys, if there is one.
fn differs(revision: u32, shows: u32, holds: usize) -> Option<Reason> {
    let holds = holds as u32;
    (shows != holds).then_some(Reason::Count { revision, holds, shows })
}
