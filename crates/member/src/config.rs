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
    /// Where other members reach it.
    pub peer_urls: Arc<[String]>,
}

/// How a member that is added gets its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// The number in its first peer URL: `http://m4:2380` is member 4. The simulator's way, where a
    /// machine is one member and never another one.
    Numbered,
    /// etcd's: the first eight bytes of a SHA-1 over the sorted peer URLs and the wall clock's second.
    Hashed,
}

/// When a leader compacts by itself (`--auto-compaction-mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoCompaction {
    /// Keeps the revisions of this many nanoseconds of the member's own clock.
    Periodic(u64),
    /// Keeps this many revisions; looked at every five minutes.
    Revision(i64),
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
    /// Where clients reach this member, as it publishes it.
    pub client_urls: Arc<[String]>,
    /// Whether it joins a cluster that exists already (`--initial-cluster-state existing`). It then
    /// begins with an empty log and learns everything from the leader.
    pub join: bool,
    /// What the whole cluster begins with in place of nothing: a snapshot of another one
    /// ([`crate::Member::image`]), the same for every member of `peers`. Keys, leases, users and roles are
    /// taken over, with their revisions; members and alarms are not.
    pub restore: Option<bytes::Bytes>,
    /// How new members are numbered.
    pub ids: Ids,
    /// Whether changes of membership that would endanger the quorum are refused
    /// (`--strict-reconfig-check`). etcd: true.
    pub strict_reconfig: bool,
    /// Most learners at a time. etcd: 1.
    pub max_learners: u32,
    /// Responses of one watch stream that may be on their way to the client; the member keeps at most
    /// 128 more ready (`mvcc/watchable_store.go`, `chanBufLen`), then its watchers become victims.
    pub watch_window: u32,
    /// Most responses ready beside those, per stream. etcd: 128.
    pub watch_buffer: u32,
    /// Time between two passes over watchers that lag behind. etcd: 100 ms.
    pub watch_sync_interval: u64,
    /// Time between two attempts to serve watchers whose stream was full. etcd: 10 ms.
    pub watch_victim_interval: u64,
    /// Watchers handled in one pass. etcd: 512.
    pub watch_sync_batch: u32,
    /// Revisions sent to one watcher in one pass. etcd: 1000.
    pub watch_batch_revisions: u32,
    /// Time between the progress notifications of an idle watcher that asked for them, plus up to a
    /// tenth. etcd: 10 min.
    pub watch_progress_interval: u64,
    /// Responses with `fragment` are split at this size. etcd: 2 MiB (1.5 MiB of request and 512 KiB).
    pub watch_fragment_bytes: u64,
    /// Time between the scans for leases that ran out. etcd: 500 ms.
    pub lease_scan_interval: u64,
    /// Time between checkpoints of what is left of long leases; `None` for no checkpoints. etcd: 5 min,
    /// and off by default (`--experimental-enable-lease-checkpoint`).
    pub lease_checkpoint_interval: Option<u64>,
    /// Bytes the backend may have before the alarm NOSPACE; 0 is no limit. etcd: 2 GiB.
    pub quota_bytes: u64,
    /// Whether and how the leader compacts by itself. etcd: off.
    pub auto_compaction: Option<AutoCompaction>,
    /// Time between the leader's comparisons of hashes; `None` for none, etcd's default
    /// (`--experimental-corrupt-check-time`).
    pub corrupt_check_interval: Option<u64>,
    /// How long a token is good without being used. etcd: 300 s.
    pub auth_token_ttl: u64,
    /// The point at which this process crashes or pauses, if one is armed.
    pub failpoint: Option<crate::failpoint::Armed>,
    /// The defects this member is to have; none by default.
    pub flaws: Flaws,
}

const MILLISECOND: u64 = 1_000_000;

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
            client_urls: Arc::new([]),
            join: false,
            restore: None,
            ids: Ids::Numbered,
            strict_reconfig: true,
            max_learners: 1,
            watch_window: 16,
            watch_buffer: 128,
            watch_sync_interval: 100 * MILLISECOND,
            watch_victim_interval: 10 * MILLISECOND,
            watch_sync_batch: 512,
            watch_batch_revisions: 1_000,
            watch_progress_interval: 600_000 * MILLISECOND,
            watch_fragment_bytes: 2 << 20,
            lease_scan_interval: 500 * MILLISECOND,
            lease_checkpoint_interval: None,
            quota_bytes: 2 << 30,
            auto_compaction: None,
            corrupt_check_interval: None,
            auth_token_ttl: 300_000 * MILLISECOND,
            failpoint: None,
            flaws: Flaws::default(),
        }
    }
}
