//! B1 to B8: the musts. Something that should happen, does, within a bound.
//!
//! Each must has a file, whose head gives its bound, where the bound comes from, and its premises: what must be well
//! for the must to be owed. Where a premise does not hold, the must is skipped, and that is counted (`counts`). `setup`
//! is what the plan says, `cluster` what is known of the members, `speed` how long messages and writes really took.
//! `docs/musts.md` is for readers.
//!
//! Soundness comes first: a must that a correct cluster breaks is worse than one that is seldom owed.
//!
//! Musts are timed by true time, with the rates of clocks where a member's clock measures the bound, and by a leader's
//! ticks where that is possible.
//!
//! Not here: what must happen eventually (V1, W11, L2); progress while faults last (V3).

mod b1_step_down;
mod b2_stop;
mod b2_transfer;
mod b3_no_election;
mod b4_recovery;
mod b5_disk_and_calls;
mod b5_economy;
mod b5_own;
mod b5_reads;
mod b6_answers;
mod b7_read_index;
mod b8_backend;
mod b8_leases;
mod b8_passes;
mod b8_progress;
mod b8_responses;
mod b8_watchers;
mod cluster;
mod counts;
mod requests;
mod setup;
mod speed;
mod watchers;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use record::step::Step;
use record::{
    EtcdFact, Event, Fact, Inner, MemberId, MessageKind, MustCounts, Nanos, Observer, Record, Served,
};

use crate::leases::Lessors;
use crate::oracle::Monitor;
use crate::{Oracle, Sheet};
use b1_step_down::StepDown;
use b2_stop::Ending;
use b2_transfer::Transfer;
use b3_no_election::NoElection;
use b4_recovery::Recovery;
use b5_disk_and_calls::DiskAndCalls;
use b5_economy::Economy;
use b5_own::OwnProposals;
use b5_reads::ReadsAsked;
use b7_read_index::ReadIndex;
use b8_backend::BackendDebts;
use b8_passes::Passes;
use cluster::Cluster;
pub use counts::Premise;
use counts::Tally;
use requests::Requests;
pub use setup::{Setup, Touches};
use speed::Speed;
use watchers::Watchers;

/// Time between two checks of what may be due.
const LOOK: Nanos = 50_000_000;

/// Watches a run for B1 to B8.
#[derive(Clone, Debug)]
pub struct Musts {
    /// What the plan says; `None` until [`Musts::configure`] is called; until then nothing is watched.
    setup: Option<Setup>,
    cluster: Cluster,
    speed: Speed,
    looked: Nanos,
    step_down: StepDown,
    transfer: Transfer,
    ending: Ending,
    no_election: NoElection,
    recovery: Recovery,
    economy: Economy,
    requests: Requests,
    own: OwnProposals,
    disk_and_calls: DiskAndCalls,
    reads: ReadsAsked,
    debts: BackendDebts,
    answers: Tally,
    read_index: ReadIndex,
    /// B8, and who was the lessor, on which it depends.
    bounded: Tally,
    lessors: Lessors,
    watchers: Watchers,
    passes: Passes,
}

impl Musts {
    /// For a cluster of at most the members 1 to `members`, including those that join later. It watches nothing before
    /// [`Musts::configure`].
    pub fn new(members: u32) -> Musts {
        Musts {
            setup: None,
            cluster: Cluster::new(members),
            speed: Speed::new(members),
            looked: 0,
            step_down: StepDown::new(members),
            transfer: Transfer::new(members),
            ending: Ending::new(members),
            no_election: NoElection::default(),
            recovery: Recovery::new(members),
            economy: Economy::new(members),
            requests: Requests::default(),
            own: OwnProposals::new(members),
            disk_and_calls: DiskAndCalls::new(members),
            reads: ReadsAsked::new(members),
            debts: BackendDebts::new(members),
            answers: Tally::default(),
            read_index: ReadIndex::new(members),
            bounded: Tally::default(),
            lessors: Lessors::default(),
            watchers: Watchers::new(members),
            passes: Passes::new(members),
        }
    }

    /// From now on it watches a run of which the plan says `setup`.
    pub fn configure(&mut self, setup: Setup) {
        self.setup = Some(setup);
    }

    /// The tallies of all musts, by oracle.
    fn tallies(&self) -> [(Oracle, &Tally); 8] {
        [
            (Oracle::B1, &self.step_down.tally),
            (Oracle::B2, &self.transfer.tally),
            (Oracle::B3, &self.no_election.tally),
            (Oracle::B4, &self.recovery.tally),
            (Oracle::B5, &self.economy.tally),
            (Oracle::B6, &self.answers),
            (Oracle::B7, &self.read_index.tally),
            (Oracle::B8, &self.bounded),
        ]
    }

    /// How often or how long each must was judged and skipped, by id; empty if nothing was watched.
    pub fn counts(&self) -> BTreeMap<String, MustCounts> {
        if self.setup.is_none() {
            return BTreeMap::new();
        }
        self.tallies().into_iter().map(|(oracle, tally)| (oracle.id().to_string(), tally.counts())).collect()
    }

    /// Checks what may be due.
    #[cold]
    fn look(&mut self, now: Nanos, sheet: &mut Sheet) {
        let Some(setup) = &self.setup else { return };
        let passed = now - self.looked;
        self.looked = now;
        self.cluster.look(now, setup);
        let known = (setup, &self.cluster, &self.speed);
        self.no_election.poll(now, passed, setup, &self.cluster, &self.speed);
        self.transfer.poll(now, known, sheet);
        self.recovery.poll(now, known, sheet);
        self.economy.poll(now, known, sheet);
        self.disk_and_calls.poll(now, &self.cluster);
        self.read_index.poll(now, known, sheet);
    }

    /// Takes one of the rare facts: about processes, faults, roles, configurations.
    fn rare(&mut self, event: &Event, sheet: &mut Sheet) {
        let Some(setup) = &self.setup else { return };
        let (time, member) = (event.time, event.member);
        match &event.fact {
            Fact::Started { .. } => self.own.started(member),
            Fact::Own(EtcdFact::Recovered { consistent_index, .. }) => {
                self.own.loaded(member, *consistent_index)
            }
            Fact::Fault { fault, what, begins: true, .. } => {
                let fault = (*what, setup.touches(*fault));
                self.ending.fault(time, member, fault, &self.cluster, &mut self.transfer.tally);
            }
            Fact::Stopped(stop) => {
                let known = (setup, &self.cluster, &self.speed);
                self.ending.stopped(time, member, stop, known, &mut self.transfer.tally, sheet);
                self.speed.ended(time, member, &self.cluster);
                self.step_down.stopped(member);
                self.transfer.stopped(member);
                self.read_index.dropped(member);
                self.requests.stopped(time, member);
                self.debts.stopped(member);
                self.passes.stopped(member, &mut self.bounded, sheet);
                self.watchers.stopped(time, member);
            }
            Fact::Own(EtcdFact::State { term, role, leader, .. }) => {
                let known = (setup, &self.cluster, &self.speed);
                self.no_election.state(time, (member, *term, *role), known, sheet);
                self.transfer.state(member, *term, *role);
                self.recovery.state(*role);
                let follows = self.cluster.members.get(member).map(|member| member.leader);
                if follows.is_some_and(|follows| follows != *leader) {
                    self.read_index.dropped(member);
                }
            }
            Fact::Own(EtcdFact::SnapshotInstalled { index, .. }) => {
                self.own.loaded(member, *index);
                self.recovery.installed(member);
                self.disk_and_calls.disturbed(member);
                self.debts.installed(time, member);
            }
            _ => {}
        }
        self.cluster.note(time, member, &event.fact, setup);
    }
}

impl Monitor for Musts {
    #[inline]
    fn event(&mut self, event: &Event, sheet: &mut Sheet) {
        let Some(setup) = &self.setup else { return };
        let (time, member) = (event.time, event.member);
        if time >= self.looked + LOOK {
            self.look(time, sheet);
            return self.event(event, sheet);
        }
        match &event.fact {
            Fact::Sent { to, packet, head } => {
                self.speed.sent(*packet, time, member, *to);
                self.economy.sent(member, head.kind);
                self.disk_and_calls.sent(member, *to, head.kind, &self.cluster);
                if head.kind == MessageKind::Snapshot {
                    self.cluster.snapshot_sent(time, *to, setup);
                }
            }
            Fact::Delivered { packet, head, .. } => {
                self.economy.delivered(time, head);
                self.speed.landed(*packet, time);
                self.cluster.heard(time, member, setup);
            }
            Fact::Dropped { packet, .. } => self.speed.landed(*packet, time),
            Fact::JobDone { job, .. } => self.speed.saved(member, *job, time),
            Fact::Own(own) => match own {
                EtcdFact::Applied { index, term, .. } => {
                    self.cluster.applied(member, (*index, *term));
                    self.disk_and_calls.applied(member);
                    self.debts.applied(time, member);
                    self.watchers.applies(time, member, *index);
                }
                EtcdFact::Committed { index, .. } => self.cluster.committed(member, *index),
                EtcdFact::BackendDurable { .. } => {
                    self.disk_and_calls.committed(member);
                    self.debts.durable(time, member);
                }
                EtcdFact::Saving { job, .. } => self.speed.saving(member, *job, time),
                EtcdFact::ReadIndexAsked { .. } => {
                    self.read_index.asks(time, member);
                    self.economy.asks();
                    self.reads.asks(time, member);
                }
                EtcdFact::ReadIndexConfirmed { .. } => {
                    let known = (setup, &self.cluster, &self.speed);
                    self.read_index.confirmed(time, member, known, sheet);
                }
                EtcdFact::State { .. }
                | EtcdFact::Recovered { .. }
                | EtcdFact::Configuration { .. }
                | EtcdFact::SnapshotInstalled { .. } => self.rare(event, sheet),
                EtcdFact::Lessor { .. } => self.lessors.event(event),
                _ => {}
            },
            Fact::Started { .. } | Fact::Stopped(_) | Fact::Paused | Fact::Resumed | Fact::Fault { .. } => {
                self.lessors.event(event);
                self.rare(event, sheet);
            }
            Fact::Phase(_) | Fact::Called { .. } | Fact::Returned { .. } => {}
        }
    }

    fn wants_steps(&self) -> bool {
        self.setup.is_some()
    }

    #[inline]
    fn step(&mut self, time: Nanos, member: MemberId, step: &Step, sheet: &mut Sheet) {
        let Some(setup) = &self.setup else { return };
        self.cluster.raft_follows(time, member, step.after.leader);
        self.step_down.step(time, member, step, sheet);
        self.economy.step(time, member, step);
        let known = (setup, &self.cluster, &self.speed);
        if self.transfer.step(time, member, step, known, sheet) {
            self.cluster.transfer(time, setup);
        }
    }

    #[inline]
    fn served(&mut self, time: Nanos, member: MemberId, served: Served, sheet: &mut Sheet) {
        if self.setup.is_none() {
            return;
        }
        if let Served::SendsItem(stream) = served {
            self.watchers.sends(time, stream);
        }
        if !self.requests.served(time, member, served, self.cluster.apply_gap(member)) {
            sheet.add(b6_answers::twice(time, member, served));
        }
    }

    fn inner(&mut self, time: Nanos, member: MemberId, inner: &Inner, sheet: &mut Sheet) {
        let Some(setup) = &self.setup else { return };
        match inner {
            Inner::ProposesOwn { what, clock } => {
                let tally = &mut self.economy.tally;
                self.own.proposes(time, (member, *clock), what, setup, tally, sheet);
            }
            Inner::AppliesOwn { index, what } => self.own.applies(member, *index, what),
            Inner::Scrubs { rows, finished } => {
                self.debts.scrubs(
                    time,
                    member,
                    (*rows, *finished),
                    (setup, &self.cluster),
                    &mut self.bounded,
                    sheet,
                );
            }
            Inner::Commits { .. } => self.debts.commits(time, member),
            Inner::Watcher(moved) => {
                let known = (setup, &self.cluster, &self.speed);
                self.passes.moves(time, member, moved, known, &mut self.bounded, sheet);
                self.watchers.moves(time, member, moved);
            }
            _ => {}
        }
    }

    fn end(&mut self, record: &Record, sheet: &mut Sheet) {
        let Some(setup) = &self.setup else { return };
        self.speed.end(record.stats.virtual_ns, &self.cluster);
        let known = (setup, &self.cluster, &self.speed);
        let clients = record.history.operations.iter().map(|operation| u64::from(operation.client) + 1);
        // How many windows of appends hold one request of each client.
        let rounds = clients.max().unwrap_or(0).div_ceil(setup.max_inflight.max(1));
        self.disk_and_calls.judge(record, (setup, &self.cluster), &mut self.economy.tally, sheet);
        b6_answers::judge(record, &self.requests, rounds, known, &mut self.answers, sheet);
        self.reads.judge(record, &self.requests, (setup, &self.cluster), &mut self.economy.tally, sheet);
        self.debts.judge(record, &self.requests, known, &mut self.bounded, sheet);
        b8_watchers::judge(record, rounds, known, &mut self.bounded, sheet);
        self.passes.end(record.stats.virtual_ns, known, &mut self.bounded, sheet);
        b8_progress::judge(record, &self.watchers, known, &mut self.bounded, sheet);
        b8_responses::judge(record, setup, &self.watchers, &mut self.bounded, sheet);
        b8_leases::judge(record, rounds, &self.lessors.spans(), known, &mut self.bounded, sheet);
        for (oracle, tally) in self.tallies() {
            sheet.checked(oracle, "occasions", tally.checks());
        }
    }
}
