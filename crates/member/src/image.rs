//! Encodes all replicated state in one piece, an *image*, for a snapshot between members or for an operator.
//!
//! Replicated state is the store, the membership with its alarms, and users with their roles. The backend
//! keeps the store as rows; everything else, named *the rest* here, is in the metadata of each backend
//! commit.
//!
//! Format of an image: length of the rest (4 bytes, little-endian), the rest, the store (`mvcc`, with its own
//! checksum). Format of the rest: CRC32C of what follows (4), length of the membership (4), the membership,
//! users and roles.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::auth::AuthStore;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::flaw::Flaw;
use crate::mvcc::{Damaged, Frozen, Store};

/// All replicated state as it was at some moment, to be encoded.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The rest, encoded.
    pub(crate) rest: Bytes,
    pub(crate) store: Frozen,
}

/// A decoded image.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) store: Store,
    pub(crate) cluster: Cluster,
    pub(crate) auth: AuthStore,
}

impl Image {
    /// Decodes an image.
    ///
    /// # Errors
    /// `Damaged` if [`Parts::encode`] did not produce these bytes.
    pub(crate) fn decode(mut bytes: Bytes, config: &Config) -> Result<Image, Damaged> {
        if bytes.len() < 4 {
            return Err(Damaged::new(format!("{} bytes are not a snapshot", bytes.len())));
        }
        let length = bytes.get_u32_le() as usize;
        if bytes.len() < length {
            return Err(Damaged::new("a snapshot ends too early".to_string()));
        }
        let rest = bytes.split_to(length);
        let (cluster, auth) = decode_rest(rest, config)?;
        Ok(Image { store: Store::decode_snapshot_with(bytes, config.flaws)?, cluster, auth })
    }
}

/// Encodes the rest: all replicated state except the store.
pub(crate) fn encode_rest(cluster: &Cluster, auth: &AuthStore) -> Bytes {
    let (cluster, auth) = (cluster.encode(), auth.encode());
    let mut body = BytesMut::with_capacity(8 + cluster.len() + auth.len());
    body.put_u32_le(0);
    body.put_u32_le(cluster.len() as u32);
    body.put_slice(&cluster);
    body.put_slice(&auth);
    let checksum = crc32c::crc32c(&body[4..]);
    (&mut body[..4]).put_u32_le(checksum);
    body.freeze()
}

/// Decodes what [`encode_rest`] returned.
pub(crate) fn decode_rest(mut bytes: Bytes, config: &Config) -> Result<(Cluster, AuthStore), Damaged> {
    if bytes.len() < 8 {
        return Err(Damaged::new(format!("{} bytes do not hold a cluster and users", bytes.len())));
    }
    let stated = bytes.get_u32_le();
    let actual = crc32c::crc32c(&bytes);
    // Flaw X2: the checksum need not match.
    if stated != actual && !config.flaws.has(Flaw::SnapshotChecksumIgnored) {
        let what = format!("members and users have the checksum {actual:08x}, but {stated:08x} is recorded");
        return Err(Damaged::new(what));
    }
    let length = bytes.get_u32_le() as usize;
    if bytes.len() < length {
        return Err(Damaged::new("the members of the cluster end too early".to_string()));
    }
    let cluster = bytes.split_to(length);
    let cluster = Cluster::decode(cluster, config).map_err(Damaged::new)?;
    let auth = AuthStore::decode(bytes, config).map_err(Damaged::new)?;
    Ok((cluster, auth))
}

impl Parts {
    /// Encodes an image.
    pub(crate) fn encode(&self) -> Bytes {
        let store = self.store.encode();
        let mut image = BytesMut::with_capacity(4 + self.rest.len() + store.len());
        image.put_u32_le(self.rest.len() as u32);
        image.put_slice(&self.rest);
        image.put_slice(&store);
        image.freeze()
    }
}
