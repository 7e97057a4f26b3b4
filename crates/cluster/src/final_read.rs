//! The final read: when the cluster works again in the settle phase, a linearizable read of all keys, as a client of
//! its own. It shows that the cluster serves clients, and shows the judge which writes took effect.

use api::Request;
use api::etcdserverpb::RangeRequest;
use bytes::Bytes;
use plan::Plan;
use record::{MemberId, Nanos, Outcome};
use world::clock::SECOND;

use crate::clients::Login;
use crate::desk::{Caller, Desk};

/// How long the final read waits for an answer before the next attempt; our choice.
const ANSWER_TIMEOUT: Nanos = 3 * SECOND;

/// The final read of a run.
pub(crate) struct FinalRead {
    /// The call under way.
    current: Option<u64>,
    /// How often it was tried.
    attempts: usize,
    /// Whether it was answered.
    answered: bool,
    login: Option<Login>,
}

/// The client number of the final read of a plan: it comes after those of the plan's clients.
pub(crate) fn client_number(plan: &Plan) -> usize {
    plan.clients.len()
}

impl FinalRead {
    pub(crate) fn new(plan: &Plan) -> FinalRead {
        FinalRead { current: None, attempts: 0, answered: false, login: Login::root(plan) }
    }

    /// Whether it was answered. If not, adds a sentence to `missing` and, when nothing else is missing, tries again.
    /// Each attempt asks the next member of `core`.
    pub(crate) fn is_answered(
        &mut self,
        desk: &mut Desk<'_>,
        core: &[MemberId],
        missing: &mut Vec<String>,
    ) -> bool {
        if self.answered {
            return true;
        }
        let first = missing.is_empty();
        missing.push(format!(
            "A linearizable read of everything was not answered in {} attempts.",
            self.attempts
        ));
        if self.current.is_none() && first {
            self.call(desk, core[self.attempts % core.len()]);
        }
        false
    }

    /// Calls a member.
    fn call(&mut self, desk: &mut Desk<'_>, member: MemberId) {
        let everything = Bytes::from_static(b"\0");
        let request =
            RangeRequest { key: everything.clone(), range_end: everything, ..RangeRequest::default() };
        let (request, token, user) = Login::ask(self.login.as_mut(), Request::Range(request));
        let caller = Caller { client: client_number(desk.view.plan()), user };
        let call = desk.call(caller, member, request, token, desk.now() + ANSWER_TIMEOUT);
        self.current = Some(call);
    }

    /// The final read has an answer, or stops waiting for one.
    pub(crate) fn ended(&mut self, desk: &mut Desk<'_>, call: u64, outcome: Outcome) {
        if self.current != Some(call) {
            return;
        }
        desk.returned(call, &outcome);
        let succeeded = matches!(outcome, Outcome::Answer { .. });
        desk.stats.answered += u64::from(succeeded);
        let about_login = self.login.as_mut().is_some_and(|login| login.take_outcome(&outcome));
        self.current = None;
        self.attempts += 1;
        self.answered |= succeeded && !about_login;
        desk.history.operations[call as usize].outcome = outcome;
    }
}
