//! Faults of processes: graceful restart, crash, power loss, pause, slow steps, a crash at a chosen disk
//! operation, and a crash or pause at a failpoint.
//!
//! A fault that keeps a process down or paused is listed in its `blocked_by` until the fault ends.

use contract::{Action, Armed, Input};
use schedule::{PointAction, ProcessFault};
use trace::{Fact, MemberId, Nanos, Stop};

use super::undo::Undo;
use crate::clock::SECOND;
use crate::deeds::Deed;
use crate::happening::Happening;
use crate::machine::{Blocker, State};
use crate::strike::{Reach, Strike};
use crate::system::System;

/// How long the supervisor waits for a process to stop before it kills it. Kubernetes waits 30 s and systemd
/// 90 s by default; 10 s suits shorter runs.
const STOP_PATIENCE: Nanos = 10 * SECOND;

impl<S: System> Reach<'_, S> {
    /// Begins a fault of processes.
    pub(super) fn begin_process(&mut self, kind: &ProcessFault, strike: &Strike<'_>) -> Undo {
        let fault = strike.fault;
        let members = strike.members.iter().copied();
        match kind {
            ProcessFault::GracefulRestart => {
                for member in members {
                    self.processes[member].machine.blocked_by.push(Blocker { fault, pauses: false });
                    self.stop_gracefully(member, fault);
                }
                Undo::ProcessesBlocked
            }
            ProcessFault::Crash => {
                members.for_each(|member| self.block_and_end(member, fault, Stop::Crash));
                Undo::ProcessesBlocked
            }
            ProcessFault::PowerLoss => {
                members.for_each(|member| self.block_and_end(member, fault, Stop::PowerLoss));
                Undo::ProcessesBlocked
            }
            ProcessFault::Pause => {
                members.for_each(|member| self.pause(member, fault));
                Undo::ProcessesBlocked
            }
            ProcessFault::SlowCpu { step } => {
                members.for_each(|member| self.processes[member].machine.step_takes = *step);
                Undo::SlowSteps
            }
            ProcessFault::CrashAtDiskOp { nth, power } => {
                for member in members {
                    let process = &mut self.processes[member];
                    process.show_store(self.now);
                    let machine = &mut process.machine;
                    machine.armed_power = *power;
                    machine.disk.crash_at(machine.disk.ordinal() + nth);
                }
                Undo::ArmedDisks
            }
            ProcessFault::CrashInRecovery { nth, power } => {
                for member in members {
                    self.processes[member].machine.crash_in_recovery = Some((*nth, *power));
                    self.block_and_end(member, fault, if *power { Stop::PowerLoss } else { Stop::Crash });
                }
                Undo::ProcessesBlocked
            }
            ProcessFault::Failpoint { point, skip, does } => {
                let lasts = self.plan.faults[fault as usize].duration.unwrap_or(SECOND);
                let action = match does {
                    PointAction::Crash | PointAction::PowerLoss => Action::Crash,
                    PointAction::Pause => Action::Sleep(lasts),
                };
                // A plan that was made in code may have a number that no failpoint has: then nothing happens.
                let armed = Some(Armed { point: *point, skip: *skip, action });
                members.for_each(|member| {
                    self.processes[member].arm_point(Some((fault, *does)), armed);
                });
                Undo::ArmedPoints
            }
        }
    }

    /// Kills a process, if it runs, and keeps it down until the fault ends.
    pub(super) fn block_and_end(&mut self, member: MemberId, fault: u32, stop: Stop) {
        self.processes[member].machine.blocked_by.push(Blocker { fault, pauses: false });
        self.deeds.push(Deed::End(member, stop));
    }

    /// Pauses a process until the fault ends.
    fn pause(&mut self, member: MemberId, fault: u32) {
        let machine = &mut self.processes[member].machine;
        machine.blocked_by.push(Blocker { fault, pauses: true });
        if machine.state == State::Running {
            machine.state = State::Paused;
            self.note(member, Fact::Paused);
        }
    }

    /// Asks a process to stop. If it takes too long, it is killed.
    fn stop_gracefully(&mut self, member: MemberId, fault: u32) {
        let machine = &mut self.processes[member].machine;
        if !machine.is_up() {
            return;
        }
        machine.stopping = Some(fault);
        let incarnation = machine.incarnation;
        self.at(self.now + STOP_PATIENCE, Happening::StopOverdue { member, incarnation });
        self.deeds.push(Deed::Give(member, Input::Stop));
    }

    /// A fault no longer blocks a process. If no other fault does, the process runs again.
    pub(crate) fn unblock(&mut self, member: MemberId, fault: u32) {
        let machine = &mut self.processes[member].machine;
        machine.blocked_by.retain(|blocker| blocker.fault != fault);
        match machine.state {
            // It has not finished its graceful stop: it is killed, then started again.
            _ if machine.stopping == Some(fault) => {
                self.deeds.extend([Deed::End(member, Stop::Crash), Deed::Start(member)]);
            }
            State::Down if machine.blocked_by.is_empty() => self.deeds.push(Deed::Start(member)),
            State::Paused => self.run_on(member),
            State::Down | State::Starting | State::Running => {}
        }
    }

    /// One cause of a process's pause has ended. If nothing else pauses the process, it runs again.
    pub(crate) fn run_on(&mut self, member: MemberId) {
        let machine = &mut self.processes[member].machine;
        if machine.state == State::Paused && !machine.must_pause() {
            machine.state = State::Running;
            self.note(member, Fact::Resumed);
            // Its timers kept running during the pause, so it wakes before it takes other inputs.
            self.deeds.push(Deed::GiveFirst(member, Input::Wake));
        }
    }
}
