//! Tests how K1 treats the rights of users who watch keys.

use api::authpb::Permission;
use api::etcdserverpb::*;
use api::{Request, Response};
use etcdsim_verify::{Missing, Oracle};
use record::MemberId;

use super::build::*;
use super::evidence::*;

const TITLE: &str = "a watcher was created for keys that its user may not read";

/// Root enables auth; alice may read the keys from `key` to `end`. Without evidence; the last change ends at 14 s.
fn enabled(key: &'static str, end: &'static str) -> Story {
    let name = |name: &str| name.to_string();
    let perm = Some(Permission { perm_type: 0, key: key.into(), range_end: end.into() });
    let changes: [(Request, Response); 7] = [
        (
            AuthUserAddRequest { name: name("root"), password: name("r"), ..Default::default() }.into(),
            AuthUserAddResponse { header: header(1) }.into(),
        ),
        (
            AuthUserGrantRoleRequest { user: name("root"), role: name("root") }.into(),
            AuthUserGrantRoleResponse { header: header(1) }.into(),
        ),
        (
            AuthUserAddRequest { name: name("alice"), password: name("p"), ..Default::default() }.into(),
            AuthUserAddResponse { header: header(1) }.into(),
        ),
        (AuthRoleAddRequest { name: name("user") }.into(), AuthRoleAddResponse { header: header(1) }.into()),
        (
            AuthRoleGrantPermissionRequest { name: name("user"), perm }.into(),
            AuthRoleGrantPermissionResponse { header: header(1) }.into(),
        ),
        (
            AuthUserGrantRoleRequest { user: name("alice"), role: name("user") }.into(),
            AuthUserGrantRoleResponse { header: header(1) }.into(),
        ),
        (AuthEnableRequest {}.into(), AuthEnableResponse { header: header(1) }.into()),
    ];
    let mut story = Story::default();
    for (number, (request, response)) in (0..).zip(changes) {
        let call = 2 * number + 1;
        story = story.ok(9, request, (call, call + 1), response).by(1);
    }
    let login: Request = AuthenticateRequest { name: name("alice"), password: name("p") }.into();
    let token = AuthenticateResponse { header: header(1), token: name("t") };
    story.ok(1, login, (16, 17), token.into()).starts(&[])
}

/// The members applied all changes as they were answered.
fn with_evidence(story: Story) -> Story {
    (0..8).fold(story, |story, number| {
        story.passed(number, 1).at(if number == 7 { 16 } else { 2 * number + 1 })
    })
}

/// Client 1, on member 1, watches.
fn watches(story: Story, key: &str, end: &str) -> Story {
    story.watch(Stream::default().at(20).create(from(key, end, 0)).at(21).created(0, 1))
}

#[test]
fn nobody_watches_more_than_they_may_read() {
    for evidence in [false, true] {
        let story = |key, end| {
            let story = enabled(key, end);
            if evidence { with_evidence(story) } else { story }
        };
        watches(story("a", ""), "a", "").holds(Oracle::K1);
        // From the key on, a wider range, another key, all keys.
        for (key, end) in [("a", "\0"), ("a", "b"), ("b", ""), ("", "\0"), ("", ""), ("a", "a\0\0")] {
            watches(story("a", ""), key, end).breaks(Oracle::K1, TITLE);
        }
        watches(story("a", "c"), "a", "c").holds(Oracle::K1);
        watches(story("a", "c"), "b", "bb").holds(Oracle::K1);
        watches(story("a", "c"), "a", "d").breaks(Oracle::K1, TITLE);
        watches(story("a", "c"), "a", "\0").breaks(Oracle::K1, TITLE);
        watches(story("b", "\0"), "b", "\0").holds(Oracle::K1);
        watches(story("b", "\0"), "a", "\0").breaks(Oracle::K1, TITLE);
        watches(story("\0", "\0"), "", "\0").holds(Oracle::K1);
    }
}

#[test]
fn a_member_that_lags_may_know_less() {
    // Member 2 has shown nothing; it may not know yet that auth is enabled.
    let watch = |member: u32, starts: &[(u32, u64)]| {
        let mut story = watches(enabled("a", ""), "a", "\0");
        story.record.history.watches[0].member = MemberId::new(member);
        story.starts(starts)
    };
    watch(2, &[]).holds(Oracle::K1);
    // Member 1 has answered since, unless it was started again.
    watch(1, &[]).breaks(Oracle::K1, TITLE);
    watch(1, &[(1, 18)]).holds(Oracle::K1);
    // If the starts are not known, that is not known either.
    let mut story = watches(enabled("a", ""), "a", "\0");
    story.expectations.starts.clear();
    let verdict = story.verdict();
    assert!(verdict.violations.is_empty() && verdict.undecided[0].contains("no right"), "{verdict:#?}");
}

#[test]
fn whoever_may_be_meant_counts() {
    // The client was root, too.
    let login: Request = AuthenticateRequest { name: "root".to_string(), password: "r".to_string() }.into();
    let token = AuthenticateResponse { header: header(1), token: "t".to_string() };
    let story = enabled("a", "").ok(1, login, (18, 19), token.into());
    watches(story, "a", "\0").holds(Oracle::K1);
    // Nothing else is known of the client.
    let mut story = watches(enabled("a", ""), "a", "\0");
    story.record.history.watches[0].client = 77;
    let verdict = story.verdict();
    assert!(verdict.holds(), "{verdict:#?}");
    assert!(verdict.not_judged.iter().any(|one| one.missing == Missing::User), "{verdict:#?}");
    // A client that never logged in may watch nothing.
    let mut story = watches(enabled("a", ""), "a", "");
    story.record.history.watches[0].client = 9;
    story.breaks(Oracle::K1, TITLE);
}

#[test]
fn changes_that_overlap_have_no_order() {
    let perm = Some(Permission { perm_type: 0, key: "a".into(), range_end: "\0".into() });
    let more: Request = AuthRoleGrantPermissionRequest { name: "user".to_string(), perm }.into();
    let verdict = watches(enabled("a", "").unknown(9, more, 18).user("root"), "a", "\0").verdict();
    assert!(verdict.holds(), "{verdict:#?}");
    assert!(verdict.not_judged.iter().any(|one| one.missing == Missing::OrderOfRights), "{verdict:#?}");
}
