//! Histories that were recorded elsewhere, of a real etcd for example, judged from Rust.

use std::fs;
use std::path::Path;

use record::Record;
use verify::Verdict;
use verify::history_file::HistoryFile;

use crate::error::Error;
use crate::report::Failure;

/// A history of etcd and what the oracles say of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckedHistory {
    /// The history, as a record of which nothing else is known.
    pub record: Record,
    /// What does not hold, what could not be decided, and what was looked at.
    pub verdict: Verdict,
}

impl CheckedHistory {
    /// Whether nothing was found, and nothing was left open.
    pub fn holds(&self) -> bool {
        self.verdict.holds()
    }

    /// The violations with their operations in words; `None` where there are none.
    pub fn failure(&self) -> Option<Failure> {
        Failure::of(&self.verdict, &self.record.history)
    }
}

/// Judges a history of etcd by all oracles that need nothing but the history. `docs/histories.md` describes the
/// format and says what can be decided without a list of what the cluster applied; `name` stands for the file in
/// messages.
///
/// For histories of other systems there are the crates [`crate::linear`] and [`crate::histories`].
///
/// ```
/// let text = r#"{"format": "etcdsim-history-2", "server": "etcd", "version": "3.6.1", "members": 1, "clients": 1, "seed": 0}
/// {"client": 0, "member": 1, "rpc": "Put", "request": {"key": "YQ==", "value": "MQ=="}, "call": 10, "return": 20, "response": {"header": {"revision": "2"}}}
/// {"client": 0, "member": 1, "rpc": "Range", "request": {"key": "YQ=="}, "call": 30, "return": 40, "response": {"header": {"revision": "2"}}}
/// "#;
/// let checked = etcdsim::check_history("lost.jsonl", text)?;
/// let failure = checked.failure().expect("the read does not see the put");
/// assert_eq!(failure.worst().oracle, etcdsim::Oracle::K1);
/// # Ok::<(), etcdsim::Error>(())
/// ```
///
/// # Errors
/// For the first line that is none of such a history, with its line and column.
pub fn check_history(name: &str, text: &str) -> Result<CheckedHistory, Error> {
    let history = HistoryFile::read(name, text).map_err(|error| Error::in_history(error, text.as_bytes()))?;
    let (record, expectations) = history.into_record();
    let verdict = verify::judge(&record, &expectations);
    Ok(CheckedHistory { record, verdict })
}

/// Same, of a file.
///
/// # Errors
/// If the file cannot be read, or as [`check_history`].
pub fn check_history_file(file: impl AsRef<Path>) -> Result<CheckedHistory, Error> {
    let path = file.as_ref();
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| Error::NoHistory { path: path.to_path_buf(), error })?;
    check_history(&path.to_string_lossy(), &text)
}
