//! One member's process: start, graceful stop, crash, power loss, pause and resume, slow CPU, ending itself.
//!
//! Invariants: a process that is down has no member; an incarnation that ended never takes effect again (rule
//! R5); a process that starts receives nothing until its recovery has reached the disk.

use std::collections::VecDeque;
use std::sync::Arc;

use member::io::{Effects, Input};
use member::{Config, Member};
use plan::PointAction;
use record::{MemberId, Nanos, Stop};

use crate::clock::Clock;
use crate::disk::SimDisk;

/// Whether and how a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not running.
    Down,
    /// Recovering; it receives nothing until that has reached the disk.
    Starting,
    Running,
    /// Stopped by a signal; inputs wait meanwhile.
    Paused,
}

/// How far a machine's member has come in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has not been added yet.
    Absent,
    /// It is, or is about to become, a member.
    Member,
    /// It was removed, and knows it.
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

/// One member's process and machine.
pub(crate) struct Process {
    pub(crate) stage: Stage,
    /// When it was last started.
    pub(crate) started: Nanos,
    /// When and how it last ended.
    pub(crate) ended: Option<(Nanos, Stop)>,
    /// An armed failpoint: the fault, and what happens there.
    pub(crate) point: Option<(u32, PointAction)>,
    /// A pause in the middle of a step: the effects after that point happen when the pause is over.
    pub(crate) stalled: Option<Box<Effects>>,
    pub(crate) id: MemberId,
    pub(crate) incarnation: u32,
    pub(crate) state: State,
    pub(crate) member: Option<Member>,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) disk: SimDisk,
    /// It waits for the end of a section of the disk. After a fault that slowed or stalled the disk, the
    /// queue may hold more than one event for the same end; the second one must not end the next section.
    pub(crate) section: bool,
    /// Inputs that came while it could not run.
    pub(crate) inbox: VecDeque<Input>,
    /// When it was last woken, and how many times in a row at that time.
    pub(crate) woken: (Nanos, u32),
    /// True time for which its wake-up is set; `Nanos::MAX` for none.
    pub(crate) wake: Nanos,
    /// Duration of a step; 0 for none.
    pub(crate) step_takes: Nanos,
    /// It is busy until then.
    pub(crate) busy_until: Nanos,
    /// It has recovered completely at least once: from now on an empty disk is a lost disk.
    pub(crate) bootstrapped: bool,
    /// It refused to start for good: its disk is damaged or gone.
    pub(crate) gone: bool,
    /// How often it panicked; after a few panics it stays down.
    pub(crate) panics: u32,
    /// Faults that keep it down or paused.
    pub(crate) blocked_by: Vec<Blocker>,
    /// The fault that asked it to stop.
    pub(crate) stopping: Option<u32>,
    /// A crash at this disk operation (from 1) of its next start, and whether power goes with it.
    pub(crate) crash_in_recovery: Option<(u64, bool)>,
    /// Whether the armed crash at a disk operation is a power loss.
    pub(crate) armed_power: bool,
    /// Created by the first step and reused by later ones; gone while the world carries them out.
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

    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, State::Running | State::Paused)
    }

    /// Whether a fault that pauses it holds it.
    pub(crate) fn is_paused_by_fault(&self) -> bool {
        self.blocked_by.iter().any(|blocker| blocker.pauses)
    }

    /// Forgets everything in memory.
    pub(crate) fn drop_memory(&mut self) {
        // The member's destructor cannot reach the disk: its handle already belongs to a dead incarnation.
        self.member = None;
        self.inbox.clear();
        self.state = State::Down;
        self.wake = Nanos::MAX;
        self.busy_until = 0;
        self.stopping = None;
        self.stalled = None;
        self.effects = None;
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
            Stop::Panic(words) => format!("it panicked {at}: {words}"),
            Stop::Refused(why) => format!("it refused to start {at}: {why}"),
            Stop::Removed => format!("it learned {at} that it is no longer a member"),
        }
    }

    /// Recovers from the disk as a new incarnation. This is only the member's part; the world does the rest.
    pub(crate) fn recover(&mut self, now: Nanos) -> Result<(), member::StartError> {
        self.incarnation += 1;
        self.started = now;
        self.section = false;
        self.config.incarnation = self.incarnation;
        self.config.bootstrap = !self.bootstrapped;
        let disk: Arc<dyn member::disk::Disk> = self.disk.attach(self.incarnation);
        let effects = self.effects.get_or_insert_default();
        let member = Member::start(self.config.clone(), self.clock.monotonic(now), disk, effects)?;
        self.member = Some(member);
        self.state = State::Starting;
        Ok(())
    }
}
