//! The operations on files that a node needs, and the two ways in which it uses them.
//!
//! - A *job* is a list of operations that a step returns as an effect. The node continues, and an input reports later
//!   that the job is done.
//! - A *section* is a series of synchronous operations, with the trait [`Disk`]. A start needs this, and so do the jobs
//!   of a [`Store`](crate::Store), which the driver performs for the node. An input reports later that the whole
//!   section is done: a simulator spreads its operations over virtual time, without the node noticing, so that a crash
//!   can come between any two of them.
//!
//! Paths are relative to the node's data directory and have one directory (`wal/…`, `snap/…`, `db/…`), which always
//! exists.
//!
//! Durability is as in POSIX: the content of a file is durable after [`DiskOp::Sync`] of the file, its name after
//! [`DiskOp::SyncDir`] of the directory.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// A path, cheap to clone.
pub type Path = Arc<str>;

/// One operation on files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskOp {
    /// Creates an empty file; fails with [`DiskErrorKind::Exists`] if it exists.
    Create {
        /// The file.
        path: Path,
    },
    /// Writes at the end of the file.
    Append {
        /// The file.
        path: Path,
        /// The bytes to write.
        data: Bytes,
    },
    /// Writes at an offset, extending the file with zeros if necessary.
    WriteAt {
        /// The file.
        path: Path,
        /// Where, in bytes.
        offset: u64,
        /// The bytes to write.
        data: Bytes,
    },
    /// Sets the file's length in bytes, truncating it or extending it with zeros.
    Truncate {
        /// The file.
        path: Path,
        /// The new length.
        len: u64,
    },
    /// Renames a file within or across directories, replacing an existing file.
    Rename {
        /// Its current name.
        from: Path,
        /// Its new name.
        to: Path,
    },
    /// Removes a file.
    Remove {
        /// The file.
        path: Path,
    },
    /// fsync of a file's content and length.
    Sync {
        /// The file.
        path: Path,
    },
    /// fsync of a directory: makes its names durable.
    SyncDir {
        /// The directory: `wal`, `snap` or `db`.
        path: Path,
    },
}

/// A list of operations, which are performed in order. After one fails, the rest are not performed. One input
/// reports the result of the whole job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskJob {
    /// The node's number for the job, from 1, increasing. Jobs are performed one after the other.
    pub id: u64,
    /// The operations.
    pub ops: Vec<DiskOp>,
}

/// The kind of a disk error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskErrorKind {
    /// No such file.
    NotFound,
    /// The file already exists.
    Exists,
    /// A read past the end of the file.
    PastEnd,
    /// EIO: the device failed. After a failed sync, the pages that it should have written are lost, as on
    /// Linux.
    Io,
    /// ENOSPC: the disk is full.
    Full,
    /// The process that requested the operation has ended.
    Dead,
}

/// A failed operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} on {path}")]
pub struct DiskError {
    /// The kind of error.
    pub kind: DiskErrorKind,
    /// The path concerned.
    pub path: Path,
}

impl fmt::Display for DiskErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DiskErrorKind::NotFound => "no such file",
            DiskErrorKind::Exists => "file exists",
            DiskErrorKind::PastEnd => "read past the end",
            DiskErrorKind::Io => "input/output error",
            DiskErrorKind::Full => "no space left on device",
            DiskErrorKind::Dead => "the process is gone",
        })
    }
}

/// Synchronous access to a node's files.
pub trait Disk: fmt::Debug + Send + Sync {
    /// The names in a directory, sorted, without the directory.
    ///
    /// # Errors
    /// EIO.
    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError>;

    /// The length of a file in bytes.
    ///
    /// # Errors
    /// No such file, EIO.
    fn len(&self, path: &str) -> Result<u64, DiskError>;

    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// No such file, past the end, EIO.
    fn read(&self, path: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError>;

    /// Performs one operation.
    ///
    /// # Errors
    /// Any error of the operation. A failed operation has no effect, except that a failed write may have
    /// written some of the data.
    fn perform(&self, op: &DiskOp) -> Result<(), DiskError>;

    /// How many bytes of the files in `db` a database may keep in memory. A disk that damages files under a running
    /// process lets it keep all: what is read again may be damaged, and not every database checks that.
    fn cache_bytes(&self) -> usize {
        1 << 30
    }

    /// The process has read the files in `db` with this many reads of one page each. A disk that models time counts
    /// these reads, and not the calls of [`Disk::read`] and [`Disk::len`] for such files: their number depends on how
    /// the database lays out its pages.
    fn charge_reads(&self, count: u64) {
        let _ = count;
    }
}

/// Reads a whole file.
///
/// # Errors
/// No such file, EIO.
pub fn read_all(disk: &dyn Disk, path: &str) -> Result<Vec<u8>, DiskError> {
    let mut content = vec![0; disk.len(path)? as usize];
    disk.read(path, 0, &mut content)?;
    Ok(content)
}
