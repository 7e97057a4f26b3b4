//! Judges a history while it is being recorded. It keeps only what a later event may still depend on. Memory stays
//! bounded however long the recording runs, provided that [`Stream::forget`] is called from time to time.

mod watched;

use std::collections::BTreeSet;

use self::watched::Watched;
use crate::evidence::Change;
use crate::history::{Invalid, Kind, Operation, Seen, UNKNOWN};
use crate::verdict::{Reason, Undecided, Violation};

/// A check that gets events in the order of time and returns a violation as soon as it is certain.
///
/// The events are calls, answers, and what a watch of all keys shows. What a revision did is known once the watch shows
/// it, so an answer with a revision is judged when the watch has reached that revision.
///
/// The stream keeps the operations in flight, what keys held since the oldest of them was called, and the operations of
/// unknown outcome until [`forget`](Stream::forget). Operations on several keys need [`check`](crate::check()).
///
/// ```
/// use revision::{Change, Operation, Reply, Seen, Stream, StreamError};
///
/// let mut stream = Stream::new(1);
/// let put = stream.call(0, Operation::put(7, 1))?;
/// stream.shown(2, &[Change::put(2, 7, 1)])?;
/// stream.answer(put, 3, Reply::made(2))?;
/// let get = stream.call(4, Operation::get(7, Seen::ABSENT))?;
/// let Err(StreamError::Violation(violation)) = stream.answer(get, 5, Reply::saw(1, Seen::ABSENT)) else {
///     panic!("the read is stale");
/// };
/// assert_eq!(violation.operations, [1, 0]);
/// # Ok::<(), StreamError>(())
/// ```
#[derive(Debug)]
pub struct Stream {
    base: u32,
    /// The latest time so far.
    now: u64,
    /// Operations called so far.
    count: u32,
    /// The latest position of an answer that arrived before `now`. An operation called now must not come before it.
    floor: Floor,
    /// The latest position of any answer so far. It becomes the floor when the time moves on, because events of the
    /// same time have no order.
    next_floor: Floor,
    /// The operations in flight: the floor at the call, and the number.
    in_flight: BTreeSet<(Position, u32)>,
    /// The store, and what waits for it.
    watched: Watched,
    /// The first violation. Once there is one, nothing more is judged.
    violation: Option<Box<Violation>>,
}

/// An operation's position in the order of revisions. At the same revision, the operation that made it comes before
/// those that saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) revision: u32,
    /// Whether the operation saw the revision without making it.
    pub(crate) only_saw: bool,
}

impl Position {
    /// The end of every history.
    pub(crate) const LAST: Position = Position { revision: u32::MAX, only_saw: true };

    /// The position of the change that made this revision.
    pub(crate) fn of_change(revision: u32) -> Position {
        Position { revision, only_saw: false }
    }
}

/// The latest position of an answer, and the number of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Floor {
    position: Position,
    /// The number of the operation.
    number: u32,
}

/// An operation in flight: it was called, and has neither been answered nor lost.
#[derive(Debug)]
pub struct Ticket(InFlight);

/// Why a stream does not accept an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The event itself is wrong. The stream is as it was, except that the event's ticket is used up.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The history is not linearizable. Later answers, losses and shown revisions return the same violation; calls
    /// are still accepted.
    #[error(transparent)]
    Violation(#[from] Box<Violation>),
}

/// An operation that was called and has no answer so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlight {
    /// Its number in the order of calls.
    pub(crate) number: u32,
    /// The operation as it was called, without its answer.
    pub(crate) operation: Operation,
    /// The latest position of an answer before the call. This operation must not come before that position.
    pub(crate) floor: Position,
    /// The number of the operation with that answer.
    floor_number: u32,
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

    /// An answer that shows `seen`, to an operation that changed nothing. A deletion that found no key shows
    /// [`Seen::ABSENT`].
    pub fn saw(revision: u32, seen: Seen) -> Reply {
        Reply { revision, changed: false, seen }
    }
}

/// Whether the history of a stream is linearizable: a [`Verdict`](crate::Verdict) without a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamVerdict {
    /// It is.
    Linearizable,
    /// It is not, and these operations show it.
    Violation(Box<Violation>),
    /// There is no contradiction, but too little is known to be sure.
    Undecided(Undecided),
}

/// How many items a stream retains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Operations in flight.
    pub in_flight: usize,
    /// Operations of unknown outcome that may still take effect.
    pub lost: usize,
    /// Answers that wait for the watch, and changes that wait for an answer.
    pub waiting: usize,
    /// Current and earlier states of keys.
    pub versions: usize,
}

impl Stream {
    /// A stream that begins with an empty store at this revision, the base. For a new etcd it is 1.
    pub fn new(base: u32) -> Stream {
        // No answer made this floor. Its number is never shown: an answer before it is out of range.
        let floor = Floor { position: Position::of_change(base), number: u32::MAX };
        Stream {
            base,
            now: 0,
            count: 0,
            floor,
            next_floor: floor,
            in_flight: BTreeSet::new(),
            watched: Watched::new(base),
            violation: None,
        }
    }

    /// Records that an operation is called. The fields that belong to its answer are ignored. Violations name
    /// operations by their index in the order of calls, from 0.
    ///
    /// # Errors
    /// If the operation is on several keys, there are too many operations, or the time is before that of an earlier
    /// event.
    pub fn call(&mut self, time: u64, operation: Operation) -> Result<Ticket, Invalid> {
        if operation.is_wide() {
            return Err(Invalid::Wide);
        }
        let number = self.count;
        let count = self.count.checked_add(1).ok_or(Invalid::TooManyOperations)?;
        self.until(time)?;
        self.count = count;
        let operation = Operation { call: time, returned: UNKNOWN, ..operation };
        let Floor { position: floor, number: floor_number } = self.floor;
        let in_flight = InFlight { number, operation, floor, floor_number };
        self.in_flight.insert((floor, number));
        self.watched.called(&in_flight);
        Ok(Ticket(in_flight))
    }

    /// Records that an operation is answered.
    ///
    /// # Errors
    /// If there is a violation, or the time is before that of an earlier event.
    pub fn answer(&mut self, ticket: Ticket, time: u64, reply: Reply) -> Result<(), StreamError> {
        let Ticket(in_flight) = ticket;
        self.until(time)?;
        self.land(&in_flight);
        let Reply { revision, changed, seen } = reply;
        let operation = Operation { returned: time, revision, changed, seen, ..in_flight.operation };
        let position = Position { revision, only_saw: !operation.is_change() };
        let result = self.check_time(&in_flight, &operation, position).and_then(|()| {
            self.next_floor = self.next_floor.max(Floor { position, number: in_flight.number });
            self.watched.answered(in_flight.number, operation)
        });
        self.proceed(result)
    }

    /// Records that an operation is lost: it will get no answer, so its outcome stays unknown. It may have taken effect
    /// already, may do so later, or may never do so.
    ///
    /// # Errors
    /// If there is a violation.
    pub fn lost(&mut self, ticket: Ticket) -> Result<(), StreamError> {
        let Ticket(in_flight) = ticket;
        self.land(&in_flight);
        self.watched.lost(in_flight);
        self.proceed(Ok(()))
    }

    /// Records what the watch shows: all changes of a revision. Revisions come in ascending order.
    ///
    /// # Errors
    /// If there is a violation.
    pub fn shown(&mut self, revision: u32, changes: &[Change]) -> Result<(), StreamError> {
        let result = self.watched.shown(revision, changes.to_vec(), false);
        self.proceed(result)
    }

    /// The same for a revision that the store made itself, such as the end of a lease.
    ///
    /// # Errors
    /// If there is a violation.
    pub fn shown_made_by_store(&mut self, revision: u32, changes: &[Change]) -> Result<(), StreamError> {
        let result = self.watched.shown(revision, changes.to_vec(), true);
        self.proceed(result)
    }

    /// Moves the time on. No event before this time may follow.
    ///
    /// # Errors
    /// If the time is before that of an earlier event.
    pub fn until(&mut self, time: u64) -> Result<(), Invalid> {
        if time < self.now {
            return Err(Invalid::OutOfOrder { now: self.now, time });
        }
        if time > self.now {
            (self.now, self.floor) = (time, self.next_floor);
        }
        Ok(())
    }

    /// Promises that no lost operation called before this time takes effect from now on, except in revisions that the
    /// watch has shown already. The stream can then forget these operations.
    pub fn forget(&mut self, time: u64) {
        self.watched.forget(time);
    }

    /// Ends the stream. The operations of these tickets count as lost.
    pub fn finish(mut self, tickets: impl IntoIterator<Item = Ticket>) -> StreamVerdict {
        for Ticket(in_flight) in tickets {
            self.land(&in_flight);
            self.watched.lost(in_flight);
        }
        if self.violation.is_none() {
            self.violation = self.watched.finish(self.base, self.count).err();
        }
        match self.violation {
            Some(violation) => StreamVerdict::Violation(violation),
            None if self.watched.undecided == Undecided::default() => StreamVerdict::Linearizable,
            None => StreamVerdict::Undecided(self.watched.undecided),
        }
    }

    /// How many items are retained now.
    pub fn retained(&self) -> Retained {
        Retained { in_flight: self.in_flight.len(), ..self.watched.retained() }
    }

    /// Removes an operation from those in flight.
    fn land(&mut self, in_flight: &InFlight) {
        self.in_flight.remove(&(in_flight.floor, in_flight.number));
        self.watched.landed(in_flight);
    }

    /// Checks that the position of an answer is after the base, and not before that of an answer that arrived before
    /// the call.
    fn check_time(
        &self,
        in_flight: &InFlight,
        operation: &Operation,
        position: Position,
    ) -> Result<(), Box<Violation>> {
        let revision = operation.revision;
        if position <= Position::of_change(self.base) {
            let reason = Reason::OutOfRange { revision };
            return Err(Box::new(Violation { operations: vec![in_flight.number], reason }));
        }
        if position < in_flight.floor && operation.kind != Kind::GetSerializable {
            let reason = Reason::Stale { revision, newer: in_flight.floor.revision };
            let operations = vec![in_flight.number, in_flight.floor_number];
            return Err(Box::new(Violation { operations, reason }));
        }
        Ok(())
    }

    /// Decides what can be decided now, unless there was a violation.
    fn proceed(&mut self, result: Result<(), Box<Violation>>) -> Result<(), StreamError> {
        if let Some(violation) = &self.violation {
            return Err(violation.clone().into());
        }
        let oldest = self.in_flight.first().map_or(self.floor.position, |(floor, _)| *floor);
        let result = result.and_then(|()| self.watched.proceed(self.floor.position, oldest.revision));
        self.violation = result.as_ref().err().cloned();
        Ok(result?)
    }
}
