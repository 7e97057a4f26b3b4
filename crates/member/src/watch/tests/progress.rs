//! Progress notifications, on request and periodic.

use record::Probe;

use super::*;

const MINUTE: u64 = 60_000 * MS;

fn with_progress(create: WatchCreateRequest) -> WatchCreateRequest {
    WatchCreateRequest { progress_notify: true, ..create }
}

#[test]
fn a_request_is_answered_for_all_watchers() {
    let mut rig = Rig::new();
    rig.create(1, on("a"));
    rig.create(1, on("b"));
    rig.put("x", 1);
    rig.ask_progress(1);
    assert_eq!(rig.seen()[2..], ["-1 @2"]);
}

#[test]
fn a_request_on_a_stream_without_watchers_is_not_answered() {
    let mut rig = Rig::new();
    rig.ask_progress(1);
    assert_eq!(rig.seen(), [""; 0]);
}

#[test]
fn a_request_is_not_answered_while_a_watcher_lags() {
    let mut rig = Rig::new();
    rig.put("a", 1);
    rig.create(1, on("a"));
    rig.create(1, from(1, on("a")));
    rig.ask_progress(1);
    assert_eq!(rig.seen(), ["0 @2 created", "1 @2 created"]);
    assert_eq!(rig.probes(), [Probe::WatchProgressHeldBack]);
    rig.wait(100 * MS);
    rig.ask_progress(1);
    assert_eq!(rig.seen(), ["1 @2 a=1@2", "-1 @2"]);
}

/// Etcd issue 15220.
#[test]
fn progress_does_not_overtake_events() {
    let run = |flaw| {
        let mut rig = Rig::flawed_with(flaw, |config| config.settings.watch_window = 1);
        rig.create(1, on("a"));
        rig.step();
        rig.stall(1);
        rig.put("a", 1);
        rig.put("a", 2);
        rig.step();
        rig.ask_progress(1);
        rig.resume(1);
        rig.seen()
    };
    assert_eq!(run(None), ["0 @1 created", "0 @2 a=1@2", "0 @3 a=2@3", "-1 @3"]);
    assert_eq!(
        run(Some(Flaw::ProgressViaControlStream)),
        ["0 @1 created", "0 @2 a=1@2", "-1 @3", "0 @3 a=2@3"]
    );
}

/// A client may give a watcher the id that progress for a whole stream has.
#[test]
fn events_of_a_watcher_with_the_id_of_progress_are_kept() {
    let mut rig = Rig::with(|config| config.settings.watch_window = 1);
    rig.create(1, WatchCreateRequest { watch_id: -1, ..on("a") });
    rig.step();
    rig.stall(1);
    rig.put("a", 1);
    rig.put("a", 2);
    rig.step();
    rig.create(1, on("b"));
    rig.resume(1);
    let events: Vec<_> = rig.seen().into_iter().filter(|one| one.contains("a=")).collect();
    assert_eq!(events, ["-1 @2 a=1@2", "-1 @3 a=2@3"]);
}

#[test]
fn a_victim_holds_progress_back() {
    let mut rig = Rig::with(|config| {
        config.settings.watch_window = 1;
        config.settings.watch_buffer = 1;
    });
    rig.create(1, on("a"));
    rig.stall(1);
    rig.step();
    rig.put("a", 1);
    rig.put("a", 2);
    rig.ask_progress(1);
    rig.resume(1);
    rig.step();
    rig.ask_progress(1);
    assert_eq!(rig.seen(), ["0 @1 created", "0 @2 a=1@2"]);
    rig.wait(10 * MS);
    rig.ask_progress(1);
    assert_eq!(rig.seen(), ["0 @3 a=2@3", "-1 @3"]);
}

/// Etcd issue 20221.
#[test]
fn there_is_no_progress_below_the_start_revision() {
    let run = |flaw| {
        let mut rig = Rig::flawed(flaw);
        rig.create(1, with_progress(from(4, on("a"))));
        rig.put("x", 1);
        rig.ask_progress(1);
        rig.wait(11 * MINUTE);
        rig.put("x", 2);
        rig.put("x", 3);
        rig.ask_progress(1);
        (rig.seen(), rig.probes())
    };
    let (seen, probes) = run(None);
    assert_eq!(seen, ["0 @1 created", "-1 @4"]);
    assert_eq!(probes, [Probe::WatchProgressBeforeStart]);
    assert_eq!(run(Some(Flaw::ProgressForFutureWatch)).0, ["0 @1 created", "-1 @2", "0 @2", "-1 @4"]);
}

#[test]
fn idle_watchers_that_asked_for_it_receive_progress() {
    let mut rig = Rig::new();
    rig.create(1, with_progress(on("a")));
    rig.create(1, on("a"));
    rig.put("x", 1);
    let wakes = rig.wait(10 * MINUTE - 1);
    assert_eq!((rig.seen().len(), wakes), (2, 0), "only the creations before the interval is over");
    rig.wait(MINUTE + 1);
    assert_eq!(rig.seen(), ["0 @2"]);
    rig.put("x", 2);
    rig.wait(11 * MINUTE);
    assert_eq!(rig.seen(), ["0 @3"]);
    assert_eq!(rig.probes(), [Probe::WatchProgressPeriodic]);
}

#[test]
fn a_watcher_that_was_sent_events_needs_no_progress() {
    let mut rig = Rig::new();
    rig.create(1, with_progress(on("a")));
    rig.wait(5 * MINUTE);
    rig.put("a", 1);
    rig.wait(6 * MINUTE);
    assert_eq!(rig.seen(), ["0 @1 created", "0 @2 a=1@2"]);
    rig.wait(11 * MINUTE);
    assert_eq!(rig.seen(), ["0 @2"]);
}

#[test]
fn periods_differ_by_up_to_a_tenth_and_are_the_same_in_every_run() {
    let dues = || {
        let mut rig = Rig::new();
        (0..20).for_each(|_| rig.create(1, with_progress(on("a"))));
        rig.hub.timers.iter().map(|(due, _)| *due).collect::<BTreeSet<u64>>()
    };
    assert_eq!(dues().len(), 20);
    assert!(dues().iter().all(|due| (10 * MINUTE..11 * MINUTE).contains(due)));
    assert_eq!(dues(), dues());
}

#[test]
fn progress_for_which_there_is_no_room_is_dropped() {
    let mut rig = Rig::with(|config| {
        config.settings.watch_window = 1;
        config.settings.watch_buffer = 1;
    });
    rig.create(1, with_progress(on("a")));
    rig.stall(1);
    rig.step();
    rig.wait(60 * MINUTE);
    (0..5).for_each(|_| rig.ask_progress(1));
    rig.resume(1);
    assert_eq!(rig.seen(), ["0 @1 created", "0 @1"]);
}

#[test]
fn a_watcher_cancelled_by_compaction_does_not_hold_progress_back() {
    let mut rig = Rig::new();
    rig.put("a", 1);
    rig.put("a", 2);
    rig.compact(3);
    rig.create(1, with_progress(from(1, on("a"))));
    rig.create(1, on("a"));
    rig.wait(11 * MINUTE);
    assert_eq!(rig.hub.wake_at(), u64::MAX, "it has no timer either");
    rig.ask_progress(1);
    assert_eq!(rig.seen(), ["0 @3 created", "1 @3 created", "0 @0 canceled compacted 3", "-1 @3"]);
}

#[test]
fn an_idle_hub_sleeps() {
    let mut rig = Rig::new();
    assert!(rig.hub.is_idle());
    assert_eq!(rig.hub.wake_at(), u64::MAX);
    rig.put("a", 1);
    rig.create(1, on("a"));
    rig.put("a", 2);
    rig.step();
    assert_eq!(rig.hub.wake_at(), u64::MAX);
}
