//! When a member was the lessor, that is, the leader that tracks the time of leases. It is learned from the events of
//! a run.

use record::{Etcd, EtcdFact, Event, Fact, MemberId, Nanos, Observer};

/// The times in which a member, as leader, was the lessor. It observes the events of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lessors {
    /// Start and end of each such time that is over.
    ended: Vec<(Nanos, Nanos)>,
    /// The lessor, and since when.
    now: Option<(MemberId, Nanos)>,
}

impl Lessors {
    /// Start and end of each such time, in order. It ends when the member reports that it is no longer the lessor,
    /// stops or is paused, or when another member becomes the lessor. If the last one has not ended, its end is
    /// `Nanos::MAX`.
    pub fn spans(&self) -> Vec<(Nanos, Nanos)> {
        let open = self.now.map(|(_, since)| (since, Nanos::MAX));
        self.ended.iter().copied().chain(open).collect()
    }

    /// The current lessor stops at this time.
    fn end(&mut self, at: Nanos) {
        if let Some((_, since)) = self.now.take() {
            self.ended.push((since, at));
        }
    }
}

impl Observer<Etcd> for Lessors {
    #[inline]
    fn event(&mut self, event: &Event) {
        let is_of_lessor = |lessors: &Lessors| lessors.now.is_some_and(|(member, _)| member == event.member);
        match event.fact {
            Fact::Own(EtcdFact::Lessor { primary: true }) if !is_of_lessor(self) => {
                self.end(event.time);
                self.now = Some((event.member, event.time));
            }
            Fact::Own(EtcdFact::Lessor { primary: false }) | Fact::Stopped(_) | Fact::Paused
                if is_of_lessor(self) =>
            {
                self.end(event.time);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::{EtcdFact, Stop};

    #[test]
    fn a_time_ends_with_its_member_or_with_the_next() {
        let mut lessors = Lessors::default();
        let facts = [
            (1, 1, Fact::Own(EtcdFact::Lessor { primary: true })),
            (2, 2, Fact::Stopped(Stop::Crash)),
            (3, 2, Fact::Own(EtcdFact::Lessor { primary: true })),
            (4, 1, Fact::Own(EtcdFact::Lessor { primary: false })),
            (5, 2, Fact::Paused),
            (8, 1, Fact::Own(EtcdFact::Lessor { primary: true })),
        ];
        for (time, member, fact) in facts {
            lessors.event(&Event { time, member: MemberId::new(member), fact });
        }
        assert_eq!(lessors.spans(), [(1, 3), (3, 5), (8, Nanos::MAX)]);
    }
}
