//! Faults of processes: graceful restart, crash, power loss, pause, slow steps, a crash at a chosen disk
//! operation, and a crash or pause at a failpoint.
//!
//! A fault that keeps a process down or paused is listed in its `blocked_by` until the fault ends.

use member::failpoint::{Action, Armed};
use member::io::Input;
use plan::{PointAction, ProcessFault};
use record::{Fact, Failpoint, MemberId, Nanos, Stop};

use super::Strike;
use super::undo::Undo;
use crate::process::{Blocker, State};
use crate::world::{Happening, SECOND, World};

/// How long the supervisor waits for a process to stop before it kills it. Kubernetes waits 30 s and systemd
/// 90 s by default; 10 s suits shorter runs.
const STOP_PATIENCE: Nanos = 10 * SECOND;

impl World<'_> {
    /// Begins a fault of processes.
    pub(super) fn begin_process(&mut self, kind: &ProcessFault, strike: &Strike<'_>) -> Undo {
        let fault = strike.fault;
        let members = strike.members.iter().copied();
        match kind {
            ProcessFault::GracefulRestart => {
                for member in members {
                    self.processes[member].blocked_by.push(Blocker { fault, pauses: false });
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
                members.for_each(|member| self.processes[member].step_takes = *step);
                Undo::SlowSteps
            }
            ProcessFault::CrashAtDiskOp { nth, power } => {
                let now = self.now();
                for member in members {
                    let process = &mut self.processes[member];
                    process.show_backend(now);
                    process.armed_power = *power;
                    process.disk.crash_at(process.disk.ordinal() + nth);
                }
                Undo::ArmedDisks
            }
            ProcessFault::CrashInRecovery { nth, power } => {
                for member in members {
                    self.processes[member].crash_in_recovery = Some((*nth, *power));
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
                // A plan that was made in code may have a number that is no point: then nothing happens.
                let point = Failpoint::try_from(*point).ok();
                let armed = point.map(|point| Armed { point, skip: *skip, action });
                members.for_each(|member| self.arm_point(member, Some((fault, *does)), armed));
                Undo::ArmedPoints
            }
        }
    }

    /// Kills a process, if it runs, and keeps it down until the fault ends.
    pub(super) fn block_and_end(&mut self, member: MemberId, fault: u32, stop: Stop) {
        self.processes[member].blocked_by.push(Blocker { fault, pauses: false });
        self.kill(member, stop);
    }

    /// Pauses a process until the fault ends.
    fn pause(&mut self, member: MemberId, fault: u32) {
        self.processes[member].blocked_by.push(Blocker { fault, pauses: true });
        if self.processes[member].state == State::Running {
            self.processes[member].state = State::Paused;
            self.note_of(member, Fact::Paused);
        }
    }

    /// Asks a process to stop. If it takes too long, it is killed.
    fn stop_gracefully(&mut self, member: MemberId, fault: u32) {
        if !self.processes[member].is_up() {
            return;
        }
        self.processes[member].stopping = Some(fault);
        let incarnation = self.processes[member].incarnation;
        self.queue.push(self.now() + STOP_PATIENCE, Happening::StopOverdue { member, incarnation });
        self.feed(member, Input::Stop);
    }

    /// Sets or clears the failpoint of a member, now and for its next start.
    fn arm_point(&mut self, member: MemberId, point: Option<(u32, PointAction)>, armed: Option<Armed>) {
        let process = &mut self.processes[member];
        process.point = point;
        process.config.failpoint = armed;
        if let Some(running) = &mut process.member {
            running.arm(armed);
        }
    }

    /// Removes the failpoint that a fault has armed.
    pub(super) fn disarm_point(&mut self, member: MemberId) {
        self.arm_point(member, None, None);
    }

    /// A process has reached the disk operation at which a fault crashes it.
    pub(crate) fn armed_crash(&mut self, member: MemberId) {
        let now = self.now();
        if self.processes[member].disk.armed_crash().is_none_or(|at| at > now) {
            return;
        }
        self.recorder.count("crash-at-disk-op-fired");
        let stop = if self.processes[member].armed_power { Stop::PowerLoss } else { Stop::Crash };
        self.kill(member, stop);
        if self.processes[member].blocked_by.is_empty() {
            self.queue.push(now + self.plan.cluster.settings.restart_delay, Happening::Supervise { member });
        }
    }

    /// A fault no longer blocks a process. If no other fault does, the process runs again.
    pub(crate) fn unblock(&mut self, member: MemberId, fault: u32) {
        let process = &mut self.processes[member];
        process.blocked_by.retain(|blocker| blocker.fault != fault);
        match process.state {
            // It has not finished its graceful stop: it is killed, then started again.
            _ if process.stopping == Some(fault) => {
                self.kill(member, Stop::Crash);
                self.start(member);
            }
            State::Down if process.blocked_by.is_empty() => self.start(member),
            State::Paused if !process.is_paused_by_fault() => {
                process.state = State::Running;
                self.note_of(member, Fact::Resumed);
                // Its timers kept running during the pause, so it wakes before it takes other inputs.
                self.feed_first(member, Input::Wake);
            }
            State::Down | State::Starting | State::Running | State::Paused => {}
        }
    }

    /// Gives a member an input before the inputs that wait.
    fn feed_first(&mut self, member: MemberId, input: Input) {
        self.processes[member].inbox.push_front(input);
        self.drain_inbox(member);
        self.set_wake(member);
    }
}
