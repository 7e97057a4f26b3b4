//! Everything that calls the members: the clients of the plan, the operators, and the final read of the settle phase.

use std::sync::Arc;

use member::io;
use plan::{OperatorTask, Plan};
use record::MemberId;
use world::{Party, Task, Waiting};

use crate::caller_event::CallerEvent;
use crate::clients::Clients;
use crate::clients::segment::{Down, Segment};
use crate::desk::Journal;
use crate::etcd::{Ended, Etcd, Orders, View};
use crate::final_read::FinalRead;
use crate::operators::{self, Operators};

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

    /// The callers' journal.
    pub(crate) fn into_journal(self) -> Journal {
        self.journal
    }
}

impl world::Callers<Etcd> for Callers {
    /// One for each client of the plan, one for the final read, and one for all operators.
    fn parties(&self) -> usize {
        self.clients.count() + 2
    }

    fn begin(&mut self, view: &View<'_>, orders: &mut Orders) {
        self.clients.begin(&mut self.journal.desk(view, orders));
    }

    fn event(&mut self, view: &View<'_>, event: CallerEvent, orders: &mut Orders) {
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

    fn ended(&mut self, view: &View<'_>, call: u64, how: Ended, orders: &mut Orders) {
        let client = self.journal.history.operations[call as usize].client as usize;
        let desk = &mut self.journal.desk(view, orders);
        if client < self.clients.count() {
            self.clients.ended(desk, call, how);
        } else if client == operators::client_number(view.plan()) {
            let outcome = desk.outcome(how);
            self.operators.ended(desk, call, outcome);
        } else {
            let outcome = desk.outcome(how);
            self.final_read.ended(desk, call, outcome);
        }
    }

    fn item(&mut self, view: &View<'_>, from: MemberId, stream: u64, item: io::Down, orders: &mut Orders) {
        let item = match item {
            io::Down::Watch(response) => Down::Response(Arc::new(response)),
            io::Down::Range(chunk) => Down::Chunk(Arc::new(chunk)),
            io::Down::End => Down::End,
            io::Down::Refused(error) => Down::Refused(error),
            io::Down::Snapshot(_) => unreachable!("no caller asks for a snapshot"),
        };
        self.clients.item(&mut self.journal.desk(view, orders), from, stream, item);
    }

    fn segment(&mut self, view: &View<'_>, at: Party, stream: u64, segment: Segment, orders: &mut Orders) {
        let desk = &mut self.journal.desk(view, orders);
        match at {
            Party::Member(_) => self.clients.stream_at_member(desk, stream, segment),
            Party::Client(_) => self.clients.stream_at_client(desk, stream, segment),
        }
    }

    fn undelivered(
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

    fn process_ended(&mut self, view: &View<'_>, member: MemberId, power_failed: bool, orders: &mut Orders) {
        self.clients.reset_streams(&mut self.journal.desk(view, orders), member, power_failed);
    }

    fn waiting(&self) -> Vec<Waiting> {
        self.clients.waiting().collect()
    }

    fn task(&mut self, view: &View<'_>, task: &Task<'_, OperatorTask>, orders: &mut Orders) {
        let steps = self.operators.steps_of(view, task.what, task.fault, task.members);
        self.operators.begin_task(&mut self.journal.desk(view, orders), steps, task.draw);
    }

    fn load_ended(&mut self) {
        self.journal.settling = true;
    }

    fn settling(
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
        self.clients.slow_ones_finish(desk);
        let statuses = reached.iter().filter_map(|member| view.status(*member));
        let revision = statuses.map(|status| status.revision).max().unwrap_or(0) as i64;
        self.clients.poll_watches(desk, revision);
        missing.extend(self.clients.watches_behind(view, revision, reached));
        true
    }

    fn finish(&mut self, view: &View<'_>, orders: &mut Orders) {
        self.clients.last_views(&mut self.journal.desk(view, orders));
    }
}
