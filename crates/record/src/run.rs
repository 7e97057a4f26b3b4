//! One run's record: the history, the evidence, the final state of the members, the counts, the hash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::probe::Counts;
use crate::{Event, History, MemberId, Nanos, Probe, Stop, TraceHash};

/// What a run leaves for the judges.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// What the clients saw.
    pub history: History,
    /// What the cluster applied, in log order: the evidence for outcomes that no client knows. The first
    /// member to apply an index is the witness; I4 and I8 compare the others with it.
    pub applied: Vec<Applied>,
    /// The state of each member at the end.
    pub members: Vec<MemberEnd>,
    /// What the settle phase waits for and whether, and when, it came about; empty if everything did. Each
    /// line is a sentence.
    pub unsettled: Vec<String>,
    /// Panics and refusals that the plan does not expect, as (time, member, what).
    pub surprises: Vec<(Nanos, MemberId, Stop)>,
    /// When each fault struck, and its name, in the order of time.
    pub strikes: Vec<(Nanos, &'static str)>,
    /// When the chaos phase was over and the cluster was healed.
    pub healed: Nanos,
    /// The counts.
    pub stats: Stats,
    /// The rolling hash over every event.
    pub trace_hash: TraceHash,
    /// Every event, if the run was asked to keep them.
    pub events: Vec<Event>,
}

/// One applied entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its index in the log.
    pub index: u64,
    /// The operation of the history that it carries out; `None` for entries that no client asked for.
    pub operation: Option<u64>,
    /// For an entry that a member proposed itself: the request. The revocation of a lease (`LeaseRevoke`), an
    /// automatic compaction (`Compact`), what the lock and election services do for a client. `operation` is
    /// then `None`.
    pub internal: Option<Box<api::Request>>,
    /// The store's revision after it.
    pub revision: u64,
    /// Whether it made that revision.
    pub mutated: bool,
    /// When the witness applied it.
    pub time: Nanos,
}

/// A member at the end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberEnd {
    /// Its member id.
    pub member: MemberId,
    /// Whether its process runs.
    pub running: bool,
    /// Whether it belongs to the part of the cluster that was healed.
    pub core: bool,
    /// Last index applied.
    pub applied: u64,
    /// The store's revision.
    pub revision: u64,
    /// The hash of all replicated state, as in `Fact::Applied`.
    pub state_hash: u64,
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
    /// Injected faults, by kind. Counted each time one takes effect: a lost message, a torn sector, a
    /// partition that begins.
    pub faults: BTreeMap<String, u64>,
    /// How often this run reached each probe. `docs/coverage.md` lists them.
    pub probes: Counts,
    /// What the clients' programs did, by name: watches opened, lists made again, conflicts met, …
    pub work: BTreeMap<String, u64>,
}

impl Stats {
    /// Counts something that a client's program did.
    pub fn did(&mut self, what: &str) {
        match self.work.get_mut(what) {
            Some(count) => *count += 1,
            None => _ = self.work.insert(what.to_string(), 1),
        }
    }

    /// Counts something that a client's program did and that is also a probe.
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
        for (sum, counts) in [(&mut self.faults, &other.faults), (&mut self.work, &other.work)] {
            for (name, count) in counts {
                match sum.get_mut(name) {
                    Some(sum) => *sum += count,
                    None => _ = sum.insert(name.clone(), *count),
                }
            }
        }
    }
}
