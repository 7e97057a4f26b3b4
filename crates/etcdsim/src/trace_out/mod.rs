//! Writes a run for other people's viewers: as Chrome trace JSON (Perfetto), as a ShiViz log, or as the trace of
//! etcd-io/raft (`docs/traces.md`).
//!
//! Each format is an observer in a file of its own. None of them changes the run.

mod chrome;
mod raft_ndjson;
mod shiviz;

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use plan::Plan;
use record::{Etcd, Event, MemberId, Nanos, Observer, Step};

use crate::error::Error;
use crate::execute::Outcome;

/// The format of a trace for a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TraceFormat {
    /// Chrome's trace events as JSON, which Perfetto opens: members, clients, messages, faults over time
    Chrome,
    /// A log with vector clocks for ShiViz: what happened before what
    Shiviz,
    /// The trace of etcd-io/raft, which `etcdsim check --format raft-trace` and its own TLA+ read
    RaftNdjson,
}

impl TraceFormat {
    /// The format that the end of a file's name stands for.
    fn of(path: &Path) -> Option<TraceFormat> {
        Some(match path.extension()?.to_str()? {
            "json" => TraceFormat::Chrome,
            "shiviz" | "log" => TraceFormat::Shiviz,
            "ndjson" => TraceFormat::RaftNdjson,
            _ => return None,
        })
    }
}

/// Writes the trace of one run.
pub(crate) struct TraceOut {
    path: PathBuf,
    viewer: Box<dyn Viewer>,
}

/// An observer that writes a format.
trait Viewer: Observer<Etcd> {
    /// The run is over; `outcome` is `None` if the simulator failed. Writes what is left.
    fn end(&mut self, outcome: Option<&Outcome>) -> io::Result<()>;
}

/// Where a viewer writes. After an error it writes nothing more.
struct Out {
    write: Box<dyn Write>,
    failed: Option<io::Error>,
}

impl Out {
    fn put(&mut self, text: fmt::Arguments<'_>) {
        if self.failed.is_none() {
            self.failed = self.write.write_fmt(text).err();
        }
    }

    /// Writes what is left, and says whether everything was written.
    fn end(&mut self) -> io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.write.flush(),
        }
    }
}

impl TraceOut {
    /// Opens the file. Without a format, the end of the file's name says which one is meant.
    pub(crate) fn open(path: &Path, format: Option<TraceFormat>, plan: &Plan) -> Result<TraceOut, Error> {
        let named = format.or_else(|| TraceFormat::of(path));
        let format = named.ok_or_else(|| Error::UnknownTraceFormat { path: path.to_path_buf() })?;
        let unwritable = |error| Error::Unwritable { path: path.to_path_buf(), error };
        let file = BufWriter::new(File::create(path).map_err(unwritable)?);
        let viewer = viewer(format, plan, Box::new(file));
        Ok(TraceOut { path: path.to_path_buf(), viewer })
    }

    /// Writes what is left.
    pub(crate) fn end(mut self, outcome: Option<&Outcome>) -> Result<(), Error> {
        self.viewer.end(outcome).map_err(|error| Error::Unwritable { path: self.path, error })
    }
}

/// The observer for a format, which writes into `write`.
fn viewer(format: TraceFormat, plan: &Plan, write: Box<dyn Write>) -> Box<dyn Viewer> {
    let out = Out { write, failed: None };
    match format {
        TraceFormat::Chrome => Box::new(chrome::Chrome::new(plan, out)),
        TraceFormat::Shiviz => Box::new(shiviz::ShiViz::new(out)),
        TraceFormat::RaftNdjson => Box::new(raft_ndjson::RaftNdjson::new(out)),
    }
}

impl Observer<Etcd> for TraceOut {
    fn event(&mut self, event: &Event) {
        self.viewer.event(event);
    }

    fn wants_steps(&self) -> bool {
        self.viewer.wants_steps()
    }

    fn step(&mut self, time: Nanos, member: MemberId, step: &Step) {
        self.viewer.step(time, member, step);
    }
}

#[cfg(test)]
mod tests;
