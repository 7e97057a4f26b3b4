//! The mistakes of a user: in a file, a name or a number. Each message says how to fix the mistake. The command then
//! ends with exit code 2.

use std::io;
use std::path::PathBuf;

use histories::Mistake;
use miette::{Diagnostic, NamedSource, SourceSpan};
use plan::ScenarioErrors;
use record::MemberId;
use thiserror::Error;
use verify::history_file::FileError;

/// A mistake in what the user asked for.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// A scenario or plan with mistakes; each is underlined.
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] Box<ScenarioErrors>),

    /// A folder or file that cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    #[diagnostic(help("name a scenario, a saved plan, or a folder that holds some"))]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },

    /// A folder without a scenario.
    #[error("there is no scenario (*.toml) in {}", path.display())]
    #[diagnostic(help("`etcdsim scenarios FOLDER` lists what a folder holds"))]
    NothingToRun {
        /// The folder.
        path: PathBuf,
    },

    /// A flaw that does not exist.
    #[error("{prefix}there is no flaw {name:?}")]
    #[diagnostic(help("{help}"))]
    UnknownFlaw {
        /// "file: " or nothing.
        prefix: String,
        /// What was asked for.
        name: String,
        /// The nearest one and the list.
        help: String,
    },

    /// A flaw on a member that does not exist.
    #[error("{file}: flaw {flaw} is switched on for member {member}, but the members are 1 to {members}")]
    #[diagnostic(help("write `{flaw}@N` with N from 1 to {members}, or `{flaw}` alone for every member"))]
    FlawNowhere {
        /// The scenario.
        file: String,
        /// The flaw.
        flaw: String,
        /// The member it was asked for.
        member: MemberId,
        /// How many members there are.
        members: u32,
    },

    /// A file that cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },

    /// A scenario was to be replayed without a seed.
    #[error("{file} is a scenario: it needs a seed to become a run")]
    #[diagnostic(help("add `--seed N`, or name a saved plan"))]
    ScenarioWithoutSeed {
        /// The scenario.
        file: String,
    },

    /// A plan was to be replayed with a seed.
    #[error("{file} is a plan, so it takes no seed")]
    #[diagnostic(help("leave out `--seed`, or name the scenario that the plan came from"))]
    SeedOfPlan {
        /// The plan.
        file: String,
    },

    /// What a run reached was to be written into something that is no saved plan.
    #[error("{file} is not a plan as it runs, so nothing can be written into it")]
    #[diagnostic(help("name a saved plan, without `--flaw`"))]
    NoPlanToWrite {
        /// The file.
        file: String,
    },

    /// A plan was to be aimed that does not say what it should reach.
    #[error("{file} does not say what it reached")]
    #[diagnostic(help(
        "name a saved plan; `etcdsim replay PLAN --write-reached`, with a build in which it gets there, records it"
    ))]
    NothingReached {
        /// The file.
        file: String,
    },

    /// An environment variable that should be a number and is not.
    #[error("{name} is {value:?}")]
    #[diagnostic(help("set it to a whole number up to {most}, or unset it"))]
    BadVariable {
        /// The variable.
        name: &'static str,
        /// What it is set to.
        value: String,
        /// The largest number it may be.
        most: u64,
    },

    /// An invalid log filter.
    #[error("{filter:?} is not a log filter: {why}")]
    #[diagnostic(help("write a level such as `debug`, or `TARGET=LEVEL` such as `raft=debug`"))]
    BadLogFilter {
        /// What was asked for.
        filter: String,
        /// What is wrong with it.
        why: String,
    },

    /// A history that cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    #[diagnostic(help(
        "name a file in one of the formats of docs/histories.md and docs/general-history.md, or the folder of a report of etcd's robustness tests"
    ))]
    NoHistory {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },

    /// A folder was named where a file is needed.
    #[error("{} is a folder", path.display())]
    #[diagnostic(help(
        "name a file; only reports of etcd's robustness tests are folders, with or without `--format robustness`"
    ))]
    NoFile {
        /// The folder.
        path: PathBuf,
    },

    /// A folder without a report.
    #[error("there is no operations.json in {}", path.display())]
    #[diagnostic(help(
        "name the folder of one report of etcd's robustness tests: the one that has a folder for each client"
    ))]
    NoReport {
        /// The folder.
        path: PathBuf,
    },

    /// A folder with more than one report.
    #[error("{} has {} reports: {}", path.display(), reports.len(), listed(reports))]
    #[diagnostic(help("name the folder of one of them"))]
    SeveralReports {
        /// The folder.
        path: PathBuf,
        /// The folders of the reports.
        reports: Vec<PathBuf>,
    },

    /// A file with only what watchers received, without the clients' operations.
    #[error("{} holds only what watchers saw", path.display())]
    #[diagnostic(help(
        "name the folder of the report, so that it is judged together with the operations.json there"
    ))]
    OnlyWatches {
        /// The file.
        path: PathBuf,
    },

    /// A history of a different model than the user asked for.
    #[error("{} holds a history of the model {held}, not {asked}", path.display())]
    #[diagnostic(help("leave out `--model`, or write `--model {held}`"))]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// What it holds.
        held: String,
        /// What was asked for.
        asked: String,
    },

    /// An initial value was given for a history of a model that has none, or one that it cannot have.
    #[error("{} holds a history of the model {held}, which cannot begin with {value}", path.display())]
    #[diagnostic(help(
        "leave out `--initial`: registers can begin with any value, counters with a whole number, and nothing else has an initial value"
    ))]
    NoInitial {
        /// The file.
        path: PathBuf,
        /// What it holds.
        held: String,
        /// What was given.
        value: String,
    },

    /// A first revision was given for a history without revisions.
    #[error("{} holds a history of the model {held}, which has no revisions", path.display())]
    #[diagnostic(help("leave out `--start-revision`: only histories of etcd have revisions"))]
    NoStartRevision {
        /// The file.
        path: PathBuf,
        /// What it holds.
        held: String,
    },

    /// The revision engine was asked to judge a history without revisions.
    #[error("the answers in {} carry no revisions: it is a history of the model {held}", path.display())]
    #[diagnostic(help("leave out `--engine`, or write `--engine general`"))]
    NoRevisions {
        /// The file.
        path: PathBuf,
        /// What it holds.
        held: String,
    },

    /// Several histories were to be written to one file.
    #[error("{} can hold one history only", path.display())]
    #[diagnostic(help("name one history at a time with `--write`"))]
    OneHistoryToWrite {
        /// The file to write.
        path: PathBuf,
    },

    /// A history with a mistake, which is underlined.
    #[error(transparent)]
    #[diagnostic(transparent)]
    History(Box<HistoryError>),
}

/// What is wrong with a history, and where.
#[derive(Debug, Error, Diagnostic)]
#[error("{file}:{line}:{column}: {heading}")]
#[diagnostic(help("{help}"))]
pub struct HistoryError {
    file: String,
    heading: String,
    #[source_code]
    text: NamedSource<String>,
    what: String,
    help: String,
    line: usize,
    column: usize,
    #[label("{what}")]
    place: Option<SourceSpan>,
}

/// How many folders are listed; the others are only counted.
const FOLDERS_SHOWN: usize = 3;

/// The first few folders.
fn listed(folders: &[PathBuf]) -> String {
    let shown = folders.iter().take(FOLDERS_SHOWN).map(|folder| folder.display().to_string());
    let more = if folders.len() > FOLDERS_SHOWN { ", …" } else { "" };
    shown.collect::<Vec<_>>().join(", ") + more
}

impl From<ScenarioErrors> for Error {
    fn from(errors: ScenarioErrors) -> Error {
        Error::File(Box::new(errors))
    }
}

impl Error {
    /// A mistake that a reader of the crate `histories` found in a file with these bytes.
    pub(crate) fn in_recorded(error: histories::Error, bytes: &[u8]) -> Error {
        match error {
            histories::Error::Io { file, source } => Error::NoHistory { path: file.into(), error: source },
            histories::Error::Mistake(mistake) => {
                let Mistake { file, line, column, expected, found, hint } = *mistake;
                let what = format!("expected {expected}, found {found}");
                Error::History(Box::new(HistoryError::new(file, bytes, (line, column), what, hint)))
            }
        }
    }

    /// A mistake in a file with these bytes, which holds a history in this project's own format.
    pub(crate) fn in_history(error: FileError, bytes: &[u8]) -> Error {
        let FileError { file, line, column, what } = error;
        let help =
            "the format is described in docs/histories.md; `etcdsim replay PLAN --history FILE` writes it";
        Error::History(Box::new(HistoryError::new(file, bytes, (line, column), what, help.to_string())))
    }
}

/// If a line nearby is longer than this, the text is not shown, because the mistake would be hard to find in it.
const LINE_SHOWN: usize = 2000;

impl HistoryError {
    fn new(
        file: String,
        bytes: &[u8],
        (line, column): (usize, usize),
        what: String,
        help: String,
    ) -> HistoryError {
        let is_end = |byte: &u8| *byte == b'\n';
        let near = bytes.split(is_end).skip(line.saturating_sub(2)).take(3);
        let shown = !bytes.is_empty() && near.into_iter().all(|line| line.len() <= LINE_SHOWN);
        let (heading, text, place) = if shown {
            let above: usize = bytes.split_inclusive(is_end).take(line - 1).map(<[u8]>::len).sum();
            let at = (above + column - 1).min(bytes.len());
            let text = String::from_utf8_lossy(bytes).into_owned();
            let place = text.floor_char_boundary(String::from_utf8_lossy(&bytes[..at]).len());
            ("not a history".to_string(), text, Some(SourceSpan::from((place, 0))))
        } else {
            (format!("not a history: {what}"), String::new(), None)
        };
        HistoryError { text: NamedSource::new(&file, text), file, heading, what, help, place, line, column }
    }
}
