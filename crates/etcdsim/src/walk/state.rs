//! What the trace shows of each member at one moment.

use comfy_table::{Table, presets};
use record::{EtcdFact, Event, Fact, MemberId, Members, Role, Stop};

/// A member at one moment, as far as the trace shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemberState {
    /// What its process does.
    pub process: Process,
    /// How often it was started.
    pub starts: u32,
    /// The role.
    pub role: Role,
    /// The term.
    pub term: u64,
    /// The vote in that term.
    pub vote: MemberId,
    /// The leader it knows of.
    pub leader: MemberId,
    /// Index and term of its last entry.
    pub last: (u64, u64),
    /// The commit index.
    pub commit: u64,
    /// The last entry that it applied.
    pub applied: u64,
    /// A restart would find the effects of the entries up to here in its store.
    pub durable: u64,
    /// The store's revision.
    pub revision: u64,
    /// The hash of all replicated state.
    pub state_hash: u64,
    /// The voters that it uses; in a joint configuration the new ones.
    pub voters: Vec<MemberId>,
    /// In a joint configuration the old voters.
    pub outgoing: Vec<MemberId>,
    /// The learners that it uses.
    pub learners: Vec<MemberId>,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Process {
    /// It was never started.
    Absent,
    Runs,
    Paused,
    /// It has ended, for this reason.
    Ended(&'static str),
}

impl Default for MemberState {
    fn default() -> MemberState {
        MemberState {
            process: Process::Absent,
            starts: 0,
            role: Role::Follower,
            term: 0,
            vote: MemberId::NONE,
            leader: MemberId::NONE,
            last: (0, 0),
            commit: 0,
            applied: 0,
            durable: 0,
            revision: 0,
            state_hash: 0,
            voters: Vec::new(),
            outgoing: Vec::new(),
            learners: Vec::new(),
        }
    }
}

/// All members at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct States(pub Members<MemberState>);

impl States {
    /// Before the first event of a run with at most this many members.
    pub fn new(members: u32) -> States {
        States(Members::new(members, |_| MemberState::default()))
    }

    /// The states after an event.
    pub fn advance(&mut self, event: &Event) {
        let Some(state) = self.0.get_mut(event.member) else { return };
        match &event.fact {
            Fact::Started { incarnation } => {
                (state.process, state.starts) = (Process::Runs, *incarnation);
                (state.role, state.leader) = (Role::Follower, MemberId::NONE);
            }
            Fact::Stopped(stop) => state.process = Process::Ended(reason(stop)),
            Fact::Paused => state.process = Process::Paused,
            Fact::Resumed => state.process = Process::Runs,
            Fact::Own(fact) => state.own(fact),
            _ => {}
        }
    }

    /// A table with a row for each part of the state and a column for each member.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let head = self.0.ids().map(|id| format!("member {id}"));
        table.set_header(std::iter::once(String::new()).chain(head));
        for (name, part) in ROWS {
            let cells = self.0.values().map(part);
            table.add_row(std::iter::once((*name).to_string()).chain(cells));
        }
        format!("{}\n", table.trim_fmt())
    }
}

/// A row of the table: its name, and what it shows of a member.
type Row = (&'static str, fn(&MemberState) -> String);

/// The rows of the table.
pub(crate) const ROWS: &[Row] = &[
    ("process", |state| state.process_text()),
    ("role", |state| state.role_text().to_string()),
    ("term", |state| state.term.to_string()),
    ("vote", |state| who(state.vote)),
    ("leader", |state| who(state.leader)),
    ("last entry", |state| format!("{} (term {})", state.last.0, state.last.1)),
    ("commit", |state| state.commit.to_string()),
    ("applied", |state| state.applied.to_string()),
    ("store on disk", |state| state.durable.to_string()),
    ("revision", |state| state.revision.to_string()),
    ("state hash", |state| format!("{:08x}", state.state_hash >> 32)),
    ("voters", |state| state.voters_text()),
];

impl MemberState {
    fn own(&mut self, fact: &EtcdFact) {
        match fact {
            EtcdFact::Recovered {
                term,
                vote,
                commit,
                before,
                entries,
                consistent_index,
                revision,
                state_hash,
            } => {
                (self.term, self.vote, self.commit) = (*term, *vote, *commit);
                self.last = entries.last().map_or(*before, |entry| (entry.index, entry.term));
                (self.applied, self.durable) = (*consistent_index, *consistent_index);
                (self.revision, self.state_hash) = (*revision, *state_hash);
            }
            EtcdFact::State { term, vote, role, leader } => {
                (self.term, self.vote, self.role, self.leader) = (*term, *vote, *role, *leader);
            }
            EtcdFact::Appended(entries) => {
                if let Some(last) = entries.last() {
                    self.last = (last.index, last.term);
                }
            }
            EtcdFact::SnapshotInstalled { index, term, revision, state_hash } => {
                self.last = (*index, *term);
                (self.commit, self.applied) = (*index, *index);
                (self.revision, self.state_hash) = (*revision, *state_hash);
            }
            EtcdFact::Committed { index, .. } => self.commit = *index,
            EtcdFact::Applied { index, revision, state_hash, .. } => {
                (self.applied, self.revision, self.state_hash) = (*index, *revision, *state_hash);
            }
            EtcdFact::BackendDurable { consistent_index } => self.durable = *consistent_index,
            EtcdFact::Configuration { voters, outgoing, learners, .. } => {
                self.voters.clone_from(voters);
                self.outgoing.clone_from(outgoing);
                self.learners.clone_from(learners);
            }
            _ => {}
        }
    }

    fn process_text(&self) -> String {
        match self.process {
            Process::Absent => "not started".to_string(),
            Process::Runs if self.starts <= 1 => "runs".to_string(),
            Process::Runs => format!("runs, restart {}", self.starts - 1),
            Process::Paused => "is paused".to_string(),
            Process::Ended(reason) => reason.to_string(),
        }
    }

    /// Its role, or nothing if no process runs.
    pub fn role_text(&self) -> &'static str {
        match (self.process, self.role) {
            (Process::Absent | Process::Ended(_), _) => "-",
            (_, Role::Follower) => "follower",
            (_, Role::PreCandidate) => "pre-candidate",
            (_, Role::Candidate) => "candidate",
            (_, Role::Leader) => "LEADER",
        }
    }

    fn voters_text(&self) -> String {
        let list = |ids: &[MemberId]| ids.iter().map(MemberId::to_string).collect::<Vec<_>>().join(" ");
        let mut text = list(&self.voters);
        if !self.outgoing.is_empty() {
            text += &format!(", before {}", list(&self.outgoing));
        }
        if !self.learners.is_empty() {
            text += &format!(", learners {}", list(&self.learners));
        }
        text
    }
}

/// `member 2`, or a dash.
fn who(member: MemberId) -> String {
    if member.is_none() { "-".to_string() } else { format!("member {member}") }
}

/// Why a process ended.
fn reason(stop: &Stop) -> &'static str {
    match stop {
        Stop::Graceful => "stopped",
        Stop::Crash => "killed",
        Stop::PowerLoss => "lost power",
        Stop::Fatal(_) => "ended itself",
        Stop::Panic(_) => "panicked",
        Stop::Refused(_) => "refused to start",
        Stop::Removed => "left the cluster",
    }
}
