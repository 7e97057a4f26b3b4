//! What a client does next: start an act, send the next request of an act, log in, or wait. This file also
//! sends the calls and takes their outcomes.
//!
//! Each decision is an event of its own on the heap (`CallerEvent::ClientNext`), at least 1 µs after the last
//! outcome. So a return and the next call never share a time, and the history has a clear order.
//!
//! In the settle phase no client starts another act of its plan. Acts under way continue to their end, and
//! copies whose watch was lost are still listed again.

use std::sync::Arc;

use api::{Error, Request, Response};
use bytes::Bytes;
use record::{CacheView, Nanos, Operation, Outcome};

use super::acts::{ActInput, Context, Step, start};
use super::streams::number_of;
use super::{Client, Clients, Login, LoginState, Ready};
use crate::caller_event::CallerEvent;
use crate::desk::{Caller, Desk};
use crate::etcd::Ended;

impl Clients {
    /// The run begins.
    pub(crate) fn begin(&mut self, desk: &mut Desk<'_>) {
        for client in 0..self.all.len() {
            self.schedule_client(desk, client);
        }
    }

    /// Schedules a client's next decision, unless an earlier one is scheduled already.
    pub(super) fn schedule_client(&mut self, desk: &mut Desk<'_>, client: usize) {
        let settling = desk.settling;
        let now = desk.now();
        let state = &mut self.all[client];
        if state.current.is_some() {
            return;
        }
        let at = if state.ready.is_some() {
            0
        } else if state.act.is_some() {
            state.waits_until
        } else if !state.relists.is_empty() {
            0
        } else {
            match state.plan.operations.get(state.next) {
                Some(next) if !settling => next.at,
                _ => return,
            }
        };
        let at = at.max(state.not_before).max(now);
        if at < state.next_event {
            state.next_event = at;
            desk.orders.at(at, CallerEvent::ClientNext { client });
        }
    }

    /// A client decides what to do next.
    pub(crate) fn client_next(&mut self, desk: &mut Desk<'_>, client: usize) {
        let now = desk.now();
        let settling = desk.settling;
        let state = &mut self.all[client];
        // The decision has since been rescheduled.
        if state.next_event != now {
            return;
        }
        state.next_event = Nanos::MAX;
        if state.current.is_some() {
            return;
        }
        // Whether a request or an act begins now. Only then may the client log in first.
        let begins = state.ready.is_some() || state.act.is_none();
        if begins && self.log_in(desk, client) {
            return;
        }
        let state = &mut self.all[client];
        if state.act.is_none()
            && state.ready.is_none()
            && !settling
            && let Some(request) = state.sync(now)
        {
            desk.count_work("endpoint-syncs");
            return self.call(desk, client, request);
        }
        let state = &mut self.all[client];
        if let Some(Ready { request, literal, streamed, forged }) = state.ready.take() {
            let request = if literal { request } else { self.memories[state.memory].resolve(request) };
            if let Some(token) = forged {
                return self.call_forged(desk, client, request, token);
            }
            return match request {
                Request::Range(range) if streamed => self.call_streamed(desk, client, range),
                request => self.call(desk, client, request),
            };
        }
        if state.act.is_some() {
            return match now >= state.waits_until {
                true => self.carry_on(desk, client, ActInput::WaitOver),
                false => self.schedule_client(desk, client),
            };
        }
        if let Some(follow) = state.relists.pop_front() {
            state.act = Some(start::follow(follow));
            return self.carry_on(desk, client, ActInput::Begin);
        }
        match state.plan.operations.get(state.next) {
            Some(next) if !settling && now >= next.at => {
                state.act = Some(start::start(next.act.clone()));
                state.next += 1;
                self.carry_on(desk, client, ActInput::Begin);
            }
            _ => self.schedule_client(desk, client),
        }
    }

    /// Gives the act under way the input it waited for, and does the step that it returns.
    fn carry_on(&mut self, desk: &mut Desk<'_>, client: usize, input: ActInput<'_>) {
        let state = &mut self.all[client];
        let Some(act) = state.act.as_mut() else { return };
        let mut context = Context {
            memory: &mut self.memories[state.memory],
            outside: &mut self.outside,
            stats: desk.stats,
        };
        match act.next(input, &mut context) {
            Step::Ask(request) => state.ready = Some(Ready::new(request)),
            Step::AskThis(request) => state.ready = Some(Ready { literal: true, ..Ready::new(request) }),
            Step::AskWith(token, request) => {
                state.ready = Some(Ready { forged: Some(token), ..Ready::new(request) });
            }
            Step::AskStreamed(range, literal) => {
                state.ready = Some(Ready { literal, streamed: true, ..Ready::new(range.into()) });
            }
            Step::Wait(time) => state.waits_until = state.after(desk.now(), time),
            Step::Done => state.act = None,
            Step::View(keys) => {
                state.act = None;
                self.view(desk, client, &keys);
            }
            Step::Stream(command) => {
                state.act = None;
                self.command(desk, client, command);
            }
        }
        // At least 1 µs passes between two steps, so that a chain of steps without a request cannot stop time.
        let state = &mut self.all[client];
        state.not_before = state.not_before.max(desk.now() + 1_000);
        self.schedule_client(desk, client);
    }

    /// Records what a client's copy of these keys contains, if there is a copy.
    fn view(&self, desk: &mut Desk<'_>, client: usize, keys: &plan::act::Keys) {
        let at = desk.now();
        let memory = self.all[client].memory;
        if let Some(copy) = self.memories[memory].copies.get(keys) {
            let pairs = copy.pairs.iter().map(|(key, revision)| (key.clone(), *revision)).collect();
            desk.history.caches.push(CacheView {
                client: memory as u32,
                at,
                keys: (keys.key.clone(), keys.end.clone()),
                revision: copy.revision,
                pairs,
            });
        }
    }

    /// Records at the end what every copy contains, and how many values the lists outside etcd have lost.
    pub(crate) fn last_views(&mut self, desk: &mut Desk<'_>) {
        for memory in 0..self.memories.len() {
            let keys: Vec<_> = self.memories[memory].copies.keys().cloned().collect();
            keys.iter().for_each(|keys| self.view(desk, memory, keys));
        }
        let lost: usize = (self.outside.values())
            .map(|list| list.added.iter().filter(|value| !list.values.contains(value)).count())
            .sum();
        if !self.outside.is_empty() {
            desk.stats.work.insert("lost-adds".into(), lost as u64);
        }
    }

    /// Requests a token, if the client needs one before its next request. Returns whether it did.
    fn log_in(&mut self, desk: &mut Desk<'_>, client: usize) -> bool {
        let state = &mut self.all[client];
        let Some(login) = state.login.as_mut().filter(|login| login.state == LoginState::Needed) else {
            return false;
        };
        login.state = LoginState::Requested;
        let request = login.request();
        desk.count_work("logins");
        self.call(desk, client, request);
        true
    }

    /// A client sends a request; the history records the call.
    fn call(&mut self, desk: &mut Desk<'_>, client: usize, request: Request) {
        let now = desk.now();
        let state = &mut self.all[client];
        let (member, token) = (state.member(), state.token());
        let call = desk.call(state.caller(client), member, request, token, state.gives_up(now));
        state.current = Some((call, member));
    }

    /// A client sends a request with a token that belongs to nobody.
    fn call_forged(&mut self, desk: &mut Desk<'_>, client: usize, request: Request, token: Bytes) {
        let now = desk.now();
        let state = &mut self.all[client];
        let (member, gives_up) = (state.member(), state.gives_up(now));
        let nobody = Caller { client, user: Some(Operation::NOBODY.into()) };
        let call = desk.call(nobody, member, request, Some(token), gives_up);
        desk.count_work("forged-tokens");
        (state.current, state.forged) = (Some((call, member)), true);
    }

    /// Tells the member that the client no longer waits for an operation, as gRPC does at a deadline. Only three kinds
    /// of operation need this: streams, and lock and campaign, which a member keeps waiting without a limit.
    fn cancel_call(&mut self, desk: &mut Desk<'_>, client: usize, operation: u64) {
        let Operation { member, ref request, streamed, .. } = desk.history.operations[operation as usize];
        if streamed {
            return self.close_stream(desk, number_of(operation));
        }
        if matches!(request, Request::Lock(_) | Request::Campaign(_)) {
            desk.orders.cancel(operation, client, (member, desk.view.incarnation(member)));
        }
    }

    /// An operation has ended for its client. An answer that comes after the client has stopped waiting is ignored.
    pub(crate) fn ended(&mut self, desk: &mut Desk<'_>, operation: u64, how: Ended) {
        let now = desk.now();
        let client = desk.history.operations[operation as usize].client as usize;
        if self.all[client].current.is_none_or(|(current, _)| current != operation) {
            return;
        }
        if let Ended::TimedOut = how {
            self.cancel_call(desk, client, operation);
        }
        let outcome = desk.outcome(how);
        let succeeded = matches!(outcome, Outcome::Answer { .. });
        desk.returned(operation, &outcome);
        desk.stats.answered += u64::from(succeeded);
        let index = operation as usize;
        let state = &mut self.all[client];
        state.ended(succeeded, now);
        if !self.logged_in(desk, client, index, &outcome) {
            match &outcome {
                Outcome::Answer { response, .. } => {
                    let request = &desk.history.operations[index].request;
                    let memory = self.all[client].memory;
                    self.memories[memory].learn(request, response);
                    let state = &mut self.all[client];
                    // A member list that no act asked for is from the synchronization of endpoints.
                    if let (Response::MemberList(list), true) = (response, state.act.is_none()) {
                        state.synced(list, |member| desk.view.exists(member));
                    }
                    self.carry_on(desk, client, ActInput::Answer(response));
                }
                Outcome::Error { error, .. } => self.carry_on(desk, client, ActInput::Error(*error)),
                Outcome::Unknown { .. } => self.carry_on(desk, client, ActInput::Unknown),
            }
        }
        desk.history.operations[index].outcome = outcome;
        self.schedule_client(desk, client);
    }

    /// Takes an outcome if it concerns the login, and returns whether it does. The act under way does not see such an
    /// outcome. There are two kinds: the answer to a login, and an error that says that the client must log in again.
    /// After such an error the request had no effect, so the client repeats it, as etcd's Go client does
    /// (`client/v3/retry_interceptor.go`).
    fn logged_in(&mut self, desk: &mut Desk<'_>, client: usize, operation: usize, outcome: &Outcome) -> bool {
        // If a token that belongs to nobody is refused, that says nothing about the client's own token.
        if std::mem::take(&mut self.all[client].forged) {
            return false;
        }
        let Some(login) = &mut self.all[client].login else { return false };
        if login.state == LoginState::Requested {
            login.token = match outcome {
                Outcome::Answer { response: Response::Authenticate(answer), .. } => {
                    Some(answer.token.clone().into())
                }
                // Auth is disabled, or the login failed. The answer to the next request will show which.
                _ => None,
            };
            login.state = LoginState::Done;
            return true;
        }
        let error = match outcome {
            Outcome::Error { error, .. } => *error,
            _ => Error::Timeout,
        };
        if !Login::is_refused(error) || login.repeated {
            login.repeated = false;
            return false;
        }
        login.repeated = true;
        login.token = None;
        login.state = LoginState::Needed;
        let Operation { ref request, streamed, .. } = desk.history.operations[operation];
        self.all[client].ready = Some(Ready { literal: true, streamed, ..Ready::new(request.clone()) });
        true
    }
}

impl Client {
    /// The client as the history names it. `number` is its own number.
    pub(super) fn caller(&self, number: usize) -> Caller {
        let login = self.login.as_ref().filter(|login| login.token.is_some());
        Caller { client: number, user: login.map(|login| Arc::clone(&login.user)) }
    }

    /// When it gives up a request that it sends now. While its clock is frozen, a client has no time-out; then this is
    /// a time long after the run.
    pub(super) fn gives_up(&self, now: Nanos) -> Nanos {
        self.after(now, self.plan.timeout).min(Nanos::MAX / 2)
    }
}
