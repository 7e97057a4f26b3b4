//! A mutant, and how it is written into the source.

use std::fmt;
use std::ops::{Range, RangeInclusive};

use serde::{Deserialize, Serialize};

/// What a mutant changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A function returns at once, with a default.
    Body,
    /// A statement is left out.
    Statement,
    /// A condition is always true, or never.
    Condition,
    /// `&&` becomes `||` or the other way round, or one of its operands is ignored.
    Boolean,
    /// The boundary of a comparison moves, or the comparison is turned around.
    Comparison,
    /// Another arithmetic operator.
    Arithmetic,
    /// A `!` is left out.
    Not,
    /// A guard of a match is always true, or never.
    Guard,
    /// An arm of a match is left out, so that its values fall to the catch-all arm.
    Arm,
    /// An integer is one more, a `true` is `false`.
    Constant,
    /// `min` is `max`.
    MinMax,
}

impl Kind {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Body => "body",
            Kind::Statement => "statement",
            Kind::Condition => "condition",
            Kind::Boolean => "boolean",
            Kind::Comparison => "comparison",
            Kind::Arithmetic => "arithmetic",
            Kind::Not => "not",
            Kind::Guard => "guard",
            Kind::Arm => "arm",
            Kind::Constant => "constant",
            Kind::MinMax => "min-max",
        }
    }
}

/// What a mutant is, without its place in the text. Together the fields identify it even after lines have moved, so a
/// list of mutants stays valid until the code that they change is itself changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Name {
    /// The file, from the root of the package, with `/` between folders.
    pub file: String,
    /// The function, with the type or trait it belongs to.
    pub function: String,
    /// What changes, such as "`a < b` to `<=`".
    pub change: String,
    /// Among the changes in this function with the same text: which one it is, from 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub nth: usize,
}

fn one() -> usize {
    1
}

fn is_one(nth: &usize) -> bool {
    *nth == 1
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name { file, function, change, nth } = self;
        write!(f, "{file}, {function}: {change}")?;
        if *nth > 1 { write!(f, " (no. {nth})") } else { Ok(()) }
    }
}

/// A mutant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutant {
    /// Its number, from 1, in the order of the source.
    pub number: u32,
    /// What it is.
    #[serde(flatten)]
    pub name: Name,
    /// The line where it begins, from 1.
    pub line: usize,
    /// What it changes.
    pub kind: Kind,
}

/// A change of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Writes something before and after a range.
    Wrap {
        /// The range, in bytes.
        range: Range<usize>,
        /// What stands before it.
        before: String,
        /// What stands after it.
        after: String,
    },
    /// Writes something.
    Insert {
        /// Where, in bytes.
        at: usize,
        /// What.
        text: String,
    },
    /// Writes something in place of a range.
    Replace {
        /// The range, in bytes.
        range: Range<usize>,
        /// What stands there now.
        text: String,
    },
}

/// A mutant and the edits that put it into its file.
#[derive(Clone, Debug)]
pub struct Site {
    /// The mutant.
    pub mutant: Mutant,
    /// The edits.
    pub edits: Vec<Edit>,
    /// The lines of its function.
    pub function_lines: RangeInclusive<usize>,
}
