//! The operators: people and their tools, who change the membership, move leadership, compact and defragment.
//!
//! A task is a list of requests, one after another. An operator asks one member after another until one
//! serves it, as `etcdctl` with several endpoints does, and asks again if the answer is only "not now". Its
//! requests and answers are part of the history, like any client's.
//!
//! A machine that was added is switched on as soon as some member knows of it, as by a tool that reads the
//! member list. Operators stop when the chaos phase is over; what they began stays as it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use api::etcdserverpb::{CompactionRequest, MemberRemoveRequest, RangeRequest};
use api::{Error, Request, Response};
use keyed::Draw;
use member::io::Input;
use plan::Plan;
use record::{Fact, MemberId, MessageKind, Nanos, Operation, Outcome};

use crate::clients::Login;
use crate::network::{Body, Packet, Party};
use crate::process::Stage;
use crate::triggers::Configuration;
use crate::world::{Happening, MILLISECOND, SECOND, World, client_head};

/// How long an operator waits for an answer (`etcdctl`, `--command-timeout`).
const PATIENCE: Nanos = 5 * SECOND;
/// Pause before it tries again.
const PAUSE: Nanos = 500 * MILLISECOND;
/// A machine that was added is switched on this long after it became a member.
const SWITCH_ON: Nanos = 200 * MILLISECOND;
/// How often a step is tried.
const ATTEMPTS: u32 = 30;

/// One thing an operator does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A request to any member.
    Ask(Request),
    /// A request to one member.
    AskMember(MemberId, Request),
    /// A request to the leader.
    AskLeader(Request),
    /// Several changes of the membership at once.
    Reconfigure(Vec<Request>),
    /// Reads the newest revision, and compacts below it.
    Compact { keep: u64, physical: bool, revision: Option<i64> },
}

struct Task {
    /// Steps still to do, in order.
    steps: VecDeque<Step>,
    attempts: u32,
    /// The operation under way.
    current: Option<u64>,
    /// Counts what it asked any member, so that it asks one after another.
    endpoint: usize,
}

/// All operators of a run.
pub(crate) struct Operators {
    tasks: Vec<Task>,
    /// The members that faults will add, by the fault's index in the plan.
    joiners: BTreeMap<usize, MemberId>,
    /// Members that an operator was asked to remove, whether or not it was done.
    leaving: BTreeSet<MemberId>,
    /// The user they log in as, if auth is on.
    login: Option<Login>,
}

impl Operators {
    pub(crate) fn new(plan: &Plan) -> Operators {
        let adding = plan.faults.iter().enumerate().filter(|(_, fault)| fault.kind.effect().adds_member);
        let added = MemberId::first(plan.most_members()).skip(plan.cluster.members as usize);
        let joiners = adding.zip(added).map(|((fault, _), member)| (fault, member)).collect();
        Operators { tasks: Vec::new(), joiners, leaving: BTreeSet::new(), login: Login::root(plan) }
    }
}

/// The URL at which other members reach a member.
pub(crate) fn peer_url(member: MemberId) -> String {
    format!("http://m{member}:2380")
}

impl World<'_> {
    /// The client number of the operators.
    pub(crate) fn operator(&self) -> usize {
        self.clients.len() + 1
    }

    /// An operator gets a task.
    pub(crate) fn begin_task(&mut self, steps: Vec<Step>, draw: Draw) {
        let endpoint = draw.then(20).below(self.processes.len() as u64) as usize;
        let task = Task { steps: steps.into(), attempts: 0, current: None, endpoint };
        self.operators.tasks.push(task);
        self.operate(self.operators.tasks.len() - 1);
    }

    /// The member that a fault adds.
    ///
    /// # Panics
    /// If the fault adds none.
    pub(crate) fn joiner_of(&self, fault: usize) -> MemberId {
        let joiner = self.operators.joiners.get(&fault);
        *joiner.unwrap_or_else(|| {
            panic!("fault {fault} asks for a new member, but its row in `plan` says that it adds none")
        })
    }

    /// The machines that are members now.
    pub(crate) fn members(&self) -> Vec<MemberId> {
        let is_member = |member: &MemberId| self.processes[*member].stage == Stage::Member;
        self.processes.ids().filter(is_member).collect()
    }

    /// An operator continues its task.
    pub(crate) fn operate(&mut self, at: usize) {
        if self.nemesis.over || self.operators.tasks[at].current.is_some() {
            return;
        }
        let Some(step) = self.operators.tasks[at].steps.front().cloned() else { return };
        let removal = removed_by(&step).map(|member| (member, self.may_be_removed(member)));
        let members = self.members();
        let task = &mut self.operators.tasks[at];
        task.attempts += 1;
        match removal {
            Some((_, Removal::Never)) => {
                self.recorder.count("removal-refrained-from");
                task.steps.clear();
                return;
            }
            Some((_, Removal::Later)) if task.attempts <= ATTEMPTS => {
                self.queue.push(self.queue.now() + PAUSE, Happening::Operate { task: at });
                return;
            }
            Some((member, Removal::Now)) => _ = self.operators.leaving.insert(member),
            _ => {}
        }
        let task = &mut self.operators.tasks[at];
        task.endpoint += 1;
        if task.attempts > ATTEMPTS {
            task.steps.clear();
            return;
        }
        let anyone = members[task.endpoint % members.len()];
        let (member, request) = match step {
            Step::Ask(request) => (anyone, request),
            Step::AskMember(member, request) => (member, request),
            Step::AskLeader(request) => (self.progress.leader().unwrap_or(anyone), request),
            Step::Reconfigure(changes) => return self.ask_to_reconfigure(at, anyone, changes),
            Step::Compact { revision: None, .. } => {
                let key = bytes::Bytes::from_static(b"\0");
                (anyone, RangeRequest { key, limit: 1, ..RangeRequest::default() }.into())
            }
            Step::Compact { keep, physical, revision: Some(revision) } => {
                let revision = (revision - keep as i64).max(1);
                (anyone, CompactionRequest { revision, physical }.into())
            }
        };
        let (request, token, user) = Login::ask(self.operators.login.as_mut(), request);
        let operation = self.note_call(member, user, request.clone());
        self.operators.tasks[at].current = Some(operation);
        let to = self.processes[member].incarnation;
        self.send(Packet {
            from: Party::Client(self.operator()),
            to: Party::Member(member),
            incarnations: (0, to),
            head: client_head(MessageKind::ClientRequest),
            body: Body::Request(operation, request, token),
        });
    }

    /// Whether an operator may remove a member.
    ///
    /// The remaining members may not know yet that the change is committed, and may come back after a power
    /// loss with the configuration before it. If they need the vote of the member that has left, they wait
    /// for ever: raft has no way out of that (`docs/findings.md`). So a quorum of the current configuration
    /// must be left, of members that have it on their disks, are not lost, and are not about to leave.
    fn may_be_removed(&self, member: MemberId) -> Removal {
        let Configuration { index, voters, .. } = &self.progress.configuration;
        let quorum = voters.len() / 2 + 1;
        // A member that a client added has no machine: it never starts.
        let lost = |other: MemberId| {
            let process = self.processes.get(other);
            process.is_none_or(|process| process.gone || self.nemesis.excuses_refusal(other))
        };
        let staying = voters.iter().filter(|other| **other != member && !lost(**other));
        if staying.clone().count() < quorum {
            return Removal::Never;
        }
        let ready = staying.filter(|other| {
            !self.operators.leaving.contains(other) && self.progress.durable[**other] >= *index
        });
        if self.progress.joint || ready.count() < quorum { Removal::Later } else { Removal::Now }
    }

    /// A change that etcd has no call for goes straight to the member.
    fn ask_to_reconfigure(&mut self, at: usize, member: MemberId, changes: Vec<Request>) {
        // The history records only its last part, the removal.
        let operation = self.note_call(member, None, changes[changes.len() - 1].clone());
        self.operators.tasks[at].current = Some(operation);
        self.feed_connections(member);
        self.feed(member, Input::Reconfigure { operation, changes });
    }

    fn note_call(&mut self, member: MemberId, user: Option<Arc<str>>, request: Request) -> u64 {
        let now = self.now();
        let client = self.operator() as u32;
        let operation = self.next_operation(Operation {
            client,
            member,
            user,
            request,
            call: now,
            outcome: Outcome::Unknown { gave_up: now },
        });
        self.queue.push(now + PATIENCE, Happening::OperatorTimeout { operation });
        operation
    }

    /// An operator has an answer, or stops waiting for one.
    pub(crate) fn operator_answered(&mut self, operation: u64, outcome: Outcome) {
        let Some(at) = self.operators.tasks.iter().position(|task| task.current == Some(operation)) else {
            return;
        };
        let digest = crate::digests::outcome(&outcome);
        let answered = !matches!(outcome, Outcome::Unknown { .. });
        self.note(MemberId::NONE, Fact::Returned { operation, answered, digest });
        let task = &mut self.operators.tasks[at];
        task.current = None;
        let about_login = self.operators.login.as_mut().is_some_and(|login| login.take_outcome(&outcome));
        let mut learned = about_login;
        let task = &mut self.operators.tasks[at];
        let done = match &outcome {
            _ if about_login => false,
            Outcome::Answer { response, .. } => match task.steps.front_mut() {
                Some(Step::Compact { revision: revision @ None, .. }) => {
                    *revision = match response {
                        Response::Range(range) => range.header.as_ref().map(|header| header.revision),
                        _ => None,
                    };
                    learned = true;
                    false
                }
                _ => true,
            },
            Outcome::Error { error, .. } => is_done(*error),
            Outcome::Unknown { .. } => false,
        };
        if done {
            task.steps.pop_front();
            task.attempts = 0;
        }
        self.history.operations[operation as usize].outcome = outcome;
        // After a success the next step follows at once.
        let pause = if done || learned { 0 } else { PAUSE };
        self.queue.push(self.now() + pause, Happening::Operate { task: at });
    }

    /// Switches on the machines of members that joined.
    pub(crate) fn look_for_joiners(&mut self) {
        let Configuration { voters, learners, .. } = &self.progress.configuration;
        // A client may have added a member that no machine was planned for.
        let joined = voters.iter().chain(learners).copied().filter(|id| self.processes.contains(*id));
        let joined: Vec<MemberId> = joined.collect();
        for member in &joined {
            if self.processes[*member].stage != Stage::Absent {
                continue;
            }
            let peers: Vec<member::config::Peer> =
                joined.iter().map(|member| crate::setup::peer(*member)).collect();
            let process = &mut self.processes[*member];
            process.stage = Stage::Member;
            process.config.join = true;
            process.config.peers = peers.into();
            self.queue.push(self.now() + SWITCH_ON, Happening::Join { member: *member });
        }
    }

    /// Gives a member what its transport knows: how long it has been connected to each other member.
    pub(crate) fn feed_connections(&mut self, member: MemberId) {
        let now = self.now();
        let connected =
            self.processes.iter().filter(|(other, _)| *other != member).filter_map(|(other, process)| {
                let since = self.network.joined_since(Party::Member(member), Party::Member(other))?;
                let since = since.max(process.started).max(self.processes[member].started);
                (process.is_up() && process.stage == Stage::Member).then(|| (other, now - since))
            });
        let connections = connected.collect();
        self.feed(member, Input::Connections(connections));
    }
}

/// Whether a member may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    Now,
    /// Not before others know more, or have left.
    Later,
    /// Too few would be left.
    Never,
}

/// The member that a step removes.
fn removed_by(step: &Step) -> Option<MemberId> {
    let removed = |request: &Request| match request {
        Request::MemberRemove(MemberRemoveRequest { id }) => Some(MemberId::from_raft(*id)),
        _ => None,
    };
    match step {
        Step::Ask(request) => removed(request),
        Step::Reconfigure(changes) => changes.iter().find_map(removed),
        _ => None,
    }
}

/// Whether an error means that there is nothing left to do.
fn is_done(error: Error) -> bool {
    matches!(
        error,
        Error::MemberExists
            | Error::PeerUrlExists
            | Error::MemberNotFound
            | Error::MemberNotLearner
            | Error::BadLeaderTransferee
            | Error::Compacted
            | Error::FutureRev
    )
}
