//! From times to positions: small numbers that stand for the order of calls and returns, and for nothing else.
//!
//! The calls of a component have the even positions, a return the odd one behind the last call that was not
//! later. At equal times calls thus come before returns, which is what closed intervals mean: an operation
//! that returns at the very time at which another is called does not precede it. `a` precedes `b` exactly if
//! `ret[a] < call[b]`, no call has the position of a return, and 32 bits are enough. Returns between the same
//! two calls share a position: no operation could tell them apart.

/// The position of a return that never came.
pub(crate) const NEVER: u32 = u32::MAX;

/// The position of whatever was there before the first event.
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
/// `call` gives the time of each of `length` calls; they ascend, and that of `place` is not after `at`. Mostly
/// there are few calls in between, so they are looked at one by one first, then in larger and larger steps.
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

/// Packs a position and a row into a word that sorts by position.
#[inline]
pub(crate) fn pack(position: u32, row: u32) -> u64 {
    u64::from(position) << 32 | u64::from(row)
}

/// The row of a packed word.
#[inline]
pub(crate) fn row(packed: u64) -> u32 {
    packed as u32
}

/// How many places an element may be from where it belongs, on average, before another sort takes over.
const SHIFTS_MAX: usize = 64;

/// Sorts what is nearly in order already, as returns are in the order of calls: no element is farther from
/// its place than there are operations under way at a time.
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
