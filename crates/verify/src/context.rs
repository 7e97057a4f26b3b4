//! What the judges use: the record, what else is known about the run, and results that follow from both.

use std::cell::OnceCell;

use record::{Applied, Event, Fact, History, MemberId, Nanos, Observer as _, Record};

use crate::Expectations;
use crate::k1::{self, Known, Premises, Replayed};
use crate::leases::{Lessors, Terms};
use crate::truth::Truth;

/// A record, with what else is known about its run. Results that several oracles need, such as K1's replay, are
/// computed once, for the first oracle that asks.
#[derive(Debug)]
pub struct Context<'a> {
    /// The record to judge.
    pub record: &'a Record,
    /// What must hold beyond the oracles, and what is known about the run besides the record.
    pub expectations: &'a Expectations,
    /// When each process started, as far as it is known.
    starts: Vec<(MemberId, Nanos)>,
    /// The result of K1's replay.
    replayed: OnceCell<Replayed>,
    /// The store over the whole history.
    truth: OnceCell<Option<Truth>>,
}

impl<'a> Context<'a> {
    /// Takes a record to be judged.
    pub fn new(record: &'a Record, expectations: &'a Expectations) -> Context<'a> {
        let starts = if record.events.is_empty() { expectations.starts.clone() } else { starts(record) };
        Context { record, expectations, starts, replayed: OnceCell::new(), truth: OnceCell::new() }
    }

    /// What clients did and saw.
    pub fn history(&self) -> &'a History {
        &self.record.history
    }

    /// What the members applied, in the order of the log; empty if that was not recorded.
    pub fn applied(&self) -> &'a [Applied] {
        &self.record.applied
    }

    /// When each process started, in any order; empty if not known.
    pub fn starts(&self) -> &[(MemberId, Nanos)] {
        &self.starts
    }

    /// Whether the history has every client that wrote.
    pub fn is_closed(&self) -> bool {
        !self.expectations.open_world
    }

    /// The result of K1's replay of the history.
    ///
    /// # Panics
    /// If the operations of the history are not in the order of their calls.
    pub fn replayed(&self) -> &Replayed {
        self.replayed.get_or_init(|| {
            let premises = Premises {
                applied: self.evidence(),
                watched: &self.expectations.watched,
                start_revision: self.expectations.start_revision,
                closed: self.is_closed(),
                compacts_itself: self.expectations.compacts_itself,
                fastest: self.expectations.clock_rates.1,
            };
            k1::check(self.history(), &premises)
        })
    }

    /// What was in the store at each revision, as far as K1's replay shows.
    pub fn known(&self) -> Option<&Known> {
        self.replayed().known.as_ref()
    }

    /// What was in the store at each revision, in the form with which watchers are compared.
    pub fn truth(&self) -> Option<&Truth> {
        let truth = self.truth.get_or_init(|| {
            let start = self.expectations.start_revision;
            let known = self.known()?;
            // A member that compacts on its own acts like a client that is missing from the history.
            let closed = self.is_closed() && !self.expectations.compacts_itself;
            Some(Truth::new(self.history(), self.evidence(), known, start, closed))
        });
        truth.as_ref()
    }

    /// The entries that the cluster applied; `None` if the record has none.
    fn evidence(&self) -> Option<&'a [Applied]> {
        (!self.applied().is_empty()).then_some(self.applied())
    }

    /// What is known of clocks, leaders and the end of the run. It decides when leases may and must expire.
    pub(crate) fn terms(&self) -> Terms {
        let (record, expectations) = (self.record, self.expectations);
        let lessors =
            if record.events.is_empty() { expectations.lessors.clone() } else { lessors(&record.events) };
        Terms {
            clock_rates: expectations.clock_rates,
            bound: expectations.lease_bound,
            extension: expectations.lease_extension,
            checkpoint: expectations.lease_checkpoint,
            lessors,
            healed: record.healed,
            end: record.stats.virtual_ns,
        }
    }
}

/// When a member was the lessor, according to the events.
fn lessors(events: &[Event]) -> Vec<(Nanos, Nanos)> {
    let mut lessors = Lessors::default();
    events.iter().for_each(|event| lessors.event(event));
    lessors.spans()
}

/// When each process started, according to the events.
fn starts(record: &Record) -> Vec<(MemberId, Nanos)> {
    let started = |event: &&Event| matches!(event.fact, Fact::Started { .. });
    record.events.iter().filter(started).map(|event| (event.member, event.time)).collect()
}
