//! The rows (operations) of one component of a history (a part that can be judged alone, see [`crate::partition`]) as
//! columns of small numbers, in the order of calls. Each step of the algorithm in this folder reads only one or two
//! columns at a time, which is faster than going through whole rows.

use crate::order;

use super::appends::Edges;
use super::rows::{Row, WordNumbers};

/// What a row does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Saw the value `expected`.
    Read,
    /// Saw that the value was not `expected`.
    Negative,
    /// Sets `new`.
    Write,
    /// A compare-and-set that succeeded, or of unknown outcome: sees `expected`, sets `new`.
    Cas,
    /// An append. `new` is not a value but the id of a list of edges: the pairs of values (before, after) that the
    /// append can connect, see [`Edges::by_kind`].
    Append,
    /// An optional row that [`super::eliminate`] dropped.
    Dropped,
}

/// The number that stands for "no value" or "no row".
pub(super) const NONE: u32 = u32::MAX;

/// The number that identifies the initial value.
pub(super) const INITIAL: u32 = 0;

/// This many rows fit into the processor's caches, so reading them once for each column is cheap.
const ROWS_PER_CHUNK: usize = 512;

/// The rows of a component. All columns have the same length.
///
/// Invariants: `call` ascends strictly. `ret` is [`order::NEVER`] exactly for optional rows; reads and negative
/// observations are never optional. `expected` is [`NONE`] for writes and appends, `new` is [`NONE`] for reads
/// and negative observations, and `expected != new` for a compare-and-set.
#[derive(Default)]
pub(super) struct Columns {
    /// The index in the history.
    pub(super) index: Vec<u32>,
    pub(super) kind: Vec<Kind>,
    pub(super) expected: Vec<u32>,
    pub(super) new: Vec<u32>,
    /// The positions of calls and returns in time, see [`crate::order`].
    pub(super) call: Vec<u32>,
    pub(super) ret: Vec<u32>,
    /// How many values there are. Each is identified by a number below this.
    pub(super) values: u32,
    /// Whether there are negative observations.
    pub(super) negative: bool,
    /// What the appends can do, see [`super::appends`].
    pub(super) edges: Edges,
}

impl Columns {
    /// Fills the columns with these rows, which must be in the order of calls and contain `values` values.
    pub(super) fn fill(&mut self, rows: &[Row], values: u32) {
        self.fill_by(rows, |value| value);
        self.values = values;
    }

    /// Fills the columns with these rows, whose values are words: arbitrary `u32`s, not numbered yet. `start` is the word
    /// of the initial value.
    pub(super) fn fill_numbering(&mut self, rows: &[Row], start: u32, words: &mut WordNumbers) {
        words.begin(rows.len(), start);
        self.fill_by(rows, |word| words.number(word));
        self.values = words.count();
    }

    /// Fills the columns with these rows. `number` gives the small number of each value in a row.
    fn fill_by(&mut self, rows: &[Row], mut number: impl FnMut(u32) -> u32) {
        self.clear();
        for (at, chunk) in rows.chunks(ROWS_PER_CHUNK).enumerate() {
            let first = at * ROWS_PER_CHUNK;
            self.index.extend(chunk.iter().map(|row| row.index));
            self.kind.extend(chunk.iter().map(|row| row.kind));
            self.expected.extend(chunk.iter().map(|row| number(row.expected)));
            self.new.extend(chunk.iter().map(|row| number(row.new)));
            self.call.extend((first..first + chunk.len()).map(order::call_position));
            self.ret.extend(chunk.iter().zip(first..).map(|(row, place)| match row.answered {
                true => order::return_position(place, row.at, rows.len(), |place| rows[place].call),
                false => order::NEVER,
            }));
        }
        self.negative = self.kind.contains(&Kind::Negative);
    }

    /// Empties all columns, and keeps their memory.
    fn clear(&mut self) {
        for numbers in [&mut self.index, &mut self.expected, &mut self.new, &mut self.call, &mut self.ret] {
            numbers.clear();
        }
        self.kind.clear();
        self.edges = Edges::default();
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether the operation of a row need not take effect.
    pub(super) fn optional(&self, row: usize) -> bool {
        self.ret[row] == order::NEVER
    }

    /// The value that a row sees, if it sees one.
    pub(super) fn observed(&self, row: usize) -> Option<u32> {
        matches!(self.kind[row], Kind::Read | Kind::Cas).then(|| self.expected[row])
    }

    /// The value that a row sets, if it sets one.
    pub(super) fn produced(&self, row: usize) -> Option<u32> {
        matches!(self.kind[row], Kind::Write | Kind::Cas).then(|| self.new[row])
    }

    /// Removes the rows that are [`Kind::Dropped`] from all columns, and from `column` too. Returns their
    /// indices in the history.
    pub(super) fn remove_dropped(&mut self, column: &mut Vec<u32>) -> Vec<u32> {
        let rows = self.kind.iter().zip(&self.index);
        let dropped: Vec<u32> = rows.filter(|row| *row.0 == Kind::Dropped).map(|row| *row.1).collect();
        if dropped.is_empty() {
            return dropped;
        }
        let kept: Vec<bool> = self.kind.iter().map(|&kind| kind != Kind::Dropped).collect();
        fn keep<T>(column: &mut Vec<T>, kept: &[bool]) {
            let mut kept = kept.iter();
            column.retain(|_| kept.next().is_some_and(|&kept| kept));
        }
        for numbers in
            [&mut self.index, &mut self.expected, &mut self.new, &mut self.call, &mut self.ret, column]
        {
            keep(numbers, &kept);
        }
        keep(&mut self.kind, &kept);
        dropped
    }
}
