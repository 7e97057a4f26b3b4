//! Tracks when leases expire (etcd's `lease/lessor.go`). Only a leader does this, in its part called the
//! *lessor*. Which leases exist and which keys are attached to them is replicated, and is part of the store
//! (`mvcc`).
//!
//! On a follower, leases never expire. A member becomes the *primary* lessor when it applies the first entry
//! of its own term. It then gives every lease a new expiry: the time left by the lease's last *checkpoint* (a
//! log entry that records the time left of some leases), or else the full TTL, plus one election timeout. So
//! a change of leader lengthens leases and never shortens them.
//!
//! The lessor proposes nothing and sends nothing; `leases` does that for it. Its caller must do three things:
//! - Confirm with a quorum that this member still leads: before each renewal, and, for each lease that
//!   [`Lessor::due`] returns, before calling [`Lessor::confirmed`]. A process that was paused still believes
//!   that it leads when it resumes, while the next leader may have renewed the lease (etcd issue 15247).
//! - Call [`Lessor::granted`] and [`Lessor::revoked`] when the entry that grants or revokes is applied.
//! - Call [`Lessor::demote`] as soon as raft knows that this member does not lead.
//!
//! Missing: when a new leader has more than a thousand leases that would expire in the same second, etcd
//! spreads them out. Here, only the limit of leases per scan has that effect.
//!
//! All times are nanoseconds of the member's monotonic clock. `wall` is its wall clock, which only flaw
//! M-12291 uses. Invariant: on the primary lessor, `times` has exactly the leases of the store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use record::inner::LeaseDeed;
use record::{Inner, Probe};

use crate::config::Config;
use crate::flaw::{Flaw, Flaws};
use crate::inner;
use crate::keeps::{Count, count};
use crate::mvcc::Store;
use crate::probes::Probes;
use crate::punctual;

/// A second, in nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// How many leases one scan returns at most (etcd's `leaseRevokeRate` is 1000 a second, at two scans a second).
const REVOKES_PER_SCAN: usize = 500;

/// How many revocations may be proposed and not yet applied at a time (`server.go`, `maxPendingRevokes`).
const REVOKES_IN_FLIGHT: usize = 16;

/// How many leases one checkpoint has at most (`maxLeaseCheckpointBatchSize`).
const CHECKPOINT_BATCH: usize = 1_000;

/// The result of an attempt to renew a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "the word for the attempt is also the word for its success")]
pub(crate) enum Renewed {
    /// The lease now expires after `ttl` seconds.
    Renewed {
        /// The TTL with which the lease was granted, in seconds.
        ttl: i64,
    },
    /// Not renewed yet: a checkpoint records how little time was left, and the next leader would continue
    /// from it. Propose a checkpoint with 0, which means "none", and retry once this member has applied it.
    Checkpointed,
    /// The lease has expired, and its revocation is in progress. Answer the client when the revocation is
    /// applied (the lease is then not found), or when this member stops being the primary lessor.
    Expiring,
    /// There is no such lease.
    NotFound,
    /// This member is not the primary lessor: the request must go to the leader.
    NotPrimary,
}

/// The times of one lease.
#[derive(Clone, Copy, Debug)]
struct LeaseTime {
    /// How long the lease lasts after a renewal, in seconds.
    ttl: i64,
    /// When the lease expires.
    expiry: u64,
    /// When [`Lessor::due`] returns the lease next: at its expiry, then at intervals until it is revoked.
    revoke_at: u64,
    /// When the time left is saved in a checkpoint; `None` for a lease that needs no checkpoint.
    checkpoint_at: Option<u64>,
}

/// Fires at a fixed interval, like Go's `time.Ticker`.
#[derive(Debug)]
struct Ticker {
    interval: u64,
    /// When it fires next.
    next: u64,
}

impl Ticker {
    fn new(interval: u64) -> Ticker {
        Ticker { interval: interval.max(1), next: 0 }
    }

    /// Whether the ticker fires now. It fires once even if several intervals have passed.
    fn fires(&mut self, now: u64) -> bool {
        if now < self.next {
            return false;
        }
        let ticks = (now - self.next) / self.interval + 1;
        self.next = self.next.saturating_add(self.interval.saturating_mul(ticks));
        true
    }

    /// When the ticker first fires at or after `time`.
    fn at_or_after(&self, time: u64) -> u64 {
        let ticks = time.saturating_sub(self.next).div_ceil(self.interval);
        self.next.saturating_add(ticks.saturating_mul(self.interval))
    }
}

/// Reports what the lessor does with a lease, when the monotonic clock reads `clock`.
pub(crate) fn tell(id: i64, what: LeaseDeed, clock: u64) {
    inner::tell_deed(|| Inner::Lease { id, what, clock });
}

/// Tracks when each lease expires, while this member is the primary lessor.
#[derive(Debug)]
pub(crate) struct Lessor {
    /// Whether this member is the primary lessor. If not, all collections below are empty.
    primary: bool,
    /// By lease id.
    times: BTreeMap<i64, LeaseTime>,
    /// `revoke_at` of every lease, with its id.
    revoke_times: BTreeSet<(u64, i64)>,
    /// `checkpoint_at` of every lease that has one, with its id.
    checkpoint_times: BTreeSet<(u64, i64)>,
    /// When to look for leases that have expired.
    scan_ticker: Ticker,
    /// When to look for leases that need a checkpoint.
    checkpoint_ticker: Ticker,
    /// Leases to revoke whose revocation is not proposed yet. None of them is also in `in_flight`.
    confirmed: VecDeque<i64>,
    /// Leases with a checkpoint that is proposed and not yet applied. A renewal waits until it is.
    checkpoints_in_log: BTreeSet<i64>,
    /// Leases for which a renewal waits until their checkpoint is undone, with the time at which that was asked for last.
    /// They take no checkpoint meanwhile: it would be applied after the renewal, and shorten the lease under the next
    /// leader.
    undone: BTreeMap<i64, u64>,
    /// Leases whose revocation is proposed and not yet applied, with the time of the proposal.
    in_flight: BTreeMap<i64, u64>,
    /// The request timeout. [`Lessor::due`] returns a lease again when this time has passed and the lease is
    /// not revoked. A proposed revocation counts as lost after the same time.
    retry: u64,
    /// What a new leader adds to the time left of each lease.
    extension: u64,
    /// The time between two checkpoints of a lease; `None` if there are no checkpoints.
    checkpoint_interval: Option<u64>,
    flaws: Flaws,
    probes: Probes,
}

impl Lessor {
    /// The lessor of a member that does not lead yet.
    pub(crate) fn new(config: &Config) -> Lessor {
        Lessor {
            primary: false,
            times: BTreeMap::new(),
            revoke_times: BTreeSet::new(),
            checkpoint_times: BTreeSet::new(),
            scan_ticker: Ticker::new(config.settings.lease_scan_interval),
            checkpoint_ticker: Ticker::new(config.settings.lease_scan_interval),
            confirmed: VecDeque::new(),
            checkpoints_in_log: BTreeSet::new(),
            undone: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            // `server.go`: `ExpiredLeasesRetryInterval` is the request timeout.
            retry: config.settings.request_timeout,
            extension: config.settings.election_timeout(),
            checkpoint_interval: config.settings.lease_checkpoints(),
            flaws: config.flaws,
            probes: Probes::default(),
        }
    }

    /// Whether this member is the primary lessor.
    pub(crate) fn is_primary(&self) -> bool {
        self.primary
    }

    /// The probes reached since the last call.
    pub(crate) fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 6] {
        [
            count("timed-leases", self.times.len()),
            count("expiries", self.revoke_times.len()),
            count("checkpoints-due", self.checkpoint_times.len()),
            count("revocations", self.confirmed.len() + self.in_flight.len()),
            count("checkpoints-in-the-log", self.checkpoints_in_log.len()),
            count("checkpoints-undone", self.undone.len()),
        ]
    }

    // ---- becoming and ceasing to be the primary lessor --------------------------------------------

    /// Makes this member the primary lessor. Call it when the first entry of this member's own term is
    /// applied. The leases of `store` get their new expiry.
    pub(crate) fn promote(&mut self, store: &Store, now: u64, wall: i64) {
        self.demote();
        self.primary = true;
        self.scan_ticker.next = now.saturating_add(self.scan_ticker.interval);
        self.checkpoint_ticker.next = self.scan_ticker.next;
        let clock = self.clock(now, wall);
        for (id, lease) in store.leases() {
            let resets = self.flaws.has(Flaw::LeaseTtlResets); // flaw M-17132
            let left = if lease.remaining > 0 && !resets { lease.remaining } else { lease.ttl };
            self.set(id, lease.ttl, after(clock, left).saturating_add(self.extension));
            self.tell_time(id, now);
            tell(id, LeaseDeed::TakenOver { ttl: lease.ttl, checkpoint: lease.remaining, left }, now);
            self.schedule_checkpoint(id, clock);
            self.probes.reached(Probe::LeaseExtendedByNewLeader);
            if left < lease.ttl {
                self.probes.reached(Probe::LeaseContinuedFromCheckpoint);
            }
        }
    }

    /// This member no longer leads: discards the times of all leases.
    pub(crate) fn demote(&mut self) {
        if !self.in_flight.is_empty() {
            self.probes.reached(Probe::LeaderLostWhileRevokingLeases);
        }
        self.primary = false;
        self.times.clear();
        self.revoke_times.clear();
        self.checkpoint_times.clear();
        self.confirmed.clear();
        self.checkpoints_in_log.clear();
        self.undone.clear();
        self.in_flight.clear();
    }

    /// A snapshot replaced the whole store.
    pub(crate) fn replaced(&mut self, store: &Store, now: u64, wall: i64) {
        // A leader receives no snapshot, so a primary lessor should not get here. If it does, all leases
        // start over.
        if self.primary {
            self.promote(store, now, wall);
        }
    }

    // ---- applied entries --------------------------------------------------------------------------

    /// A grant of `ttl` seconds was applied.
    pub(crate) fn granted(&mut self, id: i64, ttl: i64, now: u64, wall: i64) {
        if !self.primary {
            return;
        }
        let clock = self.clock(now, wall);
        self.set(id, ttl, after(clock, ttl));
        self.tell_time(id, now);
        tell(id, LeaseDeed::Granted { ttl }, now);
        self.schedule_checkpoint(id, clock);
    }

    /// A revocation was applied, whether or not the lease existed.
    pub(crate) fn revoked(&mut self, id: i64) {
        self.in_flight.remove(&id);
        self.checkpoints_in_log.remove(&id);
        self.undone.remove(&id);
        if let Some(time) = self.times.remove(&id) {
            self.revoke_times.remove(&(time.revoke_at, id));
            if let Some(at) = time.checkpoint_at {
                self.checkpoint_times.remove(&(at, id));
            }
        }
    }

    /// A checkpoint of this lease was applied, with so much time left, in seconds; 0 undoes the one before.
    pub(crate) fn checkpoint_applied(&mut self, id: i64, left: i64) {
        self.checkpoints_in_log.remove(&id);
        if left == 0 {
            self.undone.remove(&id);
        }
    }

    // ---- requests of clients ----------------------------------------------------------------------

    /// Renews a lease. A quorum must have confirmed, after the request arrived, that this member leads.
    pub(crate) fn renew(&mut self, store: &Store, id: i64, now: u64, wall: i64) -> Renewed {
        if !self.primary {
            return Renewed::NotPrimary;
        }
        let Some(lease) = store.lease(id) else { return Renewed::NotFound };
        let LeaseTime { ttl, expiry, checkpoint_at, .. } = self.time_of(id);
        let clock = self.clock(now, wall);
        if expiry <= clock {
            self.probes.reached(Probe::ExpiredLeaseRenewed);
            return Renewed::Expiring;
        }
        // etcd looks only at applied checkpoints. So in etcd, a checkpoint that was proposed before a renewal
        // and applied after it shortens the renewed lease under the next leader.
        if lease.remaining > 0 || self.checkpoints_in_log.contains(&id) {
            self.probes.reached(Probe::LeaseCheckpointUndone);
            self.undone.insert(id, now);
            return Renewed::Checkpointed;
        }
        if expiry - clock < after(0, ttl) / 10 {
            self.probes.reached(Probe::LeaseRenewedLate);
        }
        self.set(id, ttl, after(clock, ttl));
        self.tell_time(id, now);
        tell(id, LeaseDeed::Renewed { ttl }, now);
        match checkpoint_at {
            Some(at) => self.set_checkpoint(id, at),
            None => self.schedule_checkpoint(id, clock),
        }
        Renewed::Renewed { ttl }
    }

    /// The time left of a lease, in whole seconds, rounded toward 0. It is negative for a lease that expired
    /// more than a second ago and is not revoked yet. `None` for an unknown lease, and on followers.
    pub(crate) fn remaining(&self, id: i64, now: u64, wall: i64) -> Option<i64> {
        let expiry = self.times.get(&id)?.expiry;
        let clock = self.clock(now, wall);
        let seconds = i64::try_from(expiry.abs_diff(clock) / SECOND).unwrap_or(i64::MAX);
        Some(if expiry < clock { -seconds } else { seconds })
    }

    // ---- expired leases and checkpoints -----------------------------------------------------------

    /// Scans for expired leases, if a scan is due, and returns them in order of expiry: at most 500. A lease
    /// that is not revoked within the request timeout is returned again. Empty between two scans.
    ///
    /// Confirm with a quorum that this member leads, then pass each lease to [`Lessor::confirmed`]. If a
    /// quorum does not confirm, do nothing.
    pub(crate) fn due(&mut self, now: u64, wall: i64) -> Vec<i64> {
        let scan_at = self.revoke_times.first().map(|(at, _)| self.scan_ticker.at_or_after(*at));
        if !self.primary || !self.scan_ticker.fires(now) {
            return Vec::new();
        }
        let clock = self.clock(now, wall);
        if let Some(at) = scan_at.filter(|_| !self.flaws.has(Flaw::LeaseWallClock)) {
            punctual::was_due("a scan for expired leases", at);
        }
        let mut due = Vec::new();
        while let Some((at, id)) = self.revoke_times.first().copied().filter(|(at, _)| *at <= clock) {
            if due.len() == REVOKES_PER_SCAN {
                self.probes.reached(Probe::MoreLeasesDueThanOneScanTakes);
                break;
            }
            let again = clock.saturating_add(self.retry);
            let time = self.times.get_mut(&id).expect("a lease that is to be revoked has its time");
            let first = time.revoke_at == time.expiry;
            self.probes.reached(if first { Probe::LeaseExpired } else { Probe::ExpiredLeaseOfferedAgain });
            time.revoke_at = again;
            tell(id, LeaseDeed::Expired { since: clock.saturating_sub(time.expiry) }, now);
            self.revoke_times.remove(&(at, id));
            self.revoke_times.insert((again, id));
            // If an earlier revocation of this lease is still not applied, it must not prevent another one.
            self.in_flight.remove(&id);
            due.push(id);
        }
        due
    }

    /// A quorum confirmed that this member leads, after [`Lessor::due`] returned `id`. The lease may be revoked.
    /// Nothing happens if this member has ceased to be the primary lessor meanwhile: then a new leader may have
    /// confirmed the read.
    pub(crate) fn confirmed(&mut self, id: i64) {
        if self.primary && !self.confirmed.contains(&id) && !self.in_flight.contains_key(&id) {
            self.confirmed.push_back(id);
        }
    }

    /// The next lease whose revocation should be proposed; none while 16 revocations are proposed and not yet
    /// applied. A revocation that is not applied within the request timeout counts as lost.
    pub(crate) fn next_revocation(&mut self, now: u64, wall: i64) -> Option<i64> {
        let (clock, retry) = (self.clock(now, wall), self.retry);
        self.in_flight.retain(|_, since| now < since.saturating_add(retry));
        if self.in_flight.len() >= REVOKES_IN_FLIGHT {
            if !self.confirmed.is_empty() {
                self.probes.reached(Probe::LeaseRevocationsWaitForOthers);
            }
            return None;
        }
        // Skips leases that were revoked meanwhile, and leases that got a new expiry when this member became
        // primary again.
        let expired = |id: &i64| self.times.get(id).is_some_and(|time| time.expiry <= clock);
        let id = std::iter::from_fn(|| self.confirmed.pop_front()).find(expired)?;
        self.in_flight.insert(id, now);
        tell(id, LeaseDeed::Revokes, now);
        Some(id)
    }

    /// The content of the next checkpoint, if one is due: at most a thousand leases, each with its time left
    /// in seconds, rounded up. Only leases with more than the checkpoint interval left get checkpoints.
    pub(crate) fn checkpoints(&mut self, store: &Store, now: u64, wall: i64) -> Vec<(i64, i64)> {
        if !self.primary || !self.checkpoint_ticker.fires(now) {
            return Vec::new();
        }
        let clock = self.clock(now, wall);
        let mut taken = Vec::new();
        while taken.len() < CHECKPOINT_BATCH
            && let Some((at, id)) = self.checkpoint_times.first().copied().filter(|(at, _)| *at <= clock)
        {
            self.checkpoint_times.remove(&(at, id));
            let time = self.times.get_mut(&id).expect("a lease with a checkpoint has its time");
            time.checkpoint_at = None;
            let left = time.expiry.saturating_sub(clock).div_ceil(SECOND);
            // What was asked for so long ago may be lost.
            let undone = self.undone.get(&id).is_some_and(|since| now < since.saturating_add(self.retry));
            // A lease that still profits from a new leader's extension needs no checkpoint, and one with no
            // time left expires anyway.
            if !undone && left > 0 && left < after(0, time.ttl) / SECOND && store.lease(id).is_some() {
                taken.push((id, left as i64));
                tell(id, LeaseDeed::Checkpoints { left: left as i64 }, now);
                self.checkpoints_in_log.insert(id);
                self.probes.reached(Probe::LeaseCheckpointTaken);
            }
            self.schedule_checkpoint(id, clock);
        }
        taken
    }

    /// When to check again, on the monotonic clock; `u64::MAX` if nothing is due.
    pub(crate) fn wake_at(&self) -> u64 {
        let next = |times: &BTreeSet<(u64, i64)>, ticker: &Ticker| match times.first() {
            None => u64::MAX,
            // With flaw M-12291, the times are those of the wall clock. Nobody knows what the monotonic clock will read
            // then.
            Some(_) if self.flaws.has(Flaw::LeaseWallClock) => ticker.next,
            Some((at, _)) => ticker.at_or_after(*at),
        };
        next(&self.revoke_times, &self.scan_ticker).min(next(&self.checkpoint_times, &self.checkpoint_ticker))
    }

    /// When a call of [`Lessor::due`], [`Lessor::checkpoints`] or [`Lessor::next_revocation`] next does something if
    /// nothing but time passes; 0 if each call does: `next_revocation` also forgets revocations that count as lost, and
    /// reaches a probe while one waits for others.
    pub(crate) fn due_at(&self) -> u64 {
        if self.primary && !self.confirmed.is_empty() {
            return 0;
        }
        let proposed = self.in_flight.values().min();
        let lost = proposed.map_or(u64::MAX, |since| since.saturating_add(self.retry));
        self.wake_at().min(lost)
    }

    // ---- keeping the times ------------------------------------------------------------------------

    /// The reading of the clock by which leases expire: the monotonic clock, except with flaw M-12291.
    fn clock(&self, now: u64, wall: i64) -> u64 {
        if self.flaws.has(Flaw::LeaseWallClock) {
            return u64::try_from(wall).unwrap_or(0); // flaw M-12291
        }
        now
    }

    /// The times of a lease that is tracked.
    fn time_of(&self, id: i64) -> LeaseTime {
        *self.times.get(&id).unwrap_or_else(|| {
            panic!("lease {id} is in the store but has no time: was `granted` not called for it?")
        })
    }

    /// Reports when a lease expires.
    fn tell_time(&self, id: i64, now: u64) {
        if let Some(LeaseTime { expiry, .. }) = self.times.get(&id) {
            tell(id, LeaseDeed::Timed { expiry: *expiry }, now);
        }
    }

    /// Sets a lease's expiry and discards its other times.
    fn set(&mut self, id: i64, ttl: i64, expiry: u64) {
        self.revoked(id); // removes all that is kept about the lease
        self.times.insert(id, LeaseTime { ttl, expiry, revoke_at: expiry, checkpoint_at: None });
        self.revoke_times.insert((expiry, id));
    }

    /// Schedules a checkpoint one interval from now, unless the lease expires before.
    fn schedule_checkpoint(&mut self, id: i64, clock: u64) {
        if let Some(interval) = self.checkpoint_interval
            && self.time_of(id).expiry.saturating_sub(clock) > interval
        {
            self.set_checkpoint(id, clock.saturating_add(interval));
        }
    }

    /// Sets the time of a lease's next checkpoint.
    fn set_checkpoint(&mut self, id: i64, at: u64) {
        if let Some(time) = self.times.get_mut(&id) {
            time.checkpoint_at = Some(at);
            self.checkpoint_times.insert((at, id));
        }
    }
}

/// The time `seconds` after `time`.
fn after(time: u64, seconds: i64) -> u64 {
    time.saturating_add(u64::try_from(seconds).unwrap_or(0).saturating_mul(SECOND))
}

/// A positive, unused id for a lease, when the client leaves the choice to the server (`v3_server.go`,
/// `LeaseGrant`). `source` is a number that no other call gets.
pub(crate) fn fresh_lease_id(store: &Store, source: u64) -> i64 {
    let ids = (source..=u64::MAX).chain(0..source).map(|source| (source & i64::MAX as u64) as i64);
    let mut free = ids.filter(|id| *id != 0 && store.lease(*id).is_none());
    free.next().expect("there are fewer than 2^63 leases")
}

#[cfg(test)]
mod tests;
