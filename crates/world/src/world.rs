//! The main loop of a run. [`World::step`] takes the next event from the heap and carries it out. The world owns the
//! whole state of a run, and only this file, `lives.rs` (starts and ends of processes), `feeding.rs` (inputs and
//! effects of members) and `traffic.rs` (packets) change it. Other code gets what it needs: faults a [`Reach`], callers
//! a [`View`]; whatever else it wants done is a list of deeds.
//!
//! An event often is an input for a member: a message, the end of a disk job, a wake-up. The world calls the
//! member directly (rule R1). The member returns effects: messages to send, disk jobs, answers to clients.
//! The world turns each effect into a later event on the heap.
//!
//! Every event that concerns a process carries the incarnation it was meant for. If the process has ended
//! since then, the event is dropped (rule R5).

use contract::Input;
use schedule::{FaultKind, Plan};
use trace::{Fact, MemberEnd, MemberId, Members, Nanos, Observer, Phase, Run, RunStats, Stop};

use crate::callers::{Callers, Task};
use crate::calls::{Calls, Ended};
use crate::clock::Clock;
use crate::deeds::{Deed, Orders};
use crate::faults::Nemesis;
use crate::happening::Happening;
use crate::machine::{Stage, State};
use crate::network::{Boxes, Network};
use crate::process::Process;
use crate::progress::Progress;
use crate::queue::Queue;
use crate::recorder::Recorder;
use crate::settle::{CHECK_INTERVAL, Settle};
use crate::strike::Reach;
use crate::system::{FactOf, System, WordsOf};
use crate::view::View;

/// The whole state of a run.
pub(crate) struct World<'a, S: System> {
    pub(crate) plan: &'a Plan<S::Part>,
    /// The seed of all draws made now.
    seed: u64,
    pub(crate) queue: Queue<Happening<S>>,
    pub(crate) recorder: Recorder<'a, WordsOf<S>>,
    pub(crate) processes: Members<Process<S>>,
    pub(crate) callers: &'a mut dyn Callers<S>,
    pub(crate) calls: Calls,
    pub(crate) network: Network<S>,
    pub(crate) nemesis: Nemesis,
    pub(crate) progress: Progress,
    settle: Settle,
    /// Emptied lists of deeds, to be used again.
    spare: Vec<Vec<Deed<S>>>,
    /// Storage for messages under way.
    pub(crate) boxes: Boxes<S>,
    events: u64,
    done: bool,
}

impl<'a, S: System> World<'a, S> {
    pub(crate) fn new(
        plan: &'a Plan<S::Part>,
        callers: &'a mut dyn Callers<S>,
        observer: &'a mut dyn Observer<WordsOf<S>>,
        keep_events: bool,
    ) -> World<'a, S> {
        let members = plan.most_members();
        let first = plan.cluster.members;
        let processes = Members::new(members, |id| {
            let mut process = Process::new(plan, id, Clock::new(crate::clock::EXACT));
            if !id.is_among_first(first) {
                process.machine.stage = Stage::Absent;
            }
            process
        });
        let network = Network::new(plan.seed, members, callers.parties(), plan.network.clone());
        World {
            plan,
            seed: plan.seed,
            queue: Queue::new(),
            recorder: Recorder::new(observer, keep_events),
            processes,
            nemesis: Nemesis::new(plan),
            progress: Progress::new(members, first),
            settle: Settle::new(plan),
            callers,
            calls: Calls::default(),
            network,
            spare: Vec::new(),
            boxes: Boxes::new(),
            events: 0,
            done: false,
        }
    }

    /// Schedules the first events: members start, clients call, faults are due.
    pub(crate) fn begin(&mut self) {
        // This comes first, so that at its time nothing is drawn before it.
        for noise in &self.plan.noise {
            match noise.from {
                0 => self.draw_anew(noise.key),
                from => self.queue.push(from, Happening::Noise { key: noise.key }),
            }
        }
        self.note(MemberId::NONE, Fact::Phase(Phase::Chaos));
        for member in MemberId::first(self.plan.cluster.members) {
            self.start(member);
        }
        self.ask(|callers, view, orders| callers.begin(view, orders));
        self.reach(Nemesis::schedule);
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
                if process.machine.state == State::Down && process.machine.blocked_by.is_empty() {
                    self.start(member);
                }
            }
            Happening::StopOverdue { member, incarnation } => {
                if self.is_current(member, incarnation) && self.processes[member].machine.stopping.is_some() {
                    self.kill(member, Stop::Crash);
                }
            }
            Happening::FailpointPauseOver { member, incarnation } => {
                if self.is_current(member, incarnation) {
                    self.failpoint_pause_over(member);
                }
            }
            Happening::FailpointOver { member, fault } => {
                self.reach(|_, reach| reach.unblock(member, fault));
            }
            Happening::Join { member } => {
                if self.processes[member].machine.state == State::Down {
                    self.start(member);
                }
            }
            Happening::ArmedCrash { member, incarnation } => {
                if self.is_current(member, incarnation) {
                    self.armed_crash(member);
                }
            }
            Happening::Receipt { member, incarnation, to, arrived } => {
                self.processes[member].machine.receipts -= 1;
                if self.is_current(member, incarnation) {
                    self.feed(member, Input::Receipt { to, arrived });
                }
            }
            Happening::CallTimesOut { call } => self.call_ended(call, Ended::TimedOut),
            Happening::Callers(event) => {
                self.ask(|callers, view, orders| callers.event(view, event, orders));
            }
            Happening::FaultBegins { fault } => self.reach(|nemesis, reach| nemesis.begin(fault, reach)),
            Happening::FaultEnds { fault } => self.reach(|nemesis, reach| nemesis.end(fault, reach)),
            Happening::Flap { fault } => self.reach(|nemesis, reach| nemesis.flap(fault, reach)),
            Happening::Noise { key } => self.draw_anew(key),
            Happening::Heal => self.heal(),
            Happening::Settle => self.settle(),
            Happening::SettleCheck => self.settle_check(),
        }
        if self.progress.changed {
            self.progress.changed = false;
            if self.nemesis.waits() {
                self.reach(Nemesis::conditions);
            }
        }
        !self.done
    }

    /// From now on, everything is drawn anew. Links, disks and members keep sources of draws and get new ones; all
    /// other code takes the seed from the world at each draw.
    fn draw_anew(&mut self, key: u64) {
        self.seed = keyed::salted(self.plan.seed, key);
        self.network.reseed(self.seed);
        for process in self.processes.values_mut() {
            process.reseed(self.seed);
        }
    }

    // ---- faults and deeds -----------------------------------------------------------------------

    /// Lets the nemesis act, and carries out the deeds that it wants done.
    pub(crate) fn reach(&mut self, act: impl FnOnce(&mut Nemesis, &mut Reach<'_, S>)) {
        let mut deeds = self.spare.pop().unwrap_or_default();
        let mut reach = Reach {
            now: self.queue.now(),
            plan: self.plan,
            seed: self.seed,
            processes: &mut self.processes,
            network: &mut self.network,
            progress: &self.progress,
            deeds: &mut deeds,
        };
        act(&mut self.nemesis, &mut reach);
        self.carry_out(deeds);
    }

    /// Carries out deeds in their order. Everything that one deed brings about is done before the next deed.
    fn carry_out(&mut self, mut deeds: Vec<Deed<S>>) {
        for deed in deeds.drain(..) {
            match deed {
                Deed::Note(member, fact) => self.note_of(member, fact),
                Deed::Count(what) => self.recorder.count(what),
                Deed::At(time, happening) => self.queue.push(time, happening),
                Deed::Then(event) => {
                    self.ask(|callers, view, orders| callers.event(view, event, orders));
                }
                Deed::Called { call, client, digest } => {
                    self.calls.begin(call, client);
                    self.note_of(MemberId::NONE, Fact::Called { operation: call, client, digest });
                }
                Deed::Send(packet) => self.send(packet),
                Deed::Give(member, input) => self.give(member, input),
                Deed::GiveFirst(member, input) => self.feed_first(member, input),
                Deed::Wake(member) => self.set_wake(member),
                Deed::Start(member) => self.start(member),
                Deed::End(member, stop) => self.kill(member, stop),
                Deed::InjectDisk(member, fault) => {
                    crate::faults::inject(self.plan, &mut self.processes[member], fault, self.queue.now());
                    self.retime(member);
                }
                Deed::Retime(member) => self.retime(member),
                Deed::Task { fault, members, draw } => {
                    if let FaultKind::Task(what) = &self.plan.faults[fault].kind {
                        let task = Task { what, fault, members: &members, draw };
                        self.ask(|callers, view, orders| callers.task(view, &task, orders));
                    }
                }
            }
        }
        self.spare.push(deeds);
    }

    /// Lets the callers act, and carries out what they order.
    pub(crate) fn ask(&mut self, ask: impl FnOnce(&mut dyn Callers<S>, &View<'_, S>, &mut Orders<S>)) {
        let mut orders = Orders::new(self.spare.pop().unwrap_or_default());
        let (callers, _, view) = self.parts();
        ask(callers, &view, &mut orders);
        self.carry_out(orders.into_deeds());
    }

    /// The parts that read the rest.
    fn parts(&mut self) -> (&mut dyn Callers<S>, &mut Settle, View<'_, S>) {
        let view = View {
            now: self.queue.now(),
            plan: self.plan,
            seed: self.seed,
            processes: &self.processes,
            network: &self.network,
            progress: &self.progress,
            nemesis: &self.nemesis,
        };
        (&mut *self.callers, &mut self.settle, view)
    }

    // ---- facts ----------------------------------------------------------------------------------

    /// Records a fact about a member. It may make a condition come true that a fault waits for.
    pub(crate) fn note_of(&mut self, member: MemberId, fact: FactOf<S>) {
        let configured = self.progress.note(self.queue.now(), member, &fact);
        self.recorder.note(self.queue.now(), member, fact);
        if configured {
            self.start_joiners();
        }
    }

    /// Records a fact that no condition of a fault depends on.
    #[inline]
    pub(crate) fn note(&mut self, member: MemberId, fact: FactOf<S>) {
        self.recorder.note(self.queue.now(), member, fact);
    }

    /// Whether this incarnation of the process is still the running one (rule R5).
    pub(crate) fn is_current(&self, member: MemberId, incarnation: u32) -> bool {
        let process = &self.processes[member];
        process.machine.incarnation == incarnation && process.machine.state != State::Down
    }

    // ---- the settle phase -----------------------------------------------------------------------

    /// Ends the chaos phase: faults end, and members that are down start.
    fn heal(&mut self) {
        self.note(MemberId::NONE, Fact::Phase(Phase::Heal));
        self.recorder.run.healed = self.now();
        let (_, settle, view) = self.parts();
        let healed = settle.heal(&view);
        // Each fault ends completely before the next one: a process that one fault has blocked starts on a disk that
        // another fault still slows.
        for fault in self.nemesis.stop() {
            self.reach(|nemesis, reach| nemesis.heal(fault, &healed, reach));
        }
        for (member, _) in healed.iter().filter(|(_, healed)| **healed) {
            let machine = &mut self.processes[member].machine;
            machine.blocked_by.clear();
            machine.disk.disarm();
            if machine.state == State::Down {
                self.start(member);
            }
            self.failpoint_pause_over(member);
        }
        match self.plan.phases.calm {
            0 => self.settle(),
            calm => {
                self.note(MemberId::NONE, Fact::Phase(Phase::Calm));
                self.queue.push(self.now() + calm, Happening::Settle);
            }
        }
    }

    /// Ends the workload. From now on the cluster must come to rest.
    fn settle(&mut self) {
        if self.plan.phases.calm > 0 {
            self.note_kept(false);
        }
        let (callers, settle, view) = self.parts();
        callers.load_ended();
        settle.begin(&view);
        self.note(MemberId::NONE, Fact::Phase(Phase::Settle));
        self.queue.push(self.now() + CHECK_INTERVAL, Happening::SettleCheck);
    }

    /// Notes what the members keep. It is not an event, so the trace hash does not depend on it.
    fn note_kept(&mut self, settled: bool) {
        let (_, settle, view) = self.parts();
        let kept = settle.kept(&view, settled);
        self.recorder.run.kept.push(kept);
    }

    /// Checks whether the cluster has settled, and ends the run if it has or if the time is over.
    fn settle_check(&mut self) {
        let mut orders = Orders::new(self.spare.pop().unwrap_or_default());
        let (callers, settle, view) = self.parts();
        self.done = settle.check(&view, callers, &mut orders);
        self.carry_out(orders.into_deeds());
        if !self.done {
            self.queue.push(self.now() + CHECK_INTERVAL, Happening::SettleCheck);
        }
    }

    // ---- the end --------------------------------------------------------------------------------

    /// Ends the run and returns what it leaves.
    pub(crate) fn finish(mut self) -> Run<WordsOf<S>> {
        self.note_kept(self.settle.unsettled.is_empty());
        self.note(MemberId::NONE, Fact::Phase(Phase::End));
        self.ask(|callers, view, orders| callers.finish(view, orders));
        let members: Vec<MemberEnd> =
            self.processes.values().map(|process| self.settle.end_of(process)).collect();
        let now = self.now();
        let mut run = self.recorder.into_run();
        let mut disk_operations = 0;
        for process in self.processes.values() {
            disk_operations += process.machine.disk.operations();
            for (fault, count) in process.machine.disk.counts() {
                *run.stats.faults.entry(fault.to_string()).or_default() += count;
            }
        }
        run.stats = RunStats {
            virtual_ns: now,
            events: self.events,
            operations: self.calls.count(),
            elections: u64::from(self.progress.elections),
            disk_operations,
            ..run.stats
        };
        Run { members, unsettled: self.settle.unsettled, ..run }
    }
}
