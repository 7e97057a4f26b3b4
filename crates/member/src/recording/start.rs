//! What a process is given when it starts, as a line of a record.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::{Boot, Now};
use record::MemberId;
use serde::{Deserialize, Serialize};

use super::{Blob, FORMAT};
use crate::config::{Config, Peer, Settings};
use crate::io::Etcd;

/// A start. It has everything in the process's [`Config`] except how passwords are hashed, on which no step depends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The name of the format.
    pub format: String,
    /// The version of the program.
    pub version: String,
    /// The member.
    pub member: MemberId,
    /// The cluster.
    pub cluster: u64,
    /// The number of the start.
    pub start: u32,
    /// Whether the member has never started completely.
    pub first: bool,
    /// Whether it joins a cluster that exists.
    pub join: bool,
    /// The seed of its draws.
    pub seed: u64,
    /// The initial members, as the process was told.
    pub peers: Vec<Named>,
    /// Where clients reach it.
    pub client_urls: Vec<String>,
    /// The monotonic clock when it started, in nanoseconds. It counts from a moment of its own in each process.
    pub clock: u64,
    /// The wall clock then, in nanoseconds since 1970.
    pub wall: i64,
    /// The settings by name, as numbers.
    pub settings: BTreeMap<String, u64>,
    /// The initial state, if it was given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<Blob>,
}

/// A member with its name and its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its id.
    pub id: MemberId,
    /// Its name.
    pub name: String,
    /// Where other members reach it.
    pub peer_urls: Vec<String>,
}

/// The settings of a record are not those of this program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the settings {0} are missing in the record, or this program lacks them: it is the record of another version"
)]
pub struct StrangeSettings(String);

impl Start {
    /// What a process is told.
    pub fn of(boot: &Boot<Etcd>, version: &str) -> Start {
        let Config { cluster_id, peers, seed, client_urls, join, settings, restore, .. } = &boot.config;
        let named = |peer: &Peer| Named {
            id: peer.id,
            name: peer.name.to_string(),
            peer_urls: peer.peer_urls.to_vec(),
        };
        Start {
            format: FORMAT.into(),
            version: version.into(),
            member: boot.id,
            cluster: *cluster_id,
            start: boot.incarnation,
            first: boot.first,
            join: *join,
            seed: *seed,
            peers: peers.iter().map(named).collect(),
            client_urls: client_urls.to_vec(),
            clock: boot.now.clock,
            wall: boot.now.wall,
            settings: settings::ROWS.iter().map(|row| (row.name.to_string(), row.get(settings))).collect(),
            restore: restore.clone().map(Blob),
        }
    }

    /// The settings.
    ///
    /// # Errors
    /// They are those of another version.
    pub fn settings(&self) -> Result<Settings, StrangeSettings> {
        let mut settings = Settings::etcd();
        let unknown = self.settings.keys().filter(|name| settings::row(name).is_none()).map(String::as_str);
        let missing =
            settings::ROWS.iter().map(|row| row.name).filter(|name| !self.settings.contains_key(*name));
        let strange: Vec<&str> = unknown.chain(missing).collect();
        if !strange.is_empty() {
            return Err(StrangeSettings(strange.join(", ")));
        }
        for (row, value) in settings::ROWS.iter().filter_map(|row| Some((row, self.settings.get(row.name)?)))
        {
            row.set(&mut settings, *value);
        }
        Ok(settings)
    }

    /// What the process was told, with a request to report the steps of raft.
    ///
    /// # Errors
    /// The settings are those of another version.
    pub fn boot(&self) -> Result<Boot<Etcd>, StrangeSettings> {
        let peer = |named: &Named| Peer {
            id: named.id,
            name: named.name.as_str().into(),
            peer_urls: named.peer_urls.as_slice().into(),
        };
        let peers: Arc<[Peer]> = self.peers.iter().map(peer).collect();
        let config = Config {
            cluster_id: self.cluster,
            incarnation: self.start,
            seed: self.seed,
            client_urls: self.client_urls.as_slice().into(),
            join: self.join,
            restore: self.restore.clone().map(|blob| blob.0),
            settings: self.settings()?,
            ..Config::new(self.member, peers)
        };
        Ok(Boot {
            id: self.member,
            config,
            incarnation: self.start,
            first: self.first,
            now: Now { clock: self.clock, wall: self.wall },
            armed: None,
            steps: true,
            inner: false,
        })
    }
}
