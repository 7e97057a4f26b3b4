//! Each must fires on a scene in which what is owed does not happen, and holds on the same scene in which it does.

use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{
    CompactionRequest, CompactionResponse, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest,
    MemberAddRequest, MemberAddResponse, PutRequest, RangeRequest, RangeResponse, ResponseHeader,
    WatchCreateRequest, WatchRequest, WatchResponse,
};
use api::mvccpb::{Event as Change, KeyValue};
use api::v3lockpb::LockRequest;
use api::{Error, Request, Response};
use bytes::Bytes;
use record::inner::{CommitCause, Group, Own, WatcherCause, WatcherMove};
use record::step::{
    Call, Changed, Configuration, Entries, Message, Mode, Progress, Settings, Start, State, Step,
};
use record::{
    Applied, EtcdFact, Event, Fact, Inner, MemberId, MessageHead, MessageKind, Nanos, Operation, Outcome,
    Record, Role, Served, Stop, WatchStream,
};

use super::setup::Set;
use super::{Musts, Setup, Touches};
use crate::oracle::Monitor;
use crate::{Oracle, Sheet};

const MS: Nanos = 1_000_000;
const SECOND: Nanos = 1_000 * MS;

/// A run that is written by hand.
struct Scene {
    musts: Musts,
    sheet: Sheet,
    now: Nanos,
    packets: u64,
    record: Record,
    /// Whether each entry is in the backend at once.
    backends_follow: bool,
}

fn id(member: u32) -> MemberId {
    MemberId::new(member)
}

impl Scene {
    /// Nothing has happened.
    fn new(setup: Setup) -> Scene {
        let mut musts = Musts::new(3);
        musts.configure(setup);
        let (sheet, record) = (Sheet::default(), Record::default());
        Scene { musts, sheet, now: 0, packets: 0, record, backends_follow: true }
    }

    /// Three members, of which member 1 leads term 2, at peace for five seconds.
    fn at_peace(setup: Setup) -> Scene {
        let mut scene = Scene::new(setup);
        for member in 1..=3 {
            scene.start(member);
        }
        for member in 1..=3 {
            scene.message(1, member, MessageKind::Heartbeat, MS);
        }
        scene.state(1, 2, Role::Leader, 1);
        scene.state(2, 2, Role::Follower, 1);
        scene.state(3, 2, Role::Follower, 1);
        scene.own(1, EtcdFact::Lessor { primary: true });
        scene.apply(1..=3, 5);
        scene.pass(5 * SECOND);
        scene
    }

    /// A member commits its backend.
    fn commits_backend(&mut self, member: u32) {
        self.begins_commit(member);
        self.own(member, EtcdFact::BackendDurable { consistent_index: 5 });
    }

    /// A member begins to commit its backend.
    fn begins_commit(&mut self, member: u32) {
        let why = CommitCause::Due;
        self.inner(member, Inner::Commits { applied: 5, before: 5, transactions: Vec::new(), why });
    }

    fn fact(&mut self, member: u32, fact: Fact) {
        let member = if member == 0 { MemberId::NONE } else { id(member) };
        self.musts.event(&Event { time: self.now, member, fact }, &mut self.sheet);
    }

    fn inner(&mut self, member: u32, inner: Inner) {
        self.musts.inner(self.now, id(member), &inner, &mut self.sheet);
    }

    fn own(&mut self, member: u32, fact: EtcdFact) {
        self.fact(member, Fact::Own(fact));
    }

    /// Time passes, in small steps, in which nothing happens.
    fn pass(&mut self, time: Nanos) {
        let end = self.now + time;
        while self.now < end {
            self.now = end.min(self.now + 10 * MS);
            self.fact(0, Fact::Called { operation: 0, client: 0, digest: 0 });
        }
    }

    fn start(&mut self, member: u32) {
        self.fact(member, Fact::Started { incarnation: 1 });
        let voters = MemberId::first(3).collect();
        self.own(
            member,
            EtcdFact::Configuration { index: 1, voters, outgoing: Vec::new(), learners: Vec::new() },
        );
        let settings = Settings {
            election: 10,
            heartbeat: 1,
            pre_vote: true,
            check_quorum: true,
            max_inflight: 4,
            max_size: 1_000,
            max_uncommitted: 1_000,
        };
        let configuration =
            Configuration { voters: MemberId::first(3).collect(), ..Configuration::default() };
        let start = Start { settings, configuration, before: (0, 0), entries: Entries::default() };
        self.step(member, Step { call: Call::Start(Box::new(start)), ..Step::default() });
    }

    fn step(&mut self, member: u32, step: Step) {
        self.musts.step(self.now, id(member), &step, &mut self.sheet);
    }

    /// A step of member 1 as leader of term 2.
    fn leads(&mut self, call: Call, transferee: u32) {
        let transferee = if transferee == 0 { MemberId::NONE } else { id(transferee) };
        let after = State { term: 2, role: Role::Leader, leader: id(1), transferee, ..State::default() };
        self.step(1, Step { call, after, ..Step::default() });
    }

    /// A message is sent and arrives.
    fn message(&mut self, from: u32, to: u32, kind: MessageKind, takes: Nanos) {
        self.packets += 1;
        let (packet, head) = (self.packets, MessageHead::of(kind));
        self.fact(from, Fact::Sent { to: id(to), packet, head });
        self.now += takes;
        self.fact(to, Fact::Delivered { from: id(from), packet, head });
    }

    fn state(&mut self, member: u32, term: u64, role: Role, leader: u32) {
        let leader = if leader == 0 { MemberId::NONE } else { id(leader) };
        self.own(member, EtcdFact::State { term, vote: MemberId::NONE, role, leader });
    }

    fn apply(&mut self, members: std::ops::RangeInclusive<u32>, index: u64) {
        self.apply_of(2, members, index);
    }

    /// Members apply an entry of this term.
    fn apply_of(&mut self, term: u64, members: std::ops::RangeInclusive<u32>, index: u64) {
        for member in members {
            let fact = EtcdFact::Applied {
                index,
                term,
                digest: 0,
                request: 0,
                revision: index,
                state_hash: 0,
                mutated: true,
                executed: true,
            };
            self.own(member, fact);
            if self.backends_follow {
                self.musts.debts.commits(self.now, id(member));
                self.musts.debts.durable(self.now, id(member));
            }
        }
    }

    /// Ends the run. Returns whether the must was violated, and how often it was judged and for how long.
    fn end(mut self, must: Oracle) -> (bool, u64, Nanos) {
        self.record.stats.virtual_ns = self.now;
        self.musts.end(&self.record, &mut self.sheet);
        let verdict = self.sheet.into_verdict();
        let others: Vec<_> = verdict.violations.iter().filter(|found| found.oracle != must).collect();
        assert!(others.is_empty(), "{others:#?}");
        let counts = &self.musts.counts()[must.id()];
        (!verdict.violations.is_empty(), counts.judged, counts.judged_ns)
    }

    fn served(&mut self, member: u32, served: Served) {
        self.musts.served(self.now, id(member), served, &mut self.sheet);
    }

    /// A client calls a member. Returns the number of the operation.
    fn asked(&mut self, member: u32, request: Request) -> u64 {
        let call = self.now;
        let outcome = Outcome::Unknown { gave_up: call };
        let operation =
            Operation { client: 0, member: id(member), user: None, request, streamed: false, call, outcome };
        self.record.history.operations.push(operation);
        self.record.history.operations.len() as u64 - 1
    }

    /// A member takes a request of a client. Returns the number of the operation.
    fn asks(&mut self, member: u32, request: Request) -> u64 {
        let operation = self.asked(member, request);
        self.served(member, Served::Takes(operation));
        operation
    }

    /// A client asks member 2 something.
    fn operation(&mut self, call: Nanos, outcome: Outcome) {
        let request = RangeRequest { key: "a".into(), ..RangeRequest::default() }.into();
        let operation =
            Operation { client: 0, member: id(2), user: None, request, streamed: false, call, outcome };
        self.record.history.operations.push(operation);
    }

    /// The member answers.
    fn answers(&mut self, operation: u64, result: Result<Response, Error>) {
        let at = self.now;
        let of_history = &mut self.record.history.operations[operation as usize];
        of_history.outcome = match result {
            Ok(response) => Outcome::Answer { at, response },
            Err(error) => Outcome::Error { at, error },
        };
        let member = of_history.member;
        self.musts.served(at, member, Served::Answers(operation), &mut self.sheet);
    }

    /// The only fault of the plan begins or ends on a member.
    fn fault(&mut self, member: u32, begins: bool) {
        let effect = record::FaultEffect::NONE;
        self.fact(member, Fact::Fault { fault: 0, what: "fault", kind: 1, effect, begins });
    }
}

fn a_read(serializable: bool) -> Request {
    RangeRequest { key: "a".into(), serializable, ..RangeRequest::default() }.into()
}

/// A scene with and without the defect: the must fires and is judged, and is judged and holds.
fn fires_and_holds(must: Oracle, scene: impl Fn(bool) -> Scene) {
    let (fires, judged, long) = scene(true).end(must);
    assert!(fires && judged + long > 0, "{must} does not fire, judged {judged} times");
    let (fires, judged, long) = scene(false).end(must);
    assert!(!fires && judged + long > 0, "{must} fires though it holds, or was not judged");
}

#[test]
fn b1_a_leader_without_answers_steps_down() {
    fires_and_holds(Oracle::B1, |broken| {
        let mut scene = Scene::new(Setup::default());
        scene.start(1);
        scene.leads(Call::Campaign, 0);
        for tick in 1..=20 {
            if !broken && tick == 20 {
                scene.step(1, Step::default());
                break;
            }
            scene.leads(Call::Tick, 0);
        }
        scene
    });
}

#[test]
fn b1_an_answer_begins_the_count_anew() {
    let mut scene = Scene::new(Setup::default());
    scene.start(1);
    scene.leads(Call::Campaign, 0);
    for tick in 1..=60 {
        scene.leads(Call::Tick, 0);
        if tick % 15 == 0 {
            let mut answer = Message::new(MessageKind::HeartbeatResponse, id(2), id(1));
            answer.term = 2;
            scene.leads(Call::Receive(answer), 0);
        }
    }
    assert_eq!(scene.end(Oracle::B1), (false, 0, 0));
}

#[test]
fn b2_a_transfer_is_given_up_after_an_election_timeout() {
    fires_and_holds(Oracle::B2, |broken| {
        let mut scene = Scene::new(Setup::default());
        scene.start(1);
        scene.leads(Call::TransferLeader { to: id(2) }, 2);
        for tick in 1..=10 {
            scene.leads(Call::Tick, if !broken && tick == 10 { 0 } else { 2 });
        }
        scene
    });
}

#[test]
fn b2_a_transfer_to_a_voter_that_is_well_takes_place() {
    fires_and_holds(Oracle::B2, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        scene.leads(Call::TransferLeader { to: id(2) }, 2);
        scene.pass(50 * MS);
        if broken {
            scene.leads(Call::Tick, 0);
        } else {
            scene.step(1, Step::default());
            scene.state(2, 3, Role::Leader, 2);
        }
        scene.pass(SECOND);
        scene
    });
}

#[test]
fn b2_a_transfer_that_is_not_given_up_is_reported_once() {
    let mut scene = Scene::new(Setup::default());
    scene.start(1);
    scene.leads(Call::TransferLeader { to: id(2) }, 2);
    (0..15).for_each(|_| scene.leads(Call::Tick, 2));
    scene.leads(Call::Tick, 0);
    assert_eq!(scene.sheet.violations().len(), 1);
    assert_eq!(scene.end(Oracle::B2).1, 1);
}

/// No transfer takes place. It is owed only if all that it needs is well.
#[test]
fn b2_a_transfer_is_owed_if_links_are_in_order_and_both_members_serve() {
    let fires = |in_order, stopped: &[u32]| {
        let mut scene = Scene::at_peace(Setup { peers_in_order: in_order, ..Setup::default() });
        stopped.iter().for_each(|member| scene.fact(*member, Fact::Stopped(Stop::Crash)));
        scene.leads(Call::TransferLeader { to: id(2) }, 2);
        scene.pass(50 * MS);
        scene.leads(Call::Tick, 0);
        scene.pass(2 * SECOND);
        scene.end(Oracle::B2).0
    };
    assert!(fires(true, &[]) && fires(true, &[3]));
    assert!(!fires(false, &[]) && !fires(true, &[2]) && !fires(true, &[1]));
}

#[test]
fn b3_nobody_disturbs_a_leader_that_is_heard() {
    let disturbed = |setup| {
        let mut scene = Scene::at_peace(setup);
        scene.state(3, 3, Role::Candidate, 0);
        scene.end(Oracle::B3)
    };
    assert!(disturbed(Setup::default()).0);
    let (fires, _, long) = Scene::at_peace(Setup::default()).end(Oracle::B3);
    assert!(!fires && long > SECOND, "judged for {long} ns");
    // It is not owed without pre-votes, if links lose messages, or while a fault is on.
    assert!(!disturbed(Setup { pre_vote: false, ..Setup::default() }).0);
    assert!(!disturbed(Setup { peers_keep: false, ..Setup::default() }).0);
    let setup = Setup { faults: vec![Touches::Members], ..Setup::default() };
    let mut scene = Scene::at_peace(setup);
    for member in 2..=3 {
        let effect = record::FaultEffect::NONE;
        scene.fact(member, Fact::Fault { fault: 0, what: "pause", kind: 1, effect, begins: true });
    }
    scene.state(3, 3, Role::Candidate, 0);
    assert!(!scene.end(Oracle::B3).0);
}

/// A slow process may count grants that reached it before the leader was elected.
#[test]
fn b3_a_late_candidate_of_the_leaders_term_disturbs_nobody() {
    for (term, disturbs) in [(2, false), (3, true)] {
        let mut scene = Scene::at_peace(Setup { faults: vec![Touches::Members], ..Setup::default() });
        let effect = record::FaultEffect::NONE;
        scene.fact(3, Fact::Fault { fault: 0, what: "slow-cpu", kind: 1, effect, begins: true });
        scene.pass(3 * SECOND);
        scene.state(3, term, Role::Candidate, 0);
        assert_eq!(scene.end(Oracle::B3).0, disturbs, "term {term}");
    }
}

#[test]
fn b4_a_lost_leader_is_replaced() {
    fires_and_holds(Oracle::B4, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        scene.fact(1, Fact::Stopped(Stop::Crash));
        scene.pass(SECOND);
        if !broken {
            scene.state(2, 3, Role::Candidate, 0);
            scene.state(2, 3, Role::Leader, 2);
        }
        scene.pass(2 * SECOND);
        scene
    });
}

#[test]
fn members_that_are_not_of_the_plan_count_in_majorities() {
    let set = |members: &[u32]| Set::of(&members.iter().map(|member| id(*member)).collect::<Vec<_>>());
    let voters = set(&[1, 2, 3, 407, 408]);
    assert_eq!(voters.len(), 5);
    assert!(!set(&[1, 3]).is_quorum_of(voters) && set(&[1, 2, 3]).is_quorum_of(voters));
    assert!(set(&[1, 2, 3]).blocks(voters) && !set(&[1, 2]).blocks(voters));
}

/// A candidate that ends before it has saved its term was never in it.
#[test]
fn b4_a_term_that_was_not_saved_is_forgotten() {
    let mut scene = Scene::at_peace(Setup { pre_vote: false, ..Setup::default() });
    scene.state(3, 3, Role::Candidate, 0);
    scene.fact(3, Fact::Stopped(Stop::Crash));
    scene.pass(SECOND);
    scene.start(3);
    let recovered = EtcdFact::Recovered {
        term: 2,
        vote: id(1),
        commit: 5,
        before: (0, 0),
        entries: Vec::new(),
        consistent_index: 5,
        revision: 1,
        state_hash: 0,
    };
    scene.own(3, recovered);
    scene.message(1, 3, MessageKind::Heartbeat, MS);
    scene.state(3, 2, Role::Follower, 1);
    scene.pass(5 * SECOND);
    assert!(scene.musts.cluster.steady.is_some());
    assert!(!scene.end(Oracle::B4).0);
}

/// Member 3 crashed and is back. It lacks entries that the others have applied.
fn returned() -> Scene {
    let mut scene = Scene::at_peace(Setup::default());
    scene.fact(3, Fact::Stopped(Stop::Crash));
    scene.pass(SECOND);
    scene.apply(1..=2, 50);
    scene.start(3);
    scene.message(1, 3, MessageKind::Heartbeat, MS);
    scene.state(3, 2, Role::Follower, 1);
    scene
}

#[test]
fn b4_a_member_that_returns_catches_up() {
    fires_and_holds(Oracle::B4, |broken| {
        let mut scene = returned();
        scene.pass(SECOND);
        if !broken {
            scene.apply(3..=3, 50);
        }
        scene.pass(4 * SECOND);
        scene
    });
}

/// The log is too short for a member that needs one snapshot after another.
#[test]
fn b4_a_member_that_needs_two_snapshots_need_not_catch_up() {
    for (snapshots, owed) in [(1, true), (2, false)] {
        let mut scene = returned();
        scene.pass(3 * SECOND);
        for index in 20..20 + snapshots {
            scene.own(3, EtcdFact::SnapshotInstalled { index, term: 2, revision: index, state_hash: 0 });
            scene.commits_backend(3);
        }
        scene.pass(4 * SECOND);
        assert_eq!(scene.end(Oracle::B4).0, owed, "{snapshots} snapshots");
    }
}

#[test]
fn b5_a_leader_sends_no_more_than_it_needs_to() {
    fires_and_holds(Oracle::B5, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        for _ in 0..200 {
            scene.pass(10 * MS);
            for to in 2..=3 {
                scene.message(1, to, if broken { MessageKind::Append } else { MessageKind::Propose }, 0);
            }
        }
        scene
    });
}

/// An answer to an append that opens a full window is followed by an append, even if there is nothing to send.
#[test]
fn b5_a_full_window_takes_more_appends() {
    fires_and_holds(Oracle::B5, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        for _ in 0..200 {
            scene.pass(10 * MS);
            let call =
                Call::Receive(Message { term: 2, ..Message::new(MessageKind::AppendResponse, id(2), id(1)) });
            let after = State { term: 2, role: Role::Leader, leader: id(1), ..State::default() };
            let full = Progress { mode: Mode::Replicate, full: !broken, ..Progress::default() };
            let changed = Changed { progress: vec![(id(2), full)], ..Changed::default() };
            scene.step(1, Step { call, after, changed, ..Step::default() });
            scene.message(1, 2, MessageKind::Append, 0);
        }
        scene
    });
}

#[test]
fn b5_a_member_proposes_what_can_change_something() {
    let version = |version: &str| Own::Version(version.to_string());
    let name = |name: &str| Own::Name { member: id(2), name: name.to_string(), urls: Vec::new() };
    let scene = || Scene::at_peace(Setup::default());
    let found = |scene: Scene| scene.end(Oracle::B5).0;
    // A version that holds, at the proposer.
    for (applies, holds) in [(1, false), (3, true)] {
        let mut scene = scene();
        scene.inner(applies, Inner::AppliesOwn { index: 6, what: version("3.6.0") });
        scene.inner(1, Inner::ProposesOwn { what: version("3.6.0"), clock: 0 });
        assert_eq!(found(scene), !holds);
    }
    let mut empty = scene();
    empty.inner(1, Inner::ProposesOwn { what: version(""), clock: 0 });
    assert!(found(empty));
    // A name that is known, also from a snapshot.
    for (index, holds) in [(7, false), (6, true)] {
        let mut scene = scene();
        scene.inner(1, Inner::AppliesOwn { index: 7, what: name("m2") });
        let (term, revision, state_hash) = (2, 1, 0);
        scene.own(2, EtcdFact::SnapshotInstalled { index, term, revision, state_hash });
        scene.inner(2, Inner::ProposesOwn { what: name("m2"), clock: 0 });
        assert_eq!(found(scene), !holds);
    }
    // A name that is not known yet, once within a request timeout by the member's clock.
    for (clock, holds) in [(7_000 * MS, true), (6_999 * MS, false)] {
        let mut scene = scene();
        scene.inner(2, Inner::ProposesOwn { what: name("m2"), clock: 0 });
        scene.inner(2, Inner::ProposesOwn { what: name("m2"), clock });
        assert_eq!(found(scene), !holds);
    }
}

#[test]
fn b5_a_member_commits_its_backend_no_more_often_than_it_has_to() {
    let commits = |setup: Setup, every: u64| {
        let mut scene = Scene::at_peace(setup);
        for nth in 0..300 {
            scene.pass(10 * MS);
            scene.apply(2..=2, 6 + nth);
            if nth % every == 0 {
                scene.own(2, EtcdFact::BackendDurable { consistent_index: 6 + nth });
            }
        }
        scene
    };
    fires_and_holds(Oracle::B5, |broken| commits(Setup::default(), if broken { 1 } else { 10 }));
    // Each entry takes a commit if no more may be uncommitted, or if the log is cut after each.
    for setup in [
        Setup { backend_limit: 1, ..Setup::default() },
        Setup { snapshot_count: 0, ..Setup::default() },
        Setup { backend_interval: 10 * MS, ..Setup::default() },
    ] {
        assert!(!commits(setup, 1).end(Oracle::B5).0);
    }
    // Somebody waits for it.
    let mut scene = commits(Setup::default(), 1);
    let end = scene.now;
    scene.operation(0, Outcome::Answer { at: end, response: RangeResponse::default().into() });
    scene.record.history.operations[0].request = api::etcdserverpb::DefragmentRequest {}.into();
    assert!(!scene.end(Oracle::B5).0);
}

#[test]
fn b5_a_follower_calls_its_leader_once_for_each_request() {
    fires_and_holds(Oracle::B5, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        for _ in 0..30 {
            scene.pass(100 * MS);
            for _ in 0..if broken { 2 } else { 1 } {
                scene.message(2, 1, MessageKind::PeerCall, MS);
            }
            let call = scene.now - 10 * MS;
            scene.operation(
                call,
                Outcome::Answer { at: scene.now, response: RangeResponse::default().into() },
            );
            let asked = scene.record.history.operations.last_mut().expect("it was added");
            asked.request = LeaseKeepAliveRequest { id: 7 }.into();
        }
        scene
    });
}

/// Three members at peace, of which one is told to stop.
fn told_to_stop(member: u32) -> Scene {
    let faults = vec![Touches::Members, Touches::Links];
    let mut scene = Scene::at_peace(Setup { faults, ..Setup::default() });
    let effect = record::FaultEffect::NONE;
    scene.fact(member, Fact::Fault { fault: 0, what: "graceful-restart", kind: 26, effect, begins: true });
    scene
}

#[test]
fn b2_a_leader_that_is_told_to_stop_hands_over() {
    fires_and_holds(Oracle::B2, |broken| {
        let mut scene = told_to_stop(1);
        scene.pass(50 * MS);
        if !broken {
            scene.state(1, 3, Role::Follower, 2);
            scene.state(2, 3, Role::Leader, 2);
        }
        scene.fact(1, Fact::Stopped(Stop::Graceful));
        scene.pass(100 * MS);
        scene
    });
    // It gives up after an election timeout.
    let mut scene = told_to_stop(1);
    scene.pass(SECOND);
    scene.fact(1, Fact::Stopped(Stop::Graceful));
    assert_eq!(scene.end(Oracle::B2), (false, 1, 0));
}

#[test]
fn b2_a_member_that_is_told_to_stop_ends() {
    fires_and_holds(Oracle::B2, |broken| {
        let mut scene = told_to_stop(2);
        // A partition does not hold it up.
        scene.pass(10 * MS);
        let effect = record::FaultEffect::NONE;
        scene.fact(2, Fact::Fault { fault: 1, what: "isolate", kind: 2, effect, begins: true });
        scene.pass(if broken { 8 * SECOND } else { 100 * MS });
        scene.fact(2, Fact::Stopped(if broken { Stop::Crash } else { Stop::Graceful }));
        scene
    });
    // It is killed too early to say, or its disk is broken.
    let mut scene = told_to_stop(2);
    scene.pass(SECOND);
    scene.fact(2, Fact::Stopped(Stop::Crash));
    assert_eq!(scene.end(Oracle::B2), (false, 0, 0));
    let mut scene = told_to_stop(2);
    scene.pass(10 * MS);
    let effect = record::FaultEffect::NONE;
    scene.fact(2, Fact::Fault { fault: 0, what: "hung-disk", kind: 1, effect, begins: true });
    scene.pass(8 * SECOND);
    scene.fact(2, Fact::Stopped(Stop::Crash));
    assert_eq!(scene.end(Oracle::B2), (false, 0, 0));
}

#[test]
fn b5_a_follower_asks_for_read_index_only_for_reads() {
    fires_and_holds(Oracle::B5, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        scene.pass(8 * SECOND);
        let renewal = scene.asks(2, LeaseKeepAliveRequest { id: 7 }.into());
        let read = (!broken).then(|| scene.asks(2, a_read(false)));
        scene.own(2, EtcdFact::ReadIndexAsked { context: 7 });
        scene.own(2, EtcdFact::ReadIndexConfirmed { context: 7, index: 5 });
        for operation in [Some(renewal), read].into_iter().flatten() {
            scene.answers(operation, Ok(RangeResponse::default().into()));
        }
        scene
    });
    // A leader may.
    let mut scene = Scene::at_peace(Setup::default());
    let renewal = scene.asks(1, LeaseKeepAliveRequest { id: 7 }.into());
    scene.own(1, EtcdFact::ReadIndexAsked { context: 7 });
    scene.own(1, EtcdFact::ReadIndexConfirmed { context: 7, index: 5 });
    scene.answers(renewal, Ok(RangeResponse::default().into()));
    assert!(!scene.end(Oracle::B5).0);
}

#[test]
fn b6_every_request_is_answered() {
    fires_and_holds(Oracle::B6, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        let operation = scene.asks(2, a_read(false));
        scene.pass(30 * MS);
        if !broken {
            scene.answers(operation, Ok(RangeResponse::default().into()));
        }
        scene.pass(SECOND);
        scene
    });
    // Not by a member that is cut off.
    let mut scene = Scene::at_peace(Setup { faults: vec![Touches::Links], ..Setup::default() });
    scene.fault(2, true);
    scene.asks(2, a_read(false));
    scene.pass(SECOND);
    assert_eq!(scene.end(Oracle::B6), (false, 0, 0));
}

/// Clients reach the members while no fault is on their links: not that of all, of the clients of one, of all links.
#[test]
fn clients_are_cut_off_by_faults_of_their_links() {
    let reached = |touches, member| {
        let mut scene = Scene::at_peace(Setup { faults: vec![touches], ..Setup::default() });
        scene.fault(member, true);
        scene.pass(SECOND);
        let (from, to) = (scene.now - 500 * MS, scene.now - 300 * MS);
        scene.musts.cluster.clients_reached(from, to)
    };
    assert!(reached(Touches::Nothing, 2) && reached(Touches::Members, 2));
    let cut_off =
        [(Touches::ClientLinks, 0), (Touches::ClientLinks, 2), (Touches::Links, 0), (Touches::AllLinks, 0)];
    for (touches, member) in cut_off {
        assert!(!reached(touches, member), "{touches:?} at {member}");
    }
}

/// What is under way counts for as long as it is under way, if both its ends are well.
#[test]
fn a_message_that_is_still_under_way_is_slow() {
    let mut scene = Scene::at_peace(Setup::default());
    let sent = scene.now;
    for (packet, from, to) in [(1_000, 0, 2), (1_001, 1, 3)] {
        let head = MessageHead::of(MessageKind::Append);
        scene.fact(from, Fact::Sent { to: id(to), packet, head });
    }
    let worst = |scene: &Scene| scene.musts.speed.worst_now(sent, scene.now, &scene.musts.cluster);
    scene.pass(300 * MS);
    assert_eq!((worst(&scene).clients, worst(&scene).peers), (300 * MS, 300 * MS));
    scene.fact(2, Fact::Stopped(Stop::Crash));
    scene.pass(100 * MS);
    assert_eq!((worst(&scene).clients, worst(&scene).peers), (0, 400 * MS));
}

/// Whatever happens to the others, a member answers when the time of a request is up, unless it cannot run.
#[test]
fn b6_a_member_that_is_cut_off_gives_requests_up() {
    let cut_off = |touches, answered| {
        let mut scene = Scene::at_peace(Setup { faults: vec![touches], ..Setup::default() });
        scene.fault(2, true);
        let operation = scene.asks(2, a_read(false));
        scene.pass(7 * SECOND);
        if answered {
            scene.answers(operation, Err(Error::Timeout));
        }
        scene.pass(SECOND);
        scene
    };
    fires_and_holds(Oracle::B6, |broken| cut_off(Touches::Links, !broken));
    assert_eq!(cut_off(Touches::Members, false).end(Oracle::B6), (false, 0, 0));
    // A wait for a lock may last for ever.
    let mut scene = Scene::at_peace(Setup::default());
    scene.asks(2, LockRequest::default().into());
    scene.pass(20 * SECOND);
    assert_eq!(scene.end(Oracle::B6), (false, 0, 0));
}

/// A read that was taken while there was no leader is asked for again, a write is not.
#[test]
fn b6_a_read_goes_on_when_there_is_a_leader() {
    let later = |request: Request, answered| {
        let mut scene = Scene::at_peace(Setup { faults: vec![Touches::Links], ..Setup::default() });
        scene.fault(2, true);
        let operation = scene.asks(2, request);
        scene.pass(SECOND);
        scene.fault(2, false);
        scene.pass(3 * SECOND);
        if answered {
            scene.answers(operation, Ok(RangeResponse::default().into()));
        }
        scene.pass(SECOND);
        scene
    };
    fires_and_holds(Oracle::B6, |broken| later(a_read(false), !broken));
    assert_eq!(later(PutRequest::default().into(), false).end(Oracle::B6), (false, 0, 0));
}

#[test]
fn b6_a_request_ends_with_its_process() {
    let mut scene = Scene::at_peace(Setup::default());
    scene.asks(3, a_read(false));
    scene.pass(MS);
    scene.fact(3, Fact::Stopped(Stop::Crash));
    scene.pass(10 * SECOND);
    assert!(!scene.end(Oracle::B6).0);
}

#[test]
fn b6_no_request_is_answered_twice() {
    fires_and_holds(Oracle::B6, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        let operation = scene.asks(2, a_read(false));
        scene.pass(10 * MS);
        for _ in 0..1 + u32::from(broken) {
            scene.answers(operation, Ok(RangeResponse::default().into()));
        }
        scene
    });
}

/// A member without a leader answers a serializable read in the step that takes it.
#[test]
fn b6_a_serializable_read_is_answered_at_once() {
    fires_and_holds(Oracle::B6, |broken| {
        let mut scene = Scene::new(Setup::default());
        scene.start(1);
        scene.pass(SECOND);
        let operation = scene.asks(1, a_read(true));
        scene.pass(if broken { MS } else { 0 });
        scene.answers(operation, Ok(RangeResponse::default().into()));
        scene
    });
}

/// The first chunk of a streamed range is its answer.
#[test]
fn b6_a_streamed_range_begins() {
    fires_and_holds(Oracle::B6, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        let operation = scene.asked(2, a_read(false));
        scene.record.history.operations[0].streamed = true;
        scene.served(2, Served::TakesItem(operation | Operation::RANGE));
        scene.pass(10 * MS);
        if !broken {
            scene.served(2, Served::SendsItem(operation | Operation::RANGE));
        }
        scene.pass(SECOND);
        scene
    });
}

#[test]
fn b6_too_many_requests_are_many() {
    fires_and_holds(Oracle::B6, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        if !broken {
            scene.own(2, EtcdFact::Committed { index: 5_006, term: 2 });
        }
        let operation = scene.asks(2, PutRequest::default().into());
        scene.answers(operation, Err(Error::TooManyRequests));
        scene
    });
}

#[test]
fn b6_a_proposal_waits_for_a_leader() {
    fires_and_holds(Oracle::B6, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        scene.state(2, 2, Role::Follower, 0);
        scene.pass(MS);
        let operation = scene.asks(2, PutRequest::default().into());
        scene.pass(MS);
        if !broken {
            scene.state(2, 2, Role::Follower, 1);
        }
        scene.answers(operation, Err(Error::ProposalDropped));
        scene
    });
}

#[test]
fn b6_a_proposal_that_was_never_made_is_not_late() {
    fires_and_holds(Oracle::B6, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        scene.state(2, 2, Role::Follower, 0);
        scene.pass(MS);
        let operation = scene.asks(2, PutRequest::default().into());
        scene.pass(5 * SECOND);
        scene.answers(operation, Err(if broken { Error::Timeout } else { Error::ContextDeadlineExceeded }));
        scene
    });
    // With a leader, it was made.
    let mut scene = Scene::at_peace(Setup { faults: vec![Touches::Members], ..Setup::default() });
    let operation = scene.asks(2, PutRequest::default().into());
    scene.fault(2, true);
    scene.pass(5 * SECOND);
    scene.answers(operation, Err(Error::Timeout));
    assert!(!scene.end(Oracle::B6).0);
}

#[test]
fn b8_what_the_backend_lacks_is_written_in_time() {
    let snapshot = |scene: &mut Scene| {
        let fact = EtcdFact::SnapshotInstalled { index: 9, term: 2, revision: 9, state_hash: 0 };
        scene.own(2, fact);
    };
    // A snapshot at once, and if a commit is under way, after it.
    for under_way in [false, true] {
        fires_and_holds(Oracle::B8, |broken| {
            let mut scene = Scene::at_peace(Setup::default());
            if under_way {
                scene.begins_commit(2);
            }
            snapshot(&mut scene);
            if under_way {
                scene.pass(5 * SECOND);
                scene.own(2, EtcdFact::BackendDurable { consistent_index: 9 });
            }
            scene.pass(if broken { 3 * SECOND } else { MS });
            scene.commits_backend(2);
            scene
        });
    }
    // A change when it is as old as it may be.
    fires_and_holds(Oracle::B8, |broken| {
        let mut scene = Scene::at_peace(Setup { backend_interval: 5 * SECOND, ..Setup::default() });
        scene.backends_follow = false;
        scene.apply(2..=2, 6);
        scene.pass(if broken { 7 * SECOND } else { 5 * SECOND });
        scene.commits_backend(2);
        scene
    });
    // Not if the process ends, nor while it cannot run.
    let scene = || Scene::at_peace(Setup { faults: vec![Touches::Members], ..Setup::default() });
    let before = scene().end(Oracle::B8);
    let mut scene = scene();
    snapshot(&mut scene);
    scene.fact(2, Fact::Stopped(Stop::Crash));
    snapshot(&mut scene);
    scene.fault(2, true);
    scene.pass(3 * SECOND);
    assert_eq!(scene.end(Oracle::B8), before);
}

#[test]
fn b8_a_compaction_whose_client_waits_ends() {
    let compaction = |commit: Nanos, answer: Nanos| {
        let mut scene = Scene::at_peace(Setup { backend_interval: 60 * SECOND, ..Setup::default() });
        let request = CompactionRequest { revision: 4, physical: true };
        let operation = scene.asks(2, request.into());
        let entry =
            Applied { index: 5, operation: Some(operation), ..applied(PutRequest::default(), true, 0) };
        scene.record.applied.push(entry);
        scene.pass(MS);
        scene.inner(2, Inner::Scrubs { rows: 3, finished: Some(4) });
        scene.pass(commit);
        scene.commits_backend(2);
        scene.pass(answer);
        scene.answers(operation, Ok(CompactionResponse::default().into()));
        scene.end(Oracle::B8).0
    };
    assert!(!compaction(MS, MS));
    assert!(compaction(2 * SECOND, MS));
    assert!(compaction(MS, 2 * SECOND));
}

#[test]
fn b8_a_compaction_pauses_after_a_batch() {
    fires_and_holds(Oracle::B8, |broken| {
        let mut scene = Scene::at_peace(Setup { scrub: (100, 10 * MS), ..Setup::default() });
        scene.inner(2, Inner::Scrubs { rows: 64, finished: None });
        scene.inner(2, Inner::Scrubs { rows: 36, finished: None });
        scene.pass(if broken { 5 * MS } else { 10 * MS });
        scene.inner(2, Inner::Scrubs { rows: 64, finished: Some(7) });
        scene.inner(2, Inner::Scrubs { rows: 64, finished: Some(8) });
        scene.commits_backend(2);
        scene
    });
}

#[test]
fn b6_an_error_that_says_not_now_is_no_answer() {
    fires_and_holds(Oracle::B6, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        let operation = scene.asks(2, PutRequest::default().into());
        scene.answers(operation, Err(if broken { Error::NotCapable } else { Error::NoSpace }));
        scene
    });
}

#[test]
fn b6_a_member_is_added_while_all_are_connected() {
    let added_after = |paused: bool, result: Result<Response, Error>, down: bool, before: Nanos| {
        let mut scene = Scene::at_peace(Setup::default());
        scene.pass(before);
        if paused {
            scene.fact(1, Fact::Paused);
            scene.fact(1, Fact::Resumed);
        }
        if down {
            scene.fact(3, Fact::Stopped(Stop::Crash));
            scene.pass(MS);
        }
        let operation = scene.asks(1, MemberAddRequest::default().into());
        scene.answers(operation, result);
        scene.end(Oracle::B6)
    };
    let added = |result, down, before| added_after(false, result, down, before);
    let taken = || Ok(MemberAddResponse::default().into());
    let long = 20 * SECOND;
    // With all three connected, nothing speaks against a fourth.
    assert_eq!(added(taken(), false, long), (false, 1, 0));
    assert_eq!(added(Err(Error::Unhealthy), false, long), (true, 1, 0));
    assert_eq!(added(Err(Error::NotEnoughStartedMembers), false, long), (true, 1, 0));
    // With two of them there is no majority of four, nor may there be before all have been connected for a while.
    assert_eq!(added(taken(), true, long), (true, 1, 0));
    // After a pause a member knows what was before.
    assert!(!added_after(true, taken(), true, long).0);
    assert!(!added(Err(Error::Unhealthy), true, long).0);
    assert!(!added(Err(Error::Unhealthy), false, 0).0);
}

#[test]
fn b7_a_read_index_is_confirmed() {
    fires_and_holds(Oracle::B7, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        scene.asks(2, LockRequest::default().into()); // waits for ever, and reads
        scene.message(2, 1, MessageKind::ReadIndex, MS);
        scene.own(2, EtcdFact::ReadIndexAsked { context: 7 });
        scene.message(2, 1, MessageKind::ReadIndex, MS);
        if !broken {
            scene.own(2, EtcdFact::ReadIndexConfirmed { context: 7, index: 5 });
        }
        scene.pass(SECOND);
        scene
    });
}

/// The members have applied an entry that a member has proposed on its own.
fn applied(request: impl Into<api::Request>, mutated: bool, time: Nanos) -> Applied {
    let internal = Some(Box::new(request.into()));
    Applied { index: 6, operation: None, internal, revision: 6, mutated, time }
}

#[test]
fn b8_a_watcher_is_told() {
    fires_and_holds(Oracle::B8, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        let opened = scene.now;
        scene.pass(100 * MS);
        let time = scene.now;
        scene.record.applied.push(applied(PutRequest::default(), true, time));
        scene.pass(SECOND);
        let create = WatchCreateRequest { key: "a".into(), ..WatchCreateRequest::default() };
        let created = WatchResponse { created: true, ..WatchResponse::default() };
        let kv = KeyValue { key: "a".into(), mod_revision: 6, ..KeyValue::default() };
        let change = Change { kv: Some(kv), ..Change::default() };
        let told = WatchResponse { events: vec![change], ..WatchResponse::default() };
        let at = time + if broken { SECOND } else { 100 * MS };
        scene.record.history.watches.push(WatchStream {
            client: 0,
            member: id(2),
            opened,
            sent: vec![(opened, WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) })],
            received: vec![(opened + MS, created), (at, told)],
            ended: None,
        });
        scene
    });
}

/// A request for a watcher of `a` from this revision on.
fn watch(from: i64) -> WatchCreateRequest {
    WatchCreateRequest {
        key: "a".into(),
        start_revision: from,
        progress_notify: true,
        prev_kv: true,
        ..WatchCreateRequest::default()
    }
}

/// A response of the store's revision `current` with changes of these revisions.
fn changes(current: i64, revisions: impl IntoIterator<Item = i64>) -> WatchResponse {
    let change = |revision| {
        let kv = KeyValue { key: "a".into(), mod_revision: revision, ..KeyValue::default() };
        Change { kv: Some(kv), ..Change::default() }
    };
    let header = Some(ResponseHeader { revision: current, ..ResponseHeader::default() });
    WatchResponse { header, events: revisions.into_iter().map(change).collect(), ..WatchResponse::default() }
}

impl Scene {
    /// Client 0 opens a stream to member 2, and member 2 creates a watcher.
    fn watched(&mut self, create: WatchCreateRequest) {
        let opened = self.now;
        self.record.history.watches.push(WatchStream {
            client: 0,
            member: id(2),
            opened,
            sent: vec![(opened, WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) })],
            received: Vec::new(),
            ended: None,
        });
        self.responds(WatchResponse { created: true, ..changes(5, []) });
    }

    /// Member 2 sends a response, which arrives at once.
    fn responds(&mut self, response: WatchResponse) {
        self.served(2, Served::SendsItem(0));
        self.record.history.watches[0].received.push((self.now, response));
    }

    /// A watcher of member 2 moves.
    fn moves(&mut self, id: i64, from: (Group, i64), to: (Group, i64), why: WatcherCause) {
        let moved = WatcherMove {
            stream: 0,
            id,
            keys: ("a".into(), Bytes::new()),
            start: 0,
            wants: (true, true),
            from,
            to,
            why,
            current: 9,
            compacted: -1,
        };
        self.inner(2, Inner::Watcher(Box::new(moved)));
    }

    /// A watcher of member 2 is created in this group.
    fn joins(&mut self, id: i64, group: Group) {
        self.moves(id, (group, 1), (group, 1), WatcherCause::Created);
    }

    /// A pass takes a watcher of member 2, which still lags.
    fn taken(&mut self, id: i64) {
        self.moves(id, (Group::Unsynced, 1), (Group::Unsynced, 1), WatcherCause::CompactedWithoutRoom);
    }
}

#[test]
fn b8_a_watcher_without_events_is_sent_progress() {
    fires_and_holds(Oracle::B8, |broken| {
        let mut scene = Scene::at_peace(Setup { watch_progress: SECOND, ..Setup::default() });
        scene.joins(0, Group::Synced);
        scene.watched(watch(0));
        for turn in 0..4 {
            scene.pass(SECOND);
            if turn == 0 || !broken {
                scene.responds(changes(5, []));
            }
        }
        scene
    });
}

/// A watcher that lags, or that starts in the future, is not sent progress.
#[test]
fn b8_a_watcher_that_lags_is_sent_no_progress() {
    let silent = |group, from| {
        let mut scene =
            Scene::at_peace(Setup { watch_progress: SECOND, watch_sync: SECOND, ..Setup::default() });
        scene.joins(0, group);
        scene.watched(watch(from));
        scene.pass(2 * SECOND);
        scene.end(Oracle::B8).0
    };
    assert!(silent(Group::Synced, 5));
    assert!(!silent(Group::Synced, 6));
    assert!(!silent(Group::Unsynced, 5));
}

#[test]
fn b8_a_watcher_with_events_is_sent_no_progress() {
    fires_and_holds(Oracle::B8, |broken| {
        let mut scene = Scene::at_peace(Setup { watch_progress: SECOND, ..Setup::default() });
        scene.joins(0, Group::Synced);
        scene.watched(watch(0));
        scene.pass(500 * MS);
        scene.responds(changes(6, [6]));
        scene.pass(if broken { 500 * MS } else { 1_500 * MS });
        scene.responds(changes(6, []));
        scene
    });
}

#[test]
fn b8_watchers_that_lag_take_turns() {
    fires_and_holds(Oracle::B8, |broken| {
        let mut scene = Scene::at_peace(Setup { watch_batch: 1, ..Setup::default() });
        scene.joins(1, Group::Unsynced);
        scene.joins(2, Group::Unsynced);
        for id in if broken { [1, 1, 2] } else { [1, 2, 1] } {
            scene.pass(100 * MS);
            scene.taken(id);
        }
        // The run ends before a third turn is due.
        scene
    });
}

#[test]
fn b8_a_pass_takes_a_watcher_that_lags() {
    fires_and_holds(Oracle::B8, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        scene.joins(1, Group::Unsynced);
        scene.pass(if broken { SECOND } else { 100 * MS });
        scene.moves(1, (Group::Unsynced, 1), (Group::Synced, 10), WatcherCause::Served);
        scene
    });
}

#[test]
fn b8_a_response_has_at_most_a_batch() {
    fires_and_holds(Oracle::B8, |broken| {
        let mut scene = Scene::at_peace(Setup { watch_batch_revisions: 3, ..Setup::default() });
        scene.watched(watch(1));
        // In two fragments, which both have changes of revision 3.
        scene.responds(WatchResponse { fragment: true, ..changes(9, [2, 3]) });
        scene.responds(changes(9, if broken { [3, 4, 5] } else { [3, 3, 4] }));
        scene
    });
}

#[test]
fn b8_a_response_that_waited_has_its_revision() {
    fires_and_holds(Oracle::B8, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        scene.joins(0, Group::Unsynced);
        scene.watched(watch(1));
        scene.moves(0, (Group::Unsynced, 1), (Group::Victim, 5), WatcherCause::NoRoom);
        scene.pass(20 * MS);
        scene.moves(0, (Group::Victim, 5), (Group::Unsynced, 5), WatcherCause::Retried);
        scene.responds(changes(if broken { 9 } else { 4 }, [2, 3]));
        scene
    });
}

#[test]
fn b8_a_pair_that_is_compacted_is_not_sent() {
    fires_and_holds(Oracle::B8, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        scene.watched(watch(1));
        let now = scene.now;
        let compact: api::Request = CompactionRequest { revision: 4, ..CompactionRequest::default() }.into();
        let mut entry = applied(compact, false, now);
        (entry.index, entry.revision) = (6, 5);
        scene.record.applied.push(entry);
        scene.pass(10 * MS);
        scene.apply(1..=3, 6);
        scene.pass(10 * MS);
        let mut response = changes(9, [if broken { 4 } else { 5 }, 4]);
        response.events[0].prev_kv = Some(KeyValue::default());
        scene.responds(response);
        scene
    });
}

/// A lease of so many seconds, granted now.
fn granted(scene: &mut Scene, ttl: i64) {
    let now = scene.now;
    scene.record.applied.push(applied(LeaseGrantRequest { ttl, id: 9 }, false, now));
    scene.record.applied[0].operation = Some(0);
    let granted = api::etcdserverpb::LeaseGrantResponse { id: 9, ttl, ..Default::default() };
    scene.record.history.operations.push(Operation {
        client: 0,
        member: id(2),
        user: None,
        request: LeaseGrantRequest { ttl, id: 9 }.into(),
        streamed: false,
        call: now,
        outcome: Outcome::Answer { at: now + 10 * MS, response: granted.into() },
    });
}

#[test]
fn b8_a_lease_ends() {
    fires_and_holds(Oracle::B8, |broken| {
        let mut scene = Scene::at_peace(Setup::default());
        granted(&mut scene, 2);
        let call = scene.now;
        scene.pass(6 * SECOND);
        if !broken {
            scene.record.applied.push(applied(LeaseRevokeRequest { id: 9 }, false, call + 2_500 * MS));
        }
        scene
    });
}

/// What the lessor proposed before the peace may be lost: it proposes it again after a request timeout.
#[test]
fn b8_a_lost_revocation_is_repeated() {
    let stays = |request_timeout| {
        let mut scene = Scene::at_peace(Setup { request_timeout, ..Setup::default() });
        granted(&mut scene, 2);
        scene.pass(6 * SECOND);
        scene.end(Oracle::B8).0
    };
    assert!(stays(7 * SECOND));
    assert!(!stays(20 * SECOND));
}

/// Another copy of a keep-alive that took long may renew the lease later.
#[test]
fn b8_a_slow_keep_alive_may_renew_twice() {
    let stays = |took| {
        let mut scene = Scene::at_peace(Setup::default());
        granted(&mut scene, 2);
        let call = scene.now + SECOND;
        let renewed = api::etcdserverpb::LeaseKeepAliveResponse { id: 9, ttl: 2, ..Default::default() };
        scene.record.history.operations.push(Operation {
            client: 0,
            member: id(2),
            user: None,
            request: api::etcdserverpb::LeaseKeepAliveRequest { id: 9 }.into(),
            streamed: false,
            call,
            outcome: Outcome::Answer { at: call + took, response: renewed.into() },
        });
        scene.pass(9 * SECOND);
        scene.end(Oracle::B8).0
    };
    assert!(stays(20 * MS));
    assert!(!stays(120 * MS));
}

/// A new lessor goes on from the checkpoints of the one before, if there are any.
#[test]
fn b8_a_lease_does_not_begin_anew_with_every_lessor() {
    let later = |checkpoint| {
        let mut scene = Scene::at_peace(Setup { checkpoint, ..Setup::default() });
        granted(&mut scene, 20);
        // After 18 s, which the checkpoints of the first lessor have taken off but for some 5 s, another member leads.
        scene.pass(18 * SECOND);
        scene.fact(1, Fact::Stopped(Stop::Crash));
        scene.pass(SECOND);
        scene.state(2, 3, Role::Leader, 2);
        scene.state(3, 3, Role::Follower, 2);
        scene.own(2, EtcdFact::Lessor { primary: true });
        scene.apply_of(3, 2..=3, 6);
        scene.pass(15 * SECOND);
        scene
    };
    assert!(later(Some(SECOND)).end(Oracle::B8).0);
    assert!(!later(None).end(Oracle::B8).0);
}

#[test]
fn nothing_is_watched_before_the_plan_is_known() {
    let musts = Musts::new(3);
    assert!(!musts.wants_steps() && musts.counts().is_empty());
}
