//! Reorders a few rows to make room for a negative observation.
//!
//! The zones' order may hold a value for as long as a negative observation of it is in flight, only because one
//! order of a few blocks was as good as another. So the search reorders a window of rows: the last rows of the
//! order so far, the first of those that are still to come, and the negative observations that must be among
//! them, with the same value before and after. All rows outside the window stay as they are, so the whole order
//! is right again.

use crate::budget::Meter;
use crate::intern::Interner;
use crate::order::NEVER;
use crate::search::{self, Found, Problem};

use super::columns::{Columns, INITIAL, Kind, NONE};
use super::moves::RegisterMoves;

/// How many steps for each row a window may take before it is left to the search of the whole.
const STEPS_PER_ROW: u64 = 16;

/// An order of `rows` between the values `before` and `after`, if one is found soon. `rows` is in the old order.
pub(super) fn reorder(
    columns: &Columns,
    rows: &[u32],
    before: u32,
    after: u32,
    meter: &mut Meter<'_>,
) -> Option<Vec<u32>> {
    let mut rows: Vec<(u32, u32)> = rows.iter().copied().zip(0..).collect();
    // Rows are numbered by their calls.
    rows.sort_unstable();
    let window = window(columns, &rows, before, after);
    let mut rank: Vec<u32> = rows.iter().map(|&(_, rank)| rank).collect();
    rank.push(NEVER);
    let mut moves = RegisterMoves::new(&window);
    let problem = Problem {
        call: &window.call,
        ret: &window.ret,
        rank: &rank,
        start: INITIAL,
        // If two equal sums hide an order, the search of the whole finds it.
        seed: 0,
    };
    let steps_max = rank.len() as u64 * STEPS_PER_ROW;
    match meter.within(steps_max, |meter| search::search(&problem, &mut moves, meter)) {
        Found::Order(found) => {
            let real = found.into_iter().filter(|&row| row as usize != rows.len());
            Some(real.map(|row| rows[row as usize].0).collect())
        }
        Found::Nothing { .. } | Found::Ended { .. } => None,
    }
}

/// Columns of these rows, with a read at the end that sees `after`.
fn window(columns: &Columns, rows: &[(u32, u32)], before: u32, after: u32) -> Columns {
    let mut values: Interner<u32> = Interner::new();
    // The first value that is numbered is the one at the start.
    values.intern_owned(before);
    let mut window = Columns::default();
    let mut number = |value: u32| if value == NONE { NONE } else { values.intern_owned(value) };
    for &(row, _) in rows {
        let row = row as usize;
        window.kind.push(columns.kind[row]);
        window.a.push(number(columns.a[row]));
        window.b.push(number(columns.b[row]));
        window.call.push(columns.call[row]);
        window.ret.push(columns.ret[row]);
    }
    window.kind.push(Kind::Read);
    window.a.push(number(after));
    window.b.push(NONE);
    window.call.push(NEVER - 2);
    window.ret.push(NEVER - 1);
    window.op = (0..=rows.len() as u32).collect();
    window.values = values.len() as u32;
    window
}
