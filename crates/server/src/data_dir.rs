//! The data directory: its lock, and what must be known before a member starts.
//!
//! ```text
//! default.etcd/
//!   member/
//!     lock           held by the process that uses the directory
//!     identity.json  who the member is, and how often it has started
//!     wal/ snap/ db/ the member's own files
//! ```
//!
//! Before each start, the number of the start is written and synced, so that it is never used twice.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use record::MemberId;
use serde::{Deserialize, Serialize};

/// The file that says who the member is.
const IDENTITY: &str = "identity.json";
/// While the member's files are being replaced: where the new ones are, and where the old ones are. The replacement
/// takes effect at the moment at which the old ones are moved away.
const NEW: &str = "member.new";
const OLD: &str = "member.old";

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process uses it.
    #[error("{0} is used by another process: stop that one, or choose another --data-dir")]
    Locked(PathBuf),
    /// etcd's own files are in it.
    #[error(
        "{0} holds the data of an etcd: choose another --data-dir, and bring the data over with a snapshot"
    )]
    OfEtcd(PathBuf),
    /// The operating system refused something.
    #[error("{path}: {error}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The file with the identity cannot be read.
    #[error("{path} is damaged: {error}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: serde_json::Error,
    },
}

/// Who the member is, and how often it has started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The member's id.
    pub member: MemberId,
    /// The cluster's id.
    pub cluster: u64,
    /// The number of the last start.
    pub starts: u32,
    /// Whether one of the starts was complete: the member may have promised something since.
    pub started: bool,
}

/// A data directory that this process has locked.
#[derive(Debug)]
pub struct DataDir {
    member: PathBuf,
    /// Held as long as the process lives.
    _lock: File,
    /// What is known of the member; `None` before its first start.
    pub identity: Option<Identity>,
}

impl DataDir {
    /// Makes the directory if it does not exist, and locks it.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn open(root: &Path) -> Result<DataDir, DataDirError> {
        let member = root.join("member");
        finish_replacement(root).map_err(|error| DataDirError::Io { path: root.to_path_buf(), error })?;
        make_private(&member).map_err(|error| DataDirError::Io { path: member.clone(), error })?;
        let path = member.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|error| DataDirError::Io { path: path.clone(), error })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataDirError::Locked(root.to_path_buf())),
            Err(TryLockError::Error(error)) => return Err(DataDirError::Io { path, error }),
        }
        if member.join("snap").join("db").exists() {
            return Err(DataDirError::OfEtcd(root.to_path_buf()));
        }
        let identity = read_identity(&member.join(IDENTITY))?;
        Ok(DataDir { member, _lock: lock, identity })
    }

    /// An empty place beside the member's files, for the files that are to replace them.
    ///
    /// # Errors
    /// The operating system's.
    pub fn beside(&self) -> io::Result<PathBuf> {
        let new = self.member.with_file_name(NEW);
        make_private(&new)?;
        Ok(new)
    }

    /// Replaces the member's files by those beside them, which are complete and synced.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn replace(self, root: &Path) -> Result<DataDir, DataDirError> {
        let old = root.join(OLD);
        fs::rename(&self.member, &old).map_err(|error| DataDirError::Io { path: old, error })?;
        DataDir::open(root)
    }

    /// The directory with the member's own files.
    pub fn files(&self) -> &Path {
        &self.member
    }

    /// Writes who the member is, and makes it durable.
    ///
    /// # Errors
    /// The operating system's.
    pub fn save(&mut self, identity: Identity) -> Result<(), DataDirError> {
        write_identity(&self.member, &identity)
            .map_err(|error| DataDirError::Io { path: self.member.join(IDENTITY), error })?;
        self.identity = Some(identity);
        Ok(())
    }
}

/// Writes the identity of the member whose files are in this directory, and makes it durable.
///
/// # Errors
/// The operating system's.
pub fn write_identity(member: &Path, identity: &Identity) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(identity).expect("numbers are JSON");
    let new = member.join("identity.json.tmp");
    let mut file = File::create(&new)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&new, member.join(IDENTITY))?;
    File::open(member)?.sync_all()
}

/// Finishes a replacement of the member's files that was interrupted, or removes what is left of one.
fn finish_replacement(root: &Path) -> io::Result<()> {
    let (member, new, old) = (root.join("member"), root.join(NEW), root.join(OLD));
    if !member.exists() && new.exists() {
        fs::rename(&new, &member)?;
        File::open(root)?.sync_all()?;
    }
    for left in [new, old] {
        if left.exists() {
            fs::remove_dir_all(left)?;
        }
    }
    Ok(())
}

/// Makes a directory, and those above it, that only its owner can read.
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn read_identity(path: &Path) -> Result<Option<Identity>, DataDirError> {
    match fs::read(path) {
        Ok(text) => match serde_json::from_slice(&text) {
            Ok(identity) => Ok(Some(identity)),
            Err(error) => Err(DataDirError::Damaged { path: path.to_path_buf(), error }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DataDirError::Io { path: path.to_path_buf(), error }),
    }
}
