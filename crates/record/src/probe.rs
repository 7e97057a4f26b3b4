//! The numbers by which the trace hash knows the probes that members report.
//!
//! A number is never used twice and never changes: it is part of every trace hash. The next probe takes
//! the next number.

/// Number and name, sorted by name.
const NUMBERS: &[(u64, &str)] = &[
    (1, "alarm-disarmed"),
    (2, "alarm-raised"),
    (3, "auth-changed-by-snapshot"),
    (4, "auth-enabled"),
    (5, "auth-old-revision"),
    (6, "auth-token-expired"),
    (7, "auto-compaction"),
    (8, "auto-compaction-failed"),
    (9, "auto-compaction-left-to-the-leader"),
    (10, "backend-defragmented"),
    (11, "campaign-again-with-another-value"),
    (12, "campaign-waited"),
    (13, "change-refused-at-apply"),
    (14, "change-refused-unhealthy"),
    (15, "compaction-in-several-batches"),
    (16, "compaction-interrupted"),
    (17, "expired-lease-offered-again"),
    (18, "expired-lease-renewed"),
    (19, "first-start-begun-again"),
    (20, "joint-change-applied"),
    (21, "leader-lost-while-revoking-leases"),
    (22, "learner-added"),
    (23, "learner-promoted"),
    (24, "lease-checkpoint-taken"),
    (25, "lease-checkpoint-undone"),
    (26, "lease-continued-from-checkpoint"),
    (27, "lease-expired"),
    (28, "lease-extended-by-new-leader"),
    (29, "lease-renewed-late"),
    (30, "lease-revocations-wait-for-others"),
    (31, "lock-session-expired-while-waiting"),
    (32, "lock-waited"),
    (33, "log-tail-repaired"),
    (34, "member-re-added-url"),
    (35, "member-removed"),
    (36, "more-leases-due-than-one-scan-takes"),
    (37, "permission-denied"),
    (38, "promotion-refused-not-ready"),
    (39, "recovered-from-snapshot-file"),
    (40, "snapshot-during-defragmentation"),
    (41, "waiter-gone"),
    (42, "watch-cancelled-by-compaction"),
    (43, "watch-compaction-cancel-delayed"),
    (44, "watch-dropped-after-cancel"),
    (45, "watch-fragmented"),
    (46, "watch-future-at-snapshot"),
    (47, "watch-future-reached"),
    (48, "watch-prev-kv-compacted"),
    (49, "watch-progress-before-start"),
    (50, "watch-progress-held-back"),
    (51, "watch-progress-periodic"),
    (52, "watch-several-batches"),
    (53, "watch-several-passes"),
    (54, "watch-unsynced-at-snapshot"),
    (55, "watch-victim"),
    (56, "watch-victim-at-snapshot"),
    (57, "watch-victim-still-lags"),
];

/// The number of the probe `name`.
///
/// # Panics
///
/// If no probe has that name.
pub(crate) fn number(name: &str) -> u64 {
    let at = NUMBERS.binary_search_by_key(&name, |(_, name)| name);
    at.map(|at| NUMBERS[at].0)
        .unwrap_or_else(|_| panic!("the probe {name:?} has no number in record/src/probe.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_numbers_differ() {
        assert!(NUMBERS.is_sorted_by(|a, b| a.1 < b.1));
        let numbers: std::collections::BTreeSet<u64> = NUMBERS.iter().map(|row| row.0).collect();
        assert_eq!(numbers.len(), NUMBERS.len());
    }
}
