//! Leaves out what belongs together: families and kinds of fault, kinds of operation, operations on one key.

use std::collections::BTreeSet;

use plan::{Fault, FaultKind, Plan, PlannedOperation};

use super::operations::retain_places;
use crate::shrink::trial::Trial;

pub(super) fn families(trial: &mut Trial<'_>) {
    let family = |fault: &Fault| match fault.kind {
        FaultKind::Network(_) => "network".to_string(),
        FaultKind::Disk(_) => "disk".to_string(),
        FaultKind::Clock(_) => "clock".to_string(),
        FaultKind::Process(_) => "process".to_string(),
        FaultKind::Task(_) => "task".to_string(),
    };
    drop_faults(trial, &family);
    drop_faults(trial, &|fault| fault.kind.name().to_string());
}

pub(super) fn operations(trial: &mut Trial<'_>) {
    drop_operations(trial, 0);
    drop_operations(trial, 1);
}

/// Leaves out all faults of one group after the other.
fn drop_faults(trial: &mut Trial<'_>, group: &(dyn Fn(&Fault) -> String + Sync)) {
    let groups: Vec<String> =
        trial.best().faults.iter().map(group).collect::<BTreeSet<_>>().into_iter().collect();
    drop_groups(trial, groups, &|plan, gone| {
        plan.faults.retain(|fault| group(fault) != gone);
    });
}

/// Leaves out all operations that have the same word at this place of their text, after the time: the kind of operation,
/// then the key.
fn drop_operations(trial: &mut Trial<'_>, place: usize) {
    let word = move |operation: &PlannedOperation| {
        let text = operation.to_string();
        text.split_whitespace().nth(1 + place).unwrap_or("").to_string()
    };
    let operations = trial.best().clients.iter().flat_map(|client| &client.operations);
    let groups: Vec<String> = operations.map(word).collect::<BTreeSet<_>>().into_iter().collect();
    drop_groups(trial, groups, &|plan, gone| {
        let kept: Vec<Vec<bool>> = (plan.clients.iter())
            .map(|client| client.operations.iter().map(|operation| word(operation) != gone).collect())
            .collect();
        retain_places(plan, |(client, number)| kept[client][number]);
    });
}

/// Leaves out one group after the other, until none can be left out.
fn drop_groups(trial: &mut Trial<'_>, mut groups: Vec<String>, leave_out: &(dyn Fn(&mut Plan, &str) + Sync)) {
    while !groups.is_empty() {
        let found = trial.first(groups.len(), &|plan, nth| {
            let mut plan = plan.clone();
            leave_out(&mut plan, &groups[nth]);
            Some(plan)
        });
        match found {
            // Those before it could not be left out and are not tried again.
            Some(nth) => drop(groups.drain(..=nth)),
            None => return,
        }
    }
}
