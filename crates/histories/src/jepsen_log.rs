//! Logs of a compare-and-set register as Jepsen wrote them for an early etcd.
//!
//! A line is `INFO  jepsen.util - PROCESS TYPE F VALUE`, with blanks in between. TYPE is `:invoke`, `:ok`, `:fail` or
//! `:info`; F is `:read`, `:write` or `:cas`; VALUE is a number, `nil`, `[OLD NEW]` or `:timed-out`. The register is
//! empty at first. The time of an event is its place in the file.
//!
//! A `:fail` of a compare-and-set is an answer: the register had another value. A `:fail` of another operation means
//! that it had no effect, and says nothing about the state. `:info` means that the outcome is unknown, and so does a
//! `:fail` with `:timed-out`, except of a read.
//!
//! ```
//! let log = b"INFO  jepsen.util - 0\t:invoke\t:write\t3\nINFO  jepsen.util - 0\t:ok\t:write\t3\n";
//! assert_eq!(histories::jepsen_log::read("one.log", log)?.len(), 1);
//! # Ok::<(), histories::Error>(())
//! ```

use std::collections::BTreeMap;

use linear::models::register::{Input, Output};
use linear::{History, Operation, Outcome};

use crate::error::{CUT_LINE, Error, Mistake, Scan, found};
use crate::recorded::{RegisterValue, Value};
use crate::scan::{SliceLines, byte_order_mark};

/// A history of a register that is empty at first: [`RegisterValue`] of `None`.
pub type RegisterHistory = History<Input<RegisterValue>, Output<RegisterValue>>;

/// Reads a log. `file` is its name in errors.
///
/// # Errors
///
/// The first mistake in the file.
pub fn read(file: &str, bytes: &[u8]) -> Result<RegisterHistory, Error> {
    let mut log = Log::default();
    for line in SliceLines::new(bytes).filter(|line| !line.is_blank()) {
        let event = LineCursor::new(line.number, line.bytes).and_then(|mut cursor| log.event(&mut cursor));
        event.map_err(|mut mistake| {
            if !line.ended && mistake.column > line.bytes.len() {
                mistake.hint = CUT_LINE.to_owned();
            }
            Error::in_file(mistake, file)
        })?;
    }
    Ok(History::from_operations(log.operations)
        .expect("an operation ends after its call, and there are not too many"))
}

/// A log as it is read.
#[derive(Default)]
struct Log {
    operations: Vec<Operation<Input<RegisterValue>, Output<RegisterValue>>>,
    /// By process: the index of the operation in flight.
    open: BTreeMap<u32, usize>,
    /// The time: how many events were read.
    now: u64,
}

/// The TYPE of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// The F of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Function {
    Read,
    Write,
    Cas,
}

/// The words for each kind.
const KINDS: [(&str, Kind); 4] =
    [(":invoke", Kind::Invoke), (":ok", Kind::Ok), (":fail", Kind::Fail), (":info", Kind::Info)];
/// The words for each function.
const FUNCTIONS: [(&str, Function); 3] =
    [(":read", Function::Read), (":write", Function::Write), (":cas", Function::Cas)];

/// What follows the function in a line.
#[derive(PartialEq, Eq)]
enum Payload {
    Value(RegisterValue),
    Pair(RegisterValue, RegisterValue),
    TimedOut,
}

impl Log {
    /// Reads one line.
    fn event(&mut self, cursor: &mut LineCursor<'_>) -> Scan<()> {
        for word in ["INFO", "jepsen.util", "-"] {
            cursor.expect(word)?;
        }
        let process = cursor.number("the number of a process")?;
        let kind = cursor.one_of(&KINDS, "`:invoke`, `:ok`, `:fail` or `:info`")?;
        cursor.skip_blanks();
        let at = cursor.at;
        let function = cursor.one_of(&FUNCTIONS, "`:read`, `:write` or `:cas`")?;
        let payload = payload(cursor, function)?;
        cursor.end()?;
        self.now += 1;
        if kind == Kind::Invoke {
            return self.call(cursor, at, process, function, payload);
        }
        let Some(open) = self.open.remove(&process) else {
            let hint = "only an :invoke begins an operation; any other event ends the one in flight";
            return Err(cursor.mistake(at, format!("an :invoke of process {process} before this"), hint));
        };
        let now = self.now;
        let operation = &mut self.operations[open];
        match outcome_of(&operation.input, kind, function, payload, now) {
            Some(outcome) => operation.outcome = outcome,
            None => {
                let hint = format!("the operation that process {process} called is another one");
                return Err(cursor.mistake(at, "the end of what was called", hint));
            }
        }
        Ok(())
    }

    /// An operation begins.
    fn call(
        &mut self,
        cursor: &LineCursor<'_>,
        at: usize,
        client: u32,
        function: Function,
        payload: Payload,
    ) -> Scan<()> {
        let input = match (function, payload) {
            (Function::Read, _) => Input::Read,
            (Function::Write, Payload::Value(value)) => Input::Write(value),
            (Function::Cas, Payload::Pair(expected, new)) => Input::Cas(expected, new),
            _ => return Err(cursor.mistake(at, "a call with its value", "a call is never `:timed-out`")),
        };
        if self.open.insert(client, self.operations.len()).is_some() {
            let hint = "a process has one operation at a time";
            return Err(cursor.mistake(at, format!("the end of the operation of process {client}"), hint));
        }
        if self.operations.len() >= RegisterHistory::LENGTH_MAX {
            return Err(cursor.mistake(
                at,
                "the end of the file",
                "split the file: a history holds fewer operations",
            ));
        }
        self.operations.push(Operation { client, input, call: self.now, outcome: Outcome::Unknown });
        Ok(())
    }
}

/// The outcome of an operation; `None` if the event cannot be its end.
fn outcome_of(
    asked: &Input<RegisterValue>,
    kind: Kind,
    function: Function,
    payload: Payload,
    at: u64,
) -> Option<Outcome<Output<RegisterValue>>> {
    let same = match (asked, function, &payload) {
        (Input::Read, Function::Read, _) => true,
        (Input::Write(_), Function::Write, Payload::TimedOut) => true,
        (Input::Write(asked), Function::Write, Payload::Value(value)) => asked == value,
        (Input::Cas(..), Function::Cas, Payload::TimedOut) => true,
        (Input::Cas(expected, new), Function::Cas, Payload::Pair(old, set)) => expected == old && new == set,
        _ => false,
    };
    let answered = |output| Some(Outcome::Answered { output, at });
    match (asked, kind, payload) {
        _ if !same => None,
        (Input::Read, Kind::Ok, Payload::Value(value)) => answered(Output::Value(value)),
        (_, Kind::Ok, Payload::TimedOut) => None,
        (Input::Write(_), Kind::Ok, _) => answered(Output::Written),
        (Input::Cas(..), Kind::Ok, _) => answered(Output::Set(true)),
        (Input::Cas(..), Kind::Fail, Payload::Pair(..)) => answered(Output::Set(false)),
        // A read never has an effect, even if it timed out.
        (Input::Read, Kind::Fail, _) => Some(Outcome::Failed { at }),
        // After a timeout the outcome is unknown, whatever the log calls it.
        (_, Kind::Fail, Payload::TimedOut) | (_, Kind::Info, _) => Some(Outcome::Unknown),
        (_, Kind::Fail, _) => Some(Outcome::Failed { at }),
        _ => None,
    }
}

/// Reads what follows the function.
fn payload(cursor: &mut LineCursor<'_>, function: Function) -> Scan<Payload> {
    if cursor.accept(":timed-out") {
        return Ok(Payload::TimedOut);
    }
    let held = |number: u32| RegisterValue(Some(Value::Number(i64::from(number))));
    if function != Function::Cas {
        let value = if cursor.accept("nil") {
            RegisterValue(None)
        } else {
            held(cursor.number("a number or `nil`")?)
        };
        return Ok(Payload::Value(value));
    }
    cursor.expect("[")?;
    let expected = cursor.number("a number")?;
    let new = cursor.number("a number")?;
    cursor.expect("]")?;
    Ok(Payload::Pair(held(expected), held(new)))
}

/// Reads a line word by word, from left to right.
struct LineCursor<'a> {
    line: usize,
    text: &'a str,
    at: usize,
}

impl<'a> LineCursor<'a> {
    fn new(line: usize, bytes: &'a [u8]) -> Scan<LineCursor<'a>> {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                let at = if line == 1 { byte_order_mark(text) } else { 0 };
                Ok(LineCursor { line, text: text.trim_end(), at })
            }
            Err(error) => {
                let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
                let cursor = LineCursor { line, text: valid, at: valid.len() };
                Err(cursor.mistake(valid.len(), "UTF-8", "save the file as UTF-8"))
            }
        }
    }

    /// A mistake at a place in this line.
    fn mistake(&self, at: usize, expected: impl Into<String>, hint: impl Into<String>) -> Box<Mistake> {
        Box::new(Mistake {
            file: String::new(),
            line: self.line,
            column: at + 1,
            expected: expected.into(),
            found: found(self.text, at, "the end of the line"),
            hint: hint.into(),
        })
    }

    /// Skips blanks and tabs.
    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    /// Skips `word` if it is next; returns whether it was.
    fn accept(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let next = self.text[self.at..].starts_with(word);
        if next {
            self.at += word.len();
        }
        next
    }

    /// Reads this word.
    fn expect(&mut self, word: &str) -> Scan<()> {
        if self.accept(word) {
            return Ok(());
        }
        let hint = "a line is `INFO  jepsen.util - PROCESS TYPE F VALUE`";
        Err(self.mistake(self.at, format!("`{word}`"), hint))
    }

    /// Reads one of these words, and returns its meaning.
    fn one_of<T: Copy>(&mut self, names: &[(&str, T)], expected: &str) -> Scan<T> {
        self.skip_blanks();
        let word = self.text[self.at..].split([' ', '\t']).next().unwrap_or_default();
        let next = names.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning);
        if next.is_some() {
            self.at += word.len();
        }
        next.ok_or_else(|| {
            self.mistake(self.at, expected, "a line is `INFO  jepsen.util - PROCESS TYPE F VALUE`")
        })
    }

    /// Reads a number.
    fn number(&mut self, expected: &str) -> Scan<u32> {
        self.skip_blanks();
        let rest = &self.text[self.at..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number = rest[..digits]
            .parse()
            .map_err(|_| self.mistake(self.at, expected, "numbers are below 4294967296"))?;
        self.at += digits;
        Ok(number)
    }

    /// Makes sure that nothing is left in the line.
    fn end(&mut self) -> Scan<()> {
        self.skip_blanks();
        if self.at == self.text.len() {
            return Ok(());
        }
        Err(self.mistake(self.at, "the end of the line", "a line holds one event"))
    }
}
