//! Decides operations of unknown outcome without a search. The head of [`super`] defines the words.
//!
//! There are two rules:
//! - *Drop*: no row can see the value that an optional row sets. The row is dropped. That changes only what
//!   negative observations see, so if there are any, the caller repeats the search with all rows before it
//!   believes a violation.
//! - *Require*: a value was certainly seen, and only one row can have set it. Then that row took effect, and it
//!   did so before the first row that saw the value returned. If its own return is later, or unknown, it gets
//!   that return, and so it is no longer optional.
//!
//! Each rule can make the other one applicable, so both are repeated until nothing changes: an optional
//! compare-and-set observes a value, and when it is dropped, the producer of that value may be dropped next. A
//! return only ever moves to the return of another row, and there are finitely many of those. So even a cycle
//! of compare-and-sets comes to an end.

use crate::order::{NEVER, START};

use super::columns::{Columns, INITIAL, Kind, NONE};

/// What is known of a value.
#[derive(Clone, Copy)]
pub(super) struct Value {
    /// How many rows can set it. For the initial value, the start of the history counts as one.
    pub(super) producer_count: u32,
    /// The xor of the numbers of those rows. If there is one row, this is its number.
    producer: u32,
    /// The earliest return of the rows that certainly saw it; [`NEVER`] if no row did.
    pub(super) seen_by_time: u32,
    /// The row that has this return.
    pub(super) first_seen_by: u32,
    /// The first row that read it. [`Facts::next`] leads to the others.
    pub(super) first_reader: u32,
    /// The call of the last row that read it.
    pub(super) last_read_call: u32,
    /// The compare-and-set that replaced it, if the value is [linked](Facts::linked).
    pub(super) replaced_by: u32,
    /// How many rows may have seen it.
    observer_count: u32,
    /// The latest return of those rows; [`NEVER`] if one of them is optional.
    last_observer_return: u32,
    /// The first optional row that sets it. [`Facts::next`] leads to the others.
    first_optional: u32,
    /// Whether there is a negative observation of it.
    negated: bool,
}

impl Value {
    /// A value that no row has set or seen so far.
    const UNSEEN: Value = Value {
        producer_count: 0,
        producer: 0,
        seen_by_time: NEVER,
        first_seen_by: NONE,
        first_reader: NONE,
        last_read_call: START,
        replaced_by: NONE,
        observer_count: 0,
        last_observer_return: START,
        first_optional: NONE,
        negated: false,
    };

    /// Records a row that sees the value.
    fn seen_by(&mut self, row: u32, ret: u32) {
        self.observer_count += 1;
        self.last_observer_return = self.last_observer_return.max(ret);
        if ret < self.seen_by_time {
            (self.seen_by_time, self.first_seen_by) = (ret, row);
        }
    }

    /// Records a row that sets the value.
    fn produced_by(&mut self, row: u32) {
        self.producer_count += 1;
        self.producer ^= row;
    }

    /// The row that set it; [`NONE`] for the start of the history. Only call this if there is one producer.
    pub(super) fn only_producer(&self) -> u32 {
        self.producer
    }
}

/// What is known of the values and of the rows' returns.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) values: Vec<Value>,
    /// Linked lists of rows in the order of calls; [`NONE`] at the end. After a row that reads comes the next
    /// one that reads the same value. After a row that was optional in the history comes the next one that sets
    /// the same value.
    pub(super) next: Vec<u32>,
    /// By row: the row that really returned at its return. If a return was moved, that is another row, and a
    /// conflict with this row must contain that row too.
    pub(super) return_owner: Vec<u32>,
    /// The rows that were optional in the history, latest call first.
    pub(super) optional: Vec<u32>,
    /// The compare-and-sets, latest call first.
    pub(super) cas_rows: Vec<u32>,
    /// How many rows must take effect, not counting negative observations.
    pub(super) must_count: usize,
    /// Values to which a rule may have become applicable.
    open: Vec<u32>,
}

impl Facts {
    /// Collects what is known of these columns, drops optional rows that cannot matter (if `drop`), and gives
    /// returns to the optional rows that must have taken effect.
    pub(super) fn eliminate(&mut self, columns: &mut Columns, drop: bool) {
        self.collect(columns);
        if self.optional.is_empty() {
            return;
        }
        if drop {
            self.drop_unseen(columns);
        }
        let alive = self.optional.iter().filter(|&&row| columns.kind[row as usize] != Kind::Dropped);
        self.open.extend(alive.filter_map(|&row| columns.produced(row as usize)));
        self.move_returns(columns);
    }

    /// Applies the rule *require* to all rows, not only to optional ones. Earlier returns leave a search fewer
    /// orders to try.
    pub(super) fn move_all_returns(&mut self, columns: &mut Columns) {
        self.open.extend(0..columns.values);
        self.move_returns(columns);
    }

    /// Whether a value is *linked*: it was certainly seen, and only one row, or the start of the history, can
    /// have set it.
    pub(super) fn linked(&self, value: u32) -> bool {
        let value = &self.values[value as usize];
        value.producer_count == 1 && value.seen_by_time != NEVER
    }

    /// A row, and the row that really returned at its return. These may be the same.
    pub(super) fn with_return_owner(&self, row: u32) -> [u32; 2] {
        [row, self.return_owner[row as usize]]
    }

    /// Collects what is known of the values.
    fn collect(&mut self, columns: &Columns) {
        let rows = columns.len();
        self.values.clear();
        self.values.resize(columns.values as usize, Value::UNSEEN);
        self.next.resize(rows, NONE);
        self.return_owner.clear();
        self.return_owner.extend(0..rows as u32);
        self.optional.clear();
        self.cas_rows.clear();
        self.open.clear();
        self.must_count = 0;
        self.values[INITIAL as usize].produced_by(NONE);
        // Backwards, so that the rows of a value are linked in the order of calls.
        for row in (0..rows).rev() {
            self.add(columns, row);
        }
        for (before, after) in columns.edges.all() {
            // Any append, at any time, may be the one that extends `before` or makes `after`. So `before` may
            // be seen until the end, and `after` never has only one producer.
            self.values[before as usize].observer_count += 1;
            self.values[before as usize].last_observer_return = NEVER;
            self.values[after as usize].producer_count += 2;
        }
    }

    /// Adds what one row shows. Rows are added from the last to the first.
    #[inline]
    fn add(&mut self, columns: &Columns, at: usize) {
        let (row, ret) = (at as u32, columns.ret[at]);
        match columns.kind[at] {
            Kind::Read => {
                let value = &mut self.values[columns.expected[at] as usize];
                value.seen_by(row, ret);
                value.last_read_call = value.last_read_call.max(columns.call[at]);
                self.next[at] = std::mem::replace(&mut value.first_reader, row);
            }
            Kind::Write => self.values[columns.new[at] as usize].produced_by(row),
            Kind::Cas => {
                self.values[columns.expected[at] as usize].seen_by(row, ret);
                self.values[columns.new[at] as usize].produced_by(row);
                self.cas_rows.push(row);
            }
            Kind::Negative => {
                self.values[columns.expected[at] as usize].negated = true;
                return;
            }
            Kind::Append | Kind::Dropped => {}
        }
        self.must_count += usize::from(ret != NEVER);
        if ret == NEVER {
            self.optional.push(row);
            if let Some(value) = columns.produced(at) {
                self.next[at] = std::mem::replace(&mut self.values[value as usize].first_optional, row);
            }
        }
    }

    /// Applies the rule *drop* to all optional rows.
    fn drop_unseen(&mut self, columns: &mut Columns) {
        for at in 0..self.optional.len() {
            let row = self.optional[at] as usize;
            let Some(value) = columns.produced(row) else { continue };
            let value = &self.values[value as usize];
            // If there are negative observations, optional writes of values that no row looks for are kept.
            // They may be the reason why a value was not there. They all do the same, so they cost the search
            // little.
            let spare = columns.negative
                && columns.kind[row] == Kind::Write
                && value.observer_count == 0
                && !value.negated;
            if !spare && (value.observer_count == 0 || columns.call[row] > value.last_observer_return) {
                self.drop(columns, row);
            }
        }
        while let Some(value) = self.open.pop() {
            let mut row = self.values[value as usize].first_optional;
            while row != NONE {
                if columns.kind[row as usize] != Kind::Dropped {
                    self.drop(columns, row as usize);
                }
                row = self.next[row as usize];
            }
        }
    }

    /// Drops a row. If it was the last that could see a value, the producers of that value are looked at again.
    fn drop(&mut self, columns: &mut Columns, row: usize) {
        if let Some(value) = columns.produced(row) {
            let value = &mut self.values[value as usize];
            value.producer_count -= 1;
            value.producer ^= row as u32;
        }
        if let Some(before) = columns.observed(row) {
            let value = &mut self.values[before as usize];
            value.observer_count -= 1;
            if value.observer_count == 0 {
                self.open.push(before);
            }
        }
        columns.kind[row] = Kind::Dropped;
    }

    /// Applies the rule *require* to the values in `open`.
    fn move_returns(&mut self, columns: &mut Columns) {
        while let Some(value) = self.open.pop() {
            let Value { seen_by_time, first_seen_by, .. } = self.values[value as usize];
            let row = self.values[value as usize].only_producer();
            if !self.linked(value) || row == NONE || columns.ret[row as usize] <= seen_by_time {
                continue;
            }
            self.must_count += usize::from(columns.optional(row as usize));
            columns.ret[row as usize] = seen_by_time;
            self.return_owner[row as usize] = self.return_owner[first_seen_by as usize];
            // The row took effect by then, and so did the row that set the value it compared with.
            if let Some(before) = columns.observed(row as usize)
                && seen_by_time < self.values[before as usize].seen_by_time
            {
                self.values[before as usize].seen_by_time = seen_by_time;
                self.values[before as usize].first_seen_by = row;
                self.open.push(before);
            }
        }
    }
}
