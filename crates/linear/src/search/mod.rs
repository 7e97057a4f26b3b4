//! Depth-first search for an order (Wing and Gong 1993, with Lowe's memo), over any kind of moves.
//!
//! A configuration is the set of rows that stand in the order, and the state they lead to. What keeps the
//! number of configurations small:
//! - reads that may come next and are right are taken at once: they change nothing, so no order is lost;
//! - of rows that do the same, only the one that must be done first is tried: two such rows can change
//!   places in any order;
//! - a row that need not take effect is taken only if the state it makes is looked at: an order in which it
//!   is overwritten unseen has a twin without it;
//! - spare rows, all alike and of no use but to end a value that a read must not see, wait in a queue of
//!   their own and are taken only for such a read;
//! - the moves know dead ends, see [`Moves::possible`];
//! - configurations are remembered as 128-bit sums ([`memo`]).
//!
//! If the memo does not fit into its budget, the search starts again in pieces, see [`segments`].

mod memo;
mod open;
mod segments;

use crate::budget::{Limit, Meter};
use crate::order::NEVER;

use memo::{Memo, share};
use open::Open;

/// The rows of a search, in the order of calls.
pub(crate) struct Problem<'a> {
    pub(crate) call: &'a [u32],
    /// [`NEVER`] for rows that need not take effect.
    pub(crate) ret: &'a [u32],
    /// Rows of lower rank are tried first.
    pub(crate) rank: &'a [u32],
    /// The state before the first row.
    pub(crate) start: u32,
    /// Of the sums: two searches with different seeds do not err together.
    pub(crate) seed: u64,
}

/// What rows do to states. States are numbers.
pub(crate) trait Moves {
    /// Whether the row never changes the state.
    fn is_read(&self, row: u32) -> bool;

    /// The state after the row, `None` if the row is wrong in this state.
    fn after(&mut self, state: u32, row: u32) -> Option<u32>;

    /// A quick test that may say no where [`after`](Moves::after) is `None`, and where the state after could
    /// never lead to the end.
    fn possible(&self, _state: u32, _row: u32) -> bool {
        true
    }

    /// The number of all rows that do the same as this one, `u32::MAX` if there are none.
    fn class(&self, _row: u32) -> u32 {
        u32::MAX
    }

    /// One more than the greatest class.
    fn classes(&self) -> u32 {
        0
    }

    /// Whether the row need not take effect, does the same as all others of which this is true, and is of use
    /// only to rows for which [`wants_spare`](Moves::wants_spare) is true.
    fn spare(&self, _row: u32) -> bool {
        false
    }

    /// Whether the row, a read that is wrong in this state, would be right after a spare row.
    fn wants_spare(&self, _row: u32) -> bool {
        false
    }

    /// Whether it depends on the state whether the row is right or what it leads to.
    fn looks_at_state(&self, _row: u32) -> bool {
        true
    }

    /// The row joins the order, in this state.
    fn lift(&mut self, _row: u32, _before: u32) {}

    /// The row leaves the order; it had joined it in this state.
    fn unlift(&mut self, _row: u32, _before: u32) {}

    /// From now on what rows lead to is no longer told with the state they are in: [`lift`](Moves::lift) may
    /// get any state. No row is in the order.
    fn relax(&mut self) {}

    /// How many bytes the moves have taken for states.
    fn bytes(&self) -> usize {
        0
    }

    /// Forgets all states but these, which get new numbers.
    fn keep_only(&mut self, _states: &mut [u32]) {}
}

/// What a search found. Orders are rows.
pub(crate) enum Found {
    Order(Vec<u32>),
    Nothing { deepest: Vec<u32> },
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

/// Those of `every` whose places are not in `order`.
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
    /// At the present configuration, with nothing tried.
    Fresh,
    /// After an end that it found, as if that end were none.
    PastEnd,
}

/// One choice on the way to the present configuration.
struct Frame {
    /// How long the path was before the row of this frame.
    path: u32,
    /// The state before it.
    state: u32,
    /// Whether the row need not take effect and nobody has looked at its state yet.
    unused: bool,
    /// What has been tried after it, see [`Search::choose`].
    tried: u64,
}

struct Search<'a, 'm, M> {
    problem: &'a Problem<'a>,
    moves: &'m mut M,
    open: Open,
    /// The spare rows by call; they are never open. The first `spare_used` are in the order: of rows that do
    /// the same and need not be done, those called first will do.
    spare: Vec<u32>,
    spare_used: usize,
    memo: Memo,
    state: u32,
    /// The sum of the rows of the path.
    sum: u128,
    path: Vec<u32>,
    frames: Vec<Frame>,
    /// The path that came furthest in time so far, brought up to date when a path is given up.
    deepest: Vec<u32>,
    /// The least return of a row that `deepest` lacks.
    furthest: u32,
    /// How much of `deepest` the path still shares.
    shared: usize,
    /// Rows called later than this do not exist yet.
    bound: u32,
    /// By class: the row to try, as `(return, row)`, valid if the stamp is the present one.
    best: Vec<(u32, u32)>,
    stamps: Vec<u32>,
    stamp: u32,
    /// The classes met in the present scan.
    met: Vec<u32>,
    /// How many rows were looked at and not yet charged as steps.
    scanned: u64,
}

/// What a frame has tried once it has tried a spare row: that comes last.
const SPARE_TRIED: u64 = u64::MAX - 1;

/// So many rows looked at cost as much as a step: many rows of unknown outcome must not make steps dear.
const ROWS_PER_STEP: u64 = 256;

impl<'a, 'm, M: Moves> Search<'a, 'm, M> {
    fn new(problem: &'a Problem<'a>, moves: &'m mut M, bytes_max: usize) -> Self {
        let classes = moves.classes() as usize;
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
            best: vec![(0, 0); classes],
            stamps: vec![0; classes],
            stamp: 0,
            met: Vec::new(),
            scanned: 0,
        }
    }

    /// Explores from the present configuration until an end is found; whether one was.
    ///
    /// An end has every row in the order that must take effect and is called before `bound`.
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
                if !self.visit()? {
                    self.leave();
                } else if self.open.earliest_return() >= self.bound {
                    return Ok(true);
                }
            }
            entered = self.advance();
            if !entered {
                self.leave();
            }
        }
        Ok(false)
    }

    /// Notes the present configuration; whether it is new.
    ///
    /// A row that nobody has looked at yet restricts what may follow, so it is part of the configuration.
    fn visit(&mut self) -> Result<bool, Limit> {
        let unused = self.frames.last().is_some_and(|frame| frame.unused);
        let place = u64::from(self.state) << 2 | u64::from(unused) << 1 | 1;
        self.memo.insert(self.sum ^ share(self.problem.seed, place << 32), self.moves.bytes())
    }

    /// Takes the next row to try after the present configuration, if there is one.
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

    fn push_frame(&mut self, unused: bool) {
        self.frames.push(Frame { path: self.path.len() as u32, state: self.state, unused, tried: 0 });
    }

    /// Gives up the last choice and all that followed from it.
    fn leave(&mut self) {
        self.note_depth();
        if let Some(frame) = self.frames.pop() {
            // Reads joined in the state that the first row led to, that row itself in the state before.
            while self.path.len() > frame.path as usize + 1 {
                self.unlift();
            }
            self.state = frame.state;
            if self.path.len() > frame.path as usize {
                self.unlift();
            }
        }
    }

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

    /// Takes every read that may come now and is right. None of them is ever branched on.
    fn lift_reads(&mut self) {
        let mut row = self.open.first();
        let mut until = self.open.earliest_return().min(self.bound);
        while row != self.open.end() && self.problem.call[row as usize] < until {
            if self.moves.is_read(row) && self.moves.after(self.state, row).is_some() {
                self.lift(row);
                until = self.open.earliest_return().min(self.bound);
                if let Some(frame) = self.frames.last_mut() {
                    frame.unused = false;
                }
            }
            row = self.open.after(row);
        }
    }

    /// The row of least rank that may come next and has not been tried, which is then noted as tried.
    fn choose(&mut self) -> Option<u32> {
        let frame = self.frames.last()?;
        let (tried, unused) = (frame.tried, frame.unused);
        let key = |search: &Self, row: u32| {
            (u64::from(search.problem.rank[row as usize]) << 32 | u64::from(row)) + 1
        };
        self.stamp += 1;
        self.met.clear();
        let mut least = u64::MAX;
        let mut wanted = false;
        let mut row = self.open.first();
        let until = self.open.earliest_return().min(self.bound);
        while row != self.open.end() && self.problem.call[row as usize] < until {
            let candidate = row;
            row = self.open.after(row);
            self.scanned += 1;
            if self.moves.is_read(candidate) {
                wanted |= self.moves.wants_spare(candidate);
                continue;
            }
            if unused && !self.moves.looks_at_state(candidate) || !self.moves.possible(self.state, candidate)
            {
                continue;
            }
            let class = self.moves.class(candidate);
            if class != u32::MAX {
                self.meet(class, candidate);
                continue;
            }
            let key = key(self, candidate);
            if key > tried && key < least {
                least = key;
            }
        }
        for &class in &self.met {
            let key = key(self, self.best[class as usize].1);
            if key > tried && key < least {
                least = key;
            }
        }
        if let (true, Some(&spare)) =
            (wanted && !unused && least == u64::MAX, self.spare.get(self.spare_used))
        {
            let next = self.problem.call[spare as usize] < until && self.moves.possible(self.state, spare);
            if next && tried < SPARE_TRIED {
                self.frames.last_mut()?.tried = SPARE_TRIED;
                return Some(spare);
            }
        }
        if least == u64::MAX {
            return None;
        }
        self.frames.last_mut()?.tried = least;
        Some((least - 1) as u32)
    }

    /// Notes a row as the one of its class to try, if none met before in this scan must be done sooner.
    #[inline]
    fn meet(&mut self, class: u32, row: u32) {
        let at = class as usize;
        let candidate = (self.problem.ret[row as usize], row);
        if self.stamps[at] != self.stamp {
            self.stamps[at] = self.stamp;
            self.best[at] = candidate;
            self.met.push(class);
        } else if candidate < self.best[at] {
            self.best[at] = candidate;
        }
    }

    /// Remembers the path if it came furthest in time so far, or as far and is longer.
    fn note_depth(&mut self) {
        let until = self.open.earliest_return();
        if (until, self.path.len()) > (self.furthest, self.deepest.len()) {
            self.furthest = until;
            self.deepest.truncate(self.shared);
            self.deepest.extend_from_slice(&self.path[self.shared..]);
            self.shared = self.path.len();
        }
    }

    fn into_deepest(mut self) -> Vec<u32> {
        self.note_depth();
        self.deepest
    }
}
