//! The plan: everything that happens in one run, decided in advance. Failures are saved and replayed as plans.
//!
//! Times are nanoseconds since the start of the run, on the simulator's own clock. Durations are nanoseconds.
//! Members have the ids 1, 2, 3, …; clients are numbered from 0.
//!
//! Two things are decided only during the run: the members that a target such as "the leader" means
//! ([`Target`]), and when a condition comes true ([`Trigger`]). Where a choice remains, the run decides it by draws
//! from the plan's seed. So the same plan always gives the same run. From a given time on, these draws can be made anew
//! ([`Noise`]).

use std::fmt;

use keyed::Ratio;
use trace::{MemberId, Nanos};

use crate::kinds::FaultKind;
use crate::part::{ClientPart, Part};

/// A fully decided run of a cluster whose nodes have the part `P`.
pub struct Plan<P: Part> {
    /// The scenario's title.
    pub title: String,
    /// The scenario's file name as given, for messages; empty if there was none.
    pub scenario: String,
    /// The seed of all draws of the run.
    pub seed: u64,
    /// The cluster.
    pub cluster: Cluster<P::Settings>,
    /// Links while no fault affects them.
    pub network: Network,
    /// Disks while no fault affects them.
    pub disk: Disk,
    /// The clients and all their operations.
    pub clients: Vec<P::Client>,
    /// Everything that will go wrong.
    pub faults: Vec<Fault<P::Task>>,
    /// How long each phase lasts.
    pub phases: Phases,
    /// What must hold beyond the oracles.
    pub expect: Expect,
    /// Flaws to switch on.
    pub flaws: Vec<FlawAt>,
    /// The times from which draws are made anew, in ascending order.
    pub noise: Vec<Noise>,
}

// Written by hand: derived implementations would require of the part itself what only its types need.

impl<P: Part> Clone for Plan<P> {
    fn clone(&self) -> Plan<P> {
        Plan {
            title: self.title.clone(),
            scenario: self.scenario.clone(),
            seed: self.seed,
            cluster: self.cluster.clone(),
            network: self.network.clone(),
            disk: self.disk,
            clients: self.clients.clone(),
            faults: self.faults.clone(),
            phases: self.phases,
            expect: self.expect.clone(),
            flaws: self.flaws.clone(),
            noise: self.noise.clone(),
        }
    }
}

impl<P: Part> Default for Plan<P> {
    fn default() -> Plan<P> {
        Plan {
            title: String::new(),
            scenario: String::new(),
            seed: 0,
            cluster: Cluster::default(),
            network: Network::default(),
            disk: Disk::default(),
            clients: Vec::new(),
            faults: Vec::new(),
            phases: Phases::default(),
            expect: Expect::default(),
            flaws: Vec::new(),
            noise: Vec::new(),
        }
    }
}

impl<P: Part> PartialEq for Plan<P> {
    fn eq(&self, other: &Plan<P>) -> bool {
        // Without `..`, so that a new field cannot be forgotten.
        let Plan {
            title,
            scenario,
            seed,
            cluster,
            network,
            disk,
            clients,
            faults,
            phases,
            expect,
            flaws,
            noise,
        } = self;
        *title == other.title
            && *scenario == other.scenario
            && *seed == other.seed
            && *cluster == other.cluster
            && *network == other.network
            && *disk == other.disk
            && *clients == other.clients
            && *faults == other.faults
            && *phases == other.phases
            && *expect == other.expect
            && *flaws == other.flaws
            && *noise == other.noise
    }
}

impl<P: Part> fmt::Debug for Plan<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan {
            title,
            scenario,
            seed,
            cluster,
            network,
            disk,
            clients,
            faults,
            phases,
            expect,
            flaws,
            noise,
        } = self;
        f.debug_struct("Plan")
            .field("title", title)
            .field("scenario", scenario)
            .field("seed", seed)
            .field("cluster", cluster)
            .field("network", network)
            .field("disk", disk)
            .field("clients", clients)
            .field("faults", faults)
            .field("phases", phases)
            .field("expect", expect)
            .field("flaws", flaws)
            .field("noise", noise)
            .finish()
    }
}

/// The members and how they are set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster<S> {
    /// The number of members, 1 to 9.
    pub members: u32,
    /// The settings of every member.
    pub settings: S,
}

/// A distribution of durations (or of anything counted in integers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Always this value.
    Constant(u64),
    /// Uniform in `low..=high`.
    Uniform {
        /// The minimum.
        low: u64,
        /// The maximum.
        high: u64,
    },
    /// `floor` plus an exponentially distributed value with this mean.
    Exponential {
        /// The minimum.
        floor: u64,
        /// The mean of the value that is added.
        mean: u64,
    },
    /// `usual` most of the time; in `ratio` of all draws a value between `usual` and `worst`, log-uniform.
    HeavyTail {
        /// The usual value.
        usual: u64,
        /// The largest value.
        worst: u64,
        /// How often a value is not the usual one.
        ratio: Ratio,
    },
}

/// How a link behaves. Each process has a link to each other process, members and clients alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// One-way delay.
    pub latency: Spread,
    /// The share of messages that are lost.
    pub loss: Ratio,
    /// The share of messages that arrive twice, the copy with its own delay.
    pub duplicate: Ratio,
    /// The share of messages that draw an extra delay, so that later ones overtake them.
    pub reorder: Ratio,
    /// The extra delay of such a message.
    pub reorder_by: Spread,
    /// The share of messages with a flipped bit.
    pub corrupt: Ratio,
    /// Bytes per second; 0 for no limit.
    pub bandwidth: u64,
    /// Messages that may wait for the bandwidth; beyond that a random one is dropped. 0 for no limit.
    pub queue: u32,
}

/// The network between processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Between members.
    pub peers: Link,
    /// Between clients and members.
    pub clients: Link,
    /// Whether the transport drops damaged messages. If not, they reach the decoder and the receiver.
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
    /// Bytes on the disk; 0 for no limit.
    pub capacity: u64,
}

/// Something that goes wrong; `T` are the tasks of the nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault<T> {
    /// Its number in the draws of the run. It is not the index in the list, so that the other faults stay the
    /// same when one is removed from a plan.
    pub id: u32,
    /// When it strikes.
    pub when: Trigger,
    /// How long it lasts. For a crash, the time until the restart. `None`: to the end of the chaos phase. Not
    /// used by kinds that are over at once.
    pub duration: Option<Nanos>,
    /// Its target.
    pub target: Target,
    /// Its kind.
    pub kind: FaultKind<T>,
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// At this time.
    At(Nanos),
    /// When a condition comes true.
    When {
        /// The condition.
        condition: Condition,
        /// The condition is not looked at before this time.
        from: Nanos,
        /// The time between the condition and the fault.
        delay: Nanos,
    },
}

/// A condition that comes true during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Some member leads.
    Leader,
    /// No member leads.
    NoLeader,
    /// This many elections have been won during the run.
    Election(u32),
    /// This member has applied the entry at this index; [`MemberId::NONE`] means any member.
    Applied {
        /// The member, or none for any.
        member: MemberId,
        /// The index.
        index: u64,
    },
    /// This member has installed this many snapshots of a leader; [`MemberId::NONE`] means any member.
    Snapshot {
        /// The member, or none for any.
        member: MemberId,
        /// The number of snapshots.
        nth: u32,
    },
    /// The clients have called this many operations.
    Operations(u64),
}

/// The members or clients that a fault strikes. "The leader" and other groups that depend on the run are
/// determined when the fault strikes, by draws where there is a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// These members.
    Members(Vec<MemberId>),
    /// The leader of the highest term; a random member if there is none.
    Leader,
    /// All but the leader.
    Followers,
    /// One of the followers.
    Follower,
    /// One member.
    Random,
    /// A random majority.
    Majority,
    /// A random minority: as many members as possible that leave a quorum.
    Minority,
    /// A random majority that includes the leader.
    LeaderMajority,
    /// All members.
    All,
    /// These clients.
    Clients(Vec<u32>),
}

/// The phases of a run. During the chaos phase the workload runs and the faults strike. Then faults are ended. During
/// the calm phase the workload goes on without new faults, and during the settle phase the cluster must come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phases {
    /// The length of the chaos phase.
    pub chaos: Nanos,
    /// The length of the calm phase.
    pub calm: Nanos,
    /// How many members are healed after the chaos phase. The others stay as broken as they are until their faults end
    /// by themselves. `None`: all are healed.
    pub core: Option<u32>,
    /// The maximum length of the settle phase.
    pub settle: Nanos,
}

impl Phases {
    /// For how long clients begin operations: to the end of the calm phase.
    pub fn load(&self) -> Nanos {
        self.chaos + self.calm
    }
}

/// What must hold beyond the oracles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// Members that may refuse to start, because a fault of the plan damages data that they need.
    pub refusals: Vec<MemberId>,
    /// The minimum number of operations that must have been answered. It guards against runs in which nothing
    /// happens.
    pub answered: u64,
    /// From the first fault to the end of the chaos phase, clients wait no longer than this for the next answer, whoever
    /// gets it. `None`: nothing is expected.
    pub progress: Option<Nanos>,
}

/// A flaw and where it is switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlawAt {
    /// The flaw's id or name.
    pub flaw: String,
    /// The member it is switched on for; `None` for all.
    pub member: Option<MemberId>,
}

/// From a given time on, everything that the run decides by draws is drawn anew: latencies and losses of links, times
/// and losses of disks, the targets of faults, election timeouts, and whatever else nodes and callers draw. What is
/// decided before stays as it is, and so does what the plan says: the faults and the operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noise {
    /// The time. The noise lasts until the next one begins.
    pub from: Nanos,
    /// Selects one of the possible futures: each key gives another one.
    pub key: u64,
}

impl<P: Part> Plan<P> {
    /// The number of machines, which is the most members there can be in a run: the initial members, those that faults
    /// add (they take the ids after the initial ones, in the order of their faults), those that clients add
    /// ([`Part::machines`]), and those that an endpoint or a target names.
    pub fn most_members(&self) -> u32 {
        let by_faults = self.faults.iter().filter(|fault| fault.kind.effect().adds_member).count() as u32;
        let named = self.faults.iter().filter_map(|fault| match &fault.target {
            Target::Members(members) => members.iter().copied().max(),
            _ => None,
        });
        let highest = named.chain(P::machines(&self.clients)).max().map_or(0, MemberId::raft_id);
        (self.cluster.members + by_faults).max(u32::try_from(highest).unwrap_or(0))
    }

    /// Whether a flaw is switched on for a member.
    pub fn has_flaw(&self, flaw: &str, member: MemberId) -> bool {
        let is_on = |on: &FlawAt| on.flaw == flaw && on.member.is_none_or(|only| only == member);
        self.flaws.iter().any(is_on)
    }

    /// The plan with these flaws besides, on every member.
    #[must_use]
    pub fn with_flaws<'a>(mut self, flaws: impl IntoIterator<Item = &'a str>) -> Plan<P> {
        self.flaws.extend(flaws.into_iter().map(|flaw| FlawAt { flaw: flaw.to_string(), member: None }));
        self
    }

    /// Why no client asks the cluster anything, as the end of a sentence; `None` if one does.
    pub fn why_idle(&self) -> Option<&'static str> {
        if self.clients.is_empty() {
            return Some("there is no client (`[workload]` and `[[client]]` make them)");
        }
        let operations = self.clients.iter().flat_map(|client| client.operations());
        let mut times = operations.filter_map(P::Client::asks_at);
        match times.next() {
            None => Some("no client has an operation"),
            // Clients begin nothing in the settle phase.
            Some(first) if first > self.phases.load() && times.all(|at| at > self.phases.load()) => {
                Some("all operations come after the end of the load")
            }
            Some(_) => None,
        }
    }
}

impl Target {
    /// The members with these ids.
    pub fn members<I: Into<MemberId>>(ids: impl IntoIterator<Item = I>) -> Target {
        Target::Members(ids.into_iter().map(Into::into).collect())
    }
}

/// The most machines that a plan can have because of its clients' requests.
pub const MOST_MACHINES: u32 = 16;

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
