//! Tests the check of transactions that append to lists (`linear::cycles`): one example for each anomaly, and small
//! random histories, for which all serial orders are tried.

use linear::cycles::{self, AnomalyKind, EdgeKind, Step, Transaction, Verdict};
use linear::generate::Random;
use linear::{Invalid, Outcome};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

/// A transaction of these tests.
type T = Transaction<&'static str, u8>;

fn check<K: Clone + Eq + Hash + Debug>(
    history: &[Transaction<K, impl Clone + Eq + Hash + Debug>],
) -> Verdict {
    cycles::check(history).expect("no return before a call")
}

fn answered(at: u64) -> Outcome<()> {
    Outcome::Answered { output: (), at }
}

/// A transaction that was answered.
fn committed(call: u64, at: u64, steps: Vec<Step<&'static str, u8>>) -> T {
    Transaction { client: 7, call, outcome: answered(at), steps }
}

fn append(key: &'static str, value: u8) -> Step<&'static str, u8> {
    Step::Append(key, value)
}

fn read(key: &'static str, list: &[u8]) -> Step<&'static str, u8> {
    Step::Read(key, Some(list.to_vec()))
}

/// The kinds of anomalies that the check finds. It must find some.
fn kinds(history: &[T]) -> Vec<AnomalyKind> {
    match check(history) {
        Verdict::Anomalies(anomalies) => anomalies.into_iter().map(|anomaly| anomaly.kind).collect(),
        other => panic!("{other:?}"),
    }
}

/// The edges of the cycle that the check finds. It must find one.
fn edges(history: &[T]) -> Vec<(u32, u32, EdgeKind)> {
    match check(history) {
        Verdict::Cycle(edges) => edges.into_iter().map(|edge| (edge.from, edge.to, edge.kind)).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_serial_history_has_its_order() {
    let history = [
        committed(4, 5, vec![read("x", &[1, 2]), append("y", 1), read("y", &[1])]),
        committed(0, 1, vec![append("x", 1)]),
        committed(2, 3, vec![read("x", &[1]), append("x", 2), read("x", &[1, 2]), Step::Read("y", None)]),
    ];
    assert_eq!(check(&history), Verdict::Serializable(vec![1, 2, 0]));
}

#[test]
fn a_transaction_that_returns_before_its_call_is_refused() {
    let error = cycles::check(&[committed(0, 1, vec![]), committed(5, 4, vec![])]).unwrap_err();
    assert_eq!(error, Invalid::ReturnBeforeCall { index: 1, call: 5, returned: 4 });
}

#[test]
fn a_read_that_does_not_fit_what_the_transaction_did() {
    let other = committed(0, 9, vec![append("x", 2)]);
    for steps in [
        vec![append("x", 1), read("x", &[])],
        vec![read("x", &[]), read("x", &[2])],
        vec![read("x", &[1]), append("x", 1)],
    ] {
        assert_eq!(kinds(&[other.clone(), committed(0, 9, steps)]), [AnomalyKind::Internal]);
    }
}

#[test]
fn a_value_of_a_failed_transaction() {
    let failed = T { outcome: Outcome::Failed { at: 1 }, ..committed(0, 1, vec![append("x", 1)]) };
    let history = [failed, committed(2, 3, vec![read("x", &[1])])];
    let Verdict::Anomalies(anomalies) = check(&history) else { panic!() };
    assert_eq!(anomalies[0].kind, AnomalyKind::AbortedRead);
    assert_eq!(anomalies[0].transactions, [1, 0]);
    assert_eq!(
        anomalies[0].sentence,
        "transaction 1 of client 7 read 1 from \"x\", but transaction 0 of client 7 failed"
    );
}

#[test]
fn a_value_from_nowhere_and_a_value_twice() {
    assert_eq!(kinds(&[committed(0, 1, vec![read("x", &[1])])]), [AnomalyKind::Unwritten]);
    let history = [committed(0, 1, vec![append("x", 1)]), committed(2, 3, vec![read("x", &[1, 1])])];
    assert_eq!(kinds(&history), [AnomalyKind::DuplicateElement]);
    let history = [committed(0, 1, vec![append("x", 1)]), committed(2, 3, vec![append("x", 1)])];
    assert_eq!(kinds(&history), [AnomalyKind::AppendedTwice]);
}

#[test]
fn two_orders_of_one_key() {
    let history = [
        committed(0, 9, vec![append("x", 1)]),
        committed(0, 9, vec![append("x", 2)]),
        committed(0, 9, vec![read("x", &[1, 2])]),
        committed(0, 9, vec![read("x", &[2])]),
    ];
    assert_eq!(kinds(&history), [AnomalyKind::IncompatibleOrders]);
}

#[test]
fn half_a_transaction() {
    let both = committed(0, 9, vec![append("x", 1), append("x", 2)]);
    let half = [both.clone(), committed(0, 9, vec![read("x", &[1])])];
    assert_eq!(kinds(&half), [AnomalyKind::IntermediateRead]);
    let other = committed(0, 9, vec![append("x", 3)]);
    for list in [[1, 3].as_slice(), &[2, 3], &[1, 3, 2]] {
        let history = [both.clone(), other.clone(), committed(0, 9, vec![read("x", list)])];
        assert_eq!(kinds(&history), [AnomalyKind::LostAppend], "{list:?}");
    }
}

#[test]
fn cycles_of_each_kind_of_edge() {
    use EdgeKind::{ReadWrite, RealTime, WriteRead, WriteWrite};
    // Write skew: each reads what the other has not yet written.
    let skew = [
        committed(0, 9, vec![read("x", &[]), append("y", 1)]),
        committed(0, 9, vec![read("y", &[]), append("x", 1)]),
    ];
    assert_eq!(edges(&skew), [(0, 1, ReadWrite), (1, 0, ReadWrite)]);
    // Each reads the other's.
    let circular = [
        committed(0, 9, vec![append("x", 1), read("y", &[1])]),
        committed(0, 9, vec![append("y", 1), read("x", &[1])]),
    ];
    assert_eq!(edges(&circular), [(0, 1, WriteRead), (1, 0, WriteRead)]);
    // Two keys, written in two orders.
    let crossed = [
        committed(0, 9, vec![append("x", 1), append("y", 1)]),
        committed(0, 9, vec![append("x", 2), append("y", 2)]),
        committed(10, 11, vec![read("x", &[1, 2]), read("y", &[2, 1])]),
    ];
    assert_eq!(edges(&crossed), [(0, 1, WriteWrite), (1, 0, WriteWrite)]);
    // A lost append: committed before, and not there. Nor does it matter how many commits lie between.
    let stale = [
        committed(0, 1, vec![append("x", 1)]),
        committed(1, 2, vec![append("y", 1)]),
        committed(3, 4, vec![append("y", 2)]),
        committed(5, 6, vec![read("x", &[])]),
    ];
    assert_eq!(edges(&stale), [(0, 3, RealTime), (3, 0, ReadWrite)]);
    let Verdict::Cycle(cycle) = check(&stale) else { panic!() };
    assert_eq!(
        [cycle[0].sentence.as_str(), cycle[1].sentence.as_str()],
        [
            "transaction 0 of client 7 was answered at 1, before transaction 3 of client 7 was called at 5",
            "transaction 3 of client 7 read \"x\" without what transaction 0 of client 7 appended"
        ]
    );
    // At equal times there is no order.
    let mut touching = stale;
    touching[0].outcome = answered(5);
    assert!(matches!(check(&touching), Verdict::Serializable(_)));
}

#[test]
fn an_unknown_transaction_that_was_seen_has_happened_with_all_it_read() {
    let unknown = |steps| T { outcome: Outcome::Unknown, ..committed(2, 2, steps) };
    let first = committed(0, 1, vec![append("x", 1)]);
    let stale = unknown(vec![read("x", &[]), append("y", 1)]);
    assert!(matches!(check(&[first.clone(), stale.clone()]), Verdict::Serializable(_)));
    let history = [first, stale, committed(5, 6, vec![read("y", &[1])])];
    assert_eq!(edges(&history).len(), 2);
}

/// Whether some order of the transactions that happened fits; those of unknown outcome may be left out.
fn brute(history: &[T], left: u32, lists: &BTreeMap<&'static str, Vec<u8>>) -> bool {
    let is_left = |index: usize| left >> index & 1 == 1;
    let open = || (0..history.len()).filter(|&index| is_left(index));
    let at = |index: usize| match history[index].outcome {
        Outcome::Answered { at, .. } => at,
        _ => u64::MAX,
    };
    if open().all(|index| at(index) == u64::MAX) {
        return true;
    }
    open().any(|index| {
        let failed = matches!(history[index].outcome, Outcome::Failed { .. });
        if failed || open().any(|other| at(other) < history[index].call) {
            return false;
        }
        let mut lists = lists.clone();
        let fits = history[index].steps.iter().all(|step| match step {
            Step::Append(key, value) => {
                lists.entry(key).or_default().push(*value);
                true
            }
            Step::Read(_, None) => true,
            Step::Read(key, Some(seen)) => lists.get(key).map_or(seen.is_empty(), |list| list == seen),
        });
        fits && brute(history, left & !(1 << index), &lists)
    })
}

/// A small history, simulated at points in the intervals, with an occasional old or wrong read.
fn random(random: &mut Random) -> Vec<T> {
    let count = 2 + random.below(4) as usize;
    let (times, wrong) = ([4, 12][random.below(2) as usize], [0, 30, 60][random.below(3) as usize]);
    let mut plan: Vec<(u64, usize, u64, u64)> = (0..count)
        .map(|index| {
            let (one, other) = (random.below(times), random.below(times));
            let (call, at) = (one.min(other), one.max(other));
            (call + random.below(at - call + 1), index, call, at)
        })
        .collect();
    plan.sort_unstable();
    let mut states: Vec<BTreeMap<&'static str, Vec<u8>>> = vec![BTreeMap::new()];
    let mut value = 0;
    let mut history = Vec::new();
    for (_, index, call, at) in plan {
        let past = if random.below(100) < wrong {
            random.below(states.len() as u64) as usize
        } else {
            states.len() - 1
        };
        let mut lists = states[past].clone();
        let mut latest = states[states.len() - 1].clone();
        let mut steps = Vec::new();
        for _ in 0..1 + random.below(3) {
            let key = ["x", "y"][random.below(2) as usize];
            if random.below(2) == 0 {
                value += 1;
                lists.entry(key).or_default().push(value);
                latest.entry(key).or_default().push(value);
                steps.push(append(key, value));
            } else {
                let mut list = lists.get(key).cloned().unwrap_or_default();
                if random.below(300) < wrong {
                    match random.below(3) {
                        0 => drop(list.pop()),
                        1 => list.reverse(),
                        _ => list.push(random.below(6) as u8),
                    }
                }
                steps.push(Step::Read(key, (random.below(12) > 0).then_some(list)));
            }
        }
        let outcome = match random.below(8) {
            0 => Outcome::Failed { at },
            1 => Outcome::Unknown,
            _ => answered(at),
        };
        if !matches!(outcome, Outcome::Failed { .. }) || random.below(100) < wrong {
            states.push(latest);
        }
        history.push((index, T { client: index as u32, call, outcome, steps }));
    }
    history.sort_by_key(|(index, _)| *index);
    history.into_iter().map(|(_, transaction)| transaction).collect()
}

#[test]
fn random_histories_are_judged_as_by_all_serial_orders() {
    let mut counts = [0; 3];
    for seed in 0..200_000 {
        let history = random(&mut Random::new(seed));
        let expected = brute(&history, (1 << history.len()) - 1, &BTreeMap::new());
        let verdict = check(&history);
        assert_eq!(matches!(verdict, Verdict::Serializable(_)), expected, "{verdict:?} of {history:?}");
        match verdict {
            Verdict::Serializable(order) => {
                counts[0] += 1;
                let mut places = vec![None; history.len()];
                order.iter().enumerate().for_each(|(place, &index)| places[index as usize] = Some(place));
                let serial: Vec<T> = order
                    .iter()
                    .enumerate()
                    .map(|(place, &index)| T {
                        call: 2 * place as u64,
                        outcome: answered(2 * place as u64 + 1),
                        ..history[index as usize].clone()
                    })
                    .collect();
                assert!(
                    brute(&serial, (1 << serial.len()) - 1, &BTreeMap::new()),
                    "{order:?} of {history:?}"
                );
            }
            Verdict::Anomalies(_) => counts[1] += 1,
            Verdict::Cycle(edges) => {
                counts[2] += 1;
                for (edge, next) in edges.iter().zip(edges.iter().cycle().skip(1)) {
                    assert_eq!(edge.to, next.from, "{edges:?} of {history:?}");
                }
            }
        }
    }
    assert!(counts.iter().all(|&count| count > 5_000), "{counts:?}");
}

/// The time to find a cycle does not grow with the square of the history.
#[test]
fn a_stale_read_at_the_end_of_many_transactions() {
    let mut history: Vec<Transaction<u32, u32>> = Vec::new();
    let mut serial = |steps| {
        let call = 2 * history.len() as u64;
        history.push(Transaction { client: 7, call, outcome: answered(call + 1), steps });
    };
    let count = 300_000;
    for value in 0..count {
        serial(vec![Step::Append(value, value), Step::Read(value, Some(vec![value]))]);
    }
    serial(vec![Step::Read(count - 1, Some(vec![]))]);
    let Verdict::Cycle(edges) = check(&history) else { panic!() };
    assert_eq!(edges.len(), 2);
}

#[test]
fn a_value_that_repeats_is_reported_once() {
    let read = committed(2, 3, vec![read("x", &[1; 20_000])]);
    assert_eq!(kinds(&[committed(0, 1, vec![append("x", 1)]), read]), [AnomalyKind::DuplicateElement]);
}
