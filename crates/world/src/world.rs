//! The main loop of a run. [`World::step`] takes the next event from the heap and carries it out.
//!
//! An event often is an input for a member: a message, the end of a disk job, a wake-up. The world calls the
//! member directly (rule R1). The member returns effects: messages to send, disk jobs, answers to clients.
//! The world turns each effect into a later event on the heap.
//!
//! Every event that concerns a process carries the incarnation it was meant for. If the process has ended
//! since then, the event is dropped (rule R5).

use std::panic::{AssertUnwindSafe, catch_unwind};

use keyed::{Domain, Keyed};
use member::StartError;
use member::backend::Job;
use member::io::{Effects, Input, PeerMessage, Stall};
use plan::{Plan, PointAction};
use record::fact::{DropReason, MessageHead};
use record::{
    Fact, History, MemberEnd, MemberId, Members, MessageKind, Nanos, Observer, Operation, Outcome, Phase,
    Record, Stop,
};

use crate::clients::{Client, Programs, Segment};
use crate::clock::Clock;
use crate::context;
use crate::disk::SimDisk;
use crate::faults::Nemesis;
use crate::network::{Body, Network, Packet, Party, SendResult, head_of};
use crate::operators::Operators;
use crate::process::{Blocker, Process, Stage, State};
use crate::queue::Queue;
use crate::recorder::Recorder;
use crate::settle::Settle;
use crate::triggers::Progress;

pub(crate) const MILLISECOND: Nanos = 1_000_000;
pub(crate) const SECOND: Nanos = 1_000_000_000;
/// If a member is woken this often without time advancing, the run panics: it would never end.
const WAKES_AT_ONE_TIME_MAX: u32 = 10_000;
const DISK: Domain = Domain::new("world disk");

/// An event that is scheduled on the heap.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A packet arrives.
    Arrive(Box<Packet>),
    /// A member asked to be woken.
    Wake { member: MemberId, incarnation: u32 },
    /// An asynchronous disk job ends.
    JobDone { member: MemberId, incarnation: u32, job: u64 },
    /// The disk operations of a recovery or of a job of the backend end (see `disk`, *sections*).
    SectionDone { member: MemberId, incarnation: u32 },
    /// A process slowed by a fault has finished its step and can take the next input.
    SlowStepOver { member: MemberId, incarnation: u32 },
    /// The supervisor of a host starts a process that ended by itself.
    Supervise { member: MemberId },
    /// A process that was asked to stop has not ended in time; it is killed.
    StopOverdue { member: MemberId, incarnation: u32 },
    /// A member's pause at a failpoint, in the middle of a step, is over.
    FailpointPauseOver { member: MemberId, incarnation: u32 },
    /// A process that crashed at a failpoint may start again.
    FailpointOver { member: MemberId, fault: u32 },
    /// The process of a member that was added to the cluster starts for the first time.
    Join { member: MemberId },
    /// An operator continues a task.
    ContinueTask { task: usize },
    /// An operator has waited long enough for an answer.
    OperatorTimeout { operation: u64 },
    /// A process reaches the disk operation at which a fault crashes it.
    ArmedCrash { member: MemberId, incarnation: u32 },
    /// The sender of a raft snapshot learns whether the snapshot arrived.
    SnapshotStatus { member: MemberId, incarnation: u32, to: MemberId, arrived: bool },
    /// A client decides what to do next.
    ClientNext { client: usize },
    /// A client stops waiting for the answer to an operation.
    ClientTimeout { client: usize, operation: u64 },
    /// The retransmission time-out of a watch stream fires; `up` is the direction from the client.
    StreamDue { stream: u64, up: bool },
    /// A slow client has finished processing a response of a stream.
    StreamTake { stream: u64 },
    /// The keepalive of a stream is due: its client pings the member, or gives the stream up.
    StreamKeepalive { stream: u64 },
    /// A client reopens a stream. `number` is the client's own number for it.
    StreamResume { client: usize, number: u32 },
    /// A fault begins.
    FaultBegins { fault: usize },
    /// A fault ends.
    FaultEnds { fault: usize },
    /// A flapping partition begins or heals.
    Flap { fault: usize },
    /// The chaos phase is over.
    Heal,
    /// Checks whether the cluster has settled.
    SettleCheck,
}

/// The whole state of a run.
pub(crate) struct World<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) queue: Queue<Happening>,
    pub(crate) recorder: Recorder<'a>,
    pub(crate) processes: Members<Process>,
    pub(crate) clients: Vec<Client>,
    /// State that clients share: memories, watch streams, lists outside etcd.
    pub(crate) programs: Programs,
    pub(crate) network: Network,
    pub(crate) nemesis: Nemesis,
    pub(crate) operators: Operators,
    pub(crate) progress: Progress,
    pub(crate) history: History,
    /// For each operation of the history, whether its request or its cancellation has reached a member.
    reached_member: Vec<bool>,
    pub(crate) settle: Settle,
    pub(crate) events: u64,
    pub(crate) done: bool,
}

impl<'a> World<'a> {
    pub(crate) fn new(plan: &'a Plan, observer: &'a mut dyn Observer, keep_events: bool) -> World<'a> {
        let members = plan.most_members();
        let first = plan.cluster.members;
        let peers = crate::setup::peers(plan);
        let wants_steps = observer.wants_steps();
        let processes = Members::new(members, |id| {
            let mut config = crate::setup::config(plan, &peers, id);
            config.steps = wants_steps.then(record::step::Sink::default);
            let disk = SimDisk::new(id, Keyed::new(plan.seed, DISK), plan.disk);
            let mut process = Process::new(id, config, disk, Clock::new(crate::clock::EXACT));
            if !id.is_among_first(first) {
                process.stage = Stage::Absent;
            }
            process
        });
        let clients = crate::clients::clients(plan);
        // Two more clients: one for the final read of the settle phase, the last one for all operators.
        let network = Network::new(plan.seed, members, clients.len() + 2, plan.network.clone());
        World {
            plan,
            queue: Queue::new(),
            recorder: Recorder::new(observer, keep_events),
            processes,
            nemesis: Nemesis::new(plan),
            operators: Operators::new(plan),
            progress: Progress::new(members, first),
            history: History::default(),
            reached_member: Vec::new(),
            settle: Settle::new(plan),
            clients,
            programs: Programs::new(plan, members),
            network,
            events: 0,
            done: false,
        }
    }

    /// Schedules the first events: members start, clients call, faults are due.
    pub(crate) fn begin(&mut self) {
        self.note(MemberId::NONE, Fact::Phase(Phase::Chaos));
        for member in MemberId::first(self.plan.cluster.members) {
            self.start(member);
        }
        for client in 0..self.clients.len() {
            self.schedule_client(client);
        }
        self.schedule_faults();
        self.queue.push(self.plan.phases.chaos, Happening::Heal);
    }

    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        self.queue.now()
    }

    /// Takes the next event and carries it out. Returns false when the run is over.
    pub(crate) fn step(&mut self) -> bool {
        if self.done {
            return false;
        }
        let Some(happening) = self.queue.pop() else {
            panic!("nothing is left to happen at {} ns: a settle check should always be due", self.now());
        };
        self.events += 1;
        match happening {
            Happening::Arrive(packet) => self.arrive(packet),
            Happening::Wake { member, incarnation } => {
                if self.is_current(member, incarnation) {
                    self.wake(member);
                }
            }
            Happening::JobDone { member, incarnation, job } => self.job_done(member, incarnation, job),
            Happening::SectionDone { member, incarnation } => self.section_done(member, incarnation),
            Happening::SlowStepOver { member, incarnation } => {
                if self.is_current(member, incarnation) {
                    self.drain_inbox(member);
                }
            }
            Happening::Supervise { member } => {
                let process = &self.processes[member];
                if process.state == State::Down && process.blocked_by.is_empty() {
                    self.start(member);
                }
            }
            Happening::StopOverdue { member, incarnation } => {
                if self.is_current(member, incarnation) && self.processes[member].stopping.is_some() {
                    self.kill(member, Stop::Crash);
                }
            }
            Happening::FailpointPauseOver { member, incarnation } => {
                if self.is_current(member, incarnation) {
                    self.failpoint_pause_over(member);
                }
            }
            Happening::FailpointOver { member, fault } => self.unblock(member, fault),
            Happening::Join { member } => {
                if self.processes[member].state == State::Down {
                    self.start(member);
                }
            }
            Happening::ContinueTask { task } => self.continue_task(task),
            Happening::OperatorTimeout { operation } => {
                let gave_up = self.now();
                self.operator_answered(operation, Outcome::Unknown { gave_up });
            }
            Happening::ArmedCrash { member, incarnation } => {
                if self.is_current(member, incarnation) {
                    self.armed_crash(member);
                }
            }
            Happening::SnapshotStatus { member, incarnation, to, arrived } => {
                if self.is_current(member, incarnation) {
                    self.feed(member, Input::SnapshotStatus { to, arrived });
                }
            }
            Happening::ClientNext { client } => self.client_next(client),
            Happening::ClientTimeout { client, operation } => self.client_timeout(client, operation),
            Happening::StreamDue { stream, up } => self.stream_due(stream, up),
            Happening::StreamTake { stream } => self.stream_take(stream),
            Happening::StreamKeepalive { stream } => self.stream_keepalive(stream),
            Happening::StreamResume { client, number } => self.stream_resume(client, number),
            Happening::FaultBegins { fault } => self.fault_begins(fault),
            Happening::FaultEnds { fault } => self.fault_ends(fault),
            Happening::Flap { fault } => self.flap(fault),
            Happening::Heal => self.heal(),
            Happening::SettleCheck => self.settle_check(),
        }
        if self.progress.changed {
            self.progress.changed = false;
            self.conditions();
        }
        !self.done
    }

    /// Records a fact about a member. It may make a condition come true that a fault waits for.
    pub(crate) fn note_of(&mut self, member: MemberId, fact: Fact) {
        self.progress.note(member, &fact);
        let configured = matches!(fact, Fact::Configuration { .. });
        self.recorder.note(self.queue.now(), member, fact);
        if configured {
            self.start_joiners();
        }
    }

    /// Records a fact that no condition of a fault depends on.
    #[inline]
    pub(crate) fn note(&mut self, member: MemberId, fact: Fact) {
        self.recorder.note(self.queue.now(), member, fact);
    }

    /// Whether this incarnation of the process is still the running one (rule R5).
    pub(crate) fn is_current(&self, member: MemberId, incarnation: u32) -> bool {
        let process = &self.processes[member];
        process.incarnation == incarnation && process.state != State::Down
    }

    // ---- start and end of processes ---------------------------------------------------------------------------

    /// Starts a process that is down.
    pub(crate) fn start(&mut self, member: MemberId) {
        let now = self.now();
        if self.processes[member].gone || self.processes[member].stage != Stage::Member {
            return;
        }
        debug_assert_eq!(self.processes[member].state, State::Down, "a process that already runs is started");
        let incarnation = self.processes[member].incarnation + 1;
        self.note_of(member, Fact::Started { incarnation });
        let process = &mut self.processes[member];
        context::enter(now, member, process.clock.wall_clock(now));
        if let Some((nth, power)) = process.crash_in_recovery.take() {
            process.armed_power = power;
            process.disk.crash_at(process.disk.ordinal() + nth);
        }
        process.disk.begin_section(now);
        let started = catch_unwind(AssertUnwindSafe(|| process.recover(now)));
        let section = process.disk.end_section();
        context::leave(now);
        match started {
            Ok(Ok(())) => {
                let incarnation = self.processes[member].incarnation;
                self.look_for_interrupted_commit(member);
                self.take_effects(member);
                self.section_ends(member, incarnation, section.unwrap_or(now));
                self.look_for_armed_crash(member);
            }
            Ok(Err(error)) => self.start_refused(member, error),
            Err(panic) => self.panicked(member, crate::panics::text(&*panic)),
        }
    }

    /// Notes what became of a backend commit in which the last process ended.
    fn look_for_interrupted_commit(&mut self, member: MemberId) {
        let process = &mut self.processes[member];
        let Some(interrupted) = process.interrupted.take() else { return };
        let facts = process.effects.iter().flat_map(|effects| &effects.facts);
        let found = facts.into_iter().find_map(|fact| match fact {
            Fact::Recovered { consistent_index, .. } => Some(*consistent_index),
            _ => None,
        });
        if let Some(found) = found {
            self.note(member, Fact::Probe { probe: interrupted.found(found) });
        }
    }

    /// A member refused to start. If its disk is damaged, it stays down; otherwise the supervisor tries again.
    fn start_refused(&mut self, member: MemberId, error: StartError) {
        if let StartError::Removed = error {
            return self.removed(member);
        }
        let stop = Stop::Refused(error.to_string());
        let lasting = error.is_lasting();
        let excused = if lasting {
            self.nemesis.excuses_refusal(member)
        } else {
            self.processes[member].disk.had_errors()
        };
        if !excused {
            self.record_unexpected_end(member, stop.clone());
        }
        self.processes[member].gone |= lasting;
        self.end_process(member, stop);
        if !lasting {
            self.supervise(member);
        }
    }

    /// A member panicked. The supervisor starts it again, but not after the third panic.
    fn panicked(&mut self, member: MemberId, text: String) {
        let stop = Stop::Panic(text);
        self.record_unexpected_end(member, stop.clone());
        let process = &mut self.processes[member];
        process.panics += 1;
        process.gone |= process.panics >= 3;
        self.end_process(member, stop);
        self.supervise(member);
    }

    /// A member has learned that it no longer belongs to the cluster.
    fn removed(&mut self, member: MemberId) {
        self.processes[member].stage = Stage::Removed;
        self.end_process(member, Stop::Removed);
    }

    /// A process crashes at a failpoint, and stays down for the duration of the fault.
    fn crashed_at_failpoint(&mut self, member: MemberId) {
        let now = self.now();
        let process = &mut self.processes[member];
        process.config.failpoint = None;
        let Some((fault, does)) = process.point.take() else {
            panic!("member {member} stopped at a failpoint that was not armed");
        };
        let stop = if does == PointAction::PowerLoss { Stop::PowerLoss } else { Stop::Crash };
        process.blocked_by.push(Blocker { fault, pauses: false });
        self.recorder.count("failpoint-fired");
        self.kill(member, stop);
        let down =
            self.plan.faults[fault as usize].duration.unwrap_or(self.plan.cluster.settings.restart_delay);
        self.queue.push(now + down, Happening::FailpointOver { member, fault });
    }

    /// A pause at a failpoint is over: carries out the effects that waited.
    fn failpoint_pause_over(&mut self, member: MemberId) {
        let Some(effects) = self.processes[member].stalled.take() else { return };
        self.processes[member].effects = Some(effects);
        self.take_effects(member);
        self.drain_inbox(member);
    }

    /// Records that a process ended although no fault explains it. At most 100 are kept.
    pub(crate) fn record_unexpected_end(&mut self, member: MemberId, stop: Stop) {
        let at = self.now();
        if self.recorder.record.surprises.len() < 100 {
            self.recorder.record.surprises.push((at, member, stop));
        }
    }

    /// Schedules the restart of a process that ended by itself, as systemd would do.
    fn supervise(&mut self, member: MemberId) {
        self.queue
            .push(self.now() + self.plan.cluster.settings.restart_delay, Happening::Supervise { member });
    }

    /// Kills a process, if it runs.
    pub(crate) fn kill(&mut self, member: MemberId, stop: Stop) {
        if self.processes[member].state != State::Down {
            self.end_process(member, stop);
        }
    }

    /// Ends a process: its memory is lost, its disk keeps what had reached it, its connections break.
    pub(crate) fn end_process(&mut self, member: MemberId, stop: Stop) {
        let now = self.now();
        let power = stop == Stop::PowerLoss;
        tracing::debug!(%member, ?stop, "process ends");
        let process = &mut self.processes[member];
        if let Some(backend) = &process.backend {
            process.interrupted = backend.interrupted(now, &process.disk);
        }
        process.show_backend(now);
        if power {
            process.disk.power_loss(now)
        } else {
            process.disk.crash(now)
        }
        process.drop_memory();
        process.ended = Some((now, stop.clone()));
        self.note_of(member, Fact::Stopped(stop));
        if !power {
            self.reset_connections(member);
        }
        self.reset_streams(member, power);
    }

    /// The process ended but its host runs on, so the kernel resets the connections of its clients.
    fn reset_connections(&mut self, member: MemberId) {
        let broken: Vec<(usize, u64)> = (self.clients.iter().enumerate())
            .filter_map(|(at, client)| client.current.filter(|(_, to)| *to == member).map(|(op, _)| (at, op)))
            .collect();
        for (client, operation) in broken {
            self.send(Packet {
                from: Party::Member(member),
                to: Party::Client(client),
                incarnations: (0, 0),
                head: client_head(MessageKind::ClientResponse),
                body: Body::Reset(operation),
            });
        }
    }

    // ---- inputs and effects of members ------------------------------------------------------------------------

    /// Gives an input to a member: now, or when the process can run again.
    pub(crate) fn feed(&mut self, member: MemberId, input: Input) {
        let now = self.now();
        let process = &mut self.processes[member];
        match process.state {
            State::Down => {}
            State::Starting => {
                // Until its recovery is on disk, it receives only the ends of disk jobs.
                if matches!(input, Input::JobDone { .. }) {
                    process.inbox.push_back(input);
                }
            }
            State::Paused => process.inbox.push_back(input),
            State::Running if now < process.busy_until || !process.inbox.is_empty() => {
                process.inbox.push_back(input);
            }
            State::Running => self.step_member(member, input),
        }
    }

    /// Gives a member the inputs that came while it could not run.
    pub(crate) fn drain_inbox(&mut self, member: MemberId) {
        while self.processes[member].state == State::Running
            && self.now() >= self.processes[member].busy_until
        {
            let Some(input) = self.processes[member].inbox.pop_front() else { break };
            self.step_member(member, input);
        }
    }

    /// Wakes a member at the time for which it asked.
    fn wake(&mut self, member: MemberId) {
        // An earlier wake-up was set since; this one is out of date.
        if self.processes[member].wake != self.now() {
            return;
        }
        self.processes[member].wake = Nanos::MAX;
        self.check_for_endless_wakes(member);
        // A paused process is woken when it resumes.
        if self.processes[member].state == State::Running {
            self.feed(member, Input::Wake);
        }
    }

    /// Panics if a member asks again and again to be woken at once: time would never advance.
    fn check_for_endless_wakes(&mut self, member: MemberId) {
        let now = self.queue.now();
        let process = &mut self.processes[member];
        process.woken = if process.woken.0 == now { (now, process.woken.1 + 1) } else { (now, 0) };
        if process.woken.1 < WAKES_AT_ONE_TIME_MAX {
            return;
        }
        let clocks = process.member.as_ref().map(member::Member::alarm_clocks);
        panic!(
            "member {member} was woken {WAKES_AT_ONE_TIME_MAX} times at {now} ns (its clock shows {}) and wants to be woken \
             again: something it waits for has come and is not looked after; its clocks: {clocks:?}",
            process.clock.monotonic(now)
        );
    }

    /// Steps a member with one input, and carries out the effects.
    fn step_member(&mut self, member: MemberId, input: Input) {
        let now = self.queue.now();
        let process = &mut self.processes[member];
        context::enter(now, member, process.clock.wall_clock(now));
        let running = process.member.as_mut().expect("a process that runs has a member");
        let (own_now, wall_clock) = (process.clock.monotonic(now), process.clock.wall_clock(now));
        let effects = &mut **process.effects.get_or_insert_default();
        let stepped = catch_unwind(AssertUnwindSafe(|| running.step(own_now, wall_clock, input, effects)));
        context::leave(now);
        if let Err(panic) = stepped {
            if panic.downcast_ref::<member::failpoint::Struck>().is_some() {
                self.take_effects(member);
                self.crashed_at_failpoint(member);
            } else {
                self.panicked(member, crate::panics::text(&*panic));
            }
            return;
        }
        if process.step_takes > 0 {
            process.busy_until = now + process.step_takes;
            let incarnation = process.incarnation;
            self.queue.push(now + process.step_takes, Happening::SlowStepOver { member, incarnation });
        }
        self.take_effects(member);
    }

    /// Carries out the effects of a member's step.
    fn take_effects(&mut self, member: MemberId) {
        let Some(mut effects) = self.processes[member].effects.take() else { return };
        if let Some(stall) = effects.stall.take() {
            self.pause_at_failpoint(member, stall, &mut effects);
        }
        for fact in effects.facts.drain(..) {
            self.note_of(member, fact);
        }
        if let Some(steps) = &self.processes[member].config.steps {
            self.recorder.steps(self.queue.now(), member, steps);
        }
        let broken = effects.backend.take().and_then(|job| self.begin_backend_job(member, job).err());
        let incarnation = self.processes[member].incarnation;
        for message in effects.messages.drain(..) {
            let to = MemberId::from_raft(message.to);
            let Some(receiver) = self.processes.get(to) else { continue };
            self.send(Packet {
                from: Party::Member(member),
                to: Party::Member(to),
                incarnations: (incarnation, receiver.incarnation),
                head: head_of(&message),
                body: Body::Raft(message),
            });
        }
        // Most steps have none of these.
        if !effects.peers.is_empty() || !effects.watch.is_empty() || !effects.watch_ended.is_empty() {
            self.take_rare_effects(member, &mut effects);
        }
        for (operation, result) in effects.replies.drain(..) {
            let client = self.client_of(operation);
            self.send(Packet {
                from: Party::Member(member),
                to: Party::Client(client),
                incarnations: (incarnation, 0),
                head: client_head(MessageKind::ClientResponse),
                body: Body::Response(operation, result),
            });
        }
        let now = self.now();
        if !effects.jobs.is_empty() {
            for job in effects.jobs.drain(..) {
                let over = self.processes[member].disk.submit(now, &job);
                if over != Nanos::MAX {
                    self.queue.push(over, Happening::JobDone { member, incarnation, job: job.id });
                }
            }
            self.look_for_armed_crash(member);
        }
        let fatal = effects.fatal.take();
        let finished = std::mem::take(&mut effects.finished);
        let removed = std::mem::take(&mut effects.removed);
        self.processes[member].effects = Some(effects);
        if let Some(text) = broken {
            self.panicked(member, text);
        } else if let Some(why) = fatal {
            let stop = Stop::Fatal(why);
            if !self.processes[member].disk.had_errors() {
                self.record_unexpected_end(member, stop.clone());
            }
            self.end_process(member, stop);
            self.supervise(member);
        } else if removed {
            self.removed(member);
        } else if finished {
            self.end_process(member, Stop::Graceful);
        } else {
            self.set_wake(member);
        }
    }

    /// Sends messages between members that are not raft's, and watch responses.
    fn take_rare_effects(&mut self, member: MemberId, effects: &mut Effects) {
        let incarnation = self.processes[member].incarnation;
        for (to, message) in effects.peers.drain(..) {
            let Some(receiver) = self.processes.get(to) else { continue };
            let kind = match message {
                PeerMessage::Answer { .. } => MessageKind::PeerAnswer,
                PeerMessage::Call { .. } | PeerMessage::Hello | PeerMessage::Removed => MessageKind::PeerCall,
            };
            self.send(Packet {
                from: Party::Member(member),
                to: Party::Member(to),
                incarnations: (incarnation, receiver.incarnation),
                head: client_head(kind),
                body: Body::Peer(message),
            });
        }
        for (stream, response) in effects.watch.drain(..) {
            self.watch_response(member, stream, response);
        }
        for (stream, error) in effects.watch_ended.drain(..) {
            self.watch_refused(member, stream, error);
        }
    }

    /// A step pauses at a failpoint. The effects that come after the failpoint wait until the pause is over.
    fn pause_at_failpoint(&mut self, member: MemberId, stall: Stall, effects: &mut Effects) {
        let [messages, peers, replies, watch, jobs, backend] = stall.before;
        let later = Effects {
            messages: effects.messages.split_off(messages),
            peers: effects.peers.split_off(peers),
            replies: effects.replies.split_off(replies),
            watch: effects.watch.split_off(watch.min(effects.watch.len())),
            watch_ended: std::mem::take(&mut effects.watch_ended),
            jobs: effects.jobs.split_off(jobs),
            backend: if backend == 0 { effects.backend.take() } else { None },
            ..Effects::default()
        };
        self.recorder.count("failpoint-fired");
        let over = self.now() + stall.time;
        let process = &mut self.processes[member];
        process.config.failpoint = None;
        process.point = None;
        process.stalled = Some(Box::new(later));
        process.busy_until = process.busy_until.max(over);
        let incarnation = process.incarnation;
        self.queue.push(over, Happening::FailpointPauseOver { member, incarnation });
    }

    /// Sets the member's wake-up, unless an earlier one is set already.
    pub(crate) fn set_wake(&mut self, member: MemberId) {
        let process = &mut self.processes[member];
        if process.state != State::Running {
            return;
        }
        let Some(running) = &process.member else { return };
        let Some(at) = process.clock.true_time_of(running.wake_at()) else { return };
        // A wake-up that was due while the process was paused happens now.
        let at = at.max(self.queue.now());
        if at < process.wake {
            process.wake = at;
            let incarnation = process.incarnation;
            self.queue.push(at, Happening::Wake { member, incarnation });
        }
    }

    // ---- disk -----------------------------------------------------------------------------------

    /// An asynchronous disk job has ended: the member learns its outcome.
    fn job_done(&mut self, member: MemberId, incarnation: u32, job: u64) {
        if !self.is_current(member, incarnation) {
            return;
        }
        let now = self.now();
        let Some(outcome) = self.processes[member].disk.complete(now, job) else {
            return; // a stall of the disk delayed it, and it was scheduled again
        };
        self.note_of(member, Fact::JobDone { job, synced: outcome.synced, failed: outcome.result.is_err() });
        self.feed(member, Input::JobDone { job, result: outcome.result });
    }

    /// Begins a job of a member's backend. If the database panics, returns the text of the panic.
    fn begin_backend_job(&mut self, member: MemberId, job: Job) -> Result<(), String> {
        let now = self.now();
        let process = &mut self.processes[member];
        context::enter(now, member, process.clock.wall_clock(now));
        let backend = process.backend.as_mut().expect("a process that runs has a backend");
        let disk = &process.disk;
        let begun = catch_unwind(AssertUnwindSafe(|| backend.begin(now, disk, job)));
        context::leave(now);
        let over = begun.map_err(|panic| crate::panics::text(&*panic))?;
        let incarnation = process.incarnation;
        self.section_ends(member, incarnation, over);
        self.look_for_armed_crash(member);
        Ok(())
    }

    /// Schedules the end of a section. While the disk is stalled, the end has no time yet (`Nanos::MAX`).
    fn section_ends(&mut self, member: MemberId, incarnation: u32, over: Nanos) {
        let process = &mut self.processes[member];
        assert!(
            !process.section,
            "member {member} hands out a job for its backend before it learned that the one before is done"
        );
        process.section = true;
        if over != Nanos::MAX {
            self.queue.push(over, Happening::SectionDone { member, incarnation });
        }
    }

    /// The disk operations of a recovery or of a job of the backend have ended. If it was the recovery, the process
    /// now runs.
    fn section_done(&mut self, member: MemberId, incarnation: u32) {
        let now = self.now();
        if !self.is_current(member, incarnation) {
            return;
        }
        // If a fault delayed or shortened the section, its end was scheduled again; this event is out of date.
        let process = &mut self.processes[member];
        if !process.section || !process.disk.section_over(now) {
            return;
        }
        process.section = false;
        let input = if process.state == State::Starting {
            process.state = State::Running;
            process.bootstrapped = true;
            if process.is_paused_by_fault() {
                process.state = State::Paused;
            }
            Input::Recovered
        } else {
            let backend = process.backend.as_mut().expect("a process that runs has a backend");
            Input::BackendDone(backend.end(now, &process.disk))
        };
        self.feed(member, input);
        self.drain_inbox(member);
    }

    /// The disk became slower or faster, so the jobs and the section under way end at other times.
    pub(crate) fn retime(&mut self, member: MemberId) {
        let retimed = self.processes[member].disk.retime();
        let incarnation = self.processes[member].incarnation;
        for (job, at) in retimed.jobs.into_iter().filter(|(_, at)| *at != Nanos::MAX) {
            self.queue.push(at, Happening::JobDone { member, incarnation, job });
        }
        if let Some(at) = retimed.section.filter(|at| *at != Nanos::MAX) {
            self.queue.push(at, Happening::SectionDone { member, incarnation });
        }
        self.look_for_armed_crash(member);
    }

    /// Schedules the crash at a disk operation, once the time of that operation is known.
    fn look_for_armed_crash(&mut self, member: MemberId) {
        let process = &self.processes[member];
        if let Some(at) = process.disk.armed_crash().filter(|at| *at != Nanos::MAX) {
            let incarnation = process.incarnation;
            self.queue.push(at, Happening::ArmedCrash { member, incarnation });
        }
    }

    // ---- messages -------------------------------------------------------------------------------

    /// Sends a packet. The network decides whether and when it arrives.
    pub(crate) fn send(&mut self, packet: Packet) {
        let now = self.queue.now();
        let (from, to) = (packet.from.in_facts(), packet.to.in_facts());
        self.recorder.note(now, from, Fact::Sent { to, head: packet.head });
        let (kind, incarnation) = (packet.head.kind, packet.incarnations.0);
        match self.network.send(now, Box::new(packet)) {
            SendResult::Dropped(why) => {
                self.recorder.note(now, from, Fact::Dropped { to, kind, why });
                if kind == MessageKind::Snapshot {
                    self.report_snapshot(from, incarnation, to, false);
                }
            }
            SendResult::Held => self.recorder.count("message-held"),
            SendResult::Arrives { at, packet, again, late } => {
                if late {
                    self.recorder.count("message-reordered");
                }
                if let Some(again) = again {
                    self.recorder.count("message-duplicated");
                    self.queue.push(again, Happening::Arrive(packet.clone()));
                }
                self.queue.push(at, Happening::Arrive(packet));
            }
        }
    }

    /// Tells the sender of a raft snapshot whether it arrived. etcd sends snapshots by HTTP: a success is known
    /// after 5 ms here, a failure after 1 s.
    fn report_snapshot(&mut self, sender: MemberId, incarnation: u32, to: MemberId, arrived: bool) {
        let at = self.now() + if arrived { 5 * MILLISECOND } else { SECOND };
        self.queue.push(at, Happening::SnapshotStatus { member: sender, incarnation, to, arrived });
    }

    /// A packet arrives, unless the link was cut or a process at either end has ended meanwhile.
    fn arrive(&mut self, packet: Box<Packet>) {
        let now = self.queue.now();
        let (from, to) = (packet.from.in_facts(), packet.to.in_facts());
        let kind = packet.head.kind;
        let alive = |party: Party, incarnation: u32| match party {
            Party::Client(_) => true,
            Party::Member(member) => {
                let process = &self.processes[member];
                process.incarnation == incarnation && process.is_up()
            }
        };
        let refused = if !self.network.reaches(&packet) {
            Some(DropReason::CutAtArrival)
        } else if matches!(packet.body, Body::Reset(_) | Body::Stream(_, Segment::Reset))
            || alive(packet.from, packet.incarnations.0) && alive(packet.to, packet.incarnations.1)
        {
            None
        } else {
            Some(DropReason::Dead)
        };
        if kind == MessageKind::Snapshot {
            self.report_snapshot(from, packet.incarnations.0, to, refused.is_none());
        }
        if let Some(why) = refused {
            self.recorder.note(now, from, Fact::Dropped { to, kind, why });
            match (&packet.body, why) {
                (Body::Request(operation, ..), DropReason::Dead) => {
                    self.refuse_connection(&packet, *operation);
                }
                (Body::Stream(stream, segment), DropReason::Dead) => {
                    if let Party::Member(member) = packet.to {
                        self.stream_packet_undelivered(member, *stream, segment);
                    }
                }
                _ => {}
            }
            return;
        }
        self.recorder.note(now, to, Fact::Delivered { from, head: packet.head });
        match packet.to {
            Party::Member(member) => self.arrives_at_member(member, from, packet.body),
            Party::Client(client) => self.arrives_at_client(client, packet.body),
        }
    }

    /// Gives the content of a packet to its member.
    fn arrives_at_member(&mut self, member: MemberId, from: MemberId, body: Body) {
        match body {
            Body::Raft(message) => self.feed(member, Input::Message(message)),
            Body::Peer(message) => self.feed(member, Input::Peer { from, message }),
            Body::Request(operation, request, token) => {
                // Requests travel over TCP, which drops duplicates.
                let reached = &mut self.reached_member[operation as usize];
                if !std::mem::replace(reached, true) {
                    if changes_members(&request) {
                        self.feed_connections(member);
                    }
                    self.feed(member, Input::Request { operation, request, token });
                }
            }
            Body::Cancel(operation) => {
                // It travels on the request's connection. If the simulated network delivers it first, the
                // request is no longer served.
                if std::mem::replace(&mut self.reached_member[operation as usize], true) {
                    self.feed(member, Input::Canceled { operation });
                }
            }
            Body::Stream(stream, segment) => self.stream_at_member(stream, segment),
            Body::Response(..) | Body::Reset(_) => unreachable!("only clients are sent {body:?}"),
        }
    }

    /// Gives the content of a packet to its client.
    fn arrives_at_client(&mut self, client: usize, body: Body) {
        let now = self.queue.now();
        match body {
            Body::Response(operation, result) => {
                let outcome = match result {
                    Ok(response) => Outcome::Answer { at: now, response },
                    Err(error) => Outcome::Error { at: now, error },
                };
                self.operation_ended(client, operation, outcome);
            }
            Body::Reset(operation) => {
                self.operation_ended(client, operation, Outcome::Unknown { gave_up: now });
            }
            Body::Stream(stream, segment) => self.stream_at_client(stream, segment),
            Body::Raft(_) | Body::Peer(_) | Body::Request(..) | Body::Cancel(_) => {
                unreachable!("only members are sent {body:?}")
            }
        }
    }

    /// The process has ended but its host runs on, so the client's connection is refused at once.
    fn refuse_connection(&mut self, packet: &Packet, operation: u64) {
        self.send(Packet {
            from: packet.to,
            to: packet.from,
            incarnations: (0, 0),
            head: client_head(MessageKind::ClientResponse),
            body: Body::Reset(operation),
        });
    }

    // ---- clients --------------------------------------------------------------------------------

    /// The client that called an operation.
    fn client_of(&self, operation: u64) -> usize {
        self.history.operations[operation as usize].client as usize
    }

    /// Adds an operation that is called now to the history, and returns its number.
    pub(crate) fn next_operation(&mut self, operation: Operation) -> u64 {
        let number = self.history.operations.len() as u64;
        let digest = crate::digests::request(&operation.request);
        self.note(MemberId::NONE, Fact::Called { operation: number, client: operation.client, digest });
        self.progress.operations += 1;
        self.progress.changed = true;
        self.reached_member.push(false);
        self.history.operations.push(operation);
        number
    }

    // ---- the end --------------------------------------------------------------------------------

    /// Ends the run and returns its record.
    pub(crate) fn finish(mut self) -> Record {
        self.note(MemberId::NONE, Fact::Phase(Phase::End));
        self.last_views();
        let members: Vec<MemberEnd> =
            self.processes.values().map(|process| self.settle.end_of(process)).collect();
        let now = self.now();
        let operations = self.history.operations.len() as u64;
        let mut disk_operations = 0;
        for process in self.processes.values() {
            disk_operations += process.disk.operations();
            for (fault, count) in process.disk.counts() {
                *self.recorder.record.stats.faults.entry(fault.to_string()).or_default() += count;
            }
        }
        let mut record = self.recorder.record;
        record.history = self.history;
        record.members = members;
        record.unsettled = self.settle.unsettled;
        record.stats.virtual_ns = now;
        record.stats.events = self.events;
        record.stats.operations = operations;
        record.stats.disk_operations = disk_operations;
        record
    }
}

/// The head of a message that is not raft's: only its kind matters.
pub(crate) fn client_head(kind: MessageKind) -> MessageHead {
    MessageHead { kind, term: 0, index: 0, log_term: 0, commit: 0, reject: false, entries: 0 }
}

/// Whether the request changes the membership. Before such a change a member checks its connections to the
/// other members (etcd's strict reconfiguration check).
fn changes_members(request: &api::Request) -> bool {
    use api::Request::{MemberAdd, MemberPromote, MemberRemove, MemberUpdate};
    matches!(request, MemberAdd(_) | MemberRemove(_) | MemberPromote(_) | MemberUpdate(_))
}
