//! The events of a run that may be a cause: what happened to processes, elections, snapshots, faults, and the
//! operations that show the violation.

use record::{Etcd, EtcdFact, Event, Fact, Nanos, Observer, Role};
use serde::Serialize;
use verify::describe;

/// An event, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Moment {
    /// When it happened.
    pub at_ns: Nanos,
    /// The member; 0 for none.
    pub member: u64,
    /// What happened, to follow the member's name.
    pub what: String,
}

/// Collects these events.
#[derive(Debug, Default)]
pub struct Moments {
    /// The operations whose calls and returns are among them.
    operations: Vec<u64>,
    all: Vec<Moment>,
}

impl Moments {
    /// With the calls and the returns of these operations.
    pub fn new(operations: impl IntoIterator<Item = usize>) -> Moments {
        Moments { operations: operations.into_iter().map(|number| number as u64).collect(), all: Vec::new() }
    }

    /// At most `most` of them in an interval; the last ones, if there are more. If there are none, the last one before
    /// it.
    pub fn between(&self, from: Nanos, to: Nanos, most: usize) -> Vec<Moment> {
        let begin = self.all.partition_point(|moment| moment.at_ns < from);
        let end = self.all.partition_point(|moment| moment.at_ns <= to);
        let begin = begin.max(end.saturating_sub(most));
        let begin = if begin == end { begin.saturating_sub(1) } else { begin };
        self.all[begin..end].to_vec()
    }

    /// Whether an event may be a cause.
    fn counts(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Started { .. }
            | Fact::Stopped(_)
            | Fact::Paused
            | Fact::Resumed
            | Fact::Fault { .. }
            | Fact::Phase(_) => true,
            Fact::Called { operation, .. } | Fact::Returned { operation, .. } => {
                self.operations.contains(operation)
            }
            Fact::Own(own) => matches!(
                own,
                EtcdFact::State { role: Role::Leader | Role::Candidate, .. }
                    | EtcdFact::SnapshotInstalled { .. }
                    | EtcdFact::Lessor { .. }
                    | EtcdFact::Failpoint { .. }
                    | EtcdFact::WatchEnded { .. }
            ),
            _ => false,
        }
    }
}

impl Observer<Etcd> for Moments {
    fn event(&mut self, event: &Event) {
        if self.counts(&event.fact) {
            let (at_ns, member) = (event.time, event.member.raft_id());
            self.all.push(Moment { at_ns, member, what: describe::fact(&event.fact) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::MemberId;

    #[test]
    fn the_nearest_are_taken() {
        let mut moments = Moments::default();
        for time in 1..=9 {
            moments.event(&Event { time: time * 10, member: MemberId::new(1), fact: Fact::Paused });
            moments.event(&Event {
                time: time * 10,
                member: MemberId::new(1),
                fact: Fact::JobDone { job: 1, synced: true, failed: false },
            });
        }
        let times = |from, to, most| {
            moments.between(from, to, most).iter().map(|moment| moment.at_ns).collect::<Vec<_>>()
        };
        assert_eq!(times(20, 40, 9), [20, 30, 40]);
        assert_eq!(times(20, 40, 2), [30, 40], "the last ones");
        assert_eq!(times(51, 59, 9), [50], "the last one before");
        assert_eq!(times(1, 5, 9), [0; 0]);
    }
}
