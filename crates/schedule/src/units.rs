//! Amounts with units, as a scenario writes them: `150ms`, `64KiB`, `0.5%`, `20/s`.
//!
//! Every amount is a whole number of the unit's smallest part: a nanosecond, a byte, a millionth, an operation
//! per hour. An amount that would have to be rounded is refused. So there is no floating point, and a file
//! means the same on every machine.

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A count.
    Count,
    /// Nanoseconds.
    Time,
    /// Bytes.
    Size,
    /// Bytes per second.
    Bandwidth,
    /// Millionths of a whole.
    Share,
    /// Operations per hour.
    Rate,
}

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAmount {
    /// What is wrong with it.
    pub message: String,
    /// How to fix it.
    pub help: String,
}

/// A suffix, how many of the smallest unit it is worth, and whether amounts with decimals are printed with it: `1.25s`
/// is, but `1.25m` is not.
struct Suffix(&'static str, i128, bool);

// The suffixes of each unit, the largest first.
const TIME: &[Suffix] = &[
    Suffix("h", 3_600_000_000_000, false),
    Suffix("m", 60_000_000_000, false),
    Suffix("s", 1_000_000_000, true),
    Suffix("ms", 1_000_000, true),
    Suffix("us", 1_000, true),
    Suffix("ns", 1, false),
];
const SIZE: &[Suffix] = &[
    Suffix("GiB", 1 << 30, false),
    Suffix("GB", 1_000_000_000, false),
    Suffix("MiB", 1 << 20, false),
    Suffix("MB", 1_000_000, false),
    Suffix("KiB", 1 << 10, false),
    Suffix("KB", 1_000, false),
    Suffix("B", 1, false),
];
const BANDWIDTH: &[Suffix] = &[
    Suffix("GiB/s", 1 << 30, false),
    Suffix("GB/s", 1_000_000_000, false),
    Suffix("MiB/s", 1 << 20, false),
    Suffix("MB/s", 1_000_000, false),
    Suffix("KiB/s", 1 << 10, false),
    Suffix("KB/s", 1_000, false),
    Suffix("B/s", 1, false),
];
const SHARE: &[Suffix] = &[Suffix("%", 10_000, true), Suffix("ppm", 1, false)];
const RATE: &[Suffix] = &[Suffix("/s", 3_600, false), Suffix("/m", 60, false), Suffix("/h", 1, false)];
const COUNT: &[Suffix] = &[Suffix("", 1, false)];

impl Unit {
    /// The suffixes of this unit.
    fn suffixes(self) -> &'static [Suffix] {
        match self {
            Unit::Count => COUNT,
            Unit::Time => TIME,
            Unit::Size => SIZE,
            Unit::Bandwidth => BANDWIDTH,
            Unit::Share => SHARE,
            Unit::Rate => RATE,
        }
    }

    /// The name of an amount of this unit, with an example.
    pub fn describe(self) -> &'static str {
        match self {
            Unit::Count => "a whole number such as `5`",
            Unit::Time => "a duration such as `\"150ms\"`",
            Unit::Size => "a size such as `\"64KiB\"`",
            Unit::Bandwidth => "a bandwidth such as `\"1MiB/s\"`",
            Unit::Share => "a share such as `\"0.5%\"` or `\"1/1000\"`",
            Unit::Rate => "a rate such as `\"20/s\"`",
        }
    }

    /// The name of the smallest part.
    fn part(self) -> &'static str {
        match self {
            Unit::Count => "one",
            Unit::Time => "a nanosecond",
            Unit::Size => "a byte",
            Unit::Bandwidth => "a byte a second",
            Unit::Share => "a millionth",
            Unit::Rate => "one an hour",
        }
    }

    /// Reads an amount. A bare `0` needs no unit.
    pub fn parse(self, text: &str) -> Result<i128, BadAmount> {
        let text = text.trim();
        if let (Unit::Share, Some((parts, whole))) = (self, text.split_once('/')) {
            return self.fraction(text, parts, whole);
        }
        let number_ends =
            text.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+')).unwrap_or(text.len());
        let (number, suffix) = (&text[..number_ends], text[number_ends..].trim_start());
        if !number.contains(|c: char| c.is_ascii_digit()) {
            return Err(self.bad(format!("{text:?} is not {}", self.describe())));
        }
        if suffix.is_empty() && self != Unit::Count {
            return if number.trim_start_matches(['-', '+']).chars().all(|c| c == '0') {
                Ok(0)
            } else {
                Err(self.bad(format!("{number} has no unit")))
            };
        }
        let suffix = suffix.replace('µ', "u");
        let Some(Suffix(_, worth, _)) = self.suffixes().iter().find(|known| known.0 == suffix) else {
            return Err(self.unknown_suffix(&suffix));
        };
        self.exact(text, number, *worth)
    }

    /// `number` times `worth`, if that is whole.
    fn exact(self, text: &str, number: &str, worth: i128) -> Result<i128, BadAmount> {
        let malformed = || self.bad(format!("{number:?} is not a number"));
        let (sign, digits) = match number.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(decimals) {
            return Err(malformed());
        }
        if whole.len() + decimals.len() > 24 {
            return Err(self.bad(format!("{number} has too many digits")));
        }
        let all: i128 = format!("{whole}{decimals}").parse().map_err(|_| malformed())?;
        let scale = 10_i128.pow(decimals.len() as u32);
        let parts = all * worth;
        if parts % scale != 0 {
            return Err(self.bad(format!("{text} is finer than {}", self.part())));
        }
        Ok(sign * parts / scale)
    }

    /// A share written as `1/1000`.
    fn fraction(self, text: &str, parts: &str, whole: &str) -> Result<i128, BadAmount> {
        let number = |text: &str| text.trim().parse::<u32>().ok().map(i128::from);
        match (number(parts), number(whole)) {
            (Some(_), Some(0)) => Err(self.bad(format!("{text:?} divides by nothing"))),
            (Some(parts), Some(whole)) if parts * 1_000_000 % whole == 0 => Ok(parts * 1_000_000 / whole),
            (Some(_), Some(_)) => Err(self.bad(format!("{text:?} is not a whole number of millionths"))),
            _ => Err(self.bad(format!("{text:?} is not {}", self.describe()))),
        }
    }

    /// The error for an amount that cannot be read, with the suffixes as advice.
    fn bad(self, message: String) -> BadAmount {
        let units: Vec<_> = self
            .suffixes()
            .iter()
            .rev()
            .map(|s| s.0)
            .filter(|s| !s.is_empty())
            .map(|s| format!("`{s}`"))
            .collect();
        let help = match units.as_slice() {
            [] => format!("write {}", self.describe()),
            units => format!("write {}; the units are {}", self.describe(), units.join(", ")),
        };
        BadAmount { message, help }
    }

    /// The error for a suffix that does not exist.
    fn unknown_suffix(self, suffix: &str) -> BadAmount {
        if self == Unit::Count {
            return self.bad(format!("{suffix:?} follows the number: this is a plain count, without a unit"));
        }
        let mut bad = self.bad(format!("`{suffix}` is not a unit of {}", self.noun()));
        let names = self.suffixes().iter().map(|known| known.0);
        if let Some(near) = crate::mistakes::nearest(suffix, names) {
            bad.help = format!("did you mean `{near}`? {}", bad.help);
        }
        bad
    }

    /// A regular expression for what [`Unit::parse`] reads, and for ranges of it; for the schema.
    pub fn pattern(self) -> String {
        let names: Vec<&str> =
            self.suffixes().iter().map(|suffix| suffix.0).filter(|name| !name.is_empty()).collect();
        let fraction = if self == Unit::Share { "|[0-9]+/[0-9]+" } else { "" };
        let amount = match names.as_slice() {
            [] => "-?[0-9]+".to_string(),
            names => format!("(-?[0-9]+(\\.[0-9]+)? ?({})?{fraction})", names.join("|")),
        };
        format!("^({amount}|(log )?{amount}\\.\\.{amount})$")
    }

    /// The unit in words.
    fn noun(self) -> &'static str {
        match self {
            Unit::Count => "count",
            Unit::Time => "time",
            Unit::Size => "size",
            Unit::Bandwidth => "bandwidth",
            Unit::Share => "share",
            Unit::Rate => "rate",
        }
    }

    /// Writes an amount so that [`Unit::parse`] reads it back: with the largest suitable suffix.
    pub fn print(self, value: i128) -> String {
        // Whether the amount may be written with decimals before this suffix.
        let splits = |suffix: &Suffix| suffix.2 && (value.abs() >= suffix.1 || self == Unit::Share);
        let suits = |suffix: &&Suffix| value != 0 && (value % suffix.1 == 0 || splits(suffix));
        // The suffix of 0.
        let base = match self {
            Unit::Time => "s",
            Unit::Share => "%",
            _ => self.suffixes().last().map_or("", |last| last.0),
        };
        let Some(Suffix(name, worth, _)) = self.suffixes().iter().find(suits) else {
            return format!("{value}{base}");
        };
        let (whole, rest) = ((value / worth).abs(), (value % worth).abs());
        let sign = if value < 0 { "-" } else { "" };
        if rest == 0 {
            return format!("{sign}{whole}{name}");
        }
        let width = worth.ilog10() as usize;
        let decimals = format!("{rest:0width$}");
        format!("{sign}{whole}.{}{name}", decimals.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (unit, text, parts) in [
            (Unit::Time, "150ms", 150_000_000),
            (Unit::Time, "1.000000001s", 1_000_000_001),
            (Unit::Time, "-2 s", -2_000_000_000),
            (Unit::Time, "3µs", 3_000),
            (Unit::Time, "2h", 7_200_000_000_000),
            (Unit::Time, "0", 0),
            (Unit::Size, "64KiB", 65_536),
            (Unit::Size, "64MB", 64_000_000),
            (Unit::Size, "1.5KiB", 1_536),
            (Unit::Bandwidth, "1MiB/s", 1_048_576),
            (Unit::Share, "0.5%", 5_000),
            (Unit::Share, "1/1000", 1_000),
            (Unit::Share, "7ppm", 7),
            (Unit::Rate, "0.5/s", 1_800),
            (Unit::Rate, "20/s", 72_000),
            (Unit::Count, "17", 17),
        ] {
            assert_eq!(unit.parse(text), Ok(parts), "{text}");
        }
    }

    #[test]
    fn bad_amounts_have_a_reason() {
        for (unit, text, message) in [
            (Unit::Time, "150", "150 has no unit"),
            (Unit::Time, "150mb", "`mb` is not a unit of time"),
            (Unit::Time, "fast", "\"fast\" is not a duration such as `\"150ms\"`"),
            (Unit::Time, "0.1ns", "0.1ns is finer than a nanosecond"),
            (Unit::Time, "1.2.3s", "\"1.2.3\" is not a number"),
            (Unit::Time, "99999999999999999999999999s", "99999999999999999999999999 has too many digits"),
            (Unit::Size, "1.5B", "1.5B is finer than a byte"),
            (Unit::Share, "1/3", "\"1/3\" is not a whole number of millionths"),
            (Unit::Share, "1/0", "\"1/0\" divides by nothing"),
            (Unit::Count, "3s", "\"s\" follows the number: this is a plain count, without a unit"),
        ] {
            assert_eq!(unit.parse(text).unwrap_err().message, message, "{text}");
        }
        let near = Unit::Time.parse("150msec").unwrap_err().help;
        assert!(near.starts_with("did you mean `ms`?"), "{near}");
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_read_back(value in -(1_i128 << 62)..1_i128 << 62, shift in 0_u32..62) {
            let value = value >> shift;
            for unit in [Unit::Count, Unit::Time, Unit::Size, Unit::Bandwidth, Unit::Share, Unit::Rate] {
                proptest::prop_assert_eq!(unit.parse(&unit.print(value)), Ok(value));
            }
        }
    }
}
