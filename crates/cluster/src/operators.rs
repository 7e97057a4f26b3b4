//! Simulates operators: people and their tools, who change the membership, move leadership, compact and defragment.
//! The plan says which tasks they do and when; it lists them among its faults.
//!
//! A task of an operator is a list of steps; most steps are one request. If a request fails, the operator asks
//! the next member, as `etcdctl` with several endpoints does, until it is served or has run out of attempts. The
//! history records its requests and answers like those of any client.
//!
//! When a member was added to the configuration, its process starts soon after, as if started by a tool that
//! watches the member list. Operators stop when the load ends; what they have begun stays as it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use api::etcdserverpb::{CompactionRequest, MemberRemoveRequest, RangeRequest};
use api::{Error, Request, Response};
use keyed::Draw;
use member::io::{Ask, Call, Input};
use plan::Plan;
use record::{MemberId, Nanos, Outcome};
use world::Configuration;
use world::clock::{MILLISECOND, SECOND};

use crate::caller_event::CallerEvent;
use crate::clients::Login;
use crate::desk::{Caller, Desk};
use crate::etcd::View;

/// How long an operator waits for an answer: the default of `etcdctl --command-timeout`.
const ANSWER_TIMEOUT: Nanos = 5 * SECOND;
/// How long an operator waits before it tries a step again; our choice.
const RETRY_WAIT: Nanos = 500 * MILLISECOND;
/// The most attempts at a step; our choice.
const ATTEMPTS_MAX: u32 = 30;

/// A step of a task.
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
    /// Reads the newest revision, then compacts so that the last `keep` revisions before it stay readable.
    Compact { keep: u64, physical: bool, revision: Option<i64> },
}

/// A task of an operator.
struct Task {
    /// Steps still to do, in order.
    steps: VecDeque<Step>,
    /// How often the current step was tried.
    attempts: u32,
    /// The operation under way.
    current: Option<u64>,
    /// Counts its requests, so that each asks the next member.
    endpoint: usize,
}

/// All operators of a run.
pub(crate) struct Operators {
    tasks: Vec<Task>,
    /// The members that faults will add, by the fault's index in the plan.
    joiners: BTreeMap<usize, MemberId>,
    /// Members that an operator has asked the cluster to remove, whether or not they are removed by now.
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

/// The client number of the operators of a plan. The number before it is that of the client that reads in the
/// settle phase.
pub(crate) fn client_number(plan: &Plan) -> usize {
    plan.clients.len() + 1
}

impl Operators {
    /// An operator begins a task.
    pub(crate) fn begin_task(&mut self, desk: &mut Desk<'_>, steps: Vec<Step>, draw: Draw) {
        let endpoint = draw.then(20).below(desk.view.hosts() as u64) as usize;
        let task = Task { steps: steps.into(), attempts: 0, current: None, endpoint };
        self.tasks.push(task);
        self.continue_task(desk, self.tasks.len() - 1);
    }

    /// The new member that a fault adds. `fault` is the index of the fault in the plan.
    ///
    /// # Panics
    /// If the fault adds none.
    pub(crate) fn joiner_of(&self, fault: usize) -> MemberId {
        let joiner = self.joiners.get(&fault);
        *joiner.unwrap_or_else(|| {
            panic!("fault {fault} asks for a new member, but its row in `plan` says that it adds none")
        })
    }

    /// Does the next step of a task, or tries the current one again.
    pub(crate) fn continue_task(&mut self, desk: &mut Desk<'_>, at: usize) {
        if desk.settling || self.tasks[at].current.is_some() {
            return;
        }
        let Some(step) = self.tasks[at].steps.front().cloned() else { return };
        let removal = removed_by(&step).map(|member| (member, self.may_be_removed(desk.view, member)));
        let members = desk.view.members();
        let task = &mut self.tasks[at];
        task.attempts += 1;
        match removal {
            Some((_, Removal::Unsafe)) => {
                desk.orders.count("removal-refrained-from");
                task.steps.clear();
                return;
            }
            Some((_, Removal::Later)) if task.attempts <= ATTEMPTS_MAX => {
                desk.orders.at(desk.now() + RETRY_WAIT, CallerEvent::ContinueTask { task: at });
                return;
            }
            Some((member, Removal::Now)) => _ = self.leaving.insert(member),
            _ => {}
        }
        let task = &mut self.tasks[at];
        task.endpoint += 1;
        if task.attempts > ATTEMPTS_MAX {
            task.steps.clear();
            return;
        }
        let anyone = members[task.endpoint % members.len()];
        let (member, request) = match step {
            Step::Ask(request) => (anyone, request),
            Step::AskMember(member, request) => (member, request),
            Step::AskLeader(request) => (desk.view.leader().unwrap_or(anyone), request),
            Step::Reconfigure(changes) => return self.ask_to_reconfigure(desk, at, anyone, changes),
            Step::Compact { revision: None, .. } => {
                let key = bytes::Bytes::from_static(b"\0");
                (anyone, RangeRequest { key, limit: 1, ..RangeRequest::default() }.into())
            }
            Step::Compact { keep, physical, revision: Some(revision) } => {
                let revision = (revision - keep as i64).max(1);
                (anyone, CompactionRequest { revision, physical }.into())
            }
        };
        let (request, token, user) = Login::ask(self.login.as_mut(), request);
        let caller = Caller { client: client_number(desk.view.plan()), user };
        let call = desk.call(caller, member, request, token, desk.now() + ANSWER_TIMEOUT);
        self.tasks[at].current = Some(call);
    }

    /// Whether an operator may remove a member.
    ///
    /// After a removal, the remaining members may lose power before the change is durable on their disks, and
    /// come back with the old configuration. If they then need the vote of the removed member, they wait for
    /// ever: raft has no way out of that (`docs/findings.md`). So without this member there must be a quorum of
    /// the current configuration whose members have that configuration on disk, are not lost, and are not
    /// about to be removed themselves.
    fn may_be_removed(&self, view: &View<'_>, member: MemberId) -> Removal {
        let Configuration { index, voters, .. } = view.configuration();
        let quorum = voters.len() / 2 + 1;
        let staying = voters.iter().filter(|other| **other != member && !view.is_lost(**other));
        if staying.clone().count() < quorum {
            return Removal::Unsafe;
        }
        let ready = staying.filter(|other| !self.leaving.contains(other) && view.durable(**other) >= *index);
        if view.is_joint() || ready.count() < quorum { Removal::Later } else { Removal::Now }
    }

    /// Asks a member for several changes of the membership at once. etcd's API has no call for that, so it is an
    /// input of the member instead of a request.
    fn ask_to_reconfigure(
        &mut self,
        desk: &mut Desk<'_>,
        at: usize,
        member: MemberId,
        changes: Vec<Request>,
    ) {
        // The history can record only one request: the last one, the removal.
        let recorded = changes[changes.len() - 1].clone();
        let caller = Caller { client: client_number(desk.view.plan()), user: None };
        let call = desk.note_call(caller, member, recorded, desk.now() + ANSWER_TIMEOUT);
        self.tasks[at].current = Some(call);
        let request = Ask::with_token(Call::Reconfigure(changes), None);
        desk.orders.give(member, Input::Call { call, request });
    }

    /// An operator has an answer, or stops waiting for one.
    pub(crate) fn ended(&mut self, desk: &mut Desk<'_>, call: u64, outcome: Outcome) {
        let Some(at) = self.tasks.iter().position(|task| task.current == Some(call)) else { return };
        desk.returned(call, &outcome);
        let task = &mut self.tasks[at];
        task.current = None;
        let about_login = self.login.as_mut().is_some_and(|login| login.take_outcome(&outcome));
        // Whether the step continues at once with what the answer said, although it is not done.
        let mut learned = about_login;
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
        desk.history.operations[call as usize].outcome = outcome;
        // After a success the next step follows at once.
        let pause = if done || learned { 0 } else { RETRY_WAIT };
        desk.orders.at(desk.now() + pause, CallerEvent::ContinueTask { task: at });
    }
}

/// Whether a member may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    /// Yes.
    Now,
    /// Not yet: first others must have the configuration on disk, or be removed.
    Later,
    /// Too few members would remain for a quorum.
    Unsafe,
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

/// Whether an error means that another try would be pointless.
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
