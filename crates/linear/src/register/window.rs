//! Reorders a few neighbouring rows of an order, to make room for a negative observation among them. [`insert`]
//! calls this; the head of [`super`] defines the words.
//!
//! An example: one client's compare-and-set expected 1 and failed. The zone test put "write 2, write 1" where
//! "write 1, write 2" was just as possible, and so the register has the value 1 as long as the failed operation
//! is in flight. The other order has room for it.
//!
//! The caller chooses the rows, the *window*, and a search looks for an order of them that leads from the value
//! before the window to the value after it. The rows outside the window then need not change.
//!
//! [`insert`]: super::insert

use crate::budget::Meter;
use crate::intern::Interner;
use crate::order::NEVER;
use crate::search::{self, Found, Problem};

use super::columns::{Columns, INITIAL, Kind, NONE};
use super::moves::RegisterMoves;

/// The search of a window may take this many steps for each of its rows. After that, the search of the whole
/// component has to find an order.
const STEPS_PER_ROW: u64 = 16;

/// An order of `rows` that leads from the value `before` to the value `after`; `None` if the search does not
/// find one within its steps. `rows` is in the old order, which the search tries first.
pub(super) fn reorder(
    columns: &Columns,
    rows: &[u32],
    before: u32,
    after: u32,
    meter: &mut Meter<'_>,
) -> Option<Vec<u32>> {
    // Each row with its rank in the old order. The search needs the rows in the order of calls, which is the
    // order of their numbers.
    let mut rows: Vec<(u32, u32)> = rows.iter().copied().zip(0..).collect();
    rows.sort_unstable();
    let window = window(columns, &rows, before, after);
    let mut rank: Vec<u32> = rows.iter().map(|&(_, rank)| rank).collect();
    rank.push(NEVER); // The read at the end, see `window`.
    let mut moves = RegisterMoves::new(&window);
    let problem = Problem {
        call: &window.call,
        ret: &window.ret,
        rank: &rank,
        start: INITIAL,
        // Any seed will do. An order that this search misses is found by the search of the whole component.
        seed: 0,
    };
    let steps_max = rank.len() as u64 * STEPS_PER_ROW;
    match meter.within(steps_max, |meter| search::search(&problem, &mut moves, meter)) {
        Found::Order(found) => {
            let without_last_read = found.into_iter().filter(|&row| row as usize != rows.len());
            Some(without_last_read.map(|row| rows[row as usize].0).collect())
        }
        Found::Nothing { .. } | Found::Ended { .. } => None,
    }
}

/// The columns of these rows, and a further read at the end that sees `after`: it makes the search end with
/// that value.
fn window(columns: &Columns, rows: &[(u32, u32)], before: u32, after: u32) -> Columns {
    let mut values: Interner<u32> = Interner::new();
    // The first value gets the number of the initial value.
    values.intern_owned(before);
    let mut window = Columns::default();
    let mut number = |value: u32| if value == NONE { NONE } else { values.intern_owned(value) };
    for &(row, _) in rows {
        let row = row as usize;
        window.kind.push(columns.kind[row]);
        window.expected.push(number(columns.expected[row]));
        window.new.push(number(columns.new[row]));
        window.call.push(columns.call[row]);
        window.ret.push(columns.ret[row]);
    }
    window.kind.push(Kind::Read);
    window.expected.push(number(after));
    window.new.push(NONE);
    window.call.push(NEVER - 2);
    window.ret.push(NEVER - 1);
    window.index = (0..=rows.len() as u32).collect();
    window.values = values.len() as u32;
    window
}
