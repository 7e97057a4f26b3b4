//! At most 64 rows (operations) of a register, prepared so that sets of them fit into a `u64` with one bit for each.
//!
//! [`super::subset`] asks whether some operations, the *set in question*, are a conflict on their own: whether they
//! have no order whatever the others did. The rows of that set, and the rows outside it that could matter to them,
//! are the *pieces* of the question.

use crate::order::NEVER;

use super::columns::{Kind, NONE};

/// The number of all values that no piece looks for (reads or compares with). The values that some piece looks for
/// have lower numbers.
pub(super) const OTHER: u32 = 63;

/// How many pieces fit into a `u64`.
const PIECES_MAX: usize = 64;

/// A row that takes part in a question. The fields without a comment are those of the row's columns.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) expected: u32,
    pub(super) new: u32,
    pub(super) call: u32,
    /// The row if it is outside the set in question; [`NONE`] if it is in the set.
    pub(super) row: u32,
    /// [`NEVER`] for rows outside the set in question: they need not take effect.
    pub(super) ret: u32,
    /// For a row outside the set in question: the bit of the last outside row before it that does the same, or
    /// 0.
    pub(super) twin: u64,
}

impl Piece {
    /// Whether it is outside the set in question.
    pub(super) fn outside(&self) -> bool {
        self.row != NONE
    }
}

/// The pieces of one question, in the order of calls, and sets of them by what they do.
#[derive(Default)]
pub(super) struct Pieces {
    pub(super) all: Vec<Piece>,
    /// The pieces that must take effect, in the order of their returns.
    returns: Vec<Return>,
    /// The pieces that write.
    writes: u64,
    /// The pieces that are negative observations.
    negatives: u64,
    /// The pieces outside the set in question.
    outside: u64,
    /// By value: the pieces that do something with it.
    by_value: Vec<ByValue>,
}

/// The return of a piece that must take effect. Sorts by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Return {
    position: u32,
    /// The piece's index in [`Pieces::all`].
    piece: u32,
    /// The set of pieces called before it.
    called_before: u64,
}

/// The sets of pieces that do something with one value.
#[derive(Clone, Copy, Default)]
struct ByValue {
    /// Those that read it.
    reads: u64,
    /// Those that saw that it was not there.
    negatives: u64,
    /// Those that expect it and set another value.
    swaps: u64,
    /// Those that set it.
    sets: u64,
    /// Those of `reads` and `swaps` that must take effect.
    must_see: u64,
}

impl Pieces {
    /// Whether there are more pieces than the quick test can handle.
    pub(super) fn too_many(&self) -> bool {
        self.all.len() > PIECES_MAX
    }

    /// Adds a piece outside the set in question, unless there are `enough` others that do the same already.
    pub(super) fn add_outside(&mut self, piece: Piece, enough: usize) {
        let does = |piece: &Piece| (piece.kind, piece.expected, piece.new);
        let (mut count, mut twin) = (0, 0);
        for (at, other) in self.all.iter().enumerate() {
            if other.outside() && does(other) == does(&piece) {
                (count, twin) = (count + 1, bit(at));
            }
        }
        if count < enough {
            self.all.push(Piece { twin, ..piece });
        }
    }

    /// Builds the sets, after all pieces were added.
    pub(super) fn build_sets(&mut self) {
        (self.writes, self.negatives, self.outside) = (0, 0, 0);
        self.by_value.clear();
        self.by_value.resize(OTHER as usize + 1, ByValue::default());
        self.returns.clear();
        for (at, piece) in self.all.iter().enumerate() {
            let bit = bit(at);
            self.outside |= if piece.outside() { bit } else { 0 };
            if piece.ret != NEVER {
                let before = self.all.partition_point(|other| other.call < piece.ret);
                let called_before = first(before);
                self.returns.push(Return { position: piece.ret, piece: at as u32, called_before });
            }
            if piece.expected != NONE {
                let value = &mut self.by_value[piece.expected as usize];
                match piece.kind {
                    Kind::Read => value.reads |= bit,
                    Kind::Negative => value.negatives |= bit,
                    _ => value.swaps |= bit,
                }
                value.must_see |= if piece.ret != NEVER && piece.kind != Kind::Negative { bit } else { 0 };
            }
            if piece.new != NONE {
                self.by_value[piece.new as usize].sets |= bit;
            }
            match piece.kind {
                Kind::Write => self.writes |= bit,
                Kind::Negative => self.negatives |= bit,
                _ => {}
            }
        }
        self.returns.sort_unstable();
    }

    /// The place in `returns` of the first return among the pieces that must take effect and are not done.
    pub(super) fn returns_first(&self, done: u64) -> Option<usize> {
        self.returns.iter().position(|entry| done & bit(entry.piece as usize) == 0)
    }

    /// The pieces called before a return.
    pub(super) fn called_before_return(&self, place: usize) -> u64 {
        self.returns[place].called_before
    }

    /// The pieces outside the set in question.
    pub(super) fn outside(&self) -> u64 {
        self.outside
    }

    /// The pieces that change nothing and whose answers are right when the register has this value.
    pub(super) fn right(&self, value: u32) -> u64 {
        let by_value = &self.by_value[value as usize];
        by_value.reads | self.negatives & !by_value.negatives
    }

    /// The pieces that saw that this value was not there.
    pub(super) fn wrong_at(&self, value: u32) -> u64 {
        self.by_value[value as usize].negatives
    }

    /// The pieces that can take effect only when the register has this value.
    pub(super) fn look_at(&self, value: u32) -> u64 {
        let by_value = &self.by_value[value as usize];
        by_value.reads | by_value.swaps
    }

    /// The pieces that must take effect and look for this value.
    pub(super) fn must_see(&self, value: u32) -> u64 {
        self.by_value[value as usize].must_see
    }

    /// The pieces that set this value.
    pub(super) fn set(&self, value: u32) -> u64 {
        self.by_value[value as usize].sets
    }

    /// The pieces that may change this value into another.
    pub(super) fn may_change(&self, value: u32) -> u64 {
        self.writes | self.by_value[value as usize].swaps
    }
}

/// The set that contains only the piece at this place.
pub(super) fn bit(at: usize) -> u64 {
    1 << at
}

/// The set of the first `count` pieces.
fn first(count: usize) -> u64 {
    if count < PIECES_MAX { bit(count) - 1 } else { u64::MAX }
}

/// The places of the pieces in a set, ascending.
pub(super) fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = set.trailing_zeros() as usize;
        (set != 0).then(|| {
            set &= set - 1;
            at
        })
    })
}
