//! The plan: a run without any choice left. What `replay` takes, what a shrinker edits, what a
//! regression is kept as.
//!
//! Times are nanoseconds of the simulator's true clock since the start of the run; durations are
//! nanoseconds. Members are numbered from 1, clients from 0.
//!
//! A plan still holds what only the run can know: who leads when a fault strikes ([`Target`]), and
//! when a condition comes true ([`Trigger`]). Both are functions of the run, so nothing is left to
//! chance but the keyed draws of the seed.

use keyed::Ratio;
use record::Nanos;
pub use settings::Settings;

use crate::act::Act;
use crate::kinds::FaultKind;

/// A run, fully decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The scenario's title.
    pub title: String,
    /// The scenario's file, as it was named, for messages; empty where there was none.
    pub scenario: String,
    /// Seed of every keyed draw of the run.
    pub seed: u64,
    /// The cluster.
    pub cluster: Cluster,
    /// Links as they are when no fault touches them.
    pub network: Network,
    /// Disks as they are when no fault touches them.
    pub disk: Disk,
    /// The clients and all they will ask.
    pub clients: Vec<Client>,
    /// Everything that will go wrong.
    pub faults: Vec<Fault>,
    /// How long each phase lasts.
    pub phases: Phases,
    /// What must hold beyond the oracles.
    pub expect: Expect,
    /// Flaws to switch on.
    pub flaws: Vec<FlawAt>,
}

/// The members and how they are set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// How many members, 1 to 9.
    pub members: u32,
    /// How every one of them behaves, and how soon one that ended by itself is started again.
    pub settings: Settings,
}

/// A distribution of durations (or of anything counted in integers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Always this.
    Constant(u64),
    /// Uniform in `low..=high`.
    Uniform {
        /// Least.
        low: u64,
        /// Most.
        high: u64,
    },
    /// `floor` plus an exponential with this mean.
    Exponential {
        /// Least.
        floor: u64,
        /// Mean of what is added.
        mean: u64,
    },
    /// `usual` most of the time; with the given ratio log-uniform between `usual` and `worst`.
    HeavyTail {
        /// The usual value.
        usual: u64,
        /// The largest value.
        worst: u64,
        /// How often it is not the usual one.
        ratio: Ratio,
    },
}

/// How a link behaves. Each ordered pair of processes has one, client links included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// One-way delay.
    pub latency: Spread,
    /// Messages that are lost.
    pub loss: Ratio,
    /// Messages that arrive twice, the copy with a delay of its own.
    pub duplicate: Ratio,
    /// Messages that draw an extra delay, so that later ones overtake them.
    pub reorder: Ratio,
    /// How much extra delay.
    pub reorder_by: Spread,
    /// Messages of which a bit is flipped.
    pub corrupt: Ratio,
    /// Bytes a second; 0 is no limit.
    pub bandwidth: u64,
    /// Messages that may wait for the bandwidth; one more and a random one is thrown away. 0 is no limit.
    pub queue: u32,
}

/// The network between processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Between members.
    pub peers: Link,
    /// Between clients and members.
    pub clients: Link,
    /// Whether the transport throws damaged messages away. Off, the decoder and the receiver meet them.
    pub checksums: bool,
}

/// Times of a disk's operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// A read.
    pub read: Spread,
    /// A write, truncation, creation, rename or removal.
    pub write: Spread,
    /// An fsync of a file or directory.
    pub sync: Spread,
    /// Bytes on the disk; 0 is no limit.
    pub capacity: u64,
}

/// One client: a closed loop over its operations.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// The members it knows, in the order in which it tries them.
    pub endpoints: Vec<u32>,
    /// When it turns to the next endpoint.
    pub failover: Failover,
    /// How long it waits for an answer, by its own clock.
    pub timeout: Nanos,
    /// How fast its clock runs, in parts of a million of true time (1 000 000 is exact).
    pub clock_rate: u32,
    /// The client (by number, one that is part of no other) whose memory it uses: two of one program,
    /// which asks several things at once. `None`: a memory of its own.
    pub part_of: Option<u32>,
    /// Who it logs in as, `name:password`; `None`: it does not.
    pub user: Option<String>,
    /// How long it takes to process one response of a watch stream. Slow consumers make the server
    /// keep back what it cannot send.
    pub watch_processing: Spread,
    /// A stream on which nothing came for this long is tested with a ping.
    pub keepalive: Nanos,
    /// Without an answer to the ping for this long, the stream is broken.
    pub keepalive_timeout: Nanos,
    /// What it does, in order.
    pub operations: Vec<PlannedOperation>,
}

/// When a client turns to its next endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    /// Never: it stays with its first endpoint.
    Pinned,
    /// After an error or an unknown outcome.
    OnTrouble,
    /// After every operation.
    RoundRobin,
}

/// One act of a client, with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedOperation {
    /// Not before this time; and not before the act ahead of it has ended.
    pub at: Nanos,
    /// What to do.
    pub act: Act,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Names it in every keyed draw of the run. Its place among the faults does not: a shrinker takes
    /// faults out, and the others must stay as they were.
    pub id: u32,
    /// When it strikes.
    pub when: Trigger,
    /// How long it lasts. For a crash: the time until the restart. `None`: to the end of the chaos
    /// phase (or, for a fault that is over at once, nothing).
    pub duration: Option<Nanos>,
    /// Whom.
    pub target: Target,
    /// What.
    pub kind: FaultKind,
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// At this time.
    At(Nanos),
    /// `delay` after the condition comes true, which does not count before `from`.
    When {
        /// The condition.
        condition: Condition,
        /// The condition does not count before this time.
        from: Nanos,
        /// Time between the condition and the fault.
        delay: Nanos,
    },
}

/// Something that comes true in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Some member leads.
    Leader,
    /// No member leads.
    NoLeader,
    /// The `n`-th election (from 1) has been won, counted over the run.
    Election(u32),
    /// This member has applied that index; member 0 is any.
    Applied {
        /// The member, or 0.
        member: u32,
        /// The index.
        index: u64,
    },
    /// The `n`-th log snapshot (from 1) of this member was sent or installed; member 0 is any.
    Snapshot {
        /// The member, or 0.
        member: u32,
        /// Which of them, counted from 1.
        nth: u32,
    },
    /// The clients have called this many operations.
    Operations(u64),
}

/// Whom a fault strikes. Groups that depend on the run are resolved when the fault strikes, with
/// keyed draws where a choice is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// These members.
    Members(Vec<u32>),
    /// Whoever leads the highest term; a random member where nobody does.
    Leader,
    /// All but the leader.
    Followers,
    /// One of the followers.
    Follower,
    /// One member.
    Random,
    /// A random majority.
    Majority,
    /// A random minority: the most members that leave a quorum.
    Minority,
    /// A random majority with the leader in it.
    LeaderMajority,
    /// Everyone.
    All,
    /// These clients.
    Clients(Vec<u32>),
}

/// The phases of a run. The workload goes on through chaos; then faults stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phases {
    /// Length of the chaos phase.
    pub chaos: Nanos,
    /// Members that are healed; the others stay as broken as they are, for good. `None`: all.
    pub core: Option<u32>,
    /// Bound on the settle phase.
    pub settle: Nanos,
}

/// What must hold beyond the oracles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// Members that are allowed to refuse to start, because the plan damages what they cannot do without.
    pub refusals: Vec<u32>,
    /// Least number of operations that must have been answered; guards against a run in which nothing happens.
    pub answered: u64,
}

/// A flaw and where it is switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlawAt {
    /// The flaw's id.
    pub flaw: String,
    /// On this member; `None`: on all.
    pub member: Option<u32>,
}

impl Plan {
    /// The most members there can be in a run: those of the beginning, and those that faults add. Members
    /// that are added take the numbers after the first ones, in the order of their faults.
    pub fn most_members(&self) -> u32 {
        self.cluster.members
            + self.faults.iter().filter(|fault| fault.kind.effect().adds_member).count() as u32
    }
}

impl Spread {
    /// One value of the distribution.
    #[inline]
    pub fn sample(&self, draw: keyed::Draw) -> u64 {
        match *self {
            Spread::Constant(value) => value,
            Spread::Uniform { low, high } => draw.within(low, high),
            Spread::Exponential { floor, mean } => floor.saturating_add(draw.exponential(mean)),
            Spread::HeavyTail { usual, worst, ratio } => {
                if draw.happens(ratio) {
                    draw.then(1).log_within(usual.max(1), worst.max(usual).max(1))
                } else {
                    usual
                }
            }
        }
    }
}
