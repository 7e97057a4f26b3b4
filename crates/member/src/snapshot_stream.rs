//! A snapshot of all replicated state, as an operator gets it: a stream of pieces.

use api::etcdserverpb::SnapshotResponse;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::mvcc::Damaged;

/// The most bytes of the image in one message of a snapshot stream (`v3rpc/maintenance.go`, `snapshotSendBufferSize`).
const BLOB: usize = 32 << 10;

/// A snapshot for an operator: first the image in pieces, then its SHA-256, as in etcd. The image is in our
/// format, which [`crate::Config::restore`] accepts, and not a bbolt file.
#[derive(Clone, Debug)]
pub struct SnapshotStream {
    /// The version of the storage, which each message names.
    version: &'static str,
    /// The part of the image that is not sent yet.
    rest: Bytes,
    /// The SHA-256, until it is sent.
    checksum: Option<Bytes>,
}

impl SnapshotStream {
    pub(crate) fn new(version: &'static str, image: Bytes) -> SnapshotStream {
        let checksum = Some(Bytes::copy_from_slice(&Sha256::digest(&image)));
        SnapshotStream { version, rest: image, checksum }
    }

    /// Joins the pieces of a snapshot to the image.
    ///
    /// # Errors
    /// A piece is missing, or the checksum does not match.
    pub fn collect(pieces: impl IntoIterator<Item = SnapshotResponse>) -> Result<Bytes, Damaged> {
        let mut all: Vec<u8> = Vec::new();
        pieces.into_iter().for_each(|piece| all.extend_from_slice(&piece.blob));
        let Some(end) = all.len().checked_sub(32) else {
            return Err(Damaged::new(format!("{} bytes are not a snapshot", all.len())));
        };
        let checksum = all.split_off(end);
        if checksum != Sha256::digest(&all)[..] {
            return Err(Damaged::new("the SHA-256 after the snapshot does not match it"));
        }
        Ok(all.into())
    }
}

impl Iterator for SnapshotStream {
    type Item = SnapshotResponse;

    fn next(&mut self) -> Option<SnapshotResponse> {
        let blob = match self.rest.len() {
            0 => self.checksum.take()?,
            left => self.rest.split_to(left.min(BLOB)),
        };
        let remaining_bytes = self.rest.len() as u64;
        let version = self.version.to_string();
        // etcd fills in no header.
        Some(SnapshotResponse { header: None, remaining_bytes, blob, version })
    }
}
