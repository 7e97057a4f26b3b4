//! Ends the chaos phase soon after the violation, and leaves out what would come later.

use plan::{Plan, Trigger};
use record::Nanos;

use crate::shrink::trial::Trial;

/// How many ends are tried at a time; our choice.
const ENDS: u64 = 16;
/// What remains after the violation at first: 1 ms.
const RIGHT_AFTER: Nanos = 1_000_000;
/// The chaos phase is not divided more finely than this: 10 ms.
const FINEST: Nanos = 10_000_000;

pub(super) fn cut(trial: &mut Trial<'_>) {
    // A smaller run answers less, which is no failure of its own.
    let mut undemanding = trial.best().clone();
    undemanding.expect.answered = 0;
    trial.accepts(undemanding);
    // Right after the violation, if it was seen before the end.
    let right_after = trial.seen().time.saturating_add(RIGHT_AFTER);
    if right_after < trial.best().phases.chaos {
        let candidate = ended(trial.best(), right_after);
        trial.accepts(candidate);
    }
    // Then the earliest of several evenly spaced ends, and again the earliest of several between that one and the one
    // before it.
    let mut low = 0;
    while !trial.over() {
        let high = trial.best().phases.chaos;
        let step = (high - low) / ENDS;
        if step < FINEST {
            return;
        }
        let end = |nth: usize| (low + step * (nth as u64 + 1)).next_multiple_of(RIGHT_AFTER);
        match trial.first(ENDS as usize - 1, &|plan, nth| Some(ended(plan, end(nth)))) {
            Some(nth) => low += step * nth as u64,
            None => low = high - step,
        }
    }
}

/// The plan with its chaos phase ended at this time, without what would begin later.
fn ended(plan: &Plan, end: Nanos) -> Plan {
    let mut plan = plan.clone();
    plan.phases.chaos = end;
    for client in &mut plan.clients {
        client.operations.retain(|operation| operation.at < end);
    }
    plan.faults.retain(|fault| match fault.when {
        Trigger::At(at) => at < end,
        Trigger::When { from, .. } => from < end,
    });
    plan
}
