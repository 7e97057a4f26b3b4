//! Tests how a history with operations on several keys is split into components.

use std::collections::BTreeSet;

use linear::generate::Random;
use linear::{Budget, History, Model, Operation, Outcome, Partition, Verdict, check, validate};

/// Adds one to each of some counters, and answers what they were before.
struct Counters;

impl Model for Counters {
    type Input = Vec<u8>;
    type Output = Vec<u8>;
    type State = [u8; 8];
    type Value = ();

    fn initial(&self) -> [u8; 8] {
        [0; 8]
    }

    fn step(&self, state: &[u8; 8], keys: &Vec<u8>, output: Option<&Vec<u8>>) -> Option<[u8; 8]> {
        let before = keys.iter().map(|&key| state[key as usize]);
        if output.is_some_and(|output| !before.eq(output.iter().copied())) {
            return None;
        }
        let mut after = *state;
        keys.iter().for_each(|&key| after[key as usize] += 1);
        Some(after)
    }

    fn partition(&self, history: &History<Vec<u8>, Vec<u8>>) -> Partition {
        Partition::by_keys(history, Vec::clone)
    }
}

/// Operations one after the other, all with the right answers.
fn history(inputs: &[&[u8]]) -> History<Vec<u8>, Vec<u8>> {
    let mut counters = [0; 8];
    let mut operation = |(index, keys): (usize, &&[u8])| {
        let output = keys.iter().map(|&key| counters[key as usize]).collect();
        keys.iter().for_each(|&key| counters[key as usize] += 1);
        let call = 2 * index as u64;
        let outcome = Outcome::Answered { output, at: call + 1 };
        Operation { client: 0, input: keys.to_vec(), call, outcome }
    };
    History::from_operations(inputs.iter().enumerate().map(&mut operation)).expect("no return before a call")
}

fn components(inputs: &[&[u8]]) -> Vec<Vec<u32>> {
    let Verdict::Linearizable(witness) = check(&Counters, &history(inputs), &Budget::default()).verdict
    else {
        panic!("{inputs:?}")
    };
    witness.components.into_iter().map(|component| component.order).collect()
}

#[test]
fn operations_that_share_a_key_through_others_are_together() {
    assert_eq!(components(&[]), Vec::<Vec<u32>>::new());
    assert_eq!(components(&[&[1], &[2], &[1]]), [vec![0, 2], vec![1]]);
    assert_eq!(components(&[&[1], &[2], &[1, 2]]), [[0, 1, 2]]);
    // A chain that is closed by its last link, and one that is not.
    assert_eq!(components(&[&[1, 2], &[3, 4], &[5, 6], &[4, 5], &[2, 3]]), [[0, 1, 2, 3, 4]]);
    assert_eq!(components(&[&[1, 2], &[3, 4], &[5, 6], &[4, 5], &[2]]), [vec![0, 4], vec![1, 2, 3]]);
}

#[test]
fn an_operation_without_keys_is_alone_and_a_key_named_twice_counts_once() {
    assert_eq!(components(&[&[], &[1], &[]]), [[0], [1], [2]]);
    let partition =
        Partition::by_keys(&history(&[&[3], &[4], &[3]]), |keys| [keys.clone(), keys.clone()].concat());
    assert_eq!(partition.len(), 2);
}

#[test]
fn components_are_numbered_by_their_first_operations() {
    let history = history(&[&[5], &[1], &[5, 7], &[7]]);
    assert_eq!(Partition::by_keys(&history, Vec::clone), Partition::by_key(&history, |keys| keys == &[1]));
}

#[test]
fn random_partitions_are_those_of_reachability() {
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        let inputs: Vec<Vec<u8>> = (0..1 + random.below(10))
            .map(|_| (0..random.below(3)).map(|_| random.below(8) as u8).collect::<BTreeSet<u8>>())
            .map(|keys| keys.into_iter().collect())
            .collect();
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let found = components(&inputs);
        for (index, keys) in inputs.iter().enumerate() {
            // Everything that can be reached from this operation.
            let mut keys: BTreeSet<u8> = keys.iter().copied().collect();
            let mut reached = BTreeSet::from([index as u32]);
            loop {
                let before = reached.len();
                for (other, theirs) in inputs.iter().enumerate() {
                    if theirs.iter().any(|key| keys.contains(key)) {
                        reached.insert(other as u32);
                        keys.extend(*theirs);
                    }
                }
                if reached.len() == before {
                    break;
                }
            }
            let ours: Vec<_> = found.iter().filter(|component| component.contains(&(index as u32))).collect();
            assert_eq!(ours.len(), 1, "{inputs:?}");
            assert_eq!(ours[0].iter().copied().collect::<BTreeSet<u32>>(), reached, "{inputs:?}");
        }
    }
}

#[test]
fn a_wrong_answer_is_found_in_its_component() {
    let good = history(&[&[1], &[2, 3], &[3, 4], &[1], &[4]]);
    let spoil = |(index, operation): (usize, &Operation<Vec<u8>, Vec<u8>>)| {
        let mut operation = operation.clone();
        if let (4, Outcome::Answered { output, .. }) = (index, &mut operation.outcome) {
            *output = vec![0];
        }
        operation
    };
    let bad =
        History::from_operations(good.operations().iter().enumerate().map(spoil)).expect("the same times");
    let Verdict::NotLinearizable(violation) = check(&Counters, &bad, &Budget::default()).verdict else {
        panic!()
    };
    assert_eq!((violation.component, violation.conflict.operations.as_slice()), (1, [2, 4].as_slice()));
    assert_eq!(validate::conflict(&Counters, &bad, &violation.conflict.operations), Ok(()));
}
