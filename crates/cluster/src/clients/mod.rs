//! The clients. Each one is a closed loop: it runs the acts of its plan one after another, and sends the next
//! request only after the last one has ended. An act is one step of a client; most acts are one request.
//!
//! * `acts`: one state machine for each act that takes several requests; `memory`: what clients remember of
//!   their answers for later acts.
//! * `turns`: when a client does something, how it calls and takes the outcome, and how it logs in.
//! * `segment`: what the packets of a stream carry; `transport`: one direction of a stream, reliable and in
//!   order; `streams`: both ends of all streams; `watchers`: what a client does with the responses on its watch
//!   streams; `ranges`: streamed ranges.
//!
//! A client measures its time-out by its own clock, and switches to another endpoint as its plan says. It
//! never repeats a write of unknown outcome: the history records the outcome as unknown. Clients that share a
//! memory act as one program that has several requests under way at once.
//!
//! Not modelled: retries inside a client library (etcd's Go client repeats reads), connection set-up, a
//! client that crashes.

mod acts;
mod memory;
mod ranges;
pub(crate) mod segment;
mod streams;
mod transport;
mod turns;
mod watchers;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use api::etcdserverpb::{AuthenticateRequest, MemberListRequest, MemberListResponse, RangeResponse};
use api::{Error, Request, Response};
use bytes::Bytes;
use plan::act::Follow;
use plan::{Failover, Plan};
use record::{MemberId, Nanos, Outcome};
use world::Waiting;
use world::clock::Clock;

use acts::{ExternalList, RunningAct};
use memory::Memory;
use streams::Streams;
use watchers::Watchers;

/// One client.
pub(crate) struct Client {
    plan: plan::Client,
    clock: Clock,
    /// The index of the next act of its plan.
    next: usize,
    /// The operation under way: its number in the history, and the member it went to.
    current: Option<(u64, MemberId)>,
    /// The members it may ask. Never empty.
    endpoints: Vec<MemberId>,
    /// Which endpoint it uses: the index in `endpoints`, modulo their number. Each switch adds 1.
    endpoint: usize,
    /// When it asks for the member list again, by its own clock; `Nanos::MAX` for never.
    next_sync: Nanos,
    /// No call before this time, so that a return and the next call never share a time.
    not_before: Nanos,
    /// When its next event [`CallerEvent::ClientNext`] is due; `Nanos::MAX` for none. Other such events on the
    /// heap are out of date.
    ///
    /// [`CallerEvent::ClientNext`]: crate::caller_event::CallerEvent::ClientNext
    next_event: Nanos,
    /// The index of its memory in [`Clients`].
    memory: usize,
    /// The act under way.
    act: Option<Box<dyn RunningAct>>,
    /// The next request of the act.
    ready: Option<Ready>,
    /// Whether the operation under way was sent with a token that belongs to nobody.
    forged: bool,
    /// The part of the answer to a streamed range that has arrived.
    chunks: RangeResponse,
    /// The true time until which the act waits.
    waits_until: Nanos,
    /// Copies of keys whose watch was lost: they are listed again before the plan's next act.
    relists: VecDeque<Follow>,
    login: Option<Login>,
    watchers: Watchers,
}

/// The user a client logs in as, and the state of the login.
pub(crate) struct Login {
    user: Arc<str>,
    password: String,
    /// Its token; `None` before it has logged in.
    token: Option<Bytes>,
    state: LoginState,
    /// Whether it has already logged in again for the request under way. It does so only once for each request.
    repeated: bool,
}

/// The state of a login.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LoginState {
    /// The client must request a token before its next request.
    Needed,
    /// The client has requested a token and waits for the answer.
    Requested,
    /// No login is needed now. There is a token, unless the cluster has auth disabled or the login failed.
    Done,
}

/// A request that is to be sent.
struct Ready {
    request: Request,
    /// Whether it is sent as it is, without filling in placeholders from the memory.
    literal: bool,
    /// Whether it is a range that is to be answered in chunks.
    streamed: bool,
    /// A token that belongs to nobody, sent with the request instead of the client's own.
    forged: Option<Bytes>,
}

impl Ready {
    /// A request that is sent as usual.
    fn new(request: Request) -> Ready {
        Ready { request, literal: false, streamed: false, forged: None }
    }
}

/// The clients of a plan, and what they share.
pub(crate) struct Clients {
    all: Vec<Client>,
    /// What clients remember. A *program* is one client, or several that share a memory.
    memories: Vec<Memory>,
    /// Lists of values that are not stored in etcd and that clients protect by a lock of etcd, by key.
    outside: BTreeMap<Bytes, ExternalList>,
    streams: Streams,
}

impl Clients {
    pub(crate) fn new(plan: &Plan) -> Clients {
        let memory = |at: usize| {
            let other = plan.clients[at].part_of.map(|other| other as usize);
            // The plan may have been shrunk, and the other client removed.
            other.filter(|other| *other < plan.clients.len()).unwrap_or(at)
        };
        let clients = plan.clients.iter().enumerate();
        Clients {
            all: clients.map(|(at, client)| Client::new(client.clone(), memory(at))).collect(),
            memories: plan.clients.iter().map(|_| Memory::default()).collect(),
            outside: BTreeMap::new(),
            streams: Streams::new(plan.most_members()),
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// The calls under way.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Waiting> {
        let calls = self.all.iter().enumerate();
        calls.filter_map(|(client, state)| {
            state.current.map(|(call, member)| Waiting { client, call, member })
        })
    }
}

impl Login {
    /// The login of a client of the plan; `None` if it does not log in.
    fn new(plan: &plan::Client) -> Option<Login> {
        let user = plan.user.as_deref()?;
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let (user, password) = (user.into(), password.into());
        Some(Login { user, password, token: None, state: LoginState::Needed, repeated: false })
    }

    /// Whether an error means that the client must log in again. A request with this error had no effect.
    fn is_refused(error: Error) -> bool {
        matches!(error, Error::InvalidAuthToken | Error::AuthOldRevision | Error::UserEmpty)
    }

    /// The login as `root`, for the requests of operators and of the settle phase. It logs in only after an
    /// answer says that it must. `None` if no client of the plan is `root`.
    pub(crate) fn root(plan: &Plan) -> Option<Login> {
        let login = plan.clients.iter().filter_map(Login::new).find(|login| &*login.user == "root")?;
        Some(Login { state: LoginState::Done, ..login })
    }

    /// The request to send now, with its token and user: `request`, or a login if that is needed first.
    pub(crate) fn ask(
        login: Option<&mut Login>,
        request: Request,
    ) -> (Request, Option<Bytes>, Option<Arc<str>>) {
        let Some(login) = login else { return (request, None, None) };
        let user = login.token.is_some().then(|| Arc::clone(&login.user));
        let mut asked = request;
        if login.state == LoginState::Needed {
            login.state = LoginState::Requested;
            asked = login.request();
        }
        (asked, login.token.clone(), user)
    }

    /// Takes the outcome of a request that [`Login::ask`] returned. Returns true if that was a login, so that
    /// the wanted request is still to be sent.
    pub(crate) fn take_outcome(&mut self, outcome: &Outcome) -> bool {
        let requested = self.state == LoginState::Requested;
        match outcome {
            Outcome::Answer { response: Response::Authenticate(answer), .. } => {
                self.token = Some(answer.token.clone().into());
                self.state = LoginState::Done;
            }
            // The cluster has auth disabled: no token is needed.
            Outcome::Error { error: Error::AuthNotEnabled, .. } if requested => {
                (self.token, self.state) = (None, LoginState::Done);
            }
            Outcome::Error { error, .. } if Login::is_refused(*error) => {
                (self.token, self.state) = (None, LoginState::Needed);
            }
            _ if requested => self.state = LoginState::Needed,
            _ => {}
        }
        requested
    }

    /// The request that logs in.
    fn request(&self) -> Request {
        AuthenticateRequest { name: self.user.to_string(), password: self.password.clone() }.into()
    }
}

impl Client {
    fn new(plan: plan::Client, memory: usize) -> Client {
        let clock = Clock::new(plan.clock_rate);
        let login = Login::new(&plan);
        Client {
            endpoints: plan.endpoints.clone(),
            next_sync: if plan.auto_sync == 0 { Nanos::MAX } else { plan.auto_sync },
            plan,
            clock,
            next: 0,
            current: None,
            endpoint: 0,
            not_before: 0,
            next_event: Nanos::MAX,
            memory,
            act: None,
            ready: None,
            forged: false,
            chunks: RangeResponse::default(),
            waits_until: 0,
            relists: VecDeque::new(),
            login,
            watchers: Watchers::default(),
        }
    }

    /// The member it asks next.
    fn member(&self) -> MemberId {
        self.endpoints[self.endpoint % self.endpoints.len()]
    }

    /// The request for the member list, if it is time for it (etcd's Go client, `Sync` in `client/v3/client.go`).
    fn sync(&mut self, now: Nanos) -> Option<Request> {
        let reading = self.clock.monotonic(now);
        if reading < self.next_sync {
            return None;
        }
        self.next_sync = reading.saturating_add(self.plan.auto_sync);
        Some(MemberListRequest { linearizable: true }.into())
    }

    /// Takes its endpoints from a member list: the members that have started and are not learners. It keeps the
    /// endpoint it used last, if the list has it. A damaged answer can name members that do not exist.
    fn synced(&mut self, list: &MemberListResponse, exists: impl Fn(MemberId) -> bool) {
        let serving = list.members.iter().filter(|member| !member.name.is_empty() && !member.is_learner);
        let ids = serving.map(|member| MemberId::from_raft(member.id));
        let endpoints: Vec<MemberId> = ids.filter(|member| exists(*member)).collect();
        if endpoints.is_empty() {
            return;
        }
        let current = self.member();
        self.endpoint = endpoints.iter().position(|member| *member == current).unwrap_or(0);
        self.endpoints = endpoints;
    }

    /// An operation ended; `succeeded` if it was answered without an error.
    fn ended(&mut self, succeeded: bool, now: Nanos) {
        self.current = None;
        self.not_before = now + 1_000;
        let moves = match self.plan.failover {
            Failover::Pinned => false,
            Failover::OnTrouble => !succeeded,
            Failover::RoundRobin => true,
        };
        self.endpoint += usize::from(moves);
    }

    /// A stream broke: its client switches to another endpoint, unless it is pinned.
    fn stream_broke(&mut self) {
        self.endpoint += usize::from(self.plan.failover != Failover::Pinned);
    }

    /// The true time at which the client's clock will have advanced by `time` from now; `Nanos::MAX` while its clock is
    /// frozen.
    fn after(&self, now: Nanos, time: Nanos) -> Nanos {
        self.clock.true_time_of(self.clock.monotonic(now).saturating_add(time)).unwrap_or(Nanos::MAX)
    }

    /// The true time at which its clock will show `reading`; `Nanos::MAX` while its clock is frozen.
    fn when(&self, reading: Nanos) -> Nanos {
        self.clock.true_time_of(reading).unwrap_or(Nanos::MAX)
    }

    /// The token it sends with its requests.
    fn token(&self) -> Option<Bytes> {
        self.login.as_ref().and_then(|login| login.token.clone())
    }
}
