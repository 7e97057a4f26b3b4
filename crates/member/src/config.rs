//! How a member is set up: who it is and what it starts from. Its settings have a crate of their own.

use std::sync::Arc;

pub use settings::{AutoCompaction, Ids, Settings};

use crate::flaw::Flaws;

/// One member of the cluster's first configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its raft id, not 0. In the simulator 1, 2, 3, …
    pub id: u64,
    /// Its name.
    pub name: Arc<str>,
    /// Where other members reach it.
    pub peer_urls: Arc<[String]>,
}

/// Everything a member knows at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// This member's raft id.
    pub id: u64,
    /// The cluster's id, as response headers carry it.
    pub cluster_id: u64,
    /// The voters the cluster begins with, this member among them.
    pub peers: Arc<[Peer]>,
    /// Whether this is the member's first start. A later start on an empty disk is refused: the
    /// member's votes and acknowledgements are gone, and it must be removed and added again, as etcd
    /// demands ("member has already been bootstrapped").
    pub bootstrap: bool,
    /// Counts the starts of this member, from 1. Part of every request id, so that ids never repeat.
    pub incarnation: u32,
    /// Seed of the keyed draws (election timeouts). Rule R2.
    pub seed: u64,
    /// Where clients reach this member, as it publishes it.
    pub client_urls: Arc<[String]>,
    /// Whether it joins a cluster that exists already (`--initial-cluster-state existing`). It then
    /// begins with an empty log and learns everything from the leader.
    pub join: bool,
    /// What the whole cluster begins with in place of nothing: a snapshot of another one
    /// ([`crate::Member::image`]), the same for every member of `peers`. Keys, leases, users and roles are
    /// taken over, with their revisions; members and alarms are not.
    pub restore: Option<bytes::Bytes>,
    /// How it behaves: intervals, limits, switches.
    pub settings: Settings,
    /// The point at which this process crashes or pauses, if one is armed.
    pub failpoint: Option<crate::failpoint::Armed>,
    /// The defects this member has; none by default.
    pub flaws: Flaws,
}

impl Config {
    /// The member's own name.
    pub fn name(&self) -> &str {
        self.peers.iter().find(|peer| peer.id == self.id).map_or("", |peer| &peer.name)
    }

    /// etcd's defaults for one member of `peers`.
    pub fn new(id: u64, peers: Arc<[Peer]>) -> Config {
        Config {
            id,
            cluster_id: 1,
            peers,
            bootstrap: true,
            incarnation: 1,
            seed: 0,
            client_urls: Arc::new([]),
            join: false,
            restore: None,
            settings: Settings::etcd(),
            failpoint: None,
            flaws: Flaws::default(),
        }
    }
}
