//! What is due at the end of a step: everything that waits for a time, for a change of the leader, or for
//! what the step has changed. Also how the member stops, and when it must be woken.

use api::Error;
use api::etcdserverpb::{HashKvRequest, LeaseKeepAliveRequest};
use record::MemberId;

use crate::io::PeerMessage;
use crate::logins;
use crate::maintenance;
use crate::member::Member;
use crate::mvcc::Store;
use crate::out::Out;
use crate::proposals::{Expired, Purpose, Waiter};
use crate::punctual;
use crate::want::NOBODY;

impl Member {
    // ---- rounds -----------------------------------------------------------------------------------

    /// Looks at everything that may be due, unless nothing can be.
    pub(crate) fn housekeeping(&mut self, out: &mut Out<'_>) {
        // What waits for raft is tried again in each step, after a round.
        if !self.waits_for_raft() && !self.round.is_due(self.now, self.node.known_leader()) {
            debug_assert!(
                self.round_at() > self.now,
                "at {} something is due at {}: the change that made it due did not require a round",
                self.now,
                self.round_at()
            );
            return self.report_probes(out);
        }
        self.round.begin(self.node.known_leader());
        self.look_around(out);
        self.round.end(self.round_at());
        // The round may have made proposals and reads. They go to raft in this step.
        if self.waits_for_raft() {
            self.drive(out);
        }
        self.round.set_alarm(self.slow_clocks());
    }

    /// Whether there are proposals or reads that raft does not have.
    fn waits_for_raft(&self) -> bool {
        self.proposals.has_waiting() || self.reads.wants_index(self.now)
    }

    /// Does everything that is due. Each line handles one concern, and does nothing if nothing of that concern is due.
    /// [`Member::round_at`] has the same concerns in the same order.
    fn look_around(&mut self, out: &mut Out<'_>) {
        self.expire(out);
        self.look_after_logins(out);
        let leads = self.node.is_leader();
        let was_lessor = self.leases.is_primary();
        self.with_wants(out, |own, out, wants| own.leases.note_leadership(leads, out, wants));
        if was_lessor && !self.leases.is_primary() {
            for (operation, id) in self.proposals.take_renewals() {
                self.ask(None, operation, LeaseKeepAliveRequest { id }.into());
            }
        }
        self.with_wants(out, |own, out, wants| own.leases.due(&own.replica.store, out.now, wants));
        self.look_after_calls(out);
        if self.transfers.wake_at() <= self.now {
            self.look_after_transfers(out);
        }
        self.look_after_leaderless(out);
        self.look_after_watches(out);
        self.look_after_compaction(out);
        self.look_after_comparison(out);
        self.look_after_version(out);
        self.publish(out);
        self.greet(out);
        self.persistence.compact_log(self.replica.applied(), self.node.log_mut(), out);
        let compactor = &self.compactor;
        let is_awaited = |store: &Store| compactor.waits_for_commit(store);
        self.persistence.due(&mut self.replica, self.node.log(), is_awaited, out);
        if self.membership.ends_at() <= self.now {
            punctual::was_due("the end of a removed member", self.membership.ends_at());
            self.finished = true;
            out.removed();
        }
        self.look_after_stop(out);
        self.report_probes(out);
    }

    /// When a round next does something if nothing but time passes; 0 if each step needs one.
    ///
    /// Why a round before that time would do nothing:
    /// - Proposals, reads, waiting requests, calls and transfers end at their deadlines, and calls are sent
    ///   at a time of their own. A request for a token waits for an applied entry, a transfer for a new
    ///   leader.
    /// - Leases: see [`crate::leases::Leases::due_at`]. The lessor gives up its role when the leader changes.
    /// - Watchers: see [`crate::watch::Hub::due_at`].
    /// - Compaction and comparison each have their own time; comparison also needs this member to lead. While a client
    ///   waits for a compaction, each step has a round, because the backend commit that it waits for is made by a
    ///   round.
    /// - A name is published at a time of its own, once there is a leader and an entry has made this member
    ///   known.
    /// - A greeting waits for a time, which moves later with each message from the leader, and changes when the leader
    ///   does.
    /// - The backend: see [`crate::persist::Persistence::due_at`].
    /// - While the member stops, each step has a round.
    fn round_at(&self) -> u64 {
        if self.stopping.is_some() {
            return 0;
        }
        let (leader, leads) = self.node.known_leader();
        let times = [
            self.proposals.wake_at(),
            self.reads.expires_at(),
            self.logins.due_at(),
            self.leases.due_at(),
            self.calls.wake_at(),
            self.transfers.wake_at(),
            self.require_leader.due_at(),
            self.hub.due_at(),
            self.compactor.due_at(&self.replica.store),
            self.comparison.wake_at(leads),
            self.version_due_at(),
            if leader.is_none() { u64::MAX } else { self.membership.publishes_at() },
            if leads { u64::MAX } else { self.leadership.greets_at() },
            self.persistence.due_at(&self.replica.store),
            self.membership.ends_at(),
        ];
        times.into_iter().fold(u64::MAX, u64::min)
    }

    // ---- when to wake -----------------------------------------------------------------------------

    /// The time at which the member needs [`contract::Input::Wake`], on its own clock.
    pub(crate) fn wake_at(&self) -> u64 {
        let slow = self.round.alarm();
        debug_assert_eq!(
            slow,
            self.slow_clocks(),
            "a clock moved without a round: {:?}",
            self.alarm_clocks()
        );
        self.next_tick.min(self.reads.wake_at()).min(slow)
    }

    /// When each part of the member next has something to do, with the part's name for panic messages.
    /// The first two move at any step, the others only in one that has a round (`round.rs`).
    #[inline]
    pub(crate) fn alarm_clocks(&self) -> [(&'static str, u64); 13] {
        [
            ("tick", self.next_tick),
            ("reads", self.reads.wake_at()),
            ("proposals", self.proposals.wake_at()),
            ("backend", self.persistence.wake_at()),
            ("watchers", self.hub.wake_at()),
            ("leases", self.leases.wake_at()),
            ("compaction", self.compactor.wake_at()),
            ("comparison of hashes", self.comparison.wake_at(self.node.is_leader())),
            ("cluster version", self.version_due_at()),
            ("transfers", self.transfers.wake_at()),
            ("calls", self.calls.wake_at()),
            ("streams without a leader", self.require_leader.due_at()),
            ("end", self.membership.ends_at().min(self.gives_up_at())),
        ]
    }

    /// When a member that stops gives up waiting for another one to take over; `u64::MAX` if it waits for none, or no
    /// longer.
    #[inline]
    fn gives_up_at(&self) -> u64 {
        self.stopping.filter(|at| *at > self.now).unwrap_or(u64::MAX)
    }

    /// The earliest of the times that only a step with a round moves.
    #[inline]
    pub(crate) fn slow_clocks(&self) -> u64 {
        let [_, _, slow @ ..] = self.alarm_clocks();
        slow.into_iter().fold(u64::MAX, |least, (_, at)| least.min(at))
    }

    // ---- the concerns -----------------------------------------------------------------------------

    /// Fails the requests that have timed out inside the server.
    fn expire(&mut self, out: &mut Out<'_>) {
        for Expired { waiter: Waiter { operation, started, purpose, .. }, proposed } in
            self.proposals.expired(self.now)
        {
            self.logins.given_up(operation);
            let error = match purpose {
                Purpose::Refuse(error) => error,
                Purpose::Renew(_) => Error::Timeout,
                Purpose::Answer if proposed => {
                    let voters = self.node.is_leader().then(|| &self.node.log().conf_state().voters[..]);
                    self.leadership.why_late(started, voters)
                }
                Purpose::Answer => Error::ContextDeadlineExceeded,
            };
            self.reply(operation, Err(error), out);
        }
        for read in self.reads.expired(self.now) {
            self.reply(read.operation, Err(Error::Timeout), out);
        }
    }

    /// Resumes the requests whose token's login is applied now, and refuses those that waited too long.
    fn look_after_logins(&mut self, out: &mut Out<'_>) {
        for waiting in self.logins.take_waiting() {
            if !logins::is_ahead(waiting.credential.as_ref(), self.replica.applied()) {
                self.request(waiting.operation, waiting.request, waiting.credential.as_ref(), out);
            } else if waiting.until <= self.now {
                self.reply(waiting.operation, Err(Error::InvalidAuthToken), out);
            } else {
                self.logins.wait(waiting);
            }
        }
    }

    /// Reports the probes reached since the last report, once every heartbeat interval, with or without a round. At
    /// every step, this would cost as much as the rest of an idle step.
    fn report_probes(&mut self, out: &mut Out<'_>) {
        if self.now < self.report_at {
            return;
        }
        self.report_at = self.now + self.config.settings.heartbeat_interval;
        let reached = [
            self.hub.take_probes(),
            self.leases.take_probes(),
            self.compactor.take_probes(),
            self.services.take_probes(),
            self.replica.cluster.take_probes(),
            self.replica.auth.take_probes(),
        ];
        for probes in reached.into_iter().filter(|probes| !probes.is_empty()) {
            probes.into_iter().for_each(|probe| out.probe(probe));
        }
    }

    /// Proposes this member's name and client URLs to the log, until they are known.
    fn publish(&mut self, out: &mut Out<'_>) {
        if self.now < self.membership.publishes_at() || self.node.leader().is_none() {
            return;
        }
        let listed = self.replica.cluster.member(self.config.id);
        if let Some(command) = self.membership.publish(self.now, listed) {
            self.propose_for(NOBODY, command, None, out);
        }
    }

    /// Sends all other members a greeting if this member has not heard from its leader for two election
    /// timeouts. Only a removed member gets an answer, which is how it learns of its removal if it missed the
    /// entry. A voter would also learn of it by campaigning, but learners never campaign.
    ///
    /// A member that has no member list yet contacts the members of its initial configuration.
    fn greet(&mut self, out: &mut Out<'_>) {
        if self.node.is_leader() || !self.leadership.greets(self.now) {
            return;
        }
        let mut others: Vec<MemberId> = self.replica.cluster.ids().collect();
        if others.is_empty() {
            others = self.config.peers.iter().map(|peer| peer.id).collect();
        }
        others.retain(|id| *id != self.config.id);
        others.into_iter().for_each(|id| out.send_peer(id, PeerMessage::Hello));
    }

    /// Sends calls that are due, and fails those that timed out.
    fn look_after_calls(&mut self, out: &mut Out<'_>) {
        if self.calls.wake_at() > self.now {
            return;
        }
        self.with_wants(out, |own, out, wants| own.calls.timed_out(out.now.clock, wants));
        // A leader serves calls as soon as it has applied the first entry of its term. But it may also have
        // lost its leadership again in raft, while it waits for a save and so does not know yet
        // (`Node::leads_in_raft`).
        let serves = self.leases.is_primary() && self.node.leads_in_raft();
        let leader = self.node.leader();
        self.with_wants(out, |own, out, wants| own.calls.due(leader, serves, out, wants));
    }

    /// Answers the clients whose transfer has succeeded or timed out.
    pub(crate) fn look_after_transfers(&mut self, out: &mut Out<'_>) {
        let leader = self.node.leader();
        self.with_wants(out, |own, out, wants| own.transfers.due(leader, out.now.clock, wants));
    }

    /// Lets the hub do what is due, and passes on the responses for the services.
    fn look_after_watches(&mut self, out: &mut Out<'_>) {
        let services = &self.services;
        for (stream, response) in self.hub.due(&self.replica, |stream| services.owns_stream(stream), out) {
            self.hub.taken(stream);
            self.with_wants(out, |own, _, wants| own.services.watched(stream, response, wants));
        }
    }

    /// Proposes an automatic compaction if one is due on this leader, and answers clients that waited for the
    /// removal of compacted revisions from the backend.
    fn look_after_compaction(&mut self, out: &mut Out<'_>) {
        let (leads, finished) = (self.node.is_leader(), self.persistence.finished_compaction());
        self.with_wants(out, |own, out, wants| {
            own.compactor.due(out.now.clock, &own.replica.store, leads, finished, wants);
        });
    }

    /// If a comparison of hashes is due and this member leads: asks the others for theirs.
    fn look_after_comparison(&mut self, out: &mut Out<'_>) {
        if !self.comparison.starts(self.node.is_leader(), self.now) {
            return;
        }
        let revision = self.replica.store.revision();
        let Ok(hash) = maintenance::hash_kv(&self.replica, HashKvRequest { revision }) else { return };
        self.with_wants(out, |own, _, wants| {
            let others = own.replica.cluster.ids().filter(|id| *id != own.config.id);
            own.comparison.begin(hash, others, &mut own.ids, wants);
        });
    }

    // ---- stopping ---------------------------------------------------------------------------------

    /// Whether another member can take over this one's leadership.
    fn wants_successor(&self) -> bool {
        self.node.is_leader() && !self.node.is_only_voter()
    }

    /// Begins to stop: fails all requests in progress and, on a leader, starts a transfer of leadership.
    pub(crate) fn stop(&mut self, out: &mut Out<'_>) {
        if self.stopping.is_some() {
            return;
        }
        let patience = self.config.settings.election_timeout();
        self.stopping = Some(self.now + patience);
        let mut in_progress = self.services.take_all();
        in_progress.extend(self.proposals.take_all());
        in_progress.extend(self.reads.take_all());
        in_progress.extend(self.pending.take_all());
        in_progress.extend(self.calls.take_all());
        self.persistence.stop_scrubbing();
        for operation in in_progress {
            if !self.services.owns_request(operation) {
                self.reply(operation, Err(Error::Stopped), out);
            }
        }
        // etcd transfers leadership to the member connected longest; we pick the one with the longest
        // matching log.
        if self.node.is_leader()
            && let Some(successor) = self.node.best_follower()
        {
            self.node.transfer_leader(successor, out);
        }
    }

    /// Ends the member if it is stopping and nothing is left to wait for: a transfer of leadership, writes, a
    /// last backend commit.
    fn look_after_stop(&mut self, out: &mut Out<'_>) {
        let Some(give_up_at) = self.stopping else { return };
        // Only now, after the readies of this step: the vote that makes its successor leader is in one of them.
        if !self.leaving && (self.now >= give_up_at || !self.wants_successor()) {
            self.leaving = true;
            self.reads.take_all(); // raft answers none any more
        }
        // Checked again at the next input. One will come, since there is always a next tick.
        if !self.leaving
            || self.node.is_saving()
            || self.persistence.is_writing()
            || !self.persistence.is_idle()
        {
            return;
        }
        if self.wants_successor() {
            punctual::was_due("the end of the wait for a successor", give_up_at);
        }
        if self.persistence.is_dirty() {
            self.persistence.commit(&mut self.replica, self.node.log(), out);
            return;
        }
        self.finished = true;
        out.finished();
    }
}
