//! How members get their inputs, and how the effects of their steps are carried out. Here, and nowhere else, the world
//! calls [`contract::Node::step`].
//!
//! An input waits in the inbox of its process while the process cannot take it. The ends of disk jobs, of recoveries
//! and of the jobs of a store are inputs, too.

use std::panic::{AssertUnwindSafe, catch_unwind};

use contract::{End, Input, Node as _, Stall, Store, Struck, Types as _, Watched, Work as _};
use trace::{CallKind, Fact, MemberId, Nanos, Served, Stop};

use crate::context;
use crate::happening::Happening;
use crate::machine::{Stage, State};
use crate::network::{Body, Packet, Party};
use crate::system::{EffectsOf, InputOf, StoreOf, System, TypesOf};
use crate::world::World;

/// A member that is woken this often without time advancing spins: the run would never end. Its process ends as if it had
/// panicked.
const WAKES_AT_ONE_TIME_MAX: u32 = 10_000;

impl<S: System> World<'_, S> {
    /// Gives an input to a member: now, or when the process can run again. If the input requires the member to know its
    /// connections to the others, the member learns of them first.
    pub(crate) fn give(&mut self, member: MemberId, input: InputOf<S>) {
        if matches!(&input, Input::Call { request, .. } if TypesOf::<S>::wants_connections(request)) {
            self.feed_connections(member);
        }
        self.feed(member, input);
    }

    /// Gives an input to a member: now, or when the process can run again.
    pub(crate) fn feed(&mut self, member: MemberId, input: InputOf<S>) {
        let now = self.now();
        let process = &mut self.processes[member];
        match process.machine.state {
            State::Down => {}
            State::Starting => {
                // Until its recovery is on disk, it receives only the ends of disk jobs.
                if matches!(input, Input::JobDone { .. }) {
                    process.inbox.push_back(input);
                }
            }
            State::Paused => process.put_off(now, input),
            State::Running if now < process.machine.busy_until || !process.inbox.is_empty() => {
                process.put_off(now, input);
            }
            State::Running => {
                self.step_member(member, input);
                // The step's computations were performed at once: the member gets their results.
                self.drain_inbox(member);
            }
        }
    }

    /// Tells a member how long it has been connected to each other member, as its transport would know.
    fn feed_connections(&mut self, member: MemberId) {
        let now = self.now();
        let connected =
            self.processes.iter().filter(|(other, _)| *other != member).filter_map(|(other, process)| {
                let since = self.network.joined_since(Party::Member(member), Party::Member(other))?;
                let since = since.max(process.machine.started).max(self.processes[member].machine.started);
                (process.machine.is_up() && process.machine.stage == Stage::Member)
                    .then(|| (other, now - since))
            });
        let connections = connected.collect();
        self.feed(member, Input::Connections(connections));
    }

    /// Gives a member an input before the inputs that wait.
    pub(crate) fn feed_first(&mut self, member: MemberId, input: InputOf<S>) {
        self.processes[member].inbox.push_front(input);
        // What a paused step had computed comes before it.
        self.finish_stalled_step(member);
        self.drain_inbox(member);
        self.set_wake(member);
    }

    /// Gives a member the inputs that came while it could not run.
    pub(crate) fn drain_inbox(&mut self, member: MemberId) {
        while self.processes[member].machine.state == State::Running
            && self.now() >= self.processes[member].machine.busy_until
        {
            let Some(input) = self.processes[member].inbox.pop_front() else {
                let now = self.now();
                self.processes[member].machine.caught_up(now);
                break;
            };
            self.step_member(member, input);
        }
    }

    /// Wakes a member at the time for which it asked.
    pub(crate) fn wake(&mut self, member: MemberId) {
        // An earlier wake-up was set since; this one is out of date.
        if self.processes[member].machine.wake != self.now() {
            return;
        }
        self.processes[member].machine.wake = Nanos::MAX;
        if self.spins(member) {
            return;
        }
        // A paused process is woken when it resumes.
        if self.processes[member].machine.state == State::Running {
            self.feed(member, Input::Wake);
        }
    }

    /// Ends a member that asks again and again to be woken at once, because time would never advance. Returns whether it did.
    fn spins(&mut self, member: MemberId) -> bool {
        let now = self.queue.now();
        let process = &mut self.processes[member];
        process.machine.woken =
            if process.machine.woken.0 == now { (now, process.machine.woken.1 + 1) } else { (now, 0) };
        if process.machine.woken.1 < WAKES_AT_ONE_TIME_MAX {
            return false;
        }
        let clocks = process.node.as_ref().map(Watched::explain).unwrap_or_default();
        let text = format!(
            "it spins: it was woken {WAKES_AT_ONE_TIME_MAX} times at {now} ns (its clock shows {}) and wants to be woken again; \
             something it waits for has come and is not looked after; its clocks: {clocks}",
            process.machine.clock.monotonic(now)
        );
        process.machine.woken = (now, 0);
        self.panicked(member, text);
        true
    }

    /// Steps a member with one input, and carries out the effects.
    fn step_member(&mut self, member: MemberId, input: InputOf<S>) {
        let now = self.queue.now();
        if let Some(served) = of_callers(&input) {
            self.recorder.served(now, member, served);
        }
        let process = &mut self.processes[member];
        context::enter(now, member, process.machine.clock.wall_clock(now));
        let node = process.node.as_mut().expect("a process that runs has a node");
        let own_now = process.machine.clock.read(now);
        let effects = &mut **process.effects.get_or_insert_default();
        let stepped = catch_unwind(AssertUnwindSafe(|| node.step(own_now, input, effects)));
        context::leave(now);
        if let Err(panic) = stepped {
            if panic.downcast_ref::<Struck>().is_some() {
                self.take_effects(member);
                self.crashed_at_failpoint(member);
            } else {
                self.panicked(member, crate::panics::text(&*panic));
            }
            return;
        }
        if process.machine.step_takes > 0 {
            process.machine.busy_until = now + process.machine.step_takes;
            let incarnation = process.machine.incarnation;
            self.queue
                .push(now + process.machine.step_takes, Happening::SlowStepOver { member, incarnation });
        }
        self.take_effects(member);
    }

    /// Carries out the effects of a member's step.
    pub(crate) fn take_effects(&mut self, member: MemberId) {
        let Some(mut effects) = self.processes[member].effects.take() else { return };
        if let Some(stall) = effects.stall.take() {
            effects = self.pause_at_failpoint(member, *stall, effects);
        }
        // Most of these lists are empty in most steps.
        if !effects.facts.is_empty() {
            for fact in effects.facts.drain(..) {
                self.note_of(member, Fact::Own(fact));
            }
        }
        self.recorder.steps(self.queue.now(), member, &mut effects.steps);
        self.recorder.inner(self.queue.now(), member, &mut effects.inner);
        let mut broken = effects.store.take().and_then(|job| self.begin_store_job(member, job).err());
        let incarnation = self.processes[member].machine.incarnation;
        for (to, message) in effects.messages.drain(..) {
            let Some(receiver) = self.processes.get(to) else { continue };
            let packet = Packet {
                number: 0,
                from: Party::Member(member),
                to: Party::Member(to),
                incarnations: (incarnation, receiver.machine.incarnation),
                head: TypesOf::<S>::head(&message),
                receipt: TypesOf::<S>::wants_receipt(&message),
                body: Body::Node(message),
            };
            let packet = self.boxes.fill(packet);
            self.send(packet);
        }
        if !effects.items.is_empty() {
            let now = self.queue.now();
            for (stream, _) in &effects.items {
                self.recorder.served(now, member, Served::SendsItem(*stream));
            }
            self.ask(|callers, view, orders| {
                for (stream, item) in effects.items.drain(..) {
                    callers.item(view, member, stream, item, orders);
                }
            });
        }
        if !effects.answers.is_empty() {
            for (call, answer) in effects.answers.drain(..) {
                let Some(client) = self.calls.client_of(call) else {
                    let text =
                        format!("it answers the call {call}, but there are only {}", self.calls.count());
                    broken.get_or_insert(text);
                    continue;
                };
                self.recorder.served(self.queue.now(), member, Served::Answers(call));
                let from = (Party::Member(member), incarnation);
                let body = Body::Response(call, Box::new(answer));
                self.send(Packet::of_call(from, (Party::Client(client), 0), CallKind::Answer, body));
            }
        }
        let now = self.now();
        if !effects.jobs.is_empty() {
            for job in effects.jobs.drain(..) {
                let over = self.processes[member].machine.disk.submit(now, &job);
                if over != Nanos::MAX {
                    self.queue.push(over, Happening::JobDone { member, incarnation, job: job.id });
                }
            }
            self.look_for_armed_crash(member);
        }
        let broken = broken.or_else(|| self.perform_work(member, &mut effects).err());
        let end = effects.end.take();
        self.processes[member].machine.wants_wake = effects.wake_at;
        self.processes[member].effects = Some(effects);
        if let Some(text) = broken {
            return self.panicked(member, text);
        }
        match end {
            Some(End::Fatal(why)) => {
                let stop = Stop::Fatal(why);
                if !self.processes[member].machine.disk.had_errors() {
                    self.record_unexpected_end(member, stop.clone());
                }
                self.end_process(member, stop);
                self.supervise(member);
            }
            Some(End::Removed) => self.removed(member),
            Some(End::Finished) => self.end_process(member, Stop::Graceful),
            None => {
                let machine = &mut self.processes[member].machine;
                if machine.at_point && machine.state == State::Running {
                    machine.state = State::Paused;
                    self.note_of(member, Fact::Paused);
                }
                self.set_wake(member);
            }
        }
    }

    /// Performs the computations that a node has handed out. They take no virtual time: it gets the results as its next
    /// inputs. If one of them panics, returns the text of the panic.
    fn perform_work(&mut self, member: MemberId, effects: &mut EffectsOf<S>) -> Result<(), String> {
        if effects.work.is_empty() {
            return Ok(());
        }
        // A node gets the results of its start's computations once it has recovered.
        let is_recovered = |input: &InputOf<S>| matches!(input, Input::Recovered);
        let inbox = &mut self.processes[member].inbox;
        let at = inbox.iter().position(is_recovered).map_or(0, |at| at + 1);
        for (work, what) in effects.work.drain(..).rev() {
            let done = catch_unwind(AssertUnwindSafe(|| what.perform()));
            let done = done.map_err(|panic| crate::panics::text(&*panic))?;
            inbox.insert(at, Input::WorkDone { work, done });
        }
        Ok(())
    }

    /// A step pauses at a failpoint. Returns what is carried out at once; the rest waits until the pause is over.
    fn pause_at_failpoint(
        &mut self,
        member: MemberId,
        stall: Stall<TypesOf<S>>,
        later: Box<EffectsOf<S>>,
    ) -> Box<EffectsOf<S>> {
        self.recorder.count("failpoint-fired");
        let over = self.now() + stall.time;
        let process = &mut self.processes[member];
        process.machine.take_point();
        process.machine.at_point = true;
        process.stalled = Some(later);
        let incarnation = process.machine.incarnation;
        self.queue.push(over, Happening::FailpointPauseOver { member, incarnation });
        Box::new(stall.before)
    }

    /// A pause at a failpoint is over. The process runs on, unless a fault keeps it paused.
    pub(crate) fn failpoint_pause_over(&mut self, member: MemberId) {
        if std::mem::take(&mut self.processes[member].machine.at_point) {
            self.reach(|_, reach| reach.run_on(member));
        }
    }

    /// Carries out the effects of the step in which a process was paused at a failpoint.
    fn finish_stalled_step(&mut self, member: MemberId) {
        if let Some(effects) = self.processes[member].stalled.take() {
            self.processes[member].effects = Some(effects);
            self.take_effects(member);
        }
    }

    /// Sets the member's wake-up, unless an earlier one is set already.
    pub(crate) fn set_wake(&mut self, member: MemberId) {
        let process = &mut self.processes[member];
        if process.machine.state != State::Running {
            return;
        }
        let Some(at) = process.machine.clock.true_time_of(process.machine.wants_wake) else { return };
        // A wake-up that was due while the process was paused happens now.
        let at = at.max(self.queue.now());
        if at < process.machine.wake {
            process.machine.wake = at;
            let incarnation = process.machine.incarnation;
            self.queue.push(at, Happening::Wake { member, incarnation });
        }
    }

    // ---- disk -----------------------------------------------------------------------------------

    /// An asynchronous disk job has ended: the member learns its outcome.
    pub(crate) fn job_done(&mut self, member: MemberId, incarnation: u32, job: u64) {
        if !self.is_current(member, incarnation) {
            return;
        }
        let now = self.now();
        let Some(outcome) = self.processes[member].machine.disk.complete(now, job) else {
            return; // a stall of the disk delayed it, and it was scheduled again
        };
        self.note_of(member, Fact::JobDone { job, synced: outcome.synced, failed: outcome.result.is_err() });
        self.feed(member, Input::JobDone { job, result: outcome.result });
    }

    /// Begins a job of a member's store. If the database panics, returns the text of the panic.
    fn begin_store_job(&mut self, member: MemberId, job: <StoreOf<S> as Store>::Job) -> Result<(), String> {
        let now = self.now();
        let process = &mut self.processes[member];
        context::enter(now, member, process.machine.clock.wall_clock(now));
        let keeper = process.keeper.as_mut().expect("a process that runs has a store");
        let disk = &process.machine.disk;
        let begun = catch_unwind(AssertUnwindSafe(|| keeper.begin(now, disk, job)));
        context::leave(now);
        let over = begun.map_err(|panic| crate::panics::text(&*panic))?;
        let incarnation = process.machine.incarnation;
        self.section_ends(member, incarnation, over);
        self.look_for_armed_crash(member);
        Ok(())
    }

    /// Schedules the end of a section. While the disk is stalled, the end has no time yet (`Nanos::MAX`).
    pub(crate) fn section_ends(&mut self, member: MemberId, incarnation: u32, over: Nanos) {
        let process = &mut self.processes[member];
        assert!(
            !process.machine.section,
            "member {member} hands out a job for its store before it learned that the one before is done"
        );
        process.machine.section = true;
        if over != Nanos::MAX {
            self.queue.push(over, Happening::SectionDone { member, incarnation });
        }
    }

    /// The disk operations of a recovery or of a job of the store have ended. If it was the recovery, the process
    /// now runs.
    pub(crate) fn section_done(&mut self, member: MemberId, incarnation: u32) {
        let now = self.now();
        if !self.is_current(member, incarnation) {
            return;
        }
        // If a fault delayed or shortened the section, its end was scheduled again; this event is out of date.
        let process = &mut self.processes[member];
        if !process.machine.section || !process.machine.disk.section_over(now) {
            return;
        }
        process.machine.section = false;
        if process.machine.state == State::Starting {
            process.machine.state = State::Running;
            process.machine.bootstrapped = true;
            if process.machine.must_pause() {
                process.machine.state = State::Paused;
            }
            // This input comes after the ends of disk jobs, and before the results of the start's computations.
            let is_work = |input: &InputOf<S>| matches!(input, Input::WorkDone { .. });
            let at = process.inbox.iter().position(is_work).unwrap_or(process.inbox.len());
            process.inbox.insert(at, Input::Recovered);
        } else {
            let keeper = process.keeper.as_mut().expect("a process that runs has a store");
            let done = Input::StoreDone(keeper.end(now, &process.machine.disk));
            self.feed(member, done);
        }
        self.drain_inbox(member);
    }

    /// The disk became slower or faster, so the jobs and the section under way end at other times.
    pub(crate) fn retime(&mut self, member: MemberId) {
        let retimed = self.processes[member].machine.disk.retime();
        let incarnation = self.processes[member].machine.incarnation;
        for (job, at) in retimed.jobs.into_iter().filter(|(_, at)| *at != Nanos::MAX) {
            self.queue.push(at, Happening::JobDone { member, incarnation, job });
        }
        if let Some(at) = retimed.section.filter(|at| *at != Nanos::MAX) {
            self.queue.push(at, Happening::SectionDone { member, incarnation });
        }
        self.look_for_armed_crash(member);
    }

    /// Schedules the crash at a disk operation, once the time of that operation is known.
    pub(crate) fn look_for_armed_crash(&mut self, member: MemberId) {
        let process = &self.processes[member];
        if let Some(at) = process.machine.disk.armed_crash().filter(|at| *at != Nanos::MAX) {
            let incarnation = process.machine.incarnation;
            self.queue.push(at, Happening::ArmedCrash { member, incarnation });
        }
    }
}

/// What an input brings from callers.
#[inline]
fn of_callers<T: contract::Types>(input: &Input<T>) -> Option<Served> {
    match input {
        Input::Call { call, .. } => Some(Served::Takes(*call)),
        Input::Cancel { call } => Some(Served::Cancelled(*call)),
        Input::Item { stream, .. } => Some(Served::TakesItem(*stream)),
        Input::Closed { stream } => Some(Served::Closed(*stream)),
        _ => None,
    }
}
