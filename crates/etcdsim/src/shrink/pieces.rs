//! Delta debugging: drops as many of a plan's things as it can, first large pieces, then halves of them, down to single
//! things (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002).

use plan::Plan;

use super::trial::Trial;

/// The things of one sort that a plan has.
pub(super) struct Things {
    /// How many there are.
    pub count: fn(&Plan) -> usize,
    /// Removes from the plan those that are not to be kept; the function is asked about each number.
    pub retain: fn(&mut Plan, &dyn Fn(usize) -> bool),
}

/// Up to how many pieces each is tried alone, without all others; our choice. With many small pieces that never works.
const ALONE: usize = 8;

/// Drops what it can, in pieces that are not smaller than the trial wants at the moment.
pub(super) fn drop_pieces(trial: &mut Trial<'_>, things: &Things) {
    let without = |plan: &Plan, keep: &dyn Fn(usize) -> bool| {
        let mut plan = plan.clone();
        (things.retain)(&mut plan, keep);
        plan
    };
    let mut size = (things.count)(trial.best());
    while size > 0 && !trial.over() {
        if (things.count)(trial.best()).div_ceil(size) > trial.pieces_max() {
            return;
        }
        only_one_piece(trial, things, &mut size);
        // From the end: what comes late is more often needed by nothing else.
        let mut end = (things.count)(trial.best());
        while end > 0 {
            let pieces = end.div_ceil(size);
            let piece = |nth: usize| end.saturating_sub((nth + 1) * size)..end - nth * size;
            let found = trial.first(pieces, &|plan, nth| {
                let piece = piece(nth);
                Some(without(plan, &|number| !piece.contains(&number)))
            });
            match found {
                Some(nth) => end = piece(nth).start,
                None => break,
            }
        }
        if size == 1 {
            return;
        }
        size = size.min((things.count)(trial.best())).div_ceil(2);
    }
}

/// Keeps a single piece of this size, as often as one is enough.
fn only_one_piece(trial: &mut Trial<'_>, things: &Things, size: &mut usize) {
    loop {
        let (count, piece) = ((things.count)(trial.best()), *size);
        let pieces = count.div_ceil(piece.max(1));
        if !(3..=ALONE).contains(&pieces) {
            return;
        }
        let found = trial.first(pieces, &|plan, nth| {
            let mut plan = plan.clone();
            (things.retain)(&mut plan, &|number| number / piece == nth);
            Some(plan)
        });
        if found.is_none() {
            return;
        }
        *size = piece.div_ceil(2);
    }
}
