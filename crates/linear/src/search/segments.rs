//! Searches one segment of the history at a time. It is used for histories so large that their memo (the
//! configurations that were visited) does not fit into memory.
//!
//! A segment ends at a *quiescent point*: a call before which all earlier rows that must take effect have
//! returned. For the rows after that point, only two things matter: the state there, and which optional rows
//! (those that need not take effect) are in the order already. Such a configuration is an *end* of the segment.
//!
//! The search collects all ends of a segment, clears the memo, and starts the next segment from each of the ends. So
//! it needs the memory of one segment only. But it also visits configurations that a search of the whole history
//! might never reach; therefore it is used only after that search has run out of memory.

use crate::budget::{Limit, Meter};
use crate::order::NEVER;

use super::{Entry, Found, Moves, Problem, Search};

/// A configuration at a quiescent point.
struct End {
    state: u32,
    /// The optional rows in the order so far.
    optional: Vec<u32>,
    /// The end of the previous segment from which this one was reached.
    parent: u32,
    /// How many ends of the next segment were reached from this one and are still needed.
    children: u32,
    /// The rows of this segment, in order.
    path: Vec<u32>,
}

/// The minimum length of a segment. The ends of shorter segments would take more memory than they save.
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
    let mut segments = Segments { ends: Vec::new(), bytes: 0, bytes_max: meter.bytes_max() };
    segments.ends.push(End {
        state: search.problem.start,
        optional: Vec::new(),
        parent: 0,
        children: 0,
        path: Vec::new(),
    });
    let mut frontier = 0..1;
    let mut first_row = 0;
    for &bound in &bounds {
        segments.forget(&mut search, frontier.clone());
        let from = segments.ends.len();
        for parent in frontier.clone() {
            match segments.explore(&mut search, meter, parent, bound) {
                Ok(Some(last)) => return Found::Order(segments.order(last)),
                Ok(None) => {}
                Err(limit) => return Found::Ended { limit, deepest },
            }
        }
        segments.drop_dead(frontier);
        search.held = segments.bytes;
        frontier = from..segments.ends.len();
        // The rows of this segment that must take effect are in the order now, whichever end the search
        // continues from.
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

/// For each segment after the first, the call of its first row that must take effect; then [`NEVER`].
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

/// The ends of all segments so far.
struct Segments {
    /// The first one is the beginning of the history, which is no end. It is its own parent.
    ends: Vec<End>,
    /// How many bytes the ends take.
    bytes: usize,
    /// How many bytes they may take.
    bytes_max: usize,
}

impl Segments {
    /// Frees what only the earlier segments needed: the memo, and all states but those of the ends in `frontier`.
    fn forget<M: Moves>(&mut self, search: &mut Search<'_, '_, M>, frontier: std::ops::Range<usize>) {
        search.memo.clear();
        let ends = &mut self.ends[frontier];
        let mut states: Vec<u32> = ends.iter().map(|end| end.state).collect();
        search.moves.keep_only(&mut states);
        for (end, state) in ends.iter_mut().zip(states) {
            end.state = state;
        }
    }

    /// Collects every end of one segment that can be reached from one end of the previous segment. In the last
    /// segment one end is enough, which is then returned.
    fn explore<M: Moves>(
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
            search.held = self.bytes;
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

    /// Frees the ends from which no end of the next segment was reached, and then the earlier ends that lead
    /// only to those.
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
        let mut paths = Vec::new();
        let mut end = last;
        while end != 0 {
            paths.push(&self.ends[end].path);
            end = self.ends[end].parent as usize;
        }
        paths.into_iter().rev().flatten().copied().collect()
    }
}
