//! What a client does next: start an act, send the next request of an act, log in, or wait. This file also
//! sends the calls and takes their outcomes.
//!
//! Each decision is an event of its own on the heap (`Happening::ClientNext`), at least 1 µs after the last
//! outcome. So a return and the next call never share a time, and the history has a clear order.
//!
//! In the settle phase no client starts another act of its plan. Acts under way continue to their end, and
//! copies whose watch was lost are still listed again.

use std::sync::Arc;

use api::{Error, Request, Response};
use record::{CacheView, Fact, MemberId, MessageKind, Nanos, Operation, Outcome, Probe};

use super::acts::{self, ActInput, Context, Step};
use super::{Login, LoginState};
use crate::desk::Caller;
use crate::happening::Happening;
use crate::network::{Body, Packet, Party, client_head};
use crate::world::World;

impl World<'_> {
    /// Schedules a client's next decision, unless an earlier one is scheduled already.
    pub(crate) fn schedule_client(&mut self, client: usize) {
        let settling = self.callers.journal.settling;
        let now = self.now();
        let state = &mut self.callers.clients[client];
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
            self.queue.push(at, Happening::ClientNext { client });
        }
    }

    /// A client decides what to do next.
    pub(crate) fn client_next(&mut self, client: usize) {
        let now = self.now();
        let settling = self.callers.journal.settling;
        let state = &mut self.callers.clients[client];
        // The decision was scheduled again since, for another time.
        if state.next_event != now {
            return;
        }
        state.next_event = Nanos::MAX;
        if state.current.is_some() {
            return;
        }
        // Whether a request or an act begins now. Only then may the client log in first.
        let begins = state.ready.is_some() || state.act.is_none();
        if begins && self.log_in(client) {
            return;
        }
        let state = &mut self.callers.clients[client];
        if state.act.is_none()
            && state.ready.is_none()
            && !settling
            && let Some(request) = state.sync(now)
        {
            self.count_work("endpoint-syncs");
            return self.call(client, request);
        }
        let state = &mut self.callers.clients[client];
        if let Some(request) = state.ready.take() {
            let literal = std::mem::take(&mut state.literal);
            let request =
                if literal { request } else { self.callers.programs.memories[state.memory].resolve(request) };
            return self.call(client, request);
        }
        if state.act.is_some() {
            return match now >= state.waits_until {
                true => self.carry_on(client, ActInput::WaitOver),
                false => self.schedule_client(client),
            };
        }
        if let Some(follow) = state.relists.pop_front() {
            state.act = Some(Box::new(acts::List::follow(follow)));
            return self.carry_on(client, ActInput::Begin);
        }
        match state.plan.operations.get(state.next) {
            Some(next) if !settling && now >= next.at => {
                state.act = Some(acts::start(next.act.clone()));
                state.next += 1;
                self.carry_on(client, ActInput::Begin);
            }
            _ => self.schedule_client(client),
        }
    }

    /// Gives the act under way the input it waited for, and does the step that it returns.
    fn carry_on(&mut self, client: usize, input: ActInput<'_>) {
        let state = &mut self.callers.clients[client];
        let Some(act) = state.act.as_mut() else { return };
        let mut context = Context {
            memory: &mut self.callers.programs.memories[state.memory],
            outside: &mut self.callers.programs.outside,
            stats: &mut self.callers.journal.stats,
        };
        match act.next(input, &mut context) {
            Step::Ask(request) => state.ready = Some(request),
            Step::AskThis(request) => (state.ready, state.literal) = (Some(request), true),
            Step::Wait(time) => state.waits_until = state.after(self.queue.now(), time),
            Step::Done => state.act = None,
            Step::View(keys) => {
                state.act = None;
                self.view(client, &keys);
            }
            Step::Stream(command) => {
                state.act = None;
                self.command(client, command);
            }
        }
        // At least 1 µs passes between two steps, so that a chain of steps without a request cannot stop time.
        let state = &mut self.callers.clients[client];
        state.not_before = state.not_before.max(self.queue.now() + 1_000);
        self.schedule_client(client);
    }

    /// Records what a client's copy of these keys contains, if there is a copy.
    fn view(&mut self, client: usize, keys: &plan::act::Keys) {
        let at = self.now();
        let memory = self.callers.clients[client].memory;
        if let Some(copy) = self.callers.programs.memories[memory].copies.get(keys) {
            let pairs = copy.pairs.iter().map(|(key, revision)| (key.clone(), *revision)).collect();
            self.callers.journal.history.caches.push(CacheView {
                client: memory as u32,
                at,
                keys: (keys.key.clone(), keys.end.clone()),
                revision: copy.revision,
                pairs,
            });
        }
    }

    /// Records at the end what every copy contains, and how many values the lists outside etcd have lost.
    pub(crate) fn last_views(&mut self) {
        for memory in 0..self.callers.programs.memories.len() {
            let keys: Vec<_> = self.callers.programs.memories[memory].copies.keys().cloned().collect();
            keys.iter().for_each(|keys| self.view(memory, keys));
        }
        let lost: usize = (self.callers.programs.outside.values())
            .map(|list| list.added.iter().filter(|value| !list.values.contains(value)).count())
            .sum();
        if !self.callers.programs.outside.is_empty() {
            self.callers.journal.stats.work.insert("lost-adds".into(), lost as u64);
        }
    }

    /// Requests a token, if the client needs one before its next request. Returns whether it did.
    fn log_in(&mut self, client: usize) -> bool {
        let state = &mut self.callers.clients[client];
        let Some(login) = state.login.as_mut().filter(|login| login.state == LoginState::Needed) else {
            return false;
        };
        login.state = LoginState::Requested;
        let request = login.request();
        self.count_work("logins");
        self.call(client, request);
        true
    }

    /// A client sends a request; the history records the call.
    fn call(&mut self, client: usize, request: Request) {
        let now = self.now();
        let state = &mut self.callers.clients[client];
        let (member, token) = (state.member(), state.token());
        let user = state.login.as_ref().filter(|_| token.is_some()).map(|login| Arc::clone(&login.user));
        // While its clock is frozen, a client has no time-out. Then this is a time long after the run.
        let gives_up = state.after(now, state.plan.timeout).min(Nanos::MAX / 2);
        let call = self.ask(|callers, view, orders| {
            let desk = &mut callers.journal.desk(view, orders);
            desk.call(Caller { client, user }, member, request, token, gives_up)
        });
        self.callers.clients[client].current = Some((call, member));
    }

    /// A client stops waiting for the answer to an operation, if it still does.
    pub(crate) fn client_timeout(&mut self, client: usize, operation: u64) {
        let gave_up = self.now();
        if self.callers.clients[client].current.is_some_and(|(under_way, _)| under_way == operation) {
            self.cancel_call(client, operation);
        }
        self.operation_ended(client, operation, Outcome::Unknown { gave_up });
    }

    /// Tells the member that the client no longer waits for an operation, as gRPC does at a deadline. Only
    /// lock and campaign need this: a member keeps them waiting without a limit.
    fn cancel_call(&mut self, client: usize, operation: u64) {
        let Operation { member, ref request, .. } =
            self.callers.journal.history.operations[operation as usize];
        if !matches!(request, Request::Lock(_) | Request::Campaign(_)) {
            return;
        }
        self.send(Box::new(Packet {
            from: Party::Client(client),
            to: Party::Member(member),
            incarnations: (0, self.processes[member].machine.incarnation),
            head: client_head(MessageKind::ClientRequest),
            body: Body::Cancel(operation),
        }));
    }

    /// A client learns the outcome of its operation, or stops waiting for it. An answer that comes after that
    /// is ignored.
    pub(crate) fn operation_ended(&mut self, client: usize, operation: u64, outcome: Outcome) {
        let now = self.now();
        if self.callers.clients[client].current.map(|(current, _)| current) != Some(operation) {
            return;
        }
        let succeeded = matches!(outcome, Outcome::Answer { .. });
        let digest = crate::digests::outcome(&outcome);
        let answered = !matches!(outcome, Outcome::Unknown { .. });
        self.note(MemberId::NONE, Fact::Returned { operation, answered, digest });
        self.callers.journal.stats.answered += u64::from(succeeded);
        let index = operation as usize;
        let state = &mut self.callers.clients[client];
        state.ended(succeeded, now);
        if !self.logged_in(client, index, &outcome) {
            match &outcome {
                Outcome::Answer { response, .. } => {
                    let request = &self.callers.journal.history.operations[index].request;
                    let memory = self.callers.clients[client].memory;
                    self.callers.programs.memories[memory].learn(request, response);
                    let state = &mut self.callers.clients[client];
                    // A member list that no act asked for is from the synchronization of endpoints.
                    if let (Response::MemberList(list), true) = (response, state.act.is_none()) {
                        state.synced(list, |member| self.processes.contains(member));
                    }
                    self.carry_on(client, ActInput::Answer(response));
                }
                Outcome::Error { error, .. } => self.carry_on(client, ActInput::Error(*error)),
                Outcome::Unknown { .. } => self.carry_on(client, ActInput::Unknown),
            }
        }
        self.callers.journal.history.operations[index].outcome = outcome;
        self.schedule_client(client);
    }

    /// Takes an outcome that is about the login, and returns whether it was one; the act under way does not
    /// see it. There are two kinds: the answer to a login, and an error that says that the client must log in
    /// again. After such an error the request had no effect, so the client repeats it, as etcd's Go client
    /// does (`client/v3/retry_interceptor.go`).
    fn logged_in(&mut self, client: usize, operation: usize, outcome: &Outcome) -> bool {
        let Some(login) = &mut self.callers.clients[client].login else { return false };
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
        let state = &mut self.callers.clients[client];
        (state.ready, state.literal) =
            (Some(self.callers.journal.history.operations[operation].request.clone()), true);
        true
    }

    /// Counts an action of the clients, for the statistics of the run.
    pub(super) fn count_work(&mut self, what: &str) {
        self.callers.journal.stats.did(what);
    }

    /// Counts an action of the clients that is also a probe.
    pub(super) fn count_probe(&mut self, probe: Probe) {
        self.callers.journal.stats.reached(probe);
    }
}
