//! Reads and writes the project's file format for histories of etcd: JSON lines. Histories of the simulator are saved
//! in it, and histories of real clusters can be recorded in it.
//!
//! Line 1 names the format and describes the recorded cluster ([`Setup`]). Every other line is one of these:
//!
//! * an operation, `{"client", "member", "rpc", "request", "call", "return", "response" | "error"}`. Request and
//!   response have the form of etcd's JSON gateway; times are in nanoseconds of one clock. `"return": null` says that
//!   the outcome is unknown (then there may be a `"gave_up"`), and so does an error whose text is none of etcd's.
//!   `"user"` is the user who was logged in. `"streamed": true` says that a range was answered in chunks (`RangeStream`);
//!   the response is that of the range, merged from all of them.
//! * a line about a watch stream: its opening, `{"stream", "client", "member", "opened"}`, and what passed on it, in
//!   order, `{"stream", "at", "sent" | "received" | "ended"}`.
//! * a view of a client's copy of a part of the store, `{"cache": {"client", "at", "keys", "revision", "pairs"}}`.
//! * a fault, `{"fault", "member", "at"}`. Only `"restart"`, a start of the member's process, is used.
//! * evidence, `{"applied": {"index", "operation", "internal", "revision", "mutated", "time"}}`: an entry that the
//!   members applied, in the order of the log. `operation` is the number of its operation in the order of calls, or
//!   null; `internal` is the request if a member proposed it itself.
//!
//! Files of earlier versions of this format can also be read. The first one had no name, and only operations, faults
//! and evidence.
//!
//! The order of operations in the file does not matter; they are sorted by their calls.

mod quick;
mod streams;
mod views;

use std::borrow::Cow;
use std::io;

use api::{Error, Request, Response};
use histories::scan::Lines;
use record::{Applied, History, MemberId, Nanos, Operation, Outcome, Record};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Expectations;

/// The name of the fault that says that a member's process was started.
const RESTART: &str = "restart";
/// From this number on, the simulator's members number the requests that they send each other, such as a promotion
/// that only the leader can check. Histories that old versions of etcdsim wrote have such numbers in their evidence.
const OF_MEMBERS: u64 = 1 << 61;
/// The byte order mark with which a UTF-8 file may begin.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// The name of the server in a simulated history.
const SIMULATOR: &str = "etcdsim";
/// The rate of an exact clock, in millionths of true time.
const EXACT: u32 = 1_000_000;
/// How much the rates of two clocks of real machines may differ, in millionths ([`Setup::clocks`] has the source).
const DRIFT: u32 = 1_000;
/// The formats that are read; the last one is written.
const FORMATS: [&str; 2] = ["etcdsim-history-1", "etcdsim-history-2"];

/// The content of line 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Setup {
    /// The server that was recorded: "etcd", "etcdsim".
    pub server: String,
    /// Its version.
    pub version: String,
    /// How many members it had.
    pub members: u32,
    /// How many clients it had.
    pub clients: u32,
    /// The seed of the run.
    pub seed: u64,
    /// Rates of the slowest and the fastest clock of any member, in millionths of the rate of the clock that measured
    /// the times in the file; the slowest is not 0. `None` if they are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_rates: Option<(u32, u32)>,
    /// Whether members compact on their own (`--auto-compaction-retention`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub auto_compaction: bool,
}

impl Setup {
    /// The rates of the slowest and the fastest clock, and whether they are known. A simulator may have given its
    /// clocks any rate. The monotonic clocks of real machines differ by at most the correction that the kernel allows
    /// (`adjtimex(2)`: 500 millionths each).
    fn clocks(&self) -> ((u32, u32), bool) {
        match self.clock_rates {
            Some(rates) => (rates, true),
            None if self.server == SIMULATOR => ((EXACT, EXACT), false),
            None => ((EXACT - DRIFT, EXACT + DRIFT), true),
        }
    }
}

/// A history with its evidence, if there is any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryFile {
    /// The content of line 1.
    pub setup: Setup,
    /// The operations, in the order of their calls.
    pub history: History,
    /// What the cluster applied; empty if that was not recorded.
    pub applied: Vec<Applied>,
    /// Starts of members' processes after the first one.
    pub starts: Vec<(MemberId, Nanos)>,
}

/// An error in a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {what}")]
pub struct FileError {
    /// The file's name, as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, in bytes, from 1.
    pub column: usize,
    /// The mistake, and what was expected instead.
    pub what: String,
}

/// Line 1, as it is written.
#[derive(Serialize)]
struct FirstLine<'a> {
    format: &'static str,
    #[serde(flatten)]
    setup: &'a Setup,
}

/// The field of line 1 that names the format.
#[derive(Deserialize)]
struct Format<'a> {
    #[serde(borrow)]
    format: Option<Cow<'a, str>>,
}

/// The fields by which the kind of a line is recognized.
#[derive(Deserialize)]
struct Shape {
    rpc: Option<IgnoredAny>,
    stream: Option<IgnoredAny>,
    cache: Option<IgnoredAny>,
    fault: Option<IgnoredAny>,
    applied: Option<IgnoredAny>,
}

impl Shape {
    /// Whether the line is one of those that come after line 1.
    fn is_something_else(&self) -> bool {
        let fields = [&self.rpc, &self.stream, &self.cache, &self.fault, &self.applied];
        fields.into_iter().any(Option::is_some)
    }
}

/// The line of an operation, as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationLine<'a> {
    client: u32,
    member: MemberId,
    user: Option<String>,
    #[serde(borrow)]
    rpc: Cow<'a, str>,
    #[serde(rename = "request")]
    _request: IgnoredAny,
    streamed: Option<bool>,
    call: Nanos,
    #[serde(rename = "return")]
    returned: Option<Nanos>,
    gave_up: Option<Nanos>,
    response: Option<IgnoredAny>,
    #[serde(borrow)]
    error: Option<ErrorLine<'a>>,
}

/// The error of an operation, as it is read.
#[derive(Deserialize)]
struct ErrorLine<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// The line of a fault.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultLine<'a> {
    #[serde(borrow)]
    fault: Cow<'a, str>,
    member: MemberId,
    at: Nanos,
}

/// The line of an applied entry.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppliedLine {
    applied: AppliedEntry,
}

/// A line about an entry that the cluster applied.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AppliedEntry {
    index: u64,
    operation: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    internal: Option<Box<Request>>,
    revision: u64,
    mutated: bool,
    time: Nanos,
}

impl From<AppliedEntry> for Applied {
    fn from(entry: AppliedEntry) -> Applied {
        let AppliedEntry { index, operation, internal, revision, mutated, time } = entry;
        let operation = operation.filter(|operation| *operation < OF_MEMBERS);
        Applied { index, operation, internal, revision, mutated, time }
    }
}

impl HistoryFile {
    /// Reads the text of a file named `file`.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn read(file: &str, text: &str) -> Result<HistoryFile, FileError> {
        HistoryFile::read_from(file, text.as_bytes())
    }

    /// Reads a file named `file` piece by piece: the text is never held as a whole.
    ///
    /// # Errors
    /// Those of [`HistoryFile::read`], and failures to read.
    pub fn read_from(file: &str, from: impl io::Read) -> Result<HistoryFile, FileError> {
        let mut lines = Lines::new(from);
        let mut reader = Reader { file, first: true, ..Reader::default() };
        loop {
            let line = lines
                .next_line()
                .map_err(|cause| error(file, reader.lines, 1, format!("reading the file failed: {cause}")))?;
            let Some(line) = line else { break };
            reader.lines = line.number;
            if !line.is_blank() {
                reader.bytes(line.number - 1, line.bytes).map_err(|mut mistake| {
                    if let Some(hint) = line.cut_hint() {
                        mistake.what = format!("{}; {hint}", mistake.what);
                    }
                    mistake
                })?;
            }
        }
        reader.finish()
    }

    /// Writes the file.
    pub fn write(&self, out: &mut impl io::Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, &FirstLine { format: FORMATS[1], setup: &self.setup })?;
        writeln!(out)?;
        for operation in &self.history.operations {
            serde_json::to_writer(&mut *out, &OperationOut::from(operation))?;
            writeln!(out)?;
        }
        for (number, stream) in self.history.watches.iter().enumerate() {
            streams::write(out, number, stream)?;
        }
        for view in &self.history.caches {
            views::write(out, view)?;
        }
        for (member, at) in &self.starts {
            writeln!(out, "{}", json!({"fault": RESTART, "member": member, "at": at}))?;
        }
        for Applied { index, operation, internal, revision, mutated, time } in &self.applied {
            let entry = AppliedEntry {
                index: *index,
                operation: *operation,
                internal: internal.clone(),
                revision: *revision,
                mutated: *mutated,
                time: *time,
            };
            writeln!(out, "{}", json!({"applied": entry}))?;
        }
        Ok(())
    }

    /// The record to judge, and what to expect of it.
    pub fn into_record(self) -> (Record, Expectations) {
        let record = Record { history: self.history, applied: self.applied, ..Record::default() };
        let (clock_rates, clocks_known) = self.setup.clocks();
        let compacts_itself = self.setup.auto_compaction;
        let starts = self.starts;
        let expectations =
            Expectations { starts, clock_rates, clocks_known, compacts_itself, ..Expectations::default() };
        (record, expectations)
    }
}

/// A file being read.
#[derive(Default)]
struct Reader<'a> {
    file: &'a str,
    found: HistoryFile,
    streams: streams::Streams,
    /// Whether the line that names the set-up is still to come.
    first: bool,
    /// The number of the last line, from 1.
    lines: usize,
    /// Where each piece of evidence names its operation: line, from 0, and column.
    entries: Vec<(usize, usize)>,
}

impl Reader<'_> {
    /// Reads one line. `number` is its number in the file, from 0.
    fn bytes(&mut self, number: usize, bytes: &[u8]) -> Result<(), FileError> {
        let text = str::from_utf8(bytes).map_err(|cause| {
            let what = "expected UTF-8; save the file in that encoding";
            error(self.file, number, cause.valid_up_to() + 1, what)
        })?;
        // Some editors put a byte order mark at the beginning of a file; it has no meaning.
        match text.strip_prefix(BYTE_ORDER_MARK).filter(|_| number == 0) {
            None => self.line(number, text),
            Some(rest) => self.line(number, rest).map_err(|mistake| {
                let column = mistake.column + BYTE_ORDER_MARK.len_utf8();
                FileError { column, ..mistake }
            }),
        }
    }

    /// Reads the text of one line.
    fn line(&mut self, number: usize, line: &str) -> Result<(), FileError> {
        if std::mem::take(&mut self.first) {
            return self.set_up(number, line);
        }
        if let Some(operation) = quick::operation(line) {
            self.found.history.operations.push(operation);
            return Ok(());
        }
        let (file, found) = (self.file, &mut self.found);
        let shape: Shape = parse(file, number, line)?;
        if shape.rpc.is_some() {
            found.history.operations.push(operation(file, number, line)?);
        } else if shape.stream.is_some() {
            self.streams.take(file, number, line)?;
        } else if shape.cache.is_some() {
            found.history.caches.push(views::read(file, number, line)?);
        } else if shape.fault.is_some() {
            let FaultLine { fault, member, at } = parse(file, number, line)?;
            if fault == RESTART {
                found.starts.push((member, at));
            }
        } else if shape.applied.is_some() {
            found.applied.push(parse::<AppliedLine>(file, number, line)?.applied.into());
            self.entries.push((number, column_of(line, "operation")));
        } else {
            let what = "expected an operation (with \"rpc\"), a stream of watchers (with \"stream\"), a client's copy (with \"cache\"), a fault (with \"fault\") or evidence (with \"applied\")";
            return Err(error(file, number, 1, what));
        }
        Ok(())
    }

    /// Reads line 1.
    fn set_up(&mut self, number: usize, line: &str) -> Result<(), FileError> {
        self.found.setup = parse(self.file, number, line)?;
        if let Some((slowest, fastest)) = self.found.setup.clock_rates
            && !(1..=fastest).contains(&slowest)
        {
            let what = "expected the rates of the slowest and the fastest clock in millionths, such as [1000000, 2000000]";
            return Err(error(self.file, number, column_of(line, "clock_rates"), what));
        }
        let Format { format } = parse(self.file, number, line)?;
        if format.is_none() && parse::<Shape>(self.file, number, line)?.is_something_else() {
            let what = format!(
                "this is not the set-up, which belongs in line 1; put {{\"format\": {:?}}} above it",
                FORMATS[1]
            );
            return Err(error(self.file, number, 1, what));
        }
        if let Some(format) = format.filter(|format| !FORMATS.contains(&&**format)) {
            let what = format!("unknown format {format:?}; expected one of {FORMATS:?}");
            return Err(error(self.file, number, column_of(line, "format"), what));
        }
        Ok(())
    }

    /// Ends the file: sorts the operations by their calls.
    fn finish(self) -> Result<HistoryFile, FileError> {
        if self.first {
            return Err(error(self.file, 0, 1, "an empty file; line 1 should name the set-up"));
        }
        let mut found = self.found;
        let count = found.history.operations.len() as u64;
        for (entry, (number, column)) in found.applied.iter().zip(self.entries) {
            if let Some(operation) = entry.operation.filter(|operation| *operation >= count) {
                let what = format!(
                    "there is no operation {operation}: the file has {count}, numbered from 0 in the order of calls"
                );
                return Err(error(self.file, number, column, what));
            }
        }
        // Operations are large, so each is moved only once.
        found.history.operations.sort_by_cached_key(|operation| operation.call);
        found.history.caches.sort_by_key(|view| view.at);
        found.history.watches = self.streams.finish();
        Ok(found)
    }
}

/// The error in a line. `number` counts lines from 0, `column` from 1.
fn error(file: &str, number: usize, column: usize, what: impl Into<String>) -> FileError {
    FileError { file: file.to_string(), line: number + 1, column, what: what.into() }
}

/// Reads a line, or a part of it, with serde.
fn parse<'a, T: Deserialize<'a>>(file: &str, number: usize, line: &'a str) -> Result<T, FileError> {
    serde_json::from_str(line).map_err(|cause| {
        let text = cause.to_string();
        // serde's message ends with a position in the line. It is cut off, because the error has the position in the
        // file.
        let what = text.split_once(" at line 1 column").map_or(&text[..], |(what, _)| what);
        error(file, number, cause.column().max(1), what)
    })
}

/// Where a field of a line begins.
fn column_of(line: &str, field: &str) -> usize {
    line.find(&format!("\"{field}\"")).map_or(1, |at| at + 1)
}

/// Reads the line of an operation.
fn operation(file: &str, number: usize, line: &str) -> Result<Operation, FileError> {
    let head: OperationLine<'_> = parse(file, number, line)?;
    // Both types read the field "rpc" and skip fields that they do not know.
    let request: Request = parse(file, number, line)?;
    let wrong = |field: &str, what: &str| Err(error(file, number, column_of(line, field), what));
    if head.returned.is_some_and(|returned| returned < head.call) {
        return wrong("return", "it returns before it is called; expected a time after \"call\", or null");
    }
    let outcome = match (head.returned, head.response, &head.error) {
        (_, Some(_), Some(_)) => {
            return wrong("error", "it has a response and an error; expected one of them");
        }
        (Some(at), Some(_), None) => Outcome::Answer { at, response: parse(file, number, line)? },
        (None, Some(_), None) => return wrong("return", "a response without the time at which it arrived"),
        (Some(at), None, Some(error)) => match Error::from_text(&error.message) {
            Some(error) => Outcome::Error { at, error },
            None => Outcome::Unknown { gave_up: at },
        },
        (Some(_), None, None) => {
            return wrong(
                "return",
                &format!("this {} returned with nothing; expected \"response\" or \"error\"", head.rpc),
            );
        }
        (None, None, _) => Outcome::Unknown { gave_up: head.gave_up.unwrap_or(head.call) },
    };
    let user = head.user.map(Into::into);
    let streamed = head.streamed.unwrap_or(false);
    if streamed && !matches!(request, Request::Range(_)) {
        return wrong("streamed", "only a Range can be streamed");
    }
    Ok(Operation {
        client: head.client,
        member: head.member,
        user,
        request,
        streamed,
        call: head.call,
        outcome,
    })
}

/// An operation as it is written. The call's name comes before its request, so that a reader knows what it reads.
#[derive(Serialize)]
struct OperationOut<'a> {
    client: u32,
    member: MemberId,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    rpc: &'static str,
    request: serde_json::Value,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    streamed: bool,
    call: Nanos,
    #[serde(rename = "return")]
    returned: Option<Nanos>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gave_up: Option<Nanos>,
}

/// An error as it is written.
#[derive(Serialize)]
struct ErrorOut<'a> {
    code: u8,
    message: &'a str,
}

impl From<Error> for ErrorOut<'static> {
    fn from(error: Error) -> Self {
        ErrorOut { code: error.code().number(), message: error.text() }
    }
}

impl<'a> From<&'a Operation> for OperationOut<'a> {
    fn from(operation: &'a Operation) -> OperationOut<'a> {
        OperationOut {
            client: operation.client,
            member: operation.member,
            user: operation.user.as_deref(),
            rpc: operation.request.rpc_name(),
            request: operation.request.to_json(),
            streamed: operation.streamed,
            call: operation.call,
            returned: operation.returned(),
            response: operation.response().map(Response::to_json),
            error: match operation.outcome {
                Outcome::Error { error, .. } => Some(ErrorOut::from(error)),
                _ => None,
            },
            gave_up: match operation.outcome {
                Outcome::Unknown { gave_up } => Some(gave_up),
                _ => None,
            },
        }
    }
}
