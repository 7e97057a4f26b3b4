//! Finds out, for a history without evidence, what made the revisions that no answer acknowledges. Each of them is a
//! gap in the order of revisions.
//!
//! Three things can have made such a revision: a write without an answer, the end of a lease, and a write of the lock
//! and election services for a client's call. A search that goes through the revisions in order (`search`) chooses
//! one of them for each gap, so that all answers agree with the choices. As far as possible, the choices also agree
//! with the observations: what watchers received, what clients' copies held, and what the services answered
//! (`observations`).
//!
//! The choices together are an explanation. If one exists that agrees with everything, the history is correct,
//! because nothing in it excludes that this happened. If none exists, the history is wrong whatever happened. The
//! search then ignores the observations that contradict every explanation, and the oracles compare those observations
//! with the order that the answers allow.
//!
//! The search is exact if it ends within its budget. After a contradiction it goes back to the last gap whose choice
//! can have caused the contradiction, so writes without an answer cost nothing if they have nothing to do with it.

mod choice;
mod ends;
mod observations;
mod search;
mod services;

use record::{Applied, History, Nanos, WatchStream};

use super::order::{NOBODY, Step};
use super::place::Position;
use super::realtime::Window;
use choice::{Pool, Source};
use observations::{Observations, ReadPairs};
use search::Search;
pub(super) use services::own_lease;

/// How many operations the search may replay, repeats included. Replaying that many takes a few seconds.
const BUDGET: u64 = 10_000_000;

/// What the search may assume, besides the history.
#[derive(Clone, Copy, Debug)]
pub struct SearchInput<'a> {
    /// Watch streams that the history does not have.
    pub watched: &'a [WatchStream],
    /// The revision of the store when the history began.
    pub start: i64,
    /// Whether the history has every client that wrote.
    pub closed: bool,
    /// The rate of the fastest clock of any member, in millionths of true time.
    pub fastest: u32,
}

/// How the search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchEnd {
    /// The search is complete: each revision that answers name is explained, or certainly nothing in the history
    /// explains it.
    Done,
    /// No explanation was found, and clients outside the history may have written.
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
    /// The latest moment at which that revision can have been made: by then, an answer had named it or a later one.
    pub latest: Nanos,
    /// The earliest moment at which the lease can have run out, by the fastest clock.
    pub earliest: Nanos,
}

/// What made the revisions that no answer acknowledges.
#[derive(Debug)]
pub struct Explanation {
    /// How the search ended.
    pub ended: SearchEnd,
    /// One step for each of these revisions. If the step's operation is [`NOBODY`], its rank names one of `entries`.
    pub steps: Vec<Step>,
    /// The ends of leases and service writes among `steps`, as entries that members proposed themselves.
    pub entries: Vec<Applied>,
    /// The ends of leases among `entries`.
    pub lease_ends: Vec<LeaseEnd>,
    /// Up to this revision no other explanation exists. `i64::MAX` if there is no other at all.
    pub sure: i64,
}

/// Explains the revisions that no step makes.
pub fn fill(history: &History, steps: &[Step], open: &[Window], input: &SearchInput<'_>) -> Explanation {
    let pool = Pool::new(history, steps, open, input.fastest);
    let read_pairs = ReadPairs::of(history, steps, input.start);
    let observations = Observations::of(history, input.watched);
    let mut search = Search::new(history, steps, &pool, read_pairs, observations, input);
    let ended = search.run();
    let sure = search.sure();
    let mut explanation =
        Explanation { ended, steps: Vec::new(), entries: Vec::new(), lease_ends: Vec::new(), sure };
    for (revision, source) in search.made() {
        let position = Position::making(revision);
        let step = match source {
            Source::Operation(operation) => Step { position, rank: 0, operation },
            source => {
                let latest = pool.latest(revision);
                if let Source::Lease(lease) = source {
                    let earliest = pool.earliest_end(lease, revision);
                    explanation.lease_ends.push(LeaseEnd { lease, revision, latest, earliest });
                }
                let rank = explanation.entries.len() as u32 + 1;
                explanation.entries.push(Applied {
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
        explanation.steps.push(step);
    }
    explanation
}
