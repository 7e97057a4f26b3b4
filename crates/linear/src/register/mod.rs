//! The fast path: a component that behaves as one register.
//!
//! 1. Operations become rows ([`rows`]), and rows become columns of small numbers ([`columns`]).
//! 2. Appends become compare-and-sets where possible ([`appends`]).
//! 3. Operations of unknown outcome are decided where possible ([`eliminate`]).
//! 4. The zone test ([`zones`]) is exact if every observed value has one producer and there are no negative
//!    observations. A *negative observation* is a comparison that failed: it saw that a value was not there.
//! 5. Negative observations are inserted into the zones' order ([`interleave`]), if need be with a few rows
//!    reordered ([`replay`], [`repair`]).
//! 6. If all that does not decide, the search does ([`moves`], [`crate::search`]).
//!
//! [`subset`] is the quick test whether a few operations are a conflict.

#![allow(clippy::needless_range_loop, reason = "a row is an index into several columns")]

mod appends;
mod columns;
mod eliminate;
mod interleave;
mod moves;
mod pieces;
mod relaxed;
mod repair;
mod replay;
mod rows;
mod subset;
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

use rows::Words;
pub(crate) use rows::{Component, Gathered};
pub(crate) use subset::SubsetCheck;

/// Judges a slice as a register, or `None` if it is not one.
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

/// The tables needed to judge a component. They are reused for the next one.
#[derive(Default)]
pub(crate) struct Workspace {
    columns: Columns,
    facts: Facts,
    zones: Zones,
    words: Words,
}

impl Workspace {
    /// Judges a component that was gathered with all others.
    pub(crate) fn decide(
        &mut self,
        gathered: &Gathered,
        component: &Component,
        meter: &mut Meter<'_>,
        effort: Effort,
    ) -> Decision {
        let mut words = std::mem::take(&mut self.words);
        let fill = |columns: &mut Columns, _: &mut Meter<'_>| {
            match gathered.start() {
                Some(start) => columns.fill_numbering(&component.rows, start, &mut words),
                None => columns.fill(&component.rows, component.values),
            }
            Ok(None)
        };
        let decision = self.judge(fill, meter, effort);
        self.words = words;
        decision
    }

    /// Judges the columns that `fill` makes. `fill` may return rows that are a conflict, or a limit it reached.
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
        if let Some(decision) = self.by_zones(meter) {
            return decision;
        }
        let Effort::Search(seed) = effort else { return Decision::Deferred };
        let dropped = self.columns.negative && self.columns.kind.contains(&Kind::Gone);
        let decision = self.search(meter, seed);
        if dropped && matches!(decision, Decision::Violation { .. }) {
            // An operation that was dropped because nobody saw its value may be the reason why a comparison failed.
            if let Err(limit) = fill(&mut self.columns, meter) {
                return Decision::Undecided { limit, deepest: Vec::new() };
            }
            if self.find_zones(false).is_ok() {
                return self.search(meter, seed);
            }
        }
        decision
    }

    /// Elimination and the zone test. The error is rows that are a conflict.
    fn find_zones(&mut self, drop: bool) -> Result<(), Vec<u32>> {
        self.facts.eliminate(&mut self.columns, drop);
        self.zones.find(&self.columns, &mut self.facts)
    }

    /// The zones' order, if it decides the question.
    fn by_zones(&self, meter: &mut Meter<'_>) -> Option<Decision> {
        if !self.zones.complete {
            return None;
        }
        if !self.columns.negative {
            return Some(self.linearizable(&self.zones.order, Vec::new()));
        }
        let order = interleave::interleave(&self.columns, &self.zones.order)
            .or_else(|| replay::replay(&self.columns, &self.zones.order, meter))?;
        Some(self.linearizable(&order, Vec::new()))
    }

    fn search(&mut self, meter: &mut Meter<'_>, seed: u64) -> Decision {
        self.facts.move_all_returns(&mut self.columns);
        let mut rank = self.zones.rank(&self.columns, &self.facts);
        let gone = self.columns.remove_gone(&mut rank);
        let columns = &self.columns;
        let mut moves = moves::RegisterMoves::new(columns);
        let (call, ret) = (&columns.call, &columns.ret);
        let problem = search::Problem { call, ret, rank: &rank, start: columns::INITIAL, seed };
        match search::search(&problem, &mut moves, meter) {
            Found::Order(order) => self.linearizable(&order, gone),
            Found::Nothing { deepest } => self.violation(None, &deepest),
            Found::Ended { limit, deepest } => Decision::Undecided { limit, deepest: self.name(&deepest) },
        }
    }

    /// The indices of rows in the history.
    fn name(&self, rows: &[u32]) -> Vec<u32> {
        rows.iter().map(|&row| self.columns.op[row as usize]).collect()
    }

    /// The decision that an order of rows gives. `gone` are operations without a row.
    fn linearizable(&self, order: &[u32], gone: Vec<u32>) -> Decision {
        let mut left_out = gone;
        left_out.extend(search::missing(order, &self.columns.op));
        left_out.sort_unstable();
        Decision::Linearizable(Linearization { order: self.name(order), left_out })
    }

    fn violation(&self, core: Option<Vec<u32>>, deepest: &[u32]) -> Decision {
        Decision::Violation { core: core.map(|core| self.name(&core)), deepest: self.name(deepest) }
    }
}
