//! What a run's plan says that the musts depend on.

use record::{MemberId, Nanos};

use super::counts::Premise;
use crate::clocks::true_time;

/// What a fault of the plan touches while it is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touches {
    /// Nothing that a must needs, or nothing that other facts do not show: a wall clock, a task of an operator, a
    /// crash (the process has ended), a member's usual clock.
    Nothing,
    /// The process, the disk or the clock of the members that it strikes.
    Members,
    /// The disks of the members that it strikes, for the rest of the run.
    Damages,
    /// All links of the members that it strikes; those of clients if it strikes no member.
    Links,
    /// The links between clients and the members that it strikes.
    ClientLinks,
    /// All links.
    AllLinks,
}

/// What the plan says. Durations are in nanoseconds, by an exact clock.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The length of a tick; a leader sends heartbeats each tick.
    pub tick: Nanos,
    /// The shortest election timeout, in ticks. The longest is twice that.
    pub election_ticks: u64,
    /// Whether members ask for pre-votes.
    pub pre_vote: bool,
    /// Whether a leader looks for a quorum, and followers protect the leader they hear from.
    pub check_quorum: bool,
    /// The largest number of appends in flight to one follower.
    pub max_inflight: u64,
    /// Time after which the backend is committed.
    pub backend_interval: Nanos,
    /// The number of entries after which the backend is committed.
    pub backend_limit: u64,
    /// The number of entries after which the log is cut.
    pub snapshot_count: u64,
    /// Time after which a ReadIndex is asked again.
    pub read_index_retry: Nanos,
    /// Time after which a request ends without an answer, and after which the lessor revokes a lease again.
    pub request_timeout: Nanos,
    /// The members 1 to this one make the cluster in the beginning.
    pub first_members: u32,
    /// How many entries a member may have to apply while it takes writes.
    pub max_apply_gap: u64,
    /// Whether changes of the membership are refused that might cost the quorum.
    pub strict_reconfig: bool,
    /// How many rows a compaction removes at a time, and how long it rests then.
    pub scrub: (u64, Nanos),
    /// Whether links between members lose nothing while no fault is on.
    pub peers_keep: bool,
    /// Whether links between members neither lose, double nor reorder while no fault is on.
    pub peers_in_order: bool,
    /// Whether links between clients and members lose nothing while no fault is on.
    pub clients_keep: bool,
    /// The rates of the slowest and the fastest member's clock while no fault is on, in parts per million.
    pub rates: (u32, u32),
    /// Whether clients take watch responses without delay.
    pub watchers_are_quick: bool,
    /// How many responses of a watch stream may be under way before it lags.
    pub watch_window: u64,
    /// Time between two passes over watchers that lag.
    pub watch_sync: Nanos,
    /// How many of these a pass takes.
    pub watch_batch: u64,
    /// How many revisions a pass sends one of them.
    pub watch_batch_revisions: u64,
    /// Time between two progress notifications to a watcher without events.
    pub watch_progress: Nanos,
    /// How often the lessor checkpoints the time that leases have left, if it does.
    pub checkpoint: Option<Nanos>,
    /// For each fault of the plan, what it touches.
    pub faults: Vec<Touches>,
}

/// etcd's settings, on perfect machines.
impl Default for Setup {
    fn default() -> Setup {
        Setup {
            tick: 100_000_000,
            election_ticks: 10,
            pre_vote: true,
            check_quorum: true,
            max_inflight: 512,
            backend_interval: 100_000_000,
            backend_limit: 10_000,
            snapshot_count: 10_000,
            read_index_retry: 500_000_000,
            request_timeout: 7_000_000_000,
            first_members: 3,
            max_apply_gap: 5_000,
            strict_reconfig: true,
            scrub: (1_000, 10_000_000),
            peers_keep: true,
            peers_in_order: true,
            clients_keep: true,
            rates: (1_000_000, 1_000_000),
            watchers_are_quick: true,
            watch_window: 16,
            watch_sync: 100_000_000,
            watch_batch: 512,
            watch_batch_revisions: 1_000,
            watch_progress: 600_000_000_000,
            checkpoint: None,
            faults: Vec::new(),
        }
    }
}

impl Setup {
    /// What this fault touches.
    pub(super) fn touches(&self, fault: u32) -> Touches {
        self.faults.get(fault as usize).copied().unwrap_or(Touches::AllLinks)
    }

    /// The longest time that `ticks` ticks take, by the slowest clock.
    pub(super) fn longest(&self, ticks: u64) -> Nanos {
        true_time(self.tick * ticks, self.rates.0)
    }

    /// The longest true time in which a member's clock advances by `time`.
    pub(super) fn longest_of(&self, time: Nanos) -> Nanos {
        true_time(time, self.rates.0)
    }

    /// The shortest true time in which a member's clock advances by `time`.
    pub(super) fn shortest_of(&self, time: Nanos) -> Nanos {
        true_time(time, self.rates.1)
    }

    /// The shortest time that `ticks` ticks take, by the fastest clock.
    pub(super) fn shortest(&self, ticks: u64) -> Nanos {
        true_time(self.tick * ticks, self.rates.1)
    }

    /// How long a member must have been well before it counts: two shortest election timeouts. By then queues are worked
    /// off, and what was lost was sent again with a heartbeat.
    pub(super) fn grace(&self) -> Nanos {
        self.longest(2 * self.election_ticks)
    }

    /// Whether the protocol protects a leader that is heard.
    pub(super) fn protects_leader(&self) -> Result<(), Premise> {
        if self.pre_vote && self.check_quorum { Ok(()) } else { Err(Premise::Settings) }
    }
}

/// A set of members. Those of the plan have a bit each. Of others, which clients may add and which never run, only the
/// number is known: they count in majorities, and belong to no base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Set {
    bits: u64,
    strangers: u32,
}

impl Set {
    /// The set of these members.
    pub fn of(members: &[MemberId]) -> Set {
        let mut set = Set::default();
        members.iter().for_each(|member| set.add(*member));
        set
    }

    /// Adds a member, which is not in it.
    pub fn add(&mut self, member: MemberId) {
        match bit(member) {
            0 => self.strangers += 1,
            bit => self.bits |= bit,
        }
    }

    /// Whether it has a member.
    pub fn has(self, member: MemberId) -> bool {
        self.bits & bit(member) != 0
    }

    /// The members of the plan in it.
    pub fn members(self) -> impl Iterator<Item = MemberId> {
        (0..u64::BITS).filter(move |slot| self.bits & 1 << slot != 0).map(|slot| MemberId::new(slot + 1))
    }

    /// Whether it is empty.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// How many members it has.
    pub fn len(self) -> u32 {
        self.bits.count_ones() + self.strangers
    }

    /// The members of the plan that are in both.
    pub fn and(self, other: Set) -> Set {
        Set { bits: self.bits & other.bits, strangers: 0 }
    }

    /// Whether it has a majority of these voters.
    pub fn is_quorum_of(self, voters: Set) -> bool {
        self.and(voters).len() > voters.len() / 2
    }

    /// Whether every majority of these voters includes a member of this set.
    pub fn blocks(self, voters: Set) -> bool {
        let others = voters.len() - self.and(voters).len();
        others <= voters.len() / 2
    }
}

/// The bit of a member; none for ids that are not numbers of a plan.
fn bit(member: MemberId) -> u64 {
    u32::try_from(member.slot()).ok().and_then(|slot| 1u64.checked_shl(slot)).unwrap_or(0)
}
