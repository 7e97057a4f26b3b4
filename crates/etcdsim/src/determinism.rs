//! Explains why two runs of the same plan differ.
//!
//! A run is a function of its plan: two runs of one plan must take the same steps. The trace hash is a hash over all
//! events of a run, so it must be the same, too (oracle D1). If two runs had different trace hashes, simulator and
//! members do not behave deterministically, and this file looks for the first event that differs. The two runs did
//! not keep their events, so it runs the plan twice more and keeps them.

use plan::Plan;
use record::{Event, TraceHash};

use crate::execute::{HarnessFailure, run_plan_observed};

/// How many pairs of runs are made before the search for a difference is given up. (The new runs of a pair may agree
/// by chance.) The number is our choice.
const ATTEMPTS: u32 = 3;

/// Two runs of one plan took different steps.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Divergence {
    /// The trace hashes of the two runs.
    pub hashes: [TraceHash; 2],
    /// The first difference between the traces (the lists of events) of two further runs; `None` if none of these
    /// runs differed.
    pub first_difference: Option<FirstDifference>,
}

/// Where two traces first differ.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FirstDifference {
    /// How many events at the start of both traces are equal.
    pub shared: usize,
    /// The last of these equal events; `None` if already the first events differ.
    pub last: Option<Event>,
    /// The first event of each trace that is not equal; `None` if the trace ends before.
    pub next: [Option<Event>; 2],
}

/// Finds the first difference between runs of `plan`, two of which had these different trace hashes. Runs the plan
/// again for that.
pub fn divergence(plan: &Plan, hashes: [TraceHash; 2]) -> Result<Divergence, HarnessFailure> {
    let options = world::Options { keep_events: true };
    for _ in 0..ATTEMPTS {
        let one = run_plan_observed(plan, &mut (), options)?.record.events;
        let other = run_plan_observed(plan, &mut (), options)?.record.events;
        if let Some(first_difference) = first_difference(&one, &other) {
            return Ok(Divergence { hashes, first_difference: Some(first_difference) });
        }
    }
    Ok(Divergence { hashes, first_difference: None })
}

/// Where two traces first differ; `None` if they are equal.
pub fn first_difference(one: &[Event], other: &[Event]) -> Option<FirstDifference> {
    let shared = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let next = [one.get(shared).cloned(), other.get(shared).cloned()];
    let last = shared.checked_sub(1).map(|last| one[last].clone());
    next.iter().any(Option::is_some).then_some(FirstDifference { shared, last, next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::{Fact, MemberId};

    fn event(time: u64) -> Event {
        Event { time, member: MemberId::new(1), fact: Fact::Paused }
    }

    #[test]
    fn equal_traces_do_not_diverge() {
        let one: Vec<_> = [1, 2, 3].map(event).into();
        assert_eq!(first_difference(&one, &one.clone()), None);
    }

    #[test]
    fn traces_diverge_at_the_first_difference() {
        let one: Vec<_> = [1, 2, 3].map(event).into();
        let other: Vec<_> = [1, 2, 4].map(event).into();
        let expected =
            FirstDifference { shared: 2, last: Some(event(2)), next: [Some(event(3)), Some(event(4))] };
        assert_eq!(first_difference(&one, &other), Some(expected));
        let shorter = FirstDifference { shared: 2, last: Some(event(2)), next: [Some(event(3)), None] };
        assert_eq!(first_difference(&one, &one[..2]), Some(shorter));
    }
}
