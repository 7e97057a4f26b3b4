//! A member's configuration: its identity and its initial state. Its settings are in a separate crate.

use std::sync::Arc;

use record::MemberId;
pub use settings::{AutoCompaction, Ids, RaftLoop, Settings};

use crate::flaw::Flaws;

/// One member of the cluster's first configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id. In the simulator 1, 2, 3, …
    pub id: MemberId,
    /// Its name.
    pub name: Arc<str>,
    /// Its peer URLs, for the other members.
    pub peer_urls: Arc<[String]>,
}

/// Everything a member knows when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// This member's id.
    pub id: MemberId,
    /// The cluster's id, as in response headers.
    pub cluster_id: u64,
    /// The voters of the initial cluster, including this member.
    pub peers: Arc<[Peer]>,
    /// Whether this is the member's first start. A later start on an empty disk is refused: the member's
    /// votes and acknowledgements are gone, so it must be removed and added again, as etcd requires ("member
    /// has already been bootstrapped").
    pub bootstrap: bool,
    /// Counts the starts of this member, from 1. Part of every request id, so that ids never repeat.
    pub incarnation: u32,
    /// Seed of the keyed draws (election timeouts). Rule R2.
    pub seed: u64,
    /// The client URLs that this member publishes.
    pub client_urls: Arc<[String]>,
    /// Whether it joins an existing cluster (`--initial-cluster-state existing`). It then starts with an
    /// empty log and receives everything from the leader.
    pub join: bool,
    /// A snapshot of another cluster ([`crate::Member::image`]) as the initial state, the same for every
    /// member of `peers`; `None` for an empty state. Keys, leases, users and roles are taken over with their
    /// revisions; members and alarms are not.
    pub restore: Option<bytes::Bytes>,
    /// Its behavior: intervals, limits, switches.
    pub settings: Settings,
    /// The failpoint at which this process crashes or pauses, if one is armed.
    pub failpoint: Option<crate::failpoint::Armed>,
    /// The flaws this member has; none by default.
    pub flaws: Flaws,
}

impl Config {
    /// The member's own name.
    pub fn name(&self) -> &str {
        self.peers.iter().find(|peer| peer.id == self.id).map_or("", |peer| &peer.name)
    }

    /// etcd's defaults for one member of `peers`.
    pub fn new(id: MemberId, peers: Arc<[Peer]>) -> Config {
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
