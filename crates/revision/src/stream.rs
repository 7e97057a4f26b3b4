//! Judges a history while it happens, and keeps only what may still matter.

mod replay;

use std::collections::BTreeSet;

use self::replay::Replay;
use crate::evidence::Change;
use crate::history::{Invalid, Kind, Operation, Seen, UNKNOWN};
use crate::verdict::{Reason, Undecided, Violation};

/// A check that is fed with what happens, in the order of time, and tells of a violation as soon as it is certain.
///
/// It follows a watch of everything: what a revision did is known when it is shown, and answers are held until then. It
/// keeps the operations in flight, what keys held since the oldest of them was asked, and those without an answer that
/// may yet take effect, until it is told to [`forget`](Stream::forget) them. Operations on several keys have to be
/// judged by [`check`](crate::check()).
///
/// ```
/// use revision::{Change, Operation, Reply, Seen, Stream};
///
/// let mut stream = Stream::new(1);
/// let put = stream.call(0, Operation::put(7, 1))?;
/// stream.shown(2, &[Change::put(2, 7, 1)]).unwrap();
/// stream.answer(put, 3, Reply::made(2)).unwrap();
/// let get = stream.call(4, Operation::get(7, Seen::ABSENT))?;
/// let violation = stream.answer(get, 5, Reply::saw(1, Seen::ABSENT)).unwrap_err();
/// assert_eq!(violation.operations, [1, 0]);
/// # Ok::<(), revision::Invalid>(())
/// ```
#[derive(Debug)]
pub struct Stream {
    base: u32,
    now: u64,
    /// Operations called so far.
    count: u32,
    /// The latest place that was answered before now, and the latest of all: an answer is before what is asked later
    /// only if it is before it in time.
    floor: Floor,
    next_floor: Floor,
    flying: BTreeSet<(Place, u32)>,
    replay: Replay,
    violation: Option<Box<Violation>>,
}

/// Where an operation stands: its revision, and whether it only saw it.
pub(crate) type Place = (u32, bool);

/// The latest place that was answered, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Floor {
    place: Place,
    number: u32,
}

/// An operation that was asked and not answered.
#[derive(Debug)]
pub struct Ticket(Flying);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Flying {
    pub(crate) number: u32,
    /// As it was asked.
    pub(crate) operation: Operation,
    /// The latest place that was answered before.
    pub(crate) floor: Place,
    over: u32,
}

/// The answer to an operation on one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The revision of the answer.
    pub revision: u32,
    /// Whether it says that something was changed.
    pub changed: bool,
    /// What it shows.
    pub seen: Seen,
}

impl Reply {
    /// A change that made this revision.
    pub fn made(revision: u32) -> Reply {
        Reply { revision, changed: true, seen: Seen::ABSENT }
    }

    /// Something that changed nothing, and showed this. A removal that found nothing shows [`Seen::ABSENT`].
    pub fn saw(revision: u32, seen: Seen) -> Reply {
        Reply { revision, changed: false, seen }
    }
}

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// There is an order.
    Linearizable,
    /// There is none.
    Violation(Box<Violation>),
    /// Nothing contradicts itself, but something is missing.
    Undecided(Undecided),
}

/// How much a stream holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Operations that were asked and not answered.
    pub flying: usize,
    /// Operations that will not be answered, and may take effect.
    pub lost: usize,
    /// Answers and changes at revisions that the watch has not reached, or without the other.
    pub waiting: usize,
    /// What keys hold and held.
    pub versions: usize,
}

impl Stream {
    /// A stream that begins at this revision, with an empty store: 1 for a new etcd.
    pub fn new(base: u32) -> Stream {
        let floor = Floor { place: (base, false), number: u32::MAX };
        Stream {
            base,
            now: 0,
            count: 0,
            floor,
            next_floor: floor,
            flying: BTreeSet::new(),
            replay: Replay::new(base),
            violation: None,
        }
    }

    /// Something is asked. What a reading operation would see is not looked at. Operations are counted from 0 in the
    /// order of their calls, and violations name them so.
    ///
    /// # Errors
    /// If it is of several keys, or there are too many.
    ///
    /// # Panics
    /// If time runs backwards.
    pub fn call(&mut self, time: u64, operation: Operation) -> Result<Ticket, Invalid> {
        if operation.is_wide() {
            return Err(Invalid::Kind);
        }
        let number = self.count;
        self.count = self.count.checked_add(1).ok_or(Invalid::TooMany)?;
        self.until(time);
        let operation = Operation { call: time, ret: UNKNOWN, ..operation };
        let Floor { place: floor, number: over } = self.floor;
        let flying = Flying { number, operation, floor, over };
        self.flying.insert((floor, number));
        self.replay.asked(&flying);
        Ok(Ticket(flying))
    }

    /// It is answered.
    ///
    /// # Errors
    /// If that is a violation, or there was one before.
    ///
    /// # Panics
    /// If time runs backwards.
    pub fn answer(&mut self, ticket: Ticket, time: u64, reply: Reply) -> Result<(), Box<Violation>> {
        let Ticket(flying) = ticket;
        self.until(time);
        self.land(&flying);
        let Reply { revision, changed, seen } = reply;
        let operation = Operation { ret: time, revision, changed, seen, ..flying.operation };
        let place = (revision, !operation.is_change());
        let result = self.in_time(&flying, &operation, place).and_then(|()| {
            self.next_floor = self.next_floor.max(Floor { place, number: flying.number });
            self.replay.answered(flying.number, operation)
        });
        self.go_on(result)
    }

    /// It will never be answered, and may have taken effect or yet do so.
    ///
    /// # Errors
    /// If there was a violation, or it is certain now.
    pub fn lost(&mut self, ticket: Ticket) -> Result<(), Box<Violation>> {
        let Ticket(flying) = ticket;
        self.land(&flying);
        self.replay.lost(flying);
        self.go_on(Ok(()))
    }

    /// The watch shows all that a revision did. Revisions come in ascending order.
    ///
    /// # Errors
    /// If that is a violation, or there was one before.
    pub fn shown(&mut self, revision: u32, changes: &[Change]) -> Result<(), Box<Violation>> {
        let result = self.replay.shown(revision, changes.to_vec(), false);
        self.go_on(result)
    }

    /// The watch shows what the store did by itself.
    ///
    /// # Errors
    /// If that is a violation, or there was one before.
    pub fn shown_by_nobody(&mut self, revision: u32, changes: &[Change]) -> Result<(), Box<Violation>> {
        let result = self.replay.shown(revision, changes.to_vec(), true);
        self.go_on(result)
    }

    /// Nothing before this time is still to come.
    ///
    /// # Panics
    /// If time runs backwards.
    pub fn until(&mut self, time: u64) {
        assert!(time >= self.now, "time runs backwards, from {} to {time}", self.now);
        if time > self.now {
            (self.now, self.floor) = (time, self.next_floor);
        }
    }

    /// Lost operations that were called before this time made revisions that are shown already, or never will make any.
    pub fn forget(&mut self, time: u64) {
        self.replay.forget(time);
    }

    /// Nothing else will come: those in flight are lost.
    pub fn finish(mut self, tickets: impl IntoIterator<Item = Ticket>) -> Judged {
        for Ticket(flying) in tickets {
            self.land(&flying);
            self.replay.lost(flying);
        }
        if self.violation.is_none() {
            self.violation = self.replay.finish(self.base, self.count).err();
        }
        match self.violation {
            Some(violation) => Judged::Violation(violation),
            None if self.replay.undecided == Undecided::default() => Judged::Linearizable,
            None => Judged::Undecided(self.replay.undecided),
        }
    }

    /// How much is held at present.
    pub fn held(&self) -> Held {
        Held { flying: self.flying.len(), ..self.replay.held_items() }
    }

    fn land(&mut self, flying: &Flying) {
        self.flying.remove(&(flying.floor, flying.number));
        self.replay.landed(flying);
    }

    fn in_time(&self, flying: &Flying, operation: &Operation, place: Place) -> Result<(), Box<Violation>> {
        let revision = operation.revision;
        if place <= (self.base, false) {
            let reason = Reason::OutOfRange { revision };
            return Err(Box::new(Violation { operations: vec![flying.number], reason }));
        }
        if place < flying.floor && operation.kind != Kind::GetSerializable {
            let reason = Reason::Stale { revision, newer: flying.floor.0 };
            return Err(Box::new(Violation { operations: vec![flying.number, flying.over], reason }));
        }
        Ok(())
    }

    /// Decides what can be decided now, unless there was a violation.
    fn go_on(&mut self, result: Result<(), Box<Violation>>) -> Result<(), Box<Violation>> {
        if let Some(violation) = &self.violation {
            return Err(violation.clone());
        }
        let oldest = self.flying.first().map_or(self.floor.place, |(floor, _)| *floor);
        let result = result.and_then(|()| self.replay.go_on(self.floor.place, oldest.0));
        self.violation = result.as_ref().err().cloned();
        result
    }
}
