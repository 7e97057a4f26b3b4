//! Snapshots as etcd has them: a database file of bbolt with etcd's buckets, and its SHA-256 at the end
//! (`storage/schema/`). `etcdctl snapshot save` writes what this makes, and `etcdutl snapshot restore` accepts it.

use std::collections::BTreeMap;
use std::iter;

use api::authpb;
use api::etcdserverpb::AlarmMember;
use api::etcdserverpb::SnapshotResponse;
use bytes::{Buf as _, Bytes};
use member::auth::Row as Users;
use member::cluster::Row as Membership;
use member::{Content, SnapshotStream};
use prost::Message as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::bolt::{self, Buckets};

/// The length of a SHA-256.
const HASH: usize = 32;
/// The length of a file of bbolt is a multiple of this.
const BLOCK: usize = 512;
/// How many bytes a message of a snapshot has at most (`v3rpc/maintenance.go`, `snapshotSendBufferSize`).
const PIECE: usize = 32 << 10;
/// The version of what is stored, as etcd counts it.
const STORAGE_VERSION: &str = "3.7.0";

/// Why a file is no snapshot of etcd.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It does not end with the hash of what comes before.
    #[error("the snapshot is damaged: the hash at its end is not that of its content")]
    Hash,
    /// It is no database.
    #[error(transparent)]
    Database(#[from] bolt::Damaged),
    /// The database is not etcd's.
    #[error("the snapshot is damaged: {0}")]
    Content(String),
}

/// A lease as etcd stores it.
#[derive(Clone, PartialEq, prost::Message)]
struct StoredLease {
    #[prost(int64, tag = "1")]
    id: i64,
    #[prost(int64, tag = "2")]
    ttl: i64,
    #[prost(int64, tag = "3")]
    remaining: i64,
}

/// The messages of a snapshot for an operator, made of the member's own.
///
/// # Errors
/// The member's snapshot is damaged.
pub fn pieces(stream: SnapshotStream) -> Result<impl Iterator<Item = SnapshotResponse>, SnapshotError> {
    let wrong = |error: &dyn std::fmt::Display| SnapshotError::Content(error.to_string());
    let image = SnapshotStream::collect(stream).map_err(|error| wrong(&error))?;
    let content = Content::of(image).map_err(|error| wrong(&error))?;
    let mut file = Bytes::from(bolt::write(&buckets(&content)));
    let mut hash = Some(Bytes::copy_from_slice(&Sha256::digest(&file)));
    Ok(iter::from_fn(move || {
        let blob = match file.len() {
            0 => hash.take()?,
            left => file.split_to(left.min(PIECE)),
        };
        let remaining_bytes = file.len() as u64;
        Some(SnapshotResponse { header: None, remaining_bytes, blob, version: STORAGE_VERSION.into() })
    }))
}

/// Reads a snapshot file. `checks` says whether the hash at its end must be right; a database of etcd that was copied has
/// none.
///
/// # Errors
/// It is no snapshot of etcd.
pub fn read(file: &Bytes, checks: bool) -> Result<Content, SnapshotError> {
    let has_hash = file.len() % BLOCK == HASH;
    let database = file.slice(..file.len() - if has_hash { HASH } else { 0 });
    if checks && (!has_hash || Sha256::digest(&database)[..] != file[database.len()..]) {
        return Err(SnapshotError::Hash);
    }
    content(bolt::read(&database)?)
}

// ---- etcd's buckets ---------------------------------------------------------------------------------

/// A revision as a key.
fn revision_key(revision: i64) -> Bytes {
    let mut key = [0; 17];
    key[..8].copy_from_slice(&revision.to_be_bytes());
    key[8] = b'_';
    Bytes::copy_from_slice(&key)
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// The buckets of etcd with this content. All of them exist, even if they are empty.
fn buckets(content: &Content) -> Buckets {
    let Content { rows, leases, compacted, membership, users } = content;
    let mut meta = BTreeMap::from([
        // A restore sets these anew: a snapshot is not a place in a log.
        (text("consistent_index"), Bytes::copy_from_slice(&1_u64.to_be_bytes())),
        (text("term"), Bytes::copy_from_slice(&1_u64.to_be_bytes())),
        (text("storageVersion"), text(STORAGE_VERSION)),
    ]);
    let conf_state = json!({
        "voters": membership.members.iter().filter(|member| !member.is_learner).map(|member| member.id).collect::<Vec<_>>(),
        "learners": membership.members.iter().filter(|member| member.is_learner).map(|member| member.id).collect::<Vec<_>>(),
        "auto_leave": false,
    });
    meta.insert(text("confState"), conf_state.to_string().into());
    if *compacted > 0 {
        meta.insert(text("scheduledCompactRev"), revision_key(*compacted));
        meta.insert(text("finishedCompactRev"), revision_key(*compacted));
    }
    let lease = |[id, ttl, remaining]: &[i64; 3]| {
        let stored = StoredLease { id: *id, ttl: *ttl, remaining: *remaining };
        (Bytes::copy_from_slice(&id.to_be_bytes()), stored.encode_to_vec().into())
    };
    let member = |member: &api::etcdserverpb::Member| {
        let mut shown = json!({ "id": member.id, "peerURLs": member.peer_urls, "name": member.name });
        if !member.client_urls.is_empty() {
            shown["clientURLs"] = json!(member.client_urls);
        }
        if member.is_learner {
            shown["isLearner"] = json!(true);
        }
        (format!("{:x}", member.id).into(), shown.to_string().into())
    };
    let version = match &*membership.cluster_version {
        // The patch number is 0: with any other, the version would be newer than the cluster of any etcd of this minor
        // version, which would then refuse it.
        "" => STORAGE_VERSION,
        version => version,
    };
    let auth = BTreeMap::from([
        (text("authEnabled"), Bytes::copy_from_slice(&[u8::from(users.enabled)])),
        (text("authRevision"), Bytes::copy_from_slice(&users.revision.to_be_bytes())),
    ]);
    let alarm = |alarm: &AlarmMember| (alarm.encode_to_vec().into(), Bytes::new());
    let removed = |id: &u64| (format!("{id:x}").into(), text("removed"));
    Buckets::from([
        (text("alarm"), membership.alarms.iter().map(alarm).collect()),
        (text("auth"), auth),
        (
            text("authRoles"),
            users.roles.iter().map(|role| (role.name.clone(), role.encode_to_vec().into())).collect(),
        ),
        (
            text("authUsers"),
            users.users.iter().map(|user| (user.name.clone(), user.encode_to_vec().into())).collect(),
        ),
        (text("cluster"), BTreeMap::from([(text("clusterVersion"), text(version))])),
        (text("key"), rows.iter().cloned().collect()),
        (text("lease"), leases.iter().map(lease).collect()),
        (text("members"), membership.members.iter().map(member).collect()),
        (text("members_removed"), membership.removed.iter().map(removed).collect()),
        (text("meta"), meta),
    ])
}

/// What is in the buckets of etcd. The members are left out: a restored cluster has others.
fn content(mut buckets: Buckets) -> Result<Content, SnapshotError> {
    let mut bucket = |name: &str| buckets.remove(name.as_bytes()).unwrap_or_default();
    let wrong = |what: &str| SnapshotError::Content(what.to_string());
    let lease = |value: Bytes| {
        let StoredLease { id, ttl, remaining } = StoredLease::decode(value).map_err(|_| wrong("a lease"))?;
        Ok([id, ttl, remaining])
    };
    let (rows, meta, auth) = (bucket("key"), bucket("meta"), bucket("auth"));
    let leases = bucket("lease").into_values().map(lease).collect::<Result<_, SnapshotError>>()?;
    let users = bucket("authUsers").into_values().map(authpb::User::decode).collect::<Result<_, _>>();
    let roles = bucket("authRoles").into_values().map(authpb::Role::decode).collect::<Result<_, _>>();
    let revision = |name: &str| match meta.get(name.as_bytes()) {
        Some(value) if value.len() >= 8 => Bytes::clone(value).get_i64(),
        _ => -1,
    };
    let compacted = revision("scheduledCompactRev").max(revision("finishedCompactRev"));
    let enabled = auth.get(&b"authEnabled"[..]).is_some_and(|value| value.first() == Some(&1));
    let auth_revision = match auth.get(&b"authRevision"[..]) {
        Some(value) if value.len() == 8 => Bytes::clone(value).get_u64(),
        _ => 1,
    };
    let users = Users::new(
        enabled,
        auth_revision,
        users.map_err(|_| wrong("a user"))?,
        roles.map_err(|_| wrong("a role"))?,
    );
    Ok(Content {
        rows: rows.into_iter().collect(),
        leases,
        compacted,
        membership: Membership::empty(),
        users,
    })
}
