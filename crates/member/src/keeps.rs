//! Counts of what the member keeps, for a test bench that checks whether it keeps more than is still in use.
//!
//! Each part counts what it keeps itself (`kept`), but does not judge how much it should keep: that is up to the test
//! bench. Every new count here needs a bound there (`verify/src/leaks/counts.rs`).

/// How many of something there are, with its name.
pub(crate) type Count = (&'static str, u64);

/// A count.
pub(crate) fn count(name: &'static str, number: usize) -> Count {
    (name, number as u64)
}

/// Counts the operations that clients wait for, and the member's own, which have the number `nobody`.
pub(crate) fn by_asker(
    names: (&'static str, &'static str),
    nobody: u64,
    operations: impl Iterator<Item = u64>,
) -> [Count; 2] {
    let (own, asked): (Vec<u64>, Vec<u64>) = operations.partition(|operation| *operation == nobody);
    [count(names.0, asked.len()), count(names.1, own.len())]
}
