//! Parses the values of command-line arguments: ranges of seeds, durations, flaws, values of registers.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use ::plan::FlawAt;
use histories::{RegisterValue, Value};

use crate::flaws;

/// How many threads work: as many as asked for, or one a core.
pub(super) fn threads(asked: Option<NonZeroUsize>) -> usize {
    asked.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
}

/// A range of seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seeds(pub std::ops::Range<u64>);

/// Reads `100` (the first hundred), `40..60` or `40..=59`.
pub(super) fn seeds(text: &str) -> Result<Seeds, String> {
    let number = |text: &str| {
        let digits = text.trim().replace('_', "");
        digits
            .parse::<u64>()
            .map_err(|_| format!("{text:?} is not a number; write `100`, `40..60` or `40..=59`"))
    };
    let seeds = match text.split_once("..") {
        None => 0..number(text)?,
        Some((first, last)) => match last.strip_prefix('=') {
            Some(last) => number(first)?..number(last)?.saturating_add(1),
            None => number(first)?..number(last)?,
        },
    };
    if seeds.is_empty() {
        return Err(format!("{text} holds no seed; write the first seed before the last, as in `40..60`"));
    }
    Ok(Seeds(seeds))
}

/// Reads the value of a register: a whole number, `nil`, or a text, in quotes or not. A keyword such as `:empty` is a
/// text that begins with a colon.
pub(super) fn register(text: &str) -> Result<RegisterValue, String> {
    if matches!(text, "nil" | "null") {
        return Ok(RegisterValue(None));
    }
    let value = match text.parse() {
        Ok(number) => Value::Number(number),
        Err(_) => {
            let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            Value::Text(inside.unwrap_or(text).into())
        }
    };
    Ok(RegisterValue(Some(value)))
}

/// Reads `5m`, `90s`, `1h30m`, `500ms`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is not a duration; write `5m`, `90s`, `1h30m` or `500ms`");
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let unit = &rest[..rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len())];
        let millis = match unit.trim() {
            "h" => 3_600_000,
            "m" | "min" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return Err(bad()),
        };
        total += Duration::from_millis(number.checked_mul(millis).ok_or_else(bad)?);
        rest = &rest[unit.len()..];
    }
    if total.is_zero() { Err(bad()) } else { Ok(total) }
}

/// A moment of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A virtual time.
    At(Duration),
    /// The first violation.
    Violation,
}

/// Reads `violation` or a time: `12.5s`, `3.204118042`, `500ms`. A bare number is in seconds, as in a trace.
pub(super) fn moment(text: &str) -> Result<Moment, String> {
    if text == "violation" {
        return Ok(Moment::Violation);
    }
    let bad =
        || format!("{text:?} is no moment; write `violation`, or a time such as `12.5s` or `3.204118042`");
    if let Ok(time) = duration(text) {
        return Ok(Moment::At(time));
    }
    let (seconds, fraction) = text.strip_suffix('s').unwrap_or(text).split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || !digits(seconds) || !digits(fraction) || fraction.len() > 9 {
        return Err(bad());
    }
    let nanos = format!("{fraction:0<9}").parse().map_err(|_| bad())?;
    Ok(Moment::At(Duration::new(seconds.parse().map_err(|_| bad())?, nanos)))
}

/// Reads `ID` or `ID@MEMBER`.
pub(super) fn flaw(text: &str) -> Result<FlawAt, String> {
    flaws::parse(text).map_err(|error| match miette::Diagnostic::help(&error) {
        Some(help) => format!("{error}; {help}"),
        None => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_read() {
        assert_eq!(seeds("100"), Ok(Seeds(0..100)));
        assert_eq!(seeds("40..60"), Ok(Seeds(40..60)));
        assert_eq!(seeds("40..=59"), Ok(Seeds(40..60)));
        for bad in ["", "x", "60..40", "0", "4..x"] {
            assert!(seeds(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn moments_are_read() {
        let at = |seconds, nanos| Ok(Moment::At(Duration::new(seconds, nanos)));
        assert_eq!(moment("violation"), Ok(Moment::Violation));
        assert_eq!(moment("12.5s"), at(12, 500_000_000));
        assert_eq!(moment("3.204118042"), at(3, 204_118_042));
        assert_eq!((moment("500ms"), moment("7")), (at(0, 500_000_000), at(7, 0)));
        for bad in ["", ".", "later", "-1", "1.2.3", "1.0000000001", "99999999999999999999"] {
            assert!(moment(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn durations_are_read() {
        let read = |text| duration(text).map(|time| time.as_millis());
        assert_eq!(
            [read("5m"), read("90s"), read("1h30m"), read("500ms")].map(Result::unwrap),
            [300_000, 90_000, 5_400_000, 500]
        );
        for bad in ["", "5", "5 parsecs", "m", "0s", "-5s"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }
}
