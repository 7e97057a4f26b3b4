//! A cluster that does what the specification says. Tests begin with its right steps and change them.
//!
//! The rig asks the specification which messages a step lacks, and adds them, until none is missing; the rest of the
//! step is what the specification then expects. So it proves nothing about the specification by itself: it only spares
//! tests to write out everything that they do not change. The simulator's runs compare it with the raft library.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use record::step::{
    Call, Change, Changed, Configuration, Context, Entries, EntryKind, MemberChange, Message, Ready,
    Settings, Start, State, Step,
};
use record::{Event, Fact, MemberId, MessageKind, Role};

use super::super::act::{Act, Finding, Scratch};
use super::super::node::Node;
use super::super::{Configured, Specification};
use crate::Sheet;
use crate::oracle::Monitor;

/// A member.
pub(super) fn id(number: u32) -> MemberId {
    MemberId::new(number)
}

/// Members.
pub(super) fn ids(numbers: &[u32]) -> Vec<MemberId> {
    numbers.iter().copied().map(id).collect()
}

/// A configuration of voters and learners.
pub(super) fn configuration(voters: &[u32], learners: &[u32]) -> Configuration {
    Configuration { voters: ids(voters), learners: ids(learners), ..Configuration::default() }
}

/// Entries of one kind, from an index on, with these terms.
pub(super) fn entries(first: u64, terms: &[u64], kind: EntryKind) -> Entries {
    let mut entries = Entries::default();
    (first..).zip(terms).for_each(|(index, term)| entries.push(index, *term, kind, 1));
    entries
}

/// A change of one member.
pub(super) fn change(kind: MemberChange, member: u32) -> Change {
    Change { changes: vec![(kind, id(member))], ..Change::default() }
}

/// A cluster.
#[derive(Clone)]
pub(super) struct Rig {
    pub spec: Specification,
    settings: Settings,
    /// The number of each member's last disk job, and of its last message.
    jobs: BTreeMap<MemberId, u64>,
    numbers: BTreeMap<MemberId, u64>,
    /// Messages that were put out and have not left.
    inside: BTreeMap<(MemberId, u64), Message>,
    /// Messages on the wire.
    pub wire: VecDeque<Message>,
    /// Messages that were kept from arriving.
    pub held: Vec<Message>,
    /// The changes in the log.
    changes: BTreeMap<u64, Change>,
    /// Members that receive nothing.
    pub cut_off: BTreeSet<MemberId>,
}

impl Rig {
    /// No members yet.
    pub fn empty() -> Rig {
        let settings = Settings {
            election: 10,
            heartbeat: 1,
            pre_vote: true,
            check_quorum: true,
            max_inflight: 4,
            max_size: 1_000,
            max_uncommitted: 1_000,
        };
        Rig {
            spec: Specification::new(9),
            settings,
            jobs: BTreeMap::new(),
            numbers: BTreeMap::new(),
            inside: BTreeMap::new(),
            wire: VecDeque::new(),
            held: Vec::new(),
            changes: BTreeMap::new(),
            cut_off: BTreeSet::new(),
        }
    }

    /// These voters, with three entries of term 1 that are in no log any more.
    pub fn cluster(voters: &[u32]) -> Rig {
        Rig::with_log(voters, &[], &Entries::default(), (1, 3, 3))
    }

    /// Voters and learners whose logs have these entries after entry 3 of term 1, in a term, with a commit index and an
    /// applied index.
    pub fn with_log(voters: &[u32], learners: &[u32], log: &Entries, at: (u64, u64, u64)) -> Rig {
        Rig::empty().starting(voters, learners, log, at)
    }

    /// The same, from a rig without members.
    fn starting(self, voters: &[u32], learners: &[u32], log: &Entries, at: (u64, u64, u64)) -> Rig {
        let mut rig = self;
        for member in voters.iter().chain(learners) {
            let step = rig.start_step(&configuration(voters, learners), (3, 1), log, at);
            rig.take(id(*member), &step);
        }
        rig
    }

    /// The first step of a process.
    pub fn start_step(
        &self,
        configuration: &Configuration,
        before: (u64, u64),
        log: &Entries,
        (term, commit, applied): (u64, u64, u64),
    ) -> Step {
        let last = log.last().map_or(before, |run| (run.last(), run.term));
        let after = State {
            term,
            first: before.0 + 1,
            last,
            handed_over: last.0,
            persisted: last.0,
            commit,
            applied,
            timeout: self.settings.election,
            ..State::default()
        };
        let configuration = configuration.clone();
        let start = Start { settings: self.settings, configuration, before, entries: log.clone() };
        Step {
            call: Call::Start(Box::new(start)),
            accepted: true,
            after,
            changed: Changed::default(),
            out: Vec::new(),
        }
    }

    /// A member that joins, with an empty log.
    pub fn join(&mut self, member: u32) {
        let step = self.start_step(&Configuration::default(), (0, 0), &Entries::default(), (0, 0, 0));
        self.take(id(member), &step);
    }

    /// What the specification knows of a member.
    pub fn node(&self, member: u32) -> &Node {
        self.spec.members[id(member)].as_ref().expect("the member has started")
    }

    /// As [`Rig::node`], to change it.
    pub fn node_mut(&mut self, member: u32) -> &mut Node {
        self.spec.members[id(member)].as_mut().expect("the member has started")
    }

    /// The right step for a call.
    pub fn right(&self, member: u32, call: Call) -> Step {
        self.right_with(member, call, Vec::new())
    }

    /// The right step for a call in which these messages are put out, among others.
    pub fn right_with(&self, member: u32, call: Call, mut out: Vec<Message>) -> Step {
        let (before, member) = (self.node(member), id(member));
        loop {
            let mut spec = self.spec.clone();
            // A commit index that may be taken is taken.
            let after = State { commit: u64::MAX, ..before.state };
            let changed = Changed::default();
            let mut step = Step { call: call.clone(), accepted: true, after, changed, out };
            let node = spec.members[member].as_mut().expect("it was there a moment ago");
            let (mut found, mut scratch) = (Vec::new(), Scratch::default());
            let shared = (&mut spec.shared, &mut spec.counts);
            let mut act = Act::new(node, &step, shared, &mut found, &mut scratch);
            act.perform();
            let (accepted, replaced_from) = (act.accepted, act.replaced_from);
            let due: Vec<Message> = found.iter().filter_map(|one| one.due.as_deref().cloned()).collect();
            // A message that is missing may be missed twice, so only the first one is added at a time.
            if let Some(first) = due.into_iter().next() {
                out = step.out;
                out.push(first);
                continue;
            }
            assert!(found.is_empty(), "the rig's step {call:?} breaks {found:?}");
            (step.accepted, step.after) = (accepted, node.state);
            step.changed = changed_of(before, node, &call, replaced_from);
            let last = self.numbers.get(&member).copied().unwrap_or(0);
            (last + 1..).zip(&mut step.out).for_each(|(number, message)| message.number = number);
            return step;
        }
    }

    /// What the specification finds wrong with a step. The rig stays as it is.
    pub fn judge(&self, member: MemberId, step: &Step) -> Vec<Finding> {
        self.clone().spec.findings(member, step)
    }

    /// A step happens; nothing may be wrong with it.
    pub fn take(&mut self, member: MemberId, step: &Step) {
        let found = self.spec.findings(member, step);
        assert!(found.is_empty(), "member {member}, {:?}: {found:#?}", step.call);
        for message in &step.out {
            self.numbers.insert(member, message.number);
            self.inside.insert((member, message.number), message.clone());
        }
        if let Call::Release { numbers, .. } | Call::Ready(Ready { left: numbers, .. }) = &step.call {
            let left = numbers.iter().filter_map(|number| self.inside.remove(&(member, *number)));
            self.wire.extend(left);
        }
    }

    /// A call happens as it should.
    pub fn call(&mut self, member: u32, call: Call) -> Step {
        let step = self.right(member, call);
        self.take(id(member), &step);
        step
    }

    /// A call happens as it should, and the host does what follows.
    pub fn does(&mut self, member: u32, call: Call) {
        self.call(member, call);
        self.work(member);
    }

    /// The ready that the host would take now, if there is one.
    pub fn ready(&self, member: u32) -> Option<Ready> {
        let node = self.node(member);
        let state = node.state;
        let now = (state.term, state.vote, state.commit);
        let (before, last) = (node.hard_state, node.log.last().0);
        let snapshot =
            (state.snapshot != 0).then(|| (state.snapshot, node.log.term_at(state.snapshot).unwrap_or(0)));
        let new_vote = (before.0, before.1) != (now.0, now.1);
        let must_sync = new_vote || snapshot.is_some() || last > state.handed_over;
        let from = snapshot.map_or(node.to_apply, |(index, _)| index);
        let to = state.commit.min(state.persisted);
        let committed = (to > from).then_some((from + 1, to));
        let something =
            must_sync || now != before || committed.is_some() || node.outbox > 0 || !node.answers.is_empty();
        something.then(|| Ready {
            number: node.ready + 1,
            job: must_sync.then(|| self.jobs.get(&node.id).copied().unwrap_or(0) + 1),
            hard_state: (now != before).then_some(now),
            entries: node.log.entries_from(state.handed_over + 1),
            snapshot,
            must_sync,
            committed,
            reads: node.answers.clone(),
            messages: node.outbox,
            at_once: state.role == Role::Leader,
            durable: false,
            left: Vec::new(),
        })
    }

    /// The host takes a ready, and does no more. Returns it.
    pub fn takes_ready(&mut self, member: u32) -> Ready {
        let ready = self.ready(member).expect("there is a ready");
        if let Some(job) = ready.job {
            self.jobs.insert(id(member), job);
        }
        self.call(member, Call::Ready(ready.clone()));
        self.lets_go(member);
        ready
    }

    /// The host lets the messages go that may leave.
    pub fn lets_go(&mut self, member: u32) {
        let node = self.node(member);
        let may_leave = node.waiting.iter().filter(|message| message.may_leave(node.durable));
        let (numbers, durable): (Vec<u64>, u64) =
            (may_leave.map(|message| message.number).collect(), node.durable);
        if !numbers.is_empty() {
            self.call(member, Call::Release { numbers, durable });
        }
    }

    /// A disk job is durable.
    pub fn synced(&mut self, member: u32, job: u64) {
        let fact = Fact::JobDone { job, synced: true, failed: false };
        self.spec.event(&Event { time: 0, member: id(member), fact }, &mut Sheet::default());
    }

    /// The numbers of all messages that have not left.
    pub fn inside(&self, member: u32) -> Vec<u64> {
        self.node(member).waiting.iter().map(|message| message.number).collect()
    }

    /// The host does all its work: it saves, sends and applies until nothing is left.
    pub fn work(&mut self, member: u32) {
        while let Some(ready) = self.ready(member) {
            if ready.must_sync || !self.node(member).readies.is_empty() {
                self.save(member);
            } else {
                self.call(member, Call::Ready(at_once(ready.clone(), self.inside(member))));
            }
            if let Some((index, _)) = ready.snapshot {
                self.call(member, Call::Applied { index });
            }
            if let Some((first, last)) = ready.committed {
                self.apply(member, first, last);
            }
        }
    }

    /// The host takes a ready, saves it, and sends what waited for that.
    fn save(&mut self, member: u32) {
        let ready = self.takes_ready(member);
        if let Some(job) = ready.job {
            self.synced(member, job);
        }
        self.call(member, Call::Persisted { number: ready.number });
        self.lets_go(member);
    }

    /// The host applies entries.
    pub fn apply(&mut self, member: u32, first: u64, last: u64) {
        let mut after = first - 1;
        while let Some(index) = self.node(member).log.change(after, last) {
            after = index;
            let change = self.changes.get(&index).cloned().unwrap_or_default();
            self.call(member, Call::ApplyChange(Box::new(change)));
            let node = self.node(member);
            if node.state.role == Role::Leader && !node.configuration.has(node.id) {
                self.call(member, Call::StepDown);
            }
        }
        self.call(member, Call::Applied { index: last });
    }

    /// Messages arrive until none is left.
    pub fn quiet(&mut self) {
        self.quiet_but(|_| false);
    }

    /// Messages arrive until none is left, except for some, which are held.
    pub fn quiet_but(&mut self, hold: impl Fn(&Message) -> bool) {
        while let Some(message) = self.wire.pop_front() {
            if hold(&message) {
                self.held.push(message);
            } else {
                self.arrives(message);
            }
        }
    }

    /// A message arrives.
    pub fn arrives(&mut self, message: Message) {
        let to = message.to;
        let started = self.spec.members.get(to).is_some_and(Option::is_some);
        if started && !self.cut_off.contains(&to) && !self.cut_off.contains(&message.from) {
            self.does(to.raft_id() as u32, Call::Receive(message));
        }
    }

    /// Ticks.
    pub fn tick(&mut self, member: u32, ticks: u32) {
        (0..ticks).for_each(|_| self.does(member, Call::Tick));
    }

    /// A member campaigns, and leads if it may.
    pub fn campaigns(&mut self, member: u32) {
        self.tick(member, 10);
        self.quiet();
    }

    /// The specification knows the settings, and whether raft loops wait for saves.
    pub fn configure(&mut self, blocking: bool) {
        self.spec.configure(Configured { settings: self.settings, blocking });
    }

    /// Voters 1, 2 and 3, led by member 1 in term 2, which has committed its first entry, number 4.
    pub fn led() -> Rig {
        Rig::empty().led_here()
    }

    /// The same, from a rig without members.
    pub fn led_here(self) -> Rig {
        let mut rig = self.starting(&[1, 2, 3], &[], &Entries::default(), (1, 3, 3));
        rig.campaigns(1);
        rig.tick(1, 1);
        rig.quiet();
        assert_eq!((rig.node(1).state.role, rig.node(3).state.commit), (Role::Leader, 4));
        rig
    }

    /// The same, but no answer to the leader's first append has arrived.
    pub fn just_elected() -> Rig {
        let mut rig = Rig::cluster(&[1, 2, 3]);
        rig.tick(1, 10);
        rig.quiet_but(|message| message.kind == MessageKind::AppendResponse);
        assert_eq!((rig.node(1).state.role, rig.node(1).state.commit), (Role::Leader, 3));
        rig
    }

    /// A proposal with one byte of data.
    pub fn propose() -> Call {
        Call::Propose { kind: EntryKind::Data, bytes: 1 }
    }

    /// The call by which a leader's host proposes a change, which is remembered.
    pub fn propose_change(&mut self, leader: u32, change: Change) -> Call {
        let kind = if change.changes.is_empty() { EntryKind::Leave } else { EntryKind::Change };
        self.changes.insert(self.node(leader).state.last.0 + 1, change);
        Call::Propose { kind, bytes: 1 }
    }

    /// A message, in a term.
    pub fn message(kind: MessageKind, from: u32, to: u32, term: u64) -> Message {
        Message { term, ..Message::new(kind, id(from), id(to)) }
    }

    /// A read.
    pub fn read(number: u64) -> Call {
        Call::ReadIndex { context: number }
    }

    /// The number of a read in messages.
    pub fn context(number: u64) -> Context {
        Context::Read(number)
    }
}

/// What a step changes, besides the state.
fn changed_of(before: &Node, after: &mut Node, call: &Call, replaced_from: u64) -> Changed {
    let mut changed = Changed::default();
    if replaced_from != u64::MAX {
        changed.entries = after.log.entries_from(replaced_from);
    }
    if before.state.role == Role::Leader || after.state.role == Role::Leader {
        let max_inflight = after.settings.max_inflight;
        for (member, flow) in after.flows.iter_mut() {
            flow.count_window(max_inflight);
            let at = before.flow_at(*member);
            let known = at.map(|at| before.flows[at].1.progress).unwrap_or_default();
            if flow.progress != known {
                changed.progress.push((*member, flow.progress));
            }
        }
    }
    if after.votes != after.votes_reported {
        changed.votes = Some(after.votes.clone());
    }
    if after.reads != after.reads_reported {
        changed.reads = Some(after.reads.clone());
    }
    if matches!(call, Call::ApplyChange(_)) || before.state.snapshot != after.state.snapshot {
        changed.configuration = Some(Box::new(after.configuration.clone()));
    }
    changed
}

impl Specification {
    /// Judges a step, and says what it breaks.
    fn findings(&mut self, member: MemberId, step: &Step) -> Vec<Finding> {
        self.found.clear();
        match &step.call {
            Call::Start(start) => self.start(member, step, start),
            _ => self.judge(member, step),
        }
        std::mem::take(&mut self.found)
    }
}

/// A ready of which nothing must be saved, and with which these messages leave.
pub fn at_once(ready: Ready, left: Vec<u64>) -> Ready {
    Ready { durable: true, left, ..ready }
}
