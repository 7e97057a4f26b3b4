//! The time of leases, as their leader keeps it (`lease/lessor.go`). The replicated side, which leases
//! there are and what they hold, is the store's (`mvcc`).
//!
//! A follower knows no time: there leases live for ever. A member becomes *primary* when it applies the
//! first entry of its own term, and gives every lease its time anew, what a checkpoint left of it or all
//! of it, and one election timeout more. So a change of leaders makes leases live longer, never shorter.
//!
//! It proposes nothing and asks nobody. What its caller must see to:
//! - Leadership is confirmed by a quorum before a lease is renewed, and after a lease was found in
//!   [`Lessor::due`] before it is [`Lessor::confirmed`]: a member that stood still believes to lead when it
//!   goes on, and its successor may have renewed what seems to have run out (etcd issue 15247).
//! - [`Lessor::granted`] and [`Lessor::revoked`] follow the application of entries, here as everywhere.
//! - [`Lessor::demote`] as soon as raft knows that this member does not lead.
//!
//! Not here: etcd spreads leases that a new leader would see run out in the same second (from a thousand
//! leases on); they are only limited by what one scan takes.
//!
//! Time is nanoseconds of the member's monotonic clock; `wall` is its wall clock, which nothing but flaw
//! M-12291 looks at. Invariant: while primary, every lease of the store has its time here, and no other has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use record::Probe;

use crate::config::Config;
use crate::flaw::{Flaw, Flaws};
use crate::mvcc::Store;
use crate::probes::Probes;

const SECOND: u64 = 1_000_000_000;

/// Leases one scan finds at most (`leaseRevokeRate` is 1000 a second, and there are two scans in one).
const REVOKES_PER_SCAN: usize = 500;

/// Revocations that may be on their way through the log (`server.go`, `maxPendingRevokes`).
const REVOKES_IN_FLIGHT: usize = 16;

/// Leases in one checkpoint (`maxLeaseCheckpointBatchSize`).
const CHECKPOINT_BATCH: usize = 1_000;

/// What became of an attempt to renew a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "one word for the deed and for its success")]
pub(crate) enum Renewed {
    /// It lives for this many seconds from now on.
    Renewed {
        /// The TTL it was granted with.
        ttl: i64,
    },
    /// It is not renewed yet, because a checkpoint says how little is left of it, and the next leader
    /// would go by that. Propose a checkpoint of 0 and ask again once that is applied here.
    Checkpointed,
    /// It ran out, and its end is on the way. The answer is due when that is applied (then `NotFound`)
    /// or when this member is primary no longer.
    Expiring,
    /// There is no such lease.
    NotFound,
    /// Another member is to be asked.
    NotPrimary,
}

/// The time of one lease.
#[derive(Clone, Copy, Debug)]
struct Timed {
    /// What it is renewed to, in seconds.
    ttl: i64,
    expiry: u64,
    /// When it is offered for revocation: at its expiry, and again while nothing comes of that.
    offer_at: u64,
    checkpoint_at: Option<u64>,
}

/// Looks at times at a fixed rhythm.
#[derive(Debug)]
struct Rounds {
    interval: u64,
    next: u64,
}

impl Rounds {
    fn new(interval: u64) -> Rounds {
        Rounds { interval: interval.max(1), next: 0 }
    }

    /// Whether a round has come. Rounds missed are not made up for, as with Go's ticker.
    fn has_come(&mut self, now: u64) -> bool {
        if now < self.next {
            return false;
        }
        let rounds = (now - self.next) / self.interval + 1;
        self.next = self.next.saturating_add(self.interval.saturating_mul(rounds));
        true
    }

    /// The first round at `time` or after it.
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
    /// Leases to revoke, and since when each revocation is on its way. No lease is in both.
    confirmed: VecDeque<i64>,
    /// Leases of which a checkpoint is on its way through the log: a renewal must come after it.
    noting: BTreeSet<i64>,
    in_flight: BTreeMap<i64, u64>,
    /// Time after which a lease is offered again, a revocation given up.
    retry: u64,
    /// What a new leader adds.
    extension: u64,
    checkpoint_interval: Option<u64>,
    flaws: Flaws,
    probes: Probes,
}

impl Lessor {
    /// Of a member that leads nobody yet.
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
            // `server.go`: `ExpiredLeasesRetryInterval` is the time a request may take.
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

    /// The probes reached since this was asked last.
    pub(crate) fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }

    // ---- who keeps the time -----------------------------------------------------------------------

    /// The first entry of an own term is applied: the leases of `store` begin to age.
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

    /// This member leads no longer: it forgets the time of every lease.
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

    /// Another store took the place of the one before.
    pub(crate) fn replaced(&mut self, store: &Store, now: u64, wall: i64) {
        // No leader is ever sent a snapshot; one that restores a backup anew begins anew, too.
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

    /// A lease was revoked, or there was none to revoke.
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

    /// Renews a lease. Leadership must have been confirmed after the request came.
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
        // etcd looks at what is applied only, and the next leader may go by a checkpoint that was on its way.
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

    /// What is left of a lease, in whole seconds, the rest cut off; below 0 for one that ran out more than
    /// a second ago and is not revoked yet. `None` for a lease that is not there, and on followers.
    pub(crate) fn remaining(&self, id: i64, now: u64, wall: i64) -> Option<i64> {
        let expiry = self.timed.get(&id)?.expiry;
        let clock = self.clock(now, wall);
        let seconds = i64::try_from(expiry.abs_diff(clock) / SECOND).unwrap_or(i64::MAX);
        Some(if expiry < clock { -seconds } else { seconds })
    }

    // ---- what time brings -------------------------------------------------------------------------

    /// The leases that ran out, in that order: at most 500 in one scan, each again after a while if it was
    /// not revoked. Empty between two scans.
    ///
    /// Once leadership is confirmed they go to [`Lessor::confirmed`]. Those for which it cannot be are
    /// dropped.
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
            // An attempt that has come to nothing by now must not stand in the way of the next.
            self.in_flight.remove(&id);
            due.push(id);
        }
        due
    }

    /// A quorum said, after `id` was found due, that this member leads: the lease may be revoked.
    pub(crate) fn confirmed(&mut self, id: i64) {
        if !self.confirmed.contains(&id) && !self.in_flight.contains_key(&id) {
            self.confirmed.push_back(id);
        }
    }

    /// The next lease whose revocation is to be proposed; none while 16 are on their way. One that is not
    /// applied in the time a request may take counts as lost.
    pub(crate) fn next_revocation(&mut self, now: u64, wall: i64) -> Option<i64> {
        let (clock, retry) = (self.clock(now, wall), self.retry);
        self.in_flight.retain(|_, since| now < since.saturating_add(retry));
        if self.in_flight.len() >= REVOKES_IN_FLIGHT {
            if !self.confirmed.is_empty() {
                self.probes.reached(Probe::LeaseRevocationsWaitForOthers);
            }
            return None;
        }
        // One that has gone meanwhile, or came to new life with a new term, is passed over.
        let over = |id: &i64| self.timed.get(id).is_some_and(|timed| timed.expiry <= clock);
        let id = std::iter::from_fn(|| self.confirmed.pop_front()).find(over)?;
        self.in_flight.insert(id, now);
        Some(id)
    }

    /// The leases of which it is to be noted how many seconds are left, rounded up, so that the next
    /// leader goes on from there: at most a thousand at a time, for one checkpoint. Only long leases have
    /// any, those with more than the interval left.
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
            // What a new leader added is not noted, nor what cannot be: it runs out anyway.
            if left > 0 && left < after(0, timed.ttl) / SECOND && store.lease(id).is_some() {
                taken.push((id, left as i64));
                self.noting.insert(id);
                self.probes.reached(Probe::LeaseCheckpointTaken);
            }
            self.schedule_checkpoint(id, clock);
        }
        taken
    }

    /// When to look again, on the monotonic clock; never while there is nothing to come.
    pub(crate) fn wake_at(&self) -> u64 {
        let next = |times: &BTreeSet<(u64, i64)>, rounds: &Rounds| match times.first() {
            None => u64::MAX,
            // When the wall clock will show a time is not known.
            Some(_) if self.flaws.has(Flaw::LeaseWallClock) => rounds.next,
            Some((at, _)) => rounds.at_or_after(*at),
        };
        next(&self.offers, &self.offer_rounds).min(next(&self.checkpoints, &self.checkpoint_rounds))
    }

    // ---- times ------------------------------------------------------------------------------------

    /// The clock that leases go by.
    fn clock(&self, now: u64, wall: i64) -> u64 {
        if self.flaws.has(Flaw::LeaseWallClock) {
            return u64::try_from(wall).unwrap_or(0); // M-12291
        }
        now
    }

    fn time_of(&self, id: i64) -> Timed {
        *self.timed.get(&id).unwrap_or_else(|| {
            panic!("lease {id} is in the store but has no time: was its grant not told to the lessor?")
        })
    }

    fn set(&mut self, id: i64, ttl: i64, expiry: u64) {
        self.revoked(id);
        self.timed.insert(id, Timed { ttl, expiry, offer_at: expiry, checkpoint_at: None });
        self.offers.insert((expiry, id));
    }

    /// Looks at the lease again in an interval, if it has longer to live.
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

/// So many seconds after a time.
fn after(time: u64, seconds: i64) -> u64 {
    time.saturating_add(u64::try_from(seconds).unwrap_or(0).saturating_mul(SECOND))
}

/// An id for a lease whose client leaves the choice to the server: positive, and not in use
/// (`v3_server.go`, `LeaseGrant`). `source` is a number that nobody else draws.
pub(crate) fn fresh_lease_id(store: &Store, source: u64) -> i64 {
    let ids = (source..=u64::MAX).chain(0..source).map(|source| (source & i64::MAX as u64) as i64);
    let mut free = ids.filter(|id| *id != 0 && store.lease(*id).is_none());
    free.next().expect("there are fewer than 2^63 leases")
}

#[cfg(test)]
mod tests;
