//! A component as columns of small numbers, in the order of calls.

use std::borrow::Cow;

use crate::history::History;
use crate::intern::Interner;
use crate::model::{Model, RegisterOp};
use crate::order;
use crate::slice::{Seen, Slice};

use super::appends::{self, Edges};

/// What a row does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Saw `a`.
    Read,
    /// Saw anything but `a`.
    Not,
    /// Sets `b`.
    Write,
    /// Saw `a`, sets `b`.
    Cas,
    /// Takes the step of kind `b` in [`Columns::edges`].
    Append,
}

/// No value, no row.
pub(super) const NONE: u32 = u32::MAX;

/// The rows of a component. All columns are of one length.
///
/// Invariants: `call` ascends strictly. `ret` is [`order::NEVER`] exactly for rows that need not take effect
/// ("optional" below); reads and negative observations are never optional. `a` is [`NONE`] for writes and
/// appends, `b` for reads and negative observations, and `a != b` for a compare-and-set.
pub(super) struct Columns {
    /// Which of the component's operations it is: its place in [`Rows::every`].
    pub(super) op: Vec<u32>,
    pub(super) kind: Vec<Kind>,
    pub(super) a: Vec<u32>,
    pub(super) b: Vec<u32>,
    pub(super) call: Vec<u32>,
    pub(super) ret: Vec<u32>,
    /// How many values there are: all of `a` and `b` are less.
    pub(super) values: u32,
    pub(super) initial: u32,
    pub(super) edges: Edges,
}

/// A component's columns, and what they are about.
pub(super) struct Rows {
    pub(super) columns: Columns,
    /// The indices in the history of all rows that there were at first.
    pub(super) every: Vec<u32>,
    /// Rows that contradict each other already.
    pub(super) contradiction: Option<Vec<u32>>,
}

impl Columns {
    /// The component's columns, or `None` if it has no register view.
    pub(super) fn build<M: Model>(
        model: &M,
        history: &History<M::Input, M::Output>,
        slice: &Slice<'_>,
        initial: M::Value,
    ) -> Option<Rows> {
        let length = slice.operations.len();
        // About half of all operations bring a new value.
        let mut values = Interner::with_capacity(length / 2);
        let mut columns = Columns::with_capacity(length, values.intern_owned(initial));
        let mut every = Vec::with_capacity(length);
        let mut calls = Vec::with_capacity(length);
        let mut returns = Vec::with_capacity(length);
        for place in slice.by_call(history) {
            let index = slice.operations[place as usize];
            let operation = history.operation(index);
            let (output, at) = match slice.seen(model, history, place as usize) {
                Seen::Answered { output, at } => (Some(output), Some(at)),
                Seen::Unknown => (None, None),
                Seen::Absent => continue,
            };
            let seen = model.as_register(&operation.input, output)?;
            if columns.add(seen, at.is_some(), &mut values) {
                returns.extend(at.map(|at| (at, every.len() as u32)));
                every.push(index);
                calls.push(operation.call);
            }
        }
        columns.op = (0..every.len() as u32).collect();
        (columns.call, columns.ret) = order::positions(&calls, returns);
        columns.values = values.len() as u32;
        let mut rows = Rows { columns, every, contradiction: None };
        if rows.columns.kind.contains(&Kind::Append) {
            rows.contradiction = appends::resolve(model, history, &mut rows, &mut values);
        }
        Some(rows)
    }

    pub(super) fn with_capacity(length: usize, initial: u32) -> Columns {
        Columns {
            op: Vec::new(),
            kind: Vec::with_capacity(length),
            a: Vec::with_capacity(length),
            b: Vec::with_capacity(length),
            call: Vec::new(),
            ret: Vec::new(),
            values: 0,
            initial,
            edges: Edges::default(),
        }
    }

    /// Adds a row unless it says nothing; whether it did.
    fn add<V: Clone + Eq + std::hash::Hash>(
        &mut self,
        seen: RegisterOp<Cow<'_, V>>,
        answered: bool,
        values: &mut Interner<V>,
    ) -> bool {
        let (kind, a, b) = match seen {
            RegisterOp::Read(value) if answered => (Kind::Read, values.intern(value), NONE),
            RegisterOp::Read(_) | RegisterOp::Nothing => return false,
            RegisterOp::Write(value) => (Kind::Write, NONE, values.intern(value)),
            RegisterOp::Append => (Kind::Append, NONE, NONE),
            RegisterOp::Cas { expected, new, succeeded } => {
                let (a, b) = (values.intern(expected), values.intern(new));
                match succeeded {
                    Some(false) if answered => (Kind::Not, a, NONE),
                    // Comparing with what it sets changes nothing.
                    Some(true) if answered && a == b => (Kind::Read, a, NONE),
                    Some(false) => return false,
                    Some(true) | None if a == b => return false,
                    Some(true) | None => (Kind::Cas, a, b),
                }
            }
        };
        self.kind.push(kind);
        self.a.push(a);
        self.b.push(b);
        true
    }

    pub(super) fn len(&self) -> usize {
        self.op.len()
    }

    pub(super) fn optional(&self, row: usize) -> bool {
        self.ret[row] == order::NEVER
    }

    /// Whether something was observed by its absence.
    pub(super) fn has_negative(&self) -> bool {
        self.kind.contains(&Kind::Not)
    }

    /// The value a row sees, if it sees one by its presence.
    pub(super) fn observed(&self, row: usize) -> Option<u32> {
        matches!(self.kind[row], Kind::Read | Kind::Cas).then(|| self.a[row])
    }

    /// The value a row sets.
    pub(super) fn produced(&self, row: usize) -> Option<u32> {
        matches!(self.kind[row], Kind::Write | Kind::Cas).then(|| self.b[row])
    }

    /// Keeps the rows for which `alive` is set.
    pub(super) fn retain(&mut self, alive: &[bool]) {
        fn keep<T: Copy>(column: &mut Vec<T>, alive: &[bool]) {
            let mut row = 0;
            column.retain(|_| {
                row += 1;
                alive[row - 1]
            });
        }
        keep(&mut self.op, alive);
        keep(&mut self.kind, alive);
        keep(&mut self.a, alive);
        keep(&mut self.b, alive);
        keep(&mut self.call, alive);
        keep(&mut self.ret, alive);
    }
}
