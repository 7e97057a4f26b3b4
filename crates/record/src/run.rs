//! The record of a run: everything that it leaves behind for the oracles and the reports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::probe::Counts;
use crate::{Event, History, Kept, MemberEnd, MemberId, Nanos, Probe, Stop, TraceHash};

/// Everything that a run leaves behind.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// What the clients saw.
    pub history: History,
    /// What the cluster applied, in log order. It shows what became of operations whose clients got no answer.
    /// Each entry is as the first member to apply it reported it; the oracles I4 and I8 compare the other
    /// members with that.
    pub applied: Vec<Applied>,
    /// The state of each member at the end.
    pub members: Vec<MemberEnd>,
    /// Empty if the cluster settled in time after healing. If it did not, one sentence for each thing that the settle
    /// phase still waited for when it ran out of time.
    pub unsettled: Vec<String>,
    /// Panics, and refusals to start, that the plan does not expect: time, member, and how the process ended.
    pub surprises: Vec<(Nanos, MemberId, Stop)>,
    /// When each fault struck, and its name, in the order of time.
    pub strikes: Vec<(Nanos, &'static str)>,
    /// When the chaos phase was over and the cluster was healed.
    pub healed: Nanos,
    /// What the members kept when the calm phase was over, if there was one, and at the end.
    pub kept: Vec<Kept>,
    /// What the run did, in numbers.
    pub stats: Stats,
    /// The hash over all events.
    pub trace_hash: TraceHash,
    /// All events, if the run was asked to keep them.
    pub events: Vec<Event>,
}

/// One applied entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its index in the log.
    pub index: u64,
    /// The operation of the history that it carries out; `None` for entries that no client asked for.
    pub operation: Option<u64>,
    /// The request of an entry that a member proposed itself; `operation` is then `None`. Such entries are
    /// revocations of leases (`LeaseRevoke`), automatic compactions (`Compact`), and the steps of the lock and
    /// election services.
    pub internal: Option<Box<api::Request>>,
    /// The store's revision after it.
    pub revision: u64,
    /// Whether it made that revision.
    pub mutated: bool,
    /// When a member applied it first.
    pub time: Nanos,
}

/// What a run did, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Virtual time that passed.
    pub virtual_ns: Nanos,
    /// Events taken off the heap.
    pub events: u64,
    /// Messages sent.
    pub messages: u64,
    /// Client operations called.
    pub operations: u64,
    /// Client operations answered without an error.
    pub answered: u64,
    /// Leaders elected.
    pub elections: u64,
    /// Disk operations performed.
    pub disk_operations: u64,
    /// By kind of fault: how often it took effect. A fault that loses messages counts once for each lost
    /// message, a partition once when it begins.
    pub faults: BTreeMap<String, u64>,
    /// How often this run reached each probe. `docs/coverage.md` lists them.
    pub probes: Counts,
    /// By name: how often clients did something, such as opening a watcher or retrying after a conflict.
    pub work: BTreeMap<String, u64>,
    /// By name: how often oracle S saw each path through an action of the specification of Raft, and each known breach
    /// of a rule by the raft library. Empty if S was off.
    #[serde(default)]
    pub specification: BTreeMap<String, u64>,
    /// By name of a count: how often oracle Z compared what a member kept with what was alive.
    #[serde(default)]
    pub leaks: BTreeMap<String, u64>,
    /// By id: how often or how long each must was judged. Empty if the musts were off.
    #[serde(default)]
    pub musts: BTreeMap<String, MustCounts>,
}

/// How often or how long a must was judged, and how often a premise kept it from being judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MustCounts {
    /// On how many occasions it was judged.
    pub judged: u64,
    /// For how long it was judged, if it is owed all the time.
    pub judged_ns: Nanos,
    /// By the name of the premise that did not hold: on how many occasions it was not judged.
    pub skipped: BTreeMap<String, u64>,
    /// By the name of the premise that did not hold: for how long it was not judged.
    pub skipped_ns: BTreeMap<String, Nanos>,
}

impl MustCounts {
    /// Adds the counts of another run.
    pub fn add(&mut self, other: &MustCounts) {
        self.judged += other.judged;
        self.judged_ns += other.judged_ns;
        add(&mut self.skipped, &other.skipped);
        add(&mut self.skipped_ns, &other.skipped_ns);
    }
}

/// Adds counts by name.
fn add(sums: &mut BTreeMap<String, u64>, counts: &BTreeMap<String, u64>) {
    for (name, count) in counts {
        match sums.get_mut(name) {
            Some(sum) => *sum += count,
            None => _ = sums.insert(name.clone(), *count),
        }
    }
}

impl Stats {
    /// Counts something that a client did.
    pub fn did(&mut self, what: &str) {
        match self.work.get_mut(what) {
            Some(count) => *count += 1,
            None => _ = self.work.insert(what.to_string(), 1),
        }
    }

    /// Counts something that a client did and that is also a probe.
    pub fn reached(&mut self, probe: Probe) {
        self.did(probe.name());
        self.probes[probe] += 1;
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Stats) {
        let Stats { virtual_ns, events, messages, operations, answered, elections, disk_operations, .. } =
            other;
        self.virtual_ns += virtual_ns;
        self.events += events;
        self.messages += messages;
        self.operations += operations;
        self.answered += answered;
        self.elections += elections;
        self.disk_operations += disk_operations;
        self.probes.add(&other.probes);
        for (sum, counts) in [
            (&mut self.faults, &other.faults),
            (&mut self.work, &other.work),
            (&mut self.specification, &other.specification),
            (&mut self.leaks, &other.leaks),
        ] {
            add(sum, counts);
        }
        for (name, counts) in &other.musts {
            match self.musts.get_mut(name) {
                Some(sum) => sum.add(counts),
                None => _ = self.musts.insert(name.clone(), counts.clone()),
            }
        }
    }
}
