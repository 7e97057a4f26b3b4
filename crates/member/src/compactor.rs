//! Compaction that the leader thinks of by itself (`v3compactor/periodic.go`, `revision.go`).
//!
//! - *Periodic* keeps the revisions of a period: it takes down the revision every tenth of the period (of
//!   an hour, if that is less), and compacts to what it took down a period ago, every period (or hour).
//!   After a failure it tries again with the next revision it takes down.
//! - *By revision* keeps so many revisions, and looks every five minutes.
//!
//! Every member takes down revisions; only the leader compacts. Nothing of it is durable: a restarted
//! member waits for a whole period first.
//!
//! One compaction at a time. Whether it came about is seen in the store, whoever asked for it: for
//! etcd's compactor, too, "already compacted" is a success.

use std::collections::{BTreeSet, VecDeque};

use record::Probe;

use crate::config::{AutoCompaction, Config};
use crate::mvcc::Store;
use crate::probes::Probes;

const MINUTE: u64 = 60_000_000_000;
/// Longest time between two periodic compactions.
const PERIODIC_MAX: u64 = 60 * MINUTE;
/// Revisions taken down between two periodic compactions (`retryDivisor`).
const SAMPLES: u64 = 10;
/// Time between two compactions by revision (`revInterval`).
const BY_REVISION: u64 = 5 * MINUTE;

#[derive(Debug)]
enum Mode {
    Off,
    Periodic {
        /// What is kept, as time. Before the first compaction all of it must have passed.
        period: u64,
        /// Time between two compactions, after the first.
        interval: u64,
        /// Time that must have passed since the last compaction for the next.
        wait: u64,
        /// What was taken down, oldest first: a period and one more at most.
        revisions: VecDeque<i64>,
        /// When a compaction last succeeded; at first, when the member started.
        succeeded: u64,
    },
    Revision {
        /// How many are kept.
        keep: i64,
    },
}

/// A compaction on its way.
#[derive(Debug)]
struct Asked {
    revision: i64,
    give_up_at: u64,
}

/// Decides when to compact and to what. Times are nanoseconds of the member's own clock.
#[derive(Debug)]
pub(crate) struct Compactor {
    mode: Mode,
    /// The next time to look; `None` where a new wait begins now.
    next: Option<u64>,
    asked: Option<Asked>,
    /// The last compaction that succeeded.
    last: i64,
    request_timeout: u64,
    probes: Probes,
}

impl Compactor {
    /// Of a member that starts. A period or a number of revisions of 0 is etcd's "off".
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
            asked: None,
            last: 0,
            request_timeout: config.settings.request_timeout,
            probes: Probes::default(),
        }
    }

    /// The probes reached since this was asked last.
    pub(crate) fn take_probes(&mut self) -> BTreeSet<Probe> {
        self.probes.take()
    }

    /// To what revision a compaction is to be proposed now, if any. Costs next to nothing between times.
    pub(crate) fn look_after(&mut self, now: u64, store: &Store, is_leader: bool) -> Option<i64> {
        if let Mode::Off = self.mode {
            return None;
        }
        if self.is_asked(now, store) {
            return None;
        }
        match self.next {
            Some(next) if now < next => return None,
            Some(_) if is_leader => {
                if let Some(revision) = self.choose(now, store.revision()) {
                    self.asked =
                        Some(Asked { revision, give_up_at: now.saturating_add(self.request_timeout) });
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

    /// When to look again.
    pub(crate) fn wake_at(&self) -> u64 {
        match (&self.mode, &self.asked) {
            (Mode::Off, _) => u64::MAX,
            (_, Some(asked)) => asked.give_up_at,
            (_, None) => self.next.unwrap_or(0),
        }
    }

    /// Whether a compaction is on its way; takes note of its end.
    fn is_asked(&mut self, now: u64, store: &Store) -> bool {
        let Some(asked) = &self.asked else { return false };
        if store.compact_revision() >= asked.revision {
            self.last = asked.revision;
            if let Mode::Periodic { succeeded, .. } = &mut self.mode {
                *succeeded = now;
            }
        } else if now < asked.give_up_at {
            return true;
        } else {
            self.probes.reached(Probe::AutoCompactionFailed);
        }
        self.asked = None;
        false
    }

    /// The revision to compact to, if it is time to and there is something to gain.
    fn choose(&mut self, now: u64, revision: i64) -> Option<i64> {
        let chosen = match &mut self.mode {
            Mode::Off => return None,
            Mode::Periodic { interval, wait, revisions, succeeded, .. } => {
                if now - *succeeded < *wait {
                    return None;
                }
                // From the first attempt on, even if that fails.
                *wait = *interval;
                *revisions.front()?
            }
            Mode::Revision { keep } => revision - *keep,
        };
        (chosen > 0 && chosen != self.last).then_some(chosen)
    }

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

    /// A store that is written to once in every `step`, its compactor, and what was compacted when.
    struct Run {
        store: Store,
        compactor: Compactor,
        now: u64,
    }

    impl Run {
        fn new(mode: AutoCompaction) -> Run {
            let mut config = Config::new(1, Arc::new([]));
            match mode {
                AutoCompaction::Periodic(period) => config.settings.auto_compaction_period = period,
                AutoCompaction::Revision(keep) => config.settings.auto_compaction_revisions = keep as u64,
            }
            Run { store: Store::new(), compactor: Compactor::new(&config), now: 0 }
        }

        fn look(&mut self, is_leader: bool) -> Option<i64> {
            self.compactor.look_after(self.now, &self.store, is_leader)
        }

        /// Looks whenever it is asked to, up to `end`, and puts a key after each time. The compactions, as
        /// (time, revision); they are carried out if `works`.
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
        // Looks at minute m see revision m + 1, the first at minute 0.
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
    fn followers_take_down_revisions_but_do_not_compact() {
        let mut run = Run::new(AutoCompaction::Periodic(10 * MINUTE));
        assert_eq!(run.until(25 * MINUTE, false, true), []);
        assert!(run.compactor.take_probes().contains(&Probe::AutoCompactionLeftToTheLeader));
        let compactions = run.until(26 * MINUTE, true, true);
        assert_eq!(compactions, [(26 * MINUTE, 16)], "what was there ten minutes and one look ago");
    }

    #[test]
    fn compaction_by_revision_keeps_so_many() {
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
        // Nothing was written since.
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
    fn off_is_off() {
        for mode in [AutoCompaction::Periodic(0), AutoCompaction::Revision(0)] {
            assert_eq!(Run::new(mode).compactor.wake_at(), u64::MAX);
        }
    }
}
