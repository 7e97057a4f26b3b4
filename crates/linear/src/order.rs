//! From times to positions: every call and every return of a component gets a number of its own.
//!
//! At equal times calls come before returns, which is what closed intervals mean: an operation that returns
//! at the very time at which another is called does not precede it. After this step `a` precedes `b` exactly
//! if `ret[a] < call[b]`, ties cannot occur, and 32 bits are enough.

/// The position of a return that never came.
pub(crate) const NEVER: u32 = u32::MAX;

/// The position of whatever was there before the first event.
pub(crate) const START: u32 = 0;

/// The positions of the calls (which must ascend) and of the returns, counted from 1.
///
/// `returns` holds times and whose they are; who is missing never returned.
pub(crate) fn positions(calls: &[u64], returns: Vec<(u64, u32)>) -> (Vec<u32>, Vec<u32>) {
    debug_assert!(calls.is_sorted());
    let known = sorted(returns);
    let mut call_position = vec![START; calls.len()];
    let mut return_position = vec![NEVER; calls.len()];
    let (mut call, mut ret) = (0, 0);
    // Which of the two comes next is anybody's guess, so the loop is written to do without a branch on it.
    while call < calls.len() && ret < known.len() {
        let (at, index) = known[ret];
        let call_first = calls[call] <= at;
        let position = (call + ret) as u32 + 1;
        call_position[call] = position;
        return_position[index as usize] = position;
        call += usize::from(call_first);
        ret += usize::from(!call_first);
    }
    for (call, position) in call_position.iter_mut().enumerate().skip(call) {
        *position = (call + ret) as u32 + 1;
    }
    for (ret, &(_, index)) in known.iter().enumerate().skip(ret) {
        return_position[index as usize] = (call + ret) as u32 + 1;
    }
    (call_position, return_position)
}

/// The items by key, and by their own number where keys are equal.
///
/// Keys and items are packed into one word if they fit, as times of one run do.
fn sorted(mut items: Vec<(u64, u32)>) -> Vec<(u64, u32)> {
    let (mut low, mut high, mut largest) = (u64::MAX, 0, 0);
    for &(key, item) in &items {
        (low, high, largest) = (low.min(key), high.max(key), largest.max(item));
    }
    let low = low.min(high);
    let item_bits = u32::BITS - largest.leading_zeros();
    if (u64::BITS - (high - low).leading_zeros()) + item_bits > u64::BITS {
        items.sort_unstable();
        return items;
    }
    let pack = |&(key, item): &(u64, u32)| (key - low) << item_bits | u64::from(item);
    let mut packed: Vec<u64> = items.iter().map(pack).collect();
    sort_almost_sorted(&mut packed);
    let mask = (1_u64 << item_bits) - 1;
    for (item, word) in items.iter_mut().zip(packed) {
        *item = (low + (word >> item_bits), (word & mask) as u32);
    }
    items
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
