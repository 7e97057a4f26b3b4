//! The trace of etcd-io/raft: the events of its `state_trace.go`, made from the steps of a run.
//!
//! One step of `raft` 0.7.0 becomes the events that etcd-io/raft writes for the same call, in its order, each with the
//! state that it shows. What the crate does directly, and etcd-io/raft with a message to itself, is written as that
//! message: a candidate's vote for itself, and a leader's acknowledgement of its own entries once they are durable.
//!
//! Left out, as in etcd-io/raft: pre-votes, orders to campaign, reads, ticks. Also left out: the two properties `match`
//! and `next` of a sent append, which name the sender's progress and not the receiver's.

use std::collections::BTreeMap;
use std::io;

use record::step::{Call, Change, Configuration, Entries, EntryKind, MemberChange, Message, Start, State};
use record::{Etcd, Event, MemberId, MessageKind, Nanos, Observer, Role, Step};
use verify::specification::trace::line::{
    Action, Line, Name, Properties, SingleChange, TracedChange, TracedEvent, TracedKind, TracedMessage,
    TracedRole, TracedState,
};

use super::{Out, Viewer};
use crate::execute::Outcome;

/// The observer.
pub(super) struct RaftNdjson {
    out: Out,
    members: BTreeMap<MemberId, Traced>,
    /// All events, in order. They are written at the end: what a change of the configuration changes shows only when it
    /// is applied.
    lines: Vec<(Nanos, TracedEvent)>,
    /// Where a change was proposed: the event, and index and term of its entry.
    proposed: Vec<(usize, (u64, u64))>,
    /// What each applied entry changed.
    changes: BTreeMap<(u64, u64), Vec<SingleChange>>,
}

/// A member as the trace shows it.
#[derive(Default)]
struct Traced {
    term: u64,
    vote: MemberId,
    commit: u64,
    role: Option<Role>,
    log: u64,
    configuration: Configuration,
    /// Its vote for itself, which it has not received yet.
    own_vote: Option<TracedMessage>,
    /// Its acknowledgements of its own entries, which it has not received yet.
    own_acknowledgements: Vec<TracedMessage>,
    /// The terms of the entries in its log that change the configuration.
    changes: BTreeMap<u64, u64>,
    /// The last one that it applied.
    changed: u64,
}

impl RaftNdjson {
    pub(super) fn new(out: Out) -> RaftNdjson {
        RaftNdjson {
            out,
            members: BTreeMap::new(),
            lines: Vec::new(),
            proposed: Vec::new(),
            changes: BTreeMap::new(),
        }
    }
}

/// One step, while its events are written.
struct Writing<'a> {
    time: Nanos,
    id: MemberId,
    traced: &'a mut Traced,
    trace: &'a mut RaftNdjson,
}

impl Observer<Etcd> for RaftNdjson {
    fn event(&mut self, _: &Event) {}

    fn wants_steps(&self) -> bool {
        true
    }

    fn step(&mut self, time: Nanos, id: MemberId, step: &Step) {
        let mut traced = self.members.remove(&id).unwrap_or_default();
        Writing { time, id, traced: &mut traced, trace: self }.step(step);
        self.members.insert(id, traced);
    }
}

impl Viewer for RaftNdjson {
    fn end(&mut self, _: Option<&Outcome>) -> io::Result<()> {
        for (line, place) in &self.proposed {
            let changes = self.changes.get(place).cloned().unwrap_or_default();
            self.lines[*line].1.prop.cc = Some(TracedChange { changes, newconf: Vec::new() });
        }
        for (time, event) in self.lines.drain(..) {
            let seconds = format!("{}.{:09}", time / 1_000_000_000, time % 1_000_000_000);
            let line = Line { tag: Some("trace".to_string()), ts: seconds.parse().ok(), event };
            let text = serde_json::to_string(&line).expect("JSON can be written");
            self.out.put(format_args!("{text}\n"));
        }
        self.out.end()
    }
}

impl Writing<'_> {
    /// Writes the events of a step.
    fn step(&mut self, step: &Step) {
        let after = &step.after;
        match &step.call {
            Call::Start(start) => return self.start(start, after),
            Call::Release { .. } => return,
            Call::Receive(message) => self.receive(message),
            Call::Persisted { .. } => self.persisted(after),
            _ => {}
        }
        self.change_role(step);
        self.note_changes(&step.changed.entries);
        let leads = after.role == Role::Leader;
        if leads && !step.changed.entries.is_empty() {
            self.append(&step.changed.entries);
        }
        if let Call::Receive(message) = &step.call
            && let Some(snapshot) =
                message.snapshot.as_deref().filter(|snapshot| snapshot.index == after.snapshot)
            && self.traced.commit < snapshot.index
        {
            self.traced.configuration = Configuration::default();
            (self.traced.log, self.traced.commit) = (after.last.0, after.commit);
            self.traced.changed = snapshot.index;
            self.apply(&snapshot.configuration);
        }
        if let Call::ApplyChange(change) = &step.call {
            self.apply_change(change, step.changed.configuration.as_deref());
        }
        self.traced.log = after.last.0;
        if after.commit > self.traced.commit {
            self.traced.commit = after.commit;
            if leads {
                self.write(Name::Commit, None, Properties::default());
            }
        }
        for message in &step.out {
            self.send(message);
        }
        (self.traced.term, self.traced.vote, self.traced.role) = (after.term, after.vote, Some(after.role));
        if let Some(configuration) = &step.changed.configuration {
            self.traced.configuration.clone_from(configuration);
        }
        if let Call::Ready(_) = step.call {
            self.write(Name::Ready, None, Properties::default());
        }
    }

    /// A process starts: etcd-io/raft shows its empty state, then its configuration, then its hard state.
    fn start(&mut self, start: &Start, after: &State) {
        *self.traced = Traced { commit: start.before.0, log: after.last.0, ..Traced::default() };
        self.write(Name::InitState, None, Properties::default());
        self.apply(&start.configuration);
        (self.traced.term, self.traced.vote, self.traced.commit) = (after.term, after.vote, after.commit);
        self.note_changes(&start.entries);
        self.traced.changed = after.applied;
        self.write(Name::BecomeFollower, None, Properties::default());
    }

    /// Remembers the changes of the configuration among new entries.
    fn note_changes(&mut self, entries: &Entries) {
        if entries.is_empty() {
            return;
        }
        self.traced.changes.split_off(&entries.first());
        for run in entries.runs().filter(|run| run.kind.is_change()) {
            self.traced.changes.extend((run.first..=run.last()).map(|index| (index, run.term)));
        }
    }

    fn receive(&mut self, message: &Message) {
        let Some(traced) = message_of(message) else { return };
        if traced.kind == TracedKind::MsgVoteResp {
            self.receive_own_vote();
        }
        self.write(receives(traced.kind), Some(traced), Properties::default());
    }

    /// What the member sent to itself arrives once it is durable.
    fn persisted(&mut self, after: &State) {
        self.receive_own_vote();
        let arrived = |message: &TracedMessage| message.index <= after.persisted;
        let count = self.traced.own_acknowledgements.iter().take_while(|message| arrived(message)).count();
        for message in self.traced.own_acknowledgements.drain(..count).collect::<Vec<_>>() {
            self.write(Name::ReceiveAppendEntriesResponse, Some(message), Properties::default());
        }
    }

    fn receive_own_vote(&mut self) {
        if let Some(vote) = self.traced.own_vote.take() {
            self.write(Name::ReceiveRequestVoteResponse, Some(vote), Properties::default());
        }
    }

    /// The events of a change of term or role.
    fn change_role(&mut self, step: &Step) {
        let (after, before) = (&step.after, self.traced.role.unwrap_or(Role::Follower));
        let campaigns = after.term > self.traced.term
            && after.vote == self.id
            && matches!(after.role, Role::Candidate | Role::Leader);
        if campaigns {
            // The TimeoutNow message that started it may have brought a new term of its own.
            if after.term - 1 > self.traced.term {
                self.turn(Name::BecomeFollower, after.term - 1, MemberId::NONE, Role::Follower);
            }
            self.turn(Name::BecomeCandidate, after.term, self.id, Role::Candidate);
            let mut vote = empty_message(TracedKind::MsgVoteResp, self.id, self.id);
            vote.term = after.term;
            self.write(Name::SendRequestVoteResponse, Some(vote.clone()), Properties::default());
            self.traced.own_vote = Some(vote);
        } else if after.term > self.traced.term {
            self.turn(Name::BecomeFollower, after.term, MemberId::NONE, Role::Follower);
        } else if after.role == Role::Follower && before != Role::Follower {
            self.turn(Name::BecomeFollower, after.term, self.traced.vote, Role::Follower);
        }
        if after.role == Role::Leader && before != Role::Leader {
            self.receive_own_vote();
            self.turn(Name::BecomeLeader, after.term, self.id, Role::Leader);
        }
        // Pre-votes have no events.
        self.traced.role = Some(after.role);
    }

    fn turn(&mut self, name: Name, term: u64, vote: MemberId, role: Role) {
        (self.traced.term, self.traced.vote, self.traced.role) = (term, vote, Some(role));
        self.traced.own_vote = None;
        self.traced.own_acknowledgements.clear();
        self.write(name, None, Properties::default());
    }

    /// A leader adds entries.
    fn append(&mut self, entries: &Entries) {
        for run in entries.runs() {
            for index in run.first..=run.last() {
                match run.kind {
                    EntryKind::Change => {
                        self.trace.proposed.push((self.trace.lines.len(), (index, run.term)));
                        self.write(Name::ChangeConf, None, Properties::default());
                    }
                    EntryKind::Leave => {}
                    EntryKind::Empty | EntryKind::Data => {
                        self.write(Name::Replicate, None, Properties::default())
                    }
                }
            }
            self.traced.log = self.traced.log.max(run.first - 1);
        }
        self.traced.log = entries.last().map_or(0, |run| run.last());
        let mut acknowledgement = empty_message(TracedKind::MsgAppResp, self.id, self.id);
        (acknowledgement.term, acknowledgement.index) = (self.traced.term, self.traced.log);
        self.write(Name::SendAppendEntriesResponse, Some(acknowledgement.clone()), Properties::default());
        self.traced.own_acknowledgements.push(acknowledgement);
    }

    /// A change of the configuration is applied.
    fn apply_change(&mut self, change: &Change, new: Option<&Configuration>) {
        let next =
            self.traced.changes.range(self.traced.changed + 1..).next().map(|(index, term)| (*index, *term));
        if let Some((index, term)) = next {
            self.traced.changed = index;
            self.trace.changes.insert((index, term), changes_of(change));
        }
        let new = new.unwrap_or(&self.traced.configuration).clone();
        self.apply(&new);
    }

    /// A configuration takes effect, after the event that says so.
    fn apply(&mut self, new: &Configuration) {
        let change = TracedChange { changes: Vec::new(), newconf: new.voters.clone() };
        self.write(Name::ApplyConfChange, None, Properties { cc: Some(change), ..Properties::default() });
        self.traced.configuration.clone_from(new);
    }

    fn send(&mut self, message: &Message) {
        let Some(traced) = message_of(message) else { return };
        let name = match traced.kind {
            TracedKind::MsgApp | TracedKind::MsgHeartbeat | TracedKind::MsgSnap => {
                Name::SendAppendEntriesRequest
            }
            TracedKind::MsgAppResp | TracedKind::MsgHeartbeatResp => Name::SendAppendEntriesResponse,
            TracedKind::MsgVote => Name::SendRequestVoteRequest,
            TracedKind::MsgVoteResp => Name::SendRequestVoteResponse,
        };
        self.write(name, Some(traced), Properties::default());
    }

    /// Writes an event with the current state.
    fn write(&mut self, name: Name, msg: Option<TracedMessage>, prop: Properties) {
        let Traced { term, vote, commit, role, log, configuration, .. } = &*self.traced;
        let role = match role.unwrap_or(Role::Follower) {
            Role::Follower => TracedRole::Follower,
            Role::PreCandidate => TracedRole::PreCandidate,
            Role::Candidate => TracedRole::Candidate,
            Role::Leader => TracedRole::Leader,
        };
        let event = TracedEvent {
            name,
            nid: self.id,
            state: TracedState { term: *term, vote: *vote, commit: *commit },
            role,
            log: *log,
            conf: [configuration.voters.clone(), configuration.outgoing.clone()],
            msg,
            prop,
        };
        self.trace.lines.push((self.time, event));
    }
}

/// The name of the event of a received message.
fn receives(kind: TracedKind) -> Name {
    match kind {
        TracedKind::MsgApp | TracedKind::MsgHeartbeat | TracedKind::MsgSnap => {
            Name::ReceiveAppendEntriesRequest
        }
        TracedKind::MsgAppResp | TracedKind::MsgHeartbeatResp => Name::ReceiveAppendEntriesResponse,
        TracedKind::MsgVote => Name::ReceiveRequestVoteRequest,
        TracedKind::MsgVoteResp => Name::ReceiveRequestVoteResponse,
    }
}

fn changes_of(change: &Change) -> Vec<SingleChange> {
    let real = change.changes.iter().filter(|(_, member)| !member.is_none());
    let single = |(kind, member): &(MemberChange, MemberId)| {
        let action = match kind {
            MemberChange::Voter => Action::AddNewServer,
            MemberChange::Learner => Action::AddLearner,
            MemberChange::Remove => Action::RemoveServer,
        };
        SingleChange { nid: *member, action }
    };
    real.map(single).collect()
}

fn empty_message(kind: TracedKind, from: MemberId, to: MemberId) -> TracedMessage {
    TracedMessage {
        kind,
        term: 0,
        from,
        to,
        entries: 0,
        log_term: 0,
        index: 0,
        commit: 0,
        vote: MemberId::NONE,
        reject: false,
        reject_hint: 0,
    }
}

/// The message as the trace has it; `None` for kinds that it does not have.
fn message_of(message: &Message) -> Option<TracedMessage> {
    let kind = match message.kind {
        MessageKind::Append => TracedKind::MsgApp,
        MessageKind::AppendResponse => TracedKind::MsgAppResp,
        MessageKind::RequestVote => TracedKind::MsgVote,
        MessageKind::RequestVoteResponse => TracedKind::MsgVoteResp,
        MessageKind::Snapshot => TracedKind::MsgSnap,
        MessageKind::Heartbeat => TracedKind::MsgHeartbeat,
        MessageKind::HeartbeatResponse => TracedKind::MsgHeartbeatResp,
        _ => return None,
    };
    // For a snapshot, `entries` holds its index.
    let snapshot = message.snapshot.as_deref().map(|snapshot| snapshot.index);
    let (index, log_term) = if snapshot.is_some() { (0, 0) } else { (message.index, message.log_term) };
    Some(TracedMessage {
        term: message.term,
        entries: snapshot.unwrap_or_else(|| message.entries.len()),
        log_term,
        index,
        commit: message.commit,
        reject: message.reject,
        reject_hint: message.hint,
        ..empty_message(kind, message.from, message.to)
    })
}
