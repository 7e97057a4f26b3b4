//! The ledger of one watcher: the changes that it must receive, and which of them arrived.
//!
//! The watcher must receive all changes of its keys, except those of a kind it filtered out, from its first revision up
//! to the last known one. If the watcher or its stream has ended, it must receive them only up to the highest revision
//! that it reported. Each event that arrived is found in the truth by its key, its revision and its kind; W7 to W9
//! check its content.
//!
//! Events of revisions of which the truth is not known are in `deliveries` without a number.

use std::collections::BTreeSet;

use api::etcdserverpb::watch_create_request::FilterType;
use api::mvccpb::Event;
use api::mvccpb::event::EventType;
use record::Nanos;

use super::stream::{Batch, Reply, Watcher};
use crate::answer::NOT_RECORDED;
use crate::truth::{self, Truth};

/// One event that arrived.
#[derive(Debug)]
pub struct Delivery<'a> {
    /// The event.
    pub event: &'a Event,
    /// The revision in the event; 0 if it has no pair.
    pub revision: i64,
    /// The number of its change in the truth; `None` if the truth does not have it.
    pub number: Option<u32>,
    /// Whether the same change had arrived before.
    pub again: bool,
    /// The index of its reply among those of the watcher.
    pub reply: usize,
    /// When it arrived.
    pub at: Nanos,
    /// Which response of the stream it was in.
    pub response: usize,
}

impl Delivery<'_> {
    /// Its key.
    pub fn key(&self) -> &[u8] {
        self.event.kv.as_ref().map_or(&[], |kv| &kv.key)
    }
}

/// A change that the watcher must receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its number in the truth.
    pub number: u32,
    /// Its revision.
    pub revision: i64,
    /// The index of the first delivery of it; `None` if it never arrived.
    pub got: Option<u32>,
}

/// The ledger.
#[derive(Debug)]
pub struct Ledger<'a> {
    /// The watcher.
    pub watcher: &'a Watcher<'a>,
    /// The first revision it must receive. For a watcher from now on, this is the one after the revision of its
    /// creation; `i64::MAX` if the history does not show where it began.
    pub first: i64,
    /// What it must receive, in order.
    pub expected: Vec<Expected>,
    /// What it received, in order.
    pub deliveries: Vec<Delivery<'a>>,
}

impl<'a> Ledger<'a> {
    /// Makes the ledger of a watcher.
    pub fn new(watcher: &'a Watcher<'a>, truth: &Truth) -> Ledger<'a> {
        let first = first(watcher);
        let expected = expected(watcher, truth, first);
        let mut ledger = Ledger { watcher, first, expected, deliveries: Vec::new() };
        let mut taken = Taken::default();
        for (reply, said) in watcher.replies.iter().enumerate() {
            if let Reply::Batch(batch) = said {
                for event in &batch.events {
                    ledger.deliver(batch, reply, event, truth, &mut taken);
                }
            }
        }
        ledger
    }

    /// Adds an event that arrived.
    fn deliver(
        &mut self,
        batch: &Batch<'a>,
        reply: usize,
        event: &'a Event,
        truth: &Truth,
        taken: &mut Taken<'a>,
    ) {
        let place = u32::try_from(self.deliveries.len()).expect("a watcher gets fewer events than that");
        let revision = event.kv.as_ref().map_or(0, |kv| kv.mod_revision);
        let mut delivery = Delivery {
            event,
            revision,
            number: None,
            again: false,
            reply,
            at: batch.at,
            response: batch.response,
        };
        match self.expected.get(taken.next) {
            Some(next) if next.got.is_none() && names(event, truth.event(next.number)) => {
                delivery.number = Some(next.number);
            }
            _ => self.look_up(&mut delivery, truth, taken),
        }
        if let Some(number) = delivery.number
            && let Ok(at) = self.expected.binary_search_by_key(&number, |expected| expected.number)
            && self.expected[at].got.is_none()
        {
            self.expected[at].got = Some(place);
            taken.next = at + 1;
        }
        self.deliveries.push(delivery);
    }

    /// Finds the change of an event that is not the next one expected.
    fn look_up(&self, delivery: &mut Delivery<'a>, truth: &Truth, taken: &mut Taken<'a>) {
        let Some(kv) = &delivery.event.kv else { return };
        let mut found = truth.find(&kv.key, kv.mod_revision, is_delete(delivery.event)).peekable();
        if found.peek().is_none() {
            delivery.again = !taken.unknown.insert((kv.mod_revision, &kv.key, delivery.event.r#type));
            return;
        }
        let fresh = found.clone().find(|number| !self.arrived(*number) && !taken.beside.contains(number));
        delivery.again = fresh.is_none();
        delivery.number = fresh.or_else(|| found.next());
        let expected =
            |number: u32| self.expected.binary_search_by_key(&number, |expected| expected.number).is_ok();
        if let Some(number) = fresh.filter(|number| !expected(*number)) {
            taken.beside.insert(number);
        }
    }

    /// Whether the change with this number is expected and has arrived.
    fn arrived(&self, number: u32) -> bool {
        let expected = self.expected.binary_search_by_key(&number, |expected| expected.number);
        expected.is_ok_and(|at| self.expected[at].got.is_some())
    }

    /// The index after the last expected change that arrived; an expected change before it that did not arrive is
    /// lost.
    pub fn reached(&self) -> usize {
        self.expected.iter().rposition(|expected| expected.got.is_some()).map_or(0, |at| at + 1)
    }

    /// The highest revision that arrived.
    pub fn newest(&self) -> Option<i64> {
        self.deliveries.iter().map(|delivery| delivery.revision).max()
    }

    /// The expected changes of one revision, from the index of any of them.
    pub fn of_revision(&self, at: usize) -> &[Expected] {
        let revision = self.expected[at].revision;
        let from = self.expected.partition_point(|expected| expected.revision < revision);
        let count = self.expected[from..].partition_point(|expected| expected.revision == revision);
        &self.expected[from..from + count]
    }
}

/// What `Ledger::new` keeps while it reads the events.
#[derive(Default)]
struct Taken<'a> {
    /// The index of the change that should come next.
    next: usize,
    /// Changes that arrived although the watcher need not receive them.
    beside: BTreeSet<u32>,
    /// Events that the truth does not have: revision, key, kind.
    unknown: BTreeSet<(i64, &'a [u8], i32)>,
}

/// Whether an event is about that change.
fn names(event: &Event, change: &truth::Event) -> bool {
    let same =
        |kv: &api::mvccpb::KeyValue| kv.mod_revision == change.kv.mod_revision && kv.key == change.kv.key;
    is_delete(event) == change.deleted && event.kv.as_ref().is_some_and(same)
}

/// Whether the event says that a key was deleted.
pub fn is_delete(event: &Event) -> bool {
    event.r#type == EventType::Delete as i32
}

/// Whether the watcher filtered out events of this kind.
pub fn is_filtered(watcher: &Watcher<'_>, deleted: bool) -> bool {
    let filter = if deleted { FilterType::Nodelete } else { FilterType::Noput };
    watcher.request.filters.contains(&(filter as i32))
}

/// The first revision that it must receive.
pub fn first(watcher: &Watcher<'_>) -> i64 {
    let mut revisions = watcher.replies.iter().filter_map(|reply| match reply {
        Reply::Batch(batch) => batch.events.first()?.kv.as_ref().map(|kv| kv.mod_revision),
        Reply::Progress { .. } => None,
    });
    match watcher.request.start_revision {
        0 if watcher.revision == NOT_RECORDED => match watcher.replies.first() {
            Some(Reply::Progress { revision, .. }) => revision.saturating_add(1),
            Some(Reply::Batch(_)) => revisions.next().unwrap_or(i64::MAX),
            None => i64::MAX,
        },
        // The member reads the revision for its answer first, and lets the watcher begin after it (etcd's `recvLoop`).
        0 => watcher.revision + 1,
        // Versions of etcd treat a negative start revision differently, so the first revision that arrived counts.
        ..0 => revisions.min().unwrap_or(i64::MAX),
        start => start,
    }
}

/// The changes that the watcher must receive.
fn expected(watcher: &Watcher<'_>, truth: &Truth, first: i64) -> Vec<Expected> {
    let lasts = watcher.end.is_none() && watcher.stream.ended.is_none();
    let last = |reply: &Reply<'_>| match reply {
        Reply::Batch(batch) => {
            batch.events.iter().filter_map(|event| event.kv.as_ref()).map(|kv| kv.mod_revision).max()
        }
        Reply::Progress { revision, .. } => Some(*revision),
    };
    let said = || watcher.replies.iter().filter_map(last).max().unwrap_or(0);
    let upto = if lasts { truth.until() } else { said().min(truth.until()) };
    let numbers = truth.between(watcher.keys(), first, upto).into_iter();
    let wanted = numbers.filter(|number| !is_filtered(watcher, truth.event(*number).deleted));
    let expected = wanted.map(|number| {
        let revision = truth.event(number).kv.mod_revision;
        Expected { number, revision, got: None }
    });
    expected.collect()
}
