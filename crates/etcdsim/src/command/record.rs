//! `etcdsim step`: walks a member through the record of a real process again.

use std::path::PathBuf;

use clap::Args;
use owo_colors::OwoColorize;
use serde::Serialize;

use super::Mistakes;
use crate::exit::Exit;
use crate::recorded::again::{self, MemberRecord};
use crate::show::numbers;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Records that `etcdsim serve --record FILE` has written
    #[arg(required = true)]
    records: Vec<PathBuf>,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

/// The result for a record.
#[derive(Debug, Serialize)]
struct Document {
    file: String,
    /// The member, as etcd writes its id.
    member: String,
    starts: usize,
    /// How many steps were the same.
    steps: usize,
    /// Where the walk diverged, for each start in which it did.
    parted: Vec<Place>,
}

/// A place in a record.
#[derive(Debug, Serialize)]
struct Place {
    line: usize,
    what: String,
}

/// Walks each record.
pub(super) fn step(arguments: &Arguments) -> Result<Exit, Mistakes> {
    let (mut documents, mut errors) = (Vec::new(), Vec::new());
    for path in &arguments.records {
        match again::read(path) {
            Ok(record) => documents.push(document(&record)),
            Err(error) => errors.push(error),
        }
    }
    let same = documents.iter().all(|document| document.parted.is_empty());
    if arguments.json {
        let mistakes: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let all =
            serde_json::json!({ "schema": "etcdsim.step/1", "records": documents, "mistakes": mistakes });
        super::print(&(serde_json::to_string_pretty(&all).expect("JSON can be written") + "\n"));
    } else {
        super::print(&documents.iter().map(describe).collect::<String>());
    }
    match (errors.is_empty(), same) {
        (false, _) => Err(Mistakes { errors, annotate: false }),
        (true, true) => Ok(Exit::Held),
        (true, false) => Ok(Exit::Nondeterministic),
    }
}

fn document(record: &MemberRecord) -> Document {
    let processes = &record.processes;
    let parted = processes.iter().filter_map(|process| process.parted.as_ref());
    Document {
        file: record.path.to_string_lossy().into_owned(),
        member: format!("{:x}", processes[0].start.member.raft_id()),
        starts: processes.len(),
        steps: processes.iter().map(|process| process.steps.len()).sum(),
        parted: parted.map(|parted| Place { line: parted.line, what: parted.what.clone() }).collect(),
    }
}

fn describe(document: &Document) -> String {
    let Document { file, member, starts, steps, parted } = document;
    let (starts, steps) = (numbers::counted(*starts, "start"), numbers::counted(*steps, "step"));
    let head = format!("{file}: member {member}, {starts}");
    if parted.is_empty() {
        return format!("{head}: {steps}, and the walk did the same\n");
    }
    let mut text = format!("{}\n", format!("{head}: the walk did something else").red().bold());
    for Place { line, what } in parted {
        text += &format!("   line {line}: {what}\n");
    }
    text + &format!("   {steps} before that were the same\n")
}
