//! Records every event of a run. Each event enters the trace hash, goes to the observer, and updates the record:
//! the statistics and, on request, the list of all events.

use contract::Reused;
use trace::{DropReason, Event, Fact, MemberId, Nanos, Observer, Run, Served, TraceHasher, Vocabulary};

/// Makes the record of a run as events happen.
pub(crate) struct Recorder<'a, V: Vocabulary> {
    observer: &'a mut dyn Observer<V>,
    keep_events: bool,
    /// Whether the observer wants to see steps.
    pub(crate) wants_steps: bool,
    /// Whether it wants to see inner events.
    pub(crate) wants_inner: bool,
    hasher: TraceHasher,
    pub(crate) run: Run<V>,
}

impl<'a, V: Vocabulary> Recorder<'a, V> {
    pub(crate) fn new(observer: &'a mut dyn Observer<V>, keep_events: bool) -> Recorder<'a, V> {
        let (wants_steps, wants_inner) = (observer.wants_steps(), observer.wants_inner());
        let (hasher, run) = (TraceHasher::default(), Run::default());
        Recorder { observer, keep_events, wants_steps, wants_inner, hasher, run }
    }

    /// Records an event.
    #[inline]
    pub(crate) fn note(&mut self, time: Nanos, member: MemberId, fact: Fact<V>) {
        match &fact {
            Fact::Sent { .. } => self.run.stats.messages += 1,
            Fact::Dropped { why, .. } => {
                let name = match why {
                    DropReason::Loss => "message-lost",
                    DropReason::CutAtSend | DropReason::CutAtArrival => "message-cut",
                    DropReason::Corrupt => "message-corrupted",
                    DropReason::Rule => "message-rule",
                    DropReason::Dead => "message-to-dead",
                    DropReason::Overflow => "message-overflow",
                };
                self.count(name);
            }
            Fact::Fault { what, begins: true, .. } => {
                self.count(what);
                // A fault has one fact for each member it strikes, but counts as one strike.
                if self.run.strikes.last() != Some(&(time, *what)) {
                    self.run.strikes.push((time, *what));
                }
            }
            _ => {}
        }
        let event = Event { time, member, fact };
        event.absorb_into(&mut self.hasher);
        self.observer.event(&event);
        if self.keep_events {
            self.run.events.push(event);
        }
    }

    /// Shows the observer the steps of a member. They are not events: they enter neither the trace hash nor the record.
    #[inline]
    pub(crate) fn steps(&mut self, time: Nanos, member: MemberId, steps: &mut Reused<V::Step>) {
        for step in steps.iter() {
            self.observer.step(time, member, step);
        }
        steps.clear();
    }

    /// Shows the observer what happened inside a member. That is not an event either.
    #[inline]
    pub(crate) fn inner(&mut self, time: Nanos, member: MemberId, inner: &mut Vec<V::Inner>) {
        // Nearly always there is nothing.
        if !inner.is_empty() {
            inner.drain(..).for_each(|happened| self.observer.inner(time, member, &happened));
        }
    }

    /// Shows the observer what a member takes from its callers or gives them. That is not an event either.
    #[inline]
    pub(crate) fn served(&mut self, time: Nanos, member: MemberId, served: Served) {
        self.observer.served(time, member, served);
    }

    /// What the whole run leaves.
    pub(crate) fn into_run(self) -> Run<V> {
        Run { trace_hash: self.hasher.hash(), ..self.run }
    }

    /// The number of the packet that is sent next.
    #[inline]
    pub(crate) fn next_packet(&self) -> u64 {
        self.run.stats.messages + 1
    }

    /// Counts a fault that took effect.
    pub(crate) fn count(&mut self, fault: &str) {
        let counts = &mut self.run.stats.faults;
        match counts.get_mut(fault) {
            Some(count) => *count += 1,
            None => _ = counts.insert(fault.to_string(), 1),
        }
    }
}
