//! Reads a history file of any supported format, and detects the format if the user names none. A folder can be read,
//! too, if it has a report of etcd's robustness tests.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use histories::edn::{self, Indexed, Indices, Jepsen, Syntax};
use histories::robustness as report;
use histories::{Format as Detected, Operations, Recorded, RegisterValue, Value, detect_path, general};
use record::Record;
use verify::Expectations;
use verify::history_file::HistoryFile;

use crate::error::Error;
use crate::robustness::{Conversion, ConvertedReport};

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Detected from the beginning of the file
    Auto,
    /// Histories of etcd (docs/histories.md)
    Etcdsim,
    /// Histories of any model (docs/general-history.md)
    General,
    /// Jepsen histories in EDN, which includes Porcupine's key-value files
    Edn,
    /// Jepsen histories in JSON
    JepsenJson,
    /// Jepsen's history.txt or jepsen.log
    JepsenText,
    /// Jepsen's logs of an early etcd
    JepsenLog,
    /// operations.json of etcd's robustness tests, or a folder with the reports of all clients
    Robustness,
    /// Traces of etcd-io/raft, judged by S (docs/traces.md); never detected
    RaftTrace,
    /// Records of real processes: those of all members of a cluster together (docs/server.md)
    Record,
}

/// A history, ready to be judged.
#[derive(Debug)]
pub(super) enum Content {
    /// A history of etcd.
    Etcd(Box<(Record, Expectations)>),
    /// A history of one of the models that `linear` ships.
    Recorded(Recorded),
    /// Transactions on lists.
    Lists(Vec<edn::Transaction>),
    /// Transactions on registers, and the initial value of the registers.
    Registers(Vec<edn::RegisterTransaction>, RegisterValue),
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct ReadFile {
    /// The history.
    pub(super) content: Content,
    /// For each operation of a Jepsen history, the numbers of its events there; empty for other formats.
    pub(super) indices: Vec<Indices>,
    /// Violations that the clients of the test reported themselves.
    pub(super) reported: Vec<String>,
    /// What a reader of the verdict needs to know, a sentence each.
    pub(super) notes: Vec<String>,
    /// What was skipped in the file, a sentence each with the place.
    pub(super) warnings: Vec<String>,
}

impl From<Content> for ReadFile {
    fn from(content: Content) -> ReadFile {
        ReadFile {
            content,
            indices: Vec::new(),
            reported: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

impl From<Indexed> for ReadFile {
    fn from(Indexed { history, indices, reported }: Indexed) -> ReadFile {
        let content = match history {
            Jepsen::Recorded(recorded) => Content::Recorded(recorded),
            Jepsen::ListAppend(transactions) => Content::Lists(transactions),
            Jepsen::Registers(transactions) => Content::Registers(transactions, RegisterValue(None)),
        };
        ReadFile { indices, reported, ..ReadFile::from(content) }
    }
}

impl Content {
    /// The number of operations.
    pub(super) fn len(&self) -> usize {
        match self {
            Content::Etcd(etcd) => etcd.0.history.operations.len(),
            Content::Recorded(recorded) => recorded.len(),
            Content::Lists(transactions) => transactions.len(),
            Content::Registers(transactions, _) => transactions.len(),
        }
    }

    /// The initial value of registers or counters; `None` if the model has no such value.
    pub(super) fn initial(&self) -> Option<RegisterValue> {
        match self {
            Content::Recorded(Recorded::Register { initial, .. } | Recorded::Versioned { initial, .. })
            | Content::Registers(_, initial) => Some(initial.clone()),
            Content::Recorded(Recorded::Counter { initial, .. }) => {
                Some(RegisterValue(Some(Value::Number(*initial))))
            }
            _ => None,
        }
    }

    /// Sets the initial value of registers or counters. Returns whether the model has such a value.
    pub(super) fn begin_with(&mut self, value: &RegisterValue) -> bool {
        match self {
            Content::Recorded(Recorded::Register { initial, .. } | Recorded::Versioned { initial, .. })
            | Content::Registers(_, initial) => {
                *initial = value.clone();
                true
            }
            Content::Recorded(Recorded::Counter { initial, .. }) => match value.0 {
                Some(Value::Number(number)) => {
                    *initial = number;
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }
}

/// Reads a file, or a folder with a report of the robustness tests.
pub(super) fn read(path: &Path, format: Format) -> Result<ReadFile, Error> {
    if path.is_dir() {
        return match format {
            Format::Auto | Format::Robustness => folder(path),
            _ => Err(Error::NoFile { path: path.to_path_buf() }),
        };
    }
    let mut source = Source::open(path)?;
    let detected = match format {
        Format::Auto => source.detect()?,
        Format::Etcdsim => Detected::Etcdsim(2),
        Format::General => Detected::General,
        Format::Edn => Detected::Edn,
        Format::JepsenJson => Detected::JepsenJson,
        Format::JepsenText => Detected::JepsenLines,
        Format::JepsenLog => Detected::JepsenLog,
        Format::Robustness => Detected::RobustnessOperations,
        Format::RaftTrace | Format::Record => {
            unreachable!("traces and records are judged before files are read")
        }
    };
    source.read_rest()?;
    if format != Format::Auto && source.is_empty()? {
        // The error from detection lists the formats.
        source.detect()?;
    }
    let (file, mistaken) = (&source.name[..], |error| source.mistaken(error));
    let jepsen = |syntax| -> Result<ReadFile, Error> {
        Ok(edn::read_as(file, &source.bytes()?, syntax).map_err(mistaken)?.into())
    };
    let content = match detected {
        Detected::Etcdsim(_) => {
            let read = HistoryFile::read_from(file, source.reader()?);
            let read = read.map_err(|error| Error::in_history(error, &source.bytes().unwrap_or_default()))?;
            Content::Etcd(Box::new(read.into_record()))
        }
        Detected::General => Content::Recorded(general::read_from(file, source.reader()?).map_err(mistaken)?),
        Detected::Edn => return jepsen(Syntax::Edn),
        Detected::JepsenJson => return jepsen(Syntax::Json),
        Detected::JepsenLines => return jepsen(Syntax::Lines),
        Detected::JepsenLog => {
            let initial = RegisterValue(None);
            let history = histories::jepsen_log::read(file, &source.bytes()?).map_err(mistaken)?;
            let operations = Operations::Single(history);
            Content::Recorded(Recorded::Register { cas: true, initial, operations })
        }
        Detected::RobustnessOperations => {
            let (mut reader, mut conversion) = (report::Reader::default(), Conversion::default());
            let each = |operation| conversion.operation(&operation);
            reader.operations(file, source.reader()?, each).map_err(mistaken)?;
            // The file has the operations of one client, but other clients wrote, too.
            return Ok(etcd(conversion.finish(), true, &reader));
        }
        Detected::RobustnessWatch => return Err(Error::OnlyWatches { path: path.to_path_buf() }),
    };
    Ok(content.into())
}

/// A file that is being read.
struct Source<'a> {
    path: &'a Path,
    name: String,
    /// For a pipe or anything else that can be read only once: the bytes read so far, and the source of the rest.
    kept: Option<(Vec<u8>, fs::File)>,
}

impl<'a> Source<'a> {
    fn open(path: &'a Path) -> Result<Source<'a>, Error> {
        let name = path.to_string_lossy().into_owned();
        let plain = fs::metadata(path).map_err(unreadable(path))?.is_file();
        let kept = if plain { None } else { Some((Vec::new(), open(path)?)) };
        Ok(Source { path, name, kept })
    }

    fn detect(&mut self) -> Result<Detected, Error> {
        let detected = match &mut self.kept {
            None => detect_path(self.path),
            Some((bytes, from)) => {
                let read = from.take(histories::LOOKED_AT_BYTES).read_to_end(bytes);
                read.map_err(unreadable(self.path))?;
                histories::detect(&self.name, bytes)
            }
        };
        detected.map_err(|error| self.mistaken(error))
    }

    /// Reads the rest of a file that can be read only once.
    fn read_rest(&mut self) -> Result<(), Error> {
        if let Some((bytes, from)) = &mut self.kept {
            from.read_to_end(bytes).map_err(unreadable(self.path))?;
        }
        Ok(())
    }

    fn is_empty(&self) -> Result<bool, Error> {
        Ok(match &self.kept {
            Some((bytes, _)) => bytes.is_empty(),
            None => fs::metadata(self.path).map_err(unreadable(self.path))?.len() == 0,
        })
    }

    fn bytes(&self) -> Result<Cow<'_, [u8]>, Error> {
        match &self.kept {
            Some((bytes, _)) => Ok(Cow::Borrowed(bytes)),
            None => fs::read(self.path).map(Cow::Owned).map_err(unreadable(self.path)),
        }
    }

    fn reader(&self) -> Result<Box<dyn io::Read + '_>, Error> {
        Ok(match &self.kept {
            Some((bytes, _)) => Box::new(&bytes[..]),
            None => Box::new(open(self.path)?),
        })
    }

    /// Adds the text of the file to an error, so that the message can show the mistake.
    fn mistaken(&self, error: histories::Error) -> Error {
        Error::in_recorded(error, &self.bytes().unwrap_or_default())
    }
}

fn open(path: &Path) -> Result<fs::File, Error> {
    fs::File::open(path).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> Error {
    |error| Error::NoHistory { path: path.to_path_buf(), error }
}

/// Makes the result from a converted report. `part` means that the report does not have all clients.
fn etcd(converted: ConvertedReport, part: bool, reader: &report::Reader) -> ReadFile {
    let ConvertedReport { history, members, unknown } = converted;
    let mut warnings: Vec<String> = Vec::new();
    for field in reader.unknown() {
        let report::UnknownField { name, file, line, column } = field;
        warnings.push(format!(
            "{file}:{line}:{column}: the field `{name}` is unknown; it is skipped here and everywhere else."
        ));
    }
    if let Some(kind) = &unknown {
        warnings.push(format!(
            "Requests of the unknown type `{kind}` are left out, so some revisions may be theirs."
        ));
    }
    let notes = members.iter().map(|(id, number)| format!("Member {number} has the id {id} in the report."));
    let expectations = Expectations { open_world: part || unknown.is_some(), ..Expectations::default() };
    let record = Record { history, ..Record::default() };
    let content = Content::Etcd(Box::new((record, expectations)));
    ReadFile { notes: notes.collect(), warnings, ..ReadFile::from(content) }
}

/// Reads all clients of a report: every `operations.json` and `watch.json` in the folder and its subfolders.
fn folder(path: &Path) -> Result<ReadFile, Error> {
    let mut files = Vec::new();
    gather(path, 2, &mut files).map_err(unreadable(path))?;
    files.sort();
    let (mut reader, mut conversion) = (report::Reader::default(), Conversion::default());
    let mut found = false;
    let mut reports = BTreeSet::new();
    for path in files {
        let file = path.to_string_lossy().into_owned();
        let mistaken = |error| Error::in_recorded(error, &fs::read(&path).unwrap_or_default());
        let client = path.parent().and_then(client_of);
        match path.file_name().and_then(|name| name.to_str()) {
            Some("operations.json") => {
                let each = |operation| conversion.operation(&operation);
                reader.operations(&file, open(&path)?, each).map_err(mistaken)?;
                found = true;
            }
            Some("watch.json") => {
                let each = |part| conversion.watch(client.unwrap_or_default(), part);
                reader.watches(&file, open(&path)?, each).map_err(mistaken)?;
            }
            _ => continue,
        }
        let folder = path.parent().filter(|_| client.is_some()).and_then(Path::parent);
        reports.extend(folder.map(Path::to_path_buf));
    }
    if reports.len() > 1 {
        return Err(Error::SeveralReports {
            path: path.to_path_buf(),
            reports: reports.into_iter().collect(),
        });
    }
    if !found {
        return Err(Error::NoReport { path: path.to_path_buf() });
    }
    // The folder of one client lacks what the others wrote.
    Ok(etcd(conversion.finish(), client_of(path).is_some(), &reader))
}

/// The number of the client whose folder this is, if it is one.
fn client_of(folder: &Path) -> Option<u32> {
    folder.file_name()?.to_str()?.strip_prefix("client-")?.parse().ok()
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
