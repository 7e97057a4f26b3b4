//! What the member keeps, in numbers: for a test bench that looks whether it keeps more than is alive.
//!
//! Each part counts what it keeps itself (`kept`), and says nothing of what ought to be there: that is the business of who
//! asks. A count that is new here needs a bound there (`verify/src/leaks/counts.rs`).

/// How many of something there are, with its name.
pub(crate) type Count = (&'static str, u64);

/// A count.
pub(crate) fn count(name: &'static str, number: usize) -> Count {
    (name, number as u64)
}

/// Counts what waits for clients, and what the member wants itself, for `nobody`.
pub(crate) fn by_asker(
    names: (&'static str, &'static str),
    nobody: u64,
    operations: impl Iterator<Item = u64>,
) -> [Count; 2] {
    let (own, asked): (Vec<u64>, Vec<u64>) = operations.partition(|operation| *operation == nobody);
    [count(names.0, asked.len()), count(names.1, own.len())]
}
