//! B8, of watchers that lag: each gets its turn.
//!
//! A watcher from a revision of the past, one that a snapshot has overtaken, and one that had no room for long are served
//! from the history, by passes.
//!
//! Derivation. There is a pass every `watch-sync-interval` while any watcher lags, and a pass takes up to `watch-sync-batch`
//! of them (`server/storage/mvcc/watchable_store.go`, `syncWatchersLoop` and `maxWatchersPerSync`). etcd takes them in any
//! order, the member in rotation, so that none waits for ever (etcd issue 22264). Hence two rules:
//! - Turns. No pass takes a watcher a second time while another has lagged since before the first time and was not taken.
//!   Always owed: the order does not depend on time.
//! - Time. With turns, those that lag and come before a watcher are each taken once. If n watchers lagged in the time in
//!   which it waits, it is taken with pass n / batch, rounded up. The first pass comes within an interval, by the slowest
//!   clock. One more interval, a tick and 2 d are added, for a member that is busy.
//!
//! Premises of the time: the member's process runs, is not paused, and no fault is active on it, its disk or its clock.
//! Clients and links do not matter: a pass that finds no room for a response has taken the watcher all the same.
//!
//! Not judged: what a pass sends (W1 to W10, `b8_responses`), and when a response that found no room is tried again (the
//! member checks itself that it wakes for that, `punctual`).

use std::collections::BTreeMap;

use record::inner::{Group, WatcherCause, WatcherMove};
use record::{MemberId, Members, Nanos};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::setup::Setup;
use super::speed::Speed;
use super::watchers::Name;
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// The must.
#[derive(Clone, Debug)]
pub(super) struct Passes {
    members: Members<Process>,
    reported: bool,
}

/// What is known of a process.
#[derive(Clone, Debug, Default)]
struct Process {
    /// The watchers that lag.
    lagging: BTreeMap<Name, Lag>,
    /// How often a watcher began to lag.
    began: u64,
    /// When a pass took each watcher last.
    taken: BTreeMap<Name, Nanos>,
    /// The last pass.
    pass: Option<Pass>,
}

/// A watcher that waits for a pass.
#[derive(Clone, Copy, Debug)]
struct Lag {
    /// Since when it lags, or when a pass took it last.
    since: Nanos,
    /// How many lagged then, with it.
    lagged: u64,
    /// How often a watcher had begun to lag then.
    began: u64,
}

/// A pass.
#[derive(Clone, Copy, Debug)]
struct Pass {
    at: Nanos,
    /// The watcher that it took again, with the time at which an earlier pass took it; the latest of these.
    again: Option<(Nanos, Name)>,
}

impl Passes {
    pub fn new(members: u32) -> Passes {
        Passes { members: Members::new(members, |_| Process::default()), reported: false }
    }

    /// A process has ended, and its watchers with it.
    pub fn stopped(&mut self, member: MemberId, tally: &mut Tally, sheet: &mut Sheet) {
        self.turns(member, tally, sheet);
        if let Some(process) = self.members.get_mut(member) {
            *process = Process::default();
        }
    }

    /// A watcher moves.
    pub fn moves(
        &mut self,
        now: Nanos,
        member: MemberId,
        moved: &WatcherMove,
        known: (&Setup, &Cluster, &Speed),
        tally: &mut Tally,
        sheet: &mut Sheet,
    ) {
        let Some(process) = self.members.get(member) else { return };
        let name = (moved.stream, moved.id);
        let ends = moved.why == WatcherCause::Ended;
        let was_taken = moved.from.0 == Group::Unsynced
            && !matches!(
                moved.why,
                WatcherCause::Created | WatcherCause::SnapshotInstalled | WatcherCause::Ended
            );
        if was_taken && process.pass.is_some_and(|pass| pass.at < now) {
            self.turns(member, tally, sheet);
        }
        let Some(process) = self.members.get_mut(member) else { return };
        let waited = process.lagging.remove(&name);
        let late = waited.filter(|_| was_taken || ends).and_then(|lag| {
            let Some(bound) = process.late(member, lag, now, known) else {
                if was_taken {
                    tally.judged();
                }
                return None;
            };
            match bound {
                Ok(bound) => {
                    tally.judged();
                    Some(violation(member, name, (lag.since, now), bound))
                }
                Err(premise) => {
                    tally.skipped(premise);
                    None
                }
            }
        });
        if was_taken {
            let before = process.taken.insert(name, now);
            let pass = process.pass.get_or_insert(Pass { at: now, again: None });
            pass.again = pass.again.max(before.map(|before| (before, name)));
        }
        if ends {
            process.taken.remove(&name);
        } else if moved.to.0 == Group::Unsynced {
            // One that was taken and still lags has only gone to the end of the row.
            process.began += u64::from(!was_taken);
            let lagged = process.lagging.len() as u64 + 1;
            process.lagging.insert(name, Lag { since: now, lagged, began: process.began });
        }
        self.report(late, sheet);
    }

    /// Judges whether the last pass of a member left out a watcher whose turn it was.
    fn turns(&mut self, member: MemberId, tally: &mut Tally, sheet: &mut Sheet) {
        let Some(process) = self.members.get_mut(member) else { return };
        let Some(Pass { at, again }) = process.pass.take() else { return };
        let Some((before, name)) = again else { return };
        tally.judged();
        let left_out = process.lagging.iter().find(|(_, lag)| lag.since < before);
        let violation =
            left_out.map(|(other, lag)| overtaken(member, at, (name, before), (*other, lag.since)));
        self.report(violation, sheet);
    }

    /// The run is over.
    pub fn end(
        &mut self,
        now: Nanos,
        known: (&Setup, &Cluster, &Speed),
        tally: &mut Tally,
        sheet: &mut Sheet,
    ) {
        for member in self.members.ids().collect::<Vec<_>>() {
            self.turns(member, tally, sheet);
            let Some(process) = self.members.get(member) else { continue };
            let late = process.lagging.iter().find_map(|(name, lag)| {
                let bound = process.late(member, *lag, now, known)?.ok()?;
                Some(violation(member, *name, (lag.since, now), bound))
            });
            self.report(late, sheet);
        }
    }

    fn report(&mut self, violation: Option<Violation>, sheet: &mut Sheet) {
        if let Some(violation) = violation
            && !std::mem::replace(&mut self.reported, true)
        {
            sheet.add(violation);
        }
    }
}

impl Process {
    /// If a watcher has waited longer than it may: how long it may, or the premise that does not hold.
    fn late(
        &self,
        member: MemberId,
        lag: Lag,
        now: Nanos,
        (setup, cluster, speed): (&Setup, &Cluster, &Speed),
    ) -> Option<Result<Nanos, Premise>> {
        let lagged = lag.lagged + (self.began - lag.began);
        let passes = lagged.div_ceil(setup.watch_batch.max(1));
        let intervals = setup.longest_of(setup.watch_sync.saturating_mul(passes + 1)) + setup.longest(1);
        if now - lag.since <= intervals {
            return None;
        }
        let bound = intervals + 2 * speed.worst_now(lag.since, now, cluster).saves;
        if now - lag.since <= bound {
            return None;
        }
        let free = cluster.free_until(member, lag.since).is_some_and(|until| until >= now);
        Some(if free { Ok(bound) } else { Err(Premise::Health) })
    }
}

fn violation(member: MemberId, name: Name, (since, now): (Nanos, Nanos), bound: Nanos) -> Violation {
    let title = format!("no pass of member {member} takes a watcher that lags");
    let sentence = format!(
        "Watcher {} of stream {} lags since {}, and until {} no pass took it, though the member ran freely: its turn was \
         within {}.",
        name.1,
        name.0,
        time(since),
        time(now),
        time(bound)
    );
    Violation::new(Oracle::B8, since + bound, title).say(sentence)
}

/// The pass took a watcher for the second time, while the other one waited.
fn overtaken(
    member: MemberId,
    at: Nanos,
    (name, before): (Name, Nanos),
    (other, since): (Name, Nanos),
) -> Violation {
    let title = format!("member {member} serves a watcher again while another waits for its turn");
    let sentence = format!(
        "At {} a pass took watcher {} of stream {}, which one had taken at {}. Watcher {} of stream {} lags since {}, and \
         none of the passes since then took it.",
        time(at),
        name.1,
        name.0,
        time(before),
        other.1,
        other.0,
        time(since)
    );
    Violation::new(Oracle::B8, at, title).say(sentence)
}
