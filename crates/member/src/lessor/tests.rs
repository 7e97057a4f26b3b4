//! The lessor of a leader: when leases are found to have expired, and what changes that.

use std::sync::Arc;

use record::Probe;

use super::*;

const SCAN: u64 = 500_000_000;
const ELECTION: u64 = SECOND;

fn config() -> Config {
    Config::new(record::MemberId::new(1), Arc::new([]))
}

fn flawed(flaw: Flaw) -> Config {
    let mut config = config();
    config.flaws.insert(flaw);
    config
}

/// Checkpoints at an interval in seconds.
fn checkpointing(interval: u64) -> Config {
    checkpoints_every(interval * SECOND)
}

/// Checkpoints at an interval in nanoseconds.
fn checkpoints_every(interval: u64) -> Config {
    let mut config = config();
    config.settings.lease_checkpoint_interval = interval;
    config
}

/// A store and its leader's lessor; the clocks agree unless a test says otherwise.
struct Leader {
    store: Store,
    lessor: Lessor,
}

impl Leader {
    fn new(config: &Config) -> Leader {
        let (store, mut lessor) = (Store::new(), Lessor::new(config));
        lessor.promote(&store, 0, 0);
        Leader { store, lessor }
    }

    fn grant(&mut self, id: i64, ttl: i64, now: u64) {
        self.store.grant(id, ttl).unwrap();
        self.lessor.granted(id, ttl, now, now as i64);
    }

    fn revoke(&mut self, id: i64) {
        self.store.write().revoke(id).unwrap();
        self.lessor.revoked(id);
    }

    fn renew(&mut self, id: i64, now: u64) -> Renewed {
        self.lessor.renew(&self.store, id, now, now as i64)
    }

    fn due(&mut self, now: u64) -> Vec<i64> {
        self.lessor.due(now, now as i64)
    }

    fn next(&mut self, now: u64) -> Option<i64> {
        self.lessor.next_revocation(now, now as i64)
    }

    fn checkpoints(&mut self, now: u64) -> Vec<(i64, i64)> {
        self.lessor.checkpoints(&self.store, now, now as i64)
    }

    /// When lease `id` is found to have expired, checking only when `wake_at` says so.
    fn end_of(&mut self, id: i64) -> u64 {
        loop {
            let now = self.lessor.wake_at();
            assert_ne!(now, u64::MAX, "lease {id} never expires");
            if self.due(now).contains(&id) {
                return now;
            }
        }
    }

    fn reached(&mut self, probe: Probe) -> bool {
        self.lessor.take_probes().contains(&probe)
    }
}

#[test]
fn a_lease_is_due_with_the_first_scan_after_its_time() {
    let mut leader = Leader::new(&config());
    leader.grant(7, 2, SCAN / 10);
    assert_eq!(leader.lessor.wake_at(), 5 * SCAN);
    assert_eq!(leader.due(4 * SCAN), [0; 0]);
    assert_eq!(leader.lessor.remaining(7, 4 * SCAN, 0), Some(0));
    assert_eq!(leader.due(5 * SCAN), [7]);
    assert!(leader.reached(Probe::LeaseExpired));
    assert_eq!(leader.lessor.remaining(7, SCAN / 10 + 3 * SECOND, 0), Some(-1));
    leader.revoke(7);
    assert_eq!(leader.lessor.remaining(7, 5 * SCAN, 0), None);
    assert_eq!(leader.lessor.wake_at(), u64::MAX);
}

#[test]
fn a_renewed_lease_lives_its_whole_time_from_then_on() {
    let mut leader = Leader::new(&config());
    leader.grant(7, 10, 0);
    assert_eq!(leader.renew(7, SECOND), Renewed::Renewed { ttl: 10 });
    assert!(!leader.reached(Probe::LeaseRenewedLate));
    assert_eq!(leader.renew(7, 10 * SECOND + SCAN), Renewed::Renewed { ttl: 10 });
    assert!(leader.reached(Probe::LeaseRenewedLate));
    assert_eq!(leader.end_of(7), 20 * SECOND + SCAN);
    assert_eq!(leader.renew(8, 0), Renewed::NotFound);
}

#[test]
fn an_expired_lease_is_not_renewed_even_before_it_is_revoked() {
    let mut leader = Leader::new(&config());
    leader.grant(7, 2, 0);
    assert_eq!(leader.renew(7, 2 * SECOND), Renewed::Expiring);
    assert!(leader.reached(Probe::ExpiredLeaseRenewed));
    leader.revoke(7);
    assert_eq!(leader.renew(7, 2 * SECOND), Renewed::NotFound);
}

#[test]
fn followers_keep_no_time() {
    let mut leader = Leader::new(&config());
    leader.grant(7, 2, 0);
    leader.lessor.demote();
    assert!(!leader.lessor.is_primary());
    leader.grant(8, 2, 0);
    assert_eq!(leader.lessor.wake_at(), u64::MAX);
    assert_eq!(leader.due(100 * SECOND), [0; 0]);
    assert_eq!(leader.lessor.remaining(7, 0, 0), None);
    assert_eq!(leader.renew(7, 0), Renewed::NotPrimary);
}

#[test]
fn a_new_leader_gives_every_lease_its_full_time_and_an_election_timeout() {
    let mut leader = Leader::new(&config());
    leader.grant(7, 10, 0);
    leader.store.grant(8, 300).unwrap();
    leader.store.checkpoint(8, 20);
    let now = 100 * SECOND;
    leader.lessor.promote(&leader.store, now, 0);
    assert!(leader.lessor.is_primary());
    let probes = leader.lessor.take_probes();
    assert!(probes.contains(&Probe::LeaseExtendedByNewLeader));
    assert!(probes.contains(&Probe::LeaseContinuedFromCheckpoint));
    assert_eq!(leader.end_of(7), now + 10 * SECOND + ELECTION);
    assert_eq!(leader.end_of(8), now + 20 * SECOND + ELECTION);
}

/// Flaw M-17132.
#[test]
fn a_new_leader_may_forget_the_checkpoint() {
    let mut leader = Leader::new(&flawed(Flaw::LeaseTtlResets));
    leader.store.grant(8, 300).unwrap();
    leader.store.checkpoint(8, 20);
    leader.lessor.promote(&leader.store, 0, 0);
    assert_eq!(leader.end_of(8), 300 * SECOND + ELECTION);
}

/// Flaw M-12291.
#[test]
fn leases_do_not_use_the_wall_clock() {
    let ended = |config: &Config, wall: i64| {
        let mut leader = Leader::new(config);
        leader.grant(7, 60, 0);
        leader.lessor.due(SECOND, wall) == [7]
    };
    let (set_forward, set_back) = (1_000 * SECOND as i64, -1_000);
    assert!(!ended(&config(), set_forward));
    assert!(ended(&flawed(Flaw::LeaseWallClock), set_forward));
    assert!(!ended(&flawed(Flaw::LeaseWallClock), set_back));
    // It is unknown when such a lease expires, so every scan checks.
    let mut leader = Leader::new(&flawed(Flaw::LeaseWallClock));
    leader.grant(7, 60, 0);
    assert_eq!(leader.lessor.wake_at(), SCAN);
}

#[test]
fn what_is_not_revoked_is_offered_again() {
    let mut leader = Leader::new(&config());
    leader.grant(7, 2, 0);
    let first = leader.end_of(7);
    let retry = config().settings.request_timeout;
    assert_eq!(leader.end_of(7), first + retry);
    assert!(leader.reached(Probe::ExpiredLeaseOfferedAgain));
}

#[test]
fn a_revocation_that_was_lost_is_proposed_again_with_the_next_offer() {
    let mut leader = Leader::new(&config());
    leader.grant(7, 2, 0);
    let first = leader.end_of(7);
    // Leadership takes a while to confirm, the first time longer than the second.
    leader.lessor.confirmed(7);
    assert_eq!(leader.next(first + 2), Some(7));
    let second = leader.end_of(7);
    leader.lessor.confirmed(7);
    assert_eq!(leader.next(second + 1), Some(7), "the first attempt, of {first}, counts as lost");
}

#[test]
fn one_scan_takes_five_hundred_leases() {
    let mut leader = Leader::new(&config());
    (1..=501).for_each(|id| leader.grant(id, 2, 0));
    let now = leader.lessor.wake_at();
    assert_eq!(leader.due(now).len(), 500);
    assert!(leader.reached(Probe::MoreLeasesDueThanOneScanTakes));
    assert_eq!(leader.due(now + SCAN - 1), [0; 0]);
    assert_eq!(leader.lessor.wake_at(), now + SCAN);
    assert_eq!(leader.due(now + SCAN), [501]);
}

#[test]
fn at_most_sixteen_revocations_are_in_flight() {
    let mut leader = Leader::new(&config());
    (1..=20).for_each(|id| leader.grant(id, 2, 0));
    let now = leader.lessor.wake_at();
    assert_eq!(leader.next(now), None, "leadership is not confirmed yet");
    for id in leader.due(now) {
        leader.lessor.confirmed(id);
        leader.lessor.confirmed(id);
    }
    let proposed: Vec<i64> = std::iter::from_fn(|| leader.next(now)).collect();
    assert_eq!(proposed, Vec::from_iter(1..=16));
    assert!(leader.reached(Probe::LeaseRevocationsWaitForOthers));
    leader.revoke(3);
    assert_eq!((leader.next(now), leader.next(now)), (Some(17), None));
    // After the request timeout the others count as lost, and new ones may be proposed.
    let later = now + config().settings.request_timeout;
    let proposed: Vec<i64> = std::iter::from_fn(|| leader.next(later)).collect();
    assert_eq!(proposed, [18, 19, 20]);
}

/// A new leader may confirm the read of one that has ceased to lead.
#[test]
fn a_confirmation_after_leadership_is_lost_is_forgotten() {
    let mut leader = Leader::new(&config());
    leader.grant(7, 2, 0);
    leader.end_of(7);
    leader.lessor.demote();
    leader.lessor.confirmed(7);
    assert!(leader.lessor.kept().iter().all(|(_, count)| *count == 0));
}

/// Confirmation takes time, during which leadership may be lost and regained.
#[test]
fn a_lease_that_a_new_term_extended_is_not_revoked() {
    let mut leader = Leader::new(&config());
    leader.grant(7, 2, 0);
    let now = leader.end_of(7);
    leader.lessor.promote(&leader.store, now, 0);
    leader.lessor.confirmed(7);
    assert_eq!(leader.next(now), None);
}

#[test]
fn the_time_left_of_long_leases_is_saved() {
    let mut leader = Leader::new(&checkpointing(60));
    leader.grant(7, 150, 0);
    leader.grant(8, 60, 0);
    assert_eq!(leader.lessor.wake_at(), 60 * SECOND);
    assert_eq!(leader.checkpoints(60 * SECOND), [(7, 90)]);
    assert!(leader.reached(Probe::LeaseCheckpointTaken));
    leader.store.checkpoint(7, 90);
    assert_eq!(leader.checkpoints(119 * SECOND), []);
    assert_eq!(leader.checkpoints(120 * SECOND), [(7, 30)]);
    // It has no more than the interval left.
    leader.store.checkpoint(7, 30);
    assert_eq!(leader.checkpoints(149 * SECOND), []);
    assert_eq!(Leader::new(&config()).checkpoints(60 * SECOND), []);
}

#[test]
fn a_checkpoint_is_undone_before_its_lease_is_renewed() {
    let mut leader = Leader::new(&checkpointing(60));
    leader.grant(7, 150, 0);
    assert_eq!(leader.checkpoints(60 * SECOND), [(7, 90)]);
    // A checkpoint in the log already counts.
    assert_eq!(leader.renew(7, 60 * SECOND), Renewed::Checkpointed);
    leader.store.checkpoint(7, 90);
    leader.lessor.checkpoint_applied(7, 90);
    let now = 70 * SECOND;
    assert_eq!(leader.renew(7, now), Renewed::Checkpointed);
    assert!(leader.reached(Probe::LeaseCheckpointUndone));
    assert_eq!(leader.lessor.remaining(7, now, 0), Some(80));
    leader.store.checkpoint(7, 0);
    leader.lessor.checkpoint_applied(7, 0);
    assert_eq!(leader.renew(7, now), Renewed::Renewed { ttl: 150 });
    assert_eq!(leader.checkpoints(120 * SECOND), [(7, 100)]);
}

#[test]
fn no_checkpoint_is_taken_while_one_is_undone() {
    let mut leader = Leader::new(&checkpointing(60));
    leader.grant(7, 150, 0);
    assert_eq!(leader.checkpoints(30 * SECOND), []);
    assert_eq!(leader.checkpoints(60 * SECOND), [(7, 90)]);
    leader.store.checkpoint(7, 90);
    leader.lessor.checkpoint_applied(7, 90);
    // Another is due before it is undone. It would be applied after the renewal.
    assert_eq!(leader.renew(7, 119 * SECOND), Renewed::Checkpointed);
    assert_eq!(leader.checkpoints(120 * SECOND), []);
    leader.store.checkpoint(7, 0);
    leader.lessor.checkpoint_applied(7, 0);
    assert_eq!(leader.renew(7, 121 * SECOND), Renewed::Renewed { ttl: 150 });
}

#[test]
fn a_thousand_leases_are_in_one_checkpoint() {
    let mut leader = Leader::new(&checkpointing(60));
    (1..=1_001).for_each(|id| leader.grant(id, 100, 0));
    assert_eq!(leader.checkpoints(60 * SECOND).len(), 1_000);
    assert_eq!(leader.lessor.wake_at(), 60 * SECOND + SCAN);
    assert_eq!(leader.checkpoints(60 * SECOND + SCAN), [(1_001, 40)]);
}

/// A checkpoint does not include a new leader's extension.
#[test]
fn a_checkpoint_never_exceeds_the_ttl() {
    let mut leader = Leader::new(&checkpoints_every(SCAN));
    leader.store.grant(7, 10).unwrap();
    leader.lessor.promote(&leader.store, 0, 0);
    assert_eq!(leader.checkpoints(SCAN), []);
    assert_eq!(leader.checkpoints(2 * SCAN), []);
    assert_eq!(leader.checkpoints(4 * SCAN), [(7, 9)]);
}

#[test]
fn the_longest_lease_fits_into_the_clock_for_centuries() {
    let mut leader = Leader::new(&checkpointing(1));
    let now = i64::MAX as u64;
    leader.lessor.promote(&leader.store, now, 0);
    leader.grant(7, crate::apply::LEASE_TTL_MAX, now);
    assert_eq!(leader.due(now + SCAN), [0; 0]);
    assert_eq!(leader.lessor.remaining(7, now, 0), Some(crate::apply::LEASE_TTL_MAX));
}

#[test]
fn ids_that_the_server_chooses() {
    let mut store = Store::new();
    store.grant(5, 10).unwrap();
    assert_eq!(fresh_lease_id(&store, 4), 4);
    assert_eq!(fresh_lease_id(&store, 5), 6);
    assert_eq!(fresh_lease_id(&store, 1 << 63), 1);
    assert_eq!(fresh_lease_id(&store, u64::MAX), i64::MAX);
}
