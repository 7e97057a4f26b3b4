//! Sets to which no element is added twice.
//!
//! **Without reads of the whole set** every element is a world of its own: orders of the operations on each, in
//! which each operation has a position in its interval, sort into one by their positions. An element that is
//! added once is absent, then there, then absent again. It must be added before everything that found it there or
//! removed it has returned: take the last such position, a. It must not be removed before everything that found it
//! there was called: take the first such position, r. If a < r, it is certainly there in between, and the history
//! is right exactly if what found it absent returned at r or later or was called at a or earlier. If not, it can be
//! added and removed at one position, and nothing that found it absent is in the way.
//!
//! Elements that are added several times are searched, each by itself.
//!
//! **With such reads**, and nothing removed: reads hold more and more, so they are sorted by their sizes, and
//! each must hold what the one before holds. That gives stages: reads, the elements that the next ones show
//! for the first time, those reads, and so on, at last the elements that no read shows. Everything in a stage is
//! independent, and whatever is in a later one must return no earlier than anything in one before is called.
//!
//! With reads and removals, what each element shows alone is looked at, and the rest is left to the search.

use crate::budget::{Limit, Meter};
use crate::generic;
use crate::history::History;
use crate::intern::Interner;
use crate::model::{ContainerOp, Model};
use crate::order::NEVER;
use crate::report::Linearization;
use crate::slice::{Decision, Effort, Seen, Slice};

use super::elements::{NONE, Rows, positions};
use super::reason::Reason;

/// What an operation does to one element, or found of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Add,
    Remove,
    Present,
    Absent,
}

/// A read of the whole set.
struct Read {
    row: u32,
    /// The numbers of its elements, ascending.
    elements: Vec<u32>,
}

/// All rows, grouped by element.
struct Grouped {
    rows: Rows,
    /// The elements' rows one after the other, in the order of calls, with what each does.
    marks: Vec<(u32, Kind)>,
    /// By element: where its rows begin; and where the last ones end.
    starts: Vec<u32>,
    reads: Vec<Read>,
}

impl Grouped {
    fn of(&self, element: usize) -> &[(u32, Kind)] {
        &self.marks[self.starts[element] as usize..self.starts[element + 1] as usize]
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }
}

pub(super) fn decide<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    slice: &Slice<'_>,
    meter: &mut Meter<'_>,
    effort: Effort,
) -> Option<Decision> {
    let grouped = group(model, history, slice)?;
    let removes = grouped.marks.iter().any(|&(_, kind)| kind == Kind::Remove);
    if !grouped.reads.is_empty() {
        let added_twice = |element| count(grouped.of(element), Kind::Add) > 1;
        if (0..grouped.len()).any(added_twice) {
            return None;
        }
        let judged = if removes { by_element(&grouped) } else { in_stages(&grouped) };
        return match judged {
            Ok(Some(order)) => Some(linearizable(&grouped.rows, order)),
            Ok(None) => None,
            Err(reason) => Some(violation(&grouped.rows, &reason)),
        };
    }
    let mut placed: Vec<(u32, u32, u32)> = Vec::with_capacity(grouped.rows.len());
    let mut undecided: Option<Limit> = None;
    for element in 0..grouped.len() {
        let marks = grouped.of(element);
        if count(marks, Kind::Add) <= 1 {
            match Life::new(&grouped.rows, marks)
                .and_then(|life| life.place(&grouped.rows, marks, &mut placed))
            {
                Ok(()) => {}
                Err(reason) => return Some(violation(&grouped.rows, &reason)),
            }
            continue;
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
    Some(linearizable(&grouped.rows, placed.into_iter().map(|(.., row)| row).collect()))
}

fn count(marks: &[(u32, Kind)], kind: Kind) -> usize {
    marks.iter().filter(|mark| mark.1 == kind).count()
}

fn linearizable(rows: &Rows, order: Vec<u32>) -> Decision {
    let left_out = crate::search::missing(&order, &rows.op);
    let order = order.into_iter().map(|row| rows.op[row as usize]).collect();
    Decision::Linearizable(Linearization { order, left_out })
}

fn violation(rows: &Rows, reason: &Reason) -> Decision {
    let core = reason.rows().into_iter().map(|row| rows.op[row as usize]).collect();
    Decision::Violation { core: Some(core), deepest: Vec::new() }
}

/// Searches the operations on one element.
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
    // What a slice forgets has become optional, or it would have no row.
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

fn group<M: Model>(model: &M, history: &History<M::Input, M::Output>, slice: &Slice<'_>) -> Option<Grouped> {
    let mut values: Interner<M::Value> = Interner::with_capacity(slice.operations.len() / 2);
    let mut op = Vec::with_capacity(slice.operations.len());
    let mut calls = Vec::with_capacity(slice.operations.len());
    let mut returns = Vec::with_capacity(slice.operations.len());
    let mut marks: Vec<(u32, u32, Kind)> = Vec::with_capacity(slice.operations.len());
    let mut reads = Vec::new();
    for place in slice.by_call(history) {
        let index = slice.operations[place as usize];
        let operation = history.operation(index);
        let (output, at) = match slice.seen(model, history, place as usize) {
            Seen::Answered { output, at } => (Some(output), Some(at)),
            Seen::Optional { output } => (Some(output), None),
            Seen::Unknown => (None, None),
            Seen::Absent => {
                model.as_container(&operation.input, operation.output())?;
                continue;
            }
        };
        let row = op.len() as u32;
        let (kind, value) = match model.as_container(&operation.input, output)? {
            ContainerOp::Insert(value) => (Kind::Add, value),
            ContainerOp::Remove(value) => (Kind::Remove, value),
            ContainerOp::Present(value) => (Kind::Present, value),
            ContainerOp::Absent(value) => (Kind::Absent, value),
            ContainerOp::Elements(seen) => {
                let mut elements: Vec<u32> = seen.into_iter().map(|value| values.intern(value)).collect();
                elements.sort_unstable();
                reads.push(Read { row, elements });
                op.push(index);
                calls.push(operation.call);
                returns.push(at);
                continue;
            }
            ContainerOp::Nothing => continue,
            ContainerOp::Take(_) | ContainerOp::TakeAny | ContainerOp::TakeNothing => return None,
        };
        marks.push((values.intern(value), row, kind));
        op.push(index);
        calls.push(operation.call);
        returns.push(at);
    }
    let rows = Rows { ret: positions(&calls, &returns), op };
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
    Some(Grouped { rows, marks: sorted, starts, reads })
}

/// When an element that is added once is there.
struct Life {
    /// [`NONE`] if it never was.
    add: u32,
    /// [`NONE`] if nothing removed it.
    remove: u32,
    /// The last position at which it can be added, and the row whose return that is.
    added: (u32, u32),
    /// The first position at which it can be removed, and the row whose call that is.
    removed: (u32, u32),
}

impl Life {
    /// When the element is there, as far as something that found it there and what changed it tell.
    fn new(rows: &Rows, marks: &[(u32, Kind)]) -> Result<Life, Reason> {
        let mut life = Life { add: NONE, remove: NONE, added: (NEVER, NONE), removed: (NEVER, NONE) };
        let mut removed_for_sure = NONE;
        // What had to be there, with the last call and the first return of all.
        let (mut last_call, mut first_ret) = ((0, NONE), (NEVER, NONE));
        let mut optional = NONE;
        for &(row, kind) in marks {
            match kind {
                Kind::Add => life.add = row,
                Kind::Remove if rows.ret(row) == NEVER => {
                    // Of those that need not have happened the one called first can do whatever another can.
                    if optional == NONE {
                        optional = row;
                    }
                }
                Kind::Remove if removed_for_sure != NONE => {
                    let rows = vec![removed_for_sure, row];
                    return Err(Reason::Element { rows });
                }
                Kind::Remove => {
                    removed_for_sure = row;
                    first_ret = first_ret.min((rows.ret(row), row));
                }
                Kind::Present => {
                    last_call = last_call.max((rows.call(row), row));
                    first_ret = first_ret.min((rows.ret(row), row));
                }
                Kind::Absent => {}
            }
        }
        if life.add == NONE {
            return match first_ret.1 {
                NONE => Ok(life),
                row => Err(Reason::Element { rows: vec![row] }),
            };
        }
        let (call, ret) = (rows.call(life.add), rows.ret(life.add));
        if ret == NEVER && first_ret.1 == NONE {
            // Nobody knows whether it took effect: nothing is lost if it did not.
            life.add = NONE;
            return Ok(life);
        }
        life.added = (ret, life.add).min(first_ret);
        if life.added.0 < call {
            return Err(Reason::Element { rows: vec![life.add, life.added.1] });
        }
        life.removed = (call, life.add).max(last_call);
        if removed_for_sure != NONE {
            life.remove = removed_for_sure;
            if rows.ret(life.remove) < life.removed.0 {
                return Err(Reason::Element { rows: vec![life.add, life.remove, life.removed.1] });
            }
            life.removed = life.removed.max((rows.call(life.remove), life.remove));
            return Ok(life);
        }
        let missed = marks.iter().any(|&(row, kind)| kind == Kind::Absent && rows.call(row) > life.added.0);
        if missed && optional != NONE {
            life.remove = optional;
            life.removed = life.removed.max((rows.call(optional), optional));
        } else {
            life.removed = (NEVER, NONE);
        }
        Ok(life)
    }

    /// Whether something that found it absent can be right.
    fn allows_absence(&self, rows: &Rows, row: u32) -> bool {
        self.add == NONE
            || self.added.0 >= self.removed.0
            || rows.call(row) <= self.added.0
            || rows.ret(row) >= self.removed.0
    }

    /// Why something that found it absent is wrong.
    fn there(&self, row: u32) -> Reason {
        Reason::Element { rows: vec![self.add, self.remove, self.added.1, self.removed.1, row] }
    }

    /// Gives positions to all operations on the element, as `(position, what comes first, row)`.
    fn place(
        &self,
        rows: &Rows,
        marks: &[(u32, Kind)],
        placed: &mut Vec<(u32, u32, u32)>,
    ) -> Result<(), Reason> {
        // If it need not be there at any position, it is there at one.
        let (add, remove) = match (self.added.0, self.removed.0) {
            (added, removed) if added >= removed => (removed, removed),
            bounds => bounds,
        };
        for &(row, kind) in marks {
            let (call, ret) = (rows.call(row), rows.ret(row));
            match kind {
                Kind::Add if self.add == NONE => {}
                Kind::Add => placed.push((add, 1, row)),
                Kind::Remove if row == self.remove => placed.push((remove, 3, row)),
                Kind::Remove => {}
                Kind::Present => placed.push((add.max(call), 2, row)),
                Kind::Absent if !self.allows_absence(rows, row) => return Err(self.there(row)),
                Kind::Absent if self.add == NONE => placed.push((call, 0, row)),
                Kind::Absent if call <= add => placed.push((add.min(ret), 0, row)),
                Kind::Absent => placed.push((remove.max(call), 4, row)),
            }
        }
        Ok(())
    }
}

/// So many elements that a read does not show are looked at, one by one.
const UNSEEN_MAX: usize = 4_000_000;

/// With reads and removals: what shows on a single element. Never an order.
fn by_element(grouped: &Grouped) -> Result<Option<Vec<u32>>, Reason> {
    if grouped.len().saturating_mul(grouped.reads.len()) > UNSEEN_MAX {
        return Ok(None);
    }
    let mut marks = Vec::new();
    for element in 0..grouped.len() {
        marks.clear();
        marks.extend_from_slice(grouped.of(element));
        for read in &grouped.reads {
            let seen = read.elements.binary_search(&(element as u32)).is_ok();
            marks.push((read.row, if seen { Kind::Present } else { Kind::Absent }));
        }
        Life::new(&grouped.rows, &marks)?.place(&grouped.rows, &marks, &mut Vec::new())?;
    }
    Ok(None)
}

/// With reads and without removals.
fn in_stages(grouped: &Grouped) -> Result<Option<Vec<u32>>, Reason> {
    let Grouped { rows, reads, .. } = grouped;
    let mut sorted: Vec<&Read> = reads.iter().collect();
    sorted.sort_by_key(|read| (read.elements.len(), read.row));
    // By element: the stage in which it is added. Reads stand in the even stages.
    let mut shown = vec![NONE; grouped.len()];
    let mut stage = 0;
    let mut stages: Vec<(u32, u32)> = Vec::new();
    let mut before: &[u32] = &[];
    let mut last: Option<&Read> = None;
    for read in sorted {
        if let Some(last) = last
            && !contains(&read.elements, before)
        {
            return Err(Reason::Reads { rows: vec![last.row, read.row] });
        }
        if read.elements.len() > before.len() {
            stage += 2;
            for &element in &read.elements {
                if shown[element as usize] == NONE {
                    shown[element as usize] = stage - 1;
                }
            }
        }
        stages.push((stage, read.row));
        before = &read.elements;
        last = Some(read);
    }
    let mut adds: Vec<Bounded> = Vec::with_capacity(grouped.len());
    // By element: its place among these.
    let mut place = vec![NONE; grouped.len()];
    for element in 0..grouped.len() {
        let marks = grouped.of(element);
        let shown = shown[element];
        let add = marks.iter().find(|mark| mark.1 == Kind::Add).map(|mark| mark.0);
        let found =
            marks.iter().filter(|mark| mark.1 == Kind::Present).map(|&(row, _)| (rows.ret(row), row)).min();
        let Some(add) = add else {
            if let Some((_, row)) = found {
                return Err(Reason::Element { rows: vec![row] });
            }
            match reads.iter().find(|read| read.elements.binary_search(&(element as u32)).is_ok()) {
                Some(read) => return Err(Reason::Element { rows: vec![read.row] }),
                None => continue,
            }
        };
        if rows.ret(add) == NEVER && found.is_none() && shown == NONE {
            continue;
        }
        let absent =
            marks.iter().filter(|mark| mark.1 == Kind::Absent).map(|&(row, _)| (rows.call(row), row)).max();
        let lower = (rows.call(add), add).max(absent.unwrap_or((0, NONE)));
        let upper = (rows.ret(add), add).min(found.unwrap_or((NEVER, NONE)));
        if upper.0 < lower.0 {
            return Err(Reason::Element { rows: vec![add, lower.1, upper.1] });
        }
        place[element] = adds.len() as u32;
        adds.push(Bounded { stage: shown.min(stage + 1), row: add, lower, upper, position: 0 });
    }
    let bounded_read = |&(stage, row): &(u32, u32)| Bounded {
        stage,
        row,
        lower: (rows.call(row), row),
        upper: (rows.ret(row), row),
        position: 0,
    };
    let count = adds.len();
    adds.extend(stages.iter().map(bounded_read));
    let mut order: Vec<u32> = (0..adds.len() as u32).collect();
    order.sort_by_key(|&at| adds[at as usize].stage);
    let mut low: (u32, u32, u32) = (0, NONE, NONE);
    let mut next_low = low;
    let mut stage = 0;
    for &at in &order {
        let all = &mut adds[at as usize];
        if all.stage > stage {
            (stage, low) = (all.stage, next_low);
        }
        if all.upper.0 < low.0 {
            // Two adds are told apart by a read that shows the one and not the other.
            let between = stages.iter().rfind(|&&(read, _)| read < all.stage);
            let rows = vec![all.row, all.upper.1, low.1, low.2, between.map_or(NONE, |&(_, row)| row)];
            return Err(Reason::Reads { rows });
        }
        all.position = low.0.max(all.lower.0);
        next_low = next_low.max((all.lower.0, all.row, all.lower.1));
    }
    let mut keys: Vec<(u32, u32, u32)> =
        adds.iter().map(|one| (one.position, one.stage * 4 + 1, one.row)).collect();
    #[expect(clippy::needless_range_loop, reason = "the number names an element, in several tables")]
    for element in 0..grouped.len() {
        let add = place[element];
        debug_assert!(add == NONE || (add as usize) < count);
        for &(row, kind) in grouped.of(element) {
            let (call, ret) = (rows.call(row), rows.ret(row));
            let known = adds.get(add as usize);
            match (kind, known) {
                (Kind::Absent, None) => keys.push((call, 0, row)),
                (Kind::Absent, Some(add)) => keys.push((add.position.min(ret), add.stage * 4, row)),
                (Kind::Present, Some(add)) => keys.push((add.position.max(call), add.stage * 4 + 2, row)),
                _ => {}
            }
        }
    }
    keys.sort_unstable();
    Ok(Some(keys.into_iter().map(|(.., row)| row).collect()))
}

/// A row of a stage, with the bounds of its position and the rows that they are of.
struct Bounded {
    stage: u32,
    row: u32,
    lower: (u32, u32),
    upper: (u32, u32),
    position: u32,
}

/// Whether the ascending numbers of `few` are all in `many`.
fn contains(many: &[u32], few: &[u32]) -> bool {
    let mut rest = many.iter();
    few.iter().all(|number| rest.any(|other| other == number))
}
