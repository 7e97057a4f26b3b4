//! `etcdsim check`: the last arrow alone, on histories from anywhere.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use owo_colors::OwoColorize;
use record::Record;
use serde::Serialize;
use verify::Verdict;
use verify::history_file::HistoryFile;

use super::Mistakes;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::Failure;
use crate::show::{human, numbers};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Files in the format of docs/histories.md
    #[arg(required = true)]
    histories: Vec<PathBuf>,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Judged<'a> {
    file: String,
    operations: usize,
    failure: Option<&'a Failure>,
    undecided: &'a [String],
    checks: &'a [verify::Check],
}

pub(super) fn check(arguments: &Arguments) -> Result<Exit, Mistakes> {
    let (mut text, mut documents) = (String::new(), Vec::new());
    let (mut broken, mut open) = (false, false);
    for path in &arguments.histories {
        let file = path.to_string_lossy().into_owned();
        let unreadable = |error| Error::Unreadable { path: path.clone(), error };
        let content = fs::read_to_string(path).map_err(unreadable)?;
        let read = HistoryFile::read(&file, &content).map_err(|error| Error::in_history(error, content))?;
        let (record, expectations) = read.into_record();
        let verdict = verify::judge(&record, &expectations);
        let failure = Failure::of(&verdict, &record.history);
        broken |= failure.is_some();
        open |= failure.is_none() && !verdict.undecided.is_empty();
        if arguments.json {
            let judged = Judged {
                file,
                operations: record.history.operations.len(),
                failure: failure.as_ref(),
                undecided: &verdict.undecided,
                checks: &verdict.checks,
            };
            documents.push(serde_json::to_value(judged).expect("a verdict has only string keys"));
        } else {
            tell(&mut text, &file, &record, &verdict, failure.as_ref());
        }
    }
    if arguments.json {
        let all = serde_json::json!({ "schema": "etcdsim.check/1", "histories": documents });
        text = serde_json::to_string_pretty(&all).expect("JSON can be written") + "\n";
    }
    super::print(&text);
    Ok(match (broken, open) {
        (true, _) => Exit::Violation,
        (false, true) => Exit::Harness,
        (false, false) => Exit::Held,
    })
}

fn tell(text: &mut String, file: &str, record: &Record, verdict: &Verdict, failure: Option<&Failure>) {
    let operations = numbers::counted(record.history.operations.len(), "operation");
    match failure {
        Some(failure) => {
            let heading = format!("{file}: {operations}, {}", failure.oracles());
            writeln!(text, "{}", heading.red().bold()).expect("a String takes everything");
            human::failure(text, failure).expect("a String takes everything");
        }
        None if verdict.undecided.is_empty() => {
            writeln!(text, "{file}: {operations}, all held").expect("a String takes everything");
        }
        None => {
            let why = verdict.undecided.join(" ");
            writeln!(text, "{file}: {operations}, not decided. {why}").expect("a String takes everything");
        }
    }
}
