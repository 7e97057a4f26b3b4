//! Finds out from the beginning of a file which format it has.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Mistake, Scan};
use crate::scan::{Cursor, Kind, SliceLines};
use crate::{edn, general};

/// A known format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// A history of etcd as etcdsim writes it, `etcdsim-history-1` or `-2`. The number is the version.
    Etcdsim(u8),
    /// [`general`].
    General,
    /// A Jepsen history in EDN, [`crate::edn`].
    Edn,
    /// A Jepsen history in JSON, [`crate::edn::Syntax::Json`].
    JepsenJson,
    /// Jepsen's `history.txt` or `jepsen.log`, [`crate::edn::Syntax::Lines`].
    JepsenLines,
    /// A Jepsen log of an early etcd, [`crate::jepsen_log`].
    JepsenLog,
    /// `operations.json` of etcd's robustness tests, [`crate::robustness::read`].
    RobustnessOperations,
    /// `watch.json` of etcd's robustness tests, [`crate::robustness::read_watches`].
    RobustnessWatch,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Etcdsim(version) => write!(f, "etcdsim-history-{version}"),
            Format::General => f.write_str(general::FORMAT),
            Format::Edn => f.write_str("a Jepsen history in EDN"),
            Format::JepsenJson => f.write_str("a Jepsen history in JSON"),
            Format::JepsenLines => f.write_str("a history.txt or jepsen.log of Jepsen"),
            Format::JepsenLog => f.write_str("a Jepsen log of an early etcd"),
            Format::RobustnessOperations => f.write_str("operations.json of etcd's robustness tests"),
            Format::RobustnessWatch => f.write_str("watch.json of etcd's robustness tests"),
        }
    }
}

/// All formats, for the message about a file that has none of them.
const KNOWN: &str = "the formats are etcdsim-history-1 and -2, etcdsim-general-1 (JSON lines, with \"format\" in \
line 1), Jepsen histories in EDN, in JSON, as history.txt or as jepsen.log, and operations.json and watch.json of \
etcd's robustness tests";

/// How many bytes at the beginning of a file decide its format.
pub const LOOKED_AT_BYTES: u64 = 1024 * 1024;

/// The format of a file. Its beginning is enough to tell. `file` is its name in errors.
///
/// # Errors
///
/// If the format is not a known one. The error lists the known formats.
pub fn detect(file: &str, bytes: &[u8]) -> Result<Format, Error> {
    of(bytes).map_err(|mistake| Error::in_file(mistake, file))
}

/// The format of the file at `path`.
///
/// # Errors
///
/// As [`detect()`], or that the file cannot be read.
pub fn detect_path(path: &Path) -> Result<Format, Error> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LOOKED_AT_BYTES).read_to_end(&mut bytes));
    read.map_err(|error| Error::io(&name, error))?;
    detect(&name, &bytes)
}

/// The format of a file that begins with these bytes.
fn of(bytes: &[u8]) -> Scan<Format> {
    // Where the first line that is not blank begins, in bytes.
    let mut start = 0;
    let line = SliceLines::new(bytes).find(|line| {
        let blank = line.is_blank();
        start += if blank { line.bytes.len() + 1 } else { 0 };
        !blank
    });
    let Some(line) = line else {
        return Err(Box::new(Mistake {
            file: String::new(),
            line: 1,
            column: 1,
            expected: "a history".to_owned(),
            found: "nothing".to_owned(),
            hint: KNOWN.to_owned(),
        }));
    };
    // Only the beginning was read, so a character may be cut in half, which is not the file's fault.
    let valid = |bytes| match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    };
    let mut cursor = Cursor::new(line.number, valid(line.bytes))?;
    cursor.kind();
    // From here on, the end of a line is a blank like any other.
    start += cursor.offset();
    let rest = valid(&bytes[start..]);
    let first_line = String::from_utf8_lossy(&valid(line.bytes)[cursor.offset()..]);
    if let Some(format) = lines(&first_line) {
        return Ok(format);
    }
    let mut marks = rest.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != b',');
    let format = match (marks.next(), marks.next(), marks.next()) {
        (Some(b'['), Some(b'{'), Some(b'"')) | (Some(b'{'), Some(b'"'), _) => {
            let inside = Cursor::inside(line.number, cursor.offset(), rest);
            let Ok(mut inside) = inside else { return Err(unknown(&cursor)) };
            json(&mut inside)?
        }
        (Some(b'{'), Some(b':') | None, _) => Some(Format::Edn),
        (Some(b'['), Some(b'{' | b'#' | b';' | b']') | None, _) | (Some(b'(' | b'#' | b';'), ..) => {
            Some(Format::Edn)
        }
        _ => None,
    };
    format.ok_or_else(|| unknown(&cursor))
}

/// The format of a file whose first line is one of Jepsen's.
fn lines(first: &str) -> Option<Format> {
    if edn::looks_like_event(first) {
        return Some(Format::JepsenLines);
    }
    let level = ["INFO", "WARN", "DEBUG", "ERROR"].into_iter().find_map(|level| first.strip_prefix(level));
    match level {
        Some(rest) if rest.trim_start().starts_with("jepsen.util - ") || rest.is_empty() => {
            Some(Format::JepsenLog)
        }
        Some(rest) => rest.starts_with(['\t', ' ']).then_some(Format::JepsenLines),
        None => is_date(first).then_some(Format::JepsenLines),
    }
}

/// Whether a line begins with a date, as in `jepsen.log`.
fn is_date(line: &str) -> bool {
    let shape: Vec<u8> = line.bytes().take(10).map(|b| if b.is_ascii_digit() { b'0' } else { b }).collect();
    shape == b"0000-00-00"
}

/// The mistake to report if a file has no known format.
#[cold]
fn unknown(cursor: &Cursor<'_>) -> Box<Mistake> {
    cursor.expected("the beginning of a known format", KNOWN)
}

/// Decides by the field names of the first object, as far as the file was read.
fn json(cursor: &mut Cursor<'_>) -> Scan<Option<Format>> {
    // Version 1 of the project's format has no `format`. Its first line is the set-up, or an operation.
    let mut etcdsim = false;
    let array = cursor.kind() == Kind::Array;
    if array {
        cursor.array()?;
        cursor.next_item()?;
    }
    cursor.object()?;
    while let Ok(Some(name)) = cursor.next_field() {
        match name {
            "format" if !array => {
                cursor.kind();
                let at = cursor.offset();
                return match cursor.plain_string()? {
                    "etcdsim-history-1" => Ok(Some(Format::Etcdsim(1))),
                    "etcdsim-history-2" => Ok(Some(Format::Etcdsim(2))),
                    general::FORMAT => Ok(Some(Format::General)),
                    _ => Err(cursor.mistake(at, "the name of a known format", KNOWN)),
                };
            }
            "Input" | "Output" | "ClientId" | "ClientID" => return Ok(Some(Format::RobustnessOperations)),
            "Request" | "Responses" => return Ok(Some(Format::RobustnessWatch)),
            "process" | "type" | "f" => return Ok(Some(Format::JepsenJson)),
            "rpc" | "members" => etcdsim = true,
            _ => {}
        }
        if cursor.skip_value().is_err() {
            break;
        }
    }
    Ok(etcdsim.then_some(Format::Etcdsim(1)))
}
