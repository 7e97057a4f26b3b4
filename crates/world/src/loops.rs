//! Clients for any node. Each one is a closed loop: it sends the requests of its plan one after another, and waits for
//! the outcome of each, up to its time-out, by its own clock. It never repeats a request. If no answer comes, it goes
//! on to the next of its endpoints.
//!
//! In the settle phase one more client calls, the *last caller*: it asks one member after another until it is answered.
//! So a cluster has settled only if it serves requests.

use keyed::{Domain, Keyed};
use schedule::{Client, Operation, Part, Plan, Turn};
use trace::hash::digest;
use trace::{MemberId, Nanos};

use crate::callers::{Callers, Waiting};
use crate::calls::Ended;
use crate::clock::{Clock, EXACT};
use crate::deeds::Orders;
use crate::system::{AnswerOf, RequestOf, System};
use crate::view::View;

/// The domain in which the requests of the last caller are drawn.
const LAST: Domain = Domain::new("world last caller");

/// An operation of a plan that is a request to a node.
pub trait Asks<R>: Operation {
    /// What a client with this number asks for in a turn.
    fn new(client: u32, turn: Turn) -> Self;

    /// The request.
    fn request(&self) -> R;
}

/// What a client of [`Loops`] waits for: the time of its next operation.
#[derive(Debug)]
pub struct Next {
    client: usize,
}

/// A call, as its client knows it.
#[derive(Debug)]
pub struct Call<S: System> {
    /// The number of the client in the plan. The last caller has the number after those.
    pub client: u32,
    /// The member that was called.
    pub member: MemberId,
    /// When.
    pub at: Nanos,
    /// What was asked.
    pub request: RequestOf<S>,
    /// The answer, and when it came. `None`: nobody knows whether the request took effect.
    pub answer: Option<(Nanos, AnswerOf<S>)>,
}

/// Closed-loop clients, for plans whose clients are [`schedule::Client`].
pub struct Loops<S: System> {
    /// One for each client of the plan, then the last caller.
    clients: Vec<Loop>,
    calls: Vec<Call<S>>,
    settling: bool,
    /// Whether the last caller was answered.
    served: bool,
}

/// The state of a client.
struct Loop {
    clock: Clock,
    timeout: Nanos,
    /// The index of its next operation.
    next: usize,
    /// How often it has switched to another endpoint.
    switched: usize,
    current: Option<u64>,
}

impl Loop {
    fn new<O>(client: &Client<O>) -> Loop {
        let clock = Clock::new(client.clock_rate);
        Loop { clock, timeout: client.timeout, next: 0, switched: 0, current: None }
    }
}

impl<S, O> Loops<S>
where
    S: System<Event = Next>,
    S::Part: Part<Client = Client<O>>,
    O: Asks<RequestOf<S>>,
{
    /// The clients of a plan.
    pub fn new(plan: &Plan<S::Part>) -> Loops<S> {
        let last = Loop::new(&Client::<O> { clock_rate: EXACT, ..Client::default() });
        let clients = plan.clients.iter().map(Loop::new).chain([last]).collect();
        Loops { clients, calls: Vec::new(), settling: false, served: false }
    }

    /// All calls of the run, in the order in which they were made.
    pub fn into_calls(self) -> Vec<Call<S>> {
        self.calls
    }

    /// Schedules the next operation of a client.
    fn schedule(&self, client: usize, view: &View<'_, S>, orders: &mut Orders<S>) {
        // A return and the next call never share a time, so that the history has a clear order.
        let ready = view.now() + 1_000;
        if let Some(planned) = view.plan().clients[client].operations.get(self.clients[client].next) {
            orders.at(planned.at.max(ready), Next { client });
        }
    }

    /// A client calls a member.
    fn call(
        &mut self,
        client: usize,
        member: MemberId,
        what: &O,
        view: &View<'_, S>,
        orders: &mut Orders<S>,
    ) {
        let (call, now) = (self.calls.len() as u64, view.now());
        let state = &mut self.clients[client];
        state.current = Some(call);
        let reading = state.clock.monotonic(now).saturating_add(state.timeout);
        // A frozen clock never reaches that reading. Then this is a time long after the run.
        let gives_up = state.clock.true_time_of(reading).unwrap_or(Nanos::MAX).min(Nanos::MAX / 2);
        orders.call(call, client as u32, digest(what.print().as_bytes()), gives_up);
        let request = what.request();
        orders.request(call, client, (member, view.incarnation(member)), request.clone());
        self.calls.push(Call { client: client as u32, member, at: now, request, answer: None });
    }
}

impl<S, O> Callers<S> for Loops<S>
where
    S: System<Event = Next>,
    S::Part: Part<Client = Client<O>>,
    O: Asks<RequestOf<S>>,
{
    fn parties(&self) -> usize {
        self.clients.len()
    }

    fn begin(&mut self, view: &View<'_, S>, orders: &mut Orders<S>) {
        for client in 0..view.plan().clients.len() {
            self.schedule(client, view, orders);
        }
    }

    fn event(&mut self, view: &View<'_, S>, Next { client }: Next, orders: &mut Orders<S>) {
        if self.settling {
            return;
        }
        let plan = &view.plan().clients[client];
        let state = &mut self.clients[client];
        let member = plan.endpoints[state.switched % plan.endpoints.len()];
        let planned = &plan.operations[state.next];
        state.next += 1;
        self.call(client, member, &planned.what, view, orders);
    }

    fn ended(&mut self, view: &View<'_, S>, call: u64, how: Ended<S>, orders: &mut Orders<S>) {
        let Call { client, member, ref mut answer, .. } = self.calls[call as usize];
        let client = client as usize;
        let state = &mut self.clients[client];
        if state.current != Some(call) {
            return;
        }
        state.current = None;
        let answered = matches!(how, Ended::Answer(_));
        let mut said = 0;
        match how {
            Ended::Answer(said_so) => {
                said = digest(format!("{said_so:?}").as_bytes());
                *answer = Some((view.now(), said_so));
            }
            Ended::TimedOut => orders.cancel(call, client, (member, view.incarnation(member))),
            Ended::Reset => {}
        }
        orders.returned(call, answered, said);
        state.switched += usize::from(!answered);
        if client < view.plan().clients.len() {
            self.schedule(client, view, orders);
        } else {
            self.served = answered;
        }
    }

    fn waiting(&self) -> Vec<Waiting> {
        let current = |(client, state): (usize, &Loop)| {
            let call = state.current?;
            Some(Waiting { client, call, member: self.calls[call as usize].member })
        };
        self.clients.iter().enumerate().filter_map(current).collect()
    }

    fn load_ended(&mut self) {
        self.settling = true;
    }

    fn settling(
        &mut self,
        view: &View<'_, S>,
        (core, _): (&[MemberId], &[MemberId]),
        missing: &mut Vec<String>,
        orders: &mut Orders<S>,
    ) -> bool {
        if self.served {
            return true;
        }
        let last = self.clients.len() - 1;
        let tries = self.clients[last].switched;
        if missing.is_empty() {
            let nth = tries as u64;
            let turn = Turn { nth, at: view.now(), draw: Keyed::new(view.seed(), LAST).draw(nth, 0) };
            self.call(last, core[tries % core.len()], &O::new(last as u32, turn), view, orders);
        }
        missing.push(format!("A request of the settle phase was not answered in {tries} attempts."));
        false
    }
}
