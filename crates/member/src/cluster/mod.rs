//! The membership of the cluster: current members with names and URLs, the ids of removed members, active
//! alarms, and the cluster version. It is replicated state, like the key-value store: every member applies
//! the same changes at the same indices, so all have the same [`Cluster::hash`].
//!
//! | file | what it contains |
//! |---|---|
//! | `change` | a membership change: how a log entry encodes it, and its effect |
//! | `check` | the checks before a change is proposed |
//! | `identity` | peer URLs and the ids of members |
//! | `alarms` | NOSPACE and CORRUPT: how they are raised and disarmed, and which requests they refuse |
//! | `row` | how the membership is encoded as bytes |
//!
//! Not here: raft's configuration (`configuration` makes one from a [`Change`]), connections between members,
//! ending the process of a removed member, and permissions (`auth`).
//!
//! Invariants: a removed id is never used again; no two members share a peer URL; a member is either a voter
//! or a learner; once there is a voter, there is always at least one.

mod alarms;
mod change;
mod check;
mod identity;
mod row;

use std::collections::{BTreeMap, BTreeSet};

use api::Error;
use api::etcdserverpb::Member;
use bytes::Bytes;
use record::{MemberId, Probe};
use xxhash_rust::xxh3::xxh3_64;

use crate::config::{Config, Ids, Peer, Settings};
use crate::flaw::Flaws;
use crate::probes::Probes;
use alarms::Alarms;
pub use change::Change;

pub use alarms::cost;
pub use check::{HEALTH_INTERVAL, Health, Progress};
pub use identity::{check_urls, member_id};
pub use row::Row;

/// The settings that concern the membership.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// How the ids of new members are chosen.
    ids: Ids,
    /// etcd's `--strict-reconfig-check`: refuse a change that would leave too few started voters.
    strict_reconfig: bool,
    /// The result of applying a change depends on it, so it must be the same on all members.
    max_learners: u32,
    flaws: Flaws,
}

impl From<&Config> for Rules {
    fn from(config: &Config) -> Rules {
        let Settings { ids, strict_reconfig, max_learners, .. } = config.settings;
        Rules { ids, strict_reconfig, max_learners, flaws: config.flaws }
    }
}

/// The membership of a cluster. Equality compares the replicated content and ignores the settings.
#[derive(Clone, Debug)]
pub struct Cluster {
    rules: Rules,
    members: Members,
    alarms: Alarms,
    /// The cluster version; empty until the leader has set it.
    version: String,
    /// The version to which a downgrade is in progress; empty if there is none.
    downgrade: String,
    /// The hash of the fields above, except the rules.
    hash: u64,
    /// The learners that were promoted since this value was created or decoded. Only the flaw M-20797 needs them, if
    /// it is switched on.
    promoted: BTreeSet<MemberId>,
    /// The peer URLs of members that were removed since this value was created or decoded. Only the probe
    /// [`Probe::MemberReAddedUrl`] needs them.
    removed_urls: BTreeSet<String>,
    probes: Probes,
}

/// Current and removed members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Members {
    current: BTreeMap<MemberId, Member>,
    removed: BTreeSet<MemberId>,
}

/// The id of a member in an API message.
pub(crate) fn id_of_member(member: &Member) -> MemberId {
    MemberId::from_raft(member.id)
}

impl PartialEq for Cluster {
    fn eq(&self, other: &Cluster) -> bool {
        (&self.members, &self.alarms) == (&other.members, &other.alarms)
            && (&self.version, &self.downgrade) == (&other.version, &other.downgrade)
    }
}

impl Eq for Cluster {}

impl Cluster {
    /// The membership of a new cluster: all members of `peers` are voters, and their names are known, as in
    /// etcd, whose bootstrap entries carry them (`server/etcdserver/bootstrap.go`). A member that joins later
    /// passes no peers.
    pub fn bootstrap(peers: &[Peer], config: &Config) -> Cluster {
        let member = |peer: &Peer| Member {
            id: peer.id.raft_id(),
            name: peer.name.to_string(),
            peer_urls: peer.peer_urls.to_vec(),
            ..Member::default()
        };
        let current = peers.iter().map(|peer| (peer.id, member(peer))).collect();
        Cluster::of(
            Members { current, ..Members::default() },
            Alarms::default(),
            String::new(),
            config.into(),
        )
    }

    /// A cluster with this content. Computes its hash.
    fn of(members: Members, alarms: Alarms, version: String, rules: Rules) -> Cluster {
        let mut cluster = Cluster {
            rules,
            members,
            alarms,
            version,
            downgrade: String::new(),
            hash: 0,
            promoted: BTreeSet::new(),
            removed_urls: BTreeSet::new(),
            probes: Probes::default(),
        };
        cluster.update_hash();
        cluster
    }

    /// Recomputes the hash after a change.
    fn update_hash(&mut self) {
        self.hash = xxh3_64(&self.row());
    }

    /// Applies a committed change, if it is still valid, and returns all members after it. `index` is that of
    /// the entry; only debug output uses it.
    ///
    /// # Errors
    /// Those of etcd's `ValidateConfigurationChange`: `MemberNotFound` (unknown or removed), `MemberExists`,
    /// `PeerUrlExists`, `TooManyLearners`, `MemberNotLearner`; and `NotEnoughStartedMembers` if no voter
    /// would be left (etcd's process would end). After an error, the membership is what it was.
    pub fn apply_change(&mut self, index: u64, change: &Change) -> Result<Vec<Member>, Error> {
        match self.members.after(change, &self.rules) {
            Ok(members) => {
                tracing::debug!(index, ?change, "membership changed");
                self.adopt(change, members);
                Ok(self.list())
            }
            Err(error) => {
                tracing::debug!(index, ?change, %error, "a membership change is no longer valid");
                self.probes.reached(Probe::ChangeRefusedAtApply);
                Err(error)
            }
        }
    }

    /// Replaces the members by those after a change, and counts the probes that the change reaches.
    fn adopt(&mut self, change: &Change, members: Members) {
        if matches!(change, Change::Joint(_)) {
            self.probes.reached(Probe::JointChangeApplied);
        }
        for step in change.steps() {
            match step {
                Change::Add(member) => {
                    if member.is_learner {
                        self.probes.reached(Probe::LearnerAdded);
                    }
                    if member.peer_urls.iter().any(|url| self.removed_urls.contains(url)) {
                        self.probes.reached(Probe::MemberReAddedUrl);
                    }
                }
                Change::Remove(id) => {
                    let urls = self.members.current.get(id).map(|member| member.peer_urls.clone());
                    self.removed_urls.extend(urls.into_iter().flatten());
                    self.probes.reached(Probe::MemberRemoved);
                }
                Change::Promote(id) => {
                    self.promoted.insert(*id);
                    self.probes.reached(Probe::LearnerPromoted);
                }
                Change::Update(..) | Change::Joint(_) => {}
            }
        }
        self.members = members;
        self.update_hash();
    }

    /// Stores the name and client URLs that a member published. Returns whether `id` is a member: a member
    /// that was removed meanwhile is ignored, as in etcd.
    pub fn apply_attributes(&mut self, id: MemberId, name: &str, client_urls: &[String]) -> bool {
        let Some(member) = self.members.current.get_mut(&id) else { return false };
        member.name = name.to_string();
        member.client_urls = client_urls.to_vec();
        self.update_hash();
        true
    }

    /// Sets the cluster version, such as "3.6.0".
    pub fn set_version(&mut self, version: &str) {
        self.version = version.to_string();
        self.update_hash();
    }

    /// The cluster version; empty until it is set.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Begins a downgrade to this cluster version, or ends it if that is empty.
    pub fn set_downgrade(&mut self, target: &str) {
        self.downgrade = target.to_string();
        self.update_hash();
    }

    /// The cluster version to which a downgrade is in progress.
    pub fn downgrade(&self) -> Option<&str> {
        (!self.downgrade.is_empty()).then_some(&*self.downgrade)
    }

    /// All members, ordered by id, as in the response to a list request. The name of a member that was added
    /// later, and the client URLs of any member, are empty until the member has published them.
    pub fn list(&self) -> Vec<Member> {
        self.members.current.values().cloned().collect()
    }

    /// All members, sorted by id, each with whether it is a learner.
    pub(crate) fn roles(&self) -> Vec<(MemberId, bool)> {
        self.members.current.iter().map(|(id, member)| (*id, member.is_learner)).collect()
    }

    /// Ids of all members, sorted.
    pub fn ids(&self) -> impl Iterator<Item = MemberId> {
        self.members.current.keys().copied()
    }

    /// A member by id.
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.current.get(&id)
    }

    /// Whether `id` was once a member and no longer is.
    pub fn is_removed(&self, id: MemberId) -> bool {
        self.members.removed.contains(&id)
    }

    /// Ids of the voters, sorted.
    pub fn voters(&self) -> Vec<MemberId> {
        self.members.voters().map(id_of_member).collect()
    }

    /// Ids of the learners, sorted.
    pub fn learners(&self) -> Vec<MemberId> {
        self.members.current.values().filter(|member| member.is_learner).map(id_of_member).collect()
    }

    /// A hash of everything except the settings, equal on all members that have applied the same entries.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Encodes the membership for the backend and for snapshots.
    pub fn encode(&self) -> Bytes {
        row::encode(self)
    }

    /// Decodes what [`Cluster::encode`] returned.
    ///
    /// # Errors
    /// What is wrong with the bytes, if they are not such an encoding.
    pub fn decode(bytes: Bytes, config: &Config) -> Result<Cluster, String> {
        row::decode(bytes, config.into())
    }

    /// The bytes that the hash covers: the membership as encoded by `row.rs`, without the effect of any flaw.
    fn row(&self) -> Vec<u8> {
        row::encode_members(self, self.members.current.values().cloned().collect())
    }

    /// The probes reached since the last call.
    pub fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }
}

#[cfg(test)]
mod tests;
