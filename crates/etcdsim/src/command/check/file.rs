//! What is in a file, whatever its format.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use histories::edn::{self, Jepsen, ListOp};
use histories::robustness::{self as report, Watch};
use histories::{Format as Detected, Held as InRegister, Operations, Recorded, Value, detect_path, general};
use linear::cycles;
use record::Record;
use verify::Expectations;
use verify::history_file::HistoryFile;

use crate::error::Error;
use crate::robustness;

/// In which format a file is, where it does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// By how the file begins
    Auto,
    /// Histories of etcd, docs/histories.md
    Etcdsim,
    /// Histories of any model, docs/general-history.md
    General,
    /// Jepsen histories in EDN; Porcupine's key-value files are such
    Edn,
    /// Jepsen's logs of an early etcd
    JepsenLog,
    /// operations.json of etcd's robustness tests, or a folder with those of all clients
    Robustness,
}

/// A history, ready to be judged.
#[derive(Debug)]
pub(super) enum Content {
    /// Of etcd.
    Etcd(Box<(Record, Expectations)>),
    /// Of one of the models that `linear` ships.
    Recorded(Recorded),
    /// Of transactions on lists.
    Lists(Vec<cycles::Transaction<Value, Value>>),
}

impl Content {
    /// How many operations there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Content::Etcd(etcd) => etcd.0.history.operations.len(),
            Content::Recorded(recorded) => recorded.len(),
            Content::Lists(transactions) => transactions.len(),
        }
    }
}

/// Reads a file, or a folder with a report of the robustness tests.
pub(super) fn read(path: &Path, format: Format) -> Result<Content, Error> {
    if path.is_dir() {
        return folder(path);
    }
    let file = path.to_string_lossy().into_owned();
    let mistaken = |error| mistaken(error, path);
    let bytes = || fs::read(path).map_err(unreadable(path));
    let detected = match format {
        Format::Auto => detect_path(path).map_err(mistaken)?,
        Format::Etcdsim => Detected::Etcdsim(2),
        Format::General => Detected::General,
        Format::Edn => Detected::Edn,
        Format::JepsenLog => Detected::JepsenLog,
        Format::Robustness => Detected::RobustnessOperations,
    };
    Ok(match detected {
        Detected::Etcdsim(_) => etcdsim(&file, path)?,
        Detected::General => Content::Recorded(general::read_from(&file, open(path)?).map_err(mistaken)?),
        Detected::Edn => match edn::read(&file, &bytes()?).map_err(mistaken)? {
            Jepsen::Recorded(recorded) => Content::Recorded(recorded),
            Jepsen::ListAppend(transactions) => {
                Content::Lists(transactions.into_iter().map(transaction).collect())
            }
        },
        Detected::JepsenLog => {
            let initial = InRegister(None);
            let operations =
                Operations::Single(histories::jepsen_log::read(&file, &bytes()?).map_err(mistaken)?);
            Content::Recorded(Recorded::Register { cas: true, initial, operations })
        }
        Detected::RobustnessOperations => {
            let operations = report::read(&file, &bytes()?).map_err(mistaken)?;
            // The other clients of the report wrote, too.
            etcd(&operations, &[], true)
        }
        Detected::RobustnessWatch => return Err(Error::OnlyWatches { path: path.to_path_buf() }),
    })
}

/// A mistake, with the text that has it, to show the place.
fn mistaken(error: histories::Error, path: &Path) -> Error {
    Error::in_recorded(error, &fs::read(path).unwrap_or_default())
}

fn etcdsim(file: &str, path: &Path) -> Result<Content, Error> {
    let read = HistoryFile::read_from(file, open(path)?).map_err(|error| {
        let text = fs::read(path).unwrap_or_default();
        Error::in_history(error, String::from_utf8_lossy(&text).into_owned())
    })?;
    Ok(Content::Etcd(Box::new(read.into_record())))
}

fn open(path: &Path) -> Result<fs::File, Error> {
    fs::File::open(path).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> Error {
    |error| Error::NoHistory { path: path.to_path_buf(), error }
}

fn etcd(operations: &[report::Operation], watches: &[Watch], open_world: bool) -> Content {
    let record = Record { history: robustness::history(operations), ..Record::default() };
    let watched = robustness::watched(watches);
    Content::Etcd(Box::new((record, Expectations { watched, open_world, ..Expectations::default() })))
}

/// All clients of a report: every `operations.json` and `watch.json` in the folder and in its folders.
fn folder(path: &Path) -> Result<Content, Error> {
    let mut files = Vec::new();
    gather(path, 2, &mut files).map_err(unreadable(path))?;
    files.sort();
    let (mut operations, mut watches) = (Vec::new(), Vec::new());
    let mut found = false;
    for path in files {
        let file = path.to_string_lossy().into_owned();
        let read = || fs::read(&path).map_err(unreadable(&path));
        match path.file_name().and_then(|name| name.to_str()) {
            Some("operations.json") => {
                operations.extend(report::read(&file, &read()?).map_err(|error| mistaken(error, &path))?);
                found = true;
            }
            Some("watch.json") => {
                let read = report::read_watches(&file, &read()?);
                watches.extend(read.map_err(|error| mistaken(error, &path))?);
            }
            _ => {}
        }
    }
    if found {
        Ok(etcd(&operations, &watches, false))
    } else {
        Err(Error::NoReport { path: path.to_path_buf() })
    }
}

fn gather(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && depth > 0 {
            gather(&path, depth - 1, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn transaction(transaction: edn::Transaction) -> cycles::Transaction<Value, Value> {
    let ops = transaction.ops.into_iter().map(|op| match op {
        ListOp::Append(key, value) => cycles::Step::Append(key, value),
        ListOp::Read(key, seen) => cycles::Step::Read(key, seen),
    });
    let outcome = match transaction.outcome {
        linear::Outcome::Answered { at, .. } => cycles::Outcome::Committed { at },
        linear::Outcome::Failed { .. } => cycles::Outcome::Failed,
        linear::Outcome::Unknown => cycles::Outcome::Unknown,
    };
    cycles::Transaction { client: transaction.client, call: transaction.call, outcome, ops: ops.collect() }
}
