//! The invariants I1 to I10, checked during a run, at the event that breaks them.
//!
//! [`Invariants`] receives the facts of a run (what members and the world report) and knows nothing else. What it
//! knows of a member, its log and its disk comes from earlier facts. `see` below is the table that says which
//! invariant looks at which fact. Every invariant is one file, whose header says what it requires, where the
//! requirement comes from, and what is *not* checked.
//!
//! Only the first violation of each invariant by each member is reported. After a violation the monitors continue
//! with what the facts say, so the consequences of the first mistake are often reported, too, as violations of other
//! invariants.
//!
//! The invariants see every event of a run. So most events cost a match and a return, and memory is bounded: by a
//! window of indexes, by limits on how many terms and configurations are kept, and by the number of members.
//!
//! Within a step, the facts must come in this order: log facts before the `Saving` that contains them; `Committed`
//! before `Applied`; `Applied` and `SnapshotInstalled` before the `BackendDurable` that contains them; all facts of a
//! step before the messages it sends; `JobDone` before what follows from it. A snapshot's `Saving` and
//! `SnapshotInstalled` may come in either order.
//!
//! Members may join late, with an empty log, and may be removed. Until a configuration is reported, all members are
//! voters.

mod commits;
mod configuration;
mod disk;
mod i10_configurations;
mod i1_election_safety;
mod i2_log_matching;
mod i3_leader_completeness;
mod i4_state_machine_safety;
mod i5_durable_on_quorum;
mod i6_durable_before_promised;
mod i7_no_going_back;
mod i8_equal_state;
mod i9_read_index;
mod log;
mod member;
mod phrases;
mod probes;
#[cfg(test)]
mod script;
#[cfg(test)]
mod twin;
mod window;

use record::probe::Counts;
use record::{
    EtcdFact, Event, Fact, FaultEffect, LogEntry, MemberId, Members, MessageHead, Probe, Role, Stop,
};

use crate::oracle::Monitor;
use crate::{Oracle, Sheet, Violation, describe};
use commits::{Commit, Commits};
use configuration::Configuration;
use disk::OnDisk;
use i1_election_safety::ElectionSafety;
use i2_log_matching::LogMatching;
use i4_state_machine_safety::{Applied, Execution, StateMachineSafety};
use i8_equal_state::{Origin, Store};
use i9_read_index::ReadIndex;
use i10_configurations::{Configurations, Source};
use log::TermLog;
use member::Member;
use probes::{ClusterProbes, ProcessProbes};

/// Watches a run for I1 to I10.
#[derive(Clone, Debug)]
pub struct Invariants {
    members: Members<Member>,
    commits: Commits,
    configurations: Configurations,
    elections: ElectionSafety,
    logs: LogMatching,
    machine: StateMachineSafety,
    reads: ReadIndex,
    breaches: Breaches,
    cluster_probes: ClusterProbes,
    process_probes: ProcessProbes,
    probes: Counts,
}

impl Invariants {
    /// For a cluster of at most the members 1 to `members`, including those that join later.
    pub fn new(members: u32) -> Invariants {
        Invariants {
            members: Members::new(members, Member::new),
            commits: Commits::default(),
            configurations: Configurations::default(),
            elections: ElectionSafety::default(),
            logs: LogMatching::new(),
            machine: StateMachineSafety::new(),
            reads: ReadIndex::default(),
            breaches: Breaches::default(),
            cluster_probes: ClusterProbes::new(),
            process_probes: ProcessProbes::default(),
            probes: Counts::default(),
        }
    }

    /// How often the run reached the probes that the facts show. If a run never reaches the interesting states, its
    /// checks prove little.
    pub fn probes(&self) -> &Counts {
        &self.probes
    }

    /// A fault damaged the disk of a member.
    fn fault(&mut self, event: &Event, effect: FaultEffect) {
        let member = &mut self.members[event.member];
        let before = member.damage.is_some();
        member.fault(event, effect);
        self.probes[Probe::DisksDamaged] += u64::from(member.damage.is_some() && !before);
    }

    /// A member reports its term, vote, role and leader.
    fn state(&mut self, event: &Event, term: u64, vote: MemberId, role: Role, leader: MemberId) {
        let member = &mut self.members[event.member];
        i7_no_going_back::state(event, term, vote, member, &mut self.breaches);
        let leads = role == Role::Leader && (member.state.role, member.state.term) != (Role::Leader, term);
        member.state = member::RaftState { time: event.time, reported: true, term, vote, role, leader };
        self.cluster_probes.leads(event.member, role == Role::Leader);
        if leads {
            self.probes[Probe::LeadersElected] += 1;
            self.cluster_probes.elected(member.configuration.as_ref(), &mut self.probes);
            self.elections.leads(event, term, member, &mut self.breaches);
            i3_leader_completeness::leads(event, term, member, &self.commits, &mut self.breaches);
        }
    }

    /// A member put entries into its log.
    #[inline]
    fn appended(&mut self, event: &Event, entries: &[LogEntry]) {
        let member = &mut self.members[event.member];
        for entry in entries {
            self.probes[Probe::LogsCut] += u64::from(entry.index <= member.log.last());
            member.append(entry);
            if member.state.role == Role::Leader && entry.term == member.state.term {
                let in_use = member.configuration.as_ref().map_or(0, |configuration| configuration.index);
                self.configurations.made(entry, in_use);
            }
            let previous = member.log.term_at(entry.index.wrapping_sub(1));
            self.logs.entry(event, member, entry, previous, &mut self.breaches);
            self.cluster_probes.made(event.member, entry.index, self.probes[Probe::LeadersElected]);
        }
    }

    /// A member uses a configuration from now on.
    fn configured(&mut self, event: &Event, now: Configuration) {
        let before = self.configurations.newest().cloned();
        let member = &self.members[event.member];
        // A member that was started again and has applied nothing since reports the configuration of its disk.
        let found = member.incarnation > 1 && member.next.is_none() && now.index == member.applied;
        let source = if found { Source::Restart } else { Source::Entry(member.log.term_at(now.index)) };
        let new = self.configurations.reported(event, &now, source, &mut self.breaches);
        self.cluster_probes.configured(event.member, &now, before.as_ref(), new, &mut self.probes);
        let member = &mut self.members[event.member];
        let restarted = member.incarnation > 1 && member.next.is_none();
        self.probes[Probe::RestartsInJoint] += u64::from(restarted && now.is_joint());
        member.configuration = Some(now);
    }

    /// A member's commit index moved.
    #[inline]
    fn committed(&mut self, event: &Event, index: u64, term: u64) {
        let member = &mut self.members[event.member];
        i7_no_going_back::committed(event, index, member, &mut self.breaches);
        member.commit = index;
        member.commit_reported = Some((event.time, term));
        if index > self.commits.index() {
            let (time, member, during) = (event.time, member.id, member.state.term);
            self.probes[Probe::Commits] += 1;
            let at = (index, term);
            i5_durable_on_quorum::committed(event, at, &self.members, &mut self.breaches, &mut self.probes);
            self.commits.advance(Commit { index, term, during, member, time });
        }
    }

    /// A member applied an entry.
    #[inline]
    fn applied(&mut self, event: &Event, applied: &Applied) {
        let member = &mut self.members[event.member];
        let index = applied.index;
        i7_no_going_back::applied(event, index, member, &mut self.breaches);
        self.machine.applied(event, member, applied, &mut self.breaches);
        if applied.executed {
            let Applied { revision, state_hash, .. } = *applied;
            let store = Store { index, revision, state_hash, origin: Origin::Applied };
            let (breaches, probes) = (&mut self.breaches, &mut self.probes);
            i8_equal_state::store(event, member, &store, &self.machine, breaches, probes);
            member.applied = index;
        }
        member.next = Some(index + 1);
        member.last_applied = Some(Execution { time: event.time, member: event.member, applied: *applied });
    }

    /// A member replaced its store by a snapshot.
    fn installed(&mut self, event: &Event, term: u64, store: &Store) {
        let index = store.index;
        let member = &mut self.members[event.member];
        self.probes[Probe::SnapshotsInstalled] += 1;
        self.configurations.installed(event, index, &mut self.breaches);
        self.cluster_probes.installed(event.member, self.configurations.newest(), &mut self.probes);
        i7_no_going_back::installed(event, index, member, &mut self.breaches);
        let (breaches, probes) = (&mut self.breaches, &mut self.probes);
        i8_equal_state::store(event, member, store, &self.machine, breaches, probes);
        member.install(event, index, term);
        self.forget();
    }

    /// A member's backend became durable with this consistent index.
    fn backend_durable(&mut self, event: &Event, consistent_index: u64) {
        let member = &mut self.members[event.member];
        i7_no_going_back::backend(event, consistent_index, member, &mut self.breaches);
        member.backend = (consistent_index, event.time);
        self.forget();
    }

    /// A member dropped its log up to this index.
    fn compacted(&mut self, event: &Event, index: u64, term: u64) {
        self.members[event.member].log.drop_to(index, term);
        self.forget();
    }

    /// A member sent a message.
    #[inline]
    fn sent(&mut self, event: &Event, to: MemberId, head: &MessageHead) {
        if event.member.is_none() {
            return;
        }
        let member = &mut self.members[event.member];
        if i6_durable_before_promised::promises(head) {
            self.probes[Probe::Promises] += 1;
            self.cluster_probes.acknowledged(event.member);
            i6_durable_before_promised::sent(event, to, head, member, &mut self.breaches);
        } else if i6_durable_before_promised::is_from_leader(head) {
            i6_durable_before_promised::sent_by_leader(event, to, head, member, &mut self.breaches);
        }
    }

    /// A process ended.
    fn stopped(&mut self, event: &Event, stop: &Stop) {
        self.probes[Probe::EndedWhileReceivingSnapshots] +=
            u64::from(self.cluster_probes.stopped(event.member));
        self.probes[Probe::RemovedMembersStopped] += u64::from(*stop == Stop::Removed);
        let member = &mut self.members[event.member];
        member.stopped = Some(event.clone());
        member.power_lost |= *stop == Stop::PowerLoss;
    }

    /// Forgets the entries that no member can report any more.
    fn forget(&mut self) {
        // A member that has not joined yet or is removed reports nothing old: it gets a snapshot, or never comes
        // back.
        let removed = |member: &&Member| {
            matches!(&member.stopped, Some(Event { fact: Fact::Stopped(Stop::Removed), .. }))
        };
        let speaks = |member: &&Member| member.incarnation > 0 && !removed(member);
        let logs = self.members.values().filter(speaks).map(|member| member.log.before()).min();
        self.logs.forget_below(logs.unwrap_or(0));
        let stores = self.members.values().filter(speaks).map(|member| member.backend.0).min();
        self.machine.forget_below(stores.unwrap_or(0));
        // Entries near the commit index may still have to be applied.
        self.cluster_probes.forget_below(self.commits.index().saturating_sub(1_000));
    }
}

/// What a process found on its disk.
struct Recovery<'a> {
    hard_state: OnDisk,
    /// The index and term before the first entry.
    before: (u64, u64),
    entries: &'a [LogEntry],
    store: Store,
}

impl Invariants {
    /// A process started and read its disk.
    fn recovered(&mut self, event: &Event, found: &Recovery<'_>) {
        let only_one = self.members.len() == 1;
        let member = &mut self.members[event.member];
        let mut log = TermLog::after(found.before.0, found.before.1);
        let id = member.id;
        let configuration = member.configuration.as_ref();
        let last = found.before.0 + found.entries.len() as u64;
        // Nobody else relies on what an only voter lost, so it may use these terms and their indexes again (see I1 and
        // I2).
        if configuration.map_or(only_one, |configuration| configuration.is_only_voter(id)) {
            self.elections.forget_after(found.hard_state.term);
            self.logs.forget_terms_after(found.hard_state.term, last);
        }
        for entry in found.entries {
            log.put(entry.index, entry.term);
            let previous = log.term_at(entry.index.wrapping_sub(1));
            self.logs.entry(event, member, entry, previous, &mut self.breaches);
        }
        self.probes[Probe::Restarts] += u64::from(member.stopped.is_some());
        self.probes[Probe::RestartsWithShorterLog] += u64::from(log.last() < member.log.last());
        self.probes[Probe::ExecutedAgain] += member.applied.saturating_sub(found.store.index);

        let hard_state = OnDisk { matched: log.last(), ..found.hard_state };
        if member.stopped.is_none() && hard_state.commit > self.commits.index() {
            // What a new cluster begins with counts as committed, although no member reports that it committed it.
            let (index, time) = (hard_state.commit, event.time);
            let term = log.term_at(index).unwrap_or_default();
            self.commits.advance(Commit { index, term, during: 0, member: member.id, time });
        }
        let consistent = found.store.index;
        let breaches = &mut self.breaches;
        i7_no_going_back::recovered(event, &log, hard_state, consistent, member, breaches);
        let (machine, probes) = (&self.machine, &mut self.probes);
        i8_equal_state::store(event, member, &found.store, machine, breaches, probes);
        member.recover(event.time, log, hard_state, consistent);
    }
}

impl Monitor for Invariants {
    /// # Panics
    /// If a fact that only members report names no member of the cluster.
    #[inline]
    fn event(&mut self, event: &Event, sheet: &mut Sheet) {
        self.see(event);
        if !self.breaches.violations.is_empty() {
            sheet.add_all(self.breaches.violations.drain(..));
        }
    }
}

impl Invariants {
    /// Passes a fact to the invariants that look at it.
    #[inline]
    fn see(&mut self, event: &Event) {
        self.process_probes.event(event, &mut self.probes);
        match &event.fact {
            Fact::Sent { to, head, .. } => self.sent(event, *to, head),
            Fact::Delivered { head, .. } => {
                self.cluster_probes.delivered(event.member, head, &mut self.probes)
            }
            Fact::Dropped { .. }
            | Fact::Called { .. }
            | Fact::Returned { .. }
            | Fact::Phase(_)
            | Fact::Own(
                EtcdFact::WatchOpened { .. }
                | EtcdFact::WatchReceived { .. }
                | EtcdFact::WatchEnded { .. }
                | EtcdFact::Failpoint { .. }
                | EtcdFact::Probe { .. }
                | EtcdFact::Proposed { .. },
            ) => {}
            Fact::Own(EtcdFact::Appended(entries)) => self.appended(event, entries),
            Fact::Own(EtcdFact::Saving { job, term, vote, commit, last_index }) => {
                let held = OnDisk { matched: *last_index, term: *term, vote: *vote, commit: *commit };
                self.members[event.member].saving(event.time, *job, held);
            }
            Fact::JobDone { job, synced, failed } => {
                self.members[event.member].disk.done(event.time, *job, *synced, *failed);
            }
            Fact::Own(EtcdFact::Committed { index, term }) => self.committed(event, *index, *term),
            Fact::Own(EtcdFact::Applied {
                index,
                term,
                digest,
                request,
                revision,
                state_hash,
                mutated,
                executed,
            }) => {
                let (index, term, digest, request) = (*index, *term, *digest, *request);
                let (revision, state_hash) = (*revision, *state_hash);
                let (mutated, executed) = (*mutated, *executed);
                let applied =
                    Applied { index, term, digest, request, revision, state_hash, mutated, executed };
                self.applied(event, &applied);
            }
            Fact::Own(EtcdFact::ReadIndexAsked { context }) => {
                let member = &self.members[event.member];
                self.reads.asked(event, *context, member, self.commits.newest, &mut self.breaches);
            }
            Fact::Own(EtcdFact::ReadIndexConfirmed { context, index }) => {
                self.probes[Probe::ReadsConfirmed] += 1;
                let member = &self.members[event.member];
                self.reads.confirmed(event, (*context, *index), member, &mut self.breaches);
            }
            Fact::Own(EtcdFact::State { term, vote, role, leader }) => {
                self.state(event, *term, *vote, *role, *leader)
            }
            Fact::Own(EtcdFact::BackendDurable { consistent_index }) => {
                self.backend_durable(event, *consistent_index)
            }
            Fact::Own(EtcdFact::LogCompacted { index, term }) => self.compacted(event, *index, *term),
            Fact::Own(EtcdFact::SnapshotInstalled { index, term, revision, state_hash }) => {
                let (index, revision, state_hash) = (*index, *revision, *state_hash);
                let store = Store { index, revision, state_hash, origin: Origin::Snapshot };
                self.installed(event, *term, &store);
            }
            Fact::Started { incarnation } => {
                let begun = self.probes[Probe::LeadersElected] > 0;
                self.cluster_probes.started(event.member, *incarnation, begun, &mut self.probes);
                self.members[event.member].start(event, *incarnation);
            }
            Fact::Paused => self.cluster_probes.paused(event.member, &mut self.probes),
            Fact::Resumed => self.cluster_probes.resumed(event.member),
            Fact::Own(EtcdFact::Lessor { primary }) => {
                self.cluster_probes.lessor(event.member, *primary, &mut self.probes)
            }
            Fact::Own(EtcdFact::ProposedInternal { what, .. }) => {
                self.cluster_probes.asked(event.member, what, &mut self.probes)
            }
            Fact::Own(EtcdFact::Configuration { index, voters, outgoing, learners }) => {
                let (voters, outgoing, learners) = (voters.clone(), outgoing.clone(), learners.clone());
                self.configured(event, Configuration { index: *index, voters, outgoing, learners });
            }
            Fact::Stopped(stop) => self.stopped(event, stop),
            // A fault without a member strikes no member's disk.
            Fact::Fault { effect, begins: true, .. } if !event.member.is_none() => self.fault(event, *effect),
            Fact::Fault { .. } => {}
            Fact::Own(EtcdFact::Recovered {
                term,
                vote,
                commit,
                before,
                entries,
                consistent_index,
                revision,
                state_hash,
            }) => {
                // `recovered` sets `matched`, once it knows where the log ends.
                let hard_state = OnDisk { matched: 0, term: *term, vote: *vote, commit: *commit };
                let (index, revision, state_hash) = (*consistent_index, *revision, *state_hash);
                let store = Store { index, revision, state_hash, origin: Origin::Recovered };
                self.recovered(event, &Recovery { hard_state, before: *before, entries, store });
            }
        }
    }
}

/// The violations of the last event, and which members violated which invariants before.
#[derive(Clone, Debug, Default)]
struct Breaches {
    violations: Vec<Violation>,
    known: Vec<(Oracle, MemberId)>,
}

impl Breaches {
    /// Records a violation, unless this member has violated the invariant before.
    #[cold]
    fn add(&mut self, oracle: Oracle, event: &Event, breach: impl FnOnce() -> Breach) {
        if self.known.contains(&(oracle, event.member)) {
            return;
        }
        self.known.push((oracle, event.member));
        let Breach { title, sentences, mut evidence } = breach();
        evidence.sort_by_key(|proof| proof.time);
        evidence.push(event.clone());
        let mut violation = Violation::new(oracle, event.time, title);
        violation.sentences = sentences;
        self.violations.push(violation.seen_in(evidence.iter().map(describe::event)));
    }
}

/// A violation, except for the event that breaks the invariant.
struct Breach {
    title: String,
    sentences: Vec<String>,
    evidence: Vec<Event>,
}

impl Breach {
    fn new(title: impl Into<String>) -> Breach {
        Breach { title: title.into(), sentences: Vec::new(), evidence: Vec::new() }
    }

    /// Adds a sentence.
    fn say(mut self, sentence: impl Into<String>) -> Breach {
        self.sentences.push(sentence.into());
        self
    }

    /// Adds events that prove it. An append must contain only the entry in question.
    fn prove(mut self, events: impl IntoIterator<Item = Event>) -> Breach {
        self.evidence.extend(events);
        self
    }
}
