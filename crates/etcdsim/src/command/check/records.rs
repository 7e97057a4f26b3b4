//! `etcdsim check` of records: judges what the processes of a real cluster did.

use std::fmt::Write;
use std::path::PathBuf;

use super::{Document, End, describe, engine};
use crate::command::Mistakes;
use crate::exit::Exit;
use crate::recorded::again::{self, MemberRecord};
use crate::recorded::judge::{self, Judged};
use crate::show::numbers;
use crate::stopwatch::Stopwatch;

/// What no record shows.
const NOT_SHOWN: &str = "A record does not show what was lost on the network, nor requests that reached no member; \
     V1 to V3 say nothing, because a record does not say when the cluster must have settled. Members on several \
     machines are put in order by their wall clocks.";

/// Judges records together.
pub(super) fn check(paths: &[PathBuf], json: bool) -> Result<Exit, Mistakes> {
    let reading = Stopwatch::start();
    let mut mistakes = Vec::new();
    let read = paths.iter().map(|path| again::read(path));
    let records: Vec<MemberRecord> =
        read.filter_map(|read| read.map_err(|error| mistakes.push(error)).ok()).collect();
    if !mistakes.is_empty() {
        return Err(Mistakes { errors: mistakes, annotate: false });
    }
    let read = reading.elapsed();
    let checking = Stopwatch::start();
    let partings = judge::partings(&records);
    let Judged { record, verdict, processes, steps, members } = judge::judge(records)?;
    let mut judged = engine::of_verdict(verdict, &record);
    if !partings.is_empty() {
        judged.undecided.extend(partings);
        judged.verdict = if judged.failure.is_some() { End::Violation } else { End::Undecided };
    }
    let ids: Vec<String> = members.iter().map(|id| format!("{:x}", id.raft_id())).collect();
    let what = format!(
        "{} with {} and {}; members 1 to {} are {}",
        numbers::counted(members.len(), "record"),
        numbers::counted(processes, "start"),
        numbers::counted(steps, "step"),
        members.len(),
        ids.join(", ")
    );
    let exit = match judged.verdict {
        End::Held => Exit::Held,
        End::Violation => Exit::Violation,
        End::Undecided => Exit::Harness,
    };
    let files: Vec<String> = paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let document = Document {
        file: files.join(" "),
        judged,
        shrunk: None,
        notes: vec![what.clone(), NOT_SHOWN.to_string()],
        warnings: Vec::new(),
        read_ns: read.as_nanos() as u64,
        check_ns: checking.elapsed().as_nanos() as u64,
    };
    let mut text = String::new();
    if json {
        let all = serde_json::json!({ "schema": "etcdsim.check/2", "histories": [document], "mistakes": [] });
        text = serde_json::to_string_pretty(&all).expect("JSON can be written") + "\n";
    } else {
        describe(&mut text, &document).expect("a String takes everything");
        if document.judged.failure.is_none() {
            writeln!(text, "   {what}\n   {NOT_SHOWN}").expect("a String takes everything");
        }
    }
    crate::command::print(&text);
    Ok(exit)
}
