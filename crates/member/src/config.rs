//! How a member is set up. Defaults are etcd's (`embed/config.go`, 3.5 and 3.6).

use std::sync::Arc;

use crate::flaw::Flaws;

/// One member of the cluster's first configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its raft id, not 0. In the simulator 1, 2, 3, …
    pub id: u64,
    /// Its name.
    pub name: Arc<str>,
}

/// Everything a member is told at its start. Durations are nanoseconds of the member's own clock.
#[derive(Clone, Debug)]
pub struct Config {
    /// This member's raft id.
    pub id: u64,
    /// The cluster's id, as response headers carry it.
    pub cluster_id: u64,
    /// The voters the cluster begins with, this member among them.
    pub peers: Arc<[Peer]>,
    /// Whether this is the member's first start. A later start on an empty disk is refused: the
    /// member's votes and acknowledgements are gone, and it must be removed and added anew, as etcd
    /// demands ("member has already been bootstrapped").
    pub bootstrap: bool,
    /// Counts the starts of this member, from 1. Part of every request id, so that ids never repeat.
    pub incarnation: u32,
    /// Seed of the keyed draws (election timeouts). Rule R2.
    pub seed: u64,
    /// Time of a tick; a leader sends heartbeats every tick. etcd: 100 ms.
    pub heartbeat_interval: u64,
    /// Ticks without a leader before an election; each member draws from once to twice that. etcd: 10.
    pub election_ticks: u32,
    /// Whether a member asks first whether it could win. etcd: true since 3.5.
    pub pre_vote: bool,
    /// Whether a leader steps down without a quorum's answers. etcd: true.
    pub check_quorum: bool,
    /// Most bytes of entries in one append message. etcd: 1 MiB.
    pub max_size_per_message: u64,
    /// Most append messages in flight to one follower. etcd: 512.
    pub max_inflight_messages: usize,
    /// Most bytes of entries that are proposed but not committed. etcd: no limit; raft's guard
    /// against proposals without a quorum.
    pub max_uncommitted_size: u64,
    /// Entries applied between two snapshots of the log. etcd: 100 000, since 3.6 10 000.
    pub snapshot_count: u64,
    /// Entries kept in the log behind a snapshot for slow followers. etcd: 5 000.
    pub catch_up_entries: u64,
    /// Length at which a WAL segment is closed, in bytes. etcd: 64 000 000.
    pub wal_segment_bytes: u64,
    /// Longest time between two commits of the backend. etcd: 100 ms.
    pub backend_interval: u64,
    /// Most applied operations between two commits of the backend. etcd: 10 000.
    pub backend_limit: u64,
    /// How long a request may take inside the server. etcd: 5 s + 2 election timeouts = 7 s.
    pub request_timeout: u64,
    /// Time after which a read index is asked for again, with a fresh context. etcd: 500 ms.
    pub read_index_retry: u64,
    /// Largest request, in bytes of its raft encoding. etcd: 1.5 MiB.
    pub max_request_bytes: u64,
    /// Most operations of a txn. etcd: 128.
    pub max_txn_ops: u32,
    /// Most entries committed but not applied before requests are refused. etcd: 5 000.
    pub max_apply_gap: u64,
    /// Keys a compaction's scrub handles in one go, in revisions. etcd: 1 000.
    pub compaction_batch: u32,
    /// Pause between two batches of a compaction's scrub. etcd: 10 ms.
    pub compaction_pause: u64,
    /// The defects this member is to have; none by default.
    pub flaws: Flaws,
}

const MILLISECOND: u64 = 1_000_000;

impl Config {
    /// etcd's defaults for one member of `peers`.
    pub fn new(id: u64, peers: Arc<[Peer]>) -> Config {
        Config {
            id,
            cluster_id: 1,
            peers,
            bootstrap: true,
            incarnation: 1,
            seed: 0,
            heartbeat_interval: 100 * MILLISECOND,
            election_ticks: 10,
            pre_vote: true,
            check_quorum: true,
            max_size_per_message: 1 << 20,
            max_inflight_messages: 512,
            max_uncommitted_size: 64 << 20,
            snapshot_count: 10_000,
            catch_up_entries: 5_000,
            wal_segment_bytes: 64_000_000,
            backend_interval: 100 * MILLISECOND,
            backend_limit: 10_000,
            request_timeout: 7_000 * MILLISECOND,
            read_index_retry: 500 * MILLISECOND,
            max_request_bytes: 1_572_864,
            max_txn_ops: 128,
            max_apply_gap: 5_000,
            compaction_batch: 1_000,
            compaction_pause: 10 * MILLISECOND,
            flaws: Flaws::default(),
        }
    }
}
