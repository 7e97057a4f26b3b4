//! Finds out which format a file has, from its beginning.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Mistake, Scan};
use crate::general;
use crate::scan::{Cursor, SliceLines};

/// A known format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// A history of etcd as etcdsim writes it, `etcdsim-history-1` or `-2`. The number is the version.
    Etcdsim(u8),
    /// [`general`].
    General,
    /// A Jepsen history in EDN, [`crate::edn`].
    Edn,
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
            Format::JepsenLog => f.write_str("a Jepsen log"),
            Format::RobustnessOperations => f.write_str("operations.json of etcd's robustness tests"),
            Format::RobustnessWatch => f.write_str("watch.json of etcd's robustness tests"),
        }
    }
}

const KNOWN: &str = "the formats are etcdsim-history-1 and -2, etcdsim-general-1 (JSON lines, with \"format\" in \
line 1), Jepsen histories in EDN, Jepsen logs, and operations.json and watch.json of etcd's robustness tests";

/// How many bytes at the beginning of a file decide its format.
pub const LOOKED_AT_BYTES: u64 = 1024 * 1024;

/// The format of a file, of which the beginning is enough. `file` is its name in errors.
///
/// # Errors
///
/// If it is not a known format. The error lists those.
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

fn of(bytes: &[u8]) -> Scan<Format> {
    let mut before = 0;
    let first = SliceLines::new(bytes).find(|line| {
        let blank = line.is_blank();
        before += if blank { line.bytes.len() + 1 } else { 0 };
        !blank
    });
    let Some(line) = first else {
        return Err(Box::new(Mistake {
            file: String::new(),
            line: 1,
            column: 1,
            expected: "a history".to_owned(),
            found: "nothing".to_owned(),
            hint: KNOWN.to_owned(),
        }));
    };
    // A value may go on in the lines after the first.
    let begins = &bytes[before..];
    let valid = match std::str::from_utf8(begins) {
        // Only the beginning was read, so a character may be cut in half, which is not the file's fault. What is wrong
        // in a later line is for the reader of the format.
        Err(error) if error.error_len().is_none() || error.valid_up_to() >= line.bytes.len() => {
            &begins[..error.valid_up_to()]
        }
        _ => begins,
    };
    let mut cursor = Cursor::new(line.number, valid)?;
    cursor.kind();
    let rest = &valid[cursor.offset()..];
    let second = rest.iter().skip(1).find(|byte| !byte.is_ascii_whitespace() && **byte != b',');
    match (rest.first(), second) {
        (Some(b'I'), _) if rest.starts_with(b"INFO") => Ok(Format::JepsenLog),
        (Some(b'{'), Some(b':' | b'}') | None) if second != Some(&b'}') => Ok(Format::Edn),
        (Some(b'['), Some(b'{' | b'#' | b';' | b']') | None) | (Some(b'(' | b'#' | b';'), _) => {
            Ok(Format::Edn)
        }
        (Some(b'{'), _) => json(&mut cursor),
        _ => Err(unknown(&cursor)),
    }
}

#[cold]
fn unknown(cursor: &Cursor<'_>) -> Box<Mistake> {
    cursor.expected("the beginning of a known format", KNOWN)
}

/// Decides by the names of the first object's fields, as far as it was read.
fn json(cursor: &mut Cursor<'_>) -> Scan<Format> {
    let unknown = unknown(cursor);
    // Version 1 of the project's format has no `format`. Its first line is the set-up, or an operation.
    let mut etcdsim = false;
    cursor.object()?;
    while let Ok(Some(name)) = cursor.next_field() {
        match name {
            "format" => {
                cursor.kind();
                let at = cursor.offset();
                return match cursor.plain_string()? {
                    "etcdsim-history-1" => Ok(Format::Etcdsim(1)),
                    "etcdsim-history-2" => Ok(Format::Etcdsim(2)),
                    general::FORMAT => Ok(Format::General),
                    _ => Err(cursor.mistake(at, "the name of a known format", KNOWN)),
                };
            }
            "Input" | "Output" | "ClientId" | "ClientID" => return Ok(Format::RobustnessOperations),
            "Request" | "Responses" => return Ok(Format::RobustnessWatch),
            "rpc" | "members" => etcdsim = true,
            _ => {}
        }
        if cursor.skip_value().is_err() {
            break;
        }
    }
    if etcdsim { Ok(Format::Etcdsim(1)) } else { Err(unknown) }
}
