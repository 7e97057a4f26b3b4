//! The time of leases, as the leader keeps it (`lease/lessor.go`). The replicated side, which leases exist
//! and which keys they hold, is in the store (`mvcc`).
//!
//! A follower keeps no time: on it, leases never expire. A member becomes *primary* when it applies the first
//! entry of its own term. It then gives every lease a new expiry: the time left according to a checkpoint, or
//! the full TTL, plus one election timeout. So a change of leader lengthens leases and never shortens them.
//!
//! The lessor proposes nothing and sends nothing. Its caller must ensure:
//! - A quorum confirms leadership before a lease is renewed, and also after [`Lessor::due`] returned a lease
//!   and before [`Lessor::confirmed`] is called: a member that was paused still believes it leads when it
//!   resumes, and its successor may have renewed the lease that seems to have expired (etcd issue 15247).
//! - [`Lessor::granted`] and [`Lessor::revoked`] follow the application of entries, as everywhere.
//! - [`Lessor::demote`] is called as soon as raft knows that this member does not lead.
//!
//! Not here: etcd spreads out leases that a new leader would see expire in the same second (from a thousand
//! leases on); here only the number per scan limits them.
//!
//! Time is nanoseconds of the member's monotonic clock; `wall` is its wall clock, which only flaw M-12291
//! uses. Invariant: while primary, every lease in the store has its time here, and no other lease has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use record::Probe;

use crate::config::Config;
use crate::flaw::{Flaw, Flaws};
use crate::mvcc::Store;
use crate::probes::Probes;

const SECOND: u64 = 1_000_000_000;

/// Most leases that one scan finds (`leaseRevokeRate` is 1000 a second, at two scans a second).
const REVOKES_PER_SCAN: usize = 500;

/// Most revocations in the log at a time (`server.go`, `maxPendingRevokes`).
const REVOKES_IN_FLIGHT: usize = 16;

/// Most leases in one checkpoint (`maxLeaseCheckpointBatchSize`).
const CHECKPOINT_BATCH: usize = 1_000;

/// The result of an attempt to renew a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "one word for the deed and for its success")]
pub(crate) enum Renewed {
    /// It now expires after this many seconds.
    Renewed {
        /// The TTL it was granted with.
        ttl: i64,
    },
    /// Not renewed yet, because a checkpoint records how little time is left, and the next leader would use
    /// that. Propose a checkpoint of 0 and retry once it is applied here.
    Checkpointed,
    /// It expired, and its revocation is in progress. Answer when that is applied (then `NotFound`) or when
    /// this member is no longer primary.
    Expiring,
    /// There is no such lease.
    NotFound,
    /// The request belongs to another member.
    NotPrimary,
}

/// The time of one lease.
#[derive(Clone, Copy, Debug)]
struct Timed {
    /// The TTL it is renewed to, in seconds.
    ttl: i64,
    expiry: u64,
    /// When it is offered for revocation: at its expiry, and again until it is revoked.
    offer_at: u64,
    checkpoint_at: Option<u64>,
}

/// Turns at a fixed interval.
#[derive(Debug)]
struct Rounds {
    interval: u64,
    next: u64,
}

impl Rounds {
    fn new(interval: u64) -> Rounds {
        Rounds { interval: interval.max(1), next: 0 }
    }

    /// Whether a turn is due. Missed turns are not made up for, as with Go's ticker.
    fn has_come(&mut self, now: u64) -> bool {
        if now < self.next {
            return false;
        }
        let rounds = (now - self.next) / self.interval + 1;
        self.next = self.next.saturating_add(self.interval.saturating_mul(rounds));
        true
    }

    /// The first turn at or after `time`.
    fn at_or_after(&self, time: u64) -> u64 {
        let rounds = time.saturating_sub(self.next).div_ceil(self.interval);
        self.next.saturating_add(rounds.saturating_mul(self.interval))
    }
}

/// The time of all leases.
#[derive(Debug)]
pub(crate) struct Lessor {
    primary: bool,
    timed: BTreeMap<i64, Timed>,
    /// `offer_at` of every lease, with its id.
    offers: BTreeSet<(u64, i64)>,
    /// `checkpoint_at` of every lease that has one, with its id.
    checkpoints: BTreeSet<(u64, i64)>,
    offer_rounds: Rounds,
    checkpoint_rounds: Rounds,
    /// Leases to revoke. None of them is also in `in_flight`, which holds when each revocation was proposed.
    confirmed: VecDeque<i64>,
    /// Leases with a checkpoint in the log that is not yet applied: a renewal must come after it.
    noting: BTreeSet<i64>,
    in_flight: BTreeMap<i64, u64>,
    /// Time after which a lease is offered again, and a revocation counts as lost.
    retry: u64,
    /// What a new leader adds to each lease.
    extension: u64,
    checkpoint_interval: Option<u64>,
    flaws: Flaws,
    probes: Probes,
}

impl Lessor {
    /// The lessor of a member that does not lead yet.
    pub(crate) fn new(config: &Config) -> Lessor {
        Lessor {
            primary: false,
            timed: BTreeMap::new(),
            offers: BTreeSet::new(),
            checkpoints: BTreeSet::new(),
            offer_rounds: Rounds::new(config.settings.lease_scan_interval),
            checkpoint_rounds: Rounds::new(config.settings.lease_scan_interval),
            confirmed: VecDeque::new(),
            noting: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            // `server.go`: `ExpiredLeasesRetryInterval` is the request time-out.
            retry: config.settings.request_timeout,
            extension: config.settings.election_timeout(),
            checkpoint_interval: config.settings.lease_checkpoints(),
            flaws: config.flaws,
            probes: Probes::default(),
        }
    }

    /// Whether this member keeps the time.
    pub(crate) fn is_primary(&self) -> bool {
        self.primary
    }

    /// The probes reached since the last call.
    pub(crate) fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }

    // ---- who keeps the time -----------------------------------------------------------------------

    /// The first entry of our own term is applied: the leases of `store` begin to age.
    pub(crate) fn promote(&mut self, store: &Store, now: u64, wall: i64) {
        self.demote();
        self.primary = true;
        self.offer_rounds.next = now.saturating_add(self.offer_rounds.interval);
        self.checkpoint_rounds.next = self.offer_rounds.next;
        let clock = self.clock(now, wall);
        for (id, lease) in store.leases() {
            let resets = self.flaws.has(Flaw::LeaseTtlResets); // M-17132
            let left = if lease.remaining > 0 && !resets { lease.remaining } else { lease.ttl };
            self.set(id, lease.ttl, after(clock, left).saturating_add(self.extension));
            self.schedule_checkpoint(id, clock);
            self.probes.reached(Probe::LeaseExtendedByNewLeader);
            if left < lease.ttl {
                self.probes.reached(Probe::LeaseContinuedFromCheckpoint);
            }
        }
    }

    /// This member no longer leads: forgets the time of every lease.
    pub(crate) fn demote(&mut self) {
        if !self.in_flight.is_empty() {
            self.probes.reached(Probe::LeaderLostWhileRevokingLeases);
        }
        self.primary = false;
        self.timed.clear();
        self.offers.clear();
        self.checkpoints.clear();
        self.confirmed.clear();
        self.noting.clear();
        self.in_flight.clear();
    }

    /// Another store replaced the previous one.
    pub(crate) fn replaced(&mut self, store: &Store, now: u64, wall: i64) {
        // A leader never receives a snapshot; one that restores a backup starts over too.
        if self.primary {
            self.promote(store, now, wall);
        }
    }

    // ---- what the log did -------------------------------------------------------------------------

    /// A lease of `ttl` seconds was granted.
    pub(crate) fn granted(&mut self, id: i64, ttl: i64, now: u64, wall: i64) {
        if !self.primary {
            return;
        }
        let clock = self.clock(now, wall);
        self.set(id, ttl, after(clock, ttl));
        self.schedule_checkpoint(id, clock);
    }

    /// A lease was revoked, or did not exist.
    pub(crate) fn revoked(&mut self, id: i64) {
        self.in_flight.remove(&id);
        self.noting.remove(&id);
        if let Some(timed) = self.timed.remove(&id) {
            self.offers.remove(&(timed.offer_at, id));
            if let Some(at) = timed.checkpoint_at {
                self.checkpoints.remove(&(at, id));
            }
        }
    }

    /// A checkpoint was applied.
    pub(crate) fn noted(&mut self, id: i64) {
        self.noting.remove(&id);
    }

    // ---- clients ----------------------------------------------------------------------------------

    /// Renews a lease. Leadership must have been confirmed after the request arrived.
    pub(crate) fn renew(&mut self, store: &Store, id: i64, now: u64, wall: i64) -> Renewed {
        if !self.primary {
            return Renewed::NotPrimary;
        }
        let Some(lease) = store.lease(id) else { return Renewed::NotFound };
        let Timed { ttl, expiry, checkpoint_at, .. } = self.time_of(id);
        let clock = self.clock(now, wall);
        if expiry <= clock {
            self.probes.reached(Probe::ExpiredLeaseRenewed);
            return Renewed::Expiring;
        }
        // etcd considers only what is applied, so the next leader may use a checkpoint that was still in the
        // log.
        if lease.remaining > 0 || self.noting.contains(&id) {
            self.probes.reached(Probe::LeaseCheckpointUndone);
            return Renewed::Checkpointed;
        }
        if expiry - clock < after(0, ttl) / 10 {
            self.probes.reached(Probe::LeaseRenewedLate);
        }
        self.set(id, ttl, after(clock, ttl));
        match checkpoint_at {
            Some(at) => self.set_checkpoint(id, at),
            None => self.schedule_checkpoint(id, clock),
        }
        Renewed::Renewed { ttl }
    }

    /// The time left of a lease, in whole seconds, rounded toward 0; negative for a lease that expired more
    /// than a second ago and is not revoked yet. `None` for an unknown lease, and on followers.
    pub(crate) fn remaining(&self, id: i64, now: u64, wall: i64) -> Option<i64> {
        let expiry = self.timed.get(&id)?.expiry;
        let clock = self.clock(now, wall);
        let seconds = i64::try_from(expiry.abs_diff(clock) / SECOND).unwrap_or(i64::MAX);
        Some(if expiry < clock { -seconds } else { seconds })
    }

    // ---- what is due -------------------------------------------------------------------------------

    /// The expired leases, in order of expiry: at most 500 in one scan, and each again after a while if it
    /// was not revoked. Empty between two scans.
    ///
    /// Once leadership is confirmed, pass them to [`Lessor::confirmed`]. If it cannot be confirmed, drop
    /// them.
    pub(crate) fn due(&mut self, now: u64, wall: i64) -> Vec<i64> {
        if !self.primary || !self.offer_rounds.has_come(now) {
            return Vec::new();
        }
        let clock = self.clock(now, wall);
        let mut due = Vec::new();
        while let Some((at, id)) = self.offers.first().copied().filter(|(at, _)| *at <= clock) {
            if due.len() == REVOKES_PER_SCAN {
                self.probes.reached(Probe::MoreLeasesDueThanOneScanTakes);
                break;
            }
            let again = clock.saturating_add(self.retry);
            let timed = self.timed.get_mut(&id).expect("a lease that is offered has its time");
            let first = timed.offer_at == timed.expiry;
            self.probes.reached(if first { Probe::LeaseExpired } else { Probe::ExpiredLeaseOfferedAgain });
            timed.offer_at = again;
            self.offers.remove(&(at, id));
            self.offers.insert((again, id));
            // A revocation that has not succeeded by now must not block the next attempt.
            self.in_flight.remove(&id);
            due.push(id);
        }
        due
    }

    /// A quorum confirmed, after `id` was due, that this member leads: the lease may be revoked.
    pub(crate) fn confirmed(&mut self, id: i64) {
        if !self.confirmed.contains(&id) && !self.in_flight.contains_key(&id) {
            self.confirmed.push_back(id);
        }
    }

    /// The next lease whose revocation should be proposed; none while 16 are in flight. A revocation that is
    /// not applied within the request time-out counts as lost.
    pub(crate) fn next_revocation(&mut self, now: u64, wall: i64) -> Option<i64> {
        let (clock, retry) = (self.clock(now, wall), self.retry);
        self.in_flight.retain(|_, since| now < since.saturating_add(retry));
        if self.in_flight.len() >= REVOKES_IN_FLIGHT {
            if !self.confirmed.is_empty() {
                self.probes.reached(Probe::LeaseRevocationsWaitForOthers);
            }
            return None;
        }
        // Skips a lease that is gone, or that has got a new expiry with a new term.
        let over = |id: &i64| self.timed.get(id).is_some_and(|timed| timed.expiry <= clock);
        let id = std::iter::from_fn(|| self.confirmed.pop_front()).find(over)?;
        self.in_flight.insert(id, now);
        Some(id)
    }

    /// The leases whose time left should be saved in a checkpoint, in seconds, rounded up, so that the next
    /// leader continues from there: at most a thousand at a time, for one checkpoint. Only long leases get
    /// one, those with more than the interval left.
    pub(crate) fn checkpoints(&mut self, store: &Store, now: u64, wall: i64) -> Vec<(i64, i64)> {
        if !self.primary || !self.checkpoint_rounds.has_come(now) {
            return Vec::new();
        }
        let clock = self.clock(now, wall);
        let mut taken = Vec::new();
        while taken.len() < CHECKPOINT_BATCH
            && let Some((at, id)) = self.checkpoints.first().copied().filter(|(at, _)| *at <= clock)
        {
            self.checkpoints.remove(&(at, id));
            let timed = self.timed.get_mut(&id).expect("a lease with a checkpoint has its time");
            timed.checkpoint_at = None;
            let left = timed.expiry.saturating_sub(clock).div_ceil(SECOND);
            // Neither a new leader's extension is saved nor a time of 0: such a lease expires anyway.
            if left > 0 && left < after(0, timed.ttl) / SECOND && store.lease(id).is_some() {
                taken.push((id, left as i64));
                self.noting.insert(id);
                self.probes.reached(Probe::LeaseCheckpointTaken);
            }
            self.schedule_checkpoint(id, clock);
        }
        taken
    }

    /// When to check again, on the monotonic clock; `u64::MAX` if nothing is due.
    pub(crate) fn wake_at(&self) -> u64 {
        let next = |times: &BTreeSet<(u64, i64)>, rounds: &Rounds| match times.first() {
            None => u64::MAX,
            // It is unknown when the wall clock will reach a time.
            Some(_) if self.flaws.has(Flaw::LeaseWallClock) => rounds.next,
            Some((at, _)) => rounds.at_or_after(*at),
        };
        next(&self.offers, &self.offer_rounds).min(next(&self.checkpoints, &self.checkpoint_rounds))
    }

    // ---- times ------------------------------------------------------------------------------------

    /// The clock that leases use.
    fn clock(&self, now: u64, wall: i64) -> u64 {
        if self.flaws.has(Flaw::LeaseWallClock) {
            return u64::try_from(wall).unwrap_or(0); // M-12291
        }
        now
    }

    fn time_of(&self, id: i64) -> Timed {
        *self.timed.get(&id).unwrap_or_else(|| {
            panic!("lease {id} is in the store but has no time: was `granted` not called for it?")
        })
    }

    fn set(&mut self, id: i64, ttl: i64, expiry: u64) {
        self.revoked(id);
        self.timed.insert(id, Timed { ttl, expiry, offer_at: expiry, checkpoint_at: None });
        self.offers.insert((expiry, id));
    }

    /// Schedules the next checkpoint in an interval, if the lease expires later than that.
    fn schedule_checkpoint(&mut self, id: i64, clock: u64) {
        if let Some(interval) = self.checkpoint_interval
            && self.time_of(id).expiry.saturating_sub(clock) > interval
        {
            self.set_checkpoint(id, clock.saturating_add(interval));
        }
    }

    fn set_checkpoint(&mut self, id: i64, at: u64) {
        if let Some(timed) = self.timed.get_mut(&id) {
            timed.checkpoint_at = Some(at);
            self.checkpoints.insert((at, id));
        }
    }
}

/// The time that many seconds later.
fn after(time: u64, seconds: i64) -> u64 {
    time.saturating_add(u64::try_from(seconds).unwrap_or(0).saturating_mul(SECOND))
}

/// An id for a lease whose client lets the server choose: positive and unused (`v3_server.go`, `LeaseGrant`).
/// `source` is a number that is drawn only once.
pub(crate) fn fresh_lease_id(store: &Store, source: u64) -> i64 {
    let ids = (source..=u64::MAX).chain(0..source).map(|source| (source & i64::MAX as u64) as i64);
    let mut free = ids.filter(|id| *id != 0 && store.lease(*id).is_none());
    free.next().expect("there are fewer than 2^63 leases")
}

#[cfg(test)]
mod tests;
