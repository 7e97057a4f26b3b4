//! The configurations that the search has visited, so that it visits none twice. Each is stored as a 128-bit sum: the
//! xor of one random number for each row in the order and one for the state (Zobrist hashing).

use crate::budget::Limit;

/// A hash set of 128-bit sums with a limit on its bytes. It takes 16 bytes a slot, and at most half of the
/// slots are full.
///
/// If two configurations had the same sum, they would count as one, and an order could be missed. Among m
/// configurations that happens with probability m²/2¹²⁹, about 10⁻²¹ for a billion. And every violation is
/// confirmed by a second search with other random numbers.
pub(crate) struct Memo {
    /// The sums; 0 for an empty slot.
    slots: Vec<u128>,
    /// How many slots are full.
    used: usize,
    /// How many bytes the slots may take.
    bytes_max: usize,
}

/// How many slots there are at first.
const SLOTS_MIN: usize = 64;

impl Memo {
    pub(crate) fn new(bytes_max: usize) -> Memo {
        Memo { slots: vec![0; SLOTS_MIN], used: 0, bytes_max }
    }

    /// Adds a sum; returns whether it is new. `others` is how many bytes of the limit are used elsewhere.
    #[inline]
    pub(crate) fn insert(&mut self, sum: u128, others: usize) -> Result<bool, Limit> {
        if others + self.slots.len() * size_of::<u128>() > self.bytes_max {
            return Err(Limit::Bytes);
        }
        // Zero marks an empty slot.
        let sum = sum.max(1);
        let mask = self.slots.len() - 1;
        let mut slot = sum as usize & mask;
        while self.slots[slot] != 0 {
            if self.slots[slot] == sum {
                return Ok(false);
            }
            slot = (slot + 1) & mask;
        }
        if (self.used + 1) * 2 > self.slots.len() {
            self.grow(others)?;
            return self.insert(sum, others);
        }
        self.slots[slot] = sum;
        self.used += 1;
        Ok(true)
    }

    /// Removes everything, and frees the memory unless it is little.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        if self.slots.len() > 1 << 12 {
            self.slots = vec![0; SLOTS_MIN];
        } else {
            self.slots.fill(0);
        }
    }

    /// Doubles the number of slots. The error is that this would take too much memory.
    fn grow(&mut self, others: usize) -> Result<(), Limit> {
        let length = self.slots.len() * 2;
        // While it grows, the old and the new slots exist together.
        if (length + self.slots.len()) * size_of::<u128>() + others > self.bytes_max {
            return Err(Limit::Bytes);
        }
        let old = std::mem::replace(&mut self.slots, vec![0; length]);
        let mask = length - 1;
        for sum in old.into_iter().filter(|&sum| sum != 0) {
            let mut slot = sum as usize & mask;
            while self.slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = sum;
        }
        Ok(())
    }
}

/// The random number of one row or state: what it contributes to the sum of a configuration. It is calculated from
/// the number `what` each time, instead of being stored.
#[inline]
pub(crate) fn share(seed: u64, what: u64) -> u128 {
    let low = mix(seed ^ what.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let high = mix(low ^ what ^ 0xD1B5_4A32_D192_ED03);
    u128::from(high) << 64 | u128::from(low)
}

/// The finalizer of splitmix64.
#[inline]
fn mix(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}
