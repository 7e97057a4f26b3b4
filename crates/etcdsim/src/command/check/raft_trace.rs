//! `etcdsim check --format raft-trace`: judges traces of etcd-io/raft by S.

use std::fmt::{self, Write};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use owo_colors::OwoColorize;
use serde::Serialize;
use verify::specification::trace::{self, Judged, TraceError};

use crate::command::Mistakes;
use crate::error::Error;
use crate::exit::Exit;
use crate::show::numbers;

/// The most breaches shown; the others are counted.
const BREACHES_SHOWN: usize = 8;

#[derive(Serialize)]
struct Document {
    file: String,
    #[serde(flatten)]
    judged: Judged,
}

/// Judges each file.
pub(super) fn check(paths: &[PathBuf], json: bool) -> Result<Exit, Mistakes> {
    let (mut documents, mut mistakes) = (Vec::new(), Vec::new());
    for path in paths {
        match judge(path) {
            Ok(document) => documents.push(document),
            Err(error) => mistakes.push(error),
        }
    }
    let held = documents.iter().all(|document| document.judged.breaches.is_empty());
    let text = if json {
        let mistaken: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        let all = serde_json::json!({ "schema": "etcdsim.raft-trace/1", "traces": documents, "mistakes": mistaken });
        serde_json::to_string_pretty(&all).expect("JSON can be written") + "\n"
    } else {
        let mut text = String::new();
        documents.iter().try_for_each(|one| describe(&mut text, one)).expect("a String takes everything");
        text
    };
    crate::command::print(&text);
    match (mistakes.is_empty(), held) {
        (false, _) => Err(Mistakes { errors: mistakes, annotate: false }),
        (true, false) => Ok(Exit::Violation),
        (true, true) => Ok(Exit::Held),
    }
}

fn judge(path: &Path) -> Result<Document, Error> {
    let file = path.to_string_lossy().into_owned();
    if path.is_dir() {
        return Err(Error::NoFile { path: path.to_path_buf() });
    }
    let unreadable = |error: io::Error| Error::NoHistory { path: path.to_path_buf(), error };
    let reader = BufReader::new(File::open(path).map_err(unreadable)?);
    match trace::judge(&file, reader) {
        Ok(judged) => Ok(Document { file, judged }),
        Err(TraceError::Io(error)) => Err(unreadable(error)),
        Err(TraceError::Line(error)) => {
            Err(Error::in_raft_trace(error, &std::fs::read(path).unwrap_or_default()))
        }
    }
}

fn describe(text: &mut String, document: &Document) -> fmt::Result {
    let Document { file, judged } = document;
    let events = numbers::counted(judged.events as usize, "event");
    let members = numbers::counted(judged.members, "member");
    let what = format!("{file}: {events} of {members}");
    match judged.breaches.len() {
        0 => writeln!(text, "{what}, all rules of S that the trace shows held")?,
        count => {
            let broken = format!("{what}, {} broken", numbers::counted(count, "rule"));
            writeln!(text, "{}", broken.red().bold())?;
        }
    }
    for breach in judged.breaches.iter().take(BREACHES_SHOWN) {
        let title = format!("line {}: member {} broke the rule {}", breach.line, breach.member, breach.rule);
        writeln!(text, "{}", title.bold())?;
        writeln!(text, "   {}", breach.sentence)?;
        writeln!(text, "   The rule says: {} ({}.)", breach.says, breach.source)?;
    }
    if let Some(more @ 1..) = judged.breaches.len().checked_sub(BREACHES_SHOWN) {
        writeln!(text, "   … and {more} more; --json has them all")?;
    }
    writeln!(text, "   {}", "judged".dimmed())?;
    for (rule, count) in &judged.judged {
        writeln!(text, "     {rule}: {}", numbers::count(*count))?;
    }
    writeln!(text, "   {}", "not seen".yellow())?;
    let mut reasons: Vec<&str> = judged.not_seen.values().copied().collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        let of = judged.not_seen.iter().filter(|(_, why)| **why == reason).map(|(rule, _)| *rule);
        writeln!(text, "     {}: {reason}", of.collect::<Vec<_>>().join(", "))?;
    }
    Ok(())
}
