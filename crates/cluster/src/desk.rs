//! What callers work with: their journal of the run, and their *desk*, where they read a view of the world and write
//! their journal and their orders.

use std::sync::Arc;

use api::Request;
use bytes::Bytes;
use member::io::{Ask, Call};
use record::{History, MemberId, Nanos, Operation, Outcome, Probe, Stats};

use crate::etcd::{Ended, Orders, View};

/// What all callers of a run write down.
#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) history: History,
    /// Counts of what they did.
    pub(crate) stats: Stats,
    /// Whether the load has ended: the calm phase is over.
    pub(crate) settling: bool,
}

impl Journal {
    /// A desk at which this journal is written.
    pub(crate) fn desk<'a>(&'a mut self, view: &'a View<'a>, orders: &'a mut Orders) -> Desk<'a> {
        let Journal { history, stats, settling } = self;
        Desk { view, orders, history, stats, settling: *settling }
    }
}

/// Where a caller works, while it is its turn.
pub(crate) struct Desk<'a> {
    pub(crate) view: &'a View<'a>,
    pub(crate) orders: &'a mut Orders,
    pub(crate) history: &'a mut History,
    pub(crate) stats: &'a mut Stats,
    /// Whether the load has ended: the calm phase is over.
    pub(crate) settling: bool,
}

/// Who calls: the number of a client, and the user it is logged in as.
pub(crate) struct Caller {
    pub(crate) client: usize,
    pub(crate) user: Option<Arc<str>>,
}

impl Desk<'_> {
    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        self.view.now()
    }

    /// Sends a request to a member; the history records the call. At `gives_up` the caller is told that it no longer
    /// waits. Returns the number of the call.
    pub(crate) fn call(
        &mut self,
        caller: Caller,
        member: MemberId,
        request: Request,
        token: Option<Bytes>,
        gives_up: Nanos,
    ) -> u64 {
        let client = caller.client;
        let call = self.note_call(caller, member, request.clone(), gives_up);
        let to = (member, self.view.incarnation(member));
        self.orders.request(call, client, to, Ask::with_token(Call::Api(request), token));
        call
    }

    /// As [`Desk::call`], but sends nothing: the caller gives the request to the member itself.
    pub(crate) fn note_call(
        &mut self,
        caller: Caller,
        member: MemberId,
        request: Request,
        gives_up: Nanos,
    ) -> u64 {
        let call = self.history.operations.len() as u64;
        let client = caller.client as u32;
        self.orders.call(call, client, crate::digests::request(&request), gives_up);
        self.history.operations.push(Operation {
            client,
            member,
            user: caller.user,
            request,
            streamed: false,
            call: self.now(),
            outcome: Outcome::Unknown { gave_up: self.now() },
        });
        call
    }

    /// The outcome that the history records for the end of a call.
    pub(crate) fn outcome(&self, how: Ended) -> Outcome {
        let now = self.now();
        match how {
            Ended::Answer(Ok(response)) => Outcome::Answer { at: now, response },
            Ended::Answer(Err(error)) => Outcome::Error { at: now, error },
            Ended::Reset | Ended::TimedOut => Outcome::Unknown { gave_up: now },
        }
    }

    /// Records that a call has ended for its caller. The caller writes the outcome into the history when it has
    /// learned from it.
    pub(crate) fn returned(&mut self, call: u64, outcome: &Outcome) {
        let digest = crate::digests::outcome(outcome);
        let answered = !matches!(outcome, Outcome::Unknown { .. });
        self.orders.returned(call, answered, digest);
    }

    /// Counts an action of the clients, for the statistics of the run.
    pub(crate) fn count_work(&mut self, what: &str) {
        self.stats.did(what);
    }

    /// Counts an action of the clients that is also a probe.
    pub(crate) fn count_probe(&mut self, probe: Probe) {
        self.stats.reached(probe);
    }
}
