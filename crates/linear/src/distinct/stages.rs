//! Orders the operations of a set that is read as a whole, if no element is added twice and none is removed. The head
//! of [`super`] defines the words.
//!
//! The set only grows. So the reads are sorted by how many elements they show, and each must show all elements that
//! the one before shows. This gives stages: reads that show the same elements; then the adds of the elements that the
//! next reads show for the first time; then those reads; and so on, and at last the adds of the elements that no read
//! shows. Rows of the same stage do not depend on each other. A row of a later stage must not return before a row of
//! an earlier stage is called.

use crate::order::NEVER;

use super::elements::NONE;
use super::life::Kind;
use super::reason::Reason;
use super::set::{Grouped, Read};

/// The rows in order, or why they have none.
pub(super) fn order(grouped: &Grouped) -> Result<Vec<u32>, Reason> {
    let Grouped { rows, reads, .. } = grouped;
    let mut sorted: Vec<&Read> = reads.iter().collect();
    sorted.sort_by_key(|read| (read.elements.len(), read.row));
    // By element: the stage in which it is added, an odd number; [`NONE`] if no read shows it. Reads are in the even
    // stages.
    let mut shown = vec![NONE; grouped.len()];
    let mut stage = 0;
    let mut stages: Vec<(u32, u32)> = Vec::new();
    let mut before: &[u32] = &[];
    let mut last: Option<&Read> = None;
    for read in sorted {
        if let Some(last) = last
            && !contains(&read.elements, before)
        {
            return Err(Reason::Unlike { reads: [last.row, read.row] });
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
    // By element: the index in `adds` of its add.
    let mut place = vec![NONE; grouped.len()];
    for element in 0..grouped.len() {
        let marks = grouped.of(element);
        let shown = shown[element];
        let add = marks.iter().find(|mark| mark.1 == Kind::Add).map(|mark| mark.0);
        let found =
            marks.iter().filter(|mark| mark.1 == Kind::Present).map(|&(row, _)| (rows.ret(row), row)).min();
        let Some(add) = add else {
            if let Some((_, row)) = found {
                return Err(Reason::NeverAdded { element: element as u32, found: row });
            }
            match reads.iter().find(|read| read.elements.binary_search(&(element as u32)).is_ok()) {
                Some(read) => {
                    return Err(Reason::NeverAdded { element: element as u32, found: read.row });
                }
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
            // A row found the element absent, but was called when it was certainly there; or a row found it before it
            // was added.
            let element = element as u32;
            return Err(match lower.1 == add {
                true => Reason::FoundEarly { element, add, found: upper.1 },
                false => {
                    let shown = [upper.1, NONE];
                    Reason::There { element, add, remove: NONE, shown, absent: lower.1 }
                }
            });
        }
        place[element] = adds.len() as u32;
        adds.push(Bounded {
            stage: shown.min(stage + 1),
            row: add,
            element: element as u32,
            lower,
            upper,
            position: 0,
        });
    }
    let bounded_read = |&(stage, row): &(u32, u32)| Bounded {
        stage,
        row,
        element: NONE,
        lower: (rows.call(row), row),
        upper: (rows.ret(row), row),
        position: 0,
    };
    let count = adds.len();
    adds.extend(stages.iter().map(bounded_read));
    let mut order: Vec<u32> = (0..adds.len() as u32).collect();
    order.sort_by_key(|&at| adds[at as usize].stage);
    // Of the rows of earlier stages, the one whose first position is latest: that position, the row, and the row whose
    // call it is.
    let mut low: (u32, u32, u32) = (0, NONE, NONE);
    let mut next_low = low;
    let mut stage = 0;
    for &at in &order {
        let one = &mut adds[at as usize];
        if one.stage > stage {
            (stage, low) = (one.stage, next_low);
        }
        if one.upper.0 < low.0 {
            // The read that shows which of two adds comes first: it shows one of the elements and not the other.
            let between = stages.iter().rfind(|&&(read, _)| read < one.stage);
            let between = between.map_or(NONE, |&(_, row)| row);
            if one.element != NONE && stages.iter().any(|&(_, row)| row == low.1) {
                // The row of the earlier stage is a read, which does not show the element.
                let (element, shown) = (one.element, [one.upper.1, NONE]);
                return Err(Reason::There { element, add: one.row, remove: NONE, shown, absent: low.1 });
            }
            let shown = [one.upper.1, low.2];
            return Err(Reason::Backwards { earlier: low.1, later: one.row, shown, between });
        }
        one.position = low.0.max(one.lower.0);
        next_low = next_low.max((one.lower.0, one.row, one.lower.1));
    }
    // The keys by which rows are sorted: position; stage, and within it first the rows that found the element absent,
    // then the add or the reads, then the rows that found the element; row.
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
    Ok(keys.into_iter().map(|(.., row)| row).collect())
}

/// An add or a read, with its stage and the bounds of its position.
struct Bounded {
    stage: u32,
    row: u32,
    /// The element that is added; [`NONE`] for a read.
    element: u32,
    /// The first position it can have, and the row because of which it cannot have an earlier one.
    lower: (u32, u32),
    /// The last position it can have, and the row because of which it cannot have a later one.
    upper: (u32, u32),
    /// The position that it gets.
    position: u32,
}

/// Whether all numbers of `few` are in `many`. Both ascend.
fn contains(many: &[u32], few: &[u32]) -> bool {
    let mut rest = many.iter();
    few.iter().all(|number| rest.any(|other| other == number))
}
