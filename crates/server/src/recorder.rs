//! The record of this process (`--record`): what goes into the member, and what comes out of it
//! ([`member::recording`]).
//!
//! A thread writes it. The event loop hands over each step with its effects, and gets the effects back when the step is
//! in the file: only then does it carry them out. So whatever a process has said or written is explained by its record,
//! even if it is killed the next moment. If the thread is [`BEHIND`] steps behind, the loop waits for it.
//!
//! The file is not synced: a power failure may cost its end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};

use bytes::Bytes;
use contract::disk::{Disk, read_all};
use contract::{Boot, Now};
use member::io::{Effects, Etcd};
use member::recording::{Blob, File as Found, Line, Noted, Start, Step};

use crate::driver::thread_of;
use crate::handle::{Event, Handle};

/// How many steps may wait to be written.
const BEHIND: usize = 1024;
/// The largest part of a file in one line, in bytes.
const PART: usize = 1 << 20;
/// How many bytes are read at once to find the end of a record.
const BLOCK: u64 = 64 << 10;

/// The directories of the member's files.
const DIRECTORIES: [&str; 3] = ["wal", "snap", "db"];

/// A step that waits to be written.
struct Waiting {
    now: Now,
    input: Noted,
    effects: Box<Effects>,
}

/// A way to the thread that writes the record.
#[derive(Debug)]
pub struct Recorder(SyncSender<Waiting>);

/// A record to which a start was added.
#[derive(Debug)]
pub struct Begun(File);

impl Begun {
    /// Adds a start to a record: what the process is told, and the files that it finds.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new(path: &Path, boot: &Boot<Etcd>, disk: &dyn Disk) -> io::Result<Begun> {
        // Only the owner may read it: it has passwords.
        let file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?;
        cut_torn_line(&file)?;
        let mut out = io::BufWriter::new(file);
        let mut line = Vec::new();
        let mut write = |what: Line| -> io::Result<()> {
            line.clear();
            what.write(&mut line);
            out.write_all(&line)
        };
        write(Line::Start(Box::new(Start::of(boot, env!("CARGO_PKG_VERSION")))))?;
        for directory in DIRECTORIES {
            for name in disk.list(directory).map_err(io::Error::other)? {
                let path = format!("{directory}/{name}");
                let mut data = Bytes::from(read_all(disk, &path).map_err(io::Error::other)?);
                // An empty file has a line, too.
                loop {
                    let part = data.split_to(data.len().min(PART));
                    write(Line::File(Found { path: path.clone(), data: Blob(part) }))?;
                    if data.is_empty() {
                        break;
                    }
                }
            }
        }
        out.into_inner().map(Begun).map_err(io::IntoInnerError::into_error)
    }

    /// Begins to record steps.
    pub fn record(self, handle: Handle) -> Recorder {
        let Begun(mut file) = self;
        let (sender, steps) = mpsc::sync_channel::<Waiting>(BEHIND);
        thread_of("record", handle.clone(), move || {
            while let Ok(first) = steps.recv() {
                let (mut text, mut done) = (Vec::new(), Vec::new());
                for Waiting { now, input, effects } in std::iter::once(first).chain(steps.try_iter()) {
                    Line::Step(Box::new(Step::of(now, input, &effects))).write(&mut text);
                    done.push(effects);
                }
                match file.write_all(&text) {
                    Ok(()) => handle.send(Event::Recorded(done)),
                    Err(error) => return handle.send(Event::NotRecorded(error)),
                }
            }
        });
        Recorder(sender)
    }
}

impl Recorder {
    /// Records a step. Its effects come back as [`Event::Recorded`].
    pub fn note(&self, now: Now, input: Noted, effects: Effects) {
        // If the thread has ended, the loop learns of that on its own.
        let _ = self.0.send(Waiting { now, input, effects: Box::new(effects) });
    }
}

/// Removes the end of a line that a process was writing when it was killed. That step had no effect outside the
/// process.
fn cut_torn_line(mut file: &File) -> io::Result<()> {
    let mut end = file.metadata()?.len();
    while end > 0 {
        let from = end.saturating_sub(BLOCK);
        let mut block = vec![0; (end - from) as usize];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return file.set_len(from + at as u64 + 1);
        }
        end = from;
    }
    file.set_len(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test needs a folder")]
    fn a_torn_line_is_cut_off() {
        let path = std::env::temp_dir().join(format!("etcdsim-record-{}", std::process::id()));
        for (held, left) in [
            ("", ""),
            ("{}\n", "{}\n"),
            ("{}\n{\"step", "{}\n"),
            ("{\"start", ""),
            (&format!("{{}}\n{}", "x".repeat(200_000)), "{}\n"),
        ] {
            std::fs::write(&path, held).expect("the folder can be written");
            let file = OpenOptions::new().read(true).write(true).open(&path).expect("it was written");
            cut_torn_line(&file).expect("it is a file");
            assert_eq!(std::fs::read_to_string(&path).expect("it is there"), left);
        }
        std::fs::remove_file(&path).expect("it is there");
    }
}
