//! How processes start and end. A process starts when the run begins, when a fault no longer keeps it down, when its
//! supervisor starts it again, or when its member joins the cluster. It ends by a fault, by itself, or because its
//! member panicked.

use std::panic::{AssertUnwindSafe, catch_unwind};

use contract::{Node, Refusal as _};
use schedule::{Part as _, PointAction};
use trace::{Fact, MemberId, Nanos, OwnFact as _, Sign, Stop};

use crate::calls;
use crate::clock::MILLISECOND;
use crate::context;
use crate::happening::Happening;
use crate::machine::{Blocker, Stage, State};
use crate::network::Party;
use crate::progress::Configuration;
use crate::system::System;
use crate::world::World;

/// How long after its addition the process of a new member starts; our choice.
const JOIN_DELAY: Nanos = 200 * MILLISECOND;

impl<S: System> World<'_, S> {
    /// Starts a process that is down.
    pub(crate) fn start(&mut self, member: MemberId) {
        let now = self.now();
        if self.processes[member].machine.gone || self.processes[member].machine.stage != Stage::Member {
            return;
        }
        debug_assert_eq!(
            self.processes[member].machine.state,
            State::Down,
            "a process that already runs is started"
        );
        let incarnation = self.processes[member].machine.incarnation + 1;
        self.note_of(member, Fact::Started { incarnation });
        let (steps, inner) = (self.recorder.wants_steps, self.recorder.wants_inner);
        let process = &mut self.processes[member];
        context::enter(now, member, process.machine.clock.wall_clock(now));
        if let Some((nth, power)) = process.machine.crash_in_recovery.take() {
            process.machine.armed_power = power;
            process.machine.disk.crash_at(process.machine.disk.ordinal() + nth);
        }
        process.machine.disk.begin_section(now);
        let started = catch_unwind(AssertUnwindSafe(|| process.recover(now, steps, inner)));
        let section = process.machine.disk.end_section();
        context::leave(now);
        match started {
            Ok(Ok(())) => {
                let incarnation = self.processes[member].machine.incarnation;
                self.look_for_interrupted_commit(member);
                self.take_effects(member);
                self.section_ends(member, incarnation, section.unwrap_or(now));
                self.look_for_armed_crash(member);
            }
            Ok(Err(error)) => self.start_refused(member, error),
            Err(panic) => self.panicked(member, crate::panics::text(&*panic)),
        }
    }

    /// Notes what became of a commit during which the last process ended.
    fn look_for_interrupted_commit(&mut self, member: MemberId) {
        let process = &mut self.processes[member];
        let Some(interrupted) = process.interrupted.take() else { return };
        let facts = process.effects.iter().flat_map(|effects| &effects.facts);
        let mark = facts.into_iter().find_map(|fact| match fact.sign() {
            Some(Sign::Durable(mark)) => Some(mark),
            _ => None,
        });
        if let Some(mark) = mark
            && let Some(fact) = S::interrupted(interrupted.found(mark))
        {
            self.note(member, Fact::Own(fact));
        }
    }

    /// Schedules the first start of members that were added to the configuration.
    pub(crate) fn start_joiners(&mut self) {
        let Configuration { voters, learners, .. } = &self.progress.configuration;
        // The plan has no host for a member that a client added.
        let joined = voters.iter().chain(learners).copied().filter(|id| self.processes.contains(*id));
        let joined: Vec<MemberId> = joined.collect();
        for member in &joined {
            if self.processes[*member].machine.stage != Stage::Absent {
                continue;
            }
            let process = &mut self.processes[*member];
            process.machine.stage = Stage::Member;
            process.machine.added = true;
            S::joins(&mut process.config, &joined);
            self.queue.push(self.now() + JOIN_DELAY, Happening::Join { member: *member });
        }
    }

    /// A member refused to start. If its disk is damaged, it stays down; otherwise the supervisor tries again.
    fn start_refused(&mut self, member: MemberId, error: <S::Node as Node>::Refusal) {
        if error.is_removal() {
            return self.removed(member);
        }
        let stop = Stop::Refused(error.to_string());
        let lasting = error.is_lasting();
        let excused = if lasting {
            self.nemesis.excuses_refusal(member)
        } else {
            self.processes[member].machine.disk.had_errors()
        };
        if !excused {
            self.record_unexpected_end(member, stop.clone());
        }
        self.processes[member].machine.gone |= lasting;
        self.end_process(member, stop);
        if !lasting {
            self.supervise(member);
        }
    }

    /// A member panicked. The supervisor starts it again, but not after the third panic.
    pub(crate) fn panicked(&mut self, member: MemberId, text: String) {
        let stop = Stop::Panic(text);
        self.record_unexpected_end(member, stop.clone());
        let process = &mut self.processes[member];
        process.machine.panics += 1;
        process.machine.gone |= process.machine.panics >= 3;
        self.end_process(member, stop);
        self.supervise(member);
    }

    /// A member has learned that it no longer belongs to the cluster.
    pub(crate) fn removed(&mut self, member: MemberId) {
        self.processes[member].machine.stage = Stage::Removed;
        self.end_process(member, Stop::Removed);
    }

    /// A process crashes at a failpoint, and stays down for the duration of the fault.
    pub(crate) fn crashed_at_failpoint(&mut self, member: MemberId) {
        let now = self.now();
        let process = &mut self.processes[member];
        let Some((fault, does)) = process.machine.take_point() else {
            panic!("member {member} stopped at a failpoint that was not armed");
        };
        let stop = if does == PointAction::PowerLoss { Stop::PowerLoss } else { Stop::Crash };
        process.machine.blocked_by.push(Blocker { fault, pauses: false });
        self.recorder.count("failpoint-fired");
        self.kill(member, stop);
        let lasts = self.plan.faults[fault as usize].duration;
        let down = lasts.unwrap_or_else(|| S::Part::restart_delay(&self.plan.cluster.settings));
        self.queue.push(now + down, Happening::FailpointOver { member, fault });
    }

    /// A process has reached the disk operation at which a fault crashes it.
    pub(crate) fn armed_crash(&mut self, member: MemberId) {
        let now = self.now();
        if self.processes[member].machine.disk.armed_crash().is_none_or(|at| at > now) {
            return;
        }
        self.recorder.count("crash-at-disk-op-fired");
        let stop = if self.processes[member].machine.armed_power { Stop::PowerLoss } else { Stop::Crash };
        self.kill(member, stop);
        if self.processes[member].machine.blocked_by.is_empty() {
            self.supervise(member);
        }
    }

    /// Records that a process ended although no fault explains it. At most 100 are kept.
    pub(crate) fn record_unexpected_end(&mut self, member: MemberId, stop: Stop) {
        let at = self.now();
        if self.recorder.run.surprises.len() < 100 {
            self.recorder.run.surprises.push((at, member, stop));
        }
    }

    /// Schedules the restart of a process that ended by itself, as systemd would do.
    pub(crate) fn supervise(&mut self, member: MemberId) {
        let delay = S::Part::restart_delay(&self.plan.cluster.settings);
        self.queue.push(self.now() + delay, Happening::Supervise { member });
    }

    /// Kills a process, if it runs.
    pub(crate) fn kill(&mut self, member: MemberId, stop: Stop) {
        if self.processes[member].machine.state != State::Down {
            self.end_process(member, stop);
        }
    }

    /// Ends a process: its memory is lost, its disk keeps what had reached it, its connections break.
    pub(crate) fn end_process(&mut self, member: MemberId, stop: Stop) {
        let now = self.now();
        let power = stop == Stop::PowerLoss;
        tracing::debug!(%member, ?stop, "process ends");
        let process = &mut self.processes[member];
        if let Some(keeper) = &process.keeper {
            process.interrupted = keeper.interrupted(now, &process.machine.disk);
        }
        process.show_store(now);
        if power {
            process.machine.disk.power_loss(now)
        } else {
            process.machine.disk.crash(now)
        }
        // The facts of a step in which a process panics are not recorded, but what the step did before the panic may
        // say why.
        if let Some(effects) = &mut process.effects {
            self.recorder.steps(now, member, &mut effects.steps);
            self.recorder.inner(now, member, &mut effects.inner);
        }
        process.drop_memory();
        process.machine.ended = Some((now, stop.clone()));
        self.note_of(member, Fact::Stopped(stop));
        if !power {
            self.reset_connections(member);
        }
        self.ask(|callers, view, orders| callers.process_ended(view, member, power, orders));
    }

    /// The process ended but its host runs on, so the kernel resets the connections of its clients.
    fn reset_connections(&mut self, member: MemberId) {
        for waiting in self.callers.waiting().into_iter().filter(|waiting| waiting.member == member) {
            self.send(calls::reset(Party::Member(member), Party::Client(waiting.client), waiting.call));
        }
    }
}
