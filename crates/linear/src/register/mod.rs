//! The fast path: a component that behaves as one register.
//!
//! Operations as rows ([`rows`]) and these as columns of small numbers ([`columns`]); appends turned into
//! compare-and-sets ([`appends`]); operations of unknown outcome decided where that is possible
//! ([`eliminate`]); the zone test ([`zones`]), which is exact when every observed value has one producer and
//! nothing was observed by its absence; negative observations put into the zones' order ([`interleave`]), if
//! need be with a few rows ordered anew ([`replay`], [`repair`]); and where all that does not decide, the
//! search ([`moves`], [`crate::search`]).

#![allow(clippy::needless_range_loop, reason = "a row is an index into several columns")]

mod ample;
mod appends;
mod columns;
mod eliminate;
mod few;
mod interleave;
mod moves;
mod pieces;
mod repair;
mod replay;
mod rows;
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

pub(crate) use few::Few;
use rows::Words;
pub(crate) use rows::{Component, Gathered};

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
    Some(Desk::default().judge(fill, meter, effort))
}

/// All that is needed to judge a component, kept for the next one.
#[derive(Default)]
pub(crate) struct Desk {
    columns: Columns,
    facts: Facts,
    zones: Zones,
    words: Words,
}

impl Desk {
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

    /// Judges the columns that `fill` makes; it may find rows that are a conflict, or that the budget is spent.
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
        if let Some(decision) = self.straight(meter) {
            return decision;
        }
        let Effort::Search(seed) = effort else { return Decision::Deferred };
        let dropped = self.columns.negative && self.columns.kind.contains(&Kind::Gone);
        let decision = self.search(meter, seed);
        if dropped && matches!(decision, Decision::Violation { .. }) {
            // An operation whose value nobody saw may still be the reason why a comparison failed.
            if let Err(limit) = fill(&mut self.columns, meter) {
                return Decision::Undecided { limit, deepest: Vec::new() };
            }
            if self.find_zones(false).is_ok() {
                return self.search(meter, seed);
            }
        }
        decision
    }

    /// Elimination and the zone test; an error holds rows that are a conflict.
    fn find_zones(&mut self, drop: bool) -> Result<(), Vec<u32>> {
        self.facts.eliminate(&mut self.columns, drop);
        self.zones.find(&self.columns, &mut self.facts)
    }

    /// The order that the zones give, where it settles the matter.
    fn straight(&self, meter: &mut Meter<'_>) -> Option<Decision> {
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

    /// The history's indices of rows.
    fn name(&self, rows: &[u32]) -> Vec<u32> {
        rows.iter().map(|&row| self.columns.op[row as usize]).collect()
    }

    /// An order of rows. `gone` are operations without a row.
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
