//! Probes: interesting states of the cluster, such as "a leader lost power", that the tests must reach because
//! bugs are likely there. A run counts how often it reaches each.
//!
//! `rows` is the registry: everything about a probe is in its row. `counts` has the counts of a run. The code
//! that reaches a probe refers to it by its variant of [`Probe`]. Every failpoint is a probe too, without a row
//! ([`Probe::At`]).

mod counts;
mod rows;

use std::fmt;

use serde::{Serialize, Serializer};

pub use counts::Counts;
pub use rows::{Area, Probe};

use crate::Failpoint;

impl Probe {
    /// Every probe: the rows in their order, then one for each failpoint.
    pub fn all() -> impl Iterator<Item = Probe> + Clone {
        Probe::ROWS.iter().copied().chain(Failpoint::ALL.iter().map(|point| Probe::At(*point)))
    }

    /// The probe with this name.
    pub fn named(name: &str) -> Option<Probe> {
        Probe::all().find(|probe| probe.name() == name)
    }

    /// Whether the swarm must reach it in a long run over many seeds: yes, unless its row says why not.
    pub fn required(self) -> bool {
        self.unless().is_none()
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Probe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_probe_has_one_name_in_kebab_case_and_sentences() {
        let names: BTreeSet<&str> = Probe::all().map(Probe::name).collect();
        assert_eq!(names.len(), Probe::all().count());
        let kebab = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        for probe in Probe::ROWS {
            assert!(kebab(probe.name()), "{probe}");
            assert_eq!(Probe::named(probe.name()), Some(*probe));
            let sentences = [Some(probe.means()), Some(probe.why()), probe.unless()];
            assert!(sentences.iter().flatten().all(|sentence| sentence.ends_with('.')), "{probe}");
        }
    }

    /// The trace hash takes the probes of one tick in the order of a set.
    #[test]
    fn probes_are_ordered_by_number() {
        let mut probes = Probe::ROWS.to_vec();
        probes.sort();
        assert!(probes.is_sorted_by_key(|probe| probe.number()));
        assert_eq!((Probe::AlarmDisarmed.number(), Probe::WatchVictimStillLags.number()), (1, 57));
    }
}
