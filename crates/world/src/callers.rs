//! All who call the members: the clients of the plan, the operators, and the final read of the settle phase. The world
//! asks them when it is their turn. They read the world ([`View`]) and write orders ([`Orders`]), which the world
//! carries out; they never change it themselves.

use std::sync::Arc;

use keyed::Draw;
use member::io;
use plan::{FaultKind, Plan};
use record::MemberId;

use crate::caller_event::CallerEvent;
use crate::calls::Ended;
use crate::clients::Clients;
use crate::clients::segment::{Down, Segment};
use crate::deeds::Orders;
use crate::desk::Journal;
use crate::final_read::FinalRead;
use crate::network::Party;
use crate::operators::{self, Operators};
use crate::view::View;

/// All callers of a run.
pub(crate) struct Callers {
    clients: Clients,
    operators: Operators,
    final_read: FinalRead,
    journal: Journal,
}

impl Callers {
    pub(crate) fn new(plan: &Plan) -> Callers {
        Callers {
            clients: Clients::new(plan),
            operators: Operators::new(plan),
            final_read: FinalRead::new(plan),
            journal: Journal::default(),
        }
    }

    /// How many client numbers they use: one for each client of the plan, one for the final read, and one for all
    /// operators.
    pub(crate) fn parties(&self) -> usize {
        self.clients.count() + 2
    }

    /// The run begins.
    pub(crate) fn begin(&mut self, view: &View<'_>, orders: &mut Orders) {
        self.clients.begin(&mut self.journal.desk(view, orders));
    }

    /// Something that a caller waited for happens.
    pub(crate) fn event(&mut self, view: &View<'_>, event: CallerEvent, orders: &mut Orders) {
        let Callers { clients, operators, journal, .. } = self;
        let desk = &mut journal.desk(view, orders);
        match event {
            CallerEvent::ClientNext { client } => clients.client_next(desk, client),
            CallerEvent::StreamDue { stream, up } => clients.stream_due(desk, stream, up),
            CallerEvent::StreamTake { stream } => clients.stream_take(desk, stream),
            CallerEvent::StreamKeepalive { stream } => clients.stream_keepalive(desk, stream),
            CallerEvent::StreamResume { client, number } => clients.stream_resume(desk, client, number),
            CallerEvent::StreamClosed { stream } => clients.stop_serving(desk, stream),
            CallerEvent::ContinueTask { task } => operators.continue_task(desk, task),
        }
    }

    /// A call has ended for its caller. An answer that comes after the caller has stopped waiting is ignored.
    pub(crate) fn ended(&mut self, view: &View<'_>, call: u64, how: Ended, orders: &mut Orders) {
        let client = self.journal.history.operations[call as usize].client as usize;
        let desk = &mut self.journal.desk(view, orders);
        if client < self.clients.count() {
            self.clients.ended(desk, call, how);
        } else if client == operators::client_number(view.plan) {
            let outcome = desk.outcome(how);
            self.operators.ended(desk, call, outcome);
        } else {
            let outcome = desk.outcome(how);
            self.final_read.ended(desk, call, outcome);
        }
    }

    /// A member sends an item on a stream.
    pub(crate) fn item(
        &mut self,
        view: &View<'_>,
        from: MemberId,
        stream: u64,
        item: io::Down,
        orders: &mut Orders,
    ) {
        let item = match item {
            io::Down::Watch(response) => Down::Response(Arc::new(response)),
            io::Down::Refused(error) => Down::Refused(error),
            io::Down::Snapshot(_) => unreachable!("no caller asks for a snapshot"),
        };
        self.clients.item(&mut self.journal.desk(view, orders), from, stream, item);
    }

    /// A packet of a stream arrives at one of its ends: at the client, or at the host of the member, whose process is up.
    pub(crate) fn segment(
        &mut self,
        view: &View<'_>,
        at: Party,
        stream: u64,
        segment: Segment,
        orders: &mut Orders,
    ) {
        let desk = &mut self.journal.desk(view, orders);
        match at {
            Party::Member(_) => self.clients.stream_at_member(desk, stream, segment),
            Party::Client(_) => self.clients.stream_at_client(desk, stream, segment),
        }
    }

    /// A packet of a stream reached the host of a member after the process it was for had ended.
    pub(crate) fn undelivered(
        &mut self,
        view: &View<'_>,
        to: MemberId,
        stream: u64,
        segment: &Segment,
        orders: &mut Orders,
    ) {
        let desk = &mut self.journal.desk(view, orders);
        self.clients.stream_packet_undelivered(desk, to, stream, segment);
    }

    /// The process of a member has ended; `power_failed` if its host is off.
    pub(crate) fn process_ended(
        &mut self,
        view: &View<'_>,
        member: MemberId,
        power_failed: bool,
        orders: &mut Orders,
    ) {
        self.clients.reset_streams(&mut self.journal.desk(view, orders), member, power_failed);
    }

    /// The calls of clients that are under way: the client, the number of the call, and the member that was called.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (usize, u64, MemberId)> {
        self.clients.waiting()
    }

    /// An operator begins the task that is this fault of the plan.
    pub(crate) fn task(
        &mut self,
        view: &View<'_>,
        (fault, members, draw): (usize, &[MemberId], Draw),
        orders: &mut Orders,
    ) {
        if let FaultKind::Task(task) = &view.plan.faults[fault].kind {
            let steps = self.operators.steps_of(view, task, fault, members);
            self.operators.begin_task(&mut self.journal.desk(view, orders), steps, draw);
        }
    }

    /// The chaos phase is over.
    pub(crate) fn chaos_ended(&mut self) {
        self.journal.settling = true;
    }

    /// The cluster itself has settled, apart from what `missing` says. Adds what is missing for the callers, and
    /// orders what it takes. Returns false if that comes first, so that nothing else is looked at yet. `core` are the
    /// members that must work, and `reached` those of them that reach their leader.
    pub(crate) fn settling(
        &mut self,
        view: &View<'_>,
        (core, reached): (&[MemberId], &[MemberId]),
        missing: &mut Vec<String>,
        orders: &mut Orders,
    ) -> bool {
        let desk = &mut self.journal.desk(view, orders);
        if !self.final_read.is_answered(desk, core, missing) {
            return false;
        }
        let statuses = reached.iter().filter_map(|member| view.status(*member));
        let revision = statuses.map(|status| status.revision).max().unwrap_or(0) as i64;
        self.clients.poll_watches(desk, revision);
        missing.extend(self.clients.watches_behind(view, revision, reached));
        true
    }

    /// The run is over. Returns what they have written down.
    pub(crate) fn finish(&mut self, view: &View<'_>, orders: &mut Orders) -> Journal {
        self.clients.last_views(&mut self.journal.desk(view, orders));
        std::mem::take(&mut self.journal)
    }
}
