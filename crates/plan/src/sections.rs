//! The sections of scenario and plan files: a table of fields for each, and the defaults. The texts of the rows
//! are also those of the documentation. `workload` has the section `[workload]`, `kinds` the fields of each
//! kind of fault.

use std::sync::LazyLock;

use keyed::Ratio;
use record::Nanos;

use crate::choice::Value;
use crate::field::{Field, FieldType, Form, HOUR, Key, MS, SHARE, Words, count, fields, number, time, words};
use crate::units::Unit;
use crate::{
    Client, Cluster, Disk, Expect, Failover, Link, Network, Phases, Plan, Settings, Spread, operation,
};

/// A duration of up to a day.
const LONG: Form = time(0, 24 * HOUR);
/// A distribution of durations.
pub(crate) const LATENCY: Form = Form::Spread { unit: Unit::Time, high: HOUR };
/// True or false.
const BOOL: Form = Form::Switch;

/// Fields of the file itself, outside any section.
pub(crate) static TOP: &[Field<Plan>] = &fields! {
    "title" Form::Text => title, "What the scenario tests, in a few words.";
    "scenario" Form::Text => scenario, "The scenario that a plan was made from. Only in plans.";
    "seed" count(0, u64::MAX as i128) => seed, "Makes the file a plan: the seed of every draw that is left to the run.";
    "flaws" Form::Flaws => flaws, "Defects to switch on, `\"R2\"` on every member or `\"R2@3\"` on one. The command's `--flaw` adds to them.";
};

/// The number of members, then every setting that a scenario may choose.
pub(crate) static CLUSTER: LazyLock<Vec<Field<Cluster>>> = LazyLock::new(|| {
    let members: [Field<Cluster>; 1] = fields! { "members" count(1, 9) => members, "How many members."; };
    let settings = settings::ROWS.iter().filter(|row| row.in_scenarios);
    members.into_iter().chain(settings.map(setting)).collect()
});

/// A setting as a field of the section `[cluster]`.
fn setting(row: &settings::Row) -> Field<Cluster> {
    let form = match row.form {
        settings::Form::Number { unit, low, high, zero } => {
            let unit = match unit {
                settings::Unit::Count => Unit::Count,
                settings::Unit::Time => Unit::Time,
                settings::Unit::Size => Unit::Size,
            };
            Form::Number { unit, low: low.into(), high: high.into(), zero }
        }
        settings::Form::Switch => Form::Switch,
        settings::Form::Word(words) => Form::Word(words),
    };
    Field {
        key: Key { name: row.name, form, about: row.about },
        get: |cluster, key| Some(Value::Number(row_of(key).get(&cluster.settings).into())),
        set: |cluster, key, value| row_of(key).set(&mut cluster.settings, u64::of(value)),
    }
}

/// The row of the table of settings from which a field was made.
fn row_of(key: &Key) -> &'static settings::Row {
    settings::row(key.name).expect("the field was made of a row")
}

/// The fields of a link, shared by the network's sections and the fault `link`.
macro_rules! link_fields {
    ($with:ident) => {
        $with! {
            "latency" LATENCY => latency, "One-way delay.";
            "loss" SHARE => loss, "The share of messages that are lost.";
            "duplicate" SHARE => duplicate, "The share of messages that arrive twice, the copy with its own delay.";
            "reorder" SHARE => reorder, "The share of messages that draw an extra delay, so that later ones overtake them.";
            "reorder-by" LATENCY => reorder_by, "How much extra delay.";
            "corrupt" SHARE => corrupt, "The share of messages with a flipped bit.";
            "bandwidth" BANDWIDTH => bandwidth, "Bytes per second.";
            "queue" QUEUE => queue, "Messages that may wait for the bandwidth; beyond that a random one is dropped.";
        }
    };
}
pub(crate) use link_fields;

pub(crate) const BANDWIDTH: Form =
    Form::Number { unit: Unit::Bandwidth, low: 0, high: 1 << 40, zero: Some("unlimited") };
pub(crate) const QUEUE: Form =
    Form::Number { unit: Unit::Count, low: 0, high: 1_000_000, zero: Some("unlimited") };

pub(crate) static LINK: &[Field<Link>] = &link_fields!(fields);

pub(crate) static NETWORK: &[Field<Network>] = &fields! {
    "checksums" BOOL => checksums, "Whether the transport drops damaged messages. If not, they reach the decoder and the receiver.";
};

pub(crate) static DISK: &[Field<Disk>] = &fields! {
    "read" LATENCY => read, "Time of a read.";
    "write" LATENCY => write, "Time of a write, truncation, creation, rename or removal.";
    "sync" LATENCY => sync, "Time of an fsync of a file or a directory.";
    "capacity" Form::Number { unit: Unit::Size, low: 0, high: 1 << 50, zero: Some("unlimited") } => capacity, "Bytes on the disk.";
};

/// How fast clocks run, in parts per million of true time. A plan has no such section: the rate of a member's
/// clock becomes a fault of kind `clock-rate` from the start to the end of the chaos phase, that of a client
/// its field `clock`.
#[derive(Clone, Debug)]
pub(crate) struct Clocks {
    pub members: Option<u32>,
    pub clients: u32,
}

/// How fast a clock may run.
pub(crate) const CLOCK_RATE: Form = number(Unit::Share, 10_000, 100_000_000);

pub(crate) static CLOCKS: &[Field<Clocks>] = &fields! {
    "members" CLOCK_RATE => members, "Rate of each member's clock, drawn for each, until the end of the chaos phase; `100%` is exact.";
    "clients" CLOCK_RATE => clients, "Rate of each client's clock, drawn for each, for the whole run.";
};

pub(crate) static RUN: &[Field<Phases>] = &fields! {
    "chaos" time(0, 24 * HOUR) => chaos, "Length of the chaos phase: the workload runs, the faults strike.";
    "core" count(1, 9) => core, "How many members are healed after it; the others stay as broken as they are, each fault until its own time (`for`) is over. Left out: all.";
    "settle" time(MS, 24 * HOUR) => settle, "Limit of the settle phase: by then there is a leader, every operation has ended, the members agree.";
};

pub(crate) static EXPECT: &[Field<Expect>] = &fields! {
    "refusals" Form::Members => refusals, "Members that may refuse to start, because the file damages what they cannot do without.";
    "answered" count(0, 1_000_000_000) => answered, "Minimum number of operations that must have been answered; guards against a run in which nothing happens.";
    "progress" time(MS, 24 * HOUR) => progress, "From the first fault to the end of the chaos phase, the longest time without an answer to any client while some client asks. Errors and serializable reads do not count as answers. Left out: nothing is expected.";
};

pub(crate) static CLIENT: &[Field<Client>] = &fields! {
    "endpoints" Form::Members => endpoints, "The members it knows, in the order in which it tries them. They may be members that join later.";
    "auto-sync" AUTO_SYNC => auto_sync, "How often it asks for the member list and takes its endpoints from the answer (started members that are no learners), as etcd's Go client does with `AutoSyncInterval`.";
    "failover" FAILOVER => failover, "When it switches to the next endpoint: never, after an error or an unknown outcome, after every operation.";
    "timeout" time(MS, HOUR) => timeout, "How long it waits for an answer, by its own clock.";
    "clock" CLOCK_RATE => clock_rate, "How fast its clock runs; `100%` is exact.";
    "part-of" count(0, 100_000) => part_of, "The client whose memory it uses: two clients of one program, which has several requests under way at once. Left out: a memory of its own.";
    "user" Form::Text => user, "The user it logs in as, `name:password`. Left out: it does not log in.";
    "watch-processing" LATENCY => watch_processing, "How long it takes to process one response of a watch stream. A slow consumer makes the server hold back what it cannot send.";
    "keepalive" time(MS, HOUR) => keepalive, "A watch stream on which nothing came for this long is tested with a ping.";
    "keepalive-timeout" time(MS, HOUR) => keepalive_timeout, "Without an answer to the ping for this long, the stream counts as broken.";
    "operations" Form::Operations { check: operation::check } => operations, "What it does, in order, one line per act.";
};

pub(crate) const AUTO_SYNC: Form = Form::Number { unit: Unit::Time, low: 0, high: HOUR, zero: Some("never") };

pub(crate) const FAILOVER: Form = Form::Word(Failover::NAMES);

words!(Failover: "pinned" = Failover::Pinned, "on-trouble" = Failover::OnTrouble, "round-robin" = Failover::RoundRobin);

/// The fields of a fault that every kind has.
pub(crate) static FAULT: &[Key] = &[
    Key { name: "kind", form: Form::Text, about: "What goes wrong: one of the kinds of `docs/faults.md`." },
    Key {
        name: "name",
        form: Form::Text,
        about: "Identifies the fault in the draws of the seed. Left out: its kind. Faults with the same name are distinguished by their order.",
    },
    Key {
        name: "id",
        form: count(0, u32::MAX as i128),
        about: "Identifies the fault in the draws of the run and in its trace. Only in plans.",
    },
    Key { name: "target", form: Form::Who, about: "The target of the fault." },
    Key { name: "at", form: LONG, about: "When it strikes, since the start of the run." },
    Key {
        name: "every",
        form: time(MS, 24 * HOUR),
        about: "Strikes repeatedly; each gap is drawn separately.",
    },
    Key {
        name: "about-every",
        form: time(MS, 24 * HOUR),
        about: "Strikes repeatedly; the mean gap is drawn once per run, the gaps are exponentially distributed.",
    },
    Key {
        name: "times",
        form: count(1, MOST_TIMES),
        about: "How many times at most. With `at`: how many times in all, each with its own draw.",
    },
    Key {
        name: "when",
        form: Form::Condition,
        about: "Strikes when this comes true. With `every` or `about-every`: it is checked again after each gap.",
    },
    Key { name: "after", form: LONG, about: "Time between the condition and the fault." },
    Key { name: "from", form: LONG, about: "Not before this time." },
    Key { name: "until", form: LONG, about: "Not after this time. Left out: the end of the chaos phase." },
    Key {
        name: "for",
        form: time(0, 24 * HOUR),
        about: "How long it lasts; for a crash or a power loss, the time until the restart. Left out: to the end of the chaos phase.",
    },
    Key { name: "chance", form: SHARE, about: "The probability that the fault is part of a run." },
];

/// The maximum number of strikes of one fault of a scenario.
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

pub(crate) static SWARM: &[Field<Swarm>] = &fields! {
    "config" BOOL => config, "Whether the swarm chooses what `[cluster]`, `[network]`, `[disk]`, `[clocks]` and `[workload]` leave out.";
    "network" BOOL => network, "Whether it may choose faults of the network.";
    "disk" BOOL => disk, "Whether it may choose faults of the disks.";
    "clocks" BOOL => clocks, "Whether it may choose faults of the clocks.";
    "process" BOOL => process, "Whether it may choose faults of the processes.";
    "operators" BOOL => operators, "Whether operators may change the membership, move leadership, defragment and compact.";
    "density" SHARE => density, "The probability that a family of faults is part of the run, times its own chance. Left out: drawn.";
};

const MILLISECOND: Nanos = MS as Nanos;
const MICROSECOND: Nanos = MILLISECOND / 1_000;

impl Default for Cluster {
    fn default() -> Cluster {
        Cluster { members: 3, settings: Settings::default() }
    }
}

/// A link within one data centre, without faults: 0.2 ms plus an exponential 0.3 ms.
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

/// A client as Kubernetes configures etcd's Go library: a ping after 30 s of silence, and a stream counts as
/// broken if the ping is not answered for 10 s (`apiserver/pkg/storage/storagebackend/factory/etcd3.go`).
impl Default for Client {
    fn default() -> Client {
        Client {
            endpoints: Vec::new(),
            auto_sync: 0,
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
