//! Connects the lessor, which tracks when leases expire, with the log and with clients. Revocations and
//! checkpoints that are due are proposed here; keep-alives and questions about the time left are answered
//! here, or sent to the leader if this member is not the primary lessor.
//!
//! Before a leader renews a lease or proposes a revocation, it confirms by ReadIndex that it still leads. A
//! process that was paused still believes that it leads when it resumes (etcd issues 12528, 15247; flaw
//! M-15247).

use std::collections::BTreeSet;

use api::etcdserverpb::{
    LeaseCheckpoint, LeaseCheckpointRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
    LeaseRevokeRequest, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
use api::{Error, Request};
use contract::Now;
use record::inner::LeaseDeed;
use record::{EtcdFact as Fact, Probe};

use crate::apply::header;
use crate::config::Config;
use crate::envelope::Command;
use crate::failpoint::Failpoint;
use crate::flaw::{Flaw, Flaws};
use crate::keeps::{Count, count};
use crate::lessor::{self, Lessor, Renewed};
use crate::mvcc::Store;
use crate::out::Out;
use crate::reads::Read;
use crate::want::{NOBODY, Want, Wants};

/// The lessor, and the clients that wait for it. `leads` says in each call whether this member leads.
#[derive(Debug)]
pub(crate) struct Leases {
    lessor: Lessor,
    /// Renewals that wait until their lease is revoked: operation, lease, deadline. Those that wait until its checkpoint is
    /// undone are proposals.
    waiting: Vec<(u64, i64, u64)>,
    /// Only with the flaw M-15247: when the lessor notices that this member no longer leads.
    demote_at: Option<u64>,
    request_timeout: u64,
    scan_interval: u64,
    flaws: Flaws,
}

impl Leases {
    /// The leases of a member that does not lead yet.
    pub(crate) fn new(config: &Config) -> Leases {
        Leases {
            lessor: Lessor::new(config),
            waiting: Vec::new(),
            demote_at: None,
            request_timeout: config.settings.request_timeout,
            scan_interval: config.settings.lease_scan_interval,
            flaws: config.flaws,
        }
    }

    /// Whether this member is the primary lessor.
    pub(crate) fn is_primary(&self) -> bool {
        self.lessor.is_primary()
    }

    /// The probes reached since the last call.
    pub(crate) fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.lessor.take_probes()
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Count> {
        self.lessor.kept().into_iter().chain([count("renewals", self.waiting.len())])
    }

    /// When to check again, on the member's clock.
    pub(crate) fn wake_at(&self) -> u64 {
        self.lessor.wake_at()
    }

    /// When [`Leases::due`] next does something if nothing but time passes; 0 if the next step must call it.
    pub(crate) fn due_at(&self) -> u64 {
        let waiting = self.waiting.iter().map(|(.., deadline)| *deadline).min().unwrap_or(u64::MAX);
        self.lessor.due_at().min(waiting).min(self.demote_at.unwrap_or(u64::MAX))
    }

    // ---- requests of clients ----------------------------------------------------------------------

    /// Handles a keep-alive from a client of this member or of another one.
    pub(crate) fn keep_alive(
        &mut self,
        operation: u64,
        request: LeaseKeepAliveRequest,
        leads: bool,
        store: &Store,
        out: &mut Out<'_>,
        wants: &mut Wants,
    ) {
        if !leads && !self.is_primary() {
            return wants.push(Want::AskLeader(operation, request.into()));
        }
        if self.flaws.has(Flaw::StalledLeaderRevokes) {
            return self.renew(operation, request.id, leads, store, out, wants); // flaw M-15247
        }
        let deadline = out.now.clock + self.request_timeout;
        wants.push(Want::Read(Read { operation, request: request.into(), deadline, credential: None }));
    }

    /// Renews a lease, after a ReadIndex confirmed that this member leads.
    pub(crate) fn renew(
        &mut self,
        operation: u64,
        id: i64,
        leads: bool,
        store: &Store,
        out: &mut Out<'_>,
        wants: &mut Wants,
    ) {
        // The lessor learns only at the end of a step that this member lost its leadership.
        if !leads && !self.flaws.has(Flaw::StalledLeaderRevokes) {
            return wants.push(Want::AskLeader(operation, LeaseKeepAliveRequest { id }.into()));
        }
        out.pass(Failpoint::BeforeCheckpointInLeaseRenew);
        let Now { clock: now, wall } = out.now;
        let answer = |ttl| {
            lessor::tell(id, LeaseDeed::Answered { ttl }, now);
            answer(operation, id, ttl, store)
        };
        match self.lessor.renew(store, id, now, wall) {
            Renewed::Renewed { ttl } => wants.push(answer(ttl)),
            Renewed::NotFound => wants.push(answer(0)),
            // Flaw M-20615: a lease that is about to be revoked is reported as renewed.
            Renewed::Expiring if self.flaws.has(Flaw::RevokedLeaseRenewed) => {
                let ttl = store.lease(id).map_or(0, |lease| lease.ttl);
                wants.push(answer(ttl));
            }
            // The lease expired: the answer waits until the revocation is applied.
            Renewed::Expiring => self.waiting.push((operation, id, now + self.request_timeout)),
            Renewed::Checkpointed => {
                lessor::tell(id, LeaseDeed::Checkpoints { left: 0 }, now);
                wants.push(Want::Undo { operation, lease: id, command: checkpoint(vec![(id, 0)]) });
            }
            Renewed::NotPrimary => {
                wants.push(Want::AskLeader(operation, LeaseKeepAliveRequest { id }.into()));
            }
        }
    }

    /// Answers how much time a lease has left, or sends the request to the leader, which alone knows that.
    pub(crate) fn time_to_live(
        &mut self,
        operation: u64,
        request: LeaseTimeToLiveRequest,
        store: &Store,
        out: &mut Out<'_>,
        wants: &mut Wants,
    ) {
        if !self.is_primary() {
            return wants.push(Want::AskLeader(operation, request.into()));
        }
        out.pass(Failpoint::BeforeLookupWhenLeaseTimeToLive);
        let mut response = LeaseTimeToLiveResponse {
            header: header(store),
            id: request.id,
            ttl: -1,
            ..LeaseTimeToLiveResponse::default()
        };
        if let Some(lease) = store.lease(request.id) {
            let left = self.lessor.remaining(request.id, out.now.clock, out.now.wall);
            response.granted_ttl = lease.ttl;
            response.ttl = left.unwrap_or(lease.ttl);
            if request.keys {
                response.keys = lease.keys().cloned().collect();
            }
        }
        wants.push(Want::Answer(operation, Ok(response.into())));
    }

    // ---- becoming and ceasing to be the primary lessor --------------------------------------------

    /// Makes this member the primary lessor. Called when the first entry of its own term is applied.
    pub(crate) fn promote(&mut self, store: &Store, out: &mut Out<'_>) {
        self.lessor.promote(store, out.now.clock, out.now.wall);
        out.fact(Fact::Lessor { primary: true });
    }

    /// If this member no longer leads: the lessor stops tracking time, and renewals that wait for a revocation go to the
    /// new leader.
    pub(crate) fn note_leadership(&mut self, leads: bool, out: &mut Out<'_>, wants: &mut Wants) {
        if !self.is_primary() || leads {
            self.demote_at = None;
            return;
        }
        // Flaw M-15247: the lessor notices two scan intervals after raft that this member no longer leads.
        if self.flaws.has(Flaw::StalledLeaderRevokes) {
            let now = out.now.clock;
            let aware_at = *self.demote_at.get_or_insert(now + 2 * self.scan_interval);
            if now < aware_at {
                return;
            }
        }
        self.demote_at = None;
        self.lessor.demote();
        out.fact(Fact::Lessor { primary: false });
        let waited = self.waiting.drain(..);
        wants.extend(
            waited.map(|(operation, id, _)| Want::AskLeader(operation, LeaseKeepAliveRequest { id }.into())),
        );
    }

    /// A snapshot replaced the whole store.
    pub(crate) fn replaced(&mut self, store: &Store, now: Now) {
        self.lessor.replaced(store, now.clock, now.wall);
    }

    // ---- applied entries --------------------------------------------------------------------------

    /// A grant of `ttl` seconds was applied.
    pub(crate) fn granted(&mut self, id: i64, ttl: i64, now: Now) {
        self.lessor.granted(id, ttl, now.clock, now.wall);
    }

    /// A revocation was applied: answers the clients that tried to renew the lease after it expired.
    pub(crate) fn revoked(&mut self, id: i64, store: &Store, wants: &mut Wants) {
        self.lessor.revoked(id);
        let waited = self.waiting.extract_if(.., |(_, expiring, _)| *expiring == id);
        wants.extend(waited.map(|(operation, ..)| answer(operation, id, 0, store)));
    }

    /// A checkpoint of this lease was applied, with so much time left, in seconds; 0 undoes the one before.
    pub(crate) fn checkpointed(&mut self, id: i64, left: i64) {
        self.lessor.checkpoint_applied(id, left);
    }

    // ---- what is due ------------------------------------------------------------------------------

    /// A quorum confirmed that this member leads, after it found that this lease has expired.
    pub(crate) fn confirmed(&mut self, id: i64) {
        self.lessor.confirmed(id);
    }

    /// Starts the revocation of expired leases, proposes checkpoints and revocations, and ends renewals that
    /// waited too long.
    pub(crate) fn due(&mut self, store: &Store, now: Now, wants: &mut Wants) {
        let Now { clock: now, wall } = now;
        if self.lessor.wake_at() <= now {
            for id in self.lessor.due(now, wall) {
                if self.flaws.has(Flaw::StalledLeaderRevokes) {
                    self.lessor.confirmed(id); // flaw M-15247
                } else {
                    let request = Request::LeaseRevoke(LeaseRevokeRequest { id });
                    let deadline = now + self.request_timeout;
                    wants.push(Want::Read(Read { operation: NOBODY, request, deadline, credential: None }));
                }
            }
            let checkpoints = self.lessor.checkpoints(store, now, wall);
            if !checkpoints.is_empty() {
                wants.push(Want::propose(checkpoint(checkpoints)));
            }
        }
        // As many revocations as may be in progress at a time.
        while self.is_primary()
            && let Some(id) = self.lessor.next_revocation(now, wall)
        {
            wants.push(Want::propose(Command::Request(LeaseRevokeRequest { id }.into())));
        }
        let timed_out = self.waiting.extract_if(.., |(.., deadline)| *deadline <= now);
        wants.extend(timed_out.map(|(operation, ..)| Want::Reply(operation, Err(Error::Timeout))));
    }
}

/// The answer to a keep-alive, with the TTL to which the lease was renewed; 0 means that there is no such
/// lease.
fn answer(operation: u64, id: i64, ttl: i64, store: &Store) -> Want {
    Want::Answer(operation, Ok(LeaseKeepAliveResponse { header: header(store), id, ttl }.into()))
}

/// A checkpoint with the time left of these leases.
fn checkpoint(leases: Vec<(i64, i64)>) -> Command {
    let checkpoints =
        leases.into_iter().map(|(id, remaining)| LeaseCheckpoint { id, remaining_ttl: remaining });
    let request = LeaseCheckpointRequest { checkpoints: checkpoints.collect() };
    Command::Checkpoint(request)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use record::MemberId;

    use super::*;
    use crate::io::Effects;

    /// A second, in nanoseconds.
    const SECOND: u64 = 1_000_000_000;

    /// A store with lease 7 of five seconds, and the leases of its member.
    struct Run {
        store: Store,
        leases: Leases,
    }

    impl Run {
        fn new() -> Run {
            let mut store = Store::new();
            store.grant(7, 5).unwrap();
            Run { store, leases: Leases::new(&Config::new(MemberId::new(1), Arc::new([]))) }
        }

        /// What the leases want at `clock` after this call.
        fn at(
            &mut self,
            clock: u64,
            call: impl FnOnce(&mut Leases, &Store, &mut Out<'_>, &mut Wants),
        ) -> Wants {
            let (mut effects, mut armed, mut wants) = (Effects::default(), None, Wants::new());
            let mut out = Out::new(&mut effects, &mut armed, Now { clock, wall: 0 });
            call(&mut self.leases, &self.store, &mut out, &mut wants);
            wants
        }
    }

    fn keep_alive() -> LeaseKeepAliveRequest {
        LeaseKeepAliveRequest { id: 7 }
    }

    #[test]
    fn only_a_leader_renews() {
        let mut run = Run::new();
        let wants = run.at(0, |leases, store, out, wants| {
            leases.keep_alive(1, keep_alive(), false, store, out, wants);
        });
        assert_eq!(wants, [Want::AskLeader(1, keep_alive().into())]);
        run.at(0, |leases, store, out, _| leases.promote(store, out));
        let wants = run.at(0, |leases, store, out, wants| {
            leases.keep_alive(1, keep_alive(), true, store, out, wants);
        });
        assert!(matches!(&wants[..], [Want::Read(read)] if read.operation == 1), "{wants:?}");
        let wants = run.at(0, |leases, store, out, wants| leases.renew(1, 7, true, store, out, wants));
        assert_eq!(wants, [answer(1, 7, 5, &run.store)]);
    }

    #[test]
    fn an_expired_lease_is_revoked_after_a_confirmation() {
        let mut run = Run::new();
        run.at(0, |leases, store, out, _| leases.promote(store, out));
        let at = run.leases.wake_at();
        let due = |leases: &mut Leases, store: &Store, out: &mut Out<'_>, wants: &mut Wants| {
            leases.due(store, out.now, wants);
        };
        assert_eq!(run.at(at - 1, due), []);
        let wants = run.at(at, due);
        assert!(matches!(&wants[..], [Want::Read(read)] if read.operation == NOBODY), "{wants:?}");
        // A client that renews it now waits for the revocation.
        assert_eq!(run.at(at, |leases, store, out, wants| leases.renew(2, 7, true, store, out, wants)), []);
        run.leases.confirmed(7);
        assert_eq!(run.leases.due_at(), 0);
        let revoke = Want::propose(Command::Request(LeaseRevokeRequest { id: 7 }.into()));
        assert_eq!(run.at(at, due), [revoke]);
        assert_eq!(run.leases.due_at(), at + run.leases.request_timeout, "then it counts as lost");
        let wants = run.at(at, |leases, store, _, wants| leases.revoked(7, store, wants));
        assert_eq!(wants, [answer(2, 7, 0, &run.store)]);
    }

    #[test]
    fn who_waits_is_sent_to_the_next_leader_or_times_out() {
        for steps_down in [true, false] {
            let mut run = Run::new();
            run.at(0, |leases, store, out, _| leases.promote(store, out));
            let late = 60 * SECOND;
            run.at(late, |leases, store, out, wants| leases.renew(2, 7, true, store, out, wants));
            if steps_down {
                let wants = run.at(late, |leases, _, out, wants| leases.note_leadership(false, out, wants));
                assert_eq!(wants, [Want::AskLeader(2, keep_alive().into())]);
                assert!(!run.leases.is_primary());
            } else {
                let wants = run.at(2 * late, |leases, store, out, wants| leases.due(store, out.now, wants));
                assert_eq!(wants.last(), Some(&Want::Reply(2, Err(Error::Timeout))));
            }
        }
    }
}
