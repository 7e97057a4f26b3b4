//! Positions: small numbers that stand for the times of calls and returns and have the same order. 32 bits are
//! enough.
//!
//! The calls of a component have the positions 2, 4, 6, … in the order of time. A return has the odd position
//! after the last call that is not later. For example, calls at the times 10, 20, 30 have the positions 2, 4,
//! 6, and a return at 20 has the position 5. So operation `a` returned before operation `b` was called exactly
//! if `ret[a] < call[b]`, and an operation that returns at the very time of another's call does not precede it.
//! Returns between the same two calls share a position, because their order makes no difference.

/// The position of a return that never came.
pub(crate) const NEVER: u32 = u32::MAX;

/// The position of the state before the first event.
pub(crate) const START: u32 = 0;

/// The position of the call of the operation with this place in the order of calls.
#[inline]
pub(crate) fn call_position(place: usize) -> u32 {
    place as u32 * 2 + 2
}

/// The place in the order of calls of the operation whose call has this position.
pub(crate) fn place_of_call(position: u32) -> u32 {
    position / 2 - 1
}

/// The position of a return at the time `at`, of the operation with this place in the order of calls.
///
/// `call` gives the times of `length` calls, which ascend; the call at `place` is not after `at`. Mostly there
/// are few calls in between, so the search starts with single steps and then doubles them.
#[inline]
pub(crate) fn return_position(place: usize, at: u64, length: usize, call: impl Fn(usize) -> u64) -> u32 {
    let (mut low, mut step) = (place + 1, 1);
    while low + step <= length && call(low + step - 1) <= at {
        low += step;
        step *= 2;
    }
    let mut high = length.min(low + step - 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if call(middle) <= at {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low as u32 * 2 + 1
}

/// Packs a position and a row (the number of an operation in an engine's own list) into one number. These numbers sort
/// by position.
#[inline]
pub(crate) fn pack(position: u32, row: u32) -> u64 {
    u64::from(position) << 32 | u64::from(row)
}

/// The row in a packed number.
#[inline]
pub(crate) fn row(packed: u64) -> u32 {
    packed as u32
}

/// Sorts operations, or places of them, by a key. Those with equal keys stay in their order. The key is a `dyn`, so this is
/// compiled once, and not again for each model and each place that sorts.
pub(crate) fn sort_by_key(indexes: &mut [u32], key: &dyn Fn(u32) -> (u64, u32)) {
    indexes.sort_by_key(|&index| key(index));
}

/// How far elements may be from where they belong, on average, for an insertion sort to be fast enough.
const SHIFTS_MAX: usize = 64;

/// Sorts numbers that are nearly sorted already. For example, returns that are listed in the order of their calls:
/// none is farther from its place than there are operations in flight at a time.
pub(crate) fn sort_almost_sorted(words: &mut [u64]) {
    let mut shifts_left = words.len() * SHIFTS_MAX;
    for at in 1..words.len() {
        let word = words[at];
        let mut to = at;
        while to > 0 && words[to - 1] > word {
            words[to] = words[to - 1];
            to -= 1;
        }
        words[to] = word;
        if at - to > shifts_left {
            words.sort_unstable();
            return;
        }
        shifts_left -= at - to;
    }
}
