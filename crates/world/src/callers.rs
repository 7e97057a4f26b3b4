//! The code that calls the nodes: clients, operators, and anything else that has a request. Callers are state machines,
//! as the nodes are: the world asks them when it is their turn. They read the world ([`View`]) and write orders
//! ([`Orders`]), which the world carries out; they never change it themselves.

use keyed::Draw;
use trace::MemberId;

use crate::calls::Ended;
use crate::deeds::Orders;
use crate::network::Party;
use crate::system::{DownOf, System, TaskOf};
use crate::view::View;

/// All callers of a run. The functions with an empty body here suffice for callers that only call.
pub trait Callers<S: System> {
    /// How many client numbers they use. The clients of the plan are the first ones.
    fn parties(&self) -> usize;

    /// The run begins.
    fn begin(&mut self, view: &View<'_, S>, orders: &mut Orders<S>);

    /// Something that a caller waited for happens ([`Orders::at`], [`Orders::then`]).
    fn event(&mut self, view: &View<'_, S>, event: S::Event, orders: &mut Orders<S>);

    /// A call has ended. An answer may still come after its caller has stopped waiting, and a time-out after the
    /// answer: only the first of them counts.
    fn ended(&mut self, view: &View<'_, S>, call: u64, how: Ended<S>, orders: &mut Orders<S>);

    /// The calls under way.
    fn waiting(&self) -> Vec<Waiting>;

    /// A member sends an item on a stream.
    fn item(
        &mut self,
        _view: &View<'_, S>,
        _from: MemberId,
        _stream: u64,
        _item: DownOf<S>,
        _orders: &mut Orders<S>,
    ) {
    }

    /// A packet of the callers' own arrives at one of its ends: at the client, or at the host of the member, whose
    /// process is up.
    fn segment(
        &mut self,
        _view: &View<'_, S>,
        _at: Party,
        _stream: u64,
        _segment: S::Segment,
        _orders: &mut Orders<S>,
    ) {
    }

    /// A packet of the callers' own reached the host of a member after the process it was for had ended.
    fn undelivered(
        &mut self,
        _view: &View<'_, S>,
        _to: MemberId,
        _stream: u64,
        _segment: &S::Segment,
        _orders: &mut Orders<S>,
    ) {
    }

    /// The process of a member has ended; `power_failed` if its host is off.
    fn process_ended(
        &mut self,
        _view: &View<'_, S>,
        _member: MemberId,
        _power_failed: bool,
        _orders: &mut Orders<S>,
    ) {
    }

    /// An operator begins a task of the plan.
    fn task(&mut self, _view: &View<'_, S>, _task: &Task<'_, TaskOf<S>>, _orders: &mut Orders<S>) {}

    /// The calm phase is over: nothing new begins.
    fn load_ended(&mut self);

    /// The members agree on a leader and owe nothing; what they have applied is compared later. Adds to `missing` what the callers still miss,
    /// and orders what they need. Returns false if that must happen before anything else is checked. `core` are the
    /// members that must work, and `reached` those of them that reach their leader.
    fn settling(
        &mut self,
        _view: &View<'_, S>,
        (_core, _reached): (&[MemberId], &[MemberId]),
        _missing: &mut Vec<String>,
        _orders: &mut Orders<S>,
    ) -> bool {
        true
    }

    /// The run is over.
    fn finish(&mut self, _view: &View<'_, S>, _orders: &mut Orders<S>) {}
}

/// A call under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The client that waits.
    pub client: usize,
    /// The number of the call.
    pub call: u64,
    /// The member that was called.
    pub member: MemberId,
}

/// A task that begins. It is a fault of the plan.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a, T> {
    /// What to do.
    pub what: &'a T,
    /// Its index among the faults of the plan.
    pub fault: usize,
    /// The members that are its target.
    pub members: &'a [MemberId],
    /// The draw that decides its choices.
    pub draw: Draw,
}
