//! Encodes the membership as bytes, to save it in the backend, to send it in snapshots and to hash it.
//!
//! The bytes are one protobuf message, the *row*: the backend stores it as one key-value pair. Its lists are sorted,
//! so equal memberships have equal bytes and therefore equal hashes.

use std::collections::BTreeMap;

use api::etcdserverpb::{AlarmMember, Member};
use bytes::Bytes;
use prost::Message as _;
use record::MemberId;

use super::alarms::Alarms;
use super::{Cluster, Members, Rules, id_of_member};
use crate::flaw::Flaw;

/// The version of this encoding. [`decode`] refuses every other one.
const VERSION: u32 = 1;

/// The membership, with the active alarms and the cluster version.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Row {
    #[prost(uint32, tag = "1")]
    version: u32,
    /// The members, by id.
    #[prost(message, repeated, tag = "2")]
    pub members: Vec<Member>,
    /// The ids of removed members, which must never be used again.
    #[prost(uint64, repeated, tag = "3")]
    pub removed: Vec<u64>,
    /// The alarms that are on.
    #[prost(message, repeated, tag = "4")]
    pub alarms: Vec<AlarmMember>,
    /// The version of the cluster; empty until it is set.
    #[prost(string, tag = "5")]
    pub cluster_version: String,
    /// The target of the downgrade in progress.
    #[prost(string, tag = "6")]
    pub downgrade: String,
}

impl Row {
    /// A membership without members, in this version.
    pub fn empty() -> Row {
        Row { version: VERSION, ..Row::default() }
    }
}

/// Encodes a cluster's membership.
pub(super) fn encode(cluster: &Cluster) -> Bytes {
    let mut members = cluster.list();
    // The flaw M-20797, if it is switched on: a promotion of a learner is applied in memory but not saved. So after a
    // restart, or in a snapshot, the voter is a learner again.
    if cluster.rules.flaws.has(Flaw::PromotionNotPersisted) {
        members
            .iter_mut()
            .for_each(|member| member.is_learner |= cluster.promoted.contains(&id_of_member(member)));
    }
    encode_members(cluster, members).into()
}

/// Encodes a cluster's membership, with `members` in place of its own.
pub(super) fn encode_members(cluster: &Cluster, members: Vec<Member>) -> Vec<u8> {
    let row = Row {
        version: VERSION,
        members,
        removed: cluster.members.removed.iter().map(|id| id.raft_id()).collect(),
        alarms: cluster.alarms.iter().collect(),
        cluster_version: cluster.version.clone(),
        downgrade: cluster.downgrade.clone(),
    };
    row.encode_to_vec()
}

/// Decodes what [`encode`] wrote. The error says what is wrong with the bytes.
pub(super) fn decode(bytes: Bytes, rules: Rules) -> Result<Cluster, String> {
    let row = Row::decode(bytes).map_err(|error| format!("not a membership: {error}"))?;
    if row.version != VERSION {
        return Err(format!("a membership in version {}, not {VERSION}", row.version));
    }
    let mut current = BTreeMap::new();
    for member in row.members {
        let id = id_of_member(&member);
        if id.is_none() || row.removed.contains(&member.id) || current.insert(id, member).is_some() {
            return Err(format!(
                "a membership in which {id} is a member twice, was removed, or is not an id"
            ));
        }
    }
    let mut alarms = Alarms::default();
    if !row.alarms.iter().all(|alarm| alarms.insert(alarm)) {
        return Err("a membership in which an alarm is active twice".to_string());
    }
    let members = Members { current, removed: row.removed.into_iter().map(MemberId::from_raft).collect() };
    let mut cluster = Cluster::of(members, alarms, row.cluster_version, rules);
    if !row.downgrade.is_empty() {
        cluster.set_downgrade(&row.downgrade);
    }
    Ok(cluster)
}
