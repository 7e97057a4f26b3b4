//! Records every event of a run. Each event enters the trace hash, goes to the observer, and updates the record:
//! the statistics and, on request, the list of all events. What only etcd has, `gather` takes from the events.

use record::{Etcd, Event, Fact, MemberId, Nanos, Observer, Record, Step, TraceHasher};

/// Makes the record of a run as events happen.
pub(crate) struct Recorder<'a> {
    observer: &'a mut dyn Observer<Etcd>,
    keep_events: bool,
    /// Whether the observer wants to see steps.
    pub(crate) wants_steps: bool,
    hasher: TraceHasher,
    pub(crate) record: Record,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(observer: &'a mut dyn Observer<Etcd>, keep_events: bool) -> Recorder<'a> {
        let wants_steps = observer.wants_steps();
        Recorder {
            observer,
            keep_events,
            wants_steps,
            hasher: TraceHasher::default(),
            record: Record::default(),
        }
    }

    /// Records an event.
    #[inline]
    pub(crate) fn note(&mut self, time: Nanos, member: MemberId, fact: Fact) {
        match &fact {
            Fact::Sent { .. } => self.record.stats.messages += 1,
            Fact::Dropped { why, .. } => {
                let name = match why {
                    record::DropReason::Loss => "message-lost",
                    record::DropReason::CutAtSend | record::DropReason::CutAtArrival => "message-cut",
                    record::DropReason::Corrupt => "message-corrupted",
                    record::DropReason::Rule => "message-rule",
                    record::DropReason::Dead => "message-to-dead",
                    record::DropReason::Overflow => "message-overflow",
                };
                self.count(name);
            }
            Fact::Fault { what, begins: true, .. } => {
                self.count(what);
                // A fault has one fact for each member it strikes, but counts as one strike.
                if self.record.strikes.last() != Some(&(time, *what)) {
                    self.record.strikes.push((time, *what));
                }
            }
            _ => {}
        }
        let event = Event { time, member, fact };
        event.absorb_into(&mut self.hasher);
        self.observer.event(&event);
        if self.keep_events {
            self.record.events.push(event);
        }
    }

    /// Shows the observer the steps of a member. They are no events: they enter neither the trace hash nor the record.
    #[inline]
    pub(crate) fn steps(&mut self, time: Nanos, member: MemberId, steps: &mut Vec<Step>) {
        for step in steps.drain(..) {
            self.observer.step(time, member, &step);
        }
    }

    /// The record of the whole run.
    pub(crate) fn into_record(self) -> Record {
        Record { trace_hash: self.hasher.hash(), ..self.record }
    }

    /// The number of the packet that is sent next.
    #[inline]
    pub(crate) fn next_packet(&self) -> u64 {
        self.record.stats.messages + 1
    }

    /// Counts a fault that took effect.
    pub(crate) fn count(&mut self, fault: &str) {
        let counts = &mut self.record.stats.faults;
        match counts.get_mut(fault) {
            Some(count) => *count += 1,
            None => _ = counts.insert(fault.to_string(), 1),
        }
    }
}
