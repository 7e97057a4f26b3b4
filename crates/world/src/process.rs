//! The state of one member's process and of its host: whether the process runs, its inputs that wait, its clock
//! and its disk. A process can start, stop gracefully, crash, lose power, pause, resume, run slowly, and end
//! itself; `world.rs` and `faults/process.rs` carry that out.
//!
//! A fault that keeps a process from running is called its blocker. The process runs again when its last
//! blocker is gone.
//!
//! Invariants: a process that is down has no member in memory. What belongs to an ended incarnation has no
//! effect any more (rule R5). A process that starts receives no messages until its recovery is on disk.

use std::collections::VecDeque;
use std::sync::Arc;

use member::config::BackendWrites;
use member::io::{Effects, Input};
use member::{Config, Member};
use plan::PointAction;
use record::{MemberId, Nanos, Stop};

use crate::backend::{Host, Interrupted};
use crate::clock::Clock;
use crate::disk::SimDisk;

/// Whether and how a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not running.
    Down,
    /// Recovering: it receives no messages until its recovery is on disk.
    Starting,
    Running,
    /// Stopped by a signal (SIGSTOP). Its inputs wait.
    Paused,
}

/// Whether the member of a host belongs to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has not been added yet.
    Absent,
    /// It belongs to the cluster, or is about to be added.
    Member,
    /// It was removed, and has learned of it.
    Removed,
}

/// A fault that keeps a process from running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocker {
    /// Its index in the plan.
    pub(crate) fault: u32,
    /// Whether it only pauses the process; otherwise the process is down.
    pub(crate) pauses: bool,
}

/// One member's process and host.
pub(crate) struct Process {
    pub(crate) stage: Stage,
    /// When it was last started.
    pub(crate) started: Nanos,
    /// When and how it last ended.
    pub(crate) ended: Option<(Nanos, Stop)>,
    /// An armed failpoint: the fault that armed it, and what happens there.
    pub(crate) point: Option<(u32, PointAction)>,
    /// While a step pauses at a failpoint: the effects that are carried out when the pause is over.
    pub(crate) stalled: Option<Box<Effects>>,
    pub(crate) id: MemberId,
    pub(crate) incarnation: u32,
    pub(crate) state: State,
    pub(crate) member: Option<Member>,
    /// The backend of that member.
    pub(crate) backend: Option<Host>,
    /// The backend commit in which the last process ended, until the next one has looked for it.
    pub(crate) interrupted: Option<Interrupted>,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) disk: SimDisk,
    /// Whether a section is under way: the disk operations of its recovery, or of a job of its backend. A fault that
    /// slows or stalls the disk may leave several events for the same end on the heap; this field keeps the
    /// second one from ending the next section.
    pub(crate) section: bool,
    /// Inputs that came while it could not run.
    pub(crate) inbox: VecDeque<Input>,
    /// When it was last woken, and how many times in a row at that time.
    pub(crate) woken: (Nanos, u32),
    /// The true time of its next wake-up; `Nanos::MAX` for none.
    pub(crate) wake: Nanos,
    /// How long a step takes, while a fault slows the process; otherwise 0.
    pub(crate) step_takes: Nanos,
    /// The end of its current slow step or pause at a failpoint; until then it takes no input.
    pub(crate) busy_until: Nanos,
    /// Whether it has recovered completely at least once. After that, an empty disk means a lost disk.
    pub(crate) bootstrapped: bool,
    /// Whether it stays down for good: it refused to start because its disk is damaged or lost, or it panicked
    /// three times.
    pub(crate) gone: bool,
    /// How often it panicked.
    pub(crate) panics: u32,
    /// The faults that keep it down or paused.
    pub(crate) blocked_by: Vec<Blocker>,
    /// The fault that asked it to stop gracefully, while it has not ended.
    pub(crate) stopping: Option<u32>,
    /// A fault crashes its next start at this disk operation, counted from 1; true for a power loss.
    pub(crate) crash_in_recovery: Option<(u64, bool)>,
    /// Whether the armed crash at a disk operation is a power loss.
    pub(crate) armed_power: bool,
    /// Storage for the effects of a step, reused by all steps. `None` before the first step, and while the world
    /// carries the effects out.
    pub(crate) effects: Option<Box<Effects>>,
}

impl Process {
    pub(crate) fn new(id: MemberId, config: Config, disk: SimDisk, clock: Clock) -> Process {
        Process {
            stage: Stage::Member,
            started: 0,
            ended: None,
            point: None,
            stalled: None,
            id,
            incarnation: 0,
            state: State::Down,
            member: None,
            backend: None,
            interrupted: None,
            config,
            clock,
            disk,
            section: false,
            inbox: VecDeque::new(),
            woken: (0, 0),
            wake: Nanos::MAX,
            step_takes: 0,
            busy_until: 0,
            bootstrapped: false,
            gone: false,
            panics: 0,
            blocked_by: Vec::new(),
            stopping: None,
            crash_in_recovery: None,
            armed_power: false,
            effects: None,
        }
    }

    /// Whether it has recovered and not ended. A paused process counts: its kernel still acknowledges packets.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, State::Running | State::Paused)
    }

    /// Whether a fault keeps it paused.
    pub(crate) fn is_paused_by_fault(&self) -> bool {
        self.blocked_by.iter().any(|blocker| blocker.pauses)
    }

    /// Drops everything that a process has in memory.
    pub(crate) fn drop_memory(&mut self) {
        // Destructors cannot change the disk: it refuses calls of an ended incarnation.
        self.member = None;
        self.backend = None;
        self.inbox.clear();
        self.state = State::Down;
        self.wake = Nanos::MAX;
        self.busy_until = 0;
        self.stopping = None;
        self.stalled = None;
        self.effects = None;
    }

    /// Brings the file of the backend up to date, if the process has one: from now on somebody can see it.
    pub(crate) fn show_backend(&mut self, now: Nanos) {
        if let Some(backend) = &mut self.backend {
            backend.bring_up_to_date(now, &self.disk);
        }
    }

    /// Why the process does not run, to end a sentence with.
    pub(crate) fn why_it_does_not_run(&self) -> String {
        match self.state {
            State::Running => "it runs".to_string(),
            State::Paused => "it is paused".to_string(),
            State::Starting => format!("it is still starting, and before that {}", self.how_it_ended()),
            State::Down => self.how_it_ended(),
        }
    }

    /// How the last incarnation ended, as part of a sentence.
    fn how_it_ended(&self) -> String {
        let Some((at, stop)) = &self.ended else { return "it had never run".to_string() };
        let at = format!("at {}.{:03} s", at / 1_000_000_000, at / 1_000_000 % 1_000);
        match stop {
            Stop::Graceful => format!("it was stopped {at}"),
            Stop::Crash => format!("it was killed {at}"),
            Stop::PowerLoss => format!("it lost power {at}"),
            Stop::Fatal(why) => format!("it ended itself {at}: {why}"),
            Stop::Panic(text) => format!("it panicked {at}: {text}"),
            Stop::Refused(why) => format!("it refused to start {at}: {why}"),
            Stop::Removed => format!("it learned {at} that it is no longer a member"),
        }
    }

    /// Starts a new incarnation, which recovers from the disk. `World::start` calls this and does the rest.
    pub(crate) fn recover(&mut self, now: Nanos) -> Result<(), member::StartError> {
        self.incarnation += 1;
        self.started = now;
        self.section = false;
        self.config.incarnation = self.incarnation;
        self.config.bootstrap = !self.bootstrapped;
        let disk: Arc<dyn member::disk::Disk> = self.disk.attach(self.incarnation);
        let effects = self.effects.get_or_insert_default();
        let (member, backend) = Member::start(self.config.clone(), self.clock.monotonic(now), disk, effects)?;
        let eager = self.config.settings.backend_writes == BackendWrites::Eager;
        let index = member.status().applied;
        self.backend = Some(Host::new(backend, eager, index));
        self.member = Some(member);
        self.state = State::Starting;
        Ok(())
    }
}
