//! The switch of the mutants. `etcdsim-mutants` rewrites the sources of a crate so that they hold all its mutants; each
//! asks here whether it is on. At most one is.
//!
//! A program takes part in one of two ways:
//! * It calls [`serve()`], and the tool tells it which mutant to run with which job (a seed, say), as often as it likes.
//! * It does nothing special, as a test does; the tool sets the variable [`VARIABLE`] for the whole process.
//!
//! With no mutant on, the program behaves as if the sources had not been rewritten. A check costs one relaxed load and
//! a comparison.
//!
//! In a *record* no mutant is on, and each one that the program reaches is noted, with whether its value would have
//! differed. A mutant whose value would not have differed cannot make a difference in that run.

mod serve;

pub use serve::{Answer, Ending, PREFIX, serve};

use std::fs::File;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// The variable that says which mutant is on: its number, or `record FILE`, where what was reached is written into a
/// file, a line for each mutant as [`serve()`] writes it. Without the variable none is on.
pub const VARIABLE: &str = "ETCDSIM_MUTANT";

/// The greatest number of a mutant. The smallest is 1.
pub const MOST: u32 = (WORDS as u32) * 64 - 1;

/// How many words of 64 mutants there are.
const WORDS: usize = 1024;

/// No mutant is on.
const NONE: u32 = 0;
/// No mutant is on, and each notes that it was reached. It and `UNREAD` are the two greatest numbers, so that one
/// comparison recognises both.
const RECORD: u32 = u32::MAX - 1;
/// The variable was not read yet.
const UNREAD: u32 = u32::MAX;

/// The number of the mutant that is on, or one of the three values above.
static ACTIVE: AtomicU32 = AtomicU32::new(UNREAD);
/// Which mutants were reached since the last [`begin`], one bit each.
static REACHED: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];
/// Which of them would have had a different value.
static WOULD_DIFFER: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];
/// Where a record of a process is written.
static FILE: Mutex<Option<File>> = Mutex::new(None);

/// Whether a mutant is on. The code that asks would behave differently if it were.
#[inline(always)]
pub fn on(mutant: u32) -> bool {
    let active = ACTIVE.load(Relaxed);
    active == mutant || (active >= RECORD && not_chosen(mutant, true))
}

/// Whether a mutant is off.
#[inline(always)]
pub fn off(mutant: u32) -> bool {
    !on(mutant)
}

/// As [`on`], but the code that asks would behave differently only if `would_differ`.
#[inline(always)]
fn on_if(mutant: u32, would_differ: impl FnOnce() -> bool) -> bool {
    let active = ACTIVE.load(Relaxed);
    active == mutant || (active >= RECORD && not_chosen(mutant, would_differ()))
}

/// The value, or `true` if the mutant is on.
#[inline(always)]
pub fn yes(mutant: u32, value: bool) -> bool {
    on_if(mutant, || !value) || value
}

/// The value, or `false` if the mutant is on.
#[inline(always)]
pub fn no(mutant: u32, value: bool) -> bool {
    !on_if(mutant, || value) && value
}

/// The value, or its opposite if the mutant is on.
#[inline(always)]
pub fn not(mutant: u32, value: bool) -> bool {
    on(mutant) ^ value
}

/// `<`, or `<=` if the mutant is on.
#[inline(always)]
pub fn less<A: PartialOrd<B> + ?Sized, B: ?Sized>(mutant: u32, one: &A, other: &B) -> bool {
    if on_if(mutant, || (one < other) != (one <= other)) { one <= other } else { one < other }
}

/// `<=`, or `<` if the mutant is on.
#[inline(always)]
pub fn at_most<A: PartialOrd<B> + ?Sized, B: ?Sized>(mutant: u32, one: &A, other: &B) -> bool {
    if on_if(mutant, || (one < other) != (one <= other)) { one < other } else { one <= other }
}

/// `>`, or `>=` if the mutant is on.
#[inline(always)]
pub fn greater<A: PartialOrd<B> + ?Sized, B: ?Sized>(mutant: u32, one: &A, other: &B) -> bool {
    if on_if(mutant, || (one > other) != (one >= other)) { one >= other } else { one > other }
}

/// `>=`, or `>` if the mutant is on.
#[inline(always)]
pub fn at_least<A: PartialOrd<B> + ?Sized, B: ?Sized>(mutant: u32, one: &A, other: &B) -> bool {
    if on_if(mutant, || (one > other) != (one >= other)) { one > other } else { one >= other }
}

/// The answer of [`on`] if `ACTIVE` is not the number of a mutant.
#[cold]
#[inline(never)]
fn not_chosen(mutant: u32, would_differ: bool) -> bool {
    if ACTIVE.load(Relaxed) == UNREAD {
        read_variable();
        let active = ACTIVE.load(Relaxed);
        if active != RECORD {
            return active == mutant;
        }
    }
    note(mutant, would_differ);
    false
}

/// Notes that a mutant was reached.
fn note(mutant: u32, would_differ: bool) {
    let (word, bit) = (mutant as usize / 64 % WORDS, 1 << (mutant % 64));
    let mut new = REACHED[word].fetch_or(bit, Relaxed) & bit == 0;
    if would_differ {
        new |= WOULD_DIFFER[word].fetch_or(bit, Relaxed) & bit == 0;
    }
    if !new {
        return;
    }
    if let Ok(mut file) = FILE.lock()
        && let Some(file) = &mut *file
    {
        // A test may be killed at any time, so each line is written at once. If that fails, the mutant counts as not
        // reached.
        let _ = writeln!(file, "{}", mark(mutant, would_differ));
    }
}

/// A mutant that was reached, as text: its number, with a `+` if its value would have differed.
fn mark(mutant: u32, would_differ: bool) -> String {
    format!("{mutant}{}", if would_differ { "+" } else { "" })
}

/// Reads [`VARIABLE`]. A value that it cannot read counts as "none": the tool compares the program with and without a
/// mutant, and would see that nothing is ever reached.
fn read_variable() {
    let value = std::env::var(VARIABLE).unwrap_or_default();
    let active = match value.strip_prefix("record ") {
        Some(path) => {
            if let Ok(mut file) = FILE.lock() {
                *file = File::options().create(true).append(true).open(path).ok();
            }
            RECORD
        }
        None => value.parse().ok().filter(|number| *number <= MOST).unwrap_or(NONE),
    };
    ACTIVE.store(active, Relaxed);
}

/// Switches a mutant on, or none if it is 0.
pub fn choose(mutant: u32) {
    ACTIVE.store(if mutant <= MOST { mutant } else { NONE }, Relaxed);
}

/// Begins a record: forgets what was reached, and switches all mutants off.
pub fn begin() {
    for words in [&REACHED, &WOULD_DIFFER] {
        words.iter().for_each(|word| word.store(0, Relaxed));
    }
    ACTIVE.store(RECORD, Relaxed);
}

/// Ends a record: which mutants were reached, in order, and whether their values would have differed.
pub fn end() -> Vec<(u32, bool)> {
    ACTIVE.store(NONE, Relaxed);
    let bits = |words: &[AtomicU64; WORDS], number: u32| {
        words[number as usize / 64].load(Relaxed) >> (number % 64) & 1 == 1
    };
    let reached = (1..=MOST).filter(|number| bits(&REACHED, *number));
    reached.map(|number| (number, bits(&WOULD_DIFFER, number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, because there is one switch in a process.
    #[test]
    fn one_mutant_is_on_and_a_record_knows_who_would_have_differed() {
        choose(NONE);
        assert!(off(1) && !on(2) && yes(3, true) && !yes(3, false) && not(4, true));
        choose(3);
        assert!(on(3) && yes(3, false) && !no(3, true) && not(3, false) && off(4));
        assert!(less(3, &1, &1) && !at_most(3, &1, &1) && greater(3, &1, &1) && !at_least(3, &1, &1));
        assert!(!less(4, "a", "a") && at_most(4, "a", "a"));
        begin();
        assert!(yes(5, true) && !yes(6, false) && !less(7, &2, &1) && !less(8, &1, &1) && off(MOST));
        assert_eq!(end(), [(5, false), (6, true), (7, false), (8, true), (MOST, true)]);
        assert!(off(5) && end().len() == 5, "the end of a record switches all off and forgets nothing");
    }
}
