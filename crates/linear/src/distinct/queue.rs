//! Queues whose elements differ, in O(n log n).
//!
//! Without takes that found nothing ([`super::cuts`]): an order is a sequence of elements in which they are both
//! put in and taken out. *If* it keeps the order of what put them in, and that of what took them out, it is one of
//! all operations: give each put the greatest call of its own and all puts before it, each take the greatest call
//! of its own, all takes before it, and its put's position. No put is later than its return, since those before
//! it were called before it returned; no take is, since a put called after the take had returned was called after
//! the taken element's put had returned, too, and so stands behind it. At equal positions puts come first.
//!
//! Both are interval orders. Their union has a cycle only if it has one of two elements: of two steps a < b and
//! c < d of one interval order, a < d or c < b holds, too, which makes a longer cycle shorter. So there is an
//! order exactly if no element was put in before another one and taken out after it.
//!
//! An element that stays is a take that never ends; if takes of unknown outcome may have had it, it has a
//! deadline instead: the first return of a take whose element was put in behind it for certain.

use crate::order::{self, NEVER};

use super::Outcome;
use super::cuts::Cuts;
use super::elements::{Element, NONE, Problem};
use super::reason::{Pair, Reason};
use super::supply::{self, Demand};

pub(super) fn decide(mut problem: Problem) -> Outcome {
    let behind = behind(&problem);
    let mut overtaken: Option<(u32, usize)> = None;
    for (number, element) in problem.elements.iter().enumerate() {
        let (ret, _) = behind[number];
        let certain = problem.takers.is_empty() || !element.stays();
        if certain && ret < element.gone_call && overtaken.is_none_or(|(known, _)| ret < known) {
            overtaken = Some((ret, number));
        }
    }
    if let Some((_, number)) = overtaken {
        let first = Pair::of(&problem.elements[number]);
        let second = Pair::of(&problem.elements[behind[number].1 as usize]);
        return Outcome::Wrong(Reason::Overtaken { first, second });
    }
    let cuts = match Cuts::find(&problem, |number| behind[number as usize].0) {
        Ok(cuts) => cuts,
        Err(reason) => return Outcome::Wrong(reason),
    };
    if let Err(reason) = assign(&mut problem, &cuts, &behind) {
        return Outcome::Wrong(reason);
    }
    for element in &mut problem.elements {
        cuts.confine(element);
    }
    match sequence(&problem.elements) {
        Some(sequence) => Outcome::Order(interleave(&problem, &cuts, &sequence)),
        None => Outcome::Unclear,
    }
}

/// By element: the first return of a take whose element was put in behind it for certain, [`NEVER`] if there is
/// none, and that element.
fn behind(problem: &Problem) -> Vec<(u32, u32)> {
    let elements = &problem.elements;
    // The best of all elements from each on.
    let mut best = vec![(NEVER, NONE); elements.len() + 1];
    for (number, element) in elements.iter().enumerate().rev() {
        best[number] = best[number + 1].min((element.gone_ret, number as u32));
    }
    // By row: how many elements were put in before it.
    let mut before = vec![0_u32; problem.rows.len() + 1];
    for element in elements {
        before[element.put as usize + 1] = 1;
    }
    for row in 1..before.len() {
        before[row] += before[row - 1];
    }
    let first_behind = |element: &Element| match element.put_ret {
        NEVER => elements.len(),
        // A row was called after this return exactly if its place is half of it or more.
        ret => before[(ret as usize / 2).min(problem.rows.len())] as usize,
    };
    elements.iter().map(|element| best[first_behind(element)]).collect()
}

/// Gives takes of unknown outcome to the elements that must be gone by some time.
fn assign(problem: &mut Problem, cuts: &Cuts, behind: &[(u32, u32)]) -> Result<(), Reason> {
    if problem.takers.is_empty() {
        return Ok(());
    }
    let stays = (0..).zip(&problem.elements).filter(|(_, element)| element.stays());
    let demands = stays.filter_map(|(number, element)| {
        let deadline = behind[number as usize].0.min(cuts.after(element).unwrap_or(NEVER));
        (deadline != NEVER).then_some(Demand { deadline, element: number })
    });
    let demands = demands.collect();
    match supply::assign(&problem.rows, &problem.takers, demands) {
        Ok(assigned) => {
            for (demand, row) in assigned {
                let call = problem.rows.call(row);
                let element = &mut problem.elements[demand.element as usize];
                (element.gone, element.gone_call) = (row, call.max(element.put_call));
            }
            Ok(())
        }
        Err(many) => {
            let lost =
                many.iter().map(|demand| Pair::of(&problem.elements[demand.element as usize])).collect();
            let mut shown: Vec<u32> = Vec::new();
            for demand in many {
                let (ret, other) = behind[demand.element as usize];
                if ret == demand.deadline {
                    let other = &problem.elements[other as usize];
                    shown.extend([other.put, other.gone]);
                } else {
                    let at = cuts.empties.partition_point(|&(position, _)| position < demand.deadline);
                    shown.push(cuts.empties[at].1);
                }
            }
            shown.sort_unstable();
            shown.dedup();
            Err(Reason::TooFew { lost, shown })
        }
    }
}

/// Elements in an order that keeps that of puts and that of takes; `None` if there is none.
fn sequence(elements: &[Element]) -> Option<Vec<u32>> {
    let sorted = |key: fn(&Element) -> u32| {
        let mut words: Vec<u64> =
            (0..).zip(elements).map(|(number, element)| order::pack(key(element), number)).collect();
        order::sort_almost_sorted(&mut words);
        words
    };
    let mut sides = [
        Side::new(sorted(|element| element.put_call), sorted(|element| element.put_ret)),
        Side::new(sorted(|element| element.gone_call), sorted(|element| element.gone_ret)),
    ];
    let mut done = vec![false; elements.len()];
    // On how many sides nothing has to come before the element any more.
    let mut open = vec![0_u8; elements.len()];
    let mut ready: std::collections::VecDeque<u32> = std::collections::VecDeque::new();
    let mut sequence = Vec::with_capacity(elements.len());
    loop {
        for side in &mut sides {
            side.advance(&done, |number| {
                open[number as usize] += 1;
                if open[number as usize] == 2 {
                    ready.push_back(number);
                }
            });
        }
        let Some(number) = ready.pop_front() else { break };
        done[number as usize] = true;
        sequence.push(number);
    }
    (sequence.len() == elements.len()).then_some(sequence)
}

/// One of the two orders.
struct Side {
    calls: Vec<u64>,
    returns: Vec<u64>,
    /// How many calls are no later than the least return of what is not done.
    called: usize,
    /// How many of the least returns are done.
    returned: usize,
}

impl Side {
    fn new(calls: Vec<u64>, returns: Vec<u64>) -> Side {
        Side { calls, returns, called: 0, returned: 0 }
    }

    /// Visits the elements that need wait for nothing on this side any more.
    fn advance(&mut self, done: &[bool], mut visit: impl FnMut(u32)) {
        while self.returns.get(self.returned).is_some_and(|&word| done[order::row(word) as usize]) {
            self.returned += 1;
        }
        let until = self.returns.get(self.returned).map_or(NEVER, |&word| (word >> 32) as u32);
        while let Some(&word) = self.calls.get(self.called)
            && (word >> 32) as u32 <= until
        {
            self.called += 1;
            visit(order::row(word));
        }
    }
}

/// The rows in order, given that of the elements.
fn interleave(problem: &Problem, cuts: &Cuts, sequence: &[u32]) -> Vec<u32> {
    let elements = &problem.elements;
    let mut order = Vec::with_capacity(problem.rows.len());
    let mut empties = cuts.empties.iter().peekable();
    let segments = sequence.chunk_by(|&one, &other| {
        cuts.segment(&elements[one as usize]) == cuts.segment(&elements[other as usize])
    });
    for segment in segments {
        let this = cuts.segment(&elements[segment[0] as usize]);
        while let Some((_, row)) = empties.next_if(|&&(position, _)| cuts.ended_by(position) < this) {
            order.push(*row);
        }
        let mut puts = segment.iter().peekable();
        let mut put_at = 0;
        let mut gone_at = 0;
        let mut done_at = 0;
        for &number in segment {
            let element = &elements[number as usize];
            if element.stays() {
                // Nothing leaves behind it: what does for certain stands before it.
                break;
            }
            done_at = element.put_call.max(done_at);
            gone_at = element.gone_call.max(gone_at).max(done_at);
            // At equal positions puts come first.
            while let Some(&number) =
                puts.next_if(|&&other| put_at.max(elements[other as usize].put_call) <= gone_at)
            {
                put_at = put_at.max(elements[number as usize].put_call);
                order.push(elements[number as usize].put);
            }
            order.push(element.gone);
        }
        order.extend(puts.map(|&number| elements[number as usize].put));
    }
    order.extend(empties.map(|&(_, row)| row));
    order
}
