//! Readers for histories that others recorded. They accept what they know and nothing else.

pub mod jepsen;
pub mod porcupine;

use std::collections::HashMap;

use crate::history::{History, Operation, Outcome};

/// A line that could not be read. Lines and columns count from 1, columns in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// What was expected there.
    pub expected: String,
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}: expected {}", self.line, self.column, self.expected)
    }
}

impl std::error::Error for ReadError {}

/// The rest of a line, read from left to right.
struct Cursor<'a> {
    line: usize,
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(line: usize, text: &'a str) -> Self {
        Cursor { line, text, at: 0 }
    }

    fn error(&self, expected: impl Into<String>) -> ReadError {
        ReadError { line: self.line, column: self.at + 1, expected: expected.into() }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes past `token` if it is next.
    fn accept(&mut self, token: &str) -> bool {
        let next = self.rest().starts_with(token);
        if next {
            self.at += token.len();
        }
        next
    }

    fn expect(&mut self, token: &str) -> Result<(), ReadError> {
        if self.accept(token) { Ok(()) } else { Err(self.error(format!("`{}`", token.escape_debug()))) }
    }

    /// Goes past spaces and tabs, of which there must be some.
    fn blanks(&mut self) -> Result<(), ReadError> {
        let blanks = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        if blanks == 0 {
            return Err(self.error("a blank"));
        }
        self.at += blanks;
        Ok(())
    }

    fn number(&mut self) -> Result<u32, ReadError> {
        let digits = self.rest().len() - self.rest().trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number = self.rest()[..digits].parse().map_err(|_| self.error("a number below 4294967296"))?;
        self.at += digits;
        Ok(number)
    }

    fn end(&self) -> Result<(), ReadError> {
        if self.rest().is_empty() { Ok(()) } else { Err(self.error("the end of the line")) }
    }
}

/// Pairs calls with what became of them. The time of an event is its place in the file: of all that a log
/// tells, only its order is certain.
struct Pairing<I, O> {
    operations: Vec<Operation<I, O>>,
    open: HashMap<u32, usize>,
    now: u64,
}

impl<I, O> Pairing<I, O> {
    fn new() -> Self {
        Pairing { operations: Vec::new(), open: HashMap::new(), now: 0 }
    }

    fn call(&mut self, cursor: &Cursor<'_>, client: u32, input: I) -> Result<(), ReadError> {
        self.now += 1;
        if self.open.insert(client, self.operations.len()).is_some() {
            return Err(cursor.error(format!("the end of what process {client} is doing, not another call")));
        }
        self.operations.push(Operation { client, input, call: self.now, outcome: Outcome::Unknown });
        Ok(())
    }

    /// Ends what a client was doing; the outcome is made of its input and the time.
    fn end(
        &mut self,
        cursor: &Cursor<'_>,
        client: u32,
        outcome: impl FnOnce(&I, u64) -> Result<Outcome<O>, ReadError>,
    ) -> Result<(), ReadError> {
        self.now += 1;
        let open = self.open.remove(&client);
        let open = open.ok_or_else(|| cursor.error(format!("a call of process {client} before this")))?;
        let operation = &mut self.operations[open];
        operation.outcome = outcome(&operation.input, self.now)?;
        Ok(())
    }

    /// What is still open at the end of the file stays unknown.
    fn history(self) -> History<I, O> {
        self.operations.into_iter().collect()
    }
}
