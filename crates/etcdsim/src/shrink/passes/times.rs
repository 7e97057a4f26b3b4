//! Shortens the times in which nothing is begun, and the durations of faults. Then it rounds what is left.

use plan::{Plan, Trigger};
use record::Nanos;

use crate::shrink::trial::Trial;

const MILLISECOND: Nanos = 1_000_000;
const SECOND: Nanos = 1_000 * MILLISECOND;
/// The gaps that are tried between two things that begin.
const GAPS: &[Nanos] =
    &[MILLISECOND, 10 * MILLISECOND, 100 * MILLISECOND, 500 * MILLISECOND, SECOND, 2 * SECOND];
/// The units to which times are rounded, the coarsest first.
const GRAINS: &[Nanos] = &[SECOND, 500 * MILLISECOND, 100 * MILLISECOND, 10 * MILLISECOND, MILLISECOND];

pub(super) fn times(trial: &mut Trial<'_>) {
    gaps(trial);
    at_once(trial);
    round_all(trial);
    for nth in 0..times_of(&mut trial.best().clone()).len() {
        round_one(trial, nth);
    }
}

/// Makes gaps small: all of them, all but the first (before the first leader is elected, nothing can happen), then each.
fn gaps(trial: &mut Trial<'_>) {
    for first in [0, 1] {
        trial.first(GAPS.len(), &|plan, nth| {
            let moments = moments(plan);
            let most = |gap: usize| if gap < first { Nanos::MAX } else { GAPS[nth] };
            Some(closer(plan, &moments, &most))
        });
    }
    let mut gap = 0;
    while gap < moments(trial.best()).len() && !trial.over() {
        trial.first(GAPS.len() + 1, &|plan, nth| {
            let moments = moments(plan);
            let before = gap.checked_sub(1).map_or(0, |before| moments[before]);
            let length = moments.get(gap)?.checked_sub(before)?;
            let short = GAPS.get(nth).copied().unwrap_or((length / 2).next_multiple_of(MILLISECOND));
            let most = |number: usize| if number == gap { short } else { Nanos::MAX };
            (short < length).then(|| closer(plan, &moments, &most))
        });
        gap += 1;
    }
}

/// When something begins or ends, in order.
fn moments(plan: &Plan) -> Vec<Nanos> {
    let operations = plan.clients.iter().flat_map(|client| &client.operations).map(|operation| operation.at);
    let faults = plan.faults.iter().filter_map(|fault| match fault.when {
        Trigger::At(at) => Some([at, fault.duration.map_or(at, |duration| at.saturating_add(duration))]),
        Trigger::When { .. } => None,
    });
    let mut all: Vec<Nanos> = operations.chain(faults.flatten()).collect();
    all.retain(|at| *at < plan.phases.chaos);
    all.push(plan.phases.chaos);
    all.sort_unstable();
    all.dedup();
    all
}

/// The plan with every moment earlier, so that gap number `nth` (the one before moment `nth`) is at most `most(nth)`.
fn closer(plan: &Plan, moments: &[Nanos], most: &dyn Fn(usize) -> Nanos) -> Plan {
    let (mut before, mut earlier) = (0, 0);
    let shifts: Vec<Nanos> = (moments.iter().enumerate())
        .map(|(nth, moment)| {
            earlier += (moment - before).saturating_sub(most(nth));
            before = *moment;
            earlier
        })
        .collect();
    let moved = |at: Nanos| match moments.binary_search(&at) {
        Ok(nth) => at - shifts[nth],
        Err(0) => at,
        Err(after) => at.saturating_sub(shifts[after - 1]),
    };
    let mut plan = plan.clone();
    for operation in plan.clients.iter_mut().flat_map(|client| &mut client.operations) {
        operation.at = moved(operation.at);
    }
    for fault in &mut plan.faults {
        if let Trigger::At(at) = &mut fault.when {
            let end = fault.duration.map(|duration| moved(at.saturating_add(duration)));
            *at = moved(*at);
            fault.duration = end.map(|end| end - *at);
        }
    }
    plan.phases.chaos = moved(plan.phases.chaos);
    plan
}

/// Lets operations follow as soon as the one before has ended: all of them together, then each.
fn at_once(trial: &mut Trial<'_>) {
    let mut all = trial.best().clone();
    for operation in all.clients.iter_mut().flat_map(|client| &mut client.operations) {
        operation.at = 0;
    }
    trial.accepts(all);
    let later = super::operations::in_order(trial.best());
    for (client, number) in later {
        if trial.best().clients[client].operations[number].at > 0 {
            let mut candidate = trial.best().clone();
            candidate.clients[client].operations[number].at = 0;
            trial.accepts(candidate);
        }
    }
}

/// All times of a plan.
fn times_of(plan: &mut Plan) -> Vec<&mut Nanos> {
    let mut all = vec![&mut plan.phases.chaos];
    for fault in &mut plan.faults {
        match &mut fault.when {
            Trigger::At(at) => all.push(at),
            Trigger::When { from, delay, .. } => all.extend([from, delay]),
        }
        all.extend(&mut fault.duration);
    }
    all.extend(
        plan.clients.iter_mut().flat_map(|client| &mut client.operations).map(|operation| &mut operation.at),
    );
    all
}

/// Rounds all times in the same way.
fn round_all(trial: &mut Trial<'_>) {
    trial.first(GRAINS.len(), &|plan, nth| {
        let mut plan = plan.clone();
        for time in times_of(&mut plan) {
            *time = (*time + GRAINS[nth] / 2) / GRAINS[nth] * GRAINS[nth];
        }
        plan.phases.chaos = plan.phases.chaos.max(GRAINS[nth]);
        Some(plan)
    });
}

/// Rounds one time: down, then up; a time of a fault also to 0.
fn round_one(trial: &mut Trial<'_>, number: usize) {
    if trial.over() {
        return;
    }
    trial.first(1 + 2 * GRAINS.len(), &|plan, nth| {
        let mut plan = plan.clone();
        let mut all = times_of(&mut plan);
        let time = &mut **all.get_mut(number)?;
        let rounded = match nth.checked_sub(1) {
            None => 0,
            Some(nth) => {
                let grain = GRAINS[nth / 2];
                (*time / grain + (nth % 2) as u64) * grain
            }
        };
        // Without a chaos phase, nothing happens.
        *time = if number == 0 { rounded.max(MILLISECOND) } else { rounded };
        Some(plan)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_become_short_and_durations_with_them() {
        let text = "title = \"x\"\nseed = 1\n[run]\nchaos = \"20s\"\n\
                    [[fault]]\nkind = \"crash\"\nid = 1\nat = \"5s\"\nfor = \"4s\"\ntarget = \"member 2\"\n\
                    [[client]]\nendpoints = [1]\noperations = [\"3s put a 1\", \"12s get a\"]\n";
        let plan = Plan::parse("x.toml", text).unwrap();
        assert_eq!(moments(&plan), [3, 5, 9, 12, 20].map(|second| second * SECOND));
        let closer = closer(&plan, &moments(&plan), &|nth| if nth == 0 { Nanos::MAX } else { SECOND });
        assert_eq!(moments(&closer), [3, 4, 5, 6, 7].map(|second| second * SECOND));
        assert_eq!(closer.faults[0].duration, Some(SECOND));
    }
}
