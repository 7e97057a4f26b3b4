//! What the facts say about one member so far. The invariants judge the next fact by it.
//!
//! Nothing is checked here. Every method is called after the invariants have seen the fact.

use record::{EtcdFact, Event, Fact, FaultEffect, LogEntry, MemberId, Nanos, Role};

use super::configuration::Configuration;
use super::disk::{Disk, OnDisk};
use super::i4_state_machine_safety::Execution;
use super::log::TermLog;

/// One member.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Its id.
    pub id: MemberId,
    /// The number of its starts so far.
    pub incarnation: u32,
    /// The event that started it.
    pub started: Event,
    /// How the incarnation before it ended.
    pub stopped: Option<Event>,
    /// The first fault that destroyed what its disk had confirmed. From then on nothing needs to be there after its
    /// restarts.
    pub damage: Option<Event>,
    /// Whether the page cache was lost since it last recovered.
    pub power_lost: bool,
    /// Term, vote and role as last reported.
    pub state: RaftState,
    /// The last vote that it sent, including a vote for itself in a request: the event of the message, and for whom.
    pub voted: Option<(Event, MemberId)>,
    /// The configuration it uses; `None` while none was reported.
    pub configuration: Option<Configuration>,
    /// The log in memory.
    pub log: TermLog,
    /// The first index that changed since the last write was handed to the disk; `u64::MAX` if none did.
    changed: u64,
    /// Commit index in memory.
    pub commit: u64,
    /// When the commit index was reported, and the term of the entry at that index; `None` if the commit index was
    /// read from the disk at the start.
    pub commit_reported: Option<(Nanos, u64)>,
    /// The disk.
    pub disk: Disk,
    /// The store has everything up to this index.
    pub applied: u64,
    /// The index up to which the store had everything when the incarnation began or last installed a snapshot.
    pub basis: u64,
    /// The snapshot that this incarnation installed last.
    pub installed: Option<Event>,
    /// The index to apply next; `None` while this incarnation has applied nothing.
    pub next: Option<u64>,
    /// The last entry that it applied after `basis`.
    pub last_applied: Option<Execution>,
    /// The consistent index that is durable, and when it became so.
    pub backend: (u64, Nanos),
}

/// Term, vote and role.
#[derive(Clone, Copy, Debug)]
pub(super) struct RaftState {
    /// When they were reported.
    pub time: Nanos,
    /// Whether an [`EtcdFact::State`] reported them; otherwise they were recovered.
    pub reported: bool,
    pub term: u64,
    pub vote: MemberId,
    pub role: Role,
    /// The known leader.
    pub leader: MemberId,
}

impl Member {
    pub fn new(id: MemberId) -> Member {
        Member {
            id,
            incarnation: 0,
            started: Event { time: 0, member: id, fact: Fact::Started { incarnation: 0 } },
            stopped: None,
            damage: None,
            power_lost: false,
            state: RaftState::recovered(0, 0, MemberId::NONE),
            voted: None,
            configuration: None,
            log: TermLog::default(),
            changed: u64::MAX,
            commit: 0,
            commit_reported: None,
            disk: Disk::new(),
            applied: 0,
            basis: 0,
            installed: None,
            next: None,
            last_applied: None,
            backend: (0, 0),
        }
    }

    /// A fault struck it.
    pub fn fault(&mut self, event: &Event, effect: FaultEffect) {
        if self.damage.is_none() && effect.damages {
            self.damage = Some(event.clone());
        }
    }

    /// A process started; `Recovered` follows.
    pub fn start(&mut self, event: &Event, incarnation: u32) {
        self.incarnation = incarnation;
        self.started = event.clone();
    }

    /// The process recovered `log` with this hard state and store.
    pub fn recover(&mut self, time: Nanos, log: TermLog, found: OnDisk, consistent_index: u64) {
        // At its first start, the member finds nothing that an earlier incarnation left in the page cache.
        let only_medium = self.power_lost || self.stopped.is_none();
        self.disk.recovered(found, only_medium);
        self.power_lost = false;
        self.log = log;
        self.changed = u64::MAX;
        self.state = RaftState::recovered(time, found.term, found.vote);
        (self.commit, self.commit_reported) = (found.commit, None);
        (self.applied, self.basis, self.next) = (consistent_index, consistent_index, None);
        (self.installed, self.last_applied) = (None, None);
        // If the store came back older, I7 has reported that or damage excuses it.
        self.backend = (self.backend.0.min(consistent_index), self.backend.1);
    }

    /// An entry was put into the log in memory.
    #[inline]
    pub fn append(&mut self, entry: &LogEntry) {
        if entry.index != self.log.last() + 1 {
            self.disk.cut(entry.index);
        }
        self.changed = self.changed.min(entry.index);
        self.log.put(entry.index, entry.term);
    }

    /// A write of raft state was handed to the disk.
    #[inline]
    pub fn saving(&mut self, time: Nanos, job: u64, held: OnDisk) {
        self.disk.saving(time, job, held, self.changed);
        self.changed = u64::MAX;
    }

    /// A snapshot up to `index` replaced log and store. The log may already reach beyond it, if its entries were
    /// reported before the store was ready.
    pub fn install(&mut self, event: &Event, index: u64, term: u64) {
        let goes_on =
            self.log.last() > index && (self.log.before() == index || self.log.term_at(index) == Some(term));
        if !goes_on {
            self.disk.replaced(index, self.commit.min(index));
        }
        if goes_on {
            self.log.drop_to(index, term);
        } else {
            self.log = TermLog::after(index, term);
        }
        (self.applied, self.basis, self.next) = (index, index, Some(index + 1));
        (self.installed, self.last_applied) = (Some(event.clone()), None);
    }

    /// Since when the store has everything up to `basis`, for a sentence.
    pub fn since(&self) -> String {
        match (&self.installed, self.incarnation) {
            (Some(_), _) => "with the snapshot it installed".to_string(),
            (None, 0 | 1) => "when it first started".to_string(),
            (None, nth) => format!("when it started for the {nth}{} time", ordinal(nth)),
        }
    }

    /// The events behind [`Member::since`] and the last application after it.
    pub fn applied_evidence(&self) -> Vec<Event> {
        let basis = self.installed.iter().cloned().chain(self.restart());
        basis.chain(self.last_applied.map(|last| last.event())).collect()
    }

    /// The event of this incarnation that last reported the commit index.
    pub fn commit_event(&self) -> Option<Event> {
        let (time, term) = self.commit_reported?;
        Some(Event {
            time,
            member: self.id,
            fact: Fact::Own(EtcdFact::Committed { index: self.commit, term }),
        })
    }

    /// The events between this incarnation and the one before.
    pub fn restart(&self) -> Vec<Event> {
        self.stopped.iter().cloned().chain([self.started.clone()]).collect()
    }

    /// Whether the entry of this term at `index` is on its disk. A snapshot counts as all the entries it contains.
    #[inline]
    pub fn has_durable(&self, index: u64, term: u64) -> bool {
        self.disk.now.matched >= index && self.log.term_at(index).is_none_or(|here| here == term)
    }

    /// The event of this incarnation that last reported term, vote and role.
    pub fn state_event(&self) -> Option<Event> {
        let RaftState { time, reported, term, vote, role, leader } = self.state;
        reported.then_some(Event {
            time,
            member: self.id,
            fact: Fact::Own(EtcdFact::State { term, vote, role, leader }),
        })
    }
}

impl RaftState {
    /// The state of a member that has started with this term and vote.
    fn recovered(time: Nanos, term: u64, vote: MemberId) -> RaftState {
        RaftState { time, reported: false, term, vote, role: Role::Follower, leader: MemberId::NONE }
    }
}

/// The ending of an ordinal number, such as "th".
fn ordinal(number: u32) -> &'static str {
    match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}
