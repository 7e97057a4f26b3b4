//! Inserts negative observations into the zones' order, and reorders a few rows where there is no room.
//!
//! The order is walked row by row. A negative observation of `x` is placed as soon as all rows that returned
//! before its call are in the order and the value is not `x`. Placing it early never gets in the way of the
//! others, as it changes nothing. Where there is no room for one, the last rows are reordered ([`repair`]). Apart
//! from that the time is linear. If this fails, nothing is known: another order of the blocks may have room.

use crate::budget::Meter;
use crate::order;

use super::columns::{Columns, INITIAL, Kind, NONE};
use super::repair;

/// The order with all negative observations inserted, if that succeeds.
pub(super) fn replay(columns: &Columns, order: &[u32], meter: &mut Meter<'_>) -> Option<Vec<u32>> {
    let mut replay = Replay::new(columns);
    let mut next = 0;
    loop {
        replay.settle();
        let call = order.get(next).map_or(order::NEVER, |&row| columns.call[row as usize]);
        if call > replay.earliest_return() {
            next = replay.make_room(order, next, meter)?;
            continue;
        }
        let Some(&row) = order.get(next) else { break };
        next += 1;
        replay.place(row);
        if let Some(value) = columns.produced(row as usize) {
            replay.become_value(value);
        }
    }
    (replay.order.len() == order.len() + replay.negatives.len() + replay.first_spare).then_some(replay.order)
}

/// How many rows before and after the place to reorder, and how many if that was not enough.
const WINDOWS: [usize; 4] = [8, 32, 128, 512];

/// How many rows that need not take effect may be used in a window.
const SPARE_MAX: usize = 4;

struct Replay<'a> {
    columns: &'a Columns,
    order: Vec<u32>,
    placed: Vec<bool>,
    value: u32,
    /// Rows that must take effect, packed, in the order of returns. All before `first_open` are placed.
    by_return: Vec<u64>,
    first_open: usize,
    /// Negative observations in the order of calls. All before `first_closed` have been looked at.
    negatives: Vec<u32>,
    first_closed: usize,
    /// Writes that need not take effect and whose value no row names, in the order of calls. Those before
    /// `first_spare` are placed, the others are not. It makes no difference which of them are placed, so those
    /// called first are.
    spare: Vec<u32>,
    first_spare: usize,
    /// Negative observations of the current value that only wait for it to change.
    waiting: Vec<u32>,
}

/// The writes for [`Replay::spare`].
fn spare(columns: &Columns) -> Vec<u32> {
    let mut named = vec![false; columns.values as usize];
    for &value in columns.a.iter().filter(|&&value| value != NONE) {
        named[value as usize] = true;
    }
    let spare = |row: &usize| {
        columns.optional(*row) && columns.kind[*row] == Kind::Write && !named[columns.b[*row] as usize]
    };
    (0..columns.len()).filter(spare).map(|row| row as u32).collect()
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
            value: INITIAL,
            by_return,
            first_open: 0,
            negatives: rows.filter(|&row| columns.kind[row] == Kind::Not).map(|row| row as u32).collect(),
            first_closed: 0,
            spare: spare(columns),
            first_spare: 0,
            waiting: Vec::new(),
        }
    }

    /// The earliest return of the rows that are not placed.
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

    /// Reorders rows around `order[next]`, so that a late negative observation is in time. Returns the place in
    /// `order` up to which it did.
    fn make_room(&mut self, order: &[u32], next: usize, meter: &mut Meter<'_>) -> Option<usize> {
        WINDOWS.into_iter().find_map(|window| self.reorder(order, next, window, meter))
    }

    fn reorder(&mut self, order: &[u32], next: usize, window: usize, meter: &mut Meter<'_>) -> Option<usize> {
        let columns = self.columns;
        let from = self.order.len().saturating_sub(window);
        let until = (next + window).min(order.len());
        let before = self.order[..from].iter().rev().find_map(|&row| columns.produced(row as usize));
        let after = order[next..until].iter().rev().find_map(|&row| columns.produced(row as usize));
        let after = after.unwrap_or(self.value);
        let coming = &order[next..until];
        let latest = coming.iter().map(|&row| columns.call[row as usize]).max().unwrap_or(0);
        let latest = latest.max(self.earliest_return().saturating_add(1));
        // All negative observations that return before some row of the window is called belong in it. No row
        // after the window returned before that, because the zones' order respects time.
        let mut rows: Vec<u32> = self.order[from..].to_vec();
        let unplaced = self.negatives[self.first_closed..].iter();
        let unplaced = unplaced.take_while(|&&row| columns.call[row as usize] < latest);
        let due = self.waiting.iter().chain(unplaced).copied();
        rows.extend(due.filter(|&row| columns.ret[row as usize] < latest && !self.placed[row as usize]));
        let spare = self.spare[self.first_spare..].iter().take(SPARE_MAX);
        rows.extend(spare.take_while(|&&row| columns.call[row as usize] < latest));
        rows.extend(coming);
        let better = repair::reorder(columns, &rows, before.unwrap_or(INITIAL), after, meter)?;
        self.order.truncate(from);
        for row in better {
            self.place(row);
        }
        while self.spare.get(self.first_spare).is_some_and(|&row| self.placed[row as usize]) {
            self.first_spare += 1;
        }
        self.waiting.retain(|&row| !self.placed[row as usize]);
        self.become_value(after);
        Some(until)
    }

    fn place(&mut self, row: u32) {
        self.placed[row as usize] = true;
        self.order.push(row);
    }

    /// Places every negative observation that may come now.
    ///
    /// One whose value is the current one waits.
    fn settle(&mut self) {
        while let Some(&row) = self.negatives.get(self.first_closed) {
            if self.columns.call[row as usize] > self.earliest_return() {
                return;
            }
            self.first_closed += 1;
            if self.placed[row as usize] {
                continue;
            }
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
