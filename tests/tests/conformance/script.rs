//! A recording as a plan: one member, a client without a user and one for each user, and a time of its own for each step.

use api::Request;
use api::etcdserverpb::WatchResponse;
use api::etcdserverpb::watch_request::RequestUnion;
use etcdsim::Outcome;
use plan::act::{Keys, Start, Watch};
use plan::{
    Act, Client, Cluster, Disk, Failover, Link, Network, Phases, Plan, PlannedOperation, Settings, Spread,
};
use record::{History, Nanos, Operation};

use super::recording::{Line, Recording, Step};
use super::same::{self, Ids};

const MICROSECOND: Nanos = 1_000;
const MILLISECOND: Nanos = 1_000_000;
const SECOND: Nanos = 1_000_000_000;
/// By this time the member has elected itself.
const BEGIN: Nanos = 3 * SECOND;
/// The time of a step. A request takes well below a millisecond, a login some more.
const STEP: Nanos = 2 * MILLISECOND;
const STEP_OF_USER: Nanos = 20 * MILLISECOND;
/// How long watchers have to be told everything: a watcher that lags is served every 100 ms.
const SETTLE: Nanos = 600 * MILLISECOND;
/// How often a run is repeated at most to learn the ids of new members.
const REPEATS: usize = 60;

/// A recording with the times of its steps.
pub struct Script<'a> {
    recording: &'a Recording,
    /// The users; user `n` is client `n + 1`.
    users: Vec<&'a str>,
    /// When each step begins, and after the last one the end.
    times: Vec<Nanos>,
}

impl<'a> Script<'a> {
    /// Gives each step its time.
    pub fn new(recording: &'a Recording) -> Script<'a> {
        let mut users: Vec<&str> = recording.lines.iter().filter_map(user).collect();
        users.sort_unstable();
        users.dedup();
        let (mut times, mut now, mut watches) = (Vec::new(), BEGIN, false);
        for line in &recording.lines {
            let recorded = line.at.map_or(0, |at| BEGIN + at * MILLISECOND);
            let (wait, takes) = match &line.step {
                Step::Ask(asked) => {
                    let slow = asked.user.is_some() || is_about_passwords(&asked.request);
                    let settles = watches && !is_of_keys(&asked.request);
                    (if settles { SETTLE } else { 0 }, if slow { STEP_OF_USER } else { STEP })
                }
                Step::Watch { .. } => (0, STEP),
                Step::Cancel(_) | Step::Close(_) => (SETTLE, STEP),
                Step::Wait(ms) => (0, ms * MILLISECOND),
            };
            watches |= matches!(line.step, Step::Watch { .. });
            // A wait was written down when it had ended.
            let begins = if matches!(line.step, Step::Wait(_)) { now } else { recorded.max(now + wait) };
            times.push(begins);
            now = begins + takes;
        }
        times.push(now + SETTLE);
        Script { recording, users, times }
    }

    /// Runs it, again and again until the ids of all members that are added in it are known.
    pub fn run(&self) -> (Ids, Outcome) {
        let mut ids = Ids::new(self.recording.member);
        for _ in 0..REPEATS {
            let outcome = etcdsim::run_plan(&self.plan(&ids)).unwrap_or_else(|error| panic!("{error}"));
            let mut new = false;
            for (nth, line) in self.recording.lines.iter().enumerate() {
                let Step::Ask(asked) = &line.step else { continue };
                let ours = self.operation(&outcome.record.history, nth);
                let ours = ours.and_then(|operation| same::answer(operation, self.recording.version));
                new |= ours.is_some_and(|ours| ids.learn(&ours, &asked.answer));
            }
            if !new {
                return (ids, outcome);
            }
        }
        panic!("{}: the ids of its members never come to rest", self.recording.name)
    }

    /// When a step begins, and when the next one does.
    pub fn slot(&self, nth: usize) -> (Nanos, Nanos) {
        (self.times[nth], self.times[nth + 1])
    }

    /// When the script has ended. Then the run settles, for which it cancels watchers.
    pub fn end(&self) -> Nanos {
        self.times[self.times.len() - 1]
    }

    /// By how many seconds the remaining time of a lease may differ in a step: one, and what the run is behind the recording.
    pub fn slack(&self, nth: usize) -> u64 {
        let line: &Line = &self.recording.lines[nth];
        let behind = line.at.map_or(0, |at| self.times[nth].abs_diff(BEGIN + at * MILLISECOND));
        1 + behind / SECOND
    }

    /// The request of a step: the last one of its client in this time. Those before it are logins, and requests that were
    /// refused because a login was missing.
    pub fn operation<'h>(&self, history: &'h History, nth: usize) -> Option<&'h Operation> {
        let (from, to) = self.slot(nth);
        let client = self.client(&self.recording.lines[nth]);
        let operations = &history.operations;
        let end = operations.partition_point(|operation| operation.call < to);
        let mut asked = operations[..end].iter().rev().take_while(|operation| operation.call >= from);
        asked.find(|operation| operation.client == client)
    }

    fn client(&self, line: &Line) -> u32 {
        let user = user(line).and_then(|name| self.users.iter().position(|user| *user == name));
        user.map_or(0, |nth| nth as u32 + 1)
    }

    /// One member and no faults.
    fn plan(&self, ids: &Ids) -> Plan {
        let client = |user: Option<String>| Client {
            endpoints: vec![record::MemberId::new(1)],
            failover: Failover::Pinned,
            user,
            ..Client::default()
        };
        let users = self.users.iter().map(|user| client(Some(format!("{user}:{user}"))));
        let mut clients: Vec<Client> = std::iter::once(client(None)).chain(users).collect();
        let mut watcher = 0;
        for (line, at) in self.recording.lines.iter().zip(&self.times) {
            let act = match &line.step {
                Step::Ask(asked) => match (ids.ours_in(asked.request.clone()), asked.streamed) {
                    (Request::Range(range), true) => Act::Stream { range, literal: true },
                    (request, _) => Act::Literal(request),
                },
                Step::Watch { stream, create } => {
                    watcher += 1;
                    Act::Watch(Watch {
                        keys: Keys { key: create.key.clone(), end: create.range_end.clone() },
                        from: match create.start_revision {
                            0 => Start::Now,
                            revision => Start::At(revision),
                        },
                        prev_kv: create.prev_kv,
                        progress: create.progress_notify,
                        no_put: create.filters.contains(&0),
                        no_delete: create.filters.contains(&1),
                        fragment: create.fragment,
                        id: create.watch_id,
                        name: watcher - 1,
                        stream: *stream,
                        skip: false,
                    })
                }
                Step::Cancel(watcher) => Act::Cancel { watcher: *watcher },
                Step::Close(stream) => Act::Close { stream: *stream },
                Step::Wait(_) => continue,
            };
            clients[self.client(line) as usize].operations.push(PlannedOperation { at: *at, act });
        }
        let wire = Link { latency: Spread::Constant(20 * MICROSECOND), ..Link::default() };
        let quick = Spread::Constant(10 * MICROSECOND);
        let settings = Settings { etcd_version: self.recording.version, ..Settings::default() };
        Plan {
            title: "conformance".into(),
            cluster: Cluster { members: 1, settings },
            network: Network { peers: wire, clients: wire, checksums: true },
            disk: Disk { read: quick, write: quick, sync: Spread::Constant(50 * MICROSECOND), capacity: 0 },
            clients,
            phases: Phases {
                chaos: self.times.last().copied().unwrap_or(BEGIN) + SECOND,
                ..Phases::default()
            },
            ..Plan::default()
        }
    }
}

/// The user of a step.
fn user(line: &Line) -> Option<&str> {
    match &line.step {
        Step::Ask(asked) => asked.user.as_deref(),
        _ => None,
    }
}

fn is_about_passwords(request: &Request) -> bool {
    matches!(request, Request::Authenticate(_) | Request::UserAdd(_) | Request::UserChangePassword(_))
}

fn is_of_keys(request: &Request) -> bool {
    matches!(request, Request::Range(_) | Request::Put(_) | Request::DeleteRange(_) | Request::Txn(_))
}

/// What the watcher that was requested in this time was told until the end, as one response.
pub fn received(history: &History, (from, to): (Nanos, Nanos), end: Nanos) -> Option<WatchResponse> {
    let created = |sent: &(Nanos, api::etcdserverpb::WatchRequest)| {
        matches!(sent.1.request_union, Some(RequestUnion::CreateRequest(_)))
    };
    let (stream, nth) = history.watches.iter().find_map(|stream| {
        let mut requests = stream.sent.iter().filter(|sent| created(sent));
        requests.position(|(at, _)| (from..to).contains(at)).map(|nth| (stream, nth))
    })?;
    let mut created = 0;
    let mut received: Option<WatchResponse> = None;
    for (_, response) in stream.received.iter().take_while(|(at, _)| *at <= end) {
        if response.created {
            created += 1;
            if created == nth + 1 {
                received = Some(WatchResponse { header: None, ..response.clone() });
                if response.canceled {
                    return received;
                }
            }
            continue;
        }
        let Some(received) = received.as_mut().filter(|received| received.watch_id == response.watch_id)
        else {
            continue;
        };
        received.events.extend(response.events.iter().cloned());
        if response.canceled {
            received.canceled = true;
            received.compact_revision = response.compact_revision;
            received.cancel_reason.clone_from(&response.cancel_reason);
            break;
        }
    }
    received
}
