//! Values of a scenario that is built in code ([`crate::ScenarioBuilder`]): fixed, or left open for the seed.

use std::ops::RangeInclusive;
use std::time::Duration;

use keyed::Ratio;

use crate::choice::Who;
use crate::units::Unit;
use crate::words::print_who;
use crate::write::quote;
use crate::{Condition, Target, words};

/// A value, or how the seed chooses one. These are the same forms as in a file.
///
/// A plain value and an inclusive range convert into one, so a method that takes `impl Into<Open<Duration>>`
/// accepts `Duration::from_secs(5)` as well as `Duration::from_secs(1)..=Duration::from_secs(5)`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Open<T> {
    /// This value.
    Value(T),
    /// Uniform within the range, both ends included.
    Between(RangeInclusive<T>),
    /// Within the range, each doubling equally likely.
    LogBetween(RangeInclusive<T>),
    /// One of these, with equal probability.
    OneOf(Vec<Open<T>>),
}

impl<T> Open<T> {
    /// Within the range, each doubling equally likely.
    pub fn log(range: RangeInclusive<T>) -> Open<T> {
        Open::LogBetween(range)
    }

    /// One of these, with equal probability; a value listed twice is twice as likely.
    pub fn one_of<I: Into<Open<T>>>(choices: impl IntoIterator<Item = I>) -> Open<T> {
        Open::OneOf(choices.into_iter().map(Into::into).collect())
    }
}

impl<T> From<T> for Open<T> {
    fn from(value: T) -> Open<T> {
        Open::Value(value)
    }
}

impl<T> From<RangeInclusive<T>> for Open<T> {
    fn from(range: RangeInclusive<T>) -> Open<T> {
        Open::Between(range)
    }
}

impl From<Target> for Open<Who> {
    fn from(target: Target) -> Open<Who> {
        Open::Value(Who::Target(target))
    }
}

impl From<Target> for Who {
    fn from(target: Target) -> Who {
        Who::Target(target)
    }
}

/// A type of values that can be written into a scenario file.
pub trait Written {
    /// The value as text, without quotes.
    fn text(&self) -> String;
    /// Whether TOML writes it without quotes.
    const BARE: bool = false;
}

impl Written for u32 {
    fn text(&self) -> String {
        self.to_string()
    }
    const BARE: bool = true;
}

impl Written for u64 {
    fn text(&self) -> String {
        self.to_string()
    }
    const BARE: bool = true;
}

impl Written for Duration {
    fn text(&self) -> String {
        // A duration that does not fit is far beyond what a field may hold. The reader reports the allowed range.
        Unit::Time.print(i128::try_from(self.as_nanos()).unwrap_or(i128::MAX))
    }
}

impl Written for Ratio {
    fn text(&self) -> String {
        Unit::Share.print(self.parts().into())
    }
}

impl Written for Who {
    fn text(&self) -> String {
        print_who(self)
    }
}

impl Written for Condition {
    fn text(&self) -> String {
        words::print_condition(self)
    }
}

/// The value in TOML.
pub fn toml<T: Written>(open: &Open<T>) -> String {
    let range = |range: &RangeInclusive<T>| format!("{}..{}", range.start().text(), range.end().text());
    match open {
        Open::Value(value) if T::BARE => value.text(),
        Open::Value(value) => quote(&value.text()),
        Open::Between(within) => quote(&range(within)),
        Open::LogBetween(within) => quote(&format!("log {}", range(within))),
        Open::OneOf(choices) => {
            let choices: Vec<String> = choices.iter().map(toml).collect();
            format!("{{ any = [{}] }}", choices.join(", "))
        }
    }
}
