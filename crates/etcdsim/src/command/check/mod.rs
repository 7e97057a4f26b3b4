//! `etcdsim check`: only the last arrow, on histories from anywhere.

mod bench;
mod containers;
mod engine;
mod file;

use std::fmt::{self, Write};
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use linear::Budget;
use owo_colors::OwoColorize;
use serde::Serialize;
use verify::history_file::HistoryFile;

use super::{Mistakes, values};
use crate::error::Error;
use crate::exit::Exit;
use crate::show::{human, numbers, scope};
use crate::stopwatch::Stopwatch;
use engine::{End, General, Judged};
use file::{Content, Format};

/// The most operations and reasons that are shown; the others are counted.
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
    KeyValue,
    Queue,
    Stack,
    PriorityQueue,
    Bag,
    Set,
    Lock,
    List,
    ListAppend,
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
    judged: Judged,
    read_ns: u64,
    check_ns: u64,
}

pub(super) fn check(arguments: &Arguments) -> Result<Exit, Mistakes> {
    if arguments.bench || arguments.grid.is_one_cell() {
        return Ok(bench::bench(&arguments.grid, arguments.engine, arguments.model, arguments.json));
    }
    if let Some(path) = arguments.write.as_ref().filter(|_| arguments.histories.len() > 1) {
        return Err(Error::OneHistoryToWrite { path: path.clone() }.into());
    }
    let (mut text, mut documents) = (String::new(), Vec::new());
    let mut mistake = None;
    for path in &arguments.histories {
        match one(path, arguments) {
            Ok(document) => {
                describe(&mut text, &document).expect("a String takes everything");
                documents.push(document);
            }
            // The results of the earlier files are still printed.
            Err(error) => {
                mistake = Some(error);
                break;
            }
        }
    }
    let ended = |end| documents.iter().any(|document| document.judged.verdict == end);
    let exit = match (ended(End::Violation), ended(End::Undecided)) {
        (true, _) => Exit::Violation,
        (false, true) => Exit::Harness,
        (false, false) => Exit::Held,
    };
    if arguments.json {
        let all = serde_json::json!({ "schema": "etcdsim.check/2", "histories": documents });
        text = serde_json::to_string_pretty(&all).expect("JSON can be written") + "\n";
    }
    super::print(&text);
    mistake.map_or(Ok(exit), |error| Err(error.into()))
}

fn one(path: &Path, arguments: &Arguments) -> Result<Document, Error> {
    let file = path.to_string_lossy().into_owned();
    let bar = ProgressBar::new_spinner().with_message(format!("reading {file}"));
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(250));
    }
    let reading = Stopwatch::start();
    let content = file::read(path, arguments.format)?;
    let read = reading.elapsed();
    fits(arguments, &content, path)?;
    if let Some(out) = &arguments.write {
        write(&content, out)?;
    }
    bar.set_message(format!("judging {}", numbers::counted(content.len(), "operation")));
    let checking = Stopwatch::start();
    let judged = judge(&content, arguments);
    let check = checking.elapsed();
    bar.finish_and_clear();
    Ok(Document { file, judged, read_ns: read.as_nanos() as u64, check_ns: check.as_nanos() as u64 })
}

fn judge(content: &Content, arguments: &Arguments) -> Judged {
    let budget = Budget {
        steps_max: arguments.steps,
        bytes_max: arguments.memory.saturating_mul(BYTES_IN_MIB),
        wall_max: arguments.time_budget,
        threads: arguments.jobs.get(),
        ..Budget::default()
    };
    let general = General { budget: &budget, together: arguments.together };
    match content {
        Content::Etcd(etcd) if arguments.engine != Engine::General => engine::by_oracles(&etcd.0, &etcd.1),
        content => general.judge(content),
    }
}

/// Whether the file holds the model that the user asked for.
fn fits(arguments: &Arguments, content: &Content, path: &Path) -> Result<(), Error> {
    use histories::Recorded;
    let held = match content {
        Content::Etcd(_) => Model::Etcd,
        Content::Recorded(Recorded::Register { cas: false, .. }) => Model::Register,
        Content::Recorded(Recorded::Register { cas: true, .. }) => Model::CasRegister,
        Content::Recorded(Recorded::KeyValue(_)) => Model::KeyValue,
        Content::Recorded(Recorded::Queue(_)) => Model::Queue,
        Content::Recorded(Recorded::Stack(_)) => Model::Stack,
        Content::Recorded(Recorded::PriorityQueue(_)) => Model::PriorityQueue,
        Content::Recorded(Recorded::Bag(_)) => Model::Bag,
        Content::Recorded(Recorded::Set(_)) => Model::Set,
        Content::Recorded(Recorded::Lock(_)) => Model::Lock,
        Content::Recorded(Recorded::List(_)) => Model::List,
        Content::Lists(_) => Model::ListAppend,
    };
    let name =
        |model: Model| model.to_possible_value().map_or(String::new(), |value| value.get_name().to_string());
    let path = || path.to_path_buf();
    // A register fits `cas-register`: its clients never compare.
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
        Content::Lists(_) => Some("transactions on lists have no format of this project's own"),
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
            Content::Lists(_) => {}
        }
        out.flush()
    };
    write().map_err(|error| Error::Unwritable { path: path.to_path_buf(), error })
}

fn describe(text: &mut String, document: &Document) -> fmt::Result {
    let Document { file, judged, .. } = document;
    let operations = numbers::counted(judged.operations, "operation");
    let of = if judged.model == "etcd" { String::new() } else { format!(" of a {}", judged.model) };
    match (&judged.failure, &judged.conflict) {
        (Some(failure), _) => {
            let heading = format!("{file}: {operations}{of}, {}", failure.oracles());
            writeln!(text, "{}", heading.red().bold())?;
            human::failure(text, failure)?;
        }
        (None, Some(conflict)) => {
            let heading = format!("{file}: {operations}{of}, not linearizable");
            writeln!(text, "{}", heading.red().bold())?;
            self::conflict(text, conflict)?;
        }
        (None, None) if judged.verdict == End::Undecided => {
            writeln!(text, "{file}: {operations}{of}, not decided. {}", judged.undecided.join(" "))?;
        }
        (None, None) => {
            let by = match &scope::judged_by(&judged.checks)[..] {
                "" => String::new(),
                oracles => format!(" ({oracles})"),
            };
            let not = match &scope::kept_from(&judged.not_judged)[..] {
                "" => String::new(),
                oracles => format!("; not judged in full: {oracles}"),
            };
            writeln!(text, "{file}: {operations}{of}, all held{by}{not}")?;
        }
    }
    scope::lists(text, &judged.checks, &judged.not_judged)
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
