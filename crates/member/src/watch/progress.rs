//! Progress notifications: responses without events that tell a client up to which revision it has all
//! events, either of one watcher, periodically, or of all watchers of a stream, on request.
//!
//! A progress notification at a revision promises that all events up to it were sent before. So it goes
//! through the channel, behind the events (etcd issue 15220). And it is sent only while its watchers are
//! synced and the store has reached the revision at which they want to start (etcd issue 20221). Otherwise,
//! or if the channel is full, nothing is sent: the client may request it again, or the timer fires again.

use api::etcdserverpb::WatchResponse;
use keyed::{Domain, Keyed};
use record::Probe;

use super::outbox::Notice;
use super::watcher::{Group, Progress, Watcher};
use super::{Hub, NO_WATCHER, Name, header};
use crate::config::Config;
use crate::flaw::Flaw;
use crate::mvcc::Store;
use crate::punctual;

/// The name under which the watchers' progress periods are drawn.
const JITTER: Domain = Domain::new("member/watch/progress");

/// The draws of the watchers' progress periods.
pub(super) fn jitter(config: &Config) -> Keyed {
    Keyed::new(config.seed, JITTER).split(config.id.raft_id())
}

/// The shortest time between two periodic notifications of a watcher, in nanoseconds: 100 ms
/// (`minWatchProgressInterval`).
pub(super) const SHORTEST_INTERVAL: u64 = 100_000_000;

/// Whether a watcher can be sent progress.
enum ProgressState {
    /// Yes: it has been sent all events up to the current revision.
    UpToDate,
    /// No: it has not been sent all events.
    Lags,
    /// No: the store has not reached the revision at which it wants to start.
    BeforeStart,
}

impl Hub {
    /// Whether `watcher` can be sent progress at the revision `current`.
    fn progress_state(&self, watcher: &Watcher, current: i64) -> ProgressState {
        match watcher.group {
            Group::Unsynced | Group::Victim => ProgressState::Lags,
            // Flaw M-20221a: progress is sent at a revision below the first one that the watcher wants. A client
            // that resumes from there receives events that it did not want.
            Group::Synced if watcher.start > current && !self.flaws.has(Flaw::ProgressForFutureWatch) => {
                ProgressState::BeforeStart
            }
            // A cancelled watcher gets no more events, so progress of the stream does not wait for it.
            Group::Synced | Group::Cancelled => ProgressState::UpToDate,
        }
    }

    /// The client requests progress of all watchers of `stream`.
    pub(super) fn progress_requested(&mut self, store: &Store, stream: u64) {
        let current = store.revision();
        // Flaw M-15220: progress is sent as a control response, and so before events that wait in the channel.
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

    /// Starts the timer of a new watcher that wants periodic progress. Its period is the interval plus up to
    /// a tenth, so that watchers created together are not all notified together.
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

    /// Sends progress to the watchers whose timer fires and that were sent no events since it fired last.
    pub(super) fn periodic_progress(&mut self, store: &Store) {
        while let Some(&(due, name)) = self.timers.first().filter(|(due, _)| *due <= self.now) {
            punctual::was_due("progress of a watcher", due);
            self.timers.pop_first();
            self.progress_due(store, due, name);
        }
    }

    /// The timer of a watcher fires.
    fn progress_due(&mut self, store: &Store, due: u64, name: Name) {
        let now = self.now;
        let watcher = self.watcher_mut(name);
        let progress = watcher.progress.as_mut();
        let progress =
            progress.unwrap_or_else(|| panic!("{name:?} has a timer for {due} but wants no progress"));
        let idle = std::mem::replace(&mut progress.idle, true);
        // If the process was paused for several periods, the timer fires once for all of them, like Go's
        // ticker.
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
