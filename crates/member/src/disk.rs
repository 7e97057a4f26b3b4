//! What a member asks of its disk: files as POSIX has them.
//!
//! Two ways lead there. A *job* is a list of operations handed out as an effect and answered later
//! by an input: the write-ahead log works so, and the member goes on meanwhile. The [`Disk`] trait is
//! synchronous: recovery at start and the backend's database need it. In the simulator the
//! operations of a synchronous section are spread over virtual time behind the member's back, so a
//! crash can fall between any two of them; the section's end is answered by an input, too.
//!
//! Paths are relative to the member's data directory and at most one directory deep (`wal/…`,
//! `snap/…`, `db/…`). The directories themselves always exist.
//!
//! Durability is POSIX's: content is durable after [`DiskOp::Sync`] of the file, the name after
//! [`DiskOp::SyncDir`] of its directory.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// A path, cheap to clone.
pub type Path = Arc<str>;

/// One operation on files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskOp {
    /// Makes an empty file; fails with [`DiskErrorKind::Exists`] where there is one.
    Create {
        /// The file.
        path: Path,
    },
    /// Writes at the end of the file.
    Append {
        /// The file.
        path: Path,
        /// What.
        data: Bytes,
    },
    /// Writes at an offset, extending the file with zeros where needed.
    WriteAt {
        /// The file.
        path: Path,
        /// Where, in bytes.
        offset: u64,
        /// What.
        data: Bytes,
    },
    /// Sets the file's length, in bytes, cutting it or extending it with zeros.
    Truncate {
        /// The file.
        path: Path,
        /// The new length.
        len: u64,
    },
    /// Renames a file within or across directories, replacing what stood there.
    Rename {
        /// Its name now.
        from: Path,
        /// Its name then.
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
    /// fsync of a directory: its names are durable.
    SyncDir {
        /// The directory: `wal`, `snap` or `db`.
        path: Path,
    },
}

/// Operations done in order, answered once. After a failed operation the rest are not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskJob {
    /// The member's own number for it, from 1, growing. Jobs are done one after the other.
    pub id: u64,
    /// What to do.
    pub ops: Vec<DiskOp>,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskErrorKind {
    /// No such file.
    NotFound,
    /// The file is there already.
    Exists,
    /// A read past the end of the file.
    PastEnd,
    /// EIO: the device failed. After a failed sync the dirty pages are gone from the cache, as on Linux.
    Io,
    /// ENOSPC: the disk is full.
    Full,
    /// The process that asked is gone.
    Dead,
}

/// A failed operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} on {path}")]
pub struct DiskError {
    /// What.
    pub kind: DiskErrorKind,
    /// Where.
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

/// Synchronous access to a member's files.
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
    /// Whatever the operation can meet; nothing of it took place then, but for a failed write, of
    /// which a part may have.
    fn perform(&self, op: &DiskOp) -> Result<(), DiskError>;
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
