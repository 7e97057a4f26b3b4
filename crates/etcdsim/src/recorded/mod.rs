//! Records of real processes (`etcdsim serve --record`), walked again and judged (`docs/server.md`).
//!
//! | file | job |
//! |---|---|
//! | `again` | reads a record, and walks the member through it again |
//! | `disk` | the files that a process found, in memory |
//! | `members` | small numbers for the members' ids |
//! | `history` | what clients asked and received |
//! | `judge` | brings the records of all members of a cluster, in the order of time, before the oracles |

pub(crate) mod again;
mod disk;
mod history;
pub(crate) mod judge;
mod members;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Whether a file is a record, by its beginning. A pipe can be read only once, so it is one only if the user says so
/// (`--format record`).
pub(crate) fn is_record(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let mut begin = Vec::new();
    let wanted = format!(r#"{{"start":{{"format":"{}"#, ::member::recording::FORMAT);
    let read = File::open(path).and_then(|file| file.take(wanted.len() as u64).read_to_end(&mut begin));
    read.is_ok() && begin == wanted.as_bytes()
}
