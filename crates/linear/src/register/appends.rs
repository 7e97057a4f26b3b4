//! Turns appends into compare-and-sets where possible, and describes the others by the changes of value that they can
//! make.
//!
//! An operation *looks for* a value if it read the value or compared with it. If an append can have made that
//! value, the value also shows what was there before the append: [1, 2] was made from [1] by appending 2. This
//! pair of values is an *edge* of the append. The value before the append is then looked for as well, and may
//! have edges that lead to it. In the end, every value is known from which an append can lead to one that an
//! operation sees. No operation can tell the other values apart, so an append without an edge is a write of one
//! of those.
//!
//! If a value was certainly seen and only one append can have made it, that append is a compare-and-set from
//! the value before to this one. If no element is appended twice, all appends become compare-and-sets, and no
//! search is needed.

use crate::budget::{Limit, Meter};
use crate::history::History;
use crate::intern::Interner;
use crate::model::Model;

use super::columns::{Columns, INITIAL, Kind, NONE};

/// A step that an append can make: the value before it and the value after.
pub(super) type Edge = (u32, u32);

/// The edges of the appends that remain appends. Appends with the same edges are of the same *kind*.
#[derive(Default)]
pub(super) struct Edges {
    /// By kind, which is in the column `new` of an append's row. From a value without an edge, an append leads
    /// to `elsewhere`.
    pub(super) by_kind: Vec<Vec<Edge>>,
    /// A value that no operation looks for.
    pub(super) elsewhere: u32,
}

impl Edges {
    /// The value after an append of this kind.
    pub(super) fn after(&self, kind: u32, before: u32) -> u32 {
        let found = self.by_kind[kind as usize].iter().find(|edge| edge.0 == before);
        found.map_or(self.elsewhere, |edge| edge.1)
    }

    /// All edges of all kinds.
    pub(super) fn all(&self) -> impl Iterator<Item = Edge> {
        self.by_kind.iter().flatten().copied()
    }
}

/// Gives every append its edges. May return a conflict: an append, and two rows that show that it was made to
/// two different values.
///
/// This builds every value that can lead to one that is looked for. There may be as many of them as appends,
/// each with as many elements, so their bytes count towards the budget.
pub(super) fn resolve<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    columns: &mut Columns,
    values: &mut Interner<M::Value>,
    meter: &mut Meter<'_>,
) -> Result<Option<Vec<u32>>, Limit> {
    let mut steps = Steps::find(model, history, columns, values, meter)?;
    columns.values = values.len() as u32;
    if let Some(contradiction) = steps.force(columns) {
        return Ok(Some(contradiction));
    }
    let mut kinds: Interner<Vec<Edge>> = Interner::new();
    for (&row, edges) in steps.appends.iter().zip(steps.edges) {
        let row = row as usize;
        if columns.kind[row] == Kind::Cas {
            continue;
        }
        if edges.is_empty() {
            (columns.kind[row], columns.new[row]) = (Kind::Write, columns.values);
            columns.values += 1;
        } else {
            columns.new[row] = kinds.intern_owned(edges);
        }
    }
    columns.edges = Edges { by_kind: kinds.into_values(), elsewhere: columns.values };
    columns.values += 1;
    Ok(None)
}

/// Which values the appends can lead from and to.
struct Steps {
    /// The rows that append.
    appends: Vec<u32>,
    /// The edges of each append, by its place in `appends`.
    edges: Vec<Vec<Edge>>,
    /// By value: the appends that can make it, as places in `appends`.
    makers: Vec<Vec<u32>>,
}

impl Steps {
    /// All edges to values that are looked for, by an operation or by an edge.
    fn find<M: Model>(
        model: &M,
        history: &History<M::Input, M::Output>,
        columns: &Columns,
        values: &mut Interner<M::Value>,
        meter: &mut Meter<'_>,
    ) -> Result<Steps, Limit> {
        let is_append = |row: &u32| columns.kind[*row as usize] == Kind::Append;
        let appends: Vec<u32> = (0..columns.len() as u32).filter(is_append).collect();
        let mut edges = vec![Vec::new(); appends.len()];
        let mut makers = vec![Vec::new(); values.len()];
        let mut looked_for = vec![false; values.len()];
        let mut open: Vec<u32> = columns.expected.iter().copied().filter(|&value| value != NONE).collect();
        let mut bytes = 0;
        while let Some(value) = open.pop() {
            looked_for.resize(values.len(), false);
            if std::mem::replace(&mut looked_for[value as usize], true) {
                continue;
            }
            meter.step()?;
            // Trying every append takes longer than a step of a search, so the clock is read each time.
            meter.look()?;
            bytes += model.value_bytes(values.value(value));
            if bytes > meter.bytes_max() {
                return Err(Limit::Bytes);
            }
            for (place, &row) in appends.iter().enumerate() {
                let input = &history.operation(columns.index[row as usize]).input;
                let Some(before) = model.retract(values.value(value), input) else { continue };
                let before = values.intern_owned(before);
                makers.resize(values.len(), Vec::new());
                edges[place].push((before, value));
                makers[value as usize].push(place as u32);
                open.push(before);
            }
        }
        for edges in &mut edges {
            edges.sort_unstable();
        }
        Ok(Steps { appends, edges, makers })
    }

    /// Turns an append into a compare-and-set if it alone can have made a value that was certainly seen.
    /// Returns a conflict if one append would have to make two values.
    fn force(&mut self, columns: &mut Columns) -> Option<Vec<u32>> {
        // By value: whether something other than an append can have set it.
        let mut written = vec![false; columns.values as usize];
        // By value: a row that shows that the register certainly had it; `NONE` if no row does.
        let mut shown_by = vec![NONE; columns.values as usize];
        written[INITIAL as usize] = true;
        for row in 0..columns.len() {
            if let Some(value) = columns.produced(row) {
                written[value as usize] = true;
            }
            if let (Some(value), false) = (columns.observed(row), columns.optional(row)) {
                shown_by[value as usize] = row as u32;
            }
        }
        let mut open: Vec<u32> =
            (0..columns.values).filter(|&value| shown_by[value as usize] != NONE).collect();
        while let Some(value) = open.pop() {
            let [place] = self.makers[value as usize][..] else { continue };
            let row = self.appends[place as usize];
            let at = row as usize;
            if written[value as usize] || columns.kind[at] == Kind::Cas && columns.new[at] == value {
                continue;
            }
            if columns.kind[at] == Kind::Cas {
                return Some(vec![row, shown_by[columns.new[at] as usize], shown_by[value as usize]]);
            }
            for &(before, after) in &self.edges[place as usize] {
                if after == value {
                    (columns.kind[at], columns.expected[at], columns.new[at]) = (Kind::Cas, before, value);
                    if shown_by[before as usize] == NONE {
                        shown_by[before as usize] = shown_by[value as usize];
                        open.push(before);
                    }
                } else if self.makers[after as usize].len() > 1 {
                    // This append made `value`, so it did not make `after`. If only one other can have made
                    // that, the other one is forced too.
                    self.makers[after as usize].retain(|&other| other != place);
                    if shown_by[after as usize] != NONE {
                        open.push(after);
                    }
                }
            }
        }
        None
    }
}
