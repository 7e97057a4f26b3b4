//! Sets to which no element is added twice, read as a whole, and from which nothing is removed.
//!
//! Reads hold more and more, so they are sorted by their sizes, and each must hold what the one before holds. That
//! gives stages: reads, the elements that the next ones show for the first time, those reads, and so on, at last
//! the elements that no read shows. Everything in a stage is independent, and whatever is in a later one must
//! return no earlier than anything in one before is called.

use crate::order::NEVER;

use super::elements::NONE;
use super::life::Kind;
use super::reason::Reason;
use super::set::{Grouped, Read};

/// The rows in order.
pub(super) fn order(grouped: &Grouped) -> Result<Vec<u32>, Reason> {
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
            // What found it absent was called after it was there for certain, or what found it there too early.
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
            let between = between.map_or(NONE, |&(_, row)| row);
            if all.element != NONE && stages.iter().any(|&(_, row)| row == low.1) {
                // A read of an earlier stage lacks the element.
                let (element, shown) = (all.element, [all.upper.1, NONE]);
                return Err(Reason::There { element, add: all.row, remove: NONE, shown, absent: low.1 });
            }
            let shown = [all.upper.1, low.2];
            return Err(Reason::Backwards { earlier: low.1, later: all.row, shown, between });
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
    Ok(keys.into_iter().map(|(.., row)| row).collect())
}

/// A row of a stage, with the bounds of its position and the rows that they are of.
struct Bounded {
    stage: u32,
    row: u32,
    /// [`NONE`] for a read.
    element: u32,
    lower: (u32, u32),
    upper: (u32, u32),
    position: u32,
}

/// Whether the ascending numbers of `few` are all in `many`.
fn contains(many: &[u32], few: &[u32]) -> bool {
    let mut rest = many.iter();
    few.iter().all(|number| rest.any(|other| other == number))
}
