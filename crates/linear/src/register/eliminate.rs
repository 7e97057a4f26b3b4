//! Decides operations of unknown outcome without a search.
//!
//! Two rules apply:
//! - An optional row whose value no row can see is dropped. Leaving it out of an order changes only what negative
//!   observations see. So if there are any, the caller repeats the search with all rows before it believes in a
//!   violation.
//! - If a value was certainly seen and only one row can have set it, that row did, and before the first row that
//!   saw the value returned. So that row is no longer optional, and it gets that return.
//!
//! Each rule makes work for the other, so both run to a fixpoint. A kept compare-and-set of unknown outcome is an
//! observer too, and dropping it may leave its own producer unobserved. Returns only ever move to the returns of
//! other rows, never between two events, so a cycle of compare-and-sets settles instead of counting down for ever.

use crate::order::{NEVER, START};

use super::columns::{Columns, INITIAL, Kind, NONE};

/// What is known of a value.
#[derive(Clone, Copy)]
pub(super) struct Value {
    /// How many rows can set it; the start is one for the initial value.
    pub(super) producers: u32,
    /// The xor of the numbers of those rows: if there is one, its number.
    producer: u32,
    /// The earliest return of the rows that certainly saw it; [`NEVER`] if no row did.
    pub(super) needed: u32,
    /// The row that has this return.
    pub(super) needed_by: u32,
    /// The first row that read it, see [`Facts::next`].
    pub(super) first_reader: u32,
    /// The call of the last row that read it.
    pub(super) last_read: u32,
    /// The compare-and-set that replaced it, if the value is [linked](Facts::linked).
    pub(super) replaced_by: u32,
    /// How many rows may have seen it.
    observers: u32,
    /// The latest return of those rows; [`NEVER`] if one of them is optional.
    last_seen: u32,
    /// The first optional row that sets it, see [`Facts::next`].
    first_optional: u32,
    /// Whether there is a negative observation of it.
    negated: bool,
}

impl Value {
    const UNSEEN: Value = Value {
        producers: 0,
        producer: 0,
        needed: NEVER,
        needed_by: NONE,
        first_reader: NONE,
        last_read: START,
        replaced_by: NONE,
        observers: 0,
        last_seen: START,
        first_optional: NONE,
        negated: false,
    };

    fn seen_by(&mut self, row: u32, ret: u32) {
        self.observers += 1;
        self.last_seen = self.last_seen.max(ret);
        if ret < self.needed {
            (self.needed, self.needed_by) = (ret, row);
        }
    }

    fn produced_by(&mut self, row: u32) {
        self.producers += 1;
        self.producer ^= row;
    }

    /// The row that set it; [`NONE`] for the start. Only call this if there is one producer.
    pub(super) fn only_producer(&self) -> u32 {
        self.producer
    }
}

/// What is known of the values and of the rows' returns.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) values: Vec<Value>,
    /// For a row that reads: the next row that reads the same value. For a row that was optional at first: the
    /// next such row that sets the same value. In the order of calls; [`NONE`] at the end.
    pub(super) next: Vec<u32>,
    /// By row: the row whose recorded return it has. That is another row where the return was moved, and a
    /// conflict must hold that row too.
    pub(super) owner: Vec<u32>,
    /// The rows that were optional at first, latest call first.
    pub(super) optional: Vec<u32>,
    /// The compare-and-sets, latest call first.
    pub(super) swaps: Vec<u32>,
    /// How many rows must take effect, without negative observations.
    pub(super) must: usize,
    /// Values to look at again.
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
        let alive = self.optional.iter().filter(|&&row| columns.kind[row as usize] != Kind::Gone);
        self.open.extend(alive.filter_map(|&row| columns.produced(row as usize)));
        self.move_returns(columns);
    }

    /// Moves the return of every value's only producer to no later than the first that saw the value. This helps
    /// a search.
    pub(super) fn move_all_returns(&mut self, columns: &mut Columns) {
        self.open.extend(0..columns.values);
        self.move_returns(columns);
    }

    /// Whether the value was certainly seen and only one row, or the start, can have set it.
    pub(super) fn linked(&self, value: u32) -> bool {
        let value = &self.values[value as usize];
        value.producers == 1 && value.needed != NEVER
    }

    /// A row, and the row whose recorded return it has.
    pub(super) fn with_owner(&self, row: u32) -> [u32; 2] {
        [row, self.owner[row as usize]]
    }

    fn collect(&mut self, columns: &Columns) {
        let rows = columns.len();
        self.values.clear();
        self.values.resize(columns.values as usize, Value::UNSEEN);
        self.next.resize(rows, NONE);
        self.owner.clear();
        self.owner.extend(0..rows as u32);
        self.optional.clear();
        self.swaps.clear();
        self.open.clear();
        self.must = 0;
        self.values[INITIAL as usize].produced_by(NONE);
        // Backwards, so that the rows of a value are linked in the order of calls.
        for row in (0..rows).rev() {
            self.add(columns, row);
        }
        for (before, after) in columns.edges.all() {
            // An append may need to find the value before at any time, and which append sets the value after is open.
            self.values[before as usize].observers += 1;
            self.values[before as usize].last_seen = NEVER;
            self.values[after as usize].producers += 2;
        }
    }

    #[inline]
    fn add(&mut self, columns: &Columns, at: usize) {
        let (row, ret) = (at as u32, columns.ret[at]);
        match columns.kind[at] {
            Kind::Read => {
                let value = &mut self.values[columns.a[at] as usize];
                value.seen_by(row, ret);
                value.last_read = value.last_read.max(columns.call[at]);
                self.next[at] = std::mem::replace(&mut value.first_reader, row);
            }
            Kind::Write => self.values[columns.b[at] as usize].produced_by(row),
            Kind::Cas => {
                self.values[columns.a[at] as usize].seen_by(row, ret);
                self.values[columns.b[at] as usize].produced_by(row);
                self.swaps.push(row);
            }
            Kind::Not => {
                self.values[columns.a[at] as usize].negated = true;
                return;
            }
            Kind::Append | Kind::Gone => {}
        }
        self.must += usize::from(ret != NEVER);
        if ret == NEVER {
            self.optional.push(row);
            if let Some(value) = columns.produced(at) {
                self.next[at] = std::mem::replace(&mut self.values[value as usize].first_optional, row);
            }
        }
    }

    /// Drops the optional rows whose value no row can see.
    fn drop_unseen(&mut self, columns: &mut Columns) {
        for at in 0..self.optional.len() {
            let row = self.optional[at] as usize;
            let Some(value) = columns.produced(row) else { continue };
            let value = &self.values[value as usize];
            // With negative observations, writes of values that no row names are kept. They may be the reason why
            // a value was not there, and as they all do the same they cost the search next to nothing.
            let spare = columns.negative
                && columns.kind[row] == Kind::Write
                && value.observers == 0
                && !value.negated;
            if !spare && (value.observers == 0 || columns.call[row] > value.last_seen) {
                self.drop(columns, row);
            }
        }
        while let Some(value) = self.open.pop() {
            let mut row = self.values[value as usize].first_optional;
            while row != NONE {
                if columns.kind[row as usize] != Kind::Gone {
                    self.drop(columns, row as usize);
                }
                row = self.next[row as usize];
            }
        }
    }

    /// Drops a row. If no row sees the value that it saw any more, that value is looked at again.
    fn drop(&mut self, columns: &mut Columns, row: usize) {
        if let Some(value) = columns.produced(row) {
            let value = &mut self.values[value as usize];
            value.producers -= 1;
            value.producer ^= row as u32;
        }
        if let Some(before) = columns.observed(row) {
            let value = &mut self.values[before as usize];
            value.observers -= 1;
            if value.observers == 0 {
                self.open.push(before);
            }
        }
        columns.kind[row] = Kind::Gone;
    }

    /// Moves the returns of the only producers of open values to no later than the first that saw those.
    fn move_returns(&mut self, columns: &mut Columns) {
        while let Some(value) = self.open.pop() {
            let Value { needed, needed_by, .. } = self.values[value as usize];
            let row = self.values[value as usize].only_producer();
            if !self.linked(value) || row == NONE || columns.ret[row as usize] <= needed {
                continue;
            }
            self.must += usize::from(columns.optional(row as usize));
            columns.ret[row as usize] = needed;
            self.owner[row as usize] = self.owner[needed_by as usize];
            // As it took effect by then, so did the row that set the value it compared with.
            if let Some(before) = columns.observed(row as usize)
                && needed < self.values[before as usize].needed
            {
                self.values[before as usize].needed = needed;
                self.values[before as usize].needed_by = row;
                self.open.push(before);
            }
        }
    }
}
