//! Progress: responses without events that tell a client how far it is up to date.
//!
//! Progress at a revision promises that everything up to there was told. It therefore goes through
//! the channel, behind the events (etcd issue 15220), and only while those it speaks for are synced
//! and have their first revision behind them (etcd issue 20221). What cannot be promised, or has no
//! room, is not said at all: the client asks again, the timer comes round again.

use api::etcdserverpb::WatchResponse;
use keyed::Domain;
use record::Probe;

use super::outbox::Notice;
use super::watcher::{Group, Progress, Watcher};
use super::{Hub, NO_WATCHER, Name, header};
use crate::flaw::Flaw;
use crate::mvcc::Store;

/// What the periods of watchers are drawn from.
pub(super) const JITTER: Domain = Domain::new("member/watch/progress");

/// Shortest time between two notifications of a watcher (`minWatchProgressInterval`): 100 ms.
pub(super) const SHORTEST_INTERVAL: u64 = 100_000_000;

/// Whether, and why not, a watcher can be told that it knows everything.
enum Standing {
    UpToDate,
    Lags,
    BeforeStart,
}

impl Hub {
    fn standing(&self, watcher: &Watcher, current: i64) -> Standing {
        match watcher.group {
            Group::Unsynced | Group::Victim => Standing::Lags,
            // M-20221a: told of a revision below the first it wants, and a client resumes from there.
            Group::Synced if watcher.start > current && !self.flaws.has(Flaw::ProgressForFutureWatch) => {
                Standing::BeforeStart
            }
            Group::Synced | Group::Cancelled => Standing::UpToDate,
        }
    }

    /// The client asks how far all watchers of `stream` are.
    pub(super) fn progress_requested(&mut self, store: &Store, stream: u64) {
        let current = store.revision();
        // M-15220: past the channel, and past whatever is in it.
        if self.flaws.has(Flaw::ProgressViaControlStream) {
            let header = header(current);
            return self
                .control(stream, WatchResponse { header, watch_id: NO_WATCHER, ..WatchResponse::default() });
        }
        let watchers = &self.streams[&stream].watchers;
        if watchers.is_empty() {
            return; // As in etcd: there is nobody to speak for.
        }
        for watcher in watchers.values() {
            match self.standing(watcher, current) {
                Standing::UpToDate => {}
                Standing::Lags => return self.probes.reached(Probe::WatchProgressHeldBack),
                Standing::BeforeStart => return self.probes.reached(Probe::WatchProgressBeforeStart),
            }
        }
        let _ = self.offer(stream, Notice::progress(NO_WATCHER, 0, current));
    }

    /// Gives a new watcher its timer: the interval and up to a tenth more, so that watchers created
    /// together are not all told together.
    pub(super) fn watch_progress(&mut self, name: Name) {
        let interval = self.limits.progress_interval;
        let period = interval + self.jitter.draw(name.stream, name.id as u64).below(interval / 10);
        let due = self.now.saturating_add(period);
        self.timers.insert((due, name));
        self.watcher_mut(name).progress = Some(Progress { due, period, idle: true });
    }

    /// Takes a watcher's timer away, if it has one.
    pub(super) fn stop_progress(&mut self, name: Name) {
        if let Some(progress) = self.watcher_mut(name).progress.take() {
            self.timers.remove(&(progress.due, name));
        }
    }

    /// Tells those whose time has come, and who were sent nothing else meanwhile.
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
            progress.unwrap_or_else(|| panic!("{name:?} has a timer for {due} and wants no progress"));
        let idle = std::mem::replace(&mut progress.idle, true);
        // After a pause one look stands for all that were missed, as with Go's ticker.
        progress.due = (due + progress.period).max(now + 1);
        let (next, birth) = (progress.due, watcher.birth);
        self.timers.insert((next, name));
        let current = store.revision();
        if !idle {
            return;
        }
        match self.standing(self.watcher(name), current) {
            Standing::UpToDate => {
                if self.offer(name.stream, Notice::progress(name.id, birth, current)).is_ok() {
                    self.probes.reached(Probe::WatchProgressPeriodic);
                }
            }
            Standing::Lags => self.probes.reached(Probe::WatchProgressHeldBack),
            Standing::BeforeStart => self.probes.reached(Probe::WatchProgressBeforeStart),
        }
    }
}
