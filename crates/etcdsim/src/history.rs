//! Functions for Rust tests that judge a history recorded elsewhere, for example of a real etcd. `etcdsim check` does
//! the same on the command line.

use std::fs;
use std::path::Path;

use plan::Plan;
use record::Record;
use verify::Verdict;
use verify::history_file::{HistoryFile, Setup};

use crate::error::Error;
use crate::execute::{Outcome, clock_rates};
use crate::report::Failure;

/// A history of etcd and its verdict.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckedHistory {
    /// The history, in a record that has nothing else.
    pub record: Record,
    /// Violations, what could not be decided, and what was checked.
    pub verdict: Verdict,
}

impl CheckedHistory {
    /// Whether there are no violations and nothing is undecided.
    pub fn holds(&self) -> bool {
        self.verdict.holds()
    }

    /// The violations with their operations as text; `None` if there are none.
    pub fn failure(&self) -> Option<Failure> {
        Failure::of(&self.verdict, &self.record.history)
    }
}

/// Judges a history of etcd with all oracles that need nothing but the history. `docs/histories.md` describes the
/// format and says what can be decided without a list of what the cluster applied; `name` stands for the file in
/// messages.
///
/// For histories of other systems, use the crates [`crate::linear`] and [`crate::histories`].
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
/// For the first line that is not valid in such a history, with its line and column.
pub fn check_history(name: &str, text: &str) -> Result<CheckedHistory, Error> {
    let history = HistoryFile::read(name, text).map_err(|error| Error::in_history(error, text.as_bytes()))?;
    let (record, expectations) = history.into_record();
    let verdict = verify::judge(&record, &expectations);
    Ok(CheckedHistory { record, verdict })
}

/// The same for a file.
///
/// # Errors
/// If the file cannot be read, or as for [`check_history`].
pub fn check_history_file(file: impl AsRef<Path>) -> Result<CheckedHistory, Error> {
    let path = file.as_ref();
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| Error::NoHistory { path: path.to_path_buf(), error })?;
    check_history(&path.to_string_lossy(), &text)
}

/// What a run left for `etcdsim check`: what its clients saw, what its members applied, and how fast their clocks may
/// have run. `etcdsim replay --history` writes it.
pub fn history_of_run(plan: &Plan, outcome: &Outcome) -> HistoryFile {
    let operations = outcome.record.history.operations.len() as u64;
    let mut applied = outcome.record.applied.clone();
    for entry in &mut applied {
        // A request of a member to its leader has a number beyond those of the clients' operations.
        entry.operation = entry.operation.filter(|number| *number < operations);
    }
    HistoryFile {
        setup: Setup {
            server: "etcdsim".to_string(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            members: plan.cluster.members,
            clients: plan.clients.len() as u32,
            seed: plan.seed,
            clock_rates: Some(clock_rates(plan)),
            auto_compaction: plan.cluster.settings.auto_compaction_revisions > 0
                || plan.cluster.settings.auto_compaction_period > 0,
        },
        history: outcome.record.history.clone(),
        applied,
        starts: outcome.starts.clone(),
    }
}
