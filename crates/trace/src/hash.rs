//! The trace hash: a 128-bit hash over all events of a run, in order. The same plan must always give the same
//! hash (rule R4 of `ARCHITECTURE.md`), which proves that a run can be repeated exactly.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The hash of the events so far. Two runs with the same hash took the same steps in the same order at the same
/// times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceHash(u128);

impl TraceHash {
    /// Adds one event, which its caller has turned into numbers.
    #[inline]
    pub fn absorb(&mut self, numbers: &[u64]) {
        // The hash so far (16 bytes), then up to 14 numbers.
        let mut bytes = [0_u8; 8 * 16];
        for chunk in numbers.chunks(14) {
            bytes[..16].copy_from_slice(&self.0.to_le_bytes());
            for (at, number) in chunk.iter().enumerate() {
                bytes[16 + 8 * at..24 + 8 * at].copy_from_slice(&number.to_le_bytes());
            }
            self.0 = xxh3_128_with_seed(&bytes[..16 + 8 * chunk.len()], chunk.len() as u64);
        }
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

    #[test]
    fn order_length_and_content_all_count() {
        let hash = |parts: &[&[u64]]| {
            let mut hash = TraceHash::default();
            parts.iter().for_each(|words| hash.absorb(words));
            hash
        };
        let long: Vec<u64> = (0..40).collect();
        let all = [
            hash(&[&[1], &[2]]),
            hash(&[&[2], &[1]]),
            hash(&[&[1, 2]]),
            hash(&[&[1, 2, 0]]),
            hash(&[&long]),
            hash(&[&long[..39]]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other != one));
        }
        assert_eq!(all[0].to_string().parse(), Ok(all[0]));
    }
}
