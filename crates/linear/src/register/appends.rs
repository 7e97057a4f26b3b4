//! Appends as steps between the values that some operation looks for.
//!
//! An operation looks for a value if it read it or compared with it. If an append can have made such a value,
//! the value shows what was there before the append. That is an *edge*, and the value before is looked for in
//! turn. So every value that can lead to one that is looked for is known. All other values make no difference to
//! any operation, and an append without an edge is a write of such a value.
//!
//! An append that is the only way to a value that was certainly seen is a compare-and-set: it found the value
//! before, and no other. If no element is appended twice, all appends are, and the search has nothing left to do.

use crate::budget::{Limit, Meter};
use crate::history::History;
use crate::intern::Interner;
use crate::model::Model;

use super::columns::{Columns, INITIAL, Kind, NONE};

/// A step that an append can make: the value before it and the value after.
pub(super) type Edge = (u32, u32);

/// The edges of those appends that did not become something else.
#[derive(Default)]
pub(super) struct Edges {
    /// By kind of append (column `b` of its row): its edges. From any other value it leads to `elsewhere`.
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

/// Gives every append its edges. The result, if there is one, is a contradiction: an append and two rows that
/// put it after two different values. This builds every value that can lead to one that is looked for, which may
/// be as many as there are appends, each as long, so their bytes count towards the budget.
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
            (columns.kind[row], columns.b[row]) = (Kind::Write, columns.values);
            columns.values += 1;
        } else {
            columns.b[row] = kinds.intern_owned(edges);
        }
    }
    columns.edges = Edges { by_kind: kinds.into_values(), elsewhere: columns.values };
    columns.values += 1;
    Ok(None)
}

struct Steps {
    /// The rows that append.
    appends: Vec<u32>,
    /// By place in `appends`.
    edges: Vec<Vec<Edge>>,
    /// By value: the places in `appends` of those that can make it.
    makers: Vec<Vec<u32>>,
}

impl Steps {
    /// All edges to values that are looked for, directly or in turn.
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
        let mut open: Vec<u32> = columns.a.iter().copied().filter(|&value| value != NONE).collect();
        let mut bytes = 0;
        while let Some(value) = open.pop() {
            looked_for.resize(values.len(), false);
            if std::mem::replace(&mut looked_for[value as usize], true) {
                continue;
            }
            meter.step()?;
            // Trying every append takes longer than a step of a search.
            meter.look()?;
            bytes += model.value_bytes(values.value(value));
            if bytes > meter.bytes_max() {
                return Err(Limit::Bytes);
            }
            for (place, &row) in appends.iter().enumerate() {
                let input = &history.operation(columns.op[row as usize]).input;
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

    /// Turns appends that are the only way to a value that was certainly seen into compare-and-sets.
    fn force(&mut self, columns: &mut Columns) -> Option<Vec<u32>> {
        let mut written = vec![false; columns.values as usize];
        let mut source = vec![NONE; columns.values as usize];
        written[INITIAL as usize] = true;
        for row in 0..columns.len() {
            if let Some(value) = columns.produced(row) {
                written[value as usize] = true;
            }
            if let (Some(value), false) = (columns.observed(row), columns.optional(row)) {
                source[value as usize] = row as u32;
            }
        }
        let mut open: Vec<u32> =
            (0..columns.values).filter(|&value| source[value as usize] != NONE).collect();
        while let Some(value) = open.pop() {
            let [place] = self.makers[value as usize][..] else { continue };
            let row = self.appends[place as usize];
            let at = row as usize;
            if written[value as usize] || columns.kind[at] == Kind::Cas && columns.b[at] == value {
                continue;
            }
            if columns.kind[at] == Kind::Cas {
                return Some(vec![row, source[columns.b[at] as usize], source[value as usize]]);
            }
            for &(before, after) in &self.edges[place as usize] {
                if after == value {
                    (columns.kind[at], columns.a[at], columns.b[at]) = (Kind::Cas, before, value);
                    if source[before as usize] == NONE {
                        source[before as usize] = source[value as usize];
                        open.push(before);
                    }
                } else if self.makers[after as usize].len() > 1 {
                    // This append is used up. If that leaves one other for the value, that one is forced too.
                    self.makers[after as usize].retain(|&other| other != place);
                    if source[after as usize] != NONE {
                        open.push(after);
                    }
                }
            }
        }
        None
    }
}
