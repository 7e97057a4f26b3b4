//! The fields of scenario and plan files. There are tables of all fields in `sections`, `kinds` and a node's
//! [`Part`](crate::Part). Everything that deals with fields goes through these tables: reading a file, deciding by
//! draws what it leaves open, writing a plan, and generating the documentation and the schema.
//!
//! A [`Key`] is a field's name, the form of its value and its meaning. A [`Field`] also knows in which field of
//! a Rust struct the value is stored.

use keyed::Ratio;
use trace::MemberId;

use crate::choice::{Choice, Context, Dice, Value, Who};
use crate::units::Unit;
use crate::words::BadWords;
use crate::{Condition, FlawAt, Spread, Target};

/// A field's name, form and meaning.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// The form of its value.
    pub form: Form,
    /// Its meaning.
    pub about: &'static str,
}

/// The form of a field's value.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// An amount within bounds. `zero` is how 0 is written if it has a meaning of its own, such as "unlimited".
    #[allow(missing_docs, reason = "the line above says what they are")]
    Number { unit: Unit, low: i128, high: i128, zero: Option<&'static str> },
    /// One of these words.
    Word(&'static [&'static str]),
    /// A kind of messages between members, by its name.
    Message,
    /// A point of a member's code, by its name.
    Point,
    /// True or false.
    Switch,
    /// Any text.
    Text,
    /// A distribution of amounts up to `high`.
    #[allow(missing_docs, reason = "the line above says what they are")]
    Spread { unit: Unit, high: i128 },
    /// A target.
    Who,
    /// A list of member numbers.
    Members,
    /// A condition that comes true during a run.
    Condition,
    /// A list of operations. What an operation may be is not known here.
    Operations {
        /// What is wrong with a line, if anything is.
        check: fn(&str) -> Result<(), BadWords>,
        /// A regular expression for a line, for the schema.
        pattern: &'static str,
    },
    /// A list of flaws.
    Flaws,
}

/// The names that the simulated nodes give their kinds of messages and the points of their code. A plan has numbers
/// instead: a number is the index of its name here. The name is empty if no file can name that number.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Kinds of messages.
    pub messages: &'static [&'static str],
    /// Points of the code.
    pub points: &'static [&'static str],
    /// The point of a fault that names none.
    pub usual_point: u16,
}

impl Form {
    /// A list of operations of this type.
    pub const fn operations<O: Line>() -> Form {
        fn check<O: Line>(line: &str) -> Result<(), BadWords> {
            O::parse(line).map(|_| ())
        }
        Form::Operations { check: check::<O>, pattern: O::PATTERN }
    }

    /// Whether its values are points of a member's code.
    pub(crate) fn is_point(self) -> bool {
        matches!(self, Form::Point)
    }
}

impl Names {
    /// No names.
    pub const NONE: Names = Names { messages: &[], points: &[], usual_point: 0 };

    /// The words for the values of this form, each with its number; none if its values are not words.
    pub fn words(self, form: Form) -> impl Iterator<Item = (usize, &'static str)> + Clone {
        let words = match form {
            Form::Word(words) => words,
            Form::Message => self.messages,
            Form::Point => self.points,
            _ => &[],
        };
        words.iter().copied().enumerate().filter(|(_, word)| !word.is_empty())
    }

    /// The meaning of a field, for the documentation.
    pub fn about(self, key: &Key) -> String {
        match (key.form, self.points.get(usize::from(self.usual_point))) {
            (Form::Point, Some(usual)) => format!("{} Left out: {usual}.", key.about),
            _ => key.about.to_string(),
        }
    }
}

/// A field of a struct of the plan.
pub struct Field<T: 'static> {
    /// Its name, form and meaning.
    pub key: Key,
    /// Reads its value from the struct; `None` if it is left out. Only settings use the key, to find their row.
    pub get: fn(&T, &Key) -> Option<Value>,
    /// Stores its value in the struct.
    pub set: fn(&mut T, &Key, Value),
}

impl<T> Field<T> {
    /// Its value in `it`; `None` if it is left out.
    pub fn get(&self, it: &T) -> Option<Value> {
        (self.get)(it, &self.key)
    }

    /// Stores its value in `it`.
    pub fn set(&self, it: &mut T, value: Value) {
        (self.set)(it, &self.key, value);
    }
}

/// A number in this unit, from `low` to `high`.
pub const fn number(unit: Unit, low: i128, high: i128) -> Form {
    Form::Number { unit, low, high, zero: None }
}

/// A plain number from `low` to `high`.
pub const fn count(low: i128, high: i128) -> Form {
    number(Unit::Count, low, high)
}

/// A duration from `low` to `high` nanoseconds.
pub const fn time(low: i128, high: i128) -> Form {
    number(Unit::Time, low, high)
}

/// A share of a whole.
pub const SHARE: Form = number(Unit::Share, 0, 1_000_000);

/// A millisecond, in nanoseconds.
pub const MS: i128 = 1_000_000;
/// A second, in nanoseconds.
pub const SECOND: i128 = 1_000 * MS;
/// An hour, in nanoseconds.
pub const HOUR: i128 = 3_600 * SECOND;

/// A table of fields. A row is `"name" form => field.of.the.struct, "Meaning.";`.
#[macro_export]
macro_rules! fields {
    ($($name:literal $form:expr => $($place:ident).+, $about:literal;)+) => {
        [$($crate::field::Field {
            key: $crate::field::Key { name: $name, form: $form, about: $about },
            get: |it, _| $crate::field::FieldType::value(&it.$($place).+),
            set: |it, _, value| it.$($place).+ = $crate::field::FieldType::of(value),
        },)+]
    };
}
pub use fields;

/// The keys of a table of fields.
pub fn keys<T>(fields: &'static [Field<T>]) -> impl Iterator<Item = &'static Key> + Clone {
    fields.iter().map(|field| &field.key)
}

/// A field that a file sets.
#[derive(Clone, Debug)]
pub struct Set {
    /// The field's name.
    pub name: &'static str,
    /// Its value, or how the seed chooses it.
    pub choice: Choice,
    /// The position of the value in the file.
    pub span: std::ops::Range<usize>,
}

/// The fields of one section that a file sets.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Fields that the file sets to a valid value.
    pub sets: Vec<Set>,
    /// Fields that the file sets to an invalid value. The mistake has been reported.
    pub unread: Vec<&'static str>,
}

impl Section {
    /// The field of this name, if the file sets it to a valid value.
    pub fn find(&self, name: &str) -> Option<&Set> {
        self.sets.iter().find(|set| set.name == name)
    }

    /// Whether a field is present, valid or not.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some() || self.is_unread(name)
    }

    /// Whether the file sets the field to an invalid value.
    pub fn is_unread(&self, name: &str) -> bool {
        self.unread.contains(&name)
    }

    /// The choice for a field, if the file sets it to a valid value.
    pub fn choice(&self, name: &str) -> Option<&Choice> {
        self.find(name).map(|set| &set.choice)
    }

    /// The smallest and the largest value of a field. `usual` is its default. `if_unread` takes the place of an
    /// invalid value; it is a number that causes no further mistakes.
    pub fn bounds(&self, name: &str, usual: u64, if_unread: i128) -> (i128, i128) {
        if self.is_unread(name) {
            return (if_unread, if_unread);
        }
        self.choice(name).map_or((usual.into(), usual.into()), Choice::bounds)
    }

    /// Adds the fields that `others` sets and this section does not.
    pub fn or(mut self, others: &Section) -> Section {
        let missing: Vec<_> =
            others.sets.iter().filter(|other| self.find(other.name).is_none()).cloned().collect();
        self.sets.extend(missing);
        self
    }

    /// Decides every field that is set, and stores it in the struct `it`.
    pub fn draw<T>(&self, fields: &[Field<T>], dice: Dice, context: &Context, it: &mut T) {
        // In the order of the table, not of the file, because a few fields depend on earlier ones.
        for field in fields {
            if let Some(choice) = self.choice(field.key.name) {
                field.set(it, choice.draw(dice.field(field.key.name), context));
            }
        }
    }
}

/// A Rust type of a field of the plan, and how to convert it to and from a [`Value`].
pub trait FieldType: Sized {
    /// The value; `None` if the field is left out.
    fn value(&self) -> Option<Value>;
    /// The Rust value.
    fn of(value: Value) -> Self;
}

/// Panics because a field's value is not of its type.
fn unfit(value: Value) -> ! {
    panic!("{value:?} does not fit the form of the field: the field's table and its struct disagree")
}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl FieldType for $number {
            fn value(&self) -> Option<Value> {
                Some(Value::Number((*self).into()))
            }

            fn of(value: Value) -> Self {
                match value {
                    Value::Number(number) => number.try_into().unwrap_or(<$number>::MAX),
                    other => unfit(other),
                }
            }
        }
    )+};
}

numbers!(u16, u32, u64, i64);

impl FieldType for bool {
    fn value(&self) -> Option<Value> {
        Some(Value::Number((*self).into()))
    }

    fn of(value: Value) -> Self {
        value != Value::Number(0)
    }
}

impl FieldType for Ratio {
    fn value(&self) -> Option<Value> {
        Some(Value::Number(self.parts().into()))
    }

    fn of(value: Value) -> Self {
        Ratio::per_million(u32::of(value))
    }
}

macro_rules! values {
    ($($kind:ty = $variant:ident),+ $(,)?) => {$(
        impl FieldType for $kind {
            fn value(&self) -> Option<Value> {
                Some(Value::$variant(self.clone()))
            }

            fn of(value: Value) -> Self {
                match value {
                    Value::$variant(inner) => inner,
                    other => unfit(other),
                }
            }
        }
    )+};
}

values!(
    String = Text,
    Spread = Spread,
    Vec<MemberId> = Members,
    Condition = Condition,
    Vec<FlawAt> = Flaws,
);

impl FieldType for Target {
    fn value(&self) -> Option<Value> {
        Some(Value::Who(Who::Target(self.clone())))
    }

    fn of(value: Value) -> Self {
        match value {
            Value::Who(Who::Target(target)) => target,
            other => unfit(other),
        }
    }
}

impl<T: FieldType> FieldType for Option<T> {
    fn value(&self) -> Option<Value> {
        self.as_ref().and_then(T::value)
    }

    fn of(value: Value) -> Self {
        Some(T::of(value))
    }
}

/// A value that a file has as one line of a list: an operation of a client, with its time.
pub trait Line: Sized + 'static {
    /// A regular expression that lines match, for the schema.
    const PATTERN: &'static str = "";
    /// The line, which [`Line::parse`] reads back.
    fn print(&self) -> String;
    /// Reads a line.
    fn parse(line: &str) -> Result<Self, BadWords>;
}

/// Lines become operations when their field is set. Each was checked when the file was read.
impl<O: Line> FieldType for Vec<O> {
    fn value(&self) -> Option<Value> {
        Some(Value::Lines(self.iter().map(O::print).collect()))
    }

    fn of(value: Value) -> Self {
        let parse = |line: &String| O::parse(line).unwrap_or_else(|bad| panic!("{line:?}: {}", bad.message));
        match value {
            Value::Lines(lines) => lines.iter().map(parse).collect(),
            other => unfit(other),
        }
    }
}

/// An enum of the plan that a scenario writes as a word.
pub trait Words: Copy + PartialEq + 'static {
    /// The words, in the order of the values.
    const NAMES: &'static [&'static str];
    /// The values.
    const ALL: &'static [Self];
}

impl<T: Words> FieldType for T {
    fn value(&self) -> Option<Value> {
        let at = T::ALL.iter().position(|one| one == self)?;
        Some(Value::Number(at as i128))
    }

    fn of(value: Value) -> Self {
        match value {
            Value::Number(at) => T::ALL[at as usize],
            other => unfit(other),
        }
    }
}

/// An enum that a scenario writes as a word: `Enum: "word" = Enum::Variant, …`.
#[macro_export]
macro_rules! words {
    ($kind:ty: $($name:literal = $value:expr),+ $(,)?) => {
        impl $crate::field::Words for $kind {
            const NAMES: &'static [&'static str] = &[$($name),+];
            const ALL: &'static [Self] = &[$($value),+];
        }
    };
}
pub use words;
