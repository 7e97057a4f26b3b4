//! The table of settings, one row each. For example:
//!
//! ```text
//! /// Whether a member runs a pre-vote before it campaigns.          what it means
//! scenario "pre-vote" pre_vote: bool = true, Form::Switch,           who may set it, name, field: type = default, values
//!     etcd true, "`--pre-vote`, since 3.5";                          etcd's default, and where etcd defines it
//! ```
//!
//! * A `scenario` row can be set in a scenario file. A `fixed` row has its default in every run.
//! * The default is that of the simulator. The part after `etcd` is missing if etcd has no such
//!   setting, or has it with a default that is not a value here.
//! * The values are given as `time(low, high)`, `count(low, high)` or `size(low, high)`, as `Form::Switch`, or
//!   as `Form::Word` with the names of an enum defined above the table. `.or_zero("off")` also allows 0,
//!   written "off".
//!
//! Sources that are files are files of etcd 3.5 under `server/`. Plans list the settings in the order of the
//! rows.

use crate::row::{Form, HOUR, MS, Row, SECOND, Value, count, size, time, words};

macro_rules! table {
    ($(
        $(#[doc = $about:literal])+
        $set_by:ident $name:literal $field:ident: $kind:ty = $default:expr, $form:expr
        $(, etcd $etcd:expr, $source:literal)?;
    )+) => {
        /// The settings of a cluster's members. Durations are in nanoseconds of the member's own clock, sizes
        /// in bytes.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings {
            $(
                $(#[doc = $about])+
                #[doc = ""]
                #[doc = concat!("`", $name, "`: `", stringify!($form), "`; `", stringify!($default),
                    "` if a scenario does not set it" $(, "; in etcd `", stringify!($etcd), "` (", $source, ")")?, ".")]
                pub $field: $kind,
            )+
        }

        /// The defaults of a scenario.
        impl Default for Settings {
            fn default() -> Settings {
                Settings { $($field: $default),+ }
            }
        }

        impl Settings {
            /// etcd's own defaults. A setting that etcd does not have gets the simulator's default.
            pub fn etcd() -> Settings {
                Settings { $($field: first!($($etcd,)? $default)),+ }
            }
        }

        /// Every setting, in the order in which plans list them.
        pub static ROWS: &[Row] = &[$(Row {
            name: $name,
            field: stringify!($field),
            about: concat!($($about),+).trim_ascii_start(),
            form: $form,
            in_scenarios: in_scenarios!($set_by),
            etcd: first!($(Some($source),)? None),
            get: |settings| settings.$field.to_number(),
            set: |settings, value| settings.$field = <$kind>::of_number(value),
        }),+];
    };
}

/// The first of one or two expressions: what the row gives, or else the fallback that follows it.
macro_rules! first {
    ($first:expr $(, $rest:expr)*) => {
        $first
    };
}

/// Whether the word at the beginning of a row lets scenarios set it.
macro_rules! in_scenarios {
    (scenario) => {
        true
    };
    (fixed) => {
        false
    };
}

words! {
    /// How an added member gets its id.
    Ids {
        /// It is the number in the member's first peer URL: `http://m4:2380` is member 4. The simulator does
        /// this, because there a machine is always the same member.
        Numbered = "numbered",
        /// It is the first eight bytes of a SHA-1 hash of the sorted peer URLs and the wall clock's time in
        /// seconds. etcd does this.
        Hashed = "hashed",
    }
}

words! {
    /// What a member's raft loop does while the disk makes a save durable.
    RaftLoop {
        /// etcd's way: it waits. Until the save is durable there is no tick and no further ready, so a leader
        /// with a slow disk sends no heartbeats, and the others elect a new one.
        Blocking = "blocking",
        /// raft's asynchronous way, which etcd does not use: it goes on, and only what depends on the save
        /// waits for it.
        Async = "async",
    }
}

words! {
    /// When the simulator really writes what a backend commit holds.
    BackendWrites {
        /// With the commit.
        Eager = "eager",
        /// When somebody can see it: when the process ends, or while a fault is on that may read, damage or fill
        /// the backend's files. Until then the commit is a list of rows. It takes the same time and can be lost
        /// or torn in the same way.
        WhenSeen = "when-seen",
    }
}

words! {
    /// The minor version of etcd whose answers a member gives, where they differ from version to version. Versions are
    /// ordered by their age.
    EtcdVersion {
        /// etcd 3.4.
        V3_4 = "3.4",
        /// etcd 3.5.
        V3_5 = "3.5",
        /// etcd 3.6.
        V3_6 = "3.6",
        /// etcd 3.7.
        V3_7 = "3.7",
    }
}

table! {
    /// The version of etcd whose answers the members give, where they differ from version to version
    /// (`docs/member.md` lists where). Safety does not depend on it.
    scenario "etcd-version" etcd_version: EtcdVersion = EtcdVersion::V3_7, Form::Word(EtcdVersion::WORDS);
    /// Length of a raft tick. A leader sends heartbeats every tick.
    scenario "heartbeat-interval" heartbeat_interval: u64 = 100 * MS, time(MS, 10 * SECOND),
        etcd 100 * MS, "`--heartbeat-interval`";
    /// Ticks without a leader before a member starts an election. Each member draws a random timeout from once
    /// to twice this number.
    scenario "election-ticks" election_ticks: u32 = 10, count(3, 100),
        etcd 10, "`--election-timeout` of 1 s is 10 heartbeat intervals";
    /// Whether a member runs a pre-vote before it campaigns.
    scenario "pre-vote" pre_vote: bool = true, Form::Switch,
        etcd true, "`--pre-vote`, since 3.5";
    /// Whether a leader steps down if a quorum does not answer it for an election timeout.
    scenario "check-quorum" check_quorum: bool = true, Form::Switch,
        etcd true, "`etcdserver/raft.go`";
    /// Whether a member's raft loop waits for its disk. `"blocking"`: no tick and no further ready until a save
    /// is durable. `"async"`: it goes on.
    scenario "raft-loop" raft_loop: RaftLoop = RaftLoop::Blocking, Form::Word(RaftLoop::WORDS),
        etcd RaftLoop::Blocking, "`etcdserver/raft.go`, `start`";
    /// How many entries a member applies between two log snapshots.
    scenario "snapshot-count" snapshot_count: u64 = 10_000, count(1, 1_000_000_000),
        etcd 10_000, "`--snapshot-count`, since 3.6; 100000 before";
    /// How many entries before a snapshot stay in the log for slow followers.
    scenario "catch-up-entries" catch_up_entries: u64 = 5_000, count(1, 1_000_000_000),
        etcd 5_000, "`etcdserver/server.go`, `DefaultSnapshotCatchUpEntries`";
    /// Size at which a segment of the write-ahead log is closed.
    scenario "wal-segment-bytes" wal_segment_bytes: u64 = 64_000_000, size(1 << 10, 1 << 30),
        etcd 64_000_000, "`wal/wal.go`, `SegmentSizeBytes`";
    /// Maximum time between two commits of the backend.
    scenario "backend-interval" backend_interval: u64 = 100 * MS, time(MS, HOUR),
        etcd 100 * MS, "`--backend-batch-interval`";
    /// Maximum number of applied operations between two commits of the backend.
    scenario "backend-limit" backend_limit: u64 = 10_000, count(1, 1_000_000_000),
        etcd 10_000, "`--backend-batch-limit`";
    /// When the simulator really writes what a backend commit holds. `"eager"`: with the commit. `"when-seen"`:
    /// when a process ends, or a fault may see or damage the backend's files. What happens in a run does not
    /// depend on it, but `"when-seen"` is faster.
    scenario "backend-writes" backend_writes: BackendWrites = BackendWrites::WhenSeen,
        Form::Word(BackendWrites::WORDS);
    /// How long a request may take inside the server.
    scenario "request-timeout" request_timeout: u64 = 7 * SECOND, time(MS, HOUR),
        etcd 7 * SECOND, "5 s plus two election timeouts: `config/config.go`, `ReqTimeout`";
    /// A linearizable read asks the leader for its commit index (ReadIndex). Without an answer it asks again
    /// after this time.
    scenario "read-index-retry" read_index_retry: u64 = 500 * MS, time(MS, HOUR),
        etcd 500 * MS, "`etcdserver/v3_server.go`, `readIndexRetryTime`";
    /// Maximum number of bytes of entries in one append message.
    scenario "max-size-per-message" max_size_per_message: u64 = 1 << 20, size(1, 1 << 30),
        etcd 1 << 20, "`etcdserver/raft.go`, `maxSizePerMsg`";
    /// Maximum number of append messages in flight to one follower.
    scenario "max-inflight-messages" max_inflight_messages: u32 = 512, count(1, 100_000),
        etcd 512, "`etcdserver/raft.go`, `maxInflightMsgs`";
    /// Maximum number of bytes of entries that are proposed but not committed. It keeps raft's memory bounded
    /// while there is no quorum. etcd has no limit.
    fixed "max-uncommitted-size" max_uncommitted_size: u64 = 64 << 20, size(1 << 10, 1 << 40);
    /// Largest request, in bytes of its raft encoding.
    fixed "max-request-bytes" max_request_bytes: u64 = 1_572_864, size(1 << 10, 1 << 30),
        etcd 1_572_864, "`--max-request-bytes`";
    /// Maximum number of operations in a transaction.
    fixed "max-txn-ops" max_txn_ops: u32 = 128, count(1, 1_000_000),
        etcd 128, "`--max-txn-ops`";
    /// How many entries may be committed but not applied yet before the member refuses requests.
    fixed "max-apply-gap" max_apply_gap: u64 = 5_000, count(1, 1_000_000_000),
        etcd 5_000, "`etcdserver/v3_server.go`, `maxGapBetweenApplyAndCommitIndex`";
    /// How many revisions a compaction goes through in one batch.
    scenario "compaction-batch" compaction_batch: u32 = 1_000, count(1, 1_000_000),
        etcd 1_000, "`--experimental-compaction-batch-limit`";
    /// Pause between two batches of a compaction.
    scenario "compaction-pause" compaction_pause: u64 = 10 * MS, time(0, 60 * SECOND),
        etcd 10 * MS, "`--experimental-compaction-sleep-interval`";
    /// Time after which a supervisor restarts a member that ended by itself.
    scenario "restart-delay" restart_delay: u64 = SECOND, time(MS, HOUR);
    /// Size of the backend at which the alarm NOSPACE is raised.
    scenario "quota" quota: u64 = 2 << 30, size(0, 1 << 50).or_zero("unlimited"),
        etcd 2 << 30, "`--quota-backend-bytes`";
    /// The leader compacts automatically every five minutes and keeps this many revisions.
    scenario "auto-compaction-revisions" auto_compaction_revisions: u64 = 0,
        count(0, 1_000_000_000).or_zero("off"),
        etcd 0, "`--auto-compaction-retention`";
    /// The leader automatically compacts revisions that are older than this.
    scenario "auto-compaction-period" auto_compaction_period: u64 = 0, time(0, 24 * HOUR).or_zero("off"),
        etcd 0, "`--auto-compaction-retention`";
    /// Time between the leader's comparisons of all members' hashes.
    scenario "corrupt-check-interval" corrupt_check_interval: u64 = 0, time(0, 24 * HOUR).or_zero("off"),
        etcd 0, "`--experimental-corrupt-check-time`";
    /// Time between two checkpoints of a lease. A checkpoint records the time that the lease has left; leases
    /// shorter than this setting have none.
    scenario "lease-checkpoint-interval" lease_checkpoint_interval: u64 = 0,
        time(0, 24 * HOUR).or_zero("off"),
        etcd 0, "`--experimental-enable-lease-checkpoint`; 5 min if it is on";
    /// Time between two scans for expired leases.
    fixed "lease-scan-interval" lease_scan_interval: u64 = 500 * MS, time(MS, HOUR),
        etcd 500 * MS, "`lease/lessor.go`, `runLoop`";
    /// Whether membership changes that would endanger the quorum are refused.
    scenario "strict-reconfig" strict_reconfig: bool = true, Form::Switch,
        etcd true, "`--strict-reconfig-check`";
    /// Maximum number of learners in the cluster at a time.
    fixed "max-learners" max_learners: u32 = 1, count(0, 9),
        etcd 1, "`--max-learners`, since 3.6; a constant before";
    /// How an added member gets its id. etcd hashes the member's URLs and the time.
    fixed "ids" ids: Ids = Ids::Numbered, Form::Word(Ids::WORDS);
    /// Maximum number of responses of one watch stream that are in flight to its client.
    scenario "watch-window" watch_window: u32 = 16, count(1, 100_000);
    /// Maximum number of further responses that a watch stream buffers. A watcher whose response finds no space
    /// lags, and is served later.
    scenario "watch-buffer" watch_buffer: u32 = 128, count(1, 100_000),
        etcd 128, "`mvcc/watchable_store.go`, `chanBufLen`";
    /// Time between two passes that serve watchers that lag.
    scenario "watch-sync-interval" watch_sync_interval: u64 = 100 * MS, time(MS, HOUR),
        etcd 100 * MS, "`mvcc/watchable_store.go`, `syncWatchersLoop`";
    /// Maximum number of watchers that one pass over lagging watchers serves.
    scenario "watch-sync-batch" watch_sync_batch: u32 = 512, count(1, 1_000_000),
        etcd 512, "`mvcc/watchable_store.go`, `maxWatchersPerSync`";
    /// Maximum number of revisions that one pass sends to one watcher.
    scenario "watch-batch-revisions" watch_batch_revisions: u32 = 1_000, count(1, 1_000_000),
        etcd 1_000, "`mvcc/watcher_group.go`, `watchBatchMaxRevs`";
    /// Time between two attempts to serve watchers whose stream was full.
    fixed "watch-victim-interval" watch_victim_interval: u64 = 10 * MS, time(MS, HOUR),
        etcd 10 * MS, "`mvcc/watchable_store.go`, `syncVictimsLoop`";
    /// Time between two progress notifications to a watcher that asked for them and has no events.
    scenario "watch-progress-interval" watch_progress_interval: u64 = 600 * SECOND, time(MS, 24 * HOUR),
        etcd 600 * SECOND, "`etcdserver/api/v3rpc/watch.go`, which adds up to a tenth at random";
    /// A larger watch response is split, if its client allows that.
    scenario "watch-fragment-bytes" watch_fragment_bytes: u64 = 2 << 20, size(64, 1 << 30),
        etcd 2 << 20, "the largest request plus 512 KiB: `etcdserver/api/v3rpc/grpc.go`, `grpcOverheadBytes`";
    /// How long an unused token stays valid.
    scenario "auth-token-ttl" auth_token_ttl: u64 = 300 * SECOND, time(MS, 24 * HOUR),
        etcd 300 * SECOND, "`--auth-token-ttl`";
}
