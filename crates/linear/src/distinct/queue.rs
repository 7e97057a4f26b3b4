//! Orders the operations of a queue whose elements are distinct, in O(n log n). The head of [`super`] defines the
//! words.
//!
//! *Without takes that found nothing* (for these see [`super::cuts`]). The elements enter and leave the queue in the
//! same sequence. Suppose a sequence of the elements agrees with real time: an element whose put returned before
//! another's put was called comes before it, and so does one whose take returned before the other's take was called.
//! Then the operations have an order. Give each put the latest call of its own and of all puts before it in the
//! sequence, and each take the latest of its own call, the calls of all takes before it, and its put's position; at
//! equal positions puts come first. No put is later than its return, because all puts before it were called before it
//! returned. No take is later than its return for the same reason; and its put is not, because a put called after the
//! take had returned was also called after the put of the taken element had returned, and so comes later in the
//! sequence.
//!
//! *When is there such a sequence?* Real time orders the puts, and it orders the takes. Both are interval orders: if
//! a < b and c < d in one of them, then a < d or c < b, too. So a cycle in their union can be made shorter until it
//! consists of two elements. Therefore there is an order exactly if no element was put in before another one and
//! taken out after it.
//!
//! *Elements that stay.* Without takers, such an element is treated as if its take never returned. With takers, it
//! has a deadline: the first return of a take whose element was certainly put in after it.

use crate::order::{self, NEVER};

use super::Outcome;
use super::cuts::Cuts;
use super::elements::{Element, NONE, Problem};
use super::reason::{Pair, Reason};
use super::supply::{self, Demand};

/// Judges the operations of a queue.
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

/// By element: of the elements that were certainly put in after it, the one whose take returned first, with that
/// return. [`NEVER`] if there is none.
fn behind(problem: &Problem) -> Vec<(u32, u32)> {
    let elements = &problem.elements;
    // By element: of the elements from it on, in the order of their puts' calls, the earliest return of a take, and
    // its element.
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
        // Calls have the positions 2, 4, 6, …: a row was called after this return exactly if its number is half of
        // the return or more.
        ret => before[(ret as usize / 2).min(problem.rows.len())] as usize,
    };
    elements.iter().map(|element| best[first_behind(element)]).collect()
}

/// Gives takers to the elements that stay and have a deadline.
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

/// A sequence of the elements that agrees with the real-time order of the puts and with that of the takes; `None` if
/// there is none.
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
    // By element: in how many of the two orders all elements that must come before it are in the sequence.
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

/// The real-time order of the puts, or that of the takes, while a sequence is built.
struct Side {
    /// The calls, packed with the elements, sorted.
    calls: Vec<u64>,
    /// The returns, packed with the elements, sorted.
    returns: Vec<u64>,
    /// How many of the first calls were visited by [`Side::advance`].
    called: usize,
    /// How many of the first returns belong to elements in the sequence.
    returned: usize,
}

impl Side {
    fn new(calls: Vec<u64>, returns: Vec<u64>) -> Side {
        Side { calls, returns, called: 0, returned: 0 }
    }

    /// Visits, once each, the elements that may come next by this order: no element that is not `done` returned
    /// before their call.
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

/// The rows in order, given the sequence of the elements.
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
        // Positions: of the last put in `order`; of the take at hand; of the put of the element that it takes.
        let mut put_at = 0;
        let mut gone_at = 0;
        let mut done_at = 0;
        for &number in segment {
            let element = &elements[number as usize];
            if element.stays() {
                // This element never leaves, so none behind it does: an element that certainly leaves comes before it
                // in the sequence.
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
