//! The record of a process: all inputs of its member, and what they led to.
//!
//! A record is JSON, a line for each thing: the start ([`Start`]), the files that it found ([`File`]), and then the
//! steps, in order ([`Step`]). Each line is of one of these kinds ([`Line`]). The next start continues in the same
//! file. A member that starts with the same files and gets the same inputs does the same. So a record has all inputs
//! with their whole content, but of the effects only the facts, as text, and a digest of the rest: replaying the record
//! through a member yields the effects themselves, and shows whether they are the same.
//!
//! | file | what it contains |
//! |---|---|
//! | `start` | what a process is given when it starts |
//! | `input` | inputs as lines, and back |
//! | `digest` | what stands for effects |
//!
//! A record has everything that clients send: values, tokens, passwords.

mod digest;
mod input;
mod start;

use bytes::Bytes;
use contract::Now;
use serde::{Deserialize, Serialize};

use crate::io::Effects;
pub use input::{Asked, Computed, Noted, Sent, Unreadable, Who};
pub use start::{Named, Start, StrangeSettings};

/// The name of the format, with its version.
pub const FORMAT: &str = "etcdsim-record-1";

/// One line of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// A process starts.
    Start(Box<Start>),
    /// A file that it found, or a part of one. All of them come before the first step.
    File(File),
    /// A step.
    Step(Box<Step>),
}

/// A file of the member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Its path in the member's directory.
    pub path: String,
    /// Its content.
    pub data: Blob,
}

/// A step: an input and its effects. The first step of a process is the start itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The monotonic clock, in nanoseconds.
    pub clock: u64,
    /// The wall clock, in nanoseconds since 1970.
    pub wall: i64,
    /// The input.
    #[serde(rename = "in")]
    pub input: Noted,
    /// The facts that the member reports, as text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// The digest of all effects, in hexadecimal.
    pub effects: String,
    /// How the process ends, if it ends with this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

impl Step {
    /// A step with its effects.
    pub fn of(now: Now, input: Noted, effects: &Effects) -> Step {
        Step {
            clock: now.clock,
            wall: now.wall,
            input,
            facts: effects.facts.iter().map(|fact| format!("{fact:?}")).collect(),
            effects: format!("{:016x}", digest::of(effects)),
            end: effects.end.as_ref().map(|end| format!("{end:?}")),
        }
    }

    /// The readings of the clocks.
    pub fn now(&self) -> Now {
        Now { clock: self.clock, wall: self.wall }
    }
}

/// Bytes, in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Blob(#[serde(with = "api::bytes_base64")] pub Bytes);

impl Line {
    /// The line with its end.
    pub fn write(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(&mut *out, self).expect("JSON can be written");
        out.push(b'\n');
    }

    /// Reads a line.
    ///
    /// It is not a line of a record.
    /// It is none.
    pub fn read(text: &str) -> Result<Line, serde_json::Error> {
        serde_json::from_str(text)
    }
}
