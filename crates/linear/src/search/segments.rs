//! The search in pieces, for histories whose memo would not fit otherwise.
//!
//! At a quiescent point every row that must take effect and was called before has returned before what is
//! called after. Whatever happened earlier, only the state there matters, and which optional rows are left.
//! So all such ends of a segment are collected, the memo is cleared, and the next segment starts from each of
//! them: memory is that of one segment. That looks at configurations which a search of the whole may never
//! reach, so it is what is done second.

use crate::budget::{Limit, Meter};
use crate::order::NEVER;

use super::{Entry, Found, Moves, Problem, Search};

/// A configuration at a quiescent point.
struct End {
    state: u32,
    /// The optional rows in the order so far.
    optional: Vec<u32>,
    /// The end of the segment before from which it was reached.
    parent: u32,
    /// How many ends of the next segment were reached from it.
    children: u32,
    /// The rows of this segment, in order.
    path: Vec<u32>,
}

/// Segments of fewer rows are not worth their ends.
const ROWS_MIN: usize = 64;

/// Starts the search again, segment by segment.
pub(super) fn search<M: Moves>(mut search: Search<'_, '_, M>, meter: &mut Meter<'_>) -> Found {
    search.note_depth();
    let deepest = std::mem::take(&mut search.deepest);
    while !search.frames.is_empty() {
        search.leave();
    }
    search.moves.relax();
    let bounds = bounds(search.problem);
    let mut pieces = Pieces { ends: Vec::new(), bytes: 0, bytes_max: meter.bytes_max() };
    pieces.ends.push(End {
        state: search.problem.start,
        optional: Vec::new(),
        parent: 0,
        children: 0,
        path: Vec::new(),
    });
    let mut frontier = 0..1;
    let mut first_row = 0;
    for &bound in &bounds {
        pieces.forget(&mut search, frontier.clone());
        let from = pieces.ends.len();
        for parent in frontier.clone() {
            match pieces.segment(&mut search, meter, parent, bound) {
                Ok(Some(last)) => return Found::Order(pieces.order(last)),
                Ok(None) => {}
                Err(limit) => return Found::Ended { limit, deepest },
            }
        }
        pieces.drop_dead(frontier);
        frontier = from..pieces.ends.len();
        // From here on these rows are done, whichever end is gone on from.
        while first_row < search.problem.call.len() && search.problem.call[first_row] < bound {
            if search.problem.ret[first_row] != NEVER {
                search.open.take(first_row as u32);
                search.moves.lift(first_row as u32, search.problem.start);
            }
            first_row += 1;
        }
    }
    Found::Nothing { deepest }
}

/// The call of the first row of each later segment that must take effect, and [`NEVER`].
fn bounds(problem: &Problem<'_>) -> Vec<u32> {
    let mut bounds = Vec::new();
    let mut returned = 0;
    let mut rows = 0;
    for (&call, &ret) in problem.call.iter().zip(problem.ret) {
        if ret != NEVER {
            if returned < call && rows >= ROWS_MIN {
                bounds.push(call);
                rows = 0;
            }
            returned = returned.max(ret);
        }
        rows += 1;
    }
    bounds.push(NEVER);
    bounds
}

struct Pieces {
    ends: Vec<End>,
    bytes: usize,
    bytes_max: usize,
}

impl Pieces {
    /// Frees what only the segments before needed.
    fn forget<M: Moves>(&mut self, search: &mut Search<'_, '_, M>, frontier: std::ops::Range<usize>) {
        search.memo.clear();
        let ends = &mut self.ends[frontier];
        let mut states: Vec<u32> = ends.iter().map(|end| end.state).collect();
        search.moves.keep_only(&mut states);
        for (end, state) in ends.iter_mut().zip(states) {
            end.state = state;
        }
    }

    /// Collects every end of one segment that can be reached from one end of the segment before. For the
    /// last segment the first end is enough, which is then returned.
    fn segment<M: Moves>(
        &mut self,
        search: &mut Search<'_, '_, M>,
        meter: &mut Meter<'_>,
        parent: usize,
        bound: u32,
    ) -> Result<Option<usize>, Limit> {
        let from = self.ends[parent].optional.clone();
        search.state = self.ends[parent].state;
        for &row in &from {
            search.lift(row);
        }
        let mut entry = Entry::Fresh;
        while search.explore(meter, bound, entry)? {
            entry = Entry::PastEnd;
            let path = search.path[from.len()..].to_vec();
            let mut optional = from.clone();
            optional.extend(path.iter().filter(|&&row| search.problem.ret[row as usize] == NEVER));
            self.bytes += (path.len() + optional.len()) * size_of::<u32>() + size_of::<End>();
            if self.bytes > self.bytes_max {
                return Err(Limit::Bytes);
            }
            self.ends[parent].children += 1;
            self.ends.push(End { state: search.state, optional, parent: parent as u32, children: 0, path });
            if bound == NEVER {
                return Ok(Some(self.ends.len() - 1));
            }
        }
        while !search.path.is_empty() {
            search.unlift();
        }
        Ok(None)
    }

    /// Frees the ends that nothing could be reached from, and those before them that this leaves without any.
    fn drop_dead(&mut self, frontier: std::ops::Range<usize>) {
        for mut end in frontier {
            while end != 0 && self.ends[end].children == 0 {
                let dead = &mut self.ends[end];
                self.bytes -= (dead.path.len() + dead.optional.len()) * size_of::<u32>();
                (dead.path, dead.optional) = (Vec::new(), Vec::new());
                end = dead.parent as usize;
                self.ends[end].children -= 1;
            }
        }
    }

    /// The whole order that led to an end.
    fn order(&self, last: usize) -> Vec<u32> {
        let mut pieces = Vec::new();
        let mut end = last;
        while end != 0 {
            pieces.push(&self.ends[end].path);
            end = self.ends[end].parent as usize;
        }
        pieces.into_iter().rev().flatten().copied().collect()
    }
}
