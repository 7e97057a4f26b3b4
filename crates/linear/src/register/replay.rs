//! Negative observations put into the order that the zones gave.
//!
//! The order is walked row by row. A negative observation of `x` is placed as soon as all that returned
//! before its call stands in the order and the value is not `x`; placing it early never hurts the others, as
//! it changes nothing. Linear. Failing says nothing: another order of the blocks may do.

use crate::order;

use super::columns::{Columns, Kind};

/// The order with all negative observations, if they fit in.
pub(super) fn replay(columns: &Columns, order: &[u32]) -> Option<Vec<u32>> {
    let mut replay = Replay::new(columns);
    for &row in order {
        replay.settle();
        if columns.call[row as usize] > replay.earliest_return() {
            return None;
        }
        replay.place(row);
        if let Some(value) = columns.produced(row as usize) {
            replay.become_value(value);
        }
    }
    replay.settle();
    (replay.order.len() == order.len() + replay.negatives.len()).then_some(replay.order)
}

struct Replay<'a> {
    columns: &'a Columns,
    order: Vec<u32>,
    placed: Vec<bool>,
    value: u32,
    /// Rows that must take effect, packed, by return; all before `first_open` are placed.
    by_return: Vec<u64>,
    first_open: usize,
    /// Negative observations, by call; all before `first_closed` have been looked at.
    negatives: Vec<u32>,
    first_closed: usize,
    /// Negative observations of the present value that only wait for it to change.
    waiting: Vec<u32>,
}

impl<'a> Replay<'a> {
    fn new(columns: &'a Columns) -> Self {
        let rows = 0..columns.len();
        let must = rows.clone().filter(|&row| !columns.optional(row));
        let mut by_return: Vec<u64> = must.map(|row| order::pack(columns.ret[row], row as u32)).collect();
        order::sort_almost_sorted(&mut by_return);
        Replay {
            columns,
            order: Vec::with_capacity(columns.len()),
            placed: vec![false; columns.len()],
            value: columns.initial,
            by_return,
            first_open: 0,
            negatives: rows.filter(|&row| columns.kind[row] == Kind::Not).map(|row| row as u32).collect(),
            first_closed: 0,
            waiting: Vec::new(),
        }
    }

    /// The least return of the rows that are not placed.
    fn earliest_return(&mut self) -> u32 {
        while let Some(&packed) = self.by_return.get(self.first_open) {
            let row = order::row(packed) as usize;
            if !self.placed[row] {
                return self.columns.ret[row];
            }
            self.first_open += 1;
        }
        order::NEVER
    }

    fn place(&mut self, row: u32) {
        self.placed[row as usize] = true;
        self.order.push(row);
    }

    /// Places every negative observation that may come now.
    fn settle(&mut self) {
        while let Some(&row) = self.negatives.get(self.first_closed) {
            if self.columns.call[row as usize] > self.earliest_return() {
                return;
            }
            self.first_closed += 1;
            if self.columns.a[row as usize] == self.value {
                self.waiting.push(row);
            } else {
                self.place(row);
            }
        }
    }

    fn become_value(&mut self, value: u32) {
        if value == self.value {
            return;
        }
        self.value = value;
        while let Some(row) = self.waiting.pop() {
            self.place(row);
        }
    }
}
