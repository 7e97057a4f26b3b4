//! Faults of a process: stops, crashes, pauses, slow steps, and crashes and pauses that wait for a disk
//! operation or a failpoint.

use member::failpoint::{Action, Armed};
use member::io::Input;
use plan::{PointAction, ProcessFault};
use record::{Fact, MemberId, Nanos, Stop};

use super::Strike;
use super::begun::Begun;
use crate::process::{Blocker, State};
use crate::world::{Happening, SECOND, World};

/// How long a service manager waits for a process that it asked to stop, before it kills it.
const STOP_PATIENCE: Nanos = 10 * SECOND;

impl World<'_> {
    pub(super) fn begin_process(&mut self, kind: &ProcessFault, strike: &Strike<'_>) -> Begun {
        let fault = strike.fault;
        let members = strike.members.iter().copied();
        match kind {
            ProcessFault::GracefulRestart => {
                for member in members {
                    self.processes[member].blocked_by.push(Blocker { fault, pauses: false });
                    self.stop_gracefully(member, fault);
                }
                Begun::ProcessesBlocked
            }
            ProcessFault::Crash => {
                members.for_each(|member| self.block_and_end(member, fault, Stop::Crash));
                Begun::ProcessesBlocked
            }
            ProcessFault::PowerLoss => {
                members.for_each(|member| self.block_and_end(member, fault, Stop::PowerLoss));
                Begun::ProcessesBlocked
            }
            ProcessFault::Pause => {
                members.for_each(|member| self.pause(member, fault));
                Begun::ProcessesBlocked
            }
            ProcessFault::SlowCpu { step } => {
                members.for_each(|member| self.processes[member].step_takes = *step);
                Begun::SlowSteps
            }
            ProcessFault::CrashAtDiskOp { nth, power } => {
                for member in members {
                    let process = &mut self.processes[member];
                    process.armed_power = *power;
                    process.disk.crash_at(process.disk.ordinal() + nth);
                }
                Begun::ArmedDisks
            }
            ProcessFault::CrashInRecovery { nth, power } => {
                for member in members {
                    self.processes[member].crash_in_recovery = Some((*nth, *power));
                    self.block_and_end(member, fault, if *power { Stop::PowerLoss } else { Stop::Crash });
                }
                Begun::ProcessesBlocked
            }
            ProcessFault::Failpoint { point, skip, does } => {
                let lasts = self.plan.faults[fault as usize].duration.unwrap_or(SECOND);
                let action = match does {
                    PointAction::Crash | PointAction::PowerLoss => Action::Crash,
                    PointAction::Pause => Action::Sleep(lasts),
                };
                let armed = Some(Armed { point: *point, skip: *skip, action });
                members.for_each(|member| self.arm_point(member, Some((fault, *does)), armed));
                Begun::ArmedPoints
            }
        }
    }

    /// Ends a process, if it runs, and keeps it down until the fault releases it.
    pub(super) fn block_and_end(&mut self, member: MemberId, fault: u32, stop: Stop) {
        self.processes[member].blocked_by.push(Blocker { fault, pauses: false });
        self.kill(member, stop);
    }

    fn pause(&mut self, member: MemberId, fault: u32) {
        self.processes[member].blocked_by.push(Blocker { fault, pauses: true });
        if self.processes[member].state == State::Running {
            self.processes[member].state = State::Paused;
            self.note_of(member, Fact::Paused);
        }
    }

    fn stop_gracefully(&mut self, member: MemberId, fault: u32) {
        if !self.processes[member].is_up() {
            return;
        }
        self.processes[member].stopping = Some(fault);
        let incarnation = self.processes[member].incarnation;
        self.queue.push(self.now() + STOP_PATIENCE, Happening::StopOverdue { member, incarnation });
        self.feed(member, Input::Stop);
    }

    fn arm_point(&mut self, member: MemberId, point: Option<(u32, PointAction)>, armed: Option<Armed>) {
        let process = &mut self.processes[member];
        process.point = point;
        process.config.failpoint = armed;
        if let Some(running) = &mut process.member {
            running.arm(armed);
        }
    }

    pub(super) fn disarm_point(&mut self, member: MemberId) {
        self.arm_point(member, None, None);
    }

    /// The disk operation with an armed crash is due.
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

    /// A fault no longer holds a process; if no other fault does, it runs again.
    pub(crate) fn unblock(&mut self, member: MemberId, fault: u32) {
        let process = &mut self.processes[member];
        process.blocked_by.retain(|blocker| blocker.fault != fault);
        match process.state {
            // A graceful stop that is still under way ends first; a supervisor then starts the process.
            _ if process.stopping == Some(fault) => {
                self.kill(member, Stop::Crash);
                self.start(member);
            }
            State::Down if process.blocked_by.is_empty() => self.start(member),
            State::Paused if !process.is_paused_by_fault() => {
                process.state = State::Running;
                self.note_of(member, Fact::Resumed);
                // Its timers kept running, so it wakes first, like a process with pending signals.
                self.feed_first(member, Input::Wake);
            }
            State::Down | State::Starting | State::Running | State::Paused => {}
        }
    }

    /// Feeds an input ahead of those that wait.
    fn feed_first(&mut self, member: MemberId, input: Input) {
        self.processes[member].inbox.push_front(input);
        self.drain_inbox(member);
        self.set_wake(member);
    }
}
