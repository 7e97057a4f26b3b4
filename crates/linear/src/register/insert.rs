//! Inserts negative observations into the order that the zone test found, and reorders a few rows where one has
//! no room. The head of [`super`] defines the words.
//!
//! A new order is built row by row from the old one. A negative observation of the value `x` is placed as soon
//! as all rows that returned before its call are in the new order and the current value is not `x`. It changes
//! nothing, so placing it early never gets in the way of other rows. If the value is `x` until the negative
//! observation returns, [`window`] reorders the rows around that point.
//!
//! Without the reordering, this takes linear time. If it fails, nothing is known: another order of the rows may
//! have room.

use crate::budget::Meter;
use crate::order;

use super::columns::{Columns, INITIAL, Kind, NONE};
use super::window;

/// The order with all negative observations inserted; `None` if one had no room.
pub(super) fn insert(columns: &Columns, order: &[u32], meter: &mut Meter<'_>) -> Option<Vec<u32>> {
    let mut insertion = Insertion::new(columns);
    let mut next = 0;
    loop {
        insertion.place_negatives();
        let call = order.get(next).map_or(order::NEVER, |&row| columns.call[row as usize]);
        if call > insertion.earliest_return() {
            next = insertion.make_room(order, next, meter)?;
            continue;
        }
        let Some(&row) = order.get(next) else { break };
        next += 1;
        insertion.place(row);
        if let Some(value) = columns.produced(row as usize) {
            insertion.set_value(value);
        }
    }
    (insertion.order.len() == order.len() + insertion.negatives.len() + insertion.next_spare)
        .then_some(insertion.order)
}

/// How many rows on each side of a point to reorder. If the first number is not enough, the next one is tried.
const WINDOWS: [usize; 4] = [8, 32, 128, 512];

/// How many [spare writes](Insertion::spare) a window may use.
const SPARE_MAX: usize = 4;

/// The new order, as far as it is built.
struct Insertion<'a> {
    columns: &'a Columns,
    /// The new order so far.
    order: Vec<u32>,
    /// By row: whether it is in the new order.
    placed: Vec<bool>,
    /// The value after the new order so far.
    value: u32,
    /// Rows that must take effect, packed with their returns, in the order of returns. All before
    /// `first_unplaced` are placed.
    by_return: Vec<u64>,
    first_unplaced: usize,
    /// Negative observations in the order of calls. All before `next_negative` are placed or `waiting`.
    negatives: Vec<u32>,
    next_negative: usize,
    /// *Spare writes*, in the order of calls: optional writes of values that no row looks for. They all do the
    /// same, so those called first are used first. All before `next_spare` are placed, the others are not.
    spare: Vec<u32>,
    next_spare: usize,
    /// Negative observations of the current value. They are placed when the value changes.
    waiting: Vec<u32>,
}

/// The spare writes, see [`Insertion::spare`].
fn spare(columns: &Columns) -> Vec<u32> {
    let mut named = vec![false; columns.values as usize];
    for &value in columns.expected.iter().filter(|&&value| value != NONE) {
        named[value as usize] = true;
    }
    let spare = |row: &usize| {
        columns.optional(*row) && columns.kind[*row] == Kind::Write && !named[columns.new[*row] as usize]
    };
    (0..columns.len()).filter(spare).map(|row| row as u32).collect()
}

impl<'a> Insertion<'a> {
    fn new(columns: &'a Columns) -> Self {
        let rows = 0..columns.len();
        let must = rows.clone().filter(|&row| !columns.optional(row));
        let mut by_return: Vec<u64> = must.map(|row| order::pack(columns.ret[row], row as u32)).collect();
        order::sort_almost_sorted(&mut by_return);
        Insertion {
            columns,
            order: Vec::with_capacity(columns.len()),
            placed: vec![false; columns.len()],
            value: INITIAL,
            by_return,
            first_unplaced: 0,
            negatives: rows
                .filter(|&row| columns.kind[row] == Kind::Negative)
                .map(|row| row as u32)
                .collect(),
            next_negative: 0,
            spare: spare(columns),
            next_spare: 0,
            waiting: Vec::new(),
        }
    }

    /// The earliest return of a row that must take effect and is not placed yet. No row called after it may
    /// come next.
    fn earliest_return(&mut self) -> u32 {
        while let Some(&packed) = self.by_return.get(self.first_unplaced) {
            let row = order::row(packed) as usize;
            if !self.placed[row] {
                return self.columns.ret[row];
            }
            self.first_unplaced += 1;
        }
        order::NEVER
    }

    /// Reorders rows around `order[next]` so that a negative observation is in the new order before a row
    /// called after its return. Returns how many rows of `order` are placed now; `None` if there is no such
    /// order.
    fn make_room(&mut self, order: &[u32], next: usize, meter: &mut Meter<'_>) -> Option<usize> {
        WINDOWS.into_iter().find_map(|window| self.reorder(order, next, window, meter))
    }

    /// Reorders the `window` last rows of the new order and the `window` next rows of the old one. Returns how many
    /// rows of `order` are placed now.
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
        // A negative observation that returned before the latest call in the window must come before that row,
        // so it belongs in the window. The order respects time, so no row after the window returned before that
        // call.
        let mut rows: Vec<u32> = self.order[from..].to_vec();
        let unplaced = self.negatives[self.next_negative..].iter();
        let unplaced = unplaced.take_while(|&&row| columns.call[row as usize] < latest);
        let due = self.waiting.iter().chain(unplaced).copied();
        rows.extend(due.filter(|&row| columns.ret[row as usize] < latest && !self.placed[row as usize]));
        let spare = self.spare[self.next_spare..].iter().take(SPARE_MAX);
        rows.extend(spare.take_while(|&&row| columns.call[row as usize] < latest));
        rows.extend(coming);
        let better = window::reorder(columns, &rows, before.unwrap_or(INITIAL), after, meter)?;
        self.order.truncate(from);
        for row in better {
            self.place(row);
        }
        while self.spare.get(self.next_spare).is_some_and(|&row| self.placed[row as usize]) {
            self.next_spare += 1;
        }
        self.waiting.retain(|&row| !self.placed[row as usize]);
        self.set_value(after);
        Some(until)
    }

    /// Appends a row to the new order.
    fn place(&mut self, row: u32) {
        self.placed[row as usize] = true;
        self.order.push(row);
    }

    /// Places every negative observation that may come next. Those of the current value wait instead.
    fn place_negatives(&mut self) {
        while let Some(&row) = self.negatives.get(self.next_negative) {
            if self.columns.call[row as usize] > self.earliest_return() {
                return;
            }
            self.next_negative += 1;
            if self.placed[row as usize] {
                continue;
            }
            if self.columns.expected[row as usize] == self.value {
                self.waiting.push(row);
            } else {
                self.place(row);
            }
        }
    }

    /// Makes `value` the current value, and places the negative observations that waited for a change.
    fn set_value(&mut self, value: u32) {
        if value == self.value {
            return;
        }
        self.value = value;
        while let Some(row) = self.waiting.pop() {
            self.place(row);
        }
    }
}
