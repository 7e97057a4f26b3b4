//! The fast path: a component that behaves as one register.
//!
//! Columns of small numbers ([`columns`]); appends turned into compare-and-sets ([`appends`]); operations of
//! unknown outcome decided where that is possible ([`eliminate`]); the zone test ([`zones`]), which is exact
//! when every observed value has one producer and nothing was observed by its absence; the zones' order
//! replayed with the negative observations put in between ([`replay`], [`repair`]); and where all that does
//! not decide, the search ([`moves`], [`crate::search`]).

#![allow(clippy::needless_range_loop, reason = "a row is an index into several columns")]

mod appends;
mod columns;
mod eliminate;
mod moves;
mod repair;
mod replay;
mod zones;

use crate::budget::Meter;
use crate::history::History;
use crate::model::Model;
use crate::report::Linearization;
use crate::search::{self, Found};
use crate::slice::{Decision, Effort, Slice};

use columns::{Columns, Rows};
use zones::Zones;

/// Judges a slice as a register, or `None` if it is not one.
pub(crate) fn decide<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
    meter: &mut Meter<'_>,
    effort: Effort,
) -> Option<Decision> {
    let initial = model.register_start()?;
    let mut rows = Columns::build(model, history, slice, initial.clone())?;
    if let Some(core) = rows.contradiction.take() {
        return Some(rows.violation(Some(core), Vec::new()));
    }
    let zones = match decide_values(&mut rows.columns, true) {
        Ok(zones) => zones,
        Err(core) => return Some(rows.violation(Some(core), Vec::new())),
    };
    if let Some(order) = straight(&rows.columns, &zones, meter) {
        return Some(rows.linearizable(&order));
    }
    let Effort::Search(seed) = effort else { return Some(Decision::Deferred) };
    let dropped = rows.columns.len() < rows.every.len();
    let decision = decide_by_search(&rows, &zones, meter, seed);
    if dropped && rows.columns.has_negative() && matches!(decision, Decision::Violation { .. }) {
        // An operation whose value nobody saw may still be the reason why a comparison failed.
        let mut rows = Columns::build(model, history, slice, initial)?;
        if let Ok(zones) = decide_values(&mut rows.columns, false) {
            return Some(decide_by_search(&rows, &zones, meter, seed));
        }
    }
    Some(decision)
}

/// Elimination and the zone test; an error holds rows that are a conflict.
fn decide_values(columns: &mut Columns, drop: bool) -> Result<Zones, Vec<u32>> {
    let facts = eliminate::eliminate(columns, drop).map_err(|core| name_rows(columns, &core))?;
    zones::zones(columns, &facts).map_err(|core| name_rows(columns, &core))
}

/// The rows as they were numbered at first.
fn name_rows(columns: &Columns, rows: &[u32]) -> Vec<u32> {
    rows.iter().map(|&row| columns.op[row as usize]).collect()
}

/// The order that the zones give, where it settles the matter.
fn straight(columns: &Columns, zones: &Zones, meter: &mut Meter<'_>) -> Option<Vec<u32>> {
    if !zones.complete {
        return None;
    }
    if columns.has_negative() {
        replay::replay(columns, &zones.order, meter)
    } else {
        Some(zones.order.clone())
    }
}

fn decide_by_search(rows: &Rows, zones: &Zones, meter: &mut Meter<'_>, seed: u64) -> Decision {
    let columns = &rows.columns;
    let mut moves = moves::RegisterMoves::new(columns);
    let problem = search::Problem {
        call: &columns.call,
        ret: &columns.ret,
        rank: &zones.rank,
        start: columns.initial,
        seed,
    };
    match search::search(&problem, &mut moves, meter) {
        Found::Order(order) => rows.linearizable(&order),
        Found::Nothing { deepest } => rows.violation(None, name_rows(columns, &deepest)),
        Found::Ended { limit, deepest } => {
            Decision::Undecided { limit, deepest: rows.name(&name_rows(columns, &deepest)) }
        }
    }
}

impl Rows {
    /// The history's indices of rows as they were numbered at first.
    fn name(&self, rows: &[u32]) -> Vec<u32> {
        rows.iter().map(|&row| self.every[row as usize]).collect()
    }

    /// An order of the rows that are left.
    fn linearizable(&self, order: &[u32]) -> Decision {
        let order = name_rows(&self.columns, order);
        Decision::Linearizable(Linearization {
            left_out: search::missing(&order, &self.every),
            order: self.name(&order),
        })
    }

    fn violation(&self, core: Option<Vec<u32>>, deepest: Vec<u32>) -> Decision {
        Decision::Violation { core: core.map(|core| self.name(&core)), deepest: self.name(&deepest) }
    }
}
