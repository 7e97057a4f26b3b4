//! Orders the operations of a set. The head of [`super`] defines the words.
//!
//! **Without reads of the whole set**, each operation concerns one element, and elements do not depend on each other.
//! So the operations on each element get positions of their own, between their calls and returns ([`super::life`]), and
//! then all operations are sorted by position. If an element is added several times, a search orders the operations on
//! that element.
//!
//! **With reads of the whole set**, no element may be added twice. If nothing is removed, each read shows at least
//! what the reads before it show ([`super::stages`]). If there are removals, a search puts the reads in order
//! ([`super::reads`]).

use crate::budget::{Limit, Meter};
use crate::generic;
use crate::history::History;
use crate::intern::Interner;
use crate::model::{ContainerOp, Model};
use crate::order::NEVER;
use crate::report::Linearization;
use crate::slice::{Decision, Effort, Slice};

use super::elements::Rows;
use super::life::{Kind, Life};
use super::reason::Reason;
use super::{reads, stages};

/// A read of the whole set.
pub(super) struct Read {
    pub(super) row: u32,
    /// The numbers of its elements, ascending.
    pub(super) elements: Vec<u32>,
}

/// All rows, grouped by element.
pub(super) struct Grouped {
    pub(super) rows: Rows,
    /// For one element after another: its rows in the order of calls, with what each does to the element or found out
    /// about it.
    marks: Vec<(u32, Kind)>,
    /// By element: the index in `marks` of its first row. A last entry has the length of `marks`.
    starts: Vec<u32>,
    /// The reads of the whole set, in the order of calls.
    pub(super) reads: Vec<Read>,
}

impl Grouped {
    /// The rows of an element, with what each does to it or found out about it.
    pub(super) fn of(&self, element: usize) -> &[(u32, Kind)] {
        &self.marks[self.starts[element] as usize..self.starts[element + 1] as usize]
    }

    /// How many elements there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether some element is removed, or may be.
    fn removes(&self) -> bool {
        self.marks.iter().any(|&(_, kind)| kind == Kind::Remove)
    }

    /// Whether some element is added, or may be added, more than once.
    fn added_twice(&self) -> bool {
        (0..self.len()).any(|element| count(self.of(element), Kind::Add) > 1)
    }

    /// The indices of these rows' operations in the history.
    fn name(&self, rows: Vec<u32>) -> Vec<u32> {
        rows.into_iter().map(|row| self.rows.op[row as usize]).collect()
    }

    /// The decision that this order of rows is right.
    fn linearizable(&self, order: Vec<u32>) -> Decision {
        let left_out = crate::search::missing(&order, &self.rows.op);
        Decision::Linearizable(Linearization { order: self.name(order), left_out })
    }

    /// The decision that there is this contradiction.
    fn violation(&self, reason: &Reason) -> Decision {
        Decision::Violation { core: Some(self.name(reason.rows())), deepest: Vec::new() }
    }
}

/// Judges a slice of the history as a set. `None` if it is not one, or takes a search that this folder does not have.
pub(super) fn decide<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
    meter: &mut Meter<'_>,
    effort: Effort,
) -> Option<Decision> {
    let (grouped, _) = group(model, history, slice)?;
    if !grouped.reads.is_empty() {
        return with_reads(&grouped, meter, effort);
    }
    let mut placed: Vec<(u32, u32, u32)> = Vec::with_capacity(grouped.rows.len());
    let mut undecided: Option<Limit> = None;
    for element in 0..grouped.len() {
        let marks = grouped.of(element);
        if count(marks, Kind::Add) <= 1 {
            match live(&grouped, element, &mut placed) {
                Ok(()) => continue,
                Err(reason) => return Some(grouped.violation(&reason)),
            }
        }
        let Effort::Search(seed) = effort else { return None };
        match search(model, history, slice, &grouped.rows, marks, meter, seed) {
            Ok(order) => {
                let mut position = 0;
                for (place, row) in (0..).zip(order) {
                    position = grouped.rows.call(row).max(position);
                    placed.push((position, place, row));
                }
            }
            Err(Decision::Undecided { limit, .. }) => undecided = Some(limit),
            Err(decision) => return Some(decision),
        }
    }
    if let Some(limit) = undecided {
        return Some(Decision::Undecided { limit, deepest: Vec::new() });
    }
    placed.sort_unstable();
    Some(grouped.linearizable(placed.into_iter().map(|(.., row)| row).collect()))
}

/// Gives positions to all rows of an element that is added once ([`Life::place`]).
fn live(grouped: &Grouped, element: usize, placed: &mut Vec<(u32, u32, u32)>) -> Result<(), Reason> {
    let (rows, marks) = (&grouped.rows, grouped.of(element));
    Life::new(rows, element as u32, marks, false)?.place(rows, marks, placed)
}

/// Judges a set that is read as a whole.
fn with_reads(grouped: &Grouped, meter: &mut Meter<'_>, effort: Effort) -> Option<Decision> {
    if grouped.added_twice() {
        return None;
    }
    let judged = match grouped.removes() {
        true => reads::order(grouped, meter, effort),
        false => {
            stages::order(grouped).map(Judged::Order).or_else(|reason| Ok::<_, Limit>(Judged::Wrong(reason)))
        }
    };
    Some(match judged {
        Ok(Judged::Order(order)) => grouped.linearizable(order),
        Ok(Judged::Wrong(reason)) => grouped.violation(&reason),
        Ok(Judged::Nothing { core, deepest }) => {
            Decision::Violation { core: Some(grouped.name(core)), deepest: grouped.name(deepest) }
        }
        Ok(Judged::Deferred) => return None,
        Err(limit) => Decision::Undecided { limit, deepest: Vec::new() },
    })
}

/// What was found out about a set that is read as a whole. Operations are rows.
pub(super) enum Judged {
    /// A linearization.
    Order(Vec<u32>),
    /// There is no linearization.
    Wrong(Reason),
    /// The search found no linearization.
    Nothing {
        /// A few rows that may have no order on their own.
        core: Vec<u32>,
        /// The longest order that the search built.
        deepest: Vec<u32>,
    },
    /// It takes a search, and none is allowed.
    Deferred,
}

/// A sentence that says why there is no linearization, if that can be said without a search.
pub(super) fn reason<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
) -> Option<String> {
    let (grouped, values) = group(model, history, slice)?;
    let reason = match grouped.reads.is_empty() {
        true => {
            let once = (0..grouped.len()).filter(|&element| count(grouped.of(element), Kind::Add) <= 1);
            once.filter_map(|element| live(&grouped, element, &mut Vec::new()).err()).next()?
        }
        false if grouped.added_twice() => return None,
        false if grouped.removes() => reads::contradiction(&grouped)?,
        false => stages::order(&grouped).err()?,
    };
    let name = |element: u32| model.describe_element(&values[element as usize]);
    reason.sentence(model, history, &grouped.rows, &name)
}

/// How many rows of this kind an element has.
fn count(marks: &[(u32, Kind)], kind: Kind) -> usize {
    marks.iter().filter(|mark| mark.1 == kind).count()
}

/// Orders the rows of one element by a search.
fn search<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
    rows: &Rows,
    marks: &[(u32, Kind)],
    meter: &mut Meter<'_>,
    seed: u64,
) -> Result<Vec<u32>, Decision> {
    let operations: Vec<u32> = marks.iter().map(|&(row, _)| rows.op[row as usize]).collect();
    // Rows whose answer the slice forgets need not take effect: they have no return here.
    let answered: Vec<bool> = marks.iter().map(|&(row, _)| rows.ret(row) != NEVER).collect();
    let part = Slice { operations: &operations, kept: slice.kept.map(|_| answered.as_slice()), ..*slice };
    match generic::decide(model, history, &part, meter, seed) {
        Decision::Linearizable(Linearization { order, .. }) => {
            let mut named: Vec<(u32, u32)> =
                operations.iter().zip(marks).map(|(&index, &(row, _))| (index, row)).collect();
            named.sort_unstable();
            let row = |index: u32| named[named.partition_point(|&(other, _)| other < index)].1;
            Ok(order.into_iter().map(row).collect())
        }
        decision => Err(decision),
    }
}

/// The rows of a slice, grouped by element, and the value of each element. `None` if the slice is not one of a set.
pub(super) fn group<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
) -> Option<(Grouped, Vec<M::Value>)> {
    let count = slice.operations.len();
    let mut values: Interner<M::Value> = Interner::with_capacity(count / 2);
    let mut marks: Vec<(u32, u32, Kind)> = Vec::with_capacity(count);
    let mut reads = Vec::new();
    // An operation becomes a row if the function returns `Some(true)` for it.
    let rows = Rows::read(model, history, slice, |asked, row, _| {
        let (kind, value) = match asked {
            ContainerOp::Insert(value) => (Kind::Add, value),
            ContainerOp::Remove(value) => (Kind::Remove, value),
            ContainerOp::Present(value) => (Kind::Present, value),
            ContainerOp::Absent(value) => (Kind::Absent, value),
            ContainerOp::Elements(seen) => {
                let mut elements: Vec<u32> = seen.into_iter().map(|value| values.intern(value)).collect();
                elements.sort_unstable();
                reads.push(Read { row, elements });
                return Some(true);
            }
            ContainerOp::Nothing => return Some(false),
            ContainerOp::Take(_) | ContainerOp::TakeAny | ContainerOp::TakeNothing => return None,
        };
        marks.push((values.intern(value), row, kind));
        Some(true)
    })?;
    let mut starts = vec![0_u32; values.len() + 1];
    marks.iter().for_each(|&(value, ..)| starts[value as usize + 1] += 1);
    for value in 0..values.len() {
        starts[value + 1] += starts[value];
    }
    let mut next = starts.clone();
    let mut sorted = vec![(0, Kind::Absent); marks.len()];
    for (value, row, kind) in marks {
        let slot = &mut next[value as usize];
        sorted[*slot as usize] = (row, kind);
        *slot += 1;
    }
    Some((Grouped { rows, marks: sorted, starts, reads }, values.into_values()))
}
