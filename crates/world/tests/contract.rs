//! What the contract promises a node, shown by a node that looks out for it: it panics at whatever should never happen,
//! and says in the trace what it handed out and what it was told. The kernel strikes it with faults meanwhile.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use contract::disk::{Disk, DiskError, DiskJob, DiskOp, read_all};
use contract::{
    Action, Armed, Boot, Effects, End, Input, Never, Node, Now, Stall, Started, Store, Struck, Types,
    Watched, Work,
};
use etcdsim_world::{self as world, Asks, Loops, Next, Options, System};
use schedule::field::{Field, Names};
use schedule::words::{BadWords, bad};
use schedule::{
    Client, Fault, NoTask, Operation, Part, Plan, Planned, PointAction, ProcessFault, Scenario, Target,
    Trigger, Turn,
};
use trace::{Event, Fact, MemberId, Nanos, OwnFact, PlainHead, Sign, Stop, Vocabulary};

const MILLISECOND: Nanos = 1_000_000;
const SCENARIO: &str = r#"
title = "Nothing is spared"
[network.peers]
loss = "5%"
duplicate = "5%"
reorder = "5%"
[network.clients]
loss = "5%"
duplicate = "5%"
[disk]
sync = { from = "5ms", to = "50ms" }
[run]
chaos = "15s"
settle = "20s"
[[fault]]
kind = "power-loss"
target = "majority"
every = "1s..2s"
for = "200ms"
[[fault]]
kind = "crash"
target = "random"
every = "1s..3s"
for = "100ms"
[[fault]]
kind = "graceful-restart"
target = "random"
every = "2s..4s"
for = "100ms"
[[fault]]
kind = "isolate"
target = "random"
every = "2s..4s"
for = "500ms"
[[fault]]
kind = "clock-rate"
target = "random"
rate = "50%..200%"
every = "1s..3s"
for = "1s"
"#;

// ---- the node --------------------------------------------------------------------------------------

/// The files with the numbers that it promised, with its starts, and of its store.
const COUNTS: &str = "wal/counts";
const STARTS: &str = "wal/starts";
const STORED: &str = "db/stored";

/// The name of everything here.
#[derive(Clone, Debug, PartialEq)]
enum Toy {}

/// What it says in the trace.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    /// It has started, and has found these numbers in its log and in its store.
    Opened { count: u64, stored: u64 },
    /// It has counted up to this number, and sends it to its neighbour.
    Counted(u64),
    /// This number is in its log, and it answers.
    Promised(u64),
    /// This number is in its store.
    Stored(u64),
}

impl Vocabulary for Toy {
    type Fact = Said;
    type Head = PlainHead;
    type Step = trace::Silent;
    type Inner = trace::Silent;
}

impl OwnFact for Said {
    fn absorb(&self, put: &mut impl FnMut(u64, &[u64])) {
        match *self {
            Said::Opened { count, stored } => put(200, &[count, stored]),
            Said::Counted(count) => put(201, &[count]),
            Said::Promised(count) => put(202, &[count]),
            Said::Stored(stored) => put(203, &[stored]),
        }
    }

    fn sign(&self) -> Option<Sign<'_>> {
        match *self {
            Said::Opened { stored, .. } => Some(Sign::Durable(stored)),
            _ => None,
        }
    }
}

/// What it is asked: to count, and perhaps to look at its connections, or to spin until its process ends.
#[derive(Clone, Debug, PartialEq)]
enum Ask {
    Count,
    CountWithConnections,
    Spin,
    /// That it answers a call that nobody made, too.
    AnswerNobody,
}

/// The number to store is the job.
#[derive(Debug)]
struct Stored {
    disk: Arc<dyn Disk>,
    kept: Option<u64>,
}

impl Store for Stored {
    type Job = u64;
    type Error = DiskError;

    fn perform(&mut self, stored: &u64) -> Result<(), DiskError> {
        assert_eq!(self.kept, None, "the files are brought up to date before another job");
        let data = stored.to_le_bytes().to_vec().into();
        self.disk.perform(&DiskOp::WriteAt { path: STORED.into(), offset: 0, data })?;
        self.disk.perform(&DiskOp::Sync { path: STORED.into() })
    }

    fn shape(_: &u64) -> Option<Vec<u32>> {
        Some(vec![1])
    }

    fn mark(stored: &u64) -> Option<u64> {
        Some(*stored)
    }

    fn keep(&mut self, stored: u64) {
        self.kept = Some(stored);
    }

    fn is_behind(&self) -> bool {
        self.kept.is_some()
    }

    fn keeps_too_much(&self) -> bool {
        false
    }

    fn catch_up(&mut self) -> Result<(), DiskError> {
        self.kept.take().map_or(Ok(()), |stored| self.perform(&stored))
    }
}

/// Squares a number: what may take a while.
#[derive(Debug)]
struct Square(u64);

impl Work for Square {
    type Done = u64;

    fn perform(self) -> u64 {
        self.0 * self.0
    }
}

impl Types for Toy {
    type Words = Toy;
    type Config = u32;
    type Message = u64;
    type Request = Ask;
    type Answer = u64;
    type Up = Never;
    type Down = Never;
    type Store = Stored;
    type Work = Square;

    fn head(_: &u64) -> PlainHead {
        PlainHead::Message
    }

    fn wants_connections(request: &Ask) -> bool {
        *request == Ask::CountWithConnections
    }
}

struct Witness {
    neighbour: MemberId,
    armed: Option<Armed>,
    recovered: bool,
    /// Whether its process has ended, as far as it knows.
    over: bool,
    /// The last reading of its clock.
    clock: u64,
    count: u64,
    /// The last disk job, and the last one that is done.
    jobs: (u64, u64),
    /// The answers that wait: job, call and number.
    owed: VecDeque<(u64, u64, u64)>,
    /// The number that its store is told to store.
    storing: Option<u64>,
    /// The number that is being squared.
    squaring: Option<u64>,
    /// Whether the last input was its connections.
    connected: bool,
    /// Whether it wants to be woken at once, whenever it is woken.
    spins: bool,
    /// The numbers of all calls.
    calls: BTreeSet<u64>,
}

/// Opens a file, which the first start makes.
fn open(disk: &dyn Disk, path: &'static str, first: bool) -> Result<Vec<u8>, DiskError> {
    if first {
        // It exists if an earlier first start was cut short.
        _ = disk.perform(&DiskOp::Create { path: path.into() });
        disk.perform(&DiskOp::Sync { path: path.into() })?;
        disk.perform(&DiskOp::SyncDir { path: path.split('/').next().expect("a directory").into() })?;
    }
    read_all(disk, path)
}

/// The numbers in a file, without what a crash has left of the last one.
fn numbers(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number))
}

impl Node for Witness {
    type Types = Toy;
    type Refusal = DiskError;

    fn start(boot: Boot<Toy>, disk: Arc<dyn Disk>, effects: &mut Effects<Toy>) -> Started<Witness> {
        let starts = open(&*disk, STARTS, boot.first)?;
        if let Some(before) = numbers(&starts).next() {
            assert!(u64::from(boot.incarnation) > before, "the number of a start comes again");
        }
        let data = u64::from(boot.incarnation).to_le_bytes().to_vec().into();
        disk.perform(&DiskOp::WriteAt { path: STARTS.into(), offset: 0, data })?;
        disk.perform(&DiskOp::Sync { path: STARTS.into() })?;

        let log = open(&*disk, COUNTS, boot.first)?;
        let count = (1..).zip(numbers(&log)).take_while(|(nth, number)| nth == number).count() as u64;
        disk.perform(&DiskOp::Truncate { path: COUNTS.into(), len: 8 * count })?;
        disk.perform(&DiskOp::Sync { path: COUNTS.into() })?;

        let stored = numbers(&open(&*disk, STORED, boot.first)?).next().unwrap_or(0);
        effects.facts.push(Said::Opened { count, stored });
        let witness = Witness {
            neighbour: MemberId::new(boot.id.raft_id() as u32 % boot.config + 1),
            armed: boot.armed,
            recovered: false,
            over: false,
            clock: boot.now.clock,
            count,
            jobs: (0, 0),
            owed: VecDeque::new(),
            storing: None,
            squaring: None,
            connected: false,
            spins: false,
            calls: BTreeSet::new(),
        };
        Ok((witness, Stored { disk, kept: None }))
    }

    fn step(&mut self, now: Now, input: Input<Toy>, effects: &mut Effects<Toy>) {
        assert!(!self.over, "a step after the end");
        assert!(now.clock >= self.clock, "the monotonic clock goes back");
        self.clock = now.clock;
        assert!(
            self.recovered || matches!(input, Input::Recovered | Input::JobDone { .. }),
            "{input:?} before the recovery is on the disk"
        );
        assert!(
            self.squaring.is_none() || matches!(input, Input::WorkDone { .. }),
            "{input:?} before the result of the work"
        );
        let connected = std::mem::take(&mut self.connected);
        match input {
            Input::Recovered => {
                assert!(!std::mem::replace(&mut self.recovered, true), "it recovers twice");
            }
            Input::Call { call, request } => {
                assert!(self.calls.insert(call), "the call {call} comes twice");
                assert!(
                    request != Ask::CountWithConnections || connected,
                    "it does not know its connections"
                );
                self.spins |= request == Ask::Spin;
                if request == Ask::AnswerNobody {
                    effects.answers.push((1 << 60, 0));
                }
                self.count(call, effects);
            }
            Input::Connections(connections) => {
                assert!(connections.iter().all(|(_, time)| *time <= 60_000 * MILLISECOND));
                self.connected = true;
            }
            Input::JobDone { job, result } => {
                assert_eq!(result, Ok(()));
                assert_eq!(job, self.jobs.1 + 1, "jobs end in their order");
                self.jobs.1 = job;
                let (of, call, count) = self.owed.pop_front().expect("a job that it handed out");
                assert_eq!(of, job);
                effects.facts.push(Said::Promised(count));
                effects.answers.push((call, count));
            }
            Input::StoreDone(result) => {
                assert_eq!(result, Ok(()));
                let stored = self.storing.take().expect("a job of the store that it handed out");
                effects.facts.push(Said::Stored(stored));
                self.store(stored, effects);
            }
            Input::WorkDone { work, done } => {
                assert_eq!(self.squaring.take(), Some(work), "work that it handed out");
                assert_eq!(done, work * work);
            }
            Input::Stop => (self.over, effects.end) = (true, Some(End::Finished)),
            Input::Wake | Input::Message { .. } | Input::Cancel { .. } => {}
            Input::Receipt { .. } | Input::Item { .. } | Input::Taken { .. } | Input::Closed { .. } => {
                panic!("{input:?} without a reason")
            }
        }
        effects.wake_at = now.clock + if self.spins { 0 } else { 70 * MILLISECOND };
    }
}

impl Witness {
    /// Counts, in all ways that an effect has, and with a failpoint half-way.
    fn count(&mut self, call: u64, effects: &mut Effects<Toy>) {
        self.count += 1;
        effects.facts.push(Said::Counted(self.count));
        effects.messages.push((self.neighbour, self.count));
        match self.armed.take().map(|armed| armed.action) {
            Some(Action::Crash) => {
                self.over = true;
                std::panic::panic_any(Struck(1));
            }
            Some(Action::Sleep(time)) => {
                effects.stall = Some(Box::new(Stall { time, before: std::mem::take(effects) }));
            }
            None => {}
        }
        self.jobs.0 += 1;
        self.owed.push_back((self.jobs.0, call, self.count));
        let data = self.count.to_le_bytes().to_vec().into();
        let ops = vec![DiskOp::Append { path: COUNTS.into(), data }, DiskOp::Sync { path: COUNTS.into() }];
        effects.jobs.push(DiskJob { id: self.jobs.0, ops });
        self.squaring = Some(self.count);
        effects.work.push((self.count, Square(self.count)));
        if self.storing.is_none() {
            self.store(0, effects);
        }
    }

    /// Has the newest number stored, if it is newer than this one.
    fn store(&mut self, stored: u64, effects: &mut Effects<Toy>) {
        self.storing = Some(self.count).filter(|count| *count > stored);
        effects.store = self.storing;
    }
}

impl Watched for Witness {
    fn arm(&mut self, armed: Option<Armed>) {
        self.armed = armed;
    }
}

// ---- its plans -------------------------------------------------------------------------------------

impl Operation for Ask {
    fn print(&self) -> String {
        match self {
            Ask::Count => "count".into(),
            Ask::CountWithConnections => "count with connections".into(),
            Ask::Spin => "spin".into(),
            Ask::AnswerNobody => "answer-nobody".into(),
        }
    }

    fn parse(text: &str) -> Result<Ask, BadWords> {
        match text {
            "count" => Ok(Ask::Count),
            "count with connections" => Ok(Ask::CountWithConnections),
            "spin" => Ok(Ask::Spin),
            "answer-nobody" => Ok(Ask::AnswerNobody),
            _ => Err(bad(format!("{text:?} is no request"), "write `count`")),
        }
    }
}

impl Asks<Ask> for Ask {
    fn new(_: u32, turn: Turn) -> Ask {
        if turn.nth.is_multiple_of(2) { Ask::Count } else { Ask::CountWithConnections }
    }

    fn request(&self) -> Ask {
        self.clone()
    }
}

impl Part for Toy {
    type Settings = ();
    type Client = Client<Ask>;
    type Task = NoTask;

    const NAMES: Names = Names { messages: &[], points: &["", "half-way"], usual_point: 1 };

    fn settings() -> &'static [Field<()>] {
        &[]
    }

    fn client() -> &'static [Field<Client<Ask>>] {
        Client::FIELDS
    }

    fn restart_delay((): &()) -> Nanos {
        300 * MILLISECOND
    }

    fn eager_store((): &()) -> bool {
        false
    }
}

impl System for Toy {
    type Node = Witness;
    type Part = Toy;
    type Segment = Never;
    type Event = Next;

    fn config(plan: &Plan<Toy>, _: MemberId) -> u32 {
        plan.cluster.members
    }
}

/// A plan with three clients that count, and with these failpoints besides.
fn plan(seed: u64, points: &[(Nanos, PointAction)]) -> Plan<Toy> {
    let scenario = Scenario::<Toy>::parse("toy", SCENARIO).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut plan = scenario.expand(seed);
    let client = |client: u32| {
        let operation = |nth: u64| {
            let at = (100 * nth + 500) * MILLISECOND;
            Planned { at, what: if nth.is_multiple_of(2) { Ask::Count } else { Ask::CountWithConnections } }
        };
        let endpoints = (0..3).map(|at| MemberId::new((client + at) % 3 + 1)).collect();
        let operations = (0..140).map(operation).collect();
        Client { endpoints, operations, timeout: 500 * MILLISECOND, ..Client::default() }
    };
    plan.clients = (0..3).map(client).collect();
    let point = |(id, (at, does)): (u32, &(Nanos, PointAction))| Fault {
        id,
        when: Trigger::At(*at),
        duration: Some(200 * MILLISECOND),
        target: Target::Random,
        kind: ProcessFault::Failpoint { point: 1, skip: 0, does: *does }.into(),
    };
    plan.faults.extend((10_000..).zip(points).map(point));
    plan.faults.sort_by_key(|fault| match fault.when {
        Trigger::At(at) => at,
        Trigger::When { from, .. } => from,
    });
    plan
}

fn run(plan: &Plan<Toy>) -> trace::Run<Toy> {
    let options = Options { keep_events: true };
    let (run, loops) = world::run::<Toy, _>(plan, Loops::new(plan), &mut (), options);
    assert_eq!(run.surprises, []);
    assert_eq!(run.unsettled, Vec::<String>::new());
    let answered = loops.into_calls().iter().filter(|call| call.answer.is_some()).count();
    assert!(answered > 50, "{answered} calls were answered");
    run
}

/// The events of one member.
fn of_member(events: &[Event<Toy>], member: u32) -> impl Iterator<Item = &Event<Toy>> {
    events.iter().filter(move |event| event.member == MemberId::new(member))
}

// ---- the promises ----------------------------------------------------------------------------------

#[test]
fn what_is_done_survives_every_end_of_a_process() {
    let mut power_losses = 0;
    for seed in 0..20 {
        let run = run(&plan(seed, &[]));
        for member in 1..=3 {
            let (mut promised, mut durable) = (0, 0);
            for event in of_member(&run.events, member) {
                match event.fact {
                    Fact::Own(Said::Promised(count)) => promised = count,
                    Fact::Own(Said::Stored(stored)) => durable = stored,
                    Fact::Own(Said::Opened { count, stored }) => {
                        assert!(count >= promised, "seed {seed}: {count} of {promised} are left");
                        assert!(stored >= durable, "seed {seed}: {stored} instead of {durable} is stored");
                    }
                    Fact::Stopped(Stop::PowerLoss) => power_losses += 1,
                    _ => {}
                }
            }
        }
    }
    assert!(power_losses > 100, "{power_losses}");
}

#[test]
fn facts_come_first_and_then_what_is_sent() {
    for seed in 0..5 {
        let run = run(&plan(seed, &[]));
        for member in 1..=3 {
            let mut events = of_member(&run.events, member);
            while let Some(event) = events.next() {
                let head = match event.fact {
                    Fact::Own(Said::Counted(_)) => PlainHead::Message,
                    Fact::Own(Said::Promised(_)) => PlainHead::Answer,
                    _ => continue,
                };
                let next = events.next().expect("it sends");
                assert!(matches!(next.fact, Fact::Sent { head: sent, .. } if sent == head), "{next:?}");
                assert_eq!(next.time, event.time);
            }
        }
    }
}

#[test]
fn a_pause_at_a_failpoint_holds_back_what_comes_after_it() {
    let times = (1..14).map(|at| at * 1_000).chain([14_900, 14_950]);
    let points: Vec<_> = times.map(|at| (at * MILLISECOND, PointAction::Pause)).collect();
    let (mut paused, mut healed) = (0, 0);
    for seed in 0..5 {
        let run = run(&plan(seed, &points));
        paused += run.stats.faults.get("failpoint-fired").copied().unwrap_or(0);
        for member in 1..=3 {
            let mut since = None;
            for event in of_member(&run.events, member) {
                match event.fact {
                    Fact::Paused => since = Some(event.time),
                    Fact::Resumed | Fact::Stopped(_) => {
                        healed += u32::from(since.take().is_some() && event.time == run.healed);
                    }
                    Fact::Own(_) | Fact::Sent { .. } => assert_eq!(since, None, "{event:?}"),
                    _ => {}
                }
            }
            assert_eq!(since, None, "member {member} is still paused");
        }
    }
    assert!(paused > 20 && healed > 0, "{paused} pauses, {healed} of which the healing ended");
}

#[test]
fn a_crash_at_a_failpoint_leaves_what_came_before_it() {
    let points: Vec<_> = (1..14).map(|at| (at * 1_000 * MILLISECOND, PointAction::Crash)).collect();
    let mut crashed = 0;
    for seed in 0..5 {
        let run = run(&plan(seed, &points));
        for member in 1..=3 {
            let events: Vec<_> = of_member(&run.events, member).collect();
            // Whatever was counted was sent, even if the process ended in the middle of the step.
            for pair in events.windows(2) {
                if let Fact::Own(Said::Counted(_)) = pair[0].fact {
                    assert!(matches!(pair[1].fact, Fact::Sent { .. }), "{pair:?}");
                }
            }
        }
        crashed += run.stats.faults.get("failpoint-fired").copied().unwrap_or(0);
    }
    assert!(crashed > 20, "{crashed}");
}

/// Time would never advance: the process ends, the run goes on and says so.
#[test]
fn a_member_that_spins_ends() {
    let mut plan = plan(0, &[]);
    plan.faults.clear();
    plan.clients[0].operations[50].what = Ask::Spin;
    let (run, _) = world::run::<Toy, _>(&plan, Loops::new(&plan), &mut (), Options::default());
    let [(at, _, Stop::Panic(text))] = &run.surprises[..] else { panic!("{:?}", run.surprises) };
    assert!(text.starts_with("it spins"), "{text}");
    assert!(*at > 5_500 * MILLISECOND && run.stats.virtual_ns > *at + 5_000 * MILLISECOND, "{at}");
}

/// Nobody waits for such an answer: the process ends, the run goes on and says so.
#[test]
fn a_member_that_answers_nobody_ends() {
    let mut plan = plan(0, &[]);
    plan.faults.clear();
    plan.clients[0].operations[50].what = Ask::AnswerNobody;
    let (run, _) = world::run::<Toy, _>(&plan, Loops::new(&plan), &mut (), Options::default());
    let [(at, _, Stop::Panic(text))] = &run.surprises[..] else { panic!("{:?}", run.surprises) };
    assert!(text.starts_with("it answers the call 1152921504606846976, but there are only"), "{text}");
    assert!(run.stats.virtual_ns > *at + 5_000 * MILLISECOND, "{at}");
}

#[test]
fn a_saved_plan_runs_in_the_same_way() {
    for seed in 0..5 {
        let plan = plan(seed, &[(2_000 * MILLISECOND, PointAction::Crash)]);
        let saved =
            Plan::<Toy>::parse("saved", &plan.to_toml()).unwrap_or_else(|errors| panic!("{errors:?}"));
        assert_eq!(saved, plan);
        assert_eq!(run(&saved).trace_hash, run(&plan).trace_hash, "seed {seed}");
    }
}
