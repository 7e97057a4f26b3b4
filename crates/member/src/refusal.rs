//! Why a member does not start.

use contract::Refusal;

use crate::backend::BackendError;
use crate::disk::DiskError;
use crate::mvcc::Damaged;
use crate::wal::WalError;

/// Why a member does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The disk failed. A later start may work.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The write-ahead log is damaged.
    #[error(transparent)]
    Wal(WalError),
    /// The backend is damaged.
    #[error(transparent)]
    Backend(BackendError),
    /// The backend can be read, but its rows do not make a store.
    #[error("the backend's rows are invalid: {0}")]
    Store(#[from] Damaged),
    /// The log and the backend do not fit together: the log begins after the backend's consistent index, or
    /// ends before it.
    #[error(
        "the backend holds everything up to entry {backend}, the log {what}: one of the two lost what was durable"
    )]
    Apart {
        /// The backend's consistent index.
        backend: u64,
        /// What the log holds.
        what: String,
    },
    /// The disk is empty, but this is not the first start: the member has lost its votes and the entries it acknowledged,
    /// so it must be removed from the cluster and added again, as etcd requires ("member has already been bootstrapped").
    #[error(
        "the data directory is empty, but this member has already been bootstrapped: its votes and acknowledgements are gone; remove it from the cluster and add it as a new member"
    )]
    LostDisk,
    /// The member's own state says that it was removed from the cluster.
    #[error("this member has been removed from the cluster permanently")]
    Removed,
}

impl Refusal for StartError {
    fn is_lasting(&self) -> bool {
        match self {
            StartError::Disk(_) | StartError::Wal(WalError::Disk(_)) => false,
            StartError::Backend(BackendError::Disk { .. }) => false,
            StartError::Wal(_) | StartError::Backend(_) | StartError::Store(_) => true,
            StartError::Apart { .. } | StartError::LostDisk | StartError::Removed => true,
        }
    }

    fn is_removal(&self) -> bool {
        matches!(self, StartError::Removed)
    }
}

impl From<WalError> for StartError {
    fn from(error: WalError) -> StartError {
        StartError::Wal(error)
    }
}

impl From<BackendError> for StartError {
    fn from(error: BackendError) -> StartError {
        StartError::Backend(error)
    }
}
