//! Creating, refusing and cancelling watchers: the answers to the client.

use api::etcdserverpb::watch_request::RequestUnion;
use record::Probe;

use super::*;
use crate::watch::Counts;

#[test]
fn ids_count_from_0_on_each_stream_and_skip_those_the_client_chose() {
    let mut rig = Rig::new();
    rig.create(1, on("a"));
    rig.create(1, WatchCreateRequest { watch_id: 1, ..on("a") });
    rig.create(1, WatchCreateRequest { watch_id: 7, ..on("a") });
    rig.create(1, on("a"));
    rig.create(2, on("a"));
    let created = rig.received.len();
    assert_eq!(created, 0, "nothing is sent before the hub is drained");
    assert_eq!(rig.seen(), ["0 @1 created", "1 @1 created", "7 @1 created", "2 @1 created", "0 @1 created"]);
    assert_eq!(rig.hub.counts(), Counts { streams: 2, synced: 5, ..Counts::default() });
}

#[test]
fn the_creation_has_the_current_revision() {
    let mut rig = Rig::new();
    rig.put("a", 1);
    rig.create(1, from(9, on("a")));
    assert_eq!(rig.seen(), ["0 @2 created"]);
}

#[test]
fn an_id_in_use_is_refused_and_the_first_watcher_stays() {
    let mut rig = Rig::new();
    rig.create(1, WatchCreateRequest { watch_id: 5, ..on("a") });
    rig.create(1, WatchCreateRequest { watch_id: 5, ..on("b") });
    rig.put("a", 1);
    assert_eq!(
        rig.seen(),
        [
            "5 @1 created",
            "-1 @1 created canceled: mvcc: duplicate watch ID provided on the WatchStream",
            "5 @2 a=1@2"
        ]
    );
}

#[test]
fn ranges_that_hold_no_key_are_refused() {
    let mut rig = Rig::new();
    rig.create(1, between("b", "a"));
    rig.create(1, between("b", "b"));
    let refused = "-1 @1 created canceled: mvcc: watcher range is empty";
    assert_eq!(rig.seen(), [refused, refused]);
    assert_eq!(rig.hub.counts().synced, 0);
}

#[test]
fn a_client_may_not_watch_what_it_may_not_read() {
    let mut rig = Rig::new();
    rig.say(1, RequestUnion::CreateRequest(on("a")), Err(Error::PermissionDenied));
    // etcd names the cause, if it is one of three more.
    rig.say(1, RequestUnion::CreateRequest(on("a")), Err(Error::UserEmpty));
    rig.say(1, RequestUnion::CreateRequest(on("a")), Err(Error::UserNotFound));
    // The checks come in this order: revision, permission, range.
    rig.say(1, RequestUnion::CreateRequest(between("b", "a")), Err(Error::InvalidAuthToken));
    rig.say(1, RequestUnion::CreateRequest(from(-1, on("a"))), Err(Error::AuthOldRevision));
    rig.put("a", 1);
    assert_eq!(
        rig.seen(),
        [
            "-1 @1 created canceled: rpc error: code = PermissionDenied desc = etcdserver: permission denied",
            "-1 @1 created canceled: rpc error: code = InvalidArgument desc = etcdserver: user name is empty",
            "-1 @1 created canceled: rpc error: code = PermissionDenied desc = etcdserver: permission denied",
            "-1 @1 created canceled: rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
            "-1 @1 created canceled: etcdserver: mvcc: required revision has been compacted"
        ]
    );
}

#[test]
fn a_negative_start_revision_is_refused() {
    let mut rig = Rig::new();
    rig.create(1, from(-1, on("a")));
    assert_eq!(
        rig.seen(),
        ["-1 @1 created canceled: etcdserver: mvcc: required revision has been compacted"]
    );
}

#[test]
fn a_cancelled_watcher_receives_the_cancellation_and_nothing_else() {
    let mut rig = Rig::new();
    rig.create(1, on("a"));
    rig.create(1, on("a"));
    rig.cancel(1, 0);
    rig.put("a", 1);
    rig.cancel(1, 0);
    rig.cancel(1, 99);
    assert_eq!(rig.seen(), ["0 @1 created", "1 @1 created", "0 @1 canceled", "1 @2 a=1@2"]);
}

#[test]
fn events_of_a_cancelled_watcher_do_not_reach_the_next_one_with_its_id() {
    let mut rig = Rig::with(|config| config.settings.watch_window = 1);
    rig.stall(1);
    rig.create(1, WatchCreateRequest { watch_id: 4, ..on("a") });
    rig.step();
    rig.put("a", 1);
    rig.cancel(1, 4);
    rig.create(1, WatchCreateRequest { watch_id: 4, ..on("a") });
    rig.put("a", 2);
    rig.resume(1);
    assert_eq!(rig.seen(), ["4 @1 created", "4 @2 canceled", "4 @2 created", "4 @3 a=2@3"]);
    assert_eq!(rig.probes(), [Probe::WatchDroppedAfterCancel]);
}

#[test]
fn an_automatic_id_is_not_given_twice() {
    let mut rig = Rig::new();
    rig.create(1, on("a"));
    rig.cancel(1, 0);
    rig.create(1, on("a"));
    assert_eq!(rig.seen(), ["0 @1 created", "0 @1 canceled", "1 @1 created"]);
}

#[test]
fn nothing_is_left_of_a_closed_stream() {
    let mut rig = Rig::with(|config| {
        config.settings.watch_window = 1;
        config.settings.watch_buffer = 1;
    });
    rig.stall(1);
    rig.put("a", 1);
    rig.create(1, WatchCreateRequest { progress_notify: true, ..on("a") });
    rig.create(1, from(1, on("a")));
    rig.create(1, on("a"));
    rig.step();
    rig.put("a", 2);
    assert_eq!(rig.hub.counts(), Counts { streams: 1, synced: 1, unsynced: 1, victims: 1 });
    rig.hub.closed(1);
    rig.hub.taken(1);
    assert_eq!(rig.hub.counts(), Counts::default());
    assert!(rig.hub.is_idle());
    assert_eq!(rig.hub.wake_at(), u64::MAX);
    rig.received.clear();
    rig.put("a", 3);
    assert_eq!(rig.seen(), [""; 0]);
}

#[test]
fn the_first_request_of_any_kind_opens_the_stream() {
    let mut rig = Rig::new();
    rig.cancel(3, 0);
    assert_eq!(rig.hub.counts().streams, 1);
    assert_eq!(rig.seen(), [""; 0]);
}

#[test]
#[should_panic(expected = "none is in flight")]
fn a_driver_must_not_take_more_than_it_was_given() {
    let mut rig = Rig::new();
    rig.create(1, on("a"));
    rig.hub.taken(1);
}

#[test]
#[should_panic(expected = "without a call to the hub")]
fn a_change_that_was_not_reported_to_the_hub_is_noticed() {
    let mut rig = Rig::new();
    rig.create(1, on("a"));
    put(&mut rig.store.write(), "a", 1);
    rig.put("a", 2);
}
