//! How often a run reached each probe.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Index, IndexMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Probe;
use crate::Failpoint;

/// The counts are in one array. A probe with a row has the slot of its number, and the failpoints follow after
/// these.
const SLOTS: usize = ROWS + highest_failpoint() + 1;
/// The highest number of a probe with a row.
const ROWS: usize = highest_row();

/// A count for each probe, from 0. Indexed by probe: `counts[Probe::Commits] += 1`.
#[derive(Clone, PartialEq, Eq)]
pub struct Counts([u64; SLOTS]);

impl Counts {
    /// The probes that were reached, in the order of [`Probe::all`], with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Probe, u64)> {
        Probe::all().map(|probe| (probe, self[probe])).filter(|(_, times)| *times > 0)
    }

    /// Adds other counts to these.
    pub fn add(&mut self, other: &Counts) {
        for (sum, times) in self.0.iter_mut().zip(&other.0) {
            *sum += times;
        }
    }
}

#[inline]
const fn slot(probe: Probe) -> usize {
    match probe {
        Probe::At(point) => ROWS + point.number() as usize,
        row => row.number() as usize,
    }
}

const fn highest_row() -> usize {
    let (mut highest, mut at) = (0, 0);
    while at < Probe::ROWS.len() {
        let number = Probe::ROWS[at].number() as usize;
        highest = if number > highest { number } else { highest };
        at += 1;
    }
    highest
}

const fn highest_failpoint() -> usize {
    let (mut highest, mut at) = (0, 0);
    while at < Failpoint::ALL.len() {
        let number = Failpoint::ALL[at].number() as usize;
        highest = if number > highest { number } else { highest };
        at += 1;
    }
    highest
}

impl Default for Counts {
    fn default() -> Counts {
        Counts([0; SLOTS])
    }
}

impl Index<Probe> for Counts {
    type Output = u64;

    #[inline]
    fn index(&self, probe: Probe) -> &u64 {
        &self.0[slot(probe)]
    }
}

impl IndexMut<Probe> for Counts {
    #[inline]
    fn index_mut(&mut self, probe: Probe) -> &mut u64 {
        &mut self.0[slot(probe)]
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(probe, times)| (probe.name(), times))).finish()
    }
}

/// A map from names to counts, without those that are 0.
impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Counts, D::Error> {
        let mut counts = Counts::default();
        for (name, times) in BTreeMap::<String, u64>::deserialize(deserializer)? {
            let unknown = || de::Error::custom(format!("there is no probe {name:?}"));
            counts[Probe::named(&name).ok_or_else(unknown)?] = times;
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probe_has_a_slot_of_its_own() {
        let mut counts = Counts::default();
        for (at, probe) in (1..).zip(Probe::all()) {
            counts[probe] = at;
        }
        let expected: Vec<_> = Probe::all().zip(1..).collect();
        assert_eq!(counts.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn counts_are_added_and_come_back_from_json() {
        let mut counts = Counts::default();
        counts[Probe::Commits] = 2;
        counts[Probe::At(Failpoint::WalAfterSync)] = 1;
        counts.add(&counts.clone());
        let json = serde_json::to_string(&counts).unwrap();
        assert_eq!(json, r#"{"commits":4,"at-walAfterSync":2}"#);
        assert_eq!(serde_json::from_str::<Counts>(&json).unwrap(), counts);
        assert!(serde_json::from_str::<Counts>(r#"{"nowhere":1}"#).is_err());
    }
}
