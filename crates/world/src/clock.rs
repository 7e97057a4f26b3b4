//! The clocks of one process or client. *True time* is the simulator's own clock; a process reads its own two.
//!
//! The monotonic clock runs at a rate that faults can change, also to 0 (frozen). It never goes back. The wall
//! clock is the monotonic clock plus an offset, which faults change by a step, or periodically: by a strobe
//! (back and forth between two values) or a sine. All arithmetic is in integers.
//!
//! Not modelled: the time that a read of the clock takes, and a granularity coarser than a nanosecond.

use trace::Nanos;

/// A millisecond.
pub const MILLISECOND: Nanos = 1_000_000;
/// A second.
pub const SECOND: Nanos = 1_000_000_000;

/// The rate of true time, in parts per million.
pub const EXACT: u32 = 1_000_000;

/// The wall clock at the start of a run: 2022-01-01T00:00:00Z, in nanoseconds since 1970. Any date would do.
const EPOCH: i64 = 1_640_995_200_000_000_000;

/// A periodic change of a wall clock by up to `by` nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swing {
    /// Ahead by `by` in the first half of each period.
    Strobe { by: u64, period: Nanos },
    /// Ahead and behind by up to `by`, as a sine of this period.
    Sine { by: u64, period: Nanos },
}

/// The monotonic clock and the wall clock of one process or client.
#[derive(Clone, Debug)]
pub struct Clock {
    /// True time and monotonic reading at the last change of rate.
    anchor: (Nanos, Nanos),
    /// Parts per million of true time.
    rate: u32,
    /// The rate when no fault changes it.
    usual_rate: u32,
    /// How far faults have moved the wall clock, in nanoseconds.
    offset: i64,
    /// The periodic change that is on, and since when.
    swing: Option<(Nanos, Swing)>,
}

impl Clock {
    /// A clock that runs at this rate, in parts per million of true time, and starts at 0.
    pub fn new(rate: u32) -> Clock {
        Clock { anchor: (0, 0), rate, usual_rate: rate, offset: 0, swing: None }
    }

    /// The monotonic reading at a true time.
    #[inline]
    pub fn monotonic(&self, now: Nanos) -> Nanos {
        let passed = now - self.anchor.0;
        if self.rate == EXACT {
            return self.anchor.1 + passed;
        }
        self.anchor.1 + (u128::from(passed) * u128::from(self.rate) / u128::from(EXACT)) as u64
    }

    /// The first true time at which the monotonic reading is at least `reading`; `None` while the clock is
    /// frozen.
    #[inline]
    pub fn true_time_of(&self, reading: Nanos) -> Option<Nanos> {
        let Some(left) = reading.checked_sub(self.anchor.1) else { return Some(self.anchor.0) };
        if self.rate == EXACT {
            return Some(self.anchor.0.saturating_add(left));
        }
        if self.rate == 0 {
            return None;
        }
        let true_left = (u128::from(left) * u128::from(EXACT)).div_ceil(u128::from(self.rate));
        Some(self.anchor.0.saturating_add(u64::try_from(true_left).unwrap_or(u64::MAX)))
    }

    /// The wall clock at a true time, in nanoseconds since 1970.
    #[inline]
    pub(crate) fn wall_clock(&self, now: Nanos) -> i64 {
        let swing = match self.swing {
            None => 0,
            Some((since, Swing::Strobe { by, period })) => {
                let up = (now - since) % period.max(2) < period.max(2) / 2;
                i64::from(up) * by as i64
            }
            Some((since, Swing::Sine { by, period })) => {
                // Bhaskara's approximation of the sine, good to 0.2 %, in integers.
                let half = (period / 2).max(1);
                let phase = (now - since) % (2 * half);
                let x = i128::from(phase % half);
                let half = i128::from(half);
                let product = x * (half - x);
                let value = i128::from(by) * 16 * product / (5 * half * half - 4 * product).max(1);
                if phase < half as u64 { value as i64 } else { -(value as i64) }
            }
        };
        EPOCH + self.monotonic(now) as i64 + self.offset + swing
    }

    /// Both readings at a true time, as a step gets them.
    #[inline]
    pub(crate) fn read(&self, now: Nanos) -> contract::Now {
        contract::Now { clock: self.monotonic(now), wall: self.wall_clock(now) }
    }

    /// Changes the rate, in parts per million of true time.
    pub(crate) fn set_rate(&mut self, now: Nanos, rate: u32) {
        self.anchor = (now, self.monotonic(now));
        self.rate = rate;
    }

    /// Back to the rate it started with.
    pub(crate) fn reset_rate(&mut self, now: Nanos) {
        self.set_rate(now, self.usual_rate);
    }

    /// Moves the wall clock by this many nanoseconds.
    pub(crate) fn step(&mut self, by: i64) {
        self.offset = self.offset.saturating_add(by);
    }

    /// Begins a periodic change of the wall clock, or ends it.
    pub(crate) fn set_swing(&mut self, now: Nanos, swing: Option<Swing>) {
        self.swing = swing.map(|swing| (now, swing));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_and_true_times_agree_through_changes_of_rate() {
        let mut clock = Clock::new(EXACT);
        clock.set_rate(1_000, 1_250_000);
        clock.set_rate(9_000, 800_000);
        let changed = clock.monotonic(9_000);
        for reading in (changed + 1..changed + 20_000).step_by(7) {
            let at = clock.true_time_of(reading).unwrap();
            assert!(clock.monotonic(at) >= reading && clock.monotonic(at - 1) < reading, "{reading}");
        }
        clock.set_rate(40_000, 0);
        let frozen = clock.monotonic(40_000);
        assert_eq!((clock.monotonic(1_000_000), clock.true_time_of(frozen + 1)), (frozen, None));
    }

    #[test]
    fn the_wall_clock_swings_and_comes_back() {
        let mut clock = Clock::new(EXACT);
        clock.set_swing(0, Some(Swing::Sine { by: 1_000, period: 4_000 }));
        let off = |clock: &Clock, now: u64| clock.wall_clock(now) - EPOCH - now as i64;
        assert_eq!(off(&clock, 0), 0);
        assert!((990..=1_000).contains(&off(&clock, 1_000)));
        assert!((-1_000..=-990).contains(&off(&clock, 3_000)));
        clock.set_swing(5_000, Some(Swing::Strobe { by: 70, period: 100 }));
        assert_eq!((off(&clock, 5_010), off(&clock, 5_060)), (70, 0));
        clock.set_swing(6_000, None);
        clock.step(-30);
        assert_eq!(off(&clock, 6_000), -30);
    }
}
