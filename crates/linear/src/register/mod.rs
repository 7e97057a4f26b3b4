//! The fast path for registers: judges whether there is a linearization of operations that are reads, writes,
//! compare-and-sets and appends of one register ([`Model::as_register`]). All other models go to the general search.
//!
//! The files of this folder use these words:
//!
//! * A *row* is one operation that can matter to others; rows are numbered in the order of calls. A *component* is a
//!   part of the history that is judged on its own, such as the operations on one key.
//! * An *optional* row is one of unknown outcome: an order may contain it or leave it out.
//! * A row *produces* the value that it sets and *observes* the value that it saw. Values are numbers; 0 is the
//!   initial one.
//! * A *negative observation* is a compare-and-set that failed: it shows that the value was not the expected
//!   one.
//! * A *conflict* is a set of rows that have no order even without the others. A *core* is a conflict that is
//!   reported as the reason for a violation.
//!
//! The steps, each in its file:
//!
//! 1. [`rows`] turns operations into rows, and [`columns`] turns rows into columns of small numbers.
//! 2. [`appends`] turns appends into compare-and-sets where possible.
//! 3. [`eliminate`] drops optional rows, or makes them required, where the history leaves no choice.
//! 4. [`zones`] runs the zone test. It is exact if every observed value has one producer and there are no
//!    negative observations.
//! 5. [`interleave`] inserts negative observations into the order that the zone test found. If one has no room,
//!    [`insert`] does it again and lets [`window`] reorder a few rows around it.
//! 6. [`moves`] hands what is still undecided to the search ([`crate::search`]).
//!
//! Besides these steps, [`subset`] is a quick test for explanations of violations: whether a few operations are a
//! conflict on their own.

#![allow(clippy::needless_range_loop, reason = "a row is an index into several columns")]

mod appends;
mod columns;
mod eliminate;
mod insert;
mod interleave;
mod moves;
mod pieces;
mod relaxed;
mod rows;
mod subset;
mod window;
mod zones;

use crate::budget::{Limit, Meter};
use crate::history::History;
use crate::model::Model;
use crate::report::Linearization;
use crate::search::{self, Found};
use crate::slice::{Decision, Effort, Slice};

use columns::{Columns, Kind};
use eliminate::Facts;
use zones::Zones;

use rows::WordNumbers;
pub(crate) use rows::{AllRows, Component};
pub(crate) use subset::SubsetCheck;

/// Judges a slice of the history (some of its operations, see [`Slice`]) as one register. `None` if one of the
/// operations is not one of a register.
pub(crate) fn decide<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
    meter: &mut Meter<'_>,
    effort: Effort,
) -> Option<Decision> {
    let (rows, mut values) = rows::of_slice(model, history, slice, model.register_start()?)?;
    let fill = |columns: &mut Columns, meter: &mut Meter<'_>| {
        columns.fill(&rows, values.len() as u32);
        let appends = columns.kind.contains(&Kind::Append);
        if appends { appends::resolve(model, history, columns, &mut values, meter) } else { Ok(None) }
    };
    Some(Workspace::default().judge(fill, meter, effort))
}

/// The tables needed to judge a component. They are reused for the next component, to save allocations.
#[derive(Default)]
pub(crate) struct Workspace {
    columns: Columns,
    facts: Facts,
    zones: Zones,
    words: WordNumbers,
}

impl Workspace {
    /// Judges a component whose rows were collected together with those of all others.
    pub(crate) fn decide(
        &mut self,
        all_rows: &AllRows,
        component: &Component,
        meter: &mut Meter<'_>,
        effort: Effort,
    ) -> Decision {
        let mut words = std::mem::take(&mut self.words);
        let fill = |columns: &mut Columns, _: &mut Meter<'_>| {
            match all_rows.start() {
                Some(start) => columns.fill_numbering(&component.rows, start, &mut words),
                None => columns.fill(&component.rows, component.values),
            }
            Ok(None)
        };
        let decision = self.judge(fill, meter, effort);
        self.words = words;
        decision
    }

    /// Judges the component whose columns `fill` makes. If making them shows a conflict, `fill` returns its rows.
    fn judge(
        &mut self,
        mut fill: impl FnMut(&mut Columns, &mut Meter<'_>) -> Result<Option<Vec<u32>>, Limit>,
        meter: &mut Meter<'_>,
        effort: Effort,
    ) -> Decision {
        match fill(&mut self.columns, meter) {
            Ok(None) => {}
            Ok(Some(core)) => return self.violation(Some(core), &[]),
            Err(limit) => return Decision::Undecided { limit, deepest: Vec::new() },
        }
        if let Err(core) = self.find_zones(true) {
            return self.violation(Some(core), &[]);
        }
        if let Some(decision) = self.decide_by_zones(meter) {
            return decision;
        }
        let Effort::Search(seed) = effort else { return Decision::Deferred };
        let dropped = self.columns.negative && self.columns.kind.contains(&Kind::Dropped);
        let decision = self.search(meter, seed);
        if dropped && matches!(decision, Decision::Violation { .. }) {
            // A write that was dropped because no row saw its value may be the reason why a comparison failed.
            // So the search is repeated with all rows before the violation is believed.
            if let Err(limit) = fill(&mut self.columns, meter) {
                return Decision::Undecided { limit, deepest: Vec::new() };
            }
            if self.find_zones(false).is_ok() {
                return self.search(meter, seed);
            }
        }
        decision
    }

    /// Runs the elimination and the zone test. `drop` says whether the elimination may drop rows. The error contains
    /// the rows of a conflict.
    fn find_zones(&mut self, drop: bool) -> Result<(), Vec<u32>> {
        self.facts.eliminate(&mut self.columns, drop);
        self.zones.find(&self.columns, &mut self.facts)
    }

    /// The decision, if the order that the zone test found is enough for one.
    fn decide_by_zones(&self, meter: &mut Meter<'_>) -> Option<Decision> {
        if !self.zones.complete {
            return None;
        }
        if !self.columns.negative {
            return Some(self.linearizable(&self.zones.order, Vec::new()));
        }
        let order = interleave::interleave(&self.columns, &self.zones.order)
            .or_else(|| insert::insert(&self.columns, &self.zones.order, meter))?;
        Some(self.linearizable(&order, Vec::new()))
    }

    /// Decides by the search ([`crate::search`]).
    fn search(&mut self, meter: &mut Meter<'_>, seed: u64) -> Decision {
        self.facts.move_all_returns(&mut self.columns);
        let mut rank = self.zones.rank(&self.columns, &self.facts);
        let dropped = self.columns.remove_dropped(&mut rank);
        let columns = &self.columns;
        let mut moves = moves::RegisterMoves::new(columns);
        let (call, ret) = (&columns.call, &columns.ret);
        let problem = search::Problem { call, ret, rank: &rank, start: columns::INITIAL, seed };
        match search::search(&problem, &mut moves, meter) {
            Found::Order(order) => self.linearizable(&order, dropped),
            Found::Nothing { deepest } => self.violation(None, &deepest),
            Found::Ended { limit, deepest } => Decision::Undecided { limit, deepest: self.indices(&deepest) },
        }
    }

    /// The indices in the history of the operations of these rows.
    fn indices(&self, rows: &[u32]) -> Vec<u32> {
        rows.iter().map(|&row| self.columns.index[row as usize]).collect()
    }

    /// The decision that an order of rows gives. `dropped` are the indices of operations that no longer have a
    /// row.
    fn linearizable(&self, order: &[u32], dropped: Vec<u32>) -> Decision {
        let mut left_out = dropped;
        left_out.extend(search::missing(order, &self.columns.index));
        left_out.sort_unstable();
        Decision::Linearizable(Linearization { order: self.indices(order), left_out })
    }

    /// The decision that there is no order. `core` is a conflict, if one is known, and `deepest` the longest order
    /// that the search built.
    fn violation(&self, core: Option<Vec<u32>>, deepest: &[u32]) -> Decision {
        Decision::Violation { core: core.map(|core| self.indices(&core)), deepest: self.indices(deepest) }
    }
}
