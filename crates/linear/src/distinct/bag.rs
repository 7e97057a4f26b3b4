//! Orders the operations of a bag whose elements are distinct, in O(n log n). The head of [`super`] defines the
//! words.
//!
//! Only takes that found nothing depend on other elements than their own. They are the cuts ([`super::cuts`]).
//! Between two cuts, every put takes effect when it is called, and every take when it is called or, if that is later,
//! when its element is put in.

use crate::order::NEVER;

use super::Outcome;
use super::cuts::Cuts;
use super::elements::{NONE, Problem};
use super::reason::{Pair, Reason};
use super::supply::{self, Demand};

/// Judges the operations of a bag.
pub(super) fn decide(mut problem: Problem) -> Outcome {
    let cuts = match Cuts::find(&problem, |_| NEVER) {
        Ok(cuts) => cuts,
        Err(reason) => return Outcome::Wrong(reason),
    };
    let stays = (0..).zip(&problem.elements).filter(|(_, element)| element.stays());
    let demands = stays.filter_map(|(number, element)| {
        let deadline = cuts.after(element)?;
        Some(Demand { deadline, element: number })
    });
    let demands: Vec<Demand> = if problem.takers.is_empty() { Vec::new() } else { demands.collect() };
    match supply::assign(&problem.rows, &problem.takers, demands) {
        Ok(assigned) => {
            for (demand, row) in assigned {
                let call = problem.rows.call(row);
                let element = &mut problem.elements[demand.element as usize];
                (element.gone, element.gone_call) = (row, call.max(element.put_call));
            }
        }
        Err(many) => {
            let lost: Vec<Pair> =
                many.iter().map(|demand| Pair::of(&problem.elements[demand.element as usize])).collect();
            let shown = cuts.empties.iter().map(|&(_, row)| row).collect();
            return Outcome::Wrong(Reason::TooFew { lost, shown });
        }
    }
    // The keys by which the rows are sorted: segment, position, and whether the row is a take. At equal positions
    // puts come first.
    let mut keys: Vec<(usize, u32, bool, u32)> = Vec::with_capacity(problem.rows.len());
    for element in &mut problem.elements {
        cuts.confine(element);
        let segment = cuts.segment(element);
        keys.push((segment, element.put_call, false, element.put));
        if element.gone != NONE {
            keys.push((segment, element.gone_call.max(element.put_call), true, element.gone));
        }
    }
    for &(position, row) in &cuts.empties {
        keys.push((cuts.ended_by(position), NEVER, true, row));
    }
    keys.sort_unstable();
    Outcome::Order(keys.into_iter().map(|(.., row)| row).collect())
}
