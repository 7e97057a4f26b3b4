//! Random decisions that are keyed: each is a hash of the seed and of what is decided. There is no stream of
//! random numbers (rule R2 of `ARCHITECTURE.md`).
//!
//! A decision is `hash(seed, domain, who, nth)`: its *domain* says what is decided (the loss of a packet), `who` says
//! for whom (a link), and `nth` counts (the number of the packet). So decisions do not depend on each other. If one
//! fault or operation is removed from a plan, every other decision stays as it was, and a failing plan can be made
//! smaller step by step.
//!
//! ```
//! use etcdsim_keyed::{Domain, Keyed, Ratio};
//!
//! const LOSS: Domain = Domain::new("loss");
//! let (link, packet) = (7, 12);
//! let draw = Keyed::new(1, LOSS).draw(link, packet);
//! assert_eq!(draw, Keyed::new(1, LOSS).draw(link, packet));
//! let lost = draw.happens(Ratio::percent(5));
//! let delay_ns = draw.then(1).within(1_000, 2_000);
//! assert!((1_000..=2_000).contains(&delay_ns));
//! # let _ = lost;
//! ```
//!
//! All arithmetic is on integers, so that every machine gives the same results. Probabilities are in parts of a
//! million.
//!
//! Architecture invariant: this crate knows nothing about plans, worlds or members, holds no state and reads
//! nothing from its environment.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What a decision is about. Each kind of decision has a constant of its own, so that no two kinds share draws.
///
/// The text must be unique in the workspace. It is hashed at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain(u64);

impl Domain {
    /// Names a domain. Call it in a `const`.
    pub const fn new(name: &str) -> Domain {
        Domain(xxhash_rust::const_xxh3::xxh3_64(name.as_bytes()))
    }
}

/// The domain in which salted seeds are drawn.
const SALTED: Domain = Domain::new("salted seed");

/// The seed to use instead of `seed` when all decisions are to be made anew. Each `key` gives another one.
pub fn salted(seed: u64, key: u64) -> u64 {
    Keyed::new(seed, SALTED).draw(key, 0).0
}

/// All decisions of one seed in one domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyed {
    seed: u64,
    domain: u64,
}

impl Keyed {
    /// The decisions of `seed` in `domain`.
    pub const fn new(seed: u64, domain: Domain) -> Keyed {
        Keyed { seed, domain: domain.0 }
    }

    /// Decision number `nth` for `who`. The same seed, domain, `who` and `nth` always give the same draw.
    #[inline]
    pub fn draw(self, who: u64, nth: u64) -> Draw {
        let mut bytes = [0_u8; 24];
        bytes[..8].copy_from_slice(&self.domain.to_le_bytes());
        bytes[8..16].copy_from_slice(&who.to_le_bytes());
        bytes[16..].copy_from_slice(&nth.to_le_bytes());
        Draw(xxh3_64_with_seed(&bytes, self.seed))
    }

    /// The decisions for `who` (a member, a link, a fault) as a source of their own, in which `who` can be chosen
    /// freely again.
    pub fn split(self, who: u64) -> Keyed {
        // No decision has this number, so the new seed is independent of all draws.
        Keyed { seed: self.draw(who, u64::MAX).0, domain: self.domain }
    }
}

/// The random bits of one decision, and ways to turn them into a value.
///
/// Reading one draw twice gives related values. If a decision needs several values (whether something happens,
/// where, for how long), take [`Draw::then`] for each further one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw(pub u64);

impl Draw {
    /// A further, independent draw for the same decision. `what` says which one.
    #[inline]
    pub fn then(self, what: u64) -> Draw {
        Draw(xxh3_64_with_seed(&what.to_le_bytes(), self.0))
    }

    /// A value in `0..bound`. `bound` must not be 0.
    #[inline]
    pub fn below(self, bound: u64) -> u64 {
        assert!(bound > 0, "a draw needs a bound above 0: an empty range reached a decision");
        ((u128::from(self.0) * u128::from(bound)) >> 64) as u64
    }

    /// A value in `low..=high`. `low` must not be above `high`.
    #[inline]
    pub fn within(self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "a draw needs a range, but {low}..={high} is the wrong way round");
        match (high - low).checked_add(1) {
            Some(width) => low + self.below(width),
            None => self.0,
        }
    }

    /// True in `ratio` of all draws.
    #[inline]
    pub fn happens(self, ratio: Ratio) -> bool {
        ratio.parts != 0 && self.below(u64::from(Ratio::WHOLE)) < u64::from(ratio.parts)
    }

    /// A value in `low..=high` whose logarithm is uniform: it is as likely between 1 and 2 as between 1,000 and
    /// 2,000.
    ///
    /// The logarithms have 16 fraction bits. `low` must be at least 1 and at most `high`.
    pub fn log_within(self, low: u64, high: u64) -> u64 {
        assert!(
            low >= 1 && low <= high,
            "a log-uniform draw needs 1 <= low <= high, but the range is {low}..={high}"
        );
        let (from, to) = (log2_fixed(low), log2_fixed(high));
        exp2_fixed(self.within(from, to)).clamp(low, high)
    }

    /// An exponentially distributed value with the given mean, at most 16 times the mean.
    #[inline]
    pub fn exponential(self, mean: u64) -> u64 {
        // -ln(u) = (64 - log2(u * 2^64)) * ln 2, in 32.32 fixed point.
        const LN_2: u128 = 2_977_044_472; // ln 2 * 2^32
        let minus_log2 = (64 << FRACTION) - log2_fixed(self.0.max(1)).min(64 << FRACTION);
        let value = (u128::from(mean) * u128::from(minus_log2) * LN_2) >> (FRACTION + 32);
        (value as u64).min(mean.saturating_mul(16))
    }

    /// One of `choices`, which must not be empty.
    #[inline]
    pub fn pick<T>(self, choices: &[T]) -> &T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// The index of one of `weights`, with a probability in proportion to its weight. The sum must not be 0.
    pub fn weighted(self, weights: &[u64]) -> usize {
        let total: u64 = weights.iter().sum();
        let mut left = self.below(total);
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        unreachable!("the weights add up to {total}, so a draw below that cannot leave {left}")
    }

    /// Puts `items` into random order.
    pub fn shuffle<T>(self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.then(last as u64).below(last as u64 + 1) as usize);
        }
    }
}

/// Fraction bits of the fixed-point logarithms below.
const FRACTION: u32 = 16;

/// log2(value) in fixed point; `value` must be at least 1.
#[inline]
fn log2_fixed(value: u64) -> u64 {
    let whole = 63 - value.leading_zeros();
    let mantissa = value << (63 - whole);
    let fraction = log2_by_table(mantissa).unwrap_or_else(|| log2_by_squares(mantissa, FRACTION));
    u64::from(whole) << FRACTION | fraction
}

/// The first bits of the fraction of log2(mantissa); `mantissa` is a number between 1 and 2 as 1.63 fixed point.
/// Squaring it yields the fraction bit by bit.
const fn log2_by_squares(mut mantissa: u64, bits: u32) -> u64 {
    let (mut fraction, mut at) = (0, 0);
    while at < bits {
        let square = (mantissa as u128 * mantissa as u128) >> 63;
        fraction <<= 1;
        if square >> 64 != 0 {
            fraction |= 1;
            mantissa = (square >> 1) as u64;
        } else {
            mantissa = square as u64;
        }
        at += 1;
    }
    fraction
}

/// The same for [`FRACTION`] bits and at a fifth of the cost; `None` if it is too close to the next value to be sure.
#[inline]
fn log2_by_table(mantissa: u64) -> Option<u64> {
    // 1 / ln 2, times 2^23.
    const LOG2_E: u64 = 12_102_203;
    const TABLE: [(u64, u64); 256] = table();
    // The mantissa is (1 + step / 256) * (1 + x), with x below 1 / 256. The table has the logarithm of the first
    // factor, and that of the second is x - x^2 / 2 + x^3 / 3, up to x^4 / 4 < 2^-34. All with 48 fraction bits.
    let (logarithm, inverse) = TABLE[(mantissa >> 55) as usize & 0xff];
    let x = (((mantissa >> 23) & 0xffff_ffff) * inverse) >> 24;
    let square = ((x >> 8) * (x >> 8)) >> 32;
    let cube = ((square >> 8) * (x >> 8)) >> 32;
    let sum = logarithm + (((x - square / 2 + cube / 3) * LOG2_E) >> 23);
    // All errors together are below 2^-32, and what is cut off here has 32 bits of the 48.
    const MARGIN: u64 = 1 << 20;
    let rest = sum & 0xffff_ffff;
    (MARGIN..(1 << 32) - MARGIN).contains(&rest).then_some(sum >> 32)
}

/// For each step from 0 to 255: log2(1 + step / 256) * 2^48, and 2^40 / (256 + step).
const fn table() -> [(u64, u64); 256] {
    let mut table = [(0, 0); 256];
    let mut step = 0;
    while step < 256 {
        let whole = 256 + step as u64;
        table[step] = (log2_by_squares(whole << 55, 48), (1 << 40) / whole);
        step += 1;
    }
    table
}

/// 2^value for a fixed-point `value`, rounded down.
fn exp2_fixed(value: u64) -> u64 {
    // 2^(2^-k) * 2^63 for k = 1..=16: the factor of each fraction bit, highest first.
    const ROOTS: [u64; FRACTION as usize] = roots();
    let mut mantissa = 1_u64 << 63;
    for (bit, root) in ROOTS.iter().enumerate() {
        if value >> (FRACTION as usize - 1 - bit) & 1 == 1 {
            mantissa = ((u128::from(mantissa) * u128::from(*root)) >> 63) as u64;
        }
    }
    let whole = (value >> FRACTION).min(63) as u32;
    mantissa >> (63 - whole)
}

/// The square root of 2, its square root, and so on, each times 2^63.
const fn roots() -> [u64; FRACTION as usize] {
    let mut roots = [0_u64; FRACTION as usize];
    let mut radicand = 2_u128 << 126;
    let mut at = 0;
    while at < roots.len() {
        let root = isqrt(radicand);
        roots[at] = root as u64;
        radicand = root << 63;
        at += 1;
    }
    roots
}

/// The square root, rounded down.
const fn isqrt(value: u128) -> u128 {
    let mut low = 0_u128;
    let mut high = 1_u128 << 64;
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if middle <= value / middle {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// A probability, in parts of a million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio {
    parts: u32,
}

impl Ratio {
    /// The parts that mean certainty.
    pub const WHOLE: u32 = 1_000_000;
    /// Never.
    pub const NEVER: Ratio = Ratio { parts: 0 };
    /// Always.
    pub const ALWAYS: Ratio = Ratio { parts: Ratio::WHOLE };

    /// `parts` of a million. More than a million counts as a million.
    pub const fn per_million(parts: u32) -> Ratio {
        Ratio { parts: if parts > Ratio::WHOLE { Ratio::WHOLE } else { parts } }
    }

    /// `parts` of a hundred.
    pub const fn percent(parts: u32) -> Ratio {
        Ratio::per_million(parts.saturating_mul(10_000))
    }

    /// The parts of a million.
    pub const fn parts(self) -> u32 {
        self.parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: Domain = Domain::new("test");

    #[test]
    fn draws_depend_on_every_part_of_the_key() {
        let keyed = Keyed::new(7, TEST);
        assert_eq!(keyed.draw(1, 2), keyed.draw(1, 2));
        assert_ne!(keyed.draw(1, 2), keyed.draw(1, 3));
        assert_ne!(keyed.draw(1, 2), keyed.draw(2, 2));
        assert_ne!(keyed.draw(1, 2), Keyed::new(8, TEST).draw(1, 2));
        assert_ne!(keyed.draw(1, 2), Keyed::new(7, Domain::new("other")).draw(1, 2));
    }

    #[test]
    fn a_salted_seed_depends_on_the_seed_and_the_key() {
        assert_eq!(salted(7, 1), salted(7, 1));
        assert_ne!(salted(7, 1), salted(7, 2));
        assert_ne!(salted(7, 1), salted(8, 1));
        assert_ne!(salted(7, 0), 7, "every key makes decisions anew");
    }

    #[test]
    fn a_draw_is_the_same_on_every_machine() {
        assert_eq!(
            Keyed::new(7, TEST).draw(1, 2).below(1_000_000),
            Keyed::new(7, TEST).draw(1, 2).below(1_000_000)
        );
        assert_eq!(log2_fixed(1 << 40), 40 << FRACTION);
        assert_eq!(exp2_fixed(40 << FRACTION), 1 << 40);
    }

    #[test]
    fn ranges_are_kept_and_filled() {
        let keyed = Keyed::new(1, TEST);
        let mut seen = [false; 5];
        for nth in 0..200 {
            seen[keyed.draw(0, nth).within(10, 14) as usize - 10] = true;
            let log = keyed.draw(1, nth).log_within(3, 3_000_000);
            assert!((3..=3_000_000).contains(&log));
        }
        assert!(seen.iter().all(|seen| *seen));
        assert_eq!(keyed.draw(0, 0).within(u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(keyed.draw(0, 0).within(0, u64::MAX), keyed.draw(0, 0).0);
    }

    #[test]
    fn logarithms_are_the_same_by_table_and_by_squares() {
        let by_squares = |value: u64| {
            let whole = u64::from(value.ilog2());
            whole << FRACTION | log2_by_squares(value << (63 - whole), FRACTION)
        };
        let keyed = Keyed::new(5, TEST);
        let drawn = (0..200_000).map(|nth| keyed.draw(0, nth).0 >> (nth % 64));
        // Where the fraction changes, and the steps of the table.
        let roots = (0..64).map(|exponent| exp2_fixed((40 << FRACTION) + exponent * 1_021));
        let steps = (0..256).map(|step| (256 + step) << 40);
        let edges = roots.chain(steps).flat_map(|edge| edge - 2..=edge + 2);
        for value in drawn.chain(edges).chain([1, 2, 3, u64::MAX]).filter(|value| *value > 0) {
            assert_eq!(log2_fixed(value), by_squares(value), "{value}");
        }
        let sure = (0..10_000).filter(|nth| log2_by_table(keyed.draw(1, *nth).0 | 1 << 63).is_some());
        assert!(sure.count() > 9_990);
    }

    #[test]
    fn log_uniform_gives_each_decade_its_share() {
        let keyed = Keyed::new(2, TEST);
        let mut decades = [0_u32; 6];
        for nth in 0..60_000 {
            decades[keyed.draw(0, nth).log_within(1, 999_999).ilog10() as usize] += 1;
        }
        assert!(decades.iter().all(|count| (9_000..11_000).contains(count)), "{decades:?}");
    }

    #[test]
    fn exponential_has_its_mean() {
        let keyed = Keyed::new(3, TEST);
        let sum: u64 = (0..100_000).map(|nth| keyed.draw(0, nth).exponential(1_000_000)).sum();
        assert!((980_000..1_020_000).contains(&(sum / 100_000)), "{}", sum / 100_000);
    }

    #[test]
    fn ratios_are_kept() {
        let keyed = Keyed::new(4, TEST);
        let hits = (0..100_000).filter(|nth| keyed.draw(0, *nth).happens(Ratio::percent(5))).count();
        assert!((4_700..5_300).contains(&hits), "{hits}");
        assert!(!keyed.draw(0, 0).happens(Ratio::NEVER));
        assert!(keyed.draw(0, 0).happens(Ratio::ALWAYS));
    }
}
