//! Writes a file of the format `etcdsim-general-1`: line 1, then one line for each operation.

use std::io::{self, Write};

use linear::models::{bag, keyed, priority_queue, queue, stack};
use linear::{Operation, Outcome};

use super::forms::{self, Form};
use super::store::Store;
use super::{FORMAT, registers, sums};
use crate::recorded::{Operations, Recorded, RegisterValue, Value};

/// The error that a history's model does not have an operation, or that its answer is not one to this operation.
#[derive(Debug)]
pub(super) struct Unwritable;

/// Why a history could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The output failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The operation with this index is not one of the history's model, or its answer is not one to that
    /// operation: for example, a read that was answered as a write.
    #[error("operation {0} or its answer does not belong to the history's model, so it cannot be written")]
    NotOfModel(usize),
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> io::Error {
        match error {
            WriteError::Io(error) => error,
            error => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}

/// How many bytes are collected before they are written.
const CHUNK_BYTES: usize = 64 * 1024;

/// Writes a history so that reading it gives the same history.
///
/// # Errors
///
/// If `out` fails, or an operation or its answer does not belong to the history's model.
pub fn write(recorded: &Recorded, out: &mut impl Write) -> Result<(), WriteError> {
    let mut line = Line::default();
    line.start();
    line.text("format", FORMAT);
    match recorded {
        Recorded::Register { cas, initial, operations } => {
            line.text("model", if *cas { "cas-register" } else { "register" });
            line.held("initial", initial);
            all(&registers::Register { cas: *cas }, operations, line, out)
        }
        Recorded::Versioned { initial, operations } => {
            line.text("model", "versioned-register");
            line.held("initial", initial);
            all(&registers::Versioned, operations, line, out)
        }
        Recorded::Counter { initial, operations } => {
            line.text("model", "counter");
            line.number("initial", initial);
            all(&sums::Counter, operations, line, out)
        }
        Recorded::Bank(operations) => {
            line.text("model", "bank");
            all(&sums::Bank, operations, line, out)
        }
        Recorded::KeyValue(history) => {
            line.text("model", "key-value");
            line.end();
            for (index, Operation { client, input: keyed::Input { key, input }, call, outcome }) in
                history.operations().iter().enumerate()
            {
                line.operation(&Store, *client, Key::Text(key), input, *call, outcome)
                    .map_err(|Unwritable| WriteError::NotOfModel(index))?;
                line.flush_if(CHUNK_BYTES, out)?;
            }
            Ok(line.flush_if(0, out)?)
        }
        Recorded::Queue(operations) => {
            line.text("model", "queue");
            all(&queue::WORDS, operations, line, out)
        }
        Recorded::Stack(operations) => {
            line.text("model", "stack");
            all(&stack::WORDS, operations, line, out)
        }
        Recorded::PriorityQueue(operations) => {
            line.text("model", "priority-queue");
            all(&priority_queue::WORDS, operations, line, out)
        }
        Recorded::Bag(operations) => {
            line.text("model", "bag");
            all(&bag::WORDS, operations, line, out)
        }
        Recorded::Set(operations) => {
            line.text("model", "set");
            all(&forms::Set, operations, line, out)
        }
        Recorded::Lock(operations) => {
            line.text("model", "lock");
            all(&forms::Lock, operations, line, out)
        }
        Recorded::List(operations) => {
            line.text("model", "list");
            all(&forms::List, operations, line, out)
        }
    }
}

/// Writes the rest of line 1, and all operations.
fn all<F: Form>(
    form: &F,
    operations: &Operations<F::Input, F::Output>,
    mut line: Line,
    out: &mut impl Write,
) -> Result<(), WriteError> {
    line.flag("keyed", operations.is_keyed());
    line.end();
    match operations {
        Operations::Single(history) => {
            for (index, Operation { client, input, call, outcome }) in history.operations().iter().enumerate()
            {
                line.operation(form, *client, Key::None, input, *call, outcome)
                    .map_err(|Unwritable| WriteError::NotOfModel(index))?;
                line.flush_if(CHUNK_BYTES, out)?;
            }
        }
        Operations::Keyed(history) => {
            for (index, Operation { client, input: keyed::Input { key, input }, call, outcome }) in
                history.operations().iter().enumerate()
            {
                line.operation(form, *client, Key::Value(key), input, *call, outcome)
                    .map_err(|Unwritable| WriteError::NotOfModel(index))?;
                line.flush_if(CHUNK_BYTES, out)?;
            }
        }
    }
    Ok(line.flush_if(0, out)?)
}

/// The key of an operation, if it has one.
enum Key<'a> {
    None,
    Value(&'a Value),
    Text(&'a str),
}

/// Lines that are collected before they are written. Its methods append fields to the last line; the first argument
/// is the field's name.
#[derive(Debug, Default)]
pub(super) struct Line {
    bytes: Vec<u8>,
}

impl Line {
    /// Begins a line.
    fn start(&mut self) {
        self.bytes.push(b'{');
    }

    /// Ends a line.
    fn end(&mut self) {
        self.bytes.extend_from_slice(b"}\n");
    }

    /// Writes and forgets the lines if they have more than this many bytes.
    fn flush_if(&mut self, more_than: usize, out: &mut impl Write) -> io::Result<()> {
        if self.bytes.len() > more_than {
            out.write_all(&self.bytes)?;
            self.bytes.clear();
        }
        Ok(())
    }

    /// Appends the line of an operation.
    fn operation<F: Form>(
        &mut self,
        form: &F,
        client: u32,
        key: Key<'_>,
        input: &F::Input,
        call: u64,
        outcome: &Outcome<F::Output>,
    ) -> Result<(), Unwritable> {
        self.start();
        self.number("client", client);
        match key {
            Key::None => {}
            Key::Value(value) => self.value("key", value),
            Key::Text(text) => self.text("key", text),
        }
        form.write_input(input, self)?;
        self.number("call", call);
        match outcome {
            Outcome::Answered { output, at } => {
                self.number("return", *at);
                form.write_output(input, output, self)?;
            }
            Outcome::Failed { at } => {
                self.number("return", *at);
                self.flag("failed", true);
            }
            Outcome::Unknown => self.held("return", &RegisterValue(None)),
        }
        self.end();
        Ok(())
    }

    /// Begins a field.
    fn name(&mut self, name: &str) {
        if self.bytes.last() != Some(&b'{') {
            self.bytes.push(b',');
        }
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    /// Writes a field with a text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        self.quoted(text);
    }

    /// Writes a field with a number.
    pub(super) fn number(&mut self, name: &str, number: impl std::fmt::Display) {
        self.name(name);
        self.digits(number);
    }

    /// Writes a field that is true or false.
    pub(super) fn flag(&mut self, name: &str, flag: bool) {
        self.name(name);
        self.bytes.extend_from_slice(if flag { b"true" } else { b"false" });
    }

    /// Writes a field with a value.
    pub(super) fn value(&mut self, name: &str, value: &Value) {
        self.name(name);
        self.scalar(value);
    }

    /// Writes a field with the content of a register.
    pub(super) fn held(&mut self, name: &str, held: &RegisterValue) {
        self.name(name);
        match &held.0 {
            Some(value) => self.scalar(value),
            None => self.bytes.extend_from_slice(b"null"),
        }
    }

    /// Writes a field with a list of values.
    pub(super) fn many<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a Value>) {
        self.name(name);
        self.bytes.push(b'[');
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.bytes.push(b',');
            }
            self.scalar(value);
        }
        self.bytes.push(b']');
    }

    /// Writes a field with accounts and their balances.
    pub(super) fn balances<'a>(
        &mut self,
        name: &str,
        balances: impl IntoIterator<Item = (&'a Value, &'a Option<i64>)>,
    ) {
        self.name(name);
        self.bytes.push(b'[');
        for (index, (account, balance)) in balances.into_iter().enumerate() {
            self.bytes.extend_from_slice(if index > 0 { b",[" } else { b"[" });
            self.scalar(account);
            self.bytes.push(b',');
            match balance {
                Some(balance) => self.digits(balance),
                None => self.bytes.extend_from_slice(b"null"),
            }
            self.bytes.push(b']');
        }
        self.bytes.push(b']');
    }

    /// Writes a value.
    fn scalar(&mut self, value: &Value) {
        match value {
            Value::Number(number) => self.digits(number),
            Value::Text(text) => self.quoted(text),
        }
    }

    /// Writes a number.
    fn digits(&mut self, number: impl std::fmt::Display) {
        write!(self.bytes, "{number}").expect("writing to a Vec does not fail");
    }

    /// Writes a text as a string of JSON.
    fn quoted(&mut self, text: &str) {
        self.bytes.push(b'"');
        for character in text.chars() {
            match character {
                '"' => self.bytes.extend_from_slice(b"\\\""),
                '\\' => self.bytes.extend_from_slice(b"\\\\"),
                '\n' => self.bytes.extend_from_slice(b"\\n"),
                '\0'..' ' => {
                    write!(self.bytes, "\\u{:04x}", character as u32).expect("writing to a Vec does not fail")
                }
                _ => self.bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.bytes.push(b'"');
    }
}
