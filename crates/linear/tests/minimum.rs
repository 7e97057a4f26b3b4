//! Finds out how small the conflicts of the recorded logs can be, and checks that the engine finds conflicts of that
//! size.
//!
//! A set of operations is a *conflict* if the history has no order when all other operations are forgotten. Take a set
//! that is no conflict, and add operations as long as it stays none. The operations that could not be added are a
//! *correction*: every conflict contains at least one of them. So a set that contains no operation of some correction
//! is no conflict. If no set of a given size contains an operation of every correction, then no conflict is that
//! small. If a set does, it is a conflict, or it leads to another correction. (This is the implicit hitting set
//! method. It ends because no correction comes twice.)

use crate::common::files::{self, REGISTER};
use linear::{Budget, History, Model, Outcome, Verdict, check, validate};

/// A history of one of the logs.
type Log = histories::jepsen_log::RegisterHistory;

/// Reads a log of `tests/data`.
fn read(file: &str) -> Log {
    files::log(&format!("jepsen-etcd/{file}"))
}

/// Whether the history has no order when all operations except these are forgotten. An operation that had no
/// effect is left out when it is forgotten.
fn is_conflict(history: &Log, kept: &[bool]) -> bool {
    let forgotten = history.operations().iter().zip(kept).filter_map(|(operation, &kept)| {
        let mut operation = operation.clone();
        match operation.output() {
            Some(output) if !kept && REGISTER.is_read(&operation.input, Some(output)) => return None,
            Some(_) if !kept => operation.outcome = Outcome::Unknown,
            _ => {}
        }
        Some(operation)
    });
    let budget = Budget { explain: false, ..Budget::default() };
    let history = History::from_operations(forgotten).expect("the times are those of the log");
    match check(&REGISTER, &history, &budget).verdict {
        Verdict::Linearizable(_) => false,
        Verdict::NotLinearizable(_) => true,
        Verdict::Undecided(undecided) => panic!("{undecided:?}"),
    }
}

/// The operations that cannot be added to a set that is no conflict, if the others are added first.
fn correction(history: &Log, mut kept: Vec<bool>) -> Vec<usize> {
    let mut correction = Vec::new();
    for index in 0..history.len() {
        if kept[index] || history.operation(index as u32).output().is_none() {
            continue;
        }
        kept[index] = true;
        if is_conflict(history, &kept) {
            kept[index] = false;
            correction.push(index);
        }
    }
    correction
}

/// Adds operations to `chosen` until it has one of every correction. Returns whether `size` operations suffice.
fn meets_all(corrections: &[Vec<usize>], chosen: &mut Vec<usize>, size: usize) -> bool {
    let unmet = corrections.iter().filter(|one| !one.iter().any(|index| chosen.contains(index)));
    let Some(least) = unmet.min_by_key(|one| one.len()) else { return true };
    if chosen.len() == size {
        return false;
    }
    least.iter().any(|&index| {
        chosen.push(index);
        let met = meets_all(corrections, chosen, size);
        if !met {
            chosen.pop();
        }
        met
    })
}

/// The least conflict of at most `size` operations, if there is one.
fn least_conflict(history: &Log, size: usize) -> Option<Vec<usize>> {
    let mut corrections: Vec<Vec<usize>> = Vec::new();
    for size in 1..=size {
        loop {
            let mut chosen = Vec::new();
            if !meets_all(&corrections, &mut chosen, size) {
                break;
            }
            let kept: Vec<bool> = (0..history.len()).map(|index| chosen.contains(&index)).collect();
            if is_conflict(history, &kept) {
                return Some(chosen);
            }
            corrections.push(correction(history, kept));
        }
    }
    None
}

#[test]
fn conflicts_are_as_small_as_can_be_on_demand() {
    let path = format!("{}/tests/data/jepsen-etcd/verdicts.tsv", env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut large = Vec::new();
    for file in table.lines().filter_map(|line| line.split('\t').next()) {
        let history = read(file);
        let budget = Budget::default();
        let Verdict::NotLinearizable(violation) = check(&REGISTER, &history, &budget).verdict else {
            continue;
        };
        let least = violation.least_conflict(&REGISTER, &history, &budget).operations;
        assert!(least.len() <= violation.conflict.operations.len());
        let kept: Vec<bool> = (0..history.len()).map(|index| least.contains(&(index as u32))).collect();
        assert!(is_conflict(&history, &kept), "{file}: {least:?}");
        // The validator gives up where many writers could matter.
        let right = validate::conflict(&REGISTER, &history, &least);
        assert!(matches!(right, Ok(()) | Err(validate::WrongVerdict::TooLarge)), "{file}: {right:?}");
        if least.len() > 6 {
            assert_eq!(least_conflict(&history, 6), None, "{file}");
            large.push((file.to_owned(), least.len()));
        }
    }
    // In these two logs no six operations are a conflict.
    assert_eq!(large, [("etcd_000.log".to_owned(), 7), ("etcd_032.log".to_owned(), 7)]);
}
