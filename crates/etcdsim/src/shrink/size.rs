//! The order in which one plan is smaller than another. Every accepted step makes the plan smaller in this order, so
//! shrinking always ends.

use keyed::Ratio;
use plan::{
    DiskFault, Fault, FaultKind, Link, NetworkFault, Plan, PlannedOperation, Spread, Target, Trigger,
};

use super::usual;

/// How large a plan is. What a reader must understand comes first, settings and looks last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// Faults and operations.
    pub acts: usize,
    /// Clients that do something.
    pub clients: usize,
    /// Members at the start.
    pub members: u32,
    /// Members and clients that the faults strike.
    struck: usize,
    /// Distributions and shares that leave something to the draws of the run.
    pub noise: usize,
    /// Fields that differ from their defaults.
    pub settings: usize,
    /// The length of the chaos phase, in whole seconds.
    seconds: u64,
    /// Clients, including those that do nothing.
    listed: usize,
    /// The digits of all times and numbers.
    digits: usize,
    /// All times together, in nanoseconds.
    nanos: u128,
    /// The bytes of the operations' text.
    text: usize,
}

impl Size {
    /// The size of a plan.
    pub fn of(plan: &Plan) -> Size {
        let operations = || plan.clients.iter().flat_map(|client| client.operations.iter());
        let texts = operations().map(PlannedOperation::to_string);
        let deviations = usual::deviations(plan);
        let numbers = deviations.iter().map(usual::Deviation::digits).sum::<usize>();
        let fault_digits = plan.faults.iter().map(of_fault).sum::<usize>();
        let time_digits = operations().map(|operation| digits(operation.at)).sum::<usize>();
        let fault_nanos = plan.faults.iter().map(|fault| {
            let (at, delay) = match fault.when {
                Trigger::At(at) => (at, 0),
                Trigger::When { from, delay, .. } => (from, delay),
            };
            u128::from(at) + u128::from(delay) + u128::from(fault.duration.unwrap_or(0))
        });
        let acting = plan.clients.iter().filter(|client| !client.operations.is_empty());
        Size {
            acts: plan.faults.len() + operations().count(),
            clients: acting.count(),
            members: plan.cluster.members,
            struck: plan.faults.iter().map(|fault| struck(&fault.target)).sum(),
            noise: noise(plan),
            settings: deviations.len(),
            seconds: plan.phases.chaos.div_ceil(1_000_000_000),
            listed: plan.clients.len(),
            digits: fault_digits + time_digits + digits(plan.phases.chaos) + numbers,
            nanos: fault_nanos.sum::<u128>()
                + operations().map(|operation| u128::from(operation.at)).sum::<u128>()
                + u128::from(plan.phases.chaos),
            text: texts.map(|text| text.len()).sum::<usize>() + fault_ids(plan),
        }
    }
}

/// The digits of a number without the zeros at its end: 2.5 s in nanoseconds has two.
pub(super) fn digits(mut number: u64) -> usize {
    while number > 0 && number.is_multiple_of(10) {
        number /= 10;
    }
    number.checked_ilog10().map_or(0, |digits| digits as usize + 1)
}

/// How much a reader must keep in mind about a fault's times. A time explains less than an event that the fault follows
/// at once, so it counts more.
fn of_fault(fault: &Fault) -> usize {
    let when = match fault.when {
        Trigger::At(at) => 3 + digits(at),
        Trigger::When { from, delay, .. } => 1 + digits(from) + digits(delay),
    };
    when + fault.duration.map_or(0, |duration| 1 + digits(duration))
}

/// How many a target strikes. A group counts as at least as many as a list of its members would.
fn struck(target: &Target) -> usize {
    match target {
        Target::Members(members) => members.len(),
        Target::Clients(clients) => clients.len(),
        Target::Leader => 1,
        Target::Follower | Target::Random => 2,
        Target::Followers | Target::Minority | Target::Majority | Target::LeaderMajority => 9,
        Target::All => 10,
    }
}

/// How many distributions and shares of the plan leave something to draws. What always happens leaves nothing.
fn noise(plan: &Plan) -> usize {
    let open = |spread: &Spread| usize::from(!matches!(spread, Spread::Constant(_)));
    let chance = |share: &Ratio| share.parts() > 0 && share.parts() < Ratio::WHOLE;
    let of_link = |link: &Link| {
        let shares = [link.loss, link.duplicate, link.reorder, link.corrupt];
        open(&link.latency) + shares.iter().filter(|share| chance(share)).count()
    };
    let of_fault = |fault: &Fault| match &fault.kind {
        FaultKind::Network(NetworkFault::Link { link, .. }) => of_link(link),
        FaultKind::Disk(DiskFault::SlowDisk { extra, .. }) => open(extra),
        _ => 0,
    };
    of_link(&plan.network.peers)
        + of_link(&plan.network.clients)
        + [plan.disk.read, plan.disk.write, plan.disk.sync].iter().map(open).sum::<usize>()
        + plan.clients.iter().map(|client| open(&client.watch_processing)).sum::<usize>()
        + plan.faults.iter().map(of_fault).sum::<usize>()
}

/// The sum of the faults' numbers: it is smallest if they count from 1.
fn fault_ids(plan: &Plan) -> usize {
    plan.faults.iter().map(|fault| fault.id as usize).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::{Act, Client};

    #[test]
    fn zeros_at_the_end_are_no_digits() {
        assert_eq!([0, 7, 2_500_000_000, 1_001].map(digits), [0, 1, 2, 4]);
    }

    #[test]
    fn fewer_acts_weigh_more_than_all_else() {
        let with = |operations: usize, members: u32| {
            let mut plan = Plan::default();
            plan.cluster.members = members;
            let operations = (0..operations).map(|_| Act::get("k").at(0)).collect();
            plan.clients = vec![Client { operations, ..Client::default() }];
            Size::of(&plan)
        };
        assert!(with(1, 9) < with(2, 1));
        assert!(with(2, 1) < with(2, 3));
    }
}
