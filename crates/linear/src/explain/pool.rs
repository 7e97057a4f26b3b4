//! The operations among which a conflict is looked for, the test whether some of them form a conflict, and the ways to
//! make a conflict smaller.

use crate::budget::{Ledger, Meter};
use crate::check;
use crate::generic;
use crate::model::{Model, is_register};
use crate::order::sort_by_key;
use crate::register::SubsetCheck;
use crate::report::Conflict;
use crate::slice::{Decision, Effort, Slice};
use crate::validate;

use super::{MANY, Part, SEED};

/// If a conflict still has more operations than this, [`Pool::shrink`] tries to leave operations out in other orders
/// as well.
const SMALL: usize = 6;

/// The clock is read once in this many trials. (A trial tests one set of operations.)
const TRIALS_PER_LOOK: u32 = 16;

/// How many operations [`Pool::recent`] tries at first.
const FEW_MIN: usize = 4;

/// From this many on, [`Pool::recent`] doubles the number of operations from one trial to the next.
const MANY_TRIED: usize = 32;

/// All operations that may be part of a conflict or could matter to it.
pub(super) struct Pool<'a, M: Model> {
    part: &'a Part<'a, M>,
    ledger: &'a Ledger<'a>,
    /// Their indices, in the order of calls. A set of operations is an ascending list of places in here.
    operations: Vec<u32>,
    /// Whether all operations of the component, not only these, are operations of a register.
    is_register: bool,
    /// The quick test for registers.
    subsets: Option<SubsetCheck>,
    /// How many sets were tried.
    trials: u32,
}

impl<'a, M: Model> Pool<'a, M> {
    /// A pool of these operations.
    pub(super) fn new(part: &'a Part<'a, M>, mut operations: Vec<u32>, ledger: &'a Ledger<'a>) -> Self {
        let is_register = is_register(part.model, part.history, part.operations);
        let subsets =
            if is_register { SubsetCheck::new(part.model, part.history, &operations) } else { None };
        match &subsets {
            Some(subsets) => operations = subsets.operations(),
            None => sort_by_key(&mut operations, &|index| (part.history.operation(index).call, index)),
        }
        Pool { part, ledger, operations, is_register, subsets, trials: 0 }
    }

    /// These operations and all that could matter to them.
    pub(super) fn around(part: &'a Part<'a, M>, core: &[u32], ledger: &'a Ledger<'a>) -> Self {
        let mut operations = validate::supporting(part.model, part.history, part.operations, core);
        operations.extend_from_slice(core);
        Pool::new(part, operations, ledger)
    }

    /// Whether there is a quick test.
    pub(super) fn is_quick(&self) -> bool {
        self.subsets.is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.operations.len()
    }

    /// The places of the operations whose index is `wanted`.
    pub(super) fn places(&self, wanted: impl Fn(u32) -> bool) -> Vec<u32> {
        let places = self.operations.iter().zip(0..).filter(|(index, _)| wanted(**index));
        places.map(|(_, place)| place).collect()
    }

    /// The indices of the operations at these places.
    pub(super) fn indices(&self, places: &[u32]) -> Vec<u32> {
        places.iter().map(|&place| self.operations[place as usize]).collect()
    }

    /// The places of all operations that were answered by this time.
    pub(super) fn answered_by(&self, until: u64) -> Vec<u32> {
        self.places(|index| {
            let operation = self.part.history.operation(index);
            operation.output().is_some() && operation.returned().is_some_and(|at| at <= until)
        })
    }

    /// Whether a set is a conflict; `None` if the budget is used up.
    pub(super) fn is_conflict(&mut self, kept: &[u32]) -> Option<bool> {
        // A quick test takes no steps, but many quick tests take time.
        self.trials += 1;
        if self.trials.is_multiple_of(TRIALS_PER_LOOK) {
            Meter::new(self.ledger).look().ok()?;
        }
        let quick = self.subsets.as_mut().and_then(|subsets| subsets.is_conflict(kept));
        quick.or_else(|| self.is_conflict_by_check(kept))
    }

    /// Whether a set is a conflict, by a full check instead of the quick test.
    fn is_conflict_by_check(&self, places: &[u32]) -> Option<bool> {
        if self.len() > MANY {
            let mut pool = Pool::around(self.part, &self.indices(places), self.ledger);
            if pool.len() < self.len() {
                let core = self.indices(places);
                let kept = pool.places(|index| core.contains(&index));
                pool.subsets = None;
                return pool.is_conflict_by_check(&kept);
            }
        }
        let mut kept = vec![false; self.operations.len()];
        places.iter().for_each(|&place| kept[place as usize] = true);
        let slice = Slice { operations: &self.operations, kept: Some(&kept), until: None };
        let Part { model, history, .. } = *self.part;
        let decision = match self.is_register || model.container().is_some() {
            true => check::decide(model, history, &slice, self.ledger, Effort::Search(SEED)),
            false => generic::decide(model, history, &slice, &mut Meter::new(self.ledger), SEED),
        };
        match decision {
            Decision::Violation { .. } => Some(true),
            Decision::Linearizable(_) => Some(false),
            Decision::Undecided { .. } | Decision::Deferred => None,
        }
    }

    /// Tries the last few of these places, then more and more, until they are a conflict. `None` if even all of
    /// them are no conflict, or if the budget is used up.
    pub(super) fn recent(&mut self, places: &[u32]) -> Option<Vec<u32>> {
        let mut few = FEW_MIN.min(places.len());
        loop {
            let last = &places[places.len() - few..];
            match self.is_conflict(last) {
                Some(true) => return Some(last.to_vec()),
                Some(false) if few < places.len() => {
                    few = places.len().min(if few < MANY_TRIED { few + few / 2 } else { few * 2 })
                }
                _ => return None,
            }
        }
    }

    /// The smallest conflict found by leaving out operations of `kept`, the earliest first. If many are left,
    /// it tries again with `all`, a larger conflict, in other orders.
    pub(super) fn shrink(&mut self, kept: Vec<u32>, all: &[u32]) -> Conflict {
        let mut first = kept.clone();
        let (mut least, mut minimal) = self.minimize(kept, &first);
        for order in ORDERS {
            if !minimal || least.len() <= SMALL {
                break;
            }
            first = all.to_vec();
            self.sort(&mut first, order);
            let other = self.minimize(all.to_vec(), &first);
            if other.1 && other.0.len() < least.len() {
                (least, minimal) = other;
            }
        }
        self.conflict(&least, minimal)
    }

    /// The conflict that consists of the operations at these places, as it is reported.
    pub(super) fn conflict(&mut self, places: &[u32], minimal: bool) -> Conflict {
        let operations = self.indices(places);
        let supporting = match &mut self.subsets {
            Some(subsets) => subsets.supporting(places),
            None => validate::supporting(self.part.model, self.part.history, &self.operations, &operations),
        };
        Conflict { operations, supporting, minimal }
    }

    /// Sorts places into the order in which to leave them out.
    fn sort(&self, places: &mut [u32], order: Order) {
        let reads = |place: u32| {
            let operation = self.part.history.operation(self.operations[place as usize]);
            u64::from(self.part.model.is_read(&operation.input, operation.output()))
        };
        match order {
            Order::LatestFirst => places.reverse(),
            Order::ReadsFirst => sort_by_key(places, &|place| (1 - reads(place), 0)),
            Order::ReadsLast => sort_by_key(places, &|place| (reads(place), u32::MAX - place)),
        }
    }

    /// Leaves out as many operations as possible, in this order. Also returns whether it finished within the
    /// budget.
    ///
    /// An operation that a conflict needs is also needed by every smaller conflict within it, so each is tried
    /// once.
    fn minimize(&mut self, mut kept: Vec<u32>, order: &[u32]) -> (Vec<u32>, bool) {
        let mut order = order.to_vec();
        let mut run = (kept.len() / 4).max(1);
        loop {
            let mut needed = Vec::new();
            for few in order.chunks(run) {
                let mut rest = kept.clone();
                rest.retain(|place| !few.contains(place));
                match self.is_conflict(&rest) {
                    Some(true) => kept = rest,
                    Some(false) => needed.extend_from_slice(few),
                    None => return (kept, false),
                }
            }
            if run == 1 {
                return (kept, true);
            }
            (order, run) = (needed, run / 2);
        }
    }
}

/// In which order [`Pool::shrink`] leaves operations out, after a first attempt that leaves out the earliest calls
/// first.
#[derive(Clone, Copy)]
enum Order {
    LatestFirst,
    ReadsFirst,
    ReadsLast,
}

const ORDERS: [Order; 3] = [Order::LatestFirst, Order::ReadsFirst, Order::ReadsLast];
