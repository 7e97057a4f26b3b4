//! The contents of a row of the table.

use crate::Settings;

/// A millisecond. The unit of durations is the nanosecond.
pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MS;
pub(crate) const HOUR: u64 = 3_600 * SECOND;

/// One setting.
#[derive(Debug)]
pub struct Row {
    /// Its name in files, such as `heartbeat-interval`. If a scenario does not fix the value, it is drawn at random;
    /// this name is part of the key for that draw.
    pub name: &'static str,
    /// Its field in [`Settings`].
    pub field: &'static str,
    /// What it means, in one or two sentences.
    pub about: &'static str,
    /// Which values it can have.
    pub form: Form,
    /// Whether a scenario may set it. Otherwise every run uses its default.
    pub in_scenarios: bool,
    /// The source of etcd's default: a flag or a file; `None` if etcd has no such setting. The default itself
    /// is in [`Settings::etcd`].
    pub etcd: Option<&'static str>,
    pub(crate) get: fn(&Settings) -> u64,
    pub(crate) set: fn(&mut Settings, u64),
}

impl Row {
    /// The setting's value, as a number.
    pub fn get(&self, settings: &Settings) -> u64 {
        (self.get)(settings)
    }

    /// Sets the setting's value. A number too large for the type of the field becomes the largest number of
    /// that type.
    ///
    /// # Panics
    /// If the setting has named values and `value` is not the index of one.
    pub fn set(&self, settings: &mut Settings, value: u64) {
        (self.set)(settings, value);
    }
}

/// Which values a setting can have.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A number within a range.
    Number {
        /// The unit.
        unit: Unit,
        /// The minimum.
        low: u64,
        /// The maximum.
        high: u64,
        /// How 0 is written, if 0 means something other than an amount: "off", "unlimited".
        zero: Option<&'static str>,
    },
    /// True or false.
    Switch,
    /// One of several named values. These are the names.
    Word(&'static [&'static str]),
}

/// The unit of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A count.
    Count,
    /// Nanoseconds.
    Time,
    /// Bytes.
    Size,
}

pub(crate) const fn count(low: u64, high: u64) -> Form {
    Form::Number { unit: Unit::Count, low, high, zero: None }
}

pub(crate) const fn time(low: u64, high: u64) -> Form {
    Form::Number { unit: Unit::Time, low, high, zero: None }
}

pub(crate) const fn size(low: u64, high: u64) -> Form {
    Form::Number { unit: Unit::Size, low, high, zero: None }
}

impl Form {
    /// The same range, but 0 is allowed as well and is written as this word.
    pub(crate) const fn or_zero(self, word: &'static str) -> Form {
        match self {
            Form::Number { unit, high, .. } => Form::Number { unit, low: 0, high, zero: Some(word) },
            other => other,
        }
    }

    /// The smallest and the largest value.
    pub const fn bounds(self) -> (u64, u64) {
        match self {
            Form::Number { low, high, .. } => (low, high),
            Form::Switch => (0, 1),
            Form::Word(words) => (0, words.len() as u64 - 1),
        }
    }

    /// Whether a value lies within the bounds.
    pub const fn allows(self, value: u64) -> bool {
        let (low, high) = self.bounds();
        low <= value && value <= high
    }
}

/// A type that a field of [`Settings`] can have. Generic code sees a field's value as a number.
pub(crate) trait Value: Copy {
    fn to_number(self) -> u64;
    fn of_number(number: u64) -> Self;
}

impl Value for u64 {
    fn to_number(self) -> u64 {
        self
    }

    fn of_number(number: u64) -> u64 {
        number
    }
}

impl Value for u32 {
    fn to_number(self) -> u64 {
        self.into()
    }

    fn of_number(number: u64) -> u32 {
        number.try_into().unwrap_or(u32::MAX)
    }
}

impl Value for bool {
    fn to_number(self) -> u64 {
        self.into()
    }

    fn of_number(number: u64) -> bool {
        number != 0
    }
}

/// Defines the type of a setting with named values: an enum, with the name that files use for each variant.
macro_rules! words {
    (
        $(#[doc = $about:literal])+
        $kind:ident { $($(#[doc = $meaning:literal])+ $value:ident = $word:literal,)+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $kind {
            $($(#[doc = $meaning])+ $value,)+
        }

        impl $kind {
            /// The words, in the order of the values.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for this value.
            pub const fn word(self) -> &'static str {
                Self::WORDS[self as usize]
            }
        }

        impl Value for $kind {
            fn to_number(self) -> u64 {
                self as u64
            }

            fn of_number(number: u64) -> $kind {
                [$($kind::$value),+][number as usize]
            }
        }
    };
}
pub(crate) use words;
