//! Numbers values from 0, so that the engines can compare numbers and use them as indices of tables.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

/// A table of distinct values, numbered in the order in which they first appeared.
///
/// This is a hash table. A slot contains the number of a value and half of its hash, so nearly every lookup
/// needs to read only one slot, of eight bytes, and one value.
pub(crate) struct Interner<V> {
    values: Vec<V>,
    /// In the upper 32 bits half of the hash, in the lower ones the number plus 1; 0 for an empty slot.
    /// Invariant: the length is a power of two, and at most half of the slots are full.
    slots: Vec<u64>,
    /// The number of slots minus 1.
    mask: usize,
}

impl<V: Hash + Eq> Interner<V> {
    pub(crate) fn new() -> Self {
        Interner { values: Vec::new(), slots: vec![0; 16], mask: 15 }
    }

    /// An empty table with room for about this many values.
    pub(crate) fn with_capacity(values: usize) -> Self {
        let length = (values * 2).next_power_of_two().max(16);
        Interner { values: Vec::with_capacity(values), slots: vec![0; length], mask: length - 1 }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn value(&self, number: u32) -> &V {
        &self.values[number as usize]
    }

    /// All values, by number.
    pub(crate) fn into_values(self) -> Vec<V> {
        self.values
    }

    /// The number of a value, which is added if it is new.
    pub(crate) fn intern(&mut self, value: Cow<'_, V>) -> u32
    where
        V: Clone,
    {
        match self.find(&value) {
            Ok(number) => number,
            Err((slot, half)) => self.add(slot, half, value.into_owned()),
        }
    }

    /// The number of a value that the caller owns.
    pub(crate) fn intern_owned(&mut self, value: V) -> u32 {
        match self.find(&value) {
            Ok(number) => number,
            Err((slot, half)) => self.add(slot, half, value),
        }
    }

    /// Roughly how many bytes the table takes, not counting what the values own.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<u64>() + self.values.capacity() * size_of::<V>()
    }

    /// Roughly how many bytes the table takes while it grows, when the old table still exists.
    pub(crate) fn bytes_growing(&self) -> usize {
        self.bytes() + self.bytes() / 2
    }

    /// The number of a value. If it is new: the slot for it, and the half of its hash that the slot keeps.
    fn find(&self, value: &V) -> Result<u32, (usize, u32)> {
        let mut hasher = Mixer::default();
        value.hash(&mut hasher);
        let hash = hasher.finish();
        let half = hash as u32;
        let mut slot = slot_of(hash) & self.mask;
        loop {
            let word = self.slots[slot];
            if word == 0 {
                return Err((slot, half));
            }
            let number = word as u32 - 1;
            if (word >> 32) as u32 == half && self.values[number as usize] == *value {
                return Ok(number);
            }
            slot = (slot + STRIDE) & self.mask;
        }
    }

    /// Adds a new value in the slot that [`Interner::find`] named.
    fn add(&mut self, slot: usize, half: u32, value: V) -> u32 {
        let number = self.values.len() as u32;
        self.values.push(value);
        self.slots[slot] = slot_word(half, number);
        if self.values.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    /// Doubles the number of slots.
    fn grow(&mut self) {
        let length = self.slots.len() * 2;
        self.mask = length - 1;
        self.slots = vec![0; length];
        for (number, value) in self.values.iter().enumerate() {
            let mut hasher = Mixer::default();
            value.hash(&mut hasher);
            let hash = hasher.finish();
            let mut slot = slot_of(hash) & self.mask;
            while self.slots[slot] != 0 {
                slot = (slot + STRIDE) & self.mask;
            }
            self.slots[slot] = slot_word(hash as u32, number as u32);
        }
    }
}

/// The content of a full slot.
fn slot_word(half: u32, number: u32) -> u64 {
    u64::from(half) << 32 | u64::from(number + 1)
}

/// How many low bits of a number are not hashed. Neighbouring numbers get neighbouring slots, in runs of 256.
const NEAR_BITS: u32 = 8;

/// A mask for these low bits.
const NEAR: u64 = (1 << NEAR_BITS) - 1;

/// The first slot to try for a hash. The low bits choose a slot within a run, in a way that differs from run to
/// run. Otherwise the numbers 0, 256, 512, … would all want the first slot of their runs.
#[inline]
fn slot_of(hash: u64) -> usize {
    (hash >> 32 << NEAR_BITS | (hash ^ hash >> (64 - NEAR_BITS)) & NEAR) as usize
}

/// The distance to the next slot to try. It leads to another run, because this one may be full of neighbours.
/// It is odd, so it reaches every slot in the end.
const STRIDE: usize = (0x5_1ED3 << NEAR_BITS) + 1;

/// A hasher that is fast on integers and short strings. Collisions only cost time, because values are compared.
///
/// The low bits of integers are kept as they are, see [`slot_of`], because values are mostly counted up.
#[derive(Default)]
struct Mixer {
    state: u64,
    /// The low bits of the last number, which are not mixed in yet.
    last: u64,
}

impl Mixer {
    #[inline]
    fn mix(&mut self, word: u64) {
        // The multiplier is the 64-bit golden ratio; the rotation keeps the order of words significant.
        self.state = (self.state.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    #[inline]
    fn number(&mut self, word: u64) {
        // The low bits of the previous number are mixed in here. Otherwise several small numbers would have the
        // same hash in any order.
        self.mix((word >> NEAR_BITS) ^ self.last.rotate_right(NEAR_BITS));
        self.last = word & NEAR;
    }
}

impl Hasher for Mixer {
    #[inline]
    fn finish(&self) -> u64 {
        let folded = self.state ^ (self.state >> 29);
        let mixed = folded.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 32)) & !NEAR | self.last
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.mix(u64::from_le_bytes(word.try_into().unwrap_or_default()));
        }
        let rest = words.remainder();
        if !rest.is_empty() {
            let mut last = [0_u8; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(last));
        }
        self.last ^= self.state >> (64 - NEAR_BITS);
    }

    #[inline]
    fn write_u8(&mut self, word: u8) {
        self.number(u64::from(word));
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.number(u64::from(word));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.number(word);
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.number(word as u64);
    }
}
