//! How often, or how long, a must was judged, and how often a premise kept it from being judged.

use std::collections::BTreeMap;

use record::{MustCounts, Nanos};

/// Why a must was not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Premise {
    /// The settings switch off what the must needs.
    Settings,
    /// Links lose, double or reorder messages even without a fault.
    Links,
    /// A process, disk, clock or link that it needs is not well, or has not been for long enough.
    Health,
    /// No leader with a quorum of well members has led for long enough.
    Leader,
    /// Messages or writes took too long for the bound.
    Slow,
    /// The membership changes, or members that run use configurations too far apart.
    Membership,
    /// What it waits for may take long by its nature.
    Nature,
    /// The client gave up before the bound.
    Patience,
    /// The log is too short: what a follower needs is compacted while it catches up.
    ShortLog,
}

impl Premise {
    /// All of them.
    pub const ALL: &'static [Premise] = &[
        Premise::Settings,
        Premise::Links,
        Premise::Health,
        Premise::Leader,
        Premise::Slow,
        Premise::Membership,
        Premise::Nature,
        Premise::Patience,
        Premise::ShortLog,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Premise::Settings => "settings",
            Premise::Links => "links",
            Premise::Health => "health",
            Premise::Leader => "leader",
            Premise::Slow => "slow",
            Premise::Membership => "membership",
            Premise::Nature => "nature",
            Premise::Patience => "patience",
            Premise::ShortLog => "short-log",
        }
    }
}

/// The counts of one must.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    judged: u64,
    judged_ns: Nanos,
    skipped: [u64; Premise::ALL.len()],
    skipped_ns: [Nanos; Premise::ALL.len()],
}

impl Tally {
    /// It was judged once.
    pub fn judged(&mut self) {
        self.judged += 1;
    }

    /// It was skipped once.
    pub fn skipped(&mut self, premise: Premise) {
        self.skipped[premise as usize] += 1;
    }

    /// It was judged for this long, or a premise did not hold for this long.
    pub fn time(&mut self, time: Nanos, premises: Result<(), Premise>) {
        match premises {
            Ok(()) => self.judged_ns += time,
            Err(premise) => self.skipped_ns[premise as usize] += time,
        }
    }

    /// How often it was judged; for one that is judged all the time, for how many milliseconds.
    pub fn checks(&self) -> usize {
        if self.judged > 0 { self.judged as usize } else { (self.judged_ns / 1_000_000) as usize }
    }

    /// The counts, for the record.
    pub fn counts(&self) -> MustCounts {
        let named = |counts: &[u64]| -> BTreeMap<String, u64> {
            let named = Premise::ALL.iter().zip(counts).filter(|(_, count)| **count > 0);
            named.map(|(premise, count)| (premise.name().to_string(), *count)).collect()
        };
        MustCounts {
            judged: self.judged,
            judged_ns: self.judged_ns,
            skipped: named(&self.skipped),
            skipped_ns: named(&self.skipped_ns),
        }
    }
}
