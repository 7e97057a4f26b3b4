//! Finds out whether a few operations of a register are a conflict on their own. Explanations ask this very
//! often, so it is a small search over bit sets ([`super::pieces`]). A question takes a few microseconds, and
//! after the first few questions nothing is allocated.
//!
//! [`crate::validate`] defines what a conflict is and which operations outside it could matter to it. This file
//! applies the same definition to numbers.

use crate::history::History;
use crate::model::{Model, RegisterOp};
use crate::order::{self, NEVER};
use crate::slice::Slice;

use super::columns::{INITIAL, Kind, NONE};
use super::pieces::{OTHER, Piece, Pieces, bits};
use super::relaxed;
use super::rows::{self, Row};

/// Answers, for many sets of operations of one component, whether the set is a conflict. Each time it is asked is a
/// *question*.
pub(crate) struct SubsetCheck {
    /// All operations, as rows in the order of calls. Operations that cannot matter are missing.
    rows: Vec<Row>,
    /// By row: the position of its return.
    ret: Vec<u32>,
    /// By value: its number in the current question, if a row of the question looks for it; [`OTHER`] if none
    /// does.
    looked_for: Vec<u32>,
    /// The rows that take part in the current question.
    pieces: Pieces,
    /// The configurations of the current question.
    open: Open,
}

/// Whether an operation is of the same kind when its answer is forgotten. A swap is not: with its answer it is
/// a compare-and-set from the answered value, and without it a write.
fn is_same_without_answer<M: Model>(model: &M, history: &History<M::Input, M::Output>, row: &Row) -> bool {
    let operation = history.operation(row.index);
    match (row.kind, model.as_register(&operation.input, None)) {
        (Kind::Write, Some(RegisterOp::Write(_))) | (Kind::Cas, Some(RegisterOp::Cas { .. })) => true,
        (Kind::Write | Kind::Cas, _) => false,
        _ => true,
    }
}

/// A question is given up after this many configurations.
const CONFIGURATIONS_MAX: usize = 1 << 12;

impl SubsetCheck {
    /// Prepares questions about these operations of one component. `None` if one of them is not one of a register, is
    /// an append, or is of another kind when its answer is forgotten.
    pub(crate) fn new<M: Model>(
        model: &M,
        history: &History<M::Input, M::Output>,
        operations: &[u32],
    ) -> Option<SubsetCheck> {
        let (rows, values) =
            rows::of_slice(model, history, &Slice::whole(operations), model.register_start()?)?;
        let usable = |row: &Row| row.kind != Kind::Append && is_same_without_answer(model, history, row);
        if !rows.iter().all(usable) {
            return None;
        }
        let call = |place: usize| rows[place].call;
        let returned = |(place, row): (usize, &Row)| match row.answered {
            true => order::return_position(place, row.at, rows.len(), call),
            false => NEVER,
        };
        Some(SubsetCheck {
            ret: rows.iter().enumerate().map(returned).collect(),
            looked_for: vec![OTHER; values.len()],
            pieces: Pieces::default(),
            open: Open::new(),
            rows,
        })
    }

    /// The operation of each row, by its index in the history.
    pub(crate) fn operations(&self) -> Vec<u32> {
        self.rows.iter().map(|row| row.index).collect()
    }

    /// The operations outside this set of rows that could matter to it.
    pub(crate) fn supporting(&mut self, kept: &[u32]) -> Vec<u32> {
        self.collect_pieces(kept);
        let outside = self.pieces.all.iter().filter(|piece| piece.outside());
        outside.map(|piece| self.rows[piece.row as usize].index).collect()
    }

    /// Whether these rows, in the order of calls, are a conflict; `None` if that would take too long to find
    /// out.
    pub(crate) fn is_conflict(&mut self, kept: &[u32]) -> Option<bool> {
        if !self.collect_pieces(kept) {
            return None;
        }
        self.pieces.build_sets();
        let start = (0, self.looked_for[INITIAL as usize]);
        let relaxed = |done, value, open: &mut Open| relaxed::expand(&self.pieces, done, value, open);
        if self.open.all_fail(start, relaxed) == Some(true) {
            return Some(true);
        }
        self.open.all_fail(start, |done, value, open| expand(&self.pieces, done, value, open))
    }

    /// Collects the pieces of a question; returns whether they are few enough.
    fn collect_pieces(&mut self, kept: &[u32]) -> bool {
        let end = kept.iter().map(|&row| self.ret[row as usize]).max().unwrap_or(0);
        let (values, negated) = self.look_for(kept, end);
        self.pieces.all.clear();
        let mut next_kept = kept.iter().copied().peekable();
        for (place, row) in self.rows.iter().enumerate() {
            let call = order::call_position(place);
            if call > end || self.pieces.too_many() {
                break;
            }
            let number = |value: u32| if value == NONE { NONE } else { self.looked_for[value as usize] };
            let (kind, expected, new) = (row.kind, number(row.expected), number(row.new));
            if next_kept.next_if_eq(&(place as u32)).is_some() {
                self.pieces.all.push(Piece {
                    kind,
                    expected,
                    new,
                    call,
                    row: NONE,
                    ret: self.ret[place],
                    twin: 0,
                });
            } else if matches!(kind, Kind::Write | Kind::Cas) && (negated || new != OTHER) {
                let piece = Piece { kind, expected, new, call, row: place as u32, ret: NEVER, twin: 0 };
                self.pieces.add_outside(piece, kept.len());
            }
        }
        values < OTHER && !self.pieces.too_many()
    }

    /// Numbers the values that these rows look for. If a compare-and-set called before `end` can make one of
    /// them, the value that it expects is numbered too. Returns how many values have numbers, and whether one
    /// of the rows is a negative observation.
    fn look_for(&mut self, kept: &[u32], end: u32) -> (u32, bool) {
        self.looked_for.fill(OTHER);
        let mut values = 0;
        let mut look_for = |looked_for: &mut u32| {
            let first_time = *looked_for == OTHER;
            if first_time {
                *looked_for = values;
                values += u32::from(values < OTHER);
            }
            first_time
        };
        let mut negated = false;
        for &row in kept {
            let Row { kind, expected, .. } = self.rows[row as usize];
            negated |= kind == Kind::Negative;
            if expected != NONE {
                look_for(&mut self.looked_for[expected as usize]);
            }
        }
        // Calls have the positions 2, 4, 6, …, so these are the rows called by `end`.
        let in_time = self.rows.len().min(end as usize / 2);
        let mut changed = true;
        while std::mem::take(&mut changed) {
            for row in self.rows[..in_time].iter().filter(|row| row.kind == Kind::Cas) {
                if negated || self.looked_for[row.new as usize] != OTHER {
                    changed |= look_for(&mut self.looked_for[row.expected as usize]);
                }
            }
        }
        (values, negated)
    }
}

/// Adds the configurations that may follow this one to `open`. Returns whether this one is an end: every piece
/// that must take effect is done.
fn expand(pieces: &Pieces, mut done: u64, value: u32, open: &mut Open) -> bool {
    let mut in_time;
    loop {
        let Some(first) = pieces.returns_first(done) else { return true };
        in_time = pieces.called_before_return(first) & !done;
        // Reads that are right and may come next change nothing, so they come at once.
        let right = in_time & pieces.right(value);
        if right == 0 {
            break;
        }
        done |= right;
    }
    // Leaving a value for good is a dead end if a row still has to see it.
    let observers = pieces.must_see(value) & !done;
    let stuck = observers != 0 && pieces.set(value) & !done == 0;
    for at in bits(in_time & pieces.may_change(value)) {
        let (piece, bit) = (&pieces.all[at], 1 << at);
        let leaves = stuck && observers & !bit != 0;
        // A piece that need not take effect is idle in two cases. A twin called before it is not done yet:
        // trying that one is enough. Or no piece needs the value it sets, or needs the current value to go.
        let idle = piece.ret == NEVER
            && (piece.twin & !done != 0
                || in_time & !bit & (pieces.look_at(piece.new) | pieces.wrong_at(value)) == 0);
        if !leaves && !idle {
            open.add(done | bit, piece.new);
        }
    }
    false
}

/// The configurations of a question, each a set of pieces that are done and a value.
pub(super) struct Open {
    /// Those that still have to be expanded.
    waiting: Vec<(u64, u32)>,
    /// A hash table of all that were met. Invariant: the length is a power of two, and at most half of the
    /// slots are full.
    met: Vec<Slot>,
    /// How many slots are full.
    used: usize,
    /// The number of the question. A new number empties the table.
    round: u32,
}

/// A slot of the hash table. It is empty unless its round is the current one.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// The pieces that are done, one bit each.
    done: u64,
    /// The value of the register.
    value: u32,
    /// The number of the question for which the slot was filled.
    round: u32,
}

impl Open {
    fn new() -> Open {
        Open { waiting: Vec::new(), met: vec![Slot::default(); 256], used: 0, round: 0 }
    }

    /// Expands `start` and every configuration that `expand` adds. Returns whether none of them is an end;
    /// `None` if there are too many.
    fn all_fail(
        &mut self,
        start: (u64, u32),
        mut expand: impl FnMut(u64, u32, &mut Open) -> bool,
    ) -> Option<bool> {
        self.round += 1;
        self.used = 0;
        self.waiting.clear();
        self.waiting.push(start);
        let mut configurations = 0;
        while let Some((done, value)) = self.waiting.pop() {
            configurations += 1;
            if configurations > CONFIGURATIONS_MAX {
                return None;
            }
            if expand(done, value, self) {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Adds a configuration to expand, unless it was met before.
    pub(super) fn add(&mut self, done: u64, value: u32) {
        if self.insert(done, value) {
            self.waiting.push((done, value));
        }
    }

    /// Adds a configuration. Returns false if it was met before.
    fn insert(&mut self, done: u64, value: u32) -> bool {
        let mask = self.met.len() - 1;
        let hash = (done ^ u64::from(value) << 57 ^ u64::from(value)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut slot = (hash >> 32) as usize & mask;
        while self.met[slot].round == self.round {
            if (self.met[slot].done, self.met[slot].value) == (done, value) {
                return false;
            }
            slot = (slot + 1) & mask;
        }
        self.met[slot] = Slot { done, value, round: self.round };
        self.used += 1;
        if self.used * 2 > self.met.len() {
            self.grow();
        }
        true
    }

    fn grow(&mut self) {
        let empty = vec![Slot::default(); self.met.len() * 2];
        let old = std::mem::replace(&mut self.met, empty);
        let round = self.round;
        self.used = 0;
        for Slot { done, value, .. } in old.into_iter().filter(|slot| slot.round == round) {
            self.insert(done, value);
        }
    }
}
