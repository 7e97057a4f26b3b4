//! Groups the operations of a container by the element that they put in or take out. The head of [`super`] defines
//! the words.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::history::History;
use crate::intern::Interner;
use crate::model::{Container, ContainerOp, Model};
use crate::order::{self, NEVER};
use crate::slice::{Seen, Slice};

use super::reason::Reason;

/// The number that stands for "no row".
pub(super) const NONE: u32 = u32::MAX;

/// The operations that can matter, in the order of their calls. A row is an index into these lists. The position of a
/// row's call follows from its number ([`order::call_position`]).
#[derive(Default)]
pub(super) struct Rows {
    /// The index in the history.
    pub(super) op: Vec<u32>,
    /// The position of the return, [`NEVER`] for operations that need not take effect.
    pub(super) ret: Vec<u32>,
}

impl Rows {
    /// Reads the operations of a slice of a container. `take` gets what an operation does, the row that it would
    /// become, and whether it must take effect. It says whether the operation counts; if not, the operation gets no
    /// row. `None` if an operation is not one of a container, or if `take` returns `None`.
    #[inline]
    pub(super) fn read<M: Model>(
        model: &M,
        history: &History<M::Input, M::Output>,
        slice: &Slice<'_>,
        mut take: impl FnMut(ContainerOp<Cow<'_, M::Value>>, u32, bool) -> Option<bool>,
    ) -> Option<Rows> {
        let count = slice.operations.len();
        let mut op = Vec::with_capacity(count);
        let mut calls = Vec::with_capacity(count);
        // By row: the time of its return.
        let mut returns = Vec::with_capacity(count);
        for place in slice.by_call(history) {
            let index = slice.operations[place as usize];
            let operation = history.operation(index);
            let (output, at) = match slice.seen(model, history, place as usize) {
                Seen::Answered { output, at } => (Some(output), Some(at)),
                Seen::Optional { output } => (Some(output), None),
                Seen::Unknown => (None, None),
                Seen::Absent => {
                    // It gets no row. But if it is not an operation of a container, this is no slice of one.
                    model.as_container(&operation.input, operation.output())?;
                    continue;
                }
            };
            if take(model.as_container(&operation.input, output)?, op.len() as u32, at.is_some())? {
                op.push(index);
                calls.push(operation.call);
                returns.push(at);
            }
        }
        Some(Rows { ret: positions(&calls, &returns), op })
    }

    pub(super) fn len(&self) -> usize {
        self.op.len()
    }

    /// The position of a row's call.
    #[inline]
    pub(super) fn call(&self, row: u32) -> u32 {
        order::call_position(row as usize)
    }

    /// The position of a row's return; [`NEVER`] if the row need not take effect.
    #[inline]
    pub(super) fn ret(&self, row: u32) -> u32 {
        self.ret[row as usize]
    }

    /// The first position that no call and no return has.
    pub(super) fn end(&self) -> u32 {
        order::call_position(self.len())
    }
}

/// An element that was certainly put in. Its put took effect between the positions `put_call` and `put_ret`, its take
/// between `gone_call` and `gone_ret`.
///
/// Invariants: `put_call <= put_ret`, `gone_call <= gone_ret`, `put_call <= gone_call`, `put_ret <= gone_ret`. For an
/// element is put in before it is taken out: the take is no earlier than the put's call, and the put no later than
/// the take's return.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    /// The row that put it in.
    pub(super) put: u32,
    /// The row that took it; [`NONE`] if none is known.
    pub(super) gone: u32,
    pub(super) put_call: u32,
    pub(super) put_ret: u32,
    pub(super) gone_call: u32,
    pub(super) gone_ret: u32,
    /// In a priority queue: elements of lower rank leave first. Meaningless elsewhere.
    pub(super) rank: u32,
}

impl Element {
    /// Whether no take is known to have taken it. Then it stays for ever, unless a taker took it.
    pub(super) fn stays(&self) -> bool {
        self.gone_call == NEVER
    }

    /// Whether there is a position at which the element is certainly in the container.
    pub(super) fn certain(&self) -> bool {
        self.put_ret < self.gone_call
    }
}

/// The rows of a container, grouped by element: what the files for queues, stacks, priority queues and bags judge.
#[derive(Default)]
pub(super) struct Problem {
    pub(super) rows: Rows,
    /// In the order of the calls of their puts.
    pub(super) elements: Vec<Element>,
    /// The takes that found nothing, in the order of their calls.
    pub(super) empties: Vec<u32>,
    /// The takes of unknown outcome, in the order of their calls.
    pub(super) takers: Vec<u32>,
    /// Whether there is a take that need not have happened although it is known which element it would have taken
    /// ([`Seen::Optional`]).
    pub(super) optional: bool,
    /// A contradiction about a single element. If there are several, the first one in time.
    pub(super) wrong: Option<Reason>,
}

/// The rows of one value, while rows are read. Each is [`NONE`] until it is found.
#[derive(Clone, Copy)]
struct Known {
    /// The put.
    put: u32,
    /// The take that was answered with the value.
    gone: u32,
    /// The first take that would have taken the value, but need not have happened.
    optional: u32,
}

impl Problem {
    /// Reads a slice. `None` if it is not one of a container, or puts an element in twice.
    pub(super) fn read<M: Model>(
        model: &M,
        history: &History<M::Input, M::Output>,
        slice: &Slice<'_>,
        container: Container,
    ) -> Option<Problem> {
        let mut problem = Problem::default();
        let count = slice.operations.len();
        let mut values: Interner<M::Value> = Interner::with_capacity(count / 2);
        let mut known: Vec<Known> = Vec::with_capacity(count / 2);
        // By row: the value that it puts in.
        let mut puts: Vec<u32> = Vec::with_capacity(count);
        // For each further take of a value: the first take, this one, and the value.
        let mut twice: Vec<(u32, u32, u32)> = Vec::new();
        problem.rows = Rows::read(model, history, slice, |asked, row, answered| {
            let mut number = |value| {
                let number = values.intern(value);
                if number as usize == known.len() {
                    known.push(Known { put: NONE, gone: NONE, optional: NONE });
                }
                number
            };
            let mut put = NONE;
            match asked {
                ContainerOp::Insert(value) => {
                    put = number(value);
                    let known = &mut known[put as usize];
                    if known.put != NONE {
                        return None;
                    }
                    known.put = row;
                }
                ContainerOp::Take(value) => {
                    let number = number(value);
                    let known = &mut known[number as usize];
                    match answered {
                        true if known.gone != NONE => twice.push((known.gone, row, number)),
                        true => known.gone = row,
                        false if known.optional == NONE => known.optional = row,
                        false => {}
                    }
                }
                ContainerOp::TakeNothing if answered => problem.empties.push(row),
                ContainerOp::TakeAny => problem.takers.push(row),
                ContainerOp::Nothing | ContainerOp::TakeNothing => return Some(false),
                ContainerOp::Remove(_)
                | ContainerOp::Present(_)
                | ContainerOp::Absent(_)
                | ContainerOp::Elements(_) => return None,
            }
            puts.push(put);
            Some(true)
        })?;
        let ranks = match container {
            Container::PriorityQueue => ranks(model, &values)?,
            _ => Vec::new(),
        };
        problem.look_at_each(&known, &twice);
        problem.fill(&puts, &known, &ranks);
        Some(problem)
    }

    /// Looks for contradictions about a single element.
    fn look_at_each(&mut self, known: &[Known], twice: &[(u32, u32, u32)]) {
        let mut first: Option<(u32, Reason)> = None;
        let rows = &self.rows;
        let mut note = |at: u32, reason: Reason| {
            if first.as_ref().is_none_or(|&(known, _)| at < known) {
                first = Some((at, reason));
            }
        };
        for &(one, other, number) in twice {
            let takes = [one, other];
            note(
                rows.ret(one).max(rows.ret(other)),
                Reason::Twice { put: known[number as usize].put, takes },
            );
        }
        for &Known { put, gone, .. } in known {
            if gone != NONE && put == NONE {
                note(rows.ret(gone), Reason::NeverPut { take: gone });
            } else if gone != NONE && rows.ret(gone) < rows.call(put) {
                note(rows.ret(gone), Reason::TooEarly { put, take: gone });
            }
        }
        self.wrong = first.map(|(_, reason)| reason);
    }

    /// Fills `elements`, by the put that each row is (`puts` has the value of each).
    fn fill(&mut self, puts: &[u32], known: &[Known], ranks: &[u32]) {
        for (put, &number) in (0..).zip(puts).filter(|&(_, &number)| number != NONE) {
            let Known { gone, optional, .. } = known[number as usize];
            let (put_call, put_ret) = (self.rows.call(put), self.rows.ret(put));
            let rank = ranks.get(number as usize).copied().unwrap_or(0);
            let element = match (gone, optional) {
                // The put has an unknown outcome and no take shows that it took effect. Nothing is lost if it did
                // not.
                (NONE, _) if put_ret == NEVER => continue,
                (NONE, NONE) => {
                    Element { put, gone: NONE, put_call, put_ret, gone_call: NEVER, gone_ret: NEVER, rank }
                }
                (NONE, gone) => {
                    self.optional = true;
                    let gone_call = self.rows.call(gone).max(put_call);
                    Element { put, gone, put_call, put_ret, gone_call, gone_ret: NEVER, rank }
                }
                (gone, _) => {
                    let gone_ret = self.rows.ret(gone);
                    let gone_call = self.rows.call(gone).max(put_call);
                    Element { put, gone, put_call, put_ret: put_ret.min(gone_ret), gone_call, gone_ret, rank }
                }
            };
            self.elements.push(element);
        }
    }

    /// Turns into takers the takes that need not have happened although their elements are known. This only allows more
    /// orders.
    pub(super) fn loosen(&mut self) {
        for element in &mut self.elements {
            if element.gone != NONE && element.gone_ret == NEVER {
                self.takers.push(element.gone);
                (element.gone, element.gone_call) = (NONE, NEVER);
            }
        }
        self.takers.sort_unstable();
        self.optional = false;
    }
}

/// The positions of returns, by row.
fn positions(calls: &[u64], returns: &[Option<u64>]) -> Vec<u32> {
    let position = |(row, at): (usize, &Option<u64>)| {
        at.map_or(NEVER, |at| order::return_position(row, at, calls.len(), |row| calls[row]))
    };
    returns.iter().enumerate().map(position).collect()
}

/// By value number: the value's rank, that is, how many values come before it in a priority queue. `None` if two values
/// are equal in that order.
fn ranks<M: Model>(model: &M, values: &Interner<M::Value>) -> Option<Vec<u32>> {
    let mut sorted: Vec<u32> = (0..values.len() as u32).collect();
    sorted.sort_by(|&one, &other| model.compare(values.value(one), values.value(other)));
    let same = |pair: &[u32]| model.compare(values.value(pair[0]), values.value(pair[1])) == Ordering::Equal;
    if sorted.windows(2).any(same) {
        return None;
    }
    let mut ranks = vec![0; values.len()];
    for (rank, number) in (0..).zip(sorted) {
        ranks[number as usize] = rank;
    }
    Some(ranks)
}
