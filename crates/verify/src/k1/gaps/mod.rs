//! Without evidence: what made the revisions that no answer acknowledges.
//!
//! Three things can have: writes without an answer, leases whose time is over, and what the lock and election services
//! write for a call. A search in the order of revisions (`search`) finds an order that agrees with all answers and, as
//! long as there is one, with all that watchers received, clients' copies held and services answered (`shown`). If there
//! is such an order, the history holds: nothing in it says that it was not so. If there is none, something is wrong
//! whatever happened; then what was shown is no longer believed where it stands in the way, and the oracles compare
//! it with the order that the answers allow.
//!
//! The search is exact if it ends. It goes back to the last choice that has to do with what failed, so that the number
//! of unanswered writes that nobody ever looked at does not matter.

mod choice;
mod ends;
mod search;
mod services;
mod shown;

use record::{Applied, History, Nanos, WatchStream};

use super::order::{NOBODY, Step};
use super::place::Position;
use super::realtime::Window;
use choice::{Pool, Source};
use search::Search;
pub(super) use services::own_lease;
use shown::{Facts, Shown};

/// Steps of replay that the search may take: a few seconds.
const BUDGET: u64 = 10_000_000;

/// What the search may assume.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Watches besides the streams of the history.
    pub watched: &'a [WatchStream],
    /// The revision of the store when the history began.
    pub start: i64,
    /// Whether the history has every client that wrote.
    pub closed: bool,
    /// The rate of the fastest clock of any member, in millionths.
    pub fastest: u32,
}

/// How the search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every revision that answers name is explained, or cannot be by anything that the history has.
    Done,
    /// Others may have written too, and what is known does not suffice.
    Open,
    /// The budget ran out.
    OutOfBudget,
}

/// The end of a lease that made a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseEnd {
    /// The lease.
    pub lease: i64,
    /// The revision that removed its keys.
    pub revision: i64,
    /// When that had been made at the latest.
    pub latest: Nanos,
    /// When the time of the lease can have been over at the earliest, by the fastest clock.
    pub earliest: Nanos,
}

/// An explanation.
#[derive(Debug)]
pub struct Filled {
    /// How the search ended.
    pub ended: Ended,
    /// Who made the revisions. A step of [`NOBODY`] names an entry by its rank.
    pub steps: Vec<Step>,
    /// What members proposed themselves.
    pub entries: Vec<Applied>,
    /// Ends of leases among these.
    pub lease_ends: Vec<LeaseEnd>,
    /// Up to this revision, there was no choice.
    pub sure: i64,
}

/// Explains the revisions that no step makes.
pub fn fill(history: &History, steps: &[Step], open: &[Window], given: &Given<'_>) -> Filled {
    let pool = Pool::new(history, steps, open, given.fastest);
    let facts = Facts::of(history, steps, given.start);
    let shown = Shown::of(history, given.watched);
    let mut search = Search::new(history, steps, &pool, facts, shown, given);
    let ended = search.run();
    let sure = search.sure();
    let mut filled = Filled { ended, steps: Vec::new(), entries: Vec::new(), lease_ends: Vec::new(), sure };
    for (revision, source) in search.made() {
        let position = Position::making(revision);
        let step = match source {
            Source::Operation(operation) => Step { position, rank: 0, operation },
            source => {
                let latest = pool.latest(revision);
                if let Source::Lease(lease) = source {
                    let earliest = pool.earliest_end(lease, revision);
                    filled.lease_ends.push(LeaseEnd { lease, revision, latest, earliest });
                }
                let rank = filled.entries.len() as u32 + 1;
                filled.entries.push(Applied {
                    index: u64::from(rank),
                    operation: None,
                    internal: Some(Box::new(pool.request(source).into_owned())),
                    revision: revision as u64,
                    mutated: true,
                    time: latest,
                });
                Step { position, rank, operation: NOBODY }
            }
        };
        filled.steps.push(step);
    }
    filled
}
