//! A script's draws, one after the other.

use keyed::{Domain, Draw, Keyed, Ratio};

const SCRIPT: Domain = Domain::new("conformance script");

/// The draws of one script.
pub struct Draws {
    keyed: Keyed,
    drawn: u64,
}

impl Draws {
    /// The draws of a seed.
    pub fn new(seed: u64) -> Draws {
        Draws { keyed: Keyed::new(seed, SCRIPT), drawn: 0 }
    }

    fn next(&mut self) -> Draw {
        self.drawn += 1;
        self.keyed.draw(0, self.drawn)
    }

    /// A number in `0..bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next().below(bound)
    }

    /// A number in `low..=high`.
    pub fn within(&mut self, low: i64, high: i64) -> i64 {
        low + self.next().below((high - low + 1) as u64) as i64
    }

    /// True in so many of a hundred draws.
    pub fn percent(&mut self, percent: u32) -> bool {
        self.next().happens(Ratio::percent(percent))
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        *self.next().pick(choices)
    }

    /// The index of one of these weights.
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        self.next().weighted(weights)
    }
}
