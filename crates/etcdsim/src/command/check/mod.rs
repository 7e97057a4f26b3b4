//! `etcdsim check`: reads histories that were recorded elsewhere, judges each with one of two engines, and prints the
//! verdicts. Nothing is run.
//!
//! * `file`: reads a file of any format; `engine`: judges a history and describes the verdict.
//! * `shrink`, `window`: the fewest operations that still show a violation.
//! * `sums`, `transactions`: the parts of the judging that only counters and banks, or only transactions need.
//! * `raft_trace`: traces of etcd-io/raft, judged by S. `records`: what real processes did.
//! * `hints`: what besides a bug may explain a violation; `page`: shows a history; `bench`, `containers`: measure the engines.

mod any;
mod bench;
mod containers;
mod engine;
mod file;
mod hints;
mod page;
mod raft_trace;
mod records;
mod shrink;
mod sums;
mod transactions;
mod window;

use std::fmt::{self, Write};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use histories::RegisterValue;
use indicatif::ProgressBar;
use linear::Budget;
use owo_colors::OwoColorize;
use serde::Serialize;
use verify::history_file::HistoryFile;

use super::{Mistakes, values};
use crate::error::Error;
use crate::exit::Exit;
use crate::recorded;
use crate::replay_line;
use crate::show::{human, numbers, scope};
use crate::stopwatch::Stopwatch;
use engine::{End, General, Judgement};
use file::{Content, Format, ReadFile};

/// The most operations and reasons shown of a conflict; the others are counted.
const OPERATIONS_SHOWN: usize = 40;
const REASONS_SHOWN: usize = 8;

const BYTES_IN_MIB: usize = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Histories, or folders with a report of etcd's robustness tests
    #[arg(required_unless_present_any = ["bench", "bench_memory"])]
    histories: Vec<PathBuf>,
    /// The model of the histories; a file of any other model is an error
    #[arg(long, value_enum, default_value_t = Model::Auto)]
    model: Model,
    /// The engine that judges
    #[arg(long, value_enum, default_value_t = Engine::Auto)]
    engine: Engine,
    /// The format of the files
    #[arg(long, value_enum, default_value_t = Format::Auto)]
    format: Format,
    /// What every register holds, or every counter shows, before the first operation: `0`, `nil`, `:empty`
    #[arg(long, value_name = "VALUE", value_parser = values::register, allow_hyphen_values = true)]
    initial: Option<RegisterValue>,
    /// The revision of an etcd's store when its history began, if it was in use before; it must have been empty then,
    /// without keys and leases
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(i64).range(1..))]
    start_revision: Option<i64>,
    /// Accounts of a bank may hold less than nothing
    #[arg(long)]
    negative_balances: bool,
    /// Judge all keys together, even if each could be judged separately
    #[arg(long)]
    together: bool,
    /// The most configurations that the general engine may search
    #[arg(long, value_name = "COUNT", default_value_t = Budget::default().steps_max)]
    steps: u64,
    /// The most memory that a search may take, in MiB
    #[arg(long, value_name = "MIB", default_value_t = Budget::default().bytes_max / BYTES_IN_MIB)]
    memory: usize,
    /// The most time that one history may take: `5m`, `90s`; a verdict that depends on it is not reproducible
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    time_budget: Option<Duration>,
    /// How many independent parts to judge at a time
    #[arg(long, default_value = "1")]
    jobs: NonZeroUsize,
    /// Write the history to this file, in this project's own format
    #[arg(long, value_name = "FILE", conflicts_with = "bench")]
    write: Option<PathBuf>,
    /// Cut every violation down to the fewest operations that still show it, for at most a minute or the time budget
    #[arg(long, conflicts_with = "bench")]
    shrink: bool,
    /// Write the history that `--shrink` leaves to this file, in this project's own format
    #[arg(long, value_name = "FILE", requires = "shrink")]
    output: Option<PathBuf>,
    /// Write a page that shows the history and its verdict to this file: HTML, for a browser (docs/page.md)
    #[arg(long, value_name = "FILE", conflicts_with = "bench")]
    page: Option<PathBuf>,
    /// Measure the engines on generated histories instead: time and peak memory
    #[arg(long, conflicts_with = "histories")]
    bench: bool,
    #[command(flatten)]
    grid: bench::Grid,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

/// The model of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Model {
    /// The model that the file names
    Auto,
    Etcd,
    Register,
    CasRegister,
    VersionedRegister,
    Counter,
    Bank,
    KeyValue,
    Queue,
    Stack,
    PriorityQueue,
    Bag,
    Set,
    Lock,
    List,
    ListAppend,
    RwRegister,
}

/// The engine that judges a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// `revision` for histories of etcd, `general` for others
    Auto,
    /// Uses the revisions in etcd's answers, with all oracles: watches, leases, members, locks
    Revision,
    /// Uses only the model, with a search if nothing else decides
    General,
}

#[derive(Serialize)]
struct Document {
    file: String,
    #[serde(flatten)]
    judged: Judgement,
    /// What is left of a history with a violation.
    #[serde(skip_serializing_if = "Option::is_none")]
    shrunk: Option<shrink::Shrunk>,
    /// What a reader needs to know about the numbers in the verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// What the reader of the file skipped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    read_ns: u64,
    check_ns: u64,
}

pub(super) fn check(arguments: &Arguments) -> Result<Exit, Mistakes> {
    if arguments.bench || arguments.grid.is_one_cell() {
        return Ok(bench::bench(&arguments.grid, arguments.engine, arguments.model, arguments.json));
    }
    if arguments.format == Format::RaftTrace {
        return raft_trace::check(&arguments.histories, arguments.json);
    }
    let are_records =
        arguments.format == Format::Auto && arguments.histories.iter().any(|path| recorded::is_record(path));
    if arguments.format == Format::Record || are_records {
        return records::check(&arguments.histories, arguments.json);
    }
    let written = [&arguments.write, &arguments.output, &arguments.page].into_iter().flatten().next();
    if let Some(path) = written.filter(|_| arguments.histories.len() > 1) {
        return Err(Error::OneHistoryToWrite { path: path.clone() }.into());
    }
    let (mut text, mut documents) = (String::new(), Vec::new());
    // If one file has a mistake, the others are judged all the same.
    let mut mistakes = Vec::new();
    for path in &arguments.histories {
        match check_one(path, arguments) {
            Ok(document) => {
                describe(&mut text, &document).expect("a String takes everything");
                documents.push(document);
            }
            Err(error) => mistakes.push(error),
        }
    }
    let ended = |end| documents.iter().any(|document| document.judged.verdict == end);
    let exit = match (ended(End::Violation), ended(End::Undecided)) {
        (true, _) => Exit::Violation,
        (false, true) => Exit::Harness,
        (false, false) => Exit::Held,
    };
    if arguments.json {
        let mistaken: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        let all =
            serde_json::json!({ "schema": "etcdsim.check/2", "histories": documents, "mistakes": mistaken });
        text = serde_json::to_string_pretty(&all).expect("JSON can be written") + "\n";
    }
    super::print(&text);
    if mistakes.is_empty() { Ok(exit) } else { Err(Mistakes { errors: mistakes, annotate: false }) }
}

fn check_one(path: &Path, arguments: &Arguments) -> Result<Document, Error> {
    let file = path.to_string_lossy().into_owned();
    let bar = ProgressBar::new_spinner().with_message(format!("reading {file}"));
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(250));
    }
    let reading = Stopwatch::start();
    let mut loaded = file::read(path, arguments.format)?;
    let read = reading.elapsed();
    check_model(arguments, &loaded.content, path)?;
    set_initial_state(arguments, &mut loaded.content, path)?;
    if let Some(out) = &arguments.write {
        write(&loaded.content, out)?;
    }
    bar.set_message(format!("judging {}", numbers::counted(loaded.content.len(), "operation")));
    let checking = Stopwatch::start();
    let mut judged = judge(&mut loaded, arguments);
    let check = checking.elapsed();
    let mut shrunk = None;
    if arguments.shrink {
        bar.set_message("shrinking");
        let wall = arguments.time_budget.unwrap_or(shrink::USUAL_TIME);
        if let Some((smaller, what)) = shrink::smaller(&loaded.content, &judged, wall) {
            shrunk = Some(what);
            if let (Some(smaller), Some(what)) = (&smaller, &mut shrunk) {
                if let Content::Etcd(etcd) = smaller
                    && judged.failure.is_some()
                {
                    judged.failure = engine::by_oracles(&etcd.0, &etcd.1).failure;
                }
                if let Some(out) = &arguments.output {
                    write(smaller, out)?;
                    what.file = Some(out.to_string_lossy().into_owned());
                }
            }
        }
    }
    bar.finish_and_clear();
    if let Some(out) = &arguments.page {
        let page = page::of(&file, &replay_line::of_check(&file), &loaded.content, &judged);
        fs::write(out, page).map_err(|error| Error::Unwritable { path: out.clone(), error })?;
    }
    let ReadFile { notes, warnings, .. } = loaded;
    for warning in &warnings {
        anstream::eprintln!("{}: {warning}", "warning".yellow());
    }
    Ok(Document {
        file,
        judged,
        shrunk,
        notes,
        warnings,
        read_ns: read.as_nanos() as u64,
        check_ns: check.as_nanos() as u64,
    })
}

/// Sets the state before the first operation, if the user gives one.
fn set_initial_state(arguments: &Arguments, content: &mut Content, path: &Path) -> Result<(), Error> {
    let (path, held) = (path.to_path_buf(), name(model_of(content)));
    if let Some(value) = &arguments.initial
        && !content.begin_with(value)
    {
        return Err(Error::NoInitial { path, held, value: format!("{value:?}") });
    }
    match (arguments.start_revision, content) {
        (Some(revision), Content::Etcd(etcd)) => etcd.1.start_revision = revision,
        (Some(_), _) => return Err(Error::NoStartRevision { path, held }),
        (None, _) => {}
    }
    Ok(())
}

fn judge(read: &mut ReadFile, arguments: &Arguments) -> Judgement {
    let usual = Budget::default();
    let budget = Budget {
        explain_steps_max: if arguments.shrink { shrink::EXPLAIN_STEPS } else { usual.explain_steps_max },
        steps_max: arguments.steps,
        bytes_max: arguments.memory.saturating_mul(BYTES_IN_MIB),
        wall_max: arguments.time_budget,
        threads: arguments.jobs.get(),
        ..usual
    };
    let ReadFile { content, indices, reported, .. } = read;
    let negative = arguments.negative_balances;
    let general = General { budget: &budget, together: arguments.together, negative, indices };
    let by_oracles = arguments.engine != Engine::General;
    let watch = Stopwatch::start();
    let mut judged = match &*content {
        Content::Etcd(etcd) if by_oracles => engine::by_oracles(&etcd.0, &etcd.1),
        content => general.judge(content),
    };
    judged.report(reported);
    if let (true, Content::Recorded(recorded), Some(conflict)) =
        (arguments.shrink, &*content, &judged.conflict)
    {
        let wall = arguments.time_budget.unwrap_or(shrink::USUAL_TIME);
        if let Some(smaller) = general.in_window(recorded, conflict, &|| watch.elapsed() >= wall) {
            judged.conflict = Some(smaller);
        }
    }
    if judged.verdict == End::Violation {
        let hint = match content {
            Content::Etcd(etcd) if by_oracles => hints::start_revision(&etcd.0, &mut etcd.1, &judged),
            Content::Etcd(etcd) => hints::not_empty(&etcd.0, etcd.1.start_revision),
            content => {
                let left = arguments.time_budget.map(|all| all.saturating_sub(watch.elapsed()));
                hints::initial(&general, content, &judged, left)
            }
        };
        judged.hints.extend(hint);
    }
    judged
}

fn name(model: Model) -> String {
    model.to_possible_value().map_or(String::new(), |value| value.get_name().to_string())
}

/// The model of a history.
fn model_of(content: &Content) -> Model {
    use histories::Recorded;
    match content {
        Content::Etcd(_) => Model::Etcd,
        Content::Recorded(Recorded::Register { cas: false, .. }) => Model::Register,
        Content::Recorded(Recorded::Register { cas: true, .. }) => Model::CasRegister,
        Content::Recorded(Recorded::Versioned { .. }) => Model::VersionedRegister,
        Content::Recorded(Recorded::Counter { .. }) => Model::Counter,
        Content::Recorded(Recorded::Bank(_)) => Model::Bank,
        Content::Recorded(Recorded::KeyValue(_)) => Model::KeyValue,
        Content::Recorded(Recorded::Queue(_)) => Model::Queue,
        Content::Recorded(Recorded::Stack(_)) => Model::Stack,
        Content::Recorded(Recorded::PriorityQueue(_)) => Model::PriorityQueue,
        Content::Recorded(Recorded::Bag(_)) => Model::Bag,
        Content::Recorded(Recorded::Set(_)) => Model::Set,
        Content::Recorded(Recorded::Lock(_)) => Model::Lock,
        Content::Recorded(Recorded::List(_)) => Model::List,
        Content::Lists(_) => Model::ListAppend,
        Content::Registers(..) => Model::RwRegister,
    }
}

/// Checks that the history has the model that the user asked for.
fn check_model(arguments: &Arguments, content: &Content, path: &Path) -> Result<(), Error> {
    let held = model_of(content);
    let path = || path.to_path_buf();
    // A history of a register is also one of a `cas-register` whose clients never compare.
    let asked = arguments.model;
    if asked != Model::Auto && asked != held && (asked, held) != (Model::CasRegister, Model::Register) {
        return Err(Error::OtherModel { path: path(), held: name(held), asked: name(asked) });
    }
    if arguments.engine == Engine::Revision && held != Model::Etcd {
        return Err(Error::NoRevisions { path: path(), held: name(held) });
    }
    Ok(())
}

/// Writes a history in one of the project's own formats.
fn write(content: &Content, path: &Path) -> Result<(), Error> {
    let cannot = match content {
        Content::Lists(_) | Content::Registers(..) => {
            Some("transactions have no format of this project's own")
        }
        Content::Etcd(etcd) if etcd.1.open_world => Some(
            "other clients wrote, too, which the format cannot express: name the folder of the whole report",
        ),
        _ => None,
    };
    let write = || -> io::Result<()> {
        // Check this first: creating the file would empty it.
        if let Some(why) = cannot {
            return Err(io::Error::other(why));
        }
        let mut out = BufWriter::new(File::create(path)?);
        match content {
            Content::Etcd(etcd) => {
                let (record, expectations) = &**etcd;
                let history = HistoryFile {
                    history: record.history.clone(),
                    applied: record.applied.clone(),
                    starts: expectations.starts.clone(),
                    ..HistoryFile::default()
                };
                history.write(&mut out)?;
            }
            Content::Recorded(recorded) => histories::general::write(recorded, &mut out)?,
            Content::Lists(_) | Content::Registers(..) => {}
        }
        out.flush()
    };
    write().map_err(|error| Error::Unwritable { path: path.to_path_buf(), error })
}

fn describe(text: &mut String, document: &Document) -> fmt::Result {
    let Document { file, judged, shrunk, notes, .. } = document;
    let operations = numbers::counted(judged.operations, "operation");
    let of = if judged.model == "etcd" { String::new() } else { format!(" of a {}", judged.model) };
    match (&judged.failure, &judged.conflict) {
        (Some(failure), _) => {
            let heading = format!("{file}: {operations}{of}, {}", failure.oracles());
            writeln!(text, "{}", heading.red().bold())?;
            human::failure(text, failure)?;
            notes.iter().try_for_each(|note| writeln!(text, "   {note}"))?;
            hinted(text, &judged.hints)?;
        }
        (None, Some(conflict)) => {
            let heading = format!("{file}: {operations}{of}, not linearizable");
            writeln!(text, "{}", heading.red().bold())?;
            self::conflict(text, conflict)?;
            hinted(text, &judged.hints)?;
        }
        (None, None) if judged.verdict == End::Undecided => {
            writeln!(text, "{file}: {operations}{of}, not decided. {}", judged.undecided.join(" "))?;
        }
        (None, None) => {
            let by = match &scope::judged_by(&judged.checks)[..] {
                "" => String::new(),
                oracles => format!(" ({oracles})"),
            };
            let not = match &scope::not_judged_in_full(&judged.not_judged)[..] {
                "" => String::new(),
                oracles => format!("; not judged in full: {oracles}"),
            };
            writeln!(text, "{file}: {operations}{of}, all held{by}{not}")?;
        }
    }
    if let Some(shrunk) = shrunk {
        text.push_str(&shrunk.describe(Path::new(file)));
    }
    scope::lists(text, &judged.checks, &judged.not_judged)
}

fn hinted(text: &mut String, hints: &[String]) -> fmt::Result {
    hints.iter().try_for_each(|hint| writeln!(text, "   hint: {hint}"))
}

fn conflict(text: &mut String, conflict: &engine::Conflict) -> fmt::Result {
    writeln!(text, "{}", conflict.title.bold())?;
    for operation in conflict.operations.iter().take(OPERATIONS_SHOWN) {
        writeln!(text, "   {operation}")?;
    }
    if let Some(more @ 1..) = conflict.operations.len().checked_sub(OPERATIONS_SHOWN) {
        writeln!(text, "   … and {more} more; --json has them all")?;
    }
    for reason in conflict.excluded.iter().take(REASONS_SHOWN) {
        writeln!(text, "   - {reason}")?;
    }
    if let Some(more @ 1..) = conflict.excluded.len().checked_sub(REASONS_SHOWN) {
        writeln!(text, "   - … and {more} more orders that fail")?;
    }
    if let Some(until) = conflict.prefix_until {
        let prefix = numbers::counted(conflict.prefix, "operation");
        writeln!(text, "   {prefix} up to the return at {until} can be put in order")?;
    }
    Ok(())
}
