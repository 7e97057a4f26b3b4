//! Streams as connections between a client and a member: both ends, and the packets between them. Watches use streams,
//! and so does each streamed range ([`super::ranges`]).
//!
//! Each stream is a connection of its own, ordered and reliable in both directions (`transport`), until it
//! breaks. It breaks when the member's process ends, when a ping stays unanswered, or when one side ends it.
//! If the process ends but its host runs on, the client learns it at once from a reset; after a power loss it
//! learns it from its keepalive. A packet for an end that no longer exists is answered with a reset, as in
//! TCP. A stream belongs to one incarnation of its member (rule R5 of ARCHITECTURE.md).
//!
//! While a process is paused, its kernel still acknowledges packets and retransmits. Only the process itself
//! answers pings.
//!
//! The client takes one response after another, each after its processing time. Each one that it takes makes
//! room in the member's window for another (`Input::Taken`).
//!
//! In names, *up* is the direction from the client to the member, and *down* the other one.
//!
//! Not modelled: connection set-up, several streams on one connection, pings from the server (etcd's server
//! pings after two hours).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use api::etcdserverpb::{RangeRequest, WatchRequest};
use bytes::Bytes;
use keyed::{Domain, Keyed};
use member::io::{self, Ask, Input};
use record::{EtcdFact, MemberId, Members, Nanos, Operation, StreamEnd, WatchStream};
use world::State;
use world::clock::SECOND;

use super::Clients;
use super::segment::{Down, Segment, Up};
use super::transport::{Receiver, Sender, TimeoutAction};
use crate::caller_event::CallerEvent;
use crate::desk::Desk;

/// The domain in which the processing times of clients are drawn.
const PROCESSING: Domain = Domain::new("world watch processing");

/// One stream.
#[derive(Debug)]
pub(crate) struct Stream {
    client: usize,
    member: MemberId,
    /// The member's incarnation when the stream was opened.
    incarnation: u32,
    /// What it is for.
    of: Of,
    /// The client's auth token.
    token: Option<Bytes>,
    // ---- the client's end ----
    /// Whether the stream is open for the client: it has neither closed it nor learned that it broke.
    open: bool,
    /// Whether the client has closed it.
    closed: bool,
    /// Sends requests to the member.
    up: Sender<Up>,
    /// When its time-out fires; `Nanos::MAX` for none.
    up_armed: Nanos,
    /// Receives responses from the member.
    down_in: Receiver<Down>,
    /// Responses that have arrived and are not yet taken.
    inbox: VecDeque<Down>,
    /// Whether the client is processing the first of these.
    busy: bool,
    /// When the client last received something from the process, by the client's clock.
    last_received: Nanos,
    /// When the first unanswered ping was sent, by the client's clock.
    pinged: Option<Nanos>,
    // ---- the member's end ----
    /// Whether the member's process still serves it.
    served: bool,
    /// Whether a request on it has reached the member's process.
    known: bool,
    /// Sends responses to the client.
    down: Sender<Down>,
    /// When its time-out fires; `Nanos::MAX` for none.
    down_armed: Nanos,
    /// Receives requests from the client.
    up_in: Receiver<Up>,
}

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// Watches. The client has its own number for the stream.
    Watches { number: u32 },
    /// A range, which is an operation of the history.
    Range { operation: u64 },
}

/// This bit marks the number of a range's stream. Without it, a number is that of a watch stream in the history.
const RANGE: u64 = Operation::RANGE;

/// The number of the stream of a range.
pub(super) fn number_of(operation: u64) -> u64 {
    RANGE | operation
}

/// All streams of a run, by their number.
pub(crate) struct Streams {
    /// The streams of watches, by their number in the history.
    all: Vec<Stream>,
    /// The streams of ranges.
    ranges: BTreeMap<u64, Stream>,
    /// For each stream, how many responses its client has begun to process: the counter in the keys of the
    /// draws of processing times.
    processed: Vec<u64>,
    /// For each member, the incarnation that last ended by a power loss; `u32::MAX` if none did. After a
    /// power loss the host is off until the process starts again.
    powered_off: Members<u32>,
}

impl Streams {
    pub(super) fn new(members: u32) -> Streams {
        Streams {
            all: Vec::new(),
            ranges: BTreeMap::new(),
            processed: Vec::new(),
            powered_off: Members::new(members, |_| u32::MAX),
        }
    }

    fn get(&self, stream: u64) -> &Stream {
        if stream & RANGE == 0 { &self.all[stream as usize] } else { &self.ranges[&stream] }
    }

    fn get_mut(&mut self, stream: u64) -> &mut Stream {
        if stream & RANGE == 0 {
            &mut self.all[stream as usize]
        } else {
            self.ranges.get_mut(&stream).expect("a stream exists from its opening on")
        }
    }

    /// Whether the stream is open for its client.
    pub(super) fn is_open(&self, stream: u64) -> bool {
        self.get(stream).open
    }

    /// The member at the other end.
    pub(super) fn member(&self, stream: u64) -> MemberId {
        self.get(stream).member
    }
}

impl Clients {
    // ---- the client's end -------------------------------------------------------------------------

    /// Opens a stream to the client's current endpoint. Nothing is sent yet: the first request opens it there.
    pub(super) fn open_stream(&mut self, desk: &mut Desk<'_>, client: usize, number: u32) -> u64 {
        let now = desk.now();
        let stream = desk.history.watches.len() as u64;
        let member = self.all[client].member();
        desk.orders.note(EtcdFact::WatchOpened { stream, client: client as u32, to: member });
        desk.history.watches.push(WatchStream {
            client: client as u32,
            member,
            opened: now,
            sent: Vec::new(),
            received: Vec::new(),
            ended: None,
        });
        self.streams.processed.push(0);
        let (state, first_check) = self.both_ends(desk, client, Of::Watches { number });
        self.streams.all.push(state);
        desk.count_work("streams");
        if first_check != Nanos::MAX {
            desk.orders.at(first_check, CallerEvent::StreamKeepalive { stream });
        }
        stream
    }

    /// Opens the stream of a range to the client's current endpoint, and sends the request.
    pub(super) fn open_range(
        &mut self,
        desk: &mut Desk<'_>,
        client: usize,
        operation: u64,
        request: Arc<RangeRequest>,
    ) {
        let stream = number_of(operation);
        let (state, first_check) = self.both_ends(desk, client, Of::Range { operation });
        self.streams.ranges.insert(stream, state);
        if first_check != Nanos::MAX {
            desk.orders.at(first_check, CallerEvent::StreamKeepalive { stream });
        }
        self.push_up(desk, stream, Up::Range(request));
    }

    /// Both ends of a new stream, and when the client first looks whether it still hears from the member.
    fn both_ends(&self, desk: &Desk<'_>, client: usize, of: Of) -> (Stream, Nanos) {
        let now = desk.now();
        let state = &self.all[client];
        let (member, token) = (state.member(), state.token());
        let last_received = state.clock.monotonic(now);
        let first_check = state.after(now, state.plan.keepalive);
        let ends = Stream {
            client,
            member,
            incarnation: desk.view.incarnation(member),
            of,
            token,
            open: true,
            closed: false,
            up: Sender::new(),
            up_armed: Nanos::MAX,
            down_in: Receiver::new(),
            inbox: VecDeque::new(),
            busy: false,
            last_received,
            pinged: None,
            served: true,
            known: false,
            down: Sender::new(),
            down_armed: Nanos::MAX,
            up_in: Receiver::new(),
        };
        (ends, first_check)
    }

    /// A client sends a request on a stream; the history records it.
    pub(super) fn send_on_stream(&mut self, desk: &mut Desk<'_>, stream: u64, request: WatchRequest) {
        let now = desk.now();
        desk.history.watches[stream as usize].sent.push((now, request.clone()));
        self.push_up(desk, stream, Up::Request(request));
    }

    /// Sends an item from the client to the member, reliably.
    fn push_up(&mut self, desk: &mut Desk<'_>, stream: u64, item: Up) {
        let now = desk.now();
        let state = self.streams.get_mut(stream);
        let number = state.up.push(now, item.clone());
        self.arm(desk, stream, true);
        self.send_up(desk, stream, Segment::Up(number, item));
    }

    /// Sends a packet from the client's end.
    fn send_up(&mut self, desk: &mut Desk<'_>, stream: u64, segment: Segment) {
        let state = self.streams.get(stream);
        desk.orders.segment_up(state.client, (state.member, state.incarnation), stream, segment);
    }

    /// A client closes a stream, if it is open.
    pub(super) fn close_stream(&mut self, desk: &mut Desk<'_>, stream: u64) {
        if self.streams.is_open(stream) {
            self.end_stream(desk, stream, StreamEnd::Closed);
            self.push_up(desk, stream, Up::Close);
        }
    }

    /// Ends a stream for its client. The history records how a stream of watches ended.
    fn end_stream(&mut self, desk: &mut Desk<'_>, stream: u64, end: StreamEnd) {
        let now = desk.now();
        let state = self.streams.get_mut(stream);
        state.open = false;
        state.inbox.clear();
        state.closed = end == StreamEnd::Closed;
        if !state.closed {
            state.up.stop();
        }
        if let Of::Watches { .. } = state.of {
            desk.history.watches[stream as usize].ended = Some((now, end));
            desk.orders.note(EtcdFact::WatchEnded { stream });
        }
    }

    /// A client learns that a stream broke or that the member ended it.
    fn break_stream(&mut self, desk: &mut Desk<'_>, stream: u64, end: StreamEnd) {
        let state = self.streams.get(stream);
        if !state.open {
            return;
        }
        let (client, of) = (state.client, state.of);
        self.end_stream(desk, stream, end);
        let number = match of {
            Of::Watches { number } => number,
            Of::Range { operation } => return self.range_ended(desk, operation, end),
        };
        desk.count_work(if end == StreamEnd::Broken { "streams-broken" } else { "streams-refused" });
        self.all[client].stream_broke();
        let error = if let StreamEnd::Refused(error) = end { Some(error) } else { None };
        self.stream_lost(desk, client, number, stream, error);
    }

    /// A packet of a stream arrives at its client.
    pub(crate) fn stream_at_client(&mut self, desk: &mut Desk<'_>, stream: u64, segment: Segment) {
        let now = desk.now();
        let state = self.streams.get_mut(stream);
        let open = state.open;
        let reading = self.all[state.client].clock.monotonic(now);
        match segment {
            Segment::Ack(received, taken) => {
                let acknowledged = state.up.take_ack(now, received, taken);
                self.arm(desk, stream, true);
                if let Some((number, item)) = acknowledged.again {
                    self.send_again(desk, stream, true, Segment::Up(number, item));
                }
            }
            Segment::Reset => {
                state.up.stop();
                self.break_stream(desk, stream, StreamEnd::Broken);
            }
            Segment::Down(number, item) if open => {
                state.last_received = reading;
                state.pinged = None;
                let items = state.down_in.arrive(number, item);
                state.inbox.extend(items);
                self.take_ready(desk, stream);
                self.acknowledge_down(desk, stream);
            }
            Segment::Probe if open => self.acknowledge_down(desk, stream),
            Segment::Pong if open => {
                state.last_received = reading;
                state.pinged = None;
            }
            // The client's end no longer exists. If the client closed it, the member knows already.
            Segment::Down(..) | Segment::Probe => {
                if !state.closed {
                    self.send_up(desk, stream, Segment::Reset);
                }
            }
            Segment::Pong | Segment::Up(..) | Segment::Ping => {}
        }
    }

    /// The client's end acknowledges what has arrived from the member.
    fn acknowledge_down(&mut self, desk: &mut Desk<'_>, stream: u64) {
        let (received, taken) = self.streams.get(stream).down_in.acknowledged();
        self.send_up(desk, stream, Segment::Ack(received, taken));
    }

    /// The client takes the responses that have arrived, as fast as its processing time allows.
    fn take_ready(&mut self, desk: &mut Desk<'_>, stream: u64) {
        loop {
            let streams = &mut self.streams;
            let state = streams.get(stream);
            if state.busy || state.inbox.is_empty() {
                return;
            }
            let (client, of) = (state.client, state.of);
            if let Of::Range { .. } = of {
                self.take(desk, stream);
                continue;
            }
            let processed = &mut streams.processed[stream as usize];
            *processed += 1;
            let draw = Keyed::new(desk.view.seed(), PROCESSING).draw(stream, *processed);
            // In the settle phase slow clients are no longer slow.
            let time = match desk.settling {
                true => 0,
                false => self.all[client].plan.watch_processing.sample(draw),
            };
            if time > 0 {
                streams.get_mut(stream).busy = true;
                let at = desk.now() + time;
                desk.orders.at(at, CallerEvent::StreamTake { stream });
                return;
            }
            self.take(desk, stream);
        }
    }

    /// In the settle phase, slow clients finish the response that they were processing.
    pub(crate) fn slow_ones_finish(&mut self, desk: &mut Desk<'_>) {
        for stream in 0..self.streams.all.len() as u64 {
            self.stream_take(desk, stream);
        }
    }

    /// A slow client has finished processing a response.
    pub(crate) fn stream_take(&mut self, desk: &mut Desk<'_>, stream: u64) {
        // In the settle phase it may have finished already.
        if !std::mem::take(&mut self.streams.get_mut(stream).busy) {
            return;
        }
        if self.streams.is_open(stream) {
            self.take(desk, stream);
            self.take_ready(desk, stream);
            self.acknowledge_down(desk, stream);
        }
    }

    /// The client takes the oldest response that has arrived.
    fn take(&mut self, desk: &mut Desk<'_>, stream: u64) {
        let now = desk.now();
        let state = self.streams.get_mut(stream);
        let Some(item) = state.inbox.pop_front() else { return };
        state.down_in.take(1);
        let (client, of) = (state.client, state.of);
        match item {
            Down::Response(response) => {
                desk.orders.note(EtcdFact::WatchReceived {
                    stream,
                    revision: response.header.as_ref().map_or(0, |header| header.revision as u64),
                    events: response.events.len() as u32,
                    digest: crate::digests::watch(&response),
                });
                desk.history.watches[stream as usize].received.push((now, (*response).clone()));
                self.take_watch_response(desk, client, stream, &response);
            }
            Down::Chunk(chunk) => {
                let Of::Range { operation } = of else { return };
                self.take_chunk(client, operation, &chunk);
            }
            Down::End => {
                let Of::Range { operation } = of else { return };
                self.end_stream(desk, stream, StreamEnd::Closed);
                self.range_complete(desk, client, operation);
            }
            Down::Refused(error) => self.break_stream(desk, stream, StreamEnd::Refused(error)),
        }
    }

    /// The client's keepalive: it pings a stream on which nothing arrived for `keepalive`, and gives it up if
    /// nothing arrives for another `keepalive_timeout`.
    pub(crate) fn stream_keepalive(&mut self, desk: &mut Desk<'_>, stream: u64) {
        let now = desk.now();
        let state = self.streams.get(stream);
        if !state.open {
            return;
        }
        let client = &self.all[state.client];
        let reading = client.clock.monotonic(now);
        let quiet_until = client.when(state.last_received + client.plan.keepalive);
        let next = match state.pinged {
            _ if now < quiet_until => quiet_until,
            Some(pinged) if reading >= pinged + client.plan.keepalive_timeout => {
                self.break_stream(desk, stream, StreamEnd::Broken);
                self.send_up(desk, stream, Segment::Reset);
                return;
            }
            // Pings are repeated, because TCP would retransmit a lost one.
            _ => now + SECOND.min(client.plan.keepalive_timeout),
        };
        if now >= quiet_until {
            self.streams.get_mut(stream).pinged.get_or_insert(reading);
            self.send_up(desk, stream, Segment::Ping);
        }
        if next != Nanos::MAX {
            desk.orders.at(next, CallerEvent::StreamKeepalive { stream });
        }
    }

    // ---- the member's end -------------------------------------------------------------------------

    /// A member sends an item on a stream: a response, or how it ends the stream.
    pub(crate) fn item(&mut self, desk: &mut Desk<'_>, member: MemberId, stream: u64, item: Down) {
        let ends = matches!(item, Down::End | Down::Refused(_));
        self.push_down(desk, member, stream, item);
        if ends {
            self.streams.get_mut(stream).served = false;
        }
    }

    /// Sends an item from the member to the client, reliably, unless the member's end no longer exists.
    fn push_down(&mut self, desk: &mut Desk<'_>, member: MemberId, stream: u64, item: Down) {
        let now = desk.now();
        let incarnation = desk.view.incarnation(member);
        let state = self.streams.get_mut(stream);
        if !state.served || state.incarnation != incarnation {
            return;
        }
        let number = state.down.push(now, item.clone());
        self.arm(desk, stream, false);
        self.send_down(desk, stream, Segment::Down(number, item));
    }

    /// Sends a packet from the member's end.
    fn send_down(&mut self, desk: &mut Desk<'_>, stream: u64, segment: Segment) {
        let state = self.streams.get(stream);
        // A reset comes from the kernel, so it is sent even if the process has ended.
        let incarnation = if matches!(segment, Segment::Reset) { 0 } else { state.incarnation };
        desk.orders.segment_down((state.member, incarnation), state.client, stream, segment);
    }

    /// A packet of a stream arrives at its member, whose process is up.
    pub(crate) fn stream_at_member(&mut self, desk: &mut Desk<'_>, stream: u64, segment: Segment) {
        let now = desk.now();
        let state = self.streams.get_mut(stream);
        let (member, served) = (state.member, state.served);
        match segment {
            Segment::Up(number, item) => {
                let items = state.up_in.arrive(number, item);
                state.up_in.take(items.len() as u64);
                let token = state.token.clone();
                for item in items.into_iter().filter(|_| served) {
                    match item {
                        Up::Request(request) => {
                            self.streams.get_mut(stream).known = true;
                            let item = Ask::with_token(io::Up::Watch(request), token.clone());
                            desk.orders.give(member, Input::Item { stream, item });
                        }
                        Up::Range(request) => {
                            self.streams.get_mut(stream).known = true;
                            let item = io::Up::Range(RangeRequest::clone(&request));
                            let item = Ask::with_token(item, token.clone());
                            desk.orders.give(member, Input::Item { stream, item });
                        }
                        // The stream closes once the member has taken and answered the items before.
                        Up::Close => desk.orders.then(CallerEvent::StreamClosed { stream }),
                    }
                }
                self.acknowledge_up(desk, stream);
            }
            Segment::Probe => self.acknowledge_up(desk, stream),
            Segment::Ack(received, taken) => {
                let acknowledged = state.down.take_ack(now, received, taken);
                self.arm(desk, stream, false);
                if let Some((number, item)) = acknowledged.again {
                    self.send_again(desk, stream, false, Segment::Down(number, item));
                }
                for _ in (0..acknowledged.taken).filter(|_| served) {
                    desk.orders.give(member, Input::Taken { stream });
                }
            }
            Segment::Ping => {
                if desk.view.state(member) == State::Running {
                    self.send_down(desk, stream, Segment::Pong);
                }
            }
            Segment::Reset => self.stop_serving(desk, stream),
            Segment::Down(..) | Segment::Pong => {}
        }
    }

    /// The member learns that the client's end of a stream no longer exists.
    pub(crate) fn stop_serving(&mut self, desk: &mut Desk<'_>, stream: u64) {
        let state = self.streams.get_mut(stream);
        state.down.stop();
        let (member, known) = (state.member, state.known);
        if std::mem::replace(&mut state.served, false) && known {
            desk.orders.give(member, Input::Closed { stream });
        }
    }

    /// The member's end acknowledges what has arrived from the client.
    fn acknowledge_up(&mut self, desk: &mut Desk<'_>, stream: u64) {
        let (received, taken) = self.streams.get(stream).up_in.acknowledged();
        self.send_down(desk, stream, Segment::Ack(received, taken));
    }

    /// A member's process ended, and with it its streams. Unless power failed, the host's kernel resets them.
    pub(crate) fn reset_streams(&mut self, desk: &mut Desk<'_>, member: MemberId, power_failed: bool) {
        let incarnation = desk.view.incarnation(member);
        if power_failed {
            self.streams.powered_off[member] = incarnation;
        }
        let ranges: Vec<u64> = self.streams.ranges.keys().copied().collect();
        for stream in (0..self.streams.all.len() as u64).chain(ranges) {
            let state = self.streams.get_mut(stream);
            if state.member != member || state.incarnation != incarnation {
                continue;
            }
            state.served = false;
            state.down.stop();
            if state.open && !power_failed {
                self.send_down(desk, stream, Segment::Reset);
            }
        }
    }

    // ---- between the ends -------------------------------------------------------------------------

    /// A packet of a stream reached the host of a member after the process that it was sent to had ended. The kernel
    /// answers with a reset, unless the host is off.
    pub(crate) fn stream_packet_undelivered(
        &mut self,
        desk: &mut Desk<'_>,
        to: MemberId,
        stream: u64,
        segment: &Segment,
    ) {
        if matches!(segment, Segment::Reset) {
            return;
        }
        let powered_off =
            desk.view.state(to) == State::Down && self.streams.powered_off[to] == desk.view.incarnation(to);
        if !powered_off {
            self.send_down(desk, stream, Segment::Reset);
        }
    }

    /// Schedules the time-out of one direction, up or down, unless an earlier one is scheduled already.
    fn arm(&mut self, desk: &mut Desk<'_>, stream: u64, up: bool) {
        let state = self.streams.get_mut(stream);
        let (due, armed) = match up {
            true => (state.up.due(), &mut state.up_armed),
            false => (state.down.due(), &mut state.down_armed),
        };
        if due < *armed {
            *armed = due;
            desk.orders.at(due, CallerEvent::StreamDue { stream, up });
        }
    }

    /// The time-out of one direction fires.
    pub(crate) fn stream_due(&mut self, desk: &mut Desk<'_>, stream: u64, up: bool) {
        let now = desk.now();
        let state = self.streams.get_mut(stream);
        let armed = if up { &mut state.up_armed } else { &mut state.down_armed };
        // The time-out has since been rescheduled.
        if *armed != now {
            return;
        }
        *armed = Nanos::MAX;
        let again: Vec<Segment> = if up {
            segments_to_resend(state.up.on_timeout(now), Segment::Up)
        } else {
            segments_to_resend(state.down.on_timeout(now), Segment::Down)
        };
        self.arm(desk, stream, up);
        for segment in again {
            self.send_again(desk, stream, up, segment);
        }
    }

    /// Sends an item once more in one direction, up or down, or asks how many items have been taken.
    fn send_again(&mut self, desk: &mut Desk<'_>, stream: u64, up: bool, segment: Segment) {
        if !matches!(segment, Segment::Probe) {
            desk.orders.count("watch-message-sent-again");
        }
        if up {
            self.send_up(desk, stream, segment);
        } else {
            self.send_down(desk, stream, segment);
        }
    }
}

/// The packets to send when a time-out has fired.
fn segments_to_resend<T>(action: TimeoutAction<T>, item: fn(u64, T) -> Segment) -> Vec<Segment> {
    match action {
        TimeoutAction::Nothing => Vec::new(),
        TimeoutAction::Resend(items) => items.into_iter().map(|(number, one)| item(number, one)).collect(),
        TimeoutAction::Probe => vec![Segment::Probe],
    }
}
