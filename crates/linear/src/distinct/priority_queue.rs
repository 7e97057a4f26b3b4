//! Priority queues whose elements differ, in O(n log n).
//!
//! An element leaves when no lesser one is there. So a take is to lesser elements what a take that found nothing
//! is to all ([`super::cover`]): it needs a position at which all of them are away.
//!
//! Go through the elements from the least on, and give each take the first position from its call on (and from
//! the call of its put) at which no lesser element is certain to be there. That is the best for greater ones: a
//! greater element's take at p finds this one away if this one's take stands at p or before, or if its put
//! returned at p or later. The later this one's take the fewer positions are left, and the earliest serves those
//! before it as well: their positions are no later than the return of its put, which is put in as late as can
//! be. So from now on it is certain to be there between the return of its put and the position of its take.
//!
//! At equal positions takes come first, the least first, each behind its put if that stands there, too; then takes
//! that found nothing; then the other puts.
//!
//! With takes of unknown outcome, elements that stay have a deadline: the first position of a greater one's take,
//! or of one that found nothing, after the return of their put. There they can be taken just before, all lesser
//! ones being away. Later positions would give more takes time to be called, but keep elements for longer, so
//! the choice matters, and it is tried again with some takes later where there are too few. What that does not
//! settle is left to the search, unless it is wrong with all that stay left out.

use crate::order::NEVER;

use super::Outcome;
use super::cover::{self, Growing};
use super::cuts::pairs;
use super::elements::{Element, NONE, Problem};
use super::reason::{Pair, Reason};
use super::supply::{self, Demand};

/// So often positions are chosen anew, and so many positions in all.
const TRIALS_MAX: usize = 64;
const WORK_MAX: usize = 4_000_000;

pub(super) fn decide(mut problem: Problem) -> Outcome {
    problem.elements.sort_unstable_by_key(|element| element.rank);
    let mut earliest: Vec<u32> = problem.elements.iter().map(|element| element.gone_call).collect();
    let mut earliest_empty: Vec<u32> = problem.empties.iter().map(|&row| problem.rows.call(row)).collect();
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

/// Positions of takes by element, and of those that found nothing by place.
struct Placed {
    gone: Vec<u32>,
    empties: Vec<u32>,
}

/// The first position for every take that is possible, none before `earliest`.
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
        // Where nothing is free up to the end, a take that need not have happened did not.
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

/// Why a take of the element `number`, or of nothing, has no position: the lesser ones that are there all the
/// time, and why they are there for so long.
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
                // It was taken later than it was asked for: something lesser was there in turn.
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

/// By when elements that stay must be gone.
fn demands(problem: &Problem, placed: &Placed) -> Vec<Demand> {
    let end = problem.rows.end();
    // How many takes of greater elements stand at each position.
    let mut count = vec![0_u32; end as usize];
    let positions = placed.gone.iter().chain(&placed.empties).filter(|&&position| position != NEVER);
    positions.for_each(|&position| count[position as usize] += 1);
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

fn cover_one(growing: &mut Growing, position: u32) {
    // What lies between the neighbours. Position 0 has no neighbour and is nobody's.
    if position > 0 {
        growing.cover(position - 1, position + 1);
    }
}

/// Puts off the takes that give a demand its deadline, until a take of unknown outcome is called; whether that
/// can be.
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

/// More takes were looked at than this leaves it to the search.
const LOOKED_AT_MAX: usize = 50_000_000;

/// Looks for a single take for which too many elements had to be gone, wherever it stands.
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
        // As many as must be gone at a position only grows where a put has just returned, so the last position
        // before each is the best one.
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
    // By position, kind (takes, takes of nothing, puts), element, and whether it takes.
    let mut keys: Vec<(u32, u8, u32, bool, u32)> = Vec::with_capacity(problem.rows.len());
    for (number, (element, &(position, row))) in (0..).zip(elements.iter().zip(&gone)) {
        let put = element.put_ret.min(position);
        // Something whose return is not known is put in as late as it is taken.
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
