//! Judges larger histories from `linear::generate`, whose verdicts are known, and tests what happens if a budget is
//! too small.

use crate::common::{history_of, judge};
use linear::generate::{INITIAL, KeyedInput, Shape, generate};
use linear::models::keyed::{self, Keyed};
use linear::models::register::{Input, Output, Register};
use linear::{Budget, History, Limit, Operation, Outcome, Verdict, check};

type Generated = History<KeyedInput, Output<u32>>;

fn model() -> Keyed<u32, Register<u32>> {
    Keyed::new(Register { initial: INITIAL })
}

#[test]
fn good_histories_are_linearizable_and_stale_reads_are_found() {
    for keys in [1, 10] {
        for clients in [5, 25, 100] {
            for unknown_per_mille in [0, 20, 50] {
                let good = Shape { operations: 3000, clients, keys, unknown_per_mille, ..Shape::default() };
                assert!(judge(&model(), &generate(&good)), "{good:?}");
                let bad = Shape { stale: true, ..good };
                let history = generate(&bad);
                let Verdict::NotLinearizable(violation) =
                    check(&model(), &history, &Budget::default()).verdict
                else {
                    panic!("{bad:?}")
                };
                let operations = violation.conflict.operations.len();
                assert!(operations <= 6 && violation.conflict.minimal, "{bad:?}: {violation:?}");
                assert!(!judge(&model(), &history));
            }
        }
    }
}

#[test]
fn few_values_are_judged_by_search() {
    for seed in 0..20 {
        let shape = Shape {
            operations: 1000,
            clients: 10,
            values: 4,
            unknown_per_mille: 20,
            seed,
            ..Shape::default()
        };
        assert!(judge(&model(), &generate(&shape)), "{shape:?}");
    }
}

/// A history that takes a search of many steps.
fn hard() -> Generated {
    generate(&Shape { operations: 4000, clients: 20, values: 3, unknown_per_mille: 30, ..Shape::default() })
}

#[test]
fn a_check_that_reaches_a_limit_says_so_and_nothing_else() {
    let budget = Budget { steps_max: 100, ..Budget::default() };
    let report = check(&model(), &hard(), &budget);
    let Verdict::Undecided(undecided) = &report.verdict else { panic!("{report:?}") };
    assert_eq!((undecided.limit, undecided.component), (Limit::Steps, 0));
    assert!(!undecided.deepest.is_empty() && undecided.answered > 3000);
    assert!(report.steps <= 100, "{}", report.steps);
    let sentences = report.to_string();
    assert!(
        sentences.starts_with("Undecided. The search of component 0 did not finish: it used up its steps.")
    );
    assert!(sentences.contains("A larger `steps_max` may decide it."), "{sentences}");

    let cancelled = std::sync::atomic::AtomicBool::new(true);
    let budget = Budget { cancel: Some(&cancelled), ..Budget::default() };
    let report = check(&model(), &hard(), &budget);
    assert!(matches!(&report.verdict, Verdict::Undecided(why) if why.limit == Limit::Cancelled));

    let budget = Budget { wall_max: Some(std::time::Duration::ZERO), ..Budget::default() };
    let report = check(&model(), &hard(), &budget);
    assert!(matches!(&report.verdict, Verdict::Undecided(why) if why.limit == Limit::Wall));
}

#[test]
fn a_small_memo_makes_the_search_go_segment_by_segment() {
    // Two clients are quiescent every few hundred operations.
    let mut again = 0;
    for seed in 0..20 {
        for stale in [false, true] {
            let shape = Shape { operations: 20_000, clients: 2, values: 3, stale, seed, ..Shape::default() };
            let history = generate(&shape);
            let whole = check(&model(), &history, &Budget::default());
            let small = check(&model(), &history, &Budget { bytes_max: 200 << 10, ..Budget::default() });
            again += u32::from(small.steps > whole.steps);
            let (whole, small) = (whole.verdict, small.verdict);
            assert_eq!(whole.is_linearizable(), small.is_linearizable(), "{shape:?}");
            assert_eq!(whole.is_violation(), small.is_violation(), "{shape:?}");
            if let Verdict::Linearizable(witness) = small {
                assert_eq!(linear::validate::linearization(&model(), &history, &witness), Ok(()));
            }
        }
    }
    assert!(again >= 20, "only {again} histories were searched again in segments");
}

#[test]
fn threads_change_nothing() {
    for stale in [false, true] {
        let shape = Shape {
            operations: 20_000,
            clients: 25,
            keys: 50,
            unknown_per_mille: 20,
            stale,
            ..Shape::default()
        };
        let history = generate(&shape);
        let one = check(&model(), &history, &Budget::default());
        let four = check(&model(), &history, &Budget { threads: 4, ..Budget::default() });
        assert_eq!(one.verdict, four.verdict);
    }
}

#[test]
fn an_empty_history_is_linearizable() {
    let report = check(&model(), &History::new(), &Budget::default());
    assert!(report.verdict.is_linearizable());
}

/// Values with words take another path through the engine than values without.
#[test]
fn words_and_values_are_judged_alike() {
    let mut bad = 0;
    for seed in 0..300 {
        let shape = Shape {
            operations: 60,
            clients: 4,
            keys: 3,
            unknown_per_mille: 100,
            values: if seed % 2 == 0 { 0 } else { 3 },
            stale: seed % 3 == 0,
            seed,
            ..Shape::default()
        };
        let numbers = generate(&shape);
        let texts = numbers.operations().iter().map(|operation| {
            let text = |value: &u32| format!("value {value}");
            let input = match &operation.input.input {
                Input::Read => Input::Read,
                Input::Write(new) => Input::Write(text(new)),
                Input::Cas(expected, new) => Input::Cas(text(expected), text(new)),
            };
            let outcome = match &operation.outcome {
                Outcome::Answered { output, at } => {
                    let output = match output {
                        Output::Value(seen) => Output::Value(text(seen)),
                        Output::Written => Output::Written,
                        Output::Set(set) => Output::Set(*set),
                    };
                    Outcome::Answered { output, at: *at }
                }
                Outcome::Failed { at } => Outcome::Failed { at: *at },
                Outcome::Unknown => Outcome::Unknown,
            };
            let input = keyed::Input { key: operation.input.key, input };
            Operation { client: operation.client, input, call: operation.call, outcome }
        });
        let texts = history_of(texts);
        let by_words = judge(&Keyed::new(Register { initial: INITIAL }), &numbers);
        let by_values = judge(&Keyed::new(Register { initial: format!("value {INITIAL}") }), &texts);
        assert_eq!(by_words, by_values, "{shape:?}");
        bad += usize::from(!by_words);
    }
    assert!(bad > 30, "only {bad} of 300 were wrong");
}
