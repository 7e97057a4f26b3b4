//! The operations among which a conflict is looked for, and the test whether some of them are one.

use crate::budget::{Ledger, Meter};
use crate::check;
use crate::generic;
use crate::model::{Model, is_register};
use crate::register::SubsetCheck;
use crate::report::Conflict;
use crate::slice::{Decision, Effort, Slice};
use crate::validate;

use super::{MANY, Part, SEED};

/// A larger conflict than this is shrunk again in other orders.
const SMALL: usize = 6;

/// After so many trials the clock is looked at.
const TRIALS_PER_LOOK: u32 = 16;

/// How many operations are tried at first.
const FEW_MIN: usize = 4;

/// From this many on, the number of operations doubles from one trial to the next.
const MANY_TRIED: usize = 32;

/// All operations that may take part: in a conflict, or in what could matter to it.
pub(super) struct Pool<'a, M: Model> {
    part: &'a Part<'a, M>,
    ledger: &'a Ledger<'a>,
    /// In the order of calls. Sets of them are lists of places in here, ascending.
    operations: Vec<u32>,
    /// Whether the whole component has a register view. It is not enough that these operations have one.
    is_register: bool,
    /// The quick test, if the component has a register view.
    subsets: Option<SubsetCheck>,
    /// How many sets were tried.
    trials: u32,
}

impl<'a, M: Model> Pool<'a, M> {
    pub(super) fn new(part: &'a Part<'a, M>, mut operations: Vec<u32>, ledger: &'a Ledger<'a>) -> Self {
        let is_register = is_register(part.model, part.history, part.operations);
        let subsets =
            if is_register { SubsetCheck::new(part.model, part.history, &operations) } else { None };
        match &subsets {
            Some(subsets) => operations = subsets.operations(),
            None => operations.sort_by_key(|&index| (part.history.operation(index).call, index)),
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

    /// The places of the operations for which this is true.
    pub(super) fn places(&self, wanted: impl Fn(u32) -> bool) -> Vec<u32> {
        let places = self.operations.iter().zip(0..).filter(|(index, _)| wanted(**index));
        places.map(|(_, place)| place).collect()
    }

    pub(super) fn name(&self, places: &[u32]) -> Vec<u32> {
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
        // The quick test takes no steps, but many of them take time.
        self.trials += 1;
        if self.trials.is_multiple_of(TRIALS_PER_LOOK) {
            Meter::new(self.ledger).look().ok()?;
        }
        let quick = self.subsets.as_mut().and_then(|subsets| subsets.is_conflict(kept));
        quick.or_else(|| self.is_conflict_by_check(kept))
    }

    fn is_conflict_by_check(&self, places: &[u32]) -> Option<bool> {
        if self.len() > MANY {
            let mut pool = Pool::around(self.part, &self.name(places), self.ledger);
            if pool.len() < self.len() {
                let core = self.name(places);
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

    /// Tries the last few of these places, then more and more, until they are a conflict. `None` if they never
    /// are, or the budget is used up.
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

    /// The smallest conflict found by forgetting operations of this one, the earliest first. If many are left,
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

    /// A set as it is reported.
    pub(super) fn conflict(&mut self, places: &[u32], minimal: bool) -> Conflict {
        let operations = self.name(places);
        let supporting = match &mut self.subsets {
            Some(subsets) => subsets.supporting(places),
            None => validate::supporting(self.part.model, self.part.history, &self.operations, &operations),
        };
        Conflict { operations, supporting, minimal }
    }

    /// Sorts places into the order in which to forget them.
    fn sort(&self, places: &mut [u32], order: Order) {
        let reads = |place: &u32| {
            let operation = self.part.history.operation(self.operations[*place as usize]);
            self.part.model.is_read(&operation.input, operation.output())
        };
        match order {
            Order::LatestFirst => places.reverse(),
            Order::ReadsFirst => places.sort_by_key(|place| !reads(place)),
            Order::ReadsLast => places.sort_by_key(|place| (reads(place), std::cmp::Reverse(*place))),
        }
    }

    /// Forgets what can be forgotten, in this order. Also returns whether it finished.
    ///
    /// What a conflict needs, a smaller conflict within it needs too, so each operation is tried once.
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

/// In which order operations are forgotten. The first attempt goes by their calls.
#[derive(Clone, Copy)]
enum Order {
    LatestFirst,
    ReadsFirst,
    ReadsLast,
}

const ORDERS: [Order; 3] = [Order::LatestFirst, Order::ReadsFirst, Order::ReadsLast];
