//! Chooses the row that the search tries next. (The head of `search/mod.rs` explains rows, classes and spare rows.)
//!
//! Each time it is asked after the same configuration, [`Search::choose`] returns another row, until all rows that
//! may come next were tried. They are tried in the order of their ranks, and a spare row last.

use super::{Moves, Search};

/// The value of `Frame::tried` after a spare row was tried. It is greater than the key of every row (`Search::key`).
const SPARE_TRIED: u64 = u64::MAX - 1;

/// The classes of rows that one scan of the open rows has met. A class is a set of rows that do the same; only its
/// row that must return first is tried.
pub(super) struct Classes {
    /// By class: the row to try, as `(return, row)`. Valid if `stamps` has the number of the current scan.
    best: Vec<(u32, u32)>,
    /// By class: the number of the last scan that met it.
    stamps: Vec<u32>,
    /// The number of the current scan.
    stamp: u32,
    /// The classes that the current scan has met.
    met: Vec<u32>,
}

impl Classes {
    pub(super) fn new(classes: usize) -> Classes {
        Classes { best: vec![(0, 0); classes], stamps: vec![0; classes], stamp: 0, met: Vec::new() }
    }

    /// Begins a new scan, in which no class has been met.
    #[inline]
    fn begin(&mut self) {
        self.stamp += 1;
        self.met.clear();
    }

    /// Makes this row the one to try of its class, unless a row of the class that this scan met before must return
    /// sooner.
    #[inline]
    fn meet(&mut self, class: u32, ret: u32, row: u32) {
        let at = class as usize;
        let candidate = (ret, row);
        if self.stamps[at] != self.stamp {
            self.stamps[at] = self.stamp;
            self.best[at] = candidate;
            self.met.push(class);
        } else if candidate < self.best[at] {
            self.best[at] = candidate;
        }
    }

    /// The row to try of each class that was met.
    #[inline]
    fn rows(&self) -> impl Iterator<Item = u32> {
        self.met.iter().map(|&class| self.best[class as usize].1)
    }
}

/// The result of a scan of the rows that may come next.
struct Scan {
    /// The key (`Search::key`) of the row to try: of those that have not been tried, the one with the least rank.
    /// `u64::MAX` if there is none.
    least: u64,
    /// Whether there is a read that is wrong now and would be right after a spare row.
    wants_spare: bool,
    /// Rows called at or after this position may not come next, because an open row returned before.
    until: u32,
}

impl<M: Moves> Search<'_, '_, M> {
    /// The row to try next after the current configuration: of those that may come next and have not been tried, the
    /// one with the least rank. It counts as tried from now on. `None` if all were tried.
    pub(super) fn choose(&mut self) -> Option<u32> {
        let frame = self.frames.last()?;
        let (tried, unused) = (frame.tried, frame.unused);
        let Scan { least, wants_spare, until } = self.scan(tried, unused);
        if least != u64::MAX {
            self.frames.last_mut()?.tried = least;
            return Some((least - 1) as u32);
        }
        let &spare = self.spare.get(self.spare_used).filter(|_| wants_spare && !unused)?;
        let next = self.problem.call[spare as usize] < until && self.moves.possible(self.state, spare);
        if !next || tried >= SPARE_TRIED {
            return None;
        }
        self.frames.last_mut()?.tried = SPARE_TRIED;
        Some(spare)
    }

    /// The row's key: a number above 0 that sorts rows by rank, then by row. The lower 32 bits are the row plus 1.
    #[inline]
    fn key(&self, row: u32) -> u64 {
        (u64::from(self.problem.rank[row as usize]) << 32 | u64::from(row)) + 1
    }

    /// Looks at all rows that may come next, except spare rows. Rows whose key is at most `tried` were tried before.
    /// `unused` is that of the last frame: if it is true, only rows that depend on the state are looked for.
    fn scan(&mut self, tried: u64, unused: bool) -> Scan {
        self.classes.begin();
        let mut least = u64::MAX;
        let mut wants_spare = false;
        let mut row = self.open.first();
        let until = self.open.earliest_return().min(self.bound);
        while row != self.open.end() && self.problem.call[row as usize] < until {
            let candidate = row;
            row = self.open.after(row);
            self.scanned += 1;
            if self.moves.is_read(candidate) {
                wants_spare |= self.moves.wants_spare(candidate);
                continue;
            }
            if unused && !self.moves.looks_at_state(candidate) || !self.moves.possible(self.state, candidate)
            {
                continue;
            }
            // `u32::MAX` means that no other row does the same.
            let class = self.moves.class(candidate);
            if class != u32::MAX {
                self.classes.meet(class, self.problem.ret[candidate as usize], candidate);
                continue;
            }
            let key = self.key(candidate);
            if key > tried && key < least {
                least = key;
            }
        }
        for row in self.classes.rows() {
            let key = self.key(row);
            if key > tried && key < least {
                least = key;
            }
        }
        Scan { least, wants_spare, until }
    }
}
