//! What a run reached: states, faults that struck, probes. It stands at the head of a saved plan. A plan that no longer
//! fails passes because the bug is gone, or because it no longer gets to where the bug was: the landmarks tell the two
//! apart.

use std::collections::{BTreeMap, BTreeSet};

use plan::{Etcd, OperatorTask};
use record::{MemberId, Nanos, Probe, Record};
use schedule::Part;
use schedule::kinds::{Family, shapes};

// The prefixes of the comment lines that record what a run reached.
const STATES: &str = "# reached: ";
const FAULTS: &str = "# struck: ";
const PROBES: &str = "# probes: ";

/// The longest comment line.
const LINE: usize = 116;

/// What a run reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Landmarks {
    /// By name, how often: leaders, restarts, snapshots, answers.
    states: BTreeMap<String, u64>,
    /// By family of faults, how often one struck.
    faults: BTreeMap<String, u64>,
    /// The probes that were reached, by name.
    probes: BTreeSet<String>,
}

impl Landmarks {
    /// Those of a run with this record, in which processes started at these times.
    pub fn of(record: &Record, starts: &[(MemberId, Nanos)]) -> Landmarks {
        let stats = &record.stats;
        let members: BTreeSet<MemberId> = starts.iter().map(|(member, _)| *member).collect();
        let restarts = (starts.len() - members.len()) as u64;
        let states = [
            ("leaders", stats.elections),
            ("restarts", restarts),
            ("snapshots", stats.probes[Probe::SnapshotsInstalled]),
            ("answers", stats.answered),
        ];
        let mut faults = BTreeMap::new();
        for (_, name) in &record.strikes {
            *faults.entry(family(name).to_string()).or_default() += 1;
        }
        Landmarks {
            states: states.into_iter().filter(|(_, count)| *count > 0).map(owned).collect(),
            faults,
            probes: stats.probes.iter().map(|(probe, _)| probe.name().to_string()).collect(),
        }
    }

    /// Whether a comment line records landmarks.
    pub fn is_line(line: &str) -> bool {
        [STATES, FAULTS, PROBES].iter().any(|begin| line.starts_with(begin))
    }

    /// Reads them from the comment lines at the head of a plan; `None` if none are recorded there.
    pub fn read<'a>(head: impl Iterator<Item = &'a str>) -> Option<Landmarks> {
        let mut landmarks = Landmarks::default();
        for line in head {
            if let Some(states) = line.strip_prefix(STATES) {
                landmarks.states.extend(counts(states));
            } else if let Some(faults) = line.strip_prefix(FAULTS) {
                landmarks.faults.extend(counts(faults));
            } else if let Some(probes) = line.strip_prefix(PROBES) {
                landmarks.probes.extend(list(probes).map(String::from));
            }
        }
        (landmarks != Landmarks::default()).then_some(landmarks)
    }

    /// The comment lines that record them.
    pub fn lines(&self) -> String {
        let counts = |counts: &BTreeMap<String, u64>| {
            counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>()
        };
        let mut lines = String::new();
        for (begin, parts) in [(STATES, counts(&self.states)), (FAULTS, counts(&self.faults))] {
            wrap(&mut lines, begin, &parts);
        }
        wrap(&mut lines, PROBES, &self.probes.iter().cloned().collect::<Vec<_>>());
        lines
    }

    /// What these landmarks have and those of a later run lack: probes that the later run did not reach, and what it
    /// did less than half as often.
    pub fn missing(&self, now: &Landmarks) -> Vec<String> {
        let fewer = |before: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>, what: &str| {
            let less = |(name, before): (&String, &u64)| {
                let now = now.get(name).copied().unwrap_or_default();
                (now * 2 < *before).then(|| format!("{before} {what}{name} (now {now})"))
            };
            before.iter().filter_map(less).collect::<Vec<_>>()
        };
        let mut missing = fewer(&self.states, &now.states, "");
        missing.extend(fewer(&self.faults, &now.faults, "faults of the family "));
        missing.extend(self.probes.difference(&now.probes).cloned());
        missing
    }
}

/// The family of a kind of fault, as a word.
fn family(name: &str) -> &'static str {
    let shapes = shapes::<OperatorTask>(Etcd::NAMES);
    match shapes.iter().find(|shape| shape.kind.name == name).map(|shape| shape.kind.family) {
        Some(Family::Network) => "network",
        Some(Family::Disk) => "disk",
        Some(Family::Clock) => "clock",
        Some(Family::Process) => "process",
        Some(Family::Task) | None => "operator",
    }
}

fn owned((name, count): (&str, u64)) -> (String, u64) {
    (name.to_string(), count)
}

/// The parts between commas.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Names with counts: `leaders 3, restarts 5`. Parts without a count are skipped: people edit plans.
fn counts(text: &str) -> impl Iterator<Item = (String, u64)> {
    list(text).filter_map(|part| {
        let (name, count) = part.rsplit_once(' ')?;
        Some((name.trim().to_string(), count.parse().ok()?))
    })
}

/// Writes a list in lines that begin with the same prefix.
fn wrap(lines: &mut String, begin: &str, parts: &[String]) {
    let mut line = String::new();
    for part in parts {
        if !line.is_empty() && begin.len() + line.len() + part.len() + 2 > LINE {
            *lines += &format!("{begin}{line}\n");
            line.clear();
        }
        if !line.is_empty() {
            line += ", ";
        }
        line += part;
    }
    if !line.is_empty() {
        *lines += &format!("{begin}{line}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landmarks() -> Landmarks {
        let counts = |counts: &[(&str, u64)]| counts.iter().copied().map(owned).collect();
        Landmarks {
            states: counts(&[("leaders", 3), ("restarts", 1)]),
            faults: counts(&[("disk", 4)]),
            probes: (0..30).map(|nth| format!("probe-number-{nth}")).collect(),
        }
    }

    #[test]
    fn the_lines_are_read_back() {
        let lines = landmarks().lines();
        assert!(lines.lines().count() > 3 && lines.lines().all(|line| line.len() <= LINE), "{lines}");
        assert!(lines.lines().all(Landmarks::is_line));
        assert_eq!(Landmarks::read(lines.lines()), Some(landmarks()));
        assert_eq!(Landmarks::read("# oracles: K4\n# by hand".lines()), None);
    }

    #[test]
    fn what_is_not_reached_any_more_is_missing() {
        let before = landmarks();
        assert_eq!(before.missing(&before), [""; 0]);
        let mut now = landmarks();
        now.states.insert("leaders".into(), 2);
        now.faults.insert("disk".into(), 1);
        now.probes.remove("probe-number-7");
        now.probes.insert("another".into());
        assert_eq!(before.missing(&now), ["4 faults of the family disk (now 1)", "probe-number-7"]);
        assert_eq!(before.missing(&Landmarks::default()).len(), 33);
    }

    #[test]
    fn every_kind_of_fault_has_its_family() {
        assert_eq!(
            ["isolate", "bit-rot", "clock-rate", "crash", "add-member"].map(family),
            ["network", "disk", "clock", "process", "operator"]
        );
        assert_eq!(family("failpoint"), "process");
    }
}
