//! Converts times measured by members' clocks to true time. The rate of a clock is in parts per million.

use record::Nanos;

/// A second in nanoseconds.
const SECOND: u128 = 1_000_000_000;
/// The rate of a clock that shows true time.
const EXACT: u128 = 1_000_000;

/// How much true time passes while a clock of this rate measures `time`, in whole nanoseconds; at most `Nanos::MAX`.
pub(crate) fn true_time(time: Nanos, rate: u32) -> Nanos {
    by_rate(time.into(), rate)
}

/// The same for a lease's TTL in seconds; a negative TTL counts as 0.
pub(crate) fn of_lease(ttl: i64, rate: u32) -> Nanos {
    by_rate(ttl.max(0) as u128 * SECOND, rate)
}

fn by_rate(time: u128, rate: u32) -> Nanos {
    Nanos::try_from(time * EXACT / u128::from(rate.max(1))).unwrap_or(Nanos::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_clocks_take_longer() {
        assert_eq!(true_time(3, 1_000_000), 3);
        assert_eq!(true_time(10, 500_000), 20);
        assert_eq!(true_time(10, 2_000_000), 5);
        assert_eq!(of_lease(2, 800_000), 2_500_000_000);
        assert_eq!(of_lease(-1, 1_000_000), 0);
    }

    #[test]
    fn what_takes_too_long_takes_for_ever() {
        assert_eq!(true_time(Nanos::MAX, 1), Nanos::MAX);
        assert_eq!(
            true_time(86_400 * 1_000_000_000, 1_000_000),
            86_400 * 1_000_000_000,
            "a day is not too long"
        );
        assert_eq!(of_lease(i64::MAX, 1_000_000), Nanos::MAX);
    }
}
