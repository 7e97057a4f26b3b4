//! Orders the operations of a stack whose elements are distinct, in O(n log n). The head of [`super`] defines the
//! words.
//!
//! The *span* of an element reaches from its put to its take. In an order of a stack's operations, any two spans are
//! nested or disjoint; they never cross. So to find an order is to choose such spans. Three steps find them:
//!
//! 1. An element that is nowhere certain can be put in and taken out at one and the same position. This does not
//!    matter to others, so the element is left out and put back at the end.
//! 2. A position at which no element is certain cuts the history in two ([`super::cover`]). Both sides can be ordered
//!    if the whole can; and if they can, one order after the other is an order of the whole.
//! 3. What cannot be cut is a *stretch*. It reaches from m, the first return of a put, to M, the last call of a take.
//!    In every order of it, one element is outermost, because between two outermost elements there would be a cut.
//!    The put of the outermost element is called by m, because it comes before the put that returned at m; and its
//!    take returns at M or later. *Any* element with these two bounds may be made the outermost one: put in at m and
//!    taken out at M, it encloses an order of the others, which exists if there is an order of all. Then the element
//!    is removed, and what is left of the stretch is cut again. If no element has these bounds, there is no order,
//!    and a few elements that are certain one after the other over the whole stretch are the conflict.
//!
//! When an element is removed from a stretch, m only rises and M only falls. So each element comes within the bounds
//! once, and trees over the elements find it, and the cuts, in logarithmic time ([`super::trees`]).
//!
//! *With takers*, elements that stay may have been taken after all. If a stretch has no outermost element, it is cut
//! where the elements that do not stay allow it, and the elements that stay and were put in before the cut get it as
//! a deadline. This is one way among several: if there are too few takers for the deadlines, the matter is left to
//! the search. If there is no order even when the elements that stay are left out, there is none at all.

use crate::order::NEVER;

use super::Outcome;
use super::cover;
use super::cuts::{Cuts, pairs};
use super::elements::{Element, Problem};
use super::reason::Reason;
use super::supply::{self, Demand};
use super::trees::{Trees, element_stays};

/// Judges the operations of a stack.
pub(super) fn decide(mut problem: Problem) -> Outcome {
    let cuts = match Cuts::find(&problem, |_| NEVER) {
        Ok(cuts) => cuts,
        Err(reason) => return Outcome::Wrong(reason),
    };
    // Whether elements that stay may have been taken.
    let open = !problem.takers.is_empty() && problem.elements.iter().any(Element::stays);
    if open {
        let certain: Vec<Element> =
            problem.elements.iter().copied().filter(|element| !element.stays()).collect();
        if let Err(chain) = Nesting::new(&certain, false).find() {
            return Outcome::Wrong(Reason::Crossed { pairs: pairs(&certain, &chain) });
        }
        for element in problem.elements.iter_mut().filter(|element| element.stays()) {
            if let Some(after) = cuts.after(element) {
                element.gone_call = after;
            }
        }
    }
    let mut nesting = Nesting::new(&problem.elements, open);
    let steps = match nesting.find() {
        Ok(steps) => steps,
        Err(_) if open => return Outcome::Unclear,
        Err(chain) => return Outcome::Wrong(Reason::Crossed { pairs: pairs(&problem.elements, &chain) }),
    };
    let demands = steps.iter().filter_map(|step| match *step {
        Step::Take { element, position } if position != NEVER => {
            element_stays(&problem.elements[element as usize])
                .then_some(Demand { deadline: position, element })
        }
        _ => None,
    });
    let Ok(assigned) = supply::assign(&problem.rows, &problem.takers, demands.collect()) else {
        return Outcome::Unclear;
    };
    for (demand, row) in assigned {
        problem.elements[demand.element as usize].gone = row;
    }
    Outcome::Order(ordered(&problem, &cuts, &steps))
}

/// A step of the order that is built, of the elements that are certain somewhere. The positions of the steps ascend.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// At this position no element is in the stack.
    Bottom {
        position: u32,
    },
    Put {
        element: u32,
        position: u32,
    },
    Take {
        element: u32,
        position: u32,
    },
}

/// Something that is left to do. Tasks are on a list, the next one last.
enum Task {
    /// Orders a stretch: the elements from place `from` to place `to`.
    Stretch {
        from: u32,
        to: u32,
        /// Whether the stack is empty before the stretch.
        bottom: bool,
    },
    /// Takes out the outermost element of a stretch, after the others.
    Take { place: u32, position: u32 },
}

/// How many elements [`Nesting::shorten`] looks at before the matter is left to the search.
const LOOKED_AT_MAX: usize = 50_000_000;

/// The elements that are certain somewhere, in the order of the returns of their puts. An element's index in this
/// order is its *place*.
struct Nesting {
    /// By place: the element's index in `Problem::elements`.
    numbers: Vec<u32>,
    /// By place: the element, whose bounds may be narrowed.
    elements: Vec<Element>,
    trees: Trees,
    /// Whether elements that stay may have been taken.
    open: bool,
    /// How many elements [`Nesting::shorten`] has looked at.
    looked_at: usize,
}

impl Nesting {
    fn new(all: &[Element], open: bool) -> Self {
        let mut numbers: Vec<u32> =
            (0..all.len() as u32).filter(|&number| all[number as usize].certain()).collect();
        numbers.sort_by_key(|&number| all[number as usize].put_ret);
        let elements: Vec<Element> = numbers.iter().map(|&number| all[number as usize]).collect();
        let trees = Trees::new(&elements, open);
        Nesting { numbers, elements, trees, open, looked_at: 0 }
    }

    /// The steps of an order; or, as the error, elements that are certain one after the other over a stretch without
    /// an outermost element.
    fn find(&mut self) -> Result<Vec<Step>, Vec<u32>> {
        let mut steps = Vec::with_capacity(self.elements.len() * 2);
        let mut tasks = Vec::new();
        self.cut(0, self.elements.len() as u32, true, &mut tasks);
        while let Some(task) = tasks.pop() {
            let (from, to, bottom) = match task {
                Task::Stretch { from, to, bottom } => (from, to, bottom),
                Task::Take { place, position } => {
                    steps.push(Step::Take { element: self.numbers[place as usize], position });
                    continue;
                }
            };
            let start = self.elements[from as usize].put_ret;
            let end = self.trees.last_call(from, to);
            if bottom {
                steps.push(Step::Bottom { position: start });
            }
            match self.trees.outermost(&self.elements, from, to, (start, end)) {
                Some(place) => {
                    steps.push(Step::Put { element: self.numbers[place as usize], position: start });
                    tasks.push(Task::Take { place, position: end });
                    self.trees.remove(place, &self.elements[place as usize]);
                    self.cut(from, to, false, &mut tasks);
                }
                None => {
                    if !self.open || !self.shorten(from, to, end) {
                        return Err(self.crossed(from, to, start, end));
                    }
                    self.cut(from, to, bottom, &mut tasks);
                }
            }
        }
        Ok(steps)
    }

    /// Cuts what is left of a stretch wherever it can be cut, and makes a task of each part.
    fn cut(&mut self, from: u32, to: u32, bottom: bool, tasks: &mut Vec<Task>) {
        let first = tasks.len();
        let mut start = self.trees.next(from);
        while start < to {
            let end = self.trees.next_cut(start, to);
            tasks.push(Task::Stretch { from: start, to: end, bottom });
            start = self.trees.next(end);
        }
        tasks[first..].reverse();
    }

    /// Gives elements that stay an earlier deadline, so that the stretch can be cut or has an outermost element.
    /// Returns whether that changed anything.
    fn shorten(&mut self, from: u32, to: u32, end: u32) -> bool {
        let Some((until, last, widest)) = self.trees.certain_stretch(from, to) else {
            return false;
        };
        // Elements need not be gone before this position: the end of the outermost element that can last longest, or
        // the next cut, whichever is first.
        let limit = if until < to { self.elements[until as usize].put_ret } else { end };
        let position = if widest >= last { widest.min(limit) } else { last };
        let mut changed = false;
        let mut place = self.trees.next(from);
        while place < until {
            self.looked_at += 1;
            let element = &mut self.elements[place as usize];
            if element.put_ret >= position {
                break;
            }
            if element_stays(element) && element.gone_call > position {
                self.trees.shorten(place, element.gone_call, position);
                element.gone_call = position;
                changed = true;
            }
            place = self.trees.next(place + 1);
        }
        changed && self.looked_at < LOOKED_AT_MAX
    }

    /// As few elements as possible that are certain one after the other over the whole stretch.
    fn crossed(&mut self, from: u32, to: u32, start: u32, end: u32) -> Vec<u32> {
        let mut left = Vec::new();
        let mut place = self.trees.next(from);
        while place < to {
            left.push(place);
            place = self.trees.next(place + 1);
        }
        let spans = left.iter().map(|&place| {
            let element = &self.elements[place as usize];
            (self.numbers[place as usize], element.put_ret, element.gone_call)
        });
        cover::chain(start + 1, end - 1, spans).unwrap_or_default()
    }
}

/// The rows in order: the steps, and between them the elements that are nowhere certain and the takes that found
/// nothing.
fn ordered(problem: &Problem, cuts: &Cuts, steps: &[Step]) -> Vec<u32> {
    let elements = &problem.elements;
    // The elements that are nowhere certain, each with the position at which it is put in and taken out.
    let mut brief: Vec<(u32, u32)> = (0..)
        .zip(elements)
        .filter(|(_, element)| !element.certain())
        .map(|(number, element)| (element.gone_call, number))
        .collect();
    brief.sort_unstable();
    let mut brief = brief.into_iter().peekable();
    let mut empties = cuts.empties.iter().peekable();
    let mut order = Vec::with_capacity(problem.rows.len());
    for step in steps {
        let (Step::Bottom { position } | Step::Put { position, .. } | Step::Take { position, .. }) = *step;
        if let Step::Bottom { position } = *step {
            while let Some(&(at, row)) = empties.next_if(|&&(at, _)| at <= position) {
                flush(&mut brief, elements, at, &mut order);
                order.push(row);
            }
        }
        flush(&mut brief, elements, position, &mut order);
        match *step {
            Step::Bottom { .. } => {}
            Step::Put { element, .. } => order.push(elements[element as usize].put),
            Step::Take { position: NEVER, .. } => break,
            Step::Take { element, .. } => order.push(elements[element as usize].gone),
        }
    }
    for &(position, row) in empties {
        flush(&mut brief, elements, position, &mut order);
        order.push(row);
    }
    flush(&mut brief, elements, NEVER, &mut order);
    order
}

/// Appends to the order the elements that are nowhere certain, up to the position `until`: each is put in and taken
/// out at once.
fn flush(
    brief: &mut std::iter::Peekable<impl Iterator<Item = (u32, u32)>>,
    elements: &[Element],
    until: u32,
    order: &mut Vec<u32>,
) {
    while let Some((_, number)) = brief.next_if(|&(position, _)| position <= until) {
        order.extend([elements[number as usize].put, elements[number as usize].gone]);
    }
}
