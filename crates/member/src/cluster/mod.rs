//! The membership: who belongs to the cluster, who did once, which alarms are on, and the version all
//! members speak.
//!
//! | file | job |
//! |---|---|
//! | `change` | a change of the membership, as a log entry carries it, and what it does |
//! | `check` | what a server refuses before it proposes one |
//! | `identity` | peer URLs and the ids of members |
//! | `alarms` | NOSPACE and CORRUPT: raising, disarming, what they refuse, and what requests cost |
//! | `row` | the saved form |
//!
//! It is a replicated state machine of its own beside the key-value store: every member applies the
//! same changes at the same indexes, and so all agree on [`Cluster::hash`].
//!
//! Not here: raft's configuration (the host turns [`Change`] into one), connections, the process
//! that a removed member ends, and permissions (`auth`).
//!
//! Invariants: an id that was removed never comes back; no two members share a peer URL; a member votes
//! or is a learner; somebody votes, once anybody does.

mod alarms;
mod change;
mod check;
mod identity;
mod row;

use std::collections::{BTreeMap, BTreeSet};

use api::Error;
use api::etcdserverpb::Member;
use bytes::Bytes;
use record::Probe;
use xxhash_rust::xxh3::xxh3_64;

use crate::config::{Config, Ids, Peer, Settings};
use crate::flaw::Flaws;
use crate::probes::Probes;
use alarms::Alarms;
pub use change::Change;

pub use alarms::cost;
pub use check::{HEALTH_INTERVAL, Health, Progress};
pub use identity::member_id;

/// What a member's settings say about the membership.
#[derive(Clone, Copy, Debug)]
struct Rules {
    ids: Ids,
    strict_reconfig: bool,
    /// Looked at when a change is applied: it must be the same on all members.
    max_learners: u32,
    flaws: Flaws,
}

impl From<&Config> for Rules {
    fn from(config: &Config) -> Rules {
        let Settings { ids, strict_reconfig, max_learners, .. } = config.settings;
        Rules { ids, strict_reconfig, max_learners, flaws: config.flaws }
    }
}

/// The membership of a cluster. Two are equal if they hold the same, whatever the settings.
#[derive(Clone, Debug)]
pub struct Cluster {
    rules: Rules,
    members: Members,
    alarms: Alarms,
    /// Empty until the leader has set one.
    version: String,
    /// Of all the above but the rules.
    hash: u64,
    /// Learners that were promoted since this value was made or decoded.
    promoted: BTreeSet<u64>,
    /// Peer URLs of members that were removed since then.
    retired_urls: BTreeSet<String>,
    probes: Probes,
}

/// Those who are members and those who were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Members {
    now: BTreeMap<u64, Member>,
    removed: BTreeSet<u64>,
}

impl PartialEq for Cluster {
    fn eq(&self, other: &Cluster) -> bool {
        (&self.members, &self.alarms, &self.version) == (&other.members, &other.alarms, &other.version)
    }
}

impl Eq for Cluster {}

impl Cluster {
    /// The cluster's first configuration: all vote and are known by name, as etcd's bootstrap entries
    /// carry the names (`server/etcdserver/bootstrap.go`). A member that joins begins with that of the
    /// others.
    pub fn bootstrap(peers: &[Peer], config: &Config) -> Cluster {
        let member = |peer: &Peer| Member {
            id: peer.id,
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

    /// Brings what is derived up to date.
    fn changed(&mut self) {
        self.hash = xxh3_64(&self.row());
    }

    /// Carries out a change that was committed, if it is still valid, and gives all members after it.
    /// `index` is the entry's, for the log of the process.
    ///
    /// # Errors
    /// Those of etcd's `ValidateConfigurationChange`: `MemberNotFound` (unknown, or removed before),
    /// `MemberExists`, `PeerUrlExists`, `TooManyLearners`, `MemberNotLearner`; and
    /// `NotEnoughStartedMembers` where nobody would be left to vote, which ends an etcd process. Nothing
    /// has changed then.
    pub fn apply_change(&mut self, index: u64, change: &Change) -> Result<Vec<Member>, Error> {
        match self.members.after(change, &self.rules) {
            Ok(members) => {
                tracing::debug!(index, ?change, "the membership changed");
                self.adopt(change, members);
                Ok(self.list())
            }
            Err(error) => {
                tracing::debug!(index, ?change, %error, "a change of the membership is no longer valid");
                self.probes.reached(Probe::ChangeRefusedAtApply);
                Err(error)
            }
        }
    }

    /// Takes over the outcome of a change.
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

    /// Stores what a member published about itself. Whether `id` is a member: one that was removed in
    /// the meantime is passed over, as in etcd.
    pub fn apply_attributes(&mut self, id: u64, name: &str, client_urls: &[String]) -> bool {
        let Some(member) = self.members.now.get_mut(&id) else { return false };
        member.name = name.to_string();
        member.client_urls = client_urls.to_vec();
        self.changed();
        true
    }

    /// Sets the version all members speak, such as "3.6.0".
    pub fn set_version(&mut self, version: &str) {
        self.version = version.to_string();
        self.changed();
    }

    /// The version all members speak; empty until it was decided.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// All members as the response to a list has them, ordered by id. The name is empty until a member
    /// that was added published it, the client URLs until any did.
    pub fn list(&self) -> Vec<Member> {
        self.members.now.values().cloned().collect()
    }

    /// Ids of all members, sorted.
    pub fn ids(&self) -> impl Iterator<Item = u64> {
        self.members.now.keys().copied()
    }

    /// One member.
    pub fn member(&self, id: u64) -> Option<&Member> {
        self.members.now.get(&id)
    }

    /// Whether `id` was a member once and is not any more.
    pub fn is_removed(&self, id: u64) -> bool {
        self.members.removed.contains(&id)
    }

    /// Ids of those who vote, sorted.
    pub fn voters(&self) -> Vec<u64> {
        self.members.voters().map(|member| member.id).collect()
    }

    /// Ids of those who do not, sorted.
    pub fn learners(&self) -> Vec<u64> {
        self.members.now.values().filter(|member| member.is_learner).map(|member| member.id).collect()
    }

    /// A digest of everything but the settings: equal on all members that have applied the same.
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
    /// What about the bytes no [`Cluster::encode`] can have written.
    pub fn decode(bytes: Bytes, config: &Config) -> Result<Cluster, String> {
        row::decode(bytes, config.into())
    }

    /// The bytes that the hash covers.
    fn row(&self) -> Vec<u8> {
        row::encode_members(self, self.members.now.values().cloned().collect())
    }

    /// The probes reached since this was asked last.
    pub fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }
}

#[cfg(test)]
mod tests;
