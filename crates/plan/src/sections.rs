//! The sections of a file and their fields; and what a plan has where a scenario says nothing.

use keyed::Ratio;
use record::Nanos;

use crate::field::{Field, Form, HOUR, Key, MS, SECOND, SHARE, Words, count, fields, number, time, words};
use crate::units::Unit;
use crate::{Client, Cluster, Disk, Expect, Failover, Link, Network, Phases, Plan, Spread};

const LONG: Form = time(0, 24 * HOUR);
pub(crate) const LATENCY: Form = Form::Spread { unit: Unit::Time, high: HOUR };
const BOOL: Form = Form::Switch;

/// Fields of the file itself, outside any section.
pub(crate) static TOP: &[Field<Plan>] = fields! {
    "title" Form::Text => title, "What the scenario is about, in a few words.";
    "scenario" Form::Text => scenario, "The scenario a plan was made of. Only in plans.";
    "seed" count(0, u64::MAX as i128) => seed, "Makes the file a plan: the seed of every draw that is left to the run.";
    "flaws" Form::Flaws => flaws, "Defects to switch on, `\"R2\"` on every member or `\"R2@3\"` on one. The command's `--flaw` adds to them.";
};

pub(crate) static CLUSTER: &[Field<Cluster>] = fields! {
    "members" count(1, 9) => members, "How many members.";
    "heartbeat-interval" time(MS, 10 * SECOND) => heartbeat_interval, "Time of a raft tick; a leader sends heartbeats every tick.";
    "election-ticks" count(3, 100) => election_ticks, "Ticks without a leader before an election; each member draws from once to twice that.";
    "pre-vote" BOOL => pre_vote, "Whether a member asks whether it could win before it campaigns.";
    "check-quorum" BOOL => check_quorum, "Whether a leader steps down without a quorum's answers.";
    "snapshot-count" count(1, 1_000_000_000) => snapshot_count, "Entries applied between two snapshots of the log.";
    "catch-up-entries" count(1, 1_000_000_000) => catch_up_entries, "Entries kept in the log behind a snapshot for slow followers.";
    "wal-segment-bytes" number(Unit::Size, 1 << 10, 1 << 30) => wal_segment_bytes, "Length at which a segment of the write-ahead log is closed.";
    "backend-interval" time(MS, HOUR) => backend_interval, "Longest time between two commits of the backend.";
    "backend-limit" count(1, 1_000_000_000) => backend_limit, "Most applied operations between two commits of the backend.";
    "request-timeout" time(MS, HOUR) => request_timeout, "How long a request may take inside the server.";
    "read-index-retry" time(MS, HOUR) => read_index_retry, "Time after which a read index is asked for again, with a fresh context.";
    "max-size-per-message" number(Unit::Size, 1, 1 << 30) => max_size_per_message, "Most bytes of entries in one append message.";
    "max-inflight-messages" count(1, 100_000) => max_inflight_messages, "Most append messages in flight to one follower.";
    "compaction-batch" count(1, 1_000_000) => compaction_batch, "Revisions a compaction scrubs in one go.";
    "compaction-pause" time(0, 60 * SECOND) => compaction_pause, "Pause between two such goes.";
    "restart-delay" time(MS, HOUR) => restart_delay, "Time after which a member that ended by itself is started again, as by a supervisor.";
    "quota" Form::Number { unit: Unit::Size, low: 0, high: 1 << 50, zero: Some("unlimited") } => quota, "Bytes the backend may have before the alarm NOSPACE.";
    "auto-compaction-revisions" Form::Number { unit: Unit::Count, low: 0, high: 1_000_000_000, zero: Some("off") } => auto_compaction_revisions, "The leader compacts by itself, every five minutes, so that this many revisions are kept.";
    "auto-compaction-period" Form::Number { unit: Unit::Time, low: 0, high: 24 * HOUR, zero: Some("off") } => auto_compaction_period, "The leader compacts by itself what is older than this.";
    "corrupt-check-interval" Form::Number { unit: Unit::Time, low: 0, high: 24 * HOUR, zero: Some("off") } => corrupt_check_interval, "Time between the leader's comparisons of all members' hashes.";
    "lease-checkpoint-interval" Form::Number { unit: Unit::Time, low: 0, high: 24 * HOUR, zero: Some("off") } => lease_checkpoint_interval, "Time between checkpoints of what is left of leases longer than this.";
    "strict-reconfig" BOOL => strict_reconfig, "Whether changes of the membership that would endanger the quorum are refused.";
    "watch-window" count(1, 100_000) => watch_window, "Responses of a watch stream on their way to its client at a time.";
    "watch-buffer" count(1, 100_000) => watch_buffer, "Responses of a watch stream that are kept ready beside those; a watcher that finds no room must wait its turn.";
    "watch-sync-interval" time(MS, HOUR) => watch_sync_interval, "Time between two passes over watchers that lag behind.";
    "watch-sync-batch" count(1, 1_000_000) => watch_sync_batch, "Watchers handled in one such pass.";
    "watch-batch-revisions" count(1, 1_000_000) => watch_batch_revisions, "Revisions sent to one watcher in one pass.";
    "watch-progress-interval" time(MS, 24 * HOUR) => watch_progress_interval, "Time between the progress notifications of an idle watcher that asked for them.";
    "watch-fragment-bytes" number(Unit::Size, 64, 1 << 30) => watch_fragment_bytes, "Watch responses that may be split are split at this size.";
    "auth-token-ttl" time(MS, 24 * HOUR) => auth_token_ttl, "How long a token is good without being used.";
};

/// The fields of a link, once for the network's sections and once for the fault `link`.
macro_rules! link_fields {
    ($with:ident) => {
        $with! {
            "latency" LATENCY => latency, "One-way delay.";
            "loss" SHARE => loss, "Messages that are lost.";
            "duplicate" SHARE => duplicate, "Messages that arrive twice, the copy with a delay of its own.";
            "reorder" SHARE => reorder, "Messages that draw an extra delay, so that later ones overtake them.";
            "reorder-by" LATENCY => reorder_by, "How much extra delay.";
            "corrupt" SHARE => corrupt, "Messages of which a bit is flipped.";
            "bandwidth" BANDWIDTH => bandwidth, "Bytes a second.";
            "queue" QUEUE => queue, "Messages that may wait for the bandwidth; one more, and a random one is thrown away.";
        }
    };
}
pub(crate) use link_fields;

pub(crate) const BANDWIDTH: Form =
    Form::Number { unit: Unit::Bandwidth, low: 0, high: 1 << 40, zero: Some("unlimited") };
pub(crate) const QUEUE: Form =
    Form::Number { unit: Unit::Count, low: 0, high: 1_000_000, zero: Some("unlimited") };

pub(crate) static LINK: &[Field<Link>] = link_fields!(fields);

pub(crate) static NETWORK: &[Field<Network>] = fields! {
    "checksums" BOOL => checksums, "Whether the transport throws damaged messages away. Off, the decoder and the receiver meet them.";
};

pub(crate) static DISK: &[Field<Disk>] = fields! {
    "read" LATENCY => read, "Time of a read.";
    "write" LATENCY => write, "Time of a write, truncation, creation, rename or removal.";
    "sync" LATENCY => sync, "Time of an fsync of a file or a directory.";
    "capacity" Form::Number { unit: Unit::Size, low: 0, high: 1 << 50, zero: Some("unlimited") } => capacity, "Bytes on the disk.";
};

/// How far clocks drift for the whole run. Members: a fault of kind `clock-rate` from the start to
/// the end of the chaos phase; clients: their clock.
#[derive(Clone, Debug)]
pub(crate) struct Clocks {
    pub members: Option<u32>,
    pub clients: u32,
}

/// How fast a clock may run.
pub(crate) const CLOCK_RATE: Form = number(Unit::Share, 10_000, 100_000_000);

pub(crate) static CLOCKS: &[Field<Clocks>] = fields! {
    "members" CLOCK_RATE => members, "Rate of each member's clock, drawn for each, until the end of the chaos phase; `100%` is exact.";
    "clients" CLOCK_RATE => clients, "Rate of each client's clock, drawn for each, for the whole run.";
};

pub(crate) static RUN: &[Field<Phases>] = fields! {
    "chaos" time(0, 24 * HOUR) => chaos, "Length of the chaos phase: the workload runs, the faults strike.";
    "core" count(1, 9) => core, "How many members are healed after it; the others stay as broken as they are, for good. Left out: all.";
    "settle" time(MS, 24 * HOUR) => settle, "Bound on the settle phase: by then there is a leader, every operation has ended, the members agree.";
};

pub(crate) static EXPECT: &[Field<Expect>] = fields! {
    "refusals" Form::Members => refusals, "Members that are allowed to refuse to start, because the file damages what they cannot do without.";
    "answered" count(0, 1_000_000_000) => answered, "Least number of operations that must have been answered; guards against a run in which nothing happens.";
};

pub(crate) static CLIENT: &[Field<Client>] = fields! {
    "endpoints" Form::Members => endpoints, "The members it knows, in the order in which it tries them.";
    "failover" FAILOVER => failover, "When it turns to the next endpoint: never, after an error or an unknown outcome, after every operation.";
    "timeout" time(MS, HOUR) => timeout, "How long it waits for an answer, by its own clock.";
    "clock" CLOCK_RATE => clock_rate, "How fast its clock runs; `100%` is exact.";
    "part-of" count(0, 100_000) => part_of, "The client whose memory it uses: two clients of one program, which asks several things at once. Left out: a memory of its own.";
    "user" Form::Text => user, "Who it logs in as, `name:password`. Left out: it does not.";
    "watch-processing" LATENCY => watch_processing, "How long it takes over one response of a watch stream. A slow consumer makes the server keep back what it cannot send.";
    "keepalive" time(MS, HOUR) => keepalive, "A watch stream on which nothing came for this long is tested with a ping.";
    "keepalive-timeout" time(MS, HOUR) => keepalive_timeout, "Without an answer to the ping for this long, the stream is broken.";
    "operations" Form::Operations => operations, "What it does, in order, one line an act.";
};

pub(crate) const FAILOVER: Form = Form::Word(Failover::NAMES);

words!(Failover: "pinned" = Failover::Pinned, "on-trouble" = Failover::OnTrouble, "round-robin" = Failover::RoundRobin);

/// The fields of a fault that every kind has.
pub(crate) static FAULT: &[Key] = &[
    Key { name: "kind", form: Form::Text, about: "What goes wrong: one of the kinds of `docs/faults.md`." },
    Key {
        name: "name",
        form: Form::Text,
        about: "Names the fault in the draws of the seed. Left out: its kind. Faults of one name are told apart by their order.",
    },
    Key {
        name: "id",
        form: count(0, u32::MAX as i128),
        about: "Names the fault in the draws of the run and in its trace. Only in plans.",
    },
    Key { name: "target", form: Form::Who, about: "Whom." },
    Key { name: "at", form: LONG, about: "When it strikes, since the start of the run." },
    Key { name: "every", form: time(MS, 24 * HOUR), about: "Strikes over and over; each gap is drawn anew." },
    Key {
        name: "about-every",
        form: time(MS, 24 * HOUR),
        about: "Strikes over and over; the mean gap is drawn once a run, the gaps are exponential around it.",
    },
    Key {
        name: "times",
        form: count(1, MOST_TIMES),
        about: "How many times at most. With `at`: how many times in all, each with its own draw.",
    },
    Key {
        name: "when",
        form: Form::Condition,
        about: "Strikes when this comes true. With `every` or `about-every`: is looked for anew after each gap.",
    },
    Key { name: "after", form: LONG, about: "Time between the condition and the fault." },
    Key { name: "from", form: LONG, about: "Not before this time." },
    Key { name: "until", form: LONG, about: "Not after this time. Left out: the end of the chaos phase." },
    Key {
        name: "for",
        form: time(0, 24 * HOUR),
        about: "How long it lasts; for a crash or a power loss, the time until the restart. Left out: to the end of the chaos phase.",
    },
    Key { name: "chance", form: SHARE, about: "How likely the fault is part of a run at all." },
];

/// Most times one fault of a scenario strikes.
pub(crate) const MOST_TIMES: i128 = 1_000;

/// What the swarm may choose. See `swarm`.
#[derive(Clone, Debug)]
pub(crate) struct Swarm {
    pub config: bool,
    pub network: bool,
    pub disk: bool,
    pub clocks: bool,
    pub process: bool,
    pub operators: bool,
    pub density: Ratio,
}

pub(crate) static SWARM: &[Field<Swarm>] = fields! {
    "config" BOOL => config, "Whether the swarm chooses what `[cluster]`, `[network]`, `[disk]`, `[clocks]` and `[workload]` leave out.";
    "network" BOOL => network, "Whether it may choose faults of the network.";
    "disk" BOOL => disk, "Whether it may choose faults of the disks.";
    "clocks" BOOL => clocks, "Whether it may choose faults of the clocks.";
    "process" BOOL => process, "Whether it may choose faults of the processes.";
    "operators" BOOL => operators, "Whether operators may change the membership, move leadership, defragment and compact.";
    "density" SHARE => density, "How likely each family of faults is to be part of the run, times its own chance. Left out: drawn.";
};

const MILLISECOND: Nanos = MS as Nanos;
const MICROSECOND: Nanos = MILLISECOND / 1_000;

/// Three members with etcd's defaults (`embed/config.go`), and a supervisor that waits a second.
impl Default for Cluster {
    fn default() -> Cluster {
        Cluster {
            members: 3,
            heartbeat_interval: 100 * MILLISECOND,
            election_ticks: 10,
            pre_vote: true,
            check_quorum: true,
            snapshot_count: 10_000,
            catch_up_entries: 5_000,
            wal_segment_bytes: 64_000_000,
            backend_interval: 100 * MILLISECOND,
            backend_limit: 10_000,
            request_timeout: 7_000 * MILLISECOND,
            read_index_retry: 500 * MILLISECOND,
            max_size_per_message: 1 << 20,
            max_inflight_messages: 512,
            compaction_batch: 1_000,
            compaction_pause: 10 * MILLISECOND,
            restart_delay: 1_000 * MILLISECOND,
            quota: 2 << 30,
            auto_compaction_revisions: 0,
            auto_compaction_period: 0,
            corrupt_check_interval: 0,
            lease_checkpoint_interval: 0,
            strict_reconfig: true,
            watch_window: 16,
            watch_buffer: 128,
            watch_sync_interval: 100 * MILLISECOND,
            watch_sync_batch: 512,
            watch_batch_revisions: 1_000,
            watch_progress_interval: 600_000 * MILLISECOND,
            watch_fragment_bytes: 2 << 20,
            auth_token_ttl: 300_000 * MILLISECOND,
        }
    }
}

/// A link within one data centre, without faults: 0.2 ms and an exponential 0.3 ms on top.
impl Default for Link {
    fn default() -> Link {
        Link {
            latency: Spread::Exponential { floor: 200 * MICROSECOND, mean: 300 * MICROSECOND },
            loss: Ratio::NEVER,
            duplicate: Ratio::NEVER,
            reorder: Ratio::NEVER,
            reorder_by: Spread::Exponential { floor: 0, mean: 10 * MILLISECOND },
            corrupt: Ratio::NEVER,
            bandwidth: 0,
            queue: 0,
        }
    }
}

impl Default for Network {
    fn default() -> Network {
        Network { peers: Link::default(), clients: Link::default(), checksums: true }
    }
}

/// A solid-state disk: reads and writes go to the page cache, a sync takes about a millisecond.
impl Default for Disk {
    fn default() -> Disk {
        Disk {
            read: Spread::Constant(50 * MICROSECOND),
            write: Spread::Constant(20 * MICROSECOND),
            sync: Spread::Exponential { floor: 500 * MICROSECOND, mean: 500 * MICROSECOND },
            capacity: 0,
        }
    }
}

impl Default for Clocks {
    fn default() -> Clocks {
        Clocks { members: None, clients: Ratio::WHOLE }
    }
}

impl Default for Phases {
    fn default() -> Phases {
        Phases { chaos: 30_000 * MILLISECOND, core: None, settle: 60_000 * MILLISECOND }
    }
}

/// A client of etcd's Go library as Kubernetes sets it up: a ping after 30 s, a break 10 s later
/// (`apiserver/pkg/storage/storagebackend/factory/etcd3.go`).
impl Default for Client {
    fn default() -> Client {
        Client {
            endpoints: Vec::new(),
            failover: Failover::OnTrouble,
            timeout: 2_000 * MILLISECOND,
            clock_rate: Ratio::WHOLE,
            part_of: None,
            user: None,
            watch_processing: Spread::Constant(0),
            keepalive: 30_000 * MILLISECOND,
            keepalive_timeout: 10_000 * MILLISECOND,
            operations: Vec::new(),
        }
    }
}

impl Default for Swarm {
    fn default() -> Swarm {
        Swarm {
            config: true,
            network: true,
            disk: true,
            clocks: true,
            process: true,
            operators: true,
            density: Ratio::ALWAYS,
        }
    }
}
