//! Compares two ways to judge a history: the engine that goes by revisions (`verify::k1`), and a plain search for an
//! order (`linear`). Both judge random small histories of a correct server, and the same histories with one thing made
//! wrong.

use crate::support::{self, Random, Shape};
use api::Request;
use etcdsim_verify::definite::is_definite;
use etcdsim_verify::general::etcd::Asked;
use etcdsim_verify::k1::{self, Premises, Replayed};
use etcdsim_verify::model::FIRST_REVISION;
use etcdsim_verify::{Expectations, Oracle, describe, judge};
use linear::{Budget, Verdict};
use record::{Applied, History, MemberId, Operation, Outcome, Record};

/// Whether the plain search finds an order.
fn searched(history: &History) -> bool {
    let budget = Budget { explain: false, ..Budget::default() };
    let asked = Asked::new(history, FIRST_REVISION);
    match asked.check(&budget).verdict {
        Verdict::Linearizable(witness) => {
            let checked = linear::validate::linearization(&asked.model, &asked.history, &witness);
            checked.expect("the order is right");
            true
        }
        Verdict::NotLinearizable(_) => false,
        Verdict::Undecided(_) => panic!("a history of {} operations is small", history.operations.len()),
    }
}

/// Judges a history by revisions.
fn check(history: &History, applied: Option<&[Applied]>) -> Replayed {
    k1::check(history, &Premises { applied, ..Premises::default() })
}

/// Whether the engine found no violation.
fn holds(replayed: &Replayed) -> bool {
    assert!(replayed.violations.iter().all(|violation| [Oracle::K1, Oracle::K3].contains(&violation.oracle)));
    replayed.violations.is_empty()
}

/// Whether there is evidence by which the engine accepts the history: tries all ways in which the unanswered
/// operations could have made the missing revisions, and some more after them, and could have been effective
/// compactions.
fn holds_by_some_evidence(history: &History) -> bool {
    let (mut writes, mut compactions) = (Vec::new(), Vec::new());
    for (number, operation) in history.operations.iter().enumerate() {
        match &operation.request {
            _ if operation.response().is_some() || is_refused(operation) => {}
            Request::Range(_) => {}
            Request::Compact(request) => compactions.push((request.revision, number)),
            _ => writes.push(number),
        }
    }
    compactions.sort_unstable();
    let newest =
        history.operations.iter().filter_map(|one| one.response()?.header()).map(|header| header.revision);
    let until = newest.max().unwrap_or(1).clamp(1, 40) + writes.len() as i64;
    (0..1_u32 << compactions.len()).any(|chosen| {
        let chosen: Vec<usize> =
            (0..compactions.len()).filter(|at| chosen & 1 << at != 0).map(|at| compactions[at].1).collect();
        assign(history, &mut Vec::new(), 2, until, &writes, &chosen)
    })
}

fn assign(
    history: &History,
    made: &mut Vec<(i64, usize)>,
    revision: i64,
    until: i64,
    writes: &[usize],
    compactions: &[usize],
) -> bool {
    if revision > until {
        let mut applied: Vec<Applied> =
            made.iter().map(|(revision, number)| entry(*number, *revision, true)).collect();
        applied.extend(compactions.iter().map(|number| entry(*number, until, false)));
        // An empty list is evidence too: that nothing else was applied.
        return holds(&check(history, Some(&applied)));
    }
    if assign(history, made, revision + 1, until, writes, compactions) {
        return true;
    }
    let acknowledged = history.operations.iter().any(|one| {
        let mutates = matches!(one.request, Request::Put(_));
        mutates
            && one
                .response()
                .and_then(|response| response.header())
                .is_some_and(|header| header.revision == revision)
    });
    if acknowledged {
        return false;
    }
    writes.iter().any(|number| {
        if made.iter().any(|(_, used)| used == number) {
            return false;
        }
        made.push((revision, *number));
        let found = assign(history, made, revision + 1, until, writes, compactions);
        made.pop();
        found
    })
}

/// An entry that the cluster applied for operation `number`.
fn entry(number: usize, revision: i64, mutated: bool) -> Applied {
    Applied {
        index: 0,
        operation: Some(number as u64),
        revision: revision as u64,
        mutated,
        time: 0,
        internal: None,
    }
}

/// Whether an error says that the operation had no effect.
fn is_refused(operation: &Operation) -> bool {
    matches!(operation.outcome, Outcome::Error { error, .. } if is_definite(error))
}

/// Whether an error leaves open if the operation had an effect.
fn is_indefinite(operation: &Operation) -> bool {
    matches!(operation.outcome, Outcome::Error { error, .. } if !is_definite(error))
}

/// The history, the evidence and what the engine found, for the message of a failing test.
fn show(history: &History, applied: &[Applied], replayed: &Replayed) -> String {
    let lines: Vec<_> = history
        .operations
        .iter()
        .map(|one| {
            format!("{:?}..{:?} {} {:?}", one.call, one.returned(), describe::operation(one), one.outcome)
        })
        .collect();
    format!("{}\n{applied:#?}\n{:#?}\n{:#?}", lines.join("\n"), replayed.violations, replayed.undecided)
}

/// `ETCDSIM_ROUNDS` sets another number.
fn rounds() -> u64 {
    let asked = std::env::var("ETCDSIM_ROUNDS").ok();
    asked.map_or(20_000, |asked| {
        asked.parse().unwrap_or_else(|error| panic!("ETCDSIM_ROUNDS={asked:?}: {error}"))
    })
}

#[test]
fn a_correct_server_is_never_accused() {
    for seed in 0..rounds() {
        let mut random = Random(seed);
        let shape = Shape { operations: 10, leases: seed % 2 == 0, ..Shape::default() };
        let (history, applied) = support::history(&mut random, &shape);
        let replayed = check(&history, Some(&applied));
        assert!(
            holds(&replayed) && replayed.undecided.is_empty(),
            "seed {seed}, with evidence:\n{}",
            show(&history, &applied, &replayed)
        );
        let replayed = check(&history, None);
        assert!(holds(&replayed), "seed {seed}, without evidence:\n{}", show(&history, &applied, &replayed));
    }
}

#[test]
fn no_oracle_accuses_a_correct_cluster_of_lagging_members() {
    let mut compared = 0;
    for seed in 0..rounds() {
        let mut random = Random(seed);
        let shape = Shape { operations: 14, serializable: 60, ..Shape::default() };
        let (mut history, applied) = support::history(&mut random, &shape);
        support::read_everything(&mut history, &applied);
        let record = Record { history, applied, ..Record::default() };
        let starts = MemberId::first(shape.clients).map(|member| (member, 0)).collect();
        let verdict = judge(&record, &Expectations { starts, ..Expectations::default() });
        compared += verdict.count(Oracle::K2) + verdict.count(Oracle::K4);
        assert!(verdict.holds(), "seed {seed}:\n{:#?}\n{:#?}", record.history, verdict);
    }
    assert!(compared > rounds(), "only {compared} serializable reads and lost writes were looked at");
}

#[test]
fn both_engines_agree() {
    let (mut good, mut bad) = (0, 0);
    for seed in 0..rounds() {
        let mut random = Random(seed);
        let operations = 3 + random.below(6) as usize;
        let unknown = *random.pick(&[0, 15, 35]);
        let delay = 1 + random.below(4);
        let shape = Shape { operations, unknown, delay, ..Shape::default() };
        let (mut history, mut applied) = support::history(&mut random, &shape);
        for _ in 0..random.below(3) {
            support::spoil(&mut random, &mut history, &mut applied);
        }
        let expected = searched(&history);
        let found = holds_by_some_evidence(&history);
        let replayed = check(&history, Some(&applied));
        assert_eq!(
            found,
            expected,
            "seed {seed}: the search says {expected}\n{}",
            show(&history, &applied, &replayed)
        );
        *(if expected { &mut good } else { &mut bad }) += 1;

        // Without evidence it may be undecided, but it may not be wrong.
        let replayed = check(&history, None);
        if !replayed.undecided.is_empty() {
            continue;
        }
        // What it accepts then: compactions and errors that an unanswered operation may explain.
        let some = |what: fn(&Operation) -> bool| history.operations.iter().any(what);
        let open = some(|one| matches!(one.outcome, Outcome::Unknown { .. }) || is_indefinite(one));
        let lenient = some(|one| matches!(one.request, Request::Compact(_)) || is_refused(one));
        let exact = !(open && lenient);
        if !holds(&replayed) || exact {
            assert_eq!(
                holds(&replayed),
                expected,
                "seed {seed}: the search says {expected}, without evidence\n{}",
                show(&history, &applied, &replayed)
            );
        }
    }
    assert!(good > rounds() / 4 && bad > rounds() / 10, "{good} linearizable, {bad} not");
}

#[test]
fn with_leases_what_the_engine_accepts_the_search_accepts() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..rounds() {
        let mut random = Random(seed);
        let shape = Shape { leases: true, compactions: false, operations: 7, ..Shape::default() };
        let (mut history, mut applied) = support::history(&mut random, &shape);
        for _ in 0..random.below(2) {
            support::spoil(&mut random, &mut history, &mut applied);
        }
        let replayed = check(&history, Some(&applied));
        if holds(&replayed) {
            accepted += 1;
            assert!(
                searched(&history),
                "seed {seed}: the search finds nothing\n{}",
                show(&history, &applied, &replayed)
            );
        } else {
            refused += 1;
        }
    }
    assert!(accepted > rounds() / 4 && refused > rounds() / 20, "{accepted} accepted, {refused} refused");
}
