//! A member's configuration: who it is, how it starts, and which flaws it has. Its settings,
//! such as intervals and limits, are in the crate `settings`.

use std::sync::Arc;

use record::MemberId;
pub use settings::{AutoCompaction, BackendWrites, EtcdVersion, Ids, RaftLoop, Settings};

use crate::auth::password::{PasswordHash, Simulated};
use crate::flaw::Flaws;

/// One member of the cluster's initial configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id; 1, 2, 3, … in the simulator.
    pub id: MemberId,
    /// Its name.
    pub name: Arc<str>,
    /// The URLs at which other members reach it.
    pub peer_urls: Arc<[String]>,
}

/// What a member is given when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// This member's id.
    pub id: MemberId,
    /// The cluster's id, as in response headers.
    pub cluster_id: u64,
    /// The voters of the initial cluster, including this member.
    pub peers: Arc<[Peer]>,
    /// The number of this start ([`Boot::incarnation`](contract::Boot::incarnation), which replaces it). It is part of
    /// every request id, so that ids never repeat.
    pub incarnation: u32,
    /// The seed of the member's keyed draws, such as election timeouts (rule R2 of ARCHITECTURE.md).
    pub seed: u64,
    /// The client URLs that this member publishes.
    pub client_urls: Arc<[String]>,
    /// Whether the member joins an existing cluster (etcd's `--initial-cluster-state existing`). It then
    /// starts with an empty log, and the leader sends it a snapshot.
    pub join: bool,
    /// The initial state: an image of another cluster ([`crate::Member::image`]), which must be the same for
    /// every member of `peers`. `None` for an empty state. Keys, leases, users and roles are restored with
    /// their revisions; members and alarms are not.
    pub restore: Option<bytes::Bytes>,
    /// How passwords are hashed. All members must do it in the same way.
    pub passwords: Arc<dyn PasswordHash>,
    /// Intervals, limits and switches.
    pub settings: Settings,
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
            incarnation: 1,
            seed: 0,
            client_urls: Arc::new([]),
            join: false,
            restore: None,
            passwords: Arc::new(Simulated),
            settings: Settings::etcd(),
            flaws: Flaws::default(),
        }
    }
}
