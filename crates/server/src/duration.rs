//! Times as Go writes them, such as `1h30m` or `100ms`.

use std::str::FromStr;
use std::time::Duration;

/// A time as Go writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoDuration(pub Duration);

impl GoDuration {
    /// In nanoseconds.
    pub fn nanos(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl FromStr for GoDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<GoDuration, String> {
        let wrong = || format!("{text:?} is not a duration; write it as 100ms, 5s, 10m or 1h30m");
        if text == "0" {
            return Ok(GoDuration(Duration::ZERO));
        }
        let (mut rest, mut nanos) = (text, 0_f64);
        while !rest.is_empty() {
            let digits =
                rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').ok_or_else(wrong)?;
            let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
            let after = &rest[digits..];
            let length = after.find(|letter: char| letter.is_ascii_digit()).unwrap_or(after.len());
            nanos += number
                * match &after[..length] {
                    "ns" => 1.0,
                    "us" | "µs" => 1e3,
                    "ms" => 1e6,
                    "s" => 1e9,
                    "m" => 60e9,
                    "h" => 3600e9,
                    _ => return Err(wrong()),
                };
            rest = &after[length..];
        }
        if text.is_empty() || nanos > u64::MAX as f64 / 2.0 {
            return Err(wrong());
        }
        Ok(GoDuration(Duration::from_nanos(nanos as u64)))
    }
}

/// How much history automatic compaction keeps: a number, or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Revisions, or hours.
    Number(u64),
    /// A time.
    Time(Duration),
}

impl FromStr for Retention {
    type Err = String;

    fn from_str(text: &str) -> Result<Retention, String> {
        match text.parse() {
            Ok(number) => Ok(Retention::Number(number)),
            Err(_) => text.parse().map(|GoDuration(time)| Retention::Time(time)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_go() {
        for (text, millis) in
            [("0", 0), ("100ms", 100), ("5s", 5_000), ("1h30m", 5_400_000), ("1.5s", 1_500), ("10m", 600_000)]
        {
            assert_eq!(text.parse(), Ok(GoDuration(Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "5", "s", "5 s", "1d", "-1s", "5ss"] {
            assert!(text.parse::<GoDuration>().is_err(), "{text}");
        }
        assert_eq!("5".parse(), Ok(Retention::Number(5)));
        assert_eq!("5m".parse(), Ok(Retention::Time(Duration::from_secs(300))));
    }
}
