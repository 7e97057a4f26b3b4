//! What the server counts, under etcd's names.

use std::time::Duration;

use api::Request;
use member::Member;
use prometheus::core::Collector;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use record::{EtcdFact, Role};

use crate::clock::Clock;

/// The bounds of etcd's histograms of disk latencies: a millisecond, doubled thirteen times.
const BUCKETS: usize = 14;

/// What is counted.
pub struct Metrics {
    registry: Registry,
    clock: Clock,
    /// When this process began, in seconds of Unix time.
    begun: u64,
    commits: Histogram,
    fsyncs: Histogram,
    proposals_applied: IntGauge,
    proposals_committed: IntGauge,
    is_leader: IntGauge,
    has_leader: IntGauge,
    leader_changes: IntCounter,
    grpc: IntCounterVec,
    size_total: IntGauge,
    size_in_use: IntGauge,
    quota: IntGauge,
    revision: IntGauge,
    compact_revision: IntGauge,
    watchers: IntGauge,
    slow_watchers: IntGauge,
    watch_streams: IntGauge,
    leases: IntGauge,
}

/// Registers what is counted.
fn kept<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let collector = made.expect("the names of metrics are fixed and good");
    registry.register(Box::new(collector.clone())).expect("each metric is registered once");
    collector
}

impl Metrics {
    /// Nothing is counted yet. `version` is this server's, `id` this member's.
    pub fn new(version: &str, id: u64, quota: u64) -> Metrics {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str| kept(&registry, IntGauge::new(name, help));
        let counter = |name: &str, help: &str| kept(&registry, IntCounter::new(name, help));
        let histogram = |name: &str, help: &str| {
            let buckets = prometheus::exponential_buckets(0.001, 2.0, BUCKETS).expect("the bounds grow");
            kept(&registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets)))
        };
        let label = |name: &str, help: &str, label: &str, value: &str| {
            let labelled: IntGaugeVec = kept(&registry, IntGaugeVec::new(Opts::new(name, help), &[label]));
            labelled.with_label_values(&[value]).set(1);
        };
        label(
            "etcd_server_version",
            "Which version is running. 1 for 'server_version' label with current version.",
            "server_version",
            version,
        );
        label(
            "etcd_server_id",
            "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.",
            "server_id",
            &format!("{id:x}"),
        );
        let clock = Clock::new();
        let metrics = Metrics {
            begun: clock.now().wall as u64 / 1_000_000_000,
            clock,
            commits: histogram(
                "etcd_disk_backend_commit_duration_seconds",
                "The latency distributions of commit called by backend.",
            ),
            fsyncs: histogram(
                "etcd_disk_wal_fsync_duration_seconds",
                "The latency distributions of fsync called by WAL.",
            ),
            proposals_applied: gauge(
                "etcd_server_proposals_applied_total",
                "The total number of consensus proposals applied.",
            ),
            proposals_committed: gauge(
                "etcd_server_proposals_committed_total",
                "The total number of consensus proposals committed.",
            ),
            is_leader: gauge(
                "etcd_server_is_leader",
                "Whether or not this member is a leader. 1 if is, 0 otherwise.",
            ),
            has_leader: gauge(
                "etcd_server_has_leader",
                "Whether or not a leader exists. 1 is existence, 0 is not.",
            ),
            leader_changes: counter(
                "etcd_server_leader_changes_seen_total",
                "The number of leader changes seen.",
            ),
            grpc: kept(
                &registry,
                IntCounterVec::new(
                    Opts::new("grpc_server_started_total", "Total number of RPCs started on the server."),
                    &["grpc_service", "grpc_method", "grpc_type"],
                ),
            ),
            size_total: gauge(
                "etcd_mvcc_db_total_size_in_bytes",
                "Total size of the underlying database physically allocated in bytes.",
            ),
            size_in_use: gauge(
                "etcd_mvcc_db_total_size_in_use_in_bytes",
                "Total size of the underlying database logically in use in bytes.",
            ),
            quota: gauge("etcd_server_quota_backend_bytes", "Current backend storage quota size in bytes."),
            revision: gauge("etcd_debugging_mvcc_current_revision", "The current revision of store."),
            compact_revision: gauge(
                "etcd_debugging_mvcc_compact_revision",
                "The revision of the last compaction in store.",
            ),
            watchers: gauge("etcd_debugging_mvcc_watcher_total", "Total number of watchers."),
            slow_watchers: gauge(
                "etcd_debugging_mvcc_slow_watcher_total",
                "Total number of unsynced slow watchers.",
            ),
            watch_streams: gauge("etcd_debugging_mvcc_watch_stream_total", "Total number of watch streams."),
            leases: gauge("etcd_debugging_lease_total", "Total number of leases."),
            registry: registry.clone(),
        };
        metrics.quota.set(quota as i64);
        metrics
    }

    /// The time in nanoseconds on the clock of this process.
    pub fn clock(&self) -> u64 {
        self.clock.now().clock
    }

    fn seconds_since(&self, begun: u64) -> f64 {
        Duration::from_nanos(self.clock().saturating_sub(begun)).as_secs_f64()
    }

    /// A job of the store has ended; it began at this time.
    pub fn store_job(&self, begun: u64) {
        self.commits.observe(self.seconds_since(begun));
    }

    /// Jobs of the log have ended; they began at this time.
    pub fn log_job(&self, begun: u64) {
        self.fsyncs.observe(self.seconds_since(begun));
    }

    /// A client has called.
    pub fn requested(&self, request: &Request) {
        let (service, method) = request.method()[1..].split_once('/').unwrap_or_default();
        self.grpc.with_label_values(&[service, method, "unary"]).inc();
    }

    /// Something has happened in the member.
    pub fn fact(&self, fact: &EtcdFact) {
        match fact {
            EtcdFact::State { role, leader, .. } => {
                let had = self.has_leader.get() == 1;
                self.is_leader.set(i64::from(*role == Role::Leader));
                self.has_leader.set(i64::from(!leader.is_none()));
                if !had && !leader.is_none() {
                    self.leader_changes.inc();
                }
            }
            EtcdFact::Committed { index, .. } => self.proposals_committed.set(*index as i64),
            EtcdFact::Applied { index, .. } => self.proposals_applied.set(*index as i64),
            _ => {}
        }
    }

    /// Everything that is counted, in the format of Prometheus. `seen` is what only the member knows.
    pub fn text(&self, seen: Option<Seen>) -> String {
        if let Some(seen) = seen {
            self.size_total.set(seen.size.0);
            self.size_in_use.set(seen.size.1);
            self.revision.set(seen.revision);
            self.compact_revision.set(seen.compact_revision);
            self.watchers.set(seen.watchers);
            self.slow_watchers.set(seen.slow_watchers);
            self.watch_streams.set(seen.streams);
            self.leases.set(seen.leases);
        }
        let mut text = Vec::new();
        // Encoding text into memory cannot fail; if it did, the page would merely be empty.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        let mut text = String::from_utf8(text).unwrap_or_default();
        text.push_str(
            "# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.\n",
        );
        text.push_str("# TYPE process_start_time_seconds gauge\n");
        text.push_str(&format!("process_start_time_seconds {}\n", self.begun));
        text
    }
}

/// What only the member knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    size: (i64, i64),
    revision: i64,
    compact_revision: i64,
    watchers: i64,
    slow_watchers: i64,
    streams: i64,
    leases: i64,
}

impl Seen {
    /// Looks at a member.
    pub fn of(member: &Member) -> Seen {
        let (counts, store) = (member.watchers(), member.store());
        let status = member.report();
        Seen {
            size: (status.db_size, status.db_size_in_use),
            revision: store.revision(),
            compact_revision: store.compact_revision(),
            watchers: (counts.synced + counts.unsynced + counts.victims) as i64,
            slow_watchers: counts.unsynced as i64,
            streams: counts.streams as i64,
            leases: store.leases().len() as i64,
        }
    }
}
