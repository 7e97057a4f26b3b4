//! Reads the files of a report of etcd's robustness tests: on several threads, because a report has many files of many
//! megabytes. What they hold is converted in the order of the files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use histories::robustness::{Operation, Reader, WatchPart};

use super::file::open;
use crate::command::values::threads;
use crate::error::Error;
use crate::robustness::{Conversion, ConvertedReport};

/// How many parts of a file one thread hands to another at a time.
const BATCH: usize = 64;
/// How many batches of a file may wait. A file whose turn has not come is read up to there.
const BATCHES: usize = 64;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The operations of a client.
    Operations,
    /// What its watchers saw.
    Watches,
}

impl Kind {
    /// What a file of this name holds. `None` for files of others.
    pub(super) fn of(path: &Path) -> Option<Kind> {
        match path.file_name()?.to_str()? {
            "operations.json" => Some(Kind::Operations),
            "watch.json" => Some(Kind::Watches),
            _ => None,
        }
    }
}

/// The number of the client whose folder this is, if it is one.
pub(super) fn client_of(folder: &Path) -> Option<u32> {
    folder.file_name()?.to_str()?.strip_prefix("client-")?.parse().ok()
}

/// A part of a file.
enum Part {
    Operation(Operation),
    Watch(WatchPart),
}

/// What a thread says of a file: its parts, and at the end the fields that it did not know, or its first mistake.
enum News {
    Parts(Vec<Part>),
    End(Result<Reader, Error>),
}

/// Reads files, each of which has a kind, and converts what they hold.
///
/// # Errors
///
/// The first mistake in the first file that has one.
pub(super) fn read_files(files: &[PathBuf]) -> Result<(Reader, ConvertedReport), Error> {
    let (mut senders, receivers): (Vec<_>, Vec<_>) = files.iter().map(|_| sync_channel(BATCHES)).unzip();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..threads(None).min(files.len()) {
            let (senders, next) = (senders.clone(), &next);
            // Files are taken in their order, so the first that is not converted is always being read. If the other
            // side has stopped, at a mistake, nobody listens, and the thread ends.
            scope.spawn(move || {
                while let nth = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(path) = files.get(nth)
                    && read_file(path, &senders[nth])
                {}
            });
        }
        senders.clear();
        convert(files, receivers)
    })
}

/// Reads a file. Returns whether anybody listens.
fn read_file(path: &Path, to: &SyncSender<News>) -> bool {
    let mut batch = Vec::new();
    let mut listens = true;
    let mut each = |part| {
        batch.push(part);
        if batch.len() == BATCH {
            listens &= to.send(News::Parts(std::mem::take(&mut batch))).is_ok();
        }
    };
    let file = path.to_string_lossy().into_owned();
    let mut reader = Reader::default();
    let read = open(path).and_then(|from| {
        let read = match Kind::of(path) {
            Some(Kind::Watches) => reader.watches(&file, from, |part| each(Part::Watch(part))),
            _ => reader.operations(&file, from, |operation| each(Part::Operation(operation))),
        };
        read.map_err(|error| Error::in_recorded(error, &fs::read(path).unwrap_or_default()))
    });
    listens && to.send(News::Parts(batch)).is_ok() && to.send(News::End(read.map(|()| reader))).is_ok()
}

/// Converts what is read, in the order of the files.
fn convert(files: &[PathBuf], news: Vec<Receiver<News>>) -> Result<(Reader, ConvertedReport), Error> {
    let (mut reader, mut conversion) = (Reader::default(), Conversion::default());
    for (path, news) in files.iter().zip(news) {
        let client = path.parent().and_then(client_of).unwrap_or_default();
        for news in news {
            match news {
                News::Parts(parts) => parts.into_iter().for_each(|part| match part {
                    Part::Operation(operation) => conversion.operation(&operation),
                    Part::Watch(part) => conversion.watch(client, part),
                }),
                News::End(read) => {
                    reader.add(read?);
                    break;
                }
            }
        }
    }
    Ok((reader, conversion.finish()))
}
