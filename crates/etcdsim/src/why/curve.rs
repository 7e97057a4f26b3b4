//! The probability of a failure over time. At each instant the future is drawn again many times, and everything before
//! stays as it was. The instants are chosen by bisection where the probability rises.

use record::Nanos;
use serde::Serialize;

/// An instant, and how often the plan failed when everything from then on was drawn again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Instant {
    /// The time.
    pub at_ns: Nanos,
    /// How many of the futures failed.
    pub failed: usize,
}

/// An interval in which the probability rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rise {
    /// The interval's beginning.
    pub from: Instant,
    /// Its end.
    pub to: Instant,
}

impl Rise {
    /// How many more futures fail at its end than at its beginning.
    pub fn height(&self) -> usize {
        self.to.failed.saturating_sub(self.from.failed)
    }

    /// Its length.
    pub fn width(&self) -> Nanos {
        self.to.at_ns - self.from.at_ns
    }
}

/// The instants that are looked at before the bisection begins.
const FIRST: u64 = 6;

/// What decides which instants are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The first time after which nothing can change the failure any more.
    pub certain_ns: Nanos,
    /// How many futures each instant has.
    pub draws: usize,
    /// The most instants.
    pub instants: usize,
    /// How far the largest rise is narrowed.
    pub narrow_ns: Nanos,
}

/// A part of the curve that rises by at least one in this many futures is narrowed, even if it is not the largest.
const WORTH: usize = 4;

/// The curve, in the order of time. It begins just after the start, when the members have already made the draws of
/// their start. `failed` says how many futures fail if they are drawn from a given time on; once it returns `None`, the
/// curve stays as far as it has come.
pub fn curve(search: &Search, mut failed: impl FnMut(Nanos) -> Option<usize>) -> Vec<Instant> {
    let certain = Instant { at_ns: search.certain_ns, failed: search.draws };
    let mut curve = vec![certain];
    let part = |nth: u64| (u128::from(search.certain_ns) * u128::from(nth) / u128::from(FIRST)) as Nanos;
    let first = (0..FIRST).map(|nth| part(nth).max(1));
    let mut first = first.rev().collect::<Vec<_>>();
    first.dedup();
    while curve.len() <= search.instants {
        let Some(at_ns) = first.pop().or_else(|| middle(search, &curve)) else { break };
        let Some(failed) = failed(at_ns) else { break };
        let place = curve.partition_point(|instant| instant.at_ns < at_ns);
        if curve.get(place).is_some_and(|next| next.at_ns != at_ns) {
            curve.insert(place, Instant { at_ns, failed });
        }
    }
    curve
}

/// The next instant to look at: the middle of the largest rise that is wide enough, if one is worth it.
fn middle(search: &Search, curve: &[Instant]) -> Option<Nanos> {
    let largest = largest(curve)?;
    let wide = rises(curve).filter(|rise| rise.width() > search.narrow_ns);
    let next = wide.max_by_key(|rise| (rise.height(), rise.width()))?;
    let is_worth_it = next.height() * WORTH >= search.draws || next == largest && next.height() > 0;
    is_worth_it.then(|| next.from.at_ns + next.width() / 2)
}

/// The intervals between the instants.
fn rises(curve: &[Instant]) -> impl Iterator<Item = Rise> {
    curve.windows(2).map(|pair| Rise { from: pair[0], to: pair[1] })
}

/// The largest rise; of equal ones the narrowest.
pub fn largest(curve: &[Instant]) -> Option<Rise> {
    rises(curve).max_by_key(|rise| (rise.height(), std::cmp::Reverse(rise.width())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    fn search(instants: usize) -> Search {
        Search { certain_ns: 30 * SECOND, draws: 50, instants, narrow_ns: SECOND / 10 }
    }

    #[test]
    fn a_jump_is_narrowed() {
        let jump = 12_345_678_901;
        let curve = curve(&search(40), |at| Some(if at < jump { 3 } else { 48 }));
        let largest = largest(&curve).unwrap();
        assert!(largest.from.at_ns < jump && jump <= largest.to.at_ns, "{largest:?}");
        assert!(largest.width() <= SECOND / 10 && largest.height() == 45, "{largest:?}");
        assert!(curve.len() < 25 && curve.is_sorted_by_key(|instant| instant.at_ns), "{curve:?}");
    }

    #[test]
    fn two_steps_are_both_narrowed() {
        let steps = |at: Nanos| 2 + 25 * usize::from(at > 7 * SECOND) + 20 * usize::from(at > 21 * SECOND);
        let curve = curve(&search(40), |at| Some(steps(at)));
        let high: Vec<Rise> = rises(&curve).filter(|rise| rise.height() >= 20).collect();
        assert!(high.len() == 2 && high.iter().all(|rise| rise.width() <= SECOND / 10), "{high:?}");
    }

    #[test]
    fn what_fails_whatever_is_drawn_needs_few_instants() {
        let curve = curve(&search(40), |_| Some(50));
        assert_eq!(curve.len(), FIRST as usize + 1);
        assert_eq!(largest(&curve).unwrap().height(), 0);
    }

    #[test]
    fn a_bound_and_an_end_are_kept() {
        assert_eq!(curve(&search(9), |at| Some((at / SECOND) as usize)).len(), 10);
        let mut left = 3;
        let cut = curve(&search(40), |_| {
            left -= 1;
            (left >= 0).then_some(0)
        });
        assert_eq!(cut.len(), 4);
        let nothing = Search { certain_ns: 0, ..search(40) };
        assert_eq!(curve(&nothing, |_| Some(1)).first(), Some(&Instant { at_ns: 0, failed: 50 }));
    }
}
