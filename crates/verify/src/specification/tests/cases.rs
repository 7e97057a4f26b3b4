//! For each rule a right step, and the small change that breaks the rule.

use record::step::{
    Call, Change, Context, Entries, EntryKind, MemberChange, Message, Mode, Progress, Read, Ready,
    SnapshotHead, Step, Transition,
};
use record::{MemberId, MessageKind, Role};

use super::super::rule::Rule;
use super::rig::{Rig, at_once, change, configuration, entries, id, ids};

/// A step of a member, and a small change that breaks a rule.
pub(super) struct Case {
    pub rule: Rule,
    /// What the change is.
    pub what: &'static str,
    pub right: fn() -> (Rig, MemberId, Step),
    pub wrong: fn(&mut Step),
}

/// The next step of a member.
fn next(rig: Rig, member: u32, call: Call) -> (Rig, MemberId, Step) {
    let step = rig.right(member, call);
    (rig, id(member), step)
}

/// A message arrives at its receiver.
fn arrives(rig: Rig, message: Message) -> (Rig, MemberId, Step) {
    let to = message.to.raft_id() as u32;
    next(rig, to, Call::Receive(message))
}

/// The message that a step received.
fn received(step: &mut Step) -> &mut Message {
    match &mut step.call {
        Call::Receive(message) => message,
        other => panic!("{other:?} is no message"),
    }
}

/// What a step reports of a member.
fn progress(step: &mut Step, member: u32) -> &mut Progress {
    let found = step.changed.progress.iter_mut().find(|(other, _)| *other == id(member));
    &mut found.expect("it changed").1
}

/// The state of members that know of no leader, in term 2: entry 4 is committed, entry 5 of term 2 is not.
fn leaderless() -> Rig {
    Rig::with_log(&[1, 2, 3], &[], &entries(4, &[2, 2], EntryKind::Data), (2, 4, 4))
}

/// An append of member 1 to member 2 in term 3, which member 2 accepts: entries 5 and 6 of term 3 after entry 4.
fn append() -> Message {
    let mut append = Rig::message(MessageKind::Append, 1, 2, 3);
    (append.index, append.log_term, append.commit) = (4, 2, 5);
    append.entries = entries(5, &[3, 3], EntryKind::Data);
    append
}

/// A request of member 3 for a vote, in this term, with a log that ends with this entry.
fn request(kind: MessageKind, term: u64, (index, log_term): (u64, u64)) -> Message {
    let mut request = Rig::message(kind, 3, 2, term);
    (request.index, request.log_term) = (index, log_term);
    request
}

/// A heartbeat of member 1, which leads term 2, to member 2.
fn heartbeat() -> Message {
    let mut heartbeat = Rig::message(MessageKind::Heartbeat, 1, 2, 2);
    heartbeat.commit = 4;
    heartbeat
}

/// An append of member 1 to member 2 in term 2, which adds entry 6 to what member 2 has.
fn append_of_term_2() -> Message {
    Message { term: 2, index: 5, commit: 4, entries: entries(6, &[2], EntryKind::Data), ..append() }
}

/// An append without entries of the leader of term 2 to member 2.
fn empty_append() -> Message {
    let mut append = Rig::message(MessageKind::Append, 1, 2, 2);
    (append.index, append.log_term, append.commit) = (4, 2, 4);
    append
}

/// Member 1 of five is a candidate in term 2.
fn candidate() -> Rig {
    let mut rig = Rig::cluster(&[1, 2, 3, 4, 5]);
    rig.tick(1, 10);
    rig.quiet_but(|message| message.kind == MessageKind::RequestVoteResponse);
    assert_eq!((rig.node(1).state.role, rig.node(1).state.term), (Role::Candidate, 2));
    rig
}

/// A leader whose window for each member is full, with entries 5 to 8.
fn full_window() -> Rig {
    let mut rig = Rig::led();
    (0..4).for_each(|_| rig.does(1, Rig::propose()));
    rig.wire.clear();
    rig
}

/// The answer of a member to the leader's append in term 2.
fn acknowledgement(from: u32, index: u64) -> Message {
    let mut answer = Rig::message(MessageKind::AppendResponse, from, 1, 2);
    answer.index = index;
    answer
}

/// A leader with a proposal that nobody else has, and its ready not saved; the ready's number is returned.
fn unsaved() -> (Rig, u64) {
    let mut rig = Rig::led();
    rig.call(1, Rig::propose());
    let ready = rig.takes_ready(1);
    (rig, ready.number)
}

/// A leader whose ready with a proposal is taken, and whose messages have not left. The ready's number is returned.
fn keeps_entry() -> (Rig, u64) {
    let mut rig = Rig::led();
    rig.call(1, Rig::propose());
    let ready = rig.ready(1).expect("there is an entry");
    rig.call(1, Call::Ready(ready.clone()));
    (rig, ready.number)
}

/// The leader lets its messages go.
fn lets_go((rig, _): (Rig, u64)) -> (Rig, MemberId, Step) {
    let call = Call::Release { numbers: rig.inside(1), durable: 0 };
    next(rig, 1, call)
}

/// A leader whose raft loop waits for the save of a proposal. The ready's number is returned.
fn blocking() -> (Rig, u64) {
    let mut rig = Rig::empty();
    rig.configure(true);
    let mut rig = rig.led_here();
    rig.call(1, Rig::propose());
    let ready = rig.takes_ready(1);
    (rig, ready.number)
}

/// A leader that has proposed entry 5, of which nobody else has heard yet.
fn alone_with_entry_5() -> Rig {
    let mut rig = Rig::led();
    rig.does(1, Rig::propose());
    rig.wire.clear();
    rig
}

/// A leader of member 3, which needs entries that the log no longer has.
fn needs_snapshot() -> Rig {
    let mut rig = Rig::led();
    rig.node_mut(1).state.first = 5;
    let at = rig.node(1).flow_at(id(3)).expect("it is tracked");
    let flow = &mut rig.node_mut(1).flows[at].1;
    (flow.progress.matched, flow.progress.next) = (3, 4);
    flow.probe();
    flow.progress.active = true;
    rig
}

/// The leader's snapshot of everything it has applied.
fn snapshot(rig: &Rig) -> Message {
    let mut snapshot = Rig::message(MessageKind::Snapshot, 1, 3, 2);
    (snapshot.index, snapshot.log_term) = (4, 2);
    let configuration = rig.node(1).configuration.clone();
    snapshot.snapshot = Some(Box::new(SnapshotHead { index: 4, term: 2, configuration }));
    snapshot
}

/// A leader that has sent member 3 its snapshot.
fn sent_snapshot() -> Rig {
    let mut rig = needs_snapshot();
    let call = Call::Receive(Rig::message(MessageKind::HeartbeatResponse, 3, 1, 2));
    let step = rig.right_with(1, call, vec![snapshot(&rig)]);
    rig.take(id(1), &step);
    rig
}

/// Member 2 of term 1 receives a snapshot that is ahead of its log.
fn takes_snapshot() -> (Rig, MemberId, Step) {
    let rig = Rig::cluster(&[1, 2, 3]);
    let mut message = snapshot(&Rig::led());
    message.to = id(2);
    (message.index, message.log_term) = (9, 2);
    arrives(rig, message)
}

/// A leader of voters 1 to 3 has committed a change that nobody has applied.
fn committed_change() -> Rig {
    let mut rig = Rig::led();
    let call = rig.propose_change(1, change(MemberChange::Learner, 4));
    rig.does(1, call);
    rig.quiet_but(|message| message.kind == MessageKind::AppendResponse);
    // The leader has both acknowledgements, and its ready is not taken.
    let answer = rig.held.remove(0);
    rig.call(1, Call::Receive(answer));
    assert_eq!((rig.node(1).state.commit, rig.node(1).state.applied), (5, 4));
    let ready = rig.takes_ready(1);
    rig.call(1, Call::Persisted { number: ready.number });
    rig
}

/// A leader in a joint configuration, just before raft knows that it has applied it.
fn joint(transition: Transition) -> Rig {
    let mut rig = Rig::led();
    let both =
        Change { transition, changes: vec![(MemberChange::Remove, id(3)), (MemberChange::Learner, id(4))] };
    let call = rig.propose_change(1, both.clone());
    rig.does(1, call);
    rig.quiet_but(|message| message.kind == MessageKind::AppendResponse);
    let answer = rig.held.remove(0);
    rig.call(1, Call::Receive(answer));
    let ready = rig.takes_ready(1);
    rig.call(1, Call::Persisted { number: ready.number });
    rig.call(1, Call::ApplyChange(Box::new(both)));
    rig
}

pub(super) const CASES: &[Case] = &[
    // ---- terms, roles, clocks
    Case {
        rule: Rule::TermMoves,
        what: "a heartbeat of the current term raises the term",
        right: || arrives(Rig::led(), heartbeat()),
        wrong: |step| step.after.term += 1,
    },
    Case {
        rule: Rule::TermMoves,
        what: "a tick lowers the term",
        right: || next(Rig::led(), 2, Call::Tick),
        wrong: |step| step.after.term -= 1,
    },
    Case {
        rule: Rule::PreVoteKeepsTerm,
        what: "a request for a pre-vote raises the term",
        right: || arrives(leaderless(), request(MessageKind::RequestPreVote, 3, (5, 2))),
        wrong: |step| step.after.term = 3,
    },
    Case {
        rule: Rule::StaleChangesNothing,
        what: "a heartbeat of a lower term is followed",
        right: || arrives(Rig::led(), Rig::message(MessageKind::Heartbeat, 3, 2, 1)),
        wrong: |step| step.after.leader = id(3),
    },
    Case {
        rule: Rule::StaleChangesNothing,
        what: "a leader of a lower term does not hear",
        right: || arrives(Rig::led(), Rig::message(MessageKind::Heartbeat, 3, 2, 1)),
        wrong: |step| step.out.clear(),
    },
    Case {
        rule: Rule::StrangerChangesNothing,
        what: "the answer of a stranger is taken",
        right: || arrives(Rig::led(), Rig::message(MessageKind::AppendResponse, 9, 1, 2)),
        wrong: |step| step.accepted = true,
    },
    Case {
        rule: Rule::RoleChanges,
        what: "a proposal makes a follower a candidate",
        right: || next(Rig::led(), 2, Rig::propose()),
        wrong: |step| step.after.role = Role::Candidate,
    },
    Case {
        rule: Rule::FollowsLeader,
        what: "a heartbeat is heard without its leader",
        right: || arrives(leaderless(), Rig::message(MessageKind::Heartbeat, 1, 2, 2)),
        wrong: |step| step.after.leader = MemberId::NONE,
    },
    Case {
        rule: Rule::FollowsLeader,
        what: "a candidate stays one when the leader of its term is heard",
        right: || {
            let mut rig = leaderless();
            rig.tick(2, 10);
            arrives(rig, Rig::message(MessageKind::Heartbeat, 1, 2, 2))
        },
        wrong: |step| step.after.role = Role::PreCandidate,
    },
    Case {
        rule: Rule::OneLeader,
        what: "a second leader of the term is followed",
        right: || arrives(Rig::led(), heartbeat()),
        wrong: |step| received(step).from = id(3),
    },
    Case {
        rule: Rule::ClockMoves,
        what: "a tick counts twice",
        right: || next(Rig::led(), 2, Call::Tick),
        wrong: |step| step.after.elapsed += 1,
    },
    Case {
        rule: Rule::TimeoutInRange,
        what: "an election timeout is too short",
        right: || next(Rig::led(), 2, Call::Tick),
        wrong: |step| step.after.timeout = 9,
    },
    Case {
        rule: Rule::Restart,
        what: "a process starts as a leader",
        right: || {
            let rig = Rig::empty();
            let step = rig.start_step(&configuration(&[1], &[]), (3, 1), &Entries::default(), (1, 3, 3));
            (rig, id(1), step)
        },
        wrong: |step| step.after.role = Role::Leader,
    },
    Case {
        rule: Rule::Frame,
        what: "a heartbeat makes a member want a snapshot",
        right: || arrives(Rig::led(), heartbeat()),
        wrong: |step| step.after.wanted_snapshot = 4,
    },
    // ---- elections
    Case {
        rule: Rule::CampaignDue,
        what: "the timeout runs out and nothing happens",
        right: || {
            let mut rig = leaderless();
            rig.tick(2, 9);
            next(rig, 2, Call::Tick)
        },
        wrong: |step| step.after.role = Role::Follower,
    },
    Case {
        rule: Rule::CampaignDue,
        what: "a member campaigns before its timeout",
        right: || next(leaderless(), 2, Call::Tick),
        wrong: |step| step.after.role = Role::PreCandidate,
    },
    Case {
        rule: Rule::CampaignVotersOnly,
        what: "a learner campaigns",
        right: || {
            let mut rig = Rig::with_log(&[1, 2], &[3], &Entries::default(), (1, 3, 3));
            rig.tick(3, 9);
            next(rig, 3, Call::Tick)
        },
        wrong: |step| step.after.role = Role::PreCandidate,
    },
    Case {
        rule: Rule::CampaignVotersOnly,
        what: "a learner is told to campaign, and does",
        right: || {
            let rig = Rig::with_log(&[1], &[2], &Entries::default(), (1, 3, 3));
            next(rig, 2, Call::Campaign)
        },
        wrong: |step| step.after.role = Role::PreCandidate,
    },
    Case {
        rule: Rule::CampaignGuard,
        what: "a member campaigns with a committed change that it has not applied",
        right: || {
            let log = entries(4, &[1], EntryKind::Change);
            let mut rig = Rig::with_log(&[1, 2, 3], &[], &log, (1, 4, 3));
            (0..9).for_each(|_| _ = rig.call(2, Call::Tick));
            next(rig, 2, Call::Tick)
        },
        wrong: |step| step.after.role = Role::PreCandidate,
    },
    Case {
        rule: Rule::CampaignAsks,
        what: "a request for a pre-vote names a later entry",
        right: || {
            let mut rig = leaderless();
            rig.tick(2, 9);
            next(rig, 2, Call::Tick)
        },
        wrong: |step| step.out[0].index += 1,
    },
    Case {
        rule: Rule::CampaignAsks,
        what: "one voter is not asked",
        right: || {
            let mut rig = leaderless();
            rig.tick(2, 9);
            next(rig, 2, Call::Tick)
        },
        wrong: |step| _ = step.out.pop(),
    },
    Case {
        rule: Rule::VoteOnce,
        what: "a second vote is given in a term",
        right: || {
            let mut rig = leaderless();
            let mut first = request(MessageKind::RequestVote, 3, (5, 2));
            first.from = id(1);
            rig.does(2, Call::Receive(first));
            arrives(rig, request(MessageKind::RequestVote, 3, (5, 2)))
        },
        wrong: |step| {
            step.out[0].reject = false;
            step.after.vote = id(3);
        },
    },
    Case {
        rule: Rule::VoteUpToDate,
        what: "a candidate with a shorter log gets a vote",
        right: || arrives(leaderless(), request(MessageKind::RequestVote, 3, (4, 2))),
        wrong: |step| {
            step.out[0].reject = false;
            step.after.vote = id(3);
        },
    },
    Case {
        rule: Rule::VoteUpToDate,
        what: "a candidate with a log of a later term is refused",
        right: || arrives(leaderless(), request(MessageKind::RequestVote, 4, (4, 3))),
        wrong: |step| {
            step.out[0].reject = true;
            step.after.vote = MemberId::NONE;
        },
    },
    Case {
        rule: Rule::VoteLease,
        what: "a candidate disturbs a leader that was just heard",
        right: || arrives(Rig::led(), request(MessageKind::RequestVote, 5, (4, 2))),
        wrong: |step| step.after.term = 5,
    },
    Case {
        rule: Rule::VoteAnswered,
        what: "a request for a vote is not answered",
        right: || arrives(leaderless(), request(MessageKind::RequestVote, 3, (5, 2))),
        wrong: |step| step.out.clear(),
    },
    Case {
        rule: Rule::VoteAnswered,
        what: "the grant of a pre-vote has the voter's term",
        right: || arrives(leaderless(), request(MessageKind::RequestPreVote, 3, (5, 2))),
        wrong: |step| step.out[0].term = 2,
    },
    Case {
        rule: Rule::VotesCounted,
        what: "a refusal counts as a vote",
        right: || {
            let mut rig = Rig::cluster(&[1, 2, 3, 4, 5]);
            rig.tick(1, 10);
            let mut answer = Rig::message(MessageKind::RequestPreVoteResponse, 2, 1, 1);
            answer.reject = true;
            arrives(rig, answer)
        },
        wrong: |step| step.changed.votes = Some(vec![(id(1), true), (id(2), true)]),
    },
    Case {
        rule: Rule::VotesCounted,
        what: "a vote is not counted",
        right: || {
            let mut rig = Rig::cluster(&[1, 2, 3, 4, 5]);
            rig.tick(1, 10);
            arrives(rig, Rig::message(MessageKind::RequestPreVoteResponse, 2, 1, 2))
        },
        wrong: |step| step.changed.votes = None,
    },
    Case {
        rule: Rule::WonByQuorum,
        what: "two votes of five make a candidate",
        right: || {
            let mut rig = Rig::cluster(&[1, 2, 3, 4, 5]);
            rig.tick(1, 10);
            arrives(rig, Rig::message(MessageKind::RequestPreVoteResponse, 2, 1, 2))
        },
        wrong: |step| step.after.role = Role::Candidate,
    },
    Case {
        rule: Rule::WonByQuorum,
        what: "a candidate with a quorum waits",
        right: || {
            let mut rig = Rig::cluster(&[1, 2, 3]);
            rig.tick(1, 10);
            rig.quiet_but(|message| message.kind == MessageKind::RequestVoteResponse);
            let answer = rig.held.remove(0);
            arrives(rig, answer)
        },
        wrong: |step| step.after.role = Role::Candidate,
    },
    Case {
        rule: Rule::LeaderBegins,
        what: "a new leader adds no entry of its term",
        right: || {
            let mut rig = Rig::cluster(&[1, 2, 3]);
            rig.tick(1, 10);
            rig.quiet_but(|message| message.kind == MessageKind::RequestVoteResponse);
            let answer = rig.held.remove(0);
            arrives(rig, answer)
        },
        wrong: |step| {
            step.changed.entries = Entries::default();
            step.after.last = (3, 1);
        },
    },
    Case {
        rule: Rule::LeaderBegins,
        what: "a new leader believes that the others match",
        right: || {
            let mut rig = Rig::cluster(&[1, 2, 3]);
            rig.tick(1, 10);
            rig.quiet_but(|message| message.kind == MessageKind::RequestVoteResponse);
            let answer = rig.held.remove(0);
            arrives(rig, answer)
        },
        wrong: |step| progress(step, 2).matched = 3,
    },
    Case {
        rule: Rule::CommitByVote,
        what: "a commit index of another term is taken",
        right: || {
            let mut message = request(MessageKind::RequestPreVote, 3, (3, 1));
            (message.commit, message.commit_term) = (5, 1);
            arrives(leaderless(), message)
        },
        wrong: |step| step.after.commit = 5,
    },
    // ---- logs
    Case {
        rule: Rule::LeaderAppends,
        what: "a leader cuts its log",
        right: || arrives(Rig::led(), Rig::message(MessageKind::HeartbeatResponse, 2, 1, 2)),
        wrong: |step| step.after.last = (3, 1),
    },
    Case {
        rule: Rule::AppendConsistent,
        what: "an append is accepted that does not fit",
        right: || {
            let mut append = append();
            (append.index, append.log_term) = (7, 3);
            append.entries = entries(8, &[3], EntryKind::Data);
            arrives(leaderless(), append)
        },
        wrong: |step| step.out[0].reject = false,
    },
    Case {
        rule: Rule::CutAtConflict,
        what: "an append of what is there already cuts what follows",
        right: || {
            let mut append = append();
            (append.index, append.log_term, append.term) = (4, 2, 2);
            append.entries = Entries::default();
            append.entries.push(5, 2, EntryKind::Data, 1);
            arrives(
                Rig::with_log(&[1, 2, 3], &[], &entries(4, &[2, 2, 2], EntryKind::Data), (2, 4, 4)),
                append,
            )
        },
        wrong: |step| step.after.last = (5, 2),
    },
    Case {
        rule: Rule::CutAtConflict,
        what: "an append conflicts with what is committed",
        right: || {
            let mut append = append();
            append.entries = entries(5, &[2, 2], EntryKind::Data);
            arrives(Rig::with_log(&[1, 2, 3], &[], &entries(4, &[2, 2], EntryKind::Data), (2, 5, 5)), append)
        },
        wrong: |step| {
            let message = received(step);
            (message.index, message.log_term) = (5, 2);
            message.entries = entries(5, &[3, 3], EntryKind::Data);
        },
    },
    Case {
        rule: Rule::AppendTaken,
        what: "an append is acknowledged and not stored",
        right: || arrives(leaderless(), append()),
        wrong: |step| {
            step.after.last = (5, 2);
            step.changed.entries = Entries::default();
        },
    },
    Case {
        rule: Rule::FollowerCommit,
        what: "the commit index of an append is ignored",
        right: || arrives(leaderless(), append()),
        wrong: |step| step.after.commit = 4,
    },
    Case {
        rule: Rule::FollowerCommit,
        what: "the commit index goes beyond what the leader is known to share",
        right: || {
            let mut append = append();
            (append.term, append.commit) = (2, 5);
            append.entries = Entries::default();
            arrives(leaderless(), append)
        },
        wrong: |step| step.after.commit = 5,
    },
    Case {
        rule: Rule::AppendAnswered,
        what: "more is acknowledged than agrees",
        right: || arrives(leaderless(), append()),
        wrong: |step| step.out[0].index += 1,
    },
    Case {
        rule: Rule::AppendAnswered,
        what: "the hint of a refusal is the refused index",
        right: || {
            let mut append = append();
            (append.index, append.log_term) = (7, 1);
            append.entries = Entries::default();
            arrives(leaderless(), append)
        },
        wrong: |step| step.out[0].hint = 5,
    },
    Case {
        rule: Rule::HeartbeatAnswered,
        what: "a heartbeat is not answered",
        right: || arrives(Rig::led(), heartbeat()),
        wrong: |step| step.out.clear(),
    },
    // ---- replication
    Case {
        rule: Rule::MatchMoves,
        what: "an acknowledgement moves more than it covers",
        right: || arrives(alone_with_entry_5(), acknowledgement(2, 5)),
        wrong: |step| progress(step, 2).matched = 6,
    },
    Case {
        rule: Rule::AcknowledgedExists,
        what: "an acknowledgement goes beyond the leader's log",
        right: || arrives(alone_with_entry_5(), acknowledgement(2, 5)),
        wrong: |step| received(step).index = 9,
    },
    Case {
        rule: Rule::NextMoves,
        what: "the next entry skips some",
        right: || next(Rig::led(), 1, Rig::propose()),
        wrong: |step| progress(step, 2).next += 1,
    },
    Case {
        rule: Rule::NextAboveMatch,
        what: "the next entry falls to what matches",
        right: || arrives(alone_with_entry_5(), acknowledgement(2, 5)),
        wrong: |step| progress(step, 2).next = 5,
    },
    Case {
        rule: Rule::FlowControl,
        what: "an append in flight is not counted",
        right: || next(Rig::led(), 1, Rig::propose()),
        wrong: |step| progress(step, 2).inflight -= 1,
    },
    Case {
        rule: Rule::FlowControl,
        what: "probing goes on after an acknowledgement",
        right: || {
            let mut rig = Rig::just_elected();
            let answer = rig.held.remove(0);
            arrives(rig, answer)
        },
        wrong: |step| step.changed.progress.iter_mut().for_each(|(_, progress)| progress.mode = Mode::Probe),
    },
    Case {
        rule: Rule::AppendTrue,
        what: "an append names another term of the entry before",
        right: || next(Rig::led(), 1, Rig::propose()),
        wrong: |step| step.out[0].log_term += 1,
    },
    Case {
        rule: Rule::AppendTrue,
        what: "an append has entries of another term",
        right: || next(Rig::led(), 1, Rig::propose()),
        wrong: |step| step.out[0].entries = entries(5, &[1], EntryKind::Data),
    },
    Case {
        rule: Rule::AppendDue,
        what: "a proposal is not sent to one member",
        right: || next(Rig::led(), 1, Rig::propose()),
        wrong: |step| _ = step.out.pop(),
    },
    Case {
        rule: Rule::AppendSize,
        what: "an append has several entries and too many bytes",
        right: || {
            let mut rig = Rig::just_elected();
            rig.does(1, Rig::propose());
            rig.does(1, Rig::propose());
            let answer = rig.held.remove(0);
            arrives(rig, answer)
        },
        wrong: |step| step.out.iter_mut().for_each(|message| message.entries.bytes = 2_000),
    },
    Case {
        rule: Rule::HeartbeatTrue,
        what: "a heartbeat commits what the member is not known to have",
        right: || next(Rig::just_elected(), 1, Call::Tick),
        wrong: |step| step.out[0].commit += 3,
    },
    Case {
        rule: Rule::HeartbeatDue,
        what: "a heartbeat is left out",
        right: || next(Rig::led(), 1, Call::Tick),
        wrong: |step| _ = step.out.pop(),
    },
    Case {
        rule: Rule::SnapshotTrue,
        what: "a snapshot has another configuration",
        right: || {
            let rig = needs_snapshot();
            let call = Call::Receive(Rig::message(MessageKind::HeartbeatResponse, 3, 1, 2));
            let step = rig.right_with(1, call, vec![snapshot(&rig)]);
            (rig, id(1), step)
        },
        wrong: |step| {
            let snapshot = step.out[0].snapshot.as_mut().expect("it is a snapshot");
            snapshot.configuration.voters.pop();
        },
    },
    Case {
        rule: Rule::SnapshotDue,
        what: "a snapshot is sent where entries are due",
        right: || arrives(Rig::just_elected(), Rig::message(MessageKind::HeartbeatResponse, 3, 1, 2)),
        wrong: |step| {
            let message = snapshot(&Rig::led());
            step.out.iter_mut().filter(|sent| sent.to == id(3)).for_each(|sent| *sent = message.clone());
        },
    },
    Case {
        rule: Rule::SnapshotTaken,
        what: "a snapshot is taken without its commit index",
        right: takes_snapshot,
        wrong: |step| step.after.commit = 3,
    },
    Case {
        rule: Rule::SnapshotTaken,
        what: "a snapshot is taken without its configuration",
        right: takes_snapshot,
        wrong: |step| step.changed.configuration = Some(Box::new(configuration(&[1, 2], &[]))),
    },
    Case {
        rule: Rule::SnapshotAnswered,
        what: "a snapshot is answered with another index",
        right: takes_snapshot,
        wrong: |step| step.out[0].index = 3,
    },
    Case {
        rule: Rule::ActiveCounted,
        what: "the answer to a heartbeat does not count as activity",
        right: || arrives(Rig::just_elected(), Rig::message(MessageKind::HeartbeatResponse, 3, 1, 2)),
        wrong: |step| progress(step, 3).active = false,
    },
    // ---- commit
    Case {
        rule: Rule::CommitQuorum,
        what: "a leader commits what only it has",
        right: || {
            let mut rig = Rig::led();
            rig.call(1, Rig::propose());
            let ready = rig.takes_ready(1);
            rig.synced(1, ready.job.expect("an entry is saved"));
            next(rig, 1, Call::Persisted { number: ready.number })
        },
        wrong: |step| step.after.commit = 5,
    },
    Case {
        rule: Rule::CommitOwnTerm,
        what: "a leader commits an entry of an earlier term",
        right: || {
            let mut rig = leaderless();
            rig.tick(1, 10);
            rig.quiet_but(|message| message.kind == MessageKind::AppendResponse);
            assert_eq!(rig.node(1).state.term, 3);
            arrives(rig, Message { term: 3, ..acknowledgement(2, 5) })
        },
        wrong: |step| step.after.commit = 5,
    },
    Case {
        rule: Rule::CommitDue,
        what: "a leader does not commit what a quorum has",
        right: || arrives(alone_with_entry_5(), acknowledgement(2, 5)),
        wrong: |step| step.after.commit = 4,
    },
    Case {
        rule: Rule::CommitNeverBack,
        what: "a commit index goes back",
        right: || arrives(Rig::led(), heartbeat()),
        wrong: |step| step.after.commit = 3,
    },
    Case {
        rule: Rule::CommitKnown,
        what: "a commit index goes beyond the log",
        right: || arrives(Rig::led(), heartbeat()),
        wrong: |step| step.after.commit = 9,
    },
    // ---- leadership
    Case {
        rule: Rule::CheckQuorum,
        what: "a leader that nobody answers leads on",
        right: || {
            let mut rig = Rig::led();
            (0..2).for_each(|_| rig.tick(1, 9));
            rig.node_mut(1).flows.iter_mut().for_each(|(_, flow)| flow.progress.active = false);
            rig.node_mut(1).state.elapsed = 9;
            next(rig, 1, Call::Tick)
        },
        wrong: |step| step.after.role = Role::Leader,
    },
    Case {
        rule: Rule::TransferState,
        what: "a transfer is forgotten",
        right: || next(Rig::led(), 1, Call::TransferLeader { to: id(2) }),
        wrong: |step| step.after.transferee = MemberId::NONE,
    },
    Case {
        rule: Rule::TransferState,
        what: "a transfer is not given up",
        right: || {
            let mut rig = Rig::led();
            rig.does(1, Call::TransferLeader { to: id(2) });
            rig.wire.clear();
            for _ in 0..9 {
                rig.tick(1, 1);
                rig.cut_off.insert(id(2));
                rig.quiet();
            }
            next(rig, 1, Call::Tick)
        },
        wrong: |step| step.after.transferee = id(2),
    },
    Case {
        rule: Rule::TransferOrder,
        what: "the successor is not ordered to campaign",
        right: || next(Rig::led(), 1, Call::TransferLeader { to: id(2) }),
        wrong: |step| step.out.clear(),
    },
    Case {
        rule: Rule::TransferOrder,
        what: "the successor is not ordered to campaign when its log is complete",
        right: || {
            let mut rig = alone_with_entry_5();
            rig.does(1, Call::TransferLeader { to: id(2) });
            arrives(rig, acknowledgement(2, 5))
        },
        wrong: |step| step.out.retain(|message| message.kind != MessageKind::TimeoutNow),
    },
    Case {
        rule: Rule::StepDownRemoved,
        what: "the host deposes a leader of the configuration",
        right: || next(Rig::led(), 1, Call::Tick),
        wrong: |step| step.call = Call::StepDown,
    },
    // ---- proposals and the configuration
    Case {
        rule: Rule::ProposalTaken,
        what: "a leader refuses a proposal",
        right: || next(Rig::led(), 1, Rig::propose()),
        wrong: |step| step.accepted = false,
    },
    Case {
        rule: Rule::ProposalTaken,
        what: "a leader takes a proposal while it transfers its leadership",
        right: || {
            let mut rig = Rig::led();
            rig.does(1, Call::TransferLeader { to: id(2) });
            next(rig, 1, Rig::propose())
        },
        wrong: |step| step.accepted = true,
    },
    Case {
        rule: Rule::OneChangeAtATime,
        what: "a second change enters the log before the first is applied",
        right: || {
            let mut rig = committed_change();
            let call = rig.propose_change(1, change(MemberChange::Voter, 5));
            next(rig, 1, call)
        },
        wrong: |step| step.changed.entries = entries(6, &[2], EntryKind::Change),
    },
    Case {
        rule: Rule::ConfigurationApplied,
        what: "the change takes effect on another member",
        right: || {
            let rig = committed_change();
            next(rig, 1, Call::ApplyChange(Box::new(change(MemberChange::Learner, 4))))
        },
        wrong: |step| step.changed.configuration = Some(Box::new(configuration(&[1, 2, 3], &[5]))),
    },
    Case {
        rule: Rule::ConfigurationApplied,
        what: "several changes take effect at once",
        right: || {
            let mut rig = committed_change();
            let both = vec![(MemberChange::Voter, id(4)), (MemberChange::Voter, id(5))];
            rig.node_mut(1).state.role = Role::Follower;
            let changes = Change { changes: both, ..Change::default() };
            next(rig, 1, Call::ApplyChange(Box::new(changes)))
        },
        wrong: |step| step.changed.configuration = Some(Box::new(configuration(&[1, 2, 3, 4, 5], &[]))),
    },
    Case {
        rule: Rule::ConfigurationsAgree,
        what: "two members have different configurations after one entry",
        right: || {
            let mut rig = committed_change();
            rig.call(1, Call::ApplyChange(Box::new(change(MemberChange::Learner, 4))));
            rig.call(1, Call::Applied { index: 5 });
            rig.work(1);
            rig.quiet_but(|message| message.to == id(2));
            rig.node_mut(2).state.commit = 5;
            next(rig, 2, Call::ApplyChange(Box::new(change(MemberChange::Learner, 4))))
        },
        wrong: |step| step.changed.configuration = Some(Box::new(configuration(&[1, 2, 3], &[5]))),
    },
    Case {
        rule: Rule::JointLeft,
        what: "a leader stays in the joint configuration",
        right: || next(joint(Transition::Auto), 1, Call::Applied { index: 5 }),
        wrong: |step| {
            step.changed.entries = Entries::default();
            step.after.last = (5, 2);
        },
    },
    // ---- reads
    Case {
        rule: Rule::ReadAfterCommit,
        what: "a leader takes a read before it has committed in its term",
        right: || next(Rig::just_elected(), 1, Rig::read(7)),
        wrong: |step| {
            let read = Read { context: Rig::context(7), index: 3, from: MemberId::NONE, acks: ids(&[1]) };
            step.changed.reads = Some(vec![read]);
        },
    },
    Case {
        rule: Rule::ReadByQuorum,
        what: "a read index is given out that nobody confirmed",
        right: || {
            let mut rig = Rig::led();
            rig.call(1, Rig::read(7));
            let ready = rig.ready(1).expect("there are heartbeats");
            next(rig, 1, Call::Ready(ready))
        },
        wrong: |step| match &mut step.call {
            Call::Ready(ready) => ready.reads.push((Rig::context(7), 4)),
            other => panic!("{other:?} is no ready"),
        },
    },
    Case {
        rule: Rule::ReadByQuorum,
        what: "one acknowledgement of five members confirms a read",
        right: || {
            let mut rig = Rig::cluster(&[1, 2, 3, 4, 5]);
            rig.campaigns(1);
            rig.does(1, Rig::read(7));
            rig.wire.clear();
            let mut answer = Rig::message(MessageKind::HeartbeatResponse, 2, 1, 2);
            answer.context = Rig::context(7);
            arrives(rig, answer)
        },
        wrong: |step| step.changed.reads = Some(Vec::new()),
    },
    Case {
        rule: Rule::ReadIndexTrue,
        what: "a read is noted with another index",
        right: || next(Rig::led(), 1, Rig::read(7)),
        wrong: |step| step.changed.reads.iter_mut().flatten().for_each(|read| read.index -= 1),
    },
    Case {
        rule: Rule::ReadContextOnce,
        what: "a number is used for a second read",
        right: || {
            let mut rig = Rig::led();
            rig.does(2, Rig::read(7));
            next(rig, 2, Rig::read(8))
        },
        wrong: |step| step.call = Rig::read(7),
    },
    Case {
        rule: Rule::ReadPassedOn,
        what: "a read is passed on to another member",
        right: || next(Rig::led(), 2, Rig::read(7)),
        wrong: |step| step.out[0].to = id(3),
    },
    // ---- the host
    Case {
        rule: Rule::ReadyComplete,
        what: "a ready leaves out a message",
        right: || {
            let mut rig = Rig::led();
            rig.call(1, Rig::propose());
            let ready = rig.ready(1).expect("there is an entry");
            next(rig, 1, Call::Ready(ready))
        },
        wrong: |step| match &mut step.call {
            Call::Ready(ready) => ready.messages -= 1,
            other => panic!("{other:?} is no ready"),
        },
    },
    Case {
        rule: Rule::AppliedWhenCommitted,
        what: "an entry is handed over that is not committed",
        right: || {
            let mut rig = Rig::led();
            rig.call(1, Rig::propose());
            let ready = rig.ready(1).expect("there is an entry");
            next(rig, 1, Call::Ready(ready))
        },
        wrong: |step| match &mut step.call {
            Call::Ready(ready) => ready.committed = Some((5, 5)),
            other => panic!("{other:?} is no ready"),
        },
    },
    Case {
        rule: Rule::PersistedWhenDurable,
        what: "a leader counts its own entry while the disk still writes it",
        right: || next(unsaved().0, 1, Call::Tick),
        wrong: |step| step.call = Call::Persisted { number: unsaved().1 },
    },
    Case {
        rule: Rule::PersistedMoves,
        what: "a durable entry is not counted",
        right: || {
            let mut rig = Rig::led();
            rig.call(1, Rig::propose());
            let ready = rig.takes_ready(1);
            rig.synced(1, ready.job.expect("an entry is saved"));
            next(rig, 1, Call::Persisted { number: ready.number })
        },
        wrong: |step| step.after.persisted = 4,
    },
    Case {
        rule: Rule::DurableBeforeSent,
        what: "a vote leaves before it is durable",
        right: || {
            let mut rig = leaderless();
            rig.call(2, Call::Receive(request(MessageKind::RequestVote, 3, (5, 2))));
            rig.takes_ready(2);
            next(rig, 2, Call::Tick)
        },
        wrong: |step| step.call = Call::Release { numbers: vec![1], durable: 0 },
    },
    Case {
        rule: Rule::DurableBeforeSent,
        what: "an acknowledgement leaves before its entries are durable",
        right: || {
            let mut rig = leaderless();
            rig.call(2, Call::Receive(append_of_term_2()));
            rig.takes_ready(2);
            next(rig, 2, Call::Tick)
        },
        wrong: |step| step.call = Call::Release { numbers: vec![1], durable: 0 },
    },
    Case {
        rule: Rule::LeaderDurable,
        what: "the only voter's learner hears of it before its vote is durable",
        right: || {
            let mut rig = Rig::with_log(&[1], &[2], &Entries::default(), (1, 3, 3));
            rig.call(1, Call::Campaign);
            rig.takes_ready(1);
            next(rig, 1, Call::Tick)
        },
        wrong: |step| step.call = Call::Release { numbers: vec![1], durable: 0 },
    },
    Case {
        rule: Rule::MessagesWait,
        what: "a forwarded proposal leaves before its ready is durable",
        right: || {
            let mut rig = Rig::led();
            let mut append = Message { entries: entries(5, &[2], EntryKind::Data), ..empty_append() };
            append.to = id(2);
            rig.call(2, Call::Receive(append));
            rig.call(2, Rig::propose());
            rig.takes_ready(2);
            next(rig, 2, Call::Tick)
        },
        wrong: |step| step.call = Call::Release { numbers: (1..20).collect(), durable: 0 },
    },
    Case {
        rule: Rule::MessagesLeave,
        what: "a leader keeps its messages until its entry is durable",
        right: || lets_go(keeps_entry()),
        wrong: |step| step.call = Call::Persisted { number: keeps_entry().1 },
    },
    Case {
        rule: Rule::MessagesLeave,
        what: "a leader lets one of two messages go",
        right: || lets_go(keeps_entry()),
        wrong: |step| match &mut step.call {
            Call::Release { numbers, .. } => _ = numbers.pop(),
            other => panic!("{other:?} lets nothing go"),
        },
    },
    Case {
        rule: Rule::LoopWaits,
        what: "a member ticks while it saves",
        right: || arrives(blocking().0, Rig::message(MessageKind::HeartbeatResponse, 2, 1, 2)),
        wrong: |step| step.call = Call::Tick,
    },
    Case {
        rule: Rule::LoopWaits,
        what: "a member takes a ready while it saves",
        right: || arrives(blocking().0, Rig::message(MessageKind::HeartbeatResponse, 2, 1, 2)),
        wrong: |step| step.call = Call::Ready(Ready { number: blocking().1 + 1, ..Ready::default() }),
    },
    Case {
        rule: Rule::Configured,
        what: "raft sends a heartbeat every other tick",
        right: || {
            let mut rig = Rig::empty();
            rig.configure(true);
            let at = (1, 3, 3);
            let step = rig.start_step(&configuration(&[1, 2, 3], &[]), (3, 1), &Entries::default(), at);
            (rig, id(1), step)
        },
        wrong: |step| match &mut step.call {
            Call::Start(start) => start.settings.heartbeat = 2,
            other => panic!("{other:?} is no start"),
        },
    },
    Case {
        rule: Rule::ReleasedOnce,
        what: "a message leaves that raft has not put out",
        right: || next(Rig::led(), 1, Call::Release { numbers: Vec::new(), durable: 0 }),
        wrong: |step| step.call = Call::Release { numbers: vec![999], durable: 0 },
    },
    Case {
        rule: Rule::ReleasedOnce,
        what: "a message leaves twice with a ready that need not be saved",
        right: || {
            let mut rig = Rig::led();
            rig.call(1, Rig::read(7));
            let ready = rig.ready(1).expect("there are heartbeats");
            let heartbeats = rig.inside(1);
            next(rig, 1, Call::Ready(at_once(ready, heartbeats)))
        },
        wrong: |step| match &mut step.call {
            Call::Ready(ready) => ready.left.push(ready.left[0]),
            other => panic!("{other:?} is no ready"),
        },
    },
    Case {
        rule: Rule::PersistedWhenDurable,
        what: "a ready counts as durable while the disk still writes an earlier one",
        right: || {
            let mut rig = unsaved().0;
            rig.call(1, Rig::read(7));
            let ready = rig.ready(1).expect("there are heartbeats");
            next(rig, 1, Call::Ready(ready))
        },
        wrong: |step| match &mut step.call {
            Call::Ready(ready) => ready.durable = true,
            other => panic!("{other:?} is no ready"),
        },
    },
    Case {
        rule: Rule::UncommittedCounted,
        what: "bytes stay counted when everything was handed over",
        right: || {
            let mut rig = Rig::led();
            rig.does(1, Rig::propose());
            rig.quiet_but(|message| message.kind == MessageKind::AppendResponse);
            let answer = rig.held.remove(0);
            rig.call(1, Call::Receive(answer));
            let ready = rig.ready(1).expect("an entry is committed");
            assert_eq!(ready.committed, Some((5, 5)));
            next(rig, 1, Call::Ready(ready))
        },
        wrong: |step| step.after.uncommitted = 7,
    },
    Case {
        rule: Rule::Unasked,
        what: "a follower sends a heartbeat",
        right: || next(Rig::led(), 2, Call::Tick),
        wrong: |step| step.out.push(Rig::message(MessageKind::Heartbeat, 2, 3, 2)),
    },
    // ---- the guards of the actions, each where it matters
    Case {
        rule: Rule::VoteAnswered,
        what: "a request that the leader ordered is ignored because the leader was heard",
        right: || {
            let mut message = request(MessageKind::RequestVote, 3, (4, 2));
            message.context = Context::Transfer;
            arrives(Rig::led(), message)
        },
        wrong: |step| step.out.clear(),
    },
    Case {
        rule: Rule::VoteAnswered,
        what: "a request for a pre-vote of a lower term is not refused",
        right: || arrives(Rig::led(), request(MessageKind::RequestPreVote, 1, (4, 2))),
        wrong: |step| step.out.clear(),
    },
    Case {
        rule: Rule::VoteAnswered,
        what: "without check-quorum, a member that heard its leader ignores a request",
        right: || {
            let mut rig = Rig::led();
            rig.node_mut(2).settings.check_quorum = false;
            arrives(rig, request(MessageKind::RequestVote, 5, (4, 2)))
        },
        wrong: |step| step.out.clear(),
    },
    Case {
        rule: Rule::PreVoteKeepsTerm,
        what: "the grant of a pre-vote raises the term",
        right: || {
            let mut rig = Rig::cluster(&[1, 2, 3, 4, 5]);
            rig.tick(1, 10);
            arrives(rig, Rig::message(MessageKind::RequestPreVoteResponse, 2, 1, 2))
        },
        wrong: |step| step.after.term = 2,
    },
    Case {
        rule: Rule::StaleChangesNothing,
        what: "a vote of an earlier term counts",
        right: || arrives(candidate(), Rig::message(MessageKind::RequestVoteResponse, 2, 1, 1)),
        wrong: |step| step.changed.votes = Some(vec![(id(1), true), (id(2), true)]),
    },
    Case {
        rule: Rule::VotesCounted,
        what: "the grant of a pre-vote counts as a vote",
        right: || arrives(candidate(), Rig::message(MessageKind::RequestPreVoteResponse, 2, 1, 2)),
        wrong: |step| step.changed.votes = Some(vec![(id(1), true), (id(2), true)]),
    },
    Case {
        rule: Rule::VotesCounted,
        what: "a follower counts votes",
        right: || arrives(Rig::led(), Rig::message(MessageKind::RequestVoteResponse, 3, 2, 2)),
        wrong: |step| step.changed.votes = Some(vec![(id(3), true)]),
    },
    Case {
        rule: Rule::VotesCounted,
        what: "a member changes its mind",
        right: || {
            let mut rig = Rig::cluster(&[1, 2, 3, 4, 5]);
            rig.tick(1, 10);
            let mut refusal = Rig::message(MessageKind::RequestPreVoteResponse, 2, 1, 1);
            refusal.reject = true;
            rig.does(1, Call::Receive(refusal));
            arrives(rig, Rig::message(MessageKind::RequestPreVoteResponse, 2, 1, 2))
        },
        wrong: |step| step.changed.votes = Some(vec![(id(1), true), (id(2), true)]),
    },
    Case {
        rule: Rule::CampaignGuard,
        what: "a candidate learns that a change is committed, and stays one",
        right: || {
            let log = entries(4, &[1], EntryKind::Change);
            let mut rig = Rig::with_log(&[1, 2, 3, 4, 5], &[], &log, (1, 3, 3));
            rig.tick(1, 10);
            let mut refusal = Rig::message(MessageKind::RequestPreVoteResponse, 2, 1, 1);
            (refusal.reject, refusal.commit, refusal.commit_term) = (true, 4, 1);
            arrives(rig, refusal)
        },
        wrong: |step| step.after.role = Role::PreCandidate,
    },
    Case {
        rule: Rule::AppendAnswered,
        what: "an append from below the commit index is answered with its own index",
        right: || {
            let mut append = append();
            (append.index, append.log_term) = (3, 1);
            append.entries = entries(4, &[2], EntryKind::Data);
            arrives(leaderless(), append)
        },
        wrong: |step| step.out[0].index = 3,
    },
    Case {
        rule: Rule::CommitKnown,
        what: "a heartbeat commits what the follower does not have",
        right: || arrives(Rig::led(), heartbeat()),
        wrong: |step| received(step).commit = 9,
    },
    Case {
        rule: Rule::RoleChanges,
        what: "without check-quorum, a leader that nobody answers steps down",
        right: || {
            let mut rig = Rig::just_elected();
            rig.node_mut(1).settings.check_quorum = false;
            rig.tick(1, 9);
            next(rig, 1, Call::Tick)
        },
        wrong: |step| step.after.role = Role::Follower,
    },
    Case {
        rule: Rule::TransferState,
        what: "leadership is transferred to a learner",
        right: || {
            let mut rig = Rig::with_log(&[1, 2], &[3], &Entries::default(), (1, 3, 3));
            rig.campaigns(1);
            next(rig, 1, Call::TransferLeader { to: id(3) })
        },
        wrong: |step| step.after.transferee = id(3),
    },
    Case {
        rule: Rule::TransferState,
        what: "leadership is transferred to the leader",
        right: || next(Rig::led(), 1, Call::TransferLeader { to: id(1) }),
        wrong: |step| step.after.transferee = id(1),
    },
    Case {
        rule: Rule::TransferState,
        what: "a second transfer does not take the place of the first",
        right: || {
            let mut rig = Rig::led();
            rig.does(1, Call::TransferLeader { to: id(2) });
            next(rig, 1, Call::TransferLeader { to: id(3) })
        },
        wrong: |step| step.after.transferee = id(2),
    },
    Case {
        rule: Rule::Unasked,
        what: "the order to campaign is repeated",
        right: || {
            let mut rig = Rig::led();
            rig.does(1, Call::TransferLeader { to: id(2) });
            next(rig, 1, Call::TransferLeader { to: id(2) })
        },
        wrong: |step| step.out.push(Rig::message(MessageKind::TimeoutNow, 1, 2, 2)),
    },
    Case {
        rule: Rule::OneChangeAtATime,
        what: "a change to leave enters the log outside of a joint configuration",
        right: || {
            let mut rig = Rig::led();
            let call = rig.propose_change(1, Change::default());
            next(rig, 1, call)
        },
        wrong: |step| step.changed.entries = entries(5, &[2], EntryKind::Leave),
    },
    Case {
        rule: Rule::OneChangeAtATime,
        what: "a change enters the log in a joint configuration",
        right: || {
            let mut rig = joint(Transition::Explicit);
            rig.call(1, Call::Applied { index: 5 });
            let call = rig.propose_change(1, change(MemberChange::Voter, 5));
            next(rig, 1, call)
        },
        wrong: |step| step.changed.entries = entries(6, &[2], EntryKind::Change),
    },
    Case {
        rule: Rule::ProposalTaken,
        what: "a proposal is taken although too much is uncommitted",
        right: || {
            let mut rig = Rig::led();
            rig.does(1, Call::Propose { kind: EntryKind::Data, bytes: 900 });
            next(rig, 1, Call::Propose { kind: EntryKind::Data, bytes: 200 })
        },
        wrong: |step| step.accepted = true,
    },
    Case {
        rule: Rule::ConfigurationApplied,
        what: "a voter of the old half learns before the joint configuration is left",
        right: || {
            let rig = committed_change();
            let changes = vec![(MemberChange::Learner, id(3)), (MemberChange::Voter, id(4))];
            let both = Change { changes, ..Change::default() };
            next(rig, 1, Call::ApplyChange(Box::new(both)))
        },
        wrong: |step| {
            let configuration = step.changed.configuration.as_mut().expect("it changed");
            configuration.learners = std::mem::take(&mut configuration.learners_next);
        },
    },
    Case {
        rule: Rule::ReadByQuorum,
        what: "an acknowledgement of another read confirms a read",
        right: || {
            let mut rig = Rig::led();
            rig.does(1, Rig::read(7));
            rig.wire.clear();
            let mut answer = Rig::message(MessageKind::HeartbeatResponse, 2, 1, 2);
            answer.context = Rig::context(8);
            arrives(rig, answer)
        },
        wrong: |step| step.changed.reads = Some(Vec::new()),
    },
    Case {
        rule: Rule::PersistedMoves,
        what: "entries count as durable that were replaced meanwhile",
        right: || {
            let mut rig = leaderless();
            rig.call(2, Call::Receive(append_of_term_2()));
            let ready = rig.takes_ready(2);
            rig.call(2, Call::Receive(append()));
            rig.synced(2, ready.job.expect("an entry is saved"));
            next(rig, 2, Call::Persisted { number: ready.number })
        },
        wrong: |step| step.after.persisted = 6,
    },
    Case {
        rule: Rule::ReleasedOnce,
        what: "an acknowledgement of replaced entries leaves twice",
        right: || {
            let mut rig = leaderless();
            let two = entries(6, &[2, 2], EntryKind::Data);
            rig.call(2, Call::Receive(Message { entries: two, ..append_of_term_2() }));
            rig.call(2, Call::Receive(append()));
            let ready = rig.takes_ready(2);
            rig.synced(2, ready.job.expect("entries are saved"));
            rig.call(2, Call::Persisted { number: ready.number });
            // What the first one acknowledges was never on the disk. Nothing can be committed by it.
            next(rig, 2, Call::Release { numbers: vec![1, 2], durable: 1 })
        },
        wrong: |step| step.call = Call::Release { numbers: vec![1, 1], durable: 1 },
    },
    Case {
        rule: Rule::SnapshotTaken,
        what: "a snapshot from below the commit index replaces the log",
        right: || {
            let mut message = snapshot(&Rig::led());
            (message.index, message.log_term) = (3, 1);
            arrives(Rig::led(), message)
        },
        wrong: |step| step.after.last = (3, 1),
    },
    Case {
        rule: Rule::SnapshotTaken,
        what: "a snapshot that does not name its receiver replaces the log",
        right: || {
            let mut message = snapshot(&Rig::led());
            (message.to, message.index) = (id(2), 9);
            message.snapshot.as_mut().expect("it is one").configuration = configuration(&[1, 3], &[]);
            arrives(Rig::cluster(&[1, 2, 3]), message)
        },
        wrong: |step| step.after.last = (9, 2),
    },
    Case {
        rule: Rule::SnapshotTaken,
        what: "a snapshot whose last entry is in the log does not move the commit index",
        right: || {
            let mut message = snapshot(&Rig::led());
            (message.to, message.index) = (id(2), 5);
            arrives(leaderless(), message)
        },
        wrong: |step| step.after.commit = 4,
    },
    Case {
        rule: Rule::FlowControl,
        what: "probing goes on at once when a snapshot has arrived",
        right: || next(sent_snapshot(), 1, Call::ReportSnapshot { to: id(3), arrived: true }),
        wrong: |step| progress(step, 3).paused = false,
    },
    Case {
        rule: Rule::NextMoves,
        what: "a snapshot that did not arrive counts as sent",
        right: || next(sent_snapshot(), 1, Call::ReportSnapshot { to: id(3), arrived: false }),
        wrong: |step| progress(step, 3).next = 5,
    },
    Case {
        rule: Rule::FlowControl,
        what: "a late report on a snapshot makes the leader probe",
        right: || next(Rig::led(), 1, Call::ReportSnapshot { to: id(2), arrived: true }),
        wrong: |step| {
            let probes = Progress { matched: 4, next: 5, active: true, paused: true, ..Progress::default() };
            step.changed.progress.push((id(2), probes));
        },
    },
    Case {
        rule: Rule::Unasked,
        what: "an append leaves although the window is full",
        right: || next(full_window(), 1, Rig::propose()),
        wrong: |step| {
            let mut append = Rig::message(MessageKind::Append, 1, 2, 2);
            (append.index, append.log_term, append.commit) = (8, 2, 4);
            append.entries = entries(9, &[2], EntryKind::Data);
            step.out.push(append);
        },
    },
    Case {
        rule: Rule::AppendDue,
        what: "an answer to a heartbeat makes room in the window, and nothing is sent",
        right: || {
            let mut rig = full_window();
            rig.does(1, Rig::propose());
            arrives(rig, Rig::message(MessageKind::HeartbeatResponse, 2, 1, 2))
        },
        wrong: |step| step.out.clear(),
    },
    Case {
        rule: Rule::Unasked,
        what: "an acknowledgement of what is known is answered",
        right: || arrives(Rig::led(), acknowledgement(2, 4)),
        wrong: |step| step.out.push(empty_append()),
    },
    Case {
        rule: Rule::Unasked,
        what: "a refusal of what matches is heeded",
        right: || arrives(Rig::led(), Message { reject: true, ..acknowledgement(2, 3) }),
        wrong: |step| step.out.push(empty_append()),
    },
    Case {
        rule: Rule::Unasked,
        what: "a refusal of another probe is heeded",
        right: || arrives(Rig::just_elected(), Message { reject: true, ..acknowledgement(2, 9) }),
        wrong: |step| step.out.push(empty_append()),
    },
    Case {
        rule: Rule::NextMoves,
        what: "a refusal of a probe is not heeded",
        right: || {
            let mut refusal = Message { reject: true, ..acknowledgement(3, 3) };
            (refusal.hint, refusal.log_term) = (2, 1);
            arrives(Rig::just_elected(), refusal)
        },
        wrong: |step| progress(step, 3).next = 4,
    },
    Case {
        rule: Rule::CampaignDue,
        what: "a follower ignores the order to campaign",
        right: || arrives(Rig::led(), Rig::message(MessageKind::TimeoutNow, 1, 2, 2)),
        wrong: |step| step.after.role = Role::Follower,
    },
    Case {
        rule: Rule::CampaignDue,
        what: "a learner obeys the order to campaign",
        right: || {
            let rig = Rig::with_log(&[1, 2], &[3], &Entries::default(), (1, 3, 3));
            arrives(rig, Rig::message(MessageKind::TimeoutNow, 1, 3, 1))
        },
        wrong: |step| step.after.role = Role::Candidate,
    },
];
