//! Random requests on several keys, for [`super::generate`].

use crate::wide::{Compare, Keys, Range, Relation, Step, Target, Transaction};

/// Random numbers and requests. The numbers come from splitmix64 (Steele, Lea, Flood 2014).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The next 64 random bits.
    pub(super) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A random number below `bound`.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        (((self.draw() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// An interval of the first `count` keys: often a few, sometimes all or none.
    pub(super) fn keys(&mut self, count: u32) -> Keys {
        let from = self.below(count);
        match self.below(8) {
            0 => Keys::all(),
            1 => Keys::range(from, self.below(count)),
            2..5 => Keys::one(from),
            _ => Keys::range(from, from + 1 + self.below(8)),
        }
    }

    /// A request to a store with `keys` keys at a revision. It sets `value`, if it sets anything.
    pub(super) fn request(&mut self, keys: u32, revision: u32, value: u32) -> Transaction {
        let success = match self.below(10) {
            0..4 => vec![self.range(keys, revision)],
            4..6 => vec![Step::Delete(self.keys(keys))],
            6 => vec![self.put(keys, value)],
            _ => return self.transaction(keys, revision, value, true),
        };
        Transaction { success, ..Transaction::default() }
    }

    /// A transaction with compares and two branches. Only an outer one can have another one nested in it.
    fn transaction(&mut self, keys: u32, revision: u32, value: u32, outer: bool) -> Transaction {
        let compares = (0..self.below(3)).map(|_| self.compare(keys, revision, value)).collect();
        let success = self.steps(keys, revision, value, outer);
        let failure = self.steps(keys, revision, value, outer);
        Transaction { compares, success, failure }
    }

    /// A few steps. No two of them change the same key, which the store would refuse.
    fn steps(&mut self, keys: u32, revision: u32, value: u32, outer: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.below(3) == 0 {
            steps.push(self.range(keys, revision));
        }
        match self.below(if outer { 6 } else { 4 }) {
            0 => steps.push(Step::Delete(self.keys(keys))),
            1 => steps.push(self.put(keys, value)),
            2 if outer && keys > 1 => {
                let first = self.below(keys - 1);
                steps.extend([first, first + 1].map(|key| Step::Put { key, value: Some(value) }));
            }
            4 => steps.push(Step::Nested(self.transaction(keys, revision, value, false))),
            _ => {}
        }
        if self.below(3) == 0 {
            steps.push(self.range(keys, revision));
        }
        steps
    }

    /// A put of a random key. One in four keeps the key's value.
    fn put(&mut self, keys: u32, value: u32) -> Step {
        let value = (self.below(4) > 0).then_some(value);
        Step::Put { key: self.below(keys), value }
    }

    /// A range of random keys. One in four reads an earlier revision.
    fn range(&mut self, keys: u32, revision: u32) -> Step {
        Step::Range(Range {
            keys: self.keys(keys),
            at: (self.below(4) == 0).then(|| 1 + self.below(revision)),
            limit: self.below(4),
            count_only: self.below(8) == 0,
            keys_only: self.below(8) == 0,
        })
    }

    /// A random condition.
    fn compare(&mut self, keys: u32, revision: u32, value: u32) -> Compare {
        let target = match self.below(4) {
            0 => Target::Value(1 + self.below(value)),
            1 => Target::Version(self.below(3)),
            2 => Target::Created(self.below(revision + 1)),
            _ => Target::Modified(self.below(revision + 1)),
        };
        let relation = match self.below(4) {
            0 => Relation::Equal,
            1 => Relation::NotEqual,
            2 => Relation::Less,
            _ => Relation::Greater,
        };
        Compare { keys: self.keys(keys), target, relation }
    }
}
