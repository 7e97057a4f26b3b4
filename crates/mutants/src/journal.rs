//! The journal: a file with a line for each mutant that was tried, so that an interruption loses nothing.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::select::{Sample, Shard};
use crate::trial::{Compare, Outcome};

/// The name and version of the format.
pub const SCHEMA: &str = "etcdsim.mutants.journal/1";

/// The first line: what was tried, and with what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The format: [`SCHEMA`].
    pub schema: String,
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The program that held the mutants, as a number that differs for different programs.
    pub program: u64,
    /// The names of the jobs.
    pub jobs: Vec<String>,
    /// What mutants are compared by.
    pub compare: Compare,
    /// The files that were asked for; none for all.
    pub only: Vec<String>,
    /// How many mutants these files have.
    pub found: usize,
    /// How many of them do not compile.
    pub left_out: usize,
    /// The sample.
    pub sample: Option<Sample>,
    /// The shard.
    pub shard: Option<Shard>,
    /// How many mutants are tried.
    pub planned: usize,
}

/// A journal that was read.
#[derive(Clone, Debug)]
pub struct Journal {
    /// Its first line.
    pub header: Header,
    /// The other lines.
    pub outcomes: Vec<Outcome>,
}

impl Journal {
    /// Reads a journal. The last line may be torn, if the run was interrupted while it wrote.
    ///
    /// # Errors
    /// If it cannot be read, or is no journal.
    pub fn read(path: &Path) -> Result<Journal, Error> {
        let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
        let format = |line: usize, error: serde_json::Error| Error::Format {
            path: path.to_path_buf(),
            why: format!("line {line} is no line of a journal of mutants: {error}"),
        };
        let mut lines = text.lines().enumerate().peekable();
        let first = lines.next().map_or("", |(_, line)| line);
        let header: Header = serde_json::from_str(first).map_err(|error| format(1, error))?;
        if header.schema != SCHEMA {
            let why = format!("its format is {}, but this version reads {SCHEMA}", header.schema);
            return Err(Error::Format { path: path.to_path_buf(), why });
        }
        let mut outcomes = Vec::new();
        while let Some((nth, line)) = lines.next() {
            match serde_json::from_str(line) {
                Ok(outcome) => outcomes.push(outcome),
                Err(_) if lines.peek().is_none() && !text.ends_with('\n') => {}
                Err(error) => return Err(format(nth + 1, error)),
            }
        }
        Ok(Journal { header, outcomes })
    }
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
}

/// Reads the journal that is there before a run begins: `None` if there is none, or one that is finished and may be
/// written over.
///
/// # Errors
/// If it is unfinished and not to be continued, or no journal at all.
pub fn before(path: &Path, resume: bool) -> Result<Option<Journal>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    let journal = Journal::read(path)?;
    let (done, planned) = (journal.outcomes.len(), journal.header.planned);
    match resume {
        true => Ok(Some(journal)),
        false if done < planned => Err(Error::Unfinished { path: path.to_path_buf(), done, planned }),
        false => Ok(None),
    }
}

impl Writer {
    /// Begins a journal, or continues `before`. Returns what it has already.
    ///
    /// # Errors
    /// If `before` is of another run.
    pub fn open(
        path: &Path,
        header: &Header,
        before: Option<Journal>,
    ) -> Result<(Writer, Vec<Outcome>), Error> {
        let different = before.as_ref().and_then(|before| difference(&before.header, header));
        if let Some(why) = different {
            return Err(Error::CannotResume { path: path.to_path_buf(), why });
        }
        let outcomes = before.map(|before| before.outcomes).unwrap_or_default();
        // Written anew as a whole, which drops a torn line at the end; and moved into place, so that a complete journal
        // is there at any time.
        let new = path.with_extension("new");
        let file = File::create(&new).map_err(Error::file("write", &new))?;
        let mut writer = Writer { path: path.to_path_buf(), file };
        writer.line(header)?;
        outcomes.iter().try_for_each(|outcome| writer.add(outcome))?;
        fs::rename(&new, path).map_err(Error::file("write", path))?;
        Ok((writer, outcomes))
    }

    /// Adds an outcome.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, outcome: &Outcome) -> Result<(), Error> {
        self.line(outcome)
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(value).map_err(std::io::Error::from);
        // One call for a line, so that an interruption tears no line in two.
        let written = text.and_then(|text| self.file.write_all(format!("{text}\n").as_bytes()));
        written.map_err(Error::file("write", &self.path))
    }
}

/// Why a journal with the header `old` is not one of a run with the header `new`.
fn difference(old: &Header, new: &Header) -> Option<String> {
    let reasons = [
        (old.package == new.package && old.version == new.version, "it belongs to another package"),
        (old.jobs == new.jobs, "it is for other scenarios or seeds"),
        (old.only == new.only, "it covers other files"),
        (old.compare == new.compare, "its mutants were compared by something else"),
        (old.sample == new.sample && old.shard == new.shard, "it covers another sample or shard"),
        (old.program == new.program, "the sources of the package or the simulator have changed since"),
        (old == new, "it covers other mutants"),
    ];
    reasons.into_iter().find(|(same, _)| !same).map(|(_, why)| why.to_string())
}
