//! Oracle D1: the same plan gives the same trace hash. If it does not, this finds the first event that differs.

use plan::Plan;
use record::{Event, TraceHash};

use crate::execute::{HarnessFailure, run_plan_observed};

/// How many pairs of runs are tried to see the traces differ again.
const ATTEMPTS: u32 = 3;

/// One plan, two traces.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Divergence {
    /// The two hashes.
    pub hashes: [TraceHash; 2],
    /// Where the traces diverge; `None` if no later pair of runs differed.
    pub parting: Option<Parting>,
}

/// The point at which two traces diverge.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Parting {
    /// How many events they share.
    pub shared: usize,
    /// The last event they share.
    pub last: Option<Event>,
    /// The next event of each trace; `None` if the trace ends there.
    pub next: [Option<Event>; 2],
}

/// Two runs of `plan` had these hashes. Runs it again to find where they diverge.
pub fn divergence(plan: &Plan, hashes: [TraceHash; 2]) -> Result<Divergence, HarnessFailure> {
    let options = world::Options { keep_events: true };
    for _ in 0..ATTEMPTS {
        let one = run_plan_observed(plan, &mut (), options)?.record.events;
        let other = run_plan_observed(plan, &mut (), options)?.record.events;
        if let Some(parting) = parting(&one, &other) {
            return Ok(Divergence { hashes, parting: Some(parting) });
        }
    }
    Ok(Divergence { hashes, parting: None })
}

/// The first point at which two traces differ.
pub fn parting(one: &[Event], other: &[Event]) -> Option<Parting> {
    let shared = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let next = [one.get(shared).cloned(), other.get(shared).cloned()];
    let last = shared.checked_sub(1).map(|last| one[last].clone());
    next.iter().any(Option::is_some).then_some(Parting { shared, last, next })
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
        assert_eq!(parting(&one, &one.clone()), None);
    }

    #[test]
    fn traces_diverge_at_the_first_difference() {
        let one: Vec<_> = [1, 2, 3].map(event).into();
        let other: Vec<_> = [1, 2, 4].map(event).into();
        let expected = Parting { shared: 2, last: Some(event(2)), next: [Some(event(3)), Some(event(4))] };
        assert_eq!(parting(&one, &other), Some(expected));
        let shorter = Parting { shared: 2, last: Some(event(2)), next: [Some(event(3)), None] };
        assert_eq!(parting(&one, &one[..2]), Some(shorter));
    }
}
