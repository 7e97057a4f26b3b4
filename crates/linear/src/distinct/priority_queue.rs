//! Orders the operations of a priority queue whose elements are distinct, in O(n log n). The head of [`super`]
//! defines the words.
//!
//! An element can leave only when no lesser one is in the queue. So the take of an element needs a position at which
//! all lesser elements are away, just as a take that found nothing needs a position at which all elements are away
//! ([`super::cover`]).
//!
//! *Without takers.* Go through the elements from the least to the greatest. Give each take the first position from
//! its call on (and from the call of its put on) at which no lesser element is certain to be in the queue. The put is
//! placed as late as possible, at its return. From then on, the element counts as certain between the return of its
//! put and the position of its take, and no greater element can be taken there. The first position is the best choice
//! for the takes of greater elements: they find this element away at p if its take is at p or before, or if its put
//! returned at p or later; so the earlier its take, the more positions are left for them.
//!
//! At equal positions takes come first, that of the least element first, each after its own put if that has the same
//! position; then takes that found nothing; then the other puts.
//!
//! *With takers*, elements that stay have a deadline: the first position, after the return of their put, of the take
//! of a greater element or of a take that found nothing. Just before that, they can be taken, because all lesser
//! elements are away then. There may be too few takers that were called by these deadlines. If the takes of greater
//! elements had later positions, the deadlines would be later, but elements would stay in the queue for longer. So
//! there are several trials, each with some takes later. What this does not settle is left to the search, unless there
//! is no order even if all elements that stay are left out.

use crate::order::NEVER;

use super::Outcome;
use super::cover::{self, Growing};
use super::cuts::pairs;
use super::elements::{Element, NONE, Problem};
use super::reason::{Pair, Reason};
use super::supply::{self, Demand};

/// The most times that positions are chosen anew.
const TRIALS_MAX: usize = 64;
/// The most positions that are chosen in all trials together.
const WORK_MAX: usize = 4_000_000;

/// Judges the operations of a priority queue.
pub(super) fn decide(mut problem: Problem) -> Outcome {
    problem.elements.sort_unstable_by_key(|element| element.rank);
    let mut earliest: Vec<u32> = problem.elements.iter().map(|element| element.gone_call).collect();
    let mut earliest_empty: Vec<u32> = problem.empties.iter().map(|&row| problem.rows.call(row)).collect();
    // Whether no element needs a taker.
    let free = problem.takers.is_empty() || !problem.elements.iter().any(Element::stays);
    let mut first = true;
    let trials = TRIALS_MAX.min(WORK_MAX / problem.rows.len().max(1)).max(1);
    for _ in 0..trials {
        let placed = match place(&problem, &earliest, &earliest_empty) {
            Ok(placed) => placed,
            Err(reason) if first => return Outcome::Wrong(reason),
            Err(_) => return Outcome::Unclear,
        };
        first = false;
        if free {
            return Outcome::Order(ordered(&problem, &placed, &[]));
        }
        let demands = demands(&problem, &placed);
        match supply::assign(&problem.rows, &problem.takers, demands) {
            Ok(assigned) => return Outcome::Order(ordered(&problem, &placed, &assigned)),
            Err(many) => {
                let Some(&last) = many.last() else { return Outcome::Unclear };
                let Some(&taker) = problem.takers.get(many.len() - 1) else {
                    return never_enough(&problem, &placed);
                };
                if !postpone(
                    &problem,
                    &placed,
                    last,
                    problem.rows.call(taker),
                    &mut earliest,
                    &mut earliest_empty,
                ) {
                    return never_enough(&problem, &placed);
                }
            }
        }
    }
    Outcome::Unclear
}

/// The positions that takes were given.
struct Placed {
    /// By element: the position of its take; [`NEVER`] if it has none.
    gone: Vec<u32>,
    /// The positions of the takes that found nothing, in the order of `Problem::empties`.
    empties: Vec<u32>,
}

/// Gives every take the first position that it can have, but none before `earliest` (for takes that found nothing:
/// `earliest_empty`).
fn place(problem: &Problem, earliest: &[u32], earliest_empty: &[u32]) -> Result<Placed, Reason> {
    let Problem { rows, elements, empties, takers, .. } = problem;
    let mut there = Growing::new(rows.end());
    let mut gone = vec![NEVER; elements.len()];
    for (number, element) in elements.iter().enumerate() {
        if element.stays() {
            if takers.is_empty() {
                there.cover(element.put_ret, NEVER);
            }
            continue;
        }
        let position = there.free_from(earliest[number]);
        if position > element.gone_ret {
            let (from, to) = (element.gone_call, element.gone_ret);
            return Err(greater(problem, &gone, number, (element.gone, from, to)));
        }
        // A take that need not have happened and has no position did not happen.
        gone[number] = if position < rows.end() { position } else { NEVER };
        if element.put_ret < gone[number] {
            there.cover(element.put_ret, gone[number]);
        }
    }
    let mut positions = Vec::with_capacity(empties.len());
    for (&row, &earliest) in empties.iter().zip(earliest_empty) {
        let position = there.free_from(earliest);
        if position > rows.ret(row) {
            return Err(greater(problem, &gone, elements.len(), (row, rows.call(row), rows.ret(row))));
        }
        positions.push(position);
    }
    Ok(Placed { gone, empties: positions })
}

/// Why the take of the element `number`, or a take that found nothing, has no position: lesser elements are in the
/// queue all the time. Also collects why these are there for so long: even lesser ones were there when they could
/// have been taken.
fn greater(problem: &Problem, gone: &[u32], number: usize, (row, from, to): (u32, u32, u32)) -> Reason {
    let elements = &problem.elements;
    let counts = |element: &Element| problem.takers.is_empty() || !element.stays();
    let mut all: Vec<u32> = Vec::new();
    let mut open = vec![(number, from, to)];
    while let Some((number, from, to)) = open.pop() {
        let lesser = (0..).zip(&elements[..number]).filter(|(_, element)| counts(element));
        let there = lesser.map(|(other, element)| (other, element.put_ret, gone[other as usize]));
        for other in cover::chain(from, to, there).unwrap_or_default() {
            if !all.contains(&other) {
                all.push(other);
                let element = &elements[other as usize];
                // It was taken later than its take was called, because lesser elements were there in turn.
                if !element.stays() && gone[other as usize] > element.gone_call {
                    open.push((other as usize, element.gone_call, gone[other as usize] - 1));
                }
            }
        }
    }
    let taken = elements.get(number).map(Pair::of);
    match taken {
        Some(taken) => Reason::Lesser { taken, pairs: pairs(elements, &all) },
        None => Reason::NotEmpty { empty: row, pairs: pairs(elements, &all) },
    }
}

/// By when elements that stay must have been taken.
fn demands(problem: &Problem, placed: &Placed) -> Vec<Demand> {
    let end = problem.rows.end();
    // How many takes of greater elements, and takes that found nothing, stand at each position. At first no element has
    // been looked at, so all of them count as greater.
    let mut count = vec![0_u32; end as usize];
    let positions = placed.gone.iter().chain(&placed.empties).filter(|&&position| position != NEVER);
    positions.for_each(|&position| count[position as usize] += 1);
    // Covers the positions at which no greater element is taken.
    let mut none = Growing::new(end);
    (0..end).filter(|&position| count[position as usize] == 0).for_each(|at| cover_one(&mut none, at));
    let mut demands = Vec::new();
    for (number, element) in problem.elements.iter().enumerate() {
        if !element.stays() {
            let position = placed.gone[number];
            let Some(count) = count.get_mut(position as usize) else { continue };
            *count -= 1;
            if *count == 0 {
                cover_one(&mut none, position);
            }
        } else if element.put_ret != NEVER {
            let deadline = none.free_from(element.put_ret + 1);
            if deadline < end {
                demands.push(Demand { deadline, element: number as u32 });
            }
        }
    }
    demands
}

/// Covers a single position.
fn cover_one(growing: &mut Growing, position: u32) {
    // As the interval between its neighbours. Position 0 has none before it; no call or return has this position.
    if position > 0 {
        growing.cover(position - 1, position + 1);
    }
}

/// Puts off the takes that give a demand its deadline until `until`, when a taker is called, by raising their entries
/// in `earliest` and `earliest_empty`. Returns whether all of them return late enough for that.
fn postpone(
    problem: &Problem,
    placed: &Placed,
    demand: Demand,
    until: u32,
    earliest: &mut [u32],
    earliest_empty: &mut [u32],
) -> bool {
    #[expect(clippy::needless_range_loop, reason = "the number names an element, in several tables")]
    for number in demand.element as usize..problem.elements.len() {
        if placed.gone[number] == demand.deadline {
            if problem.elements[number].gone_ret < until {
                return false;
            }
            earliest[number] = until;
        }
    }
    for (place, &row) in problem.empties.iter().enumerate() {
        if placed.empties[place] == demand.deadline {
            if problem.rows.ret(row) < until {
                return false;
            }
            earliest_empty[place] = until;
        }
    }
    true
}

/// The greatest number of pairs of elements that [`never_enough`] looks at.
const LOOKED_AT_MAX: usize = 50_000_000;

/// Looks for a single take for which there are too few takers at all its positions: before it, too many elements that
/// stay must have been taken.
fn never_enough(problem: &Problem, placed: &Placed) -> Outcome {
    let Problem { rows, elements, takers, .. } = problem;
    let stays: Vec<usize> = (0..elements.len()).filter(|&number| elements[number].stays()).collect();
    if stays.len().saturating_mul(elements.len() + problem.empties.len()) > LOOKED_AT_MAX {
        return Outcome::Unclear;
    }
    let takes = (0..elements.len()).filter(|&number| !elements[number].stays());
    let takes =
        takes.map(|number| (number, elements[number].gone, placed.gone[number], elements[number].gone_ret));
    let empties = problem.empties.iter().zip(&placed.empties);
    let empties = empties.map(|(&row, &position)| (elements.len(), row, position, rows.ret(row)));
    for (number, row, first, last) in takes.chain(empties) {
        let lesser = stays.iter().take_while(|&&other| other < number);
        let mut puts: Vec<u32> =
            lesser.clone().map(|&other| elements[other].put_ret).filter(|&ret| ret < last).collect();
        puts.sort_unstable();
        // The number of elements that must be gone at a position grows only right after the return of a put. So of
        // all positions of the take, only these returns and its last position need to be tried.
        let possible = |position: u32| {
            let lost = puts.partition_point(|&ret| ret < position);
            lost <= takers.partition_point(|&taker| rows.call(taker) <= position)
        };
        let best = puts.iter().copied().filter(|&ret| ret >= first).chain([last]);
        if !best.into_iter().any(possible) {
            let lost: Vec<Pair> = lesser
                .filter(|&&other| elements[other].put_ret < last)
                .map(|&other| Pair::of(&elements[other]))
                .collect();
            let put = elements.get(number).map_or(NONE, |element| element.put);
            return Outcome::Wrong(Reason::TooFew { lost, shown: vec![put, row] });
        }
    }
    Outcome::Unclear
}

/// The rows in order.
fn ordered(problem: &Problem, placed: &Placed, assigned: &[(Demand, u32)]) -> Vec<u32> {
    let elements = &problem.elements;
    let mut gone: Vec<(u32, u32)> =
        elements.iter().zip(&placed.gone).map(|(element, &position)| (position, element.gone)).collect();
    for &(Demand { deadline, element }, row) in assigned {
        gone[element as usize] = (deadline, row);
    }
    // The keys by which rows are sorted: position; kind (takes, takes that found nothing, puts); element; whether the
    // row is a take.
    let mut keys: Vec<(u32, u8, u32, bool, u32)> = Vec::with_capacity(problem.rows.len());
    for (number, (element, &(position, row))) in (0..).zip(elements.iter().zip(&gone)) {
        let put = element.put_ret.min(position);
        // If the put has no return, it is as late as the take. (If there is no take either, it is at its call.)
        let put = if put == NEVER { element.put_call } else { put };
        keys.push((put, if put == position { 0 } else { 2 }, number, false, element.put));
        if position != NEVER {
            keys.push((position, 0, number, true, row));
        }
    }
    for (&row, &position) in problem.empties.iter().zip(&placed.empties) {
        keys.push((position, 1, 0, false, row));
    }
    keys.sort_unstable();
    keys.into_iter().map(|(.., row)| row).collect()
}
