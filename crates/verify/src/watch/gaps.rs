//! Changes that a watcher skipped: they were expected and never arrived, although later ones did.
//!
//! Where the gap is decides which oracle reports it: W6 or W10 before the first event, W7 between events, and W12 if
//! the missing revisions can have been compacted, because then the watcher should have been cancelled. If a part of a
//! revision arrived, W4 reports the rest.

use super::ledger::{Delivery, Ledger};
use super::{Look, said, seen};
use crate::truth::Truth;
use crate::{Oracle, Severity, Violation};

/// Where a gap is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// Before the first event.
    Before,
    /// Between two events.
    Between,
    /// Where the missing revisions can have been compacted before the next event came.
    Compacted,
}

/// The first missing change of a gap.
#[derive(Clone, Copy, Debug)]
pub struct Gap<'a, 'b> {
    /// Its number in the truth.
    pub number: u32,
    /// Its revision.
    pub revision: i64,
    /// How many changes are missing in the ledger's gaps of this kind.
    pub count: usize,
    /// The first later event that arrived.
    pub jump: &'b Delivery<'a>,
}

/// The first gap of a kind.
pub fn find<'a, 'b>(ledger: &'b Ledger<'a>, truth: &Truth, kind: Where) -> Option<Gap<'a, 'b>> {
    let reached = ledger.reached();
    let first_got = ledger.expected.iter().position(|expected| expected.got.is_some()).unwrap_or(reached);
    let missing =
        ledger.expected[..reached].iter().enumerate().filter(|(_, expected)| expected.got.is_none());
    // What `highest` returns. Most watchers miss nothing and do not need it.
    let mut jumps: Option<Vec<u32>> = None;
    let mut found: Option<Gap<'a, 'b>> = None;
    for (at, expected) in missing {
        if ledger.of_revision(at).iter().any(|expected| expected.got.is_some()) {
            continue;
        }
        let highest = jumps.get_or_insert_with(|| highest(ledger));
        let jump = &ledger.deliveries[highest.partition_point(|number| *number <= expected.number)];
        if truth.may_be_dropped(expected.number, jump.at) {
            continue;
        }
        let compacted =
            truth.compactions_by(jump.at).any(|compaction| compaction.revision > expected.revision);
        let here = match compacted {
            true => Where::Compacted,
            false if at < first_got => Where::Before,
            false => Where::Between,
        };
        if here == kind {
            let gap = found.get_or_insert(Gap {
                number: expected.number,
                revision: expected.revision,
                count: 0,
                jump,
            });
            gap.count += 1;
        }
    }
    found
}

/// For each delivery, the highest number of an expected change up to there.
fn highest(ledger: &Ledger<'_>) -> Vec<u32> {
    let mut got = vec![0; ledger.deliveries.len()];
    for expected in &ledger.expected {
        if let Some(place) = expected.got {
            got[place as usize] = expected.number;
        }
    }
    let mut highest = 0;
    for number in &mut got {
        highest = highest.max(*number);
        *number = highest;
    }
    got
}

/// A violation of `oracle`, if changes are missing before the first one that the watcher received.
pub fn missed_first(look: &Look<'_>, ledger: &Ledger<'_>, oracle: Oracle, title: &str) -> Option<Violation> {
    let gap = find(ledger, look.truth, Where::Before)?;
    let responses = [gap.jump.response];
    let violation = seen(ledger.watcher, oracle, gap.jump.at, title, &responses);
    let first = format!("The first it received is {}; {} before it are missing.", said(gap.jump), gap.count);
    Some(
        violation
            .of_severity(Severity::Lost)
            .say(first)
            .say(format!("The first of these: {}.", look.made(gap.number)))
            .shown_by(look.maker(gap.revision)),
    )
}
