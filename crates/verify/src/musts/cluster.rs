//! What the musts know of the members: whether they are well, what they follow, and since when.
//!
//! A member is *well* if its process runs and has received a message since its start, it is not paused, and no fault is
//! active on its process, its disk, its clock or its links. It is *settled* once it has been well for the grace period
//! ([`Setup::grace`]).
//!
//! The cluster is *steady* while one settled leader of the highest term that any member has, or had when it went down, has
//! a quorum of settled voters that follow it in that term, and its configuration is not joint and has not changed for the
//! grace period. The leader and all settled voters that follow it are the *base*.
//!
//! A member *serves* while the cluster is steady, the member is in the base, uses the leader's configuration, has applied
//! an entry of the leader's term (before that a leader confirms no reads) and what was committed when it joined the base,
//! and no snapshot is on its way to it.

use record::{EtcdFact, Fact, MemberId, Members, Nanos, Role};

use super::setup::{Set, Setup, Touches};

/// What is known of a member.
#[derive(Clone, Debug, Default)]
pub(super) struct Member {
    /// Whether its process runs.
    pub up: bool,
    /// Whether it has received anything since its start.
    pub hears: bool,
    paused: bool,
    damaged: bool,
    /// How many faults are active on it or its links.
    troubles: u32,
    /// How many of them are active on its process, its disk or its clock.
    own_troubles: u32,
    /// Since when it has been well; `None` if it is not.
    pub well_since: Option<Nanos>,
    pub term: u64,
    /// Whether it leads its term.
    pub leads: bool,
    pub leader: MemberId,
    /// The leader that raft knows, which its host may learn of only after a save.
    raft_leader: MemberId,
    /// Whether it asks for pre-votes or votes.
    pub campaigns: bool,
    pub applied: u64,
    committed: u64,
    /// The term of the last entry that it applied.
    applied_term: u64,
    pub configuration: Configuration,
    /// Whether a snapshot was sent to it that it has not installed.
    snapshot_comes: bool,
    /// What it must have applied to have caught up; `None` if it is not in the base.
    to_catch_up: Option<u64>,
    /// When it serves.
    serves: Spans,
    history: History,
}

/// What is known of a member at each time, over its starts.
#[derive(Clone, Debug, Default)]
struct History {
    /// When its process ran.
    ran: Spans,
    /// When it ran, was not paused, and no fault was active on its process, its disk or its clock.
    free: Spans,
    /// When it was well.
    well: Spans,
    /// When it ran, was not paused, and no fault was active on its links.
    linked: Spans,
    /// When neither it nor its raft knew a leader.
    leaderless: Spans,
    /// When it began to lead (true), or to lead no more.
    led: Vec<(Nanos, bool)>,
    /// The configurations that it used, each with the time from which on.
    configurations: Vec<(Nanos, Configuration)>,
}

/// A configuration, as sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Configuration {
    pub voters: Set,
    pub outgoing: Set,
    pub learners: Set,
}

/// A steady cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steady {
    pub leader: MemberId,
    pub term: u64,
    /// The leader, and the settled voters that follow it.
    pub base: Set,
    /// Since when; the base may have changed.
    pub since: Nanos,
}

/// The members.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub members: Members<Member>,
    /// How many faults are active on all links, and on those of clients.
    everywhere: u32,
    at_clients: u32,
    /// When no fault was active on the links of clients.
    client_links: Spans,
    /// For each member, how many faults cut it off from clients.
    without_clients: Members<u32>,
    /// When a transfer was ordered last, or a configuration came into force.
    disturbed: Nanos,
    pub steady: Option<Steady>,
    /// When the cluster was steady under one leader that served.
    peace: Spans,
}

impl Cluster {
    pub fn new(members: u32) -> Cluster {
        Cluster {
            members: Members::new(members, |_| Member::default()),
            everywhere: 0,
            at_clients: 0,
            client_links: Spans::default(),
            without_clients: Members::new(members, |_| 0),
            disturbed: 0,
            steady: None,
            peace: Spans::default(),
        }
    }

    /// Whether a member leads the highest term of those that run.
    pub fn has_leader(&self) -> bool {
        let running = || self.members.values().filter(|member| member.up);
        let highest = running().map(|member| member.term).max();
        running().any(|member| member.leads && Some(member.term) == highest)
    }

    /// Whether a member is well.
    pub fn is_well(&self, member: MemberId) -> bool {
        self.members.get(member).is_some_and(|member| member.well_since.is_some())
    }

    /// Whether a member has been well for the grace period.
    pub fn is_settled(&self, member: MemberId, now: Nanos, setup: &Setup) -> bool {
        let since = self.members.get(member).and_then(|member| member.well_since);
        since.is_some_and(|since| now - since >= setup.grace())
    }

    /// Takes a fact that may change whether members are well, or what they follow. Returns whether it did.
    pub fn note(&mut self, time: Nanos, member: MemberId, fact: &Fact, setup: &Setup) -> bool {
        match fact {
            Fact::Fault { fault, begins, .. } => self.fault(member, setup.touches(*fault), *begins),
            Fact::Started { .. } => self.of(member, |member| {
                if member.leads {
                    member.history.led.push((time, false));
                }
                member.history.leaderless.set(time, false);
                *member = Member {
                    up: true,
                    damaged: member.damaged,
                    troubles: member.troubles,
                    own_troubles: member.own_troubles,
                    serves: std::mem::take(&mut member.serves),
                    history: std::mem::take(&mut member.history),
                    ..Member::default()
                };
            }),
            Fact::Stopped(_) => self.of(member, |member| member.up = false),
            Fact::Paused => self.of(member, |member| member.paused = true),
            Fact::Resumed => self.of(member, |member| member.paused = false),
            Fact::Own(EtcdFact::State { term, role, leader, .. }) => {
                self.of(member, |member| {
                    if member.leads != (*role == Role::Leader) {
                        member.history.led.push((time, !member.leads));
                    }
                    let leaderless = leader.is_none() && member.raft_leader.is_none();
                    member.history.leaderless.set(time, leaderless);
                    (member.term, member.leads, member.leader) = (*term, *role == Role::Leader, *leader);
                    member.campaigns = matches!(role, Role::PreCandidate | Role::Candidate);
                });
            }
            Fact::Own(EtcdFact::Recovered { term, consistent_index, commit, .. }) => {
                self.of(member, |member| {
                    (member.term, member.applied, member.committed) = (*term, *consistent_index, *commit);
                });
            }
            Fact::Own(EtcdFact::Configuration { voters, outgoing, learners, .. }) => {
                let configuration = Configuration {
                    voters: Set::of(voters),
                    outgoing: Set::of(outgoing),
                    learners: Set::of(learners),
                };
                let mut changed = false;
                self.of(member, |member| {
                    changed = member.leads && member.configuration != configuration;
                    member.configuration = configuration;
                    member.history.configurations.push((time, configuration));
                });
                if changed {
                    self.disturbed = time;
                }
            }
            Fact::Own(EtcdFact::SnapshotInstalled { index, .. }) => self.of(member, |member| {
                member.snapshot_comes = false;
                member.applied = *index;
            }),
            _ => return false,
        }
        self.look(time, setup);
        true
    }

    /// Raft knows this leader after a step of a member.
    #[inline]
    pub fn raft_follows(&mut self, time: Nanos, member: MemberId, leader: MemberId) {
        if self.members.get(member).is_some_and(|member| member.raft_leader != leader) {
            let member = &mut self.members[member];
            member.raft_leader = leader;
            member.history.leaderless.set(time, leader.is_none() && member.leader.is_none());
        }
    }

    /// A member has received a message.
    #[inline]
    pub fn heard(&mut self, time: Nanos, member: MemberId, setup: &Setup) {
        if self.members.get(member).is_some_and(|member| !member.hears) {
            self.members[member].hears = true;
            self.look(time, setup);
        }
    }

    /// A member has applied an entry.
    #[inline]
    pub fn applied(&mut self, member: MemberId, (index, term): (u64, u64)) {
        if let Some(member) = self.members.get_mut(member) {
            (member.applied, member.applied_term) = (index, term);
        }
    }

    /// The commit index of a member advances.
    #[inline]
    pub fn committed(&mut self, member: MemberId, index: u64) {
        if let Some(member) = self.members.get_mut(member) {
            member.committed = index;
        }
    }

    /// How many entries a member knows to be committed and has not applied.
    #[inline]
    pub fn apply_gap(&self, member: MemberId) -> u64 {
        self.members.get(member).map_or(0, |member| member.committed.saturating_sub(member.applied))
    }

    /// A snapshot leaves for a member.
    pub fn snapshot_sent(&mut self, time: Nanos, to: MemberId, setup: &Setup) {
        self.of(to, |member| member.snapshot_comes = true);
        self.look(time, setup);
    }

    /// A transfer of leadership was ordered, or an order to campaign arrives.
    pub fn transfer(&mut self, time: Nanos, setup: &Setup) {
        self.disturbed = time;
        self.look(time, setup);
    }

    fn of(&mut self, member: MemberId, change: impl FnOnce(&mut Member)) {
        if let Some(member) = self.members.get_mut(member) {
            change(member);
        }
    }

    /// A fault begins or ends, on one member or on no particular one.
    fn fault(&mut self, member: MemberId, touches: Touches, begins: bool) {
        let count = |count: &mut u32| *count = if begins { *count + 1 } else { count.saturating_sub(1) };
        match touches {
            Touches::Nothing => {}
            Touches::Damages => self.of(member, |member| member.damaged = true),
            Touches::AllLinks => count(&mut self.everywhere),
            Touches::Links | Touches::Members if member.is_none() => count(&mut self.at_clients),
            Touches::Links => self.of(member, |member| count(&mut member.troubles)),
            Touches::Members => self.of(member, |member| {
                count(&mut member.troubles);
                count(&mut member.own_troubles);
            }),
            Touches::ClientLinks => match self.without_clients.get_mut(member) {
                Some(cut) => count(cut),
                None => count(&mut self.at_clients),
            },
        }
    }

    /// Works out who is well, whether the cluster is steady, and who serves.
    pub fn look(&mut self, now: Nanos, setup: &Setup) {
        let everywhere = self.everywhere > 0;
        for member in self.members.values_mut() {
            let well = member.up
                && member.hears
                && !member.paused
                && !member.damaged
                && member.troubles == 0
                && !everywhere;
            member.well_since = well.then(|| member.well_since.unwrap_or(now));
            let free = member.up && !member.paused && !member.damaged && member.own_troubles == 0;
            member.history.ran.set(now, member.up);
            member.history.free.set(now, free);
            member.history.well.set(now, well);
            let links_well = member.troubles == member.own_troubles && !everywhere;
            member.history.linked.set(now, member.up && member.hears && !member.paused && links_well);
        }
        let clients =
            self.at_clients == 0 && !everywhere && self.without_clients.values().all(|cut| *cut == 0);
        self.client_links.set(now, clients);
        let steady = self.find_steady(now, setup);
        let of = |steady: Steady| (steady.leader, steady.term);
        // The same leader of the same term as before.
        let before = self.steady.filter(|before| steady.map(of) == Some(of(*before)));
        if before.is_none() {
            self.peace.set(now, false);
        }
        self.steady =
            steady.map(|found| Steady { since: before.map_or(found.since, |before| before.since), ..found });
        self.look_who_serves(now);
        let serves = self.steady.is_some_and(|steady| self.serves_since(steady.leader).is_some());
        self.peace.set(now, serves);
    }

    /// The leader and its base, if the cluster is steady now.
    fn find_steady(&self, now: Nanos, setup: &Setup) -> Option<Steady> {
        if now < self.disturbed + setup.grace() {
            return None;
        }
        let leads = |(_, member): &(MemberId, &Member)| member.leads && member.up;
        let (leader, leading) = self.members.iter().filter(leads).max_by_key(|(_, member)| member.term)?;
        let (term, configuration) = (leading.term, leading.configuration);
        if term != self.members.values().map(|member| member.term).max().unwrap_or(0)
            || !self.is_settled(leader, now, setup)
            || !configuration.voters.has(leader)
            || !configuration.outgoing.is_empty()
        {
            return None;
        }
        let mut base = Set::default();
        for (id, member) in self.members.iter() {
            let follows = (member.leader, member.term) == (leader, term) && configuration.voters.has(id);
            if follows && self.is_settled(id, now, setup) {
                base.add(id);
            }
        }
        base.is_quorum_of(configuration.voters).then_some(Steady { leader, term, base, since: now })
    }

    /// Works out who serves now.
    fn look_who_serves(&mut self, now: Nanos) {
        let Cluster { members, steady, .. } = self;
        let leading = steady.map(|steady| {
            let Member { applied, configuration, .. } = members[steady.leader];
            (steady.base, Leading { applied, configuration, term: steady.term })
        });
        for (member, id) in members.values_mut().zip((1..).map(MemberId::new)) {
            let Some((_, leading)) = leading.filter(|(base, _)| base.has(id)) else {
                member.to_catch_up = None;
                member.serves.set(now, false);
                continue;
            };
            let goal = *member.to_catch_up.get_or_insert(leading.applied);
            let serves = member.applied >= goal
                && member.applied_term == leading.term
                && member.configuration == leading.configuration
                && !member.snapshot_comes;
            member.serves.set(now, serves);
        }
    }

    /// Since when a member serves.
    pub fn serves_since(&self, member: MemberId) -> Option<Nanos> {
        self.members.get(member)?.serves.since
    }

    /// Whether a member served all the time between two times.
    pub fn served(&self, member: MemberId, from: Nanos, to: Nanos) -> bool {
        self.members.get(member).is_some_and(|member| member.serves.cover(from, to))
    }

    /// Until when a member served, if it did all the time between these two times.
    pub fn served_until(&self, member: MemberId, from: Nanos, at: Nanos) -> Option<Nanos> {
        self.members.get(member)?.serves.until(from).filter(|until| *until >= at)
    }

    /// The spans of time in which a member served and that began after this time. A span that goes on has no end.
    pub fn served_after(&self, member: MemberId, after: Nanos) -> impl Iterator<Item = (Nanos, Nanos)> {
        let serves = self.members.get(member).map(|member| &member.serves);
        let over = serves.into_iter().flat_map(move |serves| {
            let first = serves.over.partition_point(|(since, _)| *since <= after);
            serves.over[first..].iter().copied()
        });
        let goes_on = serves.and_then(|serves| serves.since).filter(|since| *since > after);
        over.chain(goes_on.map(|since| (since, Nanos::MAX)))
    }

    /// Until when a member's process ran freely: not paused, and without a fault of its own, its disk's or its clock's.
    pub fn free_until(&self, member: MemberId, at: Nanos) -> Option<Nanos> {
        self.members.get(member)?.history.free.until(at)
    }

    /// Whether a member's process has received a message since it was started.
    pub fn has_heard(&self, member: MemberId) -> bool {
        self.members.get(member).is_some_and(|member| member.hears)
    }

    /// Whether a member's process ran freely all the time between two times.
    pub fn was_free(&self, member: MemberId, from: Nanos, to: Nanos) -> bool {
        self.members.get(member).is_some_and(|member| member.history.free.cover(from, to))
    }

    /// Whether a member knew no leader from before one time until after another. (At one time there may be several steps.)
    pub fn was_leaderless(&self, member: MemberId, from: Nanos, to: Nanos) -> bool {
        let (before, after) = (from.saturating_sub(1), to + 1);
        self.members.get(member).is_some_and(|member| member.history.leaderless.cover(before, after))
    }

    /// Whether a member's process ran all the time between two times.
    pub fn ran(&self, member: MemberId, from: Nanos, to: Nanos) -> bool {
        self.members.get(member).is_some_and(|member| member.history.ran.cover(from, to))
    }

    /// Until when a member was well.
    pub fn well_until(&self, member: MemberId, at: Nanos) -> Option<Nanos> {
        self.members.get(member)?.history.well.until(at)
    }

    /// Whether a member was well all the time between two times.
    pub fn was_well(&self, member: MemberId, from: Nanos, to: Nanos) -> bool {
        self.members.get(member).is_some_and(|member| member.history.well.cover(from, to))
    }

    /// Whether a member could be reached by others all the time between two times.
    pub fn was_linked(&self, member: MemberId, from: Nanos, to: Nanos) -> bool {
        self.members.get(member).is_some_and(|member| member.history.linked.cover(from, to))
    }

    /// Whether a member led at a time.
    pub fn led(&self, member: MemberId, at: Nanos) -> bool {
        let Some(member) = self.members.get(member) else { return false };
        let until = member.history.led.partition_point(|(since, _)| *since <= at);
        until.checked_sub(1).is_some_and(|last| member.history.led[last].1)
    }

    /// How often a member began to lead or to lead no more, between two times.
    pub fn changes_of_lead(&self, member: MemberId, from: Nanos, to: Nanos) -> u64 {
        let Some(member) = self.members.get(member) else { return 0 };
        member.history.led.iter().filter(|(at, _)| (from..=to).contains(at)).count() as u64
    }

    /// The configuration that a member used at this time.
    pub fn configuration_at(&self, member: MemberId, at: Nanos) -> Option<Configuration> {
        let all = &self.members.get(member)?.history.configurations;
        let next = all.partition_point(|(since, _)| *since < at);
        // If it changes at that time, either may be meant.
        if all.get(next).is_some_and(|(since, _)| *since == at) {
            return None;
        }
        all.get(next.checked_sub(1)?).map(|(_, configuration)| *configuration)
    }

    /// The spans of time in which the cluster was steady under one leader, which served. `now` is the end of the last
    /// one if it goes on.
    pub fn peace(&self, now: Nanos) -> impl Iterator<Item = (Nanos, Nanos)> {
        let goes_on = self.peace.since.map(|since| (since, now));
        self.peace.over.iter().copied().chain(goes_on)
    }

    /// Whether the links of clients were well all the time between two times.
    pub fn clients_reached(&self, from: Nanos, to: Nanos) -> bool {
        self.client_links.cover(from, to)
    }
}

/// What of the leader's state decides which members serve.
#[derive(Clone, Copy)]
struct Leading {
    applied: u64,
    configuration: Configuration,
    term: u64,
}

/// The spans of time in which something holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    /// Since when it holds now.
    since: Option<Nanos>,
    /// The spans that are over, in order.
    over: Vec<(Nanos, Nanos)>,
}

impl Spans {
    /// Sets whether it holds from now on.
    pub fn set(&mut self, now: Nanos, holds: bool) {
        match self.since {
            None if holds => self.since = Some(now),
            Some(since) if !holds => {
                self.since = None;
                self.over.push((since, now));
            }
            _ => {}
        }
    }

    /// The end of the span that covers this time; the end of time if it goes on.
    fn until(&self, at: Nanos) -> Option<Nanos> {
        if self.since.is_some_and(|since| since <= at) {
            return Some(Nanos::MAX);
        }
        let next = self.over.partition_point(|(_, end)| *end < at);
        self.over.get(next).filter(|(since, _)| *since <= at).map(|(_, end)| *end)
    }

    /// Whether a single span covers all of this time.
    pub fn cover(&self, from: Nanos, to: Nanos) -> bool {
        if self.since.is_some_and(|since| since <= from) {
            return true;
        }
        let at = self.over.partition_point(|(_, end)| *end < to);
        self.over.get(at).is_some_and(|(since, _)| *since <= from)
    }
}
