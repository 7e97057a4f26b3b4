//! What is in an image, in etcd's terms: for code that writes or reads etcd's own files.

use std::collections::{BTreeMap, BTreeSet};

use api::mvccpb::KeyValue;
use bytes::Bytes;
use prost::Message as _;

use crate::config::Config;
use crate::image::{Image, Parts};
use crate::mvcc::{Damaged, Store, as_etcd_has_it};
use crate::{auth, cluster};

/// All replicated state.
#[derive(Clone, Debug)]
pub struct Content {
    /// The history, as in etcd's bucket `key`: a revision, and the pair after the change at that revision. The pair of
    /// a deletion has only its key.
    pub rows: Vec<(Bytes, Bytes)>,
    /// The leases: id, time to live, and the time left at the last checkpoint, in seconds.
    pub leases: Vec<[i64; 3]>,
    /// The compact revision; -1 if there was no compaction.
    pub compacted: i64,
    /// Members and alarms.
    pub membership: cluster::Row,
    /// Users and roles.
    pub users: auth::Row,
}

impl Content {
    /// What is in an image.
    ///
    /// # Errors
    /// `Damaged` if it is no image.
    pub fn of(image: Bytes) -> Result<Content, Damaged> {
        let Image { mut store, cluster, auth } = Image::decode(image, &config())?;
        let unreadable = |error: prost::DecodeError| Damaged::new(error.to_string());
        let membership = cluster::Row::decode(cluster.encode()).map_err(unreadable)?;
        let users = auth::Row::decode(auth.encode()).map_err(unreadable)?;
        let leases = store.leases().map(|(id, lease)| [id, lease.ttl, lease.remaining]).collect();
        let compacted = store.compact_revision();
        let changes = store.take_changes().rows.into_iter();
        let rows = changes.filter_map(|(key, value)| Some((key, for_etcd(value?)?))).collect();
        Ok(Content { rows, leases, compacted, membership, users })
    }

    /// Makes the newest revision larger by this much, and compacts everything up to it, so that clients that watch or
    /// read by revision notice that the history is a different one (`etcdutl snapshot restore --bump-revision`).
    /// Returns the new revision; `None` if it would overflow, or a row cannot be read.
    pub fn bump(&mut self, by: u64) -> Option<i64> {
        let of_row = |key: &Bytes| key.first_chunk::<8>().map(|revision| i64::from_be_bytes(*revision));
        let newest =
            self.rows.iter().filter_map(|(key, _)| of_row(key)).max().unwrap_or(1).max(self.compacted);
        let revision = newest.checked_add(i64::try_from(by).ok()?)?;
        self.rows.sort_unstable();
        let mut live = BTreeMap::new();
        for (at, row) in self.rows.iter().enumerate() {
            match KeyValue::decode(row.1.clone()) {
                Ok(pair) if pair.version == 0 => _ = live.remove(&pair.key),
                Ok(pair) => _ = live.insert(pair.key, at),
                Err(_) => return None,
            }
        }
        let stays: BTreeSet<usize> = live.into_values().collect();
        let rows = std::mem::take(&mut self.rows).into_iter().enumerate();
        self.rows = rows.filter_map(|(at, row)| stays.contains(&at).then_some(row)).collect();
        self.compacted = revision;
        Some(revision)
    }

    /// The image with this content.
    ///
    /// # Errors
    /// `Damaged` if no member can have written it.
    pub fn image(self) -> Result<Bytes, Damaged> {
        let rows = self.rows.into_iter().map(|(key, value)| {
            let value = as_we_have_it(&key, value);
            (key, value)
        });
        let store = Store::of_content(rows, self.leases, self.compacted)?;
        let config = config();
        let cluster = cluster::Cluster::decode(self.membership.encode_to_vec().into(), &config);
        let auth = auth::AuthStore::decode(self.users.encode_to_vec().into(), &config);
        let (cluster, auth) = (cluster.map_err(Damaged::new)?, auth.map_err(Damaged::new)?);
        let rest = crate::image::encode_rest(&cluster, &auth);
        Ok(Parts { rest, store: store.freeze() }.encode())
    }
}

/// Decoding needs a configuration, whose settings do not matter here.
fn config() -> Config {
    Config::new(record::MemberId::new(1), [].into())
}

/// The value of a row as etcd stores it.
fn for_etcd(value: Bytes) -> Option<Bytes> {
    Some(as_etcd_has_it(&KeyValue::decode(value).ok()?).encode_to_vec().into())
}

/// A pair as we store it in a row: unlike in etcd, a deletion has its revision. A damaged value stays as it is.
fn as_we_have_it(key: &Bytes, value: Bytes) -> Bytes {
    match (key.first_chunk::<8>(), KeyValue::decode(value.clone())) {
        (Some(revision), Ok(pair)) if pair.version == 0 => {
            KeyValue { mod_revision: i64::from_be_bytes(*revision), ..pair }.encode_to_vec().into()
        }
        _ => value,
    }
}
