//! The membership: current and removed members, active alarms, and the cluster version.
//!
//! | file | job |
//! |---|---|
//! | `change` | a membership change: its form in a log entry, and its effect |
//! | `check` | what a server refuses before it proposes a change |
//! | `identity` | peer URLs and the ids of members |
//! | `alarms` | NOSPACE and CORRUPT: raising, disarming, what they refuse, and what requests cost |
//! | `row` | the saved form |
//!
//! It is a replicated state machine next to the key-value store: every member applies the same changes at the
//! same indexes, so all agree on [`Cluster::hash`].
//!
//! Not here: raft's configuration (the host converts a [`Change`] to one), connections, ending the process of
//! a removed member, and permissions (`auth`).
//!
//! Invariants: a removed id never comes back; no two members share a peer URL; a member is either a voter or
//! a learner; once there is a voter, there always is one.

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
pub use identity::member_id;

/// The settings that concern the membership.
#[derive(Clone, Copy, Debug)]
struct Rules {
    ids: Ids,
    strict_reconfig: bool,
    /// Used when a change is applied, so it must be the same on all members.
    max_learners: u32,
    flaws: Flaws,
}

impl From<&Config> for Rules {
    fn from(config: &Config) -> Rules {
        let Settings { ids, strict_reconfig, max_learners, .. } = config.settings;
        Rules { ids, strict_reconfig, max_learners, flaws: config.flaws }
    }
}

/// The membership of a cluster. Two are equal if their content is, whatever the settings.
#[derive(Clone, Debug)]
pub struct Cluster {
    rules: Rules,
    members: Members,
    alarms: Alarms,
    /// Empty until the leader has set it.
    version: String,
    /// Hash of all the above except the rules.
    hash: u64,
    /// Learners promoted since this value was created or decoded.
    promoted: BTreeSet<MemberId>,
    /// Peer URLs of members removed since then.
    retired_urls: BTreeSet<String>,
    probes: Probes,
}

/// Current and removed members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Members {
    now: BTreeMap<MemberId, Member>,
    removed: BTreeSet<MemberId>,
}

/// The id of a member in the form of the API.
pub(crate) fn id_of_member(member: &Member) -> MemberId {
    MemberId::from_raft(member.id)
}

impl PartialEq for Cluster {
    fn eq(&self, other: &Cluster) -> bool {
        (&self.members, &self.alarms, &self.version) == (&other.members, &other.alarms, &other.version)
    }
}

impl Eq for Cluster {}

impl Cluster {
    /// The cluster's first configuration: all members vote and have names, since etcd's bootstrap entries
    /// carry the names (`server/etcdserver/bootstrap.go`). A joining member starts with that of the others.
    pub fn bootstrap(peers: &[Peer], config: &Config) -> Cluster {
        let member = |peer: &Peer| Member {
            id: peer.id.raft_id(),
            name: peer.name.to_string(),
            peer_urls: peer.peer_urls.to_vec(),
            ..Member::default()
        };
        let now = peers.iter().map(|peer| (peer.id, member(peer))).collect();
        Cluster::of(Members { now, ..Members::default() }, Alarms::default(), String::new(), config.into())
    }

    fn of(members: Members, alarms: Alarms, version: String, rules: Rules) -> Cluster {
        let mut cluster = Cluster {
            rules,
            members,
            alarms,
            version,
            hash: 0,
            promoted: BTreeSet::new(),
            retired_urls: BTreeSet::new(),
            probes: Probes::default(),
        };
        cluster.changed();
        cluster
    }

    /// Updates what is derived.
    fn changed(&mut self) {
        self.hash = xxh3_64(&self.row());
    }

    /// Carries out a committed change, if it is still valid, and returns all members after it. `index` is the
    /// entry's, for the process's log output.
    ///
    /// # Errors
    /// Those of etcd's `ValidateConfigurationChange`: `MemberNotFound` (unknown or removed), `MemberExists`,
    /// `PeerUrlExists`, `TooManyLearners`, `MemberNotLearner`; and `NotEnoughStartedMembers` if no voter
    /// would be left, which ends an etcd process. An error changes nothing.
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

    /// Adopts the result of a change.
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
                    if member.peer_urls.iter().any(|url| self.retired_urls.contains(url)) {
                        self.probes.reached(Probe::MemberReAddedUrl);
                    }
                }
                Change::Remove(id) => {
                    let urls = self.members.now.get(id).map(|member| member.peer_urls.clone());
                    self.retired_urls.extend(urls.into_iter().flatten());
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
        self.changed();
    }

    /// Stores what a member published about itself. Returns whether `id` is a member: one removed in the
    /// meantime is skipped, as in etcd.
    pub fn apply_attributes(&mut self, id: MemberId, name: &str, client_urls: &[String]) -> bool {
        let Some(member) = self.members.now.get_mut(&id) else { return false };
        member.name = name.to_string();
        member.client_urls = client_urls.to_vec();
        self.changed();
        true
    }

    /// Sets the cluster version, such as "3.6.0".
    pub fn set_version(&mut self, version: &str) {
        self.version = version.to_string();
        self.changed();
    }

    /// The cluster version; empty until it was decided.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// All members as in the response to a list request, ordered by id. An added member's name is empty until
    /// it published it; client URLs are empty for every member until then.
    pub fn list(&self) -> Vec<Member> {
        self.members.now.values().cloned().collect()
    }

    /// Ids of all members, sorted.
    pub fn ids(&self) -> impl Iterator<Item = MemberId> {
        self.members.now.keys().copied()
    }

    /// A member by id.
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.now.get(&id)
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
        self.members.now.values().filter(|member| member.is_learner).map(id_of_member).collect()
    }

    /// A digest of everything except the settings: equal on all members that have applied the same entries.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The saved form.
    pub fn encode(&self) -> Bytes {
        row::encode(self)
    }

    /// Reads the saved form.
    ///
    /// # Errors
    /// What is wrong with the bytes, if no [`Cluster::encode`] can have written them.
    pub fn decode(bytes: Bytes, config: &Config) -> Result<Cluster, String> {
        row::decode(bytes, config.into())
    }

    /// The bytes that the hash covers.
    fn row(&self) -> Vec<u8> {
        row::encode_members(self, self.members.now.values().cloned().collect())
    }

    /// The probes reached since the last call.
    pub fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }
}

#[cfg(test)]
mod tests;
