//! The trace hash: a 128-bit hash over all events of a run, in order. The same plan must always give the same
//! hash (rule R4 of `ARCHITECTURE.md`), which proves that a run can be repeated exactly.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_128;

/// The hash of the events so far. Two runs with the same hash took the same steps in the same order at the same
/// times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceHash(u128);

/// How many bytes enter the hash at a time. Per byte, hashing a long block costs a tenth of what hashing single events
/// does.
const BLOCK: usize = 1024;

/// Where the events of a block begin: its first bytes are the hash of everything before it.
const FIRST: usize = 16;

/// Computes a [`TraceHash`].
///
/// Numbers are collected in a block; a full block, which begins with the hash of the blocks before it, is hashed at
/// once.
#[derive(Clone, Debug)]
pub struct TraceHasher {
    block: Box<[u8; BLOCK]>,
    /// How many bytes of the block are used. Invariant: between [`FIRST`] and [`BLOCK`], and a multiple of 8.
    used: usize,
}

impl Default for TraceHasher {
    fn default() -> TraceHasher {
        TraceHasher { block: Box::new([0; BLOCK]), used: FIRST }
    }
}

impl TraceHasher {
    /// Adds a part of an event, which its caller has turned into numbers. Equal sequences of numbers have equal hashes,
    /// however they are divided into parts, so the numbers must say where a part ends.
    #[inline]
    pub fn absorb(&mut self, numbers: &[u64]) {
        match self.block.get_mut(self.used..self.used + 8 * numbers.len()) {
            Some(space) => {
                for (bytes, number) in space.chunks_exact_mut(8).zip(numbers) {
                    bytes.copy_from_slice(&number.to_le_bytes());
                }
                self.used += 8 * numbers.len();
            }
            None => self.absorb_over_blocks(numbers),
        }
    }

    /// Adds numbers that do not fit into what is left of the block.
    #[inline(never)]
    fn absorb_over_blocks(&mut self, numbers: &[u64]) {
        for number in numbers {
            if self.used == BLOCK {
                self.end_block();
            }
            self.block[self.used..self.used + 8].copy_from_slice(&number.to_le_bytes());
            self.used += 8;
        }
    }

    /// Puts the hash of the block where the next one begins.
    fn end_block(&mut self) {
        let hash = self.hash();
        self.block[..FIRST].copy_from_slice(&hash.0.to_le_bytes());
        self.used = FIRST;
    }

    /// The hash of all numbers so far.
    pub fn hash(&self) -> TraceHash {
        TraceHash(xxh3_128(&self.block[..self.used]))
    }
}

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::str::FromStr for TraceHash {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(TraceHash)
    }
}

impl Serialize for TraceHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The digest of some bytes: a 64-bit hash that stands for a payload in a fact.
#[inline]
pub fn digest(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(numbers: impl IntoIterator<Item = u64>) -> TraceHash {
        let mut hasher = TraceHasher::default();
        numbers.into_iter().for_each(|number| hasher.absorb(&[number]));
        hasher.hash()
    }

    #[test]
    fn order_length_and_content_all_count() {
        let all = [
            hash_of([]),
            hash_of([1, 2]),
            hash_of([2, 1]),
            hash_of([1, 2, 0]),
            hash_of(0..500),
            hash_of(0..499),
            hash_of((0..500).map(|number| number ^ u64::from(number == 3))),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other != one));
        }
        assert_eq!(all[0].to_string().parse(), Ok(all[0]));
    }

    #[test]
    fn the_parts_do_not_count() {
        let numbers: Vec<u64> = (0..700).collect();
        for length in [1, 3, 12, 126, 127, 700] {
            let mut hasher = TraceHasher::default();
            numbers.chunks(length).for_each(|part| hasher.absorb(part));
            assert_eq!(hasher.hash(), hash_of(0..700), "parts of {length}");
        }
    }
}
