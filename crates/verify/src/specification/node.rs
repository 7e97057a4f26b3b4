//! The specification's own copy of one process: everything that raft and its host know and owe.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut, Range};

use record::step::{Configuration, Context, Message, Mode, Progress, Read, Settings, Start, State};
use record::{MemberId, MessageKind};

use super::disk::Disk;
use super::log::Log;

/// How many numbers of reads are remembered.
const CONTEXTS: usize = 256;

/// A process.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub id: MemberId,
    pub settings: Settings,
    /// Whether its raft loop waits for each save.
    pub blocking: bool,
    pub state: State,
    pub log: Log,
    pub configuration: Configuration,
    /// What it knows of each member as a leader.
    pub flows: Flows,
    /// The votes that it has counted as a candidate, sorted.
    pub votes: Vec<(MemberId, bool)>,
    /// The votes as a step reported them last.
    pub votes_reported: Vec<(MemberId, bool)>,
    /// The reads that wait for a quorum, oldest first.
    pub reads: Vec<Read>,
    /// The reads as a step reported them last.
    pub reads_reported: Vec<Read>,
    /// The numbers under which it asked for read indexes, newest last.
    pub contexts: VecDeque<u64>,
    /// The highest number that was ever among them.
    highest_context: u64,
    /// The answers to reads that no ready has handed over.
    pub answers: Vec<(Context, u64)>,
    /// How many messages no ready has handed over.
    pub outbox: u64,
    /// The messages that have not left, in the order of their numbers.
    pub waiting: VecDeque<Waiting>,
    /// Whether some of them may leave, so that the next act of the host must be to let them go.
    pub owes_release: bool,
    /// The number of the last ready that raft knows to be durable.
    pub durable: u64,
    /// The readies that raft does not know to be durable.
    pub readies: VecDeque<Handed>,
    /// The number of the last ready.
    pub ready: u64,
    /// Term, vote and commit index of the last ready that had them.
    pub hard_state: (u64, MemberId, u64),
    /// The last entry that was handed over to be applied.
    pub to_apply: u64,
    /// The last change of the configuration that was applied.
    pub changed: u64,
    pub disk: Disk,
}

/// What a leader knows of each member, sorted. It tracks by itself what may have changed: everything else is as last
/// reported, and needs neither a copy nor a comparison.
#[derive(Clone, Debug, Default)]
pub(super) struct Flows {
    list: Vec<(MemberId, Flow)>,
    /// The places of what may have changed since `reported` was made.
    touched: Range<usize>,
    /// Whether the members themselves may have changed since then.
    rebuilt: bool,
    /// The progress of each member before the step.
    reported: Vec<(MemberId, Progress)>,
}

/// What a leader knows of a member.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    pub progress: Progress,
    /// The last index of each append in flight.
    pub window: VecDeque<u64>,
}

/// A message that has not left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub number: u64,
    pub kind: MessageKind,
    pub to: MemberId,
    pub term: u64,
    pub index: u64,
    pub reject: bool,
    /// The ready that handed it over; 0 if none has.
    pub ready: u64,
    /// Whether it leaves beside the save of that ready.
    pub beside: bool,
}

/// A ready that raft does not know to be durable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handed {
    pub number: u64,
    /// The disk job that saves it.
    pub job: Option<u64>,
    /// Index and term of its last entry.
    pub last: Option<(u64, u64)>,
    /// The index of its snapshot.
    pub snapshot: Option<u64>,
    /// Whether it has a new term or vote.
    pub vote: bool,
}

impl Waiting {
    /// Whether it may leave, if all readies up to `durable` are durable.
    #[inline]
    pub fn may_leave(&self, durable: u64) -> bool {
        self.ready != 0 && (self.beside || self.ready <= durable)
    }
}

impl Handed {
    /// Whether it has nothing that must be durable.
    #[inline]
    pub fn saves_nothing(&self) -> bool {
        self.job.is_none() && self.last.is_none() && self.snapshot.is_none()
    }
}

impl Node {
    /// A process that has just started.
    pub fn new(id: MemberId, start: &Start, state: State) -> Node {
        let mut log = Log::after(start.before.0, start.before.1);
        log.replace(start.before.0 + 1, &start.entries);
        Node {
            id,
            settings: start.settings,
            blocking: false,
            state,
            disk: Disk::found(state.term, state.vote, log.last().0),
            log,
            configuration: start.configuration.clone(),
            flows: Flows::default(),
            votes: Vec::new(),
            votes_reported: Vec::new(),
            reads: Vec::new(),
            reads_reported: Vec::new(),
            contexts: VecDeque::new(),
            highest_context: 0,
            answers: Vec::new(),
            outbox: 0,
            waiting: VecDeque::new(),
            owes_release: false,
            durable: 0,
            readies: VecDeque::new(),
            ready: 0,
            hard_state: (state.term, state.vote, state.commit),
            to_apply: state.applied,
            changed: state.applied,
        }
    }

    /// Whether it votes.
    pub fn votes_in_configuration(&self) -> bool {
        self.configuration.has_voter(self.id)
    }

    /// The place in `flows` of what it knows of a member.
    #[inline]
    pub fn flow_at(&self, member: MemberId) -> Option<usize> {
        self.flows.iter().position(|(id, _)| *id == member)
    }

    /// What it knows of a member.
    #[inline]
    pub fn flow(&mut self, member: MemberId) -> Option<&mut Flow> {
        self.flow_at(member).map(|at| self.flows.touch(at))
    }

    /// How far a member's log is known to match.
    #[inline]
    pub fn matched(&self, member: MemberId) -> u64 {
        self.flow_at(member).map_or(0, |at| self.flows[at].1.progress.matched)
    }

    /// Remembers the number of a read. Returns whether it is new.
    pub fn is_new_context(&mut self, context: u64) -> bool {
        // Hosts count upwards, so there is rarely anything to search.
        let new = context > self.highest_context || !self.contexts.contains(&context);
        self.highest_context = self.highest_context.max(context);
        if self.contexts.len() == CONTEXTS {
            self.contexts.pop_front();
        }
        self.contexts.push_back(context);
        new
    }

    /// The message with this number does not wait any more. Most leave in the order in which they were put out.
    #[inline]
    pub fn stops_waiting(&mut self, number: u64) -> Option<Waiting> {
        let waiting = &mut self.waiting;
        if waiting.front().is_some_and(|message| message.number == number) {
            return waiting.pop_front();
        }
        waiting.remove(waiting.iter().position(|message| message.number == number)?)
    }

    /// Messages were put out.
    #[inline]
    pub fn put_out(&mut self, out: &[Message]) {
        self.outbox += out.len() as u64;
        for message in out {
            self.waiting.push_back(Waiting {
                number: message.number,
                kind: message.kind,
                to: message.to,
                term: message.term,
                index: message.index,
                reject: message.reject,
                ready: 0,
                beside: false,
            });
        }
    }
}

impl Flows {
    /// A step begins: what is known now was reported.
    #[inline]
    pub fn begin_step(&mut self) {
        if self.touched.is_empty() {
            return;
        }
        if self.rebuilt {
            self.report_all();
        } else {
            for at in self.touched.clone() {
                self.reported[at].1 = self.list[at].1.progress;
            }
        }
        self.touched = 0..0;
    }

    /// All that is known now was reported.
    #[cold]
    fn report_all(&mut self) {
        self.rebuilt = false;
        self.reported.clear();
        self.reported.extend(self.list.iter().map(|(id, flow)| (*id, flow.progress)));
    }

    /// The places of the members about whom the step may have changed what is known.
    #[inline]
    pub fn touched(&self) -> Range<usize> {
        self.touched.start..self.touched.end.min(self.list.len())
    }

    /// What is known of the member at this place, to change it.
    #[inline]
    pub fn touch(&mut self, at: usize) -> &mut Flow {
        let Range { start, end } = self.touched;
        self.touched = if start < end { start.min(at)..end.max(at + 1) } else { at..at + 1 };
        &mut self.list[at].1
    }

    /// The progress of each member before the step.
    #[inline]
    pub fn reported(&self) -> &[(MemberId, Progress)] {
        &self.reported
    }
}

impl Deref for Flows {
    type Target = Vec<(MemberId, Flow)>;

    #[inline]
    fn deref(&self) -> &Vec<(MemberId, Flow)> {
        &self.list
    }
}

impl DerefMut for Flows {
    #[inline]
    fn deref_mut(&mut self) -> &mut Vec<(MemberId, Flow)> {
        (self.touched, self.rebuilt) = (0..usize::MAX, true);
        &mut self.list
    }
}

impl Flow {
    /// A member about which nothing is known yet, to which entries are sent from `next` on.
    pub fn new(next: u64) -> Flow {
        Flow { progress: Progress { next, ..Progress::default() }, ..Flow::default() }
    }

    /// Whether nothing may be sent to it now.
    pub fn is_paused(&self, max_inflight: u64) -> bool {
        match self.progress.mode {
            Mode::Probe => self.progress.paused,
            Mode::Replicate => self.window.len() as u64 >= max_inflight,
            Mode::Snapshot => true,
        }
    }

    /// Switches to another way of sending.
    fn begin(&mut self, mode: Mode) {
        self.progress.mode = mode;
        self.progress.paused = false;
        self.progress.snapshot = 0;
        self.window.clear();
    }

    /// Probes where the logs agree.
    pub fn probe(&mut self) {
        let snapshot = if self.progress.mode == Mode::Snapshot { self.progress.snapshot } else { 0 };
        self.begin(Mode::Probe);
        self.progress.next = self.progress.matched.max(snapshot) + 1;
    }

    /// Sends many appends at a time.
    pub fn replicate(&mut self) {
        self.begin(Mode::Replicate);
        self.progress.next = self.progress.matched + 1;
    }

    /// A snapshot is on its way.
    pub fn snapshot(&mut self, index: u64) {
        self.begin(Mode::Snapshot);
        self.progress.snapshot = index;
    }

    /// The member has everything up to `index`. Returns whether that is new.
    pub fn acknowledge(&mut self, index: u64) -> bool {
        let progress = &mut self.progress;
        progress.next = progress.next.max(index + 1);
        if progress.matched >= index {
            return false;
        }
        (progress.matched, progress.paused) = (index, false);
        true
    }

    /// What is in flight up to `index` has arrived.
    pub fn free_to(&mut self, index: u64) {
        while self.window.pop_front_if(|last| *last <= index).is_some() {}
    }

    /// Updates what the window shows.
    pub fn count_window(&mut self, max_inflight: u64) {
        self.progress.inflight = self.window.len() as u64;
        self.progress.full = self.progress.inflight == max_inflight;
    }
}
