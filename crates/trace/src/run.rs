//! What a run leaves behind, whatever nodes it simulates.

use std::collections::BTreeMap;

use crate::{Event, Kept, MemberId, Nanos, Stop, TraceHash, Vocabulary};

/// The kernel's result of a run. The callers of the nodes have their own record.
#[derive(Clone, Debug, PartialEq)]
pub struct Run<V: Vocabulary> {
    /// The hash over all events.
    pub trace_hash: TraceHash,
    /// What the run did, in numbers.
    pub stats: RunStats,
    /// The state of each member at the end.
    pub members: Vec<MemberEnd>,
    /// Empty if the cluster settled in time after healing. If it did not, one sentence for each thing that the settle
    /// phase still waited for when it timed out.
    pub unsettled: Vec<String>,
    /// Panics, and refusals to start, that the plan does not expect: time, member, and how the process ended.
    pub surprises: Vec<(Nanos, MemberId, Stop)>,
    /// When each fault struck, and its name, in the order of time.
    pub strikes: Vec<(Nanos, &'static str)>,
    /// When the chaos phase was over and the cluster was healed.
    pub healed: Nanos,
    /// What the nodes kept when the calm phase was over, if there was one, and at the end.
    pub kept: Vec<Kept>,
    /// All events, if the run was asked to keep them.
    pub events: Vec<Event<V>>,
}

impl<V: Vocabulary> Default for Run<V> {
    fn default() -> Run<V> {
        Run {
            trace_hash: TraceHash::default(),
            stats: RunStats::default(),
            members: Vec::new(),
            unsettled: Vec::new(),
            surprises: Vec::new(),
            strikes: Vec::new(),
            healed: 0,
            kept: Vec::new(),
            events: Vec::new(),
        }
    }
}

/// A member at the end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberEnd {
    /// Its member id.
    pub member: MemberId,
    /// Whether its process is running.
    pub running: bool,
    /// Whether it belongs to the core: the members that were healed and must work again.
    pub core: bool,
    /// The index of the last entry that it applied.
    pub applied: u64,
    /// The revision of its state.
    pub revision: u64,
    /// The hash of all replicated state.
    pub state_hash: u64,
}

/// What a run did, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunStats {
    /// Virtual time that passed.
    pub virtual_ns: Nanos,
    /// Events taken off the heap.
    pub events: u64,
    /// Messages sent.
    pub messages: u64,
    /// Calls.
    pub operations: u64,
    /// Leaders elected.
    pub elections: u64,
    /// Disk operations performed.
    pub disk_operations: u64,
    /// By kind of fault: how often it took effect. A fault that loses messages counts once for each lost
    /// message, a partition once when it begins.
    pub faults: BTreeMap<String, u64>,
}
