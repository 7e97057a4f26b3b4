//! What the member hands out to be computed, because it costs more than a step may cost: everything that reads all of
//! the replicated state, and the hashing of passwords. See [`contract::Work`].

use std::fmt::{self, Debug, Formatter};

use bytes::Bytes;
use raft::eraftpb::{Message as RaftMessage, Snapshot};

use crate::auth::{ToCheck, ToHash};
use crate::backend::Ledger;
use crate::config::Config;
use crate::image::{Image, Parts};
use crate::mvcc::Damaged;
use crate::snapshot_file::{SnapshotFile, marker_of};
use crate::snapshot_stream::SnapshotStream;

/// A computation for the driver.
#[derive(Debug)]
pub struct Work(pub(crate) Piece);

/// The result of a computation.
#[derive(Debug)]
pub struct Done(pub(crate) Product);

/// What is to be computed.
#[derive(Debug)]
pub(crate) enum Piece {
    /// All replicated state in one piece, for a follower.
    Image(Parts),
    /// The same for an operator, with the version of the storage.
    Snapshot(Parts, &'static str),
    /// The content of a leader's snapshot, which the message brings.
    Receive(Box<RaftMessage>, Box<Config>),
    /// Whether a password is right.
    Check(ToCheck),
    /// The hash of a password.
    Hash(ToHash),
    /// Nothing. This is not needed any more, and freeing it takes a while.
    Discard(Discarded),
}

/// The result for each [`Piece`].
#[derive(Debug)]
pub(crate) enum Product {
    Image(Bytes),
    Snapshot(Box<SnapshotStream>),
    Received(Box<(RaftMessage, Result<Prepared, Damaged>)>),
    Checked(bool),
    Hashed(String),
    Discarded,
}

/// Something that is not needed any more.
pub(crate) struct Discarded(Box<dyn Send>);

impl Discarded {
    pub(crate) fn new(what: impl Send + 'static) -> Discarded {
        Discarded(Box::new(what))
    }
}

impl Debug for Discarded {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discarded").finish_non_exhaustive()
    }
}

/// A leader's snapshot that can be saved and installed.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The snapshot as raft has it.
    snapshot: Snapshot,
    /// The content of its file.
    pub(crate) file: Bytes,
    pub(crate) state: Box<Incoming>,
}

/// The replicated state from a leader's snapshot.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) image: Image,
    /// What the backend will hold of it: all rows are staged.
    pub(crate) ledger: Ledger,
}

impl Prepared {
    /// Decodes the content of a snapshot.
    ///
    /// # Errors
    /// It was damaged on its way.
    fn new(snapshot: Snapshot, config: &Config) -> Result<Prepared, Damaged> {
        let data = snapshot.data.clone();
        let mut image = Image::decode(data.clone(), config)?;
        let mut ledger = Ledger::default();
        image.store.take_rows().for_each(|change| ledger.stage(change));
        let file = SnapshotFile { marker: marker_of(&snapshot), data }.encode();
        Ok(Prepared { snapshot, file, state: Box::new(Incoming { image, ledger }) })
    }

    /// Whether it was made from this very snapshot.
    pub(crate) fn is_of(&self, snapshot: &Snapshot) -> bool {
        let at = |snapshot: &Snapshot| snapshot.data.as_ptr_range();
        self.snapshot.get_metadata() == snapshot.get_metadata() && at(&self.snapshot) == at(snapshot)
    }
}

impl contract::Work for Work {
    type Done = Done;

    fn perform(self) -> Done {
        Done(match self.0 {
            Piece::Image(parts) => Product::Image(parts.encode()),
            Piece::Snapshot(parts, version) => {
                Product::Snapshot(Box::new(SnapshotStream::new(version, parts.encode())))
            }
            Piece::Receive(message, config) => {
                let prepared = Prepared::new(message.get_snapshot().clone(), &config);
                Product::Received(Box::new((*message, prepared)))
            }
            Piece::Check(password) => Product::Checked(password.perform()),
            Piece::Hash(password) => Product::Hashed(password.perform()),
            Piece::Discard(Discarded(what)) => {
                drop(what);
                Product::Discarded
            }
        })
    }
}
