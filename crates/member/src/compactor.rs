//! Decides when the leader compacts automatically, and to which revision (`v3compactor/periodic.go`,
//! `revision.go`). There are two modes:
//!
//! - *Periodic* keeps the revisions of the last period. It records the store's revision at an interval of a
//!   tenth of the period, or of an hour if the period is longer. Once a period, or once an hour if that is
//!   less, it compacts to the revision recorded a period ago. If that fails, it tries again after the next
//!   interval.
//! - *By revision* keeps a fixed number of the latest revisions. It checks every five minutes.
//!
//! Every member records revisions, but only the leader compacts. The records are not durable, so after a
//! restart a member first waits for a whole period.
//!
//! There is one compaction at a time. It has succeeded when the store is compacted to its revision, even if
//! another request did that; etcd, too, takes "already compacted" for success.

use std::collections::{BTreeSet, VecDeque};

use api::Response;
use api::etcdserverpb::CompactionRequest;
use record::Probe;

use crate::config::{AutoCompaction, Config};
use crate::envelope::Command;
use crate::keeps::{Count, count};
use crate::mvcc::Store;
use crate::probes::Probes;
use crate::punctual;
use crate::want::{Want, Wants};

const MINUTE: u64 = 60_000_000_000;
/// The longest time between two periodic compactions: an hour, in nanoseconds (`periodic.go`).
const PERIODIC_MAX: u64 = 60 * MINUTE;
/// How many revisions are recorded between two periodic compactions (`retryDivisor`).
const SAMPLES: u64 = 10;
/// The time between two checks in the mode *by revision*, in nanoseconds (`revInterval`).
const BY_REVISION: u64 = 5 * MINUTE;

/// When to compact. The module documentation explains the modes.
#[derive(Debug)]
enum Mode {
    Off,
    Periodic {
        /// How long revisions are kept. A whole period must pass before the first compaction.
        period: u64,
        /// The time between two compactions, after the first.
        interval: u64,
        /// How much time must pass after `succeeded` before the next compaction.
        wait: u64,
        /// The recorded revisions, oldest first: at most those of a period and one more.
        revisions: VecDeque<i64>,
        /// When a compaction last succeeded. Before the first, when the first revision was recorded.
        succeeded: u64,
    },
    Revision {
        /// The number of revisions to keep.
        keep: i64,
    },
}

/// A requested compaction.
#[derive(Debug)]
struct Requested {
    revision: i64,
    /// When the request counts as failed.
    give_up_at: u64,
}

/// Decides when to compact and to what. Times are nanoseconds of the member's own clock.
#[derive(Debug)]
pub(crate) struct Compactor {
    mode: Mode,
    /// When to check next; `None` if the next call starts a new interval.
    next: Option<u64>,
    /// The compaction that was requested and has no answer so far.
    requested: Option<Requested>,
    /// The revision of the last compaction that succeeded.
    last: i64,
    /// Compactions whose clients wait until the compacted revisions are removed from the backend: operation,
    /// revision, answer.
    waiting: Vec<(u64, i64, Response)>,
    request_timeout: u64,
    probes: Probes,
}

impl Compactor {
    /// The compactor of a member that has just started. A period of 0, or 0 revisions to keep, turns it off,
    /// as in etcd.
    pub(crate) fn new(config: &Config) -> Compactor {
        let mode = match config.settings.auto_compaction() {
            Some(AutoCompaction::Periodic(period)) if period > 0 => Mode::Periodic {
                period,
                interval: period.min(PERIODIC_MAX),
                wait: period,
                revisions: VecDeque::new(),
                succeeded: 0,
            },
            Some(AutoCompaction::Revision(keep)) if keep > 0 => Mode::Revision { keep },
            _ => Mode::Off,
        };
        Compactor {
            mode,
            next: None,
            requested: None,
            last: 0,
            waiting: Vec::new(),
            request_timeout: config.settings.request_timeout,
            probes: Probes::default(),
        }
    }

    /// The probes reached since the last call.
    pub(crate) fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 1] {
        [count("compactions", self.waiting.len())]
    }

    /// A client's compaction to `revision` was applied. The client gets this answer once the compacted
    /// revisions are removed from the backend.
    pub(crate) fn wait(&mut self, operation: u64, revision: i64, response: Response) {
        self.waiting.push((operation, revision, response));
    }

    /// Whether a client waits for the next backend commit: the store has removed the revisions already.
    pub(crate) fn waits_for_commit(&self, store: &Store) -> bool {
        self.waiting.iter().any(|(_, revision, _)| store.is_scrubbed(*revision))
    }

    /// Proposes a compaction if one is due on this leader, and answers clients that waited. `finished` is the
    /// last compaction whose revisions are removed from the backend.
    pub(crate) fn due(&mut self, now: u64, store: &Store, is_leader: bool, finished: i64, wants: &mut Wants) {
        if let Some(revision) = self.look_after(now, store, is_leader) {
            let request = CompactionRequest { revision, physical: false };
            wants.push(Want::propose(Command::Request(request.into())));
        }
        let done = self.waiting.extract_if(.., |(_, revision, _)| finished >= *revision);
        wants.extend(done.map(|(operation, _, response)| Want::Reply(operation, Ok(response))));
    }

    /// The revision to which a compaction should be proposed now, if any. Cheap when nothing is due.
    fn look_after(&mut self, now: u64, store: &Store, is_leader: bool) -> Option<i64> {
        if let Mode::Off = self.mode {
            return None;
        }
        if self.is_in_progress(now, store) {
            return None;
        }
        match self.next {
            Some(next) if now < next => return None,
            Some(next) if is_leader => {
                punctual::was_due("an automatic compaction", next);
                if let Some(revision) = self.choose(now, store.revision()) {
                    self.requested =
                        Some(Requested { revision, give_up_at: now.saturating_add(self.request_timeout) });
                    self.next = None;
                    self.probes.reached(Probe::AutoCompaction);
                    return Some(revision);
                }
            }
            Some(_) => self.probes.reached(Probe::AutoCompactionLeftToTheLeader),
            None => {}
        }
        self.begin_wait(now, store.revision());
        None
    }

    /// When to call [`Compactor::due`] next.
    pub(crate) fn wake_at(&self) -> u64 {
        match (&self.mode, &self.requested) {
            (Mode::Off, _) => u64::MAX,
            (_, Some(requested)) => requested.give_up_at,
            (_, None) => self.next.unwrap_or(0),
        }
    }

    /// When [`Compactor::due`] next does something if nothing but time passes; 0 if the next step must call it, because
    /// a client waits, or because the store was already compacted that far when the compaction was requested.
    pub(crate) fn due_at(&self, store: &Store) -> u64 {
        let is_done = |requested: &Requested| store.compact_revision() >= requested.revision;
        if self.waiting.is_empty() && !self.requested.as_ref().is_some_and(is_done) {
            self.wake_at()
        } else {
            0
        }
    }

    /// Whether the requested compaction is still in progress. If it has succeeded or timed out, records that.
    fn is_in_progress(&mut self, now: u64, store: &Store) -> bool {
        let Some(requested) = &self.requested else { return false };
        if store.compact_revision() >= requested.revision {
            self.last = requested.revision;
            if let Mode::Periodic { succeeded, .. } = &mut self.mode {
                *succeeded = now;
            }
        } else if now < requested.give_up_at {
            return true;
        } else {
            punctual::was_due("the end of an automatic compaction", requested.give_up_at);
            self.probes.reached(Probe::AutoCompactionFailed);
        }
        self.requested = None;
        false
    }

    /// The revision to compact to; `None` if it is too early or there is nothing to compact.
    fn choose(&mut self, now: u64, revision: i64) -> Option<i64> {
        let chosen = match &mut self.mode {
            Mode::Off => return None,
            Mode::Periodic { interval, wait, revisions, succeeded, .. } => {
                if now - *succeeded < *wait {
                    return None;
                }
                // After the first attempt, even a failed one, a compaction is due an `interval` after the last that
                // succeeded, not a whole period.
                *wait = *interval;
                *revisions.front()?
            }
            Mode::Revision { keep } => revision - *keep,
        };
        (chosen > 0 && chosen != self.last).then_some(chosen)
    }

    /// Starts the next interval and, in periodic mode, records the store's revision.
    fn begin_wait(&mut self, now: u64, revision: i64) {
        let wait = match &mut self.mode {
            Mode::Off => return,
            Mode::Periodic { period, interval, revisions, succeeded, .. } => {
                if revisions.is_empty() {
                    *succeeded = now;
                }
                let wait = (*interval / SAMPLES).max(1);
                revisions.push_back(revision);
                if revisions.len() as u64 > *period / wait + 1 {
                    revisions.pop_front();
                }
                wait
            }
            Mode::Revision { .. } => BY_REVISION,
        };
        self.next = Some(now.saturating_add(wait));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A store, its compactor and the time.
    struct Run {
        store: Store,
        compactor: Compactor,
        now: u64,
    }

    impl Run {
        fn new(mode: AutoCompaction) -> Run {
            let mut config = Config::new(record::MemberId::new(1), Arc::new([]));
            match mode {
                AutoCompaction::Periodic(period) => config.settings.auto_compaction_period = period,
                AutoCompaction::Revision(keep) => config.settings.auto_compaction_revisions = keep as u64,
            }
            Run { store: Store::new(), compactor: Compactor::new(&config), now: 0 }
        }

        fn look(&mut self, is_leader: bool) -> Option<i64> {
            self.compactor.look_after(self.now, &self.store, is_leader)
        }

        /// Checks whenever a check is due, up to `end`, and puts a key after each. Returns the compactions as (time,
        /// revision); they are carried out if `works`.
        fn until(&mut self, end: u64, is_leader: bool, works: bool) -> Vec<(u64, i64)> {
            let mut compactions = Vec::new();
            while self.compactor.wake_at() <= end {
                self.now = self.now.max(self.compactor.wake_at());
                if let Some(revision) = self.look(is_leader) {
                    compactions.push((self.now, revision));
                    if works {
                        self.store.compact(revision).unwrap();
                    }
                    self.look(is_leader);
                } else {
                    self.store.write().put(&"k".into(), "v".into(), 0);
                }
            }
            compactions
        }
    }

    #[test]
    fn periodic_compaction_keeps_a_period() {
        let mut run = Run::new(AutoCompaction::Periodic(10 * MINUTE));
        // The check at minute m sees revision m + 1; the first is at minute 0.
        let compactions = run.until(31 * MINUTE, true, true);
        let expected = [(10 * MINUTE, 1), (20 * MINUTE, 10), (30 * MINUTE, 19)];
        assert_eq!(compactions, expected);
        assert!(run.compactor.take_probes().contains(&Probe::AutoCompaction));
    }

    #[test]
    fn long_periods_are_kept_from_hour_to_hour() {
        let mut run = Run::new(AutoCompaction::Periodic(180 * MINUTE));
        let times: Vec<u64> = run.until(310 * MINUTE, true, true).iter().map(|(at, _)| at / MINUTE).collect();
        assert_eq!(times, [180, 240, 300]);
    }

    #[test]
    fn a_failed_compaction_is_tried_again_after_a_tenth() {
        let mut run = Run::new(AutoCompaction::Periodic(600 * MINUTE));
        let times: Vec<u64> =
            run.until(615 * MINUTE, true, false).iter().map(|(at, _)| at / MINUTE).collect();
        assert_eq!(times, [600, 606, 612]);
        assert!(run.compactor.take_probes().contains(&Probe::AutoCompactionFailed));
    }

    #[test]
    fn followers_sample_revisions_but_do_not_compact() {
        let mut run = Run::new(AutoCompaction::Periodic(10 * MINUTE));
        assert_eq!(run.until(25 * MINUTE, false, true), []);
        assert!(run.compactor.take_probes().contains(&Probe::AutoCompactionLeftToTheLeader));
        let compactions = run.until(26 * MINUTE, true, true);
        assert_eq!(compactions, [(26 * MINUTE, 16)], "the revision of ten minutes and one check ago");
    }

    #[test]
    fn compaction_by_revision_keeps_that_many() {
        let mut run = Run::new(AutoCompaction::Revision(3));
        for _ in 0..9 {
            run.store.write().put(&"k".into(), "v".into(), 0);
        }
        assert_eq!(run.look(true), None);
        run.now = 5 * MINUTE - 1;
        assert_eq!(run.look(true), None);
        run.now = 5 * MINUTE;
        assert_eq!(run.look(true), Some(7));
        run.store.compact(7).unwrap();
        // Nothing was written meanwhile.
        for _ in 0..100 {
            run.now += MINUTE;
            assert_eq!(run.look(true), None);
        }
    }

    #[test]
    fn there_is_nothing_to_compact_in_a_young_store() {
        let mut run = Run::new(AutoCompaction::Revision(5));
        assert_eq!(run.look(true), None);
        run.now = 5 * MINUTE;
        assert_eq!(run.look(true), None);
    }

    #[test]
    fn one_compaction_at_a_time() {
        let mut run = Run::new(AutoCompaction::Revision(1));
        run.store.write().put(&"k".into(), "v".into(), 0);
        run.look(true);
        run.now = 5 * MINUTE;
        assert_eq!(run.look(true), Some(1));
        assert_eq!(run.look(true), None);
        assert_eq!(run.compactor.wake_at(), 5 * MINUTE + run.compactor.request_timeout);
    }

    #[test]
    fn a_compaction_that_the_store_has_already_is_over_in_the_next_step() {
        let mut run = Run::new(AutoCompaction::Revision(1));
        run.store.write().put(&"k".into(), "v".into(), 0);
        run.look(true);
        run.now = 5 * MINUTE;
        assert_eq!(run.look(true), Some(1));
        assert_eq!(run.compactor.due_at(&run.store), run.compactor.wake_at());
        run.store.compact(2).unwrap();
        assert_eq!(run.compactor.due_at(&run.store), 0);
        run.look(true);
        assert_eq!(run.compactor.due_at(&run.store), 10 * MINUTE);
    }

    #[test]
    fn a_physical_compaction_is_answered_when_the_backend_has_finished_it() {
        let mut run = Run::new(AutoCompaction::Revision(0));
        let response = Response::Compact(api::etcdserverpb::CompactionResponse::default());
        run.compactor.wait(3, 5, response.clone());
        let mut finished = |finished| {
            let mut wants = Wants::new();
            run.compactor.due(0, &run.store, true, finished, &mut wants);
            wants
        };
        assert_eq!(finished(4), []);
        assert_eq!(finished(5), [Want::Reply(3, Ok(response))]);
        assert_eq!(finished(5), []);
    }

    #[test]
    fn off_is_off() {
        for mode in [AutoCompaction::Periodic(0), AutoCompaction::Revision(0)] {
            assert_eq!(Run::new(mode).compactor.wake_at(), u64::MAX);
        }
    }
}
