//! Compares the check with brute force, which tries all orders. The histories are small, and some contain lies: a
//! changed answer, time or piece of evidence.

pub mod lies;
pub mod store;

use self::lies::{Random, mutate, serializable, with_few_values};
use self::store::by_brute_force;
use revision::generate::{Shape, generate};
use revision::{Evidence, History, Verdict, check, validate};

/// How often each verdict was given.
#[derive(Debug, Default)]
struct Count {
    good: u32,
    bad: u32,
    undecided: u32,
    /// Those among the undecided that lack no evidence.
    ambiguous: u32,
}

fn histories() -> u32 {
    std::env::var("REVISION_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(60_000)
}

fn judge(seed: u64, history: &History, evidence: &Evidence, count: &mut Count) {
    let verdict = check(history, evidence);
    let details = || format!("seed {seed}: {verdict:?}\n{evidence:?}\n{history:#?}");
    match &verdict {
        Verdict::Linearizable(witness) => {
            count.good += 1;
            assert!(by_brute_force(history, evidence), "there is no order\n{}", details());
            validate::order(history, evidence, witness).unwrap_or_else(|why| panic!("{why}\n{}", details()));
        }
        Verdict::Violation(violation) => {
            count.bad += 1;
            assert!(!by_brute_force(history, evidence), "there is an order\n{}", details());
            validate::violation(history, evidence, violation)
                .unwrap_or_else(|why| panic!("{why}\n{}", details()));
        }
        Verdict::Undecided(undecided) => {
            count.undecided += 1;
            count.ambiguous += u32::from(undecided.ambiguous);
        }
    }
}

fn compare(wide: u32, few_values: bool) -> Count {
    let mut random = Random(7 + u64::from(wide));
    let mut count = Count::default();
    for seed in 0..u64::from(histories()) {
        let shape = Shape {
            clients: 1 + random.below(4) as u32,
            keys: 1 + random.below(if wide > 0 { 3 } else { 2 }) as u32,
            operations: 2 + random.below(6) as u32,
            unknown: if few_values { 500 } else { [0, 200, 400][random.below(3)] },
            wide,
            stale: random.below(4) == 0,
            seed,
        };
        let (mut history, mut evidence) = generate(&shape);
        if few_values {
            (history, evidence) = with_few_values(&history, &evidence);
        }
        let mut history = serializable(&history, &evidence, &mut random);
        for _ in 0..random.below(3) {
            if !history.operations().is_empty() {
                (history, evidence) = mutate(&history, &evidence, &mut random);
            }
        }
        judge(seed, &history, &evidence, &mut count);
    }
    println!("{wide} of a thousand wide, few values {few_values}: {count:?}");
    count
}

/// Checks that the histories were a good test: both verdicts are common, and few histories are undecided.
fn assert_good_test(count: &Count) {
    let Count { good, bad, undecided, ambiguous } = *count;
    assert!(good > histories() / 2 && bad > histories() / 8, "{count:?}");
    assert!(undecided < histories() / 25 && ambiguous < 10 + histories() / 10_000, "{count:?}");
}

#[test]
fn operations_on_one_key() {
    assert_good_test(&compare(0, false));
}

#[test]
fn operations_on_several_keys() {
    assert_good_test(&compare(600, false));
}

#[test]
fn the_same_effect_on_different_conditions() {
    for wide in [0, 400] {
        let Count { good, bad, undecided, ambiguous } = compare(wide, true);
        assert!(good > histories() / 2 && bad > histories() / 8 && undecided < histories() / 20);
        assert!(ambiguous < histories() / 100);
    }
}
