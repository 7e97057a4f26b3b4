//! Changes of the world that are wanted by code that may not make them itself: by the faults and their undoing, and by
//! the callers of the members. Such code writes a list of deeds, and the world carries it out.
//!
//! Invariant: deeds are carried out in their order, depth first: everything that one deed brings about is done before
//! the next deed.

use keyed::Draw;
use trace::{CallKind, Fact, MemberId, Nanos, Stop};

use crate::happening::Happening;
use crate::network::{Body, Packet, Party};
use crate::system::{FactOf, InputOf, OwnFactOf, RequestOf, System};

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Deed<S: System> {
    /// Records a fact about a member.
    Note(MemberId, FactOf<S>),
    /// Counts a fault that took effect.
    Count(&'static str),
    /// Schedules this for this time.
    At(Nanos, Happening<S>),
    /// Gives the callers this event now, in its place among the deeds.
    Then(S::Event),
    /// A client calls.
    Called { call: u64, client: u32, digest: u64 },
    /// Sends a packet.
    Send(Box<Packet<S>>),
    /// Gives a member an input: now, or when its process can run again.
    Give(MemberId, InputOf<S>),
    /// Gives a member an input before the inputs that wait.
    GiveFirst(MemberId, InputOf<S>),
    /// Schedules the wake-up of a member, unless an earlier one is scheduled.
    Wake(MemberId),
    /// Starts a process that is down.
    Start(MemberId),
    /// Ends a process, if it runs.
    End(MemberId, Stop),
    /// Begins a fault of a member's disk.
    InjectDisk(MemberId, u32),
    /// The disk of a member became slower or faster: operations under way end at other times.
    Retime(MemberId),
    /// An operator begins the task that is this fault of the plan.
    Task {
        fault: usize,
        /// The members that are its target.
        members: Vec<MemberId>,
        /// The draw that decides its choices.
        draw: Draw,
    },
}

/// What callers want done. The world does it in this order as soon as the callers have returned.
#[derive(Debug)]
pub struct Orders<S: System>(Vec<Deed<S>>);

impl<S: System> Orders<S> {
    /// Orders on an empty list.
    pub(crate) fn new(list: Vec<Deed<S>>) -> Orders<S> {
        Orders(list)
    }

    pub(crate) fn into_deeds(self) -> Vec<Deed<S>> {
        self.0
    }

    /// A client calls. At `gives_up` it learns that it no longer waits. `digest` stands for the request in the trace.
    /// The first call has the number 0, the next one 1, and so on.
    pub fn call(&mut self, call: u64, client: u32, digest: u64, gives_up: Nanos) {
        self.0.push(Deed::Called { call, client, digest });
        self.0.push(Deed::At(gives_up, Happening::CallTimesOut { call }));
    }

    /// Sends the request of a call to this incarnation of a member.
    pub fn request(&mut self, call: u64, client: usize, to: (MemberId, u32), request: RequestOf<S>) {
        self.send_up(client, to, CallKind::Request, Body::Request(call, request));
    }

    /// Tells this incarnation of a member that the client no longer waits for an answer.
    pub fn cancel(&mut self, call: u64, client: usize, to: (MemberId, u32)) {
        self.send_up(client, to, CallKind::Request, Body::Cancel(call));
    }

    /// A call has ended for its client. `digest` stands for the answer in the trace.
    pub fn returned(&mut self, call: u64, answered: bool, digest: u64) {
        self.0.push(Deed::Note(MemberId::NONE, Fact::Returned { operation: call, answered, digest }));
    }

    /// Sends a packet of a stream from the client to this incarnation of the member.
    pub fn segment_up(&mut self, client: usize, to: (MemberId, u32), stream: u64, segment: S::Segment) {
        self.send_up(client, to, CallKind::Up, Body::Stream(stream, Box::new(segment)));
    }

    /// Sends a packet of a stream from this incarnation of the member to the client.
    pub fn segment_down(&mut self, from: (MemberId, u32), client: usize, stream: u64, segment: S::Segment) {
        let from = (Party::Member(from.0), from.1);
        let to = (Party::Client(client), 0);
        let body = Body::Stream(stream, Box::new(segment));
        self.0.push(Deed::Send(Packet::of_call(from, to, CallKind::Down, body)));
    }

    /// Sends a packet from a client to this incarnation of a member.
    fn send_up(&mut self, client: usize, to: (MemberId, u32), kind: CallKind, body: Body<S>) {
        let (from, to) = ((Party::Client(client), 0), (Party::Member(to.0), to.1));
        self.0.push(Deed::Send(Packet::of_call(from, to, kind, body)));
    }

    /// Gives a member an input that does not travel over the network: from its own end of a stream, or directly from an
    /// operator.
    pub fn give(&mut self, member: MemberId, input: InputOf<S>) {
        self.0.push(Deed::Give(member, input));
    }

    /// Gives the callers this event at this time.
    pub fn at(&mut self, time: Nanos, event: S::Event) {
        self.0.push(Deed::At(time, Happening::Callers(event)));
    }

    /// Gives the callers this event once all orders before it are carried out.
    pub fn then(&mut self, event: S::Event) {
        self.0.push(Deed::Then(event));
    }

    /// Records a fact that concerns no member.
    pub fn note(&mut self, fact: OwnFactOf<S>) {
        self.0.push(Deed::Note(MemberId::NONE, Fact::Own(fact)));
    }

    /// Counts a fault that took effect.
    pub fn count(&mut self, fault: &'static str) {
        self.0.push(Deed::Count(fault));
    }
}
