//! Which entries were committed, each as reported by the first member that knew of it.

use std::collections::BTreeMap;

use record::{EtcdFact, Event, Fact, MemberId, Nanos};

/// The highest number of terms that are remembered. A leader elected in a term older than all of these is not judged.
const TERMS_MAX: usize = 256;

/// The commit index moved further than any member's had before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commit {
    /// The new commit index.
    pub index: u64,
    /// The term of the entry there.
    pub term: u64,
    /// The term of the committing member at that time.
    pub during: u64,
    /// The member that committed it.
    pub member: MemberId,
    /// When that was reported.
    pub time: Nanos,
}

/// The first commits of entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Commits {
    /// The commit with the highest index.
    pub newest: Option<Commit>,
    /// The last commit of each term (the term that the committing member was in).
    by_term: BTreeMap<u64, Commit>,
}

impl Commits {
    /// The highest index committed so far; 0 for none.
    #[inline]
    pub fn index(&self) -> u64 {
        self.newest.map_or(0, |commit| commit.index)
    }

    /// The commit index moved beyond [`Commits::index`].
    pub fn advance(&mut self, commit: Commit) {
        self.newest = Some(commit);
        self.by_term.insert(commit.during, commit);
        if self.by_term.len() > TERMS_MAX {
            self.by_term.pop_first();
        }
    }

    /// The commit with the highest index that a member in an earlier term made.
    pub fn before_term(&self, term: u64) -> Option<&Commit> {
        self.by_term.range(..term).map(|(_, commit)| commit).max_by_key(|commit| commit.index)
    }
}

impl Commit {
    /// The event that reported it.
    pub fn event(&self) -> Event {
        let fact = Fact::Own(EtcdFact::Committed { index: self.index, term: self.term });
        Event { time: self.time, member: self.member, fact }
    }
}
