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

    /// A program of this project that is not in this one's folder.
    #[error("cannot execute {program}: {error}")]
    #[diagnostic(help(
        "`cargo build --release -p {program}` makes it, and it must be in the same folder as etcdsim"
    ))]
    NotBeside {
        /// The program, and the package that it is in.
        program: &'static str,
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

    /// A shrunk plan would overwrite a file that is no earlier result for the same failure.
    #[error("{} exists and is no shrunk plan of this failure: {signature}", path.display())]
    #[diagnostic(help("name another file with `--output`, or remove it"))]
    OutputTaken {
        /// The file.
        path: PathBuf,
        /// What fails.
        signature: String,
    },

    /// A trace for a viewer was asked for, and neither an option nor the file's name says which.
    #[error("the name of {} does not say which format to write", path.display())]
    #[diagnostic(help(
        "add `--trace-format chrome`, `shiviz` or `raft-ndjson`, or end the name in .json, .shiviz or .ndjson"
    ))]
    UnknownTraceFormat {
        /// The file.
        path: PathBuf,
    },

    /// Two runs were to be compared that cannot differ.
    #[error("the two runs would be the same")]
    #[diagnostic(help(
        "say what differs: `--flaw ID@MEMBER`, `--against-flaw ID`, `--without-fault ID`, or `--other-binary PATH`"
    ))]
    NothingDiffers,

    /// A fault that a plan does not have.
    #[error("{file}: there is no fault {id}")]
    #[diagnostic(help("the plan has the faults {known}; `etcdsim plan` prints them"))]
    NoSuchFault {
        /// The plan.
        file: String,
        /// What was asked for.
        id: u32,
        /// The ids of its faults.
        known: String,
    },

    /// Another build could not replay a plan.
    #[error("{} did not replay {file}: {why}", binary.display())]
    #[diagnostic(help(
        "it must be an etcdsim that knows `replay --trace-file` and everything that the plan has"
    ))]
    OtherBuild {
        /// Its program.
        binary: PathBuf,
        /// The plan.
        file: String,
        /// What went wrong.
        why: String,
    },

    /// A program that is needed cannot be started.
    #[error("cannot start {tool}: {error}")]
    #[diagnostic(help("install it, or put it into a folder of PATH"))]
    NoTool {
        /// The program.
        tool: &'static str,
        /// Why.
        error: io::Error,
    },

    /// Git refused.
    #[error("git {command} failed in {}: {why}", repository.display())]
    #[diagnostic(help("name a repository of etcdsim with `--repository`, and commits that it has"))]
    Git {
        /// The repository.
        repository: PathBuf,
        /// The command.
        command: String,
        /// What git said.
        why: String,
    },

    /// A commit that does not exist.
    #[error("{} has no commit {revision:?}", repository.display())]
    #[diagnostic(help("name a commit, a tag or a branch; `--repository` says where to look"))]
    NoCommit {
        /// The repository.
        repository: PathBuf,
        /// What was asked for.
        revision: String,
    },

    /// A commit is not what a search needs it to be.
    #[error("commit {commit} {what}")]
    #[diagnostic(help(
        "name a good commit, with which the plan holds, and a later bad one, with which it fails"
    ))]
    NotGood {
        /// The commit.
        commit: String,
        /// What is wrong with it.
        what: String,
    },

    /// A run was to be walked, and there is no terminal.
    #[error("`--step` needs a terminal")]
    #[diagnostic(help(
        "run it in one, or print the events with `--trace` and the members' states with `--until TIME`"
    ))]
    NoTerminal,

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
    #[error("{file} is not the plan that was run, so nothing can be written into it")]
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

    /// A record of a process cannot be read.
    #[error("{}: {error}", path.display())]
    #[diagnostic(help("name a file that `etcdsim serve --record FILE` has written"))]
    NoRecord {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },

    /// Records cannot be judged together.
    #[error("{what}")]
    #[diagnostic(help(
        "give the records of all members of one cluster, each from the member's first start on; `etcdsim step` walks any record again"
    ))]
    NotOneCluster {
        /// Why.
        what: String,
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
    #[diagnostic(help("name one history at a time with `--write` or `--page`"))]
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

    /// A mistake in a file with these bytes, which should be a trace of etcd-io/raft.
    pub(crate) fn in_raft_trace(error: FileError, bytes: &[u8]) -> Error {
        let FileError { file, line, column, what } = error;
        let help = "docs/traces.md describes the format; etcd-io/raft writes it if it is built with `-tags with_tla`, and `etcdsim replay PLAN --trace-out FILE.ndjson` of a run";
        let mistake = HistoryError::new(file, bytes, (line, column), what, help.to_string());
        Error::History(Box::new(mistake.in_a("trace of raft")))
    }

    /// A mistake in a record of a process. Its text is not shown: it may be large.
    pub(crate) fn in_record(error: FileError) -> Error {
        let FileError { file, line, column, what } = error;
        let help = "`etcdsim serve --record FILE` writes records; docs/server.md says what is in them";
        let mistake = HistoryError::new(file, &[], (line, column), what, help.to_string());
        Error::History(Box::new(mistake.in_a("record")))
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
    /// The file should hold this instead of a history.
    fn in_a(mut self, what: &str) -> HistoryError {
        self.heading = self.heading.replacen("history", what, 1);
        self
    }

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
