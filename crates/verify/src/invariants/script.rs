//! For tests only: a test writes a run by hand, fact by fact, and the invariants judge it as it goes.
//!
//! The script keeps what a member would know (its log, its term and vote, the number of its next job), so that a test
//! says only what happens. It never judges.

use record::{
    EtcdFact, Event, Fact, FaultEffect, LogEntry, MemberId, Members, MessageHead, MessageKind, Role, Stop,
};

use super::{Invariants, Monitor, Oracle, Sheet, Violation, describe};

/// A run.
pub struct Script {
    pub invariants: Invariants,
    pub sheet: Sheet,
    members: Members<Known>,
    last: Event,
}

/// What a member knows.
#[derive(Clone, Default)]
struct Known {
    log: Vec<LogEntry>,
    /// The index and term before the first entry of the log.
    before: (u64, u64),
    term: u64,
    vote: MemberId,
    /// The commit index.
    commit: u64,
    /// How many disk jobs it has submitted.
    jobs: u64,
    /// How often it has started.
    incarnation: u32,
}

/// The entry that tests use for this index and term.
pub fn entry(index: u64, term: u64) -> LogEntry {
    LogEntry { index, term, digest: 1_000 * term + index }
}

impl Script {
    /// Members that start with empty disks.
    pub fn new(members: u32) -> Script {
        let mut script = Script::without_members(members);
        MemberId::first(members).for_each(|member| script.start(member, 0));
        script
    }

    /// Members that have not started yet.
    pub fn without_members(members: u32) -> Script {
        let (invariants, sheet) = (Invariants::new(members), Sheet::default());
        let last = Event { time: 0, member: MemberId::NONE, fact: Fact::Phase(record::Phase::Chaos) };
        Script { invariants, sheet, members: Members::new(members, |_| Known::default()), last }
    }

    /// The member's log begins after this index and term, and everything up to there is committed. The other members
    /// must begin there, too.
    pub fn begin_after(&mut self, member: impl Into<MemberId>, before: (u64, u64)) {
        let member: MemberId = member.into();
        let known = self.known(member);
        (known.before, known.term, known.commit) = (before, before.1, before.0);
    }

    /// What the script knows of a member.
    fn known(&mut self, member: MemberId) -> &mut Known {
        &mut self.members[member]
    }

    /// Any fact.
    pub fn report(&mut self, member: impl Into<MemberId>, fact: Fact) {
        let member: MemberId = member.into();
        self.last = Event { time: self.last.time + 1, member, fact };
        self.invariants.event(&self.last, &mut self.sheet);
    }

    /// A fault with this effect strikes a member, or none.
    pub fn fault(&mut self, member: impl Into<MemberId>, effect: FaultEffect) {
        let member: MemberId = member.into();
        self.report(member, Fact::Fault { fault: 0, what: "a fault", kind: 0, effect, begins: true });
    }

    /// A process starts with its whole log, and with a store as it is after the entry `applied`.
    pub fn start(&mut self, member: impl Into<MemberId>, applied: u64) {
        let member: MemberId = member.into();
        self.start_with_store(member, applied, (applied, 1_000 + applied));
    }

    /// A member starts with a store that has applied entries up to `applied`.
    pub fn start_with_store(
        &mut self,
        member: impl Into<MemberId>,
        applied: u64,
        (revision, state_hash): (u64, u64),
    ) {
        let member: MemberId = member.into();
        let known = self.known(member);
        known.incarnation += 1;
        let incarnation = known.incarnation;
        let Known { log, before, term, vote, commit, .. } = known.clone();
        self.report(member, Fact::Started { incarnation });
        let (entries, consistent_index) = (log, applied);
        let found = Fact::Own(EtcdFact::Recovered {
            term,
            vote,
            commit,
            before,
            entries,
            consistent_index,
            revision,
            state_hash,
        });
        self.report(member, found);
    }

    /// A process ends.
    pub fn stop(&mut self, member: impl Into<MemberId>, stop: Stop) {
        let member: MemberId = member.into();
        self.report(member, Fact::Stopped(stop));
    }

    /// The disk lost all entries after `last`.
    pub fn lose_after(&mut self, member: impl Into<MemberId>, last: u64) {
        let member: MemberId = member.into();
        self.known(member).log.retain(|entry| entry.index <= last);
    }

    /// The disk has another entry, as (index, term), in place of the one that was there.
    pub fn replace(&mut self, member: impl Into<MemberId>, (index, term): (u64, u64)) {
        let member: MemberId = member.into();
        let there = self.known(member).log.iter_mut().find(|there| there.index == index);
        *there.expect("an entry to replace") = entry(index, term);
    }

    /// The disk lost its hard state; it has this one instead.
    pub fn lose_state(
        &mut self,
        member: impl Into<MemberId>,
        term: u64,
        vote: impl Into<MemberId>,
        commit: u64,
    ) {
        let member: MemberId = member.into();
        let vote: MemberId = vote.into();
        let known = self.known(member);
        (known.term, known.vote, known.commit) = (term, vote, commit);
    }

    /// A member changes its term, vote or role.
    pub fn state(&mut self, member: impl Into<MemberId>, term: u64, vote: impl Into<MemberId>, role: Role) {
        let member: MemberId = member.into();
        let vote: MemberId = vote.into();
        let known = self.known(member);
        (known.term, known.vote) = (term, vote);
        self.report(member, Fact::Own(EtcdFact::State { term, vote, role, leader: MemberId::NONE }));
    }

    /// Term and vote change and are durable at once.
    pub fn votes(&mut self, member: impl Into<MemberId>, term: u64, vote: impl Into<MemberId>) {
        let member: MemberId = member.into();
        let vote: MemberId = vote.into();
        self.state(member, term, vote, Role::Follower);
        let job = self.save(member);
        self.sync(member, job);
    }

    /// The member wins the election of a term in which it voted for itself.
    pub fn leads(&mut self, member: impl Into<MemberId>, term: u64) {
        let member: MemberId = member.into();
        self.votes(member, term, member);
        self.state(member, term, member, Role::Leader);
    }

    /// Entries, as (index, term), enter the log in memory.
    pub fn append(&mut self, member: impl Into<MemberId>, entries: &[(u64, u64)]) {
        let member: MemberId = member.into();
        let entries: Vec<_> = entries.iter().map(|(index, term)| entry(*index, *term)).collect();
        let known = self.known(member);
        known.log.retain(|old| old.index < entries[0].index);
        known.log.extend(&entries);
        self.report(member, Fact::Own(EtcdFact::Appended(entries)));
    }

    /// Everything in memory is handed to the disk; returns the number of the job.
    pub fn save(&mut self, member: impl Into<MemberId>) -> u64 {
        let member: MemberId = member.into();
        let known = self.known(member);
        known.jobs += 1;
        let last_index = known.log.last().map_or(known.before.0, |entry| entry.index);
        let Known { jobs: job, term, vote, commit, .. } = *known;
        self.report(member, Fact::Own(EtcdFact::Saving { job, term, vote, commit, last_index }));
        job
    }

    /// A save is on disk.
    pub fn sync(&mut self, member: impl Into<MemberId>, job: u64) {
        let member: MemberId = member.into();
        self.report(member, Fact::JobDone { job, synced: true, failed: false });
    }

    /// Entries enter the log and are durable at once.
    pub fn write(&mut self, member: impl Into<MemberId>, entries: &[(u64, u64)]) {
        let member: MemberId = member.into();
        self.append(member, entries);
        let job = self.save(member);
        self.sync(member, job);
    }

    /// A message that promises something.
    pub fn send(
        &mut self,
        member: impl Into<MemberId>,
        to: impl Into<MemberId>,
        kind: MessageKind,
        term: u64,
        index: u64,
    ) {
        let member: MemberId = member.into();
        let to = to.into();
        let head = MessageHead { kind, term, index, log_term: 0, commit: 0, reject: false, entries: 0 };
        self.report(member, Fact::Sent { to, packet: 1, head });
    }

    /// The member uses this configuration from `index` on.
    pub fn configure(
        &mut self,
        member: impl Into<MemberId>,
        index: u64,
        voters: &[u32],
        outgoing: &[u32],
        learners: &[u32],
    ) {
        let member: MemberId = member.into();
        let ids = |numbers: &[u32]| numbers.iter().copied().map(MemberId::new).collect();
        let (voters, outgoing, learners) = (ids(voters), ids(outgoing), ids(learners));
        self.report(member, Fact::Own(EtcdFact::Configuration { index, voters, outgoing, learners }));
    }

    /// A member learns that the entries up to this one are committed.
    pub fn commit(&mut self, member: impl Into<MemberId>, index: u64, term: u64) {
        let member: MemberId = member.into();
        self.known(member).commit = index;
        self.report(member, Fact::Own(EtcdFact::Committed { index, term }));
    }

    /// Applies an entry; the store is then the same as everyone's after that index.
    pub fn apply(&mut self, member: impl Into<MemberId>, index: u64, term: u64) {
        let member: MemberId = member.into();
        self.report(member, applied(entry(index, term), (index, 1_000 + index), true));
    }

    /// Passes an entry without executing it, as after a restart.
    pub fn replay(&mut self, member: impl Into<MemberId>, index: u64, term: u64) {
        let member: MemberId = member.into();
        self.report(member, applied(entry(index, term), (index, 1_000 + index), false));
    }

    /// A snapshot of everything up to `index` replaces log and store.
    pub fn install(&mut self, member: impl Into<MemberId>, index: u64, term: u64) {
        let member: MemberId = member.into();
        let known = self.known(member);
        known.log.clear();
        known.before = (index, term);
        let (revision, state_hash) = (index, 1_000 + index);
        self.report(member, Fact::Own(EtcdFact::SnapshotInstalled { index, term, revision, state_hash }));
    }

    /// A snapshot of everything up to `index` replaces log and store; at the same moment the member reports the
    /// configuration that the snapshot names.
    pub fn snapshot(&mut self, member: impl Into<MemberId>, index: u64, term: u64, voters: &[u32]) {
        let member: MemberId = member.into();
        self.configure(member, index, voters, &[], &[]);
        self.last.time -= 1;
        self.install(member, index, term);
    }

    /// Checks that no invariant was violated.
    #[track_caller]
    pub fn finds_nothing(&self) {
        assert_eq!(self.sheet.violations(), []);
    }

    /// Checks that the last fact, and none before it, violated this invariant, and no other.
    #[track_caller]
    pub fn broke(&self, oracle: Oracle, sentences: &str) -> &Violation {
        let [violation] = self.sheet.violations() else {
            panic!("not one violation but {:#?}", self.sheet.violations())
        };
        assert_eq!((violation.oracle, violation.sentences.join(" ").as_str()), (oracle, sentences));
        assert_eq!(violation.events.last(), Some(&describe::event(&self.last)));
        assert!(violation.events.is_sorted_by_key(|line| seconds(line)), "{:#?}", violation.events);
        violation
    }
}

/// The time at the beginning of an event's line.
fn seconds(line: &str) -> f64 {
    line.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a line begins with its time")
}

/// The application of an entry, after which the store has this revision and hash.
pub fn applied(entry: LogEntry, (revision, state_hash): (u64, u64), executed: bool) -> Fact {
    let LogEntry { index, term, digest } = entry;
    Fact::Own(EtcdFact::Applied {
        index,
        term,
        digest,
        request: index,
        revision,
        state_hash,
        mutated: true,
        executed,
    })
}
