//! What the specification knows of a member that it sees only through a trace.

use std::collections::{BTreeMap, BTreeSet};

use record::MemberId;
use record::step::Configuration;

use super::line::{SingleChange, TracedEvent, TracedMessage, TracedRole};

/// The term of an entry that the trace does not show.
pub(super) const UNKNOWN: u64 = 0;

/// A log: the term of each entry, from index 1 on; [`UNKNOWN`] where the trace does not show it.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms(Vec<u64>);

/// Whether a log has an entry of a term at an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Has {
    Yes,
    No,
    /// The trace does not show it.
    Perhaps,
}

impl Terms {
    /// A log of this length of which nothing is known.
    pub fn unknown(length: u64) -> Terms {
        let mut terms = Terms::default();
        terms.extend(length, UNKNOWN);
        terms
    }

    /// The index of the last entry.
    pub fn last(&self) -> u64 {
        self.0.len() as u64
    }

    /// The term at an index; 0 at index 0, [`UNKNOWN`] where nothing is known or the log does not reach.
    pub fn at(&self, index: u64) -> u64 {
        index.checked_sub(1).and_then(|at| self.0.get(at as usize)).copied().unwrap_or(UNKNOWN)
    }

    /// Whether the log has an entry of this term at `index`. Every log has what is before the first entry.
    pub fn has(&self, index: u64, term: u64) -> Has {
        match (index > self.last(), self.at(index)) {
            (true, _) => Has::No,
            (false, _) if index == 0 => {
                if term == 0 {
                    Has::Yes
                } else {
                    Has::No
                }
            }
            (false, known) if known == UNKNOWN || term == UNKNOWN => Has::Perhaps,
            (false, known) => {
                if known == term {
                    Has::Yes
                } else {
                    Has::No
                }
            }
        }
    }

    /// Sets the term of an entry that the log has.
    pub fn learn(&mut self, index: u64, term: u64) {
        if let Some(at) = index.checked_sub(1).and_then(|at| self.0.get_mut(at as usize))
            && *at == UNKNOWN
        {
            *at = term;
        }
    }

    /// Adds entries of one term until the log has this length.
    pub fn extend(&mut self, length: u64, term: u64) {
        while self.last() < length {
            self.0.push(term);
        }
    }

    /// Adds an entry.
    pub fn push(&mut self, term: u64) {
        self.0.push(term);
    }

    /// Drops all entries behind this index.
    pub fn truncate(&mut self, index: u64) {
        self.0.truncate(index as usize);
    }

    /// Forgets the terms from an index on.
    pub fn forget_from(&mut self, index: u64) {
        self.0.iter_mut().skip(index.saturating_sub(1) as usize).for_each(|term| *term = UNKNOWN);
    }

    /// The terms of `count` entries after `index`; [`UNKNOWN`] where the log does not reach.
    pub fn after(&self, index: u64, count: u64) -> Vec<u64> {
        (index + 1..=index + count).map(|index| self.at(index)).collect()
    }
}

/// Whether a configuration is joint: an event says only which voters it has; the next event shows the other half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Joint {
    /// The copy has both halves.
    Known,
    /// If it is joint, these are the old voters.
    Perhaps(Vec<MemberId>),
    /// Not known: any configuration with these voters may be in force.
    Unknown,
}

/// What a member must do next, because of the message that it received.
#[derive(Clone, Debug)]
pub(super) struct Duty {
    /// The message.
    pub message: TracedMessage,
    /// The line that brought it.
    pub line: usize,
    /// Whether it must become a follower first.
    pub follow: bool,
    /// Whether it must answer, if it became a follower or did not have to.
    pub answer: bool,
    /// Whether it may also ignore the message: then none of this is due.
    pub optional: bool,
}

/// A member.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    pub term: u64,
    pub vote: MemberId,
    pub role: TracedRole,
    pub commit: u64,
    pub log: Terms,
    pub configuration: Configuration,
    /// Whether it has just started. What it starts with is taken from the trace.
    pub starting: bool,
    /// Whether it has heard a leader of this term since it became a follower of nobody.
    pub heard_leader: bool,
    /// A commit index that the last message offered and that it may have taken.
    pub offered_commit: u64,
    pub duty: Option<Duty>,
    /// Of a candidate: the answers that it received, and whom it has not asked yet.
    pub votes: Vec<(MemberId, bool)>,
    pub to_ask: BTreeSet<MemberId>,
    /// Of a leader: the last entry that each member has acknowledged in this term.
    pub acknowledged: BTreeMap<MemberId, u64>,
    /// Of a leader: whether its log has grown in this term.
    pub begun: bool,
    /// Of a leader: whether its configuration has changed in this term.
    pub reconfigured: bool,
    /// Of a leader: proposals that are not in the log yet; changes of the configuration with their content.
    pub proposed: Vec<Option<Vec<SingleChange>>>,
    /// The last index at which it has applied a change of the configuration that the trace shows. `None` after a
    /// restart, until the trace shows it.
    pub applied: Option<u64>,
    /// Whether the configuration that has just come into force may be joint.
    pub joint: Joint,
    /// The first entry that was replaced since the process started; `u64::MAX` if none was.
    pub cut: u64,
}

impl Copy {
    /// A member as an event shows it.
    pub fn of(event: &TracedEvent) -> Copy {
        Copy {
            term: event.state.term,
            vote: event.state.vote,
            role: event.role,
            commit: event.state.commit,
            log: Terms::unknown(event.log),
            configuration: configuration(event),
            starting: false,
            heard_leader: true,
            offered_commit: 0,
            duty: None,
            votes: Vec::new(),
            to_ask: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
            begun: true,
            reconfigured: true,
            proposed: Vec::new(),
            applied: None,
            joint: Joint::Known,
            cut: u64::MAX,
        }
    }

    /// A process that starts, perhaps after another one of the same member.
    pub fn starts(event: &TracedEvent, before: Option<&Copy>) -> Copy {
        let mut copy = Copy { starting: true, heard_leader: false, ..Copy::of(event) };
        match before {
            // The trace does not show which of the changes from before it the member has applied.
            None => copy.applied = Some(0),
            Some(before) => {
                // What was replaced may have come back, if the replacement was not durable.
                copy.log = before.log.clone();
                copy.log.forget_from(before.cut);
                copy.log.truncate(event.log);
                copy.log.extend(event.log, UNKNOWN);
            }
        }
        copy
    }

    /// Resets what every new term or role resets.
    pub fn begin(&mut self, term: u64, role: TracedRole) {
        if term != self.term {
            (self.term, self.vote, self.heard_leader) = (term, MemberId::NONE, false);
        }
        self.role = role;
        self.votes.clear();
        self.to_ask.clear();
        self.acknowledged.clear();
        self.proposed.clear();
        self.reconfigured = false;
    }
}

/// The configuration that an event shows.
pub(super) fn configuration(event: &TracedEvent) -> Configuration {
    let [voters, outgoing] = event.conf.clone().map(|mut half| {
        half.sort_unstable();
        half
    });
    Configuration { voters, outgoing, ..Configuration::default() }
}
