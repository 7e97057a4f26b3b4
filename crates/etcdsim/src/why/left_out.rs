//! Plans from which something is left out: a fault, or operations.

use plan::{Plan, PlannedOperation, Trigger};
use record::Nanos;
use serde::Serialize;

/// How far the failure depends on something in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Need {
    /// The plan fails without it, too.
    None,
    /// Without it, the plan does not fail, but some other future does.
    Timing,
    /// Without it, the plan does not fail, whatever is drawn.
    Necessary,
}

/// Something that was left out of the plan once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// What it is, in words.
    pub what: String,
    /// When it begins.
    pub at_ns: Nanos,
    /// Whether the failure needs it.
    pub need: Need,
    /// How many futures without it were drawn, from its beginning on; none if the plan without it fails even with its
    /// own draws.
    pub drawn: usize,
    /// How many of them failed.
    pub failed: usize,
    /// The `id` of the fault in the plan; `None` for operations.
    pub fault: Option<u32>,
    /// The operations: the client, and the index of the first and of the last one of its list.
    pub operations: Option<(usize, usize, usize)>,
}

/// A part of a plan that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The fault with this index.
    Fault(usize),
    /// These operations of a client: from the first index up to, but not including, the second.
    Operations(usize, usize, usize),
}

/// An operation as in a plan, without its time.
fn act(operation: &PlannedOperation) -> String {
    let line = operation.to_string();
    line.split_once(' ').map_or(line.clone(), |(_, act)| act.to_string())
}

/// When a fault begins, at the earliest.
pub fn begins(when: &Trigger) -> Nanos {
    match *when {
        Trigger::At(at) => at,
        Trigger::When { from, delay, .. } => from + delay,
    }
}

impl Part {
    /// All faults of a plan.
    pub fn faults(plan: &Plan) -> Vec<Part> {
        (0..plan.faults.len()).map(Part::Fault).collect()
    }

    /// All operations of a plan, in at most about `most` groups: each has consecutive operations of one client.
    pub fn operations(plan: &Plan, most: usize) -> Vec<Part> {
        let all: usize = plan.clients.iter().map(|client| client.operations.len()).sum();
        let length = all.div_ceil(most).max(1);
        let groups = plan.clients.iter().enumerate().flat_map(|(nth, client)| {
            let count = client.operations.len();
            (0..count)
                .step_by(length)
                .map(move |from| Part::Operations(nth, from, (from + length).min(count)))
        });
        groups.collect()
    }

    /// The two halves of a group of operations; `None` for what has no parts.
    pub fn halves(self) -> Option<[Part; 2]> {
        let Part::Operations(client, from, to) = self else { return None };
        let middle = from + (to - from) / 2;
        (middle > from)
            .then_some([Part::Operations(client, from, middle), Part::Operations(client, middle, to)])
    }

    /// The plan without it.
    pub fn left_out_of(self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        match self {
            Part::Fault(fault) => drop(plan.faults.remove(fault)),
            Part::Operations(client, from, to) => drop(plan.clients[client].operations.drain(from..to)),
        }
        plan
    }

    /// When it begins.
    pub fn at(self, plan: &Plan) -> Nanos {
        match self {
            Part::Fault(fault) => begins(&plan.faults[fault].when),
            Part::Operations(client, from, _) => plan.clients[client].operations[from].at,
        }
    }

    /// What it is, in words.
    pub fn describe(self, plan: &Plan) -> String {
        match self {
            Part::Fault(fault) => {
                let fault = &plan.faults[fault];
                format!("{} of {}", fault.kind.name(), fault.target)
            }
            Part::Operations(client, from, to) => {
                let operations = &plan.clients[client].operations[from..to];
                match operations {
                    [only] => format!("client {client}'s `{}`", act(only)),
                    [first, .., last] => {
                        let count = operations.len();
                        format!(
                            "client {client}'s {count} operations from `{}` to `{}`",
                            act(first),
                            act(last)
                        )
                    }
                    [] => format!("nothing of client {client}"),
                }
            }
        }
    }

    /// The result of leaving it out, to report.
    pub fn result(self, plan: &Plan, need: Need, (drawn, failed): (usize, usize)) -> LeftOut {
        let (fault, operations) = match self {
            Part::Fault(fault) => (Some(plan.faults[fault].id), None),
            Part::Operations(client, from, to) => (None, Some((client, from, to - 1))),
        };
        LeftOut { what: self.describe(plan), at_ns: self.at(plan), need, drawn, failed, fault, operations }
    }
}
