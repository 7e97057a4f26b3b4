//! The host of one member: whether its process runs, what keeps it from running, its clock and its disk. Nothing
//! here depends on what runs in the process.
//!
//! A fault that keeps a process from running is called its blocker. The process runs again when its last
//! blocker is gone.

use contract::Armed;
use schedule::PointAction;
use trace::{MemberId, Nanos, Stop};

use crate::clock::Clock;
use crate::disk::SimDisk;

/// Whether and how a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not running.
    Down,
    /// Recovering: it receives no messages until its recovery is on disk.
    Starting,
    /// Running.
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

/// Times for which inputs wait are noted only if they are longer than this.
const LONG: Nanos = 1_000_000_000;

/// A fault that keeps a process from running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocker {
    /// Its index in the plan.
    pub(crate) fault: u32,
    /// Whether it only pauses the process; otherwise the process is down.
    pub(crate) pauses: bool,
}

/// One member's host.
pub(crate) struct Machine {
    pub(crate) id: MemberId,
    pub(crate) stage: Stage,
    pub(crate) state: State,
    /// How often its process has started; the number of the running process, or of the last one.
    pub(crate) incarnation: u32,
    /// When it was last started.
    pub(crate) started: Nanos,
    /// When and how it last ended.
    pub(crate) ended: Option<(Nanos, Stop)>,
    pub(crate) clock: Clock,
    pub(crate) disk: SimDisk,
    /// Whether a section is under way: the disk operations of its recovery, or of a job of its store. A fault that
    /// slows or stalls the disk may leave several events for the same end on the heap; this field keeps the
    /// second one from ending the next section.
    pub(crate) section: bool,
    /// When it was last woken, and how many times in a row at that time.
    pub(crate) woken: (Nanos, u32),
    /// When the process wants to be woken, on its own clock.
    pub(crate) wants_wake: u64,
    /// The true time of its next wake-up; `Nanos::MAX` for none.
    pub(crate) wake: Nanos,
    /// How long a step takes, while a fault slows the process; otherwise 0.
    pub(crate) step_takes: Nanos,
    /// The end of its current slow step; until then it takes no input.
    pub(crate) busy_until: Nanos,
    /// Since when inputs have waited for it; `None` if none does.
    pub(crate) behind_since: Option<Nanos>,
    /// The periods in which inputs waited for its process for longer than [`LONG`]: from the first arrival until the
    /// last was taken.
    pub(crate) behind: Vec<(Nanos, Nanos)>,
    /// How many messages it has sent for which it awaits a receipt: they or their receipts are under way.
    pub(crate) receipts: u32,
    /// Whether it has recovered completely at least once. After that, an empty disk means a lost disk.
    pub(crate) bootstrapped: bool,
    /// Whether its member was added to the cluster during the run.
    pub(crate) added: bool,
    /// Whether it stays down permanently: it refused to start because its disk is damaged or lost, or it panicked three
    /// times.
    pub(crate) gone: bool,
    /// How often it panicked.
    pub(crate) panics: u32,
    /// The faults that keep it down or paused.
    pub(crate) blocked_by: Vec<Blocker>,
    /// The fault that asked it to stop gracefully, while it has not ended.
    pub(crate) stopping: Option<u32>,
    /// An armed failpoint: the fault that armed it, and what happens there.
    pub(crate) point: Option<(u32, PointAction)>,
    /// Whether it is paused at a failpoint, in the middle of a step.
    pub(crate) at_point: bool,
    /// The armed failpoint, as the process knows it.
    pub(crate) armed: Option<Armed>,
    /// A fault crashes its next start at this disk operation, counted from 1; true for a power loss.
    pub(crate) crash_in_recovery: Option<(u64, bool)>,
    /// Whether the armed crash at a disk operation is a power loss.
    pub(crate) armed_power: bool,
}

impl Machine {
    pub(crate) fn new(id: MemberId, disk: SimDisk, clock: Clock) -> Machine {
        Machine {
            id,
            stage: Stage::Member,
            state: State::Down,
            incarnation: 0,
            started: 0,
            ended: None,
            clock,
            disk,
            section: false,
            woken: (0, 0),
            wants_wake: u64::MAX,
            wake: Nanos::MAX,
            step_takes: 0,
            busy_until: 0,
            behind_since: None,
            behind: Vec::new(),
            receipts: 0,
            bootstrapped: false,
            added: false,
            gone: false,
            panics: 0,
            blocked_by: Vec::new(),
            stopping: None,
            point: None,
            at_point: false,
            armed: None,
            crash_in_recovery: None,
            armed_power: false,
        }
    }

    /// Whether it has recovered and not ended. A paused process counts: its kernel still acknowledges packets.
    #[inline]
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, State::Running | State::Paused)
    }

    /// Whether something keeps it paused.
    pub(crate) fn must_pause(&self) -> bool {
        self.at_point || self.blocked_by.iter().any(|blocker| blocker.pauses)
    }

    /// The armed failpoint has acted.
    pub(crate) fn take_point(&mut self) -> Option<(u32, PointAction)> {
        self.armed = None;
        self.point.take()
    }

    /// It has taken all inputs that waited for it.
    #[inline]
    pub(crate) fn caught_up(&mut self, now: Nanos) {
        if let Some(since) = self.behind_since.take()
            && now - since > LONG
        {
            self.behind.push((since, now));
        }
    }

    /// The periods in which inputs waited for its process for longer than [`LONG`], up to now.
    pub(crate) fn times_behind(&self, now: Nanos) -> Vec<(Nanos, Nanos)> {
        let open = self.behind_since.map(|since| (since, now)).filter(|(since, now)| now - since > LONG);
        self.behind.iter().copied().chain(open).collect()
    }

    /// Its process has ended.
    pub(crate) fn process_ended(&mut self) {
        self.state = State::Down;
        self.wake = Nanos::MAX;
        self.busy_until = 0;
        self.at_point = false;
        self.behind_since = None;
        self.behind.clear();
        self.stopping = None;
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
}
