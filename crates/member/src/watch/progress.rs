//! Progress: responses without events that show a client how far it is up to date.
//!
//! Progress at a revision promises that everything up to it was sent. So it goes through the channel, behind
//! the events (etcd issue 15220), and only while the watchers it covers are synced and past their first
//! revision (etcd issue 20221). If it cannot be promised or there is no room, nothing is sent: the client
//! asks again, or the timer fires again.

use api::etcdserverpb::WatchResponse;
use keyed::Domain;
use record::Probe;

use super::outbox::Notice;
use super::watcher::{Group, Progress, Watcher};
use super::{Hub, NO_WATCHER, Name, header};
use crate::flaw::Flaw;
use crate::mvcc::Store;

/// Randomness for the watchers' progress periods.
pub(super) const JITTER: Domain = Domain::new("member/watch/progress");

/// Shortest time between two notifications of a watcher (`minWatchProgressInterval`): 100 ms.
pub(super) const SHORTEST_INTERVAL: u64 = 100_000_000;

/// Whether a watcher can be sent progress, and if not, why.
enum ProgressState {
    UpToDate,
    Lags,
    BeforeStart,
}

impl Hub {
    fn progress_state(&self, watcher: &Watcher, current: i64) -> ProgressState {
        match watcher.group {
            Group::Unsynced | Group::Victim => ProgressState::Lags,
            // M-20221a: progress below the first revision it wants, from which a client then resumes.
            Group::Synced if watcher.start > current && !self.flaws.has(Flaw::ProgressForFutureWatch) => {
                ProgressState::BeforeStart
            }
            Group::Synced | Group::Cancelled => ProgressState::UpToDate,
        }
    }

    /// The client asks how far all watchers of `stream` have come.
    pub(super) fn progress_requested(&mut self, store: &Store, stream: u64) {
        let current = store.revision();
        // M-15220: bypasses the channel and whatever is in it.
        if self.flaws.has(Flaw::ProgressViaControlStream) {
            let header = header(current);
            return self
                .control(stream, WatchResponse { header, watch_id: NO_WATCHER, ..WatchResponse::default() });
        }
        let watchers = &self.streams[&stream].watchers;
        if watchers.is_empty() {
            return; // As in etcd: there are no watchers to report on.
        }
        for watcher in watchers.values() {
            match self.progress_state(watcher, current) {
                ProgressState::UpToDate => {}
                ProgressState::Lags => return self.probes.reached(Probe::WatchProgressHeldBack),
                ProgressState::BeforeStart => return self.probes.reached(Probe::WatchProgressBeforeStart),
            }
        }
        let _ = self.offer(stream, Notice::progress(NO_WATCHER, 0, current));
    }

    /// Sets a new watcher's timer: the interval plus up to a tenth, so that watchers created together are not
    /// all notified together.
    pub(super) fn watch_progress(&mut self, name: Name) {
        let interval = self.limits.progress_interval;
        let period = interval + self.jitter.draw(name.stream, name.id as u64).below(interval / 10);
        let due = self.now.saturating_add(period);
        self.timers.insert((due, name));
        self.watcher_mut(name).progress = Some(Progress { due, period, idle: true });
    }

    /// Removes a watcher's timer, if it has one.
    pub(super) fn stop_progress(&mut self, name: Name) {
        if let Some(progress) = self.watcher_mut(name).progress.take() {
            self.timers.remove(&(progress.due, name));
        }
    }

    /// Sends progress to watchers that are due and have received nothing since their last turn.
    pub(super) fn periodic_progress(&mut self, store: &Store) {
        while let Some(&(due, name)) = self.timers.first().filter(|(due, _)| *due <= self.now) {
            self.timers.pop_first();
            self.progress_due(store, due, name);
        }
    }

    fn progress_due(&mut self, store: &Store, due: u64, name: Name) {
        let now = self.now;
        let watcher = self.watcher_mut(name);
        let progress = watcher.progress.as_mut();
        let progress =
            progress.unwrap_or_else(|| panic!("{name:?} has a timer for {due} but wants no progress"));
        let idle = std::mem::replace(&mut progress.idle, true);
        // After a pause, one turn stands for all missed ones, as with Go's ticker.
        progress.due = (due + progress.period).max(now + 1);
        let (next, serial) = (progress.due, watcher.serial);
        self.timers.insert((next, name));
        let current = store.revision();
        if !idle {
            return;
        }
        match self.progress_state(self.watcher(name), current) {
            ProgressState::UpToDate => {
                if self.offer(name.stream, Notice::progress(name.id, serial, current)).is_ok() {
                    self.probes.reached(Probe::WatchProgressPeriodic);
                }
            }
            ProgressState::Lags => self.probes.reached(Probe::WatchProgressHeldBack),
            ProgressState::BeforeStart => self.probes.reached(Probe::WatchProgressBeforeStart),
        }
    }
}
