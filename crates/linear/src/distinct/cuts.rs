//! Gives positions to the takes that found nothing. At these positions the container is empty. The head of [`super`]
//! defines the words.
//!
//! Such a position cuts the history in two. An element whose put returned at the cut or later comes after the cut,
//! with its put and its take; every other element comes before it ([`super::cover`]). So a history can be ordered
//! exactly if each take that found nothing has a position at which no element is certain, and what lies between two
//! cuts can be ordered: then these orders follow one another. And what lies between two cuts can be ordered if the
//! whole history without the takes that found nothing can, because an order stays right if all operations on some
//! elements are removed from it.

use super::cover::{self, Cover};
use super::elements::{Element, Problem};
use super::reason::{Pair, Reason};
use super::supply::Enough;

/// The cuts of a history, in the order of their positions.
#[derive(Default)]
pub(super) struct Cuts {
    /// Ascending, each once.
    positions: Vec<u32>,
    /// The takes that found nothing, as `(position, row)`, ascending.
    pub(super) empties: Vec<(u32, u32)>,
}

impl Cuts {
    /// Gives each take that found nothing the first position it can have, or says why it has none.
    ///
    /// `deadline` gives the position by which an element that stays must be taken for other reasons
    /// ([`NEVER`](crate::order::NEVER) if there is none). If there are takers, elements that stay are no obstacle to a
    /// cut as long as there are enough takers for them.
    pub(super) fn find(problem: &Problem, deadline: impl Fn(u32) -> u32) -> Result<Cuts, Reason> {
        let Problem { rows, elements, empties, takers, .. } = problem;
        if empties.is_empty() {
            return Ok(Cuts::default());
        }
        let counts = |number: u32| takers.is_empty() || !elements[number as usize].stays();
        let certain = || cover::certain(elements).filter(move |&(number, ..)| counts(number));
        let cover = Cover::new(rows.end(), certain().map(|(_, from, to)| (from, to)));
        let enough = match takers.is_empty() || !elements.iter().any(Element::stays) {
            true => None,
            false => {
                Some(Enough::new(rows, takers, elements, deadline).ok_or_else(|| too_few(problem, None))?)
            }
        };
        let mut found = Vec::with_capacity(empties.len());
        let mut worst: Option<u32> = None;
        for &row in empties {
            let ret = rows.ret(row);
            let mut position = cover.free_from(rows.call(row));
            while let Some(enough) = &enough
                && position <= ret
            {
                let next = enough.from(position);
                if next == position {
                    break;
                }
                position = cover.free_from(next);
            }
            if position > ret && worst.is_none_or(|known| ret < rows.ret(known)) {
                worst = Some(row);
            }
            found.push((position, row));
        }
        if let Some(empty) = worst {
            let chain = cover::chain(rows.call(empty), rows.ret(empty), certain());
            return Err(match chain {
                Some(chain) => Reason::NotEmpty { empty, pairs: pairs(elements, &chain) },
                None => too_few(problem, Some(empty)),
            });
        }
        found.sort_unstable();
        let mut positions: Vec<u32> = found.iter().map(|&(position, _)| position).collect();
        positions.dedup();
        Ok(Cuts { positions, empties: found })
    }

    /// The segment of an element: the part between two cuts to which it belongs, by number. This is the number of
    /// cuts before the element.
    pub(super) fn segment(&self, element: &Element) -> usize {
        self.positions.partition_point(|&position| position <= element.put_ret)
    }

    /// The segment that a cut at this position ends.
    pub(super) fn ended_by(&self, position: u32) -> usize {
        self.positions.partition_point(|&other| other < position)
    }

    /// The first cut after an element was put in. The element must be gone by then.
    pub(super) fn after(&self, element: &Element) -> Option<u32> {
        self.positions.get(self.segment(element)).copied()
    }

    /// Narrows the bounds of an element's put and take to its segment.
    pub(super) fn confine(&self, element: &mut Element) {
        let segment = self.segment(element);
        if let Some(&before) = segment.checked_sub(1).and_then(|place| self.positions.get(place)) {
            element.put_call = element.put_call.max(before);
            element.gone_call = element.gone_call.max(before);
        }
        if let Some(&after) = self.positions.get(segment)
            && element.gone_call <= after
        {
            element.gone_ret = element.gone_ret.min(after);
        }
    }
}

/// The put and the take of each of these elements.
pub(super) fn pairs(elements: &[Element], numbers: &[u32]) -> Vec<Pair> {
    numbers.iter().map(|&number| Pair::of(&elements[number as usize])).collect()
}

/// The reason that there are too few takers: every element that stays, and the take that found nothing (`empty`).
fn too_few(problem: &Problem, empty: Option<u32>) -> Reason {
    // Without such a take, all elements that stay count.
    let until = empty.map_or(u32::MAX, |row| problem.rows.ret(row));
    let stays = |element: &&Element| element.stays() && element.put_ret < until;
    let mut lost: Vec<Pair> = problem.elements.iter().filter(stays).map(Pair::of).collect();
    let certain = problem.elements.iter().filter(|element| !element.stays() && element.certain());
    if let Some(row) = empty {
        let call = problem.rows.call(row);
        lost.extend(
            certain.filter(|element| element.put_ret < until && element.gone_call > call).map(Pair::of),
        );
    }
    Reason::TooFew { lost, shown: empty.into_iter().collect() }
}
