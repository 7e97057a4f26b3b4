//! The sections of scenario and plan files that do not depend on the nodes: a table of fields for each, and the
//! defaults. The documentation repeats the texts of the rows. `kinds` has the fields of each kind of fault; a node's
//! [`Part`](crate::Part) has those of its settings, its clients and its own sections.

use keyed::Ratio;
use trace::Nanos;

use crate::field::{Field, FieldType, Form, HOUR, Key, MS, SHARE, count, fields, number, time};
use crate::units::Unit;
use crate::{Cluster, Disk, Expect, FlawAt, Link, Network, Noise, Phases, Spread};

/// A duration of up to a day.
const LONG: Form = time(0, 24 * HOUR);
/// A distribution of durations.
pub const LATENCY: Form = Form::Spread { unit: Unit::Time, high: HOUR };
/// True or false.
const BOOL: Form = Form::Switch;

/// The fields of the file itself, outside any section.
#[derive(Clone, Debug, Default)]
pub(crate) struct Top {
    pub title: String,
    pub scenario: String,
    pub seed: u64,
    pub flaws: Vec<FlawAt>,
}

pub(crate) static TOP: &[Field<Top>] = &fields! {
    "title" Form::Text => title, "What the scenario tests, in a few words.";
    "scenario" Form::Text => scenario, "The scenario that a plan was made from. Only in plans.";
    "seed" count(0, u64::MAX as i128) => seed, "Makes the file a plan: the seed of every draw that is left to the run.";
    "flaws" Form::Flaws => flaws, "Defects to switch on, `\"R2\"` on every member or `\"R2@3\"` on one. The command's `--flaw` adds to them.";
};

/// The field of the section `[cluster]` that every cluster has. The others are the settings of the nodes.
pub static MEMBERS: &[Field<u32>] = &[Field {
    key: Key { name: "members", form: count(1, 9), about: "How many members." },
    get: |it, _| it.value(),
    set: |it, _, value| *it = u32::of(value),
}];

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

/// The fields of `[network.peers]` and `[network.clients]`.
pub static LINK: &[Field<Link>] = &link_fields!(fields);

/// The fields of `[network]`.
pub static NETWORK: &[Field<Network>] = &fields! {
    "checksums" BOOL => checksums, "Whether the transport drops damaged messages. If not, they reach the decoder and the receiver.";
};

/// The fields of `[disk]`.
pub static DISK: &[Field<Disk>] = &fields! {
    "read" LATENCY => read, "Time of a read.";
    "write" LATENCY => write, "Time of a write, truncation, creation, rename or removal.";
    "sync" LATENCY => sync, "Time of an fsync of a file or a directory.";
    "capacity" Form::Number { unit: Unit::Size, low: 0, high: 1 << 50, zero: Some("unlimited") } => capacity, "Bytes on the disk.";
};

/// How fast clocks run, in parts per million of true time. A plan has no such section: the rate of a member's clock
/// becomes a fault of kind `clock-rate` from the start to the end of the chaos phase, and the rate of a client's clock
/// becomes the client's field `clock`.
#[derive(Clone, Debug)]
pub struct Clocks {
    /// The rate of a member's clock.
    pub members: Option<u32>,
    /// The rate of a client's clock.
    pub clients: u32,
}

/// How fast a clock may run.
pub const CLOCK_RATE: Form = number(Unit::Share, 10_000, 100_000_000);

/// The fields of `[clocks]`.
pub static CLOCKS: &[Field<Clocks>] = &fields! {
    "members" CLOCK_RATE => members, "Rate of each member's clock, drawn for each, until the end of the chaos phase; `100%` is exact.";
    "clients" CLOCK_RATE => clients, "Rate of each client's clock, drawn for each, for the whole run.";
};

/// The fields of `[run]`.
pub static RUN: &[Field<Phases>] = &fields! {
    "chaos" time(0, 24 * HOUR) => chaos, "Length of the chaos phase: the workload runs, the faults strike.";
    "calm" time(0, 24 * HOUR) => calm, "Length of the calm phase after it: faults have ended, no new one begins, and the workload goes on. What the plan leaves broken stays broken, and links still lose, duplicate and reorder messages as they do without faults.";
    "core" count(1, 9) => core, "How many members are healed after it; the others stay as broken as they are, each fault until its own duration (`for`) has passed. Left out: all.";
    "settle" time(MS, 24 * HOUR) => settle, "Limit of the settle phase. Before it runs out, there must be a leader, every operation must have ended, and the members must agree.";
};

/// The fields of `[expect]`.
pub static EXPECT: &[Field<Expect>] = &fields! {
    "refusals" Form::Members => refusals, "Members that may refuse to start, because a fault of the file damages data that they need.";
    "answered" count(0, 1_000_000_000) => answered, "Minimum number of operations that must have been answered; guards against a run in which nothing happens.";
    "progress" time(MS, 24 * HOUR) => progress, "From the first fault to the end of the chaos phase, the longest time that may pass without an answer to any client while some client waits for one. Errors and serializable reads do not count as answers. Left out: nothing is expected.";
};

/// The fields of `[[noise]]`.
pub(crate) static NOISE: &[Field<Noise>] = &fields! {
    "from" LONG => from, "Every draw at or after this time is made anew. The noise lasts until the `from` of the next one.";
    "key" count(0, u64::MAX as i128) => key, "Any number: each key gives another future.";
};

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
    "config" BOOL => config, "Whether the swarm draws what `[cluster]`, `[network]`, `[disk]`, `[workload]` and `[run]` leave out.";
    "network" BOOL => network, "Whether it may choose faults of the network.";
    "disk" BOOL => disk, "Whether it may choose faults of the disks.";
    "clocks" BOOL => clocks, "Whether the swarm may choose faults of the clocks, and let them drift.";
    "process" BOOL => process, "Whether it may choose faults of the processes.";
    "operators" BOOL => operators, "Whether operators may change the membership, move leadership, defragment and compact.";
    "density" SHARE => density, "By what the chance of each fault of the swarm is multiplied: the share of them that take part in the run. Left out: drawn.";
};

const MILLISECOND: Nanos = MS as Nanos;
const MICROSECOND: Nanos = MILLISECOND / 1_000;

impl<S: Default> Default for Cluster<S> {
    fn default() -> Cluster<S> {
        Cluster { members: 3, settings: S::default() }
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
        Phases { chaos: 30_000 * MILLISECOND, calm: 0, core: None, settle: 60_000 * MILLISECOND }
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
