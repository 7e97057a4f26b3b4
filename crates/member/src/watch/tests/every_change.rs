//! The main property of the hub: whatever happens, each watcher receives every change it wants, in order and
//! exactly once, until it is cancelled.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use record::Probe;

use super::{Flaw, MS, Rig, between, from, put};
use crate::mvcc::Revision;

#[derive(Clone, Debug)]
enum Step {
    Put(u8),
    Delete(u8),
    PutTwo(u8, u8),
    Compact(u8),
    /// That many changes arrive with a snapshot, and perhaps a compaction.
    Snapshot(u8, bool),
    /// The stream, how far back (or ahead, below 0) the watcher starts, the keys.
    Create(u8, i8, Range<u8>),
    Cancel(u8, u8),
    Stall(u8),
    Resume(u8),
    Wait(u16),
}

const KEYS: Range<u8> = 0..4;
const STREAMS: Range<u8> = 0..3;

fn step() -> impl Strategy<Value = Step> {
    let keys = (KEYS, 1..=KEYS.end).prop_map(|(first, len)| first..(first + len).min(KEYS.end));
    prop_oneof![
        8 => KEYS.prop_map(Step::Put),
        2 => KEYS.prop_map(Step::Delete),
        2 => (KEYS, KEYS).prop_map(|(one, other)| Step::PutTwo(one, other)),
        1 => (0..6_u8).prop_map(Step::Compact),
        1 => (0..4_u8, any::<bool>()).prop_map(|(changes, compacts)| Step::Snapshot(changes, compacts)),
        4 => (STREAMS, -5..10_i8, keys).prop_map(|(stream, back, keys)| Step::Create(stream, back, keys)),
        1 => (STREAMS, 0..8_u8).prop_map(|(stream, id)| Step::Cancel(stream, id)),
        1 => STREAMS.prop_map(Step::Stall),
        1 => STREAMS.prop_map(Step::Resume),
        3 => (1..250_u16).prop_map(Step::Wait),
    ]
}

/// What one watcher must receive.
#[derive(Debug)]
struct Due {
    start: i64,
    keys: Range<u8>,
    cancelled: bool,
}

/// A rig that remembers all changes ever made, and all watchers.
struct Ledger {
    rig: Rig,
    /// The revision and the key of each change.
    changes: Vec<(Revision, String)>,
    /// By stream and watch id.
    watchers: BTreeMap<(u64, i64), Due>,
    /// For each stream, the watch id that the hub will choose next.
    next_id: BTreeMap<u64, i64>,
}

fn key(number: u8) -> String {
    format!("k{number}")
}

impl Ledger {
    fn new(flaw: Option<Flaw>) -> Ledger {
        let rig = Rig::flawed_with(flaw, |config| {
            config.settings.watch_window = 2;
            config.settings.watch_buffer = 2;
            config.settings.watch_sync_batch = 2;
            config.settings.watch_batch_revisions = 3;
        });
        Ledger { rig, changes: Vec::new(), watchers: BTreeMap::new(), next_id: BTreeMap::new() }
    }

    /// Adds the changes of the newest revision, unless they were added already.
    fn note(&mut self) {
        let revision = self.rig.store.revision();
        if self.changes.last().is_none_or(|(at, _)| at.main < revision) {
            let new = self.rig.store.history(revision);
            let new = new.map(|(at, row)| (at, String::from_utf8(row.key.to_vec()).unwrap()));
            self.changes.extend(new.collect::<Vec<_>>());
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Put(at) => self.rig.put(&key(at), 1),
            Step::Delete(at) => self.rig.delete(&key(at)),
            Step::PutTwo(one, other) => self.rig.write(|write| {
                put(write, &key(one), 1);
                if one != other {
                    put(write, &key(other), 1);
                }
            }),
            Step::Compact(back) => {
                let _ = self.rig.store.compact(self.rig.store.revision() - i64::from(back));
            }
            Step::Snapshot(changes, compacts) => {
                for change in 0..changes {
                    put(&mut self.rig.store.write(), &key(change), 1);
                    self.note();
                }
                if compacts {
                    let _ = self.rig.store.compact(self.rig.store.revision());
                }
                self.rig.snapshot(|_| {});
            }
            Step::Create(stream, back, keys) => {
                let stream = u64::from(stream);
                let start = (self.rig.store.revision() - i64::from(back)).max(1);
                let id = self.next_id.entry(stream).or_default();
                self.watchers.insert((stream, *id), Due { start, keys: keys.clone(), cancelled: false });
                *id += 1;
                self.rig.create(stream, from(start, between(&key(keys.start), &key(keys.end))));
            }
            Step::Cancel(stream, id) => {
                self.rig.cancel(stream.into(), id.into());
                if let Some(due) = self.watchers.get_mut(&(stream.into(), id.into())) {
                    due.cancelled = true;
                }
            }
            Step::Stall(stream) => self.rig.stall(stream.into()),
            Step::Resume(stream) => self.rig.resume(stream.into()),
            Step::Wait(time) => {
                self.rig.wait(u64::from(time) * MS);
            }
        }
        self.note();
        self.rig.step();
    }

    /// Compares what each watcher must receive with what it received.
    fn settle(mut self) -> Result<(), TestCaseError> {
        STREAMS.for_each(|stream| self.rig.resume(stream.into()));
        self.rig.wait(60_000 * MS);
        prop_assert_eq!(self.rig.hub.counts().unsynced + self.rig.hub.counts().victims, 0);
        let mut received: BTreeMap<(u64, i64), Vec<(i64, String)>> = BTreeMap::new();
        for (stream, response) in &self.rig.received {
            let watcher = (*stream, response.watch_id);
            let due = self.watchers.get_mut(&watcher).expect("a watcher that was created");
            due.cancelled |= response.canceled;
            let revisions: BTreeSet<i64> =
                response.events.iter().map(|event| event.kv.as_ref().unwrap().mod_revision).collect();
            let received = received.entry(watcher).or_default();
            prop_assert!(
                received.last().is_none_or(|(last, _)| revisions.iter().all(|revision| revision > last))
            );
            received.extend(response.events.iter().map(|event| {
                let kv = event.kv.as_ref().unwrap();
                (kv.mod_revision, String::from_utf8(kv.key.to_vec()).unwrap())
            }));
        }
        for (watcher, due) in &self.watchers {
            let wanted = |(at, changed): &&(Revision, String)| {
                at.main >= due.start && due.keys.clone().any(|number| key(number) == *changed)
            };
            let expected: Vec<_> =
                self.changes.iter().filter(wanted).map(|(at, changed)| (at.main, changed.clone())).collect();
            let received = received.remove(watcher).unwrap_or_default();
            if due.cancelled {
                prop_assert!(
                    expected.starts_with(&received),
                    "{watcher:?} {due:?}: {received:?} of {expected:?}"
                );
            } else {
                prop_assert_eq!(&received, &expected, "{:?} {:?}", watcher, due);
            }
        }
        Ok(())
    }
}

/// Runs the steps; returns the probes reached, and the property's result.
fn run(steps: Vec<Step>, flaw: Option<Flaw>) -> (BTreeSet<Probe>, Result<(), TestCaseError>) {
    let mut ledger = Ledger::new(flaw);
    steps.into_iter().for_each(|step| ledger.take(step));
    let probes = ledger.rig.probes().into_iter().collect();
    (probes, ledger.settle())
}

fn runner() -> TestRunner {
    let config = Config { cases: 512, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..120)
}

#[test]
fn every_watcher_receives_every_change() {
    let reached = RefCell::new(BTreeSet::new());
    let found = runner().run(&steps(), |steps| {
        let (probes, found) = run(steps, None);
        reached.borrow_mut().extend(probes);
        found
    });
    found.unwrap();
    // These need what the steps lack: progress, `prev_kv`, fragments.
    let elsewhere = ["progress", "prev-kv", "fragmented"];
    let of_hub = |name: &str| name.starts_with("watch-") && name != Probe::WatchStreamsBroken.name();
    let here = |name: &str| of_hub(name) && !elsewhere.iter().any(|word| name.contains(word));
    let expected = Probe::ROWS.iter().copied().filter(|probe| here(probe.name()));
    assert_eq!(reached.into_inner(), expected.collect());
}

/// The property can fail.
#[test]
fn flawed_hubs_break_the_property() {
    for flaw in [
        Flaw::SyncedMinRevStale,
        Flaw::CompactedWatcherSkipped,
        Flaw::RestoreLowersFutureMinRev,
        Flaw::CompactedWatchersLeak,
        Flaw::EventBufferReuse,
    ] {
        let found = runner().run(&steps(), |steps| run(steps, Some(flaw)).1);
        assert!(found.is_err(), "{flaw} does no harm");
    }
}
