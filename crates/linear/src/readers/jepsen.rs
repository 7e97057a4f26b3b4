//! Logs of a compare-and-set register as Jepsen wrote them against an early etcd.
//!
//! A line is `INFO  jepsen.util - PROCESS TYPE F VALUE`, blanks between. `:fail` of a compare-and-set is an
//! observation: the register held something else. `:info` and a `:fail` of a read say nothing.

use super::{Cursor, Pairing, ReadError};
use crate::history::{History, Outcome};
use crate::models::register::{Input, Output, Register};

/// What the register holds: `None` before the first write.
pub type Value = Option<u32>;

/// The model of these logs.
pub const MODEL: Register<Value> = Register { initial: None };

/// Reads a log.
pub fn read(text: &str) -> Result<History<Input<Value>, Output<Value>>, ReadError> {
    let mut pairing = Pairing::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        event(&mut pairing, &mut Cursor::new(index + 1, line))?;
    }
    Ok(pairing.history())
}

fn event(
    pairing: &mut Pairing<Input<Value>, Output<Value>>,
    cursor: &mut Cursor<'_>,
) -> Result<(), ReadError> {
    cursor.expect("INFO")?;
    cursor.blanks()?;
    cursor.expect("jepsen.util")?;
    cursor.blanks()?;
    cursor.expect("-")?;
    cursor.blanks()?;
    let client = cursor.number()?;
    cursor.blanks()?;
    let invoke = cursor.accept(":invoke");
    let ok = !invoke && cursor.accept(":ok");
    let fail = !invoke && !ok && cursor.accept(":fail");
    if !(invoke || ok || fail || cursor.accept(":info")) {
        return Err(cursor.error("`:invoke`, `:ok`, `:fail` or `:info`"));
    }
    cursor.blanks()?;
    let function = function(cursor)?;
    cursor.blanks()?;
    if cursor.accept(":timed-out") {
        cursor.end()?;
        let failed = fail && function == Function::Read;
        return pairing.end(cursor, client, |asked, at| match failed {
            _ if !function.asks(asked) => Err(cursor.error("the end of what was called")),
            true => Ok(Outcome::Failed { at }),
            false => Ok(Outcome::Unknown),
        });
    }
    let input = input(cursor, function)?;
    cursor.end()?;
    if invoke {
        let asked = if function == Function::Read { Input::Read } else { input };
        return pairing.call(cursor, client, asked);
    }
    pairing.end(cursor, client, |asked, at| {
        let same = function.asks(asked) && (function == Function::Read || *asked == input);
        match (asked, input) {
            _ if !same || !(ok || fail) => Err(cursor.error("the end of what was called")),
            (Input::Read, Input::Write(value)) if ok => {
                Ok(Outcome::Answered { output: Output::Value(value), at })
            }
            (Input::Write(_), _) if ok => Ok(Outcome::Answered { output: Output::Written, at }),
            (Input::Cas(..), _) => Ok(Outcome::Answered { output: Output::Set(ok), at }),
            _ => Ok(Outcome::Failed { at }),
        }
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Function {
    Read,
    Write,
    Cas,
}

impl Function {
    /// Whether this is what was asked.
    fn asks(self, input: &Input<Value>) -> bool {
        match input {
            Input::Read => self == Function::Read,
            Input::Write(_) => self == Function::Write,
            Input::Cas(..) => self == Function::Cas,
        }
    }
}

fn function(cursor: &mut Cursor<'_>) -> Result<Function, ReadError> {
    for (name, function) in [(":read", Function::Read), (":write", Function::Write), (":cas", Function::Cas)]
    {
        if cursor.accept(name) {
            return Ok(function);
        }
    }
    Err(cursor.error("`:read`, `:write` or `:cas`"))
}

/// The value, as the input of a write or compare-and-set. What a read saw looks like what a write sets.
fn input(cursor: &mut Cursor<'_>, function: Function) -> Result<Input<Value>, ReadError> {
    if function != Function::Cas {
        let value = if cursor.accept("nil") { None } else { Some(cursor.number()?) };
        return Ok(Input::Write(value));
    }
    cursor.expect("[")?;
    let expected = cursor.number()?;
    cursor.blanks()?;
    let new = cursor.number()?;
    cursor.expect("]")?;
    Ok(Input::Cas(Some(expected), Some(new)))
}
