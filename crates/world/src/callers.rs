//! All who call the members: the clients of the plan, the operators, and the final read of the settle phase. The world
//! asks them when it is their turn. They read the world ([`View`]) and write orders ([`Orders`]), which the world
//! carries out; they never change it themselves.

use api::{Error, Response};
use keyed::Draw;
use plan::{FaultKind, Plan};
use record::{MemberId, Outcome};

use crate::caller_event::CallerEvent;
use crate::clients::{Client, Programs};
use crate::deeds::Orders;
use crate::desk::Journal;
use crate::final_read::FinalRead;
use crate::operators::{self, Operators};
use crate::view::View;

/// All callers of a run.
pub(crate) struct Callers {
    pub(crate) clients: Vec<Client>,
    /// State that clients share: memories, watch streams, lists outside etcd.
    pub(crate) programs: Programs,
    operators: Operators,
    final_read: FinalRead,
    pub(crate) journal: Journal,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Answer(Result<Response, Error>),
    /// Its connection broke.
    Reset,
    /// Its caller waits no longer.
    TimedOut,
}

impl Ended {
    /// What the history says of it.
    pub(crate) fn outcome(self, now: record::Nanos) -> Outcome {
        match self {
            Ended::Answer(Ok(response)) => Outcome::Answer { at: now, response },
            Ended::Answer(Err(error)) => Outcome::Error { at: now, error },
            Ended::Reset | Ended::TimedOut => Outcome::Unknown { gave_up: now },
        }
    }
}

impl Callers {
    pub(crate) fn new(plan: &Plan) -> Callers {
        Callers {
            clients: crate::clients::clients(plan),
            programs: Programs::new(plan, plan.most_members()),
            operators: Operators::new(plan),
            final_read: FinalRead::new(plan),
            journal: Journal::default(),
        }
    }

    /// How many client numbers they use: one for each client of the plan, one for the final read, and one for all
    /// operators.
    pub(crate) fn parties(&self) -> usize {
        self.clients.len() + 2
    }

    /// Something that a caller waited for happens.
    pub(crate) fn event(&mut self, view: &View<'_>, event: CallerEvent, orders: &mut Orders) {
        let desk = &mut self.journal.desk(view, orders);
        match event {
            CallerEvent::ContinueTask { task } => self.operators.continue_task(desk, task),
        }
    }

    /// A call has ended for its caller. An answer that comes after the caller has stopped waiting is ignored.
    pub(crate) fn ended(&mut self, view: &View<'_>, call: u64, how: Ended, orders: &mut Orders) {
        let client = self.journal.history.operations[call as usize].client as usize;
        let desk = &mut self.journal.desk(view, orders);
        if client == operators::client_number(view.plan) {
            self.operators.ended(desk, call, how.outcome(view.now));
        } else {
            self.final_read.ended(desk, call, how.outcome(view.now));
        }
    }

    /// An operator begins the task that is this fault of the plan.
    pub(crate) fn task(
        &mut self,
        view: &View<'_>,
        (fault, members, draw): (usize, &[MemberId], Draw),
        orders: &mut Orders,
    ) {
        if let FaultKind::Operator(task) = &view.plan.faults[fault].kind {
            let steps = self.operators.steps_of(view, task, fault, members);
            self.operators.begin_task(&mut self.journal.desk(view, orders), steps, draw);
        }
    }

    /// The chaos phase is over.
    pub(crate) fn chaos_ended(&mut self) {
        self.journal.settling = true;
    }

    /// The cluster itself has settled, apart from what `missing` says. Adds what is missing for the callers, and
    /// orders what it takes. Returns false if that comes first, so that nothing else is looked at yet.
    pub(crate) fn settling(
        &mut self,
        view: &View<'_>,
        core: &[MemberId],
        missing: &mut Vec<String>,
        orders: &mut Orders,
    ) -> bool {
        self.final_read.is_answered(&mut self.journal.desk(view, orders), core, missing)
    }
}
