//! Searches for a linearization: an order of operations that agrees with real time and in which all answers are
//! right. The search is depth first (Wing and Gong 1993) and remembers the configurations it has visited (Lowe 2017).
//!
//! It does not know what an operation is. A *row* is the number of an operation, in the order of calls, and a state
//! is a number, too. [`Moves`] says what a row does to a state.
//!
//! The search builds an order row by row. To *lift* a row is to append it to the order; to *unlift* it is to remove
//! it again. The rows that are not in the order yet are *open*. An open row may come next if no other open row
//! returned before its call. A row that *need not take effect* is an operation of unknown outcome; an order may leave
//! it out. A *configuration* is the set of rows in the order so far and the state they lead to. Several rules keep
//! the number of configurations small:
//!
//! - A read that may come next and is right in the state at hand is lifted at once. It changes nothing, so no order
//!   is lost.
//! - Of rows that do the same to every state (a *class*), only the one that must return first is tried. In any order,
//!   two such rows can be swapped.
//! - A row that need not take effect is lifted only if a later row depends on the state that it leads to. If its
//!   effect is overwritten before that, the order without the row is as good.
//! - *Spare* rows need not take effect, all do the same, and only help to replace a value that a read must not see.
//!   They wait in a queue of their own and are lifted only for such a read.
//! - [`Moves::possible`] recognizes dead ends.
//! - Configurations are remembered as 128-bit sums ([`memo`]).
//!
//! If the memo uses up its memory, the search starts again, one segment of the history at a time
//! ([`segments`]).

mod choose;
mod memo;
mod moves;
mod open;
mod segments;
mod steps;

use crate::budget::{Limit, Meter};
use crate::order::NEVER;

use choose::Classes;
use memo::{Memo, share};
use open::Open;

pub(crate) use moves::Moves;
pub(crate) use steps::{After, Effects, Steps};

/// The rows of a search, in the order of calls. All lists are by row.
pub(crate) struct Problem<'a> {
    /// The positions of the calls, see [`crate::order`].
    pub(crate) call: &'a [u32],
    /// The positions of the returns; [`NEVER`] for rows that need not take effect.
    pub(crate) ret: &'a [u32],
    /// Rows of lower rank are tried first.
    pub(crate) rank: &'a [u32],
    /// The state before the first row.
    pub(crate) start: u32,
    /// The seed of the memo's sums. If two configurations happen to have the same sum, the search misses an
    /// order; a second search with another seed does not make the same mistake.
    pub(crate) seed: u64,
}

/// What a search found. `deepest` is the longest order that it built, see [`Search::deepest`].
pub(crate) enum Found {
    /// An order of all rows that must take effect.
    Order(Vec<u32>),
    /// There is no order.
    Nothing { deepest: Vec<u32> },
    /// The search reached a limit.
    Ended { limit: Limit, deepest: Vec<u32> },
}

/// Looks for an order of all rows that must take effect.
pub(crate) fn search<M: Moves>(problem: &Problem<'_>, moves: &mut M, meter: &mut Meter<'_>) -> Found {
    let mut search = Search::new(problem, moves, meter.bytes_max());
    match search.explore(meter, NEVER, Entry::Fresh) {
        Ok(true) => Found::Order(search.path),
        Ok(false) => Found::Nothing { deepest: search.deepest },
        Err(Limit::Bytes) => segments::search(search, meter),
        Err(limit) => Found::Ended { limit, deepest: search.into_deepest() },
    }
}

/// The elements of `every` that are not in the order. `order` has indexes into `every`.
pub(crate) fn missing(order: &[u32], every: &[u32]) -> Vec<u32> {
    if order.len() == every.len() {
        return Vec::new();
    }
    let mut present = vec![false; every.len()];
    for &place in order {
        present[place as usize] = true;
    }
    every.iter().zip(present).filter(|(_, present)| !present).map(|(&index, _)| index).collect()
}

/// How [`Search::explore`] begins.
enum Entry {
    /// At the current configuration, with nothing tried.
    Fresh,
    /// Where the last call found an end (see [`Search::explore`]), to look for further ends.
    PastEnd,
}

/// One choice of a row on the way to the current configuration.
struct Frame {
    /// The length of the order before the row of this frame.
    path: u32,
    /// The state before that row.
    state: u32,
    /// Whether the row need not take effect and no later row has depended on the state that it led to.
    unused: bool,
    /// Which rows have been tried after this one: those whose key (`Search::key`) is at most this number.
    tried: u64,
}

/// A search in progress.
struct Search<'a, 'm, M> {
    problem: &'a Problem<'a>,
    moves: &'m mut M,
    /// The rows that are not in the order yet, without spare rows.
    open: Open,
    /// The spare rows in the order of calls. They all do the same, so those called first are used first: the
    /// first `spare_used` are in the order.
    spare: Vec<u32>,
    spare_used: usize,
    /// The configurations visited so far.
    memo: Memo,
    /// The state after the order so far.
    state: u32,
    /// The sum of the rows in the order so far, for the memo.
    sum: u128,
    /// The order so far.
    path: Vec<u32>,
    /// The choices that led to `path`. The reads that were lifted after each choice have no frame of their own.
    frames: Vec<Frame>,
    /// The path that got furthest in time so far. It shows where a history that has no order goes wrong. Updated
    /// whenever a path is abandoned.
    deepest: Vec<u32>,
    /// The earliest return of a row that is missing from `deepest`.
    furthest: u32,
    /// How many rows at the start of `deepest` are also at the start of `path`.
    shared: usize,
    /// Rows called at or after this position are left out for now; they belong to a later segment.
    bound: u32,
    /// The classes of rows that do the same.
    classes: Classes,
    /// How many rows were looked at and are not counted as steps of the budget yet.
    scanned: u64,
    /// How many bytes the ends of segments take, out of the same limit as the memo.
    held: usize,
}

/// Looking at this many rows counts as a step of the budget. Otherwise the search could take long in few steps, because
/// it looks at all rows of unknown outcome again and again.
const ROWS_PER_STEP: u64 = 256;

impl<'a, 'm, M: Moves> Search<'a, 'm, M> {
    fn new(problem: &'a Problem<'a>, moves: &'m mut M, bytes_max: usize) -> Self {
        let classes = Classes::new(moves.classes() as usize);
        let mut open = Open::new(problem.ret);
        let spare: Vec<u32> = (0..problem.call.len() as u32).filter(|&row| moves.spare(row)).collect();
        spare.iter().for_each(|&row| open.take(row));
        Search {
            problem,
            moves,
            open,
            spare,
            spare_used: 0,
            memo: Memo::new(bytes_max),
            state: problem.start,
            sum: 0,
            path: Vec::with_capacity(problem.call.len()),
            frames: Vec::new(),
            deepest: Vec::new(),
            furthest: 0,
            shared: 0,
            bound: NEVER,
            classes,
            scanned: 0,
            held: 0,
        }
    }

    /// Explores from the current configuration until it finds an end; returns whether it did. At an end, every row
    /// that must take effect and is called before `bound` is in the order.
    fn explore(&mut self, meter: &mut Meter<'_>, bound: u32, entry: Entry) -> Result<bool, Limit> {
        self.bound = bound;
        match entry {
            Entry::Fresh => self.push_frame(false),
            Entry::PastEnd => self.leave(),
        }
        let mut entered = matches!(entry, Entry::Fresh);
        while !self.frames.is_empty() {
            if entered {
                meter.step()?;
                while self.scanned >= ROWS_PER_STEP {
                    self.scanned -= ROWS_PER_STEP;
                    meter.step()?;
                }
                self.lift_reads();
                meter.work(self.moves.take_work())?;
                if !self.visit()? {
                    self.leave();
                } else if self.open.earliest_return() >= self.bound {
                    return Ok(true);
                }
            }
            entered = self.advance();
            meter.work(self.moves.take_work())?;
            if !entered {
                self.leave();
            }
        }
        Ok(false)
    }

    /// Adds the current configuration to the memo. Returns whether to go on from it: it is new, and not recognized as
    /// a dead end.
    ///
    /// `Frame::unused` of the last choice is part of the configuration, because it restricts what may follow.
    fn visit(&mut self) -> Result<bool, Limit> {
        if self.moves.late(self.state, self.open.earliest_return()) {
            return Ok(false);
        }
        let unused = self.frames.last().is_some_and(|frame| frame.unused);
        // The number that stands for state and `unused` in the sum. Shifted by 32 bits, it is that of no row.
        let place = u64::from(self.state) << 2 | u64::from(unused) << 1 | 1;
        self.memo.insert(self.sum ^ share(self.problem.seed, place << 32), self.moves.bytes() + self.held)
    }

    /// Lifts the next row to try after the current configuration. Returns whether there was one.
    fn advance(&mut self) -> bool {
        while let Some(row) = self.choose() {
            if let Some(state) = self.moves.after(self.state, row) {
                let unused = self.problem.ret[row as usize] == NEVER;
                self.push_frame(unused);
                self.lift(row);
                self.state = state;
                return true;
            }
        }
        false
    }

    /// Notes the current configuration as the one before the next choice.
    fn push_frame(&mut self, unused: bool) {
        self.frames.push(Frame { path: self.path.len() as u32, state: self.state, unused, tried: 0 });
    }

    /// Goes back to the configuration before the last choice.
    fn leave(&mut self) {
        self.note_depth();
        if let Some(frame) = self.frames.pop() {
            // First the reads that were lifted in the state after the chosen row; then that row itself, for which
            // `unlift` needs the state before it.
            while self.path.len() > frame.path as usize + 1 {
                self.unlift();
            }
            self.state = frame.state;
            if self.path.len() > frame.path as usize {
                self.unlift();
            }
        }
    }

    /// Appends a row to the order.
    #[inline]
    fn lift(&mut self, row: u32) {
        if self.spare.get(self.spare_used) == Some(&row) {
            self.spare_used += 1;
        } else {
            self.open.take(row);
        }
        self.moves.lift(row, self.state);
        self.sum ^= share(self.problem.seed, u64::from(row));
        self.path.push(row);
    }

    /// Removes the last row of the order.
    #[inline]
    fn unlift(&mut self) {
        if let Some(row) = self.path.pop() {
            if self.spare_used > 0 && self.spare[self.spare_used - 1] == row {
                self.spare_used -= 1;
            } else {
                self.open.put_back(row);
            }
            self.moves.unlift(row, self.state);
            self.sum ^= share(self.problem.seed, u64::from(row));
            self.shared = self.shared.min(self.path.len());
        }
    }

    /// Lifts every read that may come now and is right. The search never tries the order without such a read.
    fn lift_reads(&mut self) {
        let mut row = self.open.first();
        let mut until = self.open.earliest_return().min(self.bound);
        while row != self.open.end() && self.problem.call[row as usize] < until {
            if self.moves.joins(self.state, row) {
                self.lift(row);
                until = self.open.earliest_return().min(self.bound);
                if let Some(frame) = self.frames.last_mut() {
                    frame.unused = false;
                }
            }
            row = self.open.after(row);
        }
    }

    /// Remembers the path if it got furthest in time so far, or just as far and is longer.
    fn note_depth(&mut self) {
        let until = self.open.earliest_return();
        if (until, self.path.len()) > (self.furthest, self.deepest.len()) {
            self.furthest = until;
            self.deepest.truncate(self.shared);
            self.deepest.extend_from_slice(&self.path[self.shared..]);
            self.shared = self.path.len();
        }
    }

    /// The path that got furthest in time.
    fn into_deepest(mut self) -> Vec<u32> {
        self.note_depth();
        self.deepest
    }
}
