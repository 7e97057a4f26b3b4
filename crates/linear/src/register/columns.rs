//! A component as columns of small numbers, in the order of calls.

use crate::order;

use super::appends::Edges;
use super::rows::{Row, Words};

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
    /// Need not take effect, and was dropped.
    Gone,
}

/// No value, no row.
pub(super) const NONE: u32 = u32::MAX;

/// The value before the first row.
pub(super) const INITIAL: u32 = 0;

/// This many rows fit into the caches, so that they can be read once for each column.
const ROWS_NEAR: usize = 512;

/// The rows of a component. All columns have the same length.
///
/// Invariants: `call` ascends strictly. `ret` is [`order::NEVER`] exactly for *optional* rows, which need not
/// take effect; reads and negative observations are never optional. `a` is [`NONE`] for writes and appends, `b`
/// for reads and negative observations, and `a != b` for a compare-and-set.
#[derive(Default)]
pub(super) struct Columns {
    /// The index in the history.
    pub(super) op: Vec<u32>,
    pub(super) kind: Vec<Kind>,
    pub(super) a: Vec<u32>,
    pub(super) b: Vec<u32>,
    pub(super) call: Vec<u32>,
    pub(super) ret: Vec<u32>,
    /// How many values there are. All of `a` and `b` are less.
    pub(super) values: u32,
    /// Whether there are negative observations.
    pub(super) negative: bool,
    pub(super) edges: Edges,
}

impl Columns {
    /// Fills the columns with these rows, which must be in the order of calls and have `values` values.
    pub(super) fn fill(&mut self, rows: &[Row], values: u32) {
        self.fill_by(rows, |value| value);
        self.values = values;
    }

    /// Fills the columns with these rows, whose values are words.
    pub(super) fn fill_numbering(&mut self, rows: &[Row], start: u32, words: &mut Words) {
        words.begin(rows.len(), start);
        self.fill_by(rows, |word| words.number(word));
        self.values = words.count();
    }

    fn fill_by(&mut self, rows: &[Row], mut number: impl FnMut(u32) -> u32) {
        self.clear();
        for (at, chunk) in rows.chunks(ROWS_NEAR).enumerate() {
            let first = at * ROWS_NEAR;
            self.op.extend(chunk.iter().map(|row| row.op));
            self.kind.extend(chunk.iter().map(|row| row.kind));
            self.a.extend(chunk.iter().map(|row| number(row.a)));
            self.b.extend(chunk.iter().map(|row| number(row.b)));
            self.call.extend((first..first + chunk.len()).map(order::call_position));
            self.ret.extend(chunk.iter().zip(first..).map(|(row, place)| match row.answered {
                true => order::return_position(place, row.at, rows.len(), |place| rows[place].call),
                false => order::NEVER,
            }));
        }
        self.negative = self.kind.contains(&Kind::Not);
    }

    fn clear(&mut self) {
        for numbers in [&mut self.op, &mut self.a, &mut self.b, &mut self.call, &mut self.ret] {
            numbers.clear();
        }
        self.kind.clear();
        self.edges = Edges::default();
    }

    pub(super) fn len(&self) -> usize {
        self.op.len()
    }

    pub(super) fn optional(&self, row: usize) -> bool {
        self.ret[row] == order::NEVER
    }

    /// The value that a row sees, if it sees one.
    pub(super) fn observed(&self, row: usize) -> Option<u32> {
        matches!(self.kind[row], Kind::Read | Kind::Cas).then(|| self.a[row])
    }

    /// The value that a row sets, if it sets one.
    pub(super) fn produced(&self, row: usize) -> Option<u32> {
        matches!(self.kind[row], Kind::Write | Kind::Cas).then(|| self.b[row])
    }

    /// Removes the rows that are [`Kind::Gone`], and their entries in `column`. Returns their indices in the
    /// history.
    pub(super) fn remove_gone(&mut self, column: &mut Vec<u32>) -> Vec<u32> {
        let rows = self.kind.iter().zip(&self.op);
        let gone: Vec<u32> = rows.filter(|row| *row.0 == Kind::Gone).map(|row| *row.1).collect();
        if gone.is_empty() {
            return gone;
        }
        let kept: Vec<bool> = self.kind.iter().map(|&kind| kind != Kind::Gone).collect();
        fn keep<T>(column: &mut Vec<T>, kept: &[bool]) {
            let mut kept = kept.iter();
            column.retain(|_| kept.next().is_some_and(|&kept| kept));
        }
        for numbers in [&mut self.op, &mut self.a, &mut self.b, &mut self.call, &mut self.ret, column] {
            keep(numbers, &kept);
        }
        keep(&mut self.kind, &kept);
        gone
    }
}
