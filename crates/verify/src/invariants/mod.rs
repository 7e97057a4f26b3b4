//! The invariants I1 to I10, checked as a run goes, at the event that breaks them.
//!
//! [`Invariants`] watches the facts of a run. It knows nothing else: what it knows of a member, its
//! log and its disk it has from the facts before. `event` below is the table of which invariant looks
//! at which fact. Every invariant is one file, whose head says what it demands, where that comes from,
//! and what it does *not* check.
//!
//! What the first violation of an invariant on a member is, is kept; later ones of the same are not.
//! After a violation the monitors go on with what the facts say, so what follows from the first
//! mistake is often reported too, under its own number.
//!
//! They sit on the path of every event of a run, so most events cost a match and a return, and what
//! is remembered is bounded: by a window of indexes, by terms, and by the number of members.
//!
//! What the order of facts within a step must be: log facts before the `Saving` that holds them,
//! `Committed` before `Applied`, `Applied` and `SnapshotInstalled` before the `BackendDurable` that
//! holds them, all of a step's facts before the messages it sends, `JobDone` before what follows from
//! it. A snapshot's `Saving` and `SnapshotInstalled` may come in either order.
//!
//! Members may join late, with an empty log, and may be removed. Until a configuration is reported, all are voters.

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
mod moments;
#[cfg(test)]
mod script;
mod sights;
#[cfg(test)]
mod twin;
mod window;
mod words;

use record::fact::MessageHead;
use record::{Event, Fact, LogEntry, MemberId, Role, Stop};

use crate::oracle::Monitor;
use crate::{Oracle, Sheet, Violation, describe};
use commits::{Commit, Commits};
use configuration::Configuration;
use disk::OnDisk;
use i1_election_safety::ElectionSafety;
use i2_log_matching::LogMatching;
use i4_state_machine_safety::{Applied, StateMachineSafety, Witness};
use i8_equal_state::{Origin, Store};
use i9_read_index::ReadIndex;
use i10_configurations::{Configurations, Source};
use log::TermLog;
use member::Member;
use moments::Moments;
use sights::Sights;

macro_rules! probes {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// How often a run came to the states in which the invariants have something to say. A check
        /// that is never near its edge proves little.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Probes {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Probes {
            /// Names and counts.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }

            /// Names as reports have them, in kebab case, and counts.
            pub fn named(&self) -> impl Iterator<Item = (String, u64)> {
                self.iter().map(|(name, count)| (name.replace('_', "-"), count))
            }
        }
    };
}

probes! {
    /// Members that began to lead.
    leaders_elected,
    /// Moves of the highest commit index.
    commits,
    /// Of these, where exactly a quorum had the entry on disk: one lie more and I5 breaks.
    committed_by_bare_quorum,
    /// Appends that replaced entries.
    logs_cut,
    /// Messages that promise something.
    promises,
    /// Lives after the first.
    restarts,
    /// Recoveries without the end of the log that was in memory.
    restarts_with_shorter_log,
    /// Entries executed anew because the store had not been durable.
    executed_again,
    /// Stores compared with another member's, or an earlier life's, at the same index.
    stores_compared,
    /// Snapshots installed.
    snapshots_installed,
    /// Read indexes confirmed.
    reads_confirmed,
    /// Members excused because the plan damaged their disk.
    disks_damaged,
    /// Configurations that nobody had gone by before.
    configurations_changed,
    /// Of these, joint ones.
    joint_configurations,
    /// Leaders elected that went by a joint configuration.
    leaders_elected_in_joint,
    /// Changes of the configuration that were made under one leader and first applied under another.
    leaders_elected_while_change_pending,
    /// Leaders that applied their own removal from the voters.
    leaders_removed_by_themselves,
    /// Learners that became voters.
    learners_promoted,
    /// Voters that left.
    voters_removed,
    /// Processes that ended because their member had been removed.
    removed_members_stopped,
    /// Members that started for the first time after somebody had led.
    members_joined,
    /// Of these, while nobody led.
    members_joined_without_leader,
    /// Times when a second member was sent a snapshot before the first had dealt with its own.
    two_members_receiving_snapshots,
    /// Snapshots installed by learners.
    snapshots_installed_by_learners,
    /// Snapshots installed while the newest configuration was joint.
    snapshots_installed_in_joint,
    /// Starts of processes that go by a joint configuration.
    restarts_in_joint,
    /// Leaders that were paused.
    leaders_paused,
    /// Members that were paused while they looked after leases.
    lessors_paused,
    /// Times when another member than the last began to look after leases.
    lessors_changed,
    /// Times when a member began to look after leases while another thought that it did.
    two_lessors_at_once,
    /// Leases whose end a member asked for because their time was over.
    leases_due,
    /// Of these, while another member that thought it looked after them was paused.
    leases_due_while_an_old_lessor_is_paused,
    /// Compactions that members asked for themselves.
    compactions_of_their_own,
    /// Steps that members asked for on behalf of the lock and election services.
    steps_for_locks_and_elections,
    /// Members that began to lead while another thought that it led.
    two_leaders_at_once,
    /// Leaders that gave up leading in their own term.
    leaders_stepped_down,
    /// Leaders that ended without having committed anything.
    leaders_without_a_commit,
    /// Leaders that lost power.
    leaders_without_power,
    /// Candidates that had to begin again.
    elections_without_a_winner,
    /// Members that thought of campaigning and went back to following.
    pre_votes_given_up,
    /// Votes refused.
    votes_refused,
    /// Appends refused.
    appends_refused,
    /// Leaders that told another to campaign at once.
    leaderships_handed_over,
    /// Proposals that followers sent on to their leader.
    proposals_forwarded,
    /// Read indexes that followers asked their leader for.
    reads_forwarded,
    /// Requests that members handed to others.
    peers_called,
    /// Snapshots sent.
    snapshots_sent,
    /// Snapshots lost on their way.
    snapshots_lost,
    /// Processes that ended after a snapshot was delivered and before they had dealt with it.
    ended_while_receiving_snapshots,
    /// Disk jobs that failed.
    disk_jobs_failed,
    /// Processes killed while a write of raft state was under way.
    killed_while_saving,
    /// Of these, where the machine lost power.
    power_lost_while_saving,
    /// Processes killed after they had recovered and before they had done anything.
    killed_before_their_first_step,
    /// Processes that ended because their disk failed.
    ended_by_their_disk,
    /// Starts that were refused because of what is on the disk.
    refused_to_start,
    /// Ends of processes that left fewer than a quorum running.
    quorums_down,
    /// Ends of processes that left none running.
    all_members_down,
    /// Failpoints that struck while the newest configuration was joint.
    failpoints_struck_in_joint,
    /// Failpoints that struck leaders.
    failpoints_struck_on_leaders,
}

/// Watches a run for I1 to I10.
#[derive(Debug)]
pub struct Invariants {
    /// By number, less one.
    members: Vec<Member>,
    commits: Commits,
    configurations: Configurations,
    elections: ElectionSafety,
    logs: LogMatching,
    machine: StateMachineSafety,
    reads: ReadIndex,
    breaches: Breaches,
    sights: Sights,
    moments: Moments,
    probes: Probes,
}

impl Invariants {
    /// For a cluster that never has others than the members 1 to `members`; those that join later count too.
    pub fn new(members: u32) -> Invariants {
        Invariants {
            members: (1..=members).map(Member::new).collect(),
            commits: Commits::default(),
            configurations: Configurations::default(),
            elections: ElectionSafety::default(),
            logs: LogMatching::new(),
            machine: StateMachineSafety::new(),
            reads: ReadIndex::default(),
            breaches: Breaches::default(),
            sights: Sights::new(),
            moments: Moments::default(),
            probes: Probes::default(),
        }
    }

    /// How often interesting states were reached.
    pub fn probes(&self) -> Probes {
        self.probes
    }

    fn fault(&mut self, event: &Event, what: &str) {
        let member = &mut self.members[place(event)];
        let before = member.damage.is_some();
        member.fault(event, what);
        self.probes.disks_damaged += u64::from(member.damage.is_some() && !before);
    }

    fn state(&mut self, event: &Event, term: u64, vote: u64, role: Role, leader: u64) {
        let member = &mut self.members[place(event)];
        i7_no_going_back::state(event, term, vote, member, &mut self.breaches);
        let leads = role == Role::Leader && (member.state.role, member.state.term) != (Role::Leader, term);
        member.state = member::RaftState { time: event.time, reported: true, term, vote, role, leader };
        self.sights.leads(event.member, role == Role::Leader);
        if leads {
            self.probes.leaders_elected += 1;
            self.sights.elected(member.configuration.as_ref(), &mut self.probes);
            self.elections.leads(event, term, member, &mut self.breaches);
            i3_leader_completeness::leads(event, term, member, &self.commits, &mut self.breaches);
        }
    }

    #[inline]
    fn appended(&mut self, event: &Event, entries: &[LogEntry]) {
        let member = &mut self.members[place(event)];
        for entry in entries {
            self.probes.logs_cut += u64::from(entry.index <= member.log.last());
            member.append(entry);
            if member.state.role == Role::Leader && entry.term == member.state.term {
                let gone_by = member.configuration.as_ref().map_or(0, |configuration| configuration.index);
                self.configurations.made(entry, gone_by);
            }
            let previous = member.log.term_at(entry.index.wrapping_sub(1));
            self.logs.entry(event, member, entry, previous, &mut self.breaches);
            self.sights.made(event.member, entry.index, self.probes.leaders_elected);
        }
    }

    fn configured(&mut self, event: &Event, now: Configuration) {
        let before = self.configurations.newest().cloned();
        let member = &self.members[place(event)];
        let found = member.incarnation > 1 && member.next.is_none() && now.index == member.applied;
        let source = if found { Source::Restart } else { Source::Entry(member.log.term_at(now.index)) };
        let new = self.configurations.reported(event, &now, source, &mut self.breaches);
        self.sights.configured(event.member, &now, before.as_ref(), new, &mut self.probes);
        let member = &mut self.members[place(event)];
        let restarted = member.incarnation > 1 && member.next.is_none();
        self.probes.restarts_in_joint += u64::from(restarted && now.is_joint());
        member.configuration = Some(now);
    }

    #[inline]
    fn committed(&mut self, event: &Event, index: u64, term: u64) {
        let member = &mut self.members[place(event)];
        i7_no_going_back::committed(event, index, member, &mut self.breaches);
        member.commit = index;
        member.commit_reported = Some((event.time, term));
        if index > self.commits.index() {
            let (time, member, during) = (event.time, member.id, member.state.term);
            self.probes.commits += 1;
            let at = (index, term);
            i5_durable_on_quorum::committed(event, at, &self.members, &mut self.breaches, &mut self.probes);
            self.commits.advance(Commit { index, term, during, member, time });
        }
    }

    #[inline]
    fn applied(&mut self, event: &Event, applied: &Applied) {
        let member = &mut self.members[place(event)];
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
        member.last_applied = Some(Witness { time: event.time, member: event.member, applied: *applied });
    }

    fn installed(&mut self, event: &Event, term: u64, store: &Store) {
        let index = store.index;
        let member = &mut self.members[place(event)];
        self.probes.snapshots_installed += 1;
        self.configurations.installed(event, index, &mut self.breaches);
        self.sights.installed(event.member, self.configurations.newest(), &mut self.probes);
        i7_no_going_back::installed(event, index, member, &mut self.breaches);
        let (breaches, probes) = (&mut self.breaches, &mut self.probes);
        i8_equal_state::store(event, member, store, &self.machine, breaches, probes);
        member.install(event, index, term);
        self.forget();
    }

    fn backend_durable(&mut self, event: &Event, consistent_index: u64) {
        let member = &mut self.members[place(event)];
        i7_no_going_back::backend(event, consistent_index, member, &mut self.breaches);
        member.backend = (consistent_index, event.time);
        self.forget();
    }

    fn compacted(&mut self, event: &Event, index: u64, term: u64) {
        self.members[place(event)].log.drop_to(index, term);
        self.forget();
    }

    #[inline]
    fn sent(&mut self, event: &Event, to: MemberId, head: &MessageHead) {
        if event.member == 0 {
            return;
        }
        let member = &mut self.members[place(event)];
        if i6_durable_before_promised::promises(head) {
            self.probes.promises += 1;
            self.sights.acknowledged(event.member);
            i6_durable_before_promised::sent(event, to, head, member, &mut self.breaches);
        } else if i6_durable_before_promised::leads(head) {
            i6_durable_before_promised::led(event, to, head, member, &mut self.breaches);
        }
    }

    fn stopped(&mut self, event: &Event, stop: &Stop) {
        self.probes.ended_while_receiving_snapshots += u64::from(self.sights.stopped(event.member));
        self.probes.removed_members_stopped += u64::from(*stop == Stop::Removed);
        let member = &mut self.members[place(event)];
        member.stopped = Some(event.clone());
        member.power_lost |= *stop == Stop::PowerLoss;
    }

    /// Drops what no member can speak of any more.
    fn forget(&mut self) {
        // Who has not joined yet, or is removed, will speak of nothing old: it gets a snapshot or comes no more.
        let removed = |member: &&Member| {
            matches!(&member.stopped, Some(Event { fact: Fact::Stopped(Stop::Removed), .. }))
        };
        let speaks = |member: &&Member| member.incarnation > 0 && !removed(member);
        let logs = self.members.iter().filter(speaks).map(|member| member.log.before()).min();
        self.logs.forget_below(logs.unwrap_or(0));
        let stores = self.members.iter().filter(speaks).map(|member| member.backend.0).min();
        self.machine.forget_below(stores.unwrap_or(0));
        // What is committed may still have to be applied.
        self.sights.forget_below(self.commits.index().saturating_sub(1_000));
    }
}

/// What a process found on its disk.
struct Recovery<'a> {
    hard_state: OnDisk,
    before: (u64, u64),
    entries: &'a [LogEntry],
    store: Store,
}

impl Invariants {
    fn recovered(&mut self, event: &Event, found: &Recovery<'_>) {
        let only_one = self.members.len() == 1;
        let member = &mut self.members[place(event)];
        let mut log = TermLog::after(found.before.0, found.before.1);
        let id = u64::from(member.id);
        let configuration = member.configuration.as_ref();
        let last = found.before.0 + found.entries.len() as u64;
        if configuration.map_or(only_one, |configuration| configuration.is_only_voter(id)) {
            self.elections.forget_after(found.hard_state.term);
            self.logs.forget_terms_after(found.hard_state.term, last);
        }
        if configuration.map_or(only_one, |configuration| configuration.is_only(id)) {
            self.logs.forget_after(last);
        }
        for entry in found.entries {
            log.put(entry.index, entry.term);
            let previous = log.term_at(entry.index.wrapping_sub(1));
            self.logs.entry(event, member, entry, previous, &mut self.breaches);
        }
        self.probes.restarts += u64::from(member.stopped.is_some());
        self.probes.restarts_with_shorter_log += u64::from(log.last() < member.log.last());
        self.probes.executed_again += member.applied.saturating_sub(found.store.index);

        let hard_state = OnDisk { matched: log.last(), ..found.hard_state };
        if member.stopped.is_none() && hard_state.commit > self.commits.index() {
            // What a cluster begins with: nobody committed it.
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
    /// If a fact that only members have names no member of the cluster.
    #[inline]
    fn event(&mut self, event: &Event, sheet: &mut Sheet) {
        self.see(event);
        if !self.breaches.violations.is_empty() {
            sheet.add_all(self.breaches.violations.drain(..));
        }
    }
}

impl Invariants {
    #[inline]
    fn see(&mut self, event: &Event) {
        self.moments.event(event, &mut self.probes);
        match &event.fact {
            Fact::Sent { to, head } => self.sent(event, *to, head),
            Fact::Delivered { head, .. } => self.sights.delivered(event.member, head, &mut self.probes),
            Fact::Dropped { .. }
            | Fact::Called { .. }
            | Fact::Returned { .. }
            | Fact::WatchOpened { .. }
            | Fact::WatchReceived { .. }
            | Fact::WatchEnded { .. }
            | Fact::Failpoint { .. }
            | Fact::Probe { .. }
            | Fact::Proposed { .. }
            | Fact::Phase(_) => {}
            Fact::Appended(entries) => self.appended(event, entries),
            Fact::Saving { job, term, vote, commit, last_index } => {
                let held = OnDisk { matched: *last_index, term: *term, vote: *vote, commit: *commit };
                self.members[place(event)].saving(event.time, *job, held);
            }
            Fact::JobDone { job, synced, failed } => {
                self.members[place(event)].disk.done(event.time, *job, *synced, *failed);
            }
            Fact::Committed { index, term } => self.committed(event, *index, *term),
            Fact::Applied { index, term, digest, request, revision, state_hash, mutated, executed } => {
                let (index, term, digest, request) = (*index, *term, *digest, *request);
                let (revision, state_hash) = (*revision, *state_hash);
                let (mutated, executed) = (*mutated, *executed);
                let applied =
                    Applied { index, term, digest, request, revision, state_hash, mutated, executed };
                self.applied(event, &applied);
            }
            Fact::ReadIndexAsked { context } => {
                let member = &self.members[place(event)];
                self.reads.asked(event, *context, member, self.commits.newest, &mut self.breaches);
            }
            Fact::ReadIndexConfirmed { context, index } => {
                self.probes.reads_confirmed += 1;
                let member = &self.members[place(event)];
                self.reads.confirmed(event, (*context, *index), member, &mut self.breaches);
            }
            Fact::State { term, vote, role, leader } => self.state(event, *term, *vote, *role, *leader),
            Fact::BackendDurable { consistent_index } => self.backend_durable(event, *consistent_index),
            Fact::LogCompacted { index, term } => self.compacted(event, *index, *term),
            Fact::SnapshotInstalled { index, term, revision, state_hash } => {
                let (index, revision, state_hash) = (*index, *revision, *state_hash);
                let store = Store { index, revision, state_hash, origin: Origin::Snapshot };
                self.installed(event, *term, &store);
            }
            Fact::Started { incarnation } => {
                let begun = self.probes.leaders_elected > 0;
                self.sights.started(event.member, *incarnation, begun, &mut self.probes);
                self.members[place(event)].start(event, *incarnation);
            }
            Fact::Paused => self.sights.paused(event.member, &mut self.probes),
            Fact::Resumed => self.sights.resumed(event.member),
            Fact::Lessor { primary } => self.sights.lessor(event.member, *primary, &mut self.probes),
            Fact::ProposedInternal { what, .. } => self.sights.asked(event.member, what, &mut self.probes),
            Fact::Configuration { index, voters, outgoing, learners } => {
                let (voters, outgoing, learners) = (voters.clone(), outgoing.clone(), learners.clone());
                self.configured(event, Configuration { index: *index, voters, outgoing, learners });
            }
            Fact::Stopped(stop) => self.stopped(event, stop),
            // A fault that names nobody strikes nobody's disk.
            Fact::Fault { what, begins: true, .. } if event.member != 0 => self.fault(event, what),
            Fact::Fault { .. } => {}
            Fact::Recovered {
                term,
                vote,
                commit,
                before,
                entries,
                consistent_index,
                revision,
                state_hash,
            } => {
                let hard_state = OnDisk { matched: 0, term: *term, vote: *vote, commit: *commit };
                let (index, revision, state_hash) = (*consistent_index, *revision, *state_hash);
                let store = Store { index, revision, state_hash, origin: Origin::Recovered };
                self.recovered(event, &Recovery { hard_state, before: *before, entries, store });
            }
        }
    }
}

/// Where a member of the cluster is in [`Invariants::members`].
#[inline]
fn place(event: &Event) -> usize {
    (event.member as usize).wrapping_sub(1)
}

/// What the last event broke, and who broke what before.
#[derive(Debug, Default)]
struct Breaches {
    violations: Vec<Violation>,
    known: Vec<(Oracle, MemberId)>,
}

impl Breaches {
    /// Takes note, unless it is known that this member breaks the invariant.
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

/// What there is to say about a violation, but for the event that breaks the invariant.
struct Breach {
    title: String,
    sentences: Vec<String>,
    evidence: Vec<Event>,
}

impl Breach {
    fn new(title: impl Into<String>) -> Breach {
        Breach { title: title.into(), sentences: Vec::new(), evidence: Vec::new() }
    }

    /// One more sentence.
    fn say(mut self, sentence: impl Into<String>) -> Breach {
        self.sentences.push(sentence.into());
        self
    }

    /// Events that prove it. An append stands for the one entry it is about.
    fn prove(mut self, events: impl IntoIterator<Item = Event>) -> Breach {
        self.evidence.extend(events);
        self
    }
}
