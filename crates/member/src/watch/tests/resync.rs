//! How watchers that lag are served from the history: passes, compaction, snapshots, victims.

use record::Probe;

use super::*;
use crate::watch::Counts;
use crate::watch::resync::HISTORY_ROWS;

/// Puts key `a` until the store is at `revision`. Each value is the revision that its put makes.
fn written(revision: i64, rig: &mut Rig) {
    while rig.store.revision() < revision {
        let next = rig.store.revision() + 1;
        rig.put("a", next);
    }
}

#[test]
fn a_watch_from_the_past_receives_what_happened_since() {
    let mut rig = Rig::new();
    written(4, &mut rig);
    rig.create(1, from(3, on("a")));
    rig.put("x", 5);
    assert_eq!(rig.seen(), ["0 @4 created"]);
    rig.wait(100 * MS);
    assert_eq!(rig.seen(), ["0 @5 a=3@3 a=4@4"]);
    rig.put("a", 6);
    assert_eq!(rig.seen(), ["0 @6 a=6@6"]);
}

#[test]
fn passes_run_at_the_interval_and_only_while_a_watcher_lags() {
    let mut rig = Rig::new();
    written(2, &mut rig);
    rig.now = 1_030 * MS;
    rig.create(1, from(2, on("a")));
    rig.step();
    assert_eq!(rig.hub.wake_at(), 1_100 * MS);
    rig.wait(500 * MS);
    assert_eq!(rig.hub.wake_at(), u64::MAX);
}

#[test]
fn a_batch_ends_between_two_revisions() {
    let mut rig = Rig::with(|config| config.settings.watch_batch_revisions = 2);
    written(3, &mut rig);
    rig.write(|write| ["a", "b", "c"].into_iter().for_each(|key| put(write, key, 4)));
    written(6, &mut rig);
    rig.create(1, from(3, between("a", "z")));
    rig.create(1, from(6, between("a", "z")));
    rig.wait(100 * MS);
    // Another watcher's start, and what others still have to receive, make no difference.
    assert_eq!(rig.seen()[2..], ["0 @6 a=3@3 a=4@4 b=4@4 c=4@4", "1 @6 a=6@6"]);
    rig.put("a", 7);
    rig.wait(100 * MS);
    assert_eq!(rig.seen(), ["1 @7 a=7@7", "0 @7 a=5@5 a=6@6"]);
    rig.wait(100 * MS);
    assert_eq!(rig.seen(), ["0 @7 a=7@7"]);
    assert_eq!(rig.hub.counts().synced, 2);
    assert_eq!(rig.probes(), [Probe::WatchSeveralBatches]);
}

#[test]
fn a_pass_reads_a_bounded_part_of_the_history() {
    let mut rig = Rig::new();
    let last = HISTORY_ROWS as i64 + 10;
    written(last, &mut rig);
    rig.put("b", 1);
    rig.create(1, from(2, on("b")));
    rig.wait(100 * MS);
    assert_eq!(rig.seen().len(), 1, "it is created");
    rig.wait(100 * MS);
    assert_eq!(rig.seen(), [format!("0 @{0} b=1@{0}", last + 1)]);
}

#[test]
fn a_watch_from_before_the_compact_revision_is_created_and_then_cancelled() {
    let mut rig = Rig::new();
    written(6, &mut rig);
    rig.compact(4);
    rig.create(1, from(3, on("a")));
    rig.create(1, from(4, on("a")));
    rig.wait(100 * MS);
    let expected = ["0 @6 created", "1 @6 created", "0 @0 canceled compacted 4", "1 @6 a=4@4 a=5@5 a=6@6"];
    assert_eq!(rig.seen(), expected);
    assert_eq!(rig.probes(), [Probe::WatchCancelledByCompaction]);
    // Its id stays in use until the client cancels it as well.
    rig.put("a", 7);
    rig.create(1, WatchCreateRequest { watch_id: 1, ..on("a") });
    rig.cancel(1, 0);
    rig.cancel(1, 0);
    let expected = [
        "-1 @7 created canceled: mvcc: duplicate watch ID provided on the WatchStream",
        "0 @7 canceled",
        "1 @7 a=7@7",
    ];
    assert_eq!(rig.seen(), expected);
}

/// A stream whose client reads nothing: one response is in flight, one fills the channel. Another watcher on
/// it lags behind, and its history is compacted.
fn full_channel_and_compaction(flaw: Option<Flaw>) -> Rig {
    let mut rig = Rig::flawed_with(flaw, |config| {
        config.settings.watch_window = 1;
        config.settings.watch_buffer = 1;
    });
    written(3, &mut rig);
    rig.create(1, on("x"));
    rig.step();
    rig.stall(1);
    for value in 4..=5 {
        rig.put("x", value);
        rig.step();
    }
    rig.create(1, from(2, on("a")));
    rig.compact(3);
    rig.wait(300 * MS);
    rig
}

/// Etcd issue 17529.
#[test]
fn a_cancellation_without_room_is_tried_again() {
    let run = |flaw| {
        let mut rig = full_channel_and_compaction(flaw);
        rig.resume(1);
        rig.wait(100 * MS);
        rig.put("a", 6);
        (rig.seen(), rig.probes())
    };
    let before = ["0 @3 created", "0 @4 x=4@4", "1 @5 created", "0 @5 x=5@5"];
    let (seen, probes) = run(None);
    assert_eq!(seen, [&before[..], &["1 @0 canceled compacted 3"]].concat());
    assert_eq!(probes, [Probe::WatchCancelledByCompaction, Probe::WatchCompactionCancelDelayed]);
    let (flawed, _) = run(Some(Flaw::CompactedWatcherSkipped));
    assert_eq!(flawed, [&before[..], &["1 @6 a=6@6"]].concat(), "events 2 and 3 are lost");
}

/// More watchers lag than a pass takes, and what all of them want was compacted. Etcd issue 21174.
#[test]
fn all_compacted_watchers_are_cancelled_once_however_many_there_are() {
    let run = |flaw| {
        let mut rig = Rig::flawed_with(flaw, |config| config.settings.watch_sync_batch = 4);
        written(4, &mut rig);
        rig.compact(3);
        (0..10).for_each(|_| rig.create(1, from(2, on("a"))));
        assert_eq!(rig.hub.counts().unsynced, 10);
        rig.wait(1000 * MS);
        let seen = rig.seen();
        let cancelled: Vec<_> = seen.iter().filter(|text| text.contains("canceled")).cloned().collect();
        (cancelled, rig.hub.counts().unsynced, rig.probes())
    };
    let (cancelled, left, probes) = run(None);
    let expected: Vec<_> = (0..10).map(|id| format!("{id} @0 canceled compacted 3")).collect();
    assert_eq!((cancelled, left), (expected, 0));
    assert_eq!(probes, [Probe::WatchCancelledByCompaction, Probe::WatchSeveralPasses]);
    let (cancelled, left, _) = run(Some(Flaw::CompactedWatchersLeak));
    assert!(cancelled.len() > 10 && left == 10, "{} cancellations, {left} left", cancelled.len());
}

/// Etcd's constants: 600 watchers, 512 per pass.
#[test]
fn a_second_pass_reaches_those_beyond_the_first() {
    let mut rig = Rig::with(|config| config.settings.watch_buffer = 1_000);
    written(4, &mut rig);
    rig.compact(3);
    (0..600).for_each(|_| rig.create(1, from(2, on("a"))));
    rig.wait(100 * MS);
    assert_eq!(rig.hub.counts().unsynced, 88);
    rig.wait(100 * MS);
    assert_eq!(rig.hub.counts(), Counts { streams: 1, ..Counts::default() });
}

/// Four watchers cannot be cancelled because their stream's client reads nothing; a watcher of another stream
/// waits behind them.
#[test]
fn watchers_that_make_no_progress_do_not_keep_others_waiting() {
    let run = |flaw| {
        let mut rig = Rig::flawed_with(flaw, |config| {
            config.settings.watch_window = 1;
            config.settings.watch_buffer = 1;
            config.settings.watch_sync_batch = 3;
        });
        written(4, &mut rig);
        rig.create(1, on("x"));
        rig.step();
        rig.stall(1);
        rig.put("x", 5);
        rig.step();
        rig.compact(4);
        (0..4).for_each(|_| rig.create(1, from(2, on("a"))));
        rig.put("x", 6);
        rig.create(2, from(4, on("a")));
        rig.received.clear();
        rig.wait(1000 * MS);
        rig.seen()
    };
    assert_eq!(run(None), ["0 @6 created", "0 @6 a=4@4"]);
    assert_eq!(run(Some(Flaw::SyncWatchersStall)), ["0 @6 created"]);
}

/// Etcd issue 20693.
#[test]
fn a_watch_from_revision_minus_one_does_not_harm_others() {
    let run = |flaw| {
        let mut rig = Rig::flawed(flaw);
        written(3, &mut rig);
        rig.create(1, from(2, on("a")));
        rig.create(1, from(-1, on("a")));
        rig.wait(100 * MS);
        rig.put("a", 4);
        rig.seen()
    };
    let refused = "-1 @3 created canceled: etcdserver: mvcc: required revision has been compacted";
    assert_eq!(run(None), ["0 @3 created", refused, "0 @3 a=2@2 a=3@3", "0 @4 a=4@4"]);
    let flawed = run(Some(Flaw::WatchRevMinusOne));
    assert_eq!(
        flawed,
        ["0 @3 created", "1 @3 created", "0 @4 a=4@4", "1 @4 a=4@4"],
        "events 2 and 3 are lost"
    );
}

#[test]
fn after_a_snapshot_watchers_receive_its_changes() {
    let mut rig = Rig::new();
    rig.create(1, on("a"));
    written(3, &mut rig);
    rig.step();
    rig.snapshot(|store| (4..=6).for_each(|value| put(&mut store.write(), "a", value)));
    rig.wait(100 * MS);
    rig.put("a", 7);
    assert_eq!(
        rig.seen(),
        ["0 @1 created", "0 @2 a=2@2", "0 @3 a=3@3", "0 @6 a=4@4 a=5@5 a=6@6", "0 @7 a=7@7"]
    );
}

#[test]
fn a_snapshot_that_lacks_what_a_watcher_needs_cancels_it() {
    let mut rig = Rig::new();
    rig.create(1, on("a"));
    written(3, &mut rig);
    rig.snapshot(|store| {
        (4..=6).for_each(|value| put(&mut store.write(), "a", value));
        store.compact(5).unwrap();
    });
    rig.wait(100 * MS);
    assert_eq!(rig.seen()[3..], ["0 @0 canceled compacted 5"]);
}

/// Etcd issue 15271.
#[test]
fn after_a_snapshot_nothing_is_sent_again() {
    let run = |flaw| {
        let mut rig = Rig::flawed(flaw);
        rig.create(1, on("a"));
        written(3, &mut rig);
        rig.snapshot(|store| put(&mut store.write(), "a", 4));
        rig.wait(100 * MS);
        rig.seen()[3..].to_vec()
    };
    assert_eq!(run(None), ["0 @4 a=4@4"]);
    assert_eq!(run(Some(Flaw::SyncedMinRevStale)), ["0 @4 a=2@2 a=3@3 a=4@4"]);
}

/// Etcd issue 20221.
#[test]
fn after_a_snapshot_a_future_watcher_still_waits_for_its_revision() {
    let run = |flaw| {
        let mut rig = Rig::flawed(flaw);
        rig.create(1, from(6, on("a")));
        written(2, &mut rig);
        rig.snapshot(|store| put(&mut store.write(), "a", 3));
        rig.wait(100 * MS);
        written(6, &mut rig);
        (rig.seen(), rig.probes())
    };
    let (seen, probes) = run(None);
    assert_eq!(seen, ["0 @1 created", "0 @6 a=6@6"]);
    assert_eq!(probes, [Probe::WatchFutureAtSnapshot, Probe::WatchFutureReached]);
    let (flawed, _) = run(Some(Flaw::RestoreLowersFutureMinRev));
    assert_eq!(flawed, ["0 @1 created", "0 @4 a=4@4", "0 @5 a=5@5", "0 @6 a=6@6"]);
}

#[test]
fn victims_and_lagging_watchers_survive_a_snapshot() {
    let mut rig = Rig::with(|config| {
        config.settings.watch_window = 1;
        config.settings.watch_buffer = 1;
    });
    rig.create(1, on("a"));
    rig.step();
    rig.stall(1);
    for value in 2..=4 {
        rig.put("a", value);
        rig.step();
    }
    rig.create(2, from(3, on("a")));
    rig.snapshot(|store| (5..=6).for_each(|value| put(&mut store.write(), "a", value)));
    rig.resume(1);
    rig.wait(200 * MS);
    let expected = [
        "0 @1 created",
        "0 @2 a=2@2",
        "0 @3 a=3@3",
        "0 @4 created",
        "0 @4 a=4@4",
        "0 @6 a=5@5 a=6@6",
        "0 @6 a=3@3 a=4@4 a=5@5 a=6@6",
    ];
    assert_eq!(rig.seen(), expected);
    let mut probes = rig.probes();
    probes.retain(|probe| probe.name().ends_with("snapshot"));
    assert_eq!(probes, [Probe::WatchUnsyncedAtSnapshot, Probe::WatchVictimAtSnapshot]);
}

/// A response that waits while the next pass runs. Etcd issue 21355.
#[test]
fn a_pass_does_not_touch_the_events_of_the_last_one() {
    let run = |flaw| {
        let mut rig = Rig::flawed_with(flaw, |config| config.settings.watch_window = 1);
        written(3, &mut rig);
        rig.put("b", 4);
        rig.stall(1);
        rig.create(1, from(2, on("a")));
        rig.wait(100 * MS);
        rig.create(2, from(4, on("b")));
        rig.wait(100 * MS);
        rig.resume(1);
        rig.seen()
    };
    assert_eq!(run(None), ["0 @4 created", "0 @4 created", "0 @4 b=4@4", "0 @4 a=2@2 a=3@3"]);
    let flawed = run(Some(Flaw::EventBufferReuse));
    assert_eq!(flawed[3], "0 @4 b=4@4 a=3@3", "another watcher's event");
}

#[test]
#[should_panic(expected = "no snapshot moved it")]
fn an_unsynced_watcher_of_the_future_is_a_bug() {
    let mut rig = Rig::new();
    written(3, &mut rig);
    rig.create(1, from(2, on("a")));
    rig.hub.streams.get_mut(&1).unwrap().watchers.get_mut(&0).unwrap().next = 9;
    rig.wait(100 * MS);
}
