//! Tests how K1, K3 and K4 treat entries that members propose themselves, such as the revocation of an expired lease.

use api::Error;
use api::etcdserverpb::*;
use etcdsim_verify::Oracle;

use super::build::*;
use super::evidence::*;

fn leased(key: &str, lease: i64) -> api::Request {
    PutRequest { key: bytes::Bytes::copy_from_slice(key.as_bytes()), lease, ..PutRequest::default() }.into()
}

/// Two leases with a key each; the second one's time is over.
fn two_leases() -> Story {
    Story::default()
        .ok(1, grant(7, 10), (1, 2), granted(7, 10))
        .ok(1, grant(8, 10), (3, 4), granted(8, 10))
        .ok(1, leased("a", 7), (5, 6), done(2))
        .ok(1, leased("b", 8), (7, 8), done(3))
        .passed(0, 1)
        .passed(1, 1)
        .applied(2, 2)
        .applied(3, 3)
}

fn with_lease(key: &str, revision: i64, lease: i64) -> api::mvccpb::KeyValue {
    api::mvccpb::KeyValue { lease, ..kv(key, "", revision, revision, 1) }
}

#[test]
fn a_lease_that_ends_takes_its_own_keys_along() {
    let reads =
        |left| two_leases().own(revoke(8), 4, true).at(20).ok(2, everything(), (30, 31), found(4, &[left]));
    reads(with_lease("a", 2, 7)).holds(Oracle::K1);
    reads(with_lease("b", 3, 8)).breaks(Oracle::K1, "a read was answered wrongly");
}

#[test]
fn an_own_entry_explains_its_revision_and_no_other() {
    let title = "a member's own proposal does not fit";
    two_leases().own(revoke(9), 4, true).at(20).breaks(Oracle::K1, title);
    two_leases().own(revoke(8), 3, false).at(20).breaks(Oracle::K1, title);
    two_leases().own(revoke(8), 4, true).at(20).own(revoke(8), 4, false).at(21).holds(Oracle::K1);
}

#[test]
fn what_the_lock_service_writes_is_there_for_everybody() {
    let story = |value| {
        Story::default().own(grant(5, 60), 1, false).own(put("lock/5", ""), 2, true).ok(
            1,
            get("lock/5"),
            (5, 6),
            found(2, &[kv("lock/5", value, 2, 2, 1)]),
        )
    };
    story("").holds(Oracle::K1);
    story("x").breaks(Oracle::K1, "a read was answered wrongly");
}

#[test]
fn a_members_own_compaction_is_a_compaction() {
    let story = || {
        Story::default()
            .ok(1, put("a", "1"), (1, 2), done(2))
            .ok(1, put("a", "2"), (3, 4), done(3))
            .applied(0, 2)
            .applied(1, 3)
            .own(compact(3), 3, false)
            .at(10)
    };
    let read = get_at("a", 2);
    let old = || found(3, &[kv("a", "1", 2, 2, 1)]);
    story().error(2, read.clone(), (11, 12), Error::Compacted).holds(Oracle::K3);
    story()
        .ok(2, read.clone(), (8, 9), old())
        .error(2, read.clone(), (11, 12), Error::Compacted)
        .holds(Oracle::K3);
    // No client can know of it before the first member carried it out, or read below it later.
    story().error(2, read.clone(), (8, 9), Error::Compacted).breaks(Oracle::K3, "");
    story()
        .error(2, read.clone(), (11, 12), Error::Compacted)
        .ok(2, read.clone(), (13, 14), old())
        .breaks(Oracle::K3, "contradict");
    // A member refuses on its own for the same reason.
    let local: api::Request =
        RangeRequest { key: "a".into(), revision: 2, serializable: true, ..Default::default() }.into();
    story().error(2, local.clone(), (11, 12), Error::Compacted).holds(Oracle::K3);
    story().error(2, local, (8, 9), Error::Compacted).breaks(Oracle::K3, "refused without a reason");
}

#[test]
fn a_key_that_goes_with_its_lease_is_not_lost() {
    let quiet = |story: Story| story.ok(2, everything(), (30, 31), found(4, &[with_lease("a", 2, 7)]));
    quiet(two_leases().own(revoke(8), 4, true).at(20)).holds(Oracle::K4);
}

#[test]
fn the_server_chooses_the_id_of_a_lease() {
    // The answer is lost; the end shows which one it was.
    let mut story = Story::default()
        .unknown(1, grant(0, 10), 1)
        .ok(2, leased("a", 77), (5, 6), done(2))
        .passed(0, 1)
        .applied(1, 2);
    story.breaks(Oracle::K1, "a write was answered wrongly");
    story.record.applied[0].internal = Some(Box::new(grant(77, 10)));
    story.holds(Oracle::K1);
}

#[test]
fn nothing_is_written_while_the_alarm_is_on() {
    let alarm = |action| -> api::Request { AlarmRequest { action, member_id: 1, alarm: 1 }.into() };
    let story = |between: bool| {
        let mut story = Story::default().own(alarm(1), 1, false).at(1);
        if between {
            story = story.own(alarm(2), 1, false).at(2);
        }
        let number = story.record.history.operations.len() as u64;
        story.ok(1, put("a", "1"), (3, 5), done(2)).applied(number, 2).at(4)
    };
    story(false).breaks(Oracle::K1, "a write was answered wrongly");
    story(true).holds(Oracle::K1);
}
