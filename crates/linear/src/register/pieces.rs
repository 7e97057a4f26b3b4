//! At most 64 rows of a register, and sets of them as words.

use crate::order::NEVER;

use super::columns::{Kind, NONE};

/// The number of all values that nobody looks for. Those that somebody looks for have lower numbers.
pub(super) const OTHER: u32 = 63;

/// So many fit into a word.
const PIECES_MAX: usize = 64;

/// A row that takes part in a question.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) a: u32,
    pub(super) b: u32,
    pub(super) call: u32,
    /// The row, if it is outside the set in question.
    pub(super) row: u32,
    /// [`NEVER`] for rows outside the set in question: they need not take effect.
    pub(super) ret: u32,
    /// Of a row outside: the one before it that does the same, as a set.
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
    /// The pieces that must take effect, by return, and all that are called before that return.
    returns: Vec<(u32, u32, u64)>,
    writes: u64,
    nots: u64,
    outside: u64,
    /// By value.
    by_value: Vec<ByValue>,
}

/// What pieces do with one value, as sets of them.
#[derive(Clone, Copy, Default)]
struct ByValue {
    reads: u64,
    nots: u64,
    swaps: u64,
    sets: u64,
    must_see: u64,
}

impl Pieces {
    pub(super) fn too_many(&self) -> bool {
        self.all.len() > PIECES_MAX
    }

    /// Adds a piece outside the set in question, unless there are `enough` that do the same.
    pub(super) fn add_outside(&mut self, piece: Piece, enough: usize) {
        let does = |piece: &Piece| (piece.kind, piece.a, piece.b);
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

    /// Collects the sets.
    pub(super) fn index(&mut self) {
        (self.writes, self.nots, self.outside) = (0, 0, 0);
        self.by_value.clear();
        self.by_value.resize(OTHER as usize + 1, ByValue::default());
        self.returns.clear();
        for (at, piece) in self.all.iter().enumerate() {
            let bit = bit(at);
            self.outside |= if piece.outside() { bit } else { 0 };
            if piece.ret != NEVER {
                let before = self.all.partition_point(|other| other.call < piece.ret);
                self.returns.push((piece.ret, at as u32, first(before)));
            }
            if piece.a != NONE {
                let value = &mut self.by_value[piece.a as usize];
                match piece.kind {
                    Kind::Read => value.reads |= bit,
                    Kind::Not => value.nots |= bit,
                    _ => value.swaps |= bit,
                }
                value.must_see |= if piece.ret != NEVER && piece.kind != Kind::Not { bit } else { 0 };
            }
            if piece.b != NONE {
                self.by_value[piece.b as usize].sets |= bit;
            }
            match piece.kind {
                Kind::Write => self.writes |= bit,
                Kind::Not => self.nots |= bit,
                _ => {}
            }
        }
        self.returns.sort_unstable();
    }

    /// Of the pieces that must take effect and are not done, the place in `returns` of the first to return.
    pub(super) fn returns_first(&self, done: u64) -> Option<usize> {
        self.returns.iter().position(|&(_, at, _)| done & bit(at as usize) == 0)
    }

    /// All that are called before a return.
    pub(super) fn called_before_return(&self, place: usize) -> u64 {
        self.returns[place].2
    }

    /// Those outside the set in question.
    pub(super) fn outside(&self) -> u64 {
        self.outside
    }

    /// Those that only look, and are right at this value.
    pub(super) fn right(&self, value: u32) -> u64 {
        let by_value = &self.by_value[value as usize];
        by_value.reads | self.nots & !by_value.nots
    }

    /// Those that look whether this value is absent.
    pub(super) fn wrong_at(&self, value: u32) -> u64 {
        self.by_value[value as usize].nots
    }

    /// Those that look for this value.
    pub(super) fn look_at(&self, value: u32) -> u64 {
        let by_value = &self.by_value[value as usize];
        by_value.reads | by_value.swaps
    }

    /// Those that must take effect and look for this value.
    pub(super) fn must_see(&self, value: u32) -> u64 {
        self.by_value[value as usize].must_see
    }

    /// Those that set this value.
    pub(super) fn set(&self, value: u32) -> u64 {
        self.by_value[value as usize].sets
    }

    /// Those that set another value than this.
    pub(super) fn may_change(&self, value: u32) -> u64 {
        self.writes | self.by_value[value as usize].swaps
    }
}

/// The set of one piece.
pub(super) fn bit(at: usize) -> u64 {
    1 << at
}

/// The set of the first so many pieces.
fn first(count: usize) -> u64 {
    if count < PIECES_MAX { bit(count) - 1 } else { u64::MAX }
}

/// The places in a set, ascending.
pub(super) fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = set.trailing_zeros() as usize;
        (set != 0).then(|| {
            set &= set - 1;
            at
        })
    })
}
